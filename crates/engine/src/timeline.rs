//! What was said and what happened, in the order in which it was said.
//!
//! The order is a function of the utterances alone (start, then id), so it
//! does not depend on when they arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pauses::{SILENCE_MS, Stretch};
use super::rule::program::DetectorIx;
use super::text::{FoldedText, Match, PhraseId};
use super::time::CallTime;
use super::transcript::{EventKind, Party, Role, Utterance};

/// Index of an utterance in the order of arrival of its first wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UtteranceIx(u32);

/// Shorter utterances are backchannels (嗯, 好的): they do not end the other party's speech.
pub(crate) const BACKCHANNEL_CHARS_MAX: u32 = 2;

/// Utterances of one call; later ones are ignored. A day of speech has fewer.
pub(crate) const UTTERANCES_MAX: usize = 50_000;

/// Holds, transfers and the like of one call; later ones are ignored. Each costs a look at all before it.
const EVENTS_MAX: usize = 1_000;

/// Utterances without hits keep their text while fewer than so many follow;
/// context and repeated questions look back no further.
pub(crate) const TEXTS_KEPT: usize = 64;

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
    /// Since when, and since which revision, it has stood there.
    pub(crate) seen_at: CallTime,
    pub(crate) seen_in: u32,
}

/// An utterance and what is derived from it.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) id: Arc<str>,
    pub(crate) role: Role,
    pub(crate) start: CallTime,
    pub(crate) end: CallTime,
    pub(crate) is_final: bool,
    pub(crate) volume_db: Option<f32>,
    pub(crate) pitch_hz: Option<f32>,
    /// Characters spoken: what speech rate counts.
    pub(crate) chars: u32,
    pub(crate) text: FoldedText,
    /// The utterance this one continues, when the recogniser cut one sentence in two.
    pub(crate) continues: Option<UtteranceIx>,
    /// How often it was reworded.
    pub(crate) revision: u32,
    pub(crate) hits: Vec<Hit>,
    /// What the model makes of it, if there is one.
    pub(crate) judged: Option<Judgement>,
    /// It holds a phrase whose conditions look at its neighbours.
    pub(crate) looks_around: bool,
    /// The latest end of anything said up to here in the order, and by whom.
    reach: Reach,
}

/// What the model makes of an utterance, and after which turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// How sure it is that a reviewer marks it, in ten thousandths.
    pub(crate) verdict: u16,
    /// The acts that it does and rules speak of, each with the words that speak for it.
    pub(crate) acts: Vec<Match>,
    pub(crate) after: Before,
}

/// The turns that an utterance follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The other side's.
    pub(crate) other: Option<UtteranceIx>,
    /// The same side's.
    pub(crate) own: Option<UtteranceIx>,
}

/// The latest ends of speech, of all and of each of the two parties.
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    any: Option<(CallTime, UtteranceIx)>,
    agent: Option<(CallTime, UtteranceIx)>,
    customer: Option<(CallTime, UtteranceIx)>,
}

impl Reach {
    fn of(&self, role: Option<Role>) -> Option<(CallTime, UtteranceIx)> {
        match role {
            None | Some(Role::System) => self.any,
            Some(Role::Agent) => self.agent,
            Some(Role::Customer) => self.customer,
        }
    }

