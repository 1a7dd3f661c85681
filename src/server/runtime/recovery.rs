//! Taking up the calls that were in progress when the server stopped, however
//! it stopped: their part of the journal is replayed through the engine.
//!
//! An event and the alerts that it raised were kept together or not at all, so
//! what a replay puts out was told before, and is dropped. A call's clock goes
//! on from where it stood: what was said meanwhile is still to come from the
//! producer, and deadlines must not pass before it does.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::adapter::native::{self, Event, EventBody};
use crate::engine::rule::RuleSet;
use crate::engine::time::CallTime;
use crate::engine::transcript::{Input, Party};
use crate::server::store::{Known, OpenCall, Readers, ReplayEntry, StoreError};
use crate::session::Session;

/// A call as it was left.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) call_no: i64,
    pub(crate) session: Session,
    /// What its clock showed last.
    pub(crate) at: CallTime,
    pub(crate) legs: u32,
    pub(crate) left_open: BTreeMap<String, (CallTime, Box<str>)>,
    pub(crate) known: HashMap<String, Known>,
    pub(crate) end: Option<(CallTime, Party)>,
    pub(crate) is_on_hold: bool,
}

/// What became of the calls in progress.
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
        let Some(mut resumed) = calls.remove(&call_no) else { return };
        let replayed = catch_unwind(AssertUnwindSafe(move || {
            resumed.replay(now, entry);
            resumed
        }));
        match replayed {
            Ok(resumed) => drop(calls.insert(call_no, resumed)),
            Err(_) => lost.push(call_no),
        }
    })?;
    for (call_no, alert_id, known) in readers.open_alerts()? {
        if let Some(resumed) = calls.get_mut(&call_no) {
            resumed.known.insert(alert_id, known);
        }
    }
    Ok(Recovered { calls: calls.into_values().collect(), lost })
}

fn begin(call: &OpenCall, rules: Arc<RuleSet>) -> Option<Resumed> {
    let Ok(Event { body: EventBody::Start(info), .. }) = native::parse(&call.start) else { return None };
    let begun = catch_unwind(AssertUnwindSafe(|| {
        let mut session = Session::new(rules, *info, call.seq);
        while session.poll_output().is_some() {}
        session
    }));
    Some(Resumed {
        call_no: call.call_no,
        session: begun.ok()?,
        at: CallTime::ANSWERED,
        legs: 0,
        left_open: BTreeMap::new(),
        known: HashMap::new(),
        end: None,
        is_on_hold: false,
    })
}

impl Resumed {
    fn replay(&mut self, now: CallTime, entry: ReplayEntry<'_>) {
        self.at = self.at.max(now);
        match entry {
            ReplayEntry::Event(json) => self.told(now, json),
            ReplayEntry::Tick => self.session.handle_timeout(now),
            ReplayEntry::Leg => self.legs = self.legs.saturating_add(1),
        }
        while self.session.poll_output().is_some() {}
    }

    fn told(&mut self, now: CallTime, json: &str) {
        // What was kept was parsed before it was.
        let Ok(Event { seq, body: EventBody::Input(input), .. }) = native::parse(json) else { return };
        match &input {
            Input::Utterance(utterance) if utterance.is_final => drop(self.left_open.remove(&utterance.utterance_id)),
            Input::Utterance(utterance) => {
                self.left_open.insert(utterance.utterance_id.clone(), (now, json.into()));
            }
            Input::Hold { .. } => self.is_on_hold = true,
            Input::Resume { .. } => self.is_on_hold = false,
            Input::End { at, by } => drop(self.end.get_or_insert((*at, *by))),
            Input::Transfer { .. } | Input::TransferAnswered { .. } => {}
        }
        self.session.hear(seq, &input);
        self.session.handle(now, input);
    }
}
