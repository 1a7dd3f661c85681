//! Taking up the calls that were in progress when the server stopped, however
//! it stopped: their part of the journal is replayed through [`CallState`].
//!
//! An event and the alerts that it raised were stored together or not at all, so the program and
//! the rules that raised the alerts raise the same ones again. Another program, or other rules
//! where a call's own can no longer be used, may raise more or fewer: the shard that takes up the
//! call sends the difference. A call's clock goes on from where it stood: events of the meantime
//! are still to come from the producer, and deadlines must not pass before they do.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::adapter::native::{self, Event, EventBody};
use crate::engine::alert::{Alert, AlertState};
use crate::engine::rule::RuleSet;
use crate::engine::time::CallTime;
use crate::server::runtime::call_state::{CallState, Cause};
use crate::server::store::{Entry, Json, OpenAlert, OpenCall, Readers, StoreError};
use crate::session::Session;

/// A call as it was left.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) state: CallState,
    /// The alerts that the replay raised, each by its id in its latest state.
    raised: BTreeMap<String, Alert>,
    /// The alerts that were told, by id.
    pub(crate) told: BTreeMap<String, OpenAlert>,
}

/// The calls that were in progress.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) calls: Vec<Resumed>,
    /// Calls that could not be taken up.
    pub(crate) lost: Vec<i64>,
}

/// Rebuilds all calls in progress. `rules` gives the rules of a version.
pub(crate) fn recover(readers: &Readers, mut rules: impl FnMut(&str) -> Arc<RuleSet>) -> Result<Recovered, StoreError> {
    let mut calls = BTreeMap::new();
    let mut lost = Vec::new();
    for call in readers.open_calls()? {
        let call_no = call.call_no;
        match begin(&call, rules(&call.rules_version)) {
            Some(resumed) => drop(calls.insert(call_no, resumed)),
            None => lost.push(call_no),
        }
    }
    readers.replay(|call_no, now, entry| {
        let Some(resumed) = calls.remove(&call_no) else { return };
        match resumed.replay(now, entry) {
            Some(resumed) => drop(calls.insert(call_no, resumed)),
            None => lost.push(call_no),
        }
    })?;
    for alert in readers.open_alerts()? {
        if let Some(resumed) = calls.get_mut(&alert.call_no) {
            resumed.told.insert(alert.alert_id.clone(), alert);
        }
    }
    Ok(Recovered { calls: calls.into_values().collect(), lost })
}

fn begin(call: &OpenCall, rules: Arc<RuleSet>) -> Option<Resumed> {
    let Ok(Event { number, body: EventBody::Start(info), .. }) = native::parse(&call.start) else { return None };
    let begun = catch_unwind(AssertUnwindSafe(|| {
        let mut session = Session::new(rules, *info, &number);
        if let Some(numbers) = &call.numbers {
            session.remember(numbers.clone());
        }
        CallState::new(call.call_no, session)
    }));
    let resumed = Resumed { state: begun.ok()?, raised: BTreeMap::new(), told: BTreeMap::new() };
    resumed.apply(CallTime::ANSWERED, Cause::Start)
}

impl Resumed {
    /// Goes on by one entry of the journal; `None` if that panics.
    fn replay(self, now: CallTime, entry: Entry) -> Option<Self> {
        match entry {
            Entry::Event(json) => match told(json) {
                Some(cause) => self.apply(now, cause),
                None => Some(self),
            },
            Entry::Tick => self.apply(now, Cause::Tick),
            Entry::Leg => self.apply(now, Cause::Leg),
            Entry::Unheard => self.apply(now, Cause::Unheard),
        }
    }

    fn apply(mut self, now: CallTime, cause: Cause) -> Option<Self> {
        let applied = catch_unwind(AssertUnwindSafe(move || {
            let applied = self.state.apply(now, cause);
            self.raised.extend(applied.alerts.into_iter().map(|alert| (alert.alert_id.clone(), alert)));
            self
        }));
        applied.ok()
    }

    /// The alerts that now stand otherwise than was told: those that changed,
    /// and those that nothing bears out any more.
    pub(crate) fn differences(&mut self) -> (Vec<Alert>, Vec<OpenAlert>) {
        let unfounded =
            |alert: &&OpenAlert| alert.state != AlertState::Retracted && !self.raised.contains_key(&alert.alert_id);
        let unfounded: Vec<OpenAlert> = self.told.values().filter(unfounded).cloned().collect();
        let changed = std::mem::take(&mut self.raised).into_values();
        let changed = changed.filter(|alert| is_news(self.told.get(&alert.alert_id), alert.state)).collect();
        (changed, unfounded)
    }
}

/// The cause that an event of the journal is. It was parsed before it was kept.
fn told(json: Json) -> Option<Cause> {
    match native::parse(&json) {
        Ok(Event { number, body: EventBody::Input(input), .. }) => Some(Cause::Told { number, input, json }),
        _ => None,
    }
}

/// Whether `state` is news for an alert that was last sent as `told`.
fn is_news(told: Option<&OpenAlert>, state: AlertState) -> bool {
    match told.map(|alert| alert.state) {
        None => state != AlertState::Retracted,
        // What was borne out once is not in doubt again.
        Some(AlertState::Confirmed | AlertState::Resolved) if state == AlertState::Provisional => false,
        Some(before) => before != state,
    }
}
