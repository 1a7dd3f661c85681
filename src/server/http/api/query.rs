//! What the QA department asks over HTTP: alerts as they stand, calls with what
//! was said, scores. Answers are pages; times bear the offset of the
//! configuration, and personal data is masked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::adapter::alert_json::{AlertJson, wall_time as call_time};
use crate::engine::alert::AlertState;
use crate::engine::privacy;
use crate::engine::time::CallTime;
use crate::server::Shared;
use crate::server::config::{CALL_ALERTS_MAX, CALL_EVENTS_MAX};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::score::{Scoring, score};
use crate::server::feeds::agents::Cursor;
use crate::server::http::api::review::ReviewView;
use crate::server::http::filter::{BadQuery, List, OF_ALERTS, OF_CALLS, OF_PAGES, Page, Parameters, wall_time};
use crate::server::http::openapi::{AlertParameters, CallParameters, PageParameters, ScoreParameters};
use crate::server::runtime::shard::Command;
use crate::server::store::{
    AlertFilter, CallFilter, Deduction, FoundAlert, FoundCall, Order, Place, StoreError, TotalledCall, Transition,
};

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It cannot be understood.
    BadQuery(BadQuery),
    /// There is nothing of that name.
    Unknown(Refusal),
    /// The server cannot answer now.
    Failed(Refusal),
}

impl Unanswered {
    /// A part of the address cannot be used.
    pub(crate) fn bad(field: &str, message: String) -> Self {
        Self::BadQuery(BadQuery::new(field, message))
    }
}

impl From<BadQuery> for Unanswered {
    fn from(bad: BadQuery) -> Self {
        Self::BadQuery(bad)
    }
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal)
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        let (status, refusal) = match &self {
            Self::BadQuery(BadQuery { field, message }) => {
                let fault = ErrorMessage::new("invalid_query", message).in_field(field);
                return (StatusCode::BAD_REQUEST, Json(fault)).into_response();
            }
            Self::Unknown(refusal) => (StatusCode::NOT_FOUND, refusal),
            Self::Failed(refusal) => (StatusCode::SERVICE_UNAVAILABLE, refusal),
        };
        (status, Json(ErrorMessage::new(refusal.code(), &refusal.message()))).into_response()
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsPage {
    /// The newest first.
    alerts: Vec<AlertView>,
    #[serde(flatten)]
    about: About,
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallsPage {
    /// The newest first.
    calls: Vec<CallView>,
    #[serde(flatten)]
    about: About,
}

/// What a list covers, and how it goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct About {
    /// For `cursor`; null on the last page.
    next_cursor: Option<String>,
    /// From this moment on, if it was asked for.
    pub(crate) from: Option<String>,
    /// Up to but without this moment, if it was asked for.
    pub(crate) to: Option<String>,
    /// In which days begin, and in which times are told.
    pub(crate) utc_offset: String,
}

impl About {
    pub(crate) fn new(span: crate::server::store::Span, zone: FixedOffset, next_cursor: Option<String>) -> Self {
        let time = |ms: Option<i64>| ms.and_then(|ms| wall_time(ms, zone));
        Self { next_cursor, from: time(span.from_ms), to: time(span.to_ms), utc_offset: zone.to_string() }
    }
}

/// An alert as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertView {
    #[serde(flatten)]
    alert: AlertJson<'static>,
    /// Of its latest transition, as agents get it.
    cursor: String,
    /// Whether the agent saw it: `card`, `folded`, `late` or `shadow`.
    display: String,
    /// Of its call.
    queue: Option<String>,
    /// All its states, in their order.
    history: Vec<String>,
    /// Its call was answered.
    started_at: String,
    feedback: Option<FeedbackView>,
    /// What QA and the agent say of it.
    review: ReviewView,
}

