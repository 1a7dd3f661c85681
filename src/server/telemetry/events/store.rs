//! The store: commits, failures, forgetting.

use std::fmt;
use std::time::Duration;

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// The store took what waited.
pub(crate) struct Committed {
    pub(crate) records: usize,
    pub(crate) took: Duration,
}

impl Happening for Committed {
    fn report(self, metrics: &Metrics) {
        metrics.stage_commit.observe(self.took.as_secs_f64());
        metrics.records_committed.inc_by(self.records as u64);
    }
}

/// The store refused; it is asked again.
pub(crate) struct StoreFailed<'a> {
    pub(crate) error: &'a dyn fmt::Display,
    /// Whether it took the last commit, so that this is news.
    pub(crate) first: bool,
}

impl Happening for StoreFailed<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.commits_failed.inc();
        if self.first {
            tracing::error!(error = %self.error, "the store takes nothing; trying on");
        }
    }
}

/// The store takes what it refused before.
pub(crate) struct StoreMended;

impl Happening for StoreMended {
    fn report(self, _metrics: &Metrics) {
        tracing::info!("the store works again");
    }
}

/// A round of forgetting is over.
pub(crate) struct RowsForgotten {
    /// Calls that lost words, or went.
    pub(crate) calls: usize,
    pub(crate) transcript_rows: usize,
    pub(crate) alerts: usize,
    pub(crate) reviews: usize,
    pub(crate) webhooks: usize,
    pub(crate) rule_versions: usize,
}

impl Happening for RowsForgotten {
    fn report(self, metrics: &Metrics) {
        let Self { calls, transcript_rows, alerts, reviews, webhooks, rule_versions } = self;
        let kinds = [
            ("transcript", transcript_rows),
            ("alert", alerts),
            ("review", reviews),
            ("webhook", webhooks),
            ("rule_version", rule_versions),
        ];
        for (kind, count) in kinds {
            metrics.forgotten.with_label_values(&[kind]).inc_by(count as u64);
        }
        if calls > 0 || kinds.iter().any(|(_, count)| *count > 0) {
            tracing::info!(
                calls,
                transcript_rows,
                alerts,
                reviews,
                webhooks,
                rule_versions,
                "removed what was too old"
            );
        }
    }
}
