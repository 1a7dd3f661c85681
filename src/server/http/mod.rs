//! The routes of contract §3 and the accept loop behind the one port.

pub(crate) mod access;
pub(crate) mod api;
pub(crate) mod filter;
pub(crate) mod openapi;
pub(crate) mod pages;
pub(crate) mod tls;
pub(crate) mod ws;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::StringRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, RawQuery, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::adapter::Format;
use crate::adapter::native::{self, CALL_MS_MAX};
use crate::engine::time::CallTime;
use crate::server::config::{
    CLOSE_TIMEOUT, EVENTS_BODY_BYTES_MAX, HEADER_READ_TIMEOUT, HEADERS_MAX, POST_TIMEOUT, REQUEST_HEAD_BYTES_MAX,
};
use crate::server::domain::principal;
use crate::server::domain::principal::{Principal, Role};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::feeds::agents::After;
use crate::server::feeds::push::Listener;
use crate::server::feeds::{feedback, live, push, sse};
use crate::server::http::api::rules::{book, edit};
use crate::server::http::api::{audit, quality, query, review, statistics};
use crate::server::ingest::{AsrLeg, post};
use crate::server::rules::{Fixed, Trigger};
use crate::server::runtime::clock;
use crate::server::runtime::shard::Command;
use crate::server::telemetry::events::{Connection, ConnectionRefused, HandshakeFailed, Happening as _, Reconnected};
use crate::server::{Shared, export, ingest, outbox, rules};

/// A connection's share of the limit; whoever holds a clone keeps it open.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

/// How long to wait when the system has no socket to give (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes connections until the server drains.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let routes = TowerToHyperService::new(routes(Arc::clone(&shared)));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&shared.permits).try_acquire_owned() {
            Ok(permit) => {
                let serving = admit(Arc::clone(&shared), routes.clone(), stream, Arc::new(permit));
                shared.requests.spawn(serving);
            }
            Err(_) => {
                ConnectionRefused.report(&shared.metrics);
                // A client that expects TLS cannot read it.
                if shared.tls.is_none() {
                    shared.requests.spawn(turn_away(stream));
                }
            }
        }
    }
}

/// Serves one connection, behind TLS if the server has a certificate. Its
/// share of the limit counts from before the handshake.
async fn admit(shared: Arc<Shared>, routes: TowerToHyperService<Router>, stream: TcpStream, permit: Permit) {
    // Alerts are small and must not wait for one another; without it the
    // connection still works.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = &shared.tls else { return serve(shared, routes, stream, permit).await };
    let shaken = tokio::select! {
        shaken = tls::accept(acceptor, stream) => shaken,
        () = shared.draining.cancelled() => return,
    };
    match shaken {
        Ok(stream) => serve(shared, routes, stream, permit).await,
        Err(error) => HandshakeFailed { error: &error }.report(&shared.metrics),
    }
}

/// Serves the requests of one connection, until it becomes a WebSocket.
async fn serve<Stream>(shared: Arc<Shared>, routes: TowerToHyperService<Router>, stream: Stream, permit: Permit)
where
    Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&permit));
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(REQUEST_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = shared.killed.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection failed");
    }
}

/// Tells a client beyond the limit so, without reading its request.
async fn turn_away(mut stream: TcpStream) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n";
    let answering = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await
    };
    // A client that does not take it is turned away all the same.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, answering).await;
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/agent/{agent_id}", get(pages::agent))
        .route("/live", get(pages::live))
        .route("/call/{call_id}", get(pages::call))
        .route("/qa", get(pages::qa))
        .route("/rules", get(pages::rules))
        .route("/assets/{folder}/{name}", get(pages::asset))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/ingest", get(ingest_native))
        .route("/v1/ingest/{format}", get(ingest_asr))
        .route(
            "/v1/events",
            post(post_events)
                .layer(DefaultBodyLimit::max(EVENTS_BODY_BYTES_MAX))
                .layer(middleware::from_fn_with_state(Arc::clone(&shared), take_turns)),
        )
        .route("/v1/agents/{agent_id}/alerts", get(agent_alerts).post(agent_answer))
        .route("/v1/me", get(principal::me))
        .route("/v1/agents/{agent_id}/reviews", get(review::of_agent))
        .route("/v1/calls/{call_id}/watch", get(watch_call))
        .route("/v1/live", get(live::wall))
        .route("/v1/agents/{agent_id}/desk", get(live::desk))
        .route("/v1/alerts", get(query::alerts))
        .route("/v1/alerts/{alert_id}/reviews", post(review::take))
        .route("/v1/calls", get(query::calls))
        .route("/v1/calls/{call_id}", get(query::call))
        .route("/v1/scores", get(query::scores))
        .route("/v1/statistics", get(statistics::statistics))
        .route("/v1/export", get(export::export))
        .route("/v1/quality", get(quality::quality))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/openapi.json", get(openapi::describe))
        .route("/v1/rules", get(rules_in_use))
        .route("/v1/rules/reload", post(reload_rules))
        .route("/v1/rules/packs", get(book::packs))
        .route("/v1/rules/coverage", get(book::coverage))
        .merge(edit::routes(&shared))
        .route("/v1/rules/versions", get(rules::history::versions))
        .route("/v1/rules/versions/{version}", get(rules::history::version))
        .fallback(async || error(StatusCode::NOT_FOUND, "not_found", "没有这个地址 / no such address"))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), access::guard))
        .with_state(shared)
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operate", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Whether the server takes events.
#[utoipa::path(get, path = "/readyz", tag = "operate", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.draining.is_cancelled() {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::Stopping);
    }
    if let Some(error) = shared.health.store_fault() {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::StoreFailed { error });
    }
    "ready\n".into_response()
}

