//! Numerals: 一百二十, 十五, 1万, 一点五 and 工号零八零幺 as the digits they mean.
//!
//! A run is a maximal sequence of digits, 十百千万亿 and decimal points that
//! begins with a digit or 十. A run that holds a unit becomes the digits of its
//! value if it parses as a number; otherwise each of its digits stands for
//! itself and its units stay characters. Phrases are folded by the same rule,
//! so words made of numerals (万一, 千万) meet themselves in any case.
//!
//! Where a number and a word are written alike (十分, 一点, 二百五, 三八, 五一, 十三点),
//! what stands beside them decides, and the word stays characters. So do
//! approximate numbers (三四天, 十七八个), which have no value. Whether 十分钟 has
//! a 十 is decided without a dictionary: folding sees three symbols ahead.

use std::str::Chars;

use super::chars::{DIGITS, Kind, Table, follows_one, is_han};

/// What a price is for: the 一 before it is not part of the price (三万一天).
const EACH: &str = "天个次年月日周晚小分秒人份位台件条张盒包斤瓶套平";

/// The longest value written out: 20 digits, a point and a fraction.
const TEXT_MAX: usize = 40;

/// The reading of a run of numeral characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// As many bytes of raw text, each digit and unit for itself.
    Literal { bytes: usize },
    /// A number.
    Value { value: Value, bytes: usize },
}

/// A number as ASCII digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    text: [u8; TEXT_MAX],
    len: usize,
}

impl Value {
    fn new(integer: u64) -> Self {
        let mut value = Self { text: [0; TEXT_MAX], len: 0 };
        let mut scale = integer.checked_ilog10().unwrap_or(0);
        loop {
            value.push(b'0' + (integer / 10_u64.pow(scale) % 10) as u8);
            let Some(next) = scale.checked_sub(1) else { return value };
            scale = next;
        }
    }

    fn push(&mut self, c: u8) -> bool {
        let fits = self.len < TEXT_MAX;
        if fits {
            self.text[self.len] = c;
            self.len += 1;
        }
        fits
    }

    /// The digits, and the point if there is one.
    pub(super) fn chars(&self) -> impl Iterator<Item = char> {
        self.text[..self.len].iter().map(|&byte| char::from(byte))
    }
}

#[derive(Clone, Copy)]
enum Token {
    Digit { value: u64, is_ascii: bool },
    Unit(u64),
    Point { is_spoken: bool },
}

/// The tokens of a run, skipping what folding drops between them.
#[derive(Clone)]
struct Tokens<'t> {
    table: &'t Table,
    rest: Chars<'t>,
    /// The last token and the one before it.
    last: [Option<Token>; 2],
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        let c = next_solid(self.table, &mut self.rest)?;
        let symbol = self.table.symbol(c);
        let token = match symbol.entry.kind() {
            // A 一 that begins a word ends the numeral before it: 十五号一定到, 三万一天.
            Kind::Digit if c == '一' && self.last[0].is_some() && self.begins_word() => return None,
            Kind::Digit => Token::Digit { value: u64::from(symbol.folded as u8 - b'0'), is_ascii: !is_han(c) },
            Kind::Unit => Token::Unit(match symbol.folded {
                '十' => 10,
                '百' => 100,
                '千' => 1_000,
                '万' => 10_000,
                _ => 100_000_000,
            }),
            Kind::Point => Token::Point { is_spoken: false },
            Kind::SpokenPoint => Token::Point { is_spoken: true },
            _ => return None,
        };
        self.last = [Some(token), self.last[0]];
        Some(token)
    }

    /// Whether the 一 just read begins a word: 一定, or 一天 after a number that is whole without it.
    fn begins_word(&self) -> bool {
        let is_whole = match self.last {
            [Some(Token::Unit(unit)), _] => unit > 10,
            [Some(Token::Digit { is_ascii: true, .. }), _] => true,
            [Some(Token::Digit { value, .. }), Some(Token::Unit(_))] => value > 0,
            _ => false,
        };
        peek_solid(self.table, &self.rest)
            .is_some_and(|next| follows_one(next) || is_whole && EACH.contains(self.table.symbol(next).folded))
    }

    fn len(&self) -> usize {
        self.rest.as_str().len()
    }
}

