//! Call events in the wire format of `docs/events.md`: one JSON object a frame or line.
//!
//! [`parse`] has one fast path, a borrowed struct that holds the fields of all
//! types at once. What it cannot read is explained by `fault.rs`, which is slow
//! and names the field, what was wrong with it and what is allowed.

mod fault;
mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::Value;

pub use fault::{EventError, EventErrorCode};
use fault::{Field, clip_id, explain, no_type, unknown_type};
pub use write::{numbered, start_to_json, to_json};

use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Channel, Direction, Input, Party, Role, Utterance};

/// Longest text of one utterance, in characters.
pub const UTTERANCE_CHARS_MAX: usize = 10_000;
/// Longest id, in bytes.
pub const ID_BYTES_MAX: usize = 256;
/// Entries of `attributes`.
pub const ATTRIBUTES_MAX: usize = 64;
/// Bytes of `attributes`, names and values together.
pub const ATTRIBUTES_BYTES_MAX: usize = 8 * 1024;
/// Latest moment of a call that an event may speak of: 31 days. A clock that
/// jumped further is a producer's fault, and would end every deadline at once.
pub const CALL_MS_MAX: i64 = 31 * 24 * 60 * 60 * 1_000;

/// One event of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Which call.
    pub call_id: String,
    /// Who numbered it, and how.
    pub number: Number,
    /// The start of the call, or something that happened in it.
    pub body: EventBody,
}

/// The number of an event, as its producer counts within the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// One of several producers of the call, each with numbers of its own.
    pub producer: Option<String>,
    /// Rising within the call.
    pub seq: Option<u64>,
}

/// The contents of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum EventBody {
    /// The call was answered. Boxed: it is large and comes once a call.
    Start(Box<CallInfo>),
    /// Something happened in it.
    Input(Input),
}

impl EventBody {
    /// The `type` of the event.
    #[must_use]
    pub const fn kind(&self) -> EventType {
        match self {
            Self::Start(_) => EventType::Start,
            Self::Input(Input::Utterance(_)) => EventType::Utterance,
            Self::Input(Input::Hold { .. }) => EventType::Hold,
            Self::Input(Input::Resume { .. }) => EventType::Resume,
            Self::Input(Input::Transfer { .. }) => EventType::Transfer,
            Self::Input(Input::TransferAnswered { .. }) => EventType::TransferAnswered,
            Self::Input(Input::End { .. }) => EventType::End,
        }
    }
}

/// The types of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum EventType {
    Start,
    Utterance,
    Hold,
    Resume,
    Transfer,
    TransferAnswered,
    End,
}

impl EventType {
    /// All types in the order of `docs/events.md`; a type's index is `type as usize`.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Utterance, Self::Hold, Self::Resume, Self::Transfer, Self::TransferAnswered, Self::End];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "call.start",
            Self::Utterance => "utterance",
            Self::Hold => "call.hold",
            Self::Resume => "call.resume",
            Self::Transfer => "call.transfer",
            Self::TransferAnswered => "call.transfer_answered",
            Self::End => "call.end",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The fields that mean something in an event of this type.
    const fn fields(self) -> &'static [Field] {
        use Field::{
            AgentId, AtMs, Attributes, By, CallId, Channel, Confidence, CustomerName, Direction, EndMs, Final, Packs,
            PitchHz, Producer, Queue, Rings, Role, Seq, StartMs, StartedAt, Text, To, Type, UtteranceId, VolumeDb,
        };
        match self {
            Self::Start => &[
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
            ],
            Self::Utterance => &[
                Type,
                CallId,
                Producer,
                Seq,
                UtteranceId,
                Role,
                AgentId,
                Text,
                StartMs,
                EndMs,
                Final,
                Confidence,
                VolumeDb,
                PitchHz,
            ],
            Self::Hold | Self::Resume => &[Type, CallId, Producer, Seq, AtMs],
            Self::Transfer => &[Type, CallId, Producer, Seq, AtMs, To],
            Self::TransferAnswered => &[Type, CallId, Producer, Seq, AtMs, AgentId],
            Self::End => &[Type, CallId, Producer, Seq, AtMs, By],
        }
    }
}

/// A frame or line without what may stand around its JSON: white space, and the byte-order mark
/// that editors put before a text.
#[must_use]
pub fn bare(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

/// Reads one event, [`bare`] or not.
///
/// # Errors
/// The first field that `docs/events.md` does not allow. Unknown fields are ignored.
pub fn parse(text: &str) -> Result<Event, EventError> {
    let text = bare(text);
    match serde_json::from_str::<Frame<'_>>(text) {
        Ok(frame) => frame.into_event(),
        Err(error) => explain(text, &error),
    }
}

