//! What supervisors do in calls: the words they write to agents, the calls they take, those they flag for review.

use serde_json::json;

use crate::engine::privacy;
use crate::server::domain::principal::Who;
use crate::server::domain::terms::Audited;
use crate::server::store::audit::{Fact, Head, digest};
use crate::server::store::query::{Span, limit};
use crate::server::store::sql::{self, Connection, OptionalExtension as _, Row, Transaction, params};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// Words from a supervisor to the agent of a call, on their way to the store.
#[derive(Clone, Debug)]
pub(crate) struct NewHelp {
    pub(crate) call_no: i64,
    /// The agent who has the call.
    pub(crate) agent_id: String,
    pub(crate) text: String,
    /// The time of the call's clock.
    pub(crate) clock_ms: i64,
    pub(crate) who: Who,
    pub(crate) at_ms: i64,
}

/// Words from a supervisor to the agent of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Help {
    pub(crate) help_no: i64,
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) agent_id: String,
    pub(crate) by: String,
    /// As they were written.
    pub(crate) text: String,
    pub(crate) clock_ms: i64,
    pub(crate) at_ms: i64,
    /// When the agent said to have read them.
    pub(crate) read_ms: Option<i64>,
}

/// How many words are written to the agent of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HelpBounds {
    pub(crate) of_call: usize,
    /// By one supervisor within [`MINUTE_MS`].
    pub(crate) of_minute: usize,
}

/// What became of words to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptHelp {
    /// Their number.
    Kept(i64),
    /// The call has as many as it may.
    TooMany,
    /// Their supervisor may write again after so long.
    TooFast { wait_ms: i64 },
}

/// The span over which a supervisor's words are counted.
const MINUTE_MS: i64 = 60_000;

/// Who has taken a call in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) by: String,
    pub(crate) at_ms: i64,
}

/// What became of an attempt to take a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Taken(Charge),
    /// Somebody else has it.
    Another(Charge),
    /// The call is over.
    Over,
}

/// A call that somebody wants reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flag {
    pub(crate) flag_no: i64,
    pub(crate) by: String,
    pub(crate) note: Option<String>,
    pub(crate) at_ms: i64,
    /// Who reviewed it, and when.
    pub(crate) done: Option<(String, i64)>,
}

/// A flag with its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlaggedCall {
    pub(crate) flag: Flag,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) agent_id: String,
    pub(crate) queue: Option<String>,
    pub(crate) is_live: bool,
}

/// What supervisors did in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Supervision {
    /// In their order.
    pub(crate) helps: Vec<Help>,
    pub(crate) charge: Option<Charge>,
    /// The latest one.
    pub(crate) flag: Option<Flag>,
}

/// A call in progress in which a supervisor did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SupervisedCall {
    pub(crate) call_no: i64,
    pub(crate) call_id: String,
    pub(crate) started_at: String,
    pub(crate) supervision: Supervision,
}

const HELP: &str = "SELECT help_no, helps.call_no, calls.call_id, calls.started_at, helps.agent_id, by, words(text), clock_ms, at_ms, read_ms
     FROM helps JOIN calls ON calls.call_no = helps.call_no";
const FLAG: &str = "flag_no, by, words(note), at_ms, done_by, done_ms";

impl Writer {
    /// Keeps words to an agent, within `bounds`.
    pub(crate) fn keep_help(&mut self, help: &NewHelp, bounds: HelpBounds) -> Result<KeptHelp, StoreError> {
        let NewHelp { call_no, agent_id, text, clock_ms, who, at_ms } = help;
        let transaction = self.connection.transaction()?;
        let count = "SELECT count(*) FROM helps WHERE call_no = ?";
        let count: i64 = transaction.prepare_cached(count)?.query_row([call_no], |row| row.get(0))?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= bounds.of_call {
            return Ok(KeptHelp::TooMany);
        }
        let earlier = "SELECT at_ms FROM helps WHERE call_no = ? AND by = ? AND at_ms > ? AND at_ms <= ?
             ORDER BY at_ms DESC LIMIT 1 OFFSET ?";
        let within = params![call_no, who.name, at_ms - MINUTE_MS, at_ms, limit(bounds.of_minute - 1)];
        let first: Option<i64> = transaction.prepare_cached(earlier)?.query_row(within, |row| row.get(0)).optional()?;
        if let Some(first) = first {
            return Ok(KeptHelp::TooFast { wait_ms: first + MINUTE_MS - at_ms });
        }
        let insert = "INSERT INTO helps (call_no, agent_id, by, text, clock_ms, at_ms) VALUES (?, ?, ?, seal(?), ?, ?) RETURNING help_no";
        let help_no =
            transaction.prepare_cached(insert)?.insert(params![call_no, agent_id, who.name, text, clock_ms, at_ms])?;
        let detail = json!({"help_id": help_no, "agent_id": agent_id, "text_sha256": digest(text)});
        self.head = with_audit(transaction, &self.head, *call_no, (Audited::Help, who, *at_ms), detail)?;
        Ok(KeptHelp::Kept(help_no))
    }

