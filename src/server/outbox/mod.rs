//! Delivery to webhooks: one task a webhook sends the messages that the journal stored for it, at
//! least once and in order. A webhook that is down delays no other.
//!
//! A message is a row that was committed together with the alert, so no crash loses it; the row
//! goes when the webhook took it. A receiver that answered just before a crash gets the message
//! again, under the same delivery id.
//!
//! Deliberately absent: redirects, proxies and parallel requests to one webhook.

pub(crate) mod webhook;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_tungstenite::tungstenite::Bytes;

use crate::server::clock;
use crate::server::config::{Config, WEBHOOK_ANSWER_BYTES_MAX, WEBHOOK_TIMEOUT};
use crate::server::net::client;
use crate::server::outbox::webhook::{Fault, Note, Outcome, Target, pause};
use crate::server::runtime::Shared;
use crate::server::runtime::journal::Batch;
use crate::server::store::{Letter, Record};
use crate::server::telemetry::events::{Happening as _, WebhookDelivered, WebhookFailed, WebhookGivenUp};
use crate::server::telemetry::metrics::Metrics;

/// How long to wait before a store that could not be read is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// No pause is longer, whatever a clock that was set back makes of it.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);
/// A connection that is not used for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The webhooks of one server, and the client that delivers to them.
#[derive(Debug)]
pub(crate) struct Deliveries {
    targets: Vec<Target>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Deliveries {
    /// The webhooks of the configuration.
    ///
    /// # Errors
    /// One of them cannot be used, or this machine has no certificates to check
    /// others against.
    pub(crate) fn new(config: &Config, metrics: &Metrics) -> Result<Self, String> {
        let targets = targets(config)?;
        for target in &targets {
            metrics.show_webhook(&target.name);
        }
        let connector = client::connector("webhooks", targets.iter().any(Target::is_https))?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { targets, client })
    }

    /// Tells a webhook something beside its alerts.
    pub(crate) async fn tell(&self, webhook: &str, delivery: &str, note: &Note<'_>) -> Outcome {
        let Some(target) = self.targets.iter().find(|target| *target.name == *webhook) else {
            return Outcome::Rejected(Fault::Unreachable(format!("there is no webhook {webhook}")));
        };
        match target.note(delivery, note, clock::unix_ms()) {
            Ok(request) => match self.answer(request).await {
                Ok((status, body)) => target.verdict(status, &body),
                Err(fault) => Outcome::Failed(fault),
            },
            Err(fault) => Outcome::Rejected(Fault::Unreachable(fault)),
        }
    }

    /// The number of webhooks.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Fault> {
        let answering = async {
            let answer = self.client.request(request).await.map_err(|fault| {
                let source = fault.source().map(|source| format!(": {source}")).unwrap_or_default();
                Fault::Unreachable(format!("{fault}{source}"))
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), WEBHOOK_ANSWER_BYTES_MAX).collect().await;
            match body {
                Ok(body) => Ok((status, body.to_bytes())),
                // Whether it was taken is told by the status.
                Err(_) => Ok((status, Bytes::new())),
            }
        };
        tokio::time::timeout(WEBHOOK_TIMEOUT, answering)
            .await
            .unwrap_or_else(|_| Err(Fault::Unreachable(format!("no answer within {} s", WEBHOOK_TIMEOUT.as_secs()))))
    }
}

/// Checks the webhooks of a configuration and reads their secrets.
pub(crate) fn targets(config: &Config) -> Result<Vec<Target>, String> {
    config.webhooks.iter().map(Target::new).collect()
}

/// Measures what is still to be delivered.
pub(crate) async fn measure(shared: &Shared) {
    if shared.outbox.names().next().is_none() {
        return;
    }
    // A store that cannot be read shows elsewhere; the last figures stand.
    let Ok(backlogs) = shared.store.backlogs().await else { return };
    let now_ms = clock::unix_ms();
    for name in shared.outbox.names() {
        let backlog = backlogs.iter().find(|backlog| *backlog.webhook == **name);
        let (letters, age_ms) = backlog.map_or((0, 0), |backlog| (backlog.letters, now_ms - backlog.oldest_ms));
        shared.metrics.outbox(name, letters, age_ms.max(0) / 1_000);
    }
}

