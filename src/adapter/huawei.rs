//! Huawei Cloud's realtime recognition (RASR).
//!
//! | quirk | what is done |
//! |---|---|
//! | a `RESULT` has one or more `segments`, each a hypothesis or final | taken in turn |
//! | segments have no id | told apart by `start_time` |
//! | `score` is 0 in hypotheses, and not to be relied upon | ignored |
//! | a connection may run one session after another | another `trace_id` is another session |
//! | `START` and `EVENT` (voice begins, voice ends, silence) | say nothing |
//! | `ERROR` and `FATAL_ERROR` | reported with the `error_code` |
//! | `END` ends the stream | what is open is settled |

use serde::Deserialize;

use super::shape::{self, Id, Number};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Huawei RASR";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Huawei)
}

struct Huawei;

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    resp_type: Id,
    #[serde(default)]
    trace_id: Id,
    #[serde(default)]
    error_code: Id,
    #[serde(default)]
    segments: Option<Vec<Segment>>,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
    is_final: Option<bool>,
    result: Option<Words>,
}

#[derive(Deserialize)]
struct Words {
    text: Option<String>,
}

impl Dialect for Huawei {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        hearing.session(message.trace_id.get());
        match message.resp_type.get() {
            Some("RESULT") => {
                let segments = message.segments.unwrap_or_default();
                let mut window: Vec<Said<'_>> = segments.iter().map(Segment::said).collect();
                hearing.window(&mut window)
            }
            Some("START" | "EVENT") => Ok(()),
            Some("END") => {
                hearing.settle_all();
                Ok(())
            }
            Some("ERROR" | "FATAL_ERROR") => Err(shape::fault(NAME, message.error_code.get().unwrap_or_default())),
            _ => Err(shape::unknown(NAME, "START, EVENT, RESULT, END, ERROR, FATAL_ERROR")),
        }
    }
}

impl Segment {
    fn said(&self) -> Said<'_> {
        Said {
            text: self.result.as_ref().and_then(|words| words.text.as_deref()).unwrap_or_default(),
            start: self.start_time.ms(),
            end: self.end_time.ms(),
            is_final: self.is_final == Some(true),
            ..Said::default()
        }
    }
}
