//! Shards: tasks that own the calls. A call lives in one shard for good, so
//! nothing on the way of an event is locked.
//!
//! A shard sends nothing to clients itself. Its decisions go as a [`Batch`] to the journal, which
//! stores them and then sends them.
//!
//! A shard has one bounded queue in, and one heap of moments at which a call
//! wants to be woken. Entries are deleted lazily: an entry counts only while
//! its call is still armed for that very moment.

mod onlookers;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::adapter::native::{self, Event, EventBody, Number};
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Input};
use crate::numbers::{PRODUCERS_MAX, Seen};
use crate::server::clock;
use crate::server::clock::CallClock;
use crate::server::config::SHARD_BATCH_MAX;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::terms::CloseReason;
use crate::server::runtime::Shared;
use crate::server::runtime::call_state::{CallState, Cause, Hypothesis};
use crate::server::runtime::closed::ClosedCalls;
pub(crate) use crate::server::runtime::command::{Command, Delivery, Join, Joined, Reply, Shards, Whereabouts};
use crate::server::runtime::journal::{Batch, Effect};
use crate::server::runtime::live::Gone;
use crate::server::runtime::recovery::Resumed;
use crate::server::runtime::shard_call::{ShardCall, Surroundings};
use crate::server::runtime::shares::Origin;
use crate::server::store::{CallRow, ClosedCall, ClosedRow, Json, Record};
use crate::server::telemetry::events::{CallClosed, CallStarted, Happening as _, Heard, ShardStep};
use crate::session::Session;

/// Runs one shard until all of its queue's senders are gone, or the server drains or is killed.
pub(crate) async fn run(mut shard: Shard, mut queue: mpsc::Receiver<Command>) {
    let shared = Arc::clone(&shard.shared);
    let mut commands = Vec::with_capacity(SHARD_BATCH_MAX);
    loop {
        let alarm = shard.next_alarm();
        tokio::select! {
            biased;
            () = shared.drained.cancelled() => break,
            () = shared.killed.cancelled() => break,
            count = queue.recv_many(&mut commands, SHARD_BATCH_MAX) => {
                if count == 0 {
                    break;
                }
            }
            () = sleep_until(alarm) => {}
        }
        let now = clock::now();
        shard.begin(clock::unix_ms());
        let mut heard_until = None;
        for command in commands.drain(..) {
            heard_until = shard.take(command, now).or(heard_until);
        }
        let waited = heard_until.map_or(Duration::ZERO, |received| now.saturating_duration_since(received));
        shard.note_backlog(waited);
        // An event that still waits arrived in time, though it is not applied
        // yet: deadlines must not run ahead of what was received.
        let due = match heard_until {
            Some(received) if !queue.is_empty() => received,
            _ => now,
        };
        shard.wake_due(due);
        let worked = clock::now().saturating_duration_since(now);
        ShardStep { waited, worked }.report(&shared.metrics);
        let batch = shard.take_batch();
        if !batch.is_empty() {
            shared.journal.commit(batch).await;
        }
    }
    shard.leave_all();
}

