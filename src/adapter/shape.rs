//! Readers for fields that several recognisers write alike: numbers that come as strings, ids that
//! come as numbers, spaces between Chinese characters; and the errors for messages that cannot be
//! used. Nothing here knows of calls.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

use super::Unrecognised;
use super::native::{CALL_MS_MAX, UTTERANCE_CHARS_MAX};

/// Ticks of 100 ns in a millisecond.
const TICKS_A_MS: f64 = 10_000.0;
/// Characters of a fault's code that are reported.
const CODE_CHARS_MAX: usize = 64;

/// Reads a message of the system `name`.
pub(super) fn json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Unrecognised> {
    // The library's own message may quote the value, which is what was said.
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Unrecognised::new(
            format!("第 {line} 行第 {column} 列处不是 {name} 的 JSON"),
            format!("not {name}'s JSON at line {line}, column {column}"),
        )
    })
}

/// Reads what a message of `name` holds in a member of several shapes; `known` are those.
pub(super) fn value<'v, T: Deserialize<'v>>(name: &str, known: &str, value: &'v Value) -> Result<T, Unrecognised> {
    T::deserialize(value).map_err(|_| unknown(name, known))
}

/// The error for a fault that the system itself reports. Of `code`, only characters that a code may
/// have are passed on.
pub(super) fn fault(name: &str, code: &str) -> Unrecognised {
    let plain = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':');
    let code: String = code.chars().filter(plain).take(CODE_CHARS_MAX).collect();
    if code.is_empty() {
        return Unrecognised::new(format!("{name} 服务端报告了错误"), format!("the {name} server reported an error"));
    }
    Unrecognised::new(format!("{name} 服务端报告了错误 {code}"), format!("the {name} server reported the error {code}"))
}

/// A message of none of the kinds in `known`.
pub(super) fn unknown(name: &str, known: &str) -> Unrecognised {
    Unrecognised::new(
        format!("不是认识的 {name} 消息；认识的有：{known}"),
        format!("no {name} message that is known; known are: {known}"),
    )
}

/// Checks the length of one text.
pub(super) fn check_length(text: &str) -> Result<(), Unrecognised> {
    if text.len() > UTTERANCE_CHARS_MAX && text.chars().nth(UTTERANCE_CHARS_MAX).is_some() {
        return Err(Unrecognised::new(
            format!("一段文字超过 {UTTERANCE_CHARS_MAX} 字"),
            format!("a text has more than {UTTERANCE_CHARS_MAX} characters"),
        ));
    }
    Ok(())
}

/// A moment that a call can have.
pub(super) fn moment(ms: i64) -> Option<i64> {
    (0..=CALL_MS_MAX).contains(&ms).then_some(ms)
}

/// A number, or a string with one in it. What is neither is no number rather
/// than a fault: a strange time must not cost the words beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(Option<f64>);

impl Number {
    pub(super) fn float(self) -> Option<f64> {
        self.0.filter(|number| number.is_finite())
    }

    pub(super) fn integer(self) -> Option<i64> {
        rounded(self.float()?)
    }

    /// As milliseconds of the stream.
    pub(super) fn ms(self) -> Option<i64> {
        moment(self.integer()?)
    }

    /// As seconds of the stream, in milliseconds.
    pub(super) fn seconds(self) -> Option<i64> {
        moment(rounded(self.float()? * 1_000.0)?)
    }

    /// As ticks of 100 ns, in milliseconds.
    pub(super) fn ticks(self) -> Option<i64> {
        moment(rounded(self.float()? / TICKS_A_MS)?)
    }

    /// As a confidence.
    pub(super) fn confidence(self) -> Option<f32> {
        self.float().filter(|number| (0.0..=1.0).contains(number)).map(|number| number as f32)
    }
}

/// Whole numbers beyond 2^53 are no times and no counts.
fn rounded(number: f64) -> Option<i64> {
    (number.abs() < 9_007_199_254_740_992.0).then(|| number.round() as i64)
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a string with a number")
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.trim().parse().ok()))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Number(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Number, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Number(None))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// An id or a code: a string, or a number as one. Anything else is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Id(Option<String>);

impl Id {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|id| !id.is_empty())
    }
}

/// The id that most of them are, such as the speaker of most words.
pub(super) fn most<'i>(ids: impl Iterator<Item = &'i Id>) -> Option<&'i str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in ids.filter_map(Id::get) {
        *counts.entry(id).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(id, _)| id)
}

impl From<Value> for Id {
    fn from(value: Value) -> Self {
        match value {
            Value::String(id) => Self(Some(id)),
            Value::Number(number) => Self(Some(number.to_string())),
            _ => Self(None),
        }
    }
}

/// A word with its times, in whatever unit its system counts.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Stamp {
    #[serde(default, alias = "startTime", alias = "start_time", alias = "begin_time")]
    pub(super) start: Number,
    #[serde(default, alias = "endTime", alias = "end_time")]
    pub(super) end: Number,
}

/// The first start and the last end of words, in milliseconds as `unit` reads them.
pub(super) fn span(words: &[Stamp], unit: fn(Number) -> Option<i64>) -> (Option<i64>, Option<i64>) {
    let start = words.iter().find_map(|word| unit(word.start));
    let end = words.iter().rev().find_map(|word| unit(word.end));
    (start, end)
}

/// Characters that are written without spaces between them: ideographs, kana
/// and full-width marks.
const fn is_cjk(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3ffff}')
}

/// Drops the spaces that some systems put between Chinese words. Those beside
/// Latin letters and digits stay.
pub(super) fn without_cjk_spaces(text: &str) -> Cow<'_, str> {
    if !text.contains(' ') {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        append(&mut joined, word);
    }
    Cow::Owned(joined)
}

/// Appends a further piece of one utterance, with a space unless both sides are Chinese.
pub(super) fn append(text: &mut String, piece: &str) {
    if let (Some(before), Some(after)) = (text.chars().next_back(), piece.chars().next())
        && !(is_cjk(before) && is_cjk(after))
    {
        text.push(' ');
    }
    text.push_str(piece);
}
