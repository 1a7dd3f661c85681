//! The faults of an event, by field, in Chinese and English, with the allowed values. This path is
//! slow; it runs only where the fast path could not read a frame.

use std::fmt;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::{Event, EventType, Frame, ID_BYTES_MAX, Number};

/// The sort of fault: the `code` of an `error` answer and of a metric, so the set is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum EventErrorCode {
    InvalidJson,
    UnknownType,
    MissingField,
    InvalidField,
}

impl EventErrorCode {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::UnknownType => "unknown_type",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
        }
    }
}

/// Why an event was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// The sort of fault.
    pub code: EventErrorCode,
    /// The field at fault.
    pub field: Option<&'static str>,
    /// The fault and the allowed values, in Chinese.
    pub zh: Box<str>,
    /// The fault and the allowed values, in English.
    pub en: Box<str>,
    /// The call, as far as it could be read.
    pub call_id: Option<String>,
    /// The number, as far as it could be read.
    pub number: Number,
}

impl EventError {
    pub(super) fn new(code: EventErrorCode, zh: impl Into<Box<str>>, en: impl Into<Box<str>>) -> Self {
        Self { code, field: None, zh: zh.into(), en: en.into(), call_id: None, number: Number::default() }
    }

    pub(super) fn missing(field: Field, kind: EventType) -> Self {
        let (name, kind) = (field.name(), kind.name());
        Self {
            field: Some(name),
            ..Self::new(
                EventErrorCode::MissingField,
                format!("{kind} 缺少字段 {name}"),
                format!("{kind} needs the field {name}"),
            )
        }
    }

    pub(super) fn invalid(field: Field, zh: impl fmt::Display, en: impl fmt::Display) -> Self {
        let name = field.name();
        Self {
            field: Some(name),
            ..Self::new(EventErrorCode::InvalidField, format!("{name} {zh}"), format!("{name} {en}"))
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.zh, self.en)
    }
}

impl std::error::Error for EventError {}

/// The names of [`Frame`]'s fields, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    CallId,
    Producer,
    Seq,
    AgentId,
    StartedAt,
    Direction,
    Channel,
    Queue,
    Rings,
    CustomerName,
    Packs,
    Attributes,
    UtteranceId,
    Role,
    Text,
    StartMs,
    EndMs,
    Final,
    Confidence,
    VolumeDb,
    PitchHz,
    AtMs,
    To,
    By,
}

impl Field {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::CallId => "call_id",
            Self::Producer => "producer",
            Self::Seq => "seq",
            Self::AgentId => "agent_id",
            Self::StartedAt => "started_at",
            Self::Direction => "direction",
            Self::Channel => "channel",
            Self::Queue => "queue",
            Self::Rings => "rings",
            Self::CustomerName => "customer_name",
            Self::Packs => "packs",
            Self::Attributes => "attributes",
            Self::UtteranceId => "utterance_id",
            Self::Role => "role",
            Self::Text => "text",
            Self::StartMs => "start_ms",
            Self::EndMs => "end_ms",
            Self::Final => "final",
            Self::Confidence => "confidence",
            Self::VolumeDb => "volume_db",
            Self::PitchHz => "pitch_hz",
            Self::AtMs => "at_ms",
            Self::To => "to",
            Self::By => "by",
        }
    }

    const fn is_integer(self) -> bool {
        matches!(self, Self::Seq | Self::Rings | Self::StartMs | Self::EndMs | Self::AtMs)
    }

    /// Whether `value` has the field's type, and that type in Chinese and English.
    pub(super) fn expects(self, value: &Value) -> (bool, &'static str, &'static str) {
        match self {
            Self::Seq => (value.is_u64(), "必须是非负整数", "must be an integer of 0 or more"),
            Self::Rings => (
                value.as_u64().is_some_and(|rings| u32::try_from(rings).is_ok()),
                "必须是非负整数",
                "must be an integer of 0 or more",
            ),
            Self::StartMs | Self::EndMs | Self::AtMs => {
                (value.is_i64(), "必须是整数毫秒", "must be an integer, in milliseconds")
            }
            Self::Final => (value.is_boolean(), "必须是 true 或 false", "must be true or false"),
            Self::Confidence | Self::VolumeDb | Self::PitchHz => (value.is_number(), "必须是数字", "must be a number"),
            Self::Packs => (
                value.as_array().is_some_and(|packs| packs.iter().all(Value::is_string)),
                "必须是字符串数组",
                "must be an array of strings",
            ),
            Self::Attributes => (value.is_object(), "必须是对象", "must be an object"),
            Self::Type
            | Self::CallId
            | Self::Producer
            | Self::AgentId
            | Self::StartedAt
            | Self::Direction
            | Self::Channel
            | Self::Queue
            | Self::CustomerName
            | Self::UtteranceId
            | Self::Role
            | Self::Text
            | Self::To
            | Self::By => (value.is_string(), "必须是字符串", "must be a string"),
        }
    }
}