async fn sleep_until(alarm: Option<Instant>) {
    match alarm {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The calls of one shard. It reads no clock and waits for nothing: each step
/// is given the time.
#[derive(Debug)]
pub(crate) struct Shard {
    shared: Arc<Shared>,
    calls: HashMap<Arc<str>, ShardCall>,
    closed: ClosedCalls,
    /// Legs that came before their call.
    early: EarlyLegs,
    alarms: BinaryHeap<Reverse<Alarm>>,
    /// The serial number of the last call, so that an alarm never wakes a later call of the same
    /// id.
    serial: u64,
    batch: Batch,
    /// The wall clock at this step.
    unix_ms: i64,
    is_behind: bool,
    /// Calls that viewers have seen and that were closed since the last round.
    gone: Vec<Gone>,
}

/// A moment at which a call may want to be woken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alarm {
    at: Instant,
    serial: u64,
    call_id: Arc<str>,
}

/// The engine panicked; the call cannot go on.
#[derive(Debug)]
struct Panicked;

impl Shard {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            calls: HashMap::new(),
            closed: ClosedCalls::default(),
            early: EarlyLegs::default(),
            alarms: BinaryHeap::new(),
            serial: 0,
            batch: Batch::default(),
            unix_ms: 0,
            is_behind: false,
            gone: Vec::new(),
        }
    }

    /// Begins a step, at which the wall clock shows `unix_ms`.
    pub(crate) const fn begin(&mut self, unix_ms: i64) {
        self.unix_ms = unix_ms;
    }

    /// Does what is asked. For an event, returns when it was received.
    pub(crate) fn take(&mut self, command: Command, now: Instant) -> Option<Instant> {
        match command {
            Command::Event(Delivery { event, json, received, origin, replies }) => {
                let Event { call_id, number, body } = event;
                let kind = body.kind();
                let outcome = match body {
                    EventBody::Start(info) => self.start(&call_id, info, &number, json, received, &origin),
                    EventBody::Input(input) => self.input(&call_id, &number, input, json, received),
                };
                if outcome.is_ok() {
                    self.shared.metrics.event(kind);
                }
                self.batch.tell(Effect::Reply { to: replies, reply: Reply { call_id, number, outcome } });
                Some(received)
            }
            Command::Join(join) => {
                self.join(join);
                None
            }
            Command::Watch { call_id, reply } => {
                match self.watch(&call_id, now) {
                    Ok((hello, subscription)) => {
                        self.batch.tell(Effect::Watching { to: reply, hello, subscription });
                    }
                    Err(refusal) => drop(reply.send(Err(refusal))),
                }
                None
            }
            Command::List { audience, reply } => {
                let _ = reply.send(self.list(&audience, now));
                None
            }
            Command::Look { call_ids, reply } => {
                let looks = call_ids.iter().filter_map(|call_id| self.look(call_id, now)).collect();
                self.batch.tell(Effect::Looked { to: reply, looks });
                None
            }
            Command::Find { call_id, reply } => {
                let found = self.find(&call_id, now);
                self.batch.tell(Effect::Found { to: reply, found });
                None
            }
            Command::Unsettled { call_id, reply } => {
                let slot = self.calls.get(call_id.as_str());
                let hypotheses = slot.into_iter().flat_map(|slot| slot.state.left_open());
                let _ = reply.send(hypotheses.map(|hypothesis| hypothesis.json.clone()).collect());
                None
            }
        }
    }

    /// The numbers of the events that a call in progress has.
    #[cfg(test)]
    pub(crate) fn numbers(&self, call_id: &str) -> Option<&crate::numbers::Numbers> {
        self.calls.get(call_id).map(|slot| slot.session().numbers())
    }

    /// Takes the records and effects that gathered since the last call.
    pub(crate) fn take_batch(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// Takes up a call where it was left when the server stopped.
    pub(crate) fn resume(&mut self, mut resumed: Resumed, now: Instant) {
        let differences = resumed.differences();
        let Resumed { state, told, .. } = resumed;
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let call_id: Arc<str> = Arc::from(state.session.info().call_id.as_str());
        let clock = CallClock::resumed(state.at(), now);
        let mut slot = self.slot(state, clock, now);
        let around = Surroundings { shared: &self.shared, unix_ms: self.unix_ms };
        slot.take_up(&around, &told, differences, now, &mut self.batch);
        self.calls.insert(Arc::clone(&call_id), slot);
        CallStarted { call_id: &call_id, is_resumed: true }.report(&self.shared.metrics);
        self.arm(&call_id);
    }

    /// Remembers a call that was closed before the server stopped.
    pub(crate) fn remember(&mut self, call: ClosedCall) {
        self.closed.insert(call);
    }

    fn slot(&mut self, state: CallState, clock: CallClock, heard: Instant) -> ShardCall {
        self.serial += 1;
        ShardCall::new(state, clock, heard, self.serial)
    }

    /// Starts a call. A second start of a call in progress changes nothing:
    /// producers resend, and both legs of a call may announce it. Nor does that
    /// of a call which is over. One that was answered at another time is another
    /// call, and the one before it is over; one that was closed because nothing was heard of it goes on.
    fn start(
        &mut self,
        call_id: &str,
        info: Box<CallInfo>,
        number: &Number,
        json: Json,
        received: Instant,
        origin: &Arc<Origin>,
    ) -> Result<(), Refusal> {
        let started_ms = info.started_at.timestamp_millis();
        let known = self.calls.get(call_id).map(ShardCall::session).map(Session::info);
        if let Some(known) = known.filter(|known| known.started_at.timestamp_millis() == started_ms) {
            return match known.agent_id == info.agent_id {
                true => Ok(()),
                false => Err(Refusal::OtherAgent { agent_id: known.agent_id.clone() }),
            };
        }
        if self.closed.is_over(call_id, started_ms) {
            return Ok(());
        }
        let share = origin.take()?;
        self.finish(call_id, received, received, CloseReason::Replaced);
        let earlier = self.closed.idle(call_id, started_ms);
        let max = self.shared.config.calls_max.get();
        let one_more = |calls: usize| (calls < max).then_some(calls + 1);
        if self.shared.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Err(Refusal::TooManyCalls { max });
        }
        let rules = self.shared.rules();
        let call_no = self.shared.next_call_no.fetch_add(1, Ordering::Relaxed);
        let row = CallRow {
            call_no,
            call_id: call_id.to_owned(),
            agent_id: info.agent_id.clone(),
            queue: info.queue.clone(),
            started_at: info.started_at.to_rfc3339(),
            started_ms,
            rules_version: rules.version.clone(),
            numbers: earlier.clone(),
            start: json,
        };
        let named = self.shared.roster.note(&info);
        let Ok(mut session) = guard(|| Session::new(rules, *info, number)) else {
            self.shared.calls.fetch_sub(1, Ordering::Relaxed);
            self.shared.metrics.panics.inc();
            return Err(Refusal::CallFailed);
        };
        if let Some(earlier) = earlier {
            session.remember(earlier);
        }
        let mut slot = self.slot(CallState::new(call_no, session), CallClock::new(received), received);
        slot.share = Some(share);
        let call_id: Arc<str> = Arc::from(call_id);
        self.calls.insert(Arc::clone(&call_id), slot);
        CallStarted { call_id: &call_id, is_resumed: false }.report(&self.shared.metrics);
        self.batch.keep(Record::Call(Box::new(row)));
        if let Some(named) = named {
            self.batch.keep(Record::Agent(Box::new(named)));
        }
        self.drive(&call_id, received, CallTime::ANSWERED, Cause::Start)?;
        for join in self.early.of(&call_id) {
            self.join(join);
        }
        Ok(())
    }

    fn input(
        &mut self,
        call_id: &str,
        number: &Number,
        input: Input,
        json: Json,
        received: Instant,
    ) -> Result<(), Refusal> {
        let Some(slot) = self.calls.get_mut(call_id) else {
            return self.closed.input(call_id, number, &input);
        };
        slot.heard = received;
        match slot.session().look(number, &input) {
            Seen::New => {}
            Seen::Before => return Ok(()),
            Seen::Forgotten => return Err(Refusal::SeqPassed),
            Seen::TooManyProducers => return Err(Refusal::TooManyProducers { max: PRODUCERS_MAX }),
        }
        if let Input::Utterance(utterance) = &input {
            Heard { lag_ms: slot.clock.at(received).since(utterance.end) }.report(&self.shared.metrics);
        }
        slot.clock.hear(input.said_at(), received);
        let now = slot.clock.at(received);
        self.drive(call_id, received, now, Cause::Told { number: number.clone(), input, json })
    }

    /// Gives a leg its place in its call. If the call has not begun and the leg does not begin it,
    /// the leg waits, as long as its connection does.
    fn join(&mut self, join: Join) {
        if join.start.is_none() && !self.calls.contains_key(join.call_id.as_str()) {
            join.is_early.store(true, Ordering::Relaxed);
            self.early.wait(join);
            return;
        }
        let Join { call_id, start, began, producer, origin, reply, .. } = join;
        match self.place_leg(&call_id, start, began, producer.as_deref(), &origin) {
            Ok(joined) => self.batch.tell(Effect::Joined { to: reply, joined }),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    fn place_leg(
        &mut self,
        call_id: &str,
        start: Option<Box<CallInfo>>,
        began: Instant,
        producer: Option<&str>,
        origin: &Arc<Origin>,
    ) -> Result<Joined, Refusal> {
        if let Some(info) = start
            && !self.calls.contains_key(call_id)
        {
            let json = Json::from(native::start_to_json(&info));
            self.start(call_id, info, &Number::default(), json, began, origin)?;
        }
        let slot = self.calls.get_mut(call_id).ok_or(Refusal::UnknownCall)?;
        let now = slot.clock.at(began);
        let joined = Joined {
            leg: slot.state.legs(),
            began: slot.clock.at_or_before(began),
            agent_id: Arc::clone(slot.session().agent_at(now)),
            heard: producer.into_iter().flat_map(|producer| slot.session().numbers().of(producer)).collect(),
        };
        self.drive(call_id, began, now, Cause::Leg)?;
        Ok(joined)
    }

    /// Notes whether this shard works on what came long ago.
    fn note_backlog(&mut self, waited: Duration) {
        let is_behind = waited > BEHIND;
        if is_behind != self.is_behind {
            self.is_behind = is_behind;
            self.shared.health.shard_behind(is_behind);
        }
    }

    /// When the earliest alarm is.
    pub(crate) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.peek().map(|Reverse(alarm)| alarm.at)
    }

    /// Wakes the calls whose alarms are due.
    pub(crate) fn wake_due(&mut self, now: Instant) {
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
    /// deadlines, the silence of its recogniser, or the end of its life.
    fn wake(&mut self, call_id: &Arc<str>, due: Instant, now: Instant) {
        let silence = self.shared.config.asr_silent();
        let Some(slot) = self.calls.get(call_id) else { return };
        if slot.is_missed_from(silence).is_some_and(|from| from <= now) {
            let at = slot.clock.at(now);
            // A call that panics here is closed by `drive`.
            let _ = self.drive(call_id, due, at, Cause::Unheard);
        }
        let Some(slot) = self.calls.get(call_id) else { return };
        let reason = if slot.ended.is_some() { CloseReason::Ended } else { CloseReason::Idle };
        let at = slot.clock.at(now);
        let is_due = slot.session().poll_timeout().is_some_and(|timeout| timeout <= at);
        if self.calls.get(call_id).is_some_and(|slot| self.end_of_life(slot) <= now) {
            self.finish(call_id, due, now, reason);
        } else if is_due {
            let _ = self.drive(call_id, due, at, Cause::Tick);
        } else {
            self.arm(call_id);
        }
    }

    fn end_of_life(&self, slot: &ShardCall) -> Instant {
        match slot.ended {
            Some(ended) => ended + self.shared.config.call_linger(),
            None => slot.heard + self.shared.config.idle(slot.session().info().channel),
        }
    }

    /// Decides all that is open in a call in progress, and closes it.
    fn finish(&mut self, call_id: &str, since: Instant, now: Instant, reason: CloseReason) {
        let Some(slot) = self.calls.get(call_id) else { return };
        let at = slot.clock.at(now);
        // A call that panics here is closed by `drive`.
        if self.drive(call_id, since, at, Cause::Finish).is_ok() {
            self.close(call_id, reason);
        }
    }

    /// Moves a call by what came at `since`, when its clock showed `now`; notes
    /// the outcome and sets its alarm. If the engine panics the call is closed, and only it.
    fn drive(&mut self, call_id: &str, since: Instant, now: CallTime, cause: Cause) -> Result<(), Refusal> {
        let Some(slot) = self.calls.get_mut(call_id) else { return Err(Refusal::UnknownCall) };
        slot.is_touched = true;
        let entry = cause.entry();
        let told = match &cause {
            Cause::Told { input, .. } if slot.watchers.is_some() => Some(input.clone()),
            _ => None,
        };
        let Ok(applied) = guard(|| slot.state.apply(now, cause)) else {
            self.close(call_id, CloseReason::Panicked);
            return Err(Refusal::CallFailed);
        };
        slot.tell_words(told, &mut self.batch);
        let around = Surroundings { shared: &self.shared, unix_ms: self.unix_ms };
        slot.note(&around, (since, now), entry, applied, &mut self.batch);
        self.arm(call_id);
        Ok(())
    }

    /// Sets a call's alarm to when it next wants to be woken. An earlier alarm
    /// that is still set is left: it wakes the call in vain and is set anew.
    fn arm(&mut self, call_id: &str) {
        let Some((call_id, slot)) = self.calls.get_key_value(call_id) else { return };
        let mut at = self.end_of_life(slot);
        if let Some(timeout) = slot.session().poll_timeout() {
            at = at.min(slot.clock.when(timeout));
        }
        if let Some(missed) = slot.is_missed_from(self.shared.config.asr_silent()) {
            at = at.min(missed);
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

    /// Closes a call for good. Its watchers' queues close, and with them their connections.
    fn close(&mut self, call_id: &str, reason: CloseReason) {
        let Some(mut slot) = self.calls.remove(call_id) else { return };
        let call_no = slot.state.call_no;
        self.shared.hands.forget(call_no);
        for Hypothesis { now, json, .. } in slot.state.left_open().cloned() {
            self.batch.keep(Record::LeftOpen { call_no, now, json });
        }
        let numbers = Some(slot.session().numbers().clone());
        // What a panic left behind says nothing of what was said.
        let duties = match reason {
            CloseReason::Panicked => Vec::new(),
            _ => guard(|| slot.duties(&self.shared)).unwrap_or_default(),
        };
        let (closed_ms, end) = (self.unix_ms, slot.state.end());
        let row = ClosedRow { call_no, reason, closed_ms, numbers: numbers.clone(), end, duties };
        self.batch.keep(Record::Closed(Box::new(row)));
        let started_ms = slot.session().info().started_at.timestamp_millis();
        let is_idle = matches!(reason, CloseReason::Idle);
        self.closed.insert(ClosedCall { call_id: call_id.to_owned(), started_ms, is_idle, numbers });
        self.gone.extend(slot.shown.take().map(|shown| Gone::new(&shown)));
        self.leave(call_id, slot, reason);
    }

    /// The server stops. The calls are not over: they are taken up again.
    fn leave_all(&mut self) {
        for (call_id, slot) in std::mem::take(&mut self.calls) {
            self.leave(&call_id, slot, CloseReason::Shutdown);
        }
    }

    fn leave(&mut self, call_id: &str, slot: ShardCall, reason: CloseReason) {
        self.shared.calls.fetch_sub(1, Ordering::Relaxed);
        CallClosed { call_id, reason }.report(&self.shared.metrics);
        // What a panic left behind may panic again while it is dropped.
        if guard(move || drop(slot)).is_err() {
            self.shared.metrics.panics.inc();
        }
    }
}

/// The legs that wait for their calls. A leg waits on its own connection, which gives up after a while.
#[derive(Debug, Default)]
struct EarlyLegs {
    legs: HashMap<String, Vec<Join>>,
    count: usize,
    /// Those that gave up are dropped when so many wait.
    sweep_at: usize,
}

impl EarlyLegs {
    fn wait(&mut self, join: Join) {
        if self.count >= self.sweep_at {
            self.legs.retain(|_, legs| {
                legs.retain(|leg| !leg.reply.is_closed());
                !legs.is_empty()
            });
            self.count = self.legs.values().map(Vec::len).sum();
            self.sweep_at = EARLY_LEGS_SPARE.max(2 * self.count);
        }
        self.count += 1;
        self.legs.entry(join.call_id.clone()).or_default().push(join);
    }

    /// Those of a call that begins.
    fn of(&mut self, call_id: &str) -> Vec<Join> {
        let legs = self.legs.remove(call_id).unwrap_or_default();
        self.count -= legs.len();
        legs
    }
}

/// Fewer legs that wait are not looked at.
const EARLY_LEGS_SPARE: usize = 256;
/// Events that waited longer mean that checking is behind.
const BEHIND: Duration = Duration::from_secs(1);
/// Stale alarms are dropped when the heap holds more than so many for each call,
const ALARMS_PER_CALL_MAX: usize = 4;
/// and so many more.
const ALARMS_SPARE: usize = 1_024;

/// Runs the engine so that its panic ends one call and not the shard. What the
/// panic left half done is dropped with the call.
fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