    /// Notes that an agent read words, the first time; the words, or `None` if the agent has none of that number.
    pub(crate) fn read_help(&mut self, agent_id: &str, help_no: i64, at_ms: i64) -> Result<Option<Help>, StoreError> {
        let update = "UPDATE helps SET read_ms = ? WHERE help_no = ? AND agent_id = ? AND read_ms IS NULL";
        self.connection.prepare_cached(update)?.execute(params![at_ms, help_no, agent_id])?;
        let sql = format!("{HELP} WHERE help_no = ? AND helps.agent_id = ?");
        let mut found = self.connection.prepare_cached(&sql)?;
        Ok(found.query_row(params![help_no, agent_id], help).optional()?)
    }

    /// Takes a call in progress for a supervisor, unless another one than `instead_of` has it.
    pub(crate) fn take_call(
        &mut self,
        call_no: i64,
        who: &Who,
        instead_of: Option<&str>,
        at_ms: i64,
    ) -> Result<Attempt, StoreError> {
        let transaction = self.connection.transaction()?;
        let open = "SELECT 1 FROM calls WHERE call_no = ? AND closed_ms IS NULL";
        if !transaction.prepare_cached(open)?.exists([call_no])? {
            return Ok(Attempt::Over);
        }
        match charge(&transaction, call_no)? {
            Some(charge) if charge.by == who.name => return Ok(Attempt::Taken(charge)),
            Some(charge) if instead_of != Some(&charge.by) => return Ok(Attempt::Another(charge)),
            _ => {}
        }
        let insert = "INSERT INTO charges (call_no, by, at_ms) VALUES (?, ?, ?)
                 ON CONFLICT (call_no) DO UPDATE SET by = excluded.by, at_ms = excluded.at_ms";
        transaction.prepare_cached(insert)?.execute(params![call_no, who.name, at_ms])?;
        let detail = json!({"instead_of": instead_of});
        self.head = with_audit(transaction, &self.head, call_no, (Audited::Take, who, at_ms), detail)?;
        Ok(Attempt::Taken(Charge { by: who.name.clone(), at_ms }))
    }

    /// Gives a call back that `by` has taken; false if `by` has not.
    pub(crate) fn release_call(&mut self, call_no: i64, by: &str, who: &Who, at_ms: i64) -> Result<bool, StoreError> {
        let transaction = self.connection.transaction()?;
        let delete = "DELETE FROM charges WHERE call_no = ? AND by = ?";
        if transaction.prepare_cached(delete)?.execute(params![call_no, by])? == 0 {
            return Ok(false);
        }
        self.head =
            with_audit(transaction, &self.head, call_no, (Audited::Release, who, at_ms), json!({"taken_by": by}))?;
        Ok(true)
    }

    /// Flags a call for review; a call that waits for one already keeps its flag.
    pub(crate) fn flag_call(
        &mut self,
        call_no: i64,
        who: &Who,
        note: Option<&str>,
        at_ms: i64,
    ) -> Result<Flag, StoreError> {
        let transaction = self.connection.transaction()?;
        if let Some(flag) = latest_flag(&transaction, call_no)?.filter(|flag| flag.done.is_none()) {
            return Ok(flag);
        }
        let insert = "INSERT INTO flags (call_no, by, note, at_ms) VALUES (?, ?, seal(?), ?) RETURNING flag_no";
        let flag_no = transaction.prepare_cached(insert)?.insert(params![call_no, who.name, note, at_ms])?;
        let detail = json!({"flag_no": flag_no, "note_sha256": note.map(digest)});
        self.head = with_audit(transaction, &self.head, call_no, (Audited::Flag, who, at_ms), detail)?;
        Ok(Flag { flag_no, by: who.name.clone(), note: note.map(str::to_owned), at_ms, done: None })
    }

