//! Questions of the QA department: alerts as they stand, calls, deductions.
//!
//! Lists are read in pages. A page begins behind a [`Place`], which an alert or
//! a call keeps for good, so nothing is skipped or told twice however much is
//! written in between.

use crate::engine::alert::AlertState;
use crate::engine::severity::Severity;
use crate::server::domain::review::{Appeal, Verdict};
use crate::server::domain::score::Deduction;
use crate::server::domain::terms::{CloseReason, Display, FeedbackAction};
use crate::server::store::counts::{COUNTS, counts};
use crate::server::store::reader::Readers;
use crate::server::store::review::{FoundReview, HAS_STEPS};
use crate::server::store::roster::in_team;
use crate::server::store::sql::{self, Connection, OptionalExtension as _, Row, Value, named, params_from_iter};
use crate::server::store::statistics::hour_of_day;
use crate::server::store::{StoreError, review};

/// A half-open range `[from, to)` of Unix milliseconds; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from_ms: Option<i64>,
    pub(crate) to_ms: Option<i64>,
}

impl Span {
    /// The span of the same length directly before; one that is not over yet counts up to `now_ms`. `None` without a beginning.
    pub(crate) fn before(self, now_ms: i64) -> Option<Self> {
        let from_ms = self.from_ms?;
        let length = self.to_ms.unwrap_or(now_ms).saturating_sub(from_ms);
        (length > 0).then(|| Self { from_ms: Some(from_ms.saturating_sub(length)), to_ms: Some(from_ms) })
    }

    /// The part of it that is behind a place. SQLite takes one bound of an index
    /// at each end, and must not take one that is far from the page.
    fn behind(self, order: Order, place: Option<Place>) -> Self {
        let Some(Place { ms, .. }) = place else { return self };
        match order {
            Order::OldestFirst => Self { from_ms: self.from_ms.max(Some(ms)), ..self },
            Order::NewestFirst => {
                let end = ms.saturating_add(1);
                Self { to_ms: Some(self.to_ms.map_or(end, |to_ms| to_ms.min(end))), ..self }
            }
        }
    }
}

/// Which alerts are wanted. What is empty or `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AlertFilter {
    pub(crate) span: Span,
    pub(crate) agent_id: Option<String>,
    /// The team of the agent.
    pub(crate) team: Option<String>,
    pub(crate) call_id: Option<String>,
    /// One call, where its id may stand for several.
    pub(crate) call_no: Option<i64>,
    pub(crate) alert_id: Option<String>,
    pub(crate) rule_id: Option<String>,
    /// The queue of the call.
    pub(crate) queue: Option<String>,
    pub(crate) severities: Vec<Severity>,
    pub(crate) states: Vec<AlertState>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) appeals: Vec<Appeal>,
    /// Only alerts that were reviewed or appealed, without packs on trial, which agents do not see.
    pub(crate) has_steps: bool,
    /// Also alerts that the second look holds back.
    pub(crate) with_held: bool,
    /// These displays only, whatever `with_held` says.
    pub(crate) displays: Vec<Display>,
    /// Only alerts that count, or only those that do not.
    pub(crate) counts: Option<bool>,
    pub(crate) hour: Option<Hour>,
}

/// An hour of the day, 0 to 23, in a zone so far east of Greenwich.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hour {
    pub(crate) of_day: u32,
    pub(crate) offset_ms: i64,
}

/// Which calls are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallFilter {
    pub(crate) span: Span,
    /// The agent who answered.
    pub(crate) agent_id: Option<String>,
    /// The team of the agent who answered.
    pub(crate) team: Option<String>,
    pub(crate) call_id: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) is_live: Option<bool>,
    /// Only calls that have such an alert.
    pub(crate) with_alert: Option<Box<AlertFilter>>,
    /// The hour of the day in which the call was answered.
    pub(crate) hour: Option<Hour>,
}

/// Which call is wanted, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct CallQuery {
    pub(crate) call_id: String,
    /// The call answered at that moment, where the id stands for several; the latest unless given.
    pub(crate) started_ms: Option<i64>,
    /// Also alerts that the second look holds back.
    pub(crate) with_held: bool,
    pub(crate) events_max: usize,
    pub(crate) alerts_max: usize,
}

