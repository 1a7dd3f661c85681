//! Alibaba NLS's `SpeechTranscriber` messages, from the public cloud, its
//! private deployment, and what emulates it (`DingTalk`, FreeSWITCH modules,
//! FunASR front ends).
//!
//! | quirk | what is done |
//! |---|---|
//! | `TranscriptionResultChanged` words the whole sentence anew | a hypothesis of the same id |
//! | `index` counts sentences from 1 in each task, `message_id` messages | the key is `index`; another `task_id` is another session |
//! | `begin_time` comes with the final only | a hypothesis begins where `SentenceBegin` said, else with its first word, else a little before it came |
//! | `time` may run back from hypothesis to final | it is each wording's own end |
//! | emulations and `DingTalk` have numbers as strings and `beginTime` for `begin_time` | both are read |
//! | wrapped in `data` (`DingTalk`) or `asr_result` (HTTP pushes of FreeSWITCH modules, as an object or as a string of JSON) | unwrapped |
//! | the recognition of one sentence (`RecognitionResultChanged`, `RecognitionCompleted`) has no `index` | sentences are counted |
//! | `stash_result` already holds the next sentence | ignored: its own messages follow |
//! | `status` is 20000000 where all is well, else a fault | reported with its number |
//! | some proxies answer a bare `ping` or `pong` | says nothing |
//! | punctuation comes with the final only; `confidence` of emulations is a constant | taken as they come |

use serde::Deserialize;

use super::shape::{self, Id, Number, Stamp};
use super::stream::{Counter, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "NLS";
const SUCCESS: &str = "20000000";
/// Wrappers around one message.
const WRAPPED_MAX: usize = 3;

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Nls::default())
}

#[derive(Debug, Default)]
struct Nls {
    counter: Counter,
    /// The last sentence that was begun, and when.
    begun: Option<(String, i64)>,
}

#[derive(Deserialize)]
struct Message {
    header: Option<Header>,
    payload: Option<Payload>,
    data: Option<Wrapped>,
    asr_result: Option<Wrapped>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wrapped {
    Object(Box<Message>),
    Json(String),
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: Id,
    #[serde(default)]
    task_id: Id,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default)]
    index: Id,
    result: Option<String>,
    #[serde(default)]
    time: Number,
    #[serde(default, alias = "beginTime")]
    begin_time: Number,
    #[serde(default)]
    confidence: Number,
    #[serde(default)]
    words: Option<Vec<Stamp>>,
}

impl Dialect for Nls {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        if matches!(text.trim(), "ping" | "pong") {
            return Ok(());
        }
        let message = unwrap(shape::json(NAME, text)?)?;
        let Some(header) = message.header else { return Err(unknown()) };
        if let Some(status) = header.status.get().filter(|status| !matches!(*status, SUCCESS | "0")) {
            return Err(shape::fault(NAME, status));
        }
        hearing.session(header.task_id.get());
        let payload = message.payload.unwrap_or_default();
        match header.name.as_str() {
            "SentenceBegin" => {
                self.begun = payload.index.get().map(str::to_owned).zip(payload.time.ms());
                Ok(())
            }
            "TranscriptionResultChanged" | "RecognitionResultChanged" => self.result(&payload, false, hearing),
            "SentenceEnd" | "RecognitionCompleted" => self.result(&payload, true, hearing),
            "TranscriptionStarted" | "RecognitionStarted" => Ok(()),
            "TranscriptionCompleted" => {
                hearing.settle_all();
                Ok(())
            }
            "TaskFailed" => Err(shape::fault(NAME, "TaskFailed")),
            _ => Err(unknown()),
        }
    }
}

impl Nls {
    fn result(&mut self, payload: &Payload, is_final: bool, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let key = payload.index.get().map_or_else(|| self.counter.key(is_final), str::to_owned);
        let begun = self.begun.as_ref().filter(|(index, _)| *index == key).map(|(_, at)| *at);
        let (first, last) = shape::span(payload.words.as_deref().unwrap_or_default(), Number::ms);
        hearing.say(&Said {
            key,
            text: payload.result.as_deref().unwrap_or_default(),
            start: payload.begin_time.ms().or(begun).or(first),
            end: payload.time.ms().or(last),
            is_final,
            confidence: payload.confidence.confidence(),
            ..Said::default()
        })
    }
}

fn unwrap(mut message: Message) -> Result<Message, Unrecognised> {
    for _ in 0..WRAPPED_MAX {
        match message.data.take().or_else(|| message.asr_result.take()) {
            Some(Wrapped::Object(inner)) => message = *inner,
            Some(Wrapped::Json(text)) => message = shape::json(NAME, &text)?,
            None => break,
        }
    }
    Ok(message)
}

fn unknown() -> Unrecognised {
    shape::unknown(NAME, "SentenceBegin, TranscriptionResultChanged, SentenceEnd, TranscriptionCompleted, TaskFailed")
}
