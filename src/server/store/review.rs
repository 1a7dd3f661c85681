//! People's judgements of alerts: agents' answers, steps of review and appeal, and the figures that
//! follow from them.

use serde_json::json;

use crate::engine::alert::AlertState;
use crate::server::domain::principal::{Capacity, Who};
use crate::server::domain::quality::{Judged, Measured};
use crate::server::domain::review::{
    Action, Appeal, Circumstances, Impossible, ReviewState, Step, Verdict, appeal_until_ms, decide,
};
use crate::server::domain::terms::{Audited, Display, FeedbackAction};
use crate::server::store::audit::{Fact, Head, digest};
use crate::server::store::counts::{COUNTS, UPHELD, counts};
use crate::server::store::query::{AlertFilter, Conditions, limit};
use crate::server::store::seal::transition_digest;
use crate::server::store::sql::{
    self, Connection, OptionalExtension as _, Row, Transaction, named, params, params_from_iter,
};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// The alert that a step is about. An alert's id is ambiguous where its call's id was used again.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) alert_id: String,
    pub(crate) call_id: Option<String>,
    pub(crate) started_ms: Option<i64>,
    /// Restricts the alerts to this agent's, without packs on trial, which agents do not see.
    pub(crate) agent_id: Option<String>,
    /// The number of steps that the reviewer saw; the step is refused if there are others. `None` accepts any number.
    pub(crate) steps_seen: Option<usize>,
}

/// An agent's answer on its way to the store.
#[derive(Clone, Debug)]
pub(crate) struct NewFeedback {
    pub(crate) agent_id: String,
    pub(crate) alert_id: String,
    pub(crate) action: FeedbackAction,
    pub(crate) reason: Option<String>,
    pub(crate) given_ms: i64,
    /// The name of the token; none where nobody has one.
    pub(crate) by: Option<String>,
}

/// The call of an alert that an agent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnsweredCall {
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
}

/// Why a step was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untaken {
    /// There is no such alert.
    Unknown,
    /// The id stands for the alerts of several calls.
    Ambiguous,
    /// Its course does not allow it.
    Impossible(Impossible),
}

/// A step that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// The agent of the alert.
    pub(crate) agent_id: String,
    pub(crate) rule_id: String,
    pub(crate) standing: ReviewState,
    pub(crate) steps: Vec<Step>,
    /// Whether the alert counts in scores.
    pub(crate) counts: bool,
    /// Whether its agent knows of it.
    pub(crate) is_told: bool,
}

/// The steps of one alert and where they led.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoundReview {
    pub(crate) standing: ReviewState,
    pub(crate) steps: Vec<Step>,
}

/// The judgements on one rule while the same decided when it fires.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RuleFigures {
    pub(crate) rule_id: String,
    /// Names what decided; `None` for versions whose rules have no digests.
    pub(crate) rule_digest: Option<String>,
    /// The version of all rules that the latest alert is of.
    pub(crate) rules_version: String,
    /// When the first and the last were said.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) pack: String,
    pub(crate) rule_name: String,
    /// In any state.
    pub(crate) alerts: u64,
    /// Alerts that agents saw as cards.
    pub(crate) shown: u64,
    /// Cards that their agents dismissed.
    pub(crate) overridden: u64,
    /// Alerts that QA judged, in a review or in an appeal.
    pub(crate) judged: Judged,
    pub(crate) appeals: u64,
    pub(crate) granted: u64,
    pub(crate) rejected: u64,
    /// Violations that reviewers marked and that count.
    pub(crate) missed: u64,
}

/// What one day's alerts of a rule came to, while the same decided when it fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FiguresOfDay {
    /// The digest, or the version of all rules where they have none.
    pub(crate) digest: String,
    /// The days since 1970 in the centre's zone.
    pub(crate) day: i64,
    pub(crate) alerts: u64,
    pub(crate) reviewed: u64,
    pub(crate) upheld: u64,
}

/// What an alert is counted under: the digest of its rule, or the version of all rules.
const DIGEST: &str = "coalesce(own.digest, calls.rules_version)";
const WITH_DIGEST: &str = "latest_alerts AS latest JOIN calls ON calls.call_no = latest.call_no
     LEFT JOIN rule_digests AS own ON own.version = calls.rules_version AND own.rule_id = latest.rule_id";

