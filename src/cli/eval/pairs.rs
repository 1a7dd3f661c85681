//! Homophone matching on recognisers' output: phrases found again and false alarms, by the length
//! of the phrase.
//!
//! The phrases are pieces of the references themselves. A piece in the hypothesis of its own
//! reference is found; a piece in a hypothesis whose reference does not have it is a false alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::Serialize;
use tingjian::engine::text::{
    Boundary, FoldedText, Homophone, Lexicon, LexiconBuilder, Likeness, Match, PhraseId, PhraseOptions, fold,
};

use super::read::{Pair, Placed};

/// Phrase lengths that are looked at together.
const LENGTHS: [RangeInclusive<usize>; 4] = [2..=2, 3..=3, 4..=4, 5..=8];
/// The ways of matching, each including those before it.
const LEVELS: [Likeness; 3] = [Likeness::Exact, Likeness::Toneless, Likeness::Merged];
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// How homophone matching fared.
#[derive(Debug, Serialize)]
pub(super) struct Pairs {
    pub(super) total: usize,
    pub(super) rows: Vec<Row>,
    /// False alarms of phrases of three characters and more that only sound alike.
    pub(super) errors: Vec<PairError>,
}

/// The figures of one length of phrases.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) chars: String,
    /// Phrases looked for in the hypothesis of their own reference.
    pub(super) phrases: usize,
    pub(super) literal: Figures,
    pub(super) toneless: Figures,
    /// Phrases of two characters are never matched so.
    pub(super) merged: Option<Figures>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) found: usize,
    pub(super) recall: f64,
    pub(super) false_alarms: usize,
    /// False alarms in a million searches for a phrase in an utterance.
    pub(super) false_alarms_per_million: f64,
}

/// A phrase that was heard where it was not said.
#[derive(Debug, Serialize)]
pub(super) struct PairError {
    pub(super) at: String,
    pub(super) phrase: String,
    pub(super) likeness: &'static str,
    pub(super) said: String,
    pub(super) heard: String,
}

/// Phrases, each with its length, and in which references they were found.
struct Sample {
    lexicon: Lexicon,
    /// By phrase id.
    chars: Vec<usize>,
    /// Phrase and the reference that it is a piece of.
    pieces: Vec<(PhraseId, usize)>,
}

/// The pieces found, or found by mistake, by group of lengths and level.
type Tally = [[usize; LEVELS.len()]; LENGTHS.len()];

pub(super) fn measure(lines: &[Placed<Pair>]) -> Option<Pairs> {
    let sample = Sample::of(lines)?;
    let mut errors = Vec::new();
    let mut found_in: Vec<BTreeMap<PhraseId, Likeness>> = Vec::with_capacity(lines.len());
    let mut false_alarms: Tally = Default::default();
    for Placed { at, line } in lines {
        let said: BTreeSet<PhraseId> = sample
            .find(&line.said)
            .into_iter()
            .filter(|(_, like)| *like == Likeness::Exact)
            .map(|(id, _)| id)
            .collect();
        let heard = sample.find(&line.heard);
        for (&phrase, &likeness) in heard.iter().filter(|(phrase, _)| !said.contains(phrase)) {
            let chars = sample.chars[phrase.0 as usize];
            count(&mut false_alarms, chars, likeness);
            if chars > 2 && likeness != Likeness::Exact {
                errors.push(PairError {
                    at: at.to_string(),
                    phrase: sample.lexicon.phrase_text(phrase).to_owned(),
                    likeness: if likeness == Likeness::Toneless { "toneless" } else { "merged" },
                    said: line.said.clone(),
                    heard: line.heard.clone(),
                });
            }
        }
        found_in.push(heard);
    }
    let mut found: Tally = Default::default();
    let mut pieces = [0; LENGTHS.len()];
    for (phrase, reference) in &sample.pieces {
        let chars = sample.chars[phrase.0 as usize];
        group(chars).into_iter().for_each(|group| pieces[group] += 1);
        if let Some(&likeness) = found_in[*reference].get(phrase) {
            count(&mut found, chars, likeness);
        }
    }
    let rows = LENGTHS.iter().enumerate().map(|(group, lengths)| {
        let phrases = sample.chars.iter().filter(|chars| lengths.contains(chars)).count();
        let looks = (phrases * lines.len()).max(1) as f64;
        let figures = |level: usize| Figures {
            found: found[group][level],
            recall: found[group][level] as f64 / pieces[group].max(1) as f64,
            false_alarms: false_alarms[group][level],
            false_alarms_per_million: false_alarms[group][level] as f64 * 1e6 / looks,
        };
        let chars = match (lengths.start(), lengths.end()) {
            (from, to) if from == to => from.to_string(),
            (from, to) => format!("{from}-{to}"),
        };
        Row {
            chars,
            phrases: pieces[group],
            literal: figures(0),
            toneless: figures(1),
            merged: (*lengths.start() > 2).then(|| figures(2)),
        }
    });
    Some(Pairs { total: lines.len(), rows: rows.collect(), errors })
}

