//! The syntax of phrases: text, marks, `{slots}`, `(a|b|)` and `/regular expressions/`.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use super::chars::{Kind, TABLE};
use super::expression;
use super::fold::fold;
use super::folded::Break;
use super::pattern::Sounds;

/// Up to so many variants the alternations of a phrase are written out as a whole; a phrase of more is written out in
/// parts, from one `{any}` to the next.
const WHOLE_VARIANTS_MAX: usize = 16;
/// The most variants that the alternations between two `{any}` of a phrase may make.
pub const VARIANTS_MAX: usize = 512;
/// The most symbols that one phrase may match.
pub const SYMBOLS_MAX: usize = 200;
/// The most characters `{any}` may stand for.
pub const ANY_MAX: u8 = 60;
/// The most digits `{number}` may stand for.
pub const DIGITS_MAX: u8 = 24;
/// The most letters a `{name}` in letters may have.
pub(super) const NAME_LETTERS_MAX: u8 = 20;
/// The most characters a `{name}` in Chinese may have.
pub(super) const NAME_HAN_MAX: u8 = 3;

/// A fault of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhraseError {
    /// The position of the fault, in characters of the phrase.
    pub at: usize,
    /// The fault and the remedy, in Chinese.
    pub zh: String,
    /// The fault and the remedy, in English.
    pub en: String,
}

impl PhraseError {
    pub(super) fn new(at: usize, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { at, zh: zh.into(), en: en.into() }
    }
}

impl fmt::Display for PhraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.at + 1, self.en)
    }
}

impl std::error::Error for PhraseError {}

/// A piece of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// Folded characters, at least one.
    Literal(Box<[char]>),
    /// Any marks, or none.
    Mark,
    /// The character before it three times or more, of which folding kept one or two.
    Run,
    /// A numeral of `min` to `max` digits; a fraction too if the phrase does not count digits.
    Number { min: u8, max: u8, fraction: bool },
    /// A person's name.
    Name,
    /// `min` to `max` symbols of any kind.
    Any { min: u8, max: u8 },
    /// One of several sequences, perhaps empty ones. No mark stands at its edges.
    Choice(Arc<[Branch]>),
}

/// One of the sequences of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) elements: Vec<Element>,
    /// The sounds of its literals.
    pub(super) sounds: Sounds,
}

impl From<&Vec<Element>> for Branch {
    fn from(elements: &Vec<Element>) -> Self {
        Self { sounds: Sounds::of_literals(elements), elements: elements.clone() }
    }
}

/// A phrase, understood.
#[derive(Clone, Debug)]
pub(super) enum Parsed {
    /// One of several sequences, each with at least one literal.
    Variants(Vec<Vec<Element>>),
    /// A regular expression over folded sentences, and a literal in each of its matches.
    Regex { pattern: String, literal: Vec<char> },
    /// Characters that folding drops.
    Dropped(Vec<Vec<DroppedElement>>),
}

/// A piece of a phrase that consists of what folding drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DroppedElement {
    Char(char),
    Emoji,
}

/// The text between braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Number { min: u8, max: u8, fraction: bool },
    Name,
    Any { min: u8, max: u8 },
    Emoji,
}

/// A phrase as written, alternations not yet expanded.
#[derive(Clone, Debug)]
enum Node {
    Char(usize, char),
    Slot(usize, Slot),
    Alternation(Vec<Vec<Node>>),
}

/// A phrase as written, one variant of it.
#[derive(Clone, Copy, Debug)]
enum Item {
    Char(usize, char),
    Slot(usize, Slot),
}

pub(super) fn parse(text: &str) -> Result<Parsed, PhraseError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(PhraseError::new(0, "话术是空的", "the phrase is empty"));
    }
    if let Some(pattern) = trimmed.strip_prefix('/') {
        let Some(pattern) = pattern.strip_suffix('/') else {
            return Err(PhraseError::new(0, "正则表达式要以 / 结尾", "a regular expression must end with /"));
        };
        return expression::parse(pattern);
    }
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser { chars: &chars, at: 0 };
    let nodes = parser.sequence(false)?;
    let mut variants = vec![Vec::new()];
    if expand(&nodes, &mut variants, WHOLE_VARIANTS_MAX).is_none() {
        return in_parts(&nodes);
    }
    let elements = variants.iter().map(|items| elements(items)).collect::<Result<Vec<_>, _>>()?;
    if elements.iter().all(Vec::is_empty) {
        return dropped(&variants);
    }
    for (items, elements) in variants.iter().zip(&elements) {
        check(elements)?;
        check_stutter(items, elements)?;
    }
    Ok(with_pauses_left_out(elements))
}