/// The condition for a judged alert; alerts that the engine retracted are left out, and those that it did not raise.
const REVIEWED: &str = "latest.state = 'confirmed' AND latest.display <> 'marked' \
     AND (latest.verdict <> 'unreviewed' OR latest.appeal IN ('granted', 'rejected'))";
/// As the partial indexes have it: few alerts are reviewed, and who asks for
/// those must not read them all.
pub(super) const HAS_STEPS: &str = "(latest.verdict <> 'unreviewed' OR latest.appeal IS NOT NULL)";

/// An alert that a step is about.
struct Subject {
    call_no: i64,
    agent_id: String,
    rule_id: String,
    rules_version: String,
    state: AlertState,
    display: Display,
    closed_ms: Option<i64>,
    /// The cursor of its latest state, which the step judges.
    cursor: i64,
}

impl Target {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.equal("latest.alert_id", Some(&self.alert_id));
        conditions.equal("calls.call_id", self.call_id.as_ref());
        if let Some(started_ms) = self.started_ms {
            conditions.add("calls.started_ms = ?", [started_ms.into()]);
        }
        if self.agent_id.is_some() {
            conditions.equal("latest.agent_id", self.agent_id.as_ref());
            conditions.add("latest.display NOT IN ('shadow', 'held')", []);
        }
        conditions
    }

    /// The alert that is meant, if it is one.
    fn find(&self, connection: &Connection) -> Result<Result<Subject, Untaken>, StoreError> {
        let Conditions { sql, values } = self.conditions();
        let sql = format!(
            "SELECT latest.call_no, latest.agent_id, latest.rule_id, calls.rules_version, latest.state, latest.display, closed_ms, latest.cursor
             FROM latest_alerts AS latest JOIN calls ON calls.call_no = latest.call_no {sql} LIMIT 2"
        );
        let mut found = connection.prepare_cached(&sql)?;
        let found = found.query_map(params_from_iter(values), |row| {
            let (state, display): (String, String) = (row.get(4)?, row.get(5)?);
            Ok(Subject {
                call_no: row.get(0)?,
                agent_id: row.get(1)?,
                rule_id: row.get(2)?,
                rules_version: row.get(3)?,
                // What this program did not write was not confirmed by it.
                state: if state == AlertState::Confirmed.name() {
                    AlertState::Confirmed
                } else {
                    AlertState::Retracted
                },
                display: Display::from_name(&display).unwrap_or(Display::Held),
                closed_ms: row.get(6)?,
                cursor: row.get(7)?,
            })
        })?;
        let mut found: Vec<Subject> = found.collect::<Result<_, _>>()?;
        Ok(match (found.pop(), found.pop()) {
            (None, _) => Err(Untaken::Unknown),
            (Some(_), Some(_)) => Err(Untaken::Ambiguous),
            (Some(subject), None) => Ok(subject),
        })
    }

    /// Takes a step behind the audit's `head`, unless it is not possible.
    fn take(
        &self,
        transaction: &Transaction<'_>,
        head: &Head,
        step: &Step,
        who: &Who,
        appeal_ms: i64,
    ) -> Result<Result<(Taken, Fact, Head), Untaken>, StoreError> {
        let subject = match self.find(transaction)? {
            Ok(subject) => subject,
            Err(untaken) => return Ok(Err(untaken)),
        };
        let mut steps = steps_of(transaction, subject.call_no, &self.alert_id)?;
        let appeal_until_ms = appeal_until_ms(subject.closed_ms, &steps, appeal_ms);
        let around = Circumstances { state: subject.state, agent_id: &subject.agent_id, appeal_until_ms };
        let standing = match decide(&steps, step, around) {
            Ok(standing) => standing,
            Err(impossible) => return Ok(Err(Untaken::Impossible(impossible))),
        };
        if self.steps_seen.is_some_and(|seen| seen != steps.len()) {
            return Ok(Err(Untaken::Impossible(Impossible::Changed)));
        }
        let detail = json!({
            "call_no": subject.call_no, "rule_id": subject.rule_id, "rules_version": subject.rules_version,
            "verdict": standing.verdict.name(), "appeal": standing.appeal.map(Appeal::name),
            "reason_sha256": step.reason.as_deref().map(digest),
            "cursor": subject.cursor, "alert_sha256": transition_digest(transaction, subject.cursor)?,
        });
        let (who, action, subject_id) = (who.clone(), Audited::Step(step.action), self.alert_id.clone());
        let fact = Fact { at_ms: step.at_ms, who, action, subject: subject_id, detail };
        let head = head.append(transaction, &fact)?;
        insert_step(transaction, subject.call_no, &self.alert_id, step, head.no)?;
        transaction
            .prepare_cached("UPDATE latest_alerts SET verdict = ?, appeal = ? WHERE call_no = ? AND alert_id = ?")?
            .execute(params![
                standing.verdict.name(),
                standing.appeal.map(Appeal::name),
                subject.call_no,
                self.alert_id
            ])?;
        steps.push(step.clone());
        let counts = counts(subject.state, subject.display, standing);
        let Subject { agent_id, rule_id, display, .. } = subject;
        let taken = Taken { agent_id, rule_id, standing, steps, counts, is_told: display.is_told() };
        Ok(Ok((taken, fact, head)))
    }
}

