//! Rows in, one transaction for many.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::StoreError;
use super::checkpoint::Checkpoints;
use crate::engine::alert::{AlertState, Severity};
use crate::engine::time::CallTime;
use crate::engine::transcript::Party;

/// Journal rows of closed calls that a commit removes beside what it adds: more
/// than it adds on the average, so that the journal shrinks, and few enough
/// that nobody waits for it.
const TRIM_ROWS: i64 = 2_048;

/// Calls of which something is forgotten at once.
const FORGET_CALLS: i64 = 64;

/// Something to be kept.
#[derive(Debug)]
pub(crate) enum Record {
    /// A call was answered.
    Call(Box<CallRow>),
    /// A call was told something.
    Event {
        /// Of which call.
        call_no: i64,
        /// What the call's clock showed.
        now: CallTime,
        /// The event, in the contract's JSON.
        json: Utf8Bytes,
        /// Whether it stays when the call is over.
        is_kept: bool,
    },
    /// A hypothesis that no final replaced until the call was closed.
    LeftOpen { call_no: i64, now: CallTime, json: Box<str> },
    /// Time alone moved the call to this moment, and it had something to say.
    Tick { call_no: i64, now: CallTime },
    /// One more recogniser's connection joined the call.
    Leg { call_no: i64, now: CallTime },
    /// An alert changed its state.
    Alert(Box<AlertRow>),
    /// A call is closed.
    Closed(Box<ClosedRow>),
    /// A webhook was told, or never will be.
    Settled { outbox_no: i64 },
    /// A webhook is to be told again.
    Postponed { outbox_no: i64, due_ms: i64, attempts: u32 },
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
    pub(crate) seq: Option<u64>,
    pub(crate) start: Utf8Bytes,
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
    /// As contract §2 words it, personal data masked.
    pub(crate) json: String,
    /// The webhooks that are to be told, from `made_ms` on.
    pub(crate) webhooks: Vec<Arc<str>>,
    pub(crate) made_ms: i64,
}

/// Whether the agent is to see an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    /// A card of its own.
    Card,
    /// Counted in a card that stands for several.
    Folded,
    /// Too late to help.
    Late,
    /// Of a pack on trial: stored and counted only.
    Shadow,
}

impl Display {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Folded => "folded",
            Self::Late => "late",
            Self::Shadow => "shadow",
        }
    }

    /// The display of that name; what this program did not write is a card.
    pub(super) fn from_name(name: &str) -> Self {
        [Self::Folded, Self::Late, Self::Shadow]
            .into_iter()
            .find(|display| display.name() == name)
            .unwrap_or(Self::Card)
    }
}

/// A call that is closed.
#[derive(Debug)]
pub(crate) struct ClosedRow {
    pub(crate) call_no: i64,
    pub(crate) reason: &'static str,
    pub(crate) closed_ms: i64,
    pub(crate) last_seq: Option<u64>,
    pub(crate) end: Option<(CallTime, Party)>,
}

/// What an agent answered to an alert.
#[derive(Clone, Debug)]
pub(crate) struct FeedbackRow {
    pub(crate) alert_id: String,
    pub(crate) agent_id: String,
    pub(crate) action: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) given_ms: i64,
}

/// Up to when things are forgotten, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) transcripts_ms: i64,
    pub(crate) alerts_ms: i64,
    pub(crate) outbox_ms: i64,
}

/// How much was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Calls that lost words, or went.
    pub(crate) calls: usize,
    /// Transcript rows.
    pub(crate) events: usize,
    /// Alert transitions.
    pub(crate) alerts: usize,
    /// What webhooks were to be told.
    pub(crate) webhooks: usize,
}

/// The kinds of journal rows, as stored.
pub(super) mod kind {
    pub(in crate::server::store) const EVENT: i64 = 0;
    pub(in crate::server::store) const TICK: i64 = 1;
    pub(in crate::server::store) const LEG: i64 = 2;
}

/// The one connection that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    checkpoints: Checkpoints,
    /// Of the next journal row.
    next_serial: i64,
    /// The first journal row that may still be there.
    first_serial: i64,
    /// Calls in progress, by where their part of the journal begins.
    open: BTreeSet<(i64, i64)>,
    /// The same, by call.
    begins: HashMap<i64, i64>,
}

