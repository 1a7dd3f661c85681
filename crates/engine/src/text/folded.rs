//! Folded text: symbols, where they stand in the raw text, and the marks between them.

use std::ops::Range;
use std::str::Chars;

use aho_corasick::automaton::StateID;

use super::chars::{Kind, TABLE, is_han, spelling};
use super::lexicon::{Match, PhraseId};
use super::pattern::Likeness;

/// The break between a symbol and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Break {
    /// Nothing that matters.
    #[default]
    None,
    /// A comma or the like.
    Soft,
    /// The end of a sentence.
    Hard,
    /// The previous utterance ends here, whatever mark it ends with.
    Join,
}

/// Where folded text stands in the raw texts, in Unicode scalar values.
///
/// A span that crosses a join has both parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSpan {
    /// In the raw text of the previous utterance.
    pub previous: Option<Range<usize>>,
    /// In the raw text of the utterance itself.
    pub own: Option<Range<usize>>,
}

/// Everything that stands between two symbols, or at an end, and matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The symbol it stands before.
    pub(super) at: u32,
    pub(super) bits: u8,
}

impl Mark {
    pub(super) const SOFT: u8 = 1;
    pub(super) const HARD: u8 = 2;
    pub(super) const QUESTION: u8 = 4;
    pub(super) const JOIN: u8 = 8;
    pub(super) const OPEN: u8 = 16;
    pub(super) const CLOSE: u8 = 32;
    /// White space between two letters, or where one numeral follows another:
    /// no break, but the end of a word.
    pub(super) const GAP: u8 = 64;

    pub(super) fn kind(self) -> Break {
        if self.bits & Self::JOIN != 0 {
            Break::Join
        } else if self.bits & Self::HARD != 0 {
            Break::Hard
        } else if self.bits & Self::SOFT != 0 {
            Break::Soft
        } else {
            Break::None
        }
    }
}

/// Consecutive symbols and the raw characters they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The first symbol; the next segment begins where this one ends.
    pub(super) symbol: u32,
    /// Its raw offset.
    pub(super) raw: u32,
    /// 0 if each symbol is one raw character; otherwise how many raw
    /// characters all the symbols of the segment stand for together.
    pub(super) len: u32,
}

/// A filler, mark or picture that left no symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// The symbol it stands before.
    pub(super) at: u32,
    /// Its raw offset.
    pub(super) raw: u32,
    /// The character, simplified.
    pub(super) c: char,
}

/// The state that an open utterance keeps for each of its symbols.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The automaton's state after the symbol.
    pub(super) state: StateID,
    /// Where the symbol begins in the raw text, in bytes.
    pub(super) byte: u32,
}

/// An utterance as matching sees it.
///
/// Each of its symbols is a folded character. Positions in folded text count
/// symbols; [`raw_span`](Self::raw_span) leads back to the text as it came. The
/// first [`lead`](Self::lead) symbols are the end of the same speaker's
/// previous utterance, so that what was said across the pause is found.
#[derive(Clone, Debug, Default)]
pub struct FoldedText {
    pub(super) raw: String,
    pub(super) chars: Vec<char>,
    pub(super) segments: Vec<Segment>,
    /// Sorted, at most one before each symbol and one at the end.
    pub(super) marks: Vec<Mark>,
    /// Sorted; empty unless the lexicon asks for it.
    pub(super) dropped: Vec<Dropped>,
    /// Symbols with which the automaton has seen a literal, and its state after them.
    pub(super) candidates: Vec<(u32, StateID)>,
    /// One for each own symbol, while the utterance is open.
    pub(super) cursors: Vec<Cursor>,
    /// How many characters the raw text has.
    pub(super) raw_len: u32,
    pub(super) lead: u32,
    /// What the lead was folded from, and where in the previous raw text that begins.
    pub(super) lead_raw: String,
    pub(super) lead_raw_start: u32,
    /// How long the previous raw text was when the lead was taken from it.
    pub(super) previous_raw_len: u32,
    /// The automaton's state before the first own symbol.
    pub(super) lead_state: StateID,
    /// The automaton's state after the last symbol.
    pub(super) state: StateID,
    /// Which lexicon the states belong to; 0 is none.
    pub(super) lexicon: u64,
    pub(super) is_settled: bool,
}

