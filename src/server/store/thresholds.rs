//! Thresholds that were told, and the alerts that they count again after a restart.

use std::sync::Arc;

use crate::engine::severity::Severity;
use crate::server::store::sql::params;
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// A threshold that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub(crate) threshold: String,
    pub(crate) value: u64,
    pub(crate) at_ms: i64,
}

/// An alert that stands, as thresholds count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) call_no: i64,
    pub(crate) alert_id: String,
    pub(crate) agent_id: String,
    pub(crate) rule_id: String,
    pub(crate) pack: String,
    pub(crate) severity: Severity,
    pub(crate) queue: Option<String>,
    pub(crate) said_ms: i64,
}

impl Writer {
    /// Keeps that a threshold is told, and `message` for each of the webhooks.
    pub(crate) fn keep_crossing(
        &mut self,
        crossing: &Crossing,
        webhooks: &[Arc<str>],
        message: &str,
    ) -> Result<(), StoreError> {
        let Crossing { threshold, value, at_ms } = crossing;
        let transaction = self.connection.transaction()?;
        let insert = "INSERT INTO crossings (threshold, value, at_ms) VALUES (?, ?, ?)";
        let value = i64::try_from(*value).unwrap_or(i64::MAX);
        transaction.prepare_cached(insert)?.execute(params![threshold, value, at_ms])?;
        let insert = "INSERT INTO outbox (webhook, made_ms, due_ms, attempts, alert) VALUES (?1, ?2, ?2, 0, seal(?3))";
        for webhook in webhooks {
            transaction.prepare_cached(insert)?.execute(params![&**webhook, at_ms, message])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Readers {
    /// When a threshold was told last.
    pub(crate) fn last_crossing(&self, threshold: &str) -> Result<Option<i64>, StoreError> {
        self.ask(|connection| {
            let last = "SELECT max(at_ms) FROM crossings WHERE threshold = ?";
            Ok(connection.prepare_cached(last)?.query_row([threshold], |row| row.get(0))?)
        })
    }

    /// The latest alerts that stand and were said from `from_ms` on, at most `count_max`, the earliest first.
    pub(crate) fn recent_alerts(&self, from_ms: i64, count_max: u32) -> Result<Vec<Recent>, StoreError> {
        let sql = "SELECT latest.call_no, alert_id, rule_id, pack, severity, queue, said_ms, latest.agent_id
             FROM latest_alerts AS latest JOIN calls ON calls.call_no = latest.call_no
             WHERE said_ms >= ? AND state = 'confirmed' AND display IN ('card', 'folded', 'late')
             ORDER BY said_ms DESC, alert_no DESC LIMIT ?";
        self.ask(|connection| {
            let mut found = connection.prepare_cached(sql)?;
            let found = found.query_map(params![from_ms, count_max], |row| {
                let severity: String = row.get(4)?;
                Ok(Recent {
                    call_no: row.get(0)?,
                    alert_id: row.get(1)?,
                    rule_id: row.get(2)?,
                    pack: row.get(3)?,
                    severity: Severity::from_name(&severity).unwrap_or(Severity::Info),
                    queue: row.get(5)?,
                    said_ms: row.get(6)?,
                    agent_id: row.get(7)?,
                })
            })?;
            let mut found = found.collect::<Result<Vec<_>, _>>()?;
            found.reverse();
            Ok(found)
        })
    }
}
