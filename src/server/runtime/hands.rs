//! What supervisors do in calls in progress, as all of them see it at once: who has taken which call, the last words to
//! its agent, whether it is flagged. The store keeps it; this is its image of the calls in progress.
//!
//! A call is given back by hand, at its end, or once its supervisor has had no connection for a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::FixedOffset;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::engine::privacy;
use crate::server::clock::{self, wall_time};
use crate::server::config::{HANDS_MAX, HELPS_MAX, HELPS_PER_MINUTE_MAX};
use crate::server::domain::principal::{Reading, Who};
use crate::server::domain::refusal::Refusal;
use crate::server::runtime::Shared;
use crate::server::runtime::command::{Command, Whereabouts};
use crate::server::runtime::subscription::Push;
use crate::server::store::{Attempt, Charge, Flag, Help, HelpBounds, KeptHelp, NewHelp, SupervisedCall};

/// How often it is looked for supervisors who are gone, at most.
const PERIOD_MAX: Duration = Duration::from_secs(5);

/// The calls in progress in which supervisors did something.
#[derive(Debug)]
pub(crate) struct Hands {
    state: Mutex<State>,
    /// The message that tells all of them.
    told: watch::Sender<Utf8Bytes>,
    zone: FixedOffset,
    /// The ways into a call that are offered.
    modes: Vec<&'static str>,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<i64, Hand>,
    /// The supervisors who have a connection, or had one.
    present: HashMap<Arc<str>, Presence>,
}

#[derive(Debug)]
struct Hand {
    call_id: String,
    started_at: String,
    charge: Option<Charge>,
    help: Option<Help>,
    is_flagged: bool,
}

#[derive(Debug)]
struct Presence {
    connections: usize,
    /// When the last of them closed, or the server began.
    left: Instant,
}

/// A connection of a supervisor, for as long as it is open.
pub(crate) struct Present {
    shared: Arc<Shared>,
    name: Arc<str>,
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Some(presence) = self.shared.hands.lock().present.get_mut(&self.name) {
            presence.connections = presence.connections.saturating_sub(1);
            presence.left = clock::now();
        }
    }
}

impl Hands {
    pub(crate) fn new(zone: FixedOffset, modes: Vec<&'static str>) -> Self {
        let hands = Self { state: Mutex::default(), told: watch::Sender::new(Utf8Bytes::default()), zone, modes };
        hands.change(|_| {});
        hands
    }

    /// Takes up what supervisors did before the server stopped, at `now`.
    pub(crate) fn resume(&self, calls: Vec<SupervisedCall>, now: Instant) {
        self.change(|state| {
            for SupervisedCall { call_no, call_id, started_at, supervision } in calls {
                if let Some(charge) = &supervision.charge {
                    let absent = Presence { connections: 0, left: now };
                    state.present.entry(Arc::from(charge.by.as_str())).or_insert(absent);
                }
                let hand = Hand {
                    call_id,
                    started_at,
                    charge: supervision.charge,
                    help: supervision.helps.into_iter().next_back(),
                    is_flagged: supervision.flag.is_some_and(|flag| flag.done.is_none()),
                };
                state.calls.insert(call_no, hand);
            }
        });
    }

