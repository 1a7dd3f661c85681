//! Deepgram's live messages, which other servers emulate.
//!
//! | quirk | what is done |
//! |---|---|
//! | `is_final` settles a piece; an utterance ends with `speech_final` | pieces append up to it; until then all are one hypothesis |
//! | without `endpointing` nothing is `speech_final` | `UtteranceEnd` ends the utterance; without that too, it is cut at a thousand characters |
//! | `from_finalize` marks the answer to the client's `Finalize` | ends the utterance |
//! | results have no id | utterances are counted on each channel |
//! | `channel` is an object in `Results`, and an array in `SpeechStarted` and `UtteranceEnd` | both are read |
//! | `channel_index` is `[channel, channels]`; on one channel, words may have a `speaker` | the speaker of most words |
//! | Chinese transcripts have spaces between words | dropped, as in Vosk's |
//! | `Metadata`, `SpeechStarted`, `Connected`, `Finalize…` | say nothing |
//! | `Error` | reported with its `variant` |

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::shape::{self, Id, Number, Stamp};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "Deepgram";
/// Channels of one connection; those beyond are taken for the last.
const CHANNELS_MAX: i64 = 16;

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Deepgram::default())
}

#[derive(Debug, Default)]
struct Deepgram {
    channels: BTreeMap<i64, Pieces>,
}

/// The settled pieces of an utterance that goes on.
#[derive(Debug, Default)]
struct Pieces {
    /// The utterance's, on its channel.
    number: u64,
    text: String,
    start: Option<i64>,
    end: Option<i64>,
    speaker: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: Option<String>,
    channel: Option<Value>,
    #[serde(default)]
    channel_index: Vec<Number>,
    #[serde(default)]
    start: Number,
    #[serde(default)]
    duration: Number,
    is_final: Option<bool>,
    speech_final: Option<bool>,
    from_finalize: Option<bool>,
    #[serde(default)]
    variant: Id,
    #[serde(default)]
    err_code: Id,
}

#[derive(Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    transcript: Option<String>,
    #[serde(default)]
    confidence: Number,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(default)]
    speaker: Id,
}

impl Dialect for Deepgram {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let message: Message = shape::json(NAME, text)?;
        match message.kind.as_deref() {
            Some("Results") => self.results(message, hearing),
            Some("UtteranceEnd") => {
                let first = message.channel.as_ref().and_then(|channel| channel.get(0)).and_then(Value::as_i64);
                let channel = channel_number(first);
                self.channels.get_mut(&channel).map_or(Ok(()), |pieces| pieces.end(channel, hearing))
            }
            Some("Metadata" | "SpeechStarted" | "Connected" | "Finalize" | "Warning") => Ok(()),
            Some("Error") => {
                Err(shape::fault(NAME, message.variant.get().or(message.err_code.get()).unwrap_or_default()))
            }
            _ => Err(shape::unknown(NAME, "Results, UtteranceEnd, SpeechStarted, Metadata, Error")),
        }
    }
}

impl Deepgram {
    fn results(&mut self, message: Message, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let channel = message.channel.as_ref().unwrap_or(&Value::Null);
        let result: Channel = shape::value(NAME, "Results with channel.alternatives", channel)?;
        let Some(best) = result.alternatives.first() else { return Ok(()) };
        shape::check_length(best.transcript.as_deref().unwrap_or_default())?;
        let words = shape::without_cjk_spaces(best.transcript.as_deref().unwrap_or_default().trim());
        let index = |place: usize| message.channel_index.get(place).and_then(|number| number.integer());
        let channel = channel_number(index(0));
        let stamps: Vec<Stamp> = best.words.iter().map(|word| word.stamp).collect();
        let (first, last) = shape::span(&stamps, Number::seconds);
        let start = message.start.seconds();
        let end = start.zip(message.duration.seconds()).map(|(start, duration)| start + duration);
        let ends = message.speech_final == Some(true) || message.from_finalize == Some(true);

        let speaker = match index(1) {
            Some(channels) if channels > 1 => Some(channel.to_string()),
            _ => shape::most(best.words.iter().map(|word| &word.speaker)).map(str::to_owned),
        };

        let settles = message.is_final == Some(true);
        let pieces = self.channels.entry(channel).or_default();
        if start.zip(pieces.start).is_some_and(|(start, begun)| start < begun) {
            // The stream began anew: the pieces so far are of the one before.
            pieces.end(channel, hearing)?;
        }
        if settles && speaker.is_some() && speaker != pieces.speaker {
            pieces.end(channel, hearing)?;
        }
        let mut so_far = pieces.text.clone();
        shape::append(&mut so_far, &words);
        let span = match words.is_empty() {
            true => (pieces.start, pieces.end),
            false => (pieces.start.or(first).or(start), last.or(end)),
        };
        let speaker = speaker.or_else(|| pieces.speaker.clone());
        let settled = hearing.say_so_far(Said {
            key: pieces.key(channel),
            speaker: speaker.as_deref(),
            text: &so_far,
            start: span.0,
            end: span.1,
            is_final: ends,
            confidence: best.confidence.confidence().filter(|_| !words.is_empty()),
            is_unique: false,
        })?;
        if settled {
            *pieces = pieces.next();
        } else if settles {
            *pieces = Pieces { number: pieces.number, text: so_far, start: span.0, end: span.1, speaker };
        }
        Ok(())
    }
}

impl Pieces {
    fn key(&self, channel: i64) -> String {
        format!("{channel}-{}", self.number)
    }

    fn next(&self) -> Self {
        Self { number: self.number + 1, ..Self::default() }
    }

    /// Ends the utterance with what is settled of it; words that are not come again, in the next one.
    fn end(&mut self, channel: i64, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        if self.text.is_empty() {
            return Ok(());
        }
        let pieces = std::mem::replace(self, self.next());
        hearing.say(&Said {
            key: pieces.key(channel),
            speaker: pieces.speaker.as_deref(),
            text: &pieces.text,
            start: pieces.start,
            end: pieces.end,
            is_final: true,
            ..Said::default()
        })
    }
}

fn channel_number(number: Option<i64>) -> i64 {
    number.unwrap_or_default().clamp(0, CHANNELS_MAX)
}
