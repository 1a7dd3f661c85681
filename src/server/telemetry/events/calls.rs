//! Calls and the shards that own them.

use std::time::Duration;

use crate::server::domain::terms::CloseReason;
use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

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

/// A call has more findings than are told.
pub(crate) struct AlertsLeftOut<'a> {
    pub(crate) call_id: &'a str,
}

impl Happening for AlertsLeftOut<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.alerts_left_out.inc();
        tracing::warn!(call_id = self.call_id, "more findings than are told: the first of them are");
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
            CloseReason::Idle | CloseReason::Replaced => tracing::info!(call_id = self.call_id, reason, "call closed"),
            CloseReason::Panicked => {
                metrics.panics.inc();
                tracing::error!(call_id = self.call_id, reason, "call closed");
            }
        }
    }
}