fn with_pauses_left_out(mut variants: Vec<Vec<Element>>) -> Parsed {
    variants.extend(variants.iter().filter_map(|elements| without_pause(elements)).collect::<Vec<_>>());
    Parsed::Variants(variants)
}

struct Parser<'p> {
    chars: &'p [char],
    at: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<(usize, char)> {
        let at = self.at;
        let &c = self.chars.get(at)?;
        self.at += 1;
        Some((at, c))
    }

    /// Reads up to the end, or up to the `|` or `)` of the alternation that it is in.
    fn sequence(&mut self, is_nested: bool) -> Result<Vec<Node>, PhraseError> {
        let mut nodes = Vec::new();
        while let Some((at, c)) = self.next() {
            match c {
                '|' | ')' if is_nested => {
                    self.at = at;
                    return Ok(nodes);
                }
                '\\' => match self.next() {
                    Some((at, c)) => nodes.push(Node::Char(at, c)),
                    None => return Err(PhraseError::new(at, "\\ 后面要有字符", "a character must follow \\")),
                },
                '(' => nodes.push(self.alternation(at)?),
                '{' => nodes.push(Node::Slot(at, self.slot(at)?)),
                ')' | '|' | '}' => {
                    return Err(PhraseError::new(
                        at,
                        format!("多余的 {c}；若要匹配这个字符，写作 \\{c}"),
                        format!("unexpected {c}; write \\{c} for the character itself"),
                    ));
                }
                '（' | '）' | '｜' | '｛' | '｝' => {
                    let half = char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c);
                    return Err(PhraseError::new(
                        at,
                        format!("全角的 {c} 没有含义：请写半角的 {half}；若要匹配这个字符，写作 \\{c}"),
                        format!("full-width {c} means nothing: write {half}, or \\{c} for the character itself"),
                    ));
                }
                _ => nodes.push(Node::Char(at, c)),
            }
        }
        if is_nested {
            return Err(PhraseError::new(self.chars.len(), "缺少 )", ") is missing"));
        }
        Ok(nodes)
    }

    fn alternation(&mut self, at: usize) -> Result<Node, PhraseError> {
        let mut branches = vec![self.sequence(true)?];
        loop {
            match self.next() {
                Some((_, '|')) => branches.push(self.sequence(true)?),
                Some(_) => break,
                None => return Err(PhraseError::new(at, "缺少 )", ") is missing")),
            }
        }
        Ok(Node::Alternation(branches))
    }

    fn slot(&mut self, at: usize) -> Result<Slot, PhraseError> {
        let Some(len) = self.chars[self.at..].iter().position(|&c| c == '}') else {
            return Err(PhraseError::new(at, "缺少 }", "} is missing"));
        };
        let inner: String = self.chars[self.at..self.at + len].iter().collect();
        self.at += len + 1;
        let (name, counts) = match inner.split_once(':') {
            Some((name, counts)) => (name, Some(counts)),
            None => (inner.as_str(), None),
        };
        let range = |max: u8, default: (u8, u8)| {
            let Some(counts) = counts else { return Ok(default) };
            let (from, to) = counts.split_once('-').unwrap_or((counts, counts));
            match (from.trim().parse::<u8>(), to.trim().parse::<u8>()) {
                (Ok(from), Ok(to)) if from <= to && 0 < to && to <= max => Ok((from, to)),
                _ => Err(PhraseError::new(
                    at,
                    format!("{{{inner}}} 的个数要写作 4 或 4-6，不超过 {max}"),
                    format!("the count in {{{inner}}} must be like 4 or 4-6, at most {max}"),
                )),
            }
        };
        match name.trim() {
            "number" => {
                let (min, max) = range(DIGITS_MAX, (1, DIGITS_MAX))?;
                Ok(Slot::Number { min: min.max(1), max, fraction: counts.is_none() })
            }
            "any" => {
                let (min, max) = range(ANY_MAX, (1, 20))?;
                Ok(Slot::Any { min, max })
            }
            "name" if counts.is_none() => Ok(Slot::Name),
            "emoji" if counts.is_none() => Ok(Slot::Emoji),
            _ => Err(PhraseError::new(
                at,
                format!("没有 {{{inner}}} 这种占位：可以写 {{number}} {{number:4-6}} {{name}} {{any:0-4}} {{emoji}}"),
                format!("no slot {{{inner}}}: there are {{number}} {{number:4-6}} {{name}} {{any:0-4}} {{emoji}}"),
            )),
        }
    }
}

