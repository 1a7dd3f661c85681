//! Verification: whether a phrase stands where the automaton saw its literal.

use std::ops::Range;

use super::chars::{SOUNDS, Sameness, follows_one, is_han, is_letter};
use super::folded::{Break, FoldedText};
use super::phrase::{Branch, Element, NAME_HAN_MAX, NAME_LETTERS_MAX};

/// The characters of the longest of [`ANSWERS`].
const ANSWER_CHARS_MAX: usize = 3;

/// Answers that stand alone: a mark after one of them separates it from what follows.
const ANSWERS: [&str; 33] = [
    "不",
    "没",
    "是",
    "对",
    "好",
    "行",
    "有",
    "能",
    "会",
    "要",
    "可以",
    "没有",
    "不是",
    "不行",
    "不会",
    "不用",
    "不要",
    "不能",
    "不对",
    "不好",
    "不可以",
    "没事",
    "没错",
    "是的",
    "对的",
    "好的",
    "行的",
    "会的",
    "能的",
    "有的",
    "要的",
    "可以的",
    "没有的",
];

/// How much a match looks like its phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// The very characters.
    Exact,
    /// The same syllables, whatever the tone.
    Toneless,
    /// The same syllables but for zh/z, ch/c, sh/s, n/l, ing/in, eng/en and ang/an.
    Merged,
}

/// How much `said` is like `phrase`, if at least as much as `least`. They are equally long.
#[inline]
fn likeness(said: &[char], phrase: &[char], least: Likeness) -> Option<Likeness> {
    if said == phrase {
        return Some(Likeness::Exact);
    }
    if least == Likeness::Exact {
        return None;
    }
    let mut so_far = Likeness::Toneless;
    for (&said, &phrase) in said.iter().zip(phrase).filter(|(said, phrase)| said != phrase) {
        match SOUNDS.likeness(said, phrase)? {
            Sameness::Syllable => {}
            Sameness::Merged if least >= Likeness::Merged => so_far = Likeness::Merged,
            Sameness::Merged => return None,
        }
    }
    Some(so_far)
}

/// Whether a literal without marks stands at `span`, and how alike.
pub(super) fn literal(text: &FoldedText, span: Range<usize>, chars: &[char], least: Likeness) -> Option<Likeness> {
    let likeness = likeness(text.chars.get(span.clone())?, chars, least)?;
    (marks_allow(text, span)).then_some(likeness)
}

/// Whether the marks inside a literal's span leave it one utterance: no
/// sentence ends in it, and no soft mark sets a short answer in it apart.
fn marks_allow(text: &FoldedText, span: Range<usize>) -> bool {
    if text.marks.is_empty() {
        return true;
    }
    text.marks_within(span.clone()).iter().all(|mark| match mark.kind() {
        Break::None => true,
        Break::Hard => false,
        Break::Soft | Break::Join => {
            let at = mark.at as usize;
            let from = text.previous_break(at, ANSWER_CHARS_MAX + 1);
            from < span.start || !is_answer(&text.chars[from..at])
        }
    })
}

fn is_answer(chars: &[char]) -> bool {
    chars.len() <= ANSWER_CHARS_MAX && ANSWERS.iter().any(|answer| answer.chars().eq(chars.iter().copied()))
}

/// Whether neither edge of `span` cuts a numeral or a word of letters.
pub(super) fn edges_allow(text: &FoldedText, span: &Range<usize>) -> bool {
    !cuts(text, span.start) && !cuts(text, span.end)
}

/// Whether a numeral or a word goes on from before position `at` to after it.
fn cuts(text: &FoldedText, at: usize) -> bool {
    let chars = text.chars();
    if at == 0 || at >= chars.len() {
        return false;
    }
    let (before, after) = (chars[at - 1], chars[at]);
    if is_letter(before) && is_letter(after) {
        return text.mark(at).is_none();
    }
    let goes_on = match (before, after) {
        ('0'..='9', '0'..='9') => is_digit(text, at - 1) && is_digit(text, at),
        ('0'..='9', '.') => chars.get(at + 1).is_some_and(char::is_ascii_digit),
        ('.', '0'..='9') => at >= 2 && chars[at - 2].is_ascii_digit(),
        _ => false,
    };
    goes_on && matches!(text.break_before(at), Break::None | Break::Join) && !text.has_gap(at)
}