impl Writer {
    /// Takes one step in the course of each alert where it is possible: steps, where
    /// the alerts stand and audit in one transaction, so that of two people who
    /// come at once the second sees what the first did.
    pub(crate) fn review(
        &mut self,
        targets: &[Target],
        step: &Step,
        who: &Who,
        appeal_ms: i64,
    ) -> Result<Vec<Result<Taken, Untaken>>, StoreError> {
        let transaction = self.connection.transaction()?;
        let mut head = self.head.clone();
        let mut told = Vec::new();
        let mut courses = Vec::with_capacity(targets.len());
        for target in targets {
            courses.push(match target.take(&transaction, &head, step, who, appeal_ms)? {
                Ok((taken, fact, next)) => {
                    head = next.clone();
                    told.push((fact, next));
                    Ok(taken)
                }
                Err(untaken) => Err(untaken),
            });
        }
        transaction.commit()?;
        for (fact, head) in told {
            self.head = head.tell(&fact);
        }
        Ok(courses)
    }

    /// Keeps what an agent answered; the alert's call, or `None` if there is no such alert. Where the
    /// id stands for several, the latest is meant: it is the one on the screen.
    pub(crate) fn keep_feedback(&mut self, feedback: &NewFeedback) -> Result<Option<AnsweredCall>, StoreError> {
        let insert = "INSERT INTO feedback (call_no, alert_id, agent_id, action, reason, given_ms, by)
             SELECT call_no, alert_id, ?1, ?3, ?4, ?5, ?6 FROM alerts WHERE alert_id = ?2 AND agent_id = ?1
             ORDER BY call_no DESC LIMIT 1 RETURNING call_no";
        let NewFeedback { agent_id, alert_id, action, reason, given_ms, by } = feedback;
        let values = params![agent_id, alert_id, action.name(), reason, given_ms, by];
        let call_no: Option<i64> =
            self.connection.prepare_cached(insert)?.query_row(values, |row| row.get(0)).optional()?;
        let Some(call_no) = call_no else { return Ok(None) };
        let call = "SELECT call_id, started_at FROM calls WHERE call_no = ?";
        let answered = |row: &Row<'_>| Ok(AnsweredCall { call_no, call_id: row.get(0)?, started_at: row.get(1)? });
        Ok(self.connection.prepare_cached(call)?.query_row([call_no], answered).optional()?)
    }
}

pub(super) fn insert_step(
    transaction: &Transaction<'_>,
    call_no: i64,
    alert_id: &str,
    step: &Step,
    audit_no: i64,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO reviews (call_no, alert_id, action, by, role, reason, at_ms, audit_no) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let Step { action, by, role, reason, at_ms } = step;
    transaction.prepare_cached(insert)?.execute(params![
        call_no,
        alert_id,
        action.name(),
        by,
        role.name(),
        reason,
        at_ms,
        audit_no
    ])?;
    Ok(())
}

