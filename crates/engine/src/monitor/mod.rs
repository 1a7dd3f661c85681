//! One monitor a rule kind: from the timeline and the hits to findings.
//!
//! A monitor is a pure function of what was said and done so far and of the
//! time. It keeps no state, so the order of arrival cannot leak into a
//! verdict; `Call` compares its findings with what was reported before and
//! puts out the difference.

mod event;
mod explained;
mod forbid;
mod measures;
mod obligation;
mod require;
mod sequence;
mod timing;
mod window;

use std::collections::BTreeMap;

use chrono::Timelike;

pub use explained::ExplainedWindow;
pub(crate) use explained::explain_windows;
pub(crate) use measures::explain_measures;
pub(crate) use obligation::{Obligation, obligations};
use timing::pending;
pub(crate) use timing::{LOOKED_BACK_FROM, asks, at_position, recent_speech, unheld_ms};

use super::rule::RuleSet;
use super::rule::program::{AnchorProgram, BodyProgram, DetectorIx, Program, RequireProgram, SequenceProgram};
use super::rule::syntax::{Expression, HourRange};
use super::text::PhraseId;
use super::time::CallTime;
use super::timeline::{Hit, Timeline, UtteranceIx};
use super::transcript::{CallInfo, Party, Role};
use crate::severity::AlertKind;
use crate::work;

/// A customer who hangs up this soon after their own last words left the agent no chance to close the call.
const NO_CHANCE_MS: i64 = 2_000;

/// Occurrences of one rule's matter in one call that are told; of more than that nobody reads.
pub(crate) const OCCURRENCES_MAX: usize = 200;

/// Different phrases of one rule in one utterance that are told.
const OCCURRENCES_OF_UTTERANCE_MAX: usize = 16;

/// Findings of one rule that are looked at for those that are told.
pub(crate) const LOOKED_AT_MAX: usize = 2 * OCCURRENCES_MAX;

/// Hits of one call, by detector, in the order they were said.
pub(crate) type Hits = BTreeMap<DetectorIx, Vec<Hit>>;

/// The state of a call as monitors read it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) info: &'a CallInfo,
    pub(crate) timeline: &'a Timeline,
    pub(crate) hits: &'a Hits,
    /// The call's clock.
    pub(crate) now: CallTime,
}

/// The stage of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Seen in a hypothesis.
    Provisional,
    /// A violation.
    Confirmed,
    /// Nearly due.
    Reminder,
    /// Required, and said in time: no violation, and never was one.
    Met,
    /// Required, and said after its time.
    MadeGood,
}

/// Words that a finding points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) utterance: UtteranceIx,
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// `None` marks the whole utterance.
    pub(crate) phrase: Option<PhraseId>,
    pub(crate) homophone: bool,
}

/// The values of a message's placeholders.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Details {
    pub(crate) missing: Vec<String>,
    pub(crate) said: usize,
    pub(crate) total: usize,
    pub(crate) value: Option<String>,
    pub(crate) limit: Option<String>,
    /// The unit of `value` and `limit`.
    pub(crate) unit: Unit,
    pub(crate) step: Option<String>,
    pub(crate) before: Option<String>,
}

/// The unit of what is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A bare count.
    #[default]
    None,
    Seconds,
    CharactersAMinute,
    Rings,
    Times,
    Decibels,
    Hertz,
}

impl Unit {
    /// Its name, and how a message may begin to name it itself.
    pub(crate) const fn names(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::None => ("", &[""]),
            Self::Seconds => ("秒", &["秒", "s", "S"]),
            Self::CharactersAMinute => ("字/分钟", &["字", "个字", "/"]),
            Self::Rings => ("声", &["声", "次", "响"]),
            Self::Times => ("遍", &["遍", "次", "回"]),
            Self::Decibels => ("分贝", &["分贝", "d", "D"]),
            Self::Hertz => ("赫兹", &["赫", "h", "H"]),
        }
    }
}

/// One occurrence of a rule's matter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// Names the occurrence within call and rule; never depends on arrival.
    pub(crate) key: String,
    pub(crate) at: CallTime,
    pub(crate) stage: Stage,
    /// Where it differs from the rule's own kind (a step left out of a sequence is missing).
    pub(crate) kind: Option<AlertKind>,
    pub(crate) marks: Vec<Citation>,
    pub(crate) details: Details,
    /// The number of times that the utterance says it.
    pub(crate) count: u32,
}

impl Finding {
    fn new(key: String, at: CallTime, stage: Stage) -> Self {
        work::look(1);
        Self { key, at, stage, kind: None, marks: Vec::new(), details: Details::default(), count: 1 }
    }
}

/// The result of a monitor at one moment.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    pub(crate) findings: Vec<Finding>,
    /// There was more than is told.
    pub(crate) left_out: bool,
    /// The moment at which the result may change by time alone.
    pub(crate) wake: Option<CallTime>,
}

