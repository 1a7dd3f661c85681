//! One call as its shard keeps it: the session, and what only the server knows
//! of it. It decides what of the call is kept and who is told what.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::engine::alert::{Alert, AlertState};
use crate::engine::privacy;
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Channel, Input, Party, Utterance};
use crate::server::clock;
use crate::server::clock::CallClock;
use crate::server::config::LEFT_OPEN_MAX;
use crate::server::runtime::Shared;
use crate::server::runtime::agents::Admission;
use crate::server::runtime::health;
use crate::server::runtime::journal::{AlertEffect, Batch, Effect};
use crate::server::runtime::live::{Audience, LiveCall, Look};
use crate::server::runtime::subscription::Watchers;
use crate::server::store::{AlertRow, Display, Known, Record};
use crate::server::telemetry::events::{AlertDecided, Happening as _};
use crate::session::Session;

/// A call and what only the server knows of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) call_no: i64,
    pub(crate) session: Session,
    pub(crate) clock: CallClock,
    /// When the last event of it arrived.
    pub(crate) heard: Instant,
    /// When its `call.end` arrived.
    pub(crate) ended: Option<Instant>,
    /// What its `call.end` said.
    pub(crate) end: Option<(CallTime, Party)>,
    pub(crate) speech: Speech,
    /// The moment of its one alarm that counts.
    pub(crate) armed: Option<Instant>,
    pub(crate) serial: u64,
    pub(crate) legs: u32,
    pub(crate) watchers: Option<Arc<Watchers>>,
    /// The last hypotheses of utterances without a final, by utterance.
    pub(crate) left_open: BTreeMap<String, (CallTime, Box<str>)>,
    /// What was decided of each of its alerts.
    pub(crate) known: HashMap<String, Known>,
    /// Something happened in it since somebody looked.
    pub(crate) is_touched: bool,
    /// What those were shown who look on.
    pub(crate) shown: Option<Arc<LiveCall>>,
}

/// Whether a call's words still come.
#[derive(Debug)]
pub(crate) struct Speech {
    /// When the last words came, or began to be expected.
    pub(crate) heard: Instant,
    /// Whether they are to come: not in chats, and not on hold.
    pub(crate) is_expected: bool,
    /// Whether the agent was told that none come.
    pub(crate) is_missed: bool,
}

impl Slot {
    /// A call that is taken up now, or again; `heard` is when its last event came.
    pub(crate) fn new(call_no: i64, session: Session, clock: CallClock, heard: Instant, serial: u64) -> Self {
        Self {
            call_no,
            speech: Speech { is_expected: expects_speech(session.info()), ..Speech::new(heard) },
            session,
            clock,
            heard,
            ended: None,
            end: None,
            armed: None,
            serial,
            legs: 0,
            watchers: None,
            left_open: BTreeMap::new(),
            known: HashMap::new(),
            is_touched: true,
            shown: None,
        }
    }

    /// Whether somebody of `audience` may see it otherwise than before.
    pub(crate) fn concerns(&self, audience: &Audience, now: Instant) -> bool {
        let at = self.clock.at(now);
        let shown = self.shown.as_deref();
        let is_new = self.is_touched || shown.is_none_or(|shown| shown.changes_at.is_some_and(|change| change <= at));
        if audience.wall && (is_new || audience.wall_is_fresh) {
            return true;
        }
        if audience.desks.is_empty() {
            return false;
        }
        let agent_id = self.session.agent_at(at);
        let concerns_desk = |agent_id: &Arc<str>| audience.desks.contains(agent_id);
        audience.fresh_desks.contains(agent_id)
            || is_new && (concerns_desk(agent_id) || shown.is_some_and(|shown| concerns_desk(&shown.agent_id)))
    }

    /// How it stands, and whether that is news to those who look on.
    pub(crate) fn look(&mut self, shared: &Shared, call_id: &Arc<str>, now: Instant) -> Look {
        let is_shadow = |pack: &str| shared.config.is_shadow(pack);
        let call = Arc::new(LiveCall::new(Arc::clone(call_id), &self.session, self.clock.at(now), now, is_shadow));
        self.is_touched = false;
        let before = self.shown.replace(Arc::clone(&call));
        Look::new(call, before.as_deref())
    }

    /// Notes an input. Returns what the agent is told when words come again.
    pub(crate) fn hear(&mut self, input: &Input, received: Instant) -> Option<Utf8Bytes> {
        match input {
            Input::Utterance(_) => {
                self.speech.heard = received;
                let was_missed = std::mem::take(&mut self.speech.is_missed);
                return was_missed.then(|| health::asr_heard(&self.session.info().call_id));
            }
            Input::Hold { .. } => self.speech.is_expected = false,
            Input::Resume { .. } => {
                self.speech.heard = received;
                self.speech.is_expected = expects_speech(self.session.info());
            }
            Input::End { at, by } => {
                self.speech.is_expected = false;
                self.ended.get_or_insert(received);
                self.end.get_or_insert((*at, *by));
                // Its life ends sooner than was thought.
                self.armed = None;
            }
            Input::Transfer { .. } | Input::TransferAnswered { .. } => {}
        }
        None
    }

