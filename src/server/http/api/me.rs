//! Who asks, for pages.

use std::collections::BTreeSet;

use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::domain::principal::{Principal, Role};
use crate::server::domain::refusal::ErrorMessage;

/// Who asks, to pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// Nobody has a token: everybody may do everything, and says who they are.
    open: bool,
    /// `ingest`, `agents`, `qa`, `admin`, `metrics`.
    roles: Vec<&'static str>,
    /// Null without tokens.
    name: Option<String>,
    /// Whose alerts, if it is an agent.
    agents: BTreeSet<String>,
}

/// Who asks, and what they may do: nothing without a token, where there are any.
#[utoipa::path(get, path = "/v1/me", tag = "operate", responses(
    (status = 200, description = "Roles and name / 角色和姓名", body = Me),
    (status = 401, description = "The token is not known / 令牌不对", body = ErrorMessage),
))]
pub(crate) async fn me(Extension(principal): Extension<Principal>) -> Json<Me> {
    let Principal { name, roles, agents, is_open } = principal;
    let roles = roles.into_iter().map(Role::name).collect();
    Json(Me { open: is_open, roles, name: name.map(|name| name.to_string()), agents })
}
