//! Word boundaries, asked only about text that holds a match.

use std::collections::BTreeMap;
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

/// The natural logarithm of how many words jieba's dictionary counted.
const LN_TOTAL: f64 = 17.911_5;

/// By how much the best cut in which the phrase is a word must beat the best in which it is none: 15 times likelier.
const MARGIN: f64 = 2.7;

/// The margin for a noun before an aspect particle, which follows no noun: 地面积了灰.
const NOUN_MARGIN: f64 = 6.0;

/// No word that matters is longer.
const WORD_MAX: usize = 8;

/// Adverbs that the dictionary joins with 不 to words that are none: 真不, 可不.
const BEFORE_DENIAL: &str = "真可还就也都并才却总又更";

/// Stretches of text that were judged, with the phrase in them and the edges asked about.
#[derive(Debug, Default)]
pub(crate) struct Judged(BTreeMap<(String, usize, usize, bool, bool), bool>);

/// Whether words begin and end where `span` does. An edge that is not asked about fits.
pub(super) fn fits(
    text: &FoldedText,
    span: &Range<usize>,
    asks_start: bool,
    asks_end: bool,
    judged: &mut Judged,
) -> bool {
    // Further away nothing decides how the words of a match are cut.
    const REACH: usize = 12;
    let start = text.clause_near(span.start, REACH).start;
    let end = text.clause_near(span.end - 1, REACH).end;
    let needs_start = asks_start && start < span.start;
    let needs_end = asks_end && span.end < end;
    if needs_start && is_inside_construction(text, start, span.start) {
        return false;
    }
    if !needs_start && !needs_end {
        return true;
    }
    let mut surface = String::new();
    // Where each character begins, and which of them the match takes.
    let mut at = Vec::with_capacity(end - start + 1);
    let (mut from, mut to) = (0, None);
    text.write_surface(start..end, |symbol, piece| {
        if symbol == span.start {
            from = at.len();
        } else if symbol == span.end {
            to = Some(at.len());
        }
        for c in piece {
            at.push(surface.len());
            surface.push(c);
        }
    });
    let to = to.unwrap_or(at.len());
    at.push(surface.len());
    let key = (surface, from, to, needs_start, needs_end);
    if let Some(&fit) = judged.0.get(&key) {
        return fit;
    }
    let fit = Cuts { surface: &key.0, at: &at, found: from..to, needs_start, needs_end }.fit();
    judged.0.insert(key, fit);
    fit
}

/// How a stretch of text may be cut into words, around a phrase that was found in it.
struct Cuts<'a> {
    surface: &'a str,
    /// Where each character begins, and where the last one ends.
    at: &'a [usize],
    /// The characters of the phrase.
    found: Range<usize>,
    needs_start: bool,
    needs_end: bool,
}

