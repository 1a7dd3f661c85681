//! From the query of an address to what is wanted. Everything is checked: a
//! parameter that is not known, twice there or not understood is refused, with
//! its name and what is allowed.

use std::collections::BTreeMap;

use axum::extract::Query;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use sha2::{Digest as _, Sha256};

use crate::adapter::native;
use crate::engine::alert::AlertState;
use crate::engine::diagnostic::nearest;
use crate::engine::severity::Severity;
use crate::server::domain::review::{Appeal, Verdict};
use crate::server::domain::terms::{Audited, Display};
use crate::server::store::{AlertFilter, AuditFilter, CallFilter, Hour, Place, Span};

/// A parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadQuery {
    /// Its name.
    pub(crate) field: String,
    /// The fault and the allowed values, in Chinese and English.
    pub(crate) message: String,
}

impl BadQuery {
    pub(crate) fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

/// Rows on a page unless asked for.
const ROWS: u32 = 100;
/// Rows on a page at most.
const ROWS_MAX: u32 = 1_000;

/// A parameter of an address: its name, what it is, and what it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// In English and Chinese.
    pub(crate) about: &'static str,
    pub(crate) shape: Shape,
}

/// The form of a parameter's values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text,
    /// A day, or a time with its offset.
    Moment,
    Names(&'static [&'static str]),
    /// From the first to the second.
    Number(u32, u32),
}

impl Parameter {
    pub(crate) const fn new(name: &'static str, about: &'static str, shape: Shape) -> Self {
        Self { name, about, shape }
    }
}

pub(crate) const FROM: Parameter =
    Parameter::new("from", "From this day or time on / 从哪天或什么时间起", Shape::Moment);
pub(crate) const TO: Parameter = Parameter::new(
    "to",
    "Up to this time, or to the end of this day / 到什么时间（不含）或哪天（含）为止",
    Shape::Moment,
);
pub(crate) const AGENT: Parameter = Parameter::new("agent_id", "Of this agent / 坐席", Shape::Text);
pub(crate) const TEAM: Parameter = Parameter::new("team", "Of agents of this team / 班组", Shape::Text);
const CALL: Parameter = Parameter::new("call_id", "Of this call / 通话", Shape::Text);
const RULE: Parameter = Parameter::new("rule_id", "Of this rule / 规则", Shape::Text);
const SEVERITY: Parameter = Parameter::new(
    "severity",
    "One or several, commas between them: info, warning, critical / 级别，可用逗号写多个",
    Shape::Text,
);
const STATE: Parameter = Parameter::new(
    "state",
    "One or several, commas between them: provisional, confirmed, retracted, reminder, resolved / 状态，可用逗号写多个",
    Shape::Text,
);
const REVIEW: Parameter = Parameter::new(
    "review",
    "One or several, commas between them: unreviewed, confirmed, dismissed / 复核结论，可用逗号写多个",
    Shape::Text,
);
const APPEAL: Parameter = Parameter::new(
    "appeal",
    "One or several, commas between them: pending, granted, rejected / 申诉，可用逗号写多个",
    Shape::Text,
);
const ACTION: Parameter = Parameter::new(
    "action",
    "One or several, commas between them: start, reload, confirm, dismiss, appeal, grant, reject, undo, mark, sample, look, form_fill, form_change, form_sign, form_object, clips, calibration, export, report, forget / 做了什么，可用逗号写多个",
    Shape::Text,
);
pub(crate) const QUEUE: Parameter = Parameter::new("queue", "Of this queue / 队列", Shape::Text);
const LIVE: Parameter = Parameter::new("live", "In progress or over / 是否进行中", Shape::Names(&["true", "false"]));
pub(crate) const LIMIT: Parameter =
    Parameter::new("limit", "Rows on a page, 100 unless said / 每页行数，默认 100", Shape::Number(1, ROWS_MAX));
pub(crate) const CURSOR: Parameter =
    Parameter::new("cursor", "The next_cursor of the page before / 上一页的 next_cursor", Shape::Text);

const HELD: Parameter = Parameter::new(
    "held",
    "Whether alerts that are too unsure to be shown belong to them: true or false (unless said) / 是否包括把握不足、没有给坐席看的预警，默认不包括",
    Shape::Text,
);

