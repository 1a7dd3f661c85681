//! Thresholds over all calls, driven by what the journal commits and by the rows of the live views; what crosses one
//! is kept with its messages to webhooks in one transaction, then shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::FixedOffset;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::clock::{self, wall_time};
use crate::server::config::{COUNTED_MAX, Counted, Threshold};
use crate::server::domain::threshold::{AlertKey, CountedAlert, CountedCall, Figures, Standing, sentence};
use crate::server::runtime::Shared;
use crate::server::store::{Crossing, Readers, Recent, StoreError};
use crate::server::telemetry::events::{Happening as _, ThresholdCrossed};

/// How often figures move with time.
const BEAT: Duration = Duration::from_secs(1);

/// The thresholds of one server.
#[derive(Debug)]
pub(crate) struct Thresholds {
    figures: Mutex<Figures>,
    /// The message that tells all of them; empty where there are none.
    told: watch::Sender<Utf8Bytes>,
    counts_alerts: bool,
    counts_calls: bool,
    zone: FixedOffset,
}

impl Thresholds {
    /// Counts again what the store has of the last while. What it has is told by when it was said, not by when it came.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn resume(
        thresholds: &[Threshold],
        readers: &Readers,
        zone: FixedOffset,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let mut told = Vec::new();
        for threshold in thresholds {
            told.push((threshold.name.as_str(), readers.last_crossing(&threshold.name)?));
        }
        let last = |name: &str| told.iter().find(|(of, _)| *of == name).and_then(|(_, at_ms)| *at_ms);
        let mut figures = Figures::new(thresholds, last);
        let of_alerts = thresholds.iter().filter(|threshold| threshold.count == Counted::Alerts);
        let longest = of_alerts.map(|threshold| i64::from(threshold.within_s.get()) * 1_000).max();
        if let Some(longest) = longest {
            let roster = readers.roster()?;
            for recent in readers.recent_alerts(now_ms - longest, COUNTED_MAX)? {
                let Recent { call_no, alert_id, agent_id, rule_id, pack, severity, queue, said_ms } = recent;
                let agent = roster.of(&agent_id).cloned().unwrap_or_default();
                let (key, team, site) = (key(call_no, &alert_id), agent.team, agent.site);
                let alert = CountedAlert { key, severity, rule_id, pack, queue, team, site, stands: true };
                figures.see(&alert, said_ms.min(now_ms));
            }
        }
        Ok(Self {
            figures: Mutex::new(figures),
            told: watch::Sender::new(Utf8Bytes::default()),
            counts_alerts: longest.is_some(),
            counts_calls: thresholds.iter().any(|threshold| threshold.count != Counted::Alerts),
            zone,
        })
    }

    /// Whether alerts are counted at all.
    pub(crate) const fn counts_alerts(&self) -> bool {
        self.counts_alerts
    }

    /// Whether calls are counted at all.
    pub(crate) const fn counts_calls(&self) -> bool {
        self.counts_calls
    }

    /// Counts an alert that is kept, or takes it back.
    pub(crate) fn see(&self, alert: &CountedAlert) {
        self.lock().see(alert, clock::unix_ms());
    }

    /// Counts the calls in progress anew.
    pub(crate) fn measure<'a>(&self, calls: impl Iterator<Item = CountedCall<'a>> + Clone) {
        self.lock().measure(calls);
    }

    /// The message that tells all of them, and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Utf8Bytes> {
        self.told.subscribe()
    }

    /// How all of them stand.
    pub(crate) fn view(&self) -> Vec<Value> {
        self.lock().all().map(|(threshold, standing)| view(threshold, standing, self.zone)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) {
        let text = json!({"type": "thresholds", "thresholds": self.view()}).to_string();
        self.told.send_if_modified(|before| {
            let is_new = before.as_str() != text;
            *before = Utf8Bytes::from(text);
            is_new
        });
    }
}

/// The key by which an alert is counted.
pub(crate) fn key(call_no: i64, alert_id: &str) -> AlertKey {
    (call_no, u64::from_str_radix(alert_id, 16).unwrap_or_default())
}

fn view(threshold: &Threshold, standing: &Standing, zone: FixedOffset) -> Value {
    let Threshold { name, count, at_least, within_s, lasting_s, queue, team, site, severity, .. } = threshold;
    json!({
        "name": name, "count": count.name(), "queue": queue, "team": team, "site": site, "severity": severity, "value": standing.value,
        "at_least": at_least, "reached": standing.is_reached,
        "within_s": (*count == Counted::Alerts).then_some(within_s),
        "lasting_s": (!matches!(count, Counted::Alerts | Counted::Calls)).then_some(lasting_s),
        "message": sentence(threshold, standing.value),
        "told_at": standing.told_ms.and_then(|ms| wall_time(ms, zone)),
    })
}

/// Moves the figures with time, and tells those that are due. Ends with the server.
pub(crate) async fn run(shared: Arc<Shared>) {
    if shared.config.thresholds.is_empty() {
        return std::future::pending().await;
    }
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let now_ms = clock::unix_ms();
        let due: Vec<(Threshold, Standing)> = {
            let mut figures = shared.thresholds.lock();
            let places = figures.tick(now_ms);
            for (threshold, standing) in figures.all() {
                shared.metrics.threshold(&threshold.name, standing.value, standing.is_reached);
            }
            let all: Vec<_> = figures.all().collect();
            places.into_iter().map(|place| (all[place].0.clone(), all[place].1.clone())).collect()
        };
        for (threshold, standing) in due {
            tell(&shared, &threshold, &standing, now_ms).await;
        }
        shared.thresholds.show();
    }
}

async fn tell(shared: &Shared, threshold: &Threshold, standing: &Standing, at_ms: i64) {
    let mut message = view(threshold, standing, shared.config.utc_offset);
    message["type"] = "threshold".into();
    let webhooks = match &threshold.webhooks {
        Some(named) => {
            shared.outbox.names().filter(|name| named.iter().any(|wanted| **wanted == ***name)).cloned().collect()
        }
        None => shared.outbox.wanting(threshold.severity),
    };
    let crossing = Crossing { threshold: threshold.name.clone(), value: standing.value, at_ms };
    ThresholdCrossed { threshold: &threshold.name, value: standing.value }.report(&shared.metrics);
    match shared.journal.keep_crossing(crossing, webhooks, message.to_string()).await {
        Ok(Ok(())) => shared.outbox.wake(),
        Ok(Err(error)) => {
            tracing::warn!(threshold = threshold.name, %error, "a threshold could not be told to webhooks")
        }
        Err(_) => {}
    }
}