/// One call with what is stored of it.
#[derive(Clone, Debug)]
pub(crate) struct CallRecord {
    pub(crate) call: FoundCall,
    pub(crate) deductions: Vec<Deduction>,
    pub(crate) events: Vec<String>,
    pub(crate) alerts: Vec<FoundAlert>,
    pub(crate) transitions: Vec<Transition>,
}

/// In which direction a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    NewestFirst,
    OldestFirst,
}

/// The place of an entry in a list: its moment, then its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) ms: i64,
    pub(crate) no: i64,
}

/// An alert as it stands.
#[derive(Clone, Debug)]
pub(crate) struct FoundAlert {
    pub(crate) place: Place,
    pub(crate) call_no: i64,
    /// The cursor of its latest transition.
    pub(crate) cursor: i64,
    /// Its latest transition, as the JSON of `docs/events.md`.
    pub(crate) json: String,
    pub(crate) display: Display,
    /// All its states, in their order.
    pub(crate) history: Vec<AlertState>,
    /// The queue of its call.
    pub(crate) queue: Option<String>,
    /// When the call was answered, RFC 3339.
    pub(crate) started_at: String,
    /// When the call was closed.
    pub(crate) closed_ms: Option<i64>,
    pub(crate) feedback: Option<FoundFeedback>,
    pub(crate) review: FoundReview,
}

impl FoundAlert {
    /// Whether it counts.
    pub(crate) fn counts(&self) -> bool {
        self.history.last().is_some_and(|state| counts(*state, self.display, self.review.standing))
    }
}

/// The agent's last answer.
#[derive(Clone, Debug)]
pub(crate) struct FoundFeedback {
    pub(crate) action: FeedbackAction,
    pub(crate) reason: Option<String>,
    pub(crate) given_ms: i64,
    /// The name of the token; none where nobody has one, and in stores of earlier versions.
    pub(crate) by: Option<String>,
}

/// One transition of an alert.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) alert_id: String,
    pub(crate) cursor: i64,
    pub(crate) json: String,
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct FoundCall {
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) agent_id: String,
    pub(crate) queue: Option<String>,
    pub(crate) started_at: String,
    pub(crate) started_ms: i64,
    pub(crate) rules_version: String,
    /// Its `call.start`; empty when it is no longer kept.
    pub(crate) start: String,
    pub(crate) end_ms: Option<i64>,
    pub(crate) ended_by: Option<String>,
    pub(crate) closed_ms: Option<i64>,
    pub(crate) close_reason: Option<CloseReason>,
}

/// A call with its deductions, one an alert.
#[derive(Clone, Debug)]
pub(crate) struct TotalledCall {
    pub(crate) call_no: i64,
    pub(crate) agent_id: String,
    pub(crate) queue: Option<String>,
    pub(crate) started_ms: i64,
    pub(crate) deductions: Vec<Deduction>,
}

/// A `WHERE` in the making.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// `condition` must hold, in which each `?` is one of `values`.
    pub(super) fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    pub(super) fn equal(&mut self, column: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(&format!("{column} = ?"), [Value::from(value.clone())]);
        }
    }

    /// The agent in `column` belongs to that team.
    pub(super) fn team(&mut self, column: &str, team: Option<&String>) {
        if let Some(team) = team {
            self.add(&in_team(column), [Value::from(team.clone())]);
        }
    }

    pub(super) fn one_of(&mut self, column: &str, names: impl ExactSizeIterator<Item = &'static str>) {
        if names.len() > 0 {
            let marks = vec!["?"; names.len()].join(", ");
            self.add(&format!("{column} IN ({marks})"), names.map(|name| Value::from(name.to_owned())));
        }
    }

    pub(super) fn within(&mut self, column: &str, span: Span) {
        if let Some(from_ms) = span.from_ms {
            self.add(&format!("{column} >= ?"), [Value::from(from_ms)]);
        }
        if let Some(to_ms) = span.to_ms {
            self.add(&format!("{column} < ?"), [Value::from(to_ms)]);
        }
    }

    fn hour(&mut self, moment: &str, hour: Option<Hour>) {
        if let Some(Hour { of_day, offset_ms }) = hour {
            self.add(&format!("{} = ?", hour_of_day(moment, offset_ms)), [Value::from(of_day)]);
        }
    }

    fn behind(&mut self, columns: &str, order: Order, place: Option<Place>) {
        if let Some(Place { ms, no }) = place {
            self.add(&format!("({columns}) {} (?, ?)", order.behind()), [Value::from(ms), Value::from(no)]);
        }
    }
}