const DISPLAY: Parameter = Parameter::new(
    "display",
    "One or several, commas between them: card, folded, late, shadow, held, marked (by a reviewer); overrules held / 显示方式，可用逗号写多个；写了就不看 held",
    Shape::Text,
);
const COUNTS: Parameter = Parameter::new(
    "counts",
    "Only alerts that count (confirmed, neither on trial nor held, neither dismissed nor taken back on appeal), or only the others / 只要计入得分的，或只要不计入的",
    Shape::Names(&["true", "false"]),
);
const ALERTS: Parameter = Parameter::new(
    "alerts",
    "Only calls with an alert that these filters find, whenever they were answered / 只要有符合这些条件的预警的通话",
    Shape::Names(&["true", "false"]),
);
pub(crate) const HOUR: Parameter =
    Parameter::new("hour", "In this hour of the day / 一天中的第几个小时", Shape::Number(0, 23));

/// The filters of alerts.
pub(crate) const OF_ALERTS: &[Parameter] =
    &[FROM, TO, AGENT, TEAM, CALL, RULE, QUEUE, HOUR, SEVERITY, STATE, REVIEW, APPEAL, COUNTS, DISPLAY, HELD];
/// The filters of calls. Those of alerts say which ones `alerts` means.
pub(crate) const OF_CALLS: &[Parameter] = &[
    FROM, TO, AGENT, TEAM, CALL, QUEUE, HOUR, LIVE, ALERTS, RULE, SEVERITY, STATE, REVIEW, APPEAL, COUNTS, DISPLAY,
    HELD,
];
/// Filters that only alerts have.
const OF_ALERTS_ONLY: [Parameter; 8] = [RULE, SEVERITY, STATE, REVIEW, APPEAL, COUNTS, DISPLAY, HELD];
/// The filters of an agent's own alerts.
pub(crate) const OF_HISTORY: &[Parameter] = &[FROM, TO, CALL];
/// The filters of audit entries.
pub(crate) const OF_AUDIT: &[Parameter] = &[FROM, TO, ACTION];
/// The page of a list.
pub(crate) const OF_PAGES: &[Parameter] = &[LIMIT, CURSOR];

/// The names of the parameters in these tables.
pub(crate) fn names<'a>(tables: &'a [&'static [Parameter]]) -> impl Iterator<Item = &'static str> + Clone + 'a {
    tables.iter().flat_map(|table| table.iter()).map(|parameter| parameter.name)
}

