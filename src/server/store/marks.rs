//! Violations that the rules missed: a reviewer marks words in a call that is over, and they are an alert from then on.

use serde_json::json;

use crate::server::domain::principal::Who;
use crate::server::domain::review::{Impossible, Step, Verdict};
use crate::server::domain::terms::Audited;
use crate::server::store::audit::{Fact, digest};
use crate::server::store::review::insert_step;
use crate::server::store::seal::transition_digest;
use crate::server::store::sql::{OptionalExtension as _, params};
use crate::server::store::writer::{AlertRow, Writer, insert_alert};
use crate::server::store::{StoreError, Untaken};

/// A violation that a reviewer marks.
#[derive(Clone, Debug)]
pub(crate) struct NewMark {
    /// The alert that it becomes.
    pub(crate) row: AlertRow,
    pub(crate) rules_version: String,
    /// The step that makes it.
    pub(crate) step: Step,
    pub(crate) who: Who,
}

impl Writer {
    /// Keeps a marked violation as an alert, its first step and the audit entry, if the call is kept and over.
    pub(crate) fn mark(&mut self, mark: &NewMark) -> Result<Result<(), Untaken>, StoreError> {
        let NewMark { row, rules_version, step, who } = mark;
        let transaction = self.connection.transaction()?;
        let closed = "SELECT closed_ms IS NOT NULL FROM calls WHERE call_no = ?";
        let is_closed: Option<bool> =
            transaction.prepare_cached(closed)?.query_row([row.call_no], |row| row.get(0)).optional()?;
        match is_closed {
            None => return Ok(Err(Untaken::Unknown)),
            Some(false) => return Ok(Err(Untaken::Impossible(Impossible::CallInProgress))),
            Some(true) => {}
        }
        let known = "SELECT 1 FROM latest_alerts WHERE call_no = ? AND alert_id = ?";
        if transaction.prepare_cached(known)?.exists(params![row.call_no, row.alert_id])? {
            return Ok(Err(Untaken::Impossible(Impossible::AlreadyMarked)));
        }
        let cursor = insert_alert(&transaction, row)?;
        let detail = json!({
            "call_no": row.call_no, "rule_id": row.rule_id, "rules_version": rules_version,
            "verdict": Verdict::Confirmed.name(), "appeal": null,
            "reason_sha256": step.reason.as_deref().map(digest),
            "cursor": cursor, "alert_sha256": transition_digest(&transaction, cursor)?,
        });
        let (who, action, subject) = (who.clone(), Audited::Step(step.action), row.alert_id.clone());
        let fact = Fact { at_ms: step.at_ms, who, action, subject, detail };
        let head = self.head.append(&transaction, &fact)?;
        insert_step(&transaction, row.call_no, &row.alert_id, step, head.no)?;
        let stands = "UPDATE latest_alerts SET verdict = ? WHERE call_no = ? AND alert_id = ?";
        transaction.prepare_cached(stands)?.execute(params![Verdict::Confirmed.name(), row.call_no, row.alert_id])?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(Ok(()))
    }
}
