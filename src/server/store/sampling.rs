//! Samples of a week: what plans drew, whom it was given to, what they made of it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::server::domain::estimate::{Looked, Pairs};
use crate::server::domain::principal::Who;
use crate::server::domain::refusal::NotGiven;
use crate::server::domain::review::{Action, Step, in_force};
use crate::server::domain::sampling::{Picker, Strata, Stratum, rank};
use crate::server::domain::terms::Audited;
use crate::server::store::audit::Fact;
use crate::server::store::counts::{COUNTS, UPHELD};
use crate::server::store::query::{AlertFilter, Conditions, FoundAlert, Order, Place, Span, limit};
use crate::server::store::review::steps_of;
use crate::server::store::roster::{in_team, team_of};
use crate::server::store::sql::{
    self, Connection, OptionalExtension as _, Row, Value, named, params, params_from_iter,
};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// What a sample is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sampled {
    /// An alert that was told.
    Alert,
    /// An alert that was held back.
    Held,
    /// A whole call.
    Call,
}

impl Sampled {
    pub(crate) const ALL: [Self; 3] = [Self::Alert, Self::Held, Self::Call];

    /// Its name on the wire and in the store.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Held => "held",
            Self::Call => "call",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sampled| sampled.name() == name)
    }
}

/// By what a draw is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Division {
    Rule,
    Severity,
    Agent,
    Team,
    Queue,
}

/// A draw of one sort for one week.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) plan: String,
    pub(crate) week: Span,
    /// When the calls were closed that it is from.
    pub(crate) closed: Span,
    pub(crate) sampled: Sampled,
    pub(crate) by: Division,
    /// Only of agents of these teams; of all, if there are none.
    pub(crate) teams: Vec<String>,
    pub(crate) wanted: u64,
    pub(crate) seed: u64,
}

/// Something that was drawn, in the order of the draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) call_no: i64,
    pub(crate) alert_id: Option<String>,
    pub(crate) rule_id: Option<String>,
    pub(crate) stratum: Stratum,
    pub(crate) rank: u64,
}

/// A sample on its way to the store: what was drawn, and whom it is given to.
#[derive(Clone, Debug)]
pub(crate) struct NewSample {
    pub(crate) sampled: Sampled,
    pub(crate) drawn: Drawn,
    pub(crate) reviewer: String,
    /// It is judged a second time, without the first verdict.
    pub(crate) is_second: bool,
}

/// All that a plan drew for a week.
#[derive(Clone, Debug)]
pub(crate) struct NewDraw {
    pub(crate) plan: String,
    pub(crate) week_ms: i64,
    /// Up to when calls had to be closed for the draw before this one; `None`: it is the first of the week.
    pub(crate) before_ms: Option<i64>,
    pub(crate) due_ms: i64,
    /// Calls that were closed until then were drawn from.
    pub(crate) until_ms: i64,
    pub(crate) drawn_ms: i64,
    pub(crate) who: Who,
    pub(crate) samples: Vec<NewSample>,
}

/// A sample as it was given to a reviewer.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) sample_no: i64,
    pub(crate) plan: String,
    pub(crate) week_ms: i64,
    pub(crate) sampled: Sampled,
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) agent_id: String,
    pub(crate) queue: Option<String>,
    pub(crate) alert_id: Option<String>,
    pub(crate) stratum: String,
    pub(crate) drawn: i64,
    pub(crate) population: i64,
    pub(crate) reviewer: String,
    pub(crate) is_second: bool,
    pub(crate) due_ms: i64,
    pub(crate) verdict: Option<String>,
    pub(crate) done_ms: Option<i64>,
    /// The alert as it stands; none of a call.
    pub(crate) alert: Option<FoundAlert>,
}

/// Which assignments are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssignmentFilter {
    /// The weeks that begin in it.
    pub(crate) weeks: Span,
    pub(crate) reviewer: Option<String>,
    pub(crate) is_done: Option<bool>,
    pub(crate) sampled: Option<Sampled>,
    /// The agent who answered the call.
    pub(crate) agent_id: Option<String>,
    pub(crate) team: Option<String>,
}

/// A verdict on a sample.
#[derive(Clone, Debug)]
pub(crate) struct NewVerdict {
    pub(crate) sample_no: i64,
    pub(crate) who: Who,
    /// `confirm` or `dismiss` of a second look, `read` of a call.
    pub(crate) verdict: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) at_ms: i64,
}