/// The parameters of one request, each once.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    values: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads a query that may have these parameters.
    pub(crate) fn read<'a>(query: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Result<Self, BadQuery> {
        let unreadable = || BadQuery::new("", "地址中的查询无法读取 / the query cannot be read");
        let uri = format!("/?{query}").parse().map_err(|_| unreadable())?;
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| unreadable())?;
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            if !known.clone().into_iter().any(|known| known == name) {
                let all = known.clone().into_iter().collect::<Vec<_>>().join(", ");
                let shown: String = name.chars().take(NAME_CHARS_SHOWN).collect();
                if all.is_empty() {
                    let message =
                        format!("没有参数 {shown}；这个地址不带参数 / no parameter {shown}: this address takes none");
                    return Err(BadQuery::new(&shown, message));
                }
                let meant = match nearest(&name, known.clone().into_iter()) {
                    Some(near) => format!("是不是 {near}？可用的有：{all} / did you mean {near}? known are: {all}"),
                    None => format!("可用的有：{all} / known are: {all}"),
                };
                return Err(BadQuery::new(&shown, format!("没有参数 {shown}；{meant}")));
            }
            if values.contains_key(&name) {
                return Err(BadQuery::new(&name, format!("{name} 只能写一次 / {name} may be given once only")));
            }
            values.insert(name, value);
        }
        Ok(Self { values })
    }

    /// Reads a query that may have the parameters of these tables.
    pub(crate) fn of_tables(query: &str, tables: &[&'static [Parameter]]) -> Result<Self, BadQuery> {
        Self::read(query, names(tables))
    }

    /// Parameters that came otherwise than in an address.
    pub(crate) const fn of(values: BTreeMap<String, String>) -> Self {
        Self { values }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Something that has a name of its own: a call, an agent, a rule.
    pub(crate) fn id(&self, name: &str) -> Result<Option<String>, BadQuery> {
        let Some(id) = self.get(name) else { return Ok(None) };
        native::check_id(name, id).map_err(|fault| BadQuery::new(name, fault.to_string()))?;
        Ok(Some(id.to_owned()))
    }

    /// One of several names.
    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, BadQuery> {
        self.get(name).map(|text| choose(name, text, choices)).transpose()
    }

    /// Some of several names, commas between them.
    pub(crate) fn choices<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Vec<T>, BadQuery> {
        let texts = self.get(name).into_iter().flat_map(|texts| texts.split(','));
        texts.map(|text| choose(name, text, choices)).collect()
    }

    /// A whole number within bounds.
    pub(crate) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, BadQuery> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        let bad = || {
            BadQuery::new(name, format!("{name} 必须在 {least} 到 {most} 之间 / {name} must be from {least} to {most}"))
        };
        number.ok_or_else(bad).map(Some)
    }

    /// Yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, BadQuery> {
        self.choice(name, &[("true", true), ("false", false)])
    }

    fn hour(&self, zone: FixedOffset) -> Result<Option<Hour>, BadQuery> {
        let of_day = self.number("hour", 0, 23)?;
        Ok(of_day.map(|of_day| Hour { of_day, offset_ms: i64::from(zone.local_minus_utc()) * 1_000 }))
    }

    /// A span of time; a day stands for all of it, at either end.
    pub(crate) fn span(&self, zone: FixedOffset) -> Result<Span, BadQuery> {
        let from_ms = self.get("from").map(|text| moment("from", text, zone, TimeDelta::zero())).transpose()?;
        let to_ms = self.get("to").map(|text| moment("to", text, zone, TimeDelta::days(1))).transpose()?;
        if let (Some(from_ms), Some(to_ms)) = (from_ms, to_ms)
            && from_ms >= to_ms
        {
            return Err(BadQuery::new("to", "to 必须晚于 from / to must be later than from"));
        }
        Ok(Span { from_ms, to_ms })
    }

    /// One moment.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<i64>, BadQuery> {
        self.get(name).map(|text| instant(name, text)).transpose()
    }

    /// Which alerts are wanted.
    pub(crate) fn alerts(&self, zone: FixedOffset) -> Result<AlertFilter, BadQuery> {
        Ok(AlertFilter {
            span: self.span(zone)?,
            agent_id: self.id("agent_id")?,
            team: self.id("team")?,
            call_id: self.id("call_id")?,
            call_no: None,
            alert_id: None,
            rule_id: self.id("rule_id")?,
            queue: self.id("queue")?,
            severities: self.choices("severity", &Severity::ALL.map(|severity| (severity.name(), severity)))?,
            states: self.choices("state", &AlertState::ALL.map(|state| (state.name(), state)))?,
            verdicts: self.choices("review", &Verdict::ALL.map(|verdict| (verdict.name(), verdict)))?,
            appeals: self.choices("appeal", &Appeal::ALL.map(|appeal| (appeal.name(), appeal)))?,
            has_steps: false,
            with_held: self.flag("held")?.unwrap_or(false),
            displays: self.choices("display", &Display::ALL.map(|display| (display.name(), display)))?,
            counts: self.flag("counts")?,
            hour: self.hour(zone)?,
        })
    }

    /// Which audit entries are wanted.
    pub(crate) fn audit(&self, zone: FixedOffset) -> Result<AuditFilter, BadQuery> {
        let actions: Vec<_> = Audited::all().map(|action| (action.name(), action)).collect();
        let actions = self.choices("action", &actions)?;
        Ok(AuditFilter { span: self.span(zone)?, actions })
    }

    /// All that was given, by name.
    pub(crate) const fn given(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Which calls are wanted.
    pub(crate) fn calls(&self, zone: FixedOffset) -> Result<CallFilter, BadQuery> {
        if self.flag("alerts")? == Some(true) {
            let with_alert = Some(Box::new(self.alerts(zone)?));
            return Ok(CallFilter { with_alert, is_live: self.flag("live")?, ..CallFilter::default() });
        }
        if let Some(only) = OF_ALERTS_ONLY.iter().find(|parameter| self.get(parameter.name).is_some()) {
            let message = format!("{0} 要和 alerts=true 一起用 / {0} needs alerts=true", only.name);
            return Err(BadQuery::new(only.name, message));
        }
        Ok(CallFilter {
            with_alert: None,
            span: self.span(zone)?,
            agent_id: self.id("agent_id")?,
            team: self.id("team")?,
            call_id: self.id("call_id")?,
            queue: self.id("queue")?,
            is_live: self.flag("live")?,
            hour: self.hour(zone)?,
        })
    }

    /// Which page is wanted of the list at `path` in this store.
    pub(crate) fn page(&self, path: &str, store_id: i64) -> Result<Page, BadQuery> {
        let count = self.number("limit", 1, ROWS_MAX)?.unwrap_or(ROWS);
        let list = List { store_id, digest: self.digest(path) };
        let behind = match self.get("cursor") {
            None => None,
            Some(text) => Some(list.place(text)?),
        };
        Ok(Page { count: count as usize, behind, list })
    }

    /// Tells lists from one another: by their path and filters.
    fn digest(&self, path: &str) -> u32 {
        let mut hash = Sha256::new().chain_update(path);
        for (name, value) in &self.values {
            if OF_PAGES.iter().all(|parameter| parameter.name != name) {
                hash = hash.chain_update(format!("&{name}={value}"));
            }
        }
        let hash = hash.finalize();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }
}