/// What the agent answered last.
#[derive(Debug, Serialize, ToSchema)]
struct FeedbackView {
    /// `seen` or `dismiss`.
    action: String,
    reason: Option<String>,
    given_at: Option<String>,
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    call_id: String,
    /// Who answered.
    agent_id: String,
    queue: Option<String>,
    started_at: String,
    /// As its `call.end` says.
    ended_at: Option<String>,
    /// `agent`, `customer` or `system`.
    ended_by: Option<String>,
    /// Whether it is in progress.
    live: bool,
    closed_at: Option<String>,
    /// `ended`, `idle` or `panicked`.
    close_reason: Option<String>,
    rules_version: String,
    /// Alerts that count: confirmed, not of a shadow pack, and neither dismissed
    /// by QA nor taken back on appeal.
    confirmed: usize,
    /// So far, while it is in progress.
    score: u32,
}

/// A call with all that is kept of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallDetail {
    #[serde(flatten)]
    call: CallView,
    /// What was said and done, as the producer sent it, personal data masked.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// Of a call in progress: utterances that have no final yet.
    #[schema(value_type = Vec<Object>)]
    hypotheses: Vec<Value>,
    /// In the order in which they were raised.
    alerts: Vec<DetailedAlert>,
    scoring: Scoring,
    /// Whether there is more than is shown.
    truncated: bool,
    utc_offset: String,
}

/// An alert and how it came to stand as it does.
#[derive(Debug, Serialize, ToSchema)]
struct DetailedAlert {
    #[serde(flatten)]
    alert: AlertView,
    transitions: Vec<TransitionView>,
}

/// One transition.
#[derive(Debug, Serialize, ToSchema)]
struct TransitionView {
    state: AlertState,
    at_ms: i64,
    emitted_at: String,
    cursor: String,
}

/// Scores of several calls together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scores {
    /// `agent`, `team` or `day`.
    group: &'static str,
    scores: Vec<ScoreView>,
    from: Option<String>,
    to: Option<String>,
    utc_offset: String,
}

/// The scores of one agent, team or day.
#[derive(Debug, Serialize, ToSchema)]
struct ScoreView {
    /// The agent, the queue (null: calls without one) or the day.
    key: Option<String>,
    calls: u64,
    /// Of the calls; rounded to hundredths.
    mean: f64,
    min: u32,
    /// Calls with 0 by one vote.
    vetoed: u64,
    /// Confirmed alerts.
    alerts: u64,
}

/// Alerts as they stand, the newest first.
#[utoipa::path(get, path = "/v1/alerts", tag = "qa", params(AlertParameters, PageParameters), responses(
    (status = 200, description = "One page / 一页预警", body = AlertsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn alerts(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertsPage>, Unanswered> {
    let known = OF_ALERTS.into_iter().chain(OF_PAGES);
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), known)?;
    let zone = shared.config.utc_offset;
    let filter = parameters.alerts(zone)?;
    let page = parameters.page("alerts", shared.store_id)?;
    Ok(Json(alerts_page(&shared, filter, page).await?))
}

/// A page of alerts, the newest first.
pub(crate) async fn alerts_page(shared: &Shared, filter: AlertFilter, page: Page) -> Result<AlertsPage, Unanswered> {
    let (span, zone) = (filter.span, shared.config.utc_offset);
    // One more than asked for tells whether there is another page.
    let question = move |readers: &crate::server::Readers| {
        readers.alerts(&filter, Order::NewestFirst, page.behind, None, page.count + 1)
    };
    let mut found = shared.ask(question).await?;
    let next_cursor = next_cursor(&mut found, page.count, page.list, |alert| alert.place);
    let alerts = found.into_iter().map(|alert| shared.view(alert)).collect::<Result<_, _>>()?;
    Ok(AlertsPage { alerts, about: About::new(span, zone, next_cursor) })
}

/// Calls, the newest first.
#[utoipa::path(get, path = "/v1/calls", tag = "qa", params(CallParameters, PageParameters), responses(
    (status = 200, description = "One page / 一页通话", body = CallsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn calls(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<CallsPage>, Unanswered> {
    let known = OF_CALLS.into_iter().chain(OF_PAGES);
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), known)?;
    let zone = shared.config.utc_offset;
    let filter = parameters.calls(zone)?;
    let page = parameters.page("calls", shared.store_id)?;
    let span = filter.span;
    let mut found = shared.ask(move |readers| readers.calls(&filter, page.behind, page.count + 1)).await?;
    let place = |(call, _): &(FoundCall, _)| Place { ms: call.started_ms, no: call.call_no };
    let next_cursor = next_cursor(&mut found, page.count, page.list, place);
    let calls = found.into_iter().map(|(call, deductions)| shared.call_view(call, &deductions).0).collect();
    Ok(Json(CallsPage { calls, about: About::new(span, zone, next_cursor) }))
}

