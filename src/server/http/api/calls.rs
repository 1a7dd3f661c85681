//! Calls: lists of them, one with all that is kept of it, and one live. Times
//! bear the offset of the configuration, and personal data is masked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Request;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::DateTime;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::adapter::alert_json::{AlertJson, wall_time as call_time};
use crate::adapter::masking;
use crate::adapter::native::{self, EventBody};
use crate::adapter::schema;
use crate::engine::alert::AlertState;
use crate::engine::pauses::{Pauses, Stretch};
use crate::engine::time::CallTime;
use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::{CALL_ALERTS_MAX, CALL_EVENTS_MAX};
use crate::server::domain::principal::Principal;
use crate::server::domain::recording::{Recorded, Sound};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::score::{Deduction, Scoring, score};
use crate::server::feeds::push::{self, Listener};
use crate::server::filter::{OF_CALLS, OF_PAGES, Parameters};
use crate::server::http::api::alerts::{AlertView, view};
use crate::server::http::api::live::supervisor;
use crate::server::http::api::page::{About, next_cursor};
use crate::server::http::api::roster::AgentView;
use crate::server::http::api::supervision::SupervisionView;
use crate::server::http::openapi::{CallParameters, PageParameters};
use crate::server::net::reply::{self, Unanswered};
use crate::server::net::ws;
use crate::server::runtime::Shared;
use crate::server::runtime::command::Command;
use crate::server::store::{CallQuery, CallRecord, FoundCall, Place, Transition};

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallsPage {
    /// The newest first.
    calls: Vec<CallView>,
    #[serde(flatten)]
    about: About,
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    call_id: String,
    /// The agent who answered.
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
    queue: Option<String>,
    started_at: String,
    /// The party that `call.end` names.
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
    /// The events of the call as the producer sent them, personal data masked.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// The utterances without a final, in a call in progress.
    #[schema(value_type = Vec<Object>)]
    hypotheses: Vec<Value>,
    /// When the customer was on hold, as the rules measure it.
    holds: Vec<StretchView>,
    /// Stretches of 3 seconds or longer without speech, holds left out.
    silences: Vec<StretchView>,
    /// In the order in which they were raised.
    alerts: Vec<DetailedAlert>,
    scoring: Scoring,
    /// Where the call can be heard, once it is over; null where no recordings are configured.
    recording: Option<Sound>,
    /// What supervisors did in it.
    supervision: SupervisionView,
    /// Whether there is more than is shown.
    truncated: bool,
    utc_offset: String,
}

/// A stretch of the call's clock.
#[derive(Debug, Serialize, ToSchema)]
struct StretchView {
    from_ms: i64,
    /// Null while it lasts.
    until_ms: Option<i64>,
}

impl From<Stretch> for StretchView {
    fn from(stretch: Stretch) -> Self {
        Self { from_ms: stretch.from.0, until_ms: stretch.until.map(|until| until.0) }
    }
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
    #[schema(value_type = schema::AlertState)]
    state: AlertState,
    at_ms: i64,
    emitted_at: String,
    cursor: String,
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
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_CALLS, OF_PAGES])?;
    let zone = shared.config.utc_offset;
    let filter = parameters.calls(zone)?;
    let page = parameters.page("calls", shared.store_id)?;
    let span = filter.span;
    let mut found = shared.store.calls(filter, page.behind, page.count + 1).await?;
    let place = |(call, _): &(FoundCall, _)| Place { ms: call.started_ms, no: call.call_no };
    let next_cursor = next_cursor(&mut found, page.count, page.list, place);
    let calls = found.into_iter().map(|(call, deductions)| call_view(&shared, call, &deductions).0).collect();
    Ok(Json(CallsPage { calls, about: About::new(span, zone, next_cursor) }))
}

