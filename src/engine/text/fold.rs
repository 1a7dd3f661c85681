//! From raw text to [`FoldedText`], stepping the automaton on the way.
//!
//! Folding decides on each character with at most two characters of foresight
//! (那个人 keeps its 那个, 百分之五 does not keep its 百), numerals apart. A
//! changed hypothesis is therefore folded again from two symbols before the
//! first difference, or from the beginning of the numeral that lies there.

use std::str::Chars;

use aho_corasick::automaton::StateID;

use super::chars::{Kind, Symbol, TABLE, Table, in_numerals, is_han, is_letter};
use super::folded::{Cursor, Dropped, FoldedText, Mark, Segment};
use super::numeral::{self, Percent, Run, peek_solid};

/// How many symbols of the previous utterance an utterance begins with.
const LEAD_MAX: usize = 32;

/// How many characters are looked at for the 个 of a stuttered 那那那个.
const NA_MAX: usize = 8;

/// Characters that make a word of a 个 before them, so that 那 stands for itself: 那个人信息.
const AFTER_GE: &str = "人别性体案税月";

/// What reads the symbols as folding makes them.
pub(super) trait Scanner {
    /// Tells lexicons apart; 0 is none.
    fn id(&self) -> u64;
    fn table(&self) -> &Table;
    fn start(&self) -> StateID;
    fn step(&self, state: StateID, class: u8) -> StateID;
    fn is_match(&self, state: StateID) -> bool;
    /// Whether fillers and marks are kept for phrases that consist of them.
    fn keeps_dropped(&self) -> bool;
}

/// Folds without an automaton.
struct NoScanner;

impl Scanner for NoScanner {
    fn id(&self) -> u64 {
        0
    }
    fn table(&self) -> &Table {
        &TABLE
    }
    fn start(&self) -> StateID {
        StateID::default()
    }
    fn step(&self, state: StateID, _: u8) -> StateID {
        state
    }
    fn is_match(&self, _: StateID) -> bool {
        false
    }
    fn keeps_dropped(&self) -> bool {
        true
    }
}

/// Folds `raw` without a lexicon.
#[must_use]
pub fn fold(raw: &str) -> FoldedText {
    let mut text = FoldedText::new();
    update(&NoScanner, raw, None, &mut text);
    text
}

/// Brings `text` to `raw`, whose speaker said `previous` before, reusing what did not change.
pub(super) fn update<S: Scanner>(scanner: &S, raw: &str, previous: Option<&FoldedText>, text: &mut FoldedText) {
    let keeps = text.lexicon == scanner.id() && is_lead_of(text, previous, scanner);
    let same = if keeps { common_prefix(&text.raw, raw) } else { 0 };
    if keeps && same == raw.len() && same == text.raw.len() {
        return;
    }
    let from = if keeps && !text.is_settled { rewind(text, same) } else { begin(scanner, text, previous) };
    text.raw.truncate(same);
    text.raw.push_str(&raw[same..]);
    Folder::new(scanner, text, from).run(raw);
}

/// A place in a raw text, in both of its units.
#[derive(Clone, Copy, Default)]
struct Place {
    byte: usize,
    offset: u32,
}

/// The length in bytes of what two texts begin with alike.
fn common_prefix(a: &str, b: &str) -> usize {
    const STEP: usize = 16;
    let (bytes_a, bytes_b) = (a.as_bytes(), b.as_bytes());
    let steps = bytes_a.chunks_exact(STEP).zip(bytes_b.chunks_exact(STEP)).take_while(|(a, b)| a == b).count();
    let whole = steps * STEP;
    let rest = bytes_a[whole..].iter().zip(&bytes_b[whole..]).take_while(|(a, b)| a == b).count();
    let mut same = whole + rest;
    while !a.is_char_boundary(same) || !b.is_char_boundary(same) {
        same -= 1;
    }
    same
}

/// The first of the symbols of `previous` that become a lead.
fn lead_start(previous: &FoldedText) -> usize {
    let start = previous.lead().max(previous.len().saturating_sub(LEAD_MAX));
    if start == previous.len() {
        return start;
    }
    let segment = previous.segment(start);
    // A numeral is not cut.
    if segment.len == 0 { start } else { segment.symbol as usize }
}

