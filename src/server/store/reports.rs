//! Whom each week's report was sent to.

use crate::server::store::StoreError;
use crate::server::store::reader::Readers;
use crate::server::store::sql::params;
use crate::server::store::writer::Writer;

/// How far the report of a week is, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportState {
    /// Where the week ends.
    pub(crate) until_ms: i64,
    pub(crate) recipient: String,
    pub(crate) attempts: u32,
    /// When it is tried again.
    pub(crate) due_ms: i64,
    /// It was taken, or never will be.
    pub(crate) is_done: bool,
}

impl ReportState {
    /// Nothing was tried yet.
    pub(crate) const fn new(until_ms: i64, recipient: String) -> Self {
        Self { until_ms, recipient, attempts: 0, due_ms: 0, is_done: false }
    }
}

impl Readers {
    /// The states of the report of the week that ends then.
    pub(crate) fn report_states(&self, until_ms: i64) -> Result<Vec<ReportState>, StoreError> {
        let states =
            "SELECT until_ms, recipient, attempts, due_ms, is_done FROM reports WHERE until_ms = ? ORDER BY recipient";
        self.ask(|connection| {
            let mut states = connection.prepare_cached(states)?;
            let states = states.query_map([until_ms], |row| {
                Ok(ReportState {
                    until_ms: row.get(0)?,
                    recipient: row.get(1)?,
                    attempts: row.get(2)?,
                    due_ms: row.get(3)?,
                    is_done: row.get(4)?,
                })
            })?;
            Ok(states.collect::<Result<_, _>>()?)
        })
    }
}

impl Writer {
    /// Keeps how far a report is; those of earlier weeks go.
    pub(crate) fn keep_report_state(&mut self, state: &ReportState) -> Result<(), StoreError> {
        let ReportState { until_ms, recipient, attempts, due_ms, is_done } = state;
        let transaction = self.connection.transaction()?;
        transaction.prepare_cached("DELETE FROM reports WHERE until_ms < ?")?.execute([until_ms])?;
        let keep = "INSERT INTO reports (until_ms, recipient, attempts, due_ms, is_done) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (until_ms, recipient) DO UPDATE
             SET attempts = excluded.attempts, due_ms = excluded.due_ms, is_done = excluded.is_done";
        transaction.prepare_cached(keep)?.execute(params![until_ms, recipient, attempts, due_ms, is_done])?;
        transaction.commit()?;
        Ok(())
    }
}
