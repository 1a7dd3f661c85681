//! Vosk's WebSocket server.
//!
//! | quirk | what is done |
//! |---|---|
//! | a message is a hypothesis with the key `partial`, or a final with `text`; neither has an id | sentences are counted |
//! | a hypothesis comes again with each chunk of the silence behind it | it changes nothing, nor does it last longer |
//! | empty ones come with each chunk of silence | say nothing |
//! | Chinese has spaces between words | dropped, also from beside marks; those beside Latin letters stay |
//! | `result` (seconds) comes with the final, and only if words were asked for; `partial_result` likewise | else placed by when the message came |
//! | with `alternatives`, the best comes first; its `confidence` is no probability | taken; ignored |
//! | `spk` is a voiceprint | ignored: the role is the connection's |
//! | no punctuation; the end is the end of the connection | |

use serde::Deserialize;

use super::shape::{self, Number, Stamp};
use super::stream::{Counter, Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Vosk";

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Vosk::default())
}

#[derive(Debug, Default)]
struct Vosk {
    counter: Counter,
}

#[derive(Deserialize)]
struct Message {
    partial: Option<String>,
    #[serde(default)]
    partial_result: Vec<Stamp>,
    #[serde(flatten)]
    settled: Candidate,
    alternatives: Option<Vec<Candidate>>,
}

#[derive(Deserialize)]
struct Candidate {
    text: Option<String>,
    #[serde(default)]
    result: Vec<Stamp>,
}

impl Dialect for Vosk {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        let best = message.alternatives.as_ref().and_then(|candidates| candidates.first()).unwrap_or(&message.settled);
        let (words, stamps, is_final) = match (&message.partial, &best.text) {
            (_, Some(words)) => (words, &best.result, true),
            (Some(words), None) => (words, &message.partial_result, false),
            (None, None) => return Err(shape::unknown(NAME, "partial, text, alternatives")),
        };
        let (start, end) = shape::span(stamps, Number::seconds);
        hearing.say(&Said {
            key: self.counter.key(is_final),
            text: &shape::without_cjk_spaces(words),
            start,
            end,
            is_final,
            ..Said::default()
        })
    }
}