    /// Notes that a flagged call was reviewed; the number of the call, or `None` if no such flag is open.
    pub(crate) fn settle_flag(&mut self, flag_no: i64, who: &Who, at_ms: i64) -> Result<Option<i64>, StoreError> {
        let transaction = self.connection.transaction()?;
        let update =
            "UPDATE flags SET done_by = ?, done_ms = ? WHERE flag_no = ? AND done_ms IS NULL RETURNING call_no";
        let call_no: Option<i64> = transaction
            .prepare_cached(update)?
            .query_row(params![who.name, at_ms, flag_no], |row| row.get(0))
            .optional()?;
        let Some(call_no) = call_no else { return Ok(None) };
        self.head =
            with_audit(transaction, &self.head, call_no, (Audited::Settle, who, at_ms), json!({"flag_no": flag_no}))?;
        Ok(Some(call_no))
    }
}

/// Commits with an entry of the audit about a call, and returns the new head.
fn with_audit(
    transaction: Transaction<'_>,
    head: &Head,
    call_no: i64,
    (action, who, at_ms): (Audited, &Who, i64),
    mut detail: serde_json::Value,
) -> Result<Head, StoreError> {
    let call_id = "SELECT call_id FROM calls WHERE call_no = ?";
    let subject: String = transaction.prepare_cached(call_id)?.query_row([call_no], |row| row.get(0))?;
    detail["call_no"] = call_no.into();
    let fact = Fact { at_ms, who: who.clone(), action, subject, detail };
    let head = head.append(&transaction, &fact)?;
    transaction.commit()?;
    Ok(head.tell(&fact))
}

