//! Forgetting: what is older than the config keeps is removed, by itself.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::server::clock;
use crate::server::config::Retention;
use crate::server::runtime::Shared;
use crate::server::store::{Forgotten, Horizon};
use crate::server::telemetry::events::{Happening as _, RowsForgotten};

/// The time between two rounds.
const PERIOD: Duration = Duration::from_secs(60 * 60);
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Removes what is too old, now and every hour. Ends with the server.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        forget(&shared).await;
    }
}

/// One round, in small steps, so that no commit waits long for one.
async fn forget(shared: &Shared) {
    let now_ms = clock::unix_ms();
    let Retention { transcript_days, alert_days } = shared.config.retention;
    let before = |days: NonZeroU32| now_ms - i64::from(days.get()) * DAY_MS;
    let horizon = Horizon {
        transcripts_ms: before(transcript_days),
        alerts_ms: before(alert_days),
        // A webhook that is still configured has given up by then.
        outbox_ms: before(shared.config.webhook_days) - DAY_MS,
    };
    let mut forgotten = Forgotten::default();
    loop {
        match shared.journal.forget(horizon).await {
            Ok(Ok(gone)) if gone == Forgotten::default() => break,
            Ok(Ok(Forgotten { calls, events, alerts, reviews, webhooks, rule_versions })) => {
                forgotten.calls += calls;
                forgotten.events += events;
                forgotten.alerts += alerts;
                forgotten.reviews += reviews;
                forgotten.webhooks += webhooks;
                forgotten.rule_versions += rule_versions;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot remove what is too old");
                break;
            }
            Err(_) => break,
        }
    }
    // The entry also covers removals of an earlier round that a crash cut short.
    let told = shared.journal.tell_forgotten(horizon, now_ms).await;
    if let Ok(Err(error)) = told {
        tracing::warn!(%error, "the audit could not be told what was removed");
    }
    let Forgotten { calls, events: transcript_rows, alerts, reviews, webhooks, rule_versions } = forgotten;
    RowsForgotten { calls, transcript_rows, alerts, reviews, webhooks, rule_versions }.report(&shared.metrics);
}