/// How far a plan has come in a week, by reviewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) plan: String,
    pub(crate) week_ms: i64,
    pub(crate) reviewer: String,
    pub(crate) given: i64,
    pub(crate) done: i64,
    pub(crate) overdue: i64,
}

/// What samples say of the rules and of the reviewers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judgement {
    /// Told alerts that were judged, by rule.
    pub(crate) precision: BTreeMap<String, Vec<Looked>>,
    /// Violations in calls that were read, and those of them that the rules found, by rule.
    pub(crate) recall: BTreeMap<String, Vec<Looked>>,
    /// Calls that were read.
    pub(crate) calls_read: u64,
    pub(crate) by_rule: BTreeMap<String, Pairs>,
    /// By both reviewers: first, second.
    pub(crate) by_reviewer: BTreeMap<(String, String), Pairs>,
}

/// A sample is done once it was judged: an alert when anybody reviewed it.
const DONE: &str = "(samples.verdict IS NOT NULL OR (samples.kind <> 'call' AND samples.is_second = 0 \
     AND coalesce(latest.verdict, 'unreviewed') <> 'unreviewed'))";
const SAMPLES: &str = "samples JOIN calls ON calls.call_no = samples.call_no \
     LEFT JOIN latest_alerts AS latest ON latest.call_no = samples.call_no AND latest.alert_id = samples.alert_id";

impl Draw {
    /// What may be drawn: alerts and calls of the week that are over.
    fn frame(&self) -> (String, Vec<Value>) {
        let mut conditions = Conditions::default();
        let stratum = match (self.sampled, self.by) {
            (Sampled::Call, Division::Rule) => "'all'".to_owned(),
            (_, Division::Rule) => "latest.rule_id".to_owned(),
            (Sampled::Call, Division::Agent) => "calls.agent_id".to_owned(),
            (_, Division::Agent) => "latest.agent_id".to_owned(),
            (Sampled::Call, Division::Team) => format!("coalesce({}, '')", team_of("calls.agent_id")),
            (_, Division::Team) => format!("coalesce({}, '')", team_of("latest.agent_id")),
            (_, Division::Queue) => "coalesce(calls.queue, '')".to_owned(),
            (Sampled::Call, Division::Severity) => format!(
                "coalesce((SELECT latest.severity FROM latest_alerts AS latest WHERE latest.call_no = calls.call_no AND {COUNTS}
                     ORDER BY CASE latest.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END LIMIT 1), 'none')"
            ),
            (_, Division::Severity) => "latest.severity".to_owned(),
        };
        conditions.add("calls.closed_ms IS NOT NULL", []);
        conditions.within("calls.closed_ms", self.closed);
        let from = match self.sampled {
            Sampled::Call => {
                conditions.within("calls.started_ms", self.week);
                // Without its words nobody can read it.
                conditions.add("calls.start <> ''", []);
                format!("calls.call_no, NULL, NULL, {stratum}, calls.call_id, calls.started_ms FROM calls")
            }
            Sampled::Alert | Sampled::Held => {
                conditions.within("latest.said_ms", self.week);
                conditions.add("latest.state = 'confirmed'", []);
                let displays = if self.sampled == Sampled::Held { "= 'held'" } else { "IN ('card', 'folded', 'late')" };
                conditions.add(&format!("latest.display {displays}"), []);
                format!(
                    "latest.call_no, latest.alert_id, latest.rule_id, {stratum}, calls.call_id, calls.started_ms
                     FROM latest_alerts AS latest JOIN calls ON calls.call_no = latest.call_no"
                )
            }
        };
        if !self.teams.is_empty() {
            let agent = if self.sampled == Sampled::Call { "calls.agent_id" } else { "latest.agent_id" };
            let any = vec![in_team(agent); self.teams.len()].join(" OR ");
            conditions.add(&format!("({any})"), self.teams.iter().cloned().map(Value::from));
        }
        let Conditions { sql, values } = conditions;
        (format!("SELECT {from} {sql}"), values)
    }
}