/// Prometheus metrics.
#[utoipa::path(get, path = "/metrics", tag = "operate", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    outbox::measure(&shared).await;
    match shared.metrics.render(shared.shards.depths(), shared.journal.depth()) {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(fault) => {
            tracing::error!(error = %fault, "cannot render the metrics");
            error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "指标无法生成 / the metrics cannot be rendered")
        }
    }
}

/// WebSocket: native call events.
#[utoipa::path(get, path = "/v1/ingest", tag = "live", responses(
    (status = 101, description = "A WebSocket; see contract of events / WebSocket"),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn ingest_native(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let serving = Arc::clone(&shared);
    ws::upgrade(&shared, &shared.producers, request, |socket| ingest::serve_native(serving, socket))
}

#[derive(Debug, Deserialize)]
struct AsrQuery {
    call_id: Option<String>,
    agent_id: Option<String>,
    role: Option<String>,
    agent_channel: Option<String>,
    offset_ms: Option<i64>,
}

/// WebSocket: one recogniser channel's messages, verbatim.
#[utoipa::path(get, path = "/v1/ingest/{format}", tag = "live", params(
    ("format" = String, Path, description = "The recogniser / 识别系统"),
    ("role" = Option<String>, Query, description = "agent, customer or system: whose voice the connection carries / 这一路是谁的声音"),
    ("agent_channel" = Option<String>, Query, description = "instead of role: which channel is the agent's, where both come over one connection / 两个声道在一路里时，哪个是坐席"),
    ("call_id" = Option<String>, Query, description = "Which call / 哪一通"),
    ("agent_id" = Option<String>, Query, description = "Who answered / 谁接的"),
    ("offset_ms" = Option<i64>, Query, description = "The call's time when the audio began / 音频开始时的通话时间"),
), responses(
    (status = 101, description = "A WebSocket / WebSocket"),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such format / 没有这种格式", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn ingest_asr(
    State(shared): State<Arc<Shared>>,
    Path(format): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Response {
    let Some(format) = Format::from_name(&format) else {
        let known = Format::names();
        let message = format!("不认识的识别结果格式；可用的有：{known} / unknown format; known are: {known}");
        return error(StatusCode::NOT_FOUND, "unknown_format", &message);
    };
    match asr_leg(format, query.as_deref().unwrap_or_default()) {
        Ok(leg) => {
            let serving = Arc::clone(&shared);
            ws::upgrade(&shared, &shared.producers, request, |socket| ingest::serve_asr(serving, socket, leg))
        }
        Err(message) => error(StatusCode::BAD_REQUEST, "invalid_query", &message),
    }
}

fn asr_leg(format: Format, query: &str) -> Result<AsrLeg, String> {
    let query: AsrQuery = parse_query(query)?;
    let voices = format.voices(query.role.as_deref(), query.agent_channel.as_deref())?;
    for (name, id) in [("call_id", &query.call_id), ("agent_id", &query.agent_id)] {
        if let Some(id) = id {
            native::check_id(name, id).map_err(|fault| fault.to_string())?;
        }
    }
    let offset = match query.offset_ms {
        Some(ms) if !(0..=CALL_MS_MAX).contains(&ms) => {
            return Err(format!("offset_ms 必须在 0 到 {CALL_MS_MAX} 之间 / must be from 0 to {CALL_MS_MAX}"));
        }
        ms => ms.map(CallTime),
    };
    Ok(AsrLeg { format, voices, call_id: query.call_id, agent_id: query.agent_id, offset })
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
    (status = 101, description = "A WebSocket / WebSocket"),
    (status = 200, description = "Server-Sent Events", body = String, content_type = "text/event-stream"),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 426, description = "Neither is asked for / 请用 WebSocket 或 SSE", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn agent_alerts(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Response {
    if let Err(fault) = native::check_id("agent_id", &agent_id) {
        return error(StatusCode::BAD_REQUEST, "invalid_query", &fault.to_string());
    }
    let query: AlertsQuery = match parse_query(query.as_deref().unwrap_or_default()) {
        Ok(query) => query,
        Err(message) => return error(StatusCode::BAD_REQUEST, "invalid_query", &message),
    };
    // A browser that reconnects an event stream tells what it had last.
    let resumed = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let Some(after) = After::parse(resumed.or(query.after.as_deref())) else {
        let message = "after 必须是收到过的 cursor、0 或 live / after must be a cursor that was received, 0 or live";
        return error(StatusCode::BAD_REQUEST, "invalid_query", message);
    };
    let is_websocket = wants_websocket(&request);
    if !is_websocket && !wants_events(&request) {
        return upgrade_required();
    }
    let Ok(subscription) = shared.agents.subscribe(&agent_id, clock::now()) else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::TooManySubscribers);
    };
    if matches!(after, After::Cursor(_)) {
        Reconnected { kind: if is_websocket { "agent" } else { "sse" } }.report(&shared.metrics);
    }
    if !is_websocket {
        return sse::serve(shared, &agent_id, after, subscription);
    }
    let serving = Arc::clone(&shared);
    ws::upgrade(&shared, &shared.subscribers, request, async move |socket| {
        let _open = Connection::open(&serving.metrics, "agent");
        let is_own = principal.is_agent(&agent_id);
        push::serve(&serving, socket, Listener::Agent { agent_id, is_own, after }, subscription).await;
    })
}

/// An agent's answer to an alert, for those who listen by Server-Sent Events.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/alerts", tag = "live", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
), request_body(content = Object, content_type = "application/json", description = "`{\"type\":\"seen\",\"alert_id\":…}` or `{\"type\":\"dismiss\",\"alert_id\":…,\"reason\":…}`, or `{\"type\":\"appeal\",\"alert_id\":…,\"reason\":…}`"), responses(
    (status = 200, description = "Noted / 已记下", body = Object),
    (status = 400, description = "It cannot be read / 无法读取", body = ErrorMessage),
    (status = 403, description = "Only the agent may appeal / 只有坐席本人能申诉", body = ErrorMessage),
    (status = 404, description = "No such alert / 没有这条预警", body = ErrorMessage),
    (status = 409, description = "No appeal is possible / 不能申诉", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn agent_answer(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(agent_id): Path<String>,
    body: Result<String, StringRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return unreadable(&rejection),
    };
    match feedback::keep(&shared, &agent_id, principal.is_agent(&agent_id), &body).await {
        Ok(noted) => ([(CONTENT_TYPE, "application/json")], noted).into_response(),
        Err(refusal) => refused(review::status_of(&refusal), &refusal),
    }
}

/// Call events, one JSON object or one a line.
#[utoipa::path(post, path = "/v1/events", tag = "live", request_body(content((Object = "application/json"), (String = "application/x-ndjson"))), responses(
    (status = 200, description = "All of it is durable / 全部已保存", body = post::Outcome),
    (status = 400, description = "Some of it was refused / 有些被拒绝", body = post::Outcome),
    (status = 408, description = "Not done in time; send it again / 没能及时处理完，请重发", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
))]
pub(crate) async fn post_events(State(shared): State<Arc<Shared>>, body: Result<String, StringRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::BAD_REQUEST => {
            return json(StatusCode::BAD_REQUEST, &post::Outcome::unreadable(rejection.body_text()));
        }
        Err(rejection) => return unreadable(&rejection),
    };
    let outcome = post::take(&shared, &body).await;
    let status = if outcome.is_clean() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    (status, Json(outcome)).into_response()
}