impl Writer {
    pub(super) fn new(mut connection: Connection, path: PathBuf) -> Result<Self, StoreError> {
        let checkpoints = Checkpoints::new(&mut connection, path)?;
        let bounds = "SELECT coalesce(min(serial), 1), coalesce(max(serial), 0) + 1 FROM journal";
        let (first_serial, next_serial) = connection.query_row(bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let begins: HashMap<i64, i64> = {
            let mut calls = connection.prepare("SELECT call_no FROM calls WHERE closed_ms IS NULL")?;
            let rows = calls.query_map([], |row| Ok((row.get(0)?, first_serial)))?;
            rows.collect::<Result<_, _>>()?
        };
        let open = begins.iter().map(|(call_no, first)| (*first, *call_no)).collect();
        Ok(Self { connection, checkpoints, next_serial, first_serial, open, begins })
    }

    /// The number that the next call may have.
    pub(crate) fn next_call_no(&self) -> Result<i64, StoreError> {
        let next = "SELECT coalesce(max(call_no), 0) + 1 FROM calls";
        Ok(self.connection.query_row(next, [], |row| row.get(0))?)
    }

    /// Keeps all of `records`, or none of them. Returns the cursors of the
    /// alerts among them, in their order.
    ///
    /// # Errors
    /// Nothing was kept; the same may succeed later.
    pub(crate) fn commit<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record> + Clone,
    ) -> Result<Vec<i64>, StoreError> {
        let mut serial = self.next_serial;
        let mut cursors = Vec::new();
        let transaction = self.connection.transaction()?;
        let mut opened = Vec::new();
        let mut closed = Vec::new();
        for record in records {
            match record {
                Record::Call(call) => {
                    insert_call(&transaction, call)?;
                    opened.push((call.call_no, serial));
                }
                Record::Event { call_no, now, json, is_kept } => {
                    insert_journal(&transaction, serial, *call_no, kind::EVENT, *now, Some(json))?;
                    if *is_kept {
                        insert_event(&transaction, serial, *call_no, *now, json)?;
                    }
                    serial += 1;
                }
                Record::LeftOpen { call_no, now, json } => {
                    insert_event(&transaction, serial, *call_no, *now, json)?;
                    serial += 1;
                }
                Record::Tick { call_no, now } => {
                    insert_journal(&transaction, serial, *call_no, kind::TICK, *now, None)?;
                    serial += 1;
                }
                Record::Leg { call_no, now } => {
                    insert_journal(&transaction, serial, *call_no, kind::LEG, *now, None)?;
                    serial += 1;
                }
                Record::Alert(alert) => {
                    cursors.push(insert_alert(&transaction, alert)?);
                    insert_outbox(&transaction, alert)?;
                }
                Record::Closed(call) => {
                    close_call(&transaction, call)?;
                    closed.push(call.call_no);
                }
                Record::Settled { outbox_no } => {
                    transaction.prepare_cached("DELETE FROM outbox WHERE outbox_no = ?")?.execute([outbox_no])?;
                }
                Record::Postponed { outbox_no, due_ms, attempts } => {
                    let update = "UPDATE outbox SET due_ms = ?, attempts = ? WHERE outbox_no = ?";
                    transaction.prepare_cached(update)?.execute(params![due_ms, attempts, outbox_no])?;
                }
            }
        }
        // What the calls of this very commit need is at its end.
        let needed = self.open.first().map_or(self.next_serial, |(first, _)| *first);
        let trimmed = needed.min(self.first_serial.saturating_add(TRIM_ROWS));
        if trimmed > self.first_serial {
            let mut trim = transaction.prepare_cached("DELETE FROM journal WHERE serial >= ? AND serial < ?")?;
            trim.execute([self.first_serial, trimmed])?;
        }
        transaction.commit()?;
        self.checkpoints.tend(&self.connection);
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
        Ok(cursors)
    }

