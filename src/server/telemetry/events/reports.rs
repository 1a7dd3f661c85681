//! Weekly reports.

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// A report was sent to somebody, or failed.
pub(crate) struct ReportSent<'a> {
    pub(crate) recipient: &'a str,
    /// `sent`, `failed` or `rejected`.
    pub(crate) result: &'static str,
    pub(crate) fault: Option<&'a str>,
    /// This one included.
    pub(crate) attempts: u32,
}

impl Happening for ReportSent<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { recipient, result, fault, attempts } = self;
        metrics.reports.with_label_values(&[result]).inc();
        match fault {
            None => tracing::info!(recipient, attempts, "report sent"),
            Some(fault) => tracing::error!(recipient, result, attempts, fault, "report not sent"),
        }
    }
}