/// One call: what was said and done, its alerts, its score.
#[utoipa::path(get, path = "/v1/calls/{call_id}", tag = "qa", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again; the latest unless said / 同一 call_id 用过多次时指定接通时间，默认最近一通"),
), responses(
    (status = 200, description = "The call / 通话", body = CallDetail),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such call / 没有这通通话", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn call(
    State(shared): State<Arc<Shared>>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<CallDetail>, Unanswered> {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), ["started_at"])?;
    let started_ms = parameters.moment("started_at")?;
    let asked_call = call_id.clone();
    let question = move |readers: &crate::server::Readers| {
        let Some((call, deductions)) = readers.call(&asked_call, started_ms)? else { return Ok(None) };
        let events = readers.call_events(call.call_no, CALL_EVENTS_MAX + 1)?;
        let of_call = AlertFilter { call_no: Some(call.call_no), ..AlertFilter::default() };
        let alerts = readers.alerts(&of_call, Order::OldestFirst, None, None, CALL_ALERTS_MAX + 1)?;
        let transitions = readers.call_transitions(call.call_no, CALL_ALERTS_MAX + 1)?;
        Ok(Some((call, deductions, events, alerts, transitions)))
    };
    let found = shared.ask(question).await?.ok_or(Unanswered::Unknown(Refusal::NoSuchCall))?;
    let (call, deductions, mut events, mut alerts, mut transitions) = found;
    let truncated = events.len() > CALL_EVENTS_MAX || alerts.len().max(transitions.len()) > CALL_ALERTS_MAX;
    events.truncate(CALL_EVENTS_MAX);
    alerts.truncate(CALL_ALERTS_MAX);
    transitions.truncate(CALL_ALERTS_MAX);
    let mut hypotheses = if call.closed_ms.is_none() { unsettled(&shared, &call_id).await? } else { Vec::new() };
    let mut said: Vec<Value> = [call.start.as_str()]
        .into_iter()
        .chain(events.iter().map(String::as_str))
        .filter_map(|json| serde_json::from_str(json).ok())
        .collect();
    mask(&mut said);
    mask(&mut hypotheses);
    let mut by_alert: BTreeMap<String, Vec<TransitionView>> = BTreeMap::new();
    for Transition { alert_id, cursor, json } in transitions {
        let AlertJson { state, at_ms, emitted_at, .. } = read_alert(&json)?;
        let cursor = shared.cursor(cursor);
        by_alert.entry(alert_id).or_default().push(TransitionView { state, at_ms, emitted_at, cursor });
    }
    let alerts = alerts.into_iter().map(|found| {
        let alert = shared.view(found)?;
        let transitions = by_alert.remove(&*alert.alert.alert_id).unwrap_or_default();
        Ok(DetailedAlert { alert, transitions })
    });
    let alerts = alerts.collect::<Result<_, Refusal>>()?;
    let (call, scoring) = shared.call_view(call, &deductions);
    let utc_offset = shared.config.utc_offset.to_string();
    Ok(Json(CallDetail { call, events: said, hypotheses, alerts, scoring, truncated, utc_offset }))
}

