//! Personal data in what was said: ID cards, mobile numbers and bank cards.
//!
//! [`mask`] puts a `*` in the place of each digit, one scalar value for one, so
//! that offsets of evidence stay valid. What stays readable is what Chinese
//! custom leaves on paper slips:
//!
//! | number | recognised by | stays |
//! |---|---|---|
//! | ID card, 18 places | place of issue, date of birth, the check of GB 11643 | first 3, last 4 |
//! | ID card, 15 places (until 1999) | place of issue, date of birth | first 3, last 3 |
//! | bank card, 13–19 digits | leading digits, Luhn's check | last 4 |
//! | mobile number, 11 digits, also after 86 | 1 and 3–9 | first 3, last 4 |
//!
//! Digits may be ASCII, full width or spoken (幺三八), mixed as recognisers mix
//! them, and cut into groups by marks, spaces, dashes and the little words of
//! somebody who reads aloud (嗯, 然后, 后面是); three 8s may be 三个八. A group that is
//! begun anew (138，00，0013，8000) counts once. Numbers begin and end where groups do,
//! so what merely stands inside a longer number is not touched, nor are amounts,
//! dates, times and short numbers.
//!
//! Deliberately absent: landlines, passports, names and addresses; numbers that
//! were misheard, because the checks no longer tell them from order numbers.

use std::borrow::Cow;
use std::ops::Range;

/// `text` with personal numbers masked: as many scalar values as before, and
/// none but digits replaced. Masking twice changes nothing more.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    if text.chars().filter(|&c| figure(c).is_some()).take(FEWEST_DIGITS).count() < FEWEST_DIGITS {
        return Cow::Borrowed(text);
    }
    let mut chars: Vec<char> = text.chars().collect();
    let mut changed = false;
    // What one number leaves readable may complete another one.
    while mask_once(&mut chars) {
        changed = true;
    }
    if changed { Cow::Owned(chars.into_iter().collect()) } else { Cow::Borrowed(text) }
}

/// Texts that follow one another, masked as one: a number may be read out over
/// several of them. `None` if nothing had to be masked.
#[must_use]
pub fn mask_all(texts: &[&str]) -> Option<Vec<String>> {
    let joined = texts.join("\n");
    let Cow::Owned(masked) = mask(&joined) else { return None };
    let mut rest = masked.chars();
    Some(
        texts
            .iter()
            .map(|text| {
                let masked = rest.by_ref().take(text.chars().count()).collect();
                rest.next();
                masked
            })
            .collect(),
    )
}

/// No personal number is written with fewer characters for digits: 一三八四个零四个八.
const FEWEST_DIGITS: usize = 7;

/// The longest personal number: a bank card.
const LONGEST: usize = 19;

/// So many characters that are no digits may stand between two groups.
const GAP_MAX: usize = 12;

/// So many groups of one number may be begun anew.
const RESTARTS_MAX: usize = 2;

/// The check digit X of an ID card.
const TEN: u8 = 10;

/// One digit of a number, as spoken or written.
#[derive(Clone, Copy)]
struct Figure {
    value: u8,
    /// Where its character stands.
    at: usize,
    /// Where the count stands that it shares with others (the 三 of 三个八).
    count_at: Option<usize>,
}

/// Digits with nothing between them.
struct Group {
    figures: Vec<Figure>,
    /// What stands between the previous group and this one, if that lets a number go on.
    gap: Option<Range<usize>>,
    /// From the first of its characters to beyond the last.
    span: Range<usize>,
}

/// Masks every number that stands there now; whether there was one.
fn mask_once(chars: &mut [char]) -> bool {
    let groups = read(chars);
    let mut hidden = Vec::new();
    for first in 0..groups.len() {
        let mut search = Search { chars, groups: &groups, first, figures: Vec::new(), hidden: &mut hidden };
        search.go_on(first, 0);
    }
    let mut changed = false;
    for at in hidden {
        // A misheard 幺 (要) counts as a digit but is none.
        if digit(chars[at]).is_some() {
            chars[at] = '*';
            changed = true;
        }
    }
    changed
}

/// Looks for numbers that begin with one group.
struct Search<'a> {
    chars: &'a [char],
    groups: &'a [Group],
    first: usize,
    figures: Vec<Figure>,
    hidden: &'a mut Vec<usize>,
}