/// The next character that folding does not drop unseen.
pub(super) fn next_solid(table: &Table, rest: &mut Chars<'_>) -> Option<char> {
    rest.find(|&c| !matches!(table.kind(c), Kind::Drop | Kind::Space))
}

/// The next character that folding does not drop unseen, left in `rest`.
pub(super) fn peek_solid(table: &Table, rest: &Chars<'_>) -> Option<char> {
    next_solid(table, &mut rest.clone())
}

/// Reads the run that `rest` begins with. It must begin with a digit or 十.
pub(super) fn read(table: &Table, rest: &str) -> Run {
    let mut tokens = Tokens { table, rest: rest.chars(), last: [None; 2] };
    let mut number = Number::default();
    let mut end = tokens.clone();
    loop {
        match tokens.next() {
            Some(Token::Digit { value, is_ascii }) => number.digit(value, is_ascii),
            Some(Token::Unit(unit)) => number.unit(unit),
            Some(Token::Point { is_spoken }) => return with_fraction(number, tokens, end, rest.len(), is_spoken),
            None => return number.finish(None, rest.len() - end.len()),
        }
        end = tokens.clone();
    }
}

/// Reads the fraction after a point, or ends the run before the point if none follows.
fn with_fraction(number: Number, mut tokens: Tokens<'_>, before_point: Tokens<'_>, len: usize, is_spoken: bool) -> Run {
    let fraction = tokens.clone();
    let mut end = before_point.clone();
    let mut units = None;
    loop {
        match tokens.next() {
            Some(Token::Digit { is_ascii, .. }) => {
                end = tokens.clone();
                // 3点10分 is a time of day, however it is written.
                if is_spoken && is_ascii && peek_solid(end.table, &end.rest) == Some('分') {
                    return number.finish(None, len - before_point.len());
                }
            }
            // 三点五十 is a time of day, and 三点五百人 has one in it.
            Some(Token::Unit(10)) => return number.finish(None, len - before_point.len()),
            Some(Token::Unit(100..=1_000)) if is_spoken => return number.finish(None, len - before_point.len()),
            Some(Token::Unit(unit)) => {
                units = Some(unit);
                break;
            }
            _ => break,
        }
    }
    let has_fraction = end.len() < fraction.len();
    if let Some(first) = units.filter(|_| has_fraction)
        && let Some((value, rest)) = scaled(&number, fraction.clone(), first, tokens)
    {
        return Run::Value { value, bytes: len - rest.len() };
    }
    number.finish(has_fraction.then_some(fraction), len - end.len())
}

/// The value of 1.5万 and 三点二万亿, and what follows it. `after` is what follows the first unit.
fn scaled<'t>(
    number: &Number,
    mut fraction: Tokens<'t>,
    first: u64,
    mut after: Tokens<'t>,
) -> Option<(Value, Tokens<'t>)> {
    let mut mantissa = u128::from(number.whole()?);
    let mut places: u128 = 1;
    while let Some(Token::Digit { value, .. }) = fraction.next() {
        mantissa = mantissa.checked_mul(10)?.checked_add(u128::from(value))?;
        places = places.checked_mul(10)?;
    }
    mantissa = mantissa.checked_mul(u128::from(first))?;
    let mut rest = after.clone();
    while let Some(Token::Unit(unit)) = after.next() {
        mantissa = mantissa.checked_mul(u128::from(unit))?;
        rest = after.clone();
    }
    let mut value = Value::new(u64::try_from(mantissa / places).ok()?);
    let mut left = mantissa % places;
    let mut fits = left == 0 || value.push(b'.');
    while left > 0 {
        left = left.checked_mul(10)?;
        fits &= value.push(b'0' + (left / places) as u8);
        left %= places;
    }
    fits.then_some((value, rest))
}