impl Readers {
    /// Draws a sample, without keeping it.
    pub(crate) fn draw(&self, draw: &Draw) -> Result<Vec<Drawn>, StoreError> {
        let (frame, values) = draw.frame();
        self.ask(|connection| {
            // Sizes and units of one moment.
            let moment = connection.unchecked_transaction()?;
            let mut sizes = BTreeMap::<String, u64>::new();
            each(&moment, &frame, &values, |unit| *sizes.entry(unit.stratum).or_default() += 1)?;
            let strata = Strata::new(sizes.into_iter().collect(), draw.wanted);
            let mut picker = Picker::new(&strata);
            let week = draw.week.from_ms.unwrap_or_default().to_string();
            each(&moment, &frame, &values, |unit| {
                let Some(place) = strata.place(&unit.stratum) else { return };
                let started = unit.started_ms.to_string();
                let alert_id = unit.alert_id.clone().unwrap_or_default();
                let parts = [&draw.plan, draw.sampled.name(), &week, &unit.call_id, &started, &alert_id];
                picker.offer(place, rank(draw.seed, &parts), unit.call_no, unit);
            })?;
            Ok(picker
                .into_order()
                .into_iter()
                .map(|(place, rank, Unit { call_no, alert_id, rule_id, .. })| {
                    let stratum = strata.strata[place].clone();
                    Drawn { call_no, alert_id, rule_id, stratum, rank }
                })
                .collect())
        })
    }

    /// How much there is to draw from.
    pub(crate) fn draw_size(&self, draw: &Draw) -> Result<u64, StoreError> {
        let (frame, values) = draw.frame();
        let count = format!("SELECT count(*) FROM ({frame}) AS frame");
        self.ask(|connection| {
            let count: i64 =
                connection.prepare_cached(&count)?.query_row(params_from_iter(values), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Up to when calls had to be closed for a plan to draw from them for the week that begins then; `None` if it drew nothing.
    pub(crate) fn drawn_until(&self, plan: &str, week_ms: i64) -> Result<Option<i64>, StoreError> {
        let drawn = "SELECT drawn_ms FROM draws WHERE plan = ? AND week_ms = ?";
        self.ask(|connection| {
            Ok(connection.prepare_cached(drawn)?.query_row(params![plan, week_ms], |row| row.get(0)).optional()?)
        })
    }

    /// Assignments, those that are due first before the others, at most `count_max`, behind a place.
    pub(crate) fn assignments(
        &self,
        filter: &AssignmentFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<Assignment>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.within("samples.week_ms", filter.weeks);
        conditions.equal("samples.reviewer", filter.reviewer.as_ref());
        conditions.equal("calls.agent_id", filter.agent_id.as_ref());
        conditions.team("calls.agent_id", filter.team.as_ref());
        if let Some(sampled) = filter.sampled {
            conditions.add("samples.kind = ?", [Value::from(sampled.name().to_owned())]);
        }
        match filter.is_done {
            Some(true) => conditions.add(DONE, []),
            Some(false) => conditions.add(&format!("NOT {DONE}"), []),
            None => {}
        }
        if let Some(Place { ms, no }) = behind {
            conditions.add("(samples.due_ms, samples.sample_no) > (?, ?)", [ms.into(), no.into()]);
        }
        let Conditions { sql, mut values } = conditions;
        values.push(limit(count_max));
        let sql = format!(
            "SELECT sample_no, plan, week_ms, kind, samples.call_no, calls.call_id, calls.started_at, calls.agent_id, calls.queue,
                 samples.alert_id, stratum, drawn, population, reviewer, is_second, due_ms,
                 coalesce(samples.verdict, CASE WHEN {DONE} THEN latest.verdict END), done_ms
             FROM {SAMPLES} {sql} ORDER BY samples.due_ms, sample_no LIMIT ?"
        );
        let found: Vec<Assignment> = self.ask(|connection| {
            let mut found = connection.prepare_cached(&sql)?;
            let found = found.query_map(params_from_iter(values), assignment)?;
            Ok(found.collect::<Result<_, _>>()?)
        })?;
        found.into_iter().map(|assignment| self.with_alert(assignment)).collect()
    }

    fn with_alert(&self, assignment: Assignment) -> Result<Assignment, StoreError> {
        let Some(alert_id) = &assignment.alert_id else { return Ok(assignment) };
        let of_call = AlertFilter {
            call_no: Some(assignment.call_no),
            alert_id: Some(alert_id.clone()),
            with_held: true,
            ..AlertFilter::default()
        };
        let alert = self.alerts(&of_call, Order::OldestFirst, None, None, 1)?.pop();
        Ok(Assignment { alert, ..assignment })
    }

    /// How far plans have come in the weeks of a span, by reviewer, the latest week first.
    pub(crate) fn sampling_progress(&self, weeks: Span, now_ms: i64) -> Result<Vec<Progress>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.within("samples.week_ms", weeks);
        let Conditions { sql, values } = conditions;
        let sql = format!(
            "SELECT plan, week_ms, reviewer, count(*), count(*) FILTER (WHERE {DONE}), count(*) FILTER (WHERE NOT {DONE} AND due_ms < {now_ms})
             FROM {SAMPLES} {sql} GROUP BY 1, 2, 3 ORDER BY week_ms DESC, plan, reviewer"
        );
        self.ask(|connection| {
            let mut progress = connection.prepare_cached(&sql)?;
            let progress = progress.query_map(params_from_iter(values), |row| {
                Ok(Progress {
                    plan: row.get(0)?,
                    week_ms: row.get(1)?,
                    reviewer: row.get(2)?,
                    given: row.get(3)?,
                    done: row.get(4)?,
                    overdue: row.get(5)?,
                })
            })?;
            Ok(progress.collect::<Result<_, _>>()?)
        })
    }

    /// What the samples of weeks in a span say.
    pub(crate) fn judgement(&self, weeks: Span) -> Result<Judgement, StoreError> {
        self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let mut judgement = Judgement::default();
            judge_precision(&moment, weeks, &mut judgement)?;
            judge_recall(&moment, weeks, &mut judgement)?;
            compare(&moment, weeks, &mut judgement)?;
            Ok(judgement)
        })
    }
}

/// Something that may be drawn.
struct Unit {
    call_no: i64,
    alert_id: Option<String>,
    rule_id: Option<String>,
    stratum: String,
    call_id: String,
    started_ms: i64,
}

fn each(connection: &Connection, frame: &str, values: &[Value], mut take: impl FnMut(Unit)) -> Result<(), StoreError> {
    let mut units = connection.prepare_cached(frame)?;
    let mut rows = units.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        take(Unit {
            call_no: row.get(0)?,
            alert_id: row.get(1)?,
            rule_id: row.get(2)?,
            stratum: row.get(3)?,
            call_id: row.get(4)?,
            started_ms: row.get(5)?,
        });
    }
    Ok(())
}

