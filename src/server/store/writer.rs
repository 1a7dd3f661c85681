//! Rows in, one transaction for many.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::adapter::masking;
use crate::engine::alert::AlertState;
use crate::engine::severity::Severity;
use crate::engine::time::CallTime;
use crate::engine::transcript::Party;
use crate::numbers::Numbers;
use crate::server::domain::terms::{CloseReason, Display};
use crate::server::store::audit::Head;
use crate::server::store::checkpoint::{self, Checkpoints};
use crate::server::store::files::Files;
use crate::server::store::sql::{Connection, Postgres, Transaction, params};
use crate::server::store::supervision::close_supervision;
use crate::server::store::{AgentRow, Json, KeptDuty, StoreError, own_calls, roster, spoken};

/// Journal rows of closed calls that a commit removes beside the rows it adds: more than it adds on
/// the average, so that the journal shrinks, and few enough to delay no one.
pub(super) const TRIM_ROWS: i64 = 2_048;

/// A record to store.
#[derive(Debug)]
pub(crate) enum Record {
    /// A call was answered.
    Call(Box<CallRow>),
    /// Something moved a call in progress.
    Moved {
        call_no: i64,
        /// The time of the call's clock.
        now: CallTime,
        entry: Entry,
        /// Whether it stays when the call is over, if it is an event.
        is_kept: bool,
    },
    /// A hypothesis that no final replaced until the call was closed.
    LeftOpen { call_no: i64, now: CallTime, json: Json },
    /// The start of a call named its agent.
    Agent(Box<AgentRow>),
    /// An alert changed its state.
    Alert {
        row: Box<AlertRow>,
        /// Its place in its agent's feed, which the store gives it.
        cursor: Option<i64>,
    },
    /// A call is closed.
    Closed(Box<ClosedRow>),
    /// A message to a webhook was delivered or given up.
    Settled { outbox_no: i64 },
    /// A message to a webhook is to be sent again.
    Postponed { outbox_no: i64, due_ms: i64, attempts: u32 },
}

/// An entry of the journal: what moved a call, for a replay of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A producer's event.
    Event(Json),
    /// Time alone moved the call to this moment, and it had something to say.
    Tick,
    /// One more recogniser's connection joined the call.
    Leg,
    /// The agent was told that no words come.
    Unheard,
}

/// A call that was answered.
#[derive(Debug)]
pub(crate) struct CallRow {
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) agent_id: String,
    pub(crate) queue: Option<String>,
    pub(crate) started_at: String,
    pub(crate) started_ms: i64,
    pub(crate) rules_version: String,
    /// The numbers of events that came under its id before it began.
    pub(crate) numbers: Option<Numbers>,
    pub(crate) start: Json,
}

/// A transition of an alert.
#[derive(Clone, Debug)]
pub(crate) struct AlertRow {
    pub(crate) call_no: i64,
    pub(crate) alert_id: String,
    pub(crate) agent_id: String,
    pub(crate) rule_id: String,
    pub(crate) pack: String,
    pub(crate) severity: Severity,
    pub(crate) deduct: u32,
    pub(crate) state: AlertState,
    /// When it was said, as the producer counts wall time: milliseconds since 1970.
    pub(crate) said_ms: i64,
    pub(crate) display: Display,
    /// The alert as it goes over the wire, personal data masked.
    pub(crate) json: Json,
    /// The webhooks that get it, from `made_ms` on.
    pub(crate) webhooks: Vec<Arc<str>>,
    pub(crate) made_ms: i64,
}

/// A call that is closed.
#[derive(Debug)]
pub(crate) struct ClosedRow {
    pub(crate) call_no: i64,
    pub(crate) reason: CloseReason,
    pub(crate) closed_ms: i64,
    pub(crate) numbers: Option<Numbers>,
    pub(crate) end: Option<(CallTime, Party)>,
    pub(crate) duties: Vec<KeptDuty>,
}

/// The kinds of journal rows, as stored.
pub(super) mod kind {
    pub(in crate::server::store) const EVENT: i64 = 0;
    pub(in crate::server::store) const TICK: i64 = 1;
    pub(in crate::server::store) const LEG: i64 = 2;
    pub(in crate::server::store) const UNHEARD: i64 = 3;
}