impl Search<'_> {
    /// The number goes on with the group `at`, as said or begun anew with the next.
    fn go_on(&mut self, at: usize, restarts: usize) {
        let group = &self.groups[at];
        let length = self.figures.len();
        let next = self.groups.get(at + 1).filter(|next| next.gap.is_some());
        if length + group.figures.len() <= LONGEST {
            self.figures.extend(&group.figures);
            self.judge(at);
            if next.is_some() {
                self.go_on(at + 1, restarts);
            }
            self.figures.truncate(length);
        }
        if let Some(next) = next
            && at > self.first
            && restarts < RESTARTS_MAX
            && !next.gap.as_ref().is_some_and(Range::is_empty)
            && same_digits(&next.figures, &group.figures)
        {
            let hidden = self.hidden.len();
            self.go_on(at + 1, restarts + 1);
            if self.hidden.len() > hidden {
                // What was begun and said again is as personal as what was said in the end.
                let aborted = group.figures.iter().zip(&next.figures);
                let again: Vec<usize> = aborted
                    .filter(|(_, said)| self.hidden[hidden..].contains(&said.at))
                    .map(|(begun, _)| begun.at)
                    .collect();
                self.hidden.extend(again);
            }
        }
    }

    /// Hides the digits so far if they are a number that ends with the group `last`.
    fn judge(&mut self, last: usize) {
        let values: Vec<u8> = self.figures.iter().map(|figure| figure.value).collect();
        let Some((first, end)) = shown(&values) else { return };
        let groups = &self.groups[self.first..=last];
        if is_amount(self.chars, groups) {
            return;
        }
        for figure in &self.figures[first..values.len() - end] {
            self.hidden.push(figure.at);
            self.hidden.extend(figure.count_at);
        }
    }
}

/// Whether what was begun is how `said` begins.
fn same_digits(said: &[Figure], begun: &[Figure]) -> bool {
    begun.len() <= said.len() && begun.iter().zip(said).all(|(begun, said)| begun.value == said.value)
}

/// How many digits of a personal number stay readable, first and last; `None` if it is none.
fn shown(values: &[u8]) -> Option<(usize, usize)> {
    let country_code = match values {
        [0, 0, 8, 6, 1, ..] => 4,
        [8, 6, 1, ..] => 2,
        _ => 0,
    };
    if is_mobile(&values[country_code..]) {
        Some((country_code + 3, 4))
    } else if is_id_card(values) {
        Some((3, 4))
    } else if is_old_id_card(values) {
        Some((3, 3))
    } else if is_bank_card(values) {
        Some((0, 4))
    } else {
        None
    }
}

fn is_mobile(values: &[u8]) -> bool {
    values.len() == 11 && values[0] == 1 && (3..=9).contains(&values[1]) && !values.contains(&TEN)
}

/// 18 places: six for where it was issued, eight for the date of birth, three, and the check of GB 11643.
fn is_id_card(values: &[u8]) -> bool {
    const WEIGHTS: [u32; 18] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1];
    values.len() == 18
        && !values[..17].contains(&TEN)
        && is_province(values)
        && matches!(number(&values[6..10]), 1880..=2099)
        && is_day(&values[10..14])
        && values.iter().zip(WEIGHTS).map(|(&value, weight)| u32::from(value) * weight).sum::<u32>() % 11 == 1
}

/// 15 places: the same without century and check.
fn is_old_id_card(values: &[u8]) -> bool {
    values.len() == 15 && !values.contains(&TEN) && is_province(values) && is_day(&values[8..12])
}

fn is_province(values: &[u8]) -> bool {
    matches!(number(&values[..2]), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83 | 91)
}

/// Whether four digits are a month and a day of it.
fn is_day(values: &[u8]) -> bool {
    let days = match number(&values[..2]) {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&number(&values[2..]))
}

/// The beginnings that card networks and Chinese banks give out, in the lengths that they do, and Luhn's check.
fn is_bank_card(values: &[u8]) -> bool {
    if values.contains(&TEN) {
        return false;
    }
    let plausible = match values.len() {
        13 => values[0] == 4,
        14 => matches!(number(&values[..2]), 30 | 36 | 38 | 39),
        15 => matches!(number(&values[..2]), 34 | 37),
        16 => matches!(values[0], 3..=6 | 8 | 9) || (2221..=2720).contains(&number(&values[..4])),
        17..=19 => matches!(values[0], 3..=6 | 8 | 9) || values.starts_with(&[1, 0, 3]),
        _ => false,
    };
    plausible
        && values
            .iter()
            .rev()
            .enumerate()
            .map(|(place, &value)| match (place % 2, u32::from(value) * 2) {
                (0, _) => u32::from(value),
                (_, doubled) => doubled / 10 + doubled % 10,
            })
            .sum::<u32>()
            .is_multiple_of(10)
}

