//! What was said and what happened, in the order in which it was said.
//!
//! The order is a function of the utterances alone (start, then id), so it
//! does not depend on when they arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rule::program::DetectorIx;
use super::text::{FoldedText, Match, PhraseId};
use super::time::CallTime;
use super::transcript::{EventKind, Party, Role, Utterance};
use super::work;

/// Index of an utterance in the order of arrival of its first wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UtteranceIx(u32);

/// Utterances of no more characters are backchannels (嗯, 好的): they do not end the other party's speech,
const BACKCHANNEL_CHARS_MAX: u32 = 2;
/// nor do those of no more that hold nothing but [`MURMURS`] (嗯嗯嗯, 对对对, 哦好的).
const MURMUR_CHARS_MAX: u32 = 6;
const MURMURS: &str = "嗯恩唔哦噢喔啊呀哎唉诶欸呃额好的對对是行";

/// Utterances of one call; later ones are ignored. A day of speech has fewer.
pub(crate) const UTTERANCES_MAX: usize = 50_000;

/// Holds, transfers and the like of one call; later ones are ignored. Each costs a look at all before it.
const EVENTS_MAX: usize = 1_000;

/// Utterances without hits keep their text while fewer than so many follow;
/// context and repeated questions look back no further.
pub(crate) const TEXTS_KEPT: usize = 64;

/// The phrases of conditions that the turns around an utterance contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around {
    /// The speaker's own turn, in order.
    pub(crate) turn: Vec<PhraseId>,
    /// The other party's turn before it, in order.
    pub(crate) reply: Vec<PhraseId>,
    /// The phrases that the speaker said afterwards, once settled, in order, each with its delay after the utterance.
    pub(crate) then: Vec<(PhraseId, i64)>,
}

/// A pause of this length is a silence; a shorter one is a breath, or a change of speakers.
pub const SILENCE_MS: i64 = 3_000;

/// A stretch of a call; `until` is `None` while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The time at which it began.
    pub from: CallTime,
    /// The time at which it ended.
    pub until: Option<CallTime>,
}

/// A pause of this length ends a monologue: the other party could have come in.
const MONOLOGUE_PAUSE_MS: i64 = 3_000;

/// How many neighbours in the order are asked whether they overlap or continue an utterance.
const LOOK_BACK: usize = 8;

/// A phrase that was said, and counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hit {
    pub(crate) detector: DetectorIx,
    pub(crate) utterance: UtteranceIx,
    /// How many hits of the same detector the utterance holds before this one.
    pub(crate) ordinal: u32,
    pub(crate) phrase: PhraseId,
    /// Where it stands in the utterance, in Unicode scalar values; `end` exclusive.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Where it began, when it began in the utterance before.
    pub(crate) before: Option<(UtteranceIx, u32, u32)>,
    pub(crate) homophone: bool,
    /// When it was said: its share of the utterance's time.
    pub(crate) said_at: CallTime,
    /// It stands in a hypothesis.
    pub(crate) provisional: bool,
    /// Until then later words may take it back.
    pub(crate) open_until: Option<CallTime>,
    /// Since when, and since which revision, it has stood there.
    pub(crate) seen_at: CallTime,
    pub(crate) seen_in: u32,
}

/// An utterance and what is derived from it.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) id: Arc<str>,
    pub(crate) role: Role,
    /// The agent who speaks, if it is another than the one who has the call.
    pub(crate) agent: Option<Arc<str>>,
    pub(crate) start: CallTime,
    pub(crate) end: CallTime,
    pub(crate) is_final: bool,
    pub(crate) volume_db: Option<f32>,
    pub(crate) pitch_hz: Option<f32>,
    /// Characters spoken: what speech rate counts.
    pub(crate) chars: u32,
    /// It holds little, and nothing but sounds of somebody who listens.
    murmurs: bool,
    pub(crate) text: FoldedText,
    /// The utterance this one continues, when the recogniser cut one sentence in two.
    pub(crate) continues: Option<UtteranceIx>,
    /// How often it was reworded.
    pub(crate) revision: u32,
    pub(crate) hits: Vec<Hit>,
    /// The model's judgement of it, if there is a model.
    pub(crate) judged: Option<Judgement>,
    /// It holds a phrase whose conditions look at its neighbours: what those said.
    pub(crate) around: Option<Box<Around>>,
    /// The phrases that it says, sorted, of all that conditions look for in turns.
    pub(crate) said: Box<[PhraseId]>,
    /// It asks something.
    pub(crate) asks: bool,
    /// The sums over all speech up to here in the order.
    reach: Reach,
}

