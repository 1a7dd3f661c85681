//! Tables of recorded calls: a row an utterance or an event, or a row a whole call with its utterances
//! in a list. Names of columns, words and values that are missing are a site's own ([`Mapping`]);
//! what comes out is the events of `docs/events.md`, checked by [`native::parse`].
//!
//! A table has no order of arrival: the events of a call go in the order in which they were said.
//! Deliberately absent: files. Who calls reads cells of whatever sort as JSON values.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta};
use serde_json::{Map, Value};

use crate::adapter::native::{self, CALL_MS_MAX, Event, EventBody};
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Input};

/// The most bytes that the calls of one table may hold together.
pub const HELD_BYTES_MAX: usize = 1 << 30;

/// What a column can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Field {
    CallId,
    AgentId,
    StartedAt,
    Direction,
    Channel,
    Queue,
    Rings,
    CustomerName,
    Packs,
    Attributes,
    EndedMs,
    EndedS,
    EndedAt,
    EndedBy,
    Utterances,
    Type,
    UtteranceId,
    Role,
    Text,
    StartMs,
    StartS,
    StartAt,
    EndMs,
    EndS,
    EndAt,
    AtMs,
    AtS,
    At,
    To,
    By,
    Confidence,
    VolumeDb,
    PitchHz,
}

/// How a cell is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Word,
    Integer,
    Number,
    Json,
    /// Seconds, also as `mm:ss` and `hh:mm:ss`.
    Seconds,
    /// A day and a time.
    Instant,
}

/// A field: its name, how it is read, the field of an event that it becomes, and the headings that mean it.
type Spec = (Field, &'static str, Kind, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const SPECS: [Spec; 33] = [
    (Field::CallId, "call_id", Kind::Text, "call_id", &["callid", "call", "通话", "通话id", "通话编号", "录音编号", "录音id", "会话id", "会话编号", "流水号"]),
    (Field::AgentId, "agent_id", Kind::Text, "agent_id", &["agentid", "agent", "坐席", "坐席id", "坐席工号", "坐席编号", "工号", "客服工号"]),
    (Field::StartedAt, "started_at", Kind::Instant, "started_at", &["开始时间", "接通时间", "通话时间", "通话开始时间", "呼叫时间"]),
    (Field::Direction, "direction", Kind::Word, "direction", &["方向", "呼叫方向", "呼叫类型"]),
    (Field::Channel, "channel", Kind::Word, "channel", &["渠道", "通道"]),
    (Field::Queue, "queue", Kind::Text, "queue", &["队列", "技能组", "业务线"]),
    (Field::Rings, "rings", Kind::Integer, "rings", &["振铃次数", "响铃次数"]),
    (Field::CustomerName, "customer_name", Kind::Text, "customer_name", &["客户姓名", "客户名称"]),
    (Field::Packs, "packs", Kind::Json, "packs", &["规则包"]),
    (Field::Attributes, "attributes", Kind::Json, "attributes", &[]),
    (Field::EndedMs, "ended_ms", Kind::Integer, "at_ms", &["duration_ms"]),
    (Field::EndedS, "ended_s", Kind::Seconds, "at_ms", &["duration", "duration_s", "通话时长", "时长"]),
    (Field::EndedAt, "ended_at", Kind::Instant, "at_ms", &["结束时间", "挂断时间", "通话结束时间"]),
    (Field::EndedBy, "ended_by", Kind::Word, "by", &["挂断方", "挂机方"]),
    (Field::Utterances, "utterances", Kind::Json, "", &["segments", "sentences", "对话", "转写", "话段"]),
    (Field::Type, "type", Kind::Word, "type", &["事件", "事件类型"]),
    (Field::UtteranceId, "utterance_id", Kind::Text, "utterance_id", &["utteranceid", "句子id", "话段id"]),
    (Field::Role, "role", Kind::Word, "role", &["speaker", "角色", "说话人", "发言人"]),
    (Field::Text, "text", Kind::Text, "text", &["content", "sentence", "话", "原话", "文本", "内容", "转写文本", "识别结果", "句子"]),
    (Field::StartMs, "start_ms", Kind::Integer, "start_ms", &["begin_ms", "begin_time", "开始毫秒"]),
    (Field::StartS, "start_s", Kind::Seconds, "start_ms", &["start", "begin", "开始", "开始秒", "起始"]),
    (Field::StartAt, "start_at", Kind::Instant, "start_ms", &["说话时间", "发言时间", "发送时间"]),
    (Field::EndMs, "end_ms", Kind::Integer, "end_ms", &["end_time", "结束毫秒"]),
    (Field::EndS, "end_s", Kind::Seconds, "end_ms", &["end", "结束", "结束秒"]),
    (Field::EndAt, "end_at", Kind::Instant, "end_ms", &[]),
    (Field::AtMs, "at_ms", Kind::Integer, "at_ms", &[]),
    (Field::AtS, "at_s", Kind::Seconds, "at_ms", &[]),
    (Field::At, "at", Kind::Instant, "at_ms", &["发生时间"]),
    (Field::To, "to", Kind::Text, "to", &["转接到"]),
    (Field::By, "by", Kind::Word, "by", &[]),
    (Field::Confidence, "confidence", Kind::Number, "confidence", &["置信度"]),
    (Field::VolumeDb, "volume_db", Kind::Number, "volume_db", &["音量"]),
    (Field::PitchHz, "pitch_hz", Kind::Number, "pitch_hz", &["音高"]),
];

