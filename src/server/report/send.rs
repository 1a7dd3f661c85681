//! The report on its way: once a week to everybody whom `[report]` names, over restarts, tried again until it is taken or
//! the next one is due.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::due::due;
use super::mail::{Letter, Post};
use super::{WeeklyReport, check, gather, words};
use crate::server::clock;
use crate::server::config::{Config, Report};
use crate::server::domain::principal::Who;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::terms::Audited;
use crate::server::outbox::Deliveries;
use crate::server::outbox::webhook::{Note, Outcome, pause};
use crate::server::runtime::Shared;
use crate::server::store::{Fact, ReportState, Span};
use crate::server::telemetry::events::{Happening as _, ReportSent};
use crate::server::telemetry::metrics::Metrics;

/// How often it is looked whether one is due.
const PERIOD: Duration = Duration::from_secs(60);

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "one of them is what it is about")]
pub(crate) enum Sent {
    Sent,
    /// Another attempt may succeed.
    Failed(String),
    /// It would never be taken.
    Rejected(String),
}

impl Sent {
    /// For people.
    pub(crate) fn told(self) -> Result<(), String> {
        match self {
            Self::Sent => Ok(()),
            Self::Failed(fault) | Self::Rejected(fault) => Err(fault),
        }
    }

    /// Its name in metrics and the audit.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed(_) => "failed",
            Self::Rejected(_) => "rejected",
        }
    }
}

/// The ways to the recipients.
#[derive(Debug)]
pub(crate) struct Sender {
    post: Option<Post>,
    deliveries: Arc<Deliveries>,
    /// Tells the mails of this server from those of others.
    store_id: i64,
}

impl Sender {
    /// A sender for one report.
    pub(super) fn new(config: &Config, metrics: &Metrics) -> Result<Self, String> {
        Self::of(config, Arc::new(Deliveries::new(config, metrics)?), 0)
    }

    /// The sender of a server.
    ///
    /// # Errors
    /// The mail server cannot be used.
    pub(crate) fn of(config: &Config, deliveries: Arc<Deliveries>, store_id: i64) -> Result<Self, String> {
        check(config)?;
        Ok(Self { post: Post::new(&config.report)?, deliveries, store_id })
    }

    /// Sends a report to all, one after the other.
    pub(crate) async fn send_to_all(&self, report: &WeeklyReport, config: &Config, now_ms: i64) -> Vec<(String, Sent)> {
        let mut told = Vec::new();
        for recipient in recipients(&config.report) {
            let sent = self.send(report, config, &recipient, now_ms, now_ms).await;
            told.push((recipient, sent));
        }
        told
    }

    /// Sends a report to one recipient. `made_ms` is part of what a repetition is known by.
    async fn send(&self, report: &WeeklyReport, config: &Config, recipient: &str, made_ms: i64, now_ms: i64) -> Sent {
        let language = config.report.language;
        let lines = words::lines(report, language);
        let (title, more) = lines.split_first().map_or(("", &[][..]), |(title, more)| (title.as_str(), more));
        let id = format!("report-{made_ms}.{:x}", self.store_id);
        match recipient.split_once(':') {
            Some(("mail", to)) => match &self.post {
                Some(post) => {
                    let id = format!("<{id}@tingjian>");
                    let (text, html) = (report.text(language), report.html(language));
                    let made = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
                    post.send(Letter { to, subject: title, text, html, id, made }).await
                }
                None => Sent::Rejected("no mail server".to_owned()),
            },
            Some((_, webhook)) => {
                let json = json!({"type": "report", "report": report});
                let note = Note { title, lines: more, link: report.link.as_deref(), json: &json };
                match self.deliveries.tell(webhook, &id, &note).await {
                    Outcome::Delivered => Sent::Sent,
                    Outcome::Failed(fault) => Sent::Failed(fault.to_string()),
                    Outcome::Rejected(fault) => Sent::Rejected(fault.to_string()),
                }
            }
            None => Sent::Rejected("no recipient".to_owned()),
        }
    }
}

