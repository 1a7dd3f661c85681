//! Whether the audit is whole and reviews are what it says. The store finds the
//! faults; their wording is the reader's.

use rusqlite::Connection;

use crate::server::domain::review::ReviewState;
use crate::server::store::audit::{Head, digest, each_entry, entry};
use crate::server::store::review::{standing, steps_of};
use crate::server::store::{Readers, StoreError};

/// A fault of the audit, or of what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuditFault {
    /// The entries from `first` to `last` are missing.
    Missing { first: i64, last: i64 },
    /// An entry was changed, or does not follow from the one before it.
    Changed { no: i64, before: i64 },
    /// An entry is not the one whose hash was noted elsewhere.
    Rewritten { no: i64 },
    /// The entry that was noted elsewhere is behind the last one.
    CutOff { last: i64, noted: i64 },
    /// A step of a review differs from its entry.
    ReviewDiffers { review_no: i64, alert_id: String, audit_no: i64 },
    /// An entry records a step that is gone, though its alert is not.
    ReviewGone { no: i64, alert_id: String },
    /// An alert's verdict differs from its steps.
    StateDiffers { alert_id: String },
}

/// The extent of an audit that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditExtent {
    pub(crate) entries: u64,
    pub(crate) last: Head,
}

impl Readers {
    /// Checks the audit as of one moment of a store in use, and gives each fault to `found`.
    /// `noted` is an entry that was noted elsewhere.
    pub(crate) fn check_audit(
        &self,
        noted: Option<&Head>,
        mut found: impl FnMut(AuditFault),
    ) -> Result<AuditExtent, StoreError> {
        self.ask(|connection| {
            let moment = connection.unchecked_transaction()?;
            let extent = check_chain(&moment, noted, &mut found)?;
            check_steps(&moment, &mut found)?;
            check_gone(&moment, &mut found)?;
            check_states(&moment, &mut found)?;
            Ok(extent)
        })
    }
}

/// Checks that each entry follows from the one before.
fn check_chain(
    connection: &Connection,
    noted: Option<&Head>,
    found: &mut impl FnMut(AuditFault),
) -> Result<AuditExtent, StoreError> {
    let mut extent = AuditExtent { entries: 0, last: Head::start() };
    each_entry(connection, |entry| {
        extent.entries += 1;
        let (no, before) = (entry.no, extent.last.no);
        if no > before + 1 {
            found(AuditFault::Missing { first: before + 1, last: no - 1 });
        } else if entry.hash_behind(&extent.last.hash) != entry.hash {
            found(AuditFault::Changed { no, before });
        }
        if noted.is_some_and(|noted| noted.no == no && noted.hash != entry.hash) {
            found(AuditFault::Rewritten { no });
        }
        extent.last = Head { no, hash: entry.hash };
    })?;
    if let Some(noted) = noted.filter(|noted| noted.no > extent.last.no) {
        found(AuditFault::CutOff { last: extent.last.no, noted: noted.no });
    }
    Ok(extent)
}

/// Checks that the steps of reviews are what the audit says.
fn check_steps(connection: &Connection, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    let mut reviews = connection.prepare(
        "SELECT review_no, call_no, alert_id, action, by, role, reason, at_ms, audit_no FROM reviews ORDER BY review_no",
    )?;
    let mut rows = reviews.query([])?;
    while let Some(row) = rows.next()? {
        let (review_no, audit_no): (i64, i64) = (row.get(0)?, row.get(8)?);
        let (call_no, reason): (i64, Option<String>) = (row.get(1)?, row.get(6)?);
        let (alert_id, action, by, role): (String, String, String, String) =
            (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        let at_ms: i64 = row.get(7)?;
        let agrees = entry(connection, audit_no)?.is_some_and(|entry| {
            let detail = &entry.detail;
            (entry.subject == alert_id && entry.action == action && entry.by == by && entry.role == role)
                && entry.at_ms == at_ms
                && detail["call_no"] == call_no
                && detail["reason_sha256"].as_str() == reason.as_deref().map(digest).as_deref()
        });
        if !agrees {
            found(AuditFault::ReviewDiffers { review_no, alert_id, audit_no });
        }
    }
    Ok(())
}

/// Checks that the steps in the audit are there: one goes with its
/// alert, and not before.
fn check_gone(connection: &Connection, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    let mut gone = connection.prepare(
        "SELECT no, subject FROM audit WHERE action IN ('confirm', 'dismiss', 'appeal', 'grant', 'reject')
             AND NOT EXISTS (SELECT 1 FROM reviews WHERE audit_no = no AND alert_id = subject)
             AND EXISTS (SELECT 1 FROM latest_alerts WHERE alert_id = subject AND call_no =
                 CASE WHEN json_valid(detail) THEN json_extract(detail, '$.call_no') END) ORDER BY no",
    )?;
    let mut rows = gone.query([])?;
    while let Some(row) = rows.next()? {
        found(AuditFault::ReviewGone { no: row.get(0)?, alert_id: row.get(1)? });
    }
    Ok(())
}

/// Checks that alerts stand where their steps lead.
fn check_states(connection: &Connection, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    let mut alerts = connection.prepare(
        "SELECT call_no, alert_id, verdict, appeal FROM latest_alerts WHERE verdict <> 'unreviewed' OR appeal IS NOT NULL
         UNION SELECT call_no, alert_id, verdict, appeal FROM latest_alerts JOIN (SELECT DISTINCT call_no, alert_id FROM reviews)
             USING (call_no, alert_id)",
    )?;
    let mut rows = alerts.query([])?;
    while let Some(row) = rows.next()? {
        let (call_no, alert_id, verdict): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let appeal: Option<String> = row.get(3)?;
        // An impossible step leads nowhere.
        let leads_there = steps_of(connection, call_no, &alert_id)
            .is_ok_and(|steps| ReviewState::of(&steps) == standing(&verdict, appeal.as_deref()));
        if !leads_there {
            found(AuditFault::StateDiffers { alert_id });
        }
    }
    Ok(())
}
