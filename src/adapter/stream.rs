//! The utterances of one recogniser's connection, whatever its wire shape.
//!
//! A [`Dialect`] reads the messages of one system and says what they say;
//! [`Recogniser`] makes the engine's inputs of it: ids that are unique within
//! the call, the call's times, whose voice it is, and nothing twice.
//!
//! | rule | |
//! |---|---|
//! | a key is a recogniser's own name of an utterance | the utterance id is the leg's prefix, the session and the key |
//! | a session (task, stream) restarts keys and times | later sessions are numbered in the id, and count from the moment they were heard of |
//! | stamps that run back, or lie far from their arrival (`course`) | likewise a new session, placed by arrival; counted |
//! | other words under the id of a settled sentence | a correction, if they lie where it lies, are much like it and come soon, or where the system says that its ids are unique; else another sentence, numbered in the id |
//! | what was said already is not said again | a hypothesis that did not change, a final that is sent again, a hypothesis behind its final |
//! | an empty text | only takes back an open hypothesis |
//! | no start | where the hypothesis began, else a little before the message came |
//! | no end | when the message came; for a final, where its hypothesis ended |
//! | an unknown speaker, where speakers decide the role | a hypothesis waits for its final; a final is the customer's, so that no agent is blamed on a guess, whatever its hypotheses said |

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::course::Course;
use super::shape::check_length;
use super::{Adapter, Leg, Unrecognised};
use crate::engine::time::CallTime;
use crate::engine::transcript::{Input, Role, Utterance};

/// A hypothesis that nothing settles is cut and settled at this length. A
/// speech segment has some 300 characters at most, so only systems that were
/// told not to end sentences get here.
pub(super) const OPEN_CHARS_MAX: usize = 1_000;
/// The audio behind one first hypothesis; how far before its arrival it began.
pub(super) const CHUNK_MS: i64 = 600;
/// The pace of speech assumed for a final without any times.
pub(super) const CHARACTER_MS: i64 = 220;
/// Hypotheses open at once; beyond it the oldest is settled. Two speakers need two.
const OPEN_MAX: usize = 16;
/// Finals remembered, so that they are not said twice. A frame of the default
/// limit cannot carry so many.
const SETTLED_MAX: usize = 1_024;
/// How far the start of a hypothesis may move and still be the same utterance's.
const MOVED_MS_MAX: i64 = 1_500;
/// A correction of a final comes within this time.
const CORRECTION_MS_MAX: i64 = 30_000;
/// What two wordings of one sentence have in common at least, in percent of their characters.
const ALIKE_PERCENT: usize = 60;
/// What a hypothesis behind its final has in common with it, in percent of its own characters.
const BEHIND_PERCENT: usize = 50;
/// Characters that are compared.
const COMPARED_CHARS_MAX: usize = 120;
/// Sentences under one id among which a final that is sent again is looked for.
const AGAIN_LOOK_BACK: u32 = 4;
/// Longest key of a recogniser, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// How one system words its results.
pub(super) trait Dialect: Send {
    /// Reads one message and tells `hearing` what it says.
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised>;
}

/// The adapter of a [`Dialect`].
pub(super) struct Recogniser<D> {
    dialect: D,
    utterances: Utterances,
}

impl<D: Dialect> Recogniser<D> {
    pub(super) fn new(leg: Leg, dialect: D) -> Self {
        Self { dialect, utterances: Utterances::new(leg) }
    }
}

impl<D: Dialect> Adapter for Recogniser<D> {
    fn message(&mut self, text: &str, now: CallTime, inputs: &mut Vec<Input>) -> Result<(), Unrecognised> {
        self.dialect.read(text, &mut Hearing { utterances: &mut self.utterances, now, inputs })
    }

    fn finish(&mut self, inputs: &mut Vec<Input>) {
        self.utterances.settle_all(inputs);
    }

    fn take_jumps(&mut self) -> u32 {
        self.utterances.take_jumps()
    }
}

