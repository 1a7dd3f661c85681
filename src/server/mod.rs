//! The server: sockets, tasks and a clock around the pure engine.
//!
//! ```text
//! ingest ──▶ shard (owns calls) ──▶ journal (commits) ──▶ agents' and watchers' connections
//!    ▲ acks ────────────────────────────┘  └──▶ store ◀── whoever catches up or asks
//! ```
//!
//! An event is applied by its shard, kept by the journal together with what it
//! raised, and only then acknowledged and shown. So a crash loses nothing that
//! was acknowledged or shown, and what was neither comes again from the producer.
//!
//! Every queue, buffer and map has a bound, and a policy for when it is full:
//! the table is in ARCHITECTURE.md.

mod agents;
mod clock;
mod config;
mod events;
mod feedback;
mod health;
mod http;
mod ingest;
mod journal;
mod metrics;
mod post;
mod push;
mod recovery;
mod refusal;
mod retention;
mod shard;
mod sse;
mod store;
mod ws;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::Config;
pub use push::CLOSE_SLOW;
pub use store::StoreError;

use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::{self, RuleSet};
use agents::Agents;
use config::{CLOSED_CALLS_MAX, QUESTIONS_MAX};
use events::{CloseReason, Happening as _, Recovery};
use health::Health;
use journal::{Job, Journal};
use metrics::Metrics;
use recovery::{Recovered, recover};
use refusal::Refusal;
use shard::{Command, Shard, Shards};
use store::{ClosedRow, Readers, Record, Store, Writer};

/// Rules, and the files that they were compiled from.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What calls run on.
    pub set: Arc<RuleSet>,
    /// What is kept, so that a call goes on with the rules that it began with.
    pub files: Vec<SourceFile>,
}

/// What the tasks of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: Config,
    rules: Rules,
    metrics: Metrics,
    health: Health,
    shards: Shards,
    journal: Journal,
    readers: Arc<Readers>,
    /// Bounds the questions that are answered at once.
    questions: Semaphore,
    /// Tells cursors of this store from those of another.
    store_id: i64,
    agents: Agents,
    /// Calls in progress over all shards.
    calls: AtomicUsize,
    next_call_no: AtomicI64,
    permits: Arc<Semaphore>,
    /// HTTP connections, up to their upgrade.
    requests: TaskTracker,
    /// Connections that feed the shards.
    producers: TaskTracker,
    /// Connections that the journal feeds.
    subscribers: TaskTracker,
    /// First step of a shutdown: nothing new is taken.
    draining: CancellationToken,
    /// Second: the producers are done, the shards stop.
    drained: CancellationToken,
    /// Third: shards and journal are done, subscribers write what is queued and close.
    closing: CancellationToken,
    /// Last: the grace is over.
    killed: CancellationToken,
}

impl Shared {
    /// The rules for a call that begins now.
    fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.set)
    }

    /// Asks the store beside its writer.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Readers) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _permit = self.questions.acquire().await.map_err(|_| Refusal::Stopping)?;
        let readers = Arc::clone(&self.readers);
        let answer = tokio::task::spawn_blocking(move || question(&readers)).await.map_err(|_| Refusal::Stopping)?;
        answer.map_err(|error| Refusal::StoreFailed { error: error.to_string() })
    }
}

/// A server that has its store and has taken up the calls in progress, but
/// takes no connections yet.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    shards: Vec<(Shard, mpsc::Receiver<Command>)>,
    writer: Writer,
    jobs: mpsc::Receiver<Job>,
    /// Held as long as the server lives.
    store: Store,
}

/// A rule file as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFile {
    name: String,
    text: String,
}

