//! Forgetting: rows that are too old go, in small steps.

use serde_json::json;

use crate::server::domain::principal::Who;
use crate::server::domain::terms::Audited;
use crate::server::store::StoreError;
use crate::server::store::audit::Fact;
use crate::server::store::forms::forget_forms;
use crate::server::store::roster::forget_agent;
use crate::server::store::spoken::forget_spoken;
use crate::server::store::sql::{Connection, Transaction, params};
use crate::server::store::supervision::forget_supervision;
use crate::server::store::writer::{TRIM_ROWS, Writer};

/// Calls of which something is forgotten at once.
pub(super) const FORGET_CALLS: i64 = 64;

/// Up to when things are forgotten, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) transcripts_ms: i64,
    pub(crate) alerts_ms: i64,
    pub(crate) outbox_ms: i64,
}

/// The numbers of rows that a step of forgetting removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Calls that lost words, or went.
    pub(crate) calls: usize,
    /// Transcript rows.
    pub(crate) events: usize,
    /// Alert transitions.
    pub(crate) alerts: usize,
    /// Steps of review and appeal.
    pub(crate) reviews: usize,
    /// Undelivered messages to webhooks.
    pub(crate) webhooks: usize,
    /// Versions of the rules that nothing names any more.
    pub(crate) rule_versions: usize,
}

impl Writer {
    /// Removes what is older than `before`; says what went. A step of at most
    /// [`FORGET_CALLS`] calls: call again while anything goes. A call is as old
    /// as its end by this machine's clock, whenever it claims to have been.
    pub(crate) fn forget(&mut self, before: Horizon) -> Result<Forgotten, StoreError> {
        let Horizon { transcripts_ms, alerts_ms, outbox_ms } = before;
        let mut gone = Forgotten::default();
        let transaction = self.connection.transaction()?;
        let with_words = "SELECT call_no FROM calls WHERE closed_ms < ? AND start <> '' ORDER BY closed_ms LIMIT ?";
        for call_no in call_nos(&transaction, with_words, transcripts_ms)? {
            gone.calls += 1;
            gone.events += transaction.execute("DELETE FROM events WHERE call_no = ?", [call_no])?;
            forget_spoken(&transaction, call_no)?;
            forget_supervision(&transaction, call_no, false)?;
            // Only the start names the caller.
            transaction.execute("UPDATE calls SET start = '' WHERE call_no = ?", [call_no])?;
        }
        let all = "SELECT call_no FROM calls WHERE closed_ms < ? ORDER BY closed_ms LIMIT ?";
        for call_no in call_nos(&transaction, all, alerts_ms)? {
            gone.calls += 1;
            transaction.execute("DELETE FROM feedback WHERE call_no = ?", [call_no])?;
            transaction.execute("DELETE FROM samples WHERE call_no = ?", [call_no])?;
            forget_forms(&transaction, call_no)?;
            transaction.execute("DELETE FROM clips WHERE call_no = ?", [call_no])?;
            for table in ["calibration_answers", "calibration_cases"] {
                let gone = format!(
                    "DELETE FROM {table} WHERE (calibration_no, case_no) IN
                         (SELECT calibration_no, case_no FROM calibration_cases WHERE call_no = ?)"
                );
                transaction.execute(&gone, [call_no])?;
            }
            forget_spoken(&transaction, call_no)?;
            forget_supervision(&transaction, call_no, true)?;
            gone.reviews += transaction.execute("DELETE FROM reviews WHERE call_no = ?", [call_no])?;
            gone.alerts += transaction.execute("DELETE FROM alerts WHERE call_no = ?", [call_no])?;
            transaction.execute("DELETE FROM latest_alerts WHERE call_no = ?", [call_no])?;
            transaction.execute("DELETE FROM events WHERE call_no = ?", [call_no])?;
            let agent_id: String =
                transaction
                    .query_row("DELETE FROM calls WHERE call_no = ? RETURNING agent_id", [call_no], |row| row.get(0))?;
            forget_agent(&transaction, &agent_id)?;
            transaction.execute("DELETE FROM unsealed WHERE call_no = ?", [call_no])?;
        }
        gone.webhooks = transaction.execute(
            "DELETE FROM outbox WHERE outbox_no IN (SELECT outbox_no FROM outbox WHERE made_ms < ? LIMIT ?)",
            params![outbox_ms, TRIM_ROWS],
        )?;
        transaction.execute("DELETE FROM crossings WHERE at_ms < ?", [alerts_ms])?;
        // An alert bears the version of its call.
        gone.rule_versions = transaction.execute(
            "DELETE FROM rule_versions WHERE loaded_ms < ? AND loaded_no < (SELECT max(loaded_no) FROM rule_versions)
             AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.rules_version = rule_versions.version)",
            [alerts_ms],
        )?;
        if gone.rule_versions > 0 {
            transaction
                .execute("DELETE FROM rule_digests WHERE version NOT IN (SELECT version FROM rule_versions)", [])?;
        }
        if gone != Forgotten::default() {
            let Forgotten { calls, events, alerts, reviews, webhooks, rule_versions } = gone;
            transaction.execute(
                "UPDATE forgotten SET calls = calls + ?, events = events + ?, alerts = alerts + ?, reviews = reviews + ?,
                     webhooks = webhooks + ?, rule_versions = rule_versions + ?",
                [calls, events, alerts, reviews, webhooks, rule_versions].map(|rows| i64::try_from(rows).unwrap_or(i64::MAX)),
            )?;
        }
        transaction.commit()?;
        Ok(gone)
    }

    /// Tells the audit what went since it was told last, if anything did: the
    /// end of a round, or of one that a crash cut short.
    pub(crate) fn tell_forgotten(&mut self, before: Horizon, at_ms: i64) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let gone = untold(&transaction)?;
        if gone == Forgotten::default() {
            return Ok(());
        }
        let Forgotten { calls, events, alerts, reviews, webhooks, rule_versions } = gone;
        let Horizon { transcripts_ms, alerts_ms, outbox_ms } = before;
        let detail = json!({
            "calls": calls, "transcript_rows": events, "alerts": alerts, "reviews": reviews, "webhooks": webhooks,
            "rule_versions": rule_versions,
            "before_ms": {"transcripts": transcripts_ms, "alerts": alerts_ms, "webhooks": outbox_ms},
        });
        let fact = Fact { at_ms, who: Who::server(), action: Audited::Forget, subject: "retention".to_owned(), detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.execute(
            "UPDATE forgotten SET calls = 0, events = 0, alerts = 0, reviews = 0, webhooks = 0, rule_versions = 0",
            [],
        )?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(())
    }
}

fn untold(connection: &Connection) -> Result<Forgotten, StoreError> {
    let forgotten = "SELECT calls, events, alerts, reviews, webhooks, rule_versions FROM forgotten";
    Ok(connection.query_row(forgotten, [], |row| {
        let rows = |index| row.get::<_, i64>(index).map(|rows| usize::try_from(rows).unwrap_or_default());
        Ok(Forgotten {
            calls: rows(0)?,
            events: rows(1)?,
            alerts: rows(2)?,
            reviews: rows(3)?,
            webhooks: rows(4)?,
            rule_versions: rows(5)?,
        })
    })?)
}

fn call_nos(transaction: &Transaction<'_>, choice: &str, before_ms: i64) -> Result<Vec<i64>, StoreError> {
    let mut calls = transaction.prepare_cached(choice)?;
    let calls = calls.query_map([before_ms, FORGET_CALLS], |row| row.get(0))?;
    Ok(calls.collect::<Result<_, _>>()?)
}
