//! All phrases of a rule set behind one automaton.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, PatternID, dfa, nfa::contiguous};
use regex::Regex;

use super::chars::{SOUNDS, TABLE, Table, is_emoji};
use super::fold::{self, Scanner};
use super::folded::{Dropped, FoldedText, RawSpan};
use super::pattern::{self, Likeness, Pattern};
use super::phrase::{self, DroppedElement, Parsed, PhraseError};
use super::segment;
use crate::engine::rule::syntax::{Boundary, Homophone};

/// A phrase of a [`Lexicon`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhraseId(pub u32);

/// How a phrase is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhraseOptions {
    /// How far the writing may differ.
    pub homophone: Homophone,
    /// Whether words must begin and end where it does; see [`Lexicon::in_words`].
    pub boundary: Boundary,
}

/// A phrase that stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which phrase.
    pub phrase: PhraseId,
    /// The first symbol.
    pub start: usize,
    /// The symbol after the last.
    pub end: usize,
    /// How alike.
    pub likeness: Likeness,
    /// Of a phrase that folding drops (嗯, {emoji}), its raw offsets; `start` and `end` are then the same.
    pub dropped: Option<Range<usize>>,
}

impl Match {
    /// Where it stands in the raw texts.
    #[must_use]
    pub fn raw_span(&self, text: &FoldedText) -> RawSpan {
        match &self.dropped {
            Some(own) => RawSpan { previous: None, own: Some(own.clone()) },
            None => text.raw_span(self.start..self.end),
        }
    }
}

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
        /// What the regex crate says.
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
    /// As for [`add`](Self::add).
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

/// A phrase as the lexicon keeps it.
#[derive(Debug)]
struct Phrase {
    text: Box<str>,
    /// Its variants.
    anchors: Range<u32>,
    asks_start: bool,
    asks_end: bool,
}

/// A literal that the automaton finds, and what must stand around it.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    phrase: PhraseId,
    /// Where its characters begin in [`Lexicon::chars`].
    chars: u32,
    len: u8,
    least: Likeness,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// The literal is all.
    Literal,
    /// Index into [`Lexicon::patterns`].
    Pattern(u32),
    /// Index into [`Lexicon::regexes`].
    Regex(u32),
}

/// Phrases of what folding drops: a sequence of each.
type DroppedPhrase = (PhraseId, Vec<DroppedElement>);

/// A lexicon in the making.
#[derive(Default)]
struct Parts {
    id: u64,
    phrases: Vec<Phrase>,
    anchors: Vec<Anchor>,
    chars: Vec<char>,
    patterns: Vec<Pattern>,
    regexes: Vec<Regex>,
    dropped: Vec<DroppedPhrase>,
    /// The anchors that the automaton finds.
    scanned: Vec<u32>,
}

