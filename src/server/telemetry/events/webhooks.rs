//! Deliveries to webhooks, and thresholds that are told.

use std::fmt;

use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;

/// A webhook took what it was told.
pub(crate) struct WebhookDelivered<'a> {
    pub(crate) webhook: &'a str,
    /// Failed deliveries so far.
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

/// A webhook did not take a message, which will be sent again.
pub(crate) struct WebhookFailed<'a> {
    pub(crate) webhook: &'a str,
    pub(crate) fault: &'a dyn fmt::Display,
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

/// A message to a webhook was given up.
pub(crate) struct WebhookGivenUp<'a> {
    pub(crate) webhook: &'a str,
    pub(crate) delivery: &'a str,
    pub(crate) fault: &'a dyn fmt::Display,
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

/// A threshold is told.
pub(crate) struct ThresholdCrossed<'a> {
    pub(crate) threshold: &'a str,
    pub(crate) value: u64,
}

impl Happening for ThresholdCrossed<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { threshold, value } = self;
        metrics.threshold_crossings.with_label_values(&[threshold]).inc();
        tracing::warn!(threshold, value, "threshold reached");
    }
}
