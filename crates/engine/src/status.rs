//! How a call stands at a moment: who speaks, what goes on and for how long,
//! and what the agent still owes.
//!
//! Asking changes nothing and decides nothing. The checklist is what the
//! monitors of required words see, window by window; at the end of a call,
//! what it calls missed are the confirmed alerts of those rules.

use std::sync::Arc;

use super::alert::{Alert, AlertState};
use super::call::{Call, keep_within_limit, precondition_holds};
use super::monitor::{self, Finding, Obligation, Stage, View, unheld_ms};
use super::pauses::SILENCE_MS;
use super::rule::Rule;
use super::rule::program::{PartProgram, Program};
use super::time::CallTime;
use super::transcript::Role;
use crate::severity::AlertKind;

/// The agent's speech rate is measured over the last so many milliseconds up to the agent's last words.
const RATE_WINDOW_MS: i64 = 30_000;
/// Less speech than this says nothing of its rate.
const RATE_AT_LEAST_MS: i64 = 5_000;
/// How far back the agent's last words are looked for, in utterances.
const LOOK_BACK: usize = 64;
/// The most duties of one call that are shown.
const DUTIES_MAX: usize = 64;

/// The phase of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Somebody speaks, or did a moment ago.
    Talking,
    /// Nobody has spoken for [`SILENCE_MS`], or yet.
    Silent,
    /// The customer is on hold.
    Hold,
    /// It is over.
    Ended,
}

impl Phase {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Talking => "talking",
            Self::Silent => "silent",
            Self::Hold => "hold",
            Self::Ended => "ended",
        }
    }
}

/// The state of a call at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStatus {
    /// The phase.
    pub phase: Phase,
    /// The beginning of the phase.
    pub since: CallTime,
    /// The last speaker, while the phase is speech.
    pub speaker: Option<Role>,
    /// The milliseconds since the last words or the answer, without holds.
    pub silence_ms: i64,
    /// The milliseconds of all holds so far.
    pub hold_ms: i64,
    /// Characters a minute of the agent's latest speech; `None` if there was too little of it.
    pub speech_rate: Option<i64>,
    /// The moment at which the status changes by time alone.
    pub changes_at: Option<CallTime>,
}

/// The state of a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DutyState {
    /// Not all of it was said yet.
    Owed,
    /// It was said, if late.
    Said,
    /// It was not said in time.
    Missed,
}

impl DutyState {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Said => "said",
            Self::Missed => "missed",
        }
    }
}

/// A part of a duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyPart {
    /// Its name for people.
    pub name: String,
    /// Words that do it.
    pub say: Option<String>,
    /// When it was said.
    pub said: Option<CallTime>,
    /// It may be left out.
    pub is_optional: bool,
}

/// A demand of a rule of required words, one for each occasion in the call, or
/// the steps of a sequence that was begun.
///
/// Words that are to be said before the call ends are asked of it from the
/// beginning. What is to follow something that was said or done is asked from
/// then on, and what is to precede it is not asked before it is too late to.
#[derive(Clone, Debug)]
pub struct Duty {
    /// The rule that asks.
    pub rule: Arc<Rule>,
    /// What is to be said.
    pub parts: Vec<DutyPart>,
    /// The parts are steps, one after the other.
    pub is_sequence: bool,
    /// The deadline; `None` while it cannot be known.
    pub due: Option<CallTime>,
    /// The state of the duty.
    pub state: DutyState,
    /// It is owed and its time is over, though late words may still be on their way.
    pub is_overdue: bool,
    /// The moment at which the duty may change by time alone.
    pub changes_at: Option<CallTime>,
}

impl Call {
    /// How the call stands at `now`, which is not before anything it was told.
    #[must_use]
    pub fn status(&self, now: CallTime) -> CallStatus {
        let view = self.view_at(now);
        let timeline = view.timeline;
        let until = timeline.end().map_or(view.now, |(at, _)| at);
        let last = timeline.reach_before(timeline.len(), None);
        let from = last.map_or(CallTime::ANSWERED, |(at, _)| at);
        let silence_ms = unheld_ms(&view, from, until).max(0);
        let hold = timeline.holds().last();
        let resumed = hold.and_then(|hold| hold.until).unwrap_or(CallTime::ANSWERED);
        let (mut speaker, mut changes_at) = (None, None);
        let (phase, since) = match (timeline.end(), hold, last) {
            (Some((at, _)), ..) => (Phase::Ended, at),
            (None, Some(hold), _) if hold.until.is_none() => (Phase::Hold, hold.from),
            (None, _, Some((_, ix))) if silence_ms < SILENCE_MS => {
                speaker = Some(timeline.get(ix).role).filter(|role| *role != Role::System);
                changes_at = timeline.after_holds(from, SILENCE_MS);
                (Phase::Talking, talking_since(&view, resumed))
            }
            _ => (Phase::Silent, from.max(resumed)),
        };
        let hold_ms = timeline.held_ms(CallTime::ANSWERED, until);
        CallStatus { phase, since, speaker, silence_ms, hold_ms, speech_rate: speech_rate(&view), changes_at }
    }