impl Order {
    pub(super) const fn behind(self) -> &'static str {
        match self {
            Self::NewestFirst => "<",
            Self::OldestFirst => ">",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::NewestFirst => "DESC",
            Self::OldestFirst => "ASC",
        }
    }
}

impl AlertFilter {
    pub(super) fn conditions(&self, span: Span) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.within("latest.said_ms", span);
        conditions.equal("latest.agent_id", self.agent_id.as_ref());
        conditions.team("latest.agent_id", self.team.as_ref());
        conditions.equal("latest.rule_id", self.rule_id.as_ref());
        if let Some(call_id) = &self.call_id {
            let condition = "latest.call_no IN (SELECT call_no FROM calls WHERE call_id = ?)";
            conditions.add(condition, [Value::from(call_id.clone())]);
        }
        if let Some(queue) = &self.queue {
            let condition = "(SELECT queue FROM calls WHERE calls.call_no = latest.call_no) = ?";
            conditions.add(condition, [Value::from(queue.clone())]);
        }
        conditions.equal("latest.alert_id", self.alert_id.as_ref());
        if let Some(call_no) = self.call_no {
            conditions.add("latest.call_no = ?", [Value::from(call_no)]);
        }
        conditions.one_of("latest.severity", self.severities.iter().map(|severity| severity.name()));
        conditions.one_of("latest.state", self.states.iter().map(|state| state.name()));
        conditions.one_of("latest.verdict", self.verdicts.iter().map(|verdict| verdict.name()));
        conditions.one_of("latest.appeal", self.appeals.iter().map(|appeal| appeal.name()));
        let is_reviewed = !self.verdicts.is_empty() && !self.verdicts.contains(&Verdict::Unreviewed);
        if self.has_steps || is_reviewed || !self.appeals.is_empty() {
            conditions.add(HAS_STEPS, []);
        }
        if self.displays.is_empty() && !self.with_held {
            conditions.add("latest.display <> 'held'", []);
        }
        conditions.one_of("latest.display", self.displays.iter().map(|display| display.name()));
        match self.counts {
            Some(true) => conditions.add(COUNTS, []),
            Some(false) => conditions.add(&format!("NOT {COUNTS}"), []),
            None => {}
        }
        conditions.hour("latest.said_ms", self.hour);
        if self.has_steps {
            conditions.add("latest.display NOT IN ('shadow', 'held')", []);
        }
        conditions
    }
}

impl CallFilter {
    /// The calls that such alerts may be of, whatever their rule and however they stand.
    pub(crate) fn of_alerts(alerts: &AlertFilter) -> Self {
        let AlertFilter { span, agent_id, team, call_id, queue, hour, .. } = alerts.clone();
        Self { span, agent_id, team, call_id, queue, is_live: None, with_alert: None, hour }
    }

    /// An agent's calls are those that they answered, and those of others in which they have an alert that counts: in every
    /// list, sum and score.
    pub(super) fn conditions(&self, span: Span) -> Conditions {
        let mut conditions = self.of_anybody(span);
        let mut answered = Conditions::default();
        self.of_agent("calls.agent_id", &mut answered);
        if !answered.values.is_empty() {
            let mut told = Conditions::default();
            self.of_agent("latest.agent_id", &mut told);
            told.add(COUNTS, []);
            let answered_or_told = format!(
                "({} OR calls.call_no IN (SELECT latest.call_no FROM latest_alerts AS latest {}))",
                answered.sql.trim_start_matches(" WHERE "),
                told.sql
            );
            conditions.add(&answered_or_told, [answered.values, told.values].concat());
        }
        conditions
    }

