//! Required words: all parts within a window, in any order and across utterances.

use super::{Citation, Evaluation, Finding, Obligation, Stage, Unit, View, seconds, window};
use crate::rule::program::{AnchorProgram, PartProgram, Program, RequireProgram, Side};
use crate::time::CallTime;
use crate::timeline::Hit;
use crate::transcript::EventKind;

/// One window in which the words are owed.
struct Occurrence<'a> {
    span: window::WindowSpan,
    /// When the words are due; `None` while it cannot be known.
    deadline: Option<CallTime>,
    /// The first hit of each part within the window.
    said: Vec<Option<&'a Hit>>,
}

pub(super) fn evaluate(view: &View<'_>, program: &Program, require: &RequireProgram, evaluation: &mut Evaluation) {
    let parts = &require.parts;
    for Occurrence { span, deadline, said } in occurrences(view, require) {
        let judged = judge(view, program.grace_ms, require, &said, deadline, evaluation);
        let Some((stage, at)) = judged else { continue };
        let mut finding = Finding::new(span.key, at, stage);
        finding.marks.extend(span.anchor);
        finding.marks.extend(said.iter().flatten().flat_map(|hit| Citation::all_of(hit)));
        finding.details.missing =
            parts.iter().zip(&said).filter(|(_, hit)| hit.is_none()).map(|(part, _)| part.name.clone()).collect();
        finding.details.total = parts.len();
        finding.details.said = parts.len() - finding.details.missing.len();
        finding.details.unit = Unit::Seconds;
        finding.details.limit = span.until.map(|until| seconds(until.since(span.from)));
        evaluation.findings.push(finding);
    }
}

/// The windows of a rule with what was said in each. Those that the end of the
/// call cut short are left out, unless the rule says otherwise.
fn occurrences<'a>(view: &View<'a>, require: &RequireProgram) -> Vec<Occurrence<'a>> {
    let RequireProgram { parts, window, roles, count_hold, even_if_cut_short, .. } = require;
    let ended = view.timeline.end().map(|(at, _)| at);
    let spans = window::spans(view, window, roles, *count_hold).into_iter();
    spans
        .filter_map(|span| {
            let cut_off = ended.is_some_and(|end| span.until.is_none_or(|until| end < until));
            let closing = span.to_end && view.cut_short();
            if (cut_off || closing) && !even_if_cut_short {
                return None;
            }
            let deadline = if cut_off { ended } else { span.until };
            let said = said_in(view, parts, &span);
            Some(Occurrence { span, deadline, said })
        })
        .collect()
}

fn said_in<'a>(view: &View<'a>, parts: &[PartProgram], span: &window::WindowSpan) -> Vec<Option<&'a Hit>> {
    let first = |part: &PartProgram| view.hits_from(part.detector, span.from).first();
    parts.iter().map(|part| first(part).filter(|hit| span.holds(hit.said_at))).collect()
}

/// The windows of a rule as obligations.
pub(super) fn obligations<'a>(
    view: &View<'a>,
    program: &'a Program,
    require: &'a RequireProgram,
) -> Vec<Obligation<'a>> {
    let RequireProgram { parts, window, roles, .. } = require;
    let mut occurrences = occurrences(view, require);
    occurrences.extend(window::span_if_ended(view, window, roles).map(|span| {
        let said = said_in(view, parts, &span);
        Occurrence { span, deadline: None, said }
    }));
    let is_of_the_end = matches!(window.anchor, AnchorProgram::Event(EventKind::End));
    occurrences
        .into_iter()
        .map(|Occurrence { span, deadline, said }| {
            let mut ahead = Evaluation::default();
            let judged = judge(view, program.grace_ms, require, &said, deadline, &mut ahead);
            let is_open = judged.is_none_or(|(stage, _)| stage == Stage::Reminder);
            let (stage, at) = judged.unwrap_or((Stage::Reminder, deadline.unwrap_or(view.now)));
            if is_open && let Some(passed) = deadline.map(|due| due.plus(1)).filter(|passed| view.now < *passed) {
                ahead.wake_at(passed);
            }
            // Words that count only while the end is near are owed again later.
            if is_of_the_end && deadline.is_none() && span.from > CallTime(i64::MIN) {
                let first = said.iter().flatten().map(|hit| hit.said_at).min();
                first.into_iter().for_each(|at| ahead.wake_at(view.now.plus(at.since(span.from) + 1)));
            }
            let late = |part: &PartProgram| {
                let due = deadline.filter(|_| window.side == Side::After)?;
                view.hits_from(part.detector, due.plus(1)).first()
            };
            let parts = parts.iter().zip(&said).map(|(part, hit)| {
                let hit = hit.or_else(|| late(part));
                (part, hit.map(|hit| hit.said_at))
            });
            Obligation {
                finding: Finding::new(span.key, at, stage),
                is_open,
                due: deadline,
                parts: parts.collect(),
                beside: Vec::new(),
                changes_at: ahead.wake,
            }
        })
        .collect()
}

/// The stage of a requirement and its moment; `None` while nothing is decided or due.
fn judge(
    view: &View<'_>,
    grace_ms: i64,
    require: &RequireProgram,
    said: &[Option<&Hit>],
    deadline: Option<CallTime>,
    evaluation: &mut Evaluation,
) -> Option<(Stage, CallTime)> {
    let RequireProgram { parts, window, remind_ms, .. } = require;
    if said.iter().all(Option::is_some) {
        let last = said.iter().flatten().map(|hit| hit.said_at).max()?;
        return Some((Stage::Met, deadline.unwrap_or(last)));
    }
    let deadline = deadline?;
    let due = deadline.plus(grace_ms);
    if view.now >= due {
        let late = |part: &PartProgram| view.hits_of(part.detector).last().is_some_and(|hit| hit.said_at > deadline);
        let made_good =
            window.side == Side::After && parts.iter().zip(said).all(|(part, hit)| hit.is_some() || late(part));
        return Some((if made_good { Stage::MadeGood } else { Stage::Confirmed }, deadline));
    }
    evaluation.wake_at(due);
    let remind = deadline.plus(-(*remind_ms)?);
    if view.now >= remind {
        return view.timeline.end().is_none().then_some((Stage::Reminder, deadline));
    }
    evaluation.wake_at(remind);
    None
}