/// Whether symbol `at` is a digit, and not the 一 of a word.
fn is_digit(text: &FoldedText, at: usize) -> bool {
    let chars = text.chars();
    chars[at].is_ascii_digit() && !(chars[at] == '1' && chars.get(at + 1).is_some_and(|&next| follows_one(next)))
}

/// The sounds of characters, each as one bit of its hash: what lacks a sound surely lacks all that sound so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sounds([u64; 4]);

impl Sounds {
    pub(super) fn of<'c>(chars: impl IntoIterator<Item = &'c char>) -> Self {
        let mut sounds = Self::default();
        for &c in chars {
            let sound = SOUNDS.family(c).map_or(0x1_0000 + u32::from(c), u32::from);
            let bit = sound.wrapping_mul(0x9e37_79b1) >> 24;
            sounds.0[bit as usize / 64] |= 1 << (bit % 64);
        }
        sounds
    }

    /// The sounds of all literals among `elements`.
    pub(super) fn of_literals(elements: &[Element]) -> Self {
        let literals = elements.iter().filter_map(|element| match element {
            Element::Literal(chars) => Some(chars),
            _ => None,
        });
        Self::of(literals.flatten())
    }

    /// Whether all sounds of `other` may be among these.
    pub(super) fn may_hold(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| other & !own == 0)
    }
}

/// A variant that is more than one literal.
#[derive(Debug)]
pub(super) struct Pattern {
    elements: Box<[Element]>,
    /// The sounds of all its literals.
    sounds: Sounds,
    /// Which of the elements the automaton finds.
    needle: usize,
}

/// Positions reachable on one side of the needle: bit `n` is `n` symbols away.
#[derive(Clone, Copy, Default)]
struct Reach([u64; 4]);

impl Reach {
    const LIMIT: usize = 256;

    fn add(&mut self, distance: usize) {
        if distance < Self::LIMIT {
            self.0[distance / 64] |= 1 << (distance % 64);
        }
    }

    fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(word, bits)| {
            std::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)))
                .take_while(|&bits| bits != 0)
                .map(move |bits| word * 64 + bits.trailing_zeros() as usize)
        })
    }
}

/// Which way verification goes from the needle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Left,
    Right,
}

impl Way {
    /// The position `distance` symbols from `origin`, if it is in the text.
    fn go(self, text: &FoldedText, origin: usize, distance: usize) -> Option<usize> {
        match self {
            Self::Left => origin.checked_sub(distance),
            Self::Right => origin.checked_add(distance).filter(|&at| at <= text.len()),
        }
    }

    /// The `len` symbols from position `at` on.
    fn span(self, text: &FoldedText, at: usize, len: usize) -> Option<Range<usize>> {
        let to = self.go(text, at, len)?;
        Some(at.min(to)..at.max(to))
    }
}

impl Pattern {
    /// A pattern that the automaton finds by its longest literal. `None` without one.
    pub(super) fn new(elements: Vec<Element>) -> Option<Self> {
        let len = |element: &Element| match element {
            Element::Literal(chars) => chars.len(),
            _ => 0,
        };
        // The first of the longest: what is said first is known first.
        let (needle, longest) = elements.iter().enumerate().rev().max_by_key(|(_, element)| len(element))?;
        if len(longest) == 0 {
            return None;
        }
        Some(Self { sounds: Sounds::of_literals(&elements), elements: elements.into(), needle })
    }

    /// Whether it may stand in a text of these sounds.
    pub(super) fn may_stand_among(&self, sounds: &Sounds) -> bool {
        sounds.may_hold(&self.sounds)
            && self.elements.iter().all(|element| match element {
                Element::Choice(branches) => branches.iter().any(|branch| sounds.may_hold(&branch.sounds)),
                _ => true,
            })
    }

    /// The literal that the automaton finds.
    pub(super) fn needle(&self) -> &[char] {
        match &self.elements[self.needle] {
            Element::Literal(chars) => chars,
            _ => &[],
        }
    }

    /// Whether it is nothing but its needle.
    pub(super) fn is_literal(&self) -> bool {
        self.elements.len() == 1
    }

    /// How many characters of literals it has at least.
    pub(super) fn literal_len(&self) -> usize {
        literal_len(&self.elements)
    }