fn assignment(row: &Row<'_>) -> sql::Result<Assignment> {
    Ok(Assignment {
        sample_no: row.get(0)?,
        plan: row.get(1)?,
        week_ms: row.get(2)?,
        sampled: named(row, 3, Sampled::from_name)?,
        call_no: row.get(4)?,
        call_id: row.get(5)?,
        started_at: row.get(6)?,
        agent_id: row.get(7)?,
        queue: row.get(8)?,
        alert_id: row.get(9)?,
        stratum: row.get(10)?,
        drawn: row.get(11)?,
        population: row.get(12)?,
        reviewer: row.get(13)?,
        is_second: row.get(14)?,
        due_ms: row.get(15)?,
        verdict: row.get(16)?,
        done_ms: row.get(17)?,
        alert: None,
    })
}

/// The samples of some weeks: rows of a condition.
fn of_weeks(weeks: Span, condition: &str) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.within("samples.week_ms", weeks);
    conditions.add(condition, []);
    conditions
}

/// A stratum of one draw: of which plan, for which week, due when, called what. Draws of a week are due at different times.
type StratumKey = (String, i64, i64, String);

/// The units of one sort that were looked at.
type StrataLooked = BTreeMap<StratumKey, Looked>;

const STRATUM: &str = "plan, week_ms, due_ms, stratum, population";

/// The columns of [`STRATUM`] from `first` on.
fn stratum(row: &Row<'_>, first: usize) -> sql::Result<(StratumKey, u64)> {
    let key = (row.get(first)?, row.get(first + 1)?, row.get(first + 2)?, row.get(first + 3)?);
    Ok((key, row.get::<_, i64>(first + 4)?.unsigned_abs()))
}

