//! The server: sockets, tasks and a clock around the pure engine.
//!
//! ```text
//! ingest ──▶ shard (owns calls) ──▶ journal (commits) ──▶ agents' and watchers' connections
//!    ▲ acks ────────────────────────────┘  └──▶ store ◀── whoever catches up or asks
//!                                                 └──▶ outbox ──▶ webhooks
//! ```
//!
//! An event is applied by its shard, kept by the journal together with what it
//! raised, and only then acknowledged and shown. So a crash loses nothing that
//! was acknowledged or shown, and what was neither comes again from the producer.
//!
//! Every queue, buffer and map has a bound, and a policy for when it is full:
//! the table is in ARCHITECTURE.md.

mod clock;
mod config;
mod domain;
mod export;
mod feeds;
mod filter;
mod http;
mod ingest;
#[cfg(test)]
mod layers;
mod net;
mod outbox;
mod report;
mod rules;
mod runtime;
mod store;
mod telemetry;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub use crate::server::config::{
    AgentsFile, Alerts, Cluster, Confidence, Config, ConfigError, Consume, ConsumeFrom, Counted, FormsDirectory,
    Holders, MailServer, MonitorMode, MonitorUrl, OriginName, PersonTokens, Place, Plan, Recording, RecordingUrl,
    Report, ReportDay, ReportLanguage, Retention, Review, SampledBy, Sasl, Score, Secret, SecretSource, Supervision,
    Threshold, Tls, TokenSource, Tokens, Upstream, Webhook, WebhookStyle, listen_address,
};
pub use crate::server::export::{AlertFile, ExportError, FORMATS, ReviewedTurn, ReviewedTurns, export_store};
pub use crate::server::feeds::push::CLOSE_SLOW;
pub use crate::server::http::api::audit::{AuditError, Verified, read_audit, verify_audit};
pub use crate::server::http::api::rules::backtest::{Selection, StoredCalls};
pub use crate::server::report::PreparedReport;
pub use crate::server::rules::history::{RuleLoad, rule_history};
pub use crate::server::rules::{LoadedRules, RejectedRules, Rulebook};
pub use crate::server::store::{BackupError, MoveError, MoveTo, MovedTable, StoreError, back_up, migrate, restore};

use crate::adapter::native;
use crate::engine::text;
use crate::server::config::{CLOSED_CALLS_MAX, CLOSED_NUMBERS_BYTES_MAX};
use crate::server::domain::principal::Who;
use crate::server::domain::recording::{Monitors, Recordings};
use crate::server::domain::terms::{CloseReason, Trigger};
use crate::server::feeds::live;
use crate::server::http::Door;
use crate::server::ingest::consume;
use crate::server::outbox::Deliveries;
use crate::server::runtime::journal::{Job, Journal};
use crate::server::runtime::recovery::{Recovered, recover};
use crate::server::runtime::shard::{Command, Shard, Shards};
use crate::server::runtime::thresholds::{self, Thresholds};
use crate::server::runtime::{
    Parts, Shared, forms, hands, journal, precision, reload, retention, roster, sampling, shard,
};
use crate::server::store::{ClosedRow, LoadRow, Readers, Record, Store, Writer};
use crate::server::telemetry::events::{Happening as _, Recovery};
use crate::server::telemetry::metrics::Metrics;

/// A server that has its store and has taken up the calls in progress, but
/// takes no connections yet.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    door: Door,
    deliveries: Arc<Deliveries>,
    /// The buses out of which events come.
    buses: Vec<Arc<consume::Target>>,
    sender: Arc<report::Sender>,
    shards: Vec<(Shard, mpsc::Receiver<Command>)>,
    writer: Writer,
    jobs: mpsc::Receiver<Job>,
    /// Held as long as the server lives.
    store: Store,
}

impl Server {
    /// Opens the store, which is made if need be, and rebuilds the calls that
    /// were in progress. `address` is where the server will listen.
    ///
    /// # Errors
    /// The store cannot be used ([`StoreError`]), the configuration cannot at
    /// that address (see [`check`]), or the metrics cannot be set up.
    pub fn open(config: Config, rules: impl Into<Rulebook>, address: SocketAddr) -> io::Result<Self> {
        Self::open_by(config, rules.into(), address, clock::now, clock::unix_ms)
    }

