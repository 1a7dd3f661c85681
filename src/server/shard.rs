//! Shards: tasks that own the calls. A call lives in one shard for good, so
//! nothing on the way of an event is locked but the feed of an agent who has
//! an alert.
//!
//! A shard has one bounded queue in, and one heap of moments at which a call
//! wants to be woken. Entries are deleted lazily: an entry counts only while
//! its call is still armed for that very moment.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Shared;
use super::clock::{self, CallClock};
use super::config::{SHARD_BATCH_MAX, SHARD_QUEUE_MAX, WATCHERS_MAX};
use super::events::{CallClosed, CallStarted, CloseReason, Happening as _};
use super::push::{Push, Subscriber, Subscription, subscription};
use super::refusal::Refusal;
use crate::adapter::alert_json::wall_time;
use crate::adapter::native::{self, Event, EventBody};
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Input};
use crate::session::Session;

/// What a shard is asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// Apply an event.
    Event(Delivery),
    /// A leg of a call connected.
    Join(Join),
    /// A supervisor wants to watch a call.
    Watch { call_id: String, reply: oneshot::Sender<Result<(Push, Subscription), Refusal>> },
}

/// An event on its way, and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) event: Event,
    pub(crate) received: Instant,
    /// Has room for every event that its connection may have in flight, so a
    /// shard never waits for a connection.
    pub(crate) replies: mpsc::Sender<Reply>,
}

/// What became of one event.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) call_id: String,
    pub(crate) seq: Option<u64>,
    pub(crate) outcome: Result<(), Refusal>,
}

/// A leg that connected.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) call_id: String,
    /// Starts the call if it is not in progress.
    pub(crate) start: Option<(Box<CallInfo>, Option<u64>)>,
    /// When the leg's audio began.
    pub(crate) began: Instant,
    pub(crate) reply: oneshot::Sender<Result<Joined, Refusal>>,
}

/// A leg's place in its call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joined {
    /// The leg's number, from 0.
    pub(crate) leg: u32,
    /// The call's time at which its audio began.
    pub(crate) began: CallTime,
}

/// The queues of all shards.
#[derive(Debug)]
pub(crate) struct Shards {
    queues: Vec<mpsc::Sender<Command>>,
    /// Decides a call's shard; seeded, so that nobody can aim at one.
    hasher: RandomState,
}

impl Shards {
    /// As many queues as the config wants, and their other ends for [`run`].
    pub(crate) fn new(count: usize) -> (Self, Vec<mpsc::Receiver<Command>>) {
        let (queues, ends) = (0..count).map(|_| mpsc::channel(SHARD_QUEUE_MAX)).unzip();
        (Self { queues, hasher: RandomState::new() }, ends)
    }

    /// Queues `command` at the shard of `call_id`, waiting for room.
    pub(crate) async fn send(&self, call_id: &str, command: Command) -> Result<(), Refusal> {
        let count = self.queues.len() as u64;
        let place = usize::try_from(self.hasher.hash_one(call_id) % count).unwrap_or(0);
        match self.queues.get(place) {
            Some(queue) => queue.send(command).await.map_err(|_| Refusal::Stopping),
            None => Err(Refusal::Stopping),
        }
    }

    /// How many commands wait for each shard.
    pub(crate) fn depths(&self) -> impl Iterator<Item = usize> {
        self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity())
    }
}

/// Runs one shard until all of its queue's senders are gone or the server kills it.
pub(crate) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Command>) {
    let mut shard = Shard { shared: Arc::clone(&shared), calls: HashMap::new(), alarms: BinaryHeap::new(), serial: 0 };
    let mut batch = Vec::with_capacity(SHARD_BATCH_MAX);
    loop {
        let alarm = shard.next_alarm();
        tokio::select! {
            biased;
            () = shared.drained.cancelled() => break,
            count = queue.recv_many(&mut batch, SHARD_BATCH_MAX) => {
                if count == 0 {
                    break;
                }
            }
            () = sleep_until(alarm) => {}
        }
        let mut heard_until = None;
        for command in batch.drain(..) {
            heard_until = shard.take(command).or(heard_until);
        }
        // An event that still waits arrived in time, though it is not applied
        // yet: deadlines must not run ahead of what was received.
        let now = match heard_until {
            Some(received) if !queue.is_empty() => received,
            _ => clock::now(),
        };
        shard.wake_due(now);
    }
    shard.close_all();
}