    /// Bytes it keeps on the heap, choices apart, which the variants of a phrase share.
    pub(super) fn memory_usage(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.elements) + self.literal_len() * size_of::<char>()
    }

    /// Whether its first and last elements are literals.
    pub(super) fn literal_edges(&self) -> (bool, bool) {
        let last = |elements: &[Element]| elements.iter().rposition(|element| *element != Element::Run);
        (has_literal_at(&self.elements, |_| Some(0)), has_literal_at(&self.elements, last))
    }

    /// The span of the whole pattern around its needle at `at`. Slots take as little as they can.
    pub(super) fn verify(&self, text: &FoldedText, at: usize, least: Likeness) -> Option<(Range<usize>, Likeness)> {
        let needle = at..at + self.needle().len();
        let mut likeness = literal(text, needle.clone(), self.needle(), least)?;
        let (before, after) = self.elements.split_at(self.needle);
        let left = reach(text, needle.start, before.iter().rev(), Way::Left, least, &mut likeness)?;
        let right = reach(text, needle.end, after[1..].iter(), Way::Right, least, &mut likeness)?;
        let start = left.iter().map(|distance| needle.start - distance).find(|&start| !cuts(text, start))?;
        let end = right.iter().map(|distance| needle.end + distance).find(|&end| !cuts(text, end))?;
        Some((start..end, likeness))
    }
}

/// How many characters of literals `elements` have at least.
fn literal_len(elements: &[Element]) -> usize {
    let literals = elements.iter().map(|element| match element {
        Element::Literal(chars) => chars.len(),
        Element::Choice(branches) => branches.iter().map(|branch| literal_len(&branch.elements)).min().unwrap_or(0),
        _ => 0,
    });
    literals.sum()
}

/// Whether the element at a place of `elements`, and of each of its choices, is a literal.
fn has_literal_at(elements: &[Element], place: fn(&[Element]) -> Option<usize>) -> bool {
    match place(elements).and_then(|at| elements.get(at)) {
        Some(Element::Literal(_)) => true,
        Some(Element::Choice(branches)) => branches.iter().all(|branch| has_literal_at(&branch.elements, place)),
        _ => false,
    }
}

/// How far `elements` reach from `origin`. Of a choice at the far edge the longest counts: 单号发来 within 订单号发来 is the same words.
fn reach<'e>(
    text: &FoldedText,
    origin: usize,
    elements: impl Iterator<Item = &'e Element>,
    way: Way,
    least: Likeness,
    likeness: &mut Likeness,
) -> Option<Reach> {
    let mut reach = Reach::default();
    reach.add(0);
    let mut after_mark = false;
    let mut elements = elements.peekable();
    while let Some(element) = elements.next() {
        if *element == Element::Mark {
            after_mark = true;
            continue;
        }
        let is_edge_choice = matches!(element, Element::Choice(_)) && elements.peek().is_none();
        let mut next = Reach::default();
        for distance in reach.iter() {
            let Some(at) = way.go(text, origin, distance) else { continue };
            if !after_mark && text.break_before(at) == Break::Hard {
                continue;
            }
            let mut longest = None;
            advance(text, element, at, way, least, likeness, |len| {
                if is_edge_choice {
                    longest = longest.max(Some(len));
                } else {
                    next.add(distance + len);
                }
            });
            longest.into_iter().for_each(|len: usize| next.add(distance + len));
        }
        if next.is_empty() {
            return None;
        }
        reach = next;
        after_mark &= *element == Element::Run;
    }
    Some(reach)
}

/// Whether a branch may stand where the first character that way is `next`.
fn may_begin(branch: &Branch, way: Way, next: Option<char>, least: Likeness) -> bool {
    let (element, first) = match way {
        Way::Left => (branch.elements.last(), <[char]>::last as fn(&[char]) -> Option<&char>),
        Way::Right => (branch.elements.first(), <[char]>::first as fn(&[char]) -> Option<&char>),
    };
    let Some(Element::Literal(chars)) = element else { return true };
    let (Some(said), Some(&first)) = (next, first(chars)) else { return false };
    said == first || least != Likeness::Exact && SOUNDS.family(said) == SOUNDS.family(first)
}

