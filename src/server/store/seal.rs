//! Seals: digests of what is kept, in the audit, so that what is edited afterwards shows.
//!
//! A call is sealed some time after it was closed, several calls in one entry, so that no event costs a write more.
//! What is edited before that is not found; nor is it by anybody who writes the whole audit anew.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::server::domain::principal::Who;
use crate::server::domain::terms::Audited;
use crate::server::store::StoreError;
use crate::server::store::audit::Fact;
use crate::server::store::query::limit;
use crate::server::store::sql::{Connection, OptionalExtension as _, Params, ValueRef};
use crate::server::store::writer::Writer;

/// Calls of one entry.
const SEALED_AT_ONCE: usize = 16;

/// The time after which few calls are sealed, too.
const GATHER_MS: i64 = 60_000;

/// The digests of a closed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// The digest of the call's words and events.
    pub(super) words: String,
    /// The digest of the call's facts and of all states of its alerts.
    pub(super) alerts: String,
    pub(super) closed_ms: i64,
}

impl Seal {
    /// The call as it is kept now; `None` if it is not, or not closed.
    pub(super) fn of(connection: &Connection, call_no: i64) -> Result<Option<Self>, StoreError> {
        let closed = "SELECT closed_ms FROM calls WHERE call_no = ? AND closed_ms IS NOT NULL";
        let Some(closed_ms) = connection.prepare_cached(closed)?.query_row([call_no], |row| row.get(0)).optional()?
        else {
            return Ok(None);
        };
        let words = rows_digest(
            connection,
            &[
                "SELECT start FROM calls WHERE call_no = ?",
                "SELECT serial, now_ms, json FROM events WHERE call_no = ? ORDER BY serial",
            ],
            [call_no],
        )?;
        let alerts = rows_digest(
            connection,
            &[
                "SELECT call_id, agent_id, queue, started_at, started_ms, rules_version, end_ms, ended_by, closed_ms, close_reason
                     FROM calls WHERE call_no = ?",
                // What people mark later has entries of its own.
                "SELECT cursor, alert_id, agent_id, rule_id, severity, state, said_ms, display, json
                     FROM alerts WHERE call_no = ? AND display <> 'marked' ORDER BY cursor",
                "SELECT alert_no, cursor, alert_id, agent_id, rule_id, pack, severity, deduct, state, history, said_ms, display
                     FROM latest_alerts WHERE call_no = ? AND display <> 'marked' ORDER BY alert_no",
            ],
            [call_no],
        )?;
        Ok(Some(Self { words, alerts, closed_ms }))
    }

    fn to_json(&self) -> Value {
        json!([self.words, self.alerts, self.closed_ms])
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |index: usize| Some(value.get(index)?.as_str()?.to_owned());
        Some(Self { words: text(0)?, alerts: text(1)?, closed_ms: value.get(2)?.as_i64()? })
    }
}

/// The digest of the transition of an alert that has this cursor; `None` if it is gone.
pub(super) fn transition_digest(connection: &Connection, cursor: i64) -> Result<Option<String>, StoreError> {
    let exists = "SELECT 1 FROM alerts WHERE cursor = ?";
    if connection.prepare_cached(exists)?.query_row([cursor], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let transition = "SELECT call_no, alert_id, agent_id, rule_id, severity, state, said_ms, display, json FROM alerts WHERE cursor = ?";
    rows_digest(connection, &[transition], [cursor]).map(Some)
}

/// The digest of a step in the course of a filled form.
pub(super) fn form_step_digest(connection: &Connection, form_no: i64, revision: i64) -> Result<String, StoreError> {
    let step = "SELECT form_no, revision, step, by, role, at_ms, score, json FROM form_steps WHERE form_no = ? AND revision = ?";
    rows_digest(connection, &[step], [form_no, revision])
}

/// The digest of the files of a version of the rules; `None` if it is not kept.
pub(super) fn rules_digest(connection: &Connection, version: &str) -> Result<Option<String>, StoreError> {
    let files = "SELECT files FROM rule_versions WHERE version = ?";
    let files: Option<String> = connection.prepare_cached(files)?.query_row([version], |row| row.get(0)).optional()?;
    Ok(files.map(|files| super::audit::digest(&files)))
}

/// The first 32 hexadecimal digits of the SHA-256 of the rows of some questions, each value with its length.
fn rows_digest(
    connection: &Connection,
    questions: &[&str],
    parameters: impl Params + Copy,
) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    for question in questions {
        let mut statement = connection.prepare_cached(question)?;
        let columns = statement.column_count();
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => hash.update([0]),
                    ValueRef::Integer(number) => hash.update([&[1], &number.to_le_bytes()[..]].concat()),
                    ValueRef::Real(number) => hash.update([&[2], &number.to_le_bytes()[..]].concat()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        hash.update([&[3], &(bytes.len() as u64).to_le_bytes()[..]].concat());
                        hash.update(bytes);
                    }
                }
            }
            hash.update([4]);
        }
        hash.update([5]);
    }
    Ok(hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Writer {
    /// Seals some of the calls that were closed since, if there are enough of them, if they have waited long enough,
    /// or if `all` are to be; says whether there may be more to seal.
    pub(crate) fn seal(&mut self, at_ms: i64, all: bool) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction()?;
        let waiting: Vec<(i64, i64)> = {
            let waiting = "SELECT call_no, coalesce(closed_ms, 0) FROM unsealed LEFT JOIN calls USING (call_no) ORDER BY call_no LIMIT ?";
            let mut waiting = transaction.prepare_cached(waiting)?;
            let rows = waiting.query_map([limit(SEALED_AT_ONCE)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let is_due = waiting.iter().any(|&(_, closed_ms)| closed_ms <= at_ms - GATHER_MS);
        let is_full = waiting.len() == SEALED_AT_ONCE;
        if waiting.is_empty() || !(all || is_due || is_full) {
            return Ok(false);
        }
        let mut calls = Map::new();
        for &(call_no, _) in &waiting {
            if let Some(seal) = Seal::of(&transaction, call_no)? {
                calls.insert(call_no.to_string(), seal.to_json());
            }
            transaction.prepare_cached("DELETE FROM unsealed WHERE call_no = ?")?.execute([call_no])?;
        }
        let fact = (!calls.is_empty()).then(|| Fact {
            at_ms,
            who: Who::server(),
            action: Audited::Seal,
            subject: "calls".to_owned(),
            detail: json!({ "calls": calls }),
        });
        let head = fact.as_ref().map(|fact| self.head.append(&transaction, fact)).transpose()?;
        transaction.commit()?;
        if let Some((head, fact)) = head.zip(fact) {
            self.head = head.tell(&fact);
        }
        Ok(is_full)
    }
}