async fn sleep_until(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Shard {
    shared: Arc<Shared>,
    calls: HashMap<Arc<str>, Slot>,
    alarms: BinaryHeap<Reverse<Alarm>>,
    /// Of the last call, so that an alarm never wakes a later call of the same id.
    serial: u64,
}

/// A moment at which a call may want to be woken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alarm {
    at: Instant,
    serial: u64,
    call_id: Arc<str>,
}

/// A call and what only the server knows of it.
struct Slot {
    session: Session,
    clock: CallClock,
    /// When the last event of it arrived.
    heard: Instant,
    /// When its `call.end` arrived.
    ended: Option<Instant>,
    /// The moment of its one alarm that counts.
    armed: Option<Instant>,
    serial: u64,
    legs: u32,
    watchers: Vec<Subscriber>,
}

/// An alert on its way out: whose, and its JSON.
struct Outgoing {
    agent_id: String,
    json: String,
}

/// The engine panicked; the call cannot go on.
#[derive(Debug)]
struct Panicked;

impl Shard {
    /// Does what is asked. For an event, returns when it was received.
    fn take(&mut self, command: Command) -> Option<Instant> {
        match command {
            Command::Event(Delivery { event, received, replies }) => {
                let Event { call_id, seq, body } = event;
                let kind = body.kind();
                let outcome = match body {
                    EventBody::Start(info) => self.start(&call_id, info, seq, received),
                    EventBody::Input(input) => self.input(&call_id, seq, input, received),
                };
                if outcome.is_ok() {
                    self.shared.metrics.event(kind);
                }
                // A full queue cannot be, and a closed one has nobody to tell.
                let _ = replies.try_send(Reply { call_id, seq, outcome });
                Some(received)
            }
            Command::Join(join) => {
                let joined = self.join(&join.call_id, join.start, join.began);
                let _ = join.reply.send(joined);
                None
            }
            Command::Watch { call_id, reply } => {
                let _ = reply.send(self.watch(&call_id));
                None
            }
        }
    }