/// Words that people write for those of events.
#[rustfmt::skip]
const WORDS: &[(Field, &str, &[&str])] = &[
    (Field::Role, "agent", &["坐席", "客服", "坐席员", "座席", "operator", "staff", "service", "seat"]),
    (Field::Role, "customer", &["客户", "用户", "顾客", "来电人", "client", "user", "caller"]),
    (Field::Role, "system", &["系统", "机器人", "robot", "bot", "ivr"]),
    (Field::Direction, "inbound", &["呼入", "来电", "in"]),
    (Field::Direction, "outbound", &["呼出", "外呼", "去电", "out"]),
    (Field::Channel, "voice", &["语音", "电话", "热线", "phone", "call"]),
    (Field::Channel, "chat", &["文字", "在线", "文本", "text"]),
    (Field::By, "agent", &["坐席", "客服", "座席"]),
    (Field::By, "customer", &["客户", "用户"]),
    (Field::By, "system", &["系统"]),
];

impl Field {
    fn spec(self) -> &'static Spec {
        // The test `the_table_has_every_field_in_its_place` holds the order.
        &SPECS[self as usize]
    }

    /// Its name in mappings.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().1
    }

    /// The field of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        SPECS.iter().find(|spec| spec.1 == name).map(|spec| spec.0)
    }

    /// The names of all fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SPECS.iter().map(|spec| spec.1)
    }

    /// Whether it is of the call, and not of what is said or happens in it.
    fn is_of_call(self) -> bool {
        self <= Self::Utterances
    }
}

/// What cannot be used of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field at fault, where it is one.
    pub field: Option<Field>,
    zh: String,
    en: String,
}

impl Fault {
    fn new(field: impl Into<Option<Field>>, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { field: field.into(), zh: zh.into(), en: en.into() }
    }

    /// The fault of an element of a list of utterances.
    fn within(self, index: usize) -> Self {
        let at = index + 1;
        Self {
            field: Some(Field::Utterances),
            zh: format!("第 {at} 句：{}", self.zh),
            en: format!("utterance {at}: {}", self.en),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.zh, self.en)
    }
}

impl std::error::Error for Fault {}

/// A heading in small letters, but for spaces, marks and remarks in brackets.
#[must_use]
pub fn plain(heading: &str) -> String {
    let name: String = heading.chars().filter(|c| !c.is_whitespace() && !matches!(c, '*' | '：' | ':')).collect();
    name.split(['(', '（', '/', '／']).next().unwrap_or_default().to_lowercase()
}

/// How a site's tables are written.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// By the heading as it is written.
    columns: HashMap<String, Field>,
    words: HashMap<(Field, String), String>,
    defaults: HashMap<Field, String>,
    zone: FixedOffset,
}

impl Mapping {
    /// Tables whose headings are those that are known; times without an offset are of `zone`.
    #[must_use]
    pub fn new(zone: FixedOffset) -> Self {
        Self { columns: HashMap::new(), words: HashMap::new(), defaults: HashMap::new(), zone }
    }

    /// The column `heading` has the `field`, and no other has.
    ///
    /// # Errors
    /// There is no such field.
    pub fn column(&mut self, field: &str, heading: &str) -> Result<(), String> {
        let field = known(field)?;
        self.columns.insert(heading.trim().to_owned(), field);
        Ok(())
    }

    /// In the column of `field`, `written` means `meant`.
    ///
    /// # Errors
    /// There is no such field.
    pub fn word(&mut self, field: &str, written: &str, meant: &str) -> Result<(), String> {
        self.words.insert((known(field)?, written.trim().to_owned()), meant.to_owned());
        Ok(())
    }

    /// What `field` is where its cell is empty or its column missing.
    ///
    /// # Errors
    /// There is no such field.
    pub fn default(&mut self, field: &str, value: &str) -> Result<(), String> {
        self.defaults.insert(known(field)?, value.to_owned());
        Ok(())
    }

    /// What the column of that heading says.
    #[must_use]
    pub fn field_of(&self, heading: &str) -> Option<Field> {
        if let Some(field) = self.columns.get(heading.trim()) {
            return Some(*field);
        }
        let name = plain(heading);
        let spec = SPECS.iter().find(|spec| spec.1 == name || spec.4.contains(&name.as_str()))?;
        (!self.columns.values().any(|field| *field == spec.0)).then_some(spec.0)
    }