impl Parts {
    fn add(&mut self, id: PhraseId, draft: Draft) -> Result<(), BuildError> {
        self.hash(draft.text.as_bytes());
        self.hash(&[0xff, draft.options.homophone as u8, draft.options.boundary as u8, u8::from(draft.is_scanned)]);
        let first = self.anchors.len() as u32;
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
                let regex = Regex::new(&pattern).map_err(|source| BuildError::Regex {
                    phrase: draft.text.clone(),
                    source: Box::new(source),
                })?;
                let shape = Shape::Regex(self.regexes.len() as u32);
                self.regexes.push(regex);
                self.add_anchor(id, &literal, Likeness::Exact, shape);
            }
            Parsed::Dropped(sequences) => self.dropped.extend(sequences.into_iter().map(|sequence| (id, sequence))),
        }
        let anchors = first..self.anchors.len() as u32;
        if draft.is_scanned {
            self.scanned.extend(anchors.clone());
        }
        self.phrases.push(Phrase { text: draft.text.into(), anchors, asks_start, asks_end });
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
        let anchor = pattern.anchor().to_vec();
        let shape = if pattern.is_literal() {
            Shape::Literal
        } else {
            self.patterns.push(pattern);
            Shape::Pattern(self.patterns.len() as u32 - 1)
        };
        self.add_anchor(id, &anchor, least, shape);
    }

    fn add_anchor(&mut self, phrase: PhraseId, chars: &[char], least: Likeness, shape: Shape) {
        let begin = self.chars.len() as u32;
        // A regular expression's literal may be longer than any phrase; its beginning finds it.
        let len = chars.len().min(phrase::SYMBOLS_MAX);
        self.chars.extend_from_slice(&chars[..len]);
        self.anchors.push(Anchor { phrase, chars: begin, len: len as u8, least, shape });
    }

    /// FNV-1a: the id must be the same on every run.
    fn hash(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.id = (self.id ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn build(self) -> Result<Lexicon, BuildError> {
        let classes = Classes::new(self.scanned.iter().flat_map(|&anchor| self.literal(anchor)));
        let mut keyed: Vec<(Vec<u8>, u32)> = self
            .scanned
            .iter()
            .map(|&anchor| (self.literal(anchor).iter().map(|&c| classes.class(c)).collect(), anchor))
            .collect();
        keyed.sort_unstable();
        let mut groups = Vec::new();
        let mut literals: Vec<&[u8]> = Vec::new();
        let mut grouped = Vec::with_capacity(keyed.len());
        for (bytes, anchor) in &keyed {
            if literals.last() != Some(&bytes.as_slice()) {
                groups.push(grouped.len() as u32);
                literals.push(bytes);
            }
            grouped.push(*anchor);
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
            anchors: self.anchors,
            chars: self.chars,
            patterns: self.patterns,
            regexes: self.regexes,
            dropped: self.dropped,
        })
    }

    fn literal(&self, anchor: u32) -> &[char] {
        let anchor = &self.anchors[anchor as usize];
        &self.chars[anchor.chars as usize..][..usize::from(anchor.len)]
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// The automaton's alphabet: a byte for each sound that occurs in phrases.
///
/// Characters that sound alike, accents included, share a byte, so that one
/// scan finds literal and homophone phrases alike; the verification of each
/// candidate tells them apart. Rare sounds share bytes, which costs candidates only.
struct Classes {
    bytes: BTreeMap<u32, u8>,
}

impl Classes {
    /// Bytes of one sound alone; the others are shared.
    const OWN: usize = 215;
    const SHARED: usize = 40;

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

    /// The sound, or the character itself if it has none.
    fn key(c: char) -> u32 {
        SOUNDS.merged(c).map_or(0x1_0000 + u32::from(c), u32::from)
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
enum Machine {
    Dfa(dfa::DFA),
    Nfa(contiguous::NFA),
}

impl Machine {
    /// Bytes of literals up to which the table of a DFA stays in the nearer caches.
    const DFA_BYTES_MAX: usize = 1_000;

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

    fn patterns(&self, state: StateID) -> impl Iterator<Item = PatternID> {
        let len = match self {
            Self::Dfa(dfa) => dfa.match_len(state),
            Self::Nfa(nfa) => nfa.match_len(state),
        };
        (0..len).map(move |index| match self {
            Self::Dfa(dfa) => dfa.match_pattern(state, index),
            Self::Nfa(nfa) => nfa.match_pattern(state, index),
        })
    }

    fn memory_usage(&self) -> usize {
        match self {
            Self::Dfa(dfa) => dfa.memory_usage(),
            Self::Nfa(nfa) => nfa.memory_usage(),
        }
    }
}

/// Phrases, ready to be searched for. Cheap to share, never changed.
#[derive(Debug)]
pub struct Lexicon {
    id: u64,
    table: Table,
    machine: Machine,
    start: StateID,
    /// Where the anchors of each of the automaton's patterns begin in `grouped`.
    groups: Vec<u32>,
    /// Anchors, those that sound alike together.
    grouped: Vec<u32>,
    phrases: Vec<Phrase>,
    anchors: Vec<Anchor>,
    chars: Vec<char>,
    patterns: Vec<Pattern>,
    regexes: Vec<Regex>,
    dropped: Vec<DroppedPhrase>,
}

/// A lexicon's automaton as folding steps it.
struct Scan<'l, A> {
    lexicon: &'l Lexicon,
    automaton: &'l A,
}

impl<A: Automaton> Scanner for Scan<'_, A> {
    fn id(&self) -> u64 {
        self.lexicon.id
    }
    fn table(&self) -> &Table {
        &self.lexicon.table
    }
    fn start(&self) -> StateID {
        self.lexicon.start
    }
    #[inline]
    fn step(&self, state: StateID, class: u8) -> StateID {
        self.automaton.next_state(Anchored::No, state, class)
    }
    #[inline]
    fn is_match(&self, state: StateID) -> bool {
        self.automaton.is_match(state)
    }
    fn keeps_dropped(&self) -> bool {
        !self.lexicon.dropped.is_empty()
    }
}

impl Lexicon {
    /// Brings `text` to `raw`. `previous` is what the same speaker said just
    /// before, if that may go on here.
    ///
    /// If `text` holds an earlier hypothesis, only what changed is folded and
    /// scanned; the result is the same as of a fresh text.
    pub fn scan(&self, raw: &str, previous: Option<&FoldedText>, text: &mut FoldedText) {
        match &self.machine {
            Machine::Dfa(automaton) => fold::update(&Scan { lexicon: self, automaton }, raw, previous, text),
            Machine::Nfa(automaton) => fold::update(&Scan { lexicon: self, automaton }, raw, previous, text),
        }
    }

    /// Whether [`matches`](Self::matches) has anything to look at.
    #[must_use]
    pub fn has_candidates(&self, text: &FoldedText) -> bool {
        !text.candidates.is_empty() || !text.dropped.is_empty()
    }

    /// Puts into `found` the phrases that end in the utterance, sorted by start, end and phrase.
    ///
    /// `text` must have been scanned by this lexicon.
    pub fn matches(&self, text: &FoldedText, found: &mut Vec<Match>) {
        found.clear();
        debug_assert!(text.lexicon == self.id || text.is_empty(), "the text was scanned by another lexicon");
        if !self.has_candidates(text) || text.lexicon != self.id {
            return;
        }
        for &(at, state) in &text.candidates {
            let end = at as usize + 1;
            for pattern in self.machine.patterns(state) {
                let (from, to) = (self.groups[pattern.as_usize()], self.groups[pattern.as_usize() + 1]);
                for &anchor in &self.grouped[from as usize..to as usize] {
                    let anchor = &self.anchors[anchor as usize];
                    // The automaton may have read further back than the lead reaches.
                    let Some(start) = end.checked_sub(usize::from(anchor.len)) else { continue };
                    if let Some((span, likeness)) = self.verify(anchor, text, start)
                        && span.end > text.lead()
                    {
                        let (start, end) = (span.start, span.end);
                        found.push(Match { phrase: anchor.phrase, start, end, likeness, dropped: None });
                    }
                }
            }
        }
        for (phrase, sequence) in &self.dropped {
            dropped_spans(&text.dropped, sequence, |at, raw| {
                let likeness = Likeness::Exact;
                found.push(Match { phrase: *phrase, start: at, end: at, likeness, dropped: Some(raw) });
            });
        }
        let key = |m: &Match| (m.start, m.end, m.phrase, m.dropped.as_ref().map(|raw| raw.start));
        found.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then(a.likeness.cmp(&b.likeness)));
        found.dedup_by(|a, b| key(a) == key(b));
    }

    /// Whether `m` begins and ends where words do. True if its phrase does not ask.
    #[must_use]
    pub fn in_words(&self, text: &FoldedText, m: &Match) -> bool {
        let phrase = &self.phrases[m.phrase.0 as usize];
        if !(phrase.asks_start || phrase.asks_end) || m.start >= m.end {
            return true;
        }
        segment::fits(text, &(m.start..m.end), phrase.asks_start, phrase.asks_end)
    }

    /// The first place inside `within` where `phrase` stands, found without a scan.
    ///
    /// For phrases of what folding drops the place is empty, and found only in
    /// texts that this lexicon has scanned.
    #[must_use]
    pub fn find(&self, phrase: PhraseId, text: &FoldedText, within: Range<usize>) -> Option<Range<usize>> {
        let within = within.start..within.end.min(text.len());
        let range = &self.phrases[phrase.0 as usize].anchors;
        let anchors = &self.anchors[range.start as usize..range.end as usize];
        let mut first: Option<Range<usize>> = None;
        let mut consider = |span: Range<usize>| {
            let is_inside = within.start <= span.start && span.end <= within.end;
            if is_inside && first.as_ref().is_none_or(|first| (span.start, span.end) < (first.start, first.end)) {
                first = Some(span);
            }
        };
        for anchor in anchors {
            let len = usize::from(anchor.len);
            let last = within.end.checked_sub(len).filter(|&last| last >= within.start);
            for at in last.into_iter().flat_map(|last| within.start..=last) {
                if let Some((span, _)) = self.verify(anchor, text, at) {
                    consider(span);
                }
            }
        }
        if anchors.is_empty() {
            for (_, sequence) in self.dropped.iter().filter(|(id, _)| *id == phrase) {
                dropped_spans(&text.dropped, sequence, |at, _| consider(at..at));
            }
        }
        first
    }

    /// The phrase as it was written.
    #[must_use]
    pub fn phrase_text(&self, phrase: PhraseId) -> &str {
        &self.phrases[phrase.0 as usize].text
    }

    /// How many phrases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// Whether there are no phrases.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// Bytes it keeps on the heap, regular expressions apart.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        let texts: usize = self.phrases.iter().map(|phrase| phrase.text.len()).sum();
        texts
            + self.machine.memory_usage()
            + Table::MEMORY
            + size_of_val(&*self.phrases)
            + size_of_val(&*self.anchors)
            + size_of_val(&*self.chars)
            + size_of_val(&*self.groups)
            + size_of_val(&*self.grouped)
            + self.patterns.iter().map(Pattern::memory_usage).sum::<usize>()
    }

    /// The whole phrase around `anchor`, whose literal should begin at symbol `at`.
    fn verify(&self, anchor: &Anchor, text: &FoldedText, at: usize) -> Option<(Range<usize>, Likeness)> {
        let span = at..at + usize::from(anchor.len);
        let chars = &self.chars[anchor.chars as usize..][..usize::from(anchor.len)];
        match anchor.shape {
            Shape::Literal => {
                let likeness = pattern::literal(text, span.clone(), chars, anchor.least)?;
                pattern::edges_allow(text, &span).then_some((span, likeness))
            }
            Shape::Pattern(index) => self.patterns[index as usize].verify(text, at, anchor.least),
            Shape::Regex(index) => {
                if text.chars.get(span.clone())? != chars {
                    return None;
                }
                regex_span(&self.regexes[index as usize], text, &span).map(|span| (span, Likeness::Exact))
            }
        }
    }
}