/// A number on its way: 三千零五十万 is a section (三千零五十) and its big unit (万), then nothing.
#[derive(Default)]
struct Number {
    total: u64,
    section: u64,
    /// The digit that waits for its unit; of several digits only if they are ASCII.
    coefficient: Option<u64>,
    is_ascii: bool,
    /// The last unit of this section.
    small: Option<u64>,
    /// The last big unit.
    big: Option<u64>,
    /// The unit that stands directly before the coefficient.
    before: Option<u64>,
    after_zero: bool,
    is_begun: bool,
    /// It is a zero and nothing else so far.
    is_zero: bool,
    has_unit: bool,
    is_broken: bool,
}

impl Number {
    fn digit(&mut self, value: u64, is_ascii: bool) {
        match self.coefficient {
            Some(so_far) if is_ascii && self.is_ascii => {
                match so_far.checked_mul(10).and_then(|n| n.checked_add(value)) {
                    Some(coefficient) => self.coefficient = Some(coefficient),
                    None => self.is_broken = true,
                }
            }
            Some(_) => self.is_broken = true,
            None if value == 0 => {
                self.is_zero = !self.is_begun;
                self.is_broken |= !self.is_begun || self.after_zero;
                self.after_zero = true;
                self.before = None;
            }
            None => {
                self.is_zero = false;
                self.coefficient = Some(value);
            }
        }
        self.is_ascii = is_ascii;
        self.is_begun = true;
    }

    fn unit(&mut self, unit: u64) {
        self.has_unit = true;
        let is_ordered = if unit < 10_000 {
            let coefficient = match self.coefficient.take() {
                Some(digit) if digit < 10 => digit,
                // 十五, 一百十五; but not 百五.
                None if unit == 10 && (!self.is_begun || self.small.is_some_and(|last| last > 10)) => 1,
                _ => return self.is_broken = true,
            };
            self.section += coefficient * unit;
            self.small.replace(unit).is_none_or(|last| unit < last)
        } else {
            let section = self.pending().and_then(|pending| self.section.checked_add(pending)).filter(|&n| n > 0);
            let Some(total) = section.and_then(|n| n.checked_mul(unit)?.checked_add(self.total)) else {
                return self.is_broken = true;
            };
            self.total = total;
            self.section = 0;
            self.coefficient = None;
            self.small = None;
            self.big.replace(unit).is_none_or(|last| unit < last)
        };
        self.is_broken |= !is_ordered;
        self.before = Some(unit);
        self.after_zero = false;
        self.is_begun = true;
    }

    /// What the digits say that no unit follows, or `None` if there cannot be such digits.
    fn pending(&self) -> Option<u64> {
        match (self.coefficient, self.before) {
            (None, _) => (!self.after_zero).then_some(0),
            // 一百五 is 150, 三万五 is 35 000.
            (Some(digit), Some(unit)) if digit < 10 => Some(digit * (unit / 10)),
            (Some(digits), Some(unit)) => (digits < unit).then_some(digits),
            (Some(digits), None) => Some(digits),
        }
    }

    /// The value, if the run is a number with units.
    fn value(&self) -> Option<u64> {
        if self.is_broken || !self.has_unit {
            return None;
        }
        self.total.checked_add(self.section)?.checked_add(self.pending()?)
    }

    /// The value of a run that may have no unit, as the 1 of 1.5万 and the 0 of 0.5万.
    fn whole(&self) -> Option<u64> {
        match (self.has_unit, self.is_zero) {
            (true, _) => self.value(),
            (false, true) => Some(0),
            (false, false) => self.coefficient.filter(|_| !self.is_broken),
        }
    }