    /// Opens a server whose clocks are given.
    fn open_by(
        config: Config,
        rules: Rulebook,
        address: SocketAddr,
        now: impl Fn() -> Instant,
        unix_ms: impl Fn() -> i64,
    ) -> io::Result<Self> {
        let began = now();
        // The first call with a match should not wait for the dictionary.
        text::preload();
        let metrics = Metrics::new().map_err(io::Error::other)?;
        let door = Door::new(&config, address).map_err(io::Error::other)?;
        let deliveries = Arc::new(Deliveries::new(&config, &metrics).map_err(io::Error::other)?);
        let buses = consume::targets(&config).map_err(io::Error::other)?;
        buses.iter().for_each(|bus| metrics.show_bus(bus.name()));
        let forms =
            forms::read(config.forms.directory.as_deref()).map_err(|rejected| io::Error::other(rejected.text))?;
        let recordings = Recordings::new(&config.recording).map_err(io::Error::other)?;
        let monitors = Monitors::new(&config.supervision).map_err(io::Error::other)?;
        let store = Store::of(&config).map_err(io::Error::other)?;
        let mut writer = store.writer().map_err(io::Error::other)?;
        let readers = store.readers();
        let agents = roster::read(config.agents.file.as_deref()).map_err(|rejected| io::Error::other(rejected.text))?;
        writer.keep_roster(&agents).map_err(io::Error::other)?;
        let recovered = keep_and_recover(&mut writer, &readers, &rules, unix_ms()).map_err(io::Error::other)?;
        let (journal, jobs) = Journal::new();
        let (shards, queues) = Shards::new(config.shard_count());
        let next_call_no = writer.next_call_no().map_err(io::Error::other)?;
        let thresholds = Thresholds::resume(&config.thresholds, &readers, config.utc_offset, unix_ms());
        let thresholds = thresholds.map_err(io::Error::other)?;
        let parts = Parts {
            monitors,
            thresholds,
            config,
            rules,
            metrics,
            shards,
            journal,
            readers,
            next_call_no,
            recordings,
            forms,
        };
        let shared = Arc::new(Shared::new(parts).map_err(io::Error::other)?);
        precision::begin(&shared).map_err(io::Error::other)?;
        let mut shards: Vec<_> = queues.into_iter().map(|queue| (Shard::new(Arc::clone(&shared)), queue)).collect();
        let now = now();
        let mut closed = shared
            .readers
            .closed_calls(CLOSED_CALLS_MAX * shards.len(), CLOSED_NUMBERS_BYTES_MAX * shards.len())
            .map_err(io::Error::other)?;
        // The earliest first: what there is no room for is the oldest.
        while let Some(call) = closed.pop() {
            shards[shared.shards.place(&call.call_id)].0.remember(call);
        }
        let Recovered { calls, lost } = recovered;
        let took = now.saturating_duration_since(began);
        Recovery { calls: calls.len(), lost: lost.len(), took }.report(&shared.metrics);
        for call in calls {
            let place = shared.shards.place(&call.state.session.info().call_id);
            let (shard, _) = &mut shards[place];
            shard.begin(unix_ms());
            shard.resume(call, now);
        }
        // The replay may have come to other alerts than were told.
        let mut differences = shards.iter_mut().map(|(shard, _)| shard.take_batch()).collect();
        journal::try_settle(&shared, &mut writer, &mut differences).map_err(io::Error::other)?;
        shared.hands.resume(shared.readers.supervised_calls().map_err(io::Error::other)?, now);
        let sender = report::Sender::of(&shared.config, Arc::clone(&deliveries), shared.store_id);
        let sender = Arc::new(sender.map_err(io::Error::other)?);
        Ok(Self { shared, door, deliveries, buses, sender, shards, writer, jobs, store })
    }

    /// Serves on `listener` until `shutdown`, then drains within the grace of the
    /// config. Calls in progress are not ended by it: they are taken up again by
    /// the next server on the same store.
    ///
    /// # Errors
    /// A task of the server failed.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { shared, door, deliveries, buses, sender, shards, writer, jobs, store: _store } = self;
        // However this future ends, its tasks do not outlive it.
        let _kill = shared.killed.clone().drop_guard();
        let _drain = shared.draining.clone().drop_guard();
        let committing = tokio::task::spawn_blocking({
            let (shared, runtime) = (Arc::clone(&shared), tokio::runtime::Handle::current());
            move || journal::run(&shared, &runtime, writer, jobs)
        });
        let mut tasks = JoinSet::new();
        // Each on a thread of its own: however long an event takes, connections and health are served.
        for (shard, queue) in shards {
            let runtime = tokio::runtime::Handle::current();
            tasks.spawn_blocking(move || runtime.block_on(shard::run(shard, queue)));
        }
        let mut senders = JoinSet::new();
        for index in 0..deliveries.len() {
            senders.spawn(outbox::run(Arc::clone(&shared), Arc::clone(&deliveries), index));
        }
        senders.spawn(live::run(Arc::clone(&shared)));
        for bus in buses {
            shared.producers.spawn(consume::run(Arc::clone(&shared), bus));
        }
        senders.spawn(report::run(Arc::clone(&shared), Arc::clone(&sender)));
        let watching = reload::watch(&shared);
        let watching_agents = roster::watch(&shared);
        let watching_forms = forms::watch(&shared);
        let failed = tokio::select! {
            () = shutdown => None,
            () = http::accept(Arc::clone(&shared), door, sender, listener) => None,
            () = watching => None,
            () = watching_agents => None,
            () = watching_forms => None,
            () = retention::run(Arc::clone(&shared)) => None,
            () = sampling::run(Arc::clone(&shared)) => None,
            () = hands::run(Arc::clone(&shared)) => None,
            () = thresholds::run(Arc::clone(&shared)) => None,
            failed = tasks.join_next() => failed.and_then(Result::err),
            Some(Err(failed)) = senders.join_next() => Some(failed),
        };
        tracing::info!("draining");
        shared.draining.cancel();
        let drain = async {
            close_and_wait(&shared.producers).await;
            shared.drained.cancel();
            while tasks.join_next().await.is_some() {}
            while senders.join_next().await.is_some() {}
            shared.journal.stop().await;
            let committed = committing.await;
            shared.closing.cancel();
            close_and_wait(&shared.subscribers).await;
            close_and_wait(&shared.requests).await;
            committed
        };
        match tokio::time::timeout(shared.config.shutdown_grace(), drain).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(io::Error::other(error)),
            Err(_) => tracing::warn!("the grace period is over; closing what is left"),
        }
        failed.map_or(Ok(()), |error| Err(io::Error::other(error)))
    }
}

