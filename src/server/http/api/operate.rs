//! Whether the server runs and takes events, and its metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::net::reply::{self, Unanswered};
use crate::server::outbox;
use crate::server::runtime::Shared;

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operate", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server takes events.
#[utoipa::path(get, path = "/readyz", tag = "operate", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Result<&'static str, Unanswered> {
    if shared.draining.is_cancelled() {
        return Err(Refusal::Stopping.into());
    }
    match shared.health.store_fault() {
        Some(error) => Err(Refusal::StoreFailed { error }.into()),
        None => Ok("ready\n"),
    }
}

/// Prometheus metrics.
#[utoipa::path(get, path = "/metrics", tag = "operate", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    outbox::measure(&shared).await;
    match shared.metrics.render(shared.shards.depths(), shared.journal.depth()) {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(fault) => {
            tracing::error!(error = %fault, "cannot render the metrics");
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "指标无法生成 / the metrics cannot be rendered")
        }
    }
}