    fn finish(self, fraction: Option<Tokens<'_>>, bytes: usize) -> Run {
        let Some(integer) = self.value() else { return Run::Literal { bytes } };
        let mut value = Value::new(integer);
        let mut fits = true;
        if let Some(mut digits) = fraction {
            fits &= value.push(b'.');
            while let Some(Token::Digit { value: digit, .. }) = digits.next() {
                fits &= value.push(b'0' + digit as u8);
            }
        }
        if fits { Run::Value { value, bytes } } else { Run::Literal { bytes } }
    }
}

/// A word that is written like a numeral, or a number that is none.
#[derive(Debug)]
pub(super) struct Word {
    /// How much of the raw text is written like a numeral.
    pub(super) bytes: usize,
    /// 10 in 10分抱歉, which a recogniser wrote.
    pub(super) is_written_in_digits: bool,
    spelled: [char; WORD_MAX],
    len: usize,
}

impl Word {
    /// Its characters, spelled out.
    pub(super) fn spelling(&self) -> impl Iterator<Item = char> {
        self.spelled.into_iter().take(self.len)
    }
}

/// How a digit is spelled out, given the raw character.
pub(super) fn spelled(raw: char, digit: char) -> char {
    let index = digit.to_digit(10).unwrap_or(0) as usize;
    if "两兩".contains(raw) { '两' } else { DIGITS.chars().nth(index).unwrap_or(raw) }
}

/// No word that is written like a numeral is longer.
const WORD_MAX: usize = 8;

/// What is counted, after an approximate number and after 三八 and 二百五 as numbers.
const COUNTED: &str = "天个年月周日次块元毛角分秒小时点岁人位家件条台张份倍成斤米克公里层楼章节页本套折遍回趟种项笔户单平度级步句只支箱盒瓶杯片";

/// What a number of a name follows: it is neither approximate nor a word.
const NAMED: &str = "号码第";

/// What a time of day follows.
const BEFORE_TIME: &str = "天上午晨夜间今明后日号期到至约";

/// What follows 一点 and 十三点 where they are times of day.
const AFTER_TIME: &str = "钟半整多左之前后到至开过";

/// What makes a 一点 a little: 快一点, 一点也不.
const BEFORE_LITTLE: &str = "有早晚快慢好大小少高低轻重近远贵宜长短楚声心松差清亮准稳";
const AFTER_LITTLE: &str = "儿也都没不小问办意";

/// What an amount of money follows.
const BEFORE_MONEY: &str = "共价付花收交减扣￥$退赔";

/// What is marked in points: 打十分.
const BEFORE_MARK: &str = "打给满评扣加减考度";

/// What is said very much: 10分抱歉.
const VERY: &str =
    "抱歉 感谢 感激 遗憾 理解 重要 重视 满意 愿意 乐意 高兴 荣幸 清楚 明确 关心 关注 方便 困难 严重 欢迎";