/// Tells webhook number `index` what is kept for it, until the server drains.
/// An attempt that is under way then has half of the grace.
pub(crate) async fn run(shared: Arc<Shared>, deliveries: Arc<Deliveries>, index: usize) {
    let Some(target) = deliveries.targets.get(index) else { return };
    let mut kept = shared.outbox.bell();
    // What is settled may still be on its way to the store.
    let mut settled = 0;
    loop {
        kept.borrow_and_update();
        match shared.store.letter_after(Arc::clone(&target.name), settled).await {
            Ok(Some(letter)) => {
                settled = letter.outbox_no;
                if !see_through(&shared, &deliveries, target, letter).await {
                    return;
                }
            }
            Ok(None) => tokio::select! {
                () = shared.draining.cancelled() => return,
                _ = kept.changed() => {}
            },
            Err(_) => tokio::select! {
                () = shared.draining.cancelled() => return,
                () = tokio::time::sleep(STORE_PAUSE) => {}
            },
        }
    }
}

/// Tries until the webhook takes it, or never will. False when the server
/// drains before: then it stays in the store.
async fn see_through(shared: &Shared, deliveries: &Deliveries, target: &Target, letter: Letter) -> bool {
    let Letter { outbox_no, made_ms, mut due_ms, mut attempts, alert } = letter;
    let webhook = &*target.name;
    let delivery = format!("{:x}-{outbox_no}", shared.store_id);
    loop {
        let wait = Duration::from_millis(due_ms.saturating_sub(clock::unix_ms()).max(0).unsigned_abs());
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return false,
            () = tokio::time::sleep(wait.min(WAIT_MAX)) => {}
        }
        let verdict = tokio::select! {
            verdict = attempt(deliveries, target, &delivery, &alert) => verdict,
            () = hurry(shared) => return false,
        };
        let now_ms = clock::unix_ms();
        let (fault, is_rejected) = match verdict {
            Outcome::Delivered => {
                WebhookDelivered { webhook, attempts }.report(&shared.metrics);
                keep(shared, Record::Settled { outbox_no }).await;
                return true;
            }
            Outcome::Failed(fault) => (fault, false),
            Outcome::Rejected(fault) => (fault, true),
        };
        attempts = attempts.saturating_add(1);
        let pause = pause(shared.config.webhook_retry(), &delivery, attempts);
        due_ms = now_ms.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let last_ms = made_ms.saturating_add(i64::from(shared.config.webhook_days.get()) * DAY_MS);
        if is_rejected || due_ms > last_ms {
            WebhookGivenUp { webhook, delivery: &delivery, fault: &fault, attempts, is_rejected }
                .report(&shared.metrics);
            keep(shared, Record::Settled { outbox_no }).await;
            return true;
        }
        WebhookFailed { webhook, fault: &fault, attempts }.report(&shared.metrics);
        keep(shared, Record::Postponed { outbox_no, due_ms, attempts }).await;
    }
}

async fn attempt(deliveries: &Deliveries, target: &Target, delivery: &str, alert: &str) -> Outcome {
    match target.request(delivery, alert, clock::unix_ms()) {
        Ok(request) => match deliveries.answer(request).await {
            Ok((status, body)) => target.verdict(status, &body),
            Err(fault) => Outcome::Failed(fault),
        },
        Err(fault) => Outcome::Rejected(Fault::Unreachable(fault)),
    }
}

/// Completes when the server drains and half of its grace is over: the rest is
/// for what comes after.
async fn hurry(shared: &Shared) {
    shared.draining.cancelled().await;
    tokio::time::sleep(shared.config.shutdown_grace() / 2).await;
}

/// Has a change of the outbox committed with whatever waits.
async fn keep(shared: &Shared, record: Record) {
    let mut batch = Batch::default();
    batch.keep(record);
    shared.journal.commit(batch).await;
}
