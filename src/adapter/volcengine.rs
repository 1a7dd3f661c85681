//! Volcengine (Doubao) streaming recognition: the JSON of its payload. The
//! binary frames around it, and their gzip, are the forwarder's to take off.
//!
//! | quirk | what is done |
//! |---|---|
//! | `result_type` full sends all sentences again with each message, single the current one | a settled sentence that is the same says nothing |
//! | sentences have no id | told apart by `start_time` |
//! | `definite` settles a sentence | |
//! | `text` beside `utterances` is all of them together | ignored; without `utterances` (`show_utterances` off) nothing ever settles, which is reported |
//! | `additions.speaker_id` is a string, or a number, or absent until later | see the rules of `stream` |
//! | `result` is an array in the older version | read alike |
//! | `code` is neither 0 nor 1000 nor 20000000, or there is an `error` | reported with its number |
//! | the last packet is marked in the binary header | the end of the connection settles what is open |

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::shape::{self, Id, Number};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Volcengine";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Volcengine)
}

struct Volcengine;

#[derive(Deserialize)]
struct Message {
    #[serde(default, alias = "backend_code")]
    code: Id,
    error: Option<IgnoredAny>,
    result: Option<Results>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Results {
    One(Box<Transcript>),
    Many(Vec<Transcript>),
}

#[derive(Deserialize)]
struct Transcript {
    text: Option<String>,
    utterances: Option<Vec<Spoken>>,
}

#[derive(Deserialize)]
struct Spoken {
    text: Option<String>,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
    definite: Option<bool>,
    additions: Option<Additions>,
}

#[derive(Deserialize)]
struct Additions {
    #[serde(default)]
    speaker_id: Id,
}

impl Dialect for Volcengine {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        let code = message.code.get().filter(|code| !matches!(*code, "0" | "1000" | "20000000"));
        if code.is_some() || message.error.is_some() {
            return Err(shape::fault(NAME, code.unwrap_or_default()));
        }
        let transcripts = match message.result {
            Some(Results::One(transcript)) => vec![*transcript],
            Some(Results::Many(transcripts)) => transcripts,
            // The answer to the first packet.
            None if message.code.get().is_some() => return Ok(()),
            None => return Err(shape::unknown(NAME, "result.utterances")),
        };
        for transcript in transcripts {
            let Some(utterances) = &transcript.utterances else {
                if transcript.text.is_none_or(|text| text.is_empty()) {
                    continue;
                }
                return Err(Unrecognised::new(
                    "result 里没有 utterances：请求识别时打开 show_utterances",
                    "the result has no utterances: ask the recogniser for show_utterances",
                ));
            };
            let mut window: Vec<Said<'_>> = utterances
                .iter()
                .map(|spoken| Said {
                    speaker: spoken.additions.as_ref().and_then(|additions| additions.speaker_id.get()),
                    text: spoken.text.as_deref().unwrap_or_default(),
                    start: spoken.start_time.ms(),
                    end: spoken.end_time.ms(),
                    is_final: spoken.definite == Some(true),
                    ..Said::default()
                })
                .collect();
            hearing.window(&mut window)?;
        }
        Ok(())
    }
}