/// Appends `nodes` to each of `variants`, multiplying them by alternations. `None` if they become more than `max`.
fn expand(nodes: &[Node], variants: &mut Vec<Vec<Item>>, max: usize) -> Option<()> {
    for node in nodes {
        match node {
            Node::Char(at, c) => variants.iter_mut().for_each(|variant| variant.push(Item::Char(*at, *c))),
            Node::Slot(at, slot) => variants.iter_mut().for_each(|variant| variant.push(Item::Slot(*at, *slot))),
            Node::Alternation(branches) => {
                let mut expanded = Vec::new();
                for branch in branches {
                    let mut longer = variants.clone();
                    expand(branch, &mut longer, max)?;
                    expanded.append(&mut longer);
                    if expanded.len() > max {
                        return None;
                    }
                }
                *variants = expanded;
            }
        }
    }
    Some(())
}

/// The sequences of a phrase of many variants. One part of it is written out, so that the automaton finds it; of every
/// other part a sequence has all variants as one [`Element::Choice`].
fn in_parts(nodes: &[Node]) -> Result<Parsed, PhraseError> {
    let is_any = |node: &Node| matches!(node, Node::Slot(_, Slot::Any { .. }));
    let mut parts: Vec<Vec<Vec<Element>>> = Vec::new();
    for part in nodes.chunk_by(|one, next| !is_any(one) && !is_any(next)) {
        let mut variants = vec![Vec::new()];
        expand(part, &mut variants, VARIANTS_MAX).ok_or_else(|| {
            PhraseError::new(
                0,
                format!("括号展开后超过 {VARIANTS_MAX} 种说法，请拆成几条，或用 {{any}} 隔开"),
                format!("the alternatives make more than {VARIANTS_MAX} variants: split the phrase, or put an {{any}} between them"),
            )
        })?;
        parts.push(variants.iter().map(|items| elements(items)).collect::<Result<_, _>>()?);
    }
    // What is surely said, in as many characters as may be: else the automaton stops at every other word.
    let certain = |part: &[Vec<Element>]| part.iter().map(|elements| longest_literal(elements)).min().unwrap_or(0);
    let places = 0..parts.len();
    let Some(found) = places.rev().max_by_key(|&at| (certain(&parts[at]), Reverse(parts[at].len()))) else {
        return Ok(Parsed::Variants(Vec::new()));
    };
    let choices: Vec<Option<Element>> = parts
        .iter()
        .map(|part| (part.len() > 1).then(|| Element::Choice(part.iter().map(Branch::from).collect())))
        .collect();
    let mut sequences = Vec::with_capacity(parts[found].len());
    for branch in &parts[found] {
        let mut elements = Vec::new();
        for (at, (part, choice)) in parts.iter().zip(&choices).enumerate() {
            match choice {
                _ if at == found => elements.extend_from_slice(branch),
                Some(choice) => elements.push(choice.clone()),
                None => elements.extend_from_slice(&part[0]),
            }
        }
        check(&elements)?;
        sequences.push(elements);
    }
    Ok(with_pauses_left_out(sequences))
}

fn longest_literal(elements: &[Element]) -> usize {
    let literals = elements.iter().map(|element| match element {
        Element::Literal(chars) => chars.len(),
        _ => 0,
    });
    literals.max().unwrap_or(0)
}