/// One call: what was said and done, its alerts, its score.
#[utoipa::path(get, path = "/v1/calls/{call_id}", tag = "qa", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again; the latest unless said / 同一 call_id 用过多次时指定接通时间，默认最近一通"),
    ("held" = Option<bool>, Query, description = "Whether alerts that are too unsure to be shown belong to it / 是否包括把握不足的预警"),
), responses(
    (status = 200, description = "The call / 通话", body = CallDetail),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such call / 没有这通通话", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn call(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<CallDetail>, Unanswered> {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), ["started_at", "held"])?;
    let with_held = parameters.flag("held")?.unwrap_or(false);
    let found = record(&shared, &call_id, parameters.moment("started_at")?, with_held).await?;
    let CallRecord { call, deductions, mut events, mut alerts, mut transitions } = found;
    let truncated = events.len() > CALL_EVENTS_MAX || alerts.len().max(transitions.len()) > CALL_ALERTS_MAX;
    events.truncate(CALL_EVENTS_MAX);
    alerts.truncate(CALL_ALERTS_MAX);
    transitions.truncate(CALL_ALERTS_MAX);
    let mut hypotheses = if call.closed_ms.is_none() { unsettled(&shared, &call_id).await? } else { Vec::new() };
    let unsettled = hypotheses.iter().map(Value::to_string);
    let inputs = events.iter().cloned().chain(unsettled).filter_map(|json| match native::parse(&json).ok()?.body {
        EventBody::Input(input) => Some(input),
        EventBody::Start(_) => None,
    });
    let Pauses { holds, silences } = Pauses::of(inputs);
    let [holds, silences] = [holds, silences].map(|stretches| stretches.into_iter().map(StretchView::from).collect());
    let said = said(&call, &events, &mut hypotheses);
    let mut by_alert: BTreeMap<String, Vec<TransitionView>> = BTreeMap::new();
    for Transition { alert_id, cursor, json } in transitions {
        let AlertJson { state, at_ms, emitted_at, .. } = serde_json::from_str(&json).map_err(Refusal::store)?;
        let cursor = shared.cursor(cursor).to_string();
        by_alert.entry(alert_id).or_default().push(TransitionView { state, at_ms, emitted_at, cursor });
    }
    let alerts = alerts.into_iter().map(|found| {
        let alert = view(&shared, &principal, found)?;
        let transitions = by_alert.remove(&*alert.alert.alert_id).unwrap_or_default();
        Ok(DetailedAlert { alert, transitions })
    });
    let alerts = alerts.collect::<Result<_, Refusal>>()?;
    let recorded = Recorded {
        call_id: &call.call_id,
        agent_id: &call.agent_id,
        queue: call.queue.as_deref(),
        started_at: &call.started_at,
        started_ms: call.started_ms,
    };
    let is_over = call.closed_ms.is_some();
    let recording = shared.recordings.as_ref().filter(|_| is_over).map(|known| known.of(recorded, unix_ms()));
    let supervision = shared.store.supervision(call.call_no).await?;
    let supervision = SupervisionView::new(&shared, supervision, !is_over);
    let (call, scoring) = call_view(&shared, call, &deductions);
    let utc_offset = shared.config.utc_offset.to_string();
    Ok(Json(CallDetail {
        call,
        events: said,
        hypotheses,
        holds,
        silences,
        alerts,
        scoring,
        recording,
        supervision,
        truncated,
        utc_offset,
    }))
}

/// One call as its agent may see it: the words of the stretches in which they had it, and their alerts in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnCallDetail {
    call_id: String,
    started_at: String,
    queue: Option<String>,
    live: bool,
    /// What the agent's own alerts leave of the score.
    score: u32,
    /// The events of the call, personal data masked; utterances while others had it are left out.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// In the order in which they were raised.
    alerts: Vec<AlertView>,
    /// Whether there is more than is shown.
    truncated: bool,
    utc_offset: String,
}

/// One call for its agent: words and alerts of theirs, nothing of others.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/calls/{call_id}", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again; the latest unless said / 同一 call_id 用过多次时指定接通时间，默认最近一通"),
), responses(
    (status = 200, description = "The call / 通话", body = OwnCallDetail),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such call of this agent / 该坐席没有这通通话", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn own_call(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path((agent_id, call_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<OwnCallDetail>, Unanswered> {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), ["started_at"])?;
    let found = record(&shared, &call_id, parameters.moment("started_at")?, false).await?;
    let CallRecord { call, mut deductions, mut events, mut alerts, .. } = found;
    let truncated = events.len() > CALL_EVENTS_MAX || alerts.len() > CALL_ALERTS_MAX;
    events.truncate(CALL_EVENTS_MAX);
    alerts.truncate(CALL_ALERTS_MAX);
    let said = said(&call, &events, &mut []);
    let had = Possession::of(&call.agent_id, &said);
    let alerts = alerts.into_iter().filter(|alert| alert.display.is_told());
    let alerts = alerts.map(|alert| view(&shared, &principal, alert)).collect::<Result<Vec<_>, Refusal>>()?;
    let alerts: Vec<AlertView> = alerts.into_iter().filter(|alert| alert.alert.agent_id == agent_id).collect();
    if alerts.is_empty() && !had.is_of(&agent_id) {
        return Err(Refusal::NoSuchCall.into());
    }
    let events = said.into_iter().filter(|event| had.may_read(&agent_id, event)).collect();
    deductions.retain(|deduction| deduction.agent_id == agent_id);
    let (live, utc_offset) = (call.closed_ms.is_none(), shared.config.utc_offset.to_string());
    let score = score(&shared.config.score, &deductions).score;
    let FoundCall { call_id, started_at, queue, .. } = call;
    Ok(Json(OwnCallDetail { call_id, started_at, queue, live, score, events, alerts, truncated, utc_offset }))
}

/// Who had a call from when on.
struct Possession {
    /// By time; the first had it from the beginning.
    turns: Vec<(i64, String)>,
}

