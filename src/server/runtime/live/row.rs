//! The view of one call for the wall (a row) and the desk (a card). It has no words of the call
//! except those in an alert's message, masked.

use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use crate::adapter::alert_json::wall_time;
use crate::engine::alert::Alert;
use crate::engine::privacy;
use crate::engine::rule::Rule;
use crate::engine::severity::Severity;
use crate::engine::status::{CallStatus, Duty, DutyPart, DutyState, Phase};
use crate::engine::time::CallTime;
use crate::engine::transcript::{Channel, Direction, Role};
use crate::server::domain::roster::Agent;
use crate::server::domain::threshold::CountedCall;
use crate::server::runtime::call_state::CallState;

/// What an alert weighs in a call's heat has halved after so long.
const HALF_LIFE_MS: f64 = 60_000.0;
/// A clock that runs on at the client is sent again when it is wrong by more than this.
const CLOCK_WRONG_MS: i64 = 500;

/// The state of a call at one moment.
#[derive(Debug)]
pub(crate) struct LiveCall {
    pub(crate) call_id: Arc<str>,
    /// The agent who has it now.
    pub(crate) agent_id: Arc<str>,
    agent: Agent,
    /// The time at which the row changes by itself.
    pub(crate) changes_at: Option<CallTime>,
    queue: Option<String>,
    /// Masked.
    customer_name: Option<String>,
    channel: Channel,
    direction: Direction,
    started_at: String,
    /// No words come from the recogniser, though they should.
    is_unheard: bool,
    seen: Instant,
    clock: CallTime,
    status: CallStatus,
    duties: Vec<Duty>,
    alerts: Counts,
    /// How bad it is now: what each alert weighs, halved with each [`HALF_LIFE_MS`] since it came out.
    heat: f64,
    last_alert: Option<NamedAlert>,
    /// Why it is as bad now as it is: the alert that weighs most.
    reason: Option<NamedAlert>,
}

/// Alerts that stand, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    critical: u32,
    warning: u32,
    info: u32,
}

impl Counts {
    fn add(&mut self, severity: Severity) {
        let count = match severity {
            Severity::Critical => &mut self.critical,
            Severity::Warning => &mut self.warning,
            Severity::Info => &mut self.info,
        };
        *count += 1;
    }

    /// What an alert weighs in the heat of its call.
    const fn weight(severity: Severity) -> f64 {
        match severity {
            Severity::Critical => 9.0,
            Severity::Warning => 3.0,
            Severity::Info => 1.0,
        }
    }

    fn worst(self) -> Option<Severity> {
        match self {
            Self { critical: 1.., .. } => Some(Severity::Critical),
            Self { warning: 1.., .. } => Some(Severity::Warning),
            Self { info: 1.., .. } => Some(Severity::Info),
            _ => None,
        }
    }
}

/// One of the alerts that stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct NamedAlert {
    rule_name: String,
    severity: Severity,
    message: String,
    at_ms: i64,
}

impl LiveCall {
    /// How a call stands when its clock shows `clock`. What rules on trial make of it is not shown.
    pub(crate) fn new(
        call_id: Arc<str>,
        state: &CallState,
        clock: CallTime,
        seen: Instant,
        agent_of: impl Fn(&str) -> Agent,
        is_shadow: impl Fn(&Rule) -> bool,
    ) -> Self {
        let session = &state.session;
        let (call, info) = (session.call(), session.info());
        let status = call.status(clock);
        let duties = call.duties(clock, |rule| !is_shadow(rule));
        let mut alerts = Counts::default();
        let at = if status.phase == Phase::Ended { status.since } else { clock };
        let mut heat = 0.0;
        let (mut last, mut gravest) = (None, None);
        for alert in call.alerts_in_force().filter(|alert| !alert.held && !is_shadow(&alert.rule)) {
            alerts.add(alert.rule.severity);
            heat += Counts::weight(alert.rule.severity) * halved(at.since(alert.emitted));
            let place = (alert.emitted, alert.at, &alert.alert_id);
            if last.as_ref().is_none_or(|(latest, _)| *latest < place) {
                last = Some((place, alert));
            }
            let place = (lasting(alert.rule.severity, alert.emitted), place);
            if gravest.as_ref().is_none_or(|(heaviest, _)| *heaviest < place) {
                gravest = Some((place, alert));
            }
        }
        let named = |alert: &Alert| NamedAlert {
            rule_name: alert.rule.name.clone(),
            severity: alert.rule.severity,
            message: session.to_masked_wire(alert).message.into_owned(),
            at_ms: alert.at.0,
        };
        let changes = duties.iter().filter_map(|duty| duty.changes_at).chain(status.changes_at);
        let agent_id = Arc::clone(session.agent_at(clock));
        Self {
            call_id,
            agent: agent_of(&agent_id),
            agent_id,
            changes_at: changes.min(),
            queue: info.queue.clone(),
            customer_name: info.customer_name.as_deref().map(|name| privacy::mask(name).into_owned()),
            is_unheard: state.is_unheard(),
            channel: info.channel,
            direction: info.direction,
            started_at: wall_time(info.started_at, CallTime::ANSWERED),
            seen,
            clock: at,
            status,
            duties,
            alerts,
            heat,
            last_alert: last.map(|(_, alert)| named(alert)),
            reason: gravest.map(|(_, alert)| named(alert)),
        }
    }