/// One wording of one utterance. Times are milliseconds of the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) key: String,
    /// The channel or speaker, as the system names it.
    pub(super) speaker: Option<&'a str>,
    pub(super) text: &'a str,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) is_final: bool,
    pub(super) confidence: Option<f32>,
    /// The system never uses a key again: other words are a correction.
    pub(super) is_unique: bool,
}

/// The listener to which a [`Dialect`] reports the contents of one message.
pub(super) struct Hearing<'a> {
    utterances: &'a mut Utterances,
    now: CallTime,
    inputs: &'a mut Vec<Input>,
}

impl Hearing<'_> {
    /// An utterance, under a key that the system gave it.
    pub(super) fn say(&mut self, said: &Said<'_>) -> Result<(), Unrecognised> {
        self.utterances.say(said, self.now, self.inputs)
    }

    /// Utterances without ids, of a system that may send earlier ones again:
    /// told apart by their starts, which may move a little until the final.
    pub(super) fn window(&mut self, window: &mut [Said<'_>]) -> Result<(), Unrecognised> {
        self.utterances.window(window, self.now, self.inputs)
    }

    /// Words that come in pieces, as far as they are known; from
    /// [`OPEN_CHARS_MAX`] on they are settled. Whether they were.
    pub(super) fn say_so_far(&mut self, said: Said<'_>) -> Result<bool, Unrecognised> {
        let is_final = said.is_final || said.text.chars().nth(OPEN_CHARS_MAX - 1).is_some();
        self.say(&Said { is_final, ..said })?;
        Ok(is_final)
    }

    /// The session that the message belongs to. A new one settles the last.
    pub(super) fn session(&mut self, id: Option<&str>) {
        let Some(id) = id else { return };
        if self.utterances.session.as_deref() == Some(id) {
            return;
        }
        if self.utterances.session.is_some() {
            self.settle_all();
            self.utterances.session_number += 1;
            self.utterances.course.begin(self.now);
        }
        self.utterances.session = Some(id.to_owned());
    }

    /// The stream or what was open of it is over.
    pub(super) fn settle_all(&mut self) {
        self.utterances.settle_all(self.inputs);
    }

    /// Settles what is open under any key but this one.
    pub(super) fn settle_others(&mut self, key: &str) {
        self.utterances.settle_others(key, self.inputs);
    }
}

/// Counts the utterances of systems that neither name nor number them: one is
/// open at a time, and its final opens the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counter(u64);

impl Counter {
    /// The key of the utterance that is open now.
    pub(super) fn key(&mut self, is_final: bool) -> String {
        let key = self.0.to_string();
        if is_final {
            self.0 += 1;
        }
        key
    }
}

/// The utterances of one connection.
#[derive(Debug)]
pub(super) struct Utterances {
    leg: Leg,
    course: Course,
    session: Option<String>,
    session_number: u64,
    open: Vec<Utterance>,
    /// By the hash of its id.
    settled: BTreeMap<u64, Settled>,
    settled_order: VecDeque<u64>,
    /// How many sentences each id stood for, where it was more than one, by the id's hash.
    again: BTreeMap<u64, u32>,
    /// Keys of hypotheses whose starts moved, and the ids they began with.
    moved: VecDeque<(String, String)>,
    /// Numbers those of a window that have no start.
    unplaced: Counter,
    /// Until when words are settled.
    settled_until: CallTime,
    /// When the last message came.
    heard: CallTime,
}

/// How words go with what is known of their id and of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// They word anew what is open or settled, or say nothing.
    Known,
    New,
    /// The id stood for a sentence that is settled.
    Another,
    /// The stream began anew.
    Jumps,
}

/// A final, as far as it matters for what comes under its id.
#[derive(Debug)]
struct Settled {
    /// A hash of all that was said of it.
    words: u64,
    /// Its first characters.
    text: Box<str>,
    start: CallTime,
    end: CallTime,
    arrived: CallTime,
}

