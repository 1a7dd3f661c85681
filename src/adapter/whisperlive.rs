//! WhisperLive's server.
//!
//! | quirk | what is done |
//! |---|---|
//! | each message has the last segments again, settled ones too | a settled segment that is the same says nothing |
//! | segments have no id | told apart by `start` |
//! | `completed` settles a segment; older servers do not have it | then all but the last are settled |
//! | `start` and `end` are seconds, in strings or as numbers | |
//! | `message` is a string (`SERVER_READY`, `DISCONNECT`) or the minutes to wait | says nothing; `DISCONNECT` settles what is open |
//! | `language`, `translated_segments` | say nothing |
//! | `status` `ERROR` | reported; the text of the fault is no code |
//! | Whisper hears words in silence (谢谢观看 and the like) | not filtered: they are what the recogniser says |

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::shape::{self, Number};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "WhisperLive";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Whisperlive)
}

struct Whisperlive;

#[derive(Deserialize)]
struct Message {
    segments: Option<Vec<Segment>>,
    status: Option<String>,
    message: Option<Value>,
    language: Option<IgnoredAny>,
    translated_segments: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Segment {
    text: Option<String>,
    #[serde(default)]
    start: Number,
    #[serde(default)]
    end: Number,
    completed: Option<bool>,
}

impl Dialect for Whisperlive {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        if message.status.as_deref() == Some("ERROR") {
            return Err(shape::fault(NAME, ""));
        }
        if let Some(segments) = &message.segments {
            let last = segments.len().saturating_sub(1);
            let said = segments.iter().enumerate().map(|(place, segment)| segment.said(place < last));
            let mut window: Vec<Said<'_>> = said.collect();
            return hearing.window(&mut window);
        }
        if message.message.as_ref().and_then(Value::as_str) == Some("DISCONNECT") {
            hearing.settle_all();
        }
        let silent = [message.message.is_some(), message.language.is_some(), message.translated_segments.is_some()];
        if silent.contains(&true) { Ok(()) } else { Err(shape::unknown(NAME, "segments, message, language")) }
    }
}

impl Segment {
    fn said(&self, is_followed: bool) -> Said<'_> {
        Said {
            text: self.text.as_deref().unwrap_or_default(),
            start: self.start.seconds(),
            end: self.end.seconds(),
            is_final: self.completed.unwrap_or(is_followed),
            ..Said::default()
        }
    }
}
