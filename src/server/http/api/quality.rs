//! How good the rules are, by what people say of their alerts: precision (准确率),
//! appeals granted, alerts overridden by agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use chrono::{DateTime, FixedOffset};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::clock::wall_time;
use crate::server::config::{QUALITY_ROWS_MAX, Review};
use crate::server::domain::quality::{Judged, Measured, share};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::filter::{OF_ALERTS, Parameters};
use crate::server::http::api::page::About;
use crate::server::http::openapi::AlertParameters;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{FiguresOfDay, RuleFigures};

/// How good rules are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quality {
    /// By rule, then by what decided when it fired, the latest first.
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

/// One rule while the same decided when it fires.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleQuality {
    rule_id: String,
    rule_name: String,
    pack: String,
    /// The version of all rules that its latest alert is of.
    rules_version: String,
    /// Names what decides when it fires: an edit elsewhere leaves it. Null: alerts of before it was kept.
    rule_digest: Option<String>,
    /// Whether the rules in use have it.
    current: bool,
    /// When its first and its last alert was said.
    first_at: Option<String>,
    last_at: Option<String>,
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
    /// Whether it is clearly less than in the row below, which is what decided before.
    fallen: bool,
}

impl RuleQuality {
    fn new(figures: RuleFigures, current: bool, fallen: bool, config: &Review, zone: FixedOffset) -> Self {
        let RuleFigures {
            rule_id,
            rule_digest,
            rules_version,
            first_ms,
            last_ms,
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
            rule_digest,
            current,
            first_at: wall_time(first_ms, zone),
            last_at: wall_time(last_ms, zone),
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
            fallen,
        }
    }
}

/// How good rules are, by what people say of their alerts.
#[utoipa::path(get, path = "/v1/quality", tag = "qa", params(AlertParameters), responses(
    (status = 200, description = "One row a rule and what decided when it fired / 每条规则每种判法一行", body = Quality),
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
    let written = shared.rules.current();
    let in_use: BTreeMap<&str, &str> =
        written.rules.iter().map(|rule| (rule.id.as_str(), rule.digest.as_str())).collect();
    let has_fallen = |place: usize| {
        let (now, before) = (&figures[place], figures.get(place + 1));
        let before = before.filter(|before| before.rule_id == now.rule_id).map(|before| before.judged);
        Measured { now: now.judged, before: before.unwrap_or_default() }.has_fallen(config)
    };
    let fallen: Vec<bool> = (0..figures.len()).map(has_fallen).collect();
    let row = |(figures, fallen): (RuleFigures, bool)| {
        // Rules without digests were as the version of all rules says.
        let current = match &figures.rule_digest {
            Some(digest) => in_use.get(figures.rule_id.as_str()) == Some(&digest.as_str()),
            None => figures.rules_version == written.version,
        };
        RuleQuality::new(figures, current, fallen, config, zone)
    };
    let rules = figures.into_iter().zip(fallen).map(row).collect();
    let About { from, to, utc_offset, .. } = about;
    let (precision_min, reviewed_min) = (config.precision_min, config.reviewed_min.get());
    Ok(Quality { rules, precision_min, reviewed_min, truncated, from, to, utc_offset })
}

/// A rule day by day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QualityHistory {
    rule_id: String,
    /// What decided when it fires, the latest first.
    versions: Vec<QualityVersion>,
    /// Days with alerts, the latest first; several rows a day on which it was edited.
    days: Vec<QualityDay>,
    /// Whether there are more days than are shown.
    truncated: bool,
    precision_min: f64,
    utc_offset: String,
}

/// What decided when a rule fires, for a time.
#[derive(Debug, Serialize, ToSchema)]
struct QualityVersion {
    rule_digest: String,
    /// When it came into use, and who loaded it; null where that is no longer kept.
    since: Option<String>,
    by: Option<String>,
    current: bool,
    alerts: u64,
    reviewed: u64,
    confirmed: u64,
    precision: Option<f64>,
}

/// One day.
#[derive(Debug, Serialize, ToSchema)]
struct QualityDay {
    day: String,
    rule_digest: String,
    alerts: u64,
    reviewed: u64,
    confirmed: u64,
}

/// The alerts of one rule day by day, and how precise each of its wordings was. `rule_id` says which rule.
#[utoipa::path(get, path = "/v1/quality/history", tag = "qa", params(AlertParameters), responses(
    (status = 200, description = "Days and wordings / 逐日的预警和每种判法的准确率", body = QualityHistory),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn history(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<QualityHistory>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_ALERTS])?;
    let zone = shared.config.utc_offset;
    let rule_id = parameters.id("rule_id")?;
    let rule_id = rule_id.ok_or_else(|| Unanswered::bad("rule_id", "缺少 rule_id / rule_id is missing"))?;
    let filter = parameters.alerts(zone)?;
    let offset_ms = i64::from(zone.local_minus_utc()) * 1_000;
    let mut found = shared.store.figures_by_day(filter, offset_ms, QUALITY_ROWS_MAX + 1).await?;
    let truncated = found.len() > QUALITY_ROWS_MAX;
    found.truncate(QUALITY_ROWS_MAX);
    let loaded = shared.store.digests_of_rule(rule_id.clone()).await?;
    let written = shared.rules.current();
    let current = written.rules.iter().find(|rule| rule.id == rule_id).map(|rule| rule.digest.as_str());
    let mut versions: Vec<QualityVersion> = Vec::new();
    let version = |digest: &str| {
        let known = loaded.iter().find(|(known, ..)| known == digest);
        QualityVersion {
            rule_digest: digest.to_owned(),
            since: known.and_then(|(_, ms, _)| wall_time(*ms, zone)),
            by: known.map(|(.., by)| by.clone()),
            current: current == Some(digest),
            alerts: 0,
            reviewed: 0,
            confirmed: 0,
            precision: None,
        }
    };
    let mut days = Vec::with_capacity(found.len());
    for FiguresOfDay { digest, day, alerts, reviewed, upheld } in found {
        let place = versions.iter().position(|version| version.rule_digest == digest).unwrap_or_else(|| {
            versions.push(version(&digest));
            versions.len() - 1
        });
        let sums = &mut versions[place];
        (sums.alerts, sums.reviewed, sums.confirmed) =
            (sums.alerts + alerts, sums.reviewed + reviewed, sums.confirmed + upheld);
        sums.precision = Judged { reviewed: sums.reviewed, upheld: sums.confirmed }.precision();
        let date = DateTime::from_timestamp(day * 24 * 60 * 60, 0).unwrap_or_default().date_naive();
        days.push(QualityDay { day: date.to_string(), rule_digest: digest, alerts, reviewed, confirmed: upheld });
    }
    let (precision_min, utc_offset) = (shared.config.review.precision_min, zone.to_string());
    Ok(Json(QualityHistory { rule_id, versions, days, truncated, precision_min, utc_offset }))
}