/// Scores by agent, team (queue) or day.
#[utoipa::path(get, path = "/v1/scores", tag = "qa", params(ScoreParameters), responses(
    (status = 200, description = "One row a group / 每组一行", body = Scores),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn scores(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Scores>, Unanswered> {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), OF_SCORES)?;
    let group = parameters
        .choice("group", &[("agent", Group::Agent), ("team", Group::Team), ("day", Group::Day)])?
        .unwrap_or(Group::Agent);
    let zone = shared.config.utc_offset;
    let mut filter = CallFilter { is_live: Some(false), ..parameters.calls(zone)? };
    // An agent's score may rest on a call that another one answered.
    let agent_id = filter.agent_id.take();
    let span = filter.span;
    let config = shared.config.score.clone();
    let question = move |readers: &crate::server::Readers| -> Result<_, StoreError> {
        let mut groups: BTreeMap<Option<String>, Total> = BTreeMap::new();
        readers.totals(&filter, |call| {
            for (agent, deductions) in units(call, group, agent_id.as_deref()) {
                let key = match group {
                    Group::Agent => Some(agent.to_owned()),
                    Group::Team => call.queue.clone(),
                    Group::Day => wall_time(call.started_ms, zone).map(|time| time.chars().take(DAY_CHARS).collect()),
                };
                groups.entry(key).or_default().add(&score(&config, deductions.iter().copied()), deductions.len());
            }
        })?;
        Ok(groups)
    };
    let groups = shared.ask(question).await?;
    let scores = groups.into_iter().map(|(key, total)| total.view(key)).collect();
    let About { from, to, utc_offset, .. } = About::new(span, zone, None);
    Ok(Json(Scores { group: group.name(), scores, from, to, utc_offset }))
}

/// The parameters of scores.
pub(crate) const OF_SCORES: [&str; 5] = ["group", "from", "to", "agent_id", "queue"];

/// `2026-11-21`.
const DAY_CHARS: usize = 10;

/// By what scores are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Agent,
    Team,
    Day,
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Day => "day",
        }
    }
}

/// What has a score of its own: the call, or, where agents are asked for, the
/// part that each of them had in it. Each with who answered, or whose part it is.
fn units<'a>(call: &'a TotalledCall, group: Group, agent_id: Option<&str>) -> Vec<(&'a str, Vec<&'a Deduction>)> {
    if group != Group::Agent && agent_id.is_none() {
        return vec![(&call.agent_id, call.deductions.iter().collect())];
    }
    let mut parts = BTreeMap::from([(call.agent_id.as_str(), Vec::new())]);
    for deduction in &call.deductions {
        parts.entry(&deduction.agent_id).or_insert_with(Vec::new).push(deduction);
    }
    parts.into_iter().filter(|(agent, _)| agent_id.is_none_or(|wanted| wanted == *agent)).collect()
}

/// Scores put together.
#[derive(Debug, Default)]
struct Total {
    calls: u64,
    sum: u64,
    min: Option<u32>,
    vetoed: u64,
    alerts: u64,
}

impl Total {
    fn add(&mut self, scoring: &Scoring, alerts: usize) {
        self.calls += 1;
        self.sum += u64::from(scoring.score);
        self.min = Some(self.min.map_or(scoring.score, |min| min.min(scoring.score)));
        self.vetoed += u64::from(!scoring.vetoed_by.is_empty());
        self.alerts += alerts as u64;
    }

    #[allow(clippy::cast_precision_loss, reason = "no site has 2^53 points")]
    fn view(self, key: Option<String>) -> ScoreView {
        let Self { calls, sum, min, vetoed, alerts } = self;
        let mean = (sum as f64 / calls.max(1) as f64 * 100.0).round() / 100.0;
        ScoreView { key, calls, mean, min: min.unwrap_or_default(), vetoed, alerts }
    }
}

impl Shared {
    /// An alert as clients see it.
    fn view(&self, found: FoundAlert) -> Result<AlertView, Refusal> {
        let counts = found.counts();
        let FoundAlert { cursor, json, display, history, queue, started_at, feedback, review, .. } = found;
        let zone = self.config.utc_offset;
        Ok(AlertView {
            alert: read_alert(&json)?,
            started_at,
            review: ReviewView::new(review.standing, counts, review.steps, zone),
            cursor: self.cursor(cursor),
            display,
            queue,
            history: history.split(' ').map(str::to_owned).collect(),
            feedback: feedback.map(|given| FeedbackView {
                action: given.action,
                reason: given.reason.map(|reason| privacy::mask(&reason).into_owned()),
                given_at: wall_time(given.given_ms, zone),
            }),
        })
    }