    /// The calls, once for each agent whose they are, as a table `calls` of `call_no`, `agent_id`, `queue` and `started_ms`.
    pub(super) fn by_agent(&self, span: Span) -> Conditions {
        let (mut answered, mut told) = (self.of_anybody(span), self.of_anybody(span));
        self.of_agent("calls.agent_id", &mut answered);
        self.of_agent("latest.agent_id", &mut told);
        told.add(COUNTS, []);
        let sql = format!(
            "(SELECT calls.call_no, calls.agent_id, calls.queue, calls.started_ms FROM calls {}
              UNION SELECT calls.call_no, latest.agent_id, calls.queue, calls.started_ms
              FROM calls JOIN latest_alerts AS latest ON latest.call_no = calls.call_no {}) AS calls",
            answered.sql, told.sql
        );
        Conditions { sql, values: [answered.values, told.values].concat() }
    }

    fn of_agent(&self, column: &str, conditions: &mut Conditions) {
        conditions.equal(column, self.agent_id.as_ref());
        conditions.team(column, self.team.as_ref());
    }

    fn of_anybody(&self, span: Span) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.within("calls.started_ms", span);
        conditions.equal("calls.call_id", self.call_id.as_ref());
        conditions.equal("calls.queue", self.queue.as_ref());
        match self.is_live {
            Some(true) => conditions.add("calls.closed_ms IS NULL", []),
            Some(false) => conditions.add("calls.closed_ms IS NOT NULL", []),
            None => {}
        }
        if let Some(alerts) = &self.with_alert {
            let Conditions { sql, values } = alerts.conditions(alerts.span);
            let condition = format!("calls.call_no IN (SELECT latest.call_no FROM latest_alerts AS latest {sql})");
            conditions.add(&condition, values);
        }
        conditions.hour("calls.started_ms", self.hour);
        conditions
    }
}

impl Readers {
    /// Alerts as they stand, at most `count_max` of them, behind a place and up
    /// to the number `no_max`.
    pub(crate) fn alerts(
        &self,
        filter: &AlertFilter,
        order: Order,
        behind: Option<Place>,
        no_max: Option<i64>,
        count_max: usize,
    ) -> Result<Vec<FoundAlert>, StoreError> {
        let mut conditions = filter.conditions(filter.span.behind(order, behind));
        conditions.behind("latest.said_ms, latest.alert_no", order, behind);
        if let Some(no_max) = no_max {
            conditions.add("latest.alert_no <= ?", [Value::from(no_max)]);
        }
        let Conditions { sql, mut values } = conditions;
        let direction = order.name();
        let sql = format!(
            "SELECT latest.said_ms, latest.alert_no, latest.cursor, words(alerts.json), latest.display, latest.history, queue, action, reason, given_ms,
                 started_at, latest.verdict, latest.appeal, latest.call_no, latest.alert_id, closed_ms, feedback.by,
                 EXISTS (SELECT 1 FROM reviews WHERE reviews.call_no = latest.call_no AND reviews.alert_id = latest.alert_id)
             FROM latest_alerts AS latest
             JOIN alerts ON alerts.cursor = latest.cursor
             JOIN calls ON calls.call_no = latest.call_no
             LEFT JOIN feedback ON feedback_no = (SELECT max(feedback_no) FROM feedback
                 WHERE feedback.call_no = latest.call_no AND feedback.alert_id = latest.alert_id)
             {sql} ORDER BY latest.said_ms {direction}, latest.alert_no {direction} LIMIT ?"
        );
        values.push(limit(count_max));
        self.ask(|connection| {
            let mut alerts = connection.prepare_cached(&sql)?;
            let mut rows = alerts.query(params_from_iter(values))?;
            let mut alerts = Vec::new();
            while let Some(row) = rows.next()? {
                alerts.push(alert(connection, &row)?);
            }
            Ok(alerts)
        })
    }

    /// How many alerts a filter finds, and the number of the latest alert of all.
    pub(crate) fn count_alerts(&self, filter: &AlertFilter) -> Result<(i64, i64), StoreError> {
        let Conditions { sql, values } = filter.conditions(filter.span);
        self.ask(|connection| {
            let count = format!("SELECT count(*) FROM latest_alerts AS latest {sql}");
            let count: i64 = connection.query_row(&count, params_from_iter(values), |row| row.get(0))?;
            let last = "SELECT coalesce(max(alert_no), 0) FROM latest_alerts";
            Ok((count, connection.query_row(last, [], |row| row.get(0))?))
        })
    }