fn judge_precision(connection: &Connection, weeks: Span, judgement: &mut Judgement) -> Result<(), StoreError> {
    let looked = format!("samples.kind = 'alert' AND is_second = 0 AND latest.state = 'confirmed' AND {DONE}");
    let Conditions { sql, values } = of_weeks(weeks, &looked);
    let sql = format!("SELECT samples.rule_id, {UPHELD}, {STRATUM} FROM {SAMPLES} {sql} ORDER BY sample_no");
    let mut rows = connection.prepare_cached(&sql)?;
    let mut rows = rows.query(params_from_iter(values))?;
    let mut all: Vec<(String, StratumKey, bool)> = Vec::new();
    let mut populations = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (key, population) = stratum(&row, 2)?;
        populations.insert(key.clone(), population);
        all.push((row.get(0)?, key, row.get(1)?));
    }
    let rules: std::collections::BTreeSet<&String> = all.iter().map(|(rule, ..)| rule).collect();
    for rule in rules {
        // Units of other rules in a stratum are part of its sample, with nothing of this one.
        let mut strata: StrataLooked = BTreeMap::new();
        for (of, key, is_upheld) in &all {
            let stratum = strata.entry(key.clone()).or_default();
            stratum.population = populations[key];
            let whole = u32::from(of == rule);
            stratum.units.push((whole, whole * u32::from(*is_upheld)));
        }
        judgement.precision.insert(rule.clone(), strata.into_values().collect());
    }
    Ok(())
}

/// What was found and missed in a call, by rule.
type OfCall = BTreeMap<String, (u32, u32)>;

fn judge_recall(connection: &Connection, weeks: Span, judgement: &mut Judgement) -> Result<(), StoreError> {
    let Conditions { sql, values } = of_weeks(weeks, "samples.kind = 'call' AND samples.verdict = 'read'");
    let sql = format!("SELECT samples.call_no, {STRATUM} FROM {SAMPLES} {sql} ORDER BY sample_no");
    let mut rows = connection.prepare_cached(&sql)?;
    let mut rows = rows.query(params_from_iter(values))?;
    let mut calls: Vec<(StratumKey, u64, OfCall)> = Vec::new();
    let of_call = format!(
        "SELECT rule_id, latest.display = 'marked', count(*) FROM latest_alerts AS latest WHERE call_no = ? AND {COUNTS} GROUP BY 1, 2"
    );
    while let Some(row) = rows.next()? {
        let call_no: i64 = row.get(0)?;
        let mut found = OfCall::new();
        let mut alerts = connection.prepare_cached(&of_call)?;
        let mut alerts = alerts.query([call_no])?;
        while let Some(alert) = alerts.next()? {
            let (is_missed, count): (bool, u32) = (alert.get(1)?, alert.get(2)?);
            let (whole, part) = found.entry(alert.get(0)?).or_default();
            *whole += count;
            *part += if is_missed { 0 } else { count };
        }
        let (key, population) = stratum(&row, 1)?;
        calls.push((key, population, found));
    }
    judgement.calls_read = calls.len() as u64;
    let rules: std::collections::BTreeSet<&String> = calls.iter().flat_map(|(.., found)| found.keys()).collect();
    for rule in rules {
        let mut strata: StrataLooked = BTreeMap::new();
        for (key, population, found) in &calls {
            let stratum = strata.entry(key.clone()).or_default();
            stratum.population = *population;
            stratum.units.push(found.get(rule).copied().unwrap_or_default());
        }
        judgement.recall.insert(rule.clone(), strata.into_values().collect());
    }
    Ok(())
}

/// Second looks against the reviews.
fn compare(connection: &Connection, weeks: Span, judgement: &mut Judgement) -> Result<(), StoreError> {
    let Conditions { sql, values } = of_weeks(weeks, "is_second <> 0 AND samples.verdict IS NOT NULL");
    let sql = format!(
        "SELECT samples.call_no, samples.alert_id, samples.rule_id, reviewer, samples.verdict FROM {SAMPLES} {sql}"
    );
    let mut rows = connection.prepare_cached(&sql)?;
    let mut rows = rows.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let (call_no, alert_id, rule_id): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (second, verdict): (String, String) = (row.get(3)?, row.get(4)?);
        let steps = steps_of(connection, call_no, &alert_id)?;
        let Some(first) = first_look(&steps, &second) else { continue };
        let (first_upholds, upholds) = (first.action == Action::Confirm, verdict == Action::Confirm.name());
        judgement.by_rule.entry(rule_id).or_default().add(first_upholds, upholds);
        judgement.by_reviewer.entry((first.by.clone(), second)).or_default().add(first_upholds, upholds);
    }
    Ok(())
}