    /// Lets the store grow to so many pages, so that a test can fill it.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: i64) {
        self.connection.pragma_update(None, "max_page_count", pages).unwrap();
    }

    /// Keeps the files behind a version of the rules, once.
    pub(crate) fn keep_rules(&mut self, version: &str, loaded_ms: i64, files: &str) -> Result<(), StoreError> {
        let insert = "INSERT INTO rule_versions (version, loaded_ms, files) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        self.connection.execute(insert, params![version, loaded_ms, files])?;
        Ok(())
    }

    /// Keeps what an agent answered.
    pub(crate) fn keep_feedback(&mut self, feedback: &FeedbackRow) -> Result<(), StoreError> {
        let insert = "INSERT INTO feedback (alert_id, agent_id, action, reason, given_ms) VALUES (?, ?, ?, ?, ?)";
        let FeedbackRow { alert_id, agent_id, action, reason, given_ms } = feedback;
        self.connection.prepare_cached(insert)?.execute(params![alert_id, agent_id, action, reason, given_ms])?;
        Ok(())
    }

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
            // Who called is told by the start alone.
            transaction.execute("UPDATE calls SET start = '' WHERE call_no = ?", [call_no])?;
        }
        let all = "SELECT call_no FROM calls WHERE closed_ms < ? ORDER BY closed_ms LIMIT ?";
        for call_no in call_nos(&transaction, all, alerts_ms)? {
            gone.calls += 1;
            let answers = "DELETE FROM feedback WHERE alert_id IN (SELECT alert_id FROM alerts WHERE call_no = ?)";
            transaction.execute(answers, [call_no])?;
            gone.alerts += transaction.execute("DELETE FROM alerts WHERE call_no = ?", [call_no])?;
            transaction.execute("DELETE FROM latest_alerts WHERE call_no = ?", [call_no])?;
            transaction.execute("DELETE FROM events WHERE call_no = ?", [call_no])?;
            transaction.execute("DELETE FROM calls WHERE call_no = ?", [call_no])?;
        }
        gone.webhooks = transaction.execute(
            "DELETE FROM outbox WHERE outbox_no IN (SELECT outbox_no FROM outbox WHERE made_ms < ? LIMIT ?)",
            params![outbox_ms, TRIM_ROWS],
        )?;
        transaction.commit()?;
        Ok(gone)
    }
}

fn call_nos(transaction: &Transaction<'_>, choice: &str, before_ms: i64) -> Result<Vec<i64>, StoreError> {
    let mut calls = transaction.prepare_cached(choice)?;
    let calls = calls.query_map([before_ms, FORGET_CALLS], |row| row.get(0))?;
    Ok(calls.collect::<Result<_, _>>()?)
}

fn insert_call(transaction: &Transaction<'_>, call: &CallRow) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO calls (call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, start, last_seq)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let CallRow { call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, seq, start } = call;
    let seq = seq.map(u64::cast_signed);
    let start = start.as_str();
    insert.execute(params![call_no, call_id, agent_id, queue, started_at, started_ms, rules_version, start, seq])?;
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
        .prepare_cached("INSERT INTO journal (serial, call_no, kind, now_ms, json) VALUES (?, ?, ?, ?, ?)")?;
    insert.execute(params![serial, call_no, kind, now.0, json])?;
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
        transaction.prepare_cached("INSERT INTO events (call_no, serial, now_ms, json) VALUES (?, ?, ?, ?)")?;
    insert.execute(params![call_no, serial, now.0, json])?;
    Ok(())
}

fn insert_alert(transaction: &Transaction<'_>, alert: &AlertRow) -> Result<i64, StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO alerts (call_no, alert_id, agent_id, rule_id, severity, state, said_ms, display, json)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let AlertRow {
        call_no, alert_id, agent_id, rule_id, pack, severity, deduct, state, said_ms, display, json, ..
    } = alert;
    let (severity, state, display) = (severity.name(), state.name(), display.name());
    let cursor =
        insert.insert(params![call_no, alert_id, agent_id, rule_id, severity, state, said_ms, display, json])?;
    let mut latest = transaction.prepare_cached(
        "INSERT INTO latest_alerts (alert_no, cursor, call_no, alert_id, agent_id, rule_id, pack, severity, deduct, state, history, said_ms, display)
         VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)
         ON CONFLICT (call_no, alert_id) DO UPDATE
         SET cursor = excluded.cursor, state = excluded.state, history = history || ' ' || excluded.state",
    )?;
    latest.execute(params![
        cursor, call_no, alert_id, agent_id, rule_id, pack, severity, deduct, state, said_ms, display
    ])?;
    Ok(cursor)
}

fn insert_outbox(transaction: &Transaction<'_>, alert: &AlertRow) -> Result<(), StoreError> {
    for webhook in &alert.webhooks {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO outbox (webhook, made_ms, due_ms, attempts, alert) VALUES (?1, ?2, ?2, 0, ?3)",
        )?;
        insert.execute(params![&**webhook, alert.made_ms, alert.json])?;
    }
    Ok(())
}