/// Whether the lead of `text` is what `previous` ends with.
fn is_lead_of<S: Scanner>(text: &FoldedText, previous: Option<&FoldedText>, scanner: &S) -> bool {
    let Some(previous) = previous else { return text.lead == 0 && text.lead_state == scanner.start() };
    let start = lead_start(previous);
    let lead = &previous.chars[start..];
    text.lead() == lead.len()
        && previous.lexicon == text.lexicon
        && previous.state == text.lead_state
        && previous.raw_len == text.previous_raw_len
        && text.chars[..lead.len()] == *lead
        && previous.raw.ends_with(&text.lead_raw)
}

/// Empties `text` but for its lead, which it takes from `previous`. Returns where to fold from.
fn begin<S: Scanner>(scanner: &S, text: &mut FoldedText, previous: Option<&FoldedText>) -> Place {
    text.chars.clear();
    text.segments.clear();
    text.marks.clear();
    text.dropped.clear();
    text.candidates.clear();
    text.cursors.clear();
    text.lead = 0;
    text.lead_raw.clear();
    text.lead_raw_start = 0;
    text.previous_raw_len = 0;
    text.lead_state = scanner.start();
    text.lexicon = scanner.id();
    text.is_settled = false;
    if let Some(previous) = previous {
        take_lead(scanner, text, previous);
    }
    Place::default()
}

fn take_lead<S: Scanner>(scanner: &S, text: &mut FoldedText, previous: &FoldedText) {
    text.previous_raw_len = previous.raw_len;
    let start = lead_start(previous);
    if start == previous.len() {
        if previous.lexicon == text.lexicon {
            text.lead_state = previous.state;
        }
        return;
    }
    let base = start as u32;
    text.chars.extend_from_slice(&previous.chars[start..]);
    text.lead = text.chars.len() as u32;
    let first = previous.segments.partition_point(|segment| segment.symbol <= base) - 1;
    for segment in &previous.segments[first..] {
        let symbol = segment.symbol.max(base);
        // Only a segment of one raw character a symbol begins before the lead.
        let raw = segment.raw + (symbol - segment.symbol);
        text.segments.push(Segment { symbol: symbol - base, raw, len: segment.len });
    }
    let marks = previous.marks.iter().filter(|mark| mark.at > base && (mark.at as usize) < previous.len());
    text.marks.extend(marks.map(|mark| Mark { at: mark.at - base, ..*mark }));
    text.marks.push(Mark { at: text.lead, bits: Mark::JOIN });
    text.lead_raw_start = text.segments[0].raw;
    let tail = previous.raw_len - text.lead_raw_start;
    let from = previous.raw.char_indices().rev().nth((tail as usize).saturating_sub(1)).map_or(0, |(byte, _)| byte);
    text.lead_raw.push_str(&previous.raw[from..]);
    if previous.lexicon == text.lexicon {
        text.lead_state = previous.state;
        let candidates = previous.candidates.iter().filter(|(at, _)| *at >= base);
        text.candidates.extend(candidates.map(|&(at, state)| (at - base, state)));
    } else {
        for (at, &c) in text.chars.iter().enumerate() {
            text.lead_state = scanner.step(text.lead_state, scanner.table().entry(c).class());
            if scanner.is_match(text.lead_state) {
                text.candidates.push((at as u32, text.lead_state));
            }
        }
    }
}

/// Forgets the symbols that a change of the raw text at byte `changed` can
/// concern. Returns where to fold from.
fn rewind(text: &mut FoldedText, changed: usize) -> Place {
    const FORESIGHT: usize = 2;
    let lead = text.lead();
    let intact = text.cursors.iter().rposition(|cursor| (cursor.byte as usize) < changed).unwrap_or(0);
    let mut keep = lead + intact.saturating_sub(FORESIGHT);
    while keep > lead && in_numerals(text.chars[keep - 1]) {
        keep -= 1;
    }
    let from = if keep == lead {
        Place::default()
    } else {
        Place { byte: text.cursors[keep - lead].byte as usize, offset: text.symbol(keep).start as u32 }
    };
    text.chars.truncate(keep);
    text.cursors.truncate(keep - lead);
    while text.segments.last().is_some_and(|segment| segment.symbol as usize >= keep) {
        text.segments.pop();
    }
    while text.candidates.last().is_some_and(|&(at, _)| at as usize >= keep) {
        text.candidates.pop();
    }
    // What stands before the first symbol to be folded stays, unless folding begins before it too.
    let last = if keep == lead { keep } else { keep + 1 };
    while text.marks.last().is_some_and(|mark| mark.at as usize >= last) {
        text.marks.pop();
    }
    while text.dropped.last().is_some_and(|dropped| dropped.at as usize >= last) {
        text.dropped.pop();
    }
    if keep == lead && lead > 0 {
        text.marks.push(Mark { at: text.lead, bits: Mark::JOIN });
    }
    from
}

