//! All phrases of a rule set behind one automaton.

use std::ops::Range;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use regex::Regex;

use super::chars::{Table, is_emoji};
use super::compile::Machine;
use super::fold::Scanner;
use super::folded::{Dropped, FoldedText, RawSpan};
use super::options::{Boundary, Homophone};
use super::pattern::{self, Likeness, Pattern, Sounds};
use super::phrase::{DroppedElement, SYMBOLS_MAX};
use super::segment;
use super::update;
use crate::work;

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
    /// The phrase.
    pub phrase: PhraseId,
    /// The first symbol.
    pub start: usize,
    /// The symbol after the last.
    pub end: usize,
    /// How closely the words match the phrase.
    pub likeness: Likeness,
    /// The raw offsets of a phrase that folding drops (嗯, {emoji}); `start` and `end` are then equal.
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

/// A phrase as the lexicon keeps it.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) text: Box<str>,
    /// Its variants.
    pub(super) needles: Range<u32>,
    pub(super) asks_start: bool,
    pub(super) asks_end: bool,
    pub(super) is_scanned: bool,
}

/// A literal that the automaton finds, and what must stand around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needle {
    pub(super) phrase: PhraseId,
    /// Where its characters begin in [`Lexicon::chars`].
    pub(super) chars: u32,
    pub(super) len: u8,
    pub(super) least: Likeness,
    pub(super) shape: Shape,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// The literal is all.
    Literal,
    /// Index into [`Lexicon::patterns`].
    Pattern(u32),
    /// Index into [`Lexicon::regexes`].
    Regex(u32),
}

/// Phrases of what folding drops: a sequence of each.
pub(super) type DroppedPhrase = (PhraseId, Vec<DroppedElement>);