    fn extended(mut self, role: Role, end: CallTime, ix: UtteranceIx) -> Self {
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
        spoken.start = utterance.start;
        spoken.end = utterance.end.max(utterance.start);
        spoken.is_final = utterance.is_final;
        spoken.volume_db = utterance.volume_db;
        spoken.pitch_hz = utterance.pitch_hz;
        spoken.revision += 1;
        let position = if start_moved { self.insert_in_order(ix) } else { old };
        let (changed_from, changed_to) = (position.min(old), position.max(old));
        if moved {
            self.extend_reach(changed_from);
        }
        Some(Placed { ix, position, changed_from, changed_to, is_new: false, moved })
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
            start: utterance.start,
            end: utterance.end.max(utterance.start),
            is_final: utterance.is_final,
            volume_db: utterance.volume_db,
            pitch_hz: utterance.pitch_hz,
            chars: 0,
            text: FoldedText::new(),
            continues: None,
            revision: 0,
            hits: Vec::new(),
            judged: None,
            looks_around: false,
            reach: Reach::default(),
        });
        self.ids.insert(id, ix);
        self.latest = Some(ix);
        let position = self.insert_in_order(ix);
        self.extend_reach(position);
        Some(Placed { ix, position, changed_from: position, changed_to: position, is_new: true, moved: true })
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

    fn extend_reach(&mut self, from: usize) {
        let mut reach = from.checked_sub(1).map(|before| self.spoken_at(before).reach).unwrap_or_default();
        for position in from..self.order.len() {
            let ix = self.order[position];
            let spoken = self.get_mut(ix);
            reach = reach.extended(spoken.role, spoken.end, ix);
            spoken.reach = reach;
        }
    }

    /// The latest end of speech before a position in the order, and whose utterance it was.
    pub(crate) fn reach_before(&self, position: usize, role: Option<Role>) -> Option<(CallTime, UtteranceIx)> {
        self.spoken_at(position.checked_sub(1)?).reach.of(role)
    }

    /// The nearest earlier utterance of the same speaker, if `position`'s may continue it:
    /// close in time, with nobody else in between.
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
            others_began = others_began.max(Some(earlier.start));
        }
        None
    }

    /// The positions of the turn that `position` belongs to: one speaker's neighbours in the order.
    pub(crate) fn same_turn(&self, position: usize) -> std::ops::Range<usize> {
        let role = self.spoken_at(position).role;
        let first = (0..position).rev().take_while(|&p| self.spoken_at(p).role == role).last().unwrap_or(position);
        let last = (position..self.len()).take_while(|&p| self.spoken_at(p).role == role).last().unwrap_or(position);
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
        }
    }

    /// Takes the end of the call; a later one replaces it.
    pub(crate) fn ended(&mut self, at: CallTime, by: Party) {
        self.end = Some((at, by));
    }

    pub(crate) fn end(&self) -> Option<(CallTime, Party)> {
        self.end
    }

    /// Times at which something happened, in order.
    pub(crate) fn times_of(&self, kind: EventKind) -> impl Iterator<Item = CallTime> + '_ {
        let answered = (kind == EventKind::Answered).then_some(CallTime::ANSWERED);
        let ended = self.end.filter(|_| kind == EventKind::End).map(|(at, _)| at);
        let happened = self.events.iter().filter(move |event| event.kind == kind).map(|event| event.at);
        answered.into_iter().chain(happened).chain(ended)
    }

    /// Holds in order. A hold ends when the call is resumed, when its transfer is answered,
    /// and when the call ends, whichever is first.
    pub(crate) fn holds(&self) -> impl Iterator<Item = Stretch> + '_ {
        let mut events = self.events.iter();
        let end = self.end.map(|(at, _)| at);
        std::iter::from_fn(move || {
            let from = events.find(|event| event.kind == EventKind::Hold)?.at;
            let taken_up = events.find(|event| event.kind.ends_hold()).map(|event| event.at);
            let until = [taken_up, end].into_iter().flatten().min();
            end.is_none_or(|end| from < end).then_some(Stretch { from, until })
        })
    }

    /// Silences in order: the stretches of each gap between words that were not spent on hold, if
    /// they last [`SILENCE_MS`] together. After the last words it takes the end of the call to tell.
    pub(crate) fn silences(&self) -> Vec<Stretch> {
        let holds: Vec<Stretch> = self.holds().collect();
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
        self.holds()
            .map(|hold| hold.until.unwrap_or(until).min(until).since(hold.from.max(from)).max(0))
            .fold(0, i64::saturating_add)
    }

    /// The moment `ms` after `from` on a clock that stops on hold; `None` while a hold keeps it from coming.
    pub(crate) fn after_holds(&self, from: CallTime, ms: i64) -> Option<CallTime> {
        let mut due = from.plus(ms);
        for hold in self.holds() {
            if hold.from >= due {
                break;
            }
            let held_from = hold.from.max(from);
            match hold.until {
                Some(until) if until > held_from => due = due.plus(until.since(held_from)),
                Some(_) => {}
                None => return None,
            }
        }
        Some(due)
    }
}
