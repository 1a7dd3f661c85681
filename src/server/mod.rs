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

mod access;
mod agents;
mod clock;
mod config;
mod events;
mod http;
mod ingest;
mod limit;
mod metrics;
mod push;
mod refusal;
mod rules;
mod shard;
mod tls;
mod ws;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{
    Alerts, Config, ConfigError, OriginName, Retention, Secret, SecretSource, Tls, TokenSource, Tokens, Webhook,
    WebhookStyle,
};
pub use push::CLOSE_SLOW;
pub use rules::{LoadedRules, RejectedRules, Rulebook};

use crate::adapter::native;
use access::Access;
use agents::Feeds;
use metrics::Metrics;
use shard::Shards;

/// What the tasks of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: Config,
    rules: Rulebook,
    access: Access,
    tls: Option<tls::Acceptor>,
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
    rules: impl Into<Rulebook>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (shards, queues) = Shards::new(config.shard_count());
    let shared = Arc::new(Shared {
        metrics: Metrics::new().map_err(io::Error::other)?,
        shards,
        rules: rules.into(),
        access: Access::new(&config, address).map_err(io::Error::other)?,
        tls: tls::acceptor(&config.tls).map_err(io::Error::other)?,
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
    let watching = rules::watch(&shared);
    let mut tasks = JoinSet::new();
    for queue in queues {
        tasks.spawn(shard::run(Arc::clone(&shared), queue));
    }
    let failed = tokio::select! {
        () = shutdown => None,
        () = http::accept(Arc::clone(&shared), listener) => None,
        () = watching => None,
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

/// Whether a server of this configuration can listen at `address`: whether its
/// files of tokens and its certificate can be used, and whether it has tokens
/// where it needs them. [`run`] asks the same; who asks first can say it
/// before anything is started.
///
/// # Errors
/// What is wrong and what to do.
pub fn check(config: &Config, address: SocketAddr) -> Result<(), String> {
    Access::new(config, address)?;
    tls::acceptor(&config.tls)?;
    Ok(())
}

/// A token for `agent_id`, good for `lifetime` from now.
///
/// # Errors
/// The configuration has no `tokens.agent_secret`, its file cannot be read, or
/// nobody can have such an id.
pub fn agent_token(config: &Config, agent_id: &str, lifetime: Duration) -> Result<String, String> {
    native::check_id("agent_id", agent_id).map_err(|fault| fault.to_string())?;
    let Some(secret) = config.tokens.read_agent_secret()? else {
        return Err("配置里没有 tokens.agent_secret / the configuration has no tokens.agent_secret".to_owned());
    };
    let now_s = clock::unix_ms() / 1_000;
    let expires_s = now_s.saturating_add_unsigned(lifetime.as_secs());
    Ok(access::sign_agent_token(&secret, agent_id, expires_s))
}

async fn close_and_wait(tracker: &TaskTracker) {
    tracker.close();
    tracker.wait().await;
}