/// Folds on from the end of a text.
struct Folder<'f, S> {
    scanner: &'f S,
    table: &'f Table,
    text: &'f mut FoldedText,
    state: StateID,
    /// The next raw character.
    place: Place,
    /// The raw offset that would continue the last segment.
    continues_at: u32,
    /// The last symbol, if no mark has come since.
    last: Option<char>,
}

/// No raw offset.
const NOWHERE: u32 = u32::MAX;

impl<'f, S: Scanner> Folder<'f, S> {
    fn new(scanner: &'f S, text: &'f mut FoldedText, place: Place) -> Self {
        let len = text.chars.len();
        let state = text.cursors.last().map_or(text.lead_state, |cursor| cursor.state);
        let is_marked = text.marks.last().is_some_and(|mark| mark.at as usize == len);
        let last = if is_marked { None } else { text.chars.last().copied() };
        let continues_at = match text.segments.last() {
            Some(segment) if segment.len == 0 && len > text.lead() => segment.raw + (len as u32 - segment.symbol),
            _ => NOWHERE,
        };
        Self { scanner, table: scanner.table(), text, state, place, continues_at, last }
    }

    fn run(mut self, raw: &'f str) {
        let mut rest = raw[self.place.byte..].chars();
        loop {
            self.place.byte = raw.len() - rest.as_str().len();
            let Some(c) = rest.next() else { break };
            let symbol = self.table.symbol(c);
            if symbol.entry.is_simple() && Some(symbol.folded) != self.last {
                self.push(symbol);
                self.place.offset += 1;
            } else {
                rest = self.special(symbol, c, raw, rest);
            }
        }
        self.text.raw_len = self.place.offset;
        self.text.state = self.state;
    }