    /// Starts a call. A second start of a call in progress changes nothing:
    /// producers resend, and both legs of a call may announce it.
    fn start(
        &mut self,
        call_id: &str,
        info: Box<CallInfo>,
        seq: Option<u64>,
        received: Instant,
    ) -> Result<(), Refusal> {
        if self.calls.contains_key(call_id) {
            return Ok(());
        }
        let max = self.shared.config.calls_max.get();
        let one_more = |calls: usize| (calls < max).then_some(calls + 1);
        if self.shared.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Err(Refusal::TooManyCalls { max });
        }
        let rules = self.shared.rules.current();
        let Ok(session) = guard(|| Session::new(rules, *info, seq)) else {
            self.shared.calls.fetch_sub(1, Ordering::Relaxed);
            self.shared.metrics.panics.inc();
            return Err(Refusal::CallFailed);
        };
        self.serial += 1;
        let slot = Slot {
            session,
            clock: CallClock::new(received),
            heard: received,
            ended: None,
            armed: None,
            serial: self.serial,
            legs: 0,
            watchers: Vec::new(),
        };
        let call_id: Arc<str> = Arc::from(call_id);
        self.calls.insert(Arc::clone(&call_id), slot);
        CallStarted { call_id: &call_id }.report(&self.shared.metrics);
        self.drive(&call_id, received, |_| {})
    }

    fn input(&mut self, call_id: &str, seq: Option<u64>, input: Input, received: Instant) -> Result<(), Refusal> {
        let slot = self.calls.get_mut(call_id).ok_or(Refusal::UnknownCall)?;
        slot.heard = received;
        if slot.session.is_resent(seq) {
            return Ok(());
        }
        let said = slot.session.hear(seq, &input);
        slot.clock.hear(said, received);
        let now = slot.clock.at(received);
        if !slot.watchers.is_empty() {
            let push = Push { text: Utf8Bytes::from(native::to_json(call_id, &input)), since: None };
            slot.watchers.retain(|watcher| watcher.push(push.clone()));
        }
        self.drive(call_id, received, |session| session.handle(now, input))?;
        if let Some(slot) = self.calls.get_mut(call_id)
            && slot.session.ended()
            && slot.ended.is_none()
        {
            slot.ended = Some(received);
            self.arm(call_id);
        }
        Ok(())
    }

    fn join(
        &mut self,
        call_id: &str,
        start: Option<(Box<CallInfo>, Option<u64>)>,
        began: Instant,
    ) -> Result<Joined, Refusal> {
        if let Some((info, seq)) = start {
            self.start(call_id, info, seq, began)?;
        }
        let slot = self.calls.get_mut(call_id).ok_or(Refusal::UnknownCall)?;
        let joined = Joined { leg: slot.legs, began: slot.clock.at(began) };
        slot.legs = slot.legs.saturating_add(1);
        Ok(joined)
    }

    fn watch(&mut self, call_id: &str) -> Result<(Push, Subscription), Refusal> {
        let slot = self.calls.get_mut(call_id).ok_or(Refusal::UnknownCall)?;
        slot.watchers.retain(Subscriber::is_open);
        if slot.watchers.len() >= WATCHERS_MAX {
            return Err(Refusal::TooManySubscribers);
        }
        let info = slot.session.info();
        let hello = serde_json::json!({
            "type": "watching",
            "call_id": info.call_id,
            "agent_id": info.agent_id,
            "started_at": wall_time(info.started_at, CallTime::ANSWERED),
            "at_ms": slot.clock.at(clock::now()).0,
        });
        let (subscriber, subscription) = subscription();
        slot.watchers.push(subscriber);
        Ok((Push { text: Utf8Bytes::from(hello.to_string()), since: None }, subscription))
    }

    /// When the earliest alarm is.
    fn next_alarm(&self) -> Option<Instant> {
        self.alarms.peek().map(|Reverse(alarm)| alarm.at)
    }

    /// Wakes the calls whose alarms are due.
    fn wake_due(&mut self, now: Instant) {
        while let Some(Reverse(alarm)) = self.alarms.peek()
            && alarm.at <= now
        {
            let Some(Reverse(alarm)) = self.alarms.pop() else { break };
            if let Some(slot) = self.calls.get_mut(&alarm.call_id)
                && slot.serial == alarm.serial
                && slot.armed == Some(alarm.at)
            {
                slot.armed = None;
                self.wake(&alarm.call_id, alarm.at, now);
            }
        }
    }

    /// Does what is due in a call, which was to be woken at `due`: the rules'
    /// deadlines, or the end of its life.
    fn wake(&mut self, call_id: &Arc<str>, due: Instant, now: Instant) {
        let Some(slot) = self.calls.get(call_id) else { return };
        let reason = if slot.ended.is_some() { CloseReason::Ended } else { CloseReason::Idle };
        if self.end_of_life(slot) <= now {
            // A call that panics here is closed by `drive`.
            if self.drive(call_id, due, Session::finish).is_ok() {
                self.close(call_id, reason);
            }
            return;
        }
        let at = slot.clock.at(now);
        if slot.session.poll_timeout().is_some_and(|timeout| timeout <= at) {
            // Same.
            let _ = self.drive(call_id, due, |session| session.handle_timeout(at));
        } else {
            self.arm(call_id);
        }
    }

    fn end_of_life(&self, slot: &Slot) -> Instant {
        match slot.ended {
            Some(ended) => ended + self.shared.config.call_linger(),
            None => slot.heard + self.shared.config.call_idle(),
        }
    }

    /// Lets the engine work on a call, sends out its alerts and sets its
    /// alarm. If the engine panics the call is closed, and only it.
    fn drive(&mut self, call_id: &str, since: Instant, work: impl FnOnce(&mut Session)) -> Result<(), Refusal> {
        let Some(slot) = self.calls.get_mut(call_id) else { return Err(Refusal::UnknownCall) };
        let metrics = &self.shared.metrics;
        let worked = guard(|| {
            let session = &mut slot.session;
            work(session);
            let mut outgoing = Vec::new();
            while let Some(alert) = session.poll_output() {
                metrics.alert(&alert);
                let agent_id = alert.agent_id.to_string();
                outgoing.push(Outgoing { agent_id, json: session.to_wire(&alert).to_json() });
            }
            outgoing
        });
        let Ok(outgoing) = worked else {
            self.close(call_id, CloseReason::Panicked);
            return Err(Refusal::CallFailed);
        };
        for Outgoing { agent_id, json } in outgoing {
            if !slot.watchers.is_empty() {
                let push = Push { text: Utf8Bytes::from(json.clone()), since: None };
                slot.watchers.retain(|watcher| watcher.push(push.clone()));
            }
            self.shared.feeds.publish(&agent_id, json, since, metrics);
        }
        self.arm(call_id);
        Ok(())
    }

    /// Sets a call's alarm to when it next wants to be woken. An earlier alarm
    /// that is still set is left: it wakes the call in vain and is set anew.
    fn arm(&mut self, call_id: &str) {
        let Some((call_id, slot)) = self.calls.get_key_value(call_id) else { return };
        let mut at = self.end_of_life(slot);
        if let Some(timeout) = slot.session.poll_timeout() {
            at = at.min(slot.clock.when(timeout));
        }
        if slot.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        let (call_id, serial) = (Arc::clone(call_id), slot.serial);
        if let Some(slot) = self.calls.get_mut(&call_id) {
            slot.armed = Some(at);
        }
        self.alarms.push(Reverse(Alarm { at, serial, call_id }));
        if self.alarms.len() > ALARMS_PER_CALL_MAX * self.calls.len() + ALARMS_SPARE {
            self.drop_stale_alarms();
        }
    }

    fn drop_stale_alarms(&mut self) {
        let calls = &self.calls;
        self.alarms.retain(|Reverse(alarm)| {
            calls.get(&alarm.call_id).is_some_and(|slot| slot.serial == alarm.serial && slot.armed == Some(alarm.at))
        });
    }

    /// Forgets a call. Its watchers' queues close, and with them their connections.
    fn close(&mut self, call_id: &str, reason: CloseReason) {
        let Some(slot) = self.calls.remove(call_id) else { return };
        self.shared.calls.fetch_sub(1, Ordering::Relaxed);
        CallClosed { call_id, reason }.report(&self.shared.metrics);
        // What a panic left behind may panic again while it is dropped.
        if guard(move || drop(slot)).is_err() {
            self.shared.metrics.panics.inc();
        }
    }

    /// The server stops. The calls are not over, so nothing is decided.
    fn close_all(&mut self) {
        let calls: Vec<Arc<str>> = self.calls.keys().cloned().collect();
        for call_id in calls {
            self.close(&call_id, CloseReason::Shutdown);
        }
    }
}

/// Stale alarms are dropped when the heap holds more than so many for each call,
const ALARMS_PER_CALL_MAX: usize = 4;
/// and so many more.
const ALARMS_SPARE: usize = 1_024;

/// Runs the engine so that its panic ends one call and not the shard. What the
/// panic left half done is dropped with the call.
fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