    /// Whether the mapping names the column `heading`.
    #[must_use]
    pub fn names(&self, heading: &str) -> bool {
        self.columns.contains_key(heading.trim())
    }

    /// The columns that the mapping names and that are not among `headings`.
    #[must_use]
    pub fn absent<'a>(&'a self, headings: &[String]) -> Vec<&'a str> {
        let is_there = |column: &str| headings.iter().any(|heading| heading.trim() == column);
        let mut absent: Vec<&str> = self.columns.keys().map(String::as_str).filter(|name| !is_there(name)).collect();
        absent.sort_unstable();
        absent
    }

    /// The times without an offset are of this zone.
    #[must_use]
    pub const fn zone(&self) -> FixedOffset {
        self.zone
    }

    /// Whether an object is a row of such a table, and not an event.
    #[must_use]
    pub fn is_row(&self, object: &Map<String, Value>) -> bool {
        let is_told = |field| object.keys().any(|key| self.field_of(key) == Some(field));
        !is_told(Field::Type) && (is_told(Field::Text) || is_told(Field::Utterances))
    }

    /// The cells of an object.
    #[must_use]
    pub fn cells(&self, object: Map<String, Value>) -> Vec<(Field, Value)> {
        object.into_iter().filter_map(|(key, value)| Some((self.field_of(&key)?, value))).collect()
    }

    /// The value of `field` as an event has it; `None` where the cell says nothing.
    fn read(&self, cells: &[(Field, Value)], field: Field) -> Result<Option<Value>, Fault> {
        let cell = cells.iter().find(|(other, _)| *other == field).map(|(_, value)| value);
        let is_blank = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.trim().is_empty(),
            _ => false,
        };
        // Words that are blank are words: the recogniser heard nothing.
        let is_given = |value: &&Value| !is_blank(value) || (field == Field::Text && value.is_string());
        let default;
        let value = match cell.filter(is_given) {
            Some(value) => value,
            None => match self.defaults.get(&field) {
                Some(text) => {
                    default = Value::String(text.clone());
                    &default
                }
                None => return Ok(None),
            },
        };
        let text = text_of(value);
        let meant = self.words.get(&(field, text.trim().to_owned()));
        let text = meant.cloned().unwrap_or(text);
        let kind = field.spec().2;
        let read = match kind {
            Kind::Text => Some(Value::String(text.clone())),
            Kind::Word => Some(Value::String(word(field, text.trim()))),
            Kind::Integer => number(&text).map(|number| Value::from(rounded(number))),
            Kind::Number => number(&text).map(Value::from),
            Kind::Json => json(value, &text),
            Kind::Seconds => seconds(&text).map(Value::from),
            Kind::Instant => instant(&text, self.zone).map(|at| Value::String(at.to_rfc3339())),
        };
        let (zh, en) = match kind {
            Kind::Integer | Kind::Number => ("必须是数字", "must be a number"),
            Kind::Json => ("必须是 JSON", "must be JSON"),
            Kind::Seconds => ("必须是秒数，或 分:秒、时:分:秒", "must be seconds, or mm:ss, or hh:mm:ss"),
            Kind::Instant => {
                ("必须是日期和时间，如 2026-11-21 10:00:00", "must be a day and a time, such as 2026-11-21 10:00:00")
            }
            Kind::Text | Kind::Word => ("写错了", "is wrong"),
        };
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        read.map(Some).ok_or_else(|| {
            Fault::new(field, format!("{} {zh}，不是“{shown}”", field.name()), format!("{} {en}", field.name()))
        })
    }

    /// The moment that the first of `fields` tells which is there.
    fn moment(&self, cells: &[(Field, Value)], fields: [Field; 3]) -> Result<Option<Moment>, Fault> {
        for field in fields {
            let Some(value) = self.read(cells, field)? else { continue };
            return Ok(match (field.spec().2, value) {
                (Kind::Instant, Value::String(text)) => DateTime::parse_from_rfc3339(&text).ok().map(Moment::At),
                (_, value) => value.as_i64().map(Moment::Since),
            });
        }
        Ok(None)
    }
}

/// So much of a wrong cell is shown.
const SHOWN_CHARS: usize = 40;