impl Settled {
    /// Whether `said`, which arrives at `now`, words this sentence: once more, otherwise, or as a
    /// hypothesis behind its final.
    fn is_worded_by(&self, said: &Said<'_>, start: Option<CallTime>, end: Option<CallTime>, now: CallTime) -> bool {
        let is_later = start.is_some_and(|start| start >= self.end && start.since(self.start) > MOVED_MS_MAX);
        let is_earlier = end.is_some_and(|end| end <= self.start && self.start.since(end) > MOVED_MS_MAX);
        if is_later || is_earlier {
            return false;
        }
        let text: String = said.text.trim().chars().take(COMPARED_CHARS_MAX).collect();
        if *self.text == *text {
            return true;
        }
        let (own, other) = (spoken(&self.text), spoken(&text));
        let common = common_chars(&own, &other);
        if !said.is_final {
            return common * 100 >= BEHIND_PERCENT * other.len();
        }
        now.since(self.arrived) <= CORRECTION_MS_MAX && 2 * common * 100 >= ALIKE_PERCENT * (own.len() + other.len())
    }
}

/// The characters of a text, without its marks.
fn spoken(text: &str) -> Vec<char> {
    text.chars().filter(|character| character.is_alphanumeric()).collect()
}

/// How many characters two texts have in common, in their order.
fn common_chars(left: &[char], right: &[char]) -> usize {
    let mut row = vec![0; right.len() + 1];
    for own in left {
        let mut diagonal = 0;
        for (place, other) in right.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = if own == other { diagonal + 1 } else { above.max(row[place]) };
            diagonal = above;
        }
    }
    row[right.len()]
}

/// The id of a later sentence under one id.
fn numbered(id: &str, number: u32) -> String {
    format!("{id}~{number}")
}

impl Utterances {
    pub(super) fn new(leg: Leg) -> Self {
        Self {
            course: Course::new(leg.began),
            settled_until: leg.began.max(CallTime::ANSWERED),
            heard: leg.began.max(CallTime::ANSWERED),
            leg,
            session: None,
            session_number: 0,
            open: Vec::new(),
            settled: BTreeMap::new(),
            settled_order: VecDeque::new(),
            again: BTreeMap::new(),
            moved: VecDeque::new(),
            unplaced: Counter::default(),
        }
    }

    pub(super) fn say(&mut self, said: &Said<'_>, now: CallTime, inputs: &mut Vec<Input>) -> Result<(), Unrecognised> {
        check_length(said.text)?;
        let now = now.max(CallTime::ANSWERED);
        self.heard = now;
        let mut id = self.current(self.id(&said.key)?);
        match self.relation(&id, said, now) {
            Relation::Jumps => {
                self.jump(std::slice::from_ref(said), now, inputs);
                id = self.current(self.id(&said.key)?);
            }
            Relation::Another => id = self.next_sentence(self.id(&said.key)?),
            Relation::Known | Relation::New => {}
        }
        self.say_as(id, said, now, inputs);
        Ok(())
    }

    /// How `said` goes with what is known of its id and of the stream.
    fn relation(&self, id: &str, said: &Said<'_>, now: CallTime) -> Relation {
        if said.text.trim().is_empty() {
            return Relation::Known;
        }
        let speaker = said.speaker.unwrap_or_default();
        if let Some(open) = self.open.iter().find(|open| open.utterance_id == id) {
            // The start of an open hypothesis moves a little, not by a session.
            let jumps = said.start.is_some_and(|start| {
                self.course.runs_back(speaker, start) && open.start.since(self.course.at(start)) > MOVED_MS_MAX
            });
            return if jumps { Relation::Jumps } else { Relation::Known };
        }
        let mut is_another = false;
        if let Some(settled) = self.settled.get(&hash(id)) {
            let (start, end) = (said.start.map(|ms| self.course.at(ms)), said.end.map(|ms| self.course.at(ms)));
            if said.is_unique || settled.is_worded_by(said, start, end, now) {
                return Relation::Known;
            }
            if start.is_some_and(|start| start < settled.end) {
                return Relation::Jumps;
            }
            is_another = true;
        }
        match said.start {
            Some(start) if self.course.runs_back(speaker, start) || self.course.is_apart(start, said.end, now) => {
                Relation::Jumps
            }
            _ if is_another => Relation::Another,
            _ => Relation::New,
        }
    }

