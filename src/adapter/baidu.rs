//! Baidu's realtime recognition.
//!
//! | quirk | what is done |
//! |---|---|
//! | `MID_TEXT` words the sentence anew, `FIN_TEXT` settles it; neither has an id (`sn` is the session's) | one sentence is open at a time, and sentences are counted |
//! | only `FIN_TEXT` has times | a hypothesis begins a little before it came |
//! | `HEARTBEAT` frames | say nothing |
//! | a `FIN_TEXT` with an `err_no` found no words in its sentence | takes back the hypothesis, and is reported with its number |

use serde::Deserialize;

use super::shape::{self, Id, Number};
use super::stream::{Counter, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Baidu ASR";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Baidu::default())
}

#[derive(Debug, Default)]
struct Baidu {
    counter: Counter,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, rename = "type")]
    kind: Id,
    result: Option<String>,
    #[serde(default)]
    err_no: Id,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
}

impl Dialect for Baidu {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        let fault = message.err_no.get().filter(|code| *code != "0").map(|code| shape::fault(NAME, code));
        let is_final = match (message.kind.get(), &fault) {
            (Some("FIN_TEXT"), _) => true,
            (_, Some(fault)) => return Err(fault.clone()),
            (Some("MID_TEXT"), None) => false,
            (Some("HEARTBEAT"), None) => return Ok(()),
            _ => return Err(shape::unknown(NAME, "MID_TEXT, FIN_TEXT, HEARTBEAT")),
        };
        hearing.say(&Said {
            key: self.counter.key(is_final),
            text: if fault.is_some() { "" } else { message.result.as_deref().unwrap_or_default() },
            start: message.start_time.ms(),
            end: message.end_time.ms(),
            is_final,
            ..Said::default()
        })?;
        fault.map_or(Ok(()), Err)
    }
}