    fn call_view(&self, call: FoundCall, deductions: &[Deduction]) -> (CallView, Scoring) {
        let zone = self.config.utc_offset;
        let scoring = score(&self.config.score, deductions);
        let started = DateTime::parse_from_rfc3339(&call.started_at).ok();
        let view = CallView {
            ended_at: started.zip(call.end_ms).map(|(started, end_ms)| call_time(started, CallTime(end_ms))),
            live: call.closed_ms.is_none(),
            closed_at: call.closed_ms.and_then(|ms| wall_time(ms, zone)),
            confirmed: deductions.len(),
            score: scoring.score,
            call_id: call.call_id,
            agent_id: call.agent_id,
            queue: call.queue,
            started_at: call.started_at,
            ended_by: call.ended_by,
            close_reason: call.close_reason,
            rules_version: call.rules_version,
        };
        (view, scoring)
    }

    fn cursor(&self, number: i64) -> String {
        Cursor { store: self.store_id, number }.to_string()
    }
}

/// Cuts `found`, in which there may be one too many, to a page.
pub(crate) fn next_cursor<T>(
    found: &mut Vec<T>,
    count: usize,
    list: List,
    place: impl Fn(&T) -> Place,
) -> Option<String> {
    let has_more = found.len() > count;
    found.truncate(count);
    found.last().filter(|_| has_more).map(|last| list.cursor(place(last)))
}

/// An alert that the store has.
pub(crate) fn read_alert(json: &str) -> Result<AlertJson<'static>, Refusal> {
    serde_json::from_str(json).map_err(|fault| Refusal::StoreFailed { error: fault.to_string() })
}

/// The utterances of a call in progress that have no final.
async fn unsettled(shared: &Shared, call_id: &str) -> Result<Vec<Value>, Refusal> {
    let (reply, asked) = oneshot::channel();
    shared.shards.send(call_id, Command::Unsettled { call_id: call_id.to_owned(), reply }).await?;
    let hypotheses = asked.await.map_err(|_| Refusal::Stopping)?;
    Ok(hypotheses.iter().filter_map(|json| serde_json::from_str(json).ok()).collect())
}

/// Masks personal data in events. What one speaker says is masked as one text,
/// because a number may be read out over several utterances.
fn mask(events: &mut [Value]) {
    let mut texts: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for (index, event) in events.iter_mut().enumerate() {
        let Some(fields) = event.as_object_mut() else { continue };
        if let (Some(Value::String(role)), Some(Value::String(text))) = (fields.get("role"), fields.get("text")) {
            texts.entry(role.clone()).or_default().push((index, text.clone()));
        }
        for (name, value) in fields {
            if !NAMES.contains(&name.as_str()) {
                mask_value(value);
            }
        }
    }
    for said in texts.into_values() {
        let words: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
        let Some(masked) = privacy::mask_all(&words) else { continue };
        for ((index, _), text) in said.iter().zip(masked) {
            events[*index]["text"] = Value::String(text);
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
            if let std::borrow::Cow::Owned(masked) = privacy::mask(text) {
                *text = masked;
            }
        }
        Value::Number(number) => {
            if let std::borrow::Cow::Owned(masked) = privacy::mask(&number.to_string()) {
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
            json!({"type": "utterance", "role": "customer", "text": "我的电话是1380013", "start_ms": 1}),
            json!({"type": "utterance", "role": "agent", "text": "嗯", "start_ms": 2}),
            json!({"type": "utterance", "role": "customer", "text": "8000", "start_ms": 3}),
        ];
        mask(&mut events);
        let expected = vec![
            json!({"type": "call.start", "call_id": "13800138000", "customer_name": "138****8000",
                "attributes": {"phone": "138****8000", "notes": ["电话138****8000"], "rings": 3}}),
            json!({"type": "utterance", "role": "customer", "text": "我的电话是138****", "start_ms": 1}),
            json!({"type": "utterance", "role": "agent", "text": "嗯", "start_ms": 2}),
            json!({"type": "utterance", "role": "customer", "text": "8000", "start_ms": 3}),
        ];
        assert_eq!(events, expected);
    }
}
