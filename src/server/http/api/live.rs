//! All calls in progress, for the supervisors' wall.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Request, Uri};
use axum::response::Response;

use crate::server::config::check_person;
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::feeds::push::{self, Listener};
use crate::server::filter::BadQuery;
use crate::server::net::reply::{self, Unanswered};
use crate::server::net::ws;
use crate::server::runtime::Shared;
use crate::server::runtime::agents::TooManySubscribers;

/// WebSocket: how all calls in progress stand.
#[utoipa::path(get, path = "/v1/live", tag = "live", params(
    ("by" = Option<String>, Query, description = "Who looks on, where there are no tokens / 没有令牌时写明是谁"),
), responses(
    (status = 101, description = "A WebSocket; refused, it closes with 4000 plus the status / WebSocket；被拒绝时以 4000 加状态码关闭"),
    (status = 400, description = "The handshake is wrong / 握手有误", body = ErrorMessage),
    (status = 426, description = "Not a WebSocket request / 不是 WebSocket 请求", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn wall(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    request: Request<Body>,
) -> Result<Response, Unanswered> {
    if !ws::is_wanted(&request) {
        return Ok(reply::upgrade_required());
    }
    let supervisor = supervisor(&principal, request.uri())?;
    let (first, subscription) = shared.live.watch_wall().map_err(|TooManySubscribers| Refusal::TooManySubscribers)?;
    let serving = Arc::clone(&shared);
    Ok(ws::upgrade(&shared, &shared.subscribers, &request, async move |socket| {
        push::serve(&serving, socket, Listener::Wall { first, supervisor }, subscription).await;
    }))
}

/// Who looks on: whoever the token names; without tokens, the name that the address has, if it has one.
pub(super) fn supervisor(principal: &Principal, uri: &Uri) -> Result<Option<Arc<str>>, Unanswered> {
    let named = Query::<Vec<(String, String)>>::try_from_uri(uri).ok().filter(|_| principal.is_open);
    let Some((_, by)) = named.and_then(|Query(pairs)| pairs.into_iter().find(|(name, _)| name == "by")) else {
        return Ok(principal.name.clone());
    };
    check_person(&by).map_err(|_| BadQuery::new("by", "by 要是一个人的姓名 / by is the name of a person"))?;
    Ok(Some(Arc::from(by)))
}
