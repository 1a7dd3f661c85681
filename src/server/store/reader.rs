//! Rows out: what a restart needs, and what clients ask.

use std::sync::Mutex;

use rusqlite::OpenFlags;

use crate::engine::alert::AlertState;
use crate::engine::severity::Severity;
use crate::engine::time::CallTime;
use crate::numbers::Numbers;
use crate::server::domain::terms::{CloseReason, Display};
use crate::server::store::encryption::Keys;
#[cfg(test)]
use crate::server::store::sql::Value;
use crate::server::store::sql::{Access, Connection, OptionalExtension as _, Postgres, ValueRef, named, params};
use crate::server::store::writer::{Entry, kind};
use crate::server::store::{Json, Site, StoreError, connect};

/// Connections that are kept for the next question.
const IDLE_MAX: usize = 4;

/// Connections that only read. Cheap to clone a handle of; each question
/// borrows one of them.
#[derive(Debug)]
pub(crate) struct Readers {
    site: Site,
    keys: Keys,
    idle: Mutex<Vec<Connection>>,
}

/// A call that was in progress when the store was last written.
#[derive(Debug)]
pub(crate) struct OpenCall {
    pub(crate) call_no: i64,
    pub(crate) rules_version: String,
    /// The numbers of events that came under its id before it began.
    pub(crate) numbers: Option<Numbers>,
    pub(crate) start: String,
}

/// An alert as it was shown, or would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredAlert {
    pub(crate) cursor: i64,
    pub(crate) json: String,
}

/// A call that was closed, as far as a producer who resends it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClosedCall {
    pub(crate) call_id: String,
    pub(crate) started_ms: i64,
    /// It may go on: it was closed because nothing was heard of it.
    pub(crate) is_idle: bool,
    pub(crate) numbers: Option<Numbers>,
}

/// An alert of a call in progress, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenAlert {
    pub(crate) call_no: i64,
    pub(crate) alert_id: String,
    pub(crate) agent_id: String,
    pub(crate) rule_id: String,
    pub(crate) pack: String,
    pub(crate) severity: Severity,
    pub(crate) deduct: u32,
    pub(crate) state: AlertState,
    pub(crate) said_ms: i64,
    pub(crate) display: Display,
    pub(crate) was_confirmed: bool,
    /// Its latest transition.
    pub(crate) json: Json,
}

/// A message to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) outbox_no: i64,
    pub(crate) made_ms: i64,
    pub(crate) due_ms: i64,
    /// Failed deliveries so far.
    pub(crate) attempts: u32,
    pub(crate) alert: String,
}

/// The undelivered messages of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) webhook: String,
    pub(crate) letters: i64,
    pub(crate) oldest_ms: i64,
}

/// Numbers as a call's row has them; damaged ones are as good as none.
fn numbers(value: ValueRef<'_>) -> Option<Numbers> {
    Numbers::from_bytes(value.as_blob_or_null().ok()??)
}

impl Readers {
    pub(super) const fn new(site: Site, keys: Keys) -> Self {
        Self { site, keys, idle: Mutex::new(Vec::new()) }
    }

    /// Asks a question on a connection of its own. It blocks: not for tasks of the runtime.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let is_lost = |connection: &Connection| connection.postgres().is_some_and(Postgres::is_lost);
        let connection = match (idle.filter(|connection| !is_lost(connection)), &self.site) {
            (Some(connection), _) => connection,
            (None, Site::File(path)) => {
                let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                self.keys.teach(&connection)?;
                Connection::Sqlite(connection)
            }
            (None, Site::Postgres(place)) => Connection::Postgres(Postgres::connect(place, &self.keys, Access::Reads)?),
        };
        let answer = match connection.postgres() {
            None => question(&connection)?,
            Some(_) => {
                let moment = connection.unchecked_transaction()?;
                let answer = question(&connection)?;
                moment.finish()?;
                answer
            }
        };
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// Whether it is SQLite that is asked.
    pub(super) const fn is_sqlite(&self) -> bool {
        matches!(self.site, Site::File(_))
    }

    /// Whether words are encrypted.
    pub(super) fn encrypts(&self) -> bool {
        self.keys.seals()
    }

