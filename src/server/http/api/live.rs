//! All calls in progress, for the supervisors' wall.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;

use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::feeds::push::{self, Listener};
use crate::server::net::reply::{self, Unanswered};
use crate::server::net::ws;
use crate::server::runtime::Shared;
use crate::server::runtime::agents::TooManySubscribers;

/// WebSocket: how all calls in progress stand.
#[utoipa::path(get, path = "/v1/live", tag = "live", responses(
    (status = 101, description = "A WebSocket; refused, it closes with 4000 plus the status / WebSocket；被拒绝时以 4000 加状态码关闭"),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn wall(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Result<Response, Unanswered> {
    if !ws::is_wanted(&request) {
        return Ok(reply::upgrade_required());
    }
    let (first, subscription) = shared.live.watch_wall().map_err(|TooManySubscribers| Refusal::TooManySubscribers)?;
    let serving = Arc::clone(&shared);
    Ok(ws::upgrade(&shared, &shared.subscribers, &request, async move |socket| {
        push::serve(&serving, socket, Listener::Wall(first), subscription).await;
    }))
}
