//! Which digits of a text are a person's number.

use std::ops::Range;

use super::digits::{Figure, Group, TEN, is_masked};
use super::words::{Cue, cue_after, cue_before};

/// The longest personal number: a bank card.
const LONGEST: usize = 19;

/// The most groups of one number that may be begun anew or taken back.
const RESTARTS_MAX: usize = 2;

/// After so many steps from one group on, a number is only read straight on; after twice as many, no further.
const STEPS_MAX: usize = 128;

/// The most numerals of one number that are read in more than one way.
const NUMERALS_MAX: usize = 3;

/// The numbers found in a text: the characters to hide, and where numbers end.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hidden: Vec<usize>,
    /// So many groups are decided: a number ends there that is not the beginning of another.
    pub(super) decided: usize,
}

/// Finds every number in `groups`. `asked` is the cue that another speaker gave.
pub(super) fn find(chars: &[char], groups: &[Group], asked: Option<Cue>) -> Found {
    let mut found = Found::default();
    for first in 0..groups.len() {
        if groups[first].is_date {
            continue;
        }
        let mut search = Search {
            chars,
            groups,
            first,
            asked,
            cue: None,
            figures: Vec::new(),
            date_at: None,
            dropped: Vec::new(),
            steps: 0,
            found: &mut found,
        };
        search.go_on(first, Budget::default());
    }
    found.hidden.retain(|&at| is_masked(chars[at]));
    found
}

/// How often a number was begun anew so far, and how many of its numerals were read in more ways.
#[derive(Clone, Copy, Default)]
struct Budget {
    restarts: usize,
    numerals: usize,
}

impl Budget {
    const SPENT: Self = Self { restarts: RESTARTS_MAX, numerals: NUMERALS_MAX };
}

/// Looks for numbers that begin with one group.
struct Search<'a> {
    chars: &'a [char],
    groups: &'a [Group],
    first: usize,
    asked: Option<Cue>,
    /// The cue before the first group, once it was looked for.
    cue: Option<Option<Cue>>,
    figures: Vec<Figure>,
    /// How many digits stand before the date.
    date_at: Option<usize>,
    /// Digits that were said again, each with its place in the number.
    dropped: Vec<(usize, Figure)>,
    steps: usize,
    found: &'a mut Found,
}

