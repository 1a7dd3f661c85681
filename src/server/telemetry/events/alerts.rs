//! Alerts, and what people say of them.

use std::time::Duration;

use crate::engine::alert::AlertState;
use crate::server::domain::terms::FeedbackAction;
use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// An alert changed its state.
pub(crate) struct AlertDecided<'a> {
    pub(crate) rule_id: &'a str,
    pub(crate) state: AlertState,
    /// The name of the way in which the agent sees it, if at all.
    pub(crate) display: &'static str,
}

impl Happening for AlertDecided<'_> {
    fn report(self, metrics: &Metrics) {
        let (rule, state, shown) = (self.rule_id, self.state.name(), self.display);
        metrics.alerts.with_label_values(&[rule, state, shown]).inc();
        tracing::debug!(rule, state, display = shown, "alert");
    }
}

/// A live alert is on its agent's socket, so long after its frame was received.
pub(crate) struct AlertWritten {
    pub(crate) took: Duration,
    /// The part of `took` since the commit.
    pub(crate) pushed: Duration,
}

impl Happening for AlertWritten {
    fn report(self, metrics: &Metrics) {
        metrics.alert_latency.observe(self.took.as_secs_f64());
        metrics.stage_push.observe(self.pushed.as_secs_f64());
    }
}

/// An agent answered to an alert.
pub(crate) struct FeedbackGiven {
    pub(crate) action: FeedbackAction,
}

impl Happening for FeedbackGiven {
    fn report(self, metrics: &Metrics) {
        metrics.feedback.with_label_values(&[self.action.name()]).inc();
    }
}

/// A review, or an appeal or its decision, was kept.
pub(crate) struct Reviewed<'a> {
    pub(crate) rule_id: &'a str,
    /// Whether it is an appeal or the decision of one.
    pub(crate) is_appeal: bool,
    /// The name of the verdict, or of what became of the appeal.
    pub(crate) outcome: &'static str,
}

impl Happening for Reviewed<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { rule_id, is_appeal, outcome } = self;
        let counter = if is_appeal { &metrics.appeals } else { &metrics.reviews };
        counter.with_label_values(&[rule_id, outcome]).inc();
    }
}
