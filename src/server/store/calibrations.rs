//! Calibration sessions: the same cases given to several reviewers, and what each made of them.

use serde_json::json;

use crate::server::domain::principal::Who;
use crate::server::domain::refusal::Uncalibrated;
use crate::server::domain::terms::Audited;
use crate::server::store::audit::Fact;
use crate::server::store::sql::{OptionalExtension as _, params};
use crate::server::store::writer::Writer;
use crate::server::store::{Json, Readers, StoreError};

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Calibration {
    pub(crate) calibration_no: i64,
    pub(crate) title: String,
    pub(crate) by: String,
    pub(crate) made_ms: i64,
    pub(crate) due_ms: i64,
    /// Since then answers are compared, and none is taken any more.
    pub(crate) closed_ms: Option<i64>,
    /// The version of the form that calls are scored by, and the form itself, as JSON.
    pub(crate) form: Option<(String, String)>,
    pub(crate) reviewers: Vec<String>,
    pub(crate) cases: Vec<CalibrationCase>,
    pub(crate) answers: Vec<CalibrationAnswer>,
}

/// An alert, or a whole call (without `alert_id`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CalibrationCase {
    pub(crate) case_no: i64,
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) agent_id: String,
    pub(crate) alert_id: Option<String>,
}

/// What one reviewer made of a case.
#[derive(Clone, Debug)]
pub(crate) struct CalibrationAnswer {
    pub(crate) case_no: i64,
    pub(crate) reviewer: String,
    pub(crate) at_ms: i64,
    /// In hundredths; of a call.
    pub(crate) score: Option<u32>,
    pub(crate) content: String,
}

/// A session that is made.
#[derive(Clone, Debug)]
pub(crate) struct NewCalibration {
    pub(crate) title: String,
    pub(crate) form: Option<(String, String)>,
    pub(crate) reviewers: Vec<String>,
    /// The call, and the alert in it.
    pub(crate) cases: Vec<(i64, Option<String>)>,
    pub(crate) who: Who,
    pub(crate) made_ms: i64,
    pub(crate) due_ms: i64,
}

/// A step in a session.
#[derive(Clone, Debug)]
pub(crate) enum CalibrationStep {
    /// A reviewer judges a case, or judges it anew.
    Answer { case_no: i64, is_call: bool, score: Option<u32>, content: Json },
    /// Nobody judges any more.
    Close,
}

impl Readers {
    /// Sessions, the latest first: all, or that of this number.
    pub(crate) fn calibrations(&self, calibration_no: Option<i64>) -> Result<Vec<Calibration>, StoreError> {
        self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let all = "SELECT calibration_no, title, by, made_ms, due_ms, closed_ms, version, definition FROM calibrations
                 WHERE calibration_no = ?1 OR ?1 IS NULL ORDER BY calibration_no DESC";
            let mut all = moment.prepare_cached(all)?;
            let all = all.query_map([calibration_no], |row| {
                let version: Option<String> = row.get(6)?;
                let definition: Option<String> = row.get(7)?;
                Ok(Calibration {
                    calibration_no: row.get(0)?,
                    title: row.get(1)?,
                    by: row.get(2)?,
                    made_ms: row.get(3)?,
                    due_ms: row.get(4)?,
                    closed_ms: row.get(5)?,
                    form: version.zip(definition),
                    reviewers: Vec::new(),
                    cases: Vec::new(),
                    answers: Vec::new(),
                })
            })?;
            let mut all: Vec<Calibration> = all.collect::<Result<_, _>>()?;
            for one in &mut all {
                let no = one.calibration_no;
                let reviewers = "SELECT reviewer FROM calibration_reviewers WHERE calibration_no = ? ORDER BY reviewer";
                let mut reviewers = moment.prepare_cached(reviewers)?;
                one.reviewers = reviewers.query_map([no], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let cases = "SELECT case_no, calibration_cases.call_no, call_id, started_at, agent_id, alert_id FROM calibration_cases
                     JOIN calls ON calls.call_no = calibration_cases.call_no WHERE calibration_no = ? ORDER BY case_no";
                let mut cases = moment.prepare_cached(cases)?;
                let cases = cases.query_map([no], |row| {
                    Ok(CalibrationCase {
                        case_no: row.get(0)?,
                        call_no: row.get(1)?,
                        call_id: row.get(2)?,
                        started_at: row.get(3)?,
                        agent_id: row.get(4)?,
                        alert_id: row.get(5)?,
                    })
                })?;
                one.cases = cases.collect::<Result<_, _>>()?;
                let answers = "SELECT case_no, reviewer, at_ms, score, words(json) FROM calibration_answers
                     WHERE calibration_no = ? ORDER BY case_no, reviewer";
                let mut answers = moment.prepare_cached(answers)?;
                let answers = answers.query_map([no], |row| {
                    Ok(CalibrationAnswer {
                        case_no: row.get(0)?,
                        reviewer: row.get(1)?,
                        at_ms: row.get(2)?,
                        score: row.get(3)?,
                        content: row.get(4)?,
                    })
                })?;
                one.answers = answers.collect::<Result<_, _>>()?;
            }
            Ok(all)
        })
    }
}