fn known(field: &str) -> Result<Field, String> {
    Field::from_name(field).ok_or_else(|| {
        let names: Vec<&str> = Field::names().collect();
        format!("没有字段 {field} / there is no field {field}: {}", names.join(", "))
    })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // Tables of numbers make 7.0 of an id 7 as soon as one is missing.
        Value::Number(number) => match number.as_f64() {
            Some(whole) if number.is_f64() && whole.fract() == 0.0 && whole.abs() < 1e15 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn word(field: Field, text: &str) -> String {
    let small = text.to_lowercase();
    let group = if field == Field::EndedBy { Field::By } else { field };
    let found = WORDS.iter().find(|(of, meant, words)| *of == group && (*meant == small || words.contains(&&*small)));
    found.map_or_else(|| text.to_owned(), |(_, meant, _)| (*meant).to_owned())
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

#[allow(clippy::cast_possible_truncation, reason = "what is too large is refused as a time")]
fn rounded(number: f64) -> i64 {
    number.round() as i64
}

fn json(value: &Value, text: &str) -> Option<Value> {
    match value {
        Value::String(_) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}

/// Milliseconds of `12.5`, `01:12.5` and `00:01:12,500`.
fn seconds(text: &str) -> Option<i64> {
    let text = text.trim().replace([',', '，'], ".").replace('：', ":");
    let mut parts = text.rsplit(':');
    let mut sum = number(parts.next()?)?;
    for factor in [60.0, 3_600.0] {
        let Some(part) = parts.next() else { break };
        sum += f64::from(part.trim().parse::<u32>().ok()?) * factor;
    }
    parts.next().is_none().then(|| rounded(sum * 1_000.0))
}

/// The moment that people and programs write so.
fn instant(text: &str, zone: FixedOffset) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at);
    }
    if let Ok(at) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z") {
        return Some(at);
    }
    let local = |naive: NaiveDateTime| naive.and_local_timezone(zone).single();
    if let Some(number) = number(text).filter(|_| text.len() != COMPACT_DIGITS) {
        // Seconds or milliseconds since 1970, or days as a workbook counts them.
        let of_epoch = |ms| Some(DateTime::from_timestamp_millis(ms)?.with_timezone(&zone));
        return match number {
            20_000.0..80_000.0 => {
                let since = TimeDelta::try_milliseconds(rounded((number - EPOCH_DAYS) * 86_400_000.0))?;
                local(DateTime::UNIX_EPOCH.naive_utc().checked_add_signed(since)?)
            }
            1e9..1e11 => of_epoch(rounded(number * 1_000.0)),
            1e11..1e14 => of_epoch(rounded(number)),
            _ => None,
        };
    }
    let text = text.replace('T', " ").replace('/', "-");
    let read = |format| NaiveDateTime::parse_from_str(&text, format).ok();
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y%m%d%H%M%S", "%Y%m%d %H:%M:%S"]
        .into_iter()
        .find_map(read)
        .and_then(local)
}

/// `20261121100000`.
const COMPACT_DIGITS: usize = 14;
/// 1970-01-01 as workbooks count days.
const EPOCH_DAYS: f64 = 25_569.0;

/// When something was said: since the call was answered, or by the clock of the wall.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Since(i64),
    At(DateTime<FixedOffset>),
}

/// A call, from its start to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeCall {
    /// How it began.
    pub info: CallInfo,
    /// What was said and happened, in the order of time.
    pub inputs: Vec<Input>,
}

/// The calls of one table, as far as they were read.
#[derive(Debug)]
pub struct Calls<'m> {
    mapping: &'m Mapping,
    /// The place of each call in `calls`.
    places: HashMap<String, usize>,
    calls: Vec<Gathered>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Gathered {
    /// The number of the first row.
    row: u64,
    /// Facts of the call, as `call.start` has them.
    start: Map<String, Value>,
    held: Vec<Held>,
    end: Option<(u64, Moment, Value)>,
}

#[derive(Debug)]
struct Held {
    row: u64,
    /// Its place in the list of utterances of its row, from 1; 0 without a list.
    index: usize,
    input: Input,
    /// By the clock of the wall: when it began and ended.
    wall: Option<(DateTime<FixedOffset>, DateTime<FixedOffset>)>,
}

impl<'m> Calls<'m> {
    /// A table that is written as `mapping` says.
    #[must_use]
    pub fn new(mapping: &'m Mapping) -> Self {
        Self { mapping, places: HashMap::new(), calls: Vec::new(), held_bytes: 0 }
    }

    /// Takes the row of that number.
    ///
    /// # Errors
    /// The row cannot be used, and nothing of it was; or some of its utterances cannot.
    pub fn take(&mut self, row: u64, cells: &[(Field, Value)]) -> Result<(), Vec<Fault>> {
        let mapping = self.mapping;
        let one = |fault| vec![fault];
        let call_id = mapping.read(cells, Field::CallId).map_err(one)?;
        let Some(Value::String(call_id)) = call_id else {
            return Err(one(missing(Field::CallId)));
        };
        let place = *self.places.entry(call_id.clone()).or_insert(self.calls.len());
        if place == self.calls.len() {
            let start = Map::from_iter([("call_id".to_owned(), Value::String(call_id.clone()))]);
            self.calls.push(Gathered { row, start, held: Vec::new(), end: None });
        }
        let call = &mut self.calls[place];
        call.facts(mapping, row, cells).map_err(one)?;
        let said = match mapping.read(cells, Field::Utterances).map_err(one)? {
            None => {
                let of_row = cells.iter().any(|(field, _)| !field.is_of_call());
                match of_row.then(|| call.hear(mapping, row, 0, &call_id, cells)).transpose() {
                    Ok(heard) => heard.into_iter().collect(),
                    Err(fault) => return Err(one(fault)),
                }
            }
            Some(Value::Array(list)) => {
                let (mut said, mut faults) = (Vec::new(), Vec::new());
                for (index, element) in list.into_iter().enumerate() {
                    let heard = match element {
                        Value::Object(object) => call.hear(mapping, row, index + 1, &call_id, &mapping.cells(object)),
                        _ => Err(Fault::new(None, "不是对象", "is no object")),
                    };
                    match heard {
                        Ok(held) => said.push(held),
                        Err(fault) => faults.push(fault.within(index)),
                    }
                }
                if !faults.is_empty() {
                    self.keep(place, said);
                    return Err(faults);
                }
                said
            }
            Some(_) => {
                let fault = Fault::new(
                    Field::Utterances,
                    "utterances 必须是对象的数组",
                    "utterances must be an array of objects",
                );
                return Err(one(fault));
            }
        };
        self.keep(place, said);
        Ok(())
    }