/// Folds the text between slots. Empty if nothing is left but what folding drops.
fn elements(items: &[Item]) -> Result<Vec<Element>, PhraseError> {
    let mut elements = Vec::new();
    let mut piece = String::new();
    // 百分之{number} is folded to {number}%.
    let mut percent = false;
    for (index, item) in items.iter().enumerate() {
        match *item {
            Item::Char(_, c) => piece.push(c),
            Item::Slot(at, slot) => {
                let slot = match slot {
                    Slot::Number { min, max, fraction } => Element::Number { min, max, fraction },
                    Slot::Name => Element::Name,
                    Slot::Any { min, max } => Element::Any { min, max },
                    Slot::Emoji if items.len() == 1 => return Ok(Vec::new()),
                    Slot::Emoji => {
                        return Err(PhraseError::new(at, "{emoji} 只能单独使用", "{emoji} must stand alone"));
                    }
                };
                let is_number = matches!(slot, Element::Number { .. });
                if is_number && let Some(before) = piece.strip_suffix("百分之") {
                    piece.truncate(before.len());
                    percent = true;
                }
                literal(&piece, &mut elements);
                piece.clear();
                elements.push(slot);
                if std::mem::take(&mut percent) {
                    piece.push('%');
                }
                if is_number
                    && let Some(&Item::Char(at, c)) = items.get(index + 1)
                    && TABLE.kind(c) == Kind::Unit
                {
                    return Err(PhraseError::new(
                        at,
                        format!("{{number}} 已经包含“{c}”：三{c}按数值折算，这里不要再写"),
                        format!("{{number}} already includes {c}: numerals are folded to their value"),
                    ));
                }
            }
        }
    }
    literal(&piece, &mut elements);
    while elements.first() == Some(&Element::Mark) {
        elements.remove(0);
    }
    while elements.last() == Some(&Element::Mark) {
        elements.pop();
    }
    Ok(elements)
}

/// Appends a text without slots.
fn literal(piece: &str, elements: &mut Vec<Element>) {
    let text = fold(piece);
    let mut from = 0;
    for at in 0..=text.len() {
        let ends_run = at > 0 && text.ends_run(at - 1) && text.chars().get(at) != Some(&text.chars()[at - 1]);
        if at != text.len() && text.break_before(at) == Break::None && !ends_run {
            continue;
        }
        if from < at {
            elements.push(Element::Literal(text.chars()[from..at].into()));
            from = at;
        }
        if ends_run {
            elements.push(Element::Run);
        }
        if text.break_before(at) != Break::None && elements.last() != Some(&Element::Mark) {
            elements.push(Element::Mark);
        }
    }
}

/// Shorter than this, 不，不 said without its pause would be any 不.
const SPOKEN_ON_MIN: usize = 3;

/// What folding makes of 你问我，我问谁 said without the pause: 你问我问谁.
/// `None` where no mark stands between two of one character.
fn without_pause(elements: &[Element]) -> Option<Vec<Element>> {
    let mut joined: Vec<Element> = Vec::new();
    let mut is_other = false;
    for element in elements {
        if let (Element::Literal(next), [.., Element::Literal(last), Element::Mark]) = (element, joined.as_slice())
            && last.last() == next.first()
            && next.first().is_some_and(|&c| TABLE.kind(c) == Kind::Function)
            && last.len() + next.len() > SPOKEN_ON_MIN
        {
            let whole = last.iter().chain(&next[1..]).copied().collect();
            joined.truncate(joined.len() - 2);
            joined.push(Element::Literal(whole));
            is_other = true;
        } else {
            joined.push(element.clone());
        }
    }
    is_other.then_some(joined)
}

/// Refuses variants that cannot be searched for.
fn check(elements: &[Element]) -> Result<(), PhraseError> {
    if longest_literal(elements) == 0 {
        return Err(PhraseError::new(
            0,
            "除占位和语气词外至少要有一个字",
            "there must be at least one character besides slots and fillers",
        ));
    }
    if symbols_max(elements) > SYMBOLS_MAX {
        return Err(PhraseError::new(
            0,
            format!("话术连同占位不能超过 {SYMBOLS_MAX} 字"),
            format!("a phrase with its slots must not exceed {SYMBOLS_MAX} characters"),
        ));
    }
    Ok(())
}

