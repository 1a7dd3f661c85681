//! What the server does that an operator may want to know: one struct an
//! event, which is one log line and its metrics together. No event holds words
//! of a call.

use super::metrics::Metrics;

/// Something worth a log line, a metric, or both.
pub(crate) trait Happening {
    fn report(self, metrics: &Metrics);
}

/// A producer's frame was refused.
pub(crate) struct FrameRefused {
    pub(crate) code: &'static str,
}

impl Happening for FrameRefused {
    fn report(self, metrics: &Metrics) {
        metrics.frames_refused.with_label_values(&[self.code]).inc();
        tracing::debug!(code = self.code, "frame refused");
    }
}

/// A producer is faster than allowed and is read more slowly from now on; told
/// once a connection.
pub(crate) struct ProducerSlowed;

impl Happening for ProducerSlowed {
    fn report(self, metrics: &Metrics) {
        metrics.producers_slowed.inc();
        tracing::warn!("producer too fast, slowed");
    }
}

/// A request had no right to what it asked for. Neither its token nor its
/// address is told.
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

/// The rules were loaded anew, or could not be.
pub(crate) struct RulesReloaded<'a> {
    pub(crate) trigger: &'static str,
    pub(crate) version: &'a str,
    /// The version in use before.
    pub(crate) previous: &'a str,
    /// What was wrong; nothing if they are in use.
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

/// A recogniser's message could not be used.
pub(crate) struct MessageUnrecognised<'a> {
    pub(crate) format: &'static str,
    pub(crate) reason: &'a str,
    /// Whether this is the connection's first, which alone is logged loudly.
    pub(crate) first: bool,
}

impl Happening for MessageUnrecognised<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.messages_unrecognised.with_label_values(&[self.format]).inc();
        if self.first {
            tracing::warn!(format = self.format, reason = self.reason, "message not recognised");
        }
    }
}

/// A call began.
pub(crate) struct CallStarted<'a> {
    pub(crate) call_id: &'a str,
}

impl Happening for CallStarted<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.calls_live.inc();
        tracing::debug!(call_id = self.call_id, "call started");
    }
}

/// Why a call is no longer kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CloseReason {
    /// It ended, and its time for late finals is over.
    Ended,
    /// Nothing was heard of it for too long.
    Idle,
    /// The engine panicked in it.
    Panicked,
    /// The server stopped while it was in progress.
    Shutdown,
}

/// A call is no longer kept.
pub(crate) struct CallClosed<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) reason: CloseReason,
}

impl Happening for CallClosed<'_> {
    fn report(self, metrics: &Metrics) {
        let reason = match self.reason {
            CloseReason::Ended => "ended",
            CloseReason::Idle => "idle",
            CloseReason::Panicked => "panicked",
            CloseReason::Shutdown => "shutdown",
        };
        metrics.calls_live.dec();
        metrics.calls_closed.with_label_values(&[reason]).inc();
        match self.reason {
            CloseReason::Ended | CloseReason::Shutdown => {
                tracing::debug!(call_id = self.call_id, reason, "call closed");
            }
            CloseReason::Idle => tracing::info!(call_id = self.call_id, reason, "call closed"),
            CloseReason::Panicked => {
                metrics.panics.inc();
                tracing::error!(call_id = self.call_id, reason, "call closed");
            }
        }
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

/// A connection beyond the limit was turned away.
pub(crate) struct ConnectionRefused;

impl Happening for ConnectionRefused {
    fn report(self, metrics: &Metrics) {
        metrics.connections_refused.inc();
        tracing::warn!("connection refused: too many");
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

/// An alert could not be kept for agents who come later.
pub(crate) struct AlertUnkept;

impl Happening for AlertUnkept {
    fn report(self, metrics: &Metrics) {
        metrics.alerts_unkept.inc();
        tracing::warn!("alert not kept: too many agents have some");
    }
}
