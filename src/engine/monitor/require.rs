//! Required words: all parts within a window, in any order and across utterances.

use super::{Evaluation, Finding, Mark, Stage, View, seconds, window};
use crate::engine::detect::Hit;
use crate::engine::rule::program::{BodyProgram, PartProgram, Program, Side};
use crate::engine::time::CallTime;

pub(super) fn evaluate(view: &View<'_>, program: &Program, evaluation: &mut Evaluation) {
    let BodyProgram::Require { parts, window, roles, remind_ms, count_hold, even_if_cut_short } = &program.body else {
        return;
    };
    let ended = view.timeline.end().map(|(at, _)| at);
    for span in window::spans(view, window, roles, *count_hold) {
        let cut_off = ended.is_some_and(|end| span.until.is_none_or(|until| end < until));
        let closing = span.to_end && view.cut_short();
        if (cut_off || closing) && !even_if_cut_short {
            continue;
        }
        let deadline = if cut_off { ended } else { span.until };
        let said: Vec<Option<&Hit>> =
            parts.iter().map(|part| view.hits_of(part.detector).iter().find(|hit| span.holds(hit.said_at))).collect();
        let Some((stage, at)) = judge(view, program, parts, window.side, &said, deadline, *remind_ms, evaluation)
        else {
            continue;
        };
        let mut finding = Finding::new(span.key, at, stage);
        finding.marks.extend(span.anchor);
        finding.marks.extend(said.iter().flatten().flat_map(|hit| Mark::all_of(hit)));
        finding.details.missing =
            parts.iter().zip(&said).filter(|(_, hit)| hit.is_none()).map(|(part, _)| part.name.clone()).collect();
        finding.details.total = parts.len();
        finding.details.said = parts.len() - finding.details.missing.len();
        finding.details.limit = span.until.map(|until| seconds(until.since(span.from)));
        evaluation.findings.push(finding);
    }
}

/// Where a requirement stands, and as of when; `None` while there is nothing to say.
#[allow(clippy::too_many_arguments)]
fn judge(
    view: &View<'_>,
    program: &Program,
    parts: &[PartProgram],
    side: Side,
    said: &[Option<&Hit>],
    deadline: Option<CallTime>,
    remind_ms: Option<i64>,
    evaluation: &mut Evaluation,
) -> Option<(Stage, CallTime)> {
    if said.iter().all(Option::is_some) {
        let last = said.iter().flatten().map(|hit| hit.said_at).max()?;
        return Some((Stage::Met, deadline.unwrap_or(last)));
    }
    let deadline = deadline?;
    let due = deadline.plus(program.grace_ms);
    if view.now >= due {
        let late = |part: &PartProgram| view.hits_of(part.detector).iter().any(|hit| hit.said_at > deadline);
        let made_good = side == Side::After && parts.iter().zip(said).all(|(part, hit)| hit.is_some() || late(part));
        return Some((if made_good { Stage::MadeGood } else { Stage::Confirmed }, deadline));
    }
    evaluation.wake_at(due);
    let remind = deadline.plus(-remind_ms?);
    if view.now >= remind {
        return view.timeline.end().is_none().then_some((Stage::Reminder, deadline));
    }
    evaluation.wake_at(remind);
    None
}