fn number(values: &[u8]) -> u32 {
    values.iter().fold(0, |number, &value| number * 10 + u32::from(value))
}

/// Whether the groups are an amount: ¥13800138000, 13,800,138,000, 13800138000.50, 13800138000元, 0.13800138000.
fn is_amount(chars: &[char], groups: &[Group]) -> bool {
    let (first, last) = (&groups[0], &groups[groups.len() - 1]);
    let before = first.span.start.checked_sub(1).map(|before| chars[before]);
    let mut after = chars[last.span.end..].iter();
    let follows = match after.next() {
        Some('元' | '块' | '圆' | '万' | '亿' | '%') => true,
        Some('.') => matches!(after.take_while(|c| c.is_ascii_digit()).count(), 1..=2),
        _ => false,
    };
    let thousands = groups.len() > 1
        && first.figures.len() <= 3
        && groups[1..]
            .iter()
            .all(|group| group.figures.len() == 3 && group.gap.as_ref().is_some_and(|gap| chars[gap.clone()] == [',']));
    let is_fraction = first.gap.is_none() && chars[..first.span.start].ends_with(&['0', '.']);
    follows || thousands || is_fraction || matches!(before, Some('¥' | '￥' | '$'))
}

/// The groups of digits, each with how it hangs together with the one before.
fn read(chars: &[char]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    let mut gap = None;
    while at < chars.len() {
        let gap_before = gap.take();
        let Some((figures, end)) = read_group(chars, at, gap_before.is_some()) else {
            at += 1;
            continue;
        };
        groups.push(Group { figures, gap: gap_before, span: at..end });
        at = end;
        if let Some(end) = gap_end(chars, at) {
            gap = Some(at..end);
            at = end;
        }
    }
    for at in 1..groups.len() {
        if groups[at].gap.as_ref().is_some_and(|gap| is_point(&chars[gap.clone()])) {
            let (before, after) = (groups[at - 1].figures.len(), groups[at].figures.len());
            // 138.0013.8000, but neither a fraction nor an address of a computer.
            if before < 3 || after < 3 || before.max(after) < 4 {
                groups[at].gap = None;
            }
        }
    }
    merge_single_digits(chars, groups)
}

/// Digits said one by one, with the same between all of them, are one group.
fn merge_single_digits(chars: &[char], groups: Vec<Group>) -> Vec<Group> {
    let mut merged: Vec<Group> = Vec::with_capacity(groups.len());
    // What stands between the single digits of the last group, and whether it has none but such.
    let mut between: Option<Range<usize>> = None;
    let mut is_single = false;
    for group in groups {
        let single = group.figures.len() == 1 && group.figures[0].value != TEN;
        let fits = match (&group.gap, &between) {
            (Some(gap), _) if gap.is_empty() => false,
            (Some(gap), Some(between)) => chars[gap.clone()] == chars[between.clone()],
            (Some(_), None) => true,
            (None, _) => false,
        };
        match merged.last_mut().filter(|_| single && is_single && fits) {
            Some(last) => {
                between = group.gap;
                last.span.end = group.span.end;
                last.figures.extend(group.figures);
            }
            None => {
                between = None;
                is_single = single;
                merged.push(group);
            }
        }
    }
    merged
}

/// The digits of the group that begins at `start`, and where it ends. A check digit `follows` others.
fn read_group(chars: &[char], start: usize, follows: bool) -> Option<(Vec<Figure>, usize)> {
    if let Some(length) = check_digit(&chars[start..]) {
        return follows.then(|| (vec![Figure { value: TEN, at: start, count_at: None }], start + length));
    }
    if let Some((count, value)) = repeated(&chars[start..]) {
        let figure = Figure { value, at: start + 2, count_at: Some(start) };
        return Some((vec![figure; count.into()], start + 3));
    }
    let mut figures = Vec::new();
    let mut at = start;
    while let Some(value) = chars.get(at).and_then(|&c| figure(c)) {
        let is_said = digit(chars[at]).is_some() || is_misheard_one(chars, at);
        let opens_word = at > start && (repeated(&chars[at..]).is_some() || ends_in_word(chars, at));
        if !is_said || opens_word {
            break;
        }
        figures.push(Figure { value, at, count_at: None });
        at += 1;
        // What may belong to the words before it is a group of its own.
        let is_first = at == start + 1;
        if is_first && (digit(chars[start]).is_none() || begins_in_word(chars, start)) {
            break;
        }
    }
    (!figures.is_empty()).then_some((figures, at))
}

/// What the character says if it is a digit, or sounds like the spoken 1.
fn figure(c: char) -> Option<u8> {
    digit(c).or_else(|| "要腰妖夭吆".contains(c).then_some(1))
}