impl FoldedText {
    /// An empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The utterance as it came.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// How many characters the utterance has as it came.
    #[must_use]
    pub fn raw_len(&self) -> usize {
        self.raw_len as usize
    }

    /// How many symbols there are, those of the previous utterance included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chars.len()
    }

    /// Whether there are no symbols.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// How many of the symbols belong to the previous utterance.
    #[must_use]
    pub fn lead(&self) -> usize {
        self.lead as usize
    }

    /// The symbols.
    #[must_use]
    pub fn chars(&self) -> &[char] {
        &self.chars
    }

    /// The break before symbol `at`; before `len()`, the end of the text.
    #[must_use]
    pub fn break_before(&self, at: usize) -> Break {
        self.mark(at).map_or(Break::None, Mark::kind)
    }

    /// Where the symbols of `span` stand in the raw text. Empty spans stand nowhere.
    ///
    /// What folding dropped at either edge is not part of the span.
    #[must_use]
    pub fn raw_span(&self, span: Range<usize>) -> RawSpan {
        let own_start = span.start.max(self.lead());
        let previous_end = span.end.min(self.lead());
        let part = |from: usize, to: usize| (from < to).then(|| self.symbol(from).start..self.symbol(to - 1).end);
        RawSpan { previous: part(span.start, previous_end), own: part(own_start, span.end.min(self.len())) }
    }

    /// A match of `phrase` that covers the raw characters `span` of the utterance itself.
    pub(crate) fn covering(&self, phrase: PhraseId, span: Range<usize>) -> Match {
        let own = self.lead()..self.len();
        let first = own.clone().find(|&at| self.symbol(at).end > span.start).unwrap_or(self.len());
        let behind = own.rev().find(|&at| self.symbol(at).start < span.end).map_or(first, |last| last + 1);
        let end = behind.max(first);
        // Where folding left no symbol, the raw characters themselves are meant.
        let dropped = (first == end).then_some(span);
        Match { phrase, start: first, end, likeness: Likeness::Exact, dropped }
    }

    /// The clause that symbol `at` is in: from any mark, or a join, to the next.
    #[must_use]
    pub fn clause(&self, at: usize) -> Range<usize> {
        self.piece(at, usize::MAX, |kind| kind != Break::None)
    }

    /// The sentence that symbol `at` is in. A join does not end a sentence.
    #[must_use]
    pub fn sentence(&self, at: usize) -> Range<usize> {
        self.piece(at, usize::MAX, |kind| kind == Break::Hard)
    }

    /// The clause that symbol `at` is in, as far as it lies within `reach` symbols of it.
    pub(super) fn clause_near(&self, at: usize, reach: usize) -> Range<usize> {
        self.piece(at, reach, |kind| kind != Break::None)
    }

    /// The sentence that symbol `at` is in, as far as it lies within `reach` symbols of it.
    pub(super) fn sentence_near(&self, at: usize, reach: usize) -> Range<usize> {
        self.piece(at, reach, |kind| kind == Break::Hard)
    }

    /// Whether a question mark stands at the end of `sentence`.
    #[must_use]
    pub fn ends_with_question_mark(&self, sentence: &Range<usize>) -> bool {
        self.mark(sentence.end).is_some_and(|mark| mark.bits & Mark::QUESTION != 0)
    }

    /// How much was said, for the speech rate: each Chinese character, fillers
    /// and stutter included, each digit and each word of other letters is one.
    #[must_use]
    pub fn spoken_chars(&self) -> usize {
        let mut in_word = false;
        self.raw
            .chars()
            .filter(|&c| {
                let entry = TABLE.entry(c);
                let goes_on = in_word;
                in_word = entry.kind() == Kind::Letter;
                match entry.kind() {
                    Kind::Letter => !goes_on,
                    Kind::Digit => true,
                    _ => is_han(c),
                }
            })
            .count()
    }

    /// The text of `span` in simplified characters, without what folding
    /// dropped, but with numerals as they were said: what a dictionary knows.
    #[must_use]
    pub fn surface(&self, span: Range<usize>) -> String {
        let mut surface = String::new();
        self.write_surface(span, |_, piece| surface.extend(piece));
        surface
    }

    /// Calls `piece` with what was said for each symbol of `span`, nothing for
    /// all but the first symbol of a numeral.
    pub(super) fn write_surface(&self, span: Range<usize>, mut piece: impl FnMut(usize, PieceChars<'_>)) {
        let mut own = RawChars { chars: self.raw.chars(), at: 0 };
        let mut previous = RawChars { chars: self.lead_raw.chars(), at: self.lead_raw_start as usize };
        for at in span {
            let c = self.chars[at];
            let segment = self.segment(at);
            let raw = if at < self.lead() { &mut previous } else { &mut own };
            if !matches!(c, '0'..='9' | '.' | '%') {
                let offset = segment.raw as usize + if segment.len == 0 { at - segment.symbol as usize } else { 0 };
                piece(at, PieceChars::One(Some(spelling(c, || raw.nth(offset)))));
                continue;
            }
            if segment.len == 0 {
                let said = raw.nth(segment.raw as usize + at - segment.symbol as usize);
                piece(at, PieceChars::One(said.filter(|&said| is_han(said)).or(Some(c))));
            } else if at == segment.symbol as usize {
                raw.skip_to(segment.raw as usize);
                piece(at, PieceChars::Many(raw.clone(), segment.len as usize));
            } else {
                piece(at, PieceChars::One(None));
            }
        }
    }

    /// Forgets what only further hypotheses need. A later scan starts afresh.
    pub fn settle(&mut self) {
        self.is_settled = true;
        self.cursors = Vec::new();
        self.raw.shrink_to_fit();
        self.chars.shrink_to_fit();
        self.segments.shrink_to_fit();
        self.marks.shrink_to_fit();
        self.dropped.shrink_to_fit();
        self.candidates.shrink_to_fit();
    }

    /// Bytes it keeps on the heap.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.raw.capacity()
            + self.lead_raw.capacity()
            + self.chars.capacity() * size_of::<char>()
            + self.segments.capacity() * size_of::<Segment>()
            + self.marks.capacity() * size_of::<Mark>()
            + self.dropped.capacity() * size_of::<Dropped>()
            + self.candidates.capacity() * size_of::<(u32, StateID)>()
            + self.cursors.capacity() * size_of::<Cursor>()
    }

    /// The mark before symbol `at`.
    pub(super) fn mark(&self, at: usize) -> Option<Mark> {
        let found = self.marks.binary_search_by_key(&at, |mark| mark.at as usize).ok()?;
        Some(self.marks[found])
    }

    /// Whether symbol `at` ends a run of three of its character or more, of which folding keeps one or two.
    pub(super) fn ends_run(&self, at: usize) -> bool {
        const LEAST: usize = 3;
        let c = self.chars[at];
        if !matches!(TABLE.kind(c), Kind::Plain | Kind::Function) || !is_han(c) {
            return false;
        }
        let is_second = at > 0 && self.chars[at - 1] == c && self.break_before(at) == Break::None;
        let first = self.symbol(if is_second { at - 1 } else { at }).start;
        let (text, from) =
            if at < self.lead() { (&self.lead_raw, first - self.lead_raw_start as usize) } else { (&self.raw, first) };
        text.chars()
            .skip(from)
            .map(|c| TABLE.symbol(c))
            .filter(|symbol| !matches!(symbol.entry.kind(), Kind::Drop | Kind::Space | Kind::Filler))
            .take(LEAST)
            .filter(|symbol| symbol.folded == c)
            .count()
            == LEAST
    }

    /// Whether a word or a numeral ends before symbol `at` though no mark stands there.
    pub(super) fn has_gap(&self, at: usize) -> bool {
        self.mark(at).is_some_and(|mark| mark.bits & Mark::GAP != 0)
    }

    /// The marks strictly inside `span`.
    pub(super) fn marks_within(&self, span: Range<usize>) -> &[Mark] {
        let from = self.marks.partition_point(|mark| mark.at as usize <= span.start);
        let len = self.marks[from..].iter().take_while(|mark| (mark.at as usize) < span.end).count();
        &self.marks[from..from + len]
    }

    /// Where the last mark before symbol `at` stands, or `reach` symbols before it if none is nearer.
    pub(super) fn previous_break(&self, at: usize, reach: usize) -> usize {
        let farthest = at.saturating_sub(reach);
        let before = self.marks.partition_point(|mark| (mark.at as usize) < at);
        let mut near = self.marks[..before].iter().rev().take_while(|mark| mark.at as usize > farthest);
        near.find(|mark| mark.kind() != Break::None).map_or(farthest, |mark| mark.at as usize)
    }

    /// The piece around symbol `at` between two marks that end one, no more than `reach` symbols either way.
    fn piece(&self, at: usize, reach: usize, ends: impl Fn(Break) -> bool) -> Range<usize> {
        let whole = at.saturating_sub(reach)..at.saturating_add(reach).saturating_add(1).min(self.len());
        let split = self.marks.partition_point(|mark| mark.at as usize <= at);
        let (before, after) = self.marks.split_at(split);
        let is_near = |mark: &&Mark| whole.start <= mark.at as usize && (mark.at as usize) < whole.end;
        let start = before.iter().rev().take_while(is_near).find(|mark| ends(mark.kind()));
        let end = after.iter().take_while(is_near).find(|mark| ends(mark.kind()));
        let at = |mark: Option<&Mark>, otherwise| mark.map_or(otherwise, |mark| mark.at as usize);
        at(start, whole.start)..at(end, whole.end)
    }

    /// The segment that symbol `at` belongs to.
    pub(super) fn segment(&self, at: usize) -> Segment {
        let after = self.segments.partition_point(|segment| segment.symbol as usize <= at);
        self.segments[after - 1]
    }

    /// The raw span of symbol `at`.
    pub(super) fn symbol(&self, at: usize) -> Range<usize> {
        let segment = self.segment(at);
        let raw = segment.raw as usize;
        if segment.len == 0 {
            let start = raw + at - segment.symbol as usize;
            start..start + 1
        } else {
            raw..raw + segment.len as usize
        }
    }
}

/// The characters of a raw text, visited from left to right.
#[derive(Clone)]
pub(super) struct RawChars<'t> {
    chars: Chars<'t>,
    /// The offset of the next one.
    at: usize,
}

impl RawChars<'_> {
    fn skip_to(&mut self, at: usize) {
        // The library skips characters many times faster than one by one.
        if let Some(last) = at.checked_sub(self.at + 1) {
            self.chars.nth(last);
            self.at = at;
        }
    }

    fn nth(&mut self, at: usize) -> Option<char> {
        self.skip_to(at);
        self.at += 1;
        self.chars.next()
    }
}

/// The raw characters behind one symbol.
pub(super) enum PieceChars<'t> {
    One(Option<char>),
    /// The number of raw characters, with those that folding drops.
    Many(RawChars<'t>, usize),
}

impl Iterator for PieceChars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::One(c) => c.take(),
            Self::Many(raw, left) => loop {
                *left = left.checked_sub(1)?;
                let c = raw.chars.next()?;
                let symbol = TABLE.symbol(c);
                match symbol.entry.kind() {
                    Kind::Drop | Kind::Space => {}
                    Kind::Digit => return Some(c),
                    _ => return Some(symbol.folded),
                }
            },
        }
    }
}
