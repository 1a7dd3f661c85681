//! How good the rules are, by what people say of their alerts: precision (准确率),
//! appeals granted, alerts overridden by agents.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::config::{QUALITY_ROWS_MAX, Review};
use crate::server::domain::quality::share;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::filter::{OF_ALERTS, Parameters};
use crate::server::http::api::page::About;
use crate::server::http::openapi::AlertParameters;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::RuleFigures;

/// How good rules are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quality {
    /// By rule, then by version, the latest first.
    pub(super) rules: Vec<RuleQuality>,
    /// A rule of less precision is reported,
    precision_min: f64,
    /// once so many of its alerts were reviewed.
    reviewed_min: u32,
    /// Whether there are more rows than are shown.
    truncated: bool,
    from: Option<String>,
    to: Option<String>,
    utc_offset: String,
}

/// One rule in one version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleQuality {
    rule_id: String,
    rule_name: String,
    pack: String,
    rules_version: String,
    /// Alerts in any state.
    alerts: u64,
    /// Alerts that agents saw as cards.
    shown: u64,
    /// Cards that their agents dismissed.
    overridden: u64,
    /// Null: none was shown.
    override_rate: Option<f64>,
    /// Confirmed alerts that QA judged, in a review or an appeal.
    reviewed: u64,
    /// Reviewed alerts that were upheld.
    confirmed: u64,
    /// Reviewed alerts that were dismissed, or overturned on appeal.
    dismissed: u64,
    /// Null: none was reviewed.
    precision: Option<f64>,
    appeals: u64,
    granted: u64,
    rejected: u64,
    /// Granted among those decided; null: none was.
    appeal_success_rate: Option<f64>,
    /// Violations that reviewers marked and that count; they are no part of `alerts` and `precision`.
    missed: u64,
    /// Whether the precision is too low, and known well enough.
    below: bool,
}

impl RuleQuality {
    fn new(figures: RuleFigures, config: &Review) -> Self {
        let RuleFigures {
            rule_id,
            rules_version,
            pack,
            rule_name,
            alerts,
            shown,
            overridden,
            judged,
            appeals,
            granted,
            rejected,
            missed,
        } = figures;
        Self {
            rule_id,
            rule_name,
            pack,
            rules_version,
            alerts,
            shown,
            overridden,
            override_rate: share(overridden, shown),
            reviewed: judged.reviewed,
            confirmed: judged.upheld,
            dismissed: judged.reviewed - judged.upheld,
            precision: judged.precision(),
            appeals,
            granted,
            rejected,
            appeal_success_rate: share(granted, granted + rejected),
            missed,
            below: judged.is_below(config),
        }
    }
}

/// How good rules are, by what people say of their alerts.
#[utoipa::path(get, path = "/v1/quality", tag = "qa", params(AlertParameters), responses(
    (status = 200, description = "One row a rule and version / 每条规则每个版本一行", body = Quality),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn quality(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Quality>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_ALERTS])?;
    Ok(Json(compute(&shared, &parameters).await?))
}

/// The figures that a request asks for.
pub(super) async fn compute(shared: &Shared, parameters: &Parameters) -> Result<Quality, Unanswered> {
    let zone = shared.config.utc_offset;
    let filter = parameters.alerts(zone)?;
    let about = About::new(filter.span, zone, None);
    let mut figures = shared.store.figures(filter, QUALITY_ROWS_MAX + 1).await?;
    let truncated = figures.len() > QUALITY_ROWS_MAX;
    figures.truncate(QUALITY_ROWS_MAX);
    let config = &shared.config.review;
    let rules = figures.into_iter().map(|figures| RuleQuality::new(figures, config)).collect();
    let About { from, to, utc_offset, .. } = about;
    let (precision_min, reviewed_min) = (config.precision_min, config.reviewed_min.get());
    Ok(Quality { rules, precision_min, reviewed_min, truncated, from, to, utc_offset })
}
