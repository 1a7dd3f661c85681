//! From raw text to [`FoldedText`], stepping the automaton on the way.

use std::str::Chars;

use aho_corasick::automaton::StateID;

use super::chars::{Kind, Symbol, TABLE, Table, expansion, is_han, is_letter};
use super::folded::{Cursor, Dropped, FoldedText, Mark, Segment};
use super::numeral::{self, Percent, Run, peek_solid};
use super::update;

/// How many characters are looked at for the 个 of a stuttered 那那那个.
const NA_MAX: usize = 8;

/// Characters that make a word of a 个 before them, so that 那 stands for itself: 那个人信息.
const AFTER_GE: &str = "人别性体案税月";

/// Reads the symbols as folding makes them.
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
    update::update(&NoScanner, raw, None, &mut text);
    text
}

/// A place in a raw text, in both of its units.
#[derive(Clone, Copy, Default)]
pub(super) struct RawOffset {
    pub(super) byte: usize,
    pub(super) offset: u32,
}

/// Folds on from the end of a text.
pub(super) struct Folder<'f, S> {
    scanner: &'f S,
    table: &'f Table,
    text: &'f mut FoldedText,
    state: StateID,
    /// The next raw character.
    place: RawOffset,
    /// The raw offset that would continue the last segment.
    continues_at: u32,
    /// The last symbol, if no mark has come since.
    last: Option<char>,
    /// Whether a quotation is open, once somebody has asked.
    is_quoting: Option<bool>,
}

/// No raw offset.
const NOWHERE: u32 = u32::MAX;

impl<'f, S: Scanner> Folder<'f, S> {
    /// Goes on at `place`, which must be where the last symbol of `text` leaves off.
    pub(super) fn new(scanner: &'f S, text: &'f mut FoldedText, place: RawOffset) -> Self {
        let len = text.chars.len();
        let state = text.cursors.last().map_or(text.lead_state, |cursor| cursor.state);
        let is_marked = text.marks.last().is_some_and(|mark| mark.at as usize == len);
        let last = if is_marked { None } else { text.chars.last().copied() };
        let continues_at = match text.segments.last() {
            Some(segment) if segment.len == 0 && len > text.lead() => segment.raw + (len as u32 - segment.symbol),
            _ => NOWHERE,
        };
        Self { scanner, table: scanner.table(), text, state, place, continues_at, last, is_quoting: None }
    }

    /// Folds the rest of `raw`.
    pub(super) fn run(mut self, raw: &'f str) {
        let mut rest = raw[self.place.byte..].chars();
        // Most characters are of three bytes; more symbols than this are rare.
        let expected = rest.as_str().len() / 3 + 1;
        self.text.chars.reserve(expected);
        self.text.cursors.reserve(expected);
        loop {
            self.run_simple(raw, &mut rest);
            self.place.byte = raw.len() - rest.as_str().len();
            let Some(c) = rest.next() else { break };
            rest = self.special(self.table.symbol(c), c, raw, rest);
        }
        self.text.raw_len = self.place.offset;
        self.text.state = self.state;
    }

