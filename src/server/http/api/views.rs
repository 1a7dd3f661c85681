//! Saved views: the filters and columns of a page under a name, the reader's own or shared with all.
//!
//! A page gives what its address has behind `?`; the server keeps it as it is and asks nothing of its meaning, so a page may
//! change its filters. Deliberately absent: views of agents, who have one page without filters.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::{PERSON_CHARS_MAX, VIEW_QUERY_BYTES_MAX, VIEWS_MAX, check_person};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::{Parameter, Parameters, Shape};
use crate::server::http::api::body::read;
use crate::server::http::openapi::ViewParameters;
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::store::{FoundView, NewView};

/// The parameters of a list of views.
pub(crate) const OF_VIEWS: &[Parameter] =
    &[Parameter::new("page", "Of which page, qa unless said / 哪个页面的，默认 qa", Shape::Text)];
/// Letters of the longest name of a page.
const PAGE_CHARS_MAX: usize = 32;
/// Shared views of others are listed beside the own ones.
const LISTED_MAX: usize = 1_000;

/// The views of a page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Views {
    /// The reader's own first, then those that others share.
    views: Vec<SavedView>,
}

/// A saved view.
#[derive(Debug, Serialize, ToSchema)]
struct SavedView {
    view_no: i64,
    page: String,
    name: String,
    /// What the page's address has behind `?`.
    query: String,
    /// Who saved it; empty where there are no tokens.
    owner: String,
    /// Whether it is the reader's.
    own: bool,
    shared: bool,
    saved_at: Option<String>,
}

/// A view to save.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedView {
    /// A page: `qa`, `live`.
    #[schema(max_length = 32)]
    page: String,
    #[schema(max_length = 64)]
    name: String,
    /// What the page's address has behind `?`.
    #[schema(max_length = 2000)]
    query: String,
    /// Whether others see it.
    #[serde(default)]
    shared: bool,
}

/// Views of a page: the reader's own and those that others share.
#[utoipa::path(get, path = "/v1/views", tag = "qa", params(ViewParameters), responses(
    (status = 200, description = "The views / 视图", body = Views),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn views(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<Views>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_VIEWS])?;
    let page = parameters.id("page")?.unwrap_or_else(|| "qa".to_owned());
    let own = owner(&principal);
    let zone = shared.config.utc_offset;
    let found = shared.store.views(page, own.clone(), LISTED_MAX).await?;
    let views = found.into_iter().map(|FoundView { view_no, view }| {
        let NewView { page, name, query, owner, is_shared, saved_ms } = view;
        let (own, saved_at) = (owner == own, wall_time(saved_ms, zone));
        SavedView { view_no, page, name, query, owner, own, shared: is_shared, saved_at }
    });
    Ok(Json(Views { views: views.collect() }))
}

/// Saves a view; one's own of that name is replaced.
#[utoipa::path(post, path = "/v1/views", tag = "qa", request_body = WantedView, responses(
    (status = 201, description = "It is kept / 已保存", body = Object),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 409, description = "There are as many as may be / 已达上限", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn save(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let WantedView { page, name, query, shared: is_shared } = read(&body)?;
    if !(1..=PAGE_CHARS_MAX).contains(&page.len()) || !page.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(Unanswered::in_body(
            "page",
            "page 是页面的名字，小写字母 / page is the name of a page in small letters",
        ));
    }
    check_person(&name).map_err(|_| {
        Unanswered::in_body("name", format!("name 要有 1 到 {PERSON_CHARS_MAX} 个字，首尾没有空格 / name has 1 to {PERSON_CHARS_MAX} characters, no spaces around it"))
    })?;
    if query.len() > VIEW_QUERY_BYTES_MAX || query.contains(|c: char| c.is_control() || c == '#' || c == '?') {
        return Err(Unanswered::in_body(
            "query",
            format!(
                "query 是地址里 ? 后面的部分，最多 {VIEW_QUERY_BYTES_MAX} 字节 / query is what the address has behind ?, at most {VIEW_QUERY_BYTES_MAX} bytes"
            ),
        ));
    }
    let owner = owner(&principal);
    let new = NewView { page, name, query, owner, is_shared, saved_ms: unix_ms() };
    let kept = shared.journal.keep_view(new, VIEWS_MAX).await?.map_err(Refusal::store)?;
    let view_no = kept.ok_or(Refusal::TooManyViews { max: VIEWS_MAX })?;
    Ok(reply::json(StatusCode::CREATED, &json!({"view_no": view_no})))
}

/// Removes one's own view; admins remove any.
#[utoipa::path(delete, path = "/v1/views/{view_no}", tag = "qa", params(
    ("view_no" = i64, Path, description = "Which / 哪一个"),
), responses(
    (status = 204, description = "It is gone / 已删除"),
    (status = 404, description = "No such view of one's own / 自己没有这个视图", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn remove(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(view_no): Path<String>,
) -> Result<Response, Unanswered> {
    let view_no: i64 = view_no.parse().map_err(|_| Refusal::NoSuchView)?;
    let owner = (!principal.roles.contains(&AccessRole::Admin)).then(|| owner(&principal));
    match shared.journal.drop_view(view_no, owner).await?.map_err(Refusal::store)? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Refusal::NoSuchView.into()),
    }
}

/// Whose views the reader's are. Without tokens they are everybody's.
fn owner(principal: &Principal) -> String {
    principal.name.as_deref().unwrap_or_default().to_owned()
}
