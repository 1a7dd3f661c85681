//! sherpa-onnx's streaming WebSocket servers, C++ and Python.
//!
//! | quirk | what is done |
//! |---|---|
//! | a message for each decoded chunk, with the whole text so far, mostly the same or empty | only what changed is told |
//! | `segment` grows only behind a segment with words (C++): silences share a number with the words after them | the key is `segment` with `start_time` |
//! | the Python server has neither `is_final` nor times | a change of `segment` settles the one before |
//! | `timestamps` count from `start_time`, and are the beginnings of tokens | the words begin at the first one, and end one character behind the last |
//! | the C++ server escapes quotes and backslashes only: control characters stand in its strings | they are read as spaces |
//! | the end is `is_eof` (newer C++) and then `Done!`, which is no JSON | what is open is settled |
//! | no punctuation, no confidence (`ys_probs` are logarithms) | |

use serde::Deserialize;

use super::shape::{self, Id, Number};
use super::stream::{CHARACTER_MS, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "sherpa-onnx";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, SherpaOnnx)
}

struct SherpaOnnx;

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
    #[serde(default)]
    segment: Id,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    timestamps: Option<Vec<Number>>,
    #[serde(alias = "final")]
    is_final: Option<bool>,
    is_eof: Option<bool>,
}

impl Dialect for SherpaOnnx {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        if text.trim() == "Done!" {
            hearing.settle_all();
            return Ok(());
        }
        // Control characters are white space between JSON's tokens, too.
        let message: Message = match shape::json(NAME, text) {
            Err(_) if text.contains(char::is_control) => shape::json(NAME, &text.replace(char::is_control, " "))?,
            message => message?,
        };
        let (Some(words), Some(segment)) = (&message.text, message.segment.get()) else {
            return Err(shape::unknown(NAME, "text + segment, Done!"));
        };
        let base = message.start_time.seconds();
        let key = match base {
            Some(base) => format!("{segment}-{base}"),
            None => segment.to_owned(),
        };
        let stamps = message.timestamps.as_deref().unwrap_or_default();
        let at = |stamp: Option<&Number>| Some(base? + stamp?.seconds()?);
        hearing.settle_others(&key);
        hearing.say(&Said {
            key,
            text: words,
            start: at(stamps.first()).or(base),
            end: at(stamps.last()).map(|begun| begun + CHARACTER_MS),
            is_final: message.is_final == Some(true),
            ..Said::default()
        })?;
        if message.is_eof == Some(true) {
            hearing.settle_all();
        }
        Ok(())
    }
}
