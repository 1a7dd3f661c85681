//! The versions of the rules over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::{OF_PAGES, Parameters};
use crate::server::http::api::page::next_cursor;
use crate::server::http::openapi::PageParameters;
use crate::server::net::reply::Unanswered;
use crate::server::rules::history::{RuleLoad, difference};
use crate::server::runtime::Shared;
use crate::server::store::{FoundVersion, Place};

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionsPage {
    /// The versions, the last loaded first.
    versions: Vec<RuleLoad>,
    /// For `cursor`; null on the last page.
    next_cursor: Option<String>,
}

/// A version and what it changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionDetail {
    #[serde(flatten)]
    load: RuleLoad,
    /// From the previous version, as a unified diff; null if that is no longer kept.
    diff: Option<String>,
    /// Whether there is more of it than is shown.
    truncated: bool,
}

/// Versions of the rules, those loaded last first.
#[utoipa::path(get, path = "/v1/rules/versions", tag = "operate", params(PageParameters), responses(
    (status = 200, description = "One page / 一页规则版本", body = VersionsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn versions(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<VersionsPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_PAGES])?;
    let page = parameters.page("rules/versions", shared.store_id)?;
    let mut found = shared.store.rule_versions(page.behind, page.count + 1).await?;
    let place = |found: &FoundVersion| Place { ms: found.loaded_ms, no: found.loaded_no };
    let next_cursor = next_cursor(&mut found, page.count, page.list, place);
    let zone = shared.config.utc_offset;
    let versions = found.iter().map(|found| RuleLoad::new(found, zone)).collect();
    Ok(Json(VersionsPage { versions, next_cursor }))
}

/// One version of the rules, and what it changed.
#[utoipa::path(get, path = "/v1/rules/versions/{version}", tag = "operate", params(
    ("version" = String, Path, description = "Its name / 版本号"),
), responses(
    (status = 200, description = "The version / 规则版本", body = VersionDetail),
    (status = 404, description = "No such version / 没有这个版本", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn version(
    State(shared): State<Arc<Shared>>,
    Path(version): Path<String>,
) -> Result<Json<VersionDetail>, Unanswered> {
    let zone = shared.config.utc_offset;
    let (found, files) = shared.store.rule_version(version).await?.ok_or(Refusal::UnknownVersion)?;
    let load = RuleLoad::new(&found, zone);
    let difference = tokio::task::spawn_blocking(move || difference(&files)).await.map_err(|_| Refusal::Stopping)?;
    let (diff, truncated) = difference.map_or((None, false), |(diff, truncated)| (Some(diff), truncated));
    Ok(Json(VersionDetail { load, diff, truncated }))
}
