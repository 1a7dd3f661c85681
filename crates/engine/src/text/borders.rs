//! Where the clauses, sentences and quotations of one text begin and end, found once for all that ask.

use std::ops::Range;

use super::chars::is_han;
use super::folded::{Break, FoldedText, Mark};

/// The borders inside a text, each list in order.
#[derive(Debug)]
pub(crate) struct Borders {
    len: usize,
    lead: usize,
    /// Symbols before which any mark stands, or a join.
    breaks: Vec<u32>,
    /// Symbols before which a sentence ends.
    hards: Vec<u32>,
    /// Symbols before which somebody typed a space for a mark.
    gaps: Vec<u32>,
    /// Quotation marks.
    quotes: Vec<Mark>,
}

impl Borders {
    pub(crate) fn of(text: &FoldedText) -> Self {
        let before =
            |ends: fn(Break) -> bool| text.marks.iter().filter(|mark| ends(mark.kind())).map(|mark| mark.at).collect();
        let is_quote = |mark: &&Mark| mark.bits & (Mark::OPEN | Mark::CLOSE) != 0;
        Self {
            len: text.len(),
            lead: text.lead(),
            breaks: before(|kind| kind != Break::None),
            hards: before(|kind| kind == Break::Hard),
            gaps: typed_gaps(text),
            quotes: text.marks.iter().filter(is_quote).copied().collect(),
        }
    }

    /// The sentence that symbol `at` is in. A join does not end a sentence.
    pub(crate) fn sentence(&self, at: usize) -> Range<usize> {
        around(&self.hards, at, 0..self.len)
    }

    /// The clause that symbol `at` is in: from any mark, or a join, to the next. Spaces part
    /// clauses, too, where somebody typed them for marks: 赔不了 没办法.
    pub(crate) fn clause(&self, at: usize) -> Range<usize> {
        let clause = around(&self.breaks, at, 0..self.len);
        let own = clause.start.max(self.lead) + 1;
        let split = behind(&self.gaps, at);
        let before = self.gaps[..split].last().map(|&gap| gap as usize).filter(|&gap| gap >= own);
        let after = self.gaps[split..].iter().map(|&gap| gap as usize).find(|&gap| gap >= own);
        before.unwrap_or(clause.start)..after.filter(|&gap| gap < clause.end).unwrap_or(clause.end)
    }

    /// Whether `span` lies inside one pair of quotation marks.
    pub(crate) fn quoted(&self, span: &Range<usize>) -> bool {
        let split = self.quotes.partition_point(|mark| mark.at as usize <= span.start);
        let (before, after) = self.quotes.split_at(split);
        before.last().is_some_and(|mark| mark.bits & Mark::OPEN != 0)
            && after.first().is_some_and(|mark| mark.bits & Mark::CLOSE != 0 && mark.at as usize >= span.end)
    }
}

/// How many of `borders` stand at `at` or before it.
fn behind(borders: &[u32], at: usize) -> usize {
    borders.partition_point(|&border| border as usize <= at)
}

/// The part of `whole` between the two borders around `at`.
fn around(borders: &[u32], at: usize, whole: Range<usize>) -> Range<usize> {
    let (before, after) = borders.split_at(behind(borders, at));
    let start = before.last().map_or(whole.start, |&border| border as usize);
    let end = after.first().map_or(whole.end, |&border| border as usize);
    start..end
}

/// Symbols of the utterance itself before which a space was typed for a mark. Spaces after every word are a
/// recogniser's: there must be two and a half characters or more between them.
fn typed_gaps(text: &FoldedText) -> Vec<u32> {
    let runs = text.raw.split_whitespace().count();
    if runs <= 1 || text.raw.chars().filter(|&c| is_han(c)).count() * 2 < runs * 5 {
        return Vec::new();
    }
    let spaces: Vec<usize> =
        text.raw.chars().enumerate().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).collect();
    let is_parted = |after: usize| {
        let between = text.symbol(after - 1).end..text.symbol(after).start;
        let next = spaces.partition_point(|&space| space < between.start);
        spaces.get(next).is_some_and(|&space| space < between.end)
    };
    (text.lead() + 1..text.len()).filter(|&after| is_parted(after)).map(|after| after as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::*;

    #[test]
    fn typed_spaces_part_clauses() {
        let text = fold("赔不了 没办法，您看着办");
        assert_eq!(Borders::of(&text).clause(0), 0..3);
        assert_eq!(Borders::of(&text).clause(4), 3..6);
        assert_eq!(Borders::of(&fold("赔 不 了 没 办 法")).clause(4), 0..6);
    }
}