/// Characters of an unknown name that a message repeats.
const NAME_CHARS_SHOWN: usize = 40;

/// A page of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) count: usize,
    pub(crate) behind: Option<Place>,
    pub(crate) list: List,
}

/// A list that cursors belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    store_id: i64,
    digest: u32,
}

impl List {
    /// The cursor for what comes behind a place.
    pub(crate) fn cursor(self, place: Place) -> String {
        URL_SAFE_NO_PAD.encode(format!("{:x}.{}.{}.{:x}", self.store_id, place.ms, place.no, self.digest))
    }

    fn place(self, cursor: &str) -> Result<Place, BadQuery> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
            let mut parts = text.split('.');
            let store_id = i64::from_str_radix(parts.next()?, 16).ok()?;
            let place = Place { ms: parts.next()?.parse().ok()?, no: parts.next()?.parse().ok()? };
            let digest = u32::from_str_radix(parts.next()?, 16).ok()?;
            parts.next().is_none().then_some((Self { store_id, digest }, place))
        };
        match read() {
            Some((list, place)) if list == self => Ok(place),
            Some((list, _)) if list.store_id == self.store_id => Err(BadQuery::new(
                "cursor",
                "cursor 属于别的查询：翻页时其他参数不能变 / this cursor is of another query: the other parameters must stay as they were",
            )),
            Some(_) => Err(BadQuery::new(
                "cursor",
                "cursor 属于别的数据目录，请从第一页开始 / this cursor is of other data; begin with the first page",
            )),
            None => Err(BadQuery::new(
                "cursor",
                "cursor 必须是上一页的 next_cursor / cursor must be the next_cursor of the page before",
            )),
        }
    }
}

fn choose<T: Copy>(name: &str, text: &str, choices: &[(&str, T)]) -> Result<T, BadQuery> {
    choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| *value).ok_or_else(|| {
        let all = choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(", ");
        BadQuery::new(name, format!("{name} 只能是：{all} / {name} must be one of: {all}"))
    })
}

/// A moment: a day in `zone`, at which `of_day` is added, or a time with its offset.
fn moment(name: &str, text: &str, zone: FixedOffset, of_day: TimeDelta) -> Result<i64, BadQuery> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == "2026-11-21".len());
    match day {
        Some(day) => day
            .and_time(NaiveTime::MIN)
            .checked_add_signed(of_day)
            .and_then(|time| zone.from_local_datetime(&time).single())
            .map(|time| time.timestamp_millis())
            .ok_or_else(|| bad_time(name, "")),
        None => instant(name, text),
    }
}

/// A time with its offset.
pub(crate) fn instant(name: &str, text: &str) -> Result<i64, BadQuery> {
    // A `+08:00` that is not escaped in an address arrives as a space.
    let text = match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains('T') => format!("{time}+{offset}"),
        _ => text.to_owned(),
    };
    DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_millis()).map_err(|_| {
        let is_local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S").is_ok();
        bad_time(name, if is_local { "缺少时区 / the offset is missing. " } else { "" })
    })
}

fn bad_time(name: &str, why: &str) -> BadQuery {
    BadQuery::new(
        name,
        format!(
            "{name} {why}应为日期（2026-11-21）或带时区的时间（2026-11-21T10:00:00+08:00） / {name} must be a day (2026-11-21) or a time with its offset (2026-11-21T10:00:00+08:00)"
        ),
    )
}
