//! Word boundaries, asked only about text that holds a match.

use std::ops::Range;
use std::sync::LazyLock;

use jieba_rs::Jieba;

use super::folded::FoldedText;

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Loads the dictionary now rather than at the first match.
pub fn preload() {
    LazyLock::force(&JIEBA);
}

/// Verbs of one character that take 不 or 得 and a complement: 看不清楚, 弄不懂.
const VERBS: &str = "看听说讲想弄搞记认分写读拿做办查问找打接走跑吃睡买卖修改算用学教理解答付还赶等受管";

/// What such verbs achieve, or not.
const COMPLEMENTS: [&str; 17] =
    ["清楚", "清", "明白", "懂", "见", "到", "出", "来", "起", "了", "住", "完", "好", "下", "上", "开", "动"];

/// Whether words begin and end where `span` does. An edge that is not asked about fits.
pub(super) fn fits(text: &FoldedText, span: &Range<usize>, asks_start: bool, asks_end: bool) -> bool {
    // Further away nothing decides how the words of a match are cut.
    const REACH: usize = 32;
    let start = text.clause(span.start).start.max(span.start.saturating_sub(REACH));
    let end = text.clause(span.end - 1).end.min(span.end + REACH);
    let needs_start = asks_start && start < span.start;
    let needs_end = asks_end && span.end < end;
    if needs_start && is_inside_construction(text, start, span.start) {
        return false;
    }
    if !needs_start && !needs_end {
        return true;
    }
    let mut surface = String::new();
    let (mut from, mut to) = (0, usize::MAX);
    text.write_surface(start..end, |at, piece| {
        if at == span.start {
            from = surface.len();
        } else if at == span.end {
            to = surface.len();
        }
        surface.extend(piece);
    });
    let mut at = 0;
    let (mut start_fits, mut end_fits) = (!needs_start, !needs_end);
    for token in JIEBA.cut(&surface, false) {
        start_fits |= at == from;
        at += token.word.len();
        end_fits |= at == to;
    }
    start_fits && end_fits
}

/// The clauses that hold `span`, cut into words.
pub(super) fn words(text: &FoldedText, span: &Range<usize>) -> Vec<String> {
    let surface = text.surface(text.clause(span.start).start..text.clause(span.end - 1).end);
    JIEBA.cut(&surface, false).into_iter().map(|token| token.word.to_owned()).collect()
}

/// Whether a 不 or 没 at symbol `at` belongs to what stands before it: 行不行, 清楚不清楚, 看不清楚.
fn is_inside_construction(text: &FoldedText, clause: usize, at: usize) -> bool {
    let chars = text.chars();
    let (before, rest) = (&chars[clause..at], &chars[at..]);
    let negation = rest[0];
    if negation != '不' && negation != '没' {
        return false;
    }
    let is_choice = |len: usize| {
        let Some(split) = before.len().checked_sub(len) else { return false };
        // 不行不行 repeats an answer, it does not offer a choice.
        rest[1..].starts_with(&before[split..]) && before[..split].last() != Some(&negation)
    };
    if is_choice(1) || is_choice(2) {
        return true;
    }
    let has_verb = before.last().is_some_and(|&c| VERBS.contains(c));
    has_verb
        && negation == '不'
        && COMPLEMENTS.iter().any(|complement| {
            let mut rest = rest[1..].iter();
            complement.chars().all(|c| rest.next() == Some(&c))
        })
}