/// Lets so many requests at once hold their bodies in memory; the others wait
/// with theirs in the socket. Nobody keeps a turn for ever.
async fn take_turns(State(shared): State<Arc<Shared>>, request: Request<Body>, next: Next) -> Response {
    let Ok(_turn) = shared.posts.acquire().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::Stopping);
    };
    tokio::time::timeout(POST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        let seconds = POST_TIMEOUT.as_secs();
        let message = format!(
            "{seconds} 秒内没有处理完，请重发，seq 相同的事件不会重复 / not done within {seconds} s; send it again, seq makes that harmless"
        );
        error(StatusCode::REQUEST_TIMEOUT, "timeout", &message)
    })
}

/// WebSocket: one call's transcript and alerts, live.
#[utoipa::path(get, path = "/v1/calls/{call_id}/watch", tag = "live", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
), responses(
    (status = 101, description = "A WebSocket / WebSocket"),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 404, description = "No such call in progress / 没有这通进行中的通话", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn watch_call(
    State(shared): State<Arc<Shared>>,
    Path(call_id): Path<String>,
    request: Request<Body>,
) -> Response {
    if !wants_websocket(&request) {
        return upgrade_required();
    }
    let (reply, watching) = oneshot::channel();
    let command = Command::Watch { call_id: call_id.clone(), reply };
    if let Err(refusal) = shared.shards.send(&call_id, command).await {
        return refused(StatusCode::SERVICE_UNAVAILABLE, &refusal);
    }
    match watching.await {
        Ok(Ok((hello, subscription))) => {
            let serving = Arc::clone(&shared);
            ws::upgrade(&shared, &shared.subscribers, request, async move |socket| {
                let _open = Connection::open(&serving.metrics, "watch");
                push::serve(&serving, socket, Listener::Watcher(hello), subscription).await;
            })
        }
        Ok(Err(refusal @ Refusal::UnknownCall)) => refused(StatusCode::NOT_FOUND, &refusal),
        Ok(Err(refusal)) => refused(StatusCode::SERVICE_UNAVAILABLE, &refusal),
        Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE, &Refusal::Stopping),
    }
}

