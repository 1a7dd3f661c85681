//! The calls of one agent: those that they answered, and those in which they have alerts that count.

use crate::server::domain::score::Deduction;
use crate::server::store::StoreError;
use crate::server::store::counts::COUNTS;
use crate::server::store::query::Span;
use crate::server::store::reader::Readers;
use crate::server::store::sql::params;

/// A closed call as far as it concerns its agent.
#[derive(Clone, Debug)]
pub(crate) struct OwnCall {
    pub(crate) started_ms: i64,
    /// The agent's own alerts that count.
    pub(crate) deductions: Vec<Deduction>,
    /// What the call asked to be said, by rule, if this agent answered it.
    pub(crate) duties: Vec<KeptDuty>,
}

/// How often a rule's words were asked for and said in one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptDuty {
    pub(crate) rule_id: String,
    pub(crate) said: u32,
    pub(crate) missed: u32,
}

/// Duties as the row of their call has them.
pub(super) fn written(duties: &[KeptDuty]) -> String {
    let rows: Vec<_> = duties.iter().map(|duty| (&duty.rule_id, duty.said, duty.missed)).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

/// Damaged ones are as good as none.
fn read(text: &str) -> Vec<KeptDuty> {
    let rows: Vec<(String, u32, u32)> = serde_json::from_str(text).unwrap_or_default();
    rows.into_iter().map(|(rule_id, said, missed)| KeptDuty { rule_id, said, missed }).collect()
}

impl Readers {
    /// An agent's closed calls of a span, in the order in which they were answered; of more than `count_max`, the latest.
    pub(crate) fn own_calls(&self, agent_id: &str, span: Span, count_max: usize) -> Result<Vec<OwnCall>, StoreError> {
        let sql = format!(
            "WITH own AS (
                SELECT call_no, started_ms, agent_id, duties FROM calls
                WHERE closed_ms IS NOT NULL AND started_ms >= ?2 AND started_ms < ?3 AND call_no IN (
                    SELECT call_no FROM calls WHERE agent_id = ?1 AND started_ms >= ?2 AND started_ms < ?3
                    UNION SELECT call_no FROM latest_alerts WHERE agent_id = ?1 AND said_ms >= ?2)
                ORDER BY started_ms DESC, call_no DESC LIMIT ?4)
             SELECT own.call_no, own.started_ms, own.agent_id = ?1, own.duties, latest.agent_id, pack, deduct
             FROM own LEFT JOIN latest_alerts AS latest
                 ON latest.call_no = own.call_no AND latest.agent_id = ?1 AND {COUNTS}
             ORDER BY own.started_ms, own.call_no"
        );
        let (from_ms, to_ms) = (span.from_ms.unwrap_or(i64::MIN), span.to_ms.unwrap_or(i64::MAX));
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        self.ask(|connection| {
            let mut rows = connection.prepare_cached(&sql)?;
            let mut rows = rows.query(params![agent_id, from_ms, to_ms, count_max])?;
            let mut calls: Vec<OwnCall> = Vec::new();
            let mut last = None;
            while let Some(row) = rows.next()? {
                let (call_no, deducted): (i64, Option<String>) = (row.get(0)?, row.get(4)?);
                if last != Some(call_no) {
                    last = Some(call_no);
                    let answered: bool = row.get(2)?;
                    let duties: Option<String> = row.get(3)?;
                    let duties = duties.filter(|_| answered).map(|text| read(&text)).unwrap_or_default();
                    calls.push(OwnCall { started_ms: row.get(1)?, deductions: Vec::new(), duties });
                }
                if let (Some(agent_id), Some(call)) = (deducted, calls.last_mut()) {
                    call.deductions.push(Deduction { agent_id, pack: row.get(5)?, deduct: row.get(6)? });
                }
            }
            Ok(calls)
        })
    }
}