/// A string that borrows where the JSON needs no unescaping. `Option<Cow>`
/// would always copy: serde borrows a `Cow` only where it stands alone.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// The fields of all types together. A field absent and a field `null` are the
/// same.
#[derive(Debug, Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    call_id: Option<Text<'a>>,
    #[serde(borrow)]
    producer: Option<Text<'a>>,
    seq: Option<u64>,
    #[serde(borrow)]
    agent_id: Option<Text<'a>>,
    #[serde(borrow)]
    started_at: Option<Text<'a>>,
    #[serde(borrow)]
    direction: Option<Text<'a>>,
    #[serde(borrow)]
    channel: Option<Text<'a>>,
    #[serde(borrow)]
    queue: Option<Text<'a>>,
    rings: Option<u32>,
    #[serde(borrow)]
    customer_name: Option<Text<'a>>,
    packs: Option<Vec<String>>,
    attributes: Option<BTreeMap<String, Value>>,
    #[serde(borrow)]
    utterance_id: Option<Text<'a>>,
    #[serde(borrow)]
    role: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    #[serde(rename = "final")]
    is_final: Option<bool>,
    confidence: Option<f32>,
    volume_db: Option<f32>,
    pitch_hz: Option<f32>,
    at_ms: Option<i64>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    by: Option<Text<'a>>,
}

impl Frame<'_> {
    fn into_event(self) -> Result<Event, EventError> {
        let number = Number { producer: self.producer.as_ref().map(|id| clip_id(&id.0)), seq: self.seq };
        let call_id = self.call_id.as_ref().map(|id| clip_id(&id.0));
        let result = self.check();
        result.map_err(|error| EventError { call_id, number, ..error })
    }

    fn check(self) -> Result<Event, EventError> {
        let Some(name) = &self.kind else { return Err(no_type()) };
        let kind = EventType::from_name(&name.0).ok_or_else(|| unknown_type(&name.0))?;
        let call_id = required_id(self.call_id, Field::CallId, kind)?;
        let number = Number { producer: optional_id(self.producer, Field::Producer)?, seq: self.seq };
        let at = || required_ms(self.at_ms, Field::AtMs, kind);
        let input = match kind {
            EventType::Start => {
                let info = CallInfo {
                    call_id: call_id.clone(),
                    agent_id: required_id(self.agent_id, Field::AgentId, kind)?,
                    started_at: started_at(self.started_at)?,
                    direction: choice(self.direction.as_ref(), Field::Direction, &DIRECTIONS)?.unwrap_or_default(),
                    channel: choice(self.channel.as_ref(), Field::Channel, &CHANNELS)?.unwrap_or_default(),
                    queue: optional_id(self.queue, Field::Queue)?,
                    rings: self.rings,
                    customer_name: optional_id(self.customer_name, Field::CustomerName)?,
                    packs: self.packs,
                    attributes: attributes(self.attributes)?,
                };
                return Ok(Event { call_id, number, body: EventBody::Start(Box::new(info)) });
            }
            EventType::Utterance => {
                let start = required_ms(self.start_ms, Field::StartMs, kind)?;
                let end = required_ms(self.end_ms, Field::EndMs, kind)?;
                if end < start {
                    return Err(EventError::invalid(
                        Field::EndMs,
                        format_args!("（{}）早于 start_ms（{}）", end.0, start.0),
                        format_args!("({}) is before start_ms ({})", end.0, start.0),
                    ));
                }
                Input::Utterance(Utterance {
                    utterance_id: required_id(self.utterance_id, Field::UtteranceId, kind)?,
                    role: choice(self.role.as_ref(), Field::Role, &ROLES)?
                        .ok_or_else(|| EventError::missing(Field::Role, kind))?,
                    agent_id: optional_id(self.agent_id, Field::AgentId)?,
                    text: words(self.text, kind)?,
                    start,
                    end,
                    is_final: self.is_final.ok_or_else(|| EventError::missing(Field::Final, kind))?,
                    confidence: confidence(self.confidence)?,
                    volume_db: finite(self.volume_db, Field::VolumeDb)?,
                    pitch_hz: finite(self.pitch_hz, Field::PitchHz)?,
                })
            }
            EventType::Hold => Input::Hold { at: at()? },
            EventType::Resume => Input::Resume { at: at()? },
            EventType::Transfer => Input::Transfer { at: at()?, to: optional_id(self.to, Field::To)? },
            EventType::TransferAnswered => {
                Input::TransferAnswered { at: at()?, agent_id: optional_id(self.agent_id, Field::AgentId)? }
            }
            EventType::End => {
                Input::End { at: at()?, by: choice(self.by.as_ref(), Field::By, &PARTIES)?.unwrap_or(Party::System) }
            }
        };
        Ok(Event { call_id, number, body: EventBody::Input(input) })
    }
}