/// Reads the word that `rest` begins with, if it is no numeral. `said` are the symbols before it.
pub(super) fn read_word(table: &Table, rest: &str, said: &[char]) -> Option<Word> {
    let mut tokens = Tokens { table, rest: rest.chars(), last: [None; 2] };
    let mut end = tokens.clone();
    let mut word = Word { bytes: 0, is_written_in_digits: false, spelled: ['\0'; WORD_MAX], len: 0 };
    let (mut number, mut has_unit, mut has_pair) = (Number::default(), false, false);
    let mut last_digit = None;
    loop {
        let before = end.rest.clone();
        let spelling = match tokens.next() {
            Some(Token::Digit { value, is_ascii }) => {
                // 幺 is said in numbers alone.
                let raw = next_solid(table, &mut before.clone()).filter(|&raw| raw != '幺')?;
                word.is_written_in_digits |= is_ascii;
                number.digit(value, is_ascii);
                let digit = spelled(raw, table.symbol(raw).folded);
                has_pair |= last_digit.is_some_and(|last| is_pair(last, digit));
                last_digit = Some(digit);
                digit
            }
            Some(Token::Unit(unit)) => {
                number.unit(unit);
                has_unit = true;
                last_digit = None;
                table.symbol(next_solid(table, &mut before.clone())?).folded
            }
            Some(Token::Point { .. }) | None => break,
        };
        *word.spelled.get_mut(word.len)? = spelling;
        word.len += 1;
        end = tokens.clone();
    }
    word.bytes = rest.len() - end.len();
    let before = said.last().copied();
    let is_before = |cues: &str| before.is_some_and(|c| cues.contains(c));
    let mut ahead = end.rest.clone();
    let next: [Option<char>; 3] =
        std::array::from_fn(|_| next_solid(table, &mut ahead).map(|c| table.symbol(c).folded));
    let is_next = |at: usize, cues: &str| next[at].is_some_and(|c| cues.contains(c));
    let is_numeral_next = |at: usize| match next[at..] {
        [Some('1'), Some(after), ..] if follows_one(after) => false,
        [Some(c), ..] => c.is_ascii_digit() || "十百千万亿".contains(c),
        _ => false,
    };
    let is_after_digit = match said {
        [.., c, '点'] | [.., c] => c.is_ascii_digit(),
        [] => false,
    };
    // Nothing is counted, paid or named with it.
    let is_bare = || !is_after_digit && !is_before(BEFORE_MONEY) && !is_before(NAMED) && !is_next(0, COUNTED);
    let spelled = &word.spelled[..word.len];
    let is_word = if word.is_written_in_digits {
        let is_very = || VERY.split(' ').any(|very| very.chars().map(Some).eq(next[1..].iter().copied()));
        match spelled {
            ['一', '零'] if next[0] == Some('分') && is_very() && !is_before(BEFORE_MARK) => {
                word.spelled[0] = '十';
                word.len = 1;
                true
            }
            ['一'] => {
                next[0] == Some('点') && !is_numeral_next(1) && (is_before(BEFORE_LITTLE) || is_next(1, AFTER_LITTLE))
            }
            _ => false,
        }
    } else {
        match spelled {
            ['十'] => next[0] == Some('分') && !is_after_digit && !is_before(BEFORE_MARK) && !is_next(1, "钟之制"),
            ['一'] => {
                next[0] == Some('点')
                    && !is_numeral_next(1)
                    && (is_before(BEFORE_LITTLE)
                        || !is_after_digit && !is_before(BEFORE_TIME) && !is_next(1, AFTER_TIME))
            }
            ['十', '三'] => {
                next[0] == Some('点')
                    && !is_numeral_next(1)
                    && !is_after_digit
                    && !is_before(BEFORE_TIME)
                    && !is_next(1, AFTER_TIME)
            }
            ['二', '百', '五'] => is_bare() && !is_next(0, "多左"),
            ['三', '八'] => is_bare() && !is_next(0, "节妇线号栋"),
            ['五' | '六' | '一', '一'] => is_bare() && !is_next(0, "号栋"),
            [a, b] if is_pair(*a, *b) => !is_after_digit && !is_before(NAMED) && is_next(0, COUNTED),
            _ => has_unit && has_pair && number.value().is_none(),
        }
    };
    is_word.then_some(word)
}

/// Whether two digits side by side are an approximate number: 三四, 三五, 两三, 一两.
fn is_pair(a: char, b: char) -> bool {
    let value = |c: char| if c == '两' { Some(2) } else { DIGITS.chars().position(|digit| digit == c) };
    match (value(a), value(b)) {
        (Some(0), _) | (_, Some(0)) | (None, _) | (_, None) => false,
        (Some(a), Some(b)) => b == a + 1 || (a, b) == (3, 5) || (a, b) == (3, 2),
    }
}

/// What a percentage is written with before its number.
pub(super) enum Percent {
    /// 百分之, and where the number begins.
    Of { bytes: usize },
    /// 百分百 and 百分之百.
    Hundred { bytes: usize },
}