impl Writer {
    /// Makes a session, with its audit entry; says which one it is.
    pub(crate) fn make_calibration(&mut self, new: &NewCalibration) -> Result<i64, StoreError> {
        let NewCalibration { title, form, reviewers, cases, who, made_ms, due_ms } = new;
        let transaction = self.connection.transaction()?;
        let (version, definition) = form.as_ref().map(|(version, json)| (version, json)).unzip();
        let insert = "INSERT INTO calibrations (title, by, made_ms, due_ms, version, definition) VALUES (?, ?, ?, ?, ?, ?) RETURNING calibration_no";
        let values = params![title, who.name, made_ms, due_ms, version, definition];
        let no = transaction.prepare_cached(insert)?.insert(values)?;
        for reviewer in reviewers {
            let insert = "INSERT INTO calibration_reviewers (calibration_no, reviewer) VALUES (?, ?)";
            transaction.prepare_cached(insert)?.execute(params![no, reviewer])?;
        }
        for (case_no, (call_no, alert_id)) in (1_i64..).zip(cases) {
            let insert =
                "INSERT INTO calibration_cases (calibration_no, case_no, call_no, alert_id) VALUES (?, ?, ?, ?)";
            transaction.prepare_cached(insert)?.execute(params![no, case_no, call_no, alert_id])?;
        }
        let calls = cases.iter().filter(|(_, alert_id)| alert_id.is_none()).count();
        let detail = json!({
            "step": "make", "reviewers": reviewers, "calls": calls, "alerts": cases.len() - calls, "form_version": version,
        });
        let (action, subject) = (Audited::Calibration, no.to_string());
        let fact = Fact { at_ms: *made_ms, who: who.clone(), action, subject, detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(no)
    }

    /// Keeps a step in a session, with its audit entry. The last answer closes it.
    pub(crate) fn calibrate(
        &mut self,
        calibration_no: i64,
        step: &CalibrationStep,
        who: &Who,
        at_ms: i64,
    ) -> Result<Result<(), Uncalibrated>, StoreError> {
        let transaction = self.connection.transaction()?;
        let found = "SELECT closed_ms IS NOT NULL FROM calibrations WHERE calibration_no = ?";
        match transaction.prepare_cached(found)?.query_row([calibration_no], |row| row.get(0)).optional()? {
            None => return Ok(Err(Uncalibrated::Unknown)),
            Some(true) => return Ok(Err(Uncalibrated::Closed)),
            Some(false) => {}
        }
        let is_given = "SELECT 1 FROM calibration_reviewers WHERE calibration_no = ? AND reviewer = ?";
        let is_given = transaction.prepare_cached(is_given)?.exists(params![calibration_no, who.name])?;
        let is_closed;
        let detail = match step {
            CalibrationStep::Answer { case_no, is_call, score, content } => {
                if !is_given {
                    return Ok(Err(Uncalibrated::OfOthers));
                }
                let case = "SELECT alert_id IS NULL FROM calibration_cases WHERE calibration_no = ? AND case_no = ?";
                let mut case = transaction.prepare_cached(case)?;
                let known: Option<bool> =
                    case.query_row(params![calibration_no, case_no], |row| row.get(0)).optional()?;
                match known {
                    None => return Ok(Err(Uncalibrated::Unknown)),
                    Some(known) if known != *is_call => return Ok(Err(Uncalibrated::OtherSort)),
                    Some(_) => {}
                }
                let insert = "INSERT INTO calibration_answers (calibration_no, case_no, reviewer, at_ms, score, json)
                     VALUES (?1, ?2, ?3, ?4, ?5, seal(?6))
                     ON CONFLICT (calibration_no, case_no, reviewer) DO UPDATE SET at_ms = excluded.at_ms, score = excluded.score, json = excluded.json";
                let values = params![calibration_no, case_no, who.name, at_ms, score, &**content];
                transaction.prepare_cached(insert)?.execute(values)?;
                let left = "SELECT (SELECT count(*) FROM calibration_cases JOIN calls USING (call_no) WHERE calibration_no = ?1)
                     * (SELECT count(*) FROM calibration_reviewers WHERE calibration_no = ?1)
                     - (SELECT count(*) FROM calibration_answers JOIN calibration_cases USING (calibration_no, case_no)
                        JOIN calls USING (call_no) WHERE calibration_no = ?1)";
                let left: i64 = transaction.prepare_cached(left)?.query_row([calibration_no], |row| row.get(0))?;
                is_closed = left == 0;
                json!({"step": "answer", "case": case_no, "score": score, "closes": is_closed})
            }
            CalibrationStep::Close => {
                is_closed = true;
                json!({"step": "close"})
            }
        };
        if is_closed {
            let close = "UPDATE calibrations SET closed_ms = ? WHERE calibration_no = ?";
            transaction.prepare_cached(close)?.execute(params![at_ms, calibration_no])?;
        }
        let (action, subject) = (Audited::Calibration, calibration_no.to_string());
        let fact = Fact { at_ms, who: who.clone(), action, subject, detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(Ok(()))
    }
}
