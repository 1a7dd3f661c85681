//! Scoring forms that reviewers filled, each with all its versions, and the definitions that they were filled in.

use serde_json::json;

use crate::server::domain::form::{FormStep, REVISIONS_MAX, Signature};
use crate::server::domain::principal::{Capacity, Who};
use crate::server::domain::refusal::{First, Unfilled};
use crate::server::domain::terms::Audited;
use crate::server::store::audit::{Fact, entry};
use crate::server::store::audit_check::AuditFault;
use crate::server::store::query::{Conditions, Place, Span, limit};
use crate::server::store::seal::form_step_digest;
use crate::server::store::sql::{
    self, Connection, OptionalExtension as _, Row, Value, named, params, params_from_iter,
};
use crate::server::store::writer::Writer;
use crate::server::store::{Json, Readers, StoreError};

/// Which filled forms are wanted. What is empty or `None` does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormFilter {
    /// When the call was answered.
    pub(crate) span: Span,
    pub(crate) agent_id: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) call_no: Option<i64>,
    pub(crate) form: Option<String>,
    pub(crate) reviewer: Option<String>,
    pub(crate) signatures: Vec<Signature>,
    pub(crate) form_no: Option<i64>,
}

/// A filled form as it stands.
#[derive(Clone, Debug)]
pub(crate) struct FilledForm {
    pub(crate) form_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) queue: Option<String>,
    pub(crate) agent_id: String,
    pub(crate) form: String,
    pub(crate) version: String,
    /// Who filled it.
    pub(crate) reviewer: String,
    /// In hundredths.
    pub(crate) score: u32,
    pub(crate) has_passed: Option<bool>,
    pub(crate) signature: Signature,
    pub(crate) revision: i64,
    pub(crate) filled_ms: i64,
    pub(crate) changed_ms: i64,
    /// The form of that version, as JSON.
    pub(crate) definition: String,
    /// Answers and comment, as JSON.
    pub(crate) content: String,
}

/// A step in the course of a filled form.
#[derive(Clone, Debug)]
pub(crate) struct FoundFormStep {
    pub(crate) revision: i64,
    pub(crate) step: FormStep,
    pub(crate) by: String,
    pub(crate) role: Capacity,
    pub(crate) at_ms: i64,
    /// In hundredths; of a fill or a change.
    pub(crate) score: Option<u32>,
    pub(crate) content: String,
}

/// The score of one filled form.
#[derive(Clone, Debug)]
pub(crate) struct ScoredForm {
    pub(crate) form: String,
    pub(crate) agent_id: String,
    pub(crate) started_ms: i64,
    /// In hundredths.
    pub(crate) score: u32,
    pub(crate) has_passed: Option<bool>,
}

/// Answers on their way to the store.
#[derive(Clone, Debug)]
pub(crate) struct NewAnswers {
    pub(crate) form: String,
    pub(crate) version: String,
    /// The form of that version, as JSON.
    pub(crate) definition: String,
    /// In hundredths.
    pub(crate) score: u32,
    pub(crate) has_passed: Option<bool>,
    /// Answers, comment and reason, as JSON; personal data masked.
    pub(crate) content: Json,
}

/// What happens to a filled form.
#[derive(Clone, Debug)]
pub(crate) enum FormDeed {
    /// A reviewer fills a form about an agent in a call.
    Fill { call_no: i64, agent_id: String, answers: Box<NewAnswers> },
    /// A reviewer changes it. `revision` is what they saw.
    Change { form_no: i64, revision: i64, answers: Box<NewAnswers> },
    /// Its agent answers to it. `revision` is what they saw.
    Answer { form_no: i64, revision: i64, agent_id: String, step: FormStep, content: Json },
}

/// A deed, by whom and when.
#[derive(Clone, Debug)]
pub(crate) struct NewFormStep {
    pub(crate) deed: FormDeed,
    pub(crate) who: Who,
    pub(crate) at_ms: i64,
}

const FILLED: &str = "filled_forms JOIN calls ON calls.call_no = filled_forms.call_no";

impl FormFilter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.within("calls.started_ms", self.span);
        conditions.equal("filled_forms.agent_id", self.agent_id.as_ref());
        conditions.team("filled_forms.agent_id", self.team.as_ref());
        conditions.equal("filled_forms.form", self.form.as_ref());
        conditions.equal("filled_forms.reviewer", self.reviewer.as_ref());
        conditions.one_of("filled_forms.signature", self.signatures.iter().map(|signature| signature.name()));
        for (column, no) in [("filled_forms.call_no", self.call_no), ("filled_forms.form_no", self.form_no)] {
            if let Some(no) = no {
                conditions.add(&format!("{column} = ?"), [Value::from(no)]);
            }
        }
        conditions
    }
}

