//! Forbidden words: each hit is an occurrence, or so many different phrases together are one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Citation, Evaluation, Finding, LOOKED_AT_MAX, OCCURRENCES_OF_UTTERANCE_MAX, Stage, View, window};
use crate::rule::program::{ForbidProgram, Program};
use crate::rule::syntax::Hypotheses;
use crate::text::PhraseId;
use crate::time::CallTime;
use crate::timeline::{Hit, UtteranceIx};

pub(super) fn evaluate(view: &View<'_>, program: &Program, forbid: &ForbidProgram, evaluation: &mut Evaluation) {
    let spans = forbid.window.as_ref().map(|window| window::spans(view, window, &forbid.roles, true));
    let spans = spans.map(|spans| window::Union::of(&spans));
    let all = view.hits_of(forbid.detector);
    evaluation.left_out |= all.len() > LOOKED_AT_MAX;
    let hits = all.iter().take(LOOKED_AT_MAX).filter(|hit| {
        spans.as_ref().is_none_or(|spans| spans.holds(hit.said_at)) && visible(view, program, hit, evaluation)
    });
    let hits: Vec<&Hit> = hits.collect();
    let first = evaluation.findings.len();
    if forbid.at_least <= 1 {
        repeated(view, &hits, evaluation, String::clone);
    } else {
        evaluation.findings.extend(together(&hits, forbid.at_least as usize));
    }
    if forbid.waits {
        wait(view, program, &hits, first, evaluation);
    }
}

/// Leaves findings open that later words may still take back.
fn wait(view: &View<'_>, program: &Program, hits: &[&Hit], first: usize, evaluation: &mut Evaluation) {
    let mut open: BTreeMap<(UtteranceIx, PhraseId), CallTime> = BTreeMap::new();
    for hit in hits {
        let Some(until) = decided_at(view, program, hit).filter(|until| view.now < *until) else { continue };
        let latest = open.entry((hit.utterance, hit.phrase)).or_insert(until);
        *latest = until.max(*latest);
    }
    let Some(&next) = open.values().min() else { return };
    evaluation.wake_at(next);
    // Who waits for the final waits for what follows, too.
    let is_silent = program.hypotheses == Hypotheses::Final;
    let mut findings = evaluation.findings.split_off(first);
    findings.retain_mut(|finding| {
        let is_open =
            finding.marks.iter().any(|mark| mark.phrase.is_some_and(|it| open.contains_key(&(mark.utterance, it))));
        if is_open {
            finding.stage = Stage::Provisional;
        }
        !(is_open && is_silent)
    });
    evaluation.findings.append(&mut findings);
}

/// When it is known that nothing takes a hit back any more: late words are waited for, but none behind the end of the call.
fn decided_at(view: &View<'_>, program: &Program, hit: &Hit) -> Option<CallTime> {
    let open_until = hit.open_until?;
    let over = view.timeline.end().map_or(open_until, |(end, _)| end.min(open_until));
    Some(over.plus(program.grace_ms))
}

/// One occurrence for each phrase of each utterance: words repeated in one breath are one matter.
pub(super) fn repeated(view: &View<'_>, hits: &[&Hit], evaluation: &mut Evaluation, key: impl Fn(&String) -> String) {
    let mut known: BTreeMap<(UtteranceIx, PhraseId), usize> = BTreeMap::new();
    let mut of_utterance: BTreeMap<UtteranceIx, usize> = BTreeMap::new();
    for hit in hits {
        if let Some(&first) = known.get(&(hit.utterance, hit.phrase)) {
            evaluation.findings[first].count += 1;
            continue;
        }
        let different = of_utterance.entry(hit.utterance).or_default();
        if *different >= OCCURRENCES_OF_UTTERANCE_MAX {
            evaluation.left_out = true;
            continue;
        }
        *different += 1;
        known.insert((hit.utterance, hit.phrase), evaluation.findings.len());
        let mut finding = single(view, hit);
        finding.key = key(&finding.key);
        evaluation.findings.push(finding);
    }
}

/// Whether a hit in a hypothesis may be shown yet; asks to be woken when it may be.
pub(super) fn visible(view: &View<'_>, program: &Program, hit: &Hit, evaluation: &mut Evaluation) -> bool {
    if !hit.provisional {
        return true;
    }
    match program.hypotheses {
        Hypotheses::Show => true,
        Hypotheses::Final => false,
        Hypotheses::Revisions(revisions) => {
            view.timeline.get(hit.utterance).revision.saturating_sub(hit.seen_in) >= revisions
        }
        Hypotheses::StableMs(ms) => {
            let stable = hit.seen_at.plus(ms);
            if view.now < stable {
                evaluation.wake_at(stable);
            }
            view.now >= stable
        }
    }
}

fn single(view: &View<'_>, hit: &Hit) -> Finding {
    let stage = if hit.provisional { Stage::Provisional } else { Stage::Confirmed };
    let mut finding = Finding::new(view.key_of(hit), hit.said_at, stage);
    finding.marks.extend(Citation::all_of(hit));
    finding
}

/// One occurrence, at the hit that completes `at_least` different phrases.
fn together(hits: &[&Hit], at_least: usize) -> Option<Finding> {
    let mut phrases = BTreeSet::new();
    let firsts: Vec<&&Hit> = hits.iter().filter(|hit| phrases.insert(hit.phrase)).take(at_least).collect();
    let last = firsts.get(at_least - 1)?;
    let stage = if firsts.iter().any(|hit| hit.provisional) { Stage::Provisional } else { Stage::Confirmed };
    let mut finding = Finding::new(String::from("together"), last.said_at, stage);
    finding.marks.extend(firsts.iter().flat_map(|hit| Citation::all_of(hit)));
    finding.details.value = Some(firsts.len().to_string());
    Some(finding)
}
