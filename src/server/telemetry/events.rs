//! What the server does that an operator may want to know: one struct an
//! event, which is one log line and its metrics together. No event holds words
//! of a call.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::alert::Alert;
use crate::server::export::ExportError;
use crate::server::feeds::push::Since;
use crate::server::outbox::webhook::Fault;
use crate::server::store::{Display, Forgotten, StoreError};
use crate::server::telemetry::metrics::Metrics;

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

/// A call began, or was taken up after a restart.
pub(crate) struct CallStarted<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) is_resumed: bool,
}

impl Happening for CallStarted<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.calls_live.inc();
        if self.is_resumed {
            metrics.calls_resumed.inc();
        }
        tracing::debug!(call_id = self.call_id, resumed = self.is_resumed, "call started");
    }
}

/// Calls were rebuilt from the journal.
pub(crate) struct Recovery {
    pub(crate) calls: usize,
    pub(crate) lost: usize,
    pub(crate) took: Duration,
}

impl Happening for Recovery {
    fn report(self, metrics: &Metrics) {
        metrics.calls_lost.inc_by(self.lost as u64);
        let took_ms = self.took.as_millis();
        if self.lost > 0 {
            tracing::error!(calls = self.calls, lost = self.lost, took_ms, "calls taken up; some could not be");
        } else if self.calls > 0 {
            tracing::info!(calls = self.calls, took_ms, "calls taken up");
        }
    }
}

/// Words came, so much later than they were said.
pub(crate) struct Heard {
    pub(crate) lag_ms: i64,
}

impl Happening for Heard {
    fn report(self, metrics: &Metrics) {
        metrics.asr_lag.observe(Duration::from_millis(self.lag_ms.max(0).unsigned_abs()).as_secs_f64());
    }
}

/// A shard is done with what it took from its queue.
pub(crate) struct ShardStep {
    /// How long the oldest of it had waited.
    pub(crate) waited: Duration,
    pub(crate) worked: Duration,
}

impl Happening for ShardStep {
    fn report(self, metrics: &Metrics) {
        metrics.stage_queue.observe(self.waited.as_secs_f64());
        metrics.stage_engine.observe(self.worked.as_secs_f64());
    }
}

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
    pub(crate) error: &'a StoreError,
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

/// An alert changed its state.
pub(crate) struct AlertDecided<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) display: Display,
}

impl Happening for AlertDecided<'_> {
    fn report(self, metrics: &Metrics) {
        let Alert { rule, state, .. } = self.alert;
        metrics.alerts.with_label_values(&[&rule.id, state.name(), self.display.name()]).inc();
        tracing::debug!(rule = rule.id, state = state.name(), display = self.display.name(), "alert");
    }
}

/// A live alert is on its agent's socket, so long after its frame was received.
pub(crate) struct AlertWritten {
    pub(crate) took: Duration,
    /// Of that, since it was committed.
    pub(crate) pushed: Duration,
}

impl AlertWritten {
    pub(crate) fn new(since: Since, written: Instant) -> Self {
        let Since { received, kept } = since;
        Self { took: written.saturating_duration_since(received), pushed: written.saturating_duration_since(kept) }
    }
}

impl Happening for AlertWritten {
    fn report(self, metrics: &Metrics) {
        metrics.alert_latency.observe(self.took.as_secs_f64());
        metrics.stage_push.observe(self.pushed.as_secs_f64());
    }
}

/// An agent answered to an alert.
pub(crate) struct FeedbackGiven {
    pub(crate) action: &'static str,
}

impl Happening for FeedbackGiven {
    fn report(self, metrics: &Metrics) {
        metrics.feedback.with_label_values(&[self.action]).inc();
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
    /// The server stopped while it was in progress; it is taken up again.
    Shutdown,
}

impl CloseReason {
    pub(crate) const ALL: [Self; 4] = [Self::Ended, Self::Idle, Self::Panicked, Self::Shutdown];

    /// Its name in metrics and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Idle => "idle",
            Self::Panicked => "panicked",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A call is no longer kept.
pub(crate) struct CallClosed<'a> {
    pub(crate) call_id: &'a str,
    pub(crate) reason: CloseReason,
}

impl Happening for CallClosed<'_> {
    fn report(self, metrics: &Metrics) {
        let reason = self.reason.name();
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

/// An export is written, or failed.
pub(crate) struct Exported<'a> {
    pub(crate) format: &'static str,
    pub(crate) written: &'a Result<u64, ExportError>,
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

impl Happening for Forgotten {
    fn report(self, metrics: &Metrics) {
        let Self { calls, events, alerts, reviews, webhooks, rule_versions } = self;
        for (kind, count) in [
            ("transcript", events),
            ("alert", alerts),
            ("review", reviews),
            ("webhook", webhooks),
            ("rule_version", rule_versions),
        ] {
            metrics.forgotten.with_label_values(&[kind]).inc_by(count as u64);
        }
        if self != Self::default() {
            tracing::info!(
                calls,
                transcript_rows = events,
                alerts,
                reviews,
                webhooks,
                rule_versions,
                "removed what was too old"
            );
        }
    }
}

/// A webhook took what it was told.
pub(crate) struct WebhookDelivered<'a> {
    pub(crate) webhook: &'a str,
    /// Those that failed before.
    pub(crate) attempts: u32,
}

impl Happening for WebhookDelivered<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { webhook, attempts } = self;
        metrics.webhooks.with_label_values(&[webhook, "delivered"]).inc();
        if attempts > 0 {
            tracing::info!(webhook, attempts, "webhook works again");
        }
    }
}

/// A webhook did not take what it was told; it is told again.
pub(crate) struct WebhookFailed<'a> {
    pub(crate) webhook: &'a str,
    pub(crate) fault: &'a Fault,
    /// This one included.
    pub(crate) attempts: u32,
}

impl Happening for WebhookFailed<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { webhook, fault, attempts } = self;
        metrics.webhooks.with_label_values(&[webhook, "failed"]).inc();
        if attempts == 1 {
            tracing::warn!(webhook, %fault, "webhook failed; trying on");
        }
    }
}

/// A webhook will never be told of an alert.
pub(crate) struct WebhookGivenUp<'a> {
    pub(crate) webhook: &'a str,
    pub(crate) delivery: &'a str,
    pub(crate) fault: &'a Fault,
    pub(crate) attempts: u32,
    /// Whether the receiver said that it never wants it.
    pub(crate) is_rejected: bool,
}

impl Happening for WebhookGivenUp<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { webhook, delivery, fault, attempts, is_rejected } = self;
        let result = if is_rejected { "rejected" } else { "given_up" };
        metrics.webhooks.with_label_values(&[webhook, result]).inc();
        tracing::error!(webhook, delivery, attempts, result, %fault, "webhook not delivered");
    }
}
