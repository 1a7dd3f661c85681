//! Messages out of a bus, and the connection to it.

use std::fmt;

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// A bus takes the connection.
pub(crate) struct BusConnected<'a> {
    pub(crate) source: &'a str,
}

impl Happening for BusConnected<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.consume_connected.with_label_values(&[self.source]).set(1);
        tracing::info!(source = self.source, "consuming");
    }
}

/// A bus is not there, or no more.
pub(crate) struct BusFailed<'a> {
    pub(crate) source: &'a str,
    /// Without addresses, which may hold a password.
    pub(crate) fault: &'a dyn fmt::Display,
    /// Whether the bus was there before, or fails for another reason than before; else it is not logged again.
    pub(crate) first: bool,
}

impl Happening for BusFailed<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { source, fault, first } = self;
        metrics.consume_connected.with_label_values(&[source]).set(0);
        metrics.consume_failures.with_label_values(&[source]).inc();
        if first {
            tracing::warn!(source, %fault, "the bus cannot be reached; trying on");
        }
    }
}

/// A message was taken and is durable.
pub(crate) struct MessageConsumed<'a> {
    pub(crate) source: &'a str,
}

impl Happening for MessageConsumed<'_> {
    fn report(self, metrics: &Metrics) {
        metrics.consumed.with_label_values(&[self.source, "taken"]).inc();
    }
}

/// A message could not be used. It is not asked for again.
pub(crate) struct MessagePoisoned<'a> {
    pub(crate) source: &'a str,
    /// Its place in the bus.
    pub(crate) place: &'a dyn fmt::Display,
    pub(crate) code: &'static str,
    /// The field at fault.
    pub(crate) field: Option<&'static str>,
    /// Whether it is logged: not each of many.
    pub(crate) is_loud: bool,
}

impl Happening for MessagePoisoned<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { source, place, code, field, is_loud } = self;
        metrics.consumed.with_label_values(&[source, "refused"]).inc();
        if is_loud {
            tracing::warn!(source, %place, code, field, "message refused");
        }
    }
}

/// The bus no longer had messages, or did not wait for them to be taken.
pub(crate) struct MessagesLost<'a> {
    pub(crate) source: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) count: u64,
}

impl Happening for MessagesLost<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { source, reason, count } = self;
        metrics.consumed.with_label_values(&[source, "lost"]).inc_by(count);
        tracing::error!(source, count, reason, "messages lost");
    }
}