    fn keep(&mut self, place: usize, said: Vec<Held>) {
        for held in &said {
            self.held_bytes += size_of::<Held>()
                + match &held.input {
                    Input::Utterance(utterance) => utterance.text.len() + utterance.utterance_id.len(),
                    _ => 0,
                };
        }
        self.calls[place].held.extend(said);
    }

    /// Whether no more can be held: what is left of the table is not read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX
    }

    /// The calls in the order of their first rows, and what of them cannot be used, by row.
    #[must_use]
    pub fn finish(self) -> (Vec<WholeCall>, Vec<(u64, Fault)>) {
        let (mut whole, mut faults) = (Vec::new(), Vec::new());
        for call in self.calls {
            let row = call.row;
            match call.finish(&mut faults) {
                Ok(call) => whole.push(call),
                Err(fault) => faults.push((row, fault)),
            }
        }
        (whole, faults)
    }
}

impl Gathered {
    /// Takes what a row says of its call.
    fn facts(&mut self, mapping: &Mapping, row: u64, cells: &[(Field, Value)]) -> Result<(), Fault> {
        for spec in &SPECS[1..=Field::Attributes as usize] {
            let (field, name) = (spec.0, spec.1);
            let Some(value) = mapping.read(cells, field)? else { continue };
            let Some(before) = self.start.get(name) else {
                self.start.insert(name.to_owned(), value);
                continue;
            };
            // Who speaks for the agent may change in a call; when it began may not.
            if field == Field::StartedAt && *before != value {
                return Err(Fault::new(
                    field,
                    format!("{name} 与第 {} 行的不同：同一通通话只有一个开始时间", self.row),
                    format!("{name} is another than in row {}: a call begins once", self.row),
                ));
            }
        }
        let ended = mapping.moment(cells, [Field::EndedMs, Field::EndedS, Field::EndedAt])?;
        if let Some(moment) = ended
            && self.end.is_none()
        {
            let by = mapping.read(cells, Field::EndedBy)?.unwrap_or(Value::Null);
            self.end = Some((row, moment, by));
        }
        Ok(())
    }