/// The one connection that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) connection: Connection,
    /// The words of calls are masked for good when they are over.
    masks_closed: bool,
    /// Words are encrypted, and so not indexed.
    pub(super) is_encrypted: bool,
    /// What the file of SQLite needs.
    upkeep: Option<(Checkpoints, Files)>,
    /// A commit whose answer was lost.
    unanswered: Option<Written>,
    /// The serial number of the next journal row.
    next_serial: i64,
    /// The first journal row that may still be there.
    first_serial: i64,
    /// Calls in progress, by where their part of the journal begins.
    open: BTreeSet<(i64, i64)>,
    /// The serial number at which each call's part of the journal begins.
    begins: HashMap<i64, i64>,
    /// The head of the audit.
    pub(super) head: Head,
}

/// What a commit wrote.
#[derive(Debug)]
struct Written {
    /// The serial number of the next journal row.
    serial: i64,
    /// The first journal row that may still be there.
    trimmed: i64,
    /// Calls with where their part of the journal begins.
    opened: Vec<(i64, i64)>,
    closed: Vec<i64>,
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        file: Option<PathBuf>,
        masks_closed: bool,
        is_encrypted: bool,
    ) -> Result<Self, StoreError> {
        spoken::prepare(&mut connection, is_encrypted)?;
        let checkpoints = match (&mut connection, &file) {
            (Connection::Sqlite(connection), Some(path)) => Some(Checkpoints::new(connection, path.clone())?),
            _ => None,
        };
        let bounds = "SELECT coalesce(min(serial), 1), coalesce(max(serial), 0) + 1 FROM journal";
        let (first_serial, next_serial) = connection.query_row(bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let begins: HashMap<i64, i64> = {
            let mut calls = connection.prepare("SELECT call_no FROM calls WHERE closed_ms IS NULL")?;
            let rows = calls.query_map([], |row| Ok((row.get(0)?, first_serial)))?;
            rows.collect::<Result<_, _>>()?
        };
        let open = begins.iter().map(|(call_no, first)| (*first, *call_no)).collect();
        let head = Head::read(&connection)?;
        // The log is there once something was read.
        let files = file.map(|path| Files::new(&path)).transpose()?;
        Ok(Self {
            connection,
            masks_closed,
            is_encrypted,
            upkeep: checkpoints.zip(files),
            unanswered: None,
            next_serial,
            first_serial,
            open,
            begins,
            head,
        })
    }

    /// The number that the next call may have.
    pub(crate) fn next_call_no(&self) -> Result<i64, StoreError> {
        let next = "SELECT coalesce(max(call_no), 0) + 1 FROM calls";
        Ok(self.connection.query_row(next, [], |row| row.get(0))?)
    }

    /// Looks whether what is written still goes where it is found again.
    ///
    /// # Errors
    /// A file was removed, replaced or cut short ([`StoreError::Gone`]), or the server of the database is gone.
    pub(crate) fn check_files(&mut self) -> Result<(), StoreError> {
        if let Connection::Postgres(connection) = &self.connection {
            connection.look()?;
        }
        self.upkeep.as_mut().map_or(Ok(()), |(_, files)| files.check())
    }

    /// Ends writing: moves all of the log into the database, so that the one file has everything.
    pub(crate) fn close(self) {
        if let Connection::Sqlite(connection) = &self.connection {
            checkpoint::finish(connection);
        }
    }

    /// Keeps all of `records`, or none of them. Gives each alert its cursor.
    ///
    /// # Errors
    /// Nothing was kept; the same may succeed later.
    pub(crate) fn commit<'a>(&mut self, records: impl IntoIterator<Item = &'a mut Record>) -> Result<(), StoreError> {
        if let Some(written) = self.unanswered.take() {
            // Who commits tries the same records until they are kept; perhaps they are.
            let was_kept = self.connection.postgres().map_or(Ok(false), Postgres::was_kept);
            match was_kept {
                Ok(true) => {
                    self.follow(written);
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => {
                    self.unanswered = Some(written);
                    return Err(error.into());
                }
            }
        }
        let mut serial = self.next_serial;
        let transaction = self.connection.transaction()?;
        let mut opened = Vec::new();
        let mut closed = Vec::new();
        for record in records {
            match record {
                Record::Call(call) => {
                    insert_call(&transaction, call)?;
                    opened.push((call.call_no, serial));
                }
                Record::Moved { call_no, now, entry, is_kept } => {
                    let (kind, json) = match &*entry {
                        Entry::Event(json) => (kind::EVENT, Some(&**json)),
                        Entry::Tick => (kind::TICK, None),
                        Entry::Leg => (kind::LEG, None),
                        Entry::Unheard => (kind::UNHEARD, None),
                    };
                    insert_journal(&transaction, serial, *call_no, kind, *now, json)?;
                    if let Some(json) = json.filter(|_| *is_kept) {
                        insert_event(&transaction, serial, *call_no, *now, json)?;
                    }
                    serial += 1;
                }
                Record::LeftOpen { call_no, now, json } => {
                    insert_event(&transaction, serial, *call_no, *now, json)?;
                    serial += 1;
                }
                Record::Alert { row, cursor } => {
                    *cursor = Some(insert_alert(&transaction, row)?);
                    insert_outbox(&transaction, row)?;
                }
                Record::Agent(row) => roster::upsert(&transaction, &row.agent_id, &row.agent)?,
                Record::Closed(call) => {
                    close_call(&transaction, call)?;
                    close_supervision(&transaction, call.call_no, self.masks_closed)?;
                    if self.masks_closed {
                        mask_call(&transaction, call.call_no)?;
                    }
                    closed.push(call.call_no);
                }
                Record::Settled { outbox_no } => {
                    transaction.prepare_cached("DELETE FROM outbox WHERE outbox_no = ?")?.send([*outbox_no])?;
                }
                Record::Postponed { outbox_no, due_ms, attempts } => {
                    let update = "UPDATE outbox SET due_ms = ?, attempts = ? WHERE outbox_no = ?";
                    transaction.prepare_cached(update)?.send(params![*due_ms, *attempts, *outbox_no])?;
                }
            }
        }
        // What the calls of this very commit need is at its end.
        let needed = self.open.first().map_or(self.next_serial, |(first, _)| *first);
        let trimmed = needed.min(self.first_serial.saturating_add(TRIM_ROWS));
        if trimmed > self.first_serial {
            let mut trim = transaction.prepare_cached("DELETE FROM journal WHERE serial >= ? AND serial < ?")?;
            trim.send([self.first_serial, trimmed])?;
        }
        let written = Written { serial, trimmed, opened, closed };
        if let Err(error) = transaction.commit() {
            let is_unsure = self.connection.postgres().is_some_and(Postgres::is_unsure);
            self.unanswered = is_unsure.then_some(written);
            return Err(error.into());
        }
        if let (Some((checkpoints, _)), Connection::Sqlite(connection)) = (&mut self.upkeep, &self.connection) {
            checkpoints.tend(connection);
        }
        self.follow(written);
        Ok(())
    }

    /// Goes on behind what was written.
    fn follow(&mut self, written: Written) {
        let Written { serial, trimmed, opened, closed } = written;
        self.next_serial = serial;
        self.first_serial = self.first_serial.max(trimmed);
        for (call_no, first) in opened {
            self.open.insert((first, call_no));
            self.begins.insert(call_no, first);
        }
        for call_no in closed {
            if let Some(first) = self.begins.remove(&call_no) {
                self.open.remove(&(first, call_no));
            }
        }
    }

    /// Lets the store grow to so many pages, so that a test can fill it.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: i64) {
        self.connection.sqlite().unwrap().pragma_update(None, "max_page_count", pages).unwrap();
    }
}