/// Calls `to` with each number of symbols that `element` can take at position `at`.
fn advance(
    text: &FoldedText,
    element: &Element,
    at: usize,
    way: Way,
    least: Likeness,
    so_far: &mut Likeness,
    mut to: impl FnMut(usize),
) {
    match element {
        Element::Literal(chars) => {
            let found = way.span(text, at, chars.len()).and_then(|span| literal(text, span, chars, least));
            if let Some(likeness) = found {
                *so_far = (*so_far).max(likeness);
                to(chars.len());
            }
        }
        Element::Choice(branches) => {
            let next = way.span(text, at, 1).map(|span| text.chars[span.start]);
            for Branch { elements, .. } in branches.iter().filter(|branch| may_begin(branch, way, next, least)) {
                let ends = match way {
                    Way::Left => reach(text, at, elements.iter().rev(), way, least, so_far),
                    Way::Right => reach(text, at, elements.iter(), way, least, so_far),
                };
                ends.into_iter().flat_map(Reach::iter).for_each(&mut to);
            }
        }
        Element::Mark => to(0),
        Element::Run => {
            if at > 0 && text.ends_run(at - 1) {
                to(0);
            }
        }
        Element::Any { min, max } => {
            for len in 0..=usize::from(*max) {
                if way.go(text, at, len).is_none() {
                    return;
                }
                // A mark at either end is looked at where the next element begins.
                let inner = len.checked_sub(1).filter(|&inner| inner > 0).and_then(|inner| way.go(text, at, inner));
                if inner.is_some_and(|inner| text.break_before(inner) == Break::Hard) {
                    return;
                }
                if len >= usize::from(*min) {
                    to(len);
                }
            }
        }
        Element::Number { min, max, fraction: true } => {
            if let Some((len, digits)) = number(text, at, way)
                && (usize::from(*min)..=usize::from(*max)).contains(&digits)
            {
                to(len);
            }
        }
        Element::Number { min, max, fraction: false } => {
            digits_read_out(text, at, way, usize::from(*max)).filter(|len| usize::from(*min) <= *len).for_each(to);
        }
        Element::Name => {
            let whole = |span: Range<usize>| text.marks_within(span).is_empty();
            for len in 1..=usize::from(NAME_HAN_MAX) {
                let Some(span) = way.span(text, at, len) else { break };
                if text.chars[span.clone()].iter().all(|&c| is_han(c)) && whole(span) {
                    to(len);
                }
            }
            let letters = (1..=usize::from(NAME_LETTERS_MAX))
                .map_while(|len| way.span(text, at, len))
                .take_while(|span| text.chars[span.clone()].iter().all(|&c| is_letter(c)) && whole(span.clone()));
            if let Some(word) = letters.last() {
                to(word.len());
            }
        }
    }
}

/// Whether a numeral may go on over the soft marks of somebody who reads it out (零八，零一).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pauses {
    End,
    Pass,
}

/// How many digits stand side by side from position `at` on, one more each time.
fn digits(text: &FoldedText, at: usize, way: Way, pauses: Pauses) -> impl Iterator<Item = usize> {
    (1..).map_while(move |len| {
        let span = way.span(text, at, len)?;
        let outer = if way == Way::Left { span.start } else { span.end - 1 };
        let inner = if way == Way::Left { outer + 1 } else { outer };
        let joins = match text.break_before(inner) {
            Break::None | Break::Join => !text.has_gap(inner),
            Break::Soft => pauses == Pauses::Pass,
            Break::Hard => false,
        };
        ((len == 1 || joins) && is_digit(text, outer)).then_some(len)
    })
}

/// The numeral at position `at`: how many symbols it has, and how many of them are digits of its whole part.
fn number(text: &FoldedText, at: usize, way: Way) -> Option<(usize, usize)> {
    let digits = |at: usize| digits(text, at, way, Pauses::End).last();
    let len = digits(at)?;
    let beyond = way.go(text, at, len)?;
    let point = way.span(text, beyond, 1).is_some_and(|span| text.chars[span.start] == '.');
    if !point {
        return Some((len, len));
    }
    match way.go(text, beyond, 1).and_then(digits) {
        None => Some((len, len)),
        Some(rest) => Some((len + 1 + rest, if way == Way::Left { rest } else { len })),
    }
}

/// How many digits a number of at most `max` may have at position `at`, read out with pauses or
/// without: at each pause it may be over.
fn digits_read_out(text: &FoldedText, at: usize, way: Way, max: usize) -> impl Iterator<Item = usize> {
    digits(text, at, way, Pauses::Pass)
        .take(max)
        .filter(move |&len| way.go(text, at, len).is_some_and(|end| !cuts(text, end)))
}

#[cfg(test)]
mod tests {
    use super::super::fold::fold;
    use super::super::phrase::{Parsed, parse};
    use super::*;