    /// Calls in progress.
    pub(crate) fn open_calls(&self) -> Result<Vec<OpenCall>, StoreError> {
        self.ask(|connection| {
            let mut calls = connection.prepare(
                "SELECT call_no, rules_version, numbers, words(start) FROM calls WHERE closed_ms IS NULL ORDER BY call_no",
            )?;
            let calls = calls.query_map([], |row| {
                Ok(OpenCall {
                    call_no: row.get(0)?,
                    rules_version: row.get(1)?,
                    numbers: numbers(row.get_ref(2)?),
                    start: row.get(3)?,
                })
            })?;
            Ok(calls.collect::<Result<_, _>>()?)
        })
    }

    /// Gives all of the journal to `take`, in its order: call, the call's time, what it was told.
    pub(crate) fn replay(&self, mut take: impl FnMut(i64, CallTime, Entry)) -> Result<(), StoreError> {
        self.ask(|connection| {
            let mut journal =
                connection.prepare("SELECT call_no, kind, now_ms, words(json) FROM journal ORDER BY serial")?;
            let mut rows = journal.query([])?;
            while let Some(row) = rows.next()? {
                let entry = match row.get(1)? {
                    kind::TICK => Entry::Tick,
                    kind::LEG => Entry::Leg,
                    kind::UNHEARD => Entry::Unheard,
                    _ => Entry::Event(row.text(3)?.into()),
                };
                take(row.get(0)?, CallTime(row.get(2)?), entry);
            }
            Ok(())
        })
    }

    /// The calls closed last, the latest first; their numbers, as far as they have so many bytes together.
    pub(crate) fn closed_calls(
        &self,
        count_max: usize,
        numbers_bytes_max: usize,
    ) -> Result<Vec<ClosedCall>, StoreError> {
        self.ask(|connection| {
            let mut calls = connection.prepare(
                "SELECT call_id, started_ms, close_reason = ?1, numbers FROM calls WHERE closed_ms IS NOT NULL
                 ORDER BY call_no DESC LIMIT ?2",
            )?;
            let mut left = numbers_bytes_max;
            let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
            let calls = calls.query_map(params![CloseReason::Idle.name(), count_max], |row| {
                let numbers = if left > 0 { numbers(row.get_ref(3)?) } else { None };
                left = left.saturating_sub(numbers.as_ref().map_or(0, Numbers::bytes));
                Ok(ClosedCall { call_id: row.get(0)?, started_ms: row.get(1)?, is_idle: row.get(2)?, numbers })
            })?;
            Ok(calls.collect::<Result<_, _>>()?)
        })
    }

    /// The files of a version of the rules, as the JSON of [`LoadRow::files`](super::LoadRow); `None` if it is
    /// no longer kept.
    pub(crate) fn rule_files(&self, version: &str) -> Result<Option<String>, StoreError> {
        self.ask(|connection| {
            let files = "SELECT files FROM rule_versions WHERE version = ?";
            Ok(connection.query_row(files, [version], |row| row.get(0)).optional()?)
        })
    }

    /// The cards of an agent after `cursor`, at most `count_max` of them, in order.
    pub(crate) fn cards_after(
        &self,
        agent_id: &str,
        cursor: i64,
        count_max: usize,
    ) -> Result<Vec<StoredAlert>, StoreError> {
        self.ask(|connection| {
            let mut alerts = connection.prepare_cached(
                "SELECT cursor, words(json) FROM alerts WHERE agent_id = ? AND cursor > ? AND display = 'card' ORDER BY cursor LIMIT ?",
            )?;
            let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
            let alerts = alerts.query_map(params![agent_id, cursor, count_max], |row| {
                Ok(StoredAlert { cursor: row.get(0)?, json: row.get(1)? })
            })?;
            Ok(alerts.collect::<Result<_, _>>()?)
        })
    }