/// The most symbols that `elements` may match.
fn symbols_max(elements: &[Element]) -> usize {
    let symbols = elements.iter().map(|element| match element {
        Element::Literal(chars) => chars.len(),
        Element::Mark | Element::Run => 0,
        Element::Number { max, .. } | Element::Any { max, .. } => usize::from(*max),
        Element::Name => usize::from(NAME_LETTERS_MAX),
        Element::Choice(branches) => branches.iter().map(|branch| symbols_max(&branch.elements)).max().unwrap_or(0),
    });
    symbols.sum()
}

/// Refuses 是是, which would match wherever 是 stands.
fn check_stutter(items: &[Item], elements: &[Element]) -> Result<(), PhraseError> {
    let [Element::Literal(chars)] = elements else { return Ok(()) };
    let is_it = |item: &&Item| matches!(item, Item::Char(_, c) if TABLE.symbol(*c).folded == chars[0]);
    if chars.len() == 1 && items.iter().filter(is_it).count() > 1 {
        let c = chars[0];
        return Err(PhraseError::new(
            0,
            format!("口吃会折叠，这条话术只剩一个“{c}”：请只写一个字，或写得更完整"),
            format!("stutter is folded, which leaves only {c}: write the character once, or more around it"),
        ));
    }
    Ok(())
}

/// The phrase that consists of nothing but what folding drops.
fn dropped(variants: &[Vec<Item>]) -> Result<Parsed, PhraseError> {
    let mut sequences = Vec::new();
    for items in variants {
        let mut sequence = Vec::new();
        for item in items {
            match *item {
                Item::Slot(..) => sequence.push(DroppedElement::Emoji),
                Item::Char(_, c) => sequence.extend(noted(c).map(DroppedElement::Char)),
            }
        }
        if sequence.is_empty() {
            return Err(PhraseError::new(
                0,
                "折叠后什么也不剩：写上至少一个字、语气词或标点",
                "nothing is left of the phrase: write at least one character, filler or mark",
            ));
        }
        sequences.push(sequence);
    }
    Ok(Parsed::Dropped(sequences))
}