    /// What is said or happens in a row, or in the element of its list at `index`.
    fn hear(
        &self,
        mapping: &Mapping,
        row: u64,
        index: usize,
        call_id: &str,
        cells: &[(Field, Value)],
    ) -> Result<Held, Fault> {
        let kind = mapping.read(cells, Field::Type)?.unwrap_or_else(|| "utterance".into());
        let mut object = Map::new();
        object.insert("type".to_owned(), kind.clone());
        object.insert("call_id".to_owned(), call_id.into());
        let mut wall = None;
        if kind == "utterance" {
            let id = if index == 0 { format!("r{row}") } else { format!("r{row}.{index}") };
            object.insert("utterance_id".to_owned(), id.into());
            object.insert("final".to_owned(), true.into());
            for field in
                [Field::UtteranceId, Field::Role, Field::Text, Field::Confidence, Field::VolumeDb, Field::PitchHz]
            {
                match mapping.read(cells, field)? {
                    Some(value) => {
                        object.insert(field.name().to_owned(), value);
                    }
                    None if matches!(field, Field::Role | Field::Text) => return Err(missing(field)),
                    None => {}
                }
            }
            let start = mapping.moment(cells, [Field::StartMs, Field::StartS, Field::StartAt])?;
            let end = mapping.moment(cells, [Field::EndMs, Field::EndS, Field::EndAt])?;
            let is_chat = self.start.get("channel").is_some_and(|channel| channel == "chat");
            match (start, end) {
                (None, _) => return Err(missing(Field::StartMs)),
                // What is typed takes no time.
                (Some(_), None) if !is_chat => return Err(missing(Field::EndMs)),
                (Some(start), end) => match (start, end.unwrap_or(start)) {
                    (Moment::Since(start), Moment::Since(end)) => {
                        object.insert("start_ms".to_owned(), start.into());
                        object.insert("end_ms".to_owned(), end.into());
                    }
                    (Moment::At(start), Moment::At(end)) => {
                        object.insert("start_ms".to_owned(), 0.into());
                        object.insert("end_ms".to_owned(), 0.into());
                        wall = Some((start, end));
                    }
                    _ => {
                        return Err(Fault::new(
                            Field::EndMs,
                            "开始和结束要用同一种时间",
                            "start and end must be told in the same way",
                        ));
                    }
                },
            }
        } else {
            for field in [Field::To, Field::By] {
                if let Some(value) = mapping.read(cells, field)? {
                    object.insert(field.name().to_owned(), value);
                }
            }
            // Whom the call was handed to, where a row has an agent of its own.
            if kind == "call.transfer_answered"
                && let Some(value) = mapping.read(cells, Field::AgentId)?
            {
                object.insert("agent_id".to_owned(), value);
            }
            let at = mapping.moment(cells, [Field::AtMs, Field::AtS, Field::At])?;
            let at = match at {
                Some(at) => Some(at),
                None => mapping.moment(cells, [Field::StartMs, Field::StartS, Field::StartAt])?,
            };
            let ms = match at {
                None => return Err(missing(Field::AtMs)),
                Some(Moment::Since(ms)) => ms,
                Some(Moment::At(at)) => {
                    wall = Some((at, at));
                    0
                }
            };
            object.insert("at_ms".to_owned(), ms.into());
        }
        match parse(object, cells)? {
            Event { body: EventBody::Input(input), .. } => Ok(Held { row, index, input, wall }),
            Event { body: EventBody::Start(_), .. } => Err(Fault::new(
                Field::Type,
                "call.start 不能写在行里：通话的字段写在各列",
                "call.start is no row: the facts of a call stand in columns",
            )),
        }
    }

    fn finish(mut self, faults: &mut Vec<(u64, Fault)>) -> Result<WholeCall, Fault> {
        let earliest = self.held.iter().filter_map(|held| held.wall).map(|(start, _)| start).min();
        if !self.start.contains_key("started_at")
            && let Some(earliest) = earliest
        {
            self.start.insert("started_at".to_owned(), earliest.to_rfc3339().into());
        }
        for field in [Field::AgentId, Field::StartedAt] {
            if !self.start.contains_key(field.name()) {
                return Err(missing(field));
            }
        }
        self.start.insert("type".to_owned(), "call.start".into());
        let Event { call_id, body: EventBody::Start(info), .. } = parse(self.start, &[])? else {
            return Err(missing(Field::StartedAt));
        };
        let since = |at: DateTime<FixedOffset>| (at - info.started_at).num_milliseconds();
        let mut inputs = Vec::with_capacity(self.held.len() + 1);
        for Held { row, index, mut input, wall } in self.held {
            if let Some((start, end)) = wall {
                let (start, end) = (since(start), since(end));
                if start < 0 || end < start || end > CALL_MS_MAX {
                    let fault = Fault::new(
                        None,
                        "时间在通话开始之前，或结束早于开始，或超过 31 天",
                        "its time is before the call began, or it ends before it begins, or after 31 days",
                    );
                    faults.push((row, if index == 0 { fault } else { fault.within(index - 1) }));
                    continue;
                }
                place(&mut input, start, end);
            }
            inputs.push(input);
        }
        if let Some((row, moment, by)) = self.end {
            let at = match moment {
                Moment::Since(ms) => ms,
                Moment::At(at) => since(at),
            };
            let mut object = Map::new();
            object.insert("type".to_owned(), "call.end".into());
            object.insert("call_id".to_owned(), call_id.into());
            object.insert("at_ms".to_owned(), at.into());
            object.insert("by".to_owned(), by);
            match parse(object, &[]) {
                Ok(Event { body: EventBody::Input(input), .. }) => inputs.push(input),
                Ok(_) => {}
                Err(fault) => faults.push((row, fault)),
            }
        }
        // The end comes behind what is said at that moment.
        inputs.sort_by_key(|input| (input.said_at(), matches!(input, Input::End { .. })));
        Ok(WholeCall { info: *info, inputs })
    }
}

/// Puts an input at its time.
fn place(input: &mut Input, start: i64, end: i64) {
    match input {
        Input::Utterance(utterance) => (utterance.start, utterance.end) = (CallTime(start), CallTime(end)),
        Input::Hold { at }
        | Input::Resume { at }
        | Input::Transfer { at, .. }
        | Input::TransferAnswered { at, .. }
        | Input::End { at, .. } => *at = CallTime(start),
    }
}