/// Phrases, ready to be searched for. Cheap to share, never changed.
#[derive(Debug)]
pub struct Lexicon {
    pub(super) id: u64,
    pub(super) table: Table,
    pub(super) machine: Machine,
    pub(super) start: StateID,
    /// Where the needles of each of the automaton's patterns begin in `grouped`.
    pub(super) groups: Vec<u32>,
    /// Needles, those that sound alike together.
    pub(super) grouped: Vec<u32>,
    pub(super) phrases: Vec<Phrase>,
    pub(super) needles: Vec<Needle>,
    pub(super) chars: Vec<char>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) regexes: Vec<Regex>,
    pub(super) dropped: Vec<DroppedPhrase>,
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
            Machine::Dfa(automaton) => update::update(&Scan { lexicon: self, automaton }, raw, previous, text),
            Machine::Nfa(automaton) => update::update(&Scan { lexicon: self, automaton }, raw, previous, text),
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
        let sounds = Sounds::of(&text.chars);
        for &(at, state) in &text.candidates {
            let end = at as usize + 1;
            for pattern in self.machine.patterns(state) {
                let (from, to) = (self.groups[pattern.as_usize()], self.groups[pattern.as_usize() + 1]);
                // Many phrases share a literal, which is looked for once.
                let mut looked: Option<(u32, Likeness, Option<Likeness>)> = None;
                for &needle in &self.grouped[from as usize..to as usize] {
                    let needle = &self.needles[needle as usize];
                    // The automaton may have read further back than the lead reaches.
                    let Some(start) = end.checked_sub(usize::from(needle.len)) else { continue };
                    let stands = match looked {
                        Some((chars, least, stands)) if (chars, least) == (needle.chars, needle.least) => stands,
                        _ => self.literal_at(needle, text, start),
                    };
                    looked = Some((needle.chars, needle.least, stands));
                    let Some(likeness) = stands else { continue };
                    let verified = match needle.shape {
                        Shape::Literal => pattern::edges_allow(text, &(start..end)).then_some((start..end, likeness)),
                        Shape::Pattern(index) if !self.patterns[index as usize].may_stand_among(&sounds) => None,
                        Shape::Pattern(_) | Shape::Regex(_) => self.verify(needle, text, start),
                    };
                    if let Some((span, likeness)) = verified
                        && span.end > text.lead()
                    {
                        let (start, end) = (span.start, span.end);
                        found.push(Match { phrase: needle.phrase, start, end, likeness, dropped: None });
                    }
                }
            }
        }
        for (phrase, sequence) in self.dropped.iter().filter(|(id, _)| self.phrases[id.0 as usize].is_scanned) {
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
        segment::fits(text, &(m.start..m.end), phrase.asks_start, phrase.asks_end, &mut segment::Judged::default())
    }

    /// [`in_words`](Self::in_words) for one of many matches: what looks alike is judged once.
    pub(crate) fn in_words_again(&self, text: &FoldedText, m: &Match, judged: &mut segment::Judged) -> bool {
        let phrase = &self.phrases[m.phrase.0 as usize];
        if !(phrase.asks_start || phrase.asks_end) || m.start >= m.end {
            return true;
        }
        segment::fits(text, &(m.start..m.end), phrase.asks_start, phrase.asks_end, judged)
    }

    /// The words around `m`, as [`in_words`](Self::in_words) sees them; none if its phrase does not ask.
    #[must_use]
    pub fn words(&self, text: &FoldedText, m: &Match) -> Vec<String> {
        let phrase = &self.phrases[m.phrase.0 as usize];
        if !(phrase.asks_start || phrase.asks_end) || m.start >= m.end {
            return Vec::new();
        }
        segment::words(text, &(m.start..m.end))
    }

    /// The first place inside `within` where `phrase` stands, found without a scan.
    ///
    /// For phrases of what folding drops the place is empty, and found only in
    /// texts that this lexicon has scanned.
    #[must_use]
    pub fn find(&self, phrase: PhraseId, text: &FoldedText, within: Range<usize>) -> Option<Range<usize>> {
        let within = within.start..within.end.min(text.len());
        let range = &self.phrases[phrase.0 as usize].needles;
        let needles = &self.needles[range.start as usize..range.end as usize];
        let mut first: Option<Range<usize>> = None;
        let mut consider = |span: Range<usize>| {
            let is_inside = within.start <= span.start && span.end <= within.end;
            if is_inside && first.as_ref().is_none_or(|first| (span.start, span.end) < (first.start, first.end)) {
                first = Some(span);
            }
        };
        for needle in needles {
            let len = usize::from(needle.len);
            let last = within.end.checked_sub(len).filter(|&last| last >= within.start);
            work::look(last.map_or(0, |last| last - within.start));
            let first = self.literal(needle)[0];
            for at in last.into_iter().flat_map(|last| within.start..=last) {
                // Most places differ in the first character already.
                if needle.least == Likeness::Exact && text.chars[at] != first {
                    continue;
                }
                if let Some((span, _)) = self.verify(needle, text, at) {
                    consider(span);
                }
            }
        }
        if needles.is_empty() {
            for (_, sequence) in self.dropped.iter().filter(|(id, _)| *id == phrase) {
                dropped_spans(&text.dropped, sequence, |at, _| consider(at..at));
            }
        }
        first
    }

    /// Every place where `phrase` stands, found without a scan: of those that begin at one
    /// symbol the shortest, in order.
    pub(crate) fn places(&self, phrase: PhraseId, text: &FoldedText) -> Vec<Range<usize>> {
        let range = &self.phrases[phrase.0 as usize].needles;
        let needles = &self.needles[range.start as usize..range.end as usize];
        let mut places: Vec<Range<usize>> = Vec::new();
        for needle in needles {
            let first = self.literal(needle)[0];
            let last = (text.len() + 1).saturating_sub(usize::from(needle.len));
            work::look(last);
            for at in 0..last {
                if needle.least == Likeness::Exact && text.chars[at] != first {
                    continue;
                }
                places.extend(self.verify(needle, text, at).map(|(span, _)| span));
            }
        }
        if needles.is_empty() {
            for (_, sequence) in self.dropped.iter().filter(|(id, _)| *id == phrase) {
                dropped_spans(&text.dropped, sequence, |at, _| places.push(at..at));
            }
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        places.dedup_by_key(|place| place.start);
        places
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
            + size_of_val(&*self.needles)
            + size_of_val(&*self.chars)
            + size_of_val(&*self.groups)
            + size_of_val(&*self.grouped)
            + self.patterns.iter().map(Pattern::memory_usage).sum::<usize>()
    }

    fn literal(&self, needle: &Needle) -> &[char] {
        &self.chars[needle.chars as usize..][..usize::from(needle.len)]
    }

    /// Whether the needle's literal alone stands at symbol `at`.
    fn literal_at(&self, needle: &Needle, text: &FoldedText, at: usize) -> Option<Likeness> {
        pattern::literal(text, at..at + usize::from(needle.len), self.literal(needle), needle.least)
    }

    /// The whole phrase around `needle`, whose literal should begin at symbol `at`.
    fn verify(&self, needle: &Needle, text: &FoldedText, at: usize) -> Option<(Range<usize>, Likeness)> {
        work::look(1);
        let span = at..at + usize::from(needle.len);
        let chars = self.literal(needle);
        match needle.shape {
            Shape::Literal => {
                let likeness = pattern::literal(text, span.clone(), chars, needle.least)?;
                pattern::edges_allow(text, &span).then_some((span, likeness))
            }
            Shape::Pattern(index) => self.patterns[index as usize].verify(text, at, needle.least),
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
    // A text of nothing but the literal is searched once for each: a bound on
    // what each search sees keeps that proportional to the text.
    let reach = literal.start.saturating_sub(SYMBOLS_MAX)..literal.end + SYMBOLS_MAX;
    let sentence = text.sentence_near(literal.start, SYMBOLS_MAX + literal.len());
    let sentence = sentence.start.max(reach.start)..sentence.end.min(reach.end);
    if sentence.end < literal.end {
        return None;
    }
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
