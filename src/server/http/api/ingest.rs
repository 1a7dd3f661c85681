//! Call events in: over WebSocket, native or a recogniser's own, and by `POST`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::adapter::Format;
use crate::adapter::native::{self, CALL_MS_MAX};
use crate::engine::time::CallTime;
use crate::server::config::POST_TIMEOUT;
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::{Parameter, Shape};
use crate::server::http::access::TokenPlace;
use crate::server::http::api::query;
use crate::server::http::openapi::AsrParameters;
use crate::server::ingest::relay::upstream::{Answer, Upstreams};
use crate::server::ingest::{self, AsrLeg, post};
use crate::server::net::reply::{self, Unanswered};
use crate::server::net::ws::{self, Handshake, SUBPROTOCOL};
use crate::server::runtime::Shared;
use crate::server::runtime::shares::Origin;
use crate::server::telemetry::events::{Happening as _, UpstreamFailed};

/// WebSocket: native call events.
#[utoipa::path(get, path = "/v1/ingest", tag = "live", responses(
    (status = 101, description = "A WebSocket; events in, acknowledgements out / WebSocket"),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn native(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Response {
    if let Err(message) = query::check(query.as_deref().unwrap_or_default(), &[]) {
        return reply::error(StatusCode::BAD_REQUEST, "invalid_query", &message);
    }
    let (serving, origin) = (Arc::clone(&shared), origin(&shared, request.extensions().get::<Principal>()));
    ws::upgrade(&shared, &shared.producers, &request, |socket| ingest::serve_native(serving, socket, origin))
}

/// For whom the calls of a request count.
fn origin(shared: &Shared, principal: Option<&Principal>) -> Arc<Origin> {
    shared.shares.origin(&shared.config, principal.and_then(|principal| principal.name.as_ref()))
}

#[derive(Debug, Deserialize)]
struct AsrQuery {
    call_id: Option<String>,
    agent_id: Option<String>,
    role: Option<String>,
    agent_channel: Option<String>,
    offset_ms: Option<i64>,
}

/// The fields of [`AsrQuery`].
pub(crate) const OF_ASR: &[Parameter] = &[
    Parameter::new("call_id", "Which call / 哪一通", Shape::Text),
    Parameter::new("agent_id", "Who answered / 谁接的", Shape::Text),
    Parameter::new(
        "role",
        "Whose voice the connection carries / 这一路是谁的声音",
        Shape::Names(&["agent", "customer", "system"]),
    ),
    Parameter::new(
        "agent_channel",
        "Instead of role: which channel is the agent's, where both come over one connection / 两个声道在一路里时，哪个是坐席",
        Shape::Text,
    ),
    Parameter::new(
        "offset_ms",
        "The call's time when the audio began / 音频开始时的通话时间",
        Shape::Number(0, CALL_MS_MAX as u32),
    ),
];

/// Numbers events elsewhere; a recogniser's messages have no number.
const PRODUCER: &str = "producer";

/// WebSocket: one recogniser channel's messages, verbatim.
#[utoipa::path(get, path = "/v1/ingest/{format}", tag = "live", params(
    ("format" = String, Path, description = "The recogniser / 识别系统"),
    AsrParameters,
), responses(
    (status = 101, description = "A WebSocket / WebSocket"),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such format / 没有这种格式", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn asr(
    State(shared): State<Arc<Shared>>,
    Path(format): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Response {
    let Some(format) = Format::from_name(&format) else { return unknown_format() };
    match asr_leg(format, query.as_deref().unwrap_or_default()) {
        Ok(leg) => {
            let (serving, origin) = (Arc::clone(&shared), origin(&shared, request.extensions().get::<Principal>()));
            ws::upgrade(&shared, &shared.producers, &request, |socket| ingest::serve_asr(serving, socket, leg, origin))
        }
        Err(message) => reply::error(StatusCode::BAD_REQUEST, "invalid_query", &message),
    }
}

/// WebSocket: a recogniser, whose address is in the configuration; its results are checked on their way.
#[utoipa::path(get, path = "/v1/relay/{format}", tag = "live", params(
    ("format" = String, Path, description = "The recogniser / 识别系统"),
    AsrParameters,
), responses(
    (status = 101, description = "The recogniser's WebSocket / 识别系统的 WebSocket"),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 404, description = "No such format, or no recogniser configured for it / 没有这种格式，或没有配置它的识别系统", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 502, description = "The recogniser cannot be reached; its own refusals are passed on / 连不上识别系统；它自己的拒绝原样转回", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn relay(
    State(shared): State<Arc<Shared>>,
    Extension(upstreams): Extension<Upstreams>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    mut request: Request<Body>,
) -> Response {
    let Some(format) = Format::from_name(&name) else { return unknown_format() };
    if !upstreams.has(format) {
        let message = format!(
            "没有配置 {name} 的识别系统：请在配置文件里写 [relay.{name}] 和 url = \"ws://…\" / no recogniser is configured for {name}: write [relay.{name}] with url = \"ws://…\" into the configuration"
        );
        return reply::error(StatusCode::NOT_FOUND, "no_upstream", &message);
    }
    let handshake = match Handshake::of(&request) {
        Ok(handshake) => handshake,
        Err(unusable) => return unusable.into_response(),
    };
    let place = request.extensions().get::<TokenPlace>().copied();
    let headers = request.headers_mut();
    match place {
        Some(TokenPlace::Header) => drop(headers.remove(AUTHORIZATION)),
        Some(TokenPlace::Subprotocol) => without_token(headers),
        Some(TokenPlace::Query) | None => {}
    }
    let (ours, theirs) = divide(query.as_deref().unwrap_or_default());
    let answer = upstreams.connect(format, &theirs, request.headers(), handshake.proof()).await;
    let (upstream, protocol) = match answer {
        Ok(Answer::Taken { stream, protocol }) => (stream, protocol),
        Ok(Answer::Refused { status, headers, body }) => {
            UpstreamFailed { format: format.name(), reason: status.as_str() }.report(&shared.metrics);
            return (status, headers, body).into_response();
        }
        Err(reason) => {
            UpstreamFailed { format: format.name(), reason: &reason }.report(&shared.metrics);
            let message =
                format!("连不上 [relay.{name}] 的识别系统 / the recogniser of [relay.{name}] cannot be reached");
            return reply::error(StatusCode::BAD_GATEWAY, "upstream_unreachable", &message);
        }
    };
    // Parameters that cannot be used cost the check, not the call.
    let leg = asr_leg(format, &ours).ok();
    let origin = origin(&shared, request.extensions().get::<Principal>());
    let serving = Arc::clone(&shared);
    handshake.pass(&shared, &shared.producers, protocol, move |client| {
        ingest::relay::serve(serving, client, upstream, format, leg, origin)
    })
}

/// Takes `bearer, TOKEN` out of the subprotocols that a client offers.
fn without_token(headers: &mut HeaderMap) {
    let offered = headers.remove(SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.as_ref().and_then(|offered| offered.to_str().ok()).unwrap_or_default();
    let mut names: Vec<&str> = offered.split(',').map(str::trim).collect();
    if let Some(at) = names.iter().position(|name| *name == SUBPROTOCOL) {
        names.drain(at..names.len().min(at + 2));
    }
    if let Some(others) = HeaderValue::from_str(&names.join(", ")).ok().filter(|others| !others.is_empty()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, others);
    }
}

/// The parameters of an address that are ours, and those that are the recogniser's.
fn divide(query: &str) -> (String, String) {
    let is_ours = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        OF_ASR.iter().any(|parameter| parameter.name == name) || name == PRODUCER
    };
    let (mut ours, theirs): (Vec<&str>, Vec<&str>) =
        query.split('&').filter(|pair| !pair.is_empty()).partition(is_ours);
    ours.retain(|pair| pair.split('=').next() != Some(PRODUCER));
    (ours.join("&"), theirs.join("&"))
}