fn insert_call(transaction: &Transaction<'_>, call: &CallRow) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO calls (call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, start, numbers)
         VALUES (?, ?, ?, ?, ?, ?, ?, seal(?), ?)",
    )?;
    let CallRow { call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, numbers, start } = call;
    let numbers = numbers.as_ref().map(Numbers::to_bytes);
    let start = &**start;
    insert.send(params![call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, start, numbers])?;
    Ok(())
}

fn insert_journal(
    transaction: &Transaction<'_>,
    serial: i64,
    call_no: i64,
    kind: i64,
    now: CallTime,
    json: Option<&str>,
) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO journal (serial, call_no, kind, now_ms, json) VALUES (?, ?, ?, ?, seal(?))")?;
    insert.send(params![serial, call_no, kind, now.0, json])?;
    Ok(())
}

fn insert_event(
    transaction: &Transaction<'_>,
    serial: i64,
    call_no: i64,
    now: CallTime,
    json: &str,
) -> Result<(), StoreError> {
    let mut insert =
        transaction.prepare_cached("INSERT INTO events (call_no, serial, now_ms, json) VALUES (?, ?, ?, seal(?))")?;
    insert.send(params![call_no, serial, now.0, json])?;
    Ok(())
}

pub(super) fn insert_alert(transaction: &Transaction<'_>, alert: &AlertRow) -> Result<i64, StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO alerts (call_no, alert_id, agent_id, rule_id, severity, state, said_ms, display, json)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, seal(?)) RETURNING cursor",
    )?;
    let AlertRow {
        call_no, alert_id, agent_id, rule_id, pack, severity, deduct, state, said_ms, display, json, ..
    } = alert;
    let (severity, state, display) = (severity.name(), state.name(), display.name());
    let cursor =
        insert.insert(params![call_no, alert_id, agent_id, rule_id, severity, state, said_ms, display, &**json])?;
    let mut latest = transaction.prepare_cached(
        "INSERT INTO latest_alerts (alert_no, cursor, call_no, alert_id, agent_id, rule_id, pack, severity, deduct, state, history, said_ms, display)
         VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)
         ON CONFLICT (call_no, alert_id) DO UPDATE
         SET cursor = excluded.cursor, state = excluded.state, display = excluded.display, history = latest_alerts.history || ' ' || excluded.state",
    )?;
    latest
        .send(params![cursor, call_no, alert_id, agent_id, rule_id, pack, severity, deduct, state, said_ms, display])?;
    Ok(cursor)
}