    /// Whether an input stays when the call is over. Of hypotheses, only those
    /// do that no final replaced; they are held until the call is closed.
    pub(crate) fn keep(&mut self, input: &Input, now: CallTime, json: &Utf8Bytes, batch: &mut Batch) -> bool {
        let Input::Utterance(utterance) = input else { return true };
        if utterance.is_final {
            self.left_open.remove(&utterance.utterance_id);
            return true;
        }
        let is_new = self.left_open.insert(utterance.utterance_id.clone(), (now, json.as_str().into())).is_none();
        if is_new
            && self.left_open.len() > LEFT_OPEN_MAX
            && let Some((_, (now, json))) = self.left_open.pop_first()
        {
            batch.records.push(Record::LeftOpen { call_no: self.call_no, now, json });
        }
        false
    }

    /// Has an alert kept, and shown to those who are to see it.
    pub(crate) fn raise(&mut self, shared: &Shared, alert: &Alert, since: Instant, batch: &mut Batch) {
        let is_confirmed = alert.state == AlertState::Confirmed;
        let Known { display, was_confirmed } = match self.known.get_mut(&alert.alert_id) {
            Some(known) => {
                let before = *known;
                known.was_confirmed |= is_confirmed;
                before
            }
            None => {
                let display = self.display(shared, alert, since, batch);
                self.known.insert(alert.alert_id.clone(), Known { display, was_confirmed: is_confirmed });
                Known { display, was_confirmed: false }
            }
        };
        // A pack on trial is heard of nowhere; folding and lateness concern the agent's screen alone.
        let webhooks = match display {
            Display::Shadow => Vec::new(),
            _ => shared.outbox.wanted(alert.rule.severity, alert.state, was_confirmed),
        };
        let made_ms = if webhooks.is_empty() { 0 } else { clock::unix_ms() };
        AlertDecided { alert, display: display.name() }.report(&shared.metrics);
        let wire = self.session.to_wire(alert);
        let json = wire.to_json();
        let masked = wire.masked().to_json();
        let info = self.session.info();
        let watched = self.watchers.as_ref().filter(|_| display != Display::Shadow);
        batch.effects.push(Effect::Alert(Box::new(AlertEffect {
            agent_id: (display == Display::Card).then(|| alert.agent_id.to_string()),
            json,
            watched: watched.map(|watchers| (Arc::clone(watchers), Utf8Bytes::from(masked.clone()))),
            has_webhooks: !webhooks.is_empty(),
            since,
        })));
        batch.records.push(Record::Alert(Box::new(AlertRow {
            call_no: self.call_no,
            alert_id: alert.alert_id.clone(),
            agent_id: alert.agent_id.to_string(),
            rule_id: alert.rule.id.clone(),
            pack: alert.rule.pack.clone(),
            severity: alert.rule.severity,
            deduct: alert.rule.deduct,
            state: alert.state,
            said_ms: info.started_at.timestamp_millis().saturating_add(alert.at.0),
            display,
            json: masked,
            webhooks,
            made_ms,
        })));
    }

    /// Decides how a new alert is displayed, for good.
    fn display(&self, shared: &Shared, alert: &Alert, now: Instant, batch: &mut Batch) -> Display {
        let config = &shared.config;
        if config.is_shadow(&alert.rule.pack) {
            return Display::Shadow;
        }
        let says_something =
            matches!(alert.state, AlertState::Provisional | AlertState::Confirmed | AlertState::Reminder);
        if !says_something || alert.emitted.since(alert.at).max(0).unsigned_abs() > config.alerts.late_ms_max.get() {
            return Display::Late;
        }
        let per_minute = config.alerts.cards_per_minute_max.get() as usize;
        match shared.agents.admit(&alert.agent_id, alert.rule.severity, now, per_minute) {
            Admission::Card => Display::Card,
            Admission::Folded(count) => {
                let text = serde_json::json!({
                    "type": "folded",
                    "call_id": self.session.info().call_id,
                    "count": count,
                    "message": format!("另有 {count} 条"),
                });
                let text = Utf8Bytes::from(text.to_string());
                batch.effects.push(Effect::Notice { agent_id: alert.agent_id.to_string(), text });
                Display::Folded
            }
        }
    }

    pub(crate) fn tell_watchers(&self, batch: &mut Batch, text: &Utf8Bytes) {
        if let Some(watchers) = &self.watchers {
            batch.effects.push(Effect::Watched { watchers: Arc::clone(watchers), text: text.clone() });
        }
    }
}

impl Speech {
    pub(crate) const fn new(heard: Instant) -> Self {
        Self { heard, is_expected: true, is_missed: false }
    }

    /// From when on the agent is to be told that no words come.
    pub(crate) fn is_missed_from(&self, silence: Duration) -> Option<Instant> {
        (self.is_expected && !self.is_missed).then(|| self.heard + silence)
    }
}

/// Whoever types may be silent as long as he likes.
pub(crate) fn expects_speech(info: &CallInfo) -> bool {
    info.channel == Channel::Voice
}

/// An input as those may see it who are not in the call.
pub(crate) fn masked(input: &Input) -> Cow<'_, Input> {
    match input {
        Input::Utterance(utterance) => match privacy::mask(&utterance.text) {
            Cow::Borrowed(_) => Cow::Borrowed(input),
            Cow::Owned(text) => Cow::Owned(Input::Utterance(Utterance { text, ..utterance.clone() })),
        },
        _ => Cow::Borrowed(input),
    }
}
