//! The metrics of `/metrics`. Labels are bounded: names of our own and rule ids, never call ids or
//! words.

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::adapter::Format;
use crate::adapter::native::EventType;
use crate::server::domain::terms::{CloseReason, FeedbackAction};

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
    pub(crate) stamp_jumps: IntCounterVec,
    pub(crate) calls_live: IntGauge,
    pub(crate) calls_closed: IntCounterVec,
    pub(crate) calls_resumed: IntCounter,
    pub(crate) calls_lost: IntCounter,
    pub(crate) alerts: IntCounterVec,
    pub(crate) alerts_left_out: IntCounter,
    pub(crate) alert_latency: Histogram,
    pub(crate) asr_lag: Histogram,
    pub(crate) stage_queue: Histogram,
    pub(crate) stage_engine: Histogram,
    pub(crate) stage_commit: Histogram,
    pub(crate) stage_push: Histogram,
    pub(crate) records_committed: IntCounter,
    pub(crate) commits_failed: IntCounter,
    pub(crate) feedback: IntCounterVec,
    pub(crate) webhooks: IntCounterVec,
    outbox_depth: IntGaugeVec,
    outbox_age: IntGaugeVec,
    pub(crate) threshold_crossings: IntCounterVec,
    threshold_value: IntGaugeVec,
    threshold_reached: IntGaugeVec,
    pub(crate) reconnects: IntCounterVec,
    pub(crate) forgotten: IntCounterVec,
    pub(crate) exports: IntCounterVec,
    pub(crate) reports: IntCounterVec,
    journal_depth: IntGauge,
    queue_depth: IntGaugeVec,
    pub(crate) connections: IntGaugeVec,
    pub(crate) connections_refused: IntCounter,
    pub(crate) subscribers_slow: IntCounter,
    pub(crate) panics: IntCounter,
    pub(crate) producers_slowed: IntCounter,
    pub(crate) packs_unknown: IntCounter,
    pub(crate) relay_streams: IntGauge,
    pub(crate) relay_bytes: IntCounterVec,
    pub(crate) relay_upstream_errors: IntCounter,
    pub(crate) relay_unchecked: IntCounterVec,
    pub(crate) consumed: IntCounterVec,
    pub(crate) consume_connected: IntGaugeVec,
    pub(crate) consume_failures: IntCounterVec,
    pub(crate) consume_lag: IntGaugeVec,
    pub(crate) requests_refused: IntCounterVec,
    pub(crate) handshakes_failed: IntCounter,
    pub(crate) rules_reloads: IntCounterVec,
    pub(crate) rules_valid: IntGauge,
    pub(crate) reviews: IntCounterVec,
    pub(crate) appeals: IntCounterVec,
    pub(crate) rule_precision: GaugeVec,
    pub(crate) rules_imprecise: IntGaugeVec,
    pub(crate) rules_fallen: IntGaugeVec,
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
        let journal_depth = IntGauge::new("tingjian_journal_queue_depth", "Batches that wait for a commit.")?;
        registry.register(Box::new(journal_depth.clone()))?;
        let relay_streams = IntGauge::new("tingjian_relay_streams", "Streams that are relayed to a recogniser.")?;
        registry.register(Box::new(relay_streams.clone()))?;
        let histogram = |name: &str, help: &str| -> Result<Histogram, prometheus::Error> {
            let options = HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS_SECONDS.to_vec());
            let histogram = Histogram::with_opts(options)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let rules_valid = IntGauge::new("tingjian_rules_valid", "Whether the rules as last read are in use.")?;
        registry.register(Box::new(rules_valid.clone()))?;
        rules_valid.set(1);
        let precision = GaugeVec::new(
            Opts::new(
                "tingjian_rule_precision",
                "Share of a rule's reviewed alerts that stood, since what decides when it fires was edited last.",
            ),
            &["rule_id"],
        )?;
        registry.register(Box::new(precision.clone()))?;
        let metrics = Self {
            events: EventType::ALL.map(|kind| events.with_label_values(&[kind.name()])),
            frames_refused: counters("tingjian_frames_refused_total", "Frames refused, by reason.", &["code"])?,
            messages_unrecognised: counters(
                "tingjian_messages_unrecognised_total",
                "Recogniser messages that could not be used, by format.",
                &["format"],
            )?,
            stamp_jumps: counters(
                "tingjian_stamp_jumps_total",
                "Stretches of a recogniser's stream that were placed by arrival because stamps jumped, by format.",
                &["format"],
            )?,
            calls_live,
            calls_closed: counters("tingjian_calls_closed_total", "Calls closed, by reason.", &["reason"])?,
            calls_resumed: counter("tingjian_calls_resumed_total", "Calls taken up after a restart.")?,
            calls_lost: counter("tingjian_calls_lost_total", "Calls that could not be taken up after a restart.")?,
            alerts: counters(
                "tingjian_alerts_total",
                "Alert transitions, by rule, state and whether the agent is to see them.",
                &["rule", "state", "display"],
            )?,
            alerts_left_out: counter(
                "tingjian_alerts_left_out_total",
                "Calls with so many findings that only the first of them are told.",
            )?,
            alert_latency: histogram(
                "tingjian_alert_latency_seconds",
                "From the frame received, or the deadline passed, to the alert written to the agent's socket.",
            )?,
            asr_lag: histogram("tingjian_asr_lag_seconds", "From words said to words received, by the call's clock.")?,
            stage_queue: histogram("tingjian_stage_queue_seconds", "From a frame received to its shard's work on it.")?,
            stage_engine: histogram("tingjian_stage_engine_seconds", "A shard's work on what it takes at once.")?,
            stage_commit: histogram("tingjian_stage_commit_seconds", "One commit of the journal.")?,
            stage_push: histogram(
                "tingjian_stage_push_seconds",
                "From an alert committed to it written to the agent's socket.",
            )?,
            records_committed: counter("tingjian_records_committed_total", "Rows that the journal kept.")?,
            commits_failed: counter("tingjian_commits_failed_total", "Commits that the store refused.")?,
            feedback: counters("tingjian_feedback_total", "Answers of agents to alerts, by action.", &["action"])?,
            webhooks: counters(
                "tingjian_webhook_deliveries_total",
                "Attempts to tell webhooks of alerts, by webhook and result.",
                &["webhook", "result"],
            )?,
            outbox_depth: gauges(
                "tingjian_webhook_queue_depth",
                "Alerts that a webhook is still to be told of.",
                &["webhook"],
            )?,
            outbox_age: gauges(
                "tingjian_webhook_oldest_seconds",
                "How long the oldest of them has waited.",
                &["webhook"],
            )?,
            threshold_crossings: counters(
                "tingjian_threshold_crossings_total",
                "How often a threshold was told.",
                &["threshold"],
            )?,
            threshold_value: gauges("tingjian_threshold_value", "What a threshold counts now.", &["threshold"])?,
            threshold_reached: gauges(
                "tingjian_threshold_reached",
                "Whether a threshold is reached now.",
                &["threshold"],
            )?,
            reconnects: counters(
                "tingjian_reconnects_total",
                "Agents' connections that went on from a cursor, by kind.",
                &["kind"],
            )?,
            forgotten: counters("tingjian_forgotten_total", "Rows removed because of their age, by kind.", &["kind"])?,
            exports: counters("tingjian_exports_total", "Exports, by format and result.", &["format", "result"])?,
            reports: counters("tingjian_reports_total", "Attempts to send reports, by result.", &["result"])?,
            journal_depth,
            queue_depth: gauges("tingjian_shard_queue_depth", "Commands that wait for a shard.", &["shard"])?,
            connections: gauges("tingjian_connections", "Open WebSocket connections, by kind.", &["kind"])?,
            connections_refused: counter("tingjian_connections_refused_total", "Connections beyond the limit.")?,
            subscribers_slow: counter("tingjian_subscribers_slow_total", "Subscribers closed for being slow.")?,
            panics: counter("tingjian_panics_total", "Calls closed because the engine panicked.")?,
            producers_slowed: counter("tingjian_producers_slowed_total", "Connections faster than allowed.")?,
            packs_unknown: counter(
                "tingjian_packs_unknown_total",
                "Calls that asked for a pack of rules that is not there.",
            )?,
            relay_streams,
            relay_bytes: counters("tingjian_relay_bytes_total", "Bytes relayed, by direction.", &["direction"])?,
            relay_upstream_errors: counter(
                "tingjian_relay_upstream_errors_total",
                "Streams that a recogniser behind the relay did not take.",
            )?,
            relay_unchecked: counters(
                "tingjian_relay_unchecked_total",
                "Messages that were relayed and not checked, by format.",
                &["format"],
            )?,
            consumed: counters(
                "tingjian_consume_messages_total",
                "Messages out of a bus, by source and result.",
                &["source", "result"],
            )?,
            consume_connected: gauges("tingjian_consume_connected", "Whether a bus is connected.", &["source"])?,
            consume_failures: counters(
                "tingjian_consume_failures_total",
                "Failed connections to a bus, and lost ones.",
                &["source"],
            )?,
            consume_lag: gauges(
                "tingjian_consume_lag",
                "Messages in a bus that are still to be taken.",
                &["source", "partition"],
            )?,
            requests_refused: counters("tingjian_requests_refused_total", "Requests without the right.", &["code"])?,
            handshakes_failed: counter("tingjian_handshakes_failed_total", "Connections that did not become TLS.")?,
            rules_reloads: counters("tingjian_rules_reloads_total", "Reloads of rules, by result.", &["result"])?,
            rules_valid,
            reviews: counters(
                "tingjian_reviews_total",
                "Alerts reviewed by QA, by rule and verdict.",
                &["rule_id", "verdict"],
            )?,
            appeals: counters(
                "tingjian_appeals_total",
                "Appeals made (pending) and decided, by rule and decision.",
                &["rule_id", "decision"],
            )?,
            rule_precision: precision,
            rules_imprecise: gauges(
                "tingjian_rule_precision_below_min",
                "Whether enough alerts of a rule in use were reviewed, and too few of them stood.",
                &["rule_id"],
            )?,
            rules_fallen: gauges(
                "tingjian_rule_precision_fallen",
                "Whether a rule in use is clearly less precise than before it was edited last.",
                &["rule_id"],
            )?,
            registry,
        };
        metrics.show_zeros();
        Ok(metrics)
    }

    /// Creates each series at 0 where it can be named, so that `rate()` and `increase()` count its
    /// first event.
    fn show_zeros(&self) {
        for reason in CloseReason::ALL {
            self.calls_closed.with_label_values(&[reason.name()]);
        }
        for action in FeedbackAction::ALL {
            self.feedback.with_label_values(&[action.name()]);
        }
        for format in Format::ALL {
            self.messages_unrecognised.with_label_values(&[format.name()]);
            self.stamp_jumps.with_label_values(&[format.name()]);
            self.relay_unchecked.with_label_values(&[format.name()]);
        }
        for (counters, values) in [
            (&self.reconnects, &["agent", "sse"][..]),
            (&self.relay_bytes, &["to_recogniser", "to_client"]),
            (&self.rules_reloads, &["ok", "failed"]),
            (&self.reports, &["sent", "failed", "rejected"]),
        ] {
            for value in values {
                counters.with_label_values(&[value]);
            }
        }
    }

    /// Shows a webhook that was told nothing yet.
    pub(crate) fn show_webhook(&self, webhook: &str) {
        for result in ["delivered", "failed", "given_up", "rejected"] {
            self.webhooks.with_label_values(&[webhook, result]);
        }
        self.outbox(webhook, 0, 0);
    }

    /// Shows a bus out of which nothing came yet.
    pub(crate) fn show_bus(&self, source: &str) {
        for result in ["taken", "refused", "lost"] {
            self.consumed.with_label_values(&[source, result]);
        }
        self.consume_connected.with_label_values(&[source]);
        self.consume_failures.with_label_values(&[source]);
    }

    pub(crate) fn event(&self, kind: EventType) {
        self.events[kind as usize].inc();
    }

    /// The undelivered messages of a webhook, and the age of the oldest.
    pub(crate) fn outbox(&self, webhook: &str, letters: i64, age_seconds: i64) {
        self.outbox_depth.with_label_values(&[webhook]).set(letters);
        self.outbox_age.with_label_values(&[webhook]).set(age_seconds);
    }

    /// How a threshold stands.
    pub(crate) fn threshold(&self, name: &str, value: u64, is_reached: bool) {
        self.threshold_crossings.with_label_values(&[name]);
        self.threshold_value.with_label_values(&[name]).set(i64::try_from(value).unwrap_or(i64::MAX));
        self.threshold_reached.with_label_values(&[name]).set(i64::from(is_reached));
    }

    /// The text of `/metrics`.
    pub(crate) fn render(
        &self,
        queue_depths: impl Iterator<Item = usize>,
        journal_depth: usize,
    ) -> Result<Vec<u8>, prometheus::Error> {
        self.journal_depth.set(i64::try_from(journal_depth).unwrap_or(i64::MAX));
        for (shard, depth) in queue_depths.enumerate() {
            let depth = i64::try_from(depth).unwrap_or(i64::MAX);
            self.queue_depth.with_label_values(&[&shard.to_string()]).set(depth);
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
