//! Tencent Cloud's realtime recognition (`asr/v2`), and its variant with speakers.
//!
//! | quirk | what is done |
//! |---|---|
//! | `slice_type` 0 and 1 word the sentence anew, 2 settles it | hypotheses and the final of one id |
//! | `index` counts sentences from 0 in each `voice_id` | the key; another `voice_id` is another session |
//! | the first message has no `result` | says nothing |
//! | `final:1` ends the stream, and may carry a last result | the result is taken, then what is open is settled |
//! | `code` is not 0 | reported with its number |
//! | with speakers: `sentences.sentence_list`, where hypothesis and final of one `sentence_id` may come together | both are taken in turn |
//! | `speaker_id` is -1, or absent, while the speaker is not known | see the rules of `stream` |
//! | no confidence | |

use serde::Deserialize;

use super::shape::{self, Id, Number};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Tencent ASR";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Tencent)
}

struct Tencent;

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    code: Id,
    #[serde(default)]
    voice_id: Id,
    result: Option<Slice>,
    sentences: Option<Sentences>,
    #[serde(default, rename = "final")]
    is_last: Number,
}

#[derive(Deserialize)]
struct Slice {
    #[serde(default)]
    slice_type: Number,
    #[serde(default)]
    index: Id,
    voice_text_str: Option<String>,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
}

#[derive(Deserialize)]
struct Sentences {
    sentence_list: Option<Vec<Sentence>>,
}

#[derive(Deserialize)]
struct Sentence {
    #[serde(default)]
    sentence_id: Id,
    #[serde(default)]
    sentence_type: Number,
    sentence: Option<String>,
    #[serde(default)]
    speaker_id: Id,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
}

impl Dialect for Tencent {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        let Some(code) = message.code.get() else {
            return Err(shape::unknown(NAME, "code + result, code + sentences"));
        };
        if code != "0" {
            return Err(shape::fault(NAME, code));
        }
        hearing.session(message.voice_id.get());
        if let Some(slice) = &message.result {
            hearing.say(&Said {
                key: slice.index.get().unwrap_or_default().to_owned(),
                text: slice.voice_text_str.as_deref().unwrap_or_default(),
                start: slice.start_time.ms(),
                end: slice.end_time.ms(),
                is_final: slice.slice_type.integer() == Some(2),
                ..Said::default()
            })?;
        }
        for sentence in message.sentences.and_then(|sentences| sentences.sentence_list).unwrap_or_default() {
            hearing.say(&Said {
                key: sentence.sentence_id.get().unwrap_or_default().to_owned(),
                speaker: sentence.speaker_id.get(),
                text: sentence.sentence.as_deref().unwrap_or_default(),
                start: sentence.start_time.ms(),
                end: sentence.end_time.ms(),
                is_final: sentence.sentence_type.integer() == Some(1),
                ..Said::default()
            })?;
        }
        if message.is_last.integer() == Some(1) {
            hearing.settle_all();
        }
        Ok(())
    }
}
