//! Rules: reloads, and how precise they are.

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// The rules were loaded anew, or could not be.
pub(crate) struct RulesReloaded<'a> {
    pub(crate) trigger: &'static str,
    pub(crate) version: &'a str,
    /// The version in use before.
    pub(crate) previous: &'a str,
    /// The fault; `None` if they are in use.
    pub(crate) fault: Option<&'a str>,
}

impl Happening for RulesReloaded<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { trigger, version, previous, fault } = self;
        metrics.rules_valid.set(i64::from(fault.is_none()));
        match fault {
            Some(fault) => {
                metrics.rules_reloads.with_label_values(&["failed"]).inc();
                tracing::error!(trigger, version = previous, "rules not loaded, the old ones stay in use:\n{fault}");
            }
            None => {
                metrics.rules_reloads.with_label_values(&["ok"]).inc();
                tracing::info!(trigger, version, previous, "rules loaded");
            }
        }
    }
}

/// The precision of a rule in use is known anew.
pub(crate) struct RuleMeasured<'a> {
    pub(crate) rule_id: &'a str,
    pub(crate) precision: f64,
    /// Alerts that QA judged.
    pub(crate) reviewed: u64,
    /// The judged alerts that stand.
    pub(crate) upheld: u64,
    /// Whether the precision is too low, and known well enough.
    pub(crate) is_below: bool,
    /// Whether it was not before.
    pub(crate) is_news: bool,
    /// The precision before what decides when it fires was edited last.
    pub(crate) before: Option<f64>,
    /// Whether that was clearly more.
    pub(crate) has_fallen: bool,
    /// Whether that was not so before.
    pub(crate) fall_is_news: bool,
}

impl Happening for RuleMeasured<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { rule_id, precision, reviewed, upheld, is_below, is_news, before, has_fallen, fall_is_news } = self;
        metrics.rule_precision.with_label_values(&[rule_id]).set(precision);
        metrics.rules_imprecise.with_label_values(&[rule_id]).set(i64::from(is_below));
        metrics.rules_fallen.with_label_values(&[rule_id]).set(i64::from(has_fallen));
        if is_news {
            tracing::warn!(rule_id, precision, reviewed, upheld, "a rule's precision is below [review] precision_min");
        }
        if fall_is_news {
            tracing::warn!(rule_id, precision, before, reviewed, "a rule is less precise than before it was edited");
        }
    }
}
