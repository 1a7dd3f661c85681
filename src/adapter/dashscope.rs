//! DashScope: paraformer and fun-asr (`task-…`, `result-generated`), and
//! Qwen-ASR's realtime events.
//!
//! | quirk | what is done |
//! |---|---|
//! | each `result-generated` words the whole sentence anew | a hypothesis of the same id |
//! | `sentence_id` is absent in older models, and always 0 in others | then the key is `begin_time`; a sentence that begins behind the last one of its id is another |
//! | older models have no `sentence_end` either | then a sentence with an `end_time` is final |
//! | `end_time` is null in hypotheses, and in some finals | the end of the last word, else when the message came |
//! | `heartbeat` sentences while nobody speaks | say nothing |
//! | a connection may run one task after another | another `task_id` is another session, whose times count from its first message |
//! | `task-failed` | reported with its `error_code` |
//! | Qwen: `text` is confirmed, `stash` may change | the hypothesis is both |
//! | Qwen: results have no times | those of `speech_started` and `speech_stopped` for the same `item_id` |
//! | Qwen: a failed item | takes back its hypothesis and is reported |

use serde::Deserialize;

use super::shape::{self, Id, Number, Stamp};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "DashScope";
/// Begins the type of Qwen's results.
const TRANSCRIPTION: &str = "conversation.item.input_audio_transcription.";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Dashscope::default())
}

#[derive(Debug, Default)]
struct Dashscope {
    /// Qwen's last stretch of speech.
    speech: Option<Speech>,
}

#[derive(Debug)]
struct Speech {
    item: String,
    start: Option<i64>,
    end: Option<i64>,
}

#[derive(Deserialize)]
struct Message {
    header: Option<Header>,
    payload: Option<Payload>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    item_id: Id,
    text: Option<String>,
    stash: Option<String>,
    transcript: Option<String>,
    #[serde(default)]
    audio_start_ms: Number,
    #[serde(default)]
    audio_end_ms: Number,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    event: String,
    #[serde(default)]
    task_id: Id,
    #[serde(default)]
    error_code: Id,
}

#[derive(Deserialize)]
struct Payload {
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    sentence: Option<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    #[serde(default)]
    sentence_id: Id,
    text: Option<String>,
    #[serde(default)]
    begin_time: Number,
    #[serde(default)]
    end_time: Number,
    sentence_end: Option<bool>,
    heartbeat: Option<bool>,
    #[serde(default)]
    words: Option<Vec<Stamp>>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: Id,
}

impl Dialect for Dashscope {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        match (&message.header, message.kind.as_deref()) {
            (Some(header), _) => task(header, message.payload.as_ref(), hearing),
            (None, Some(kind)) => self.realtime(kind, &message, hearing),
            (None, None) => Err(unknown()),
        }
    }
}

fn task(header: &Header, payload: Option<&Payload>, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
    hearing.session(header.task_id.get());
    match header.event.as_str() {
        "task-started" => Ok(()),
        "result-generated" => {
            let sentence =
                payload.and_then(|payload| payload.output.as_ref()).and_then(|output| output.sentence.as_ref());
            match sentence.filter(|sentence| sentence.heartbeat != Some(true)) {
                Some(sentence) => say(sentence, hearing),
                None => Ok(()),
            }
        }
        "task-finished" => {
            hearing.settle_all();
            Ok(())
        }
        "task-failed" => Err(shape::fault(NAME, header.error_code.get().unwrap_or("task-failed"))),
        _ => Err(unknown()),
    }
}

/// Passes a sentence on under its id. Without ids, utterances are told apart by the time at which they begin.
fn say(sentence: &Sentence, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
    let (first, last) = shape::span(sentence.words.as_deref().unwrap_or_default(), Number::ms);
    let said = Said {
        text: sentence.text.as_deref().unwrap_or_default(),
        start: sentence.begin_time.ms().or(first),
        end: sentence.end_time.ms().or(last),
        is_final: sentence.sentence_end.unwrap_or(sentence.end_time.ms().is_some()),
        ..Said::default()
    };
    match sentence.sentence_id.get() {
        Some(id) => hearing.say(&Said { key: id.to_owned(), ..said }),
        None => hearing.window(&mut [said]),
    }
}

impl Dashscope {
    fn realtime(&mut self, kind: &str, message: &Message, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let item = message.item_id.get().unwrap_or_default();
        match kind {
            "input_audio_buffer.speech_started" => {
                self.speech = Some(Speech { item: item.to_owned(), start: message.audio_start_ms.ms(), end: None });
                return Ok(());
            }
            "input_audio_buffer.speech_stopped" => {
                if let Some(speech) = self.speech.as_mut().filter(|speech| speech.item == item) {
                    speech.end = message.audio_end_ms.ms();
                }
                return Ok(());
            }
            "error" => return Err(fault(message)),
            _ => {}
        }
        let Some(result) = kind.strip_prefix(TRANSCRIPTION) else {
            let silent = ["session.", "input_audio_buffer.", "conversation.item."];
            return if silent.iter().any(|begin| kind.starts_with(begin)) { Ok(()) } else { Err(unknown()) };
        };
        let words;
        let (text, is_final) = match result {
            "text" | "delta" => {
                words = [message.text.as_deref(), message.stash.as_deref()].map(Option::unwrap_or_default).concat();
                (words.as_str(), false)
            }
            "completed" => (message.transcript.as_deref().unwrap_or_default(), true),
            "failed" => ("", true),
            _ => return Err(unknown()),
        };
        let speech = self.speech.as_ref().filter(|speech| speech.item == item);
        hearing.say(&Said {
            key: item.to_owned(),
            text,
            start: speech.and_then(|speech| speech.start),
            end: speech.and_then(|speech| speech.end),
            is_final,
            is_unique: !item.is_empty(),
            ..Said::default()
        })?;
        if result == "failed" { Err(fault(message)) } else { Ok(()) }
    }
}

fn fault(message: &Message) -> Unrecognised {
    shape::fault(NAME, message.error.as_ref().and_then(|error| error.code.get()).unwrap_or_default())
}

fn unknown() -> Unrecognised {
    shape::unknown(
        NAME,
        "task-started, result-generated, task-finished, task-failed, conversation.item.input_audio_transcription.*",
    )
}