    /// Takes the characters that are symbols whatever stands around them, up
    /// to one that is not. This is where the time goes: what changes with each
    /// character is kept in locals.
    #[inline]
    fn run_simple(&mut self, raw: &str, rest: &mut Chars<'_>) {
        let begin = self.text.chars.len();
        let mut state = self.state;
        let mut last = self.last.map_or(0, u32::from);
        let mut ahead = rest.clone();
        let mut byte = raw.len() - ahead.as_str().len();
        while let Some(c) = ahead.next() {
            let Some(entry) = self.table.simple(c) else { break };
            let folded = entry.folded();
            if u32::from(folded) == last {
                break;
            }
            last = u32::from(folded);
            state = self.scanner.step(state, entry.class());
            if self.scanner.is_match(state) {
                self.text.candidates.push((self.text.chars.len() as u32, state));
            }
            self.text.chars.push(folded);
            self.text.cursors.push(Cursor { state, byte: byte as u32 });
            *rest = ahead.clone();
            byte = raw.len() - ahead.as_str().len();
        }
        let taken = (self.text.chars.len() - begin) as u32;
        if taken == 0 {
            return;
        }
        if self.place.offset != self.continues_at {
            self.text.segments.push(Segment { symbol: begin as u32, raw: self.place.offset, len: 0 });
        }
        self.state = state;
        self.last = char::from_u32(last);
        self.place.offset += taken;
        self.continues_at = self.place.offset;
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
            Kind::Sign if self.is_inside_word(&rest) => {}
            Kind::Sign => self.push(symbol),
            Kind::Several => {
                let table = self.table;
                self.whole(
                    &raw[self.place.byte..][..c.len_utf8()],
                    expansion(c).chars().map(|c| table.symbol(c).folded),
                );
                return rest;
            }
            Kind::Drop => {}
            Kind::Space => {
                // The last of several spaces decides: looking past the others at each of them would be quadratic.
                let follows = rest.clone().next().is_some_and(|next| self.table.kind(next) == Kind::Letter);
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
            Kind::Open => self.open_quote(),
            Kind::Close => self.close_quote(),
            Kind::Toggle if self.is_quote_open() => self.close_quote(),
            Kind::Toggle => self.open_quote(),
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

    /// Takes a numeral, or a word that is written like one.
    fn numeral(&mut self, raw: &'f str) -> Chars<'f> {
        let begin = self.place.byte;
        let rest = &raw[begin..];
        if let Some(word) = numeral::read_word(self.table, rest, &self.text.chars) {
            let said = &rest[..word.bytes];
            if word.is_written_in_digits {
                self.whole(said, word.spelling());
            } else {
                self.literal(said, begin, spelled_char);
            }
            return rest[word.bytes..].chars();
        }
        let end = match numeral::read(self.table, rest) {
            Run::Value { value, bytes } => {
                self.whole(&rest[..bytes], value.chars());
                bytes
            }
            Run::Literal { bytes } => {
                self.literal(&rest[..bytes], begin, numeral_char);
                bytes
            }
        };
        let rest = rest[end..].chars();
        // 三万一天 is 30000 and 1天.
        if peek_solid(self.table, &rest).is_some_and(|c| self.table.kind(c) == Kind::Digit) {
            self.mark(Mark::GAP);
        }
        rest
    }

    /// Appends each character of a run for itself.
    fn literal(&mut self, said: &str, begin: usize, to: impl Fn(&Table, char) -> Option<char>) {
        for (byte, c) in said.char_indices() {
            self.place.byte = begin + byte;
            if let Some(folded) = to(self.table, c) {
                self.push(Symbol { entry: self.table.entry(folded), folded });
            }
            self.place.offset += 1;
        }
    }

    /// Whether nothing but signs stands between the last symbol and a Chinese character of the same word.
    fn is_inside_word(&self, rest: &Chars<'_>) -> bool {
        const FARTHEST: usize = 16;
        // 几% and 多少￥ are amounts.
        let is_word = self.last.is_some_and(|last| is_han(last) && !"几少".contains(last));
        let is_passed = |c: &char| matches!(self.table.kind(*c), Kind::Sign | Kind::Drop | Kind::Space);
        let next = || rest.clone().take(FARTHEST).find(|c| !is_passed(c));
        is_word
            && next().is_some_and(|next| {
                let symbol = self.table.symbol(next);
                matches!(symbol.entry.kind(), Kind::Plain | Kind::Function | Kind::Na | Kind::E)
                    && is_han(symbol.folded)
            })
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

    fn open_quote(&mut self) {
        self.is_quoting = Some(true);
        self.mark(Mark::OPEN);
    }

    /// Closes a quotation, unless there is nothing in it.
    fn close_quote(&mut self) {
        self.is_quoting = Some(false);
        let at = self.text.chars.len() as u32;
        match self.text.marks.last_mut() {
            Some(mark) if mark.at == at && mark.bits & Mark::OPEN != 0 => mark.bits &= !Mark::OPEN,
            _ => self.mark(Mark::CLOSE),
        }
    }

    fn is_quote_open(&mut self) -> bool {
        *self.is_quoting.get_or_insert_with(|| {
            let own = self.text.marks.iter().rev().take_while(|mark| mark.at >= self.text.lead);
            let last = own.map(|mark| mark.bits & (Mark::OPEN | Mark::CLOSE)).find(|&bits| bits != 0);
            last.is_some_and(|bits| bits & Mark::OPEN != 0)
        })
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

/// What a character of a word that is written like a numeral folds to.
fn spelled_char(table: &Table, c: char) -> Option<char> {
    let symbol = table.symbol(c);
    match symbol.entry.kind() {
        Kind::Digit => Some(numeral::spelled(c, symbol.folded)),
        Kind::Unit => Some(symbol.folded),
        _ => None,
    }
}
