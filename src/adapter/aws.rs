//! AWS: Transcribe's `TranscriptEvent`s, Call Analytics' `UtteranceEvent`s,
//! and the segments of Live Call Analytics, as JSON. The binary event stream
//! around them is the forwarder's to take off.
//!
//! | quirk | what is done |
//! |---|---|
//! | results come bare, in `TranscriptEvent`, or in one or two wrappers more | unwrapped |
//! | one event has several `Results`, or none | taken in turn |
//! | `ResultId`, `UtteranceId`, `SegmentId` | the key |
//! | Transcribe counts seconds, Call Analytics milliseconds, segments seconds in strings | |
//! | `ChannelId` (`ch_0`) with two channels; on one, `Items` may have a `Speaker` | the speaker of most items |
//! | Call Analytics names roles (`AGENT`, `CUSTOMER`), segments channels (`AGENT`, `CALLER`) | channels, like the others: `agent_channel=AGENT` |
//! | segments also tell what nobody said: `AGENT_ASSISTANT`, `CATEGORY_MATCH`, `AGENT_VOICETONE`, `CALLER_VOICETONE` | say nothing |
//! | a segment comes again with personal data taken out | a correction: ids are unique |
//! | items may end before they begin | only the times of the whole are used |
//! | `CategoryEvent`, `START` and `END` of segments, empty results | say nothing |
//! | exceptions are members named `…Exception`, empty where there is none | reported by their name |

use serde::Deserialize;
use serde_json::{Map, Value};

use super::shape::{self, Id, Number};
use super::stream::{Dialect, Hearing, Recogniser, Said};
use super::{Adapter, Leg, Unrecognised};

const NAME: &str = "AWS Transcribe";
const KNOWN: &str = "Transcript.Results, UtteranceEvent, CategoryEvent, SegmentId";
/// The keys that may wrap an event.
const WRAPPERS: [&str; 4] =
    ["transcriptionResponse", "TranscriptResultStream", "CallAnalyticsTranscriptResultStream", "TranscriptEvent"];

/// The adapter of one connection.
pub fn adapter(leg: Leg) -> impl Adapter {
    Recogniser::new(leg, Aws)
}

struct Aws;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transcript {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    #[serde(default)]
    result_id: Id,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
    is_partial: Option<bool>,
    #[serde(default)]
    channel_id: Id,
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alternative {
    transcript: Option<String>,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(default)]
    speaker: Id,
}

/// An utterance of Call Analytics or a segment of Live Call Analytics.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Segment {
    #[serde(default, alias = "SegmentId")]
    utterance_id: Id,
    #[serde(default, alias = "Channel")]
    participant_role: Id,
    is_partial: Option<bool>,
    transcript: Option<String>,
    #[serde(default)]
    begin_offset_millis: Number,
    #[serde(default)]
    end_offset_millis: Number,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    end_time: Number,
}

impl Dialect for Aws {
    fn read(&mut self, text: &str, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        let mut event: Map<String, Value> = shape::json(NAME, text)?;
        for wrapper in WRAPPERS {
            if let Some(Value::Object(inner)) = event.get_mut(wrapper) {
                event = std::mem::take(inner);
            }
        }
        let failed = |(name, value): &(&String, &Value)| {
            name.ends_with("Exception") && !value.is_null() && value.as_object().is_none_or(|fault| !fault.is_empty())
        };
        if let Some((name, _)) = event.iter().find(failed) {
            return Err(shape::fault(NAME, name));
        }
        if let Some(transcript @ Value::Object(_)) = event.get("Transcript") {
            let transcript: Transcript = shape::value(NAME, KNOWN, transcript)?;
            return transcript.results.iter().try_for_each(|result| say(result, hearing));
        }
        if let Some(utterance) = event.get("UtteranceEvent").filter(|utterance| !utterance.is_null()) {
            return shape::value::<Segment>(NAME, KNOWN, utterance)?.say(hearing);
        }
        if event.contains_key("SegmentId") {
            return shape::value::<Segment>(NAME, KNOWN, &Value::Object(event))?.say(hearing);
        }
        if ["CategoryEvent", "EventType", "UtteranceEvent"].iter().any(|silent| event.contains_key(*silent)) {
            return Ok(());
        }
        Err(shape::unknown(NAME, KNOWN))
    }
}

fn say(result: &Outcome, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
    let Some(best) = result.alternatives.first() else { return Ok(()) };
    let speaker = shape::most(best.items.iter().map(|item| &item.speaker));
    hearing.say(&Said {
        key: result.result_id.get().unwrap_or_default().to_owned(),
        speaker: result.channel_id.get().or(speaker),
        text: best.transcript.as_deref().unwrap_or_default(),
        start: result.start_time.seconds(),
        end: result.end_time.seconds(),
        is_final: result.is_partial != Some(true),
        is_unique: result.result_id.get().is_some(),
        ..Said::default()
    })
}

impl Segment {
    fn say(&self, hearing: &mut Hearing<'_>) -> Result<(), Unrecognised> {
        if self.participant_role.get().is_some_and(is_nobody) {
            return Ok(());
        }
        hearing.say(&Said {
            key: self.utterance_id.get().unwrap_or_default().to_owned(),
            speaker: self.participant_role.get(),
            text: self.transcript.as_deref().unwrap_or_default(),
            start: self.begin_offset_millis.ms().or(self.start_time.seconds()),
            end: self.end_offset_millis.ms().or(self.end_time.seconds()),
            is_final: self.is_partial != Some(true),
            is_unique: self.utterance_id.get().is_some(),
            ..Said::default()
        })
    }
}

/// Whether a channel carries what neither party said: advice to the agent, what was found in the words, how a voice
/// sounds.
fn is_nobody(channel: &str) -> bool {
    let channel = channel.to_ascii_uppercase();
    channel == "CATEGORY_MATCH" || ["_ASSISTANT", "_VOICETONE"].iter().any(|ending| channel.ends_with(ending))
}