/// A character as folding notes it where it drops it.
fn noted(c: char) -> Option<char> {
    let symbol = TABLE.symbol(c);
    (!matches!(symbol.entry.kind(), Kind::Drop | Kind::Space | Kind::Open | Kind::Close | Kind::Toggle))
        .then_some(symbol.folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(elements: &[Element]) -> String {
        elements
            .iter()
            .map(|element| match element {
                Element::Literal(chars) => chars.iter().collect(),
                Element::Mark => "，".to_owned(),
                Element::Run => "…".to_owned(),
                Element::Number { min, max, fraction } => format!("<{min}-{max}{}>", if *fraction { "." } else { "" }),
                Element::Name => "<name>".to_owned(),
                Element::Any { min, max } => format!("<any {min}-{max}>"),
                Element::Choice(branches) => {
                    format!("({})", branches.iter().map(|branch| show(&branch.elements)).collect::<Vec<_>>().join("|"))
                }
            })
            .collect()
    }

    #[test]
    fn variants() {
        for (text, expect) in [
            ("不知道", "不知道"),
            ("工號零八零幺", "工号0801"),
            ("你找我没用，要解决就去找领导。", "你找我没用，要解决就去找领导"),
            ("嗯，好的", "好的"),
            ("我是{number}号", "我是<1-24.>号"),
            ("工号{number:4-6}", "工号<4-6>"),
            ("收益百分之{number}以上", "收益<1-24.>%以上"),
            ("{name}先生", "<name>先生"),
            ("您是说{any}吗", "您是说<any 1-20>吗"),
            ("您是说，{any:0-4}，吗", "您是说，<any 0-4>，吗"),
            ("(您|请您)稍等(一下|)", "您稍等1下/请您稍等1下/您稍等/请您稍等"),
            ("二十四小时", "24小时"),
            ("\\(一\\)级", "1，级"),
            ("好好好", "好好…"),
            ("不不不知道", "不…知道"),
            ("好好", "好好"),
            ("是是是", "是…"),
        ] {
            let Ok(Parsed::Variants(variants)) = parse(text) else { panic!("{text}: {:?}", parse(text)) };
            let shown: Vec<_> = variants.iter().map(|variant| show(variant)).collect();
            assert_eq!(shown.join("/"), expect, "{text}");
        }
    }

    #[test]
    fn phrases_of_many_variants_are_written_out_in_parts() {
        let (who, how) = ("(急|催|嚷|喊|吵|闹|骂|哭)", "(也|又|都)(没|不)");
        for (text, expect) in [
            // The part that is surely longest is what the automaton finds.
            (
                format!("{who}{{any:0-2}}{how}{{any:0-1}}(用|顶)"),
                "也没/又没/都没/也不/又不/都不".split('/').fold(String::new(), |shown, found| {
                    shown + &format!("/(急|催|嚷|喊|吵|闹|骂|哭)<any 0-2>{found}<any 0-1>(用|顶)")
                }),
            ),
            (
                format!("{who}{{any:0-2}}没有用{{any:0-1}}{who}(的|)"),
                "/(急|催|嚷|喊|吵|闹|骂|哭)<any 0-2>没有用<any 0-1>(急的|催的|嚷的|喊的|吵的|闹的|骂的|哭的|急|催|嚷|喊|吵|闹|骂|哭)".to_owned(),
            ),
        ] {
            let Ok(Parsed::Variants(variants)) = parse(&text) else { panic!("{text}: {:?}", parse(&text)) };
            let shown: String = variants.iter().map(|variant| format!("/{}", show(variant))).collect();
            assert_eq!(shown, expect, "{text}");
        }
        let nothing_is_sure = "(急|)(催|)(嚷|)(喊|){any:0-2}(吵|)(闹|)(骂|)(哭|)";
        assert!(parse(nothing_is_sure).is_err(), "{nothing_is_sure}");
    }

    #[test]
    fn phrases_of_what_is_dropped() {
        use DroppedElement::{Char, Emoji};
        for (text, expect) in [
            ("嗯", vec![Char('嗯')]),
            ("~", vec![Char('~')]),
            ("那个", vec![Char('那'), Char('个')]),
            ("{emoji}", vec![Emoji]),
        ] {
            let Ok(Parsed::Dropped(sequences)) = parse(text) else { panic!("{text}") };
            assert_eq!(sequences, [expect], "{text}");
        }
    }

    #[test]
    fn errors() {
        for (text, at, en) in [
            ("", 0, "the phrase is empty"),
            ("  ", 0, "the phrase is empty"),
            ("{any}", 0, "there must be at least one character besides slots and fillers"),
            ("(不|)", 0, "there must be at least one character besides slots and fillers"),
            ("好(的", 3, ") is missing"),
            ("好的)", 2, "unexpected ); write \\) for the character itself"),
            ("工号｛number｝", 2, "full-width ｛ means nothing: write {, or \\｛ for the character itself"),
            ("工号{numbers}", 2, "no slot {numbers}: there are {number} {number:4-6} {name} {any:0-4} {emoji}"),
            ("工号{number:6-4}", 2, "the count in {number:6-4} must be like 4 or 4-6, at most 24"),
            ("工号{number", 2, "} is missing"),
            ("好的\\", 2, "a character must follow \\"),
            ("好的{emoji}", 2, "{emoji} must stand alone"),
            ("{number}万元", 8, "{number} already includes 万: numerals are folded to their value"),
            ("是是", 0, "stutter is folded, which leaves only 是: write the character once, or more around it"),
            ("_", 0, "nothing is left of the phrase: write at least one character, filler or mark"),
            ("/不知道", 0, "a regular expression must end with /"),
            (
                "/不+/",
                0,
                "a regular expression must contain a fixed text of at least two characters in each of its matches",
            ),
            ("/不知道(/", 4, "the regular expression is malformed: unclosed group"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!((error.at, error.en.as_str()), (at, en), "{text}");
        }
        let many = "(一|二|三|四|五|六|七|八|九)".repeat(3) + "号";
        assert!(parse(&many).expect_err("too many").en.contains("512"));
    }
}