    /// The cursor before an agent's first card in a call that is in progress
    /// now, looked for among the latest `count_max`; without one, that of the latest.
    pub(crate) fn before_live_cards(&self, agent_id: &str, count_max: usize) -> Result<i64, StoreError> {
        self.ask(|connection| {
            let mut place = connection.prepare_cached(
                "WITH latest AS (
                    SELECT cursor, call_no FROM alerts WHERE agent_id = ? AND display = 'card' ORDER BY cursor DESC LIMIT ?
                 )
                 SELECT coalesce(
                    (SELECT min(cursor) - 1 FROM latest JOIN calls USING (call_no) WHERE closed_ms IS NULL),
                    (SELECT max(cursor) FROM latest), 0)",
            )?;
            let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
            Ok(place.query_row(params![agent_id, count_max], |row| row.get(0))?)
        })
    }

    /// All rows about calls, as text.
    #[cfg(test)]
    pub(crate) fn dump(&self) -> Vec<String> {
        let tables = ["calls", "events", "journal", "alerts", "latest_alerts", "outbox", "feedback", "reviews"];
        let rows = |connection: &Connection, table: &str| -> Result<Vec<String>, StoreError> {
            let mut all = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))?;
            let columns = all.column_count();
            let rows = all.query_map([], |row| {
                let values: Result<Vec<Value>, _> = (0..columns).map(|index| row.get(index)).collect();
                values.map(|values| format!("{table}: {values:?}"))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.ask(|connection| Ok(tables.map(|table| rows(connection, table).unwrap()).concat())).unwrap()
    }

    /// The number that tells the cursors of this store from those of another.
    pub(crate) fn store_id(&self) -> Result<i64, StoreError> {
        self.ask(|connection| Ok(connection.query_row("SELECT store_id FROM identity", [], |row| row.get(0))?))
    }

    /// The alerts of calls in progress.
    pub(crate) fn open_alerts(&self) -> Result<Vec<OpenAlert>, StoreError> {
        self.ask(|connection| {
            let mut alerts = connection.prepare(
                "SELECT latest.call_no, latest.alert_id, latest.agent_id, latest.rule_id, latest.pack, latest.severity,
                     latest.deduct, latest.state, latest.said_ms, latest.display,
                     (' ' || latest.history || ' ') LIKE '% confirmed %', words(alerts.json)
                 FROM calls JOIN latest_alerts AS latest ON latest.call_no = calls.call_no
                 JOIN alerts ON alerts.cursor = latest.cursor WHERE closed_ms IS NULL ORDER BY latest.alert_no",
            )?;
            let alerts = alerts.query_map([], |row| {
                Ok(OpenAlert {
                    call_no: row.get(0)?,
                    alert_id: row.get(1)?,
                    agent_id: row.get(2)?,
                    rule_id: row.get(3)?,
                    pack: row.get(4)?,
                    severity: named(row, 5, Severity::from_name)?,
                    deduct: row.get(6)?,
                    state: named(row, 7, AlertState::from_name)?,
                    said_ms: row.get(8)?,
                    display: named(row, 9, Display::from_name)?,
                    was_confirmed: row.get(10)?,
                    json: row.text(11)?.into(),
                })
            })?;
            Ok(alerts.collect::<Result<_, _>>()?)
        })
    }

    /// The first message to a webhook after number `after`.
    pub(crate) fn letter_after(&self, webhook: &str, after: i64) -> Result<Option<Letter>, StoreError> {
        self.ask(|connection| {
            let mut letter = connection.prepare_cached(
                "SELECT outbox_no, made_ms, due_ms, attempts, words(alert) FROM outbox
                 WHERE webhook = ? AND outbox_no > ? ORDER BY outbox_no LIMIT 1",
            )?;
            let letter = letter.query_row(params![webhook, after], |row| {
                Ok(Letter {
                    outbox_no: row.get(0)?,
                    made_ms: row.get(1)?,
                    due_ms: row.get(2)?,
                    attempts: row.get(3)?,
                    alert: row.get(4)?,
                })
            });
            Ok(letter.optional()?)
        })
    }

    /// The undelivered messages of each webhook that has any.
    pub(crate) fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        self.ask(|connection| {
            let mut backlogs =
                connection.prepare_cached("SELECT webhook, count(*), min(made_ms) FROM outbox GROUP BY webhook")?;
            let backlogs = backlogs.query_map([], |row| {
                Ok(Backlog { webhook: row.get(0)?, letters: row.get(1)?, oldest_ms: row.get(2)? })
            })?;
            Ok(backlogs.collect::<Result<_, _>>()?)
        })
    }
}
