//! Numerals: 一百二十, 十五, 1万, 一点五 and 工号零八零幺 as the digits they mean.
//!
//! A run is a maximal sequence of digits, 十百千万亿 and decimal points that
//! begins with a digit or 十. A run that holds a unit becomes the digits of its
//! value if it parses as a number; otherwise each of its digits stands for
//! itself and its units stay characters. Phrases are folded by the same rule,
//! so words made of numerals (万一, 千万, 十分) meet themselves in any case.

use std::str::Chars;

use super::chars::{Kind, Table, follows_one};

/// The longest value written out: 20 digits, a point and a fraction.
const TEXT_MAX: usize = 40;

/// What a run of numeral characters means.
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
    Point,
}

/// The tokens of a run, skipping what folding drops between them.
#[derive(Clone)]
struct Tokens<'t> {
    table: &'t Table,
    rest: Chars<'t>,
    is_first: bool,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        let c = next_solid(self.table, &mut self.rest)?;
        let symbol = self.table.symbol(c);
        let token = match symbol.entry.kind() {
            // A 一 that begins a word ends the numeral before it: 十五号一定到.
            Kind::Digit
                if c == '一' && !self.is_first && peek_solid(self.table, &self.rest).is_some_and(follows_one) =>
            {
                return None;
            }
            Kind::Digit => Token::Digit { value: u64::from(symbol.folded as u8 - b'0'), is_ascii: symbol.folded == c },
            Kind::Unit => Token::Unit(match symbol.folded {
                '十' => 10,
                '百' => 100,
                '千' => 1_000,
                '万' => 10_000,
                _ => 100_000_000,
            }),
            Kind::Point | Kind::SpokenPoint => Token::Point,
            _ => return None,
        };
        self.is_first = false;
        Some(token)
    }

    fn len(&self) -> usize {
        self.rest.as_str().len()
    }
}

/// The next character that folding does not drop unseen.
pub(super) fn next_solid(table: &Table, rest: &mut Chars<'_>) -> Option<char> {
    rest.find(|&c| !matches!(table.kind(c), Kind::Drop | Kind::Space))
}

/// The same, without taking it.
pub(super) fn peek_solid(table: &Table, rest: &Chars<'_>) -> Option<char> {
    next_solid(table, &mut rest.clone())
}

/// Reads the run that `rest` begins with. It must begin with a digit or 十.
pub(super) fn read(table: &Table, rest: &str) -> Run {
    let mut tokens = Tokens { table, rest: rest.chars(), is_first: true };
    let mut number = Number::default();
    let mut end = tokens.clone();
    loop {
        match tokens.next() {
            Some(Token::Digit { value, is_ascii }) => number.digit(value, is_ascii),
            Some(Token::Unit(unit)) => number.unit(unit),
            Some(Token::Point) => return with_fraction(number, tokens, end, rest.len()),
            None => return number.finish(None, rest.len() - end.len()),
        }
        end = tokens.clone();
    }
}

/// Reads the fraction after a point, or ends the run before the point if none follows.
fn with_fraction(number: Number, mut tokens: Tokens<'_>, before_point: Tokens<'_>, len: usize) -> Run {
    let fraction = tokens.clone();
    let mut end = before_point.clone();
    loop {
        match tokens.next() {
            Some(Token::Digit { .. }) => end = tokens.clone(),
            // 三点五十 is a time of day, not a decimal number.
            Some(Token::Unit(10..=1_000)) => return number.finish(None, len - before_point.len()),
            _ => break,
        }
    }
    let has_fraction = end.len() < fraction.len();
    number.finish(has_fraction.then_some(fraction), len - end.len())
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
                self.is_broken |= !self.is_begun || self.after_zero;
                self.after_zero = true;
                self.before = None;
            }
            None => self.coefficient = Some(value),
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
        check("一点五万", None, "一点五");
    }

    #[test]
    fn enormous_numerals_stand_for_themselves() {
        let raw = format!("一百点{}", "一".repeat(60));
        check(&raw, None, &raw);
        let raw = "9".repeat(400) + "万";
        check(&raw, None, &raw);
    }
}