/// The match of `regex` in the sentence of `literal` that holds it.
fn regex_span(regex: &Regex, text: &FoldedText, literal: &Range<usize>) -> Option<Range<usize>> {
    let sentence = text.sentence(literal.start);
    let haystack: String = text.chars[sentence.clone()].iter().collect();
    let symbol = |byte: usize| sentence.start + haystack[..byte].chars().count();
    regex
        .find_iter(&haystack)
        .map(|found| symbol(found.start())..symbol(found.end()))
        .find(|span| span.start <= literal.start && literal.end <= span.end)
}

/// Calls `to` with the symbol before which `sequence` was dropped, and its raw
/// offsets. Immediate repetitions (嗯嗯嗯) are one.
fn dropped_spans(dropped: &[Dropped], sequence: &[DroppedElement], mut to: impl FnMut(usize, Range<usize>)) {
    let stands_at = |from: usize| {
        let Some(window) = dropped.get(from..from + sequence.len()) else { return false };
        window.iter().zip(sequence).all(|(dropped, element)| {
            dropped.at == window[0].at
                && match element {
                    DroppedElement::Char(c) => dropped.c == *c,
                    DroppedElement::Emoji => is_emoji(dropped.c),
                }
        })
    };
    let mut from = 0;
    while from < dropped.len() {
        let begin = from;
        while stands_at(from) && dropped[from].at == dropped[begin].at {
            from += sequence.len();
        }
        if from > begin {
            to(dropped[begin].at as usize, dropped[begin].raw as usize..dropped[from - 1].raw as usize + 1);
        } else {
            from += 1;
        }
    }
}
