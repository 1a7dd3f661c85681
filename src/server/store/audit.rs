//! The audit (审计): actions with person and time, each entry hashed with the one before it. This
//! module writes and reads entries; `store/audit_check.rs` checks whether the chain is whole.
//!
//! Entries hold no personal data of customers: the object of an action is an alert's id, and of a
//! reason there is only a digest.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::server::domain::principal::Who;
use crate::server::domain::terms::Audited;
use crate::server::store::query::{Conditions, Order, Place, Span, limit};
use crate::server::store::sql::{self, Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// The hash before the first entry.
const BEFORE_ALL: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An action to record.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) at_ms: i64,
    pub(crate) who: Who,
    pub(crate) action: Audited,
    /// The object of the action.
    pub(crate) subject: String,
    pub(crate) detail: Value,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) no: i64,
    pub(crate) at_ms: i64,
    pub(crate) by: String,
    pub(crate) role: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    /// The stored JSON; null if the row was changed into something else.
    pub(crate) detail: Value,
    pub(crate) hash: String,
}

impl AuditEntry {
    /// When, as the hash covers it: always in UTC.
    pub(crate) fn at(&self) -> String {
        DateTime::from_timestamp_millis(self.at_ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The hash that the entry must have behind `previous`: the SHA-256, as hexadecimal digits, of
    /// `previous` and of the entry as JSON without spaces, its keys sorted, without the hash.
    pub(crate) fn hash_behind(&self, previous: &str) -> String {
        let fields: Map<String, Value> = [
            ("action", Value::from(self.action.as_str())),
            ("at", Value::from(self.at())),
            ("by", Value::from(self.by.as_str())),
            ("detail", self.detail.clone()),
            ("no", Value::from(self.no)),
            ("role", Value::from(self.role.as_str())),
            ("subject", Value::from(self.subject.as_str())),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        digest(&format!("{previous}{}", Value::Object(fields)))
    }

    fn read(row: &Row<'_>) -> sql::Result<Self> {
        let detail: String = row.get(6)?;
        Ok(Self {
            no: row.get(0)?,
            at_ms: row.get(1)?,
            by: row.get(2)?,
            role: row.get(3)?,
            action: row.get(4)?,
            subject: row.get(5)?,
            detail: serde_json::from_str(&detail).unwrap_or_default(),
            hash: row.get(7)?,
        })
    }
}

const ENTRY: &str = "no, at_ms, by, role, action, subject, detail, hash";

/// The SHA-256 of `text`, as hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The last entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) no: i64,
    pub(crate) hash: String,
}

impl Head {
    /// Before any entry.
    pub(crate) fn start() -> Self {
        Self { no: 0, hash: BEFORE_ALL.to_owned() }
    }

    pub(super) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let last = "SELECT no, hash FROM audit ORDER BY no DESC LIMIT 1";
        let last = connection.query_row(last, [], |row| Ok(Self { no: row.get(0)?, hash: row.get(1)? })).optional()?;
        Ok(last.unwrap_or_else(Self::start))
    }

    /// The last entry, though the answer to the commit of one may have been lost.
    pub(super) fn last(&self, transaction: &Transaction<'_>) -> Result<Self, StoreError> {
        if transaction.postgres().is_none() {
            return Ok(self.clone());
        }
        // Two entries cannot follow the same one.
        transaction.execute_batch("LOCK TABLE audit IN EXCLUSIVE MODE")?;
        Self::read(transaction)
    }

    /// Writes the entry of `fact` behind the last one, in the transaction of what
    /// it tells. The new head counts once that is committed.
    pub(super) fn append(&self, transaction: &Transaction<'_>, fact: &Fact) -> Result<Self, StoreError> {
        let last = self.last(transaction)?;
        let Fact { at_ms, who, action, subject, detail } = fact;
        let mut entry = AuditEntry {
            no: last.no + 1,
            at_ms: *at_ms,
            by: who.name.clone(),
            role: who.role.name().to_owned(),
            action: action.name().to_owned(),
            subject: subject.clone(),
            detail: detail.clone(),
            hash: String::new(),
        };
        entry.hash = entry.hash_behind(&last.hash);
        let insert =
            "INSERT INTO audit (no, at_ms, by, role, action, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let AuditEntry { no, at_ms, by, role, action, subject, detail, hash } = &entry;
        transaction.prepare_cached(insert)?.execute(params![
            no,
            at_ms,
            by,
            role,
            action,
            subject,
            detail.to_string(),
            hash
        ])?;
        Ok(Self { no: entry.no, hash: entry.hash })
    }

    /// Writes the entry to the log, which is kept elsewhere, so that a cut tail of the audit shows.
    pub(super) fn tell(self, fact: &Fact) -> Self {
        let Fact { who, action, subject, .. } = fact;
        tracing::info!(no = self.no, hash = self.hash, by = who.name, action = action.name(), subject, "audit");
        self
    }
}

impl Writer {
    /// Writes an entry that belongs to no other record of the store.
    pub(crate) fn audit(&mut self, fact: &Fact) -> Result<Head, StoreError> {
        let transaction = self.connection.transaction()?;
        let head = self.head.append(&transaction, fact)?;
        transaction.commit()?;
        self.head = head.tell(fact);
        Ok(self.head.clone())
    }
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFilter {
    pub(crate) span: Span,
    pub(crate) actions: Vec<Audited>,
}

impl Readers {
    /// Entries, the latest first, at most `count_max` of them, behind a place.
    pub(crate) fn audit_entries(
        &self,
        filter: &AuditFilter,
        behind: Option<Place>,
        count_max: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.within("at_ms", filter.span);
        conditions.one_of("action", filter.actions.iter().map(|action| action.name()));
        if let Some(place) = behind {
            conditions.add(&format!("no {} ?", Order::NewestFirst.behind()), [place.no.into()]);
        }
        let Conditions { sql, mut values } = conditions;
        values.push(limit(count_max));
        self.ask(|connection| {
            let entries = format!("SELECT {ENTRY} FROM audit {sql} ORDER BY no DESC LIMIT ?");
            let mut entries = connection.prepare_cached(&entries)?;
            let entries = entries.query_map(params_from_iter(values), AuditEntry::read)?;
            Ok(entries.collect::<Result<_, _>>()?)
        })
    }
}

/// Gives all entries to `take`, the earliest first.
pub(super) fn each_entry(connection: &Connection, mut take: impl FnMut(AuditEntry)) -> Result<(), StoreError> {
    let mut entries = connection.prepare(&format!("SELECT {ENTRY} FROM audit ORDER BY no"))?;
    let mut rows = entries.query([])?;
    while let Some(row) = rows.next()? {
        take(AuditEntry::read(&row)?);
    }
    Ok(())
}

/// The entry of that number.
pub(super) fn entry(connection: &Connection, no: i64) -> Result<Option<AuditEntry>, StoreError> {
    let mut entry = connection.prepare_cached(&format!("SELECT {ENTRY} FROM audit WHERE no = ?"))?;
    Ok(entry.query_row([no], AuditEntry::read).optional()?)
}