    /// Whether the wall shows it otherwise than `before`.
    pub(crate) fn differs_on_wall(&self, before: &Self) -> bool {
        let row = |call: &Self| (call.status.phase, call.status.since, call.status.speaker, call.alerts);
        row(self) != row(before)
            || self.agent_id != before.agent_id
            || self.agent != before.agent
            || self.last_alert != before.last_alert
            || self.reason != before.reason
            || self.is_unheard != before.is_unheard
            || self.owed() != before.owed()
            || self.is_off(before)
    }

    /// Whether the desk shows it otherwise than `before`.
    pub(crate) fn differs_on_desk(&self, before: &Self) -> bool {
        let shown = |duty: &Duty| (Arc::as_ptr(&duty.rule), duty.due, duty.state, duty.is_overdue);
        let is_same = |(duty, before): (&Duty, &Duty)| shown(duty) == shown(before) && duty.parts == before.parts;
        let meters = |call: &Self| (call.status.phase, call.status.since, call.status.speech_rate);
        meters(self) != meters(before)
            || self.is_unheard != before.is_unheard
            || self.agent_id != before.agent_id
            || self.duties.len() != before.duties.len()
            || !self.duties.iter().zip(&before.duties).all(is_same)
            || self.is_off(before)
    }

    /// Whether the clock of who was shown `before` is wrong by now.
    fn is_off(&self, before: &Self) -> bool {
        self.is_running() && self.clock.since(before.clock_at(self.seen)).abs() > CLOCK_WRONG_MS
    }

    /// What thresholds count of it at `now`; nothing of a call that has ended.
    pub(crate) fn counted(&self, now: Instant) -> Option<CountedCall<'_>> {
        let lasted = self.clock_at(now).since(self.status.since);
        let of = |is_so: bool| if is_so { lasted } else { 0 };
        self.is_running().then(|| CountedCall {
            queue: self.queue.as_deref(),
            team: self.agent.team.as_deref(),
            site: self.agent.site.as_deref(),
            silent_ms: of(self.channel == Channel::Voice && self.status.phase == Phase::Silent && !self.is_unheard),
            held_ms: of(self.status.phase == Phase::Hold),
            unheard_ms: of(self.is_unheard),
        })
    }

    fn owed(&self) -> usize {
        self.duties.iter().filter(|duty| duty.state == DutyState::Owed).count()
    }

    fn is_running(&self) -> bool {
        self.status.phase != Phase::Ended
    }

    /// Milliseconds for which the call has gone on since it was looked at.
    fn ran_ms(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.seen).as_millis();
        if self.is_running() { i64::try_from(passed).unwrap_or(i64::MAX) } else { 0 }
    }

    fn clock_at(&self, now: Instant) -> CallTime {
        self.clock.plus(self.ran_ms(now))
    }

    /// Its row of the wall.
    pub(crate) fn wall_json(&self) -> String {
        let CallStatus { phase, since, speaker, .. } = self.status;
        let row = WallRow {
            call_id: &self.call_id,
            agent_id: &self.agent_id,
            agent_name: self.agent.name.as_deref(),
            team: self.agent.team.as_deref(),
            site: self.agent.site.as_deref(),
            queue: self.queue.as_deref(),
            customer_name: self.customer_name.as_deref(),
            channel: self.channel,
            direction: self.direction,
            started_at: &self.started_at,
            asr_silent: self.is_unheard,
            clock_ms: self.clock.0,
            running: self.is_running(),
            state: phase.name(),
            speaker,
            state_ms: self.clock.since(since),
            alerts: self.alerts,
            worst: self.alerts.worst(),
            heat: (self.heat * 100.0).round() / 100.0,
            last_alert: self.last_alert.as_ref(),
            reason: self.reason.as_ref(),
            owed: self.owed(),
        };
        serde_json::to_string(&row).unwrap_or_default()
    }

    /// Its card on the desk, as of `now`.
    pub(crate) fn desk_row(&self, now: Instant) -> DeskRow<'_> {
        let ran_ms = self.ran_ms(now);
        let CallStatus { phase, since, silence_ms, hold_ms, speech_rate, .. } = self.status;
        let (silent_ms, held_ms) = match phase {
            Phase::Hold => (0, ran_ms),
            Phase::Talking | Phase::Silent => (ran_ms, 0),
            Phase::Ended => (0, 0),
        };
        DeskRow {
            call_id: &self.call_id,
            started_at: &self.started_at,
            queue: self.queue.as_deref(),
            customer_name: self.customer_name.as_deref(),
            asr_silent: self.is_unheard,
            channel: self.channel,
            clock_ms: self.clock.0.saturating_add(ran_ms),
            running: self.is_running(),
            state: phase.name(),
            state_ms: self.clock.since(since).saturating_add(ran_ms),
            silence_ms: silence_ms.saturating_add(silent_ms),
            hold_ms: hold_ms.saturating_add(held_ms),
            speech_rate,
            checklist: self.duties.iter().map(DutyRow::new).collect(),
        }
    }
}

