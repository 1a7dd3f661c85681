//! Requests and connections of all kinds.

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// A request lacked the right role. Neither its token nor its address is reported.
pub(crate) struct RequestRefused {
    pub(crate) code: &'static str,
}

impl Happening for RequestRefused {
    fn report(self, metrics: &Metrics) {
        metrics.requests_refused.with_label_values(&[self.code]).inc();
        tracing::debug!(code = self.code, "request refused");
    }
}

/// A client did not manage to speak TLS.
pub(crate) struct HandshakeFailed<'a> {
    pub(crate) error: &'a std::io::Error,
}

impl Happening for HandshakeFailed<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.handshakes_failed.inc();
        tracing::debug!(error = %self.error, "handshake failed");
    }
}

/// A connection beyond the limit was turned away.
pub(crate) struct ConnectionRefused {
    /// Why.
    pub(crate) code: &'static str,
}

impl Happening for ConnectionRefused {
    fn report(self, metrics: &Metrics) {
        metrics.connections_refused.inc();
        tracing::warn!(code = self.code, "connection refused: too many");
    }
}

/// A WebSocket connection opened; the guard counts it until it is dropped.
pub(crate) struct Connection {
    gauge: prometheus::IntGauge,
    kind: &'static str,
}

impl Connection {
    pub(crate) fn open(metrics: &Metrics, kind: &'static str) -> Self {
        let gauge = metrics.connections.with_label_values(&[kind]);
        gauge.inc();
        tracing::debug!(kind, "connection opened");
        Self { gauge, kind }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gauge.dec();
        tracing::debug!(kind = self.kind, "connection closed");
    }
}

/// An agent's connection goes on from where another left off.
pub(crate) struct Reconnected {
    pub(crate) kind: &'static str,
}

impl Happening for Reconnected {
    fn report(self, metrics: &Metrics) {
        metrics.reconnects.with_label_values(&[self.kind]).inc();
        tracing::debug!(kind = self.kind, "subscriber came back");
    }
}

/// A subscriber was too slow and is closed.
pub(crate) struct SubscriberSlow {
    pub(crate) kind: &'static str,
}

impl Happening for SubscriberSlow {
    fn report(self, metrics: &Metrics) {
        metrics.subscribers_slow.inc();
        tracing::warn!(kind = self.kind, "subscriber too slow, closed");
    }
}
