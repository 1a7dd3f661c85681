//! Personal data in what was said.
//!
//! [`mask`] puts a `*` in the place of each character that would tell who is meant, one scalar
//! value for one, so that offsets of evidence stay valid. What stays readable is what Chinese
//! custom leaves on paper slips:
//!
//! | what | recognised by | stays |
//! |---|---|---|
//! | ID card, 18 places | place of issue, date of birth, the check of GB 11643; or a date of birth in words; near 身份证 and the like its length | first 3, last 4 |
//! | ID card, 15 places (until 1999) | place of issue, date of birth | first 3, last 3 |
//! | bank card, 13–19 digits | leading digits, Luhn's check; near 卡号 and the like its length | last 4 |
//! | mobile number, 11 digits, also after 86 | 1 and 3–9; near 手机 and the like its length | first 3, last 4 |
//! | landline | near 座机, 电话 and the like: area code and 7 or 8 digits; not near 热线, 客服, 拨打 | area code, last 4 |
//! | passport, permit for Hong Kong, Macao or Taiwan | near 护照, 通行证 and the like: 7–10 digits | letters, last 3 |
//! | number plate | province, letter, 5 or 6 signs | province, letter, last 2 |
//! | address of e-mail | `@` or 艾特 and a domain; not of a business (`service@`) | first 3, domain |
//! | name of a chat account | after 微信号, QQ号 and the like | first 3 |
//!
//! Digits may be written in any script, spoken (幺三八), as soldiers say them (洞拐勾) or as numerals
//! (八千), mixed as recognisers mix them, and cut into groups by marks, spaces, dashes and the talk of
//! somebody who reads aloud (嗯, 然后, 等一下我看看); three 8s may be 三个八. A group that is begun anew
//! (138，00，0013，8000) or taken back (138，不对，139…) counts once. Numbers begin and end where groups do,
//! so what merely stands inside a longer number is not touched, nor are amounts, dates, times, short
//! numbers, and what is called an order or an amount.
//!
//! [`Running`] does so while a call is in progress, when the rest of a number is still to come.
//!
//! Deliberately absent: names and postal addresses; a misheard number that nothing near it names.

mod digits;
mod names;
mod numbers;
mod running;
mod words;

use std::borrow::Cow;

pub use self::running::Running;
use self::words::Cue;

/// `text` with personal data masked: as many scalar values as before. Masking twice changes nothing more.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    mask_asked(text, None)
}

/// Texts that follow one another, masked as one: a number may be read out over
/// several of them. `None` if nothing had to be masked.
#[must_use]
pub fn mask_all(texts: &[&str]) -> Option<Vec<String>> {
    let joined = texts.join("\n");
    let Cow::Owned(masked) = mask(&joined) else { return None };
    Some(split(&masked, texts.iter().copied()))
}

/// No personal data has fewer characters for digits: 京A12345, 一三八四个零八千.
const FEWEST_DIGITS: usize = 4;

/// So often a text is looked through; a third time finds something only in texts that are made for it.
const PASSES_MAX: usize = 16;

/// Masks `text`, in which a number may be what another speaker asked for.
fn mask_asked(text: &str, asked: Option<Cue>) -> Cow<'_, str> {
    if !may_be_personal(text) {
        return Cow::Borrowed(text);
    }
    let mut chars: Vec<char> = text.chars().collect();
    if mask_chars(&mut chars, asked) { Cow::Owned(chars.into_iter().collect()) } else { Cow::Borrowed(text) }
}

/// Whether there is anything that a person could be known by; cheap.
fn may_be_personal(text: &str) -> bool {
    let has_digits = text.chars().filter(|&c| digits::figure(c).is_some()).take(FEWEST_DIGITS).count() == FEWEST_DIGITS;
    has_digits || text.contains(['@', '＠', '圈']) || text.contains("微信") || text.contains("艾特")
}

/// Masks all that stands there; whether there was anything.
fn mask_chars(chars: &mut [char], asked: Option<Cue>) -> bool {
    let mut changed = false;
    // What one number leaves readable may complete another one.
    for _ in 0..PASSES_MAX {
        let (groups, _) = digits::read(chars);
        let found = numbers::find(chars, &groups, asked);
        for &at in &found.hidden {
            chars[at] = '*';
        }
        if found.hidden.is_empty() && !names::mask(chars) {
            return changed;
        }
        changed = true;
    }
    changed
}

/// The masked text that was joined of `texts`, cut as they were.
fn split<'a>(masked: &str, texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut rest = masked.chars();
    texts
        .map(|text| {
            let masked = rest.by_ref().take(text.chars().count()).collect();
            rest.next();
            masked
        })
        .collect()
}
