//! From matches of phrases to hits: whose mouth, whole words, conditions.

use super::context::{Scene, Veto};
use super::rule::RuleSet;
use super::rule::program::{Detector, DetectorIx};
use super::text::{Likeness, Match};
use super::time::CallTime;
use super::timeline::{Hit, Spoken, Timeline, UtteranceIx};

/// What became of a match, for `rules explain`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Considered {
    pub(crate) detector: DetectorIx,
    pub(crate) utterance: UtteranceIx,
    pub(crate) matched: Match,
    pub(crate) veto: Option<Veto>,
}

/// Finds the hits of an utterance whose text was scanned. `listening` says
/// which detectors this call needs. Every match looked at goes to `considered`, if given.
///
/// Returns whether a condition looked at other utterances.
pub(crate) fn detect(
    rules: &RuleSet,
    timeline: &Timeline,
    ix: UtteranceIx,
    listening: impl Fn(DetectorIx) -> bool,
    matches: &[Match],
    hits: &mut Vec<Hit>,
    mut considered: Option<&mut Vec<Considered>>,
) -> bool {
    let spoken = timeline.get(ix);
    let mut looks_around = false;
    let mut whole_words: Option<(Match, bool)> = None;
    let mut counted: Vec<(DetectorIx, &Match)> = Vec::new();
    for matched in matches {
        for &detector_ix in &rules.detectors_of[matched.phrase.0 as usize] {
            if !listening(detector_ix) {
                continue;
            }
            let detector = &rules.detectors[detector_ix as usize];
            let veto = if detector.roles.contains(&spoken.role) {
                // The same match is asked about by several detectors; jieba need only cut the sentence once.
                let words = match &whole_words {
                    Some((of, words)) if of == matched => *words,
                    _ => {
                        let words = rules.lexicon.in_words(&spoken.text, matched);
                        whole_words = Some((matched.clone(), words));
                        words
                    }
                };
                looks_around |= words && detector.looks_around;
                if words { verdict(rules, timeline, ix, detector, matched) } else { Some(Veto::NotWords) }
            } else {
                Some(Veto::Role)
            };
            if let Some(considered) = considered.as_deref_mut() {
                considered.push(Considered {
                    detector: detector_ix,
                    utterance: ix,
                    matched: matched.clone(),
                    veto: veto.clone(),
                });
            }
            if veto.is_none() {
                counted.push((detector_ix, matched));
            }
        }
    }
    for &(detector, matched) in &counted {
        let first = &rules.detectors[detector as usize].yields_to;
        let overlaps = |other: &Match| other.start < matched.end && matched.start < other.end;
        if counted.iter().any(|&(other, words)| first.contains(&other) && overlaps(words)) {
            let seen = considered.as_deref_mut().into_iter().flatten();
            for seen in
                seen.filter(|seen| (seen.detector, seen.utterance) == (detector, ix) && seen.matched == *matched)
            {
                seen.veto = Some(Veto::Yields);
            }
        } else {
            hits.push(hit(spoken, ix, detector, matched));
        }
    }
    keep_longest(hits);
    looks_around
}

fn verdict(
    rules: &RuleSet,
    timeline: &Timeline,
    ix: UtteranceIx,
    detector: &Detector,
    matched: &Match,
) -> Option<Veto> {
    if detector.unless.is_empty() && detector.only.is_empty() {
        return None;
    }
    let scene = Scene::new(rules, &detector.subjects, timeline, ix, matched.start..matched.end);
    detector
        .unless
        .iter()
        .find(|condition| scene.holds(condition))
        .map(|condition| Veto::Unless(condition.name()))
        .or_else(|| {
            detector.only.iter().find(|condition| !scene.holds(condition)).map(|condition| Veto::Only(condition.name()))
        })
}

fn hit(spoken: &Spoken, ix: UtteranceIx, detector: DetectorIx, matched: &Match) -> Hit {
    let span = matched.raw_span(&spoken.text);
    let own = span.own.unwrap_or_default();
    let chars = spoken.text.raw().chars().count().max(1);
    let share = |offset: usize| {
        let ms = spoken.end.since(spoken.start);
        // Shares of a second at most: an i64 of milliseconds times 10 000 characters fits.
        spoken.start.plus(ms.saturating_mul(i64::try_from(offset).unwrap_or(0)) / i64::try_from(chars).unwrap_or(1))
    };
    let before = span.previous.and_then(|range| Some((spoken.continues?, narrow(range.start), narrow(range.end))));
    Hit {
        detector,
        utterance: ix,
        ordinal: 0,
        phrase: matched.phrase,
        start: narrow(own.start),
        end: narrow(own.end),
        before,
        homophone: matched.likeness != Likeness::Exact,
        said_at: if before.is_some() { spoken.start } else { share(own.start) },
        provisional: !spoken.is_final,
        seen_at: CallTime::ANSWERED,
        seen_in: 0,
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// Of overlapping hits of one detector the earliest and then the longest is
/// the occurrence; the others are the same words again.
fn keep_longest(hits: &mut Vec<Hit>) {
    if hits.is_empty() {
        return;
    }
    let begins =
        |hit: &Hit| hit.before.map_or(i64::from(hit.start), |(_, start, end)| i64::from(start) - i64::from(end));
    hits.sort_by_key(|hit| (hit.detector, begins(hit), std::cmp::Reverse(hit.end), hit.homophone, hit.phrase));
    let mut kept: Option<(DetectorIx, u32, u32)> = None;
    hits.retain_mut(|hit| {
        let ordinal = match kept {
            Some((detector, end, ordinal)) if detector == hit.detector => {
                if begins(hit) < i64::from(end) {
                    return false;
                }
                ordinal + 1
            }
            _ => 0,
        };
        hit.ordinal = ordinal;
        kept = Some((hit.detector, hit.end, ordinal));
        true
    });
}