fn insert_outbox(transaction: &Transaction<'_>, alert: &AlertRow) -> Result<(), StoreError> {
    for webhook in &alert.webhooks {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO outbox (webhook, made_ms, due_ms, attempts, alert) VALUES (?1, ?2, ?2, 0, seal(?3))",
        )?;
        insert.send(params![&**webhook, alert.made_ms, &*alert.json])?;
    }
    Ok(())
}

fn close_call(transaction: &Transaction<'_>, call: &ClosedRow) -> Result<(), StoreError> {
    let mut update = transaction.prepare_cached(
        "UPDATE calls SET closed_ms = ?, close_reason = ?, numbers = ?, end_ms = ?, ended_by = ?, duties = ? WHERE call_no = ?",
    )?;
    let ClosedRow { call_no, reason, closed_ms, numbers, end, duties } = call;
    let numbers = numbers.as_ref().map(Numbers::to_bytes);
    let end_ms = end.map(|(at, _)| at.0);
    let ended_by = end.map(|(_, by)| by.name());
    let duties = (!duties.is_empty()).then(|| own_calls::written(duties));
    update.send(params![closed_ms, reason.name(), numbers, end_ms, ended_by, duties, call_no])?;
    transaction.prepare_cached("INSERT INTO unsealed (call_no) VALUES (?) ON CONFLICT DO NOTHING")?.send([call_no])?;
    transaction.prepare_cached("INSERT INTO unindexed (call_no) VALUES (?) ON CONFLICT DO NOTHING")?.send([call_no])?;
    Ok(())
}

/// Masks the words of a call for good; those of the journal go with it.
fn mask_call(transaction: &Transaction<'_>, call_no: i64) -> Result<(), StoreError> {
    let start = "SELECT words(start) FROM calls WHERE call_no = ?";
    let start: String = transaction.prepare_cached(start)?.query_row([call_no], |row| row.get(0))?;
    let mut kept = vec![(None, start)];
    let mut events =
        transaction.prepare_cached("SELECT serial, words(json) FROM events WHERE call_no = ? ORDER BY serial")?;
    let events = events.query_map([call_no], |row| Ok((Some(row.get::<_, i64>(0)?), row.get(1)?)))?;
    for event in events {
        kept.push(event?);
    }
    // What cannot be read is kept as it is, so that the places agree.
    let plain: Vec<Value> = kept.iter().map(|(_, json)| serde_json::from_str(json).unwrap_or_default()).collect();
    let mut masked = plain.clone();
    masking::mask(&mut masked, &mut [], false);
    for ((serial, _), (plain, masked)) in kept.iter().zip(plain.iter().zip(&masked)) {
        if plain == masked {
            continue;
        }
        match serial {
            Some(serial) => {
                let update = "UPDATE events SET json = seal(?) WHERE call_no = ? AND serial = ?";
                transaction.prepare_cached(update)?.execute(params![masked.to_string(), call_no, serial])?;
            }
            None => {
                let update = "UPDATE calls SET start = seal(?) WHERE call_no = ?";
                transaction.prepare_cached(update)?.execute(params![masked.to_string(), call_no])?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