impl Spoken {
    /// Whether it is too short to end the other party's speech.
    pub(crate) const fn is_backchannel(&self) -> bool {
        self.chars <= BACKCHANNEL_CHARS_MAX || self.murmurs
    }
}

/// The model's judgement of an utterance, and the turns that it followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// How sure it is that a reviewer marks it, in ten thousandths.
    pub(crate) verdict: u16,
    /// The acts that it does and rules speak of, each with the words that speak for it.
    pub(crate) acts: Vec<Match>,
    /// The rules whose forbidden phrases it holds, as the model knows them.
    pub(crate) found: Vec<u32>,
    pub(crate) after: Before,
    /// Which wordings of it and of those turns were judged.
    pub(crate) revisions: [u32; 3],
}

/// The turns that an utterance follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The other side's.
    pub(crate) other: Option<UtteranceIx>,
    /// The last utterance of the speaker's own turn before.
    pub(crate) own: Option<UtteranceIx>,
}

/// The sums over all speech up to a position in the order, so that nobody has to look back for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reach {
    /// The latest ends of speech, of all and of each of the two parties.
    any: Option<(CallTime, UtteranceIx)>,
    agent: Option<(CallTime, UtteranceIx)>,
    customer: Option<(CallTime, UtteranceIx)>,
    /// The latest run of speech of the agent, the customer and the system.
    runs: [Option<Run>; 3],
    /// The first message that each of them has not answered.
    waiting: [Option<UtteranceIx>; 3],
}

/// Speech of one role that nobody else ended, nor a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The utterance it began with, and when.
    pub(crate) first: UtteranceIx,
    pub(crate) from: CallTime,
    /// The latest end of all its utterances but the last.
    pub(crate) end_before: Option<CallTime>,
    /// The latest end of all its utterances, and the end of the last one.
    end: CallTime,
    last_end: CallTime,
    /// Somebody else said more than a backchannel since.
    is_over: bool,
}

const fn role_ix(role: Role) -> usize {
    match role {
        Role::Agent => 0,
        Role::Customer => 1,
        Role::System => 2,
    }
}

impl Reach {
    fn of(&self, role: Option<Role>) -> Option<(CallTime, UtteranceIx)> {
        match role {
            None | Some(Role::System) => self.any,
            Some(Role::Agent) => self.agent,
            Some(Role::Customer) => self.customer,
        }
    }

    fn extended(mut self, spoken: &Spoken, ix: UtteranceIx) -> Self {
        let (role, end) = (spoken.role, spoken.end);
        self.extend_run(spoken, ix);
        self.waiting[role_ix(role)] = None;
        // 嗯嗯 wants no answer, 在吗 does.
        if role != Role::System && (!spoken.is_backchannel() || spoken.asks) {
            for by in [Role::Agent, Role::Customer, Role::System].into_iter().filter(|&by| by != role) {
                self.waiting[role_ix(by)].get_or_insert(ix);
            }
        }
        let later = |reach: &mut Option<(CallTime, UtteranceIx)>| {
            if reach.is_none_or(|(latest, _)| end > latest) {
                *reach = Some((end, ix));
            }
        };
        later(&mut self.any);
        match role {
            Role::Agent => later(&mut self.agent),
            Role::Customer => later(&mut self.customer),
            Role::System => {}
        }
        self
    }

    fn extend_run(&mut self, spoken: &Spoken, ix: UtteranceIx) {
        if !spoken.is_backchannel() {
            let others = (0..).zip(&mut self.runs).filter(|(of, _)| *of != role_ix(spoken.role));
            others.filter_map(|(_, run)| run.as_mut()).for_each(|run| run.is_over = true);
        }
        let run = &mut self.runs[role_ix(spoken.role)];
        let goes_on = |run: &&mut Run| !run.is_over && spoken.start.since(run.last_end) < MONOLOGUE_PAUSE_MS;
        if let Some(run) = run.as_mut().filter(goes_on) {
            run.end_before = Some(run.end);
            run.end = run.end.max(spoken.end);
            run.last_end = spoken.end;
        } else {
            let (from, end) = (spoken.start, spoken.end);
            *run = Some(Run { first: ix, from, end_before: None, end, last_end: end, is_over: false });
        }
    }
}