fn missing(field: Field) -> Fault {
    let name = field.name();
    let (zh, en) = match field {
        Field::StartMs => ("start_ms（或 start_s、start_at）", "start_ms (or start_s, start_at)"),
        Field::EndMs => ("end_ms（或 end_s、end_at）", "end_ms (or end_s, end_at)"),
        Field::AtMs => ("at_ms（或 at_s、at）", "at_ms (or at_s, at)"),
        _ => (name, name),
    };
    Fault::new(
        field,
        format!("没有 {zh}：加上这一列，用 --column {name}=列名 指明是哪一列，或用 --default {name}=值 给出默认值"),
        format!("{en} is missing: add the column, name it by --column {name}=HEADING, or give --default {name}=VALUE"),
    )
}

/// An event of `object`, with a fault at the cell that told it.
fn parse(object: Map<String, Value>, cells: &[(Field, Value)]) -> Result<Event, Fault> {
    native::parse(&Value::Object(object).to_string()).map_err(|error| {
        let told = |field: &str| cells.iter().map(|(told, _)| *told).find(|told| told.spec().3 == field);
        let field = error.field.and_then(|field| told(field).or_else(|| Field::from_name(field)));
        Fault::new(field, error.zh, error.en)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapping() -> Mapping {
        Mapping::new(FixedOffset::east_opt(8 * 3_600).unwrap())
    }

    fn calls(mapping: &Mapping, rows: &[Value]) -> (Vec<WholeCall>, Vec<String>) {
        let mut calls = Calls::new(mapping);
        let mut told = Vec::new();
        for (row, object) in (2..).zip(rows) {
            let Value::Object(object) = object.clone() else { panic!("{object}") };
            if let Err(faults) = calls.take(row, &mapping.cells(object)) {
                told.extend(faults.into_iter().map(|fault| format!("{row} {:?} {fault}", fault.field)));
            }
        }
        let (whole, faults) = calls.finish();
        told.extend(faults.into_iter().map(|(row, fault)| format!("{row} {:?} {fault}", fault.field)));
        (whole, told)
    }

    fn said(call: &WholeCall) -> Vec<(String, i64, i64)> {
        let said = call.inputs.iter().map(|input| match input {
            Input::Utterance(utterance) => {
                (format!("{} {}", utterance.role.name(), utterance.text), utterance.start.0, utterance.end.0)
            }
            other => (format!("{other:?}").split(' ').next().unwrap().to_owned(), other.said_at().0, other.said_at().0),
        });
        said.collect()
    }

    #[test]
    fn the_table_has_every_field_in_its_place() {
        for (place, spec) in SPECS.iter().enumerate() {
            assert_eq!(spec.0 as usize, place, "{}", spec.1);
            assert_eq!(Field::from_name(spec.1), Some(spec.0));
            assert_eq!(mapping().field_of(spec.1), Some(spec.0));
            for heading in spec.4 {
                assert_eq!(mapping().field_of(heading), Some(spec.0), "{heading}");
            }
        }
    }

    #[test]
    fn rows_of_chinese_headings_are_calls_in_the_order_of_time() {
        let row = |call: &str, role: &str, text: &str, start: &str, end: &str| {
            json!({"通话编号": call, "工号": 1003.0, "接通时间": "2026/11/21 10:00:00", "说话人": role, "转写文本": text,
                   "开始": start, "结束": end, "备注": "x"})
        };
        let rows = [
            row("b", "坐席", "您好", "0.5", "1.25"),
            row("a", "客户", "喂", "00:02", "00:03"),
            row("b", "用户", "你好", "00:00:01,500", "2"),
            row("a", "客服", "您好", "0", "1"),
        ];
        let (calls, told) = calls(&mapping(), &rows);
        assert_eq!(told, Vec::<String>::new());
        let ids: Vec<_> = calls.iter().map(|call| (call.info.call_id.as_str(), call.info.agent_id.as_str())).collect();
        assert_eq!(ids, [("b", "1003"), ("a", "1003")]);
        assert_eq!(calls[0].info.started_at.to_rfc3339(), "2026-11-21T10:00:00+08:00");
        assert_eq!(
            said(&calls[0]),
            [("agent 您好".to_owned(), 500, 1_250), ("customer 你好".to_owned(), 1_500, 2_000)]
        );
        assert_eq!(said(&calls[1]), [("agent 您好".to_owned(), 0, 1_000), ("customer 喂".to_owned(), 2_000, 3_000)]);
    }

    #[test]
    fn a_sites_own_names_words_and_defaults_are_taken() {
        let mut mapping = mapping();
        mapping.column("text", "asr").unwrap();
        mapping.column("start_s", "t0").unwrap();
        mapping.column("end_s", "t1").unwrap();
        mapping.word("role", "0", "agent").unwrap();
        mapping.word("role", "1", "customer").unwrap();
        mapping.default("agent_id", "a7").unwrap();
        mapping.default("started_at", "2026-11-21 10:00").unwrap();
        let rows = [
            json!({"call_id": 7, "role": 0, "asr": "您好", "text": "别的", "t0": 1.0, "t1": 2.0}),
            json!({"call_id": 7, "role": "1", "asr": "喂", "t0": 3, "t1": 4}),
        ];
        let (calls, told) = calls(&mapping, &rows);
        assert_eq!(told, Vec::<String>::new());
        assert_eq!(calls[0].info.call_id, "7");
        assert_eq!(
            said(&calls[0]),
            [("agent 您好".to_owned(), 1_000, 2_000), ("customer 喂".to_owned(), 3_000, 4_000)]
        );
        assert!(mapping.column("words", "asr").unwrap_err().contains("start_ms"));
    }

    #[test]
    fn a_whole_call_is_one_row_with_a_list() {
        let list = json!([
            {"role": "agent", "text": "您好", "start": 0, "end": 1},
            {"type": "call.hold", "at_s": 2},
            {"role": "customer", "text": "喂"},
            "x",
        ]);
        for list in [list.clone(), Value::String(list.to_string())] {
            let row = json!({"call_id": "c", "agent_id": "a", "started_at": 1_795_226_400, "utterances": list,
                             "duration": "01:00", "ended_by": "客户"});
            let (calls, told) = calls(&mapping(), &[row]);
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(told[0].starts_with("2 Some(Utterances) 第 3 句：没有 start_ms"), "{told:?}");
            assert!(told[1].contains("第 4 句：不是对象"), "{told:?}");
            assert_eq!(
                said(&calls[0]),
                [
                    ("agent 您好".to_owned(), 0, 1_000),
                    ("Hold".to_owned(), 2_000, 2_000),
                    ("End".to_owned(), 60_000, 60_000)
                ]
            );
        }
    }

    #[test]
    fn times_of_the_wall_are_counted_from_the_answer_or_the_first_words() {
        let row = |at: &str, text: &str| json!({"call_id": "c", "agent_id": "a", "channel": "在线", "role": "agent", "text": text, "发送时间": at});
        let rows = [row("2026-11-21 10:00:05", "b"), row("2026-11-21 10:00:01.5", "a")];
        let (calls, told) = calls(&mapping(), &rows);
        assert_eq!(told, Vec::<String>::new());
        assert_eq!(calls[0].info.started_at.to_rfc3339(), "2026-11-21T10:00:01.500+08:00");
        assert_eq!(said(&calls[0]), [("agent a".to_owned(), 0, 0), ("agent b".to_owned(), 3_500, 3_500)]);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        let row = |more: Value| {
            let mut row = json!({"call_id": "c", "agent_id": "a", "started_at": "2026-11-21T10:00:00+08:00",
                                 "role": "agent", "text": "您好", "start_ms": 0, "end_ms": 1});
            for (key, value) in more.as_object().unwrap() {
                row[key] = value.clone();
            }
            row
        };
        let rows = [
            row(json!({"role": "谁"})),
            row(json!({"start_ms": "soon"})),
            row(json!({"call_id": null})),
            row(json!({"started_at": "2026-11-21T11:00:00+08:00"})),
            row(json!({"start_ms": 5})),
            row(json!({"end_ms": ""})),
            row(json!({"call_id": "d", "agent_id": ""})),
            row(json!({"utterances": 7})),
        ];
        let (calls, told) = calls(&mapping(), &rows);
        let begins = [
            "2 Some(Role) role 不能是「谁」",
            "3 Some(StartMs) start_ms 必须是数字",
            "4 Some(CallId) 没有 call_id：加上这一列",
            "5 Some(StartedAt) started_at 与第 2 行的不同",
            "6 Some(EndMs) end_ms （1）早于 start_ms",
            "7 Some(EndMs) 没有 end_ms（或 end_s、end_at）",
            "9 Some(Utterances) utterances 必须是",
            "8 Some(AgentId) 没有 agent_id",
        ];
        assert_eq!(told.len(), begins.len(), "{told:#?}");
        for (told, begin) in told.iter().zip(begins) {
            assert!(told.starts_with(begin), "{told}");
        }
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn no_cell_makes_it_panic() {
        let odd = [
            json!(null),
            json!(true),
            json!(-1),
            json!(1e308),
            json!("1e400"),
            json!("nan"),
            json!("：：："),
            json!("9999999999999:00"),
            json!([[]]),
            json!({"a": {}}),
            json!("\u{0}"),
            json!(i64::MIN),
            json!(u64::MAX),
            json!("99999999999999"),
            json!("2026-13-45 99:99:99"),
            json!("4e4"),
            json!("[1"),
        ];
        for spec in &SPECS {
            for value in &odd {
                let mut row = json!({"call_id": "c", "agent_id": "a", "started_at": "2026-11-21 10:00:00", "role": "agent",
                                     "text": "您好", "start_ms": 0, "end_ms": 1});
                row[spec.1] = value.clone();
                let _ = calls(&mapping(), &[row.clone()]);
                let _ = calls(&mapping(), &[json!({"call_id": "c", "utterances": [row]})]);
            }
        }
    }
}
