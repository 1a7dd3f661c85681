//! One call as its shard holds it: the call's state, and the moments that only a running server
//! knows. It decides which of the call's data is stored and who is sent a message.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::adapter::alert_json::{AlertJson, wall_time};
use crate::adapter::native;
use crate::engine::alert::{Alert, AlertState};
use crate::engine::privacy;
use crate::engine::rule::Rule;
use crate::engine::status::{Duty, DutyState};
use crate::engine::time::CallTime;
use crate::engine::transcript::Input;
use crate::server::clock::CallClock;
use crate::server::domain::terms::Display;
use crate::server::domain::threshold::CountedAlert;
use crate::server::runtime::Shared;
use crate::server::runtime::agents::Admission;
use crate::server::runtime::call_state::{Applied, CallState, Hypothesis};
use crate::server::runtime::journal::{AlertEffect, Batch, Effect};
use crate::server::runtime::live::{Audience, LiveCall, Look};
use crate::server::runtime::shares::Share;
use crate::server::runtime::subscription::Watchers;
use crate::server::runtime::{health, thresholds};
use crate::server::store::{AlertRow, Entry, KeptDuty, OpenAlert, Record};
use crate::server::telemetry::events::{AlertDecided, AlertsLeftOut, Happening as _};
use crate::session::Session;

/// The surroundings in which a call's slot decides.
pub(crate) struct Surroundings<'a> {
    pub(crate) shared: &'a Shared,
    /// The wall clock at this step of the shard.
    pub(crate) unix_ms: i64,
}

/// A call and what only the server knows of it.
#[derive(Debug)]
pub(crate) struct ShardCall {
    pub(crate) state: CallState,
    pub(crate) clock: CallClock,
    /// When its last event arrived.
    pub(crate) heard: Instant,
    /// When its `call.end` arrived.
    pub(crate) ended: Option<Instant>,
    /// When its last words came, or began to be expected.
    silent_since: Instant,
    /// The moment of its one alarm that counts.
    pub(crate) armed: Option<Instant>,
    pub(crate) serial: u64,
    /// Counts it for its producer; `None` if it was taken up after a restart.
    pub(crate) share: Option<Share>,
    pub(crate) watchers: Option<Arc<Watchers>>,
    /// The decisions on each of its alerts.
    known: HashMap<String, Known>,
    /// Something happened in it since the last look.
    pub(crate) is_touched: bool,
    /// The row that the live views were sent last.
    pub(crate) shown: Option<Arc<LiveCall>>,
}

/// The decisions on one alert: how it is displayed, for good, and whether it
/// was ever confirmed.
#[derive(Clone, Copy, Debug)]
struct Known {
    display: Display,
    was_confirmed: bool,
}

/// One transition of an alert on its way to the store and to those who see it.
struct Transition {
    row: AlertRow,
    /// The alert's JSON for the agent, without its cursor.
    json: String,
    was_confirmed: bool,
    since: Instant,
}

impl ShardCall {
    /// A call that is taken up now, or again; `heard` is when its last event came.
    pub(crate) fn new(state: CallState, clock: CallClock, heard: Instant, serial: u64) -> Self {
        Self {
            ended: state.end().map(|_| heard),
            state,
            clock,
            heard,
            silent_since: heard,
            armed: None,
            serial,
            share: None,
            watchers: None,
            known: HashMap::new(),
            is_touched: true,
            shown: None,
        }
    }

    pub(crate) const fn session(&self) -> &Session {
        &self.state.session
    }

    /// From when on the agent must get a notice that no words come.
    pub(crate) fn is_missed_from(&self, silence: Duration) -> Option<Instant> {
        self.state.awaits_speech().then(|| self.silent_since + silence)
    }

