//! Things that happen: who hung up, what was not said before, greetings at the wrong hour.

use super::{Evaluation, Finding, LOOKED_AT_MAX, OCCURRENCES_MAX, Stage, View, forbid, window};
use crate::rule::program::{DetectorIx, Program, WithoutProgram};
use crate::rule::syntax::HourRange;
use crate::timeline::Hit;
use crate::transcript::{EventKind, Party};

pub(super) fn hangup_by(view: &View<'_>, party: Party, evaluation: &mut Evaluation) {
    if let Some((at, by)) = view.timeline.end()
        && by == party
    {
        evaluation.findings.push(Finding::new(String::from("end"), at, Stage::Confirmed));
    }
}

pub(super) fn without(view: &View<'_>, program: &Program, without: &WithoutProgram, evaluation: &mut Evaluation) {
    let WithoutProgram { event, detector, within_ms } = *without;
    for at in view.timeline.times_of(event).take(OCCURRENCES_MAX) {
        let asked = view.last_hit(detector, at).is_some_and(|hit| at.since(hit.said_at) <= within_ms);
        if asked {
            continue;
        }
        let due = at.plus(program.grace_ms);
        if view.now < due {
            evaluation.wake_at(due);
        } else {
            evaluation.findings.push(Finding::new(window::event_key(event, at), at, Stage::Confirmed));
        }
    }
}

/// The call ended before anybody took it, whoever ended it: a customer who gives up waiting was left alone.
pub(super) fn transfer_unanswered(view: &View<'_>, program: &Program, evaluation: &mut Evaluation) {
    let Some((end, _)) = view.timeline.end() else { return };
    let Some(transfer) = view.timeline.times_of(EventKind::Transfer).last() else { return };
    let answered = view.timeline.times_of(EventKind::TransferAnswered).any(|at| at >= transfer);
    if answered {
        return;
    }
    // The news that somebody answered may come a little after the news of the end.
    let due = end.plus(program.grace_ms);
    if view.now < due {
        evaluation.wake_at(due);
    } else {
        let key = window::event_key(EventKind::Transfer, transfer);
        evaluation.findings.push(Finding::new(key, end, Stage::Confirmed));
    }
}

pub(super) fn greeting(
    view: &View<'_>,
    program: &Program,
    hours: &[(HourRange, DetectorIx)],
    evaluation: &mut Evaluation,
) {
    for (part, (range, detector)) in hours.iter().enumerate() {
        let hits = view.hits_of(*detector).iter().take(LOOKED_AT_MAX);
        let hits =
            hits.filter(|hit| !view.in_hours(*range, hit.said_at) && forbid::visible(view, program, hit, evaluation));
        let hits: Vec<&Hit> = hits.collect();
        forbid::repeated(view, &hits, evaluation, |key| format!("{key}/{part}"));
    }
}