fn group(chars: usize) -> Option<usize> {
    LENGTHS.iter().position(|lengths| lengths.contains(&chars))
}

/// Counts what a level finds, and every level that finds more.
fn count(tally: &mut Tally, chars: usize, likeness: Likeness) {
    let Some(group) = group(chars) else { return };
    for (level, _) in LEVELS.iter().enumerate().filter(|(_, level)| **level >= likeness) {
        tally[group][level] += 1;
    }
}

impl Sample {
    /// One piece of each length out of each reference, always the same. `None` if there are none.
    fn of(lines: &[Placed<Pair>]) -> Option<Self> {
        let mut builder = LexiconBuilder::new();
        let mut chars_of: BTreeMap<PhraseId, usize> = BTreeMap::new();
        let mut pieces = Vec::new();
        for (reference, Placed { line, .. }) in lines.iter().enumerate() {
            let chars: Vec<char> = line.said.chars().collect();
            for length in LENGTHS.iter().flat_map(Clone::clone) {
                let candidates: Vec<String> = chars
                    .windows(length)
                    .filter(|piece| piece.iter().all(|c| ('\u{4e00}'..='\u{9fff}').contains(c)))
                    .map(|piece| piece.iter().collect::<String>())
                    // What folding rewrites (numerals, fillers) is no longer as long as it looks.
                    .filter(|piece| fold(piece).chars().iter().eq(piece.chars().collect::<Vec<_>>().iter()))
                    .collect();
                if candidates.is_empty() {
                    continue;
                }
                let place = hash(&line.said, length) % candidates.len() as u64;
                let piece = usize::try_from(place).ok().and_then(|place| candidates.get(place));
                // Two characters sound alike only where a rule insists.
                let homophone = if length == 2 { Homophone::Always } else { Homophone::Merged };
                let options = PhraseOptions { homophone, boundary: Boundary::Anywhere };
                let Some(id) = piece.and_then(|piece| builder.add(piece, options).ok()) else { continue };
                chars_of.insert(id, length);
                pieces.push((id, reference));
            }
        }
        if pieces.is_empty() {
            return None;
        }
        Some(Self { lexicon: builder.build().ok()?, chars: chars_of.into_values().collect(), pieces })
    }

    /// The phrases in a text, each as much alike as it comes.
    fn find(&self, text: &str) -> BTreeMap<PhraseId, Likeness> {
        let mut folded = FoldedText::new();
        let mut matches: Vec<Match> = Vec::new();
        self.lexicon.scan(text, None, &mut folded);
        self.lexicon.matches(&folded, &mut matches);
        let mut found: BTreeMap<PhraseId, Likeness> = BTreeMap::new();
        for Match { phrase, likeness, .. } in matches {
            found.entry(phrase).and_modify(|best| *best = likeness.min(*best)).or_insert(likeness);
        }
        found
    }
}

/// FNV-1a of a line and a length, which chooses the piece of the line that is tried: the same on every
/// run and machine.
fn hash(text: &str, length: usize) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
    let hash = text.bytes().fold(FNV_OFFSET, mix);
    length.to_le_bytes().into_iter().fold(hash, mix)
}