/// The steps of one alert, in their order.
pub(super) fn steps_of(connection: &Connection, call_no: i64, alert_id: &str) -> Result<Vec<Step>, StoreError> {
    let steps =
        "SELECT action, by, role, reason, at_ms FROM reviews WHERE call_no = ? AND alert_id = ? ORDER BY review_no";
    let mut steps = connection.prepare_cached(steps)?;
    let steps = steps.query_map(params![call_no, alert_id], step)?;
    Ok(steps.collect::<Result<_, _>>()?)
}

fn step(row: &Row<'_>) -> sql::Result<Step> {
    let role = Capacity::from_name(row.text(2)?);
    Ok(Step {
        action: named(row, 0, Action::from_name)?,
        by: row.get(1)?,
        role,
        reason: row.get(3)?,
        at_ms: row.get(4)?,
    })
}

/// Reads the state of a review from the columns beside the alert.
pub(super) fn standing(verdict: &str, appeal: Option<&str>) -> ReviewState {
    ReviewState { verdict: Verdict::from_name(verdict).unwrap_or_default(), appeal: appeal.and_then(Appeal::from_name) }
}

/// The steps of an alert; `has_steps` spares looking for those of most.
pub(super) fn found(
    connection: &Connection,
    standing: ReviewState,
    has_steps: bool,
    call_no: i64,
    alert_id: &str,
) -> Result<FoundReview, StoreError> {
    let steps = if has_steps { steps_of(connection, call_no, alert_id)? } else { Vec::new() };
    Ok(FoundReview { standing, steps })
}