const ROLES: [(&str, Role); 3] = [("agent", Role::Agent), ("customer", Role::Customer), ("system", Role::System)];
const PARTIES: [(&str, Party); 3] = [("agent", Party::Agent), ("customer", Party::Customer), ("system", Party::System)];
const DIRECTIONS: [(&str, Direction); 2] = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
const CHANNELS: [(&str, Channel); 2] = [("voice", Channel::Voice), ("chat", Channel::Chat)];

/// The role of that name in events and query strings.
///
/// # Errors
/// The names that are allowed.
pub fn role_from_name(name: &str) -> Result<Role, EventError> {
    choice(Some(&Text(Cow::Borrowed(name))), Field::Role, &ROLES)?
        .ok_or_else(|| EventError::missing(Field::Role, EventType::Utterance))
}

/// An id that came from elsewhere than a frame, such as a query string.
///
/// # Errors
/// It is empty or too long.
pub fn check_id(name: &str, id: &str) -> Result<(), EventError> {
    let (zh, en) = match id_fault(id) {
        None => return Ok(()),
        Some(fault) => fault,
    };
    Err(EventError::new(EventErrorCode::InvalidField, format!("{name} {zh}"), format!("{name} {en}")))
}

fn id_fault(id: &str) -> Option<(String, String)> {
    if id.trim().is_empty() {
        return Some(("不能为空".to_owned(), "must not be empty".to_owned()));
    }
    (id.len() > ID_BYTES_MAX).then(|| {
        (
            format!("有 {} 字节，最多 {ID_BYTES_MAX} 字节", id.len()),
            format!("has {} bytes; at most {ID_BYTES_MAX} are allowed", id.len()),
        )
    })
}

fn required_id(id: Option<Text<'_>>, field: Field, kind: EventType) -> Result<String, EventError> {
    let Text(id) = id.ok_or_else(|| EventError::missing(field, kind))?;
    match id_fault(&id) {
        None => Ok(id.into_owned()),
        Some((zh, en)) => Err(EventError::invalid(field, zh, en)),
    }
}

/// What a site adds to a call, within bounds: it is kept in memory as long as the call.
fn attributes(given: Option<BTreeMap<String, Value>>) -> Result<BTreeMap<String, Value>, EventError> {
    let attributes = given.unwrap_or_default();
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    if attributes.len() <= ATTRIBUTES_MAX && bytes <= ATTRIBUTES_BYTES_MAX {
        return Ok(attributes);
    }
    let count = attributes.len();
    Err(EventError::invalid(
        Field::Attributes,
        format_args!("有 {count} 项、{bytes} 字节，最多 {ATTRIBUTES_MAX} 项、{ATTRIBUTES_BYTES_MAX} 字节"),
        format_args!(
            "has {count} entries of {bytes} bytes; at most {ATTRIBUTES_MAX} of {ATTRIBUTES_BYTES_MAX} bytes together are allowed"
        ),
    ))
}

/// A short string that may be absent; an empty one counts as absent.
fn optional_id(id: Option<Text<'_>>, field: Field) -> Result<Option<String>, EventError> {
    let Some(Text(id)) = id.filter(|id| !id.0.trim().is_empty()) else { return Ok(None) };
    match id_fault(&id) {
        None => Ok(Some(id.into_owned())),
        Some((zh, en)) => Err(EventError::invalid(field, zh, en)),
    }
}

fn required_ms(ms: Option<i64>, field: Field, kind: EventType) -> Result<CallTime, EventError> {
    let ms = ms.ok_or_else(|| EventError::missing(field, kind))?;
    if ms < 0 {
        return Err(EventError::invalid(
            field,
            format_args!("（{ms}）不能为负：时间从接通起算"),
            format_args!("({ms}) must not be negative: time counts from the answer"),
        ));
    }
    if ms > CALL_MS_MAX {
        return Err(EventError::invalid(
            field,
            format_args!("（{ms}）超过上限 {CALL_MS_MAX}（31 天）：时间从接通起算，不是时间戳"),
            format_args!("({ms}) is beyond {CALL_MS_MAX} (31 days): time counts from the answer, it is no epoch"),
        ));
    }
    Ok(CallTime(ms))
}

