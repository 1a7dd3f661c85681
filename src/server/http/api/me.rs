//! The principal of a request, for pages.

use std::collections::BTreeSet;

use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::ErrorMessage;

/// The principal of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// Nobody has a token: everybody may do everything, and says who they are.
    open: bool,
    /// `ingest`, `agents`, `qa`, `admin`, `metrics`.
    roles: Vec<&'static str>,
    /// Null without tokens.
    name: Option<String>,
    /// The agents whose alerts the token may see, if it is an agent's.
    agents: BTreeSet<String>,
}

/// The caller's name and roles; none without a token, where tokens are configured.
#[utoipa::path(get, path = "/v1/me", tag = "operate", responses(
    (status = 200, description = "Roles and name / 角色和姓名", body = Me),
    (status = 401, description = "The token is not known / 令牌不对", body = ErrorMessage),
))]
pub(crate) async fn me(Extension(principal): Extension<Principal>) -> Json<Me> {
    let Principal { name, roles, agents, is_open } = principal;
    let roles = roles.into_iter().map(AccessRole::name).collect();
    Json(Me { open: is_open, roles, name: name.map(|name| name.to_string()), agents })
}