fn unknown_format() -> Response {
    let known = Format::names();
    let message = format!("不认识的识别结果格式；可用的有：{known} / unknown format; known are: {known}");
    reply::error(StatusCode::NOT_FOUND, "unknown_format", &message)
}

fn asr_leg(format: Format, query: &str) -> Result<AsrLeg, String> {
    let known: Vec<&str> = OF_ASR.iter().map(|parameter| parameter.name).collect();
    let query: AsrQuery = query::read(query, &known)?;
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

/// Call events, one JSON object or one a line.
#[utoipa::path(post, path = "/v1/events", tag = "live", request_body(content((Object = "application/json"), (String = "application/x-ndjson"))), responses(
    (status = 200, description = "All of it is durable / 全部已保存", body = post::Outcome),
    (status = 400, description = "Some of it was refused / 有些被拒绝", body = post::Outcome),
    (status = 408, description = "Not done in time; send it again / 没能及时处理完，请重发", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
))]
pub(crate) async fn post_events(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Response {
    if let Err(message) = query::check(query.as_deref().unwrap_or_default(), &[]) {
        return reply::error(StatusCode::BAD_REQUEST, "invalid_query", &message);
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::BAD_REQUEST => {
            return reply::json(StatusCode::BAD_REQUEST, &post::Outcome::unreadable(rejection.body_text()));
        }
        Err(rejection) => return Unanswered::from(rejection).into_response(),
    };
    let origin = origin(&shared, Some(&principal));
    let outcome = post::take(&shared, &body, &origin).await;
    let status = if outcome.is_clean() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    reply::json(status, &outcome)
}

/// Takes the events of so many requests at once; their bodies are read by then.
/// Nobody keeps a turn for ever.
pub(crate) async fn take_turns(State(shared): State<Arc<Shared>>, request: Request<Body>, next: Next) -> Response {
    let Ok(_turn) = shared.posts.acquire().await else {
        return Unanswered::from(Refusal::Stopping).into_response();
    };
    tokio::time::timeout(POST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        let seconds = POST_TIMEOUT.as_secs();
        let message = format!(
            "{seconds} 秒内没有处理完，请重发，seq 相同的事件不会重复 / not done within {seconds} s; send it again, seq makes that harmless"
        );
        reply::error(StatusCode::REQUEST_TIMEOUT, "timeout", &message)
    })
}