impl Readers {
    /// The figures of the rules whose alerts a filter finds, by rule and, the
    /// latest first, by what decided when it fires; at most `count_max` rows.
    pub(crate) fn figures(&self, filter: &AlertFilter, count_max: usize) -> Result<Vec<RuleFigures>, StoreError> {
        let Conditions { sql, mut values } = filter.conditions(filter.span);
        let sql = format!(
            "SELECT figures.*, words(alerts.json) FROM (
                SELECT latest.rule_id, max(own.digest), max(latest.pack), max(latest.cursor) AS last, count(*) FILTER (WHERE latest.display <> 'marked'),
                    count(*) FILTER (WHERE latest.display = 'card'),
                    count(*) FILTER (WHERE latest.display = 'card' AND 'dismiss' = (SELECT action FROM feedback
                        WHERE feedback.call_no = latest.call_no AND feedback.alert_id = latest.alert_id
                        ORDER BY feedback_no DESC LIMIT 1)),
                    count(*) FILTER (WHERE {REVIEWED}), count(*) FILTER (WHERE {REVIEWED} AND {UPHELD}),
                    count(*) FILTER (WHERE latest.state = 'confirmed' AND latest.appeal IS NOT NULL),
                    count(*) FILTER (WHERE latest.state = 'confirmed' AND latest.appeal = 'granted'),
                    count(*) FILTER (WHERE latest.state = 'confirmed' AND latest.appeal = 'rejected'),
                    count(*) FILTER (WHERE latest.display = 'marked' AND {COUNTS}), min(latest.said_ms), max(latest.said_ms)
                FROM {WITH_DIGEST}
                {sql} GROUP BY latest.rule_id, {DIGEST}
             ) AS figures JOIN alerts ON alerts.cursor = figures.last ORDER BY rule_id, last DESC LIMIT ?"
        );
        values.push(limit(count_max));
        self.ask(|connection| {
            let mut figures = connection.prepare_cached(&sql)?;
            let figures = figures.query_map(params_from_iter(values), |row| {
                let json: String = row.get(15)?;
                let alert: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
                Ok(RuleFigures {
                    rule_id: row.get(0)?,
                    rule_digest: row.get(1)?,
                    rules_version: alert["rules_version"].as_str().unwrap_or_default().to_owned(),
                    first_ms: row.get(13)?,
                    last_ms: row.get(14)?,
                    pack: row.get(2)?,
                    rule_name: alert["rule_name"].as_str().unwrap_or_default().to_owned(),
                    alerts: row.get::<_, i64>(4)?.unsigned_abs(),
                    shown: total(row, 5)?,
                    overridden: total(row, 6)?,
                    judged: Judged { reviewed: total(row, 7)?, upheld: total(row, 8)? },
                    appeals: total(row, 9)?,
                    granted: total(row, 10)?,
                    rejected: total(row, 11)?,
                    missed: total(row, 12)?,
                })
            })?;
            Ok(figures.collect::<Result<_, _>>()?)
        })
    }

    /// What was judged of each of the rules: of the alerts that what now decides raised in whatever version of all
    /// rules, and of those that something else raised last before.
    pub(crate) fn judged(&self, rules: Vec<(String, String)>) -> Result<Vec<(String, Measured)>, StoreError> {
        let sql = format!(
            "SELECT {DIGEST}, max(latest.cursor) AS last, count(*) FILTER (WHERE {REVIEWED}), count(*) FILTER (WHERE {REVIEWED} AND {UPHELD})
             FROM {WITH_DIGEST} WHERE latest.rule_id = ? AND {HAS_STEPS} GROUP BY 1 ORDER BY last DESC"
        );
        self.ask(|connection| {
            let mut judged = connection.prepare_cached(&sql)?;
            let mut of_rule = |(rule_id, now): (String, String)| {
                let mut measured = Measured::default();
                let mut is_first = true;
                let mut found = judged.query([&rule_id])?;
                while let Some(row) = found.next()? {
                    let counted = Judged { reviewed: total(&row, 2)?, upheld: total(&row, 3)? };
                    if row.get_ref(0)?.as_str().ok() == Some(now.as_str()) {
                        measured.now = counted;
                    } else if std::mem::take(&mut is_first) {
                        measured.before = counted;
                    }
                }
                Ok((rule_id, measured))
            };
            rules.into_iter().map(&mut of_rule).collect()
        })
    }

    /// The alerts of one rule day by day, by what decided when it fires; `offset_ms` is the centre's zone.
    pub(crate) fn figures_by_day(
        &self,
        filter: &AlertFilter,
        offset_ms: i64,
        count_max: usize,
    ) -> Result<Vec<FiguresOfDay>, StoreError> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
        let Conditions { sql, mut values } = filter.conditions(filter.span);
        let sql = format!(
            "SELECT {DIGEST}, (latest.said_ms + {offset_ms}) / {DAY_MS} AS day, count(*) FILTER (WHERE latest.display <> 'marked'),
                 count(*) FILTER (WHERE {REVIEWED}), count(*) FILTER (WHERE {REVIEWED} AND {UPHELD})
             FROM {WITH_DIGEST} {sql} GROUP BY 1, 2 ORDER BY day DESC, max(latest.cursor) DESC LIMIT ?"
        );
        values.push(limit(count_max));
        self.ask(|connection| {
            let mut figures = connection.prepare_cached(&sql)?;
            let figures = figures.query_map(params_from_iter(values), |row| {
                Ok(FiguresOfDay {
                    digest: row.get(0)?,
                    day: row.get(1)?,
                    alerts: row.get::<_, i64>(2)?.unsigned_abs(),
                    reviewed: total(row, 3)?,
                    upheld: total(row, 4)?,
                })
            })?;
            Ok(figures.collect::<Result<_, _>>()?)
        })
    }

    /// When each digest of a rule came into use first, and by whom; the latest first.
    pub(crate) fn digests_of_rule(&self, rule_id: &str) -> Result<Vec<(String, i64, String)>, StoreError> {
        let sql = "SELECT digest, loaded_ms, loaded_by FROM (
                 SELECT own.digest, versions.loaded_ms, versions.by AS loaded_by,
                     row_number() OVER (PARTITION BY own.digest ORDER BY versions.loaded_ms, versions.loaded_no) AS place
                 FROM rule_digests AS own JOIN rule_versions AS versions ON versions.version = own.version
                 WHERE own.rule_id = ?) AS loads
             WHERE place = 1 ORDER BY loaded_ms DESC, digest";
        self.ask(|connection| {
            let mut digests = connection.prepare_cached(sql)?;
            let digests = digests.query_map([rule_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(digests.collect::<Result<_, _>>()?)
        })
    }
}

/// A column that counts rows.
fn total(row: &Row<'_>, index: usize) -> sql::Result<u64> {
    Ok(row.get::<_, i64>(index)?.unsigned_abs())
}
