//! Ordered steps: a step that came before one it must follow, or never came.

use super::window::{WindowSpan, spans};
use super::{Citation, Evaluation, Finding, Obligation, Stage, View};
use crate::rule::program::{PartProgram, Program, SequenceProgram};
use crate::severity::AlertKind;
use crate::timeline::Hit;

pub(super) fn evaluate(view: &View<'_>, program: &Program, sequence: &SequenceProgram, evaluation: &mut Evaluation) {
    let SequenceProgram { window, steps } = sequence;
    // Only the first anchor opens a sequence: a complaint repeated is the same complaint.
    let Some(span) = spans(view, window, &[], false).into_iter().next() else { return };
    let said = said_in(view, steps, &span);
    let mut explained = vec![false; steps.len()];
    for (later, hit) in said.iter().enumerate() {
        let Some(hit) = hit else { continue };
        let skipped = (0..later).find(|&earlier| {
            !steps[earlier].optional && said[earlier].is_none_or(|before| before.said_at > hit.said_at)
        });
        let Some(skipped) = skipped else { continue };
        let due = hit.said_at.plus(program.grace_ms);
        if view.now < due {
            evaluation.wake_at(due);
            continue;
        }
        explained[skipped] = true;
        let mut finding = Finding::new(format!("{}/order/{later}", span.key), hit.said_at, Stage::Confirmed);
        finding.marks.extend(Citation::all_of(hit));
        let said_by_then = |ix: usize| said[ix].is_some_and(|other| other.said_at <= hit.said_at);
        let required = |ix: &usize| !steps[*ix].optional;
        finding.details.step = Some(steps[later].name.clone());
        finding.details.before = Some(steps[skipped].name.clone());
        finding.details.missing =
            (0..later).filter(required).filter(|&ix| !said_by_then(ix)).map(|ix| steps[ix].name.clone()).collect();
        finding.details.total = (0..steps.len()).filter(required).count();
        finding.details.said = (0..steps.len()).filter(required).filter(|&ix| said_by_then(ix)).count();
        evaluation.findings.push(finding);
    }
    let Some(deadline) = span.until else { return };
    let ended = view.timeline.end().map(|(at, _)| at);
    if ended.is_some_and(|end| end < deadline) || (span.to_end && view.cut_short()) {
        return;
    }
    let due = deadline.plus(program.grace_ms);
    if view.now < due {
        evaluation.wake_at(due);
        return;
    }
    let required = || steps.iter().zip(&said).filter(|(step, _)| !step.optional);
    let missing: Vec<String> = required().filter(|(_, hit)| hit.is_none()).map(|(step, _)| step.name.clone()).collect();
    // However many steps are missing, one thing was left out: one alert, one deduction.
    let owed = |ix: usize| said[ix].is_none() && !steps[ix].optional && !explained[ix];
    if (0..steps.len()).any(owed) {
        let mut finding = Finding::new(missing_key(&span), deadline, Stage::Confirmed);
        finding.kind = Some(AlertKind::Missing);
        finding.marks.extend(span.anchor);
        finding.details.step = Some(missing.join("、"));
        finding.details.total = required().count();
        finding.details.said = finding.details.total - missing.len();
        finding.details.missing = missing;
        evaluation.findings.push(finding);
    }
}

/// The first hit of each step within the window.
fn said_in<'a>(view: &View<'a>, steps: &[PartProgram], span: &WindowSpan) -> Vec<Option<&'a Hit>> {
    let first = |step: &PartProgram| {
        let mut hits = view.hits_from(step.detector, span.from).iter();
        hits.find(|hit| !hit.provisional).filter(|hit| span.holds(hit.said_at))
    };
    steps.iter().map(first).collect()
}

fn missing_key(span: &WindowSpan) -> String {
    format!("{}/missing", span.key)
}

/// The steps of a sequence that was begun. One that its end cut short asks for nothing any more, nor does one whose
/// missing step an alert about the order has told already.
pub(super) fn obligation<'a>(
    view: &View<'a>,
    program: &'a Program,
    sequence: &'a SequenceProgram,
) -> Option<Obligation<'a>> {
    let SequenceProgram { window, steps } = sequence;
    let span = spans(view, window, &[], false).into_iter().next()?;
    let said = said_in(view, steps, &span);
    let mut ahead = Evaluation::default();
    evaluate(view, program, sequence, &mut ahead);
    let key = missing_key(&span);
    let (missed, beside): (Vec<Finding>, Vec<Finding>) =
        ahead.findings.into_iter().partition(|finding| finding.key == key);
    let last = steps.iter().zip(&said).filter(|(step, _)| !step.optional).map(|(_, hit)| hit.map(|hit| hit.said_at));
    let done = last.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().max());
    let due = span.until;
    let is_cut_short = view.timeline.end().is_some_and(|(end, _)| due.is_none_or(|due| end < due));
    let is_over = is_cut_short
        || (span.to_end && view.cut_short())
        || due.is_some_and(|due| view.now >= due.plus(program.grace_ms));
    let (finding, is_open) = match (missed.into_iter().next(), done) {
        (Some(missed), _) => (missed, false),
        (None, Some(done)) => (Finding::new(key, done, Stage::Met), false),
        (None, None) if is_over => return None,
        (None, None) => (Finding::new(key, due.unwrap_or(view.now), Stage::Reminder), true),
    };
    let mut changes_at = None;
    if let Some(due) = due.filter(|_| is_open) {
        let (passed, decided) = (due.plus(1), due.plus(program.grace_ms));
        changes_at = Some(if view.now < passed { passed.min(decided) } else { decided });
    }
    let parts = steps.iter().zip(&said).map(|(step, hit)| (step, hit.map(|hit| hit.said_at))).collect();
    Some(Obligation { finding, is_open, due, parts, beside, changes_at })
}