impl Server {
    /// Opens the store in the directory `data`, which is made if need be, and
    /// rebuilds the calls that were in progress.
    ///
    /// # Errors
    /// The store cannot be used ([`StoreError`]), or the metrics not be set up.
    pub fn open(config: Config, data: &Path, rules: Rules) -> io::Result<Self> {
        let began = clock::now();
        let metrics = Metrics::new().map_err(io::Error::other)?;
        let store = Store::open(data).map_err(io::Error::other)?;
        let mut writer = store.writer().map_err(io::Error::other)?;
        let readers = store.readers();
        let recovered = keep_and_recover(&mut writer, &readers, &rules).map_err(io::Error::other)?;
        let (queue, jobs) = Journal::new();
        let (shards, queues) = Shards::new(config.shard_count());
        let shared = Arc::new(Shared {
            metrics,
            shards,
            rules,
            health: Health::new(),
            journal: queue,
            questions: Semaphore::new(QUESTIONS_MAX),
            store_id: readers.store_id().map_err(io::Error::other)?,
            agents: Agents::default(),
            calls: AtomicUsize::new(0),
            next_call_no: AtomicI64::new(writer.next_call_no().map_err(io::Error::other)?),
            permits: Arc::new(Semaphore::new(config.connections_max.get().min(Semaphore::MAX_PERMITS))),
            requests: TaskTracker::new(),
            producers: TaskTracker::new(),
            subscribers: TaskTracker::new(),
            draining: CancellationToken::new(),
            drained: CancellationToken::new(),
            closing: CancellationToken::new(),
            killed: CancellationToken::new(),
            config,
            readers: Arc::new(readers),
        });
        let mut shards: Vec<_> = queues.into_iter().map(|queue| (Shard::new(Arc::clone(&shared)), queue)).collect();
        let now = clock::now();
        let mut closed = shared.readers.closed_calls(CLOSED_CALLS_MAX * shards.len()).map_err(io::Error::other)?;
        // The earliest first: what there is no room for is the oldest.
        while let Some(call) = closed.pop() {
            shards[shared.shards.place(&call.call_id)].0.remember(call);
        }
        let Recovered { calls, lost } = recovered;
        let took = now.saturating_duration_since(began);
        Recovery { calls: calls.len(), lost: lost.len(), took }.report(&shared.metrics);
        for call in calls {
            let place = shared.shards.place(&call.session.info().call_id);
            shards[place].0.resume(call, now);
        }
        Ok(Self { shared, shards, writer, jobs, store })
    }

    /// Serves on `listener` until `shutdown`, then drains within the grace of the
    /// config. Calls in progress are not ended by it: they are taken up again by
    /// the next server on the same store.
    ///
    /// # Errors
    /// A task of the server failed.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let Self { shared, shards, writer, jobs, store: _store } = self;
        // However this future ends, its tasks do not outlive it.
        let _kill = shared.killed.clone().drop_guard();
        let _drain = shared.draining.clone().drop_guard();
        let committing = tokio::task::spawn_blocking({
            let (shared, runtime) = (Arc::clone(&shared), tokio::runtime::Handle::current());
            move || journal::run(&shared, &runtime, writer, jobs)
        });
        let mut tasks = JoinSet::new();
        for (shard, queue) in shards {
            tasks.spawn(shard::run(shard, queue));
        }
        let failed = tokio::select! {
            () = shutdown => None,
            () = http::accept(Arc::clone(&shared), listener) => None,
            () = retention::run(Arc::clone(&shared)) => None,
            failed = tasks.join_next() => failed.and_then(Result::err),
        };
        tracing::info!("draining");
        shared.draining.cancel();
        let drain = async {
            close_and_wait(&shared.producers).await;
            shared.drained.cancel();
            while tasks.join_next().await.is_some() {}
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
fn keep_and_recover(writer: &mut Writer, readers: &Readers, rules: &Rules) -> Result<Recovered, StoreError> {
    let files: Vec<KeptFile> = rules
        .files
        .iter()
        .map(|SourceFile { name, text }| KeptFile { name: name.clone(), text: text.clone() })
        .collect();
    let files = serde_json::to_string(&files).expect("strings always serialise");
    writer.keep_rules(&rules.set.version, clock::unix_ms(), &files)?;
    let mut known = HashMap::from([(rules.set.version.clone(), Arc::clone(&rules.set))]);
    let recovered = recover(readers, |version| {
        let compiled = || kept_rules(readers, version).unwrap_or_else(|| Arc::clone(&rules.set));
        Arc::clone(known.entry(version.to_owned()).or_insert_with(compiled))
    })?;
    let closed_ms = clock::unix_ms();
    let reason = CloseReason::Panicked.name();
    let lost: Vec<Record> = recovered
        .lost
        .iter()
        .map(|&call_no| Record::Closed(Box::new(ClosedRow { call_no, reason, closed_ms, last_seq: None, end: None })))
        .collect();
    writer.commit(lost.iter())?;
    Ok(recovered)
}

/// The rules of an earlier version, compiled from the files that were kept.
fn kept_rules(readers: &Readers, version: &str) -> Option<Arc<RuleSet>> {
    let files: Vec<KeptFile> = serde_json::from_str(&readers.rule_files(version).ok()??).ok()?;
    let files: Vec<_> = files.into_iter().map(|KeptFile { name, text }| SourceFile { name, text }).collect();
    match rule::load(&files, version.to_owned()) {
        Ok(loaded) => Some(loaded.rules),
        Err(_) => {
            tracing::warn!(version, "earlier rules can no longer be used; their calls go on with the current ones");
            None
        }
    }
}

async fn close_and_wait(tracker: &TaskTracker) {
    tracker.close();
    tracker.wait().await;
}
