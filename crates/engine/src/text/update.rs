//! Bringing a [`FoldedText`] up to date with as little work as possible.
//!
//! Folding decides on each character with at most two characters of foresight
//! (那个人 keeps its 那个, 百分之五 does not keep its 百), numerals and the signs
//! between characters (傻￥逼) apart; on whether 10 is the 十 of 十分抱歉 the three
//! after it decide. A changed hypothesis is therefore folded again from three
//! symbols before the first difference, or from the beginning of the numeral that lies there.

use super::chars::{SIGNS, in_numerals};
use super::fold::{Folder, RawOffset, Scanner};
use super::folded::{Cursor, FoldedText, Mark, Segment};

/// How many symbols of the previous utterance an utterance begins with.
const LEAD_MAX: usize = 32;

/// Brings `text` to `raw`, whose speaker said `previous` before, reusing what did not change.
pub(super) fn update<S: Scanner>(scanner: &S, raw: &str, previous: Option<&FoldedText>, text: &mut FoldedText) {
    let keeps = text.lexicon == scanner.id() && is_lead_of(text, previous, scanner);
    let same = if keeps { common_prefix(&text.raw, raw) } else { 0 };
    if keeps && same == raw.len() && same == text.raw.len() {
        return;
    }
    // Whether a straight quote opens or closes depends on all those before it.
    let toggles = |text: &str| text.contains(['"', '＂']);
    let resumes = keeps && !text.is_settled && !toggles(raw) && !toggles(&text.raw);
    let from = if resumes { rewind(text, same) } else { begin(scanner, text, previous) };
    text.raw.truncate(same);
    text.raw.push_str(&raw[same..]);
    Folder::new(scanner, text, from).run(raw);
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
fn begin<S: Scanner>(scanner: &S, text: &mut FoldedText, previous: Option<&FoldedText>) -> RawOffset {
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
    RawOffset::default()
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

/// Whether a symbol may become another one by what follows it, however long the run of such symbols.
fn depends_on_next(c: char) -> bool {
    in_numerals(c) || SIGNS.contains(c)
}

/// Forgets the symbols that a change of the raw text at byte `changed` can
/// concern. Returns where to fold from.
fn rewind(text: &mut FoldedText, changed: usize) -> RawOffset {
    const FORESIGHT: usize = 3;
    let lead = text.lead();
    let is_intact = |cursor: &Cursor| (cursor.byte as usize) < changed;
    let intact = match text.cursors.last() {
        Some(last) if is_intact(last) => text.cursors.len() - 1,
        _ => text.cursors.partition_point(is_intact).saturating_sub(1),
    };
    let mut keep = lead + intact.saturating_sub(FORESIGHT);
    while keep > lead && depends_on_next(text.chars[keep - 1]) {
        keep -= 1;
    }
    // Several symbols that stand for one character are folded together.
    if keep > lead {
        let segment = text.segment(keep);
        if segment.len > 0 {
            keep = segment.symbol as usize;
        }
    }
    let from = if keep == lead {
        RawOffset::default()
    } else {
        RawOffset { byte: text.cursors[keep - lead].byte as usize, offset: text.symbol(keep).start as u32 }
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