    /// Takes a character that does not simply become a symbol. Returns what follows what it took.
    fn special(&mut self, symbol: Symbol, c: char, raw: &'f str, rest: Chars<'f>) -> Chars<'f> {
        match symbol.entry.kind() {
            Kind::Plain | Kind::Function | Kind::Letter => self.repeated(symbol),
            Kind::SpokenPoint => self.push(symbol),
            Kind::Digit => return self.numeral(raw),
            Kind::Unit if symbol.folded == '十' => return self.numeral(raw),
            Kind::Unit => match numeral::read_percent(self.table, &raw[self.place.byte..]) {
                Some(percent) => return self.percent(raw, &percent),
                None => self.push(symbol),
            },
            Kind::Na => match self.na_ge(&rest) {
                Some(after) => return self.drop_until(raw, after),
                None if self.last == Some(symbol.folded) => self.extend(),
                None => self.push(symbol),
            },
            Kind::E if self.stands_alone(raw, &rest) => self.note(symbol.folded),
            Kind::E => self.repeated(symbol),
            Kind::Filler => self.note(symbol.folded),
            Kind::Drop => {}
            Kind::Space => {
                let follows = peek_solid(self.table, &rest).is_some_and(|next| self.table.kind(next) == Kind::Letter);
                if follows && self.last.is_some_and(is_letter) {
                    self.mark(Mark::GAP);
                }
            }
            Kind::Dash => {
                let follows = peek_solid(self.table, &rest).is_some_and(|next| self.table.kind(next) == Kind::Digit);
                if follows && self.last.is_some_and(|last| last.is_ascii_digit()) {
                    self.mark(Mark::SOFT);
                }
                self.note(symbol.folded);
            }
            Kind::Soft | Kind::Point | Kind::Emoji => self.mark_noted(Mark::SOFT, symbol),
            Kind::Hard => self.mark_noted(Mark::HARD, symbol),
            Kind::Question => self.mark_noted(Mark::HARD | Mark::QUESTION, symbol),
            Kind::Open => self.mark(Mark::OPEN),
            Kind::Close => self.close_quote(),
            Kind::Toggle if self.is_quote_open() => self.close_quote(),
            Kind::Toggle => self.mark(Mark::OPEN),
        }
        debug_assert!(rest.as_str().len() + c.len_utf8() + self.place.byte == raw.len());
        self.place.offset += 1;
        rest
    }

    /// Appends a symbol that stands for the next raw character.
    #[inline]
    fn push(&mut self, symbol: Symbol) {
        if self.place.offset != self.continues_at {
            self.text.segments.push(Segment { symbol: self.text.chars.len() as u32, raw: self.place.offset, len: 0 });
        }
        self.continues_at = self.place.offset + 1;
        self.append(symbol.folded, symbol.entry.class());
    }

    #[inline]
    fn append(&mut self, c: char, class: u8) {
        let at = self.text.chars.len() as u32;
        self.last = Some(c);
        self.state = self.scanner.step(self.state, class);
        self.text.chars.push(c);
        self.text.cursors.push(Cursor { state: self.state, byte: self.place.byte as u32 });
        if self.scanner.is_match(self.state) {
            self.text.candidates.push((at, self.state));
        }
    }

    /// Takes a symbol that may be the last one once more.
    fn repeated(&mut self, symbol: Symbol) {
        let at = self.text.chars.len();
        let is_last = self.last == Some(symbol.folded);
        match symbol.entry.kind() {
            Kind::Function if is_last => self.extend(),
            Kind::Plain | Kind::E if is_last && is_han(symbol.folded) && self.is_twice(at, symbol.folded) => {}
            _ => self.push(symbol),
        }
    }

    /// Whether the two symbols before `at` are both `c`, with no mark between them.
    fn is_twice(&self, at: usize, c: char) -> bool {
        let marks = &self.text.marks;
        at >= self.text.lead() + 2
            && self.text.chars[at - 2] == c
            && marks.last().is_none_or(|mark| (mark.at as usize) < at - 1)
    }

    /// Makes the next raw character part of the last symbol.
    fn extend(&mut self) {
        let at = self.text.chars.len() as u32 - 1;
        let end = self.place.offset + 1;
        self.continues_at = NOWHERE;
        let Some(segment) = self.text.segments.last_mut() else { return };
        if segment.symbol == at {
            segment.len = end - segment.raw;
        } else {
            let raw = segment.raw + (at - segment.symbol);
            self.text.segments.push(Segment { symbol: at, raw, len: end - raw });
        }
    }

    /// Takes a numeral.
    fn numeral(&mut self, raw: &'f str) -> Chars<'f> {
        let begin = self.place.byte;
        match numeral::read(self.table, &raw[begin..]) {
            Run::Value { value, bytes } => {
                self.whole(&raw[begin..begin + bytes], value.chars());
                raw[begin + bytes..].chars()
            }
            Run::Literal { bytes } => {
                for (byte, c) in raw[begin..begin + bytes].char_indices() {
                    self.place.byte = begin + byte;
                    if let Some(symbol) = self.numeral_symbol(c) {
                        self.push(symbol);
                    }
                    self.place.offset += 1;
                }
                raw[begin + bytes..].chars()
            }
        }
    }

    /// Takes a percentage written with 百分.
    fn percent(&mut self, raw: &'f str, percent: &Percent) -> Chars<'f> {
        let begin = self.place.byte;
        let end = match *percent {
            Percent::Hundred { bytes } => {
                self.whole(&raw[begin..begin + bytes], "100%".chars());
                begin + bytes
            }
            Percent::Of { bytes: prefix } => match numeral::read(self.table, &raw[begin + prefix..]) {
                Run::Value { value, bytes } => {
                    let end = begin + prefix + bytes;
                    self.whole(&raw[begin..end], value.chars().chain(['%']));
                    end
                }
                Run::Literal { bytes } => {
                    let end = begin + prefix + bytes;
                    let table = self.table;
                    let digits = raw[begin + prefix..end].chars().filter_map(|c| numeral_char(table, c));
                    self.whole(&raw[begin..end], digits.chain(['%']));
                    end
                }
            },
        };
        raw[end..].chars()
    }

    /// The symbol of a character of a run that stands for itself.
    fn numeral_symbol(&self, c: char) -> Option<Symbol> {
        numeral_char(self.table, c).map(|folded| self.table.symbol(folded))
    }

    /// Appends symbols that together stand for `raw`.
    fn whole(&mut self, raw: &str, symbols: impl Iterator<Item = char>) {
        let len = raw.chars().count() as u32;
        self.text.segments.push(Segment { symbol: self.text.chars.len() as u32, raw: self.place.offset, len });
        self.continues_at = NOWHERE;
        for c in symbols {
            self.append(c, self.table.entry(c).class());
        }
        self.place.offset += len;
    }

    /// Where a 那个 that means nothing ends, given what follows its 那.
    fn na_ge(&self, rest: &Chars<'f>) -> Option<Chars<'f>> {
        let mut ahead = rest.clone();
        for _ in 0..NA_MAX {
            let next = self.table.symbol(numeral::next_solid(self.table, &mut ahead)?);
            match next.folded {
                '那' => {}
                '个' => {
                    let is_word =
                        peek_solid(self.table, &ahead).is_some_and(|c| AFTER_GE.contains(self.table.symbol(c).folded));
                    return (!is_word).then_some(ahead);
                }
                _ => return None,
            }
        }
        None
    }

    /// Drops the raw text up to `rest`.
    fn drop_until(&mut self, raw: &'f str, rest: Chars<'f>) -> Chars<'f> {
        let end = raw.len() - rest.as_str().len();
        for c in raw[self.place.byte..end].chars() {
            let symbol = self.table.symbol(c);
            if !matches!(symbol.entry.kind(), Kind::Drop | Kind::Space) {
                self.note(symbol.folded);
            }
            self.place.offset += 1;
        }
        rest
    }

    /// Whether nothing but marks and fillers stand next to the character before `rest`.
    fn stands_alone(&self, raw: &str, rest: &Chars<'_>) -> bool {
        let is_edge = |c: Option<char>| {
            c.is_none_or(|c| {
                matches!(self.table.kind(c), Kind::Soft | Kind::Hard | Kind::Question | Kind::Emoji | Kind::Filler)
            })
        };
        let is_solid = |c: &char| !matches!(self.table.kind(*c), Kind::Drop | Kind::Space);
        is_edge(raw[..self.place.byte].chars().rev().find(is_solid)) && is_edge(peek_solid(self.table, rest))
    }

    fn mark_noted(&mut self, bits: u8, symbol: Symbol) {
        self.mark(bits);
        self.note(symbol.folded);
    }

    /// Notes a mark before the next symbol.
    fn mark(&mut self, bits: u8) {
        self.last = None;
        let at = self.text.chars.len() as u32;
        match self.text.marks.last_mut() {
            Some(mark) if mark.at == at => mark.bits |= bits,
            _ => self.text.marks.push(Mark { at, bits }),
        }
    }

    /// Closes a quotation, unless there is nothing in it.
    fn close_quote(&mut self) {
        let at = self.text.chars.len() as u32;
        match self.text.marks.last_mut() {
            Some(mark) if mark.at == at && mark.bits & Mark::OPEN != 0 => mark.bits &= !Mark::OPEN,
            _ => self.mark(Mark::CLOSE),
        }
    }

    fn is_quote_open(&self) -> bool {
        let own = self.text.marks.iter().rev().take_while(|mark| mark.at >= self.text.lead);
        let last = own.map(|mark| mark.bits & (Mark::OPEN | Mark::CLOSE)).find(|&bits| bits != 0);
        last.is_some_and(|bits| bits & Mark::OPEN != 0)
    }

    /// Remembers a dropped character where phrases ask for such.
    fn note(&mut self, c: char) {
        if self.scanner.keeps_dropped() {
            self.text.dropped.push(Dropped { at: self.text.chars.len() as u32, raw: self.place.offset, c });
        }
    }
}

/// What a character of a numeral run that is no number folds to.
fn numeral_char(table: &Table, c: char) -> Option<char> {
    let symbol = table.symbol(c);
    match symbol.entry.kind() {
        Kind::Digit | Kind::Unit => Some(symbol.folded),
        Kind::Point | Kind::SpokenPoint => Some('.'),
        _ => None,
    }
}
