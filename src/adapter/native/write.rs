//! Events written in the wire format of `docs/events.md`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{EventType, Number};
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Channel, Direction, Input, Party, Role};

/// An input as an event, for the viewers of a call.
#[must_use]
pub fn to_json(call_id: &str, input: &Input) -> String {
    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        call_id: &'a str,
        #[serde(flatten)]
        body: Body<'a>,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Body<'a> {
        Utterance {
            utterance_id: &'a str,
            role: Role,
            #[serde(skip_serializing_if = "Option::is_none")]
            agent_id: Option<&'a str>,
            text: &'a str,
            start_ms: i64,
            end_ms: i64,
            #[serde(rename = "final")]
            is_final: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            confidence: Option<f32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            volume_db: Option<f32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            pitch_hz: Option<f32>,
        },
        At {
            at_ms: i64,
            #[serde(skip_serializing_if = "Option::is_none")]
            to: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            agent_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            by: Option<Party>,
        },
    }
    let at = |at: CallTime| Body::At { at_ms: at.0, to: None, agent_id: None, by: None };
    let (kind, body) = match input {
        Input::Utterance(utterance) => (
            EventType::Utterance,
            Body::Utterance {
                utterance_id: &utterance.utterance_id,
                role: utterance.role,
                agent_id: utterance.agent_id.as_deref(),
                text: &utterance.text,
                start_ms: utterance.start.0,
                end_ms: utterance.end.0,
                is_final: utterance.is_final,
                confidence: utterance.confidence,
                volume_db: utterance.volume_db,
                pitch_hz: utterance.pitch_hz,
            },
        ),
        Input::Hold { at: time } => (EventType::Hold, at(*time)),
        Input::Resume { at: time } => (EventType::Resume, at(*time)),
        Input::Transfer { at, to } => {
            (EventType::Transfer, Body::At { at_ms: at.0, to: to.as_deref(), agent_id: None, by: None })
        }
        Input::TransferAnswered { at, agent_id } => {
            (EventType::TransferAnswered, Body::At { at_ms: at.0, to: None, agent_id: agent_id.as_deref(), by: None })
        }
        Input::End { at, by } => (EventType::End, Body::At { at_ms: at.0, to: None, agent_id: None, by: Some(*by) }),
    };
    serde_json::to_string(&Written { kind: kind.name(), call_id, body })
        .expect("strings, numbers and string keys always serialise")
}

/// An event that has no number, with one: `json` is an object as it was received or written here.
#[must_use]
pub fn numbered(json: &str, number: &Number) -> String {
    let Some(fields) = json.strip_prefix('{') else { return json.to_owned() };
    let text = |text: &str| Value::from(text).to_string();
    let producer = number.producer.as_deref().map(|producer| format!("\"producer\":{},", text(producer)));
    let seq = number.seq.map(|seq| format!("\"seq\":{seq},"));
    format!("{{{}{}{fields}", producer.unwrap_or_default(), seq.unwrap_or_default())
}

/// The `call.start` event of a call.
#[must_use]
pub fn start_to_json(info: &CallInfo) -> String {
    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        call_id: &'a str,
        agent_id: &'a str,
        started_at: String,
        direction: Direction,
        channel: Channel,
        #[serde(skip_serializing_if = "Option::is_none")]
        queue: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rings: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        customer_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        packs: Option<&'a [String]>,
        attributes: &'a BTreeMap<String, Value>,
    }
    let written = Written {
        kind: EventType::Start.name(),
        call_id: &info.call_id,
        agent_id: &info.agent_id,
        started_at: info.started_at.to_rfc3339(),
        direction: info.direction,
        channel: info.channel,
        queue: info.queue.as_deref(),
        rings: info.rings,
        customer_name: info.customer_name.as_deref(),
        packs: info.packs.as_deref(),
        attributes: &info.attributes,
    };
    serde_json::to_string(&written).expect("strings, numbers and string keys always serialise")
}