    /// Begins a new session that ends with the last of `window`, which arrives at `now`.
    fn jump(&mut self, window: &[Said<'_>], now: CallTime, inputs: &mut Vec<Input>) {
        self.settle_all(inputs);
        self.session_number += 1;
        self.moved.clear();
        let stamped = |said: &&Said<'_>| said.start.is_some();
        let (Some(first), Some(last)) = (window.iter().find(stamped), window.iter().rev().find(stamped)) else {
            return;
        };
        let begun = last.start.unwrap_or_default();
        let chars = i64::try_from(last.text.trim().chars().count()).unwrap_or(i64::MAX);
        let guessed = if last.is_final { chars.saturating_mul(CHARACTER_MS) } else { CHUNK_MS };
        let end = last.end.filter(|end| *end >= begun).unwrap_or_else(|| begun.saturating_add(guessed));
        let length = end - first.start.unwrap_or_default();
        // What was settled before was said before.
        let end_at = now.max(self.settled_until.plus(length));
        self.course.jump(end, end_at);
    }

    pub(super) fn take_jumps(&mut self) -> u32 {
        self.course.take_jumps()
    }

    /// The id under which the latest sentence of that id goes.
    fn current(&self, id: String) -> String {
        match self.again.get(&hash(&id)) {
            None => id,
            Some(number) => numbered(&id, *number),
        }
    }

    /// The id of one more sentence under an id.
    fn next_sentence(&mut self, id: String) -> String {
        if self.again.len() >= SETTLED_MAX {
            // So many ids that each stood for several sentences are not looked back at.
            self.again.clear();
        }
        let number = self.again.entry(hash(&id)).or_insert(1);
        *number += 1;
        numbered(&id, *number)
    }

    /// Whether a final was settled under one of the earlier sentences of its id.
    fn was_settled(&self, id: &str, words: u64) -> bool {
        let Some((base, number)) = id.rsplit_once('~') else { return false };
        let Ok(number) = number.parse::<u32>() else { return false };
        (number.saturating_sub(AGAIN_LOOK_BACK).max(1)..number).any(|number| {
            let earlier = if number == 1 { base.to_owned() } else { numbered(base, number) };
            self.settled.get(&hash(&earlier)).is_some_and(|settled| settled.words == words)
        })
    }

    fn id(&self, key: &str) -> Result<String, Unrecognised> {
        if key.len() > KEY_BYTES_MAX {
            return Err(Unrecognised::new(
                format!("话段编号超过 {KEY_BYTES_MAX} 字节"),
                format!("the id of an utterance has more than {KEY_BYTES_MAX} bytes"),
            ));
        }
        let prefix = &self.leg.id_prefix;
        Ok(match self.session_number {
            0 => format!("{prefix}{key}"),
            number => format!("{prefix}s{number}-{key}"),
        })
    }

    fn say_as(&mut self, id: String, said: &Said<'_>, now: CallTime, inputs: &mut Vec<Input>) {
        let text = said.text.trim();
        let known = self.settled.get(&hash(&id)).map(|settled| settled.words);
        if known.is_some() && (!said.is_final || text.is_empty()) {
            return;
        }
        let role = match (self.leg.voices.role(said.speaker), said.is_final) {
            (Some(role), _) => role,
            (None, true) => Role::Customer,
            (None, false) => return,
        };
        let open = self.open.iter().position(|open| open.utterance_id == id).map(|place| self.open.remove(place));
        if text.is_empty() && open.as_ref().is_none_or(|open| open.text.is_empty()) {
            // This id has no words, so there is nothing to take back.
            return;
        }
        if let Some(open) = open.as_ref().filter(|open| !said.is_final && open.text == text && open.role == role) {
            self.open.push(open.clone());
            return;
        }
        if let Some(start) = said.start.filter(|_| !text.is_empty()) {
            self.course.follow(said.speaker.unwrap_or_default(), start, said.end);
        }
        let (start, end) = match &open {
            Some(open) if text.is_empty() => (open.start, open.end),
            open => self.place(said, text, open.as_ref(), now),
        };
        let utterance = Utterance {
            utterance_id: id,
            role,
            text: text.to_owned(),
            start,
            end,
            is_final: said.is_final,
            confidence: said.confidence,
            volume_db: None,
            pitch_hz: None,
            agent_id: None,
        };
        if said.is_final {
            let words = hash((text, role, said.start, said.end));
            if known == Some(words) || self.was_settled(&utterance.utterance_id, words) {
                return;
            }
            self.settled_until = self.settled_until.max(end);
            self.remember(&utterance, words);
            inputs.push(Input::Utterance(utterance));
            return;
        }
        inputs.push(Input::Utterance(utterance.clone()));
        if self.open.len() >= OPEN_MAX {
            let oldest = self.open.remove(0);
            self.settle(oldest, inputs);
        }
        self.open.push(utterance);
    }

    /// When the words were said, as far as it is known.
    fn place(&self, said: &Said<'_>, text: &str, open: Option<&Utterance>, now: CallTime) -> (CallTime, CallTime) {
        // A recording replayed faster than it was spoken runs ahead of `now`.
        let now = now.max(self.settled_until);
        let at = |ms: i64| self.course.at(ms);
        let spoken_before = |duration: i64| now.plus(-duration).max(self.settled_until);
        let start = match (said.start, open) {
            (Some(start), _) => at(start),
            (None, Some(open)) => open.start,
            (None, None) if said.is_final => {
                let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                spoken_before(chars.saturating_mul(CHARACTER_MS))
            }
            (None, None) => spoken_before(CHUNK_MS),
        };
        let end = match (said.end, open) {
            (Some(end), _) => at(end),
            (None, Some(open)) if said.is_final => open.end,
            (None, _) => now,
        };
        (start, end.max(start))
    }

    fn window(&mut self, window: &mut [Said<'_>], now: CallTime, inputs: &mut Vec<Input>) -> Result<(), Unrecognised> {
        let now = now.max(CallTime::ANSWERED);
        self.heard = now;
        let mut mentioned: Vec<String> = Vec::with_capacity(window.len());
        let mut last_is_final = None;
        for said in window.iter_mut() {
            check_length(said.text)?;
            said.key = match said.start {
                Some(start) => start.to_string(),
                None => format!("n{}", self.unplaced.key(said.is_final)),
            };
        }
        if self.window_jumps(window, now)? {
            self.jump(window, now, inputs);
        }
        for said in window.iter() {
            let id = self.known_id(&said.key)?;
            // Two may begin together, unless one is the other's final; a third would be nonsense.
            let twin = mentioned.last() == Some(&id) && last_is_final == Some(said.is_final);
            last_is_final = Some(said.is_final);
            mentioned.push(if twin { format!("{id}.1") } else { id });
        }
        for place in 0..window.len() {
            let said = &window[place];
            if !self.is_known(&mentioned[place])
                && let Some(open) = self.moved_from(said, &mentioned)
            {
                if self.moved.len() >= OPEN_MAX {
                    self.moved.pop_front();
                }
                let id = std::mem::replace(&mut mentioned[place], open.clone());
                self.moved.push_back((id, open));
            }
            self.say_as(mentioned[place].clone(), said, now, inputs);
        }
        for said in window.iter().filter(|said| said.is_final) {
            self.withdraw_within(said, &mentioned, inputs);
        }
        Ok(())
    }

    /// Whether a window goes on from nothing that is known, but begins anew.
    fn window_jumps(&self, window: &[Said<'_>], now: CallTime) -> Result<bool, Unrecognised> {
        let mut goes_on = false;
        let mut jumps = false;
        for said in window {
            let id = self.known_id(&said.key)?;
            match self.relation(&id, said, now) {
                Relation::Known => goes_on |= self.settled.contains_key(&hash(&id)),
                Relation::Jumps => {
                    let is_apart = said.start.is_some_and(|start| self.course.is_apart(start, said.end, now));
                    if is_apart && !self.is_known(&id) {
                        return Ok(true);
                    }
                    jumps = true;
                }
                Relation::Another | Relation::New => {}
            }
        }
        Ok(jumps && !goes_on)
    }

    /// The id of a key, also where its start has moved.
    fn known_id(&self, key: &str) -> Result<String, Unrecognised> {
        let id = self.id(key)?;
        let moved = self.moved.iter().find(|(from, _)| *from == id);
        Ok(moved.map_or(id, |(_, to)| to.clone()))
    }

    fn is_known(&self, id: &str) -> bool {
        self.settled.contains_key(&hash(id)) || self.open.iter().any(|open| open.utterance_id == id)
    }

    /// The open hypothesis that `said` words anew though it starts elsewhere.
    fn moved_from(&self, said: &Said<'_>, mentioned: &[String]) -> Option<String> {
        let start = self.course.at(said.start?);
        let role = self.leg.voices.role(said.speaker);
        let open = self.open.iter().find(|open| {
            role.is_none_or(|role| role == open.role)
                && open.start.since(start).abs() <= MOVED_MS_MAX
                && !mentioned.contains(&open.utterance_id)
        })?;
        Some(open.utterance_id.clone())
    }

    /// Takes back hypotheses whose words are now in another final.
    fn withdraw_within(&mut self, said: &Said<'_>, mentioned: &[String], inputs: &mut Vec<Input>) {
        let (Some(start), Some(end)) = (said.start, said.end) else { return };
        let span = self.course.at(start)..self.course.at(end);
        let role = self.leg.voices.role(said.speaker);
        let mut place = 0;
        while place < self.open.len() {
            let open = &self.open[place];
            let within = span.contains(&open.start) && role.is_none_or(|role| role == open.role);
            if within && !mentioned.contains(&open.utterance_id) {
                let open = self.open.remove(place);
                self.close(Utterance { text: String::new(), ..open }, inputs);
            } else {
                place += 1;
            }
        }
    }

    pub(super) fn settle_all(&mut self, inputs: &mut Vec<Input>) {
        for open in std::mem::take(&mut self.open) {
            self.settle(open, inputs);
        }
    }

    fn settle_others(&mut self, key: &str, inputs: &mut Vec<Input>) {
        let Ok(id) = self.id(key).map(|id| self.current(id)) else { return };
        while let Some(place) = self.open.iter().position(|open| open.utterance_id != id) {
            let open = self.open.remove(place);
            self.settle(open, inputs);
        }
    }

    fn settle(&mut self, open: Utterance, inputs: &mut Vec<Input>) {
        if !open.text.is_empty() {
            self.settled_until = self.settled_until.max(open.end);
            self.close(open, inputs);
        }
    }

    fn close(&mut self, open: Utterance, inputs: &mut Vec<Input>) {
        self.remember(&open, hash((&open.text, open.role)));
        inputs.push(Input::Utterance(Utterance { is_final: true, ..open }));
    }

    fn remember(&mut self, utterance: &Utterance, words: u64) {
        let id = hash(&utterance.utterance_id);
        let text: String = utterance.text.chars().take(COMPARED_CHARS_MAX).collect();
        let Utterance { start, end, .. } = *utterance;
        let settled = Settled { words, text: text.into(), start, end, arrived: self.heard };
        if self.settled.insert(id, settled).is_none() {
            self.settled_order.push_back(id);
        }
        if self.settled_order.len() > SETTLED_MAX
            && let Some(oldest) = self.settled_order.pop_front()
        {
            self.settled.remove(&oldest);
        }
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
