//! The principal of a request, for pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::domain::principal::{Principal, Role};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::runtime::Shared;

/// The principal of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// Nobody has a token: everybody may do everything, and says who they are.
    open: bool,
    /// `ingest`, `agents`, `qa`, `admin`, `metrics`.
    roles: Vec<&'static str>,
    /// Null without tokens.
    name: Option<String>,
    /// The offset in which the centre's days begin and its times are told.
    utc_offset: String,
    /// The agents whose alerts the token may see, if it is an agent's.
    agents: BTreeSet<String>,
}

/// The caller's name and roles; none without a token, where tokens are configured.
#[utoipa::path(get, path = "/v1/me", tag = "operate", responses(
    (status = 200, description = "Roles and name / 角色和姓名", body = Me),
    (status = 401, description = "The token is not known / 令牌不对", body = ErrorMessage),
))]
pub(crate) async fn me(State(shared): State<Arc<Shared>>, Extension(principal): Extension<Principal>) -> Json<Me> {
    let Principal { name, roles, agents, is_open } = principal;
    let roles = roles.into_iter().map(Role::name).collect();
    Json(Me {
        open: is_open,
        roles,
        name: name.map(|name| name.to_string()),
        agents,
        utc_offset: shared.config.utc_offset.to_string(),
    })
}