/// What is left of 1 after so many milliseconds.
#[allow(clippy::cast_precision_loss, reason = "a call lasts at most 31 days")]
fn halved(passed_ms: i64) -> f64 {
    (-(passed_ms.max(0) as f64) / HALF_LIFE_MS).exp2()
}

/// When an alert that came out at `emitted` will weigh 1, by which alerts can be compared at any time: all of them weigh
/// half with each [`HALF_LIFE_MS`].
#[allow(clippy::cast_possible_truncation, reason = "some minutes")]
fn lasting(severity: Severity, emitted: CallTime) -> CallTime {
    emitted.plus((Counts::weight(severity).log2() * HALF_LIFE_MS) as i64)
}

#[derive(Debug, Serialize)]
struct WallRow<'a> {
    call_id: &'a str,
    agent_id: &'a str,
    agent_name: Option<&'a str>,
    team: Option<&'a str>,
    site: Option<&'a str>,
    queue: Option<&'a str>,
    customer_name: Option<&'a str>,
    channel: Channel,
    direction: Direction,
    started_at: &'a str,
    asr_silent: bool,
    clock_ms: i64,
    running: bool,
    state: &'static str,
    speaker: Option<Role>,
    state_ms: i64,
    alerts: Counts,
    worst: Option<Severity>,
    heat: f64,
    last_alert: Option<&'a NamedAlert>,
    reason: Option<&'a NamedAlert>,
    owed: usize,
}

/// A call on the desk of the agent who has it.
#[derive(Debug, Serialize)]
pub(crate) struct DeskRow<'a> {
    call_id: &'a str,
    started_at: &'a str,
    queue: Option<&'a str>,
    customer_name: Option<&'a str>,
    asr_silent: bool,
    channel: Channel,
    clock_ms: i64,
    running: bool,
    state: &'static str,
    state_ms: i64,
    silence_ms: i64,
    hold_ms: i64,
    speech_rate: Option<i64>,
    checklist: Vec<DutyRow<'a>>,
}

#[derive(Debug, Serialize)]
struct DutyRow<'a> {
    rule_id: &'a str,
    rule_name: &'a str,
    severity: Severity,
    /// The words to say, as the rule suggests them.
    say: Option<&'a str>,
    /// The parts are steps, one after the other.
    in_order: bool,
    parts: Vec<PartRow<'a>>,
    due_ms: Option<i64>,
    state: &'static str,
    overdue: bool,
}

#[derive(Debug, Serialize)]
struct PartRow<'a> {
    name: &'a str,
    /// Words that do it.
    say: Option<&'a str>,
    optional: bool,
    said_at_ms: Option<i64>,
}

impl<'a> DutyRow<'a> {
    fn new(duty: &'a Duty) -> Self {
        let part = |part: &'a DutyPart| PartRow {
            name: &part.name,
            say: part.say.as_deref(),
            optional: part.is_optional,
            said_at_ms: part.said.map(|at| at.0),
        };
        Self {
            rule_id: &duty.rule.id,
            rule_name: &duty.rule.name,
            severity: duty.rule.severity,
            say: duty.rule.suggestion.as_deref(),
            in_order: duty.is_sequence,
            parts: duty.parts.iter().map(part).collect(),
            due_ms: duty.due.map(|due| due.0),
            state: duty.state.name(),
            overdue: duty.is_overdue,
        }
    }
}
