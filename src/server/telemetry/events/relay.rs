//! Streams that pass through to a recogniser.

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// A stream is relayed; the guard counts it until it is dropped.
pub(crate) struct RelayStream {
    gauge: prometheus::IntGauge,
    format: &'static str,
}

impl RelayStream {
    pub(crate) fn open(metrics: &Metrics, format: &'static str) -> Self {
        let gauge = metrics.relay_streams.clone();
        gauge.inc();
        tracing::debug!(format, "relay opened");
        Self { gauge, format }
    }
}

impl Drop for RelayStream {
    fn drop(&mut self) {
        self.gauge.dec();
        tracing::debug!(format = self.format, "relay closed");
    }
}

/// A message was relayed and could not be checked.
pub(crate) struct RelayUnchecked {
    pub(crate) format: &'static str,
    pub(crate) code: &'static str,
    /// Whether this is the stream's first, which alone is logged loudly.
    pub(crate) first: bool,
}

impl Happening for RelayUnchecked {
    fn report(self, metrics: &Metrics) {
        metrics.relay_unchecked.with_label_values(&[self.format]).inc();
        if self.first {
            tracing::warn!(format = self.format, code = self.code, "relayed without being checked");
        }
    }
}

/// A recogniser did not take a stream.
pub(crate) struct UpstreamFailed<'a> {
    pub(crate) format: &'static str,
    /// Without the address, which may hold a key.
    pub(crate) reason: &'a str,
}

impl Happening for UpstreamFailed<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.relay_upstream_errors.inc();
        tracing::warn!(format = self.format, reason = self.reason, "the recogniser behind the relay refused");
    }
}