impl Evaluation {
    fn wake_at(&mut self, at: CallTime) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

/// Evaluates a rule from scratch. Timing rules that are decided utterance by
/// utterance only add what is pending here; `at_position` gives the rest.
pub(crate) fn evaluate(view: &View<'_>, program: &Program) -> Evaluation {
    let mut evaluation = Evaluation::default();
    work::look(1);
    match &program.body {
        BodyProgram::Forbid(forbid) => forbid::evaluate(view, program, forbid, &mut evaluation),
        BodyProgram::Require(require) => require::evaluate(view, program, require, &mut evaluation),
        BodyProgram::Sequence(sequence) => sequence::evaluate(view, program, sequence, &mut evaluation),
        BodyProgram::Timing(measured) => pending(view, program, &measured.timing, &mut evaluation),
        BodyProgram::HangupBy(party) => event::hangup_by(view, *party, &mut evaluation),
        BodyProgram::Without(without) => event::without(view, program, without, &mut evaluation),
        BodyProgram::TransferUnanswered => event::transfer_unanswered(view, program, &mut evaluation),
        BodyProgram::Greeting(hours) => event::greeting(view, program, hours, &mut evaluation),
    }
    evaluation
}

/// Whether a rule has nothing to look at: what opens its windows never happened, nor were its words said. Then
/// [`evaluate`] finds nothing and waits for nothing.
pub(crate) fn is_idle(view: &View<'_>, program: &Program) -> bool {
    match &program.body {
        BodyProgram::Forbid(forbid) => view.hits_of(forbid.detector).is_empty(),
        BodyProgram::Require(RequireProgram { window, .. }) | BodyProgram::Sequence(SequenceProgram { window, .. }) => {
            match window.anchor {
                AnchorProgram::Event(kind) => view.timeline.times_of(kind).next().is_none(),
                AnchorProgram::Said(detector) => view.hits_of(detector).is_empty(),
            }
        }
        _ => false,
    }
}

/// Whether a precondition holds as of `at`.
pub(crate) fn holds(view: &View<'_>, expression: &Expression<DetectorIx>, at: CallTime) -> bool {
    let recent = |moment: CallTime, within_ms: Option<i64>| {
        moment <= at && within_ms.is_none_or(|within_ms| at.since(moment) <= within_ms)
    };
    match expression {
        Expression::All(all) => all.iter().all(|part| holds(view, part, at)),
        Expression::Any(any) => any.iter().any(|part| holds(view, part, at)),
        Expression::Not(part) => !holds(view, part, at),
        // The latest moment decides: if it is too long ago, all are.
        Expression::Said { said, within_ms } => {
            view.last_hit(*said, at).is_some_and(|hit| recent(hit.said_at, *within_ms))
        }
        Expression::Happened { event, within_ms } => {
            view.timeline.last_time_of(*event, at).is_some_and(|moment| recent(moment, *within_ms))
        }
        Expression::Hour(range) => view.in_hours(*range, at),
        Expression::LastedMs(ms) => at.since(CallTime::ANSWERED) >= *ms,
    }
}

impl<'a> View<'a> {
    pub(crate) fn hits_of(&self, detector: DetectorIx) -> &'a [Hit] {
        self.hits.get(&detector).map(Vec::as_slice).unwrap_or_default()
    }

    /// The last hit up to `at`.
    fn last_hit(&self, detector: DetectorIx, at: CallTime) -> Option<&'a Hit> {
        let hits = self.hits_of(detector);
        hits[..hits.partition_point(|hit| hit.said_at <= at)].last()
    }

    /// The hits from `at` on.
    fn hits_from(&self, detector: DetectorIx, at: CallTime) -> &'a [Hit] {
        let hits = self.hits_of(detector);
        &hits[hits.partition_point(|hit| hit.said_at < at)..]
    }

    /// The key of a hit: its utterance, and which of the detector's hits in it.
    fn key_of(&self, hit: &Hit) -> String {
        format!("{}#{}", self.timeline.get(hit.utterance).id, hit.ordinal)
    }

    fn in_hours(&self, range: HourRange, at: CallTime) -> bool {
        let moment = self.info.started_at + chrono::TimeDelta::milliseconds(at.0.clamp(0, DAY_MS * 366));
        let minute = moment.hour() * 60 + moment.minute();
        let fits = |minute: u32| (range.from_minute..range.until_minute).contains(&minute);
        fits(minute) || fits(minute + 24 * 60)
    }

    /// Whether the call ended so that the agent could not have closed it:
    /// the line broke, or the customer hung up right after their own words.
    fn cut_short(&self) -> bool {
        let Some((end, by)) = self.timeline.end() else { return false };
        match by {
            Party::System => true,
            Party::Agent => false,
            Party::Customer => {
                let reach = |role| self.timeline.reach_before(self.timeline.len(), Some(role)).map(|(at, _)| at);
                let customer = reach(Role::Customer);
                customer > reach(Role::Agent) && customer.is_some_and(|last| end.since(last) < NO_CHANCE_MS)
            }
        }
    }
}

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl Citation {
    fn of(hit: &Hit) -> Self {
        Self {
            utterance: hit.utterance,
            start: hit.start,
            end: hit.end,
            phrase: Some(hit.phrase),
            homophone: hit.homophone,
        }
    }

    /// The marks of a hit: two, when it began in the utterance before.
    fn all_of(hit: &Hit) -> impl Iterator<Item = Self> {
        let before = hit.before.map(|(utterance, start, end)| Self { utterance, start, end, ..Self::of(hit) });
        before.into_iter().chain(std::iter::once(Self::of(hit)))
    }

    fn whole(utterance: UtteranceIx) -> Self {
        Self { utterance, start: 0, end: 0, phrase: None, homophone: false }
    }
}

/// Seconds, with one decimal where it says something.
fn seconds(ms: i64) -> String {
    match ms % 1_000 / 100 {
        0 => (ms / 1_000).to_string(),
        tenth => format!("{}.{tenth}", ms / 1_000),
    }
}
