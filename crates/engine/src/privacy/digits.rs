//! The digits of a text, as written or spoken, in groups that may be parts of one number.

use std::ops::Range;

use super::words::{EMOJI, KEYCAP, filler, is_mark};

/// The check digit X of an ID card.
pub(super) const TEN: u8 = 10;

/// The most characters between two groups that are no digits.
const GAP_MAX: usize = 30;

/// One digit of a number, as spoken or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) value: u8,
    /// Where its character stands.
    pub(super) at: usize,
    /// Where a character stands that says this digit with it: the 三 of 三个八, the 十 of 二十一.
    pub(super) beside: Option<usize>,
}

impl Figure {
    const fn new(value: u8, at: usize) -> Self {
        Self { value, at, beside: None }
    }
}

/// Digits with nothing between them.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// What it may say; several for 一千三百八, which may be 1380 or 1, 3, 8.
    pub(super) readings: Vec<Vec<Figure>>,
    /// What stands between the previous group and this one, if that lets a number go on.
    pub(super) gap: Option<Range<usize>>,
    /// Something in the gap takes back what was said before it.
    pub(super) corrects: bool,
    /// A day in words: 1990年1月1日.
    pub(super) is_date: bool,
    /// From the first of its characters to beyond the last.
    pub(super) span: Range<usize>,
}

impl Group {
    /// The reading by its characters.
    pub(super) fn figures(&self) -> &[Figure] {
        &self.readings[0]
    }

    fn is_single(&self) -> bool {
        self.readings.len() == 1 && !self.is_date && self.figures().len() == 1 && self.figures()[0].value != TEN
    }
}

/// The words or marks between two groups.
struct Gap {
    end: usize,
    corrects: bool,
    /// A digit follows; otherwise the text ends.
    goes_on: bool,
}

/// The groups of digits, each with how it hangs together with the one before, and whether the
/// last may go on in a text that follows.
pub(super) fn read(chars: &[char]) -> (Vec<Group>, bool) {
    let mut groups: Vec<Group> = Vec::new();
    let (mut at, mut gap, mut is_open) = (0, None, false);
    while at < chars.len() {
        let before: Option<(Range<usize>, bool)> = gap.take();
        let read = read_group(chars, at, before.is_some());
        if read.groups.is_empty() {
            at = read.end.max(at + 1);
            continue;
        }
        let mut joint = before;
        for (readings, is_date, span) in read.groups {
            let (gap, corrects) = joint.map_or((None, false), |(gap, corrects)| (Some(gap), corrects));
            joint = Some((span.end..span.end, false));
            groups.push(Group { readings, gap, corrects, is_date, span });
        }
        at = read.end;
        is_open = false;
        if let Some(found) = find_gap(chars, at) {
            is_open = !found.goes_on;
            gap = found.goes_on.then_some((at..found.end, found.corrects));
            at = found.end;
        }
    }
    for at in 1..groups.len() {
        let is_point = groups[at].gap.clone().is_some_and(|gap| is_point(&chars[gap]));
        let (before, after) = (groups[at - 1].figures().len(), groups[at].figures().len());
        let is_clock =
            groups[at].gap.clone().is_some_and(|gap| matches!(chars[gap], [mark] if CLOCK_MARKS.contains(mark)));
        let are_single = groups[at - 1].is_single() && groups[at].is_single();
        // 138.0013.8000 and 1.3.8, but neither a fraction nor an address of a computer.
        if (is_point && !are_single || is_clock) && (before < 3 || after < 3 || before.max(after) < 4) {
            groups[at].gap = None;
        }
    }
    (merge_single_digits(chars, groups), is_open)
}

