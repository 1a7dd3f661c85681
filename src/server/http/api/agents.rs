//! The endpoints of one agent: live alerts and answers to them, the desk with the calls in
//! progress, the alerts that were reviewed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;

use crate::adapter::native;
use crate::engine::alert::AlertState;
use crate::server::clock;
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::terms::Display;
use crate::server::feeds::push::Listener;
use crate::server::feeds::{feedback, push, sse};
use crate::server::filter::{OF_HISTORY, OF_PAGES, Parameters};
use crate::server::http::api::alerts::{AlertsPage, alerts_page};
use crate::server::http::api::query;
use crate::server::http::openapi::{HistoryParameters, PageParameters};
use crate::server::net::reply::{self, Unanswered};
use crate::server::net::ws;
use crate::server::runtime::Shared;
use crate::server::runtime::agents::{After, TooManySubscribers};
use crate::server::store::AlertFilter;
use crate::server::telemetry::events::{Happening as _, Reconnected};

fn check_agent(agent_id: &str) -> Result<(), Unanswered> {
    native::check_id("agent_id", agent_id).map_err(|fault| Unanswered::bad("agent_id", fault.to_string()))
}

#[derive(Debug, Deserialize)]
struct AlertsQuery {
    after: Option<String>,
}

/// WebSocket or Server-Sent Events: an agent's alerts, live.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/alerts", tag = "live", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    ("after" = Option<String>, Query, description = "A cursor; 0: all that is kept; live: those of the calls in progress / 上次收到的 cursor；0 为全部；live 为进行中的通话的"),
), responses(
    (status = 101, description = "A WebSocket; refused, it closes with 4000 plus the status / WebSocket；被拒绝时以 4000 加状态码关闭"),
    (status = 200, description = "Server-Sent Events", body = String, content_type = "text/event-stream"),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 426, description = "Neither is asked for / 请用 WebSocket 或 SSE", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn alerts(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Result<Response, Unanswered> {
    check_agent(&agent_id)?;
    let query: AlertsQuery = query::read(query.as_deref().unwrap_or_default(), &["after"])
        .map_err(|message| Unanswered::bad("", message))?;
    // A browser that reconnects an event stream tells what it had last.
    let resumed = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(after) = After::parse(resumed.or(query.after.as_deref())) else {
        let message = "after 必须是收到过的 cursor、0 或 live / after must be a cursor that was received, 0 or live";
        return Err(Unanswered::bad("after", message));
    };
    let is_websocket = ws::is_wanted(&request);
    if !is_websocket && !wants_events(&request) {
        return Ok(reply::upgrade_required());
    }
    let subscription = shared
        .agents
        .subscribe(&agent_id, principal.reading(&agent_id), clock::now())
        .map_err(|TooManySubscribers| Refusal::TooManySubscribers)?;
    if matches!(after, After::Cursor(_)) {
        Reconnected { kind: if is_websocket { "agent" } else { "sse" } }.report(&shared.metrics);
    }
    if !is_websocket {
        let reading = principal.reading(&agent_id);
        return Ok(sse::serve(shared, (&agent_id, reading), after, subscription));
    }
    let serving = Arc::clone(&shared);
    Ok(ws::upgrade(&shared, &shared.subscribers, &request, async move |socket| {
        push::serve(&serving, socket, Listener::Agent { agent_id, principal, after }, subscription).await;
    }))
}

/// An agent's answer to an alert, for those who listen by Server-Sent Events.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/alerts", tag = "live", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
), request_body(content = Object, content_type = "application/json", description = "`{\"type\":\"seen\",\"alert_id\":…}` or `{\"type\":\"dismiss\",\"alert_id\":…,\"reason\":…}`, or `{\"type\":\"appeal\",\"alert_id\":…,\"reason\":…}`; `{\"type\":\"read\",\"help_id\":…}` for words of a supervisor"), responses(
    (status = 200, description = "Noted / 已记下", body = Object),
    (status = 400, description = "It cannot be read / 无法读取", body = ErrorMessage),
    (status = 403, description = "Only the agent may answer / 只有坐席本人能答复", body = ErrorMessage),
    (status = 404, description = "No such alert / 没有这条预警", body = ErrorMessage),
    (status = 409, description = "No appeal is possible / 不能申诉", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(agent_id): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let noted = feedback::keep(&shared, &agent_id, &principal, &body?).await?;
    Ok(([(CONTENT_TYPE, "application/json")], noted).into_response())
}

fn wants_events(request: &Request<Body>) -> bool {
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| accept.split([',', ';'])).any(|kind| kind.trim() == "text/event-stream")
}

/// WebSocket: how the calls stand that an agent has now.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/desk", tag = "live", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
), responses(
    (status = 101, description = "A WebSocket; refused, it closes with 4000 plus the status / WebSocket；被拒绝时以 4000 加状态码关闭"),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn desk(
    State(shared): State<Arc<Shared>>,
    Path(agent_id): Path<String>,
    request: Request<Body>,
) -> Result<Response, Unanswered> {
    check_agent(&agent_id)?;
    if !ws::is_wanted(&request) {
        return Ok(reply::upgrade_required());
    }
    let subscription = shared.live.watch_desk(&agent_id).map_err(|TooManySubscribers| Refusal::TooManySubscribers)?;
    let serving = Arc::clone(&shared);
    Ok(ws::upgrade(&shared, &shared.subscribers, &request, async move |socket| {
        push::serve(&serving, socket, Listener::Desk, subscription).await;
    }))
}

/// An agent's alerts that were reviewed or appealed, the newest first.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/reviews", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    PageParameters,
), responses(
    (status = 200, description = "One page / 一页预警", body = AlertsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn reviews(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertsPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_PAGES])?;
    check_agent(&agent_id)?;
    // A cursor of one agent's list is of no use in another's.
    let page = parameters.page(&format!("reviews of {agent_id}"), shared.store_id)?;
    let filter = AlertFilter { agent_id: Some(agent_id), has_steps: true, ..AlertFilter::default() };
    Ok(Json(alerts_page(&shared, &principal, filter, page).await?))
}

/// An agent's own confirmed alerts, also those that were not shown one by one, the newest first;
/// each with what became of it and whether the agent may appeal.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/history", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    HistoryParameters, PageParameters,
), responses(
    (status = 200, description = "One page / 一页预警", body = AlertsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertsPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_HISTORY, OF_PAGES])?;
    check_agent(&agent_id)?;
    let page = parameters.page(&format!("history of {agent_id}"), shared.store_id)?;
    let filter = AlertFilter {
        agent_id: Some(agent_id),
        states: vec![AlertState::Confirmed],
        displays: Display::ALL.into_iter().filter(|display| display.is_told()).collect(),
        ..parameters.alerts(shared.config.utc_offset)?
    };
    Ok(Json(alerts_page(&shared, &principal, filter, page).await?))
}