    /// What the call owes at `now`, has said and has missed, by the rules that
    /// `counts` admits, in their order. Of very much, what is owed and what came last.
    #[must_use]
    pub fn duties(&self, now: CallTime, counts: impl Fn(&Rule) -> bool) -> Vec<Duty> {
        let view = self.view_at(now);
        let mut duties: Vec<Duty> = Vec::new();
        for ix in self.active_rules() {
            let (rule, program) = (&view.rules.rules[ix as usize], &view.rules.programs[ix as usize]);
            if counts(rule) {
                duties.extend(obligations(&view, program).into_iter().map(|obligation| duty(&view, rule, obligation)));
            }
        }
        let mut left_over = duties.len().saturating_sub(DUTIES_MAX);
        duties.retain(|duty| {
            let goes = left_over > 0 && duty.state != DutyState::Owed;
            left_over -= usize::from(goes);
            !goes
        });
        duties.truncate(DUTIES_MAX);
        duties
    }

    /// The alerts that hold the call to something now: seen, or borne out, and neither
    /// taken back nor made good.
    pub fn alerts_in_force(&self) -> impl Iterator<Item = &Alert> {
        self.reported().filter(|alert| matches!(alert.state, AlertState::Provisional | AlertState::Confirmed))
    }

    fn view_at(&self, now: CallTime) -> View<'_> {
        let view = self.view();
        View { now: now.max(view.now), ..view }
    }
}

/// The obligations of a rule that it would be told of: those whose
/// precondition holds, no more than its limit allows.
fn obligations<'a>(view: &View<'a>, program: &'a Program) -> Vec<Obligation<'a>> {
    let mut obligations = monitor::obligations(view, program);
    obligations.retain(|obligation| precondition_holds(view, program, obligation.finding.at));
    let beside = obligations.iter().flat_map(|obligation| &obligation.beside);
    let beside = beside.filter(|finding| precondition_holds(view, program, finding.at)).cloned();
    let mut findings: Vec<Finding> = obligations.iter().map(Obligation::in_order).chain(beside).collect();
    keep_within_limit(program.limit, &mut findings);
    // What is asked for is asked for, even if the rule would tell nothing more of it.
    let is_asked = |obligation: &Obligation<'_>| obligation.is_open && !obligation.beside.is_empty();
    obligations.retain(|obligation| {
        is_asked(obligation) || findings.iter().any(|finding| finding.key == obligation.finding.key)
    });
    obligations
}

fn duty(view: &View<'_>, rule: &Arc<Rule>, obligation: Obligation<'_>) -> Duty {
    let Obligation { finding, is_open, due, parts, changes_at, .. } = obligation;
    let is_sequence = matches!(rule.kind, AlertKind::Order);
    // A rule of one part asks for what its name says; the part is named after its first phrase.
    let is_whole = parts.len() == 1;
    let part = |(part, said): (&PartProgram, Option<CallTime>)| DutyPart {
        name: if is_whole { &rule.name } else { &part.name }.clone(),
        say: part.say.clone(),
        said,
        is_optional: part.optional,
    };
    let state = match finding.stage {
        _ if is_open => DutyState::Owed,
        Stage::Met | Stage::MadeGood => DutyState::Said,
        Stage::Confirmed | Stage::Provisional | Stage::Reminder => DutyState::Missed,
    };
    Duty {
        rule: Arc::clone(rule),
        parts: parts.into_iter().map(part).collect(),
        is_sequence,
        due,
        state,
        is_overdue: is_open && due.is_some_and(|due| view.now > due),
        changes_at,
    }
}

/// When the speech that goes on now began: after the last silence or hold.
fn talking_since(view: &View<'_>, resumed: CallTime) -> CallTime {
    let timeline = view.timeline;
    let mut since = CallTime::MAX;
    for position in (0..timeline.len()).rev() {
        since = since.min(timeline.spoken_at(position).start);
        let before = timeline.reach_before(position, None);
        let is_first = before.is_none_or(|(end, _)| since.since(end) >= SILENCE_MS);
        if is_first || since <= resumed {
            break;
        }
    }
    // A hypothesis may be stamped ahead of the moment at which it came.
    since.max(resumed).min(view.now)
}

fn speech_rate(view: &View<'_>) -> Option<i64> {
    let timeline = view.timeline;
    let position = (0..timeline.len()).rev().take(LOOK_BACK).find(|&at| timeline.spoken_at(at).role == Role::Agent)?;
    let (ms, chars) = monitor::recent_speech(view, position, Role::Agent, RATE_WINDOW_MS);
    (ms >= RATE_AT_LEAST_MS).then(|| chars * 60_000 / ms)
}
