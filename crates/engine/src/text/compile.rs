//! From phrases to a [`Lexicon`]: literals, their classes, the automaton.

use std::collections::BTreeMap;
use std::fmt;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, PatternID, dfa, nfa::contiguous};
use regex::Regex;

use super::chars::{SOUNDS, TABLE};
use super::lexicon::{DroppedPhrase, Lexicon, Needle, Phrase, PhraseId, PhraseOptions, Shape};
use super::options::{Boundary, Homophone};
use super::pattern::{Likeness, Pattern};
use super::phrase::{self, Parsed, PhraseError};

/// Why phrases that are each well written make no lexicon.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The automaton would be too large.
    Automaton(aho_corasick::BuildError),
    /// A regular expression would be too large.
    Regex {
        /// The phrase.
        phrase: String,
        /// The error of the regex crate.
        source: Box<regex::Error>,
    },
    /// There are more phrases than can be numbered.
    TooMany,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automaton(source) => write!(f, "the phrases make too large an automaton: {source}"),
            Self::Regex { phrase, source } => write!(f, "{phrase}: {source}"),
            Self::TooMany => write!(f, "there are too many phrases"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Collects phrases for a [`Lexicon`].
#[derive(Debug, Default)]
pub struct LexiconBuilder {
    phrases: Vec<Draft>,
    ids: BTreeMap<(String, Homophone, bool), PhraseId>,
}

#[derive(Debug)]
struct Draft {
    text: String,
    options: PhraseOptions,
    parsed: Parsed,
    is_scanned: bool,
}

impl LexiconBuilder {
    /// No phrases yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a phrase that [`Lexicon::matches`] shall report. The same text and
    /// options have the same id, however often they are added.
    ///
    /// # Errors
    ///
    /// When the phrase is malformed, or nothing of it could be searched for.
    pub fn add(&mut self, text: &str, options: PhraseOptions) -> Result<PhraseId, PhraseError> {
        let id = self.add_context(text, options)?;
        self.phrases[id.0 as usize].is_scanned = true;
        Ok(id)
    }

    /// Adds a phrase that only [`Lexicon::find`] looks for. It costs scanning nothing.
    ///
    /// # Errors
    ///
    /// The phrase is malformed, as for [`add`](Self::add).
    pub fn add_context(&mut self, text: &str, options: PhraseOptions) -> Result<PhraseId, PhraseError> {
        let key = (text.to_owned(), options.homophone, options.boundary == Boundary::Word);
        if let Some(&id) = self.ids.get(&key) {
            return Ok(id);
        }
        let parsed = phrase::parse(text)?;
        let id = PhraseId(self.phrases.len() as u32);
        self.phrases.push(Draft { text: text.to_owned(), options, parsed, is_scanned: false });
        self.ids.insert(key, id);
        Ok(id)
    }

    /// Has [`Lexicon::matches`] report a phrase that was added for [`Lexicon::find`] alone.
    pub(crate) fn scan_for(&mut self, phrase: PhraseId) {
        self.phrases[phrase.0 as usize].is_scanned = true;
    }

    /// A name without words: nothing in a text is ever found to be it.
    pub(crate) fn add_unheard(&mut self, text: &str) -> PhraseId {
        let id = PhraseId(self.phrases.len() as u32);
        let options = PhraseOptions { homophone: Homophone::Off, boundary: Boundary::Anywhere };
        self.phrases.push(Draft {
            text: text.to_owned(),
            options,
            parsed: Parsed::Variants(Vec::new()),
            is_scanned: false,
        });
        id
    }

    /// Builds the automaton.
    ///
    /// # Errors
    ///
    /// When the automaton or a regular expression would exceed its size limit.
    pub fn build(self) -> Result<Lexicon, BuildError> {
        if u32::try_from(self.phrases.len()).is_err() {
            return Err(BuildError::TooMany);
        }
        let mut parts = Parts { id: FNV_OFFSET, ..Parts::default() };
        for (index, draft) in self.phrases.into_iter().enumerate() {
            parts.add(PhraseId(index as u32), draft)?;
        }
        parts.build()
    }
}

/// A lexicon in the making.
#[derive(Default)]
struct Parts {
    id: u64,
    phrases: Vec<Phrase>,
    needles: Vec<Needle>,
    chars: Vec<char>,
    patterns: Vec<Pattern>,
    regexes: Vec<Regex>,
    dropped: Vec<DroppedPhrase>,
    /// The needles that the automaton finds.
    scanned: Vec<u32>,
    /// Where each literal begins in `chars`: equal ones are kept once.
    literals: BTreeMap<Box<[char]>, u32>,
}

impl Parts {
    fn add(&mut self, id: PhraseId, draft: Draft) -> Result<(), BuildError> {
        self.hash(draft.text.as_bytes());
        self.hash(&[0xff, draft.options.homophone as u8, draft.options.boundary as u8, u8::from(draft.is_scanned)]);
        let first = self.needles.len() as u32;
        let is_word = draft.options.boundary == Boundary::Word;
        let (mut asks_start, mut asks_end) = (is_word, is_word);
        match draft.parsed {
            Parsed::Variants(variants) => {
                for elements in variants {
                    let Some(pattern) = Pattern::new(elements) else { continue };
                    let (literal_start, literal_end) = pattern.literal_edges();
                    asks_start &= literal_start;
                    asks_end &= literal_end;
                    self.add_variant(id, draft.options.homophone, pattern);
                }
            }
            Parsed::Regex { pattern, literal } => {
                let regex = Regex::new(&pattern)
                    .map_err(|source| BuildError::Regex { phrase: draft.text.clone(), source: Box::new(source) })?;
                let shape = Shape::Regex(self.regexes.len() as u32);
                self.regexes.push(regex);
                self.add_needle(id, &literal, Likeness::Exact, shape);
            }
            Parsed::Dropped(sequences) => self.dropped.extend(sequences.into_iter().map(|sequence| (id, sequence))),
        }
        let needles = first..self.needles.len() as u32;
        if draft.is_scanned {
            self.scanned.extend(needles.clone());
        }
        let is_scanned = draft.is_scanned;
        self.phrases.push(Phrase { text: draft.text.into(), needles, asks_start, asks_end, is_scanned });
        Ok(())
    }

    fn add_variant(&mut self, id: PhraseId, homophone: Homophone, pattern: Pattern) {
        const SOUND_MIN: usize = 3;
        let is_long = pattern.literal_len() >= SOUND_MIN;
        let least = match homophone {
            Homophone::Toneless if is_long => Likeness::Toneless,
            Homophone::Merged if is_long => Likeness::Merged,
            Homophone::Always => Likeness::Toneless,
            _ => Likeness::Exact,
        };
        let needle = pattern.needle().to_vec();
        let shape = if pattern.is_literal() {
            Shape::Literal
        } else {
            self.patterns.push(pattern);
            Shape::Pattern(self.patterns.len() as u32 - 1)
        };
        self.add_needle(id, &needle, least, shape);
    }

    fn add_needle(&mut self, phrase: PhraseId, chars: &[char], least: Likeness, shape: Shape) {
        // A regular expression's literal may be longer than any phrase; its beginning finds it.
        let len = chars.len().min(phrase::SYMBOLS_MAX);
        let begin = *self.literals.entry(chars[..len].into()).or_insert_with(|| {
            let begin = self.chars.len() as u32;
            self.chars.extend_from_slice(&chars[..len]);
            begin
        });
        self.needles.push(Needle { phrase, chars: begin, len: len as u8, least, shape });
    }

    /// FNV-1a: the id must be the same on every run.
    fn hash(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.id = (self.id ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn build(self) -> Result<Lexicon, BuildError> {
        let classes = Classes::new(self.scanned.iter().flat_map(|&needle| self.literal(needle)));
        // Within a sound, equal literals stand together, so that matching compares them once.
        let mut keyed: Vec<(Vec<u8>, u32, Likeness, u32)> = self
            .scanned
            .iter()
            .map(|&needle| {
                let Needle { chars, least, .. } = self.needles[needle as usize];
                (self.literal(needle).iter().map(|&c| classes.class(c)).collect(), chars, least, needle)
            })
            .collect();
        keyed.sort_unstable();
        let mut groups = Vec::new();
        let mut literals: Vec<&[u8]> = Vec::new();
        let mut grouped = Vec::with_capacity(keyed.len());
        for (bytes, _, _, needle) in &keyed {
            if literals.last() != Some(&bytes.as_slice()) {
                groups.push(grouped.len() as u32);
                literals.push(bytes);
            }
            grouped.push(*needle);
        }
        groups.push(grouped.len() as u32);
        let machine = Machine::build(&literals)?;
        let start = machine.start_state()?;
        let astral = classes.astral(&self.chars);
        let table = TABLE.classified(|c| classes.class(c), astral);
        Ok(Lexicon {
            // 0 is the id of no lexicon.
            id: self.id.max(1),
            table,
            machine,
            start,
            groups,
            grouped,
            phrases: self.phrases,
            needles: self.needles,
            chars: self.chars,
            patterns: self.patterns,
            regexes: self.regexes,
            dropped: self.dropped,
        })
    }

    fn literal(&self, needle: u32) -> &[char] {
        let needle = &self.needles[needle as usize];
        &self.chars[needle.chars as usize..][..usize::from(needle.len)]
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// The automaton's alphabet: a byte for each sound that occurs in phrases.
///
/// Characters that may sound alike, accents and other readings included, share a byte, so that one
/// scan finds literal and homophone phrases alike; the verification of each
/// candidate tells them apart. Rare sounds share bytes, which costs candidates only.
struct Classes {
    bytes: BTreeMap<u32, u8>,
}

impl Classes {
    /// Bytes of one sound alone, and bytes that rare sounds share. With the
    /// byte of no phrase, and the unused bytes as one, the automaton has 128
    /// classes: one more would double the table of a DFA.
    const OWN: usize = 94;
    const SHARED: usize = 32;

    fn new<'c>(chars: impl Iterator<Item = &'c char>) -> Self {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for &c in chars {
            *counts.entry(Self::key(c)).or_default() += 1;
        }
        let mut keys: Vec<(usize, u32)> = counts.into_iter().map(|(key, count)| (count, key)).collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let byte = |rank: usize| if rank < Self::OWN { rank } else { Self::OWN + (rank - Self::OWN) % Self::SHARED };
        let bytes = keys.into_iter().enumerate().map(|(rank, (_, key))| (key, 1 + byte(rank) as u8)).collect();
        Self { bytes }
    }

    /// The byte of a folded character; 0 if it sounds like none in a phrase.
    fn class(&self, c: char) -> u8 {
        self.bytes.get(&Self::key(c)).copied().unwrap_or(0)
    }

    /// The sound of what the table makes of a character, or the character itself if it has none:
    /// a digit that stays a word (两三天) is read by the table as any other.
    fn key(c: char) -> u32 {
        let c = TABLE.symbol(c).folded;
        SOUNDS.family(c).map_or(0x1_0000 + u32::from(c), u32::from)
    }

    /// The classes of those `chars` that are beyond the table.
    fn astral(&self, chars: &[char]) -> Vec<(char, u8)> {
        let mut astral: Vec<_> =
            chars.iter().filter(|&&c| u32::from(c) > 0xffff).map(|&c| (c, self.class(c))).collect();
        astral.sort_unstable();
        astral.dedup();
        astral
    }
}

/// The automaton, in whichever form is faster for its size.
#[derive(Debug)]
pub(super) enum Machine {
    Dfa(dfa::DFA),
    Nfa(contiguous::NFA),
}

impl Machine {
    /// Bytes of literals up to which a DFA is worth its table. It takes up to
    /// half a kilobyte a byte, here 20 to 30 MB, and halves the time of a scan.
    const DFA_BYTES_MAX: usize = 64_000;

    fn build(literals: &[&[u8]]) -> Result<Self, BuildError> {
        let bytes: usize = literals.iter().map(|literal| literal.len()).sum();
        let machine = if bytes <= Self::DFA_BYTES_MAX {
            let dfa = dfa::DFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(literals);
            Self::Dfa(dfa.map_err(BuildError::Automaton)?)
        } else {
            let nfa = contiguous::NFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(literals);
            Self::Nfa(nfa.map_err(BuildError::Automaton)?)
        };
        Ok(machine)
    }

    fn start_state(&self) -> Result<StateID, BuildError> {
        let start = match self {
            Self::Dfa(dfa) => dfa.start_state(Anchored::No),
            Self::Nfa(nfa) => nfa.start_state(Anchored::No),
        };
        // Both are built with the unanchored start that is asked for here.
        Ok(start.unwrap_or_default())
    }

    /// The patterns that end in a state.
    pub(super) fn patterns(&self, state: StateID) -> impl Iterator<Item = PatternID> {
        let len = match self {
            Self::Dfa(dfa) => dfa.match_len(state),
            Self::Nfa(nfa) => nfa.match_len(state),
        };
        (0..len).map(move |index| match self {
            Self::Dfa(dfa) => dfa.match_pattern(state, index),
            Self::Nfa(nfa) => nfa.match_pattern(state, index),
        })
    }

    /// Bytes on the heap.
    pub(super) fn memory_usage(&self) -> usize {
        match self {
            Self::Dfa(dfa) => dfa.memory_usage(),
            Self::Nfa(nfa) => nfa.memory_usage(),
        }
    }
}