/// Reads 百分之 before a number, 百分之百 or 百分百 at the beginning of `rest`.
pub(super) fn read_percent(table: &Table, rest: &str) -> Option<Percent> {
    let mut chars = rest.chars();
    let mut next = || next_solid(table, &mut chars).map(|c| table.symbol(c).folded);
    if (next()?, next()?) != ('百', '分') {
        return None;
    }
    match next()? {
        '百' => Some(Percent::Hundred { bytes: rest.len() - chars.as_str().len() }),
        '之' => {
            let bytes = rest.len() - chars.as_str().len();
            let first = table.symbol(next_solid(table, &mut chars)?);
            match (first.entry.kind(), first.folded) {
                (_, '百') => Some(Percent::Hundred { bytes: rest.len() - chars.as_str().len() }),
                (Kind::Digit, _) | (_, '十') => Some(Percent::Of { bytes }),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::chars::TABLE;
    use super::*;

    fn check(raw: &str, expect: Option<&str>, taken: &str) {
        let (value, bytes) = match read(&TABLE, raw) {
            Run::Literal { bytes } => (None, bytes),
            Run::Value { value, bytes } => (Some(value.chars().collect::<String>()), bytes),
        };
        assert_eq!((value.as_deref(), &raw[..bytes]), (expect, taken), "{raw}");
    }

    #[test]
    fn numbers_with_units() {
        for (raw, value) in [
            ("十", "10"),
            ("十五", "15"),
            ("二十", "20"),
            ("二 十 四", "24"),
            ("一百", "100"),
            ("一百五", "150"),
            ("一百零五", "105"),
            ("一百一十五", "115"),
            ("一百十五", "115"),
            ("两千零二十六", "2026"),
            ("三万五", "35000"),
            ("三万零五", "30005"),
            ("3万5000", "35000"),
            ("15万", "150000"),
            ("一亿零三百万", "103000000"),
            ("一千二百三十四万五千六百七十八", "12345678"),
            ("十五点五", "15.5"),
            ("1.5万", "15000"),
            ("一点五万", "15000"),
            ("十五点五万", "155000"),
            ("0.5万", "5000"),
            ("零点五亿", "50000000"),
            ("1.23456万", "12345.6"),
            ("1.2万亿", "1200000000000"),
            ("1.5千", "1500"),
            ("１５万", "150000"),
            ("十万", "100000"),
        ] {
            check(raw, Some(value), raw);
        }
    }

    #[test]
    fn runs_that_are_no_numbers_with_units() {
        for raw in [
            "零八零幺",
            "138",
            "一点五",
            "1.5",
            "三五百",
            "十七八",
            "零五百",
            "一百零",
            "一万一万",
            "99999999999999999999百",
        ] {
            check(raw, None, raw);
        }
    }

    #[test]
    fn runs_end_where_the_number_does() {
        check("十五号", Some("15"), "十五");
        check("三点五十", None, "三");
        check("十点半", Some("10"), "十");
        check("十五点。", Some("15"), "十五");
        check("十五一定", Some("15"), "十五");
        check("一点一定", None, "一");
        check("一定", None, "一");
        check("1.5.3", None, "1.5");
        check("一点五千", None, "一");
        check("三万一天", Some("30000"), "三万");
        check("两千五一个月", Some("2500"), "两千五");
        check("一百零一个", Some("101"), "一百零一");
        check("五十一个", Some("51"), "五十一");
        check("三万一", Some("31000"), "三万一");
    }

    #[test]
    fn enormous_numerals_stand_for_themselves() {
        let raw = format!("一百点{}", "一".repeat(60));
        check(&raw, None, &raw);
        let raw = format!("0.{}9万", "0".repeat(37));
        check(&raw, None, raw.trim_end_matches('万'));
        let raw = "9".repeat(400) + "万";
        check(&raw, None, &raw);
    }
}