    fn find(phrase: &str, raw: &str) -> Option<String> {
        let text = fold(raw);
        let Ok(Parsed::Variants(variants)) = parse(phrase) else { panic!("{phrase}") };
        variants.into_iter().find_map(|elements| {
            let pattern = Pattern::new(elements)?;
            (0..text.len())
                .filter_map(|at| pattern.verify(&text, at, Likeness::Exact))
                .find(|(span, _)| edges_allow(&text, span))
                .and_then(|(span, _)| text.raw_span(span).own)
                .map(|own| raw.chars().skip(own.start).take(own.len()).collect())
        })
    }

    #[test]
    fn marks() {
        for (phrase, raw, found) in [
            ("不知道", "我不，知道", Some("不，知道")),
            ("不知道", "不，知道了", None),
            ("不知道", "要不要？不。知道了", None),
            ("不知道", "要不要，不，知道了", None),
            ("不知道", "我不。知道", None),
            ("不知道", "这个不知道。", Some("不知道")),
            ("你找我没用，要解决就去找领导", "你找我没用要解决就去找领导", Some("你找我没用要解决就去找领导")),
            ("你找我没用，要解决就去找领导", "你找我没用。要解决就去找领导！", Some("你找我没用。要解决就去找领导")),
            ("你找我没用，要解决就去找领导", "你找我没用要解决，就去找领导", Some("你找我没用要解决，就去找领导")),
            ("你找我没用，要解决就去找领导", "你找我没用要解决。就去找领导", None),
            ("不行，机器忙着呢", "不行，机器忙着呢", Some("不行，机器忙着呢")),
            ("不行机器忙着呢", "不行，机器忙着呢", None),
        ] {
            assert_eq!(find(phrase, raw).as_deref(), found, "{phrase} in {raw}");
        }
    }

    #[test]
    fn slots() {
        for (phrase, raw, found) in [
            ("我是{number}号", "您好我是零八零幺号客服", Some("我是零八零幺号")),
            ("工号{number}", "我的工号，0801，请讲", Some("工号，0801")),
            ("工号{number:4-6}", "工号零八零幺", Some("工号零八零幺")),
            ("工号{number:4-6}", "工号零八零", None),
            ("工号{number:4-6}", "工号1234567", None),
            ("{number}个工作日", "十五个工作日内", Some("十五个工作日")),
            ("收益{number}%", "收益百分之三点五", Some("收益百分之三点五")),
            ("百分之{number}", "有百分之九十的把握", Some("百分之九十")),
            ("我是{number}号", "我是一定号", None),
            ("{name}先生", "好的王先生", Some("王先生")),
            ("{name}先生", "smith先生", Some("smith先生")),
            ("{name}先生", "先生", None),
            ("您是说{any:1-20}吗", "您是说明天，下午送吗", Some("您是说明天，下午送吗")),
            ("您是说{any:1-20}吗", "您是说吗", None),
            ("您是说{any:1-20}吗", "您是说明天。下午送吗", None),
            ("感谢您的{any:0-4}等待", "感谢您的耐心等待", Some("感谢您的耐心等待")),
            ("感谢您的{any:0-4}等待", "感谢您的等待", Some("感谢您的等待")),
            ("感谢您的{any:0-4}等待", "感谢您的一直以来的等待", None),
            ("请{any:0-3}稍等", "请您，稍等", Some("请您，稍等")),
        ] {
            assert_eq!(find(phrase, raw).as_deref(), found, "{phrase} in {raw}");
        }
    }

    #[test]
    fn numerals_and_words_of_letters_are_whole() {
        for (phrase, raw, found) in [
            ("工号5", "工号51", None),
            ("工号5", "工号5号", Some("工号5")),
            ("5个工作日", "十五个工作日", None),
            ("5个工作日", "五个工作日", Some("五个工作日")),
            ("5个工作日", "1.5个工作日", None),
            ("5个工作日", "3-5个工作日", Some("5个工作日")),
            ("一定", "我十五号一定到", Some("一定")),
            ("一定", "二十一定到", Some("一定")),
            ("ok", "book", None),
            ("ok", "this ok is", Some("ok")),
            ("ok", "好ok的", Some("ok")),
        ] {
            assert_eq!(find(phrase, raw).as_deref(), found, "{phrase} in {raw}");
        }
    }
}
