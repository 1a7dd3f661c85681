//! WeNet's runtime server.
//!
//! | quirk | what is done |
//! |---|---|
//! | `nbest` is a string of JSON | read as such; as an array, too |
//! | `partial_result` words the sentence anew, `final_result` settles it; neither has an id | sentences are counted |
//! | `word_pieces` come with the final only | a hypothesis begins a little before it came |
//! | `server_ready` | says nothing |
//! | `speech_end` ends the stream | what is open is settled |
//! | `status` is not `ok` | reported; there is no code |
//! | no punctuation, no confidence | |

use serde::Deserialize;
use serde_json::Value;

use super::shape::{self, Number, Stamp};
use super::stream::{Counter, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "WeNet";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Wenet::default())
}

#[derive(Debug, Default)]
struct Wenet {
    counter: Counter,
}

#[derive(Deserialize)]
struct Message {
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    nbest: Option<Value>,
}

#[derive(Deserialize)]
struct Candidate {
    sentence: Option<String>,
    #[serde(default)]
    word_pieces: Option<Vec<Stamp>>,
}

impl Dialect for Wenet {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        if message.status.as_deref().is_some_and(|status| status != "ok") {
            return Err(shape::fault(NAME, ""));
        }
        match message.kind.as_deref() {
            Some("partial_result") => self.result(message.nbest, false, hearing),
            Some("final_result") => self.result(message.nbest, true, hearing),
            Some("server_ready") => Ok(()),
            Some("speech_end") => {
                hearing.settle_all();
                Ok(())
            }
            _ => Err(shape::unknown(NAME, "server_ready, partial_result, final_result, speech_end")),
        }
    }
}

impl Wenet {
    fn result(&mut self, nbest: Option<Value>, is_final: bool, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let candidates: Vec<Candidate> = match nbest {
            Some(Value::String(text)) => shape::json(NAME, &text)?,
            Some(array) => shape::value(NAME, "nbest", &array)?,
            None => Vec::new(),
        };
        let best = candidates.first();
        let pieces = best.and_then(|best| best.word_pieces.as_deref()).unwrap_or_default();
        let (start, end) = shape::span(pieces, Number::ms);
        hearing.say(&Said {
            key: self.counter.key(is_final),
            text: best.and_then(|best| best.sentence.as_deref()).unwrap_or_default(),
            start,
            end,
            is_final,
            ..Said::default()
        })
    }
}