/// The rules in use.
#[utoipa::path(get, path = "/v1/rules", tag = "operate", responses((status = 200, description = "Version, packs, rules / 版本、规则包、规则", body = Object)))]
pub(crate) async fn rules_in_use(State(shared): State<Arc<Shared>>) -> Response {
    let report = shared.rules.report();
    json(StatusCode::OK, &report)
}

/// Loads the rules anew.
#[utoipa::path(post, path = "/v1/rules/reload", tag = "operate", responses(
    (status = 200, description = "They are in use / 已启用", body = Object),
    (status = 409, description = "They were given at the start / 规则是启动时给定的", body = ErrorMessage),
    (status = 422, description = "They have faults; the earlier ones apply / 有误，仍用原来的", body = Object),
))]
pub(crate) async fn reload_rules(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
) -> Response {
    match rules::reload(&shared, Trigger::Request, principal.asker(&[Role::Admin])).await {
        Ok(outcome) if outcome.ok => json(StatusCode::OK, &outcome),
        Ok(outcome) => json(StatusCode::UNPROCESSABLE_ENTITY, &outcome),
        Err(Fixed) => {
            let message =
                "规则是启动时给定的，不能重新加载 / the rules were given at the start and cannot be loaded anew";
            error(StatusCode::CONFLICT, "rules_fixed", message)
        }
    }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    (status, axum::Json(value)).into_response()
}

fn parse_query<T: serde::de::DeserializeOwned>(query: &str) -> Result<T, String> {
    let uri = format!("/?{query}").parse().map_err(|_| "地址中的查询无法读取 / the query cannot be read".to_owned())?;
    Query::try_from_uri(&uri)
        .map(|Query(query)| query)
        .map_err(|fault| format!("地址中的查询无法读取 / the query cannot be read: {fault}"))
}

pub(crate) fn wants_websocket(request: &Request<Body>) -> bool {
    request.headers().get(UPGRADE).is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn wants_events(request: &Request<Body>) -> bool {
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| accept.split([',', ';'])).any(|kind| kind.trim() == "text/event-stream")
}

/// The answer to a plain request for a WebSocket endpoint.
pub(crate) fn upgrade_required() -> Response {
    let message = "这个地址只接受 WebSocket 连接 / this address only takes WebSocket connections";
    let mut response = error(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// The answer to a body that is too long, or no text.
pub(crate) fn unreadable(rejection: &StringRejection) -> Response {
    let message =
        format!("请求体无法读取：必须是 UTF-8 文本，且不能太长 / the body cannot be read: {}", rejection.body_text());
    error(rejection.status(), "invalid_body", &message)
}

pub(crate) fn refused(status: StatusCode, refusal: &Refusal) -> Response {
    error(status, refusal.code(), &refusal.message())
}

/// The answer to a request that is not served.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], ErrorMessage::new(code, message).to_json()).into_response()
}