fn close_call(transaction: &Transaction<'_>, call: &ClosedRow) -> Result<(), StoreError> {
    let mut update = transaction.prepare_cached(
        "UPDATE calls SET closed_ms = ?, close_reason = ?, last_seq = ?, end_ms = ?, ended_by = ? WHERE call_no = ?",
    )?;
    let ClosedRow { call_no, reason, closed_ms, last_seq, end } = call;
    let end_ms = end.map(|(at, _)| at.0);
    let ended_by = end.map(|(_, by)| by.name());
    update.execute(params![closed_ms, reason, last_seq.map(u64::cast_signed), end_ms, ended_by, call_no])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{AlertFilter, Store};
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

    fn call(call_no: i64) -> Record {
        Record::Call(Box::new(CallRow {
            call_no,
            call_id: format!("c{call_no}"),
            agent_id: "a1".to_owned(),
            queue: None,
            started_at: "2026-11-21T10:00:00+08:00".to_owned(),
            // Whatever a producer claims.
            started_ms: 0,
            rules_version: "v1".to_owned(),
            seq: None,
            start: "{}".into(),
        }))
    }

    fn said(call_no: i64) -> Record {
        Record::Event { call_no, now: CallTime(1), json: "{}".into(), is_kept: true }
    }

    fn alert(call_no: i64) -> Record {
        Record::Alert(Box::new(AlertRow {
            call_no,
            alert_id: format!("alert-{call_no}"),
            agent_id: "a1".to_owned(),
            rule_id: "r".to_owned(),
            pack: "p".to_owned(),
            severity: Severity::Warning,
            deduct: 1,
            state: AlertState::Confirmed,
            said_ms: 0,
            display: Display::Card,
            json: "{}".to_owned(),
            webhooks: Vec::new(),
            made_ms: 0,
        }))
    }

    fn closed(call_no: i64, closed_ms: i64) -> Record {
        Record::Closed(Box::new(ClosedRow { call_no, reason: "ended", closed_ms, last_seq: None, end: None }))
    }

    #[test]
    fn words_go_first_then_alerts_and_calls_in_progress_stay() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut writer = store.writer().unwrap();
        // More than one step of them, and one in progress.
        let old = 1..=FORGET_CALLS * 2;
        let mut records: Vec<Record> =
            old.clone().flat_map(|no| [call(no), said(no), alert(no), closed(no, no)]).collect();
        let recent = FORGET_CALLS * 2 + 1;
        records.extend([call(recent), said(recent), alert(recent), closed(recent, 50 * DAY_MS)]);
        records.extend([call(recent + 1), said(recent + 1), alert(recent + 1)]);
        writer.commit(records.iter()).unwrap();
        let mut forget = |transcripts_ms, alerts_ms| {
            let mut total = Forgotten::default();
            loop {
                let gone = writer.forget(Horizon { transcripts_ms, alerts_ms, outbox_ms: 0 }).unwrap();
                if gone == Forgotten::default() {
                    return total;
                }
                total.events += gone.events;
                total.alerts += gone.alerts;
            }
        };
        let count = usize::try_from(FORGET_CALLS * 2).unwrap();
        let words = forget(40 * DAY_MS, 0);
        assert_eq!((words.events, words.alerts), (count, 0));
        let alerts = forget(40 * DAY_MS, 40 * DAY_MS);
        assert_eq!((alerts.events, alerts.alerts), (0, count));
        let cards = store.readers().cards_after("a1", 0, 1_000).unwrap();
        assert_eq!(cards.len(), 2);
        assert_eq!(store.readers().count_alerts(&AlertFilter::default()).unwrap().0, 2);
        let last = forget(60 * DAY_MS, 60 * DAY_MS);
        assert_eq!((last.events, last.alerts), (1, 1));
        assert_eq!(store.readers().open_calls().unwrap().len(), 1);
    }

    #[test]
    fn the_journal_is_trimmed_up_to_the_first_call_that_needs_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut writer = store.writer().unwrap();
        let rows = || {
            let mut rows = Vec::new();
            store.readers().replay(|call_no, _, _| rows.push(call_no)).unwrap();
            rows
        };
        writer.commit([call(1), said(1), call(2), said(2), said(1)].iter()).unwrap();
        writer.commit([closed(2, 1)].iter()).unwrap();
        writer.commit([said(1)].iter()).unwrap();
        assert_eq!(rows(), [1, 2, 1, 1], "the first call needs all of it");
        writer.commit([call(3), said(3), closed(1, 1)].iter()).unwrap();
        writer.commit([said(3)].iter()).unwrap();
        assert_eq!(rows(), [3, 3]);
        drop(writer);
        let mut writer = store.writer().unwrap();
        writer.commit([closed(3, 1)].iter()).unwrap();
        writer.commit(std::iter::empty()).unwrap();
        assert_eq!(rows(), [0_i64; 0]);
    }
}
