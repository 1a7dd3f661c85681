//! The commands a shard answers, and the queues that carry them.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::adapter::native::{Event, Number};
use crate::engine::time::CallTime;
use crate::engine::transcript::CallInfo;
use crate::server::config::SHARD_QUEUE_MAX;
use crate::server::domain::refusal::Refusal;
use crate::server::runtime::live::{Audience, Listing, Look};
use crate::server::runtime::shares::Origin;
use crate::server::runtime::subscription::{Push, Subscription, Watchers};
use crate::server::store::Json;

/// A command to a shard.
#[derive(Debug)]
pub(crate) enum Command {
    /// Apply an event.
    Event(Delivery),
    /// A leg of a call connected.
    Join(Join),
    /// A supervisor wants to watch a call.
    Watch { call_id: String, reply: oneshot::Sender<Result<(Push, Subscription), Refusal>> },
    /// Asks which calls may have changed for this audience.
    List { audience: Arc<Audience>, reply: oneshot::Sender<Listing> },
    /// Asks for the rows of these calls.
    Look { call_ids: Vec<Arc<str>>, reply: oneshot::Sender<Vec<Look>> },
    /// A supervisor wants to do something in a call.
    Find { call_id: String, reply: oneshot::Sender<Option<Whereabouts>> },
    /// Somebody wants to see the utterances of a call that have no final.
    Unsettled { call_id: String, reply: oneshot::Sender<Vec<Json>> },
}

/// Where a call in progress stands.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    pub(crate) call_no: i64,
    pub(crate) call_id: Arc<str>,
    /// The agent who has it now.
    pub(crate) agent_id: Arc<str>,
    pub(crate) queue: Option<String>,
    pub(crate) started_at: String,
    pub(crate) started_ms: i64,
    pub(crate) clock: CallTime,
    /// It has ended, and waits for late words.
    pub(crate) is_over: bool,
    pub(crate) watchers: Option<Arc<Watchers>>,
}

/// An event on its way, and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) event: Event,
    /// The event as it is stored.
    pub(crate) json: Json,
    pub(crate) received: Instant,
    /// For whom a call that it starts counts.
    pub(crate) origin: Arc<Origin>,
    /// Has room for every event that its connection may have in flight, so a
    /// shard never waits for a connection.
    pub(crate) replies: mpsc::Sender<Reply>,
}

/// The outcome of one event.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) call_id: String,
    pub(crate) number: Number,
    pub(crate) outcome: Result<(), Refusal>,
}

/// A leg that connected.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) call_id: String,
    /// Starts the call if it is not in progress; without it, the leg waits until somebody does.
    pub(crate) start: Option<Box<CallInfo>>,
    /// When the leg's audio began.
    pub(crate) began: Instant,
    /// Who numbers its messages, if they are numbered.
    pub(crate) producer: Option<String>,
    /// For whom a call that it starts counts.
    pub(crate) origin: Arc<Origin>,
    /// Set when it has to wait for its call to begin.
    pub(crate) is_early: Arc<AtomicBool>,
    pub(crate) reply: oneshot::Sender<Result<Joined, Refusal>>,
}

/// A leg's place in its call.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    /// The leg's number, from 0.
    pub(crate) leg: u32,
    /// The call's time at which its audio began; before the answer if the leg came first.
    pub(crate) began: CallTime,
    /// The agent who has the call.
    pub(crate) agent_id: Arc<str>,
    /// The numbers of its producer that the call has had.
    pub(crate) heard: HashSet<u64>,
}

/// The queues of all shards.
#[derive(Debug)]
pub(crate) struct Shards {
    queues: Vec<mpsc::Sender<Command>>,
    /// Decides a call's shard; seeded, so that a producer cannot aim at one.
    hasher: RandomState,
}

impl Shards {
    /// One queue a shard, and the other ends for [`run`].
    pub(crate) fn new(count: usize) -> (Self, Vec<mpsc::Receiver<Command>>) {
        let (queues, ends) = (0..count).map(|_| mpsc::channel(SHARD_QUEUE_MAX)).unzip();
        (Self { queues, hasher: RandomState::new() }, ends)
    }

    /// The index of the shard that owns a call.
    pub(crate) fn place(&self, call_id: &str) -> usize {
        let count = self.queues.len() as u64;
        usize::try_from(self.hasher.hash_one(call_id) % count).unwrap_or(0)
    }

    /// Queues `command` at the shard of `call_id`, waiting for room.
    pub(crate) async fn send(&self, call_id: &str, command: Command) -> Result<(), Refusal> {
        match self.queues.get(self.place(call_id)) {
            Some(queue) => queue.send(command).await.map_err(|_| Refusal::Stopping),
            None => Err(Refusal::Stopping),
        }
    }

    /// The number of shards.
    pub(crate) const fn count(&self) -> usize {
        self.queues.len()
    }

    /// Queues what `command` makes of the way back at a shard, and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        shard: usize,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Refusal> {
        let queue = self.queues.get(shard).ok_or(Refusal::Stopping)?;
        let (reply, answer) = oneshot::channel();
        queue.send(command(reply)).await.map_err(|_| Refusal::Stopping)?;
        answer.await.map_err(|_| Refusal::Stopping)
    }

    /// The number of queued commands, by shard.
    pub(crate) fn depths(&self) -> impl Iterator<Item = usize> {
        self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity())
    }
}
