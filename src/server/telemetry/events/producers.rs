//! Producers and what they send.

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

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

/// A call asks for a pack of rules that is not there.
pub(crate) struct PackUnknown<'a> {
    pub(crate) message: &'a str,
    /// Whether this is the connection's first, which alone is logged.
    pub(crate) first: bool,
}

impl Happening for PackUnknown<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.packs_unknown.inc();
        if self.first {
            tracing::warn!(message = self.message, "call asks for an unknown pack");
        }
    }
}

/// Stamps of a recogniser's stream did not go on from the ones before, or from their arrival.
pub(crate) struct StampsJumped {
    pub(crate) format: &'static str,
    pub(crate) jumps: u32,
}

impl Happening for StampsJumped {
    fn report(self, metrics: &Metrics) {
        metrics.stamp_jumps.with_label_values(&[self.format]).inc_by(self.jumps.into());
        tracing::info!(format = self.format, jumps = self.jumps, "stamps jumped, placed by arrival");
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