/// An event of the call, besides words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Happened {
    pub(crate) at: CallTime,
    pub(crate) kind: EventKind,
}

/// Everything said and done in a call.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    utterances: Vec<Spoken>,
    order: Vec<UtteranceIx>,
    ids: BTreeMap<Arc<str>, UtteranceIx>,
    latest: Option<UtteranceIx>,
    events: Vec<Happened>,
    /// Times at which each kind of event happened, in order.
    times: BTreeMap<EventKind, Vec<CallTime>>,
    holds: Vec<Stretch>,
    /// Milliseconds on hold before each of the holds.
    held_before: Vec<i64>,
    end: Option<(CallTime, Party)>,
}

/// Where an utterance went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) ix: UtteranceIx,
    /// Its position in the order.
    pub(crate) position: usize,
    /// The first position at which anything changed.
    pub(crate) changed_from: usize,
    /// The last position at which the order changed.
    pub(crate) changed_to: usize,
    /// The last position at which what was said before comes to something else.
    pub(crate) reaches_to: usize,
    /// It was not known before.
    pub(crate) is_new: bool,
    /// It moved, or its times changed, so that neighbours must be looked at again.
    pub(crate) moved: bool,
}

impl Timeline {
    pub(crate) fn get(&self, ix: UtteranceIx) -> &Spoken {
        &self.utterances[ix.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, ix: UtteranceIx) -> &mut Spoken {
        &mut self.utterances[ix.0 as usize]
    }

    /// Two utterances at once: one to change, one to look at.
    pub(crate) fn pair_mut(&mut self, change: UtteranceIx, look: UtteranceIx) -> (&mut Spoken, &Spoken) {
        let (change, look) = (change.0 as usize, look.0 as usize);
        if change < look {
            let (left, right) = self.utterances.split_at_mut(look);
            (&mut left[change], &right[0])
        } else {
            let (left, right) = self.utterances.split_at_mut(change);
            (&mut right[0], &left[look])
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn at(&self, position: usize) -> UtteranceIx {
        self.order[position]
    }

    pub(crate) fn spoken_at(&self, position: usize) -> &Spoken {
        self.get(self.order[position])
    }

    /// The turns that the utterance at `position` follows, at most [`LOOK_BACK`] utterances back.
    pub(crate) fn before(&self, position: usize) -> Before {
        let role = self.spoken_at(position).role;
        let back = position.saturating_sub(LOOK_BACK)..position;
        let latest = |wanted: &dyn Fn(Role) -> bool| {
            back.clone().rev().map(|at| self.at(at)).find(|&ix| wanted(self.get(ix).role))
        };
        Before { other: latest(&|other| other != role && other != Role::System), own: latest(&|other| other == role) }
    }

    /// Utterances in the order they were said.
    pub(crate) fn in_order(&self) -> impl DoubleEndedIterator<Item = (UtteranceIx, &Spoken)> + ExactSizeIterator {
        self.order.iter().map(|&ix| (ix, self.get(ix)))
    }

    pub(crate) fn position(&self, ix: UtteranceIx) -> usize {
        let spoken = self.get(ix);
        self.order
            .binary_search_by(|&other| {
                let other = self.get(other);
                (other.start, &other.id).cmp(&(spoken.start, &spoken.id))
            })
            .unwrap_or_else(|insert_at| insert_at)
    }

    /// Takes the times and fields of an utterance; its text is the caller's to scan.
    /// `None` when the call holds too many.
    pub(crate) fn place(&mut self, utterance: &Utterance) -> Option<Placed> {
        let known = self
            .latest
            .filter(|&ix| *self.get(ix).id == *utterance.utterance_id)
            .or_else(|| self.ids.get(utterance.utterance_id.as_str()).copied());
        let Some(ix) = known else { return self.append(utterance) };
        self.latest = Some(ix);
        let old = self.position(ix);
        let spoken = self.get_mut(ix);
        let start_moved = spoken.start != utterance.start || spoken.role != utterance.role;
        let moved = start_moved || spoken.end != utterance.end;
        if start_moved {
            self.order.remove(old);
        }
        let spoken = self.get_mut(ix);
        spoken.role = utterance.role;
        if spoken.agent.as_deref() != utterance.agent_id.as_deref() {
            spoken.agent = utterance.agent_id.as_deref().map(Arc::from);
        }
        spoken.start = utterance.start;
        spoken.end = utterance.end.max(utterance.start);
        spoken.is_final = utterance.is_final;
        spoken.volume_db = utterance.volume_db;
        spoken.pitch_hz = utterance.pitch_hz;
        spoken.revision += 1;
        let position = if start_moved { self.insert_in_order(ix) } else { old };
        let (changed_from, changed_to) = (position.min(old), position.max(old));
        let reaches_to = if moved { self.extend_reach(changed_from, changed_to) } else { changed_to };
        Some(Placed { ix, position, changed_from, changed_to, reaches_to, is_new: false, moved })
    }

    fn append(&mut self, utterance: &Utterance) -> Option<Placed> {
        if self.utterances.len() >= UTTERANCES_MAX {
            return None;
        }
        let ix = UtteranceIx(u32::try_from(self.utterances.len()).ok()?);
        let id: Arc<str> = utterance.utterance_id.as_str().into();
        self.utterances.push(Spoken {
            id: Arc::clone(&id),
            role: utterance.role,
            agent: utterance.agent_id.as_deref().map(Arc::from),
            start: utterance.start,
            end: utterance.end.max(utterance.start),
            is_final: utterance.is_final,
            volume_db: utterance.volume_db,
            pitch_hz: utterance.pitch_hz,
            chars: 0,
            murmurs: false,
            text: FoldedText::new(),
            continues: None,
            revision: 0,
            hits: Vec::new(),
            judged: None,
            around: None,
            said: Box::default(),
            asks: false,
            reach: Reach::default(),
        });
        self.ids.insert(id, ix);
        self.latest = Some(ix);
        let position = self.insert_in_order(ix);
        let reaches_to = self.extend_reach(position, position);
        let (changed_from, changed_to) = (position, position);
        Some(Placed { ix, position, changed_from, changed_to, reaches_to, is_new: true, moved: true })
    }

    fn insert_in_order(&mut self, ix: UtteranceIx) -> usize {
        let spoken = self.get(ix);
        let follows = |other: &UtteranceIx| {
            let other = self.get(*other);
            (other.start, &other.id) < (spoken.start, &spoken.id)
        };
        let position =
            if self.order.last().is_none_or(follows) { self.order.len() } else { self.order.partition_point(follows) };
        self.order.insert(position, ix);
        position
    }

    /// Takes what is known of an utterance once its words were heard; returns the last position that it reaches.
    pub(crate) fn heard(&mut self, ix: UtteranceIx, chars: u32, asks: bool) -> usize {
        let position = self.position(ix);
        let spoken = self.get_mut(ix);
        spoken.said = Box::default();
        let was = (spoken.is_backchannel(), spoken.asks);
        (spoken.chars, spoken.asks) = (chars, asks);
        spoken.murmurs = chars <= MURMUR_CHARS_MAX
            && spoken.text.raw().chars().filter(|c| c.is_alphanumeric()).all(|c| MURMURS.contains(c));
        if was == (spoken.is_backchannel(), spoken.asks) { position } else { self.extend_reach(position, position) }
    }

    /// Sums up anew from a position on, at least up to another; returns the last that it changed.
    fn extend_reach(&mut self, from: usize, to: usize) -> usize {
        let mut reach = from.checked_sub(1).map(|before| self.spoken_at(before).reach).unwrap_or_default();
        for position in from..self.order.len() {
            work::look(1);
            let ix = self.order[position];
            reach = reach.extended(self.get(ix), ix);
            if position > to && self.get(ix).reach == reach {
                return position - 1;
            }
            self.get_mut(ix).reach = reach;
        }
        self.order.len().saturating_sub(1)
    }

    /// The run of speech that the utterance at `position` is the last of, so far.
    pub(crate) fn run_at(&self, position: usize) -> Option<Run> {
        let spoken = self.spoken_at(position);
        spoken.reach.runs[role_ix(spoken.role)]
    }

    /// The first message before a position that `by` did not answer.
    pub(crate) fn unanswered_before(&self, position: usize, by: Role) -> Option<UtteranceIx> {
        self.spoken_at(position.checked_sub(1)?).reach.waiting[role_ix(by)]
    }

    /// The first position at which something was said that ended after `at`.
    pub(crate) fn first_ending_after(&self, at: CallTime) -> usize {
        self.order.partition_point(|&ix| self.get(ix).reach.any.is_none_or(|(end, _)| end <= at))
    }

    /// The first position at which something began at `at` or later.
    pub(crate) fn first_from(&self, at: CallTime) -> usize {
        self.order.partition_point(|&ix| self.get(ix).start < at)
    }

    /// The latest end of speech before a position in the order, and whose utterance it was.
    pub(crate) fn reach_before(&self, position: usize, role: Option<Role>) -> Option<(CallTime, UtteranceIx)> {
        self.spoken_at(position.checked_sub(1)?).reach.of(role)
    }

    /// The nearest earlier utterance of the same speaker, if `position`'s may continue it:
    /// close in time, with nobody else in between except for a backchannel.
    pub(crate) fn continued_by(&self, position: usize, gap_max_ms: i64) -> Option<UtteranceIx> {
        let spoken = self.spoken_at(position);
        let mut others_began: Option<CallTime> = None;
        for &ix in self.order[..position].iter().rev().take(LOOK_BACK) {
            let earlier = self.get(ix);
            if earlier.role == spoken.role {
                // Whoever spoke while the earlier words were still going on did not come in between.
                let alone = others_began.is_none_or(|began| began < earlier.end);
                return (alone && spoken.start.since(earlier.end) <= gap_max_ms).then_some(ix);
            }
            if !earlier.is_backchannel() {
                others_began = others_began.max(Some(earlier.start));
            }
        }
        None
    }

    /// The positions of the turn that `position` belongs to, one speaker's neighbours in the order:
    /// those that keep their texts, and `ahead` that come later.
    pub(crate) fn turn_near(&self, position: usize, ahead: usize) -> std::ops::Range<usize> {
        let role = self.spoken_at(position).role;
        let is_same = |p: &usize| self.spoken_at(*p).role == role;
        let (nearest, farthest) = (position.saturating_sub(TEXTS_KEPT - 1), (position + ahead + 1).min(self.len()));
        let first = (nearest..position).rev().take_while(is_same).last().unwrap_or(position);
        let last = (position..farthest).take_while(is_same).last().unwrap_or(position);
        first..last + 1
    }

    /// Drops the texts that nothing can ask for any more.
    pub(crate) fn forget_old_texts(&mut self) {
        let Some(position) = self.order.len().checked_sub(TEXTS_KEPT + 1) else { return };
        let ix = self.order[position];
        let spoken = self.get_mut(ix);
        if spoken.is_final && spoken.hits.is_empty() {
            spoken.text = FoldedText::new();
        }
    }

    /// Takes an event; the same one again changes nothing, nor does one too many.
    pub(crate) fn happened(&mut self, kind: EventKind, at: CallTime) {
        let event = Happened { at, kind };
        if let Err(position) = self.events.binary_search(&event)
            && self.events.len() < EVENTS_MAX
        {
            self.events.insert(position, event);
            let times = self.times.entry(kind).or_default();
            times.insert(times.partition_point(|&earlier| earlier <= at), at);
            self.find_holds();
        }
    }

    /// Takes the end of the call; a later one replaces it.
    pub(crate) fn ended(&mut self, at: CallTime, by: Party) {
        self.end = Some((at, by));
        self.find_holds();
    }

    pub(crate) fn end(&self) -> Option<(CallTime, Party)> {
        self.end
    }

    /// Times at which something happened, in order.
    pub(crate) fn times_of(&self, kind: EventKind) -> impl Iterator<Item = CallTime> + '_ {
        let answered = (kind == EventKind::Answered).then_some(CallTime::ANSWERED);
        let ended = self.end.filter(|_| kind == EventKind::End).map(|(at, _)| at);
        let happened = self.times.get(&kind).into_iter().flatten().copied();
        answered.into_iter().chain(happened).chain(ended)
    }

    /// The last time up to `at` at which something happened.
    pub(crate) fn last_time_of(&self, kind: EventKind, at: CallTime) -> Option<CallTime> {
        let answered = Some(CallTime::ANSWERED).filter(|_| kind == EventKind::Answered);
        let ended = self.end.map(|(end, _)| end).filter(|_| kind == EventKind::End);
        let times = self.times.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let happened = times[..times.partition_point(|&time| time <= at)].last().copied();
        [answered, ended, happened].into_iter().flatten().filter(|&time| time <= at).max()
    }

    /// Holds in order. A hold ends when the call is resumed, when its transfer is answered,
    /// and when the call ends, whichever is first.
    pub(crate) fn holds(&self) -> &[Stretch] {
        &self.holds
    }

    fn find_holds(&mut self) {
        let end = self.end.map(|(at, _)| at);
        let mut events = self.events.iter();
        self.holds.clear();
        self.held_before.clear();
        let mut held = 0_i64;
        while let Some(from) = events.find(|event| event.kind == EventKind::Hold).map(|event| event.at) {
            let taken_up = events.find(|event| event.kind.ends_hold()).map(|event| event.at);
            if end.is_some_and(|end| from >= end) {
                break;
            }
            let until = [taken_up, end].into_iter().flatten().min();
            self.holds.push(Stretch { from, until });
            self.held_before.push(held);
            held = held.saturating_add(until.map_or(0, |until| until.since(from).max(0)));
        }
    }

    /// Silences in order: the stretches of each gap between words that were not spent on hold, if
    /// they last [`SILENCE_MS`] together. After the last words it takes the end of the call to tell.
    pub(crate) fn silences(&self) -> Vec<Stretch> {
        let holds = self.holds();
        let mut earliest = 0;
        let mut silences = Vec::new();
        let end = self.end.map(|(at, _)| at);
        let next_words = self.order.iter().map(|&ix| self.get(ix).start);
        for (position, next) in next_words.chain(end).enumerate() {
            let from = self.reach_before(position, None).map_or(CallTime::ANSWERED, |(at, _)| at);
            let until = end.map_or(next, |end| end.min(next));
            if until.since(from) < SILENCE_MS {
                continue;
            }
            // Gaps come in order, too: holds that one of them left behind are behind all later ones.
            earliest += holds[earliest..].iter().take_while(|hold| hold.until.is_some_and(|at| at <= from)).count();
            let mut pieces = Vec::new();
            let mut at = from;
            for hold in holds[earliest..].iter().take_while(|hold| hold.from < until) {
                pieces.push((at, hold.from));
                at = hold.until.map_or(until, |resumed| resumed.min(until));
            }
            pieces.push((at, until));
            pieces.retain(|(from, until)| from < until);
            if pieces.iter().map(|(from, until)| until.since(*from)).sum::<i64>() >= SILENCE_MS {
                silences.extend(pieces.into_iter().map(|(from, until)| Stretch { from, until: Some(until) }));
            }
        }
        silences
    }

    /// Milliseconds of `from..until` that were spent on hold.
    pub(crate) fn held_ms(&self, from: CallTime, until: CallTime) -> i64 {
        if until <= from { 0 } else { self.held_up_to(until).saturating_sub(self.held_up_to(from)) }
    }

    /// Milliseconds before `at` that were spent on hold.
    fn held_up_to(&self, at: CallTime) -> i64 {
        let Some(last) = self.holds.partition_point(|hold| hold.from < at).checked_sub(1) else { return 0 };
        let hold = self.holds[last];
        let of_last = hold.until.map_or(at, |until| until.min(at)).since(hold.from).max(0);
        self.held_before[last].saturating_add(of_last)
    }

    /// The moment `ms` after `from` on a clock that stops on hold; `None` while a hold keeps it from coming.
    pub(crate) fn after_holds(&self, from: CallTime, ms: i64) -> Option<CallTime> {
        let first = self.holds.partition_point(|hold| hold.until.is_some_and(|until| until <= from));
        let held_from = self.held_up_to(from);
        // When it would be if no hold from this one on were to come.
        let due_before = |hold: usize| {
            let held = self.held_before[hold].saturating_sub(held_from).max(0);
            from.plus(ms).plus(held)
        };
        let (mut low, mut high) = (first, self.holds.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.holds[middle].from < due_before(middle) { low = middle + 1 } else { high = middle }
        }
        let Some(last) = low.checked_sub(1).filter(|&last| last >= first) else { return Some(from.plus(ms)) };
        let until = self.holds[last].until?;
        Some(from.plus(ms).plus(self.held_up_to(until).saturating_sub(held_from).max(0)))
    }
}