impl Readers {
    /// Filled forms, the latest first, at most `count_max` of them, behind a place.
    pub(crate) fn filled_forms(
        &self,
        filter: &FormFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<FilledForm>, StoreError> {
        let mut conditions = filter.conditions();
        if let Some(Place { ms, no }) = behind {
            let behind = "(filled_forms.filled_ms, filled_forms.form_no) < (?, ?)";
            conditions.add(behind, [Value::from(ms), Value::from(no)]);
        }
        let Conditions { sql, mut values } = conditions;
        values.push(limit(count_max));
        let sql = format!(
            "SELECT filled_forms.form_no, call_id, started_at, queue, filled_forms.agent_id,
                 filled_forms.form, filled_forms.version, reviewer, filled_forms.score, passed, signature, filled_forms.revision,
                 filled_ms, changed_ms, form_versions.json,
                 (SELECT words(form_steps.json) FROM form_steps WHERE form_steps.form_no = filled_forms.form_no
                     AND form_steps.step IN ('fill', 'change') ORDER BY form_steps.revision DESC LIMIT 1)
             FROM {FILLED} JOIN form_versions ON form_versions.form = filled_forms.form AND form_versions.version = filled_forms.version
             {sql} ORDER BY filled_ms DESC, filled_forms.form_no DESC LIMIT ?"
        );
        self.ask(|connection| {
            let mut found = connection.prepare_cached(&sql)?;
            let found = found.query_map(params_from_iter(values), filled)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// The course of a filled form, from the first step on.
    pub(crate) fn form_steps(&self, form_no: i64) -> Result<Vec<FoundFormStep>, StoreError> {
        self.ask(|connection| {
            let steps = "SELECT revision, step, by, role, at_ms, score, words(json) FROM form_steps
                 WHERE form_no = ? ORDER BY revision";
            let mut steps = connection.prepare_cached(steps)?;
            let steps = steps.query_map([form_no], |row| {
                Ok(FoundFormStep {
                    revision: row.get(0)?,
                    step: named(row, 1, FormStep::from_name)?,
                    by: row.get(2)?,
                    role: Capacity::from_name(row.text(3)?),
                    at_ms: row.get(4)?,
                    score: row.get(5)?,
                    content: row.get(6)?,
                })
            })?;
            Ok(steps.collect::<Result<_, _>>()?)
        })
    }

    /// The scores of filled forms, by when the call was answered.
    pub(crate) fn form_scores(&self, filter: &FormFilter) -> Result<Vec<ScoredForm>, StoreError> {
        let Conditions { sql, values } = filter.conditions();
        let sql = format!(
            "SELECT filled_forms.form, filled_forms.agent_id, started_ms, filled_forms.score, passed
             FROM {FILLED} {sql} ORDER BY started_ms, form_no"
        );
        self.ask(|connection| {
            let mut scores = connection.prepare_cached(&sql)?;
            let scores = scores.query_map(params_from_iter(values), |row| {
                Ok(ScoredForm {
                    form: row.get(0)?,
                    agent_id: row.get(1)?,
                    started_ms: row.get(2)?,
                    score: row.get(3)?,
                    has_passed: row.get(4)?,
                })
            })?;
            Ok(scores.collect::<Result<_, _>>()?)
        })
    }
}

fn filled(row: &Row<'_>) -> sql::Result<FilledForm> {
    Ok(FilledForm {
        form_no: row.get(0)?,
        call_id: row.get(1)?,
        started_at: row.get(2)?,
        queue: row.get(3)?,
        agent_id: row.get(4)?,
        form: row.get(5)?,
        version: row.get(6)?,
        reviewer: row.get(7)?,
        score: row.get(8)?,
        has_passed: row.get(9)?,
        signature: named(row, 10, Signature::from_name)?,
        revision: row.get(11)?,
        filled_ms: row.get(12)?,
        changed_ms: row.get(13)?,
        definition: row.get(14)?,
        content: row.get(15)?,
    })
}

impl Writer {
    /// Fills a form, changes it, or keeps its agent's answer, with its audit entry; says which form it is.
    pub(crate) fn form_step(&mut self, new: &NewFormStep) -> Result<Result<i64, Unfilled>, StoreError> {
        let NewFormStep { deed, who, at_ms } = new;
        let transaction = self.connection.transaction()?;
        let (step, form_no, revision, agent_id, answers, content) = match deed {
            FormDeed::Fill { call_no, agent_id, answers } => {
                let closed = "SELECT closed_ms IS NOT NULL FROM calls WHERE call_no = ?";
                match transaction.prepare_cached(closed)?.query_row([call_no], |row| row.get(0)).optional()? {
                    None => return Ok(Err(Unfilled::NoSuchCall)),
                    Some(false) => return Ok(Err(Unfilled::CallInProgress)),
                    Some(true) => {}
                }
                let insert = "INSERT INTO filled_forms (call_no, form, version, agent_id, reviewer, score, signature, revision, filled_ms, changed_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, 0, 'open', 0, ?6, ?6) ON CONFLICT DO NOTHING RETURNING form_no";
                let values = params![call_no, answers.form, answers.version, agent_id, who.name, at_ms];
                let Some(form_no) = transaction.prepare_cached(insert)?.insert(values).optional()? else {
                    let first =
                        "SELECT reviewer, filled_ms FROM filled_forms WHERE call_no = ? AND form = ? AND agent_id = ?";
                    let first = transaction
                        .prepare_cached(first)?
                        .query_row(params![call_no, answers.form, agent_id], |row| {
                            Ok(First::new(row.get(0)?, row.get(1)?))
                        })?;
                    return Ok(Err(Unfilled::AlreadyFilled(first)));
                };
                (FormStep::Fill, form_no, 0, agent_id.clone(), Some(answers), &answers.content)
            }
            FormDeed::Change { form_no, revision, answers } => {
                let Some(agent_id) = agent_of(&transaction, *form_no)? else { return Ok(Err(Unfilled::Unknown)) };
                (FormStep::Change, *form_no, *revision, agent_id, Some(answers), &answers.content)
            }
            FormDeed::Answer { form_no, revision, agent_id, step, content } => {
                if agent_of(&transaction, *form_no)?.as_ref() != Some(agent_id) {
                    return Ok(Err(Unfilled::Unknown));
                }
                (*step, *form_no, *revision, agent_id.clone(), None, content)
            }
        };
        let stands = "SELECT signature, revision, call_no, form FROM filled_forms WHERE form_no = ?";
        let (signature, now, call_no, form): (Signature, i64, i64, String) =
            transaction.prepare_cached(stands)?.query_row([form_no], |row| {
                Ok((named(row, 0, Signature::from_name)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        let Some(signature) = signature.after(step) else { return Ok(Err(Unfilled::AlreadySigned)) };
        if now != revision {
            let last = "SELECT by, at_ms FROM form_steps WHERE form_no = ? ORDER BY revision DESC LIMIT 1";
            let last = transaction
                .prepare_cached(last)?
                .query_row([form_no], |row| Ok(First::new(row.get(0)?, row.get(1)?)))?;
            return Ok(Err(Unfilled::Changed(last)));
        }
        if answers.is_some_and(|answers| answers.form != form) {
            return Ok(Err(Unfilled::OtherForm));
        }
        let revision = now + 1;
        if revision > REVISIONS_MAX {
            return Ok(Err(Unfilled::TooMany));
        }
        let score = answers.map(|answers| answers.score);
        let insert = "INSERT INTO form_steps (form_no, revision, step, by, role, at_ms, score, json, audit_no)
             VALUES (?, ?, ?, ?, ?, ?, ?, seal(?), ?)";
        let audit_no = self.head.last(&transaction)?.no + 1;
        let (by, role) = (&who.name, who.role.name());
        transaction.prepare_cached(insert)?.execute(params![
            form_no,
            revision,
            step.name(),
            by,
            role,
            at_ms,
            score,
            &**content,
            audit_no
        ])?;
        let detail = json!({
            "call_no": call_no, "form": form, "version": answers.map(|answers| &answers.version), "agent_id": agent_id,
            "revision": revision, "score": score, "step_sha256": form_step_digest(&transaction, form_no, revision)?,
        });
        let (action, subject) = (Audited::Form(step), form_no.to_string());
        let fact = Fact { at_ms: *at_ms, who: who.clone(), action, subject, detail };
        let head = self.head.append(&transaction, &fact)?;
        let update = "UPDATE filled_forms SET signature = ?, revision = ? WHERE form_no = ?";
        transaction.prepare_cached(update)?.execute(params![signature.name(), revision, form_no])?;
        if let Some(NewAnswers { form, version, definition, score, has_passed, .. }) = answers.map(|answers| &**answers)
        {
            transaction
                .prepare_cached(
                    "INSERT INTO form_versions (form, version, json) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                )?
                .execute(params![form, version, definition])?;
            transaction
                .prepare_cached(
                    "UPDATE filled_forms SET version = ?, score = ?, passed = ?, changed_ms = ? WHERE form_no = ?",
                )?
                .execute(params![version, score, has_passed, at_ms, form_no])?;
        }
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(Ok(form_no))
    }
}

fn agent_of(connection: &Connection, form_no: i64) -> Result<Option<String>, StoreError> {
    let agent = "SELECT agent_id FROM filled_forms WHERE form_no = ?";
    Ok(connection.prepare_cached(agent)?.query_row([form_no], |row| row.get(0)).optional()?)
}

/// Removes the forms about a call.
pub(super) fn forget_forms(connection: &Connection, call_no: i64) -> Result<(), StoreError> {
    let steps = "DELETE FROM form_steps WHERE form_no IN (SELECT form_no FROM filled_forms WHERE call_no = ?)";
    connection.prepare_cached(steps)?.execute([call_no])?;
    connection.prepare_cached("DELETE FROM filled_forms WHERE call_no = ?")?.execute([call_no])?;
    Ok(())
}

/// A step in the course of a filled form as the audit tells it.
#[derive(Debug)]
pub(super) struct ToldForm {
    pub(super) audit_no: i64,
    pub(super) form_no: i64,
    pub(super) call_no: Option<i64>,
}

/// Checks that filled forms and their courses are what the audit says, and that none is gone before its call.
pub(super) fn check_forms(
    connection: &Connection,
    told: &[ToldForm],
    found: &mut impl FnMut(AuditFault),
) -> Result<(), StoreError> {
    let mut steps = connection.prepare(
        "SELECT form_steps.form_no, form_steps.revision, step, by, role, at_ms, form_steps.score, audit_no,
             filled_forms.revision, filled_forms.score, signature
         FROM form_steps LEFT JOIN filled_forms ON filled_forms.form_no = form_steps.form_no
         ORDER BY form_steps.form_no, form_steps.revision",
    )?;
    let mut rows = steps.query([])?;
    let (mut of, mut stands, mut score) = (0, Signature::Open, None);
    while let Some(row) = rows.next()? {
        let (form_no, revision, step): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (by, role, at_ms): (String, String, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let (step_score, audit_no): (Option<u32>, i64) = (row.get(6)?, row.get(7)?);
        let now: Option<(i64, u32, String)> = match row.get(8)? {
            Some(revision) => Some((revision, row.get(9)?, row.get(10)?)),
            None => None,
        };
        if form_no != of {
            (of, stands, score) = (form_no, Signature::Open, None);
        }
        let known = FormStep::from_name(&step);
        stands = known.and_then(|step| stands.after(step)).unwrap_or(stands);
        score = step_score.or(score);
        let step_sha = form_step_digest(connection, form_no, revision)?;
        let is_told = entry(connection, audit_no)?.is_some_and(|entry| {
            let detail = &entry.detail;
            known.is_some_and(|step| entry.action == Audited::Form(step).name())
                && entry.subject == form_no.to_string()
                && (entry.by == by && entry.role == role && entry.at_ms == at_ms)
                && detail["step_sha256"] == step_sha
        });
        let is_last = now.as_ref().is_some_and(|(last, ..)| *last == revision);
        let stands_so = now.is_some_and(|(last, now, signature)| {
            last > revision || (is_last && Some(now) == score && signature == stands.name())
        });
        if !(is_told && stands_so) {
            found(AuditFault::FormDiffers { form_no, audit_no });
        }
    }
    let gone = "SELECT 1 FROM calls WHERE call_no = ?1 AND NOT EXISTS (SELECT 1 FROM form_steps WHERE audit_no = ?2)";
    for ToldForm { audit_no, form_no, call_no } in told {
        if connection.prepare_cached(gone)?.exists(params![call_no, audit_no])? {
            found(AuditFault::FormDiffers { form_no: *form_no, audit_no: *audit_no });
        }
    }
    Ok(())
}