/// Ends what supervisors did in a call that is closed; with `masks`, its words are masked for good.
pub(super) fn close_supervision(transaction: &Transaction<'_>, call_no: i64, masks: bool) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM charges WHERE call_no = ?")?.execute([call_no])?;
    if !masks {
        return Ok(());
    }
    let mut helps = transaction.prepare_cached("SELECT help_no, words(text) FROM helps WHERE call_no = ?")?;
    let helps = helps.query_map([call_no], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut update = transaction.prepare_cached("UPDATE helps SET text = seal(?) WHERE help_no = ?")?;
    for row in helps.collect::<Result<Vec<_>, _>>()? {
        update.execute(params![privacy::mask(&row.1), row.0])?;
    }
    Ok(())
}

/// Removes the words that supervisors wrote in a call; with `all`, its flags too.
pub(super) fn forget_supervision(transaction: &Transaction<'_>, call_no: i64, all: bool) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM helps WHERE call_no = ?", [call_no])?;
    let flags =
        if all { "DELETE FROM flags WHERE call_no = ?" } else { "UPDATE flags SET note = NULL WHERE call_no = ?" };
    transaction.execute(flags, [call_no])?;
    Ok(())
}

fn help(row: &Row<'_>) -> sql::Result<Help> {
    Ok(Help {
        help_no: row.get(0)?,
        call_no: row.get(1)?,
        call_id: row.get(2)?,
        started_at: row.get(3)?,
        agent_id: row.get(4)?,
        by: row.get(5)?,
        text: row.get(6)?,
        clock_ms: row.get(7)?,
        at_ms: row.get(8)?,
        read_ms: row.get(9)?,
    })
}

fn flag(row: &Row<'_>) -> sql::Result<Flag> {
    let done = row.get::<_, Option<String>>(4)?.zip(row.get(5)?);
    Ok(Flag { flag_no: row.get(0)?, by: row.get(1)?, note: row.get(2)?, at_ms: row.get(3)?, done })
}

fn charge(connection: &Connection, call_no: i64) -> Result<Option<Charge>, StoreError> {
    let mut charge = connection.prepare_cached("SELECT by, at_ms FROM charges WHERE call_no = ?")?;
    Ok(charge.query_row([call_no], |row| Ok(Charge { by: row.get(0)?, at_ms: row.get(1)? })).optional()?)
}

fn latest_flag(connection: &Connection, call_no: i64) -> Result<Option<Flag>, StoreError> {
    let sql = format!("SELECT {FLAG} FROM flags WHERE call_no = ? ORDER BY flag_no DESC LIMIT 1");
    Ok(connection.prepare_cached(&sql)?.query_row([call_no], flag).optional()?)
}

fn supervision(connection: &Connection, call_no: i64) -> Result<Supervision, StoreError> {
    let mut helps = connection.prepare_cached(&format!("{HELP} WHERE helps.call_no = ? ORDER BY help_no"))?;
    let helps = helps.query_map([call_no], help)?.collect::<Result<_, _>>()?;
    Ok(Supervision { helps, charge: charge(connection, call_no)?, flag: latest_flag(connection, call_no)? })
}

impl Readers {
    /// What supervisors did in a call.
    pub(crate) fn supervision(&self, call_no: i64) -> Result<Supervision, StoreError> {
        self.ask(|connection| supervision(connection, call_no))
    }

    /// The calls in progress in which supervisors did something.
    pub(crate) fn supervised_calls(&self) -> Result<Vec<SupervisedCall>, StoreError> {
        let sql = "SELECT call_no, call_id, started_at FROM calls WHERE closed_ms IS NULL AND call_no IN
                 (SELECT call_no FROM charges UNION SELECT call_no FROM helps UNION SELECT call_no FROM flags)";
        self.ask(|connection| {
            let mut calls = connection.prepare_cached(sql)?;
            let calls = calls.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let calls: Vec<(i64, String, String)> = calls.collect::<Result<_, _>>()?;
            let with = |(call_no, call_id, started_at)| {
                Ok(SupervisedCall { call_no, call_id, started_at, supervision: supervision(connection, call_no)? })
            };
            calls.into_iter().map(with).collect()
        })
    }

    /// Words to an agent in calls in progress that the agent has not read, in their order.
    pub(crate) fn unread_helps(&self, agent_id: &str) -> Result<Vec<Help>, StoreError> {
        let sql = format!("{HELP} WHERE helps.agent_id = ? AND read_ms IS NULL AND closed_ms IS NULL ORDER BY help_no");
        self.ask(|connection| {
            let mut helps = connection.prepare_cached(&sql)?;
            Ok(helps.query_map([agent_id], help)?.collect::<Result<_, _>>()?)
        })
    }

    /// Words that were written to an agent in a span, in their order; of more than `count_max`, the latest.
    pub(crate) fn helps_of(&self, agent_id: &str, span: Span, count_max: usize) -> Result<Vec<Help>, StoreError> {
        let sql = format!(
            "SELECT * FROM ({HELP} WHERE helps.agent_id = ? AND at_ms >= ? AND at_ms < ? ORDER BY help_no DESC LIMIT ?) AS latest
             ORDER BY help_no"
        );
        let (from_ms, to_ms) = (span.from_ms.unwrap_or(i64::MIN), span.to_ms.unwrap_or(i64::MAX));
        self.ask(|connection| {
            let mut helps = connection.prepare_cached(&sql)?;
            let helps = helps.query_map(params![agent_id, from_ms, to_ms, limit(count_max)], help)?;
            Ok(helps.collect::<Result<_, _>>()?)
        })
    }

    /// Flagged calls, the earliest first; those that were reviewed, the latest first. At most `count_max`.
    pub(crate) fn flagged_calls(&self, is_done: bool, count_max: usize) -> Result<Vec<FlaggedCall>, StoreError> {
        let (condition, order) =
            if is_done { ("IS NOT NULL", "done_ms DESC, flag_no DESC") } else { ("IS NULL", "flag_no") };
        let sql = format!(
            "SELECT {FLAG}, call_id, started_at, agent_id, queue, closed_ms IS NULL
             FROM flags JOIN calls ON calls.call_no = flags.call_no WHERE done_ms {condition} ORDER BY {order} LIMIT ?"
        );
        self.ask(|connection| {
            let mut found = connection.prepare_cached(&sql)?;
            let found = found.query_map([limit(count_max)], |row| {
                Ok(FlaggedCall {
                    flag: flag(row)?,
                    call_id: row.get(6)?,
                    started_at: row.get(7)?,
                    agent_id: row.get(8)?,
                    queue: row.get(9)?,
                    is_live: row.get(10)?,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}