/// Finds the fault of an unreadable frame. Fields that its type does not use and repeated keys are
/// forgiven here.
pub(super) fn explain(text: &str, error: &serde_json::Error) -> Result<Event, EventError> {
    let object = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => object,
        Ok(other) => {
            let (zh, en) = kind_of(&other);
            return Err(EventError::new(
                EventErrorCode::InvalidJson,
                format!("应为一个 JSON 对象，收到的是{zh}"),
                format!("expected one JSON object, got {en}"),
            ));
        }
        Err(error) => {
            return Err(EventError::new(
                EventErrorCode::InvalidJson,
                format!("第 {} 列起不是合法的 JSON", error.column()),
                format!("not valid JSON from column {}", error.column()),
            ));
        }
    };
    let call_id = object.get("call_id").and_then(Value::as_str).map(clip_id);
    let producer = object.get("producer").and_then(Value::as_str).map(clip_id);
    let number = Number { producer, seq: object.get("seq").and_then(Value::as_u64) };
    explain_object(object, error).map_err(|fault| EventError { call_id, number, ..fault })
}

fn explain_object(mut object: Map<String, Value>, error: &serde_json::Error) -> Result<Event, EventError> {
    let kind = match object.get("type") {
        None | Some(Value::Null) => return Err(no_type()),
        Some(Value::String(name)) => EventType::from_name(name).ok_or_else(|| unknown_type(name))?,
        Some(other) => {
            let (zh, en) = kind_of(other);
            return Err(EventError::invalid(
                Field::Type,
                format_args!("必须是字符串，收到的是{zh}"),
                format_args!("must be a string, not {en}"),
            ));
        }
    };
    for field in kind.fields() {
        let Some(value) = object.get(field.name()).filter(|value| !value.is_null()) else { continue };
        let (fits, zh, en) = field.expects(value);
        if !fits {
            let (got_zh, got_en) = match value {
                Value::Number(number) if field.is_integer() && !number.is_f64() => {
                    ("超出范围的整数", "an integer out of range")
                }
                value => kind_of(value),
            };
            return Err(EventError::invalid(
                *field,
                format_args!("{zh}，收到的是{got_zh}"),
                format_args!("{en}, not {got_en}"),
            ));
        }
    }
    object.retain(|key, _| kind.fields().iter().any(|field| field.name() == key));
    match Frame::deserialize(&Value::Object(object)) {
        Ok(frame) => frame.into_event(),
        Err(_) => Err(EventError::new(
            EventErrorCode::InvalidJson,
            format!("第 {} 列处的值无法读取", error.column()),
            format!("the value at column {} cannot be read", error.column()),
        )),
    }
}

pub(super) fn no_type() -> EventError {
    EventError {
        field: Some("type"),
        ..EventError::new(
            EventErrorCode::MissingField,
            format!("缺少字段 type；可用的有：{}", type_names()),
            format!("the field type is missing; known are: {}", type_names()),
        )
    }
}

pub(super) fn unknown_type(name: &str) -> EventError {
    let name = clip_id(name);
    EventError {
        field: Some("type"),
        ..EventError::new(
            EventErrorCode::UnknownType,
            format!("不认识的 type「{name}」；可用的有：{}", type_names()),
            format!("unknown type {name:?}; known are: {}", type_names()),
        )
    }
}

fn type_names() -> String {
    EventType::ALL.map(EventType::name).join(", ")
}

/// At most [`ID_BYTES_MAX`] bytes of what a producer sent, to be sent back.
pub(super) fn clip_id(id: &str) -> String {
    id[..id.floor_char_boundary(ID_BYTES_MAX)].to_owned()
}

/// The name of a JSON value's type in Chinese and English, without its contents.
fn kind_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => (" null", "null"),
        Value::Bool(_) => ("布尔值", "a boolean"),
        Value::Number(number) if number.is_f64() => ("小数", "a fraction"),
        Value::Number(_) => ("整数", "an integer"),
        Value::String(_) => ("字符串", "a string"),
        Value::Array(_) => ("数组", "an array"),
        Value::Object(_) => ("对象", "an object"),
    }
}
