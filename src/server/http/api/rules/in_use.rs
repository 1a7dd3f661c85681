//! The rules in use in figures, and the reload of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::domain::terms::Trigger;
use crate::server::net::reply;
use crate::server::rules::Fixed;
use crate::server::runtime::{Shared, reload as rules};

/// The rules in use.
#[utoipa::path(get, path = "/v1/rules", tag = "operate", responses((status = 200, description = "Version, packs, rules / 版本、规则包、规则", body = Object)))]
pub(crate) async fn in_use(State(shared): State<Arc<Shared>>) -> Response {
    let report = shared.rules.report();
    reply::json(StatusCode::OK, &report)
}

/// Loads the rules anew.
#[utoipa::path(post, path = "/v1/rules/reload", tag = "operate", responses(
    (status = 200, description = "They are in use / 已启用", body = Object),
    (status = 409, description = "They were given at the start / 规则是启动时给定的", body = ErrorMessage),
    (status = 422, description = "They have faults; the earlier ones apply / 有误，仍用原来的", body = Object),
))]
pub(crate) async fn reload(State(shared): State<Arc<Shared>>, Extension(principal): Extension<Principal>) -> Response {
    match rules::reload(&shared, Trigger::Request, principal.asker(&[AccessRole::Admin])).await {
        Ok(outcome) if outcome.ok => reply::json(StatusCode::OK, &outcome),
        Ok(outcome) => reply::json(StatusCode::UNPROCESSABLE_ENTITY, &outcome),
        Err(Fixed) => {
            let message =
                "规则是启动时给定的，不能重新加载 / the rules were given at the start and cannot be loaded anew";
            reply::error(StatusCode::CONFLICT, "rules_fixed", message)
        }
    }
}