    /// Whether the call may look different to a viewer of `audience` than before.
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
        let agent_id = self.session().agent_at(at);
        let concerns_desk = |agent_id: &Arc<str>| audience.desks.contains(agent_id);
        audience.fresh_desks.contains(agent_id)
            || is_new && (concerns_desk(agent_id) || shown.is_some_and(|shown| concerns_desk(&shown.agent_id)))
    }

    /// The call's row, and the views for which it is news.
    pub(crate) fn look(&mut self, shared: &Shared, call_id: &Arc<str>, now: Instant) -> Look {
        let is_shadow = |rule: &Rule| shared.config.is_shadow(rule);
        let agent_of = |agent_id: &str| shared.roster.of(agent_id);
        let clock = self.clock.at(now);
        let call = Arc::new(LiveCall::new(Arc::clone(call_id), &self.state, clock, now, agent_of, is_shadow));
        self.is_touched = false;
        let before = self.shown.replace(Arc::clone(&call));
        Look::new(call, before.as_deref())
    }

    /// What the call asked to be said and what was, by rule; what was never decided is left out.
    pub(crate) fn duties(&self, shared: &Shared) -> Vec<KeptDuty> {
        let mut by_rule: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        let counts = |rule: &Rule| !shared.config.is_shadow(rule);
        for Duty { rule, state, .. } in self.session().call().duties(self.state.at(), counts) {
            let (said, missed) = by_rule.entry(rule.id.clone()).or_default();
            match state {
                DutyState::Said => *said += 1,
                DutyState::Missed => *missed += 1,
                DutyState::Owed => {}
            }
        }
        by_rule.retain(|_, (said, missed)| *said + *missed > 0);
        by_rule.into_iter().map(|(rule_id, (said, missed))| KeptDuty { rule_id, said, missed }).collect()
    }

    /// Notes the outcome of what came at `since` and showed `now` on the call's
    /// clock: the journal's `entry` of it, its alerts, and what the agent is to know of the recogniser.
    pub(crate) fn note(
        &mut self,
        around: &Surroundings<'_>,
        (since, now): (Instant, CallTime),
        entry: Option<Entry>,
        applied: Applied,
        batch: &mut Batch,
    ) {
        let Applied { alerts, is_kept, left_open, is_heard, is_heard_again, is_too_much } = applied;
        let call_no = self.state.call_no;
        if is_heard {
            self.silent_since = since;
        }
        if self.ended.is_none() && self.state.end().is_some() {
            self.ended = Some(since);
            // The call now closes after `call_linger`, not `call_idle`: set the alarm anew.
            self.armed = None;
        }
        if is_heard_again {
            self.tell_all(now, health::asr_heard(&self.session().info().call_id), batch);
        }
        if entry == Some(Entry::Unheard) {
            let silence = around.shared.config.asr_silent().as_secs();
            self.tell_all(now, health::asr_silent(&self.session().info().call_id, silence), batch);
        }
        if is_too_much {
            let call_id = &self.session().info().call_id;
            AlertsLeftOut { call_id }.report(&around.shared.metrics);
            self.tell_all(now, health::too_much(call_id), batch);
        }
        if let Some(Hypothesis { now, json, .. }) = left_open {
            batch.keep(Record::LeftOpen { call_no, now, json });
        }
        // A tick that changed nothing is not worth keeping.
        if let Some(entry) = entry.filter(|entry| *entry != Entry::Tick || !alerts.is_empty()) {
            batch.keep(Record::Moved { call_no, now, entry, is_kept });
        }
        for alert in &alerts {
            self.raise(around, alert, since, batch);
        }
    }

    /// Tells the agent and the watchers something that is not kept.
    fn tell_all(&self, now: CallTime, text: Utf8Bytes, batch: &mut Batch) {
        self.tell_watchers(batch, &text);
        batch.tell(Effect::Notice { agent_id: self.session().agent_at(now).to_string(), text });
    }

    /// Takes up the alerts of a call that was in progress when the server stopped. If the replay
    /// came to other alerts than were shown, the difference is shown now.
    pub(crate) fn take_up(
        &mut self,
        around: &Surroundings<'_>,
        told: &BTreeMap<String, OpenAlert>,
        (changed, unfounded): (Vec<Alert>, Vec<OpenAlert>),
        now: Instant,
        batch: &mut Batch,
    ) {
        let known = |alert: &OpenAlert| Known { display: alert.display, was_confirmed: alert.was_confirmed };
        self.known.extend(told.iter().map(|(alert_id, alert)| (alert_id.clone(), known(alert))));
        let emitted = self.clock.at(now);
        for alert in changed {
            self.raise(around, &Alert { emitted, ..alert }, now, batch);
        }
        for alert in unfounded {
            self.retract(around, alert, emitted, now, batch);
        }
    }

    /// Has an alert kept, and shown to those who are to see it.
    fn raise(&mut self, around: &Surroundings<'_>, alert: &Alert, since: Instant, batch: &mut Batch) {
        let is_confirmed = alert.state == AlertState::Confirmed;
        let known = self.known.get(&alert.alert_id).copied();
        let display = match known {
            // What the second look lets pass or holds back is displayed anew; all else stays as it was shown.
            Some(known) if (known.display == Display::Held) == alert.held => known.display,
            _ => self.display(around.shared, alert, since, batch),
        };
        let was_confirmed = known.is_some_and(|known| known.was_confirmed);
        let known = Known { display, was_confirmed: was_confirmed || is_confirmed && !alert.held };
        self.known.insert(alert.alert_id.clone(), known);
        let wire = self.session().to_wire(alert);
        let json = wire.to_json();
        let row = AlertRow {
            call_no: self.state.call_no,
            alert_id: alert.alert_id.clone(),
            agent_id: alert.agent_id.to_string(),
            rule_id: alert.rule.id.clone(),
            pack: alert.rule.pack.clone(),
            severity: alert.rule.severity,
            deduct: alert.rule.deduct,
            state: alert.state,
            said_ms: self.session().info().started_at.timestamp_millis().saturating_add(alert.at.0),
            display,
            json: wire.masked(self.session().words()).to_json().into(),
            webhooks: Vec::new(),
            made_ms: 0,
        };
        self.put_out(around, Transition { row, json, was_confirmed, since }, batch);
    }

    /// Takes back an alert that was told before the server stopped, and that
    /// the program or the rules of now do not raise.
    fn retract(
        &self,
        around: &Surroundings<'_>,
        alert: OpenAlert,
        emitted: CallTime,
        since: Instant,
        batch: &mut Batch,
    ) {
        let OpenAlert {
            call_no,
            alert_id,
            agent_id,
            rule_id,
            pack,
            severity,
            deduct,
            said_ms,
            display,
            was_confirmed,
            json,
            ..
        } = alert;
        let Ok(mut wire) = serde_json::from_str::<AlertJson<'_>>(&json) else {
            tracing::warn!(alert_id, "a kept alert cannot be read; it is not taken back");
            return;
        };
        wire.state = AlertState::Retracted;
        wire.due_ms = None;
        wire.emitted_at = wall_time(self.session().info().started_at, emitted);
        let json = wire.to_json();
        let row = AlertRow {
            call_no,
            alert_id,
            agent_id,
            rule_id,
            pack,
            severity,
            deduct,
            state: AlertState::Retracted,
            said_ms,
            display,
            json: json.as_str().into(),
            webhooks: Vec::new(),
            made_ms: 0,
        };
        self.put_out(around, Transition { row, json, was_confirmed, since }, batch);
    }

    fn put_out(&self, around: &Surroundings<'_>, transition: Transition, batch: &mut Batch) {
        let Transition { mut row, json, was_confirmed, since } = transition;
        // A pack on trial, and a guess, are heard of nowhere; folding and lateness concern the agent's screen alone.
        let is_told = row.display.is_told();
        if is_told {
            row.webhooks = around.shared.outbox.wanted(row.severity, row.state, was_confirmed);
            row.made_ms = around.unix_ms;
        }
        AlertDecided { rule_id: &row.rule_id, state: row.state, display: row.display.name() }
            .report(&around.shared.metrics);
        let watched = self.watchers.as_ref().filter(|_| is_told);
        let tell = AlertEffect {
            agent_id: (row.display == Display::Card).then(|| row.agent_id.clone()),
            json,
            masked: row.json.clone(),
            watched: watched.map(|watchers| (Arc::clone(watchers), Utf8Bytes::from(row.json.to_string()))),
            has_webhooks: !row.webhooks.is_empty(),
            counted: self.counted(around.shared, &row),
            since,
        };
        batch.keep_alert(row, tell);
    }

    /// What thresholds count of a transition: an alert that is confirmed, or is no longer in force.
    fn counted(&self, shared: &Shared, row: &AlertRow) -> Option<CountedAlert> {
        let stands = match row.state {
            AlertState::Confirmed => true,
            AlertState::Retracted | AlertState::Resolved => false,
            AlertState::Provisional | AlertState::Reminder => return None,
        };
        (shared.thresholds.counts_alerts() && row.display.is_told()).then(|| {
            let agent = shared.roster.of(&row.agent_id);
            CountedAlert {
                key: thresholds::key(row.call_no, &row.alert_id),
                severity: row.severity,
                rule_id: row.rule_id.clone(),
                pack: row.pack.clone(),
                queue: self.session().info().queue.clone(),
                team: agent.team,
                site: agent.site,
                stands,
            }
        })
    }

    /// Decides how an alert is displayed: for good, unless the second look changes its mind.
    fn display(&self, shared: &Shared, alert: &Alert, now: Instant, batch: &mut Batch) -> Display {
        let config = &shared.config;
        if config.is_shadow(&alert.rule) {
            return Display::Shadow;
        }
        if alert.held {
            return Display::Held;
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
                    "call_id": self.session().info().call_id,
                    "count": count,
                    "message": format!("另有 {count} 条"),
                });
                let text = Utf8Bytes::from(text.to_string());
                batch.tell(Effect::Notice { agent_id: alert.agent_id.to_string(), text });
                Display::Folded
            }
        }
    }

    /// Tells the watchers what the call was told, as those may see it who are not in the call. Finals
    /// that now read otherwise are told again: a second final replaces the first.
    pub(crate) fn tell_words(&mut self, told: Option<Input>, batch: &mut Batch) {
        let reworded = self.state.session.take_reworded();
        if self.watchers.is_none() {
            return;
        }
        let told = told.map(|input| match input {
            Input::Utterance(utterance) => Input::Utterance(self.session().words().read(&utterance)),
            Input::Transfer { at, to: Some(to) } => Input::Transfer { at, to: Some(privacy::mask(&to).into_owned()) },
            other => other,
        });
        for input in reworded.into_iter().map(Input::Utterance).chain(told) {
            let text = Utf8Bytes::from(native::to_json(&self.session().info().call_id, &input));
            self.tell_watchers(batch, &text);
        }
    }

    fn tell_watchers(&self, batch: &mut Batch, text: &Utf8Bytes) {
        if let Some(watchers) = &self.watchers {
            batch.tell(Effect::Watched { watchers: Arc::clone(watchers), text: text.clone() });
        }
    }
}