    /// The message that tells all of them, and its changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Utf8Bytes> {
        self.told.subscribe()
    }

    /// A call is over.
    pub(crate) fn forget(&self, call_no: i64) {
        if self.lock().calls.contains_key(&call_no) {
            self.change(|state| drop(state.calls.remove(&call_no)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        // Whoever runs without supervisors hears nothing of them.
        if state.calls.is_empty() && self.modes.is_empty() && self.told.borrow().as_str().is_empty() {
            return;
        }
        let hands: Vec<Value> = state.calls.values().map(|hand| hand.view(self.zone)).collect();
        let text = json!({"type": "hands", "hands": hands, "monitor": self.modes}).to_string();
        self.told.send_replace(Utf8Bytes::from(text));
    }

    /// Begins a supervisor's absence, if there is no connection.
    fn expect(&self, name: &str) {
        let presence = Presence { connections: 0, left: clock::now() };
        let mut state = self.lock();
        let known = state.present.entry(Arc::from(name)).or_insert(presence);
        if known.connections == 0 {
            known.left = clock::now();
        }
    }

    /// Changes what is known of one call; beyond [`HANDS_MAX`] calls, a further one is not told.
    fn change_call(&self, call: &Whereabouts, change: impl FnOnce(&mut Hand)) {
        self.change(|state| {
            if state.calls.len() < HANDS_MAX || state.calls.contains_key(&call.call_no) {
                let (call_id, started_at) = (call.call_id.to_string(), call.started_at.clone());
                let new = || Hand { call_id, started_at, charge: None, help: None, is_flagged: false };
                change(state.calls.entry(call.call_no).or_insert_with(new));
            }
        });
    }

    /// The calls of supervisors who have been gone since before `before`.
    fn abandoned(&self, before: Instant) -> Vec<(i64, String)> {
        let mut state = self.lock();
        let State { calls, present } = &mut *state;
        let taken =
            |name: &str| calls.values().any(|hand| hand.charge.as_ref().is_some_and(|charge| charge.by == name));
        present.retain(|name, presence| presence.connections > 0 || presence.left > before || taken(name));
        let is_gone =
            |by: &str| present.get(by).is_none_or(|presence| presence.connections == 0 && presence.left <= before);
        let charges = calls.iter().filter_map(|(call_no, hand)| Some((*call_no, hand.charge.as_ref()?)));
        charges
            .filter(|(_, charge)| is_gone(&charge.by))
            .map(|(call_no, charge)| (call_no, charge.by.clone()))
            .collect()
    }
}

impl Hand {
    fn view(&self, zone: FixedOffset) -> Value {
        json!({
            "call_id": self.call_id,
            "started_at": self.started_at,
            "taken": self.charge.as_ref().map(|charge| charge_json(charge, zone)),
            "help": self.help.as_ref().map(|help| help_json(help, Reading::Masked, zone)),
            "flagged": self.is_flagged,
        })
    }
}

/// Who has taken a call, on the wire.
pub(crate) fn charge_json(charge: &Charge, zone: FixedOffset) -> Value {
    json!({"by": charge.by, "at": wall_time(charge.at_ms, zone)})
}

/// Words to an agent, on the wire.
pub(crate) fn help_json(help: &Help, reading: Reading, zone: FixedOffset) -> Value {
    let text = match reading {
        Reading::Plain => help.text.clone(),
        Reading::Masked => privacy::mask(&help.text).into_owned(),
    };
    json!({
        "type": "help", "help_id": help.help_no.to_string(), "call_id": help.call_id, "started_at": help.started_at,
        "agent_id": help.agent_id, "by": help.by, "text": text, "at_ms": help.clock_ms,
        "at": wall_time(help.at_ms, zone), "read_at": help.read_ms.and_then(|ms| wall_time(ms, zone)),
    })
}

/// Notes that a supervisor has a connection; `None` for somebody without a name.
pub(crate) fn arrive(shared: &Arc<Shared>, name: Option<Arc<str>>) -> Option<Present> {
    let name = name?;
    let mut state = shared.hands.lock();
    let presence =
        state.present.entry(Arc::clone(&name)).or_insert_with(|| Presence { connections: 0, left: clock::now() });
    presence.connections += 1;
    drop(state);
    Some(Present { shared: Arc::clone(shared), name })
}

/// Where a call in progress stands; with `started_ms`, the one that was answered then.
pub(crate) async fn find(shared: &Shared, call_id: &str, started_ms: Option<i64>) -> Result<Whereabouts, Refusal> {
    let place = shared.shards.place(call_id);
    let call_id = call_id.to_owned();
    let found = shared.shards.ask(place, |reply| Command::Find { call_id, reply }).await?;
    found.filter(|found| started_ms.is_none_or(|ms| ms == found.started_ms)).ok_or(Refusal::NotInProgress)
}

/// Where a call stands that has not ended; one that waits for late words has.
pub(crate) async fn find_going(
    shared: &Shared,
    call_id: &str,
    started_ms: Option<i64>,
) -> Result<Whereabouts, Refusal> {
    let found = find(shared, call_id, started_ms).await?;
    if found.is_over { Err(Refusal::NotInProgress) } else { Ok(found) }
}

/// Keeps words to the agent of a call, and shows them.
pub(crate) async fn help(shared: &Shared, call: Whereabouts, text: String, who: Who) -> Result<Help, Refusal> {
    let new = NewHelp {
        call_no: call.call_no,
        agent_id: call.agent_id.to_string(),
        text,
        clock_ms: call.clock.0,
        who,
        at_ms: clock::unix_ms(),
    };
    let bounds = HelpBounds { of_call: HELPS_MAX, of_minute: HELPS_PER_MINUTE_MAX };
    let help_no = match shared.journal.keep_help(new.clone(), bounds).await?.map_err(Refusal::store)? {
        KeptHelp::Kept(help_no) => help_no,
        KeptHelp::TooMany => return Err(Refusal::TooManyHelps { max: HELPS_MAX }),
        KeptHelp::TooFast { wait_ms } => {
            return Err(Refusal::HelpsTooFast { max: HELPS_PER_MINUTE_MAX, wait_s: wait_ms.div_euclid(1_000) + 1 });
        }
    };
    let NewHelp { call_no, agent_id, text, clock_ms, who, at_ms } = new;
    let help = Help {
        help_no,
        call_no,
        call_id: call.call_id.to_string(),
        started_at: call.started_at.clone(),
        agent_id,
        by: who.name,
        text,
        clock_ms,
        at_ms,
        read_ms: None,
    };
    tell(shared, &call, &help).await;
    Ok(help)
}

/// Keeps that the agent read words, and tells the supervisors.
pub(crate) async fn read(shared: &Shared, agent_id: &str, help_id: &str) -> Result<(), Refusal> {
    let help_no = help_id.parse().map_err(|_| Refusal::UnknownHelp)?;
    let read = shared.journal.read_help(agent_id.to_owned(), help_no, clock::unix_ms()).await?;
    let help = read.map_err(Refusal::store)?.ok_or(Refusal::UnknownHelp)?;
    // Of a call that is over, only the store is told.
    if let Ok(call) = find(shared, &help.call_id, None).await
        && call.call_no == help.call_no
    {
        tell(shared, &call, &help).await;
    }
    Ok(())
}

async fn tell(shared: &Shared, call: &Whereabouts, help: &Help) {
    let text = |reading| Utf8Bytes::from(help_json(help, reading, shared.config.utc_offset).to_string());
    let push = |text: &Utf8Bytes| Push { text: text.clone(), cursor: None, since: None };
    let (plain, masked) = (text(Reading::Plain), text(Reading::Masked));
    if let Some(watchers) = &call.watchers {
        watchers.publish(&push(&masked));
    }
    shared.agents.publish(&help.agent_id, |reading| push(if reading == Reading::Plain { &plain } else { &masked }));
    change_open(shared, call, |hand| {
        if hand.help.as_ref().is_none_or(|shown| shown.help_no <= help.help_no) {
            hand.help = Some(help.clone());
        }
    })
    .await;
}

/// Changes what is known of one call, unless it was closed meanwhile: nothing would take it away then.
async fn change_open(shared: &Shared, call: &Whereabouts, change: impl FnOnce(&mut Hand)) {
    shared.hands.change_call(call, change);
    let found = find(shared, &call.call_id, Some(call.started_ms)).await;
    if !found.is_ok_and(|found| found.call_no == call.call_no) {
        shared.hands.forget(call.call_no);
    }
}

/// Words that an agent has not read, as the agent's connection is sent them first.
pub(crate) async fn unread(shared: &Shared, agent_id: &str, reading: Reading) -> Result<Vec<Utf8Bytes>, Refusal> {
    let helps = shared.store.unread_helps(agent_id.to_owned()).await?;
    let text = |help: &Help| Utf8Bytes::from(help_json(help, reading, shared.config.utc_offset).to_string());
    Ok(helps.iter().map(text).collect())
}

/// Takes a call for a supervisor, unless another one than `instead_of` has it.
pub(crate) async fn take(
    shared: &Shared,
    call: &Whereabouts,
    who: Who,
    instead_of: Option<String>,
) -> Result<Charge, Refusal> {
    let kept = shared.journal.take_call(call.call_no, who, instead_of, clock::unix_ms()).await?;
    match kept.map_err(Refusal::store)? {
        Attempt::Taken(charge) => {
            shared.hands.expect(&charge.by);
            change_open(shared, call, |hand| hand.charge = Some(charge.clone())).await;
            Ok(charge)
        }
        Attempt::Another(charge) => Err(Refusal::CallTaken { by: charge.by }),
        Attempt::Over => Err(Refusal::NotInProgress),
    }
}

/// Gives a call back that a supervisor has taken.
pub(crate) async fn release(shared: &Shared, call_no: i64, by: String, who: Who) -> Result<(), Refusal> {
    let released = shared.journal.release_call(call_no, by.clone(), who, clock::unix_ms()).await?;
    if !released.map_err(Refusal::store)? {
        return Err(Refusal::NotTaken);
    }
    shared.hands.change(|state| {
        if let Some(hand) =
            state.calls.get_mut(&call_no).filter(|hand| hand.charge.as_ref().is_some_and(|charge| charge.by == by))
        {
            hand.charge = None;
        }
    });
    Ok(())
}

/// Flags a call for review; `call` is where it stands, if it is in progress.
pub(crate) async fn flag(
    shared: &Shared,
    call_no: i64,
    call: Option<&Whereabouts>,
    who: Who,
    note: Option<String>,
) -> Result<Flag, Refusal> {
    let flag = shared.journal.flag_call(call_no, who, note, clock::unix_ms()).await?.map_err(Refusal::store)?;
    if let Some(call) = call {
        change_open(shared, call, |hand| hand.is_flagged = true).await;
    }
    Ok(flag)
}

/// Notes that a flagged call was reviewed.
pub(crate) async fn settle(shared: &Shared, flag_no: i64, who: Who) -> Result<(), Refusal> {
    let settled = shared.journal.settle_flag(flag_no, who, clock::unix_ms()).await?.map_err(Refusal::store)?;
    let call_no = settled.ok_or(Refusal::NoSuchFlag)?;
    shared.hands.change(|state| {
        if let Some(hand) = state.calls.get_mut(&call_no) {
            hand.is_flagged = false;
        }
    });
    Ok(())
}

/// Gives back the calls of supervisors who are gone. Ends with the server.
pub(crate) async fn run(shared: Arc<Shared>) {
    let after = Duration::from_secs(shared.config.supervision.release_after_s.get().into());
    let mut beat = tokio::time::interval(PERIOD_MAX.min(after / 2));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let Some(before) = clock::now().checked_sub(after) else { continue };
        for (call_no, by) in shared.hands.abandoned(before) {
            if let Err(refusal) = release(&shared, call_no, by, Who::server()).await {
                tracing::warn!(call_no, error = refusal.message(), "a call could not be given back");
            }
        }
    }
}
