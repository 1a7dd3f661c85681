//! The report of an open-loop run, for people and for machines.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::load::Outcome;

/// A generator that is later than this in one event of a hundred measures itself. Less than that
/// is in the latencies, which count from when an event was due: they are too high, never too low.
const LATENESS_MAX: Duration = Duration::from_millis(2);
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Why a run counts for nothing, or for less than it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Good,
    /// The generator did not keep to its schedule: no verdict on the server.
    Late,
    /// Alerts or acknowledgements are missing or came twice, or something was refused.
    Wrong,
}

impl Verdict {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Late => "generator_late",
            Self::Wrong => "wrong",
        }
    }
}

/// A run and its circumstances.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) calls: u64,
    pub(super) producers: u64,
    pub(super) rate: f64,
    pub(super) outcome: &'a Outcome,
}

impl Report<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let outcome = self.outcome;
        if self.alerts_missing() > 0 || outcome.duplicates > 0 || outcome.errors > 0 || outcome.acked != outcome.sent {
            Verdict::Wrong
        } else if quantile(&outcome.lateness, 0.99) > LATENESS_MAX && outcome.blocked == 0 {
            Verdict::Late
        } else {
            Verdict::Good
        }
    }

    /// Event → alert, 99 in 100.
    pub(super) fn alert_p99(&self) -> Duration {
        quantile(&self.outcome.event_to_alert, 0.99)
    }

    /// Event → alert, a quantile of it; unknown if no alert fell due.
    pub(super) fn alert_ms(&self, share: f64) -> Option<f64> {
        millis(&self.outcome.event_to_alert, share)
    }

    /// Event → acknowledgement, a quantile of it.
    pub(super) fn ack_ms(&self, share: f64) -> Option<f64> {
        millis(&self.outcome.event_to_ack, share)
    }

    pub(super) fn server_micros_per_event(&self) -> Option<f64> {
        self.micros_per_event(self.outcome.server_cpu)
    }

    /// Memory that a call in progress takes.
    pub(super) fn running_kib_per_call(&self) -> Option<f64> {
        Some(self.bytes_per_call(self.outcome.rss_running)? as f64 / 1024.0)
    }

    /// Memory of the server with all calls in progress.
    pub(super) fn running_mib(&self) -> Option<f64> {
        Some(self.outcome.rss_running? as f64 / 1024.0 / 1024.0)
    }

    const fn alerts_missing(&self) -> u64 {
        self.outcome.alerts_owed.saturating_sub(self.outcome.alerts)
    }

    fn events_per_second(&self) -> f64 {
        self.outcome.measured_events as f64 / self.outcome.measured.as_secs_f64()
    }

    fn micros_per_event(&self, cpu: Option<Duration>) -> Option<f64> {
        let events = self.outcome.measured_events;
        cpu.filter(|_| events > 0).map(|cpu| cpu.as_secs_f64() * 1e6 / events as f64)
    }

    fn cores(&self, cpu: Option<Duration>) -> Option<f64> {
        cpu.map(|cpu| cpu.as_secs_f64() / self.outcome.measured.as_secs_f64())
    }

    fn bytes_per_call(&self, rss: Option<u64>) -> Option<u64> {
        Some(rss?.saturating_sub(self.outcome.rss_before?) / self.calls.max(1))
    }

    pub(super) fn to_json(&self) -> Value {
        let outcome = self.outcome;
        json!({
            "calls": self.calls,
            "producers": self.producers,
            "rate": self.rate,
            "verdict": self.verdict().name(),
            "events_sent": outcome.sent,
            "events_acked": outcome.acked,
            "events_per_second": self.events_per_second(),
            "alerts": outcome.alerts,
            "alerts_missing": self.alerts_missing(),
            "alerts_duplicate": outcome.duplicates,
            "alerts_other": outcome.other_alerts,
            "errors": outcome.errors,
            "first_error": outcome.first_error,
            "event_to_alert_ms": latencies_json(&outcome.event_to_alert),
            "event_to_ack_ms": latencies_json(&outcome.event_to_ack),
            "generator_lateness_ms": latencies_json(&outcome.lateness),
            "blocked_writes": outcome.blocked,
            "server_cpu_us_per_event": self.micros_per_event(outcome.server_cpu),
            "generator_cpu_us_per_event": self.micros_per_event(outcome.own_cpu),
            "cores": {
                "server": self.cores(outcome.server_cpu),
                "generator": self.cores(outcome.own_cpu),
                "others": self.cores(outcome.others_cpu),
            },
            "server_rss_bytes": { "before": outcome.rss_before, "started": outcome.rss_started, "running": outcome.rss_running },
            "server_bytes_per_call": { "started": self.bytes_per_call(outcome.rss_started), "running": self.bytes_per_call(outcome.rss_running) },
        })
    }

    /// The least that is worth knowing.
    pub(super) fn to_line(&self) -> String {
        format!(
            "{:>8} p99 {:>8.2} ms, {:?}, others {} cores",
            self.calls,
            self.alert_p99().as_secs_f64() * 1e3,
            self.verdict(),
            figure(self.cores(self.outcome.others_cpu), 2),
        )
    }

    pub(super) fn to_text(&self) -> String {
        let outcome = self.outcome;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<34} {value}");
        };
        line("通话 calls", format!("{} × {}/s, {} connections for events", self.calls, self.rate, self.producers));
        line(
            "事件 events",
            format!("{} sent, {} acked, {:.0}/s", outcome.sent, outcome.acked, self.events_per_second()),
        );
        line(
            "预警 alerts",
            format!(
                "{} of {} owed, {} missing, {} twice, {} others",
                outcome.alerts,
                outcome.alerts_owed,
                self.alerts_missing(),
                outcome.duplicates,
                outcome.other_alerts
            ),
        );
        line("事件→预警 event → alert, ms", latencies(&outcome.event_to_alert));
        line("事件→确认 event → ack, ms", latencies(&outcome.event_to_ack));
        line("发送延误 generator late, ms", latencies(&outcome.lateness));
        let micros = |cpu| figure(self.micros_per_event(cpu), 1);
        line(
            "CPU an event, µs",
            format!("server {}, generator {}", micros(outcome.server_cpu), micros(outcome.own_cpu)),
        );
        let cores = |cpu| figure(self.cores(cpu), 2);
        line(
            "CPU, cores",
            format!(
                "server {}, generator {}, everything else on this machine {}",
                cores(outcome.server_cpu),
                cores(outcome.own_cpu),
                cores(outcome.others_cpu)
            ),
        );
        let kib = |bytes: Option<u64>| figure(bytes.map(|bytes| bytes as f64 / 1024.0), 1);
        line(
            "内存 server memory, MiB",
            format!(
                "{} before, {} started, {} running",
                kib(outcome.rss_before.map(|bytes| bytes / 1024)),
                kib(outcome.rss_started.map(|bytes| bytes / 1024)),
                kib(outcome.rss_running.map(|bytes| bytes / 1024))
            ),
        );
        line(
            "每通 a call, KiB",
            format!(
                "{} started, {} running",
                kib(self.bytes_per_call(outcome.rss_started)),
                kib(self.bytes_per_call(outcome.rss_running))
            ),
        );
        if outcome.blocked > 0 {
            line("反压 held back by the server", format!("{} writes", outcome.blocked));
        }
        if outcome.errors > 0 {
            line("错误 errors", format!("{}: {}", outcome.errors, outcome.first_error.as_deref().unwrap_or_default()));
        }
        match self.verdict() {
            Verdict::Good => {}
            Verdict::Late => {
                line("无效 not valid", "压测端自己跟不上 / the generator did not keep its schedule".into())
            }
            Verdict::Wrong => {
                line("不对 wrong", "有丢失、重复或被拒 / something is missing, came twice or was refused".into())
            }
        }
        text
    }
}

/// A figure that may not be known.
fn figure(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

pub(super) fn quantile(histogram: &Histogram<u64>, quantile: f64) -> Duration {
    Duration::from_nanos(histogram.value_at_quantile(quantile))
}

fn millis(histogram: &Histogram<u64>, share: f64) -> Option<f64> {
    (!histogram.is_empty()).then(|| quantile(histogram, share).as_secs_f64() * 1e3)
}

fn latencies(histogram: &Histogram<u64>) -> String {
    let mut text = String::new();
    for (name, share) in QUANTILES {
        let _ = write!(text, "{name} {:.2}  ", quantile(histogram, share).as_secs_f64() * 1e3);
    }
    let _ = write!(text, "max {:.2}  ({})", Duration::from_nanos(histogram.max()).as_secs_f64() * 1e3, histogram.len());
    text
}

fn latencies_json(histogram: &Histogram<u64>) -> Value {
    let ms = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e3;
    let mut map: serde_json::Map<String, Value> = QUANTILES
        .iter()
        .map(|(name, share)| ((*name).to_owned(), ms(histogram.value_at_quantile(*share)).into()))
        .collect();
    map.insert("max".into(), ms(histogram.max()).into());
    map.insert("count".into(), histogram.len().into());
    Value::Object(map)
}