/// Keeps the files of these rules and rebuilds the calls in progress, each with
/// the rules that it began with.
fn keep_and_recover(
    writer: &mut Writer,
    readers: &Readers,
    rules: &Rulebook,
    unix_ms: i64,
) -> Result<Recovered, StoreError> {
    let current = rules.current();
    writer.load_rules(&LoadRow {
        version: current.version.clone(),
        files: rules.first_files().to_owned(),
        digests: rules::digests(&current),
        loaded_ms: unix_ms,
        who: Who::server(),
        trigger: Trigger::Start,
    })?;
    let mut known = HashMap::from([(current.version.clone(), Arc::clone(&current))]);
    let recovered = recover(readers, |version| {
        let compiled = || rules::kept(readers, version).unwrap_or_else(|| Arc::clone(&current));
        Arc::clone(known.entry(version.to_owned()).or_insert_with(compiled))
    })?;
    let reason = CloseReason::Panicked;
    let mut lost: Vec<Record> = recovered
        .lost
        .iter()
        .map(|&call_no| {
            Record::Closed(Box::new(ClosedRow {
                call_no,
                reason,
                closed_ms: unix_ms,
                numbers: None,
                end: None,
                duties: Vec::new(),
            }))
        })
        .collect();
    writer.commit(&mut lost)?;
    Ok(recovered)
}

/// Whether a server of this configuration can listen at `address`: whether its
/// files of tokens, agents and forms, its certificate and its webhooks can be used, and whether
/// it has tokens where it needs them. [`Server::open`] checks the same; a caller who checks first
/// can report the fault before anything is started.
///
/// # Errors
/// The fault and the remedy.
pub fn check(config: &Config, address: SocketAddr) -> Result<(), String> {
    Door::new(config, address)?;
    outbox::targets(config)?;
    consume::targets(config)?;
    report::check(config)?;
    Recordings::new(&config.recording)?;
    roster::read(config.agents.file.as_deref()).map_err(|rejected| rejected.text)?;
    forms::read(config.forms.directory.as_deref()).map_err(|rejected| rejected.text)?;
    Monitors::new(&config.supervision)?;
    Ok(())
}

/// The time of the clock on the wall in a zone.
#[must_use]
pub fn wall_now(zone: FixedOffset) -> DateTime<FixedOffset> {
    clock::wall_now(zone)
}

/// A token for `agent_id`, good for `lifetime` from now.
///
/// # Errors
/// The configuration has no `tokens.agent_secret`, its file cannot be read, or
/// `agent_id` is no valid id.
pub fn agent_token(config: &Config, agent_id: &str, lifetime: Duration) -> Result<String, String> {
    native::check_id("agent_id", agent_id).map_err(|fault| fault.to_string())?;
    let Some(secret) = config.tokens.read_agent_secret()? else {
        return Err("配置里没有 tokens.agent_secret：用 openssl rand -hex 32 生成一个，写进配置文件的 [tokens]，再用 --config 指定 / the configuration has no tokens.agent_secret: make one with openssl rand -hex 32, put it under [tokens] of the file, and name the file with --config".to_owned());
    };
    let now_s = clock::unix_ms() / 1_000;
    let expires_s = now_s.saturating_add_unsigned(lifetime.as_secs());
    Ok(http::sign_agent_token(&secret, agent_id, expires_s))
}

async fn close_and_wait(tracker: &TaskTracker) {
    tracker.close();
    tracker.wait().await;
}