impl Search<'_> {
    /// The number goes on with the group `at`, as said or begun anew with the next.
    fn go_on(&mut self, at: usize, budget: Budget) {
        let groups = self.groups;
        let group = &groups[at];
        let length = self.figures.len();
        let next = groups.get(at + 1).filter(|next| next.gap.is_some());
        // Only an ID card has a day inside.
        if group.is_date && (length != 6 || self.date_at.is_some()) {
            return;
        }
        self.steps += 1;
        if self.steps > 2 * STEPS_MAX {
            return;
        }
        let budget = if self.steps > STEPS_MAX { Budget::SPENT } else { budget };
        let readings = if budget.numerals < NUMERALS_MAX { group.readings.len() } else { 1 };
        let numerals = budget.numerals + usize::from(group.readings.len() > 1);
        let budget = Budget { numerals, ..budget };
        for reading in &group.readings[..readings] {
            if length + reading.len() > LONGEST {
                continue;
            }
            self.figures.extend(reading);
            let date_at = self.date_at;
            if group.is_date {
                self.date_at = Some(length);
            }
            self.judge(at);
            if let Some(next) = next {
                self.go_on(at + 1, budget);
                if next.corrects && budget.restarts < RESTARTS_MAX {
                    self.take_back(at, length, budget);
                }
            }
            self.date_at = date_at;
            self.figures.truncate(length);
        }
        if let Some(next) = next
            && at > self.first
            && budget.restarts < RESTARTS_MAX
            && !next.gap.as_ref().is_some_and(Range::is_empty)
            && same_digits(next.figures(), group.figures())
        {
            // What was begun and said again is as personal as what was said in the end.
            let kept = self.dropped.len();
            self.dropped.extend(group.figures().iter().enumerate().map(|(place, &figure)| (length + place, figure)));
            self.go_on(at + 1, Budget { restarts: budget.restarts + 1, ..budget });
            self.dropped.truncate(kept);
        }
    }

    /// Some of the digits so far are taken back, and said again from the group after `at` on: the last
    /// group, which leaves `kept` digits, or all, or as many as follow, or the last four.
    fn take_back(&mut self, at: usize, kept: usize, budget: Budget) {
        let (figures, date_at) = (self.figures.clone(), self.date_at);
        let less = |count: usize| figures.len().saturating_sub(count);
        let (hidden, dropped) = (self.found.hidden.len(), self.dropped.len());
        for left in [kept, 0, less(self.groups[at + 1].figures().len()), less(4)] {
            // The first that makes a number is what was meant.
            if self.found.hidden.len() > hidden {
                break;
            }
            self.dropped.extend(figures.iter().copied().enumerate().skip(left));
            self.figures.truncate(left);
            self.date_at = date_at.filter(|&date_at| date_at < left);
            self.go_on(at + 1, Budget { restarts: budget.restarts + 1, ..budget });
            self.dropped.truncate(dropped);
            self.figures.clone_from(&figures);
        }
        self.date_at = date_at;
    }

    /// Hides the digits so far if they are a number that ends with the group `last`.
    fn judge(&mut self, last: usize) {
        let values: Vec<u8> = self.figures.iter().map(|figure| figure.value).collect();
        if values.len() < SHORTEST {
            return;
        }
        let span = self.groups[self.first].span.start..self.groups[last].span.end;
        let (chars, asked) = (self.chars, self.asked);
        let cue = *self.cue.get_or_insert_with(|| cue_before(chars, span.start));
        // What an earlier number leaves readable has no name of its own.
        let is_rest = chars[..span.start].ends_with(&['*']);
        let cue = cue.or_else(|| cue_after(chars, span.end)).or(asked).filter(|_| !is_rest);
        let Some((first, end)) = shown(&values, self.date_at, cue) else { return };
        if is_amount(chars, &self.groups[self.first..=last], cue) {
            return;
        }
        let last_hidden = values.len() - end;
        let is_hidden = |place: &usize| (first..last_hidden).contains(place);
        for (_, figure) in self
            .figures
            .iter()
            .copied()
            .enumerate()
            .chain(self.dropped.iter().copied())
            .filter(|(place, _)| is_hidden(place))
        {
            self.found.hidden.push(figure.at);
            self.found.hidden.extend(figure.beside);
        }
        if !begins_id_card(&values) {
            self.found.decided = self.found.decided.max(last + 1);
        }
    }
}

/// Whether what was begun is how `said` begins.
fn same_digits(said: &[Figure], begun: &[Figure]) -> bool {
    begun.len() <= said.len() && begun.iter().zip(said).all(|(begun, said)| begun.value == said.value)
}

/// No personal number has fewer digits.
const SHORTEST: usize = 7;

/// How many digits of a personal number stay readable, first and last; `None` if it is none.
fn shown(values: &[u8], date_at: Option<usize>, cue: Option<Cue>) -> Option<(usize, usize)> {
    if date_at.is_some() {
        // The day in words has six digits where the century goes without saying.
        let is_id =
            is_province(values) && matches!(values.len(), 15..=18) && !values[..values.len() - 1].contains(&TEN);
        return is_id.then_some((3, 4));
    }
    if is_id_card(values) {
        return Some((3, 4));
    }
    if cue == Some(Cue::Order) {
        return None;
    }
    let country_code = match values {
        [0, 0, 8, 6, 1, ..] => 4,
        [8, 6, 1, ..] => 2,
        _ => 0,
    };
    if is_mobile(&values[country_code..]) {
        return Some((country_code + 3, 4));
    }
    if is_old_id_card(values) {
        return Some((3, 3));
    }
    if is_bank_card(values) {
        return Some((0, 4));
    }
    // Near its name a number may have a misheard digit: its length decides.
    let has_ten = values[..values.len() - 1].contains(&TEN);
    match (cue?, values.len()) {
        _ if has_ten => None,
        (Cue::Identity, 15 | 17..=19) => Some((3, 4)),
        (Cue::Card, 13..=19) => Some((0, 4)),
        (Cue::Phone | Cue::Landline, length) => match (area_code(values), length) {
            (Some(area), _) if matches!(length - area, 7 | 8) => Some((area, 4)),
            (None, 11) => Some((3, 4)),
            (None, 7 | 8) if cue == Some(Cue::Landline) && (2..=8).contains(&values[0]) => Some((0, 4)),
            _ => None,
        },
        (Cue::Permit, 7..=11) => Some((0, 3)),
        _ => None,
    }
}