    /// Calls, the newest first, at most `count_max` of them, behind a place;
    /// each with what its confirmed alerts deduct.
    pub(crate) fn calls(
        &self,
        filter: &CallFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<(FoundCall, Vec<Deduction>)>, StoreError> {
        let mut conditions = filter.conditions(filter.span.behind(Order::NewestFirst, behind));
        conditions.behind("started_ms, call_no", Order::NewestFirst, behind);
        let Conditions { sql, mut values } = conditions;
        let sql = format!("SELECT {CALL} FROM calls {sql} ORDER BY started_ms DESC, call_no DESC LIMIT ?");
        values.push(limit(count_max));
        self.ask(|connection| {
            let mut calls = connection.prepare_cached(&sql)?;
            let calls = calls.query_map(params_from_iter(values), call)?;
            calls.map(|call| with_deductions(connection, call?)).collect()
        })
    }

    /// How many calls a filter finds.
    pub(crate) fn count_calls(&self, filter: &CallFilter) -> Result<u64, StoreError> {
        let Conditions { sql, values } = filter.conditions(filter.span);
        let sql = format!("SELECT count(*) FROM calls {sql}");
        self.ask(|connection| {
            let count: i64 = connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// The call of that id: the one answered at that moment, or the latest.
    fn call(&self, call_id: &str, started_ms: Option<i64>) -> Result<Option<(FoundCall, Vec<Deduction>)>, StoreError> {
        let sql = format!(
            "SELECT {CALL} FROM calls WHERE call_id = ?1 AND (started_ms = ?2 OR ?2 IS NULL) ORDER BY call_no DESC LIMIT 1"
        );
        self.ask(|connection| {
            let found = connection.prepare_cached(&sql)?.query_row((call_id, started_ms), call).optional()?;
            found.map(|call| with_deductions(connection, call)).transpose()
        })
    }

    /// The call of that id with its events, alerts and transitions, the oldest first.
    pub(crate) fn call_record(&self, query: &CallQuery) -> Result<Option<CallRecord>, StoreError> {
        let CallQuery { call_id, started_ms, with_held, events_max, alerts_max } = query;
        let Some((call, deductions)) = self.call(call_id, *started_ms)? else { return Ok(None) };
        let of_call = AlertFilter { call_no: Some(call.call_no), with_held: *with_held, ..AlertFilter::default() };
        Ok(Some(CallRecord {
            events: self.call_events(call.call_no, *events_max)?,
            alerts: self.alerts(&of_call, Order::OldestFirst, None, None, *alerts_max)?,
            transitions: self.call_transitions(call.call_no, *alerts_max)?,
            call,
            deductions,
        }))
    }

    /// The stored events of a call in order, at most `count_max`.
    pub(crate) fn call_events(&self, call_no: i64, count_max: usize) -> Result<Vec<String>, StoreError> {
        self.ask(|connection| {
            let events = "SELECT words(json) FROM events WHERE call_no = ?1 ORDER BY serial LIMIT ?2";
            let mut events = connection.prepare_cached(events)?;
            let events = events.query_map((call_no, limit(count_max)), |row| row.get(0))?;
            Ok(events.collect::<Result<_, _>>()?)
        })
    }

    /// The transitions of a call's alerts, at most `count_max` of them, in their order.
    fn call_transitions(&self, call_no: i64, count_max: usize) -> Result<Vec<Transition>, StoreError> {
        self.ask(|connection| {
            let alerts = "SELECT alert_id, cursor, words(json) FROM alerts WHERE call_no = ?1 ORDER BY cursor LIMIT ?2";
            let mut alerts = connection.prepare_cached(alerts)?;
            let alerts = alerts.query_map((call_no, limit(count_max)), |row| {
                Ok(Transition { alert_id: row.get(0)?, cursor: row.get(1)?, json: row.get(2)? })
            })?;
            Ok(alerts.collect::<Result<_, _>>()?)
        })
    }

    /// Gives the calls that a filter finds to `take`, in the order in which they
    /// were answered.
    pub(crate) fn totals(&self, filter: &CallFilter, mut take: impl FnMut(&TotalledCall)) -> Result<(), StoreError> {
        let Conditions { sql, values } = filter.conditions(filter.span);
        let sql = format!(
            "SELECT calls.call_no, calls.agent_id, queue, started_ms, latest.agent_id, pack, deduct
             FROM calls LEFT JOIN latest_alerts AS latest ON latest.call_no = calls.call_no AND {COUNTS}
             {sql} ORDER BY started_ms, calls.call_no"
        );
        self.ask(|connection| {
            let mut rows = connection.prepare_cached(&sql)?;
            let mut rows = rows.query(params_from_iter(values))?;
            let mut current: Option<TotalledCall> = None;
            while let Some(row) = rows.next()? {
                let call_no = row.get(0)?;
                if let Some(done) = current.take_if(|call| call.call_no != call_no) {
                    take(&done);
                }
                let call = match &mut current {
                    Some(call) => call,
                    None => current.insert(TotalledCall {
                        call_no,
                        agent_id: row.get(1)?,
                        queue: row.get(2)?,
                        started_ms: row.get(3)?,
                        deductions: Vec::new(),
                    }),
                };
                if let Some(agent_id) = row.get(4)? {
                    call.deductions.push(Deduction { agent_id, pack: row.get(5)?, deduct: row.get(6)? });
                }
            }
            if let Some(done) = current {
                take(&done);
            }
            Ok(())
        })
    }
}

fn alert(connection: &Connection, row: &Row<'_>) -> Result<FoundAlert, StoreError> {
    let feedback = match row.get::<_, Option<String>>(7)?.as_deref().and_then(FeedbackAction::from_name) {
        Some(action) => Some(FoundFeedback { action, reason: row.get(8)?, given_ms: row.get(9)?, by: row.get(16)? }),
        None => None,
    };
    let (verdict, appeal, history): (String, Option<String>, String) = (row.get(11)?, row.get(12)?, row.get(5)?);
    let (call_no, alert_id): (i64, String) = (row.get(13)?, row.get(14)?);
    let standing = review::standing(&verdict, appeal.as_deref());
    Ok(FoundAlert {
        place: Place { ms: row.get(0)?, no: row.get(1)? },
        call_no,
        cursor: row.get(2)?,
        json: row.get(3)?,
        display: named(row, 4, Display::from_name)?,
        history: history.split(' ').filter_map(AlertState::from_name).collect(),
        queue: row.get(6)?,
        started_at: row.get(10)?,
        closed_ms: row.get(15)?,
        feedback,
        review: review::found(connection, standing, row.get(17)?, call_no, &alert_id)?,
    })
}

const CALL: &str = "call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, words(start), end_ms, ended_by, closed_ms, close_reason";

fn call(row: &Row<'_>) -> sql::Result<FoundCall> {
    Ok(FoundCall {
        call_no: row.get(0)?,
        call_id: row.get(1)?,
        agent_id: row.get(2)?,
        queue: row.get(3)?,
        started_at: row.get(4)?,
        started_ms: row.get(5)?,
        rules_version: row.get(6)?,
        start: row.get(7)?,
        end_ms: row.get(8)?,
        ended_by: row.get(9)?,
        closed_ms: row.get(10)?,
        close_reason: row.get::<_, Option<String>>(11)?.as_deref().and_then(CloseReason::from_name),
    })
}

fn with_deductions(connection: &Connection, call: FoundCall) -> Result<(FoundCall, Vec<Deduction>), StoreError> {
    let deductions =
        format!("SELECT agent_id, pack, deduct FROM latest_alerts AS latest WHERE call_no = ? AND {COUNTS}");
    let mut deductions = connection.prepare_cached(&deductions)?;
    let deductions = deductions.query_map([call.call_no], |row| {
        Ok(Deduction { agent_id: row.get(0)?, pack: row.get(1)?, deduct: row.get(2)? })
    })?;
    let deductions = deductions.collect::<Result<_, _>>()?;
    Ok((call, deductions))
}

pub(super) fn limit(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}
