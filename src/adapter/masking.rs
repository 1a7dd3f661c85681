//! The events of a call as those see them who were not in it: personal data masked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::privacy::{self, Running};
use crate::engine::time::CallTime;
use crate::engine::transcript::Utterance;

/// Masks personal data in the events of a call, and in the `hypotheses` of one in progress, as those
/// who watched it live were shown them.
pub fn mask(events: &mut [Value], hypotheses: &mut [Value], is_live: bool) {
    let mut running = Running::default();
    // Where the utterance of an id stands last: a correction replaces what was said.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..events.len() {
        mask_fields(&mut events[index]);
        let Some(utterance) = utterance(&events[index], true) else { continue };
        places.insert(utterance.utterance_id.clone(), index);
        let reworded = running.say(&utterance);
        events[index]["text"] = Value::String(running.read(&utterance).text);
        for Utterance { utterance_id, text, .. } in reworded {
            events[places[&utterance_id]]["text"] = Value::String(text);
        }
    }
    for hypothesis in hypotheses {
        mask_fields(hypothesis);
        if let Some(utterance) = utterance(hypothesis, false) {
            running.say(&utterance);
            hypothesis["text"] = Value::String(running.read(&utterance).text);
        }
    }
    let decided = if is_live { Vec::new() } else { running.finish() };
    for Utterance { utterance_id, text, .. } in decided {
        events[places[&utterance_id]]["text"] = Value::String(text);
    }
}

/// The utterance that an event is; its times do not matter here.
fn utterance(event: &Value, is_final: bool) -> Option<Utterance> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    Some(Utterance {
        utterance_id: text("utterance_id").unwrap_or_default().to_owned(),
        role: serde_json::from_value(event.get("role")?.clone()).ok()?,
        text: text("text")?.to_owned(),
        start: CallTime::ANSWERED,
        end: CallTime::ANSWERED,
        is_final,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    })
}

fn mask_fields(event: &mut Value) {
    for (name, value) in event.as_object_mut().into_iter().flatten() {
        if !NAMES.contains(&name.as_str()) {
            mask_value(value);
        }
    }
}

/// Fields that name things, not persons' numbers; `text` has its own turn.
const NAMES: [&str; 12] = [
    "type",
    "call_id",
    "agent_id",
    "utterance_id",
    "seq",
    "role",
    "text",
    "started_at",
    "start_ms",
    "end_ms",
    "at_ms",
    "queue",
];

fn mask_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(masked) = privacy::mask(text) {
                *text = masked;
            }
        }
        Value::Number(number) => {
            if let Cow::Owned(masked) = privacy::mask(&number.to_string()) {
                *value = Value::String(masked);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask_value),
        Value::Object(fields) => fields.values_mut().for_each(mask_value),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_persons_are_masked_wherever_they_stand() {
        let mut events = vec![
            json!({"type": "call.start", "call_id": "13800138000", "customer_name": "13800138000",
                "attributes": {"phone": 13_800_138_000_u64, "notes": ["电话13800138000"], "rings": 3}}),
            json!({"type": "utterance", "utterance_id": "u1", "role": "customer", "text": "我的电话是1380013", "start_ms": 1}),
            json!({"type": "utterance", "utterance_id": "u2", "role": "agent", "text": "嗯", "start_ms": 2}),
            json!({"type": "utterance", "utterance_id": "u3", "role": "customer", "text": "8000", "start_ms": 3}),
        ];
        mask(&mut events, &mut [], false);
        let expected = vec![
            json!({"type": "call.start", "call_id": "13800138000", "customer_name": "138****8000",
                "attributes": {"phone": "138****8000", "notes": ["电话138****8000"], "rings": 3}}),
            json!({"type": "utterance", "utterance_id": "u1", "role": "customer", "text": "我的电话是138****", "start_ms": 1}),
            json!({"type": "utterance", "utterance_id": "u2", "role": "agent", "text": "嗯", "start_ms": 2}),
            json!({"type": "utterance", "utterance_id": "u3", "role": "customer", "text": "8000", "start_ms": 3}),
        ];
        assert_eq!(events, expected);
    }
}
