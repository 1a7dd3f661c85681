//! Which handler answers at which path.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::server::config::EVENTS_BODY_BYTES_MAX;
use crate::server::http::access::{self, Access};
use crate::server::http::api::rules::{book, edit, history, in_use};
use crate::server::http::api::{
    agents, alerts, audit, calls, export, ingest, live, me, operate, quality, reviews, scores, statistics,
};
use crate::server::http::{openapi, pages};
use crate::server::net::reply;
use crate::server::runtime::Shared;

/// All that the server answers.
pub(crate) fn routes(shared: &Arc<Shared>, access: Arc<Access>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/agent/{agent_id}", get(pages::agent))
        .route("/live", get(pages::live))
        .route("/call/{call_id}", get(pages::call))
        .route("/qa", get(pages::qa))
        .route("/rules", get(pages::rules))
        .route("/assets/{folder}/{name}", get(pages::asset))
        .route("/healthz", get(operate::live))
        .route("/readyz", get(operate::ready))
        .route("/metrics", get(operate::metrics))
        .route("/v1/ingest", get(ingest::native))
        .route("/v1/ingest/{format}", get(ingest::asr))
        .route(
            "/v1/events",
            post(ingest::post_events)
                .layer(DefaultBodyLimit::max(EVENTS_BODY_BYTES_MAX))
                .layer(middleware::from_fn_with_state(Arc::clone(shared), ingest::take_turns)),
        )
        .route("/v1/agents/{agent_id}/alerts", get(agents::alerts).post(agents::answer))
        .route("/v1/me", get(me::me))
        .route("/v1/agents/{agent_id}/reviews", get(agents::reviews))
        .route("/v1/calls/{call_id}/watch", get(calls::watch))
        .route("/v1/live", get(live::wall))
        .route("/v1/agents/{agent_id}/desk", get(agents::desk))
        .route("/v1/alerts", get(alerts::alerts))
        .route("/v1/alerts/{alert_id}/reviews", post(reviews::take))
        .route("/v1/calls", get(calls::calls))
        .route("/v1/calls/{call_id}", get(calls::call))
        .route("/v1/scores", get(scores::scores))
        .route("/v1/statistics", get(statistics::statistics))
        .route("/v1/export", get(export::export))
        .route("/v1/quality", get(quality::quality))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/openapi.json", get(openapi::describe))
        .route("/v1/rules", get(in_use::in_use))
        .route("/v1/rules/reload", post(in_use::reload))
        .route("/v1/rules/packs", get(book::packs))
        .route("/v1/rules/coverage", get(book::coverage))
        .merge(edit::routes(shared))
        .route("/v1/rules/versions", get(history::versions))
        .route("/v1/rules/versions/{version}", get(history::version))
        .fallback(async || reply::error(StatusCode::NOT_FOUND, "not_found", "没有这个地址 / no such address"))
        .layer(middleware::from_fn_with_state((Arc::clone(shared), access), access::guard))
        .with_state(Arc::clone(shared))
}
