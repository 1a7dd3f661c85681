//! The state that the tasks of one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::rule::RuleSet;
use crate::server::config::{Config, EXPORTS_MAX, HEALTH_CONNECTIONS_MAX, POSTS_MAX, TRIALS_MAX};
use crate::server::domain::form::VersionedForm;
use crate::server::domain::recording::{Monitors, Recordings};
use crate::server::rules::Rulebook;
use crate::server::runtime::agents::{Agents, Cursor};
use crate::server::runtime::cases::Cases;
use crate::server::runtime::command::Shards;
use crate::server::runtime::forms::Forms;
use crate::server::runtime::hands::Hands;
use crate::server::runtime::health::Health;
use crate::server::runtime::journal::Journal;
use crate::server::runtime::live::Live;
use crate::server::runtime::outbox::Outbox;
use crate::server::runtime::precision::Precision;
use crate::server::runtime::roster;
use crate::server::runtime::shares::Shares;
use crate::server::runtime::thresholds::Thresholds;
use crate::server::store::{AsyncReaders, Fact, Readers, StoreError};
use crate::server::telemetry::metrics::Metrics;

/// The state that the tasks of one server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) rules: Rulebook,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) shards: Shards,
    pub(crate) journal: Journal,
    /// Questions to the store, for code that may block.
    pub(crate) readers: Arc<Readers>,
    /// Questions to the store, for tasks.
    pub(crate) store: AsyncReaders,
    /// Bounds the requests whose posted events are taken at once.
    pub(crate) posts: Semaphore,
    /// Bounds the exports that are written at once.
    pub(crate) exports: Arc<Semaphore>,
    /// Bounds the questions about edited rules that are answered at once.
    pub(crate) trials: Arc<Semaphore>,
    /// One backtest at a time.
    pub(crate) backtests: Arc<Semaphore>,
    /// One step of a draft at a time: some write files.
    pub(crate) drafts: Mutex<()>,
    /// One model is learned at a time.
    pub(crate) lessons: Arc<Semaphore>,
    /// Tells cursors of this store from those of another.
    pub(crate) store_id: i64,
    pub(crate) agents: Agents,
    /// What agents are called.
    pub(crate) roster: roster::Agents,
    pub(crate) live: Live,
    pub(crate) outbox: Outbox,
    pub(crate) precision: Precision,
    /// The scoring forms in use.
    pub(crate) forms: Forms,
    /// Where calls can be heard.
    pub(crate) recordings: Option<Recordings>,
    /// The ways into calls in progress.
    pub(crate) monitors: Option<Monitors>,
    /// What supervisors do in calls in progress.
    pub(crate) hands: Hands,
    /// Figures over all calls.
    pub(crate) thresholds: Thresholds,
    /// The cases that reviewers have open.
    pub(crate) cases: Cases,
    /// Calls in progress over all shards.
    pub(crate) calls: AtomicUsize,
    /// The calls of each producer.
    pub(crate) shares: Shares,
    pub(crate) next_call_no: AtomicI64,
    /// Bounds the connections of all kinds.
    pub(crate) permits: Arc<Semaphore>,
    /// Bounds those beyond it, which are answered about health only.
    pub(crate) health_permits: Arc<Semaphore>,
    /// HTTP connections, up to their upgrade.
    pub(crate) requests: TaskTracker,
    /// Connections that feed the shards.
    pub(crate) producers: TaskTracker,
    /// Connections that the journal feeds.
    pub(crate) subscribers: TaskTracker,
    /// First step of a shutdown: nothing new is taken.
    pub(crate) draining: CancellationToken,
    /// Second: the producers are done, the shards stop.
    pub(crate) drained: CancellationToken,
    /// Third: shards and journal are done, subscribers write what is queued and close.
    pub(crate) closing: CancellationToken,
    /// Last: the grace is over.
    pub(crate) killed: CancellationToken,
}

/// The parts of [`Shared`] that the server makes first.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) rules: Rulebook,
    pub(crate) metrics: Metrics,
    pub(crate) shards: Shards,
    pub(crate) journal: Journal,
    pub(crate) readers: Readers,
    pub(crate) next_call_no: i64,
    pub(crate) recordings: Option<Recordings>,
    pub(crate) forms: Vec<VersionedForm>,
    pub(crate) monitors: Option<Monitors>,
    pub(crate) thresholds: Thresholds,
}

impl Shared {
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn new(parts: Parts) -> Result<Self, StoreError> {
        let Parts {
            config,
            rules,
            metrics,
            shards,
            journal,
            readers,
            next_call_no,
            recordings,
            monitors,
            thresholds,
            forms,
        } = parts;
        let readers = Arc::new(readers);
        let modes = monitors.as_ref().map_or(&[][..], Monitors::modes).iter().map(|mode| mode.name()).collect();
        Ok(Self {
            hands: Hands::new(config.utc_offset, modes),
            outbox: Outbox::new(&config.webhooks),
            permits: Arc::new(Semaphore::new(config.connections_max.get().min(Semaphore::MAX_PERMITS))),
            store_id: readers.store_id()?,
            roster: roster::Agents::new(readers.roster()?),
            config,
            rules,
            metrics,
            health: Health::new(),
            shards,
            journal,
            store: AsyncReaders::new(Arc::clone(&readers)),
            readers,
            posts: Semaphore::new(POSTS_MAX),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            trials: Arc::new(Semaphore::new(TRIALS_MAX)),
            backtests: Arc::new(Semaphore::new(1)),
            drafts: Mutex::new(()),
            lessons: Arc::new(Semaphore::new(1)),
            health_permits: Arc::new(Semaphore::new(HEALTH_CONNECTIONS_MAX)),
            agents: Agents::default(),
            live: Live::new(thresholds.counts_calls()),
            thresholds,
            monitors,
            precision: Precision::default(),
            forms: Forms::new(forms),
            recordings,
            cases: Cases::default(),
            calls: AtomicUsize::new(0),
            shares: Shares::default(),
            next_call_no: AtomicI64::new(next_call_no),
            requests: TaskTracker::new(),
            producers: TaskTracker::new(),
            subscribers: TaskTracker::new(),
            draining: CancellationToken::new(),
            drained: CancellationToken::new(),
            closing: CancellationToken::new(),
            killed: CancellationToken::new(),
        })
    }

    /// The rules for a call that begins now.
    pub(crate) fn rules(&self) -> Arc<RuleSet> {
        self.rules.current()
    }

    /// The cursor of the alert of that number in this store.
    pub(crate) const fn cursor(&self, number: i64) -> Cursor {
        Cursor { store: self.store_id, number }
    }

    /// Writes an audit entry that belongs to no other record of the store.
    /// False when it could not be written, which is logged.
    pub(crate) async fn audit(&self, fact: Fact) -> bool {
        let action = fact.action.name();
        match self.journal.audit(fact).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                tracing::error!(action, %error, "the audit could not be told");
                false
            }
            Err(_) => false,
        }
    }
}
