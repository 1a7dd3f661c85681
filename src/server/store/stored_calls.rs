//! Closed calls with their events, for replays. They are read in pages beside the writer; nothing
//! here holds the store for longer than a page or a call.

use crate::engine::time::CallTime;
use crate::server::store::StoreError;
use crate::server::store::query::{Place, Span};
use crate::server::store::reader::Readers;
use crate::server::store::sql::{OptionalExtension as _, params};

/// Which calls are replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// When they were answered.
    pub(crate) span: Span,
    /// The agent who answered.
    pub(crate) agent_id: Option<String>,
}

/// The stored words and events of a closed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// Its `call.start`.
    pub(crate) start: String,
    /// Its events, each with the time of its clock on arrival, in that order.
    pub(crate) told: Vec<(CallTime, String)>,
}

/// The condition of a span, with values for its open ends.
const SPAN: &str = "closed_ms IS NOT NULL AND started_ms >= ?1 AND started_ms < ?2 AND (agent_id = ?3 OR ?3 IS NULL)";

impl Stored {
    fn bounds(&self) -> (i64, i64) {
        (self.span.from_ms.unwrap_or(i64::MIN), self.span.to_ms.unwrap_or(i64::MAX))
    }
}

impl Readers {
    /// How many calls there are.
    pub(crate) fn count_stored(&self, wanted: &Stored) -> Result<u64, StoreError> {
        let (from_ms, to_ms) = wanted.bounds();
        self.ask(|connection| {
            let count = format!("SELECT count(*) FROM calls WHERE {SPAN}");
            let count: i64 =
                connection.query_row(&count, params![from_ms, to_ms, wanted.agent_id], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Calls in the order in which they were answered, at most `count_max` of them, behind a place.
    pub(crate) fn stored_calls(
        &self,
        wanted: &Stored,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let (from_ms, to_ms) = wanted.bounds();
        let Place { ms, no } = behind.unwrap_or(Place { ms: i64::MIN, no: i64::MIN });
        // SQLite takes one bound of the index: the one that is near the page.
        let from_ms = from_ms.max(ms);
        let calls = format!(
            "SELECT started_ms, call_no FROM calls WHERE {SPAN} AND (started_ms, call_no) > (?4, ?5)
             ORDER BY started_ms, call_no LIMIT ?6"
        );
        self.ask(|connection| {
            let mut calls = connection.prepare_cached(&calls)?;
            let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
            let calls = calls.query_map(params![from_ms, to_ms, wanted.agent_id, ms, no, count_max], |row| {
                Ok(Place { ms: row.get(0)?, no: row.get(1)? })
            })?;
            Ok(calls.collect::<Result<_, _>>()?)
        })
    }

    /// The events of a call; `None` if its words are no longer kept. A hypothesis that no final
    /// replaced was stored when the call was closed; it stands where it arrived.
    pub(crate) fn transcript(&self, call_no: i64) -> Result<Option<Transcript>, StoreError> {
        self.ask(|connection| {
            // The words of a call go all at once; they must not go in between.
            let reading = connection.unchecked_transaction()?;
            let start = "SELECT words(start) FROM calls WHERE call_no = ? AND start <> ''";
            let start: Option<String> =
                reading.prepare_cached(start)?.query_row([call_no], |row| row.get(0)).optional()?;
            let Some(start) = start else { return Ok(None) };
            let mut events = reading
                .prepare_cached("SELECT now_ms, words(json) FROM events WHERE call_no = ? ORDER BY now_ms, serial")?;
            let events = events.query_map([call_no], |row| Ok((CallTime(row.get(0)?), row.get(1)?)))?;
            let told = events.collect::<Result<_, _>>()?;
            Ok(Some(Transcript { start, told }))
        })
    }

    /// The version of the rules that the latest call began with.
    pub(crate) fn last_version(&self) -> Result<Option<String>, StoreError> {
        self.ask(|connection| {
            let last = "SELECT rules_version FROM calls ORDER BY call_no DESC LIMIT 1";
            Ok(connection.query_row(last, [], |row| row.get(0)).optional()?)
        })
    }
}