impl Cuts<'_> {
    /// Whether the likeliest cut by far has edges where the phrase does.
    fn fit(&self) -> bool {
        let near = |edge: usize| edge.saturating_sub(WORD_MAX - 1)..edge;
        let is_crossed = |edge: usize| {
            near(edge).any(|start| {
                (edge + 1..=(start + WORD_MAX).min(self.at.len() - 1)).any(|end| self.weight(start..end).is_some())
            })
        };
        if !(self.needs_start && is_crossed(self.found.start) || self.needs_end && is_crossed(self.found.end)) {
            return true;
        }
        let (with, without) = self.likeliest();
        let margin = if self.is_noun_before_aspect() { NOUN_MARGIN } else { MARGIN };
        with - without >= margin
    }

    fn text(&self, word: Range<usize>) -> &str {
        &self.surface[self.at[word.start]..self.at[word.end]]
    }

    /// How likely a word is, as a logarithm; `None` if these characters are none.
    fn weight(&self, word: Range<usize>) -> Option<f64> {
        let text = self.text(word.clone());
        if word.len() > 1 {
            // A word that jieba itself would cut explains nothing, and 行不行 was looked at before.
            if !JIEBA.has_word(text)
                || is_choice(text)
                || self.holds_phrase_as_word(&word)
                || JIEBA.cut(text, false).len() > 1
            {
                return None;
            }
        }
        // For a word of the dictionary this is how often it was counted.
        Some((JIEBA.suggest_freq(text) as f64).ln() - LN_TOTAL)
    }

    /// A longer word that says the same thing: 打电话 is a 电话, and in 真不知道 stands 不知道.
    /// 对不起 is no 不起, and 大学生 no 大学.
    fn holds_phrase_as_word(&self, word: &Range<usize>) -> bool {
        if !(word.start < self.found.start && self.found.start < word.end) {
            return false;
        }
        let phrase = self.text(self.found.clone());
        if phrase.starts_with(['不', '没']) {
            let before = self.text(word.start..self.found.start);
            return before.chars().all(|c| BEFORE_DENIAL.contains(c));
        }
        word.end == self.found.end && self.found.len() > 1 && JIEBA.has_word(phrase)
    }

    /// How likely the best cut is that has all edges asked for, and the best that lacks one.
    fn likeliest(&self) -> (f64, f64) {
        let len = self.at.len() - 1;
        // A cut up to a character has met the first edge, the second one, both or none.
        let first = if self.needs_start { 0 } else { 1 };
        let all = 3;
        let mut best = vec![[f64::NEG_INFINITY; 4]; len + 1];
        best[0][first | if self.needs_end { 0 } else { 2 }] = 0.0;
        for start in 0..len {
            for end in start + 1..=(start + WORD_MAX).min(len) {
                let Some(weight) = self.weight(start..end) else { continue };
                let met = usize::from(end == self.found.start) | usize::from(end == self.found.end) << 1;
                for edges in 0..4 {
                    let likelihood = best[start][edges] + weight;
                    let cell = &mut best[end][edges | met];
                    *cell = cell.max(likelihood);
                }
            }
        }
        let last = best[len];
        (last[all], last[..all].iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    /// 面积 in 地面积了一层灰.
    fn is_noun_before_aspect(&self) -> bool {
        let after = &self.surface[self.at[self.found.end]..];
        let mut after = after.chars();
        matches!(after.next(), Some('了' | '过' | '着'))
            && after.next().is_some()
            && self.found.len() > 1
            && JIEBA.tag(self.text(self.found.clone()), false).iter().all(|word| word.tag.starts_with('n'))
    }
}

/// 行不行, 有没有.
fn is_choice(word: &str) -> bool {
    let mut chars = word.chars();
    let (first, denial, second) = (chars.next(), chars.next(), chars.next());
    matches!(denial, Some('不' | '没')) && first == second
}

/// The clauses that hold `span`, cut into words.
pub(super) fn words(text: &FoldedText, span: &Range<usize>) -> Vec<String> {
    let surface = text.surface(text.clause(span.start).start..text.clause(span.end - 1).end);
    JIEBA.cut(&surface, false).into_iter().map(|token| token.word.to_owned()).collect()
}

/// An utterance of its own, cut into words clause by clause.
#[must_use]
pub fn cut(text: &FoldedText) -> Vec<String> {
    let mut words = Vec::new();
    let mut at = text.lead();
    while at < text.len() {
        let end = text.clause(at).end;
        let surface = text.surface(at..end);
        words.extend(JIEBA.cut(&surface, false).into_iter().map(|token| token.word.to_owned()));
        at = end;
    }
    words
}

/// Whether a 不 or 没 at symbol `at` belongs to what stands before it: 行不行, 清楚不清楚, 看不清楚.
fn is_inside_construction(text: &FoldedText, clause: usize, at: usize) -> bool {
    let chars = text.chars();
    let (before, rest) = (&chars[clause..at], &chars[at..]);
    let negation = rest[0];
    if negation != '不' && negation != '没' {
        return false;
    }
    let offers_choice = |len: usize| {
        let Some(split) = before.len().checked_sub(len) else { return false };
        // 不行不行 repeats an answer, it does not offer a choice.
        rest[1..].starts_with(&before[split..]) && before[..split].last() != Some(&negation)
    };
    if offers_choice(1) || offers_choice(2) {
        return true;
    }
    let has_verb = before.last().is_some_and(|&c| VERBS.contains(c));
    has_verb
        && negation == '不'
        && COMPLEMENTS.iter().any(|complement| {
            let rest = &rest[1..];
            // 看不太清楚
            let rest = rest.strip_prefix(&['太']).or_else(|| rest.strip_prefix(&['大'])).unwrap_or(rest);
            let mut rest = rest.iter();
            complement.chars().all(|c| rest.next() == Some(&c))
        })
}