/// Everybody who gets it: `mail:ADDRESS` or `webhook:NAME`.
fn recipients(config: &Report) -> Vec<String> {
    let mails = config.to.iter().map(|address| format!("mail:{address}"));
    mails.chain(config.webhooks.iter().map(|name| format!("webhook:{name}"))).collect()
}

/// Sends each week's report when it is due. Ends with the server.
pub(crate) async fn run(shared: Arc<Shared>, sender: Arc<Sender>) {
    loop {
        let wait = if shared.config.report.has_recipients() { round(&shared, &sender).await } else { PERIOD };
        tokio::select! {
            () = shared.draining.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Tries whoever did not get the report that is due; says how long nothing is to be done.
async fn round(shared: &Arc<Shared>, sender: &Sender) -> Duration {
    let config = &shared.config;
    let now = clock::wall_now(config.utc_offset);
    let Some(week) = due(now, config.report.weekday.into(), config.report.hour) else { return PERIOD };
    let until_ms = week.to_ms.unwrap_or_default();
    // A store that cannot be read shows elsewhere.
    let Ok(known) = shared.store.report_states(until_ms).await else { return PERIOD };
    let mut report = None;
    let mut next = PERIOD;
    for recipient in recipients(&config.report) {
        let state = known.iter().find(|state| state.recipient == recipient);
        let mut state = state.cloned().unwrap_or_else(|| ReportState::new(until_ms, recipient.clone()));
        let wait_ms = state.due_ms.saturating_sub(clock::unix_ms());
        if state.is_done {
            continue;
        }
        if wait_ms > 0 {
            next = next.min(Duration::from_millis(wait_ms.unsigned_abs()));
            continue;
        }
        if shared.draining.is_cancelled() {
            return PERIOD;
        }
        let report = match &report {
            Some(report) => report,
            None => match gather(shared, week).await {
                Ok(gathered) => report.insert(gathered),
                Err(_) => return PERIOD,
            },
        };
        if !report.has_calls() {
            // A new server has nothing to say; what is brought in later is told then.
            return PERIOD;
        }
        let sent = sender.send(report, config, &recipient, until_ms, clock::unix_ms()).await;
        state.attempts = state.attempts.saturating_add(1);
        state.is_done = !matches!(sent, Sent::Failed(_));
        let pause = pause(config.webhook_retry(), &recipient, state.attempts);
        let now_ms = clock::unix_ms();
        state.due_ms = now_ms.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let (result, attempts) = (sent.name(), state.attempts);
        let fault = sent.told().err();
        ReportSent { recipient: &recipient, result, fault: fault.as_deref(), attempts }.report(&shared.metrics);
        if state.is_done {
            shared.audit(fact(Who::server(), &recipient, week, result)).await;
        } else {
            next = next.min(pause);
        }
        if !matches!(shared.journal.keep_report_state(state).await, Ok(Ok(()))) {
            return PERIOD;
        }
    }
    next
}

/// The audit entry of a report that left the server.
fn fact(who: Who, recipient: &str, span: Span, result: &str) -> Fact {
    let detail = json!({"from_ms": span.from_ms, "to_ms": span.to_ms, "result": result});
    Fact { at_ms: clock::unix_ms(), who, action: Audited::Report, subject: recipient.to_owned(), detail }
}

/// Sends the report of a span to all now, as somebody asked; the weekly one stays as it is.
pub(crate) async fn send_now(
    shared: &Arc<Shared>,
    sender: &Sender,
    span: Span,
    who: Who,
) -> Result<Vec<(String, Sent)>, Refusal> {
    let report = gather(shared, span).await?;
    let told = sender.send_to_all(&report, &shared.config, clock::unix_ms()).await;
    for (recipient, sent) in &told {
        let fault = sent.clone().told().err();
        ReportSent { recipient, result: sent.name(), fault: fault.as_deref(), attempts: 1 }.report(&shared.metrics);
        shared.audit(fact(who.clone(), recipient, span, sent.name())).await;
    }
    Ok(told)
}
