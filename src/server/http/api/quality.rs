//! How good the rules are, by what people say of their alerts: precision (准确率),
//! appeals granted, alerts overridden by agents. A rule whose precision is too
//! low is reported: in answers, in the log when it falls, and as a metric.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::server::Shared;
use crate::server::config::{QUALITY_ROWS_MAX, Review};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::http::api::query::{About, Unanswered};
use crate::server::http::filter::{OF_ALERTS, Parameters};
use crate::server::http::openapi::AlertParameters;
use crate::server::store::{Readers, RuleFigures, StoreError};
use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// Rules in use that are reported. One measurement at a time, so that an older
/// figure never takes the place of a newer one.
#[derive(Debug, Default)]
pub(crate) struct Precision {
    below: Mutex<BTreeSet<String>>,
}

/// What QA made of the alerts of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Judged {
    pub(crate) reviewed: u64,
    pub(crate) upheld: u64,
}

impl Judged {
    pub(crate) fn precision(self) -> Option<f64> {
        share(self.upheld, self.reviewed)
    }

    /// Whether that is too little, and known well enough.
    pub(crate) fn is_below(self, config: &Review) -> bool {
        self.reviewed >= u64::from(config.reviewed_min.get())
            && self.precision().is_some_and(|precision| precision < config.precision_min)
    }
}

/// `part` of `whole`, rounded to a ten-thousandth.
#[allow(clippy::cast_precision_loss, reason = "no site has 2^53 alerts")]
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

/// The precision of a rule in use is known anew.
struct Measured<'a> {
    rule_id: &'a str,
    judged: Judged,
    is_below: bool,
    /// Whether it was not before.
    is_news: bool,
}

impl Happening for Measured<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { rule_id, judged, is_below, is_news } = self;
        let Some(precision) = judged.precision() else { return };
        metrics.rule_precision.with_label_values(&[rule_id]).set(precision);
        metrics.rules_imprecise.with_label_values(&[rule_id]).set(i64::from(is_below));
        if is_news {
            let Judged { reviewed, upheld } = judged;
            tracing::warn!(rule_id, precision, reviewed, upheld, "a rule's precision is below [review] precision_min");
        }
    }
}

/// Shows the precision of the rules that a server begins with. It blocks.
pub(crate) fn begin(shared: &Shared) -> Result<(), StoreError> {
    let judged = judge(&shared.readers, &shared.rules.current())?;
    if let Ok(mut below) = shared.precision.below.try_lock() {
        show(shared, &mut below, judged);
    }
    Ok(())
}

/// Shows the precision of the rules in use, and of no others any more.
pub(crate) async fn measure_all(shared: &Shared) {
    let mut below = shared.precision.below.lock().await;
    let rules = shared.rules.current();
    let Ok(judged) = shared.ask(move |readers| judge(readers, &rules)).await else { return };
    shared.metrics.rule_precision.reset();
    shared.metrics.rules_imprecise.reset();
    below.clear();
    show(shared, &mut below, judged);
}

/// Shows the precision of a rule of which an alert was judged.
pub(crate) async fn measure(shared: &Shared, rule_id: &str, rules_version: &str) {
    let mut below = shared.precision.below.lock().await;
    // The gauge is of the version in use.
    if shared.rules.current().version != rules_version {
        return;
    }
    let (asked, version) = (rule_id.to_owned(), rules_version.to_owned());
    let Ok(judged) = shared.ask(move |readers| readers.judged(&asked, &version)).await else { return };
    show(shared, &mut below, [(rule_id.to_owned(), judged)]);
}

fn judge(readers: &Readers, rules: &crate::engine::rule::RuleSet) -> Result<Vec<(String, Judged)>, StoreError> {
    rules.rules.iter().map(|rule| Ok((rule.id.clone(), readers.judged(&rule.id, &rules.version)?))).collect()
}

fn show(shared: &Shared, below: &mut BTreeSet<String>, judged: impl IntoIterator<Item = (String, Judged)>) {
    for (rule_id, judged) in judged {
        let is_below = judged.is_below(&shared.config.review);
        let is_news = is_below && !below.contains(&rule_id);
        Measured { rule_id: &rule_id, judged, is_below, is_news }.report(&shared.metrics);
        if is_below {
            below.insert(rule_id);
        } else {
            below.remove(&rule_id);
        }
    }
}

/// How good rules are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quality {
    /// By rule, then by version, the latest first.
    rules: Vec<RuleQuality>,
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
    /// In any state.
    alerts: u64,
    /// Those that agents saw as cards.
    shown: u64,
    /// Of them, those that their agents dismissed.
    overridden: u64,
    /// Null: none was shown.
    override_rate: Option<f64>,
    /// Confirmed alerts that QA judged, in a review or an appeal.
    reviewed: u64,
    /// Of them, those that stand.
    confirmed: u64,
    /// Of them, those that do not: dismissed, or taken back on appeal.
    dismissed: u64,
    /// Null: none was reviewed.
    precision: Option<f64>,
    appeals: u64,
    granted: u64,
    rejected: u64,
    /// Granted among those decided; null: none was.
    appeal_success_rate: Option<f64>,
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
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), OF_ALERTS)?;
    let zone = shared.config.utc_offset;
    let filter = parameters.alerts(zone)?;
    let about = About::new(filter.span, zone, None);
    let mut figures = shared.ask(move |readers| readers.figures(&filter, QUALITY_ROWS_MAX + 1)).await?;
    let truncated = figures.len() > QUALITY_ROWS_MAX;
    figures.truncate(QUALITY_ROWS_MAX);
    let config = &shared.config.review;
    let rules = figures.into_iter().map(|figures| RuleQuality::new(figures, config)).collect();
    let About { from, to, utc_offset, .. } = about;
    let (precision_min, reviewed_min) = (config.precision_min, config.reviewed_min.get());
    Ok(Json(Quality { rules, precision_min, reviewed_min, truncated, from, to, utc_offset }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_reported_once_enough_was_reviewed() {
        let config = Review { precision_min: 0.8, ..Review::default() };
        for (upheld, reviewed, precision, is_below) in [
            (0, 0, None, false),
            (0, 19, Some(0.0), false),
            (15, 20, Some(0.75), true),
            (16, 20, Some(0.8), false),
            (79, 99, Some(0.798), true),
            (2, 3, Some(0.6667), false),
        ] {
            let judged = Judged { reviewed, upheld };
            assert_eq!((judged.precision(), judged.is_below(&config)), (precision, is_below), "{judged:?}");
        }
    }
}