fn started_at(text: Option<Text<'_>>) -> Result<DateTime<FixedOffset>, EventError> {
    let Text(text) = text.ok_or_else(|| EventError::missing(Field::StartedAt, EventType::Start))?;
    DateTime::parse_from_rfc3339(&text).map_err(|_| {
        EventError::invalid(
            Field::StartedAt,
            "必须是带时区偏移的 RFC 3339 时间，如 2026-11-21T10:00:00+08:00",
            "must be an RFC 3339 time with an offset, such as 2026-11-21T10:00:00+08:00",
        )
    })
}

fn words(text: Option<Text<'_>>, kind: EventType) -> Result<String, EventError> {
    let Text(text) = text.ok_or_else(|| EventError::missing(Field::Text, kind))?;
    // Counting characters is only needed where the bytes could be too many.
    if text.len() > UTTERANCE_CHARS_MAX {
        let chars = text.chars().count();
        if chars > UTTERANCE_CHARS_MAX {
            return Err(EventError::invalid(
                Field::Text,
                format_args!("有 {chars} 字，最多 {UTTERANCE_CHARS_MAX} 字"),
                format_args!("has {chars} characters; at most {UTTERANCE_CHARS_MAX} are allowed"),
            ));
        }
    }
    Ok(text.into_owned())
}

fn confidence(value: Option<f32>) -> Result<Option<f32>, EventError> {
    match value {
        Some(value) if !(0.0..=1.0).contains(&value) => Err(EventError::invalid(
            Field::Confidence,
            format_args!("（{value}）必须在 0 到 1 之间"),
            format_args!("({value}) must be from 0 to 1"),
        )),
        value => Ok(value),
    }
}

fn finite(value: Option<f32>, field: Field) -> Result<Option<f32>, EventError> {
    match value {
        Some(value) if !value.is_finite() => Err(EventError::invalid(field, "超出范围", "is out of range")),
        value => Ok(value),
    }
}