impl Possession {
    fn of(answered_by: &str, events: &[Value]) -> Self {
        let transfers = events.iter().filter(|event| event["type"] == "call.transfer_answered");
        let turn = |event: &Value| Some((event["at_ms"].as_i64()?, event["agent_id"].as_str()?.to_owned()));
        let first = (i64::MIN, answered_by.to_owned());
        let mut turns: Vec<_> = std::iter::once(first).chain(transfers.filter_map(turn)).collect();
        turns.sort_by_key(|(at, _)| *at);
        Self { turns }
    }

    fn is_of(&self, agent_id: &str) -> bool {
        self.turns.iter().any(|(_, agent)| *agent == agent_id)
    }

    /// Utterances are of who had the call when they began; what happened is of all who had it.
    fn may_read(&self, agent_id: &str, event: &Value) -> bool {
        let Some(at) = event["start_ms"].as_i64() else { return true };
        let begun = self.turns.partition_point(|(from, _)| *from <= at);
        self.turns[..begun].last().is_some_and(|(_, agent)| *agent == agent_id)
    }
}

/// WebSocket: one call's transcript and alerts, live.
#[utoipa::path(get, path = "/v1/calls/{call_id}/watch", tag = "live", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("by" = Option<String>, Query, description = "Who looks on, where there are no tokens / 没有令牌时写明是谁"),
), responses(
    (status = 101, description = "A WebSocket; refused, it closes with 4000 plus the status / WebSocket；被拒绝时以 4000 加状态码关闭"),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 404, description = "No such call in progress / 没有这通进行中的通话", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn watch(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    request: Request<Body>,
) -> Result<Response, Unanswered> {
    if !ws::is_wanted(&request) {
        return Ok(reply::upgrade_required());
    }
    let supervisor = supervisor(&principal, request.uri())?;
    let (reply, watching) = oneshot::channel();
    let command = Command::Watch { call_id: call_id.clone(), reply };
    shared.shards.send(&call_id, command).await?;
    let (hello, subscription) = watching.await.map_err(|_| Refusal::Stopping)??;
    let serving = Arc::clone(&shared);
    Ok(ws::upgrade(&shared, &shared.subscribers, &request, async move |socket| {
        push::serve(&serving, socket, Listener::Watcher { hello, supervisor }, subscription).await;
    }))
}

/// What is kept of a call, each list with one too many if there is more than is shown.
async fn record(
    shared: &Shared,
    call_id: &str,
    started_ms: Option<i64>,
    with_held: bool,
) -> Result<CallRecord, Unanswered> {
    let query = CallQuery {
        call_id: call_id.to_owned(),
        started_ms,
        with_held,
        events_max: CALL_EVENTS_MAX + 1,
        alerts_max: CALL_ALERTS_MAX + 1,
    };
    Ok(shared.store.call_record(query).await?.ok_or(Refusal::NoSuchCall)?)
}

pub(super) fn call_view(shared: &Shared, call: FoundCall, deductions: &[Deduction]) -> (CallView, Scoring) {
    let zone = shared.config.utc_offset;
    let scoring = score(&shared.config.score, deductions);
    let started = DateTime::parse_from_rfc3339(&call.started_at).ok();
    let view = CallView {
        ended_at: started.zip(call.end_ms).map(|(started, end_ms)| call_time(started, CallTime(end_ms))),
        live: call.closed_ms.is_none(),
        closed_at: call.closed_ms.and_then(|ms| wall_time(ms, zone)),
        confirmed: deductions.len(),
        score: scoring.score,
        call_id: call.call_id,
        agent: AgentView::of(shared, &call.agent_id),
        agent_id: call.agent_id,
        queue: call.queue,
        started_at: call.started_at,
        ended_by: call.ended_by,
        close_reason: call.close_reason.map(|reason| reason.name().to_owned()),
        rules_version: call.rules_version,
    };
    (view, scoring)
}

/// The words and events of a call, personal data masked.
pub(super) fn said(call: &FoundCall, events: &[String], hypotheses: &mut [Value]) -> Vec<Value> {
    let mut said: Vec<Value> = [call.start.as_str()]
        .into_iter()
        .chain(events.iter().map(String::as_str))
        .filter_map(|json| serde_json::from_str(json).ok())
        .collect();
    masking::mask(&mut said, hypotheses, call.closed_ms.is_none());
    said
}

/// The utterances of a call in progress that have no final.
async fn unsettled(shared: &Shared, call_id: &str) -> Result<Vec<Value>, Refusal> {
    let (reply, asked) = oneshot::channel();
    shared.shards.send(call_id, Command::Unsettled { call_id: call_id.to_owned(), reply }).await?;
    let hypotheses = asked.await.map_err(|_| Refusal::Stopping)?;
    Ok(hypotheses.iter().filter_map(|json| serde_json::from_str(json).ok()).collect())
}
