//! What `/metrics` shows. Labels are bounded: names of our own and rule ids,
//! never call ids or words.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::adapter::native::EventType;
use crate::engine::alert::{Alert, AlertState};

/// From a tenth of a millisecond to ten seconds.
const LATENCY_BUCKETS_SECONDS: [f64; 16] =
    [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// All metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// By `EventType as usize`: one event costs one addition, no label look-up.
    events: [IntCounter; EventType::ALL.len()],
    pub(crate) frames_refused: IntCounterVec,
    pub(crate) messages_unrecognised: IntCounterVec,
    pub(crate) calls_live: IntGauge,
    pub(crate) calls_closed: IntCounterVec,
    alerts: IntCounterVec,
    pub(crate) alerts_unkept: IntCounter,
    alert_latency: Histogram,
    queue_depth: IntGaugeVec,
    pub(crate) connections: IntGaugeVec,
    pub(crate) connections_refused: IntCounter,
    pub(crate) subscribers_slow: IntCounter,
    pub(crate) panics: IntCounter,
    pub(crate) producers_slowed: IntCounter,
    pub(crate) requests_refused: IntCounterVec,
    pub(crate) handshakes_failed: IntCounter,
    pub(crate) rules_reloads: IntCounterVec,
    pub(crate) rules_valid: IntGauge,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec, prometheus::Error> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let events = counters("tingjian_events_total", "Call events taken, by type.", &["type"])?;
        let calls_live = IntGauge::new("tingjian_calls_live", "Calls in progress.")?;
        registry.register(Box::new(calls_live.clone()))?;
        let rules_valid = IntGauge::new("tingjian_rules_valid", "Whether the rules as last read are in use.")?;
        registry.register(Box::new(rules_valid.clone()))?;
        rules_valid.set(1);
        let alert_latency = Histogram::with_opts(
            HistogramOpts::new(
                "tingjian_alert_latency_seconds",
                "From the frame received, or the deadline passed, to the alert written to the agent's socket.",
            )
            .buckets(LATENCY_BUCKETS_SECONDS.to_vec()),
        )?;
        registry.register(Box::new(alert_latency.clone()))?;
        Ok(Self {
            events: EventType::ALL.map(|kind| events.with_label_values(&[kind.name()])),
            frames_refused: counters("tingjian_frames_refused_total", "Frames refused, by reason.", &["code"])?,
            messages_unrecognised: counters(
                "tingjian_messages_unrecognised_total",
                "Recogniser messages that could not be used, by format.",
                &["format"],
            )?,
            calls_live,
            calls_closed: counters("tingjian_calls_closed_total", "Calls closed, by reason.", &["reason"])?,
            alerts: counters("tingjian_alerts_total", "Alert transitions, by rule and state.", &["rule", "state"])?,
            alerts_unkept: counter(
                "tingjian_alerts_unkept_total",
                "Alerts not kept for a later `after`, because too many agents have some.",
            )?,
            alert_latency,
            queue_depth: gauges("tingjian_shard_queue_depth", "Commands that wait for a shard.", &["shard"])?,
            connections: gauges("tingjian_connections", "Open WebSocket connections, by kind.", &["kind"])?,
            connections_refused: counter("tingjian_connections_refused_total", "Connections beyond the limit.")?,
            subscribers_slow: counter("tingjian_subscribers_slow_total", "Subscribers closed for being slow.")?,
            panics: counter("tingjian_panics_total", "Calls closed because the engine panicked.")?,
            producers_slowed: counter("tingjian_producers_slowed_total", "Connections faster than allowed.")?,
            requests_refused: counters("tingjian_requests_refused_total", "Requests without the right.", &["code"])?,
            handshakes_failed: counter("tingjian_handshakes_failed_total", "Connections that did not become TLS.")?,
            rules_reloads: counters("tingjian_rules_reloads_total", "Reloads of rules, by result.", &["result"])?,
            rules_valid,
            registry,
        })
    }

    pub(crate) fn event(&self, kind: EventType) {
        self.events[kind as usize].inc();
    }

    pub(crate) fn alert(&self, alert: &Alert) {
        let state = match alert.state {
            AlertState::Provisional => "provisional",
            AlertState::Confirmed => "confirmed",
            AlertState::Retracted => "retracted",
            AlertState::Reminder => "reminder",
            AlertState::Resolved => "resolved",
        };
        self.alerts.with_label_values(&[&alert.rule.id, state]).inc();
    }

    pub(crate) fn alert_written(&self, after: Duration) {
        self.alert_latency.observe(after.as_secs_f64());
    }

    /// The text of `/metrics`.
    pub(crate) fn render(&self, queue_depths: impl Iterator<Item = usize>) -> Result<Vec<u8>, prometheus::Error> {
        for (shard, depth) in queue_depths.enumerate() {
            let depth = i64::try_from(depth).unwrap_or(i64::MAX);
            self.queue_depth.with_label_values(&[&shard.to_string()]).set(depth);
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