/// The last verdict of anybody but the one who looked a second time.
fn first_look<'a>(steps: &'a [Step], second: &str) -> Option<&'a Step> {
    let is_verdict = |step: &&Step| matches!(step.action, Action::Confirm | Action::Dismiss) && step.by != second;
    in_force(steps).into_iter().rev().find(is_verdict)
}

impl Writer {
    /// Keeps what a plan drew for a week; false if another draw came between it and the one before.
    pub(crate) fn keep_draw(&mut self, draw: &NewDraw) -> Result<bool, StoreError> {
        let NewDraw { plan, week_ms, before_ms, due_ms, until_ms, drawn_ms, who, samples } = draw;
        let transaction = self.connection.transaction()?;
        let kept = match before_ms {
            None => {
                let insert = "INSERT INTO draws (plan, week_ms, drawn_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
                transaction.prepare_cached(insert)?.execute(params![plan, week_ms, until_ms])?
            }
            Some(before_ms) => {
                let update = "UPDATE draws SET drawn_ms = ?3 WHERE plan = ?1 AND week_ms = ?2 AND drawn_ms = ?4";
                transaction.prepare_cached(update)?.execute(params![plan, week_ms, until_ms, before_ms])?
            }
        };
        if kept == 0 {
            return Ok(false);
        }
        for NewSample { sampled, drawn, reviewer, is_second } in samples {
            let Drawn { call_no, alert_id, rule_id, stratum, .. } = drawn;
            let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            transaction
                .prepare_cached(
                    "INSERT INTO samples (plan, week_ms, kind, call_no, alert_id, rule_id, stratum, drawn, population, reviewer, is_second, due_ms)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    plan,
                    week_ms,
                    sampled.name(),
                    call_no,
                    alert_id,
                    rule_id,
                    stratum.name,
                    count(stratum.drawn),
                    count(stratum.population),
                    reviewer,
                    is_second,
                    due_ms
                ])?;
        }
        let of = |sort: Sampled| samples.iter().filter(|sample| sample.sampled == sort && !sample.is_second).count();
        let detail = json!({
            "week_ms": week_ms, "alerts": of(Sampled::Alert), "held": of(Sampled::Held), "calls": of(Sampled::Call),
            "second": samples.iter().filter(|sample| sample.is_second).count(),
        });
        let fact = Fact { at_ms: *drawn_ms, who: who.clone(), action: Audited::Sample, subject: plan.clone(), detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(true)
    }

    /// Keeps a verdict on a second look, or that a call was read whole.
    pub(crate) fn decide_sample(&mut self, verdict: &NewVerdict) -> Result<Result<(), NotGiven>, StoreError> {
        let NewVerdict { sample_no, who, verdict, reason, at_ms } = verdict;
        let transaction = self.connection.transaction()?;
        let found =
            "SELECT reviewer, kind, is_second, verdict, rule_id, call_no, alert_id FROM samples WHERE sample_no = ?";
        type Found = (String, String, bool, Option<String>, Option<String>, i64, Option<String>);
        let found: Option<Found> = transaction
            .prepare_cached(found)?
            .query_row([sample_no], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
            })
            .optional()?;
        let Some((reviewer, kind, is_second, known, rule_id, call_no, alert_id)) = found else {
            return Ok(Err(NotGiven::Unknown));
        };
        let is_call = kind == Sampled::Call.name();
        let undecided = if reviewer != who.name {
            Some(NotGiven::OfAnother)
        } else if is_call != (*verdict == "read") || !(is_call || is_second) {
            Some(NotGiven::OtherVerdict)
        } else if known.is_some() {
            Some(NotGiven::Done)
        } else {
            None
        };
        if let Some(undecided) = undecided {
            return Ok(Err(undecided));
        }
        transaction
            .prepare_cached("UPDATE samples SET verdict = ?, reason = ?, done_ms = ? WHERE sample_no = ?")?
            .execute(params![verdict, reason, at_ms, sample_no])?;
        let detail = json!({"call_no": call_no, "alert_id": alert_id, "rule_id": rule_id, "verdict": verdict});
        let fact =
            Fact { at_ms: *at_ms, who: who.clone(), action: Audited::Look, subject: sample_no.to_string(), detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(Ok(()))
    }
}