/// Digits said one by one, with the same between all of them, are one group.
fn merge_single_digits(chars: &[char], groups: Vec<Group>) -> Vec<Group> {
    let mut merged: Vec<Group> = Vec::with_capacity(groups.len());
    // What stands between the single digits of the last group, and whether it has none but such.
    let mut between: Option<Range<usize>> = None;
    let mut is_single = false;
    for group in groups {
        let single = group.is_single();
        let fits = match (&group.gap, &between) {
            (Some(gap), _) if gap.is_empty() || group.corrects => false,
            (Some(gap), Some(between)) => chars[gap.clone()] == chars[between.clone()],
            (Some(_), None) => true,
            (None, _) => false,
        };
        match merged.last_mut().filter(|_| single && is_single && fits) {
            Some(last) => {
                between = group.gap;
                last.span.end = group.span.end;
                last.readings[0].extend(&group.readings[0]);
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

/// What begins at one place: none, one, or a group and the date behind it.
struct Read {
    groups: Vec<(Vec<Vec<Figure>>, bool, Range<usize>)>,
    end: usize,
}

impl Read {
    fn of(readings: Vec<Vec<Figure>>, span: Range<usize>) -> Self {
        Self { end: span.end, groups: vec![(readings, false, span)] }
    }
}

/// The group that begins at `start`. A check digit `follows` others.
fn read_group(chars: &[char], start: usize, follows: bool) -> Read {
    let none = |end| Read { groups: Vec::new(), end };
    if let Some(length) = check_digit(&chars[start..]) {
        if !follows {
            return none(start);
        }
        return Read::of(vec![vec![Figure::new(TEN, start)]], start..start + length);
    }
    if let Some((count, value)) = repeated(&chars[start..]) {
        let figure = Figure { value, at: start + 2, beside: Some(start) };
        return Read::of(vec![vec![figure; count.into()]], start..start + 3);
    }
    if let Some(read) = read_date(chars, start) {
        return read;
    }
    match read_numeral(chars, start) {
        Some(Numeral::Count(end)) => return none(end),
        Some(Numeral::Digits(readings, end)) => return Read::of(readings, start..end),
        None => {}
    }
    let mut figures = Vec::new();
    let mut at = start;
    while let Some(value) = chars.get(at).and_then(|&c| figure(c)).or_else(|| letter_zero(chars, start, at)) {
        let is_said = !MISHEARD.contains(chars[at]) || is_misheard_one(chars, at);
        let opens_word = at > start
            && (repeated(&chars[at..]).is_some() || ends_in_word(chars, at) || read_numeral(chars, at).is_some());
        if !is_said || opens_word {
            break;
        }
        figures.push(Figure::new(value, at));
        at += 1;
        while chars.get(at).is_some_and(|&c| matches!(c, KEYCAP | EMOJI)) {
            at += 1;
        }
        // What may belong to the words before it is a group of its own.
        let is_first = at == start + 1;
        if is_first && (MISHEARD.contains(chars[start]) || begins_in_word(chars, start)) {
            break;
        }
    }
    if figures.is_empty() { none(start) } else { Read::of(vec![figures], start..at) }
}

/// A day that begins at `start`, perhaps behind other digits: 1101051990年1月1日.
fn read_date(chars: &[char], start: usize) -> Option<Read> {
    let run = chars[start..].iter().take_while(|&&c| digit(c).is_some()).count();
    let year_end = start + run;
    let separator = *chars.get(year_end)?;
    let marks: [&[char]; 2] = match separator {
        '年' => [&['月'], &['日', '号']],
        '-' | '/' | '.' => [&[separator], &[]],
        _ => return None,
    };
    let values: Vec<u8> = chars[start..year_end].iter().filter_map(|&c| digit(c)).collect();
    let is_full = run >= 4 && matches!(values[run - 4..run - 2], [1, 9] | [2, 0]);
    let length = if is_full { 4 } else { 2 };
    if run < length || !is_full && separator != '年' {
        return None;
    }
    let year_start = year_end - length;
    let mut figures: Vec<Figure> = (year_start..year_end).map(|at| Figure::new(values[at - start], at)).collect();
    let (month, month_end) = read_small(chars, year_end + 1, 12)?;
    figures.extend(month);
    if !marks[0].contains(chars.get(month_end)?) {
        return None;
    }
    let (day, day_end) = read_small(chars, month_end + 1, 31)?;
    figures.extend(day);
    if separator != '年' && chars.get(day_end).copied().and_then(digit).is_some() {
        // Digits go on behind it: the signs part a long number, 110692000-1-01000.
        return None;
    }
    let has_mark = chars.get(day_end).is_some_and(|mark| marks[1].contains(mark));
    let end = day_end + usize::from(has_mark);
    let mut groups = Vec::new();
    if year_start > start {
        let before = (start..year_start).map(|at| Figure::new(values[at - start], at)).collect();
        groups.push((vec![before], false, start..year_start));
    }
    groups.push((vec![figures], true, year_start..end));
    Some(Read { groups, end })
}

/// A month or a day as two digits, 1 to `max`, and where it ends: 1, 01, 一, 零一, 十, 十二, 二十, 三十一.
fn read_small(chars: &[char], start: usize, max: u8) -> Option<([Figure; 2], usize)> {
    let at = |offset: usize| chars.get(start + offset).copied();
    let value = |offset| at(offset).and_then(digit);
    let figure = |value, offset| Figure::new(value, start + offset);
    let beside = |value, offset, other| Figure { beside: Some(start + other), ..figure(value, offset) };
    let (figures, length) = match (value(0), at(0), at(1), value(1), value(2)) {
        (None, Some('十'), _, Some(ones), _) => ([figure(1, 0), figure(ones, 1)], 2),
        (None, Some('十'), ..) => ([figure(1, 0), figure(0, 0)], 1),
        (Some(tens), _, Some('十'), _, Some(ones)) => ([figure(tens, 0), beside(ones, 2, 1)], 3),
        (Some(tens), _, Some('十'), ..) => ([figure(tens, 0), figure(0, 1)], 2),
        (Some(tens), _, _, Some(ones), _) => ([figure(tens, 0), figure(ones, 1)], 2),
        (Some(ones), ..) => ([figure(0, 0), figure(ones, 0)], 1),
        _ => return None,
    };
    let number = figures[0].value * 10 + figures[1].value;
    (1..=max).contains(&number).then_some((figures, start + length))
}

/// The kind of a numeral with 千, 百 or 十.
enum Numeral {
    /// A number of things or of money, and where it ends: 三千五百块.
    Count(usize),
    /// Digits that a recogniser, or who reads aloud, put so.
    Digits(Vec<Vec<Figure>>, usize),
}

/// The numeral that begins at `start`.
fn read_numeral(chars: &[char], start: usize) -> Option<Numeral> {
    const UNITS: [(char, u32); 3] = [('千', 3), ('百', 2), ('十', 1)];
    let power =
        |at: usize| chars.get(at).and_then(|c| UNITS.iter().find(|(unit, _)| unit == c)).map(|&(_, power)| power);
    let value = |at: usize| chars.get(at).copied().and_then(digit);
    // The place of each digit and its power of ten; that of a unit without a digit, 十, counts as one.
    let mut parts: Vec<(Figure, u32)> = Vec::new();
    let (mut at, mut lowest, mut has_units) = (start, 4, false);
    if power(at) == Some(1) && value(at + 1).is_some() {
        parts.push((Figure::new(1, at), 1));
        (at, lowest, has_units) = (at + 1, 1, true);
    }
    let mut last_unit = at.saturating_sub(1);
    loop {
        let (skips, from) = if has_units && value(at) == Some(0) { (Some(at), at + 1) } else { (None, at) };
        let Some(said) = value(from).filter(|&said| said > 0) else { break };
        match power(from + 1).filter(|&power| power < lowest) {
            Some(power) => {
                parts.push((Figure { value: said, at: from, beside: skips }, power));
                (at, lowest, has_units, last_unit) = (from + 2, power, true, from + 1);
            }
            None if has_units && power(from + 1).is_none() => {
                // 一千三百八: the next place. 一千三百零八: the last.
                let power = if skips.is_some() || lowest == 1 { 0 } else { lowest - 1 };
                parts.push((Figure { value: said, at: from, beside: skips }, power));
                (at, lowest) = (from + 1, power);
                break;
            }
            None => break,
        }
    }
    if !has_units {
        return None;
    }
    if chars.get(at).is_some_and(|&next| MEASURES.contains(next)) {
        return Some(Numeral::Count(at));
    }
    let highest = parts[0].1;
    let mut number = vec![None; highest as usize + 1];
    for &(figure, power) in &parts {
        number[(highest - power) as usize] = Some(figure);
    }
    let zero_at = if lowest == 0 { parts[parts.len() - 1].0.at } else { last_unit.max(parts[parts.len() - 1].0.at) };
    let number: Vec<Figure> =
        number.into_iter().map(|figure| figure.unwrap_or_else(|| Figure::new(0, zero_at))).collect();
    let bare: Vec<Figure> = parts.iter().map(|&(figure, _)| figure).collect();
    let mut readings = vec![number];
    if lowest == 0 && parts.len() > 1 && parts[parts.len() - 2].1 == 1 {
        // 一千三百九十，一…: the last digit begins what follows.
        let (last, _) = parts[parts.len() - 1];
        let mut split = readings[0].clone();
        let place = split.len() - 1;
        split[place] = Figure::new(0, last.at - 1);
        split.push(last);
        readings.push(split);
    }
    if bare.len() != readings[0].len() {
        readings.push(bare);
    }
    Some(Numeral::Digits(readings, at))
}

/// The nouns of counted or paid things, after a numeral.
const MEASURES: &str = "个下起共样边种次遍块条张万亿年月号天周楼份家封句会元圆毛角分秒小时兆兄G度斤米公里人名岁日期级栋单层室路吨克升页本瓶件套台部辆笔票倍折多来几万%％";

/// The character of a spoken 1 as recognisers mishear it.
const MISHEARD: &str = "要腰妖夭吆么";

/// The digit of a character, or of one that sounds like the spoken 1.
pub(super) fn figure(c: char) -> Option<u8> {
    digit(c).or_else(|| MISHEARD.contains(c).then_some(1))
}

/// The first character of each run of ten digits, from zero on.
const RUNS_OF_TEN: [char; 17] = ['0', '０', '٠', '۰', '०', '০', '๐', '໐', '༠', '၀', '០', '𝟎', '𝟘', '𝟢', '𝟬', '𝟶', '₀'];
/// The first character of each run of nine digits, from one on.
const RUNS_OF_NINE: [char; 6] = ['①', '⑴', '⒈', '❶', '➀', '➊'];

pub(super) fn digit(c: char) -> Option<u8> {
    let spoken = match c {
        '0'..='9' => c as u8 - b'0',
        '零' | '〇' | '○' | '洞' | '⓪' | '⓿' | '⁰' => 0,
        '一' | '幺' | '壹' | '¹' => 1,
        '二' | '两' | '兩' | '贰' | '貳' | '²' => 2,
        '三' | '叁' | '參' | '³' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' | '陸' => 6,
        '七' | '柒' | '拐' => 7,
        '八' | '捌' => 8,
        '九' | '玖' | '勾' | '钩' => 9,
        '⁴'..='⁹' => u8::try_from(c as u32 - '⁰' as u32).ok()?,
        _ => return run_digit(c),
    };
    Some(spoken)
}

/// The digit of a character in a run of digits.
fn run_digit(c: char) -> Option<u8> {
    if c < '\u{660}' {
        return None;
    }
    let offset = |first: &char| (c as u32).checked_sub(*first as u32);
    let ten = RUNS_OF_TEN.iter().filter_map(offset).find(|offset| *offset < 10);
    let nine = || RUNS_OF_NINE.iter().filter_map(offset).find(|offset| *offset < 9).map(|offset| offset + 1);
    ten.or_else(nine).and_then(|value| u8::try_from(value).ok())
}

/// Whether the character is masked where it says a digit.
pub(super) fn is_masked(c: char) -> bool {
    digit(c).is_some() || "十百千OoＯｏ".contains(c)
}

/// A letter O between the digits of a group stands for a zero.
fn letter_zero(chars: &[char], start: usize, at: usize) -> Option<u8> {
    let is_o = |c: char| "OoＯｏ".contains(c);
    let before = at.checked_sub(1).filter(|_| at > start).map(|before| chars[before])?;
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    let fits = is_o(*chars.get(at)?)
        && (before.is_ascii_digit() || is_o(before))
        && (is_o(next) || !next.is_alphabetic() || !next.is_ascii());
    fits.then_some(0)
}

fn is_spoken(c: char) -> bool {
    digit(c).is_some() && !c.is_numeric() || digit(c).is_some() && "零〇一二两三四五六七八九".contains(c)
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

fn is_point(gap: &[char]) -> bool {
    matches!(gap, ['.' | '．'])
}

/// What stands from `start` to the next digit or to the end; `None` if it ends the number.
fn find_gap(chars: &[char], start: usize) -> Option<Gap> {
    let mut at = start;
    let (mut corrects, mut pauses) = (false, false);
    loop {
        let rest = &chars[at..];
        let Some(&next) = rest.first() else { return Some(Gap { end: at, corrects, goes_on: false }) };
        let word = filler(rest);
        let is_digit = digit(next).is_some() || check_digit(rest).is_some() || power_digit(rest);
        if word.is_none() && is_digit || figure(next).is_some() && word.is_none() && is_misheard_one(rest, 0) {
            return Some(Gap { end: at, corrects, goes_on: true });
        }
        let is_clock = CLOCK_MARKS.contains(next) && at == start;
        at += match word {
            Some(word) => {
                corrects |= word.corrects;
                pauses |= word.pauses;
                word.length
            }
            None if is_mark(next) || is_clock || pauses && is_talk(next) => 1,
            None => return None,
        };
        if at - start > GAP_MAX {
            return None;
        }
    }
}

/// What stands in times and sums, and between groups of three digits and more in a number.
const CLOCK_MARKS: &str = "点:：+＋=＝";

/// What may be said while somebody looks for the rest of a number; not what is counted.
fn is_talk(c: char) -> bool {
    !c.is_ascii() && c.is_alphabetic() && !"元块万亿年月号".contains(c)
}

/// 十五: a numeral that begins with its unit.
fn power_digit(chars: &[char]) -> bool {
    matches!(chars, ['十', next, ..] if digit(*next).is_some())
}
