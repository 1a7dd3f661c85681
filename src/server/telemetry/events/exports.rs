//! Exports.

use std::fmt;

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// An export is written, or failed.
pub(crate) struct Exported<'a> {
    pub(crate) format: &'static str,
    /// How many rows, or why it failed.
    pub(crate) written: Result<u64, &'a dyn fmt::Display>,
}

impl Happening for Exported<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { format, written } = self;
        match written {
            Ok(rows) => {
                metrics.exports.with_label_values(&[format, "ok"]).inc();
                tracing::info!(format, rows, "export written");
            }
            Err(error) => {
                metrics.exports.with_label_values(&[format, "failed"]).inc();
                tracing::warn!(format, %error, "export failed");
            }
        }
    }
}
