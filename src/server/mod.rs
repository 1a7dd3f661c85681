//! The server: sockets, tasks and a clock around the pure engine.
//!
//! ```text
//! ingest ──▶ shard (owns calls) ──▶ feeds ──▶ agents' sockets
//!    ▲ acks ──┘        └──────────▶ watchers' sockets
//! ```
//!
//! | queue | bound | when it is full |
//! |---|---|---|
//! | frames of a producer | its socket | the producer waits |
//! | events of a connection under way | `IN_FLIGHT_MAX` | its frames wait in the socket |
//! | commands of a shard | `SHARD_QUEUE_MAX` | connections wait, nothing is dropped |
//! | replies to a connection | `IN_FLIGHT_MAX` | cannot be: one an event under way |
//! | messages of a subscriber | `SUBSCRIBER_QUEUE_MAX` | it is closed with [`push::CLOSE_SLOW`] |
//! | an agent's remembered alerts | `FEED_ALERTS_MAX` | the oldest goes; `after` beyond it is told a gap |
//! | agents with remembered alerts | `FEEDS_MAX` | idle ones go; without any, new agents' alerts are counted, not kept |
//! | calls, connections | [`Config`] | refused with a code |
//!
//! Nothing here is durable yet: an acknowledgement says that the event was
//! applied, and calls in progress and remembered alerts go with the process.

mod agents;
mod clock;
mod config;
mod events;
mod http;
mod ingest;
mod metrics;
mod push;
mod refusal;
mod shard;
mod ws;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::Config;
pub use push::CLOSE_SLOW;

use crate::engine::rule::RuleSet;
use agents::Feeds;
use metrics::Metrics;
use shard::Shards;

/// What the tasks of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: Config,
    rules: Arc<RuleSet>,
    metrics: Metrics,
    shards: Shards,
    feeds: Feeds,
    /// Calls in progress over all shards.
    calls: AtomicUsize,
    permits: Arc<Semaphore>,
    /// HTTP connections, up to their upgrade.
    requests: TaskTracker,
    /// Connections that feed the shards.
    producers: TaskTracker,
    /// Connections that the shards feed.
    subscribers: TaskTracker,
    /// First step of a shutdown: nothing new is taken.
    draining: CancellationToken,
    /// Second: the producers are done, the shards stop.
    drained: CancellationToken,
    /// Third: the shards are done, subscribers write what is queued and close.
    closing: CancellationToken,
    /// Last: the grace is over.
    killed: CancellationToken,
}

/// Serves on `listener` until `shutdown`, then drains within the grace of the
/// config. Calls in progress are not ended by it: a shutdown is no verdict.
///
/// # Errors
/// The metrics could not be set up, or a shard failed.
pub async fn run(
    listener: TcpListener,
    config: Config,
    rules: Arc<RuleSet>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (shards, queues) = Shards::new(config.shard_count());
    let shared = Arc::new(Shared {
        metrics: Metrics::new().map_err(io::Error::other)?,
        shards,
        rules,
        feeds: Feeds::new(),
        calls: AtomicUsize::new(0),
        permits: Arc::new(Semaphore::new(config.connections_max.get().min(Semaphore::MAX_PERMITS))),
        requests: TaskTracker::new(),
        producers: TaskTracker::new(),
        subscribers: TaskTracker::new(),
        draining: CancellationToken::new(),
        drained: CancellationToken::new(),
        closing: CancellationToken::new(),
        killed: CancellationToken::new(),
        config,
    });
    // However this future ends, its tasks do not outlive it.
    let _kill = shared.killed.clone().drop_guard();
    let _drain = shared.draining.clone().drop_guard();
    let mut tasks = JoinSet::new();
    for queue in queues {
        tasks.spawn(shard::run(Arc::clone(&shared), queue));
    }
    let failed = tokio::select! {
        () = shutdown => None,
        () = http::accept(Arc::clone(&shared), listener) => None,
        failed = tasks.join_next() => failed.and_then(Result::err),
    };
    tracing::info!("draining");
    shared.draining.cancel();
    let drain = async {
        close_and_wait(&shared.producers).await;
        shared.drained.cancel();
        while tasks.join_next().await.is_some() {}
        shared.closing.cancel();
        close_and_wait(&shared.subscribers).await;
        close_and_wait(&shared.requests).await;
    };
    if tokio::time::timeout(shared.config.shutdown_grace(), drain).await.is_err() {
        tracing::warn!("the grace period is over; closing what is left");
    }
    failed.map_or(Ok(()), |error| Err(io::Error::other(error)))
}

async fn close_and_wait(tracker: &TaskTracker) {
    tracker.close();
    tracker.wait().await;
}