fn choice<T: Copy>(name: Option<&Text<'_>>, field: Field, known: &[(&str, T)]) -> Result<Option<T>, EventError> {
    let Some(Text(name)) = name else { return Ok(None) };
    if let Some((_, value)) = known.iter().find(|(known, _)| known == name) {
        return Ok(Some(*value));
    }
    let name = clip_id(name);
    let known = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    Err(EventError::invalid(
        field,
        format_args!("不能是「{name}」；可用的有：{known}"),
        format_args!("cannot be {name:?}; known are: {known}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (EventErrorCode, Option<&'static str>, String) {
        let error = parse(text).expect_err("it must be refused");
        (error.code, error.field, error.en.to_string())
    }

    const UTTERANCE: &str = r#"{"type":"utterance","call_id":"c1","seq":7,"utterance_id":"u1","role":"agent","text":"您好","start_ms":100,"end_ms":900,"final":true,"confidence":0.5,"mood":"calm"}"#;

    #[test]
    fn attributes_have_bounds() {
        let start = |attributes: &Value| {
            let event = serde_json::json!({"type": "call.start", "call_id": "c1", "agent_id": "a7",
                "started_at": "2026-11-21T10:00:00+08:00", "attributes": attributes});
            parse(&event.to_string())
        };
        let many = |count: usize| (0..count).map(|n| (n.to_string(), Value::from(n))).collect::<Value>();
        assert!(start(&many(ATTRIBUTES_MAX)).is_ok());
        let long = serde_json::json!({"note": "长".repeat(ATTRIBUTES_BYTES_MAX / 3)});
        for attributes in [many(ATTRIBUTES_MAX + 1), long] {
            let error = start(&attributes).unwrap_err();
            assert_eq!(error.field, Some("attributes"), "{error}");
            assert!(error.to_string().contains("at most 64"), "{error}");
        }
    }

    #[test]
    fn an_utterance_is_read_and_written_back() {
        let event = parse(UTTERANCE).unwrap();
        assert_eq!((event.call_id.as_str(), event.number.seq), ("c1", Some(7)));
        let EventBody::Input(input) = &event.body else { panic!("not an input") };
        let again = parse(&to_json("c1", input)).unwrap();
        assert_eq!(again.body, event.body);
    }

    #[test]
    fn a_start_is_read_and_written_back() {
        let text = r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00.5+08:00","direction":"outbound","channel":"chat","queue":"q","rings":3,"customer_name":"王","packs":["tone"],"attributes":{"vip":true}}"#;
        for text in
            [text, r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00Z"}"#]
        {
            let EventBody::Start(info) = parse(text).unwrap().body else { panic!("not a start") };
            assert_eq!(parse(&start_to_json(&info)).unwrap().body, EventBody::Start(info));
        }
    }

    #[test]
    fn every_lifecycle_event_is_read_and_written_back() {
        for text in [
            r#"{"type":"call.hold","call_id":"c1","at_ms":1}"#,
            r#"{"type":"call.resume","call_id":"c1","at_ms":2}"#,
            r#"{"type":"call.transfer","call_id":"c1","at_ms":3,"to":"二线"}"#,
            r#"{"type":"call.transfer_answered","call_id":"c1","at_ms":4,"agent_id":"a8"}"#,
            r#"{"type":"call.end","call_id":"c1","at_ms":5,"by":"customer"}"#,
        ] {
            let event = parse(text).unwrap();
            let EventBody::Input(input) = &event.body else { panic!("not an input") };
            assert_eq!(to_json("c1", input), text);
        }
    }

    #[test]
    fn a_start_has_its_defaults() {
        let event = parse(
            r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00+08:00","queue":null}"#,
        )
        .unwrap();
        let EventBody::Start(info) = event.body else { panic!("not a start") };
        assert_eq!((info.direction, info.channel), (Direction::Inbound, Channel::Voice));
        assert_eq!(info.started_at.offset().local_minus_utc(), 8 * 3_600);
        assert_eq!((info.queue, info.packs), (None, None));
    }

    #[test]
    fn a_fault_names_its_field() {
        use EventErrorCode::{InvalidField, InvalidJson, MissingField, UnknownType};
        let cases: [(String, EventErrorCode, Option<&str>); 16] = [
            ("{".into(), InvalidJson, None),
            ("[1]".into(), InvalidJson, None),
            ("{}".into(), MissingField, Some("type")),
            (r#"{"type":"call.begin","call_id":"c1"}"#.into(), UnknownType, Some("type")),
            (r#"{"type":1,"call_id":"c1"}"#.into(), InvalidField, Some("type")),
            (UTTERANCE.replace("\"c1\"", "\"\""), InvalidField, Some("call_id")),
            (UTTERANCE.replace("\"c1\"", "17"), InvalidField, Some("call_id")),
            (UTTERANCE.replace("c1", &"长".repeat(86)), InvalidField, Some("call_id")),
            (UTTERANCE.replace("\"start_ms\":100", "\"start_ms\":901"), InvalidField, Some("end_ms")),
            (UTTERANCE.replace("100", "-1"), InvalidField, Some("start_ms")),
            (UTTERANCE.replace("100", "1.5"), InvalidField, Some("start_ms")),
            (UTTERANCE.replace("900", "1700000000000"), InvalidField, Some("end_ms")),
            (UTTERANCE.replace("\"agent\"", "\"bot\""), InvalidField, Some("role")),
            (UTTERANCE.replace("\"final\":true,", ""), MissingField, Some("final")),
            (UTTERANCE.replace("0.5", "1.5"), InvalidField, Some("confidence")),
            (UTTERANCE.replace("您好", &"好".repeat(UTTERANCE_CHARS_MAX + 1)), InvalidField, Some("text")),
        ];
        for (text, code, field) in cases {
            let (got_code, got_field, message) = fault(&text);
            assert_eq!((got_code, got_field), (code, field), "{message}");
        }
    }

    #[test]
    fn a_start_without_an_offset_is_refused() {
        let (code, field, _) =
            fault(r#"{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00"}"#);
        assert_eq!((code, field), (EventErrorCode::InvalidField, Some("started_at")));
    }

    #[test]
    fn a_fault_says_whose_it_is() {
        let error = parse(&UTTERANCE.replace("\"final\":true", "\"final\":\"yes\"")).unwrap_err();
        assert_eq!((error.call_id.as_deref(), error.number.seq, error.field), (Some("c1"), Some(7), Some("final")));
    }

    #[test]
    fn fields_of_other_types_are_unknown_fields() {
        let event = parse(r#"{"type":"call.hold","call_id":"c1","at_ms":5,"text":{"not":"text"},"final":"maybe"}"#);
        assert_eq!(event.unwrap().body, EventBody::Input(Input::Hold { at: CallTime(5) }));
    }
}