fn digit(c: char) -> Option<u8> {
    Some(match c {
        '0'..='9' => c as u8 - b'0',
        '０'..='９' => (c as u32 - '０' as u32) as u8,
        '零' | '〇' | '○' => 0,
        '一' | '幺' | '壹' => 1,
        '二' | '两' | '兩' | '贰' | '貳' => 2,
        '三' | '叁' | '參' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' | '陸' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

fn is_spoken(c: char) -> bool {
    digit(c).is_some() && !c.is_ascii_digit() && !('０'..='９').contains(&c)
}

/// 要三八零零: 幺 as recognisers mishear it, before a digit.
fn is_misheard_one(chars: &[char], at: usize) -> bool {
    chars.get(at + 1).is_some_and(|&next| digit(next).is_some())
}

/// The check digit that `chars` begin with: how many characters it takes.
fn check_digit(chars: &[char]) -> Option<usize> {
    match chars {
        ['X' | 'x' | 'Ｘ' | 'ｘ' | '×' | '叉', ..] => Some(1),
        ['艾' | '爱' | '埃', '克', '斯', ..] => Some(3),
        _ => None,
    }
}

/// 三个八: a count of two to eight and a digit.
fn repeated(chars: &[char]) -> Option<(u8, u8)> {
    let [count, '个', value, rest @ ..] = chars else { return None };
    let is_numeral = matches!(rest.first(), Some('十' | '百' | '千' | '万' | '亿' | '个'));
    let count = digit(*count).filter(|count| (2..=8).contains(count) && !is_numeral)?;
    Some((count, digit(*value)?))
}

/// Whether the spoken digit at `at` belongs to the word that follows: …零零零一个人.
fn ends_in_word(chars: &[char], at: usize) -> bool {
    const HEADS: &str = "个位些下起共定样般直边种次遍点块条张十百千万亿年月号天周楼份家封句会切并旦律半方面级";
    is_spoken(chars[at]) && chars.get(at + 1).is_some_and(|&next| HEADS.contains(next))
}

/// Whether the spoken digit at `at` belongs to the word before it: 统一一三八….
fn begins_in_word(chars: &[char], at: usize) -> bool {
    const HEADS: &str = "第周统唯万之同单逐十百千期拜初";
    is_spoken(chars[at]) && at > 0 && HEADS.contains(chars[at - 1])
}

/// Marks, spaces and dashes that may stand between the groups of a number.
/// A colon or a slash makes it a time or a date, a star was masked before.
fn is_mark(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}')
        || "-－–—―‐‑_·•・.．,，、;；。…~～!！?？()（）\"“”|｜".contains(c)
}

fn is_point(gap: &[char]) -> bool {
    matches!(gap, ['.' | '．'])
}

/// Where the gap after a group ends that another group follows.
fn gap_end(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = &chars[at..];
        let next = *rest.first()?;
        if digit(next).is_some() || check_digit(rest).is_some() || (figure(next).is_some() && is_misheard_one(rest, 0))
        {
            return Some(at);
        }
        at += if is_mark(next) { 1 } else { filler(rest)? };
        if at - start > GAP_MAX {
            return None;
        }
    }
}

/// The little word that `chars` begin with, of those who read a number aloud: its length.
fn filler(chars: &[char]) -> Option<usize> {
    const WORDS: [&str; 33] = [
        "后面就是",
        "然后就是",
        "后面是",
        "然后是",
        "接下来",
        "中间是",
        "最后是",
        "后边是",
        "那个",
        "这个",
        "就是",
        "然后",
        "后面",
        "后边",
        "接着",
        "中间",
        "最后",
        "还有",
        "好的",
        "对吧",
        "是吧",
        "嗯",
        "啊",
        "呃",
        "哦",
        "噢",
        "唔",
        "诶",
        "欸",
        "哎",
        "唉",
        "额",
        "杠",
    ];
    const PARTICLES: &str = "喔呢吧呀嘛哈的对是好再";
    const SOUNDS: [&str; 10] = ["hmm", "hm", "um", "uh", "em", "mm", "er", "ah", "eh", "oh"];
    let begins = |word: &&&str| word.chars().eq(chars.iter().take(word.chars().count()).copied());
    if let Some(word) = WORDS.iter().find(begins) {
        return Some(word.chars().count());
    }
    if PARTICLES.contains(chars[0]) {
        return Some(1);
    }
    let letters = chars.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let sound: String = chars[..letters].iter().map(char::to_ascii_lowercase).collect();
    SOUNDS.contains(&sound.as_str()).then_some(letters)
}
