//! Azure Speech: the JSON bodies of its service, as the SDK hands them on, or
//! whole text frames with their headers.
//!
//! | quirk | what is done |
//! |---|---|
//! | what a message is stands in the frame's `Path` header, not in the body | known by its members: `Text` is a hypothesis, `RecognitionStatus` a phrase |
//! | times are ticks of 100 ns: `Offset` and `Duration` | |
//! | a phrase says `DisplayText` (simple) or `NBest[].Display` (detailed, with a confidence) | the best one |
//! | `RecognitionStatus` is `NoMatch`, `InitialSilenceTimeout` or the like | takes back what was open; `Error` is reported |
//! | hypotheses have no id, and their `Offset` may move | one utterance is open at a time on each channel; a phrase with the last one's `Offset` is that one again |
//! | `Channel` (a number) and `SpeakerId` (`Guest-1`, or `Unknown` at first) | see the rules of `stream` |
//! | `context`, an `Offset` alone, an empty body (turns and the detection of speech) | say nothing |
//! | punctuation comes with the phrase only | |

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::shape::{self, Id, Number};
use super::stream::{Counter, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Azure Speech";
/// Channels of one connection.
const CHANNELS_MAX: usize = 16;

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Azure::default())
}

#[derive(Debug, Default)]
struct Azure {
    channels: BTreeMap<String, Channel>,
}

#[derive(Debug, Default)]
struct Channel {
    counter: Counter,
    /// The offset and key of the last phrase.
    last: Option<(i64, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    text: Option<String>,
    recognition_status: Option<String>,
    display_text: Option<String>,
    #[serde(default, rename = "NBest")]
    best: Vec<Candidate>,
    #[serde(default)]
    offset: Number,
    #[serde(default)]
    duration: Number,
    #[serde(default)]
    channel: Id,
    #[serde(default)]
    speaker_id: Id,
    #[serde(rename = "context")]
    context: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Candidate {
    display: Option<String>,
    #[serde(default)]
    confidence: Number,
}

impl Dialect for Azure {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let body = match text.trim_start().starts_with('{') {
            true => text,
            // The end of a turn has no body.
            false => match text.split_once("\r\n\r\n") {
                Some((_, body)) if body.trim().is_empty() => return Ok(()),
                Some((_, body)) => body,
                None => text,
            },
        };
        let message: Message = shape::json(NAME, body)?;
        let status = message.recognition_status.as_deref();
        if status == Some("Error") {
            return Err(shape::fault(NAME, "Error"));
        }
        let best = message.best.first();
        let display = message.display_text.as_deref().or(best.and_then(|best| best.display.as_deref()));
        let (words, is_final) = match (&message.text, display) {
            (_, Some(display)) => (display, true),
            _ if status.is_some() => ("", true),
            (Some(words), None) => (words.as_str(), false),
            (None, None) if message.offset.float().is_some() || message.context.is_some() || is_empty(body) => {
                return Ok(());
            }
            (None, None) => return Err(shape::unknown(NAME, "Text, RecognitionStatus, DisplayText, NBest")),
        };
        let name = message.channel.get().unwrap_or_default();
        let room = self.channels.len() < CHANNELS_MAX || self.channels.contains_key(name);
        let name = if room { name } else { "" };
        let channel = self.channels.entry(name.to_owned()).or_default();
        let start = message.offset.ticks();
        let again = channel.last.as_ref().filter(|(offset, _)| is_final && Some(*offset) == start);
        let key = match again {
            Some((_, key)) => key.clone(),
            None if name.is_empty() => channel.counter.key(is_final),
            None => format!("{name}-{}", channel.counter.key(is_final)),
        };
        if is_final && !words.is_empty() {
            channel.last = start.map(|offset| (offset, key.clone()));
        }
        hearing.say(&Said {
            key,
            speaker: message.channel.get().or(message.speaker_id.get()),
            text: words,
            start,
            end: start.zip(message.duration.ticks()).map(|(start, duration)| start + duration),
            is_final,
            confidence: best.and_then(|best| best.confidence.confidence()),
            is_unique: false,
        })
    }
}

fn is_empty(body: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, Value>>(body).is_ok_and(|members| members.is_empty())
}