/// The length of the area code that a landline begins with.
fn area_code(values: &[u8]) -> Option<usize> {
    match values {
        [0, 1, 0, ..] | [0, 2, ..] => Some(3),
        [0, 3..=9, ..] => Some(4),
        _ => None,
    }
}

/// How many digits of the beginning of a number stay readable, whatever becomes of it.
pub(super) fn shown_first(values: &[u8], cue: Option<Cue>) -> usize {
    let may_be_card = matches!(values[0], 3..=6 | 8 | 9) || matches!(cue, Some(Cue::Card | Cue::Permit));
    if may_be_card { 0 } else { 3 }
}

/// Whether `values` may be the beginning of a longer personal number: enough of them to be worth
/// hiding until it is known.
pub(super) fn may_go_on(values: &[u8], cue: Option<Cue>) -> bool {
    if matches!(cue, Some(Cue::Order | Cue::Short | Cue::Amount | Cue::Hotline)) || values.len() < 4 {
        return false;
    }
    let begins_mobile = matches!(values, [1, 3..=9, ..] | [8, 6, 1, ..] | [0, 0, 8, 6, ..]) && values.len() < 15;
    let begins_card = matches!(values[0], 3..=6 | 8 | 9) && values.len() >= SHORTEST;
    let is_named = matches!(cue, Some(Cue::Identity | Cue::Card | Cue::Phone | Cue::Landline | Cue::Permit));
    values.len() <= LONGEST
        && (begins_mobile || begins_card || is_named || values.len() >= SHORTEST && begins_id_card(values))
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

/// Fewer than 18 places that may be the first of an ID card.
fn begins_id_card(values: &[u8]) -> bool {
    let year = |digits: &[u8]| [[1, 9], [2, 0]].iter().any(|century| century.iter().zip(digits).all(|(a, b)| a == b));
    let month = |digits: &[u8]| digits.first().is_none_or(|&tens| tens <= 1);
    values.len() < 18
        && values.len() >= 2
        && !values.contains(&TEN)
        && is_province(values)
        && year(values.get(6..).unwrap_or_default())
        && month(values.get(10..).unwrap_or_default())
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

/// Whether the groups are an amount: ¥13800138000, 13,800,138,000, 13800138000.50, 一共13800138000元, 0.13800138000.
/// A unit alone makes none: recognisers glue 元 to any number.
fn is_amount(chars: &[char], groups: &[Group], cue: Option<Cue>) -> bool {
    let (first, last) = (&groups[0], &groups[groups.len() - 1]);
    let before = first.span.start.checked_sub(1).map(|before| chars[before]);
    let mut after = chars[last.span.end..].iter();
    let follows = match after.next() {
        Some('元' | '块' | '圆' | '万' | '亿' | '%') => cue == Some(Cue::Amount),
        Some('.') => matches!(after.take_while(|c| c.is_ascii_digit()).count(), 1..=2),
        _ => false,
    };
    let thousands = groups.len() > 1
        && first.figures().len() <= 3
        && groups[1..].iter().all(|group| {
            group.figures().len() == 3 && group.gap.as_ref().is_some_and(|gap| chars[gap.clone()] == [','])
        });
    let is_fraction = first.gap.is_none() && chars[..first.span.start].ends_with(&['0', '.']);
    follows || thousands || is_fraction || matches!(before, Some('¥' | '￥' | '$'))
}
