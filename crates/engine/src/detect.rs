//! From matches of phrases to hits: whose mouth, whole words, conditions.

use std::collections::BTreeMap;

use super::context::{MATCH_SYMBOLS_MAX, Reading, Scene, Veto};
use super::rule::RuleSet;
use super::rule::program::{Detector, DetectorIx};
use super::text::{Likeness, Match};
use super::time::CallTime;
use super::timeline::{Hit, Spoken, Timeline, UtteranceIx};

/// The fate of a match, for `rules explain`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Considered {
    pub(crate) detector: DetectorIx,
    pub(crate) utterance: UtteranceIx,
    pub(crate) matched: Match,
    pub(crate) veto: Option<Veto>,
}

/// Hits of one detector in one utterance. Who says a thing more often says nothing new by it; the matches
/// behind them are not looked at.
const HITS_OF_UTTERANCE_MAX: u32 = 64;

/// The results of a look at an utterance besides its hits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked {
    /// A condition looked at other utterances.
    pub(crate) around: bool,
    /// There were more hits of one detector than are counted.
    pub(crate) left_out: bool,
}

/// The hits of one detector that were counted so far.
#[derive(Default)]
struct Counted<'m> {
    hits: Vec<&'m Match>,
    /// Hits that do not overlap, and where the last of them ends.
    apart: u32,
    end: usize,
}

impl<'m> Counted<'m> {
    fn is_full(&self, next: &Match) -> bool {
        self.apart >= HITS_OF_UTTERANCE_MAX && next.start >= self.end
    }

    fn add(&mut self, hit: &'m Match) {
        if self.apart == 0 || hit.start >= self.end {
            self.apart += 1;
            self.end = hit.end;
        }
        self.hits.push(hit);
    }

    /// Whether one of the hits shares symbols with `other`.
    fn overlaps(&self, other: &Match) -> bool {
        let behind = self.hits.partition_point(|hit| hit.start < other.end);
        let mut near = self.hits[..behind].iter().rev().take_while(|hit| hit.start + MATCH_SYMBOLS_MAX > other.start);
        near.any(|hit| other.start < hit.end)
    }
}

/// Finds the hits of an utterance whose text was scanned. `listening` says
/// which detectors this call needs. Every match looked at goes to `considered`, if given.
pub(crate) fn detect(
    rules: &RuleSet,
    timeline: &Timeline,
    ix: UtteranceIx,
    listening: impl Fn(DetectorIx) -> bool,
    matches: &[Match],
    hits: &mut Vec<Hit>,
    mut considered: Option<&mut Vec<Considered>>,
) -> Looked {
    let mut reading = Reading::new(rules, timeline, ix);
    let spoken = timeline.get(ix);
    let mut looked = Looked::default();
    let mut counted: BTreeMap<DetectorIx, Counted<'_>> = BTreeMap::new();
    for matched in matches {
        // The same match is asked about by several detectors; jieba need only cut the sentence once.
        let mut whole_words: Option<bool> = None;
        for &detector_ix in &rules.detectors_of[matched.phrase.0 as usize] {
            if !listening(detector_ix) {
                continue;
            }
            if counted.get(&detector_ix).is_some_and(|counted| counted.is_full(matched)) {
                looked.left_out = true;
                continue;
            }
            let detector = &rules.detectors[detector_ix as usize];
            let veto = if detector.roles.contains(&spoken.role) {
                let words = *whole_words.get_or_insert_with(|| {
                    rules.lexicon.in_words_again(&spoken.text, matched, &mut reading.boundaries)
                });
                looked.around |= words && detector.looks_around;
                if words { verdict(&reading, detector, matched) } else { Some(Veto::NotWords) }
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
                counted.entry(detector_ix).or_default().add(matched);
            }
        }
    }
    for (&detector, of_detector) in &counted {
        let first = &rules.detectors[detector as usize].yields_to;
        let first: Vec<&Counted<'_>> = first.iter().filter_map(|other| counted.get(other)).collect();
        for &matched in &of_detector.hits {
            if first.iter().any(|other| other.overlaps(matched)) {
                let seen = considered.as_deref_mut().into_iter().flatten();
                for seen in
                    seen.filter(|seen| (seen.detector, seen.utterance) == (detector, ix) && seen.matched == *matched)
                {
                    seen.veto = Some(Veto::Yields);
                }
            } else {
                let of = &rules.detectors[detector as usize];
                let open_ms = of.open_ms.filter(|_| may_be_taken_back(&reading, of, matched));
                let open_until = open_ms.map(|ms| spoken.end.plus(ms));
                hits.push(Hit { open_until, ..hit(spoken, ix, detector, matched) });
            }
        }
    }
    keep_longest(hits);
    looked
}

fn verdict(reading: &Reading<'_>, detector: &Detector, matched: &Match) -> Option<Veto> {
    if detector.unless.is_empty() && detector.only.is_empty() {
        return None;
    }
    let scene = Scene::new(reading, &detector.subjects, matched.start..matched.end);
    detector
        .unless
        .iter()
        .find(|condition| scene.holds(condition))
        .map(|condition| Veto::Unless(condition.name()))
        .or_else(|| {
            detector.only.iter().find(|condition| !scene.holds(condition)).map(|condition| Veto::Only(condition.name()))
        })
}

/// Whether a hit would not count if the speaker went on to say what its conditions wait for.
fn may_be_taken_back(reading: &Reading<'_>, detector: &Detector, matched: &Match) -> bool {
    let scene = Scene::new(reading, &detector.subjects, matched.start..matched.end).foreseen();
    detector.unless.iter().any(|condition| scene.holds(condition))
        || !detector.only.iter().all(|condition| scene.holds(condition))
}

fn hit(spoken: &Spoken, ix: UtteranceIx, detector: DetectorIx, matched: &Match) -> Hit {
    let span = matched.raw_span(&spoken.text);
    let own = span.own.unwrap_or_default();
    let chars = spoken.text.raw_len().max(1);
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
        open_until: None,
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
