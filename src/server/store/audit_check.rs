//! Whether the audit is whole and reviews are what it says. The store finds the
//! faults; their wording is the reader's.

use std::collections::BTreeMap;

use crate::server::domain::review::{Action, ReviewState};
use crate::server::domain::terms::{Audited, Display};
use crate::server::store::audit::{Head, digest, each_entry, entry};
use crate::server::store::forms::{ToldForm, check_forms};
use crate::server::store::review::{standing, steps_of};
use crate::server::store::seal::{Seal, rules_digest, transition_digest};
use crate::server::store::sql::{Connection, params};
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
    /// An entry records a step about an alert that is gone, though no round of forgetting took it.
    AlertGone { no: i64, alert_id: String },
    /// The state of an alert that a step judged is not what its entry says.
    AlertDiffers { no: i64, alert_id: String },
    /// An alert is not what its transitions come to.
    LatestDiffers { alert_id: String },
    /// A filled form or a step in its course differs from its entry, or is gone before its call.
    FormDiffers { form_no: i64, audit_no: i64 },
    /// The files of a version of the rules are not those that were loaded, or are gone.
    RulesDiffer { version: String },
    /// The words of a closed call are not what its seal says.
    WordsDiffer { no: i64, call_no: i64 },
    /// A closed call or its alerts are not what its seal says.
    CallDiffers { no: i64, call_no: i64 },
    /// A closed call is gone, though no round of forgetting took it.
    CallGone { no: i64, call_no: i64 },
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
            let told = Told::read(&moment)?;
            check_steps(&moment, &mut found)?;
            check_gone(&moment, &told, &mut found)?;
            check_states(&moment, &mut found)?;
            check_judged(&moment, &told, &mut found)?;
            check_latest(&moment, &mut found)?;
            check_forms(&moment, &told.forms, &mut found)?;
            check_rules(&moment, &told, &mut found)?;
            check_seals(&moment, &told, &mut found)?;
            Ok(extent)
        })
    }
}

/// The statements of the audit about other records.
#[derive(Debug, Default)]
struct Told {
    /// Each sealed call's seal, and the entry that has it.
    seals: BTreeMap<i64, (i64, Seal)>,
    /// The digest of each rules version's files.
    rules: BTreeMap<String, String>,
    steps: Vec<ToldStep>,
    forms: Vec<ToldForm>,
    /// Rounds of forgetting: number, and up to when words, alerts and rules went.
    rounds: Vec<Round>,
}

/// A step of a review as its entry tells it.
#[derive(Debug)]
struct ToldStep {
    no: i64,
    alert_id: String,
    call_no: Option<i64>,
    /// The cursor of the state that was judged, and its digest.
    judged: Option<(i64, String)>,
}

#[derive(Debug)]
struct Round {
    no: i64,
    words_ms: i64,
    alerts_ms: i64,
}

impl Told {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut told = Self::default();
        each_entry(connection, |entry| {
            let detail = &entry.detail;
            match Audited::from_name(&entry.action) {
                Some(Audited::Seal) => {
                    for (call_no, seal) in detail["calls"].as_object().into_iter().flatten() {
                        if let (Ok(call_no), Some(seal)) = (call_no.parse(), Seal::from_json(seal)) {
                            told.seals.insert(call_no, (entry.no, seal));
                        }
                    }
                }
                Some(Audited::Start | Audited::Reload) => {
                    if let Some(digest) = detail["files_sha256"].as_str() {
                        told.rules.insert(entry.subject.clone(), digest.to_owned());
                    }
                }
                Some(Audited::Step(_)) => {
                    let digest = detail["alert_sha256"].as_str().map(str::to_owned);
                    let judged = detail["cursor"].as_i64().zip(digest);
                    let (no, alert_id, call_no) = (entry.no, entry.subject.clone(), detail["call_no"].as_i64());
                    told.steps.push(ToldStep { no, alert_id, call_no, judged });
                }
                Some(Audited::Form(_)) => {
                    let (form_no, call_no) = (entry.subject.parse().unwrap_or_default(), detail["call_no"].as_i64());
                    told.forms.push(ToldForm { audit_no: entry.no, form_no, call_no });
                }
                Some(Audited::Forget) => {
                    let before = |what: &str| detail["before_ms"][what].as_i64().unwrap_or(i64::MIN);
                    let (words_ms, alerts_ms) = (before("transcripts"), before("alerts"));
                    told.rounds.push(Round { no: entry.no, words_ms, alerts_ms });
                }
                Some(
                    Audited::Sample
                    | Audited::Look
                    | Audited::Clips
                    | Audited::Calibration
                    | Audited::Export
                    | Audited::Report
                    | Audited::Help
                    | Audited::Take
                    | Audited::Release
                    | Audited::Monitor
                    | Audited::Flag
                    | Audited::Settle
                    | Audited::Draft(_),
                )
                | None => {}
            }
        })?;
        // A round that a crash cut short is told by the next one.
        let is_cut = "SELECT calls + events + alerts + reviews + rule_versions > 0 FROM forgotten";
        if connection.query_row(is_cut, [], |row| row.get(0))? {
            told.rounds.push(Round { no: i64::MAX, words_ms: i64::MAX, alerts_ms: i64::MAX });
        }
        Ok(told)
    }

    fn forgot_words(&self, closed_ms: i64) -> bool {
        self.rounds.iter().any(|round| round.words_ms > closed_ms || round.alerts_ms > closed_ms)
    }

    fn forgot_call(&self, closed_ms: i64) -> bool {
        self.rounds.iter().any(|round| round.alerts_ms > closed_ms)
    }
}

/// Checks that the alerts that were judged are there, as they were.
fn check_judged(connection: &Connection, told: &Told, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    for ToldStep { no, alert_id, call_no, judged } in &told.steps {
        let exists = "SELECT 1 FROM latest_alerts WHERE alert_id = ? AND call_no = ?";
        let exists = connection.prepare_cached(exists)?.exists(params![alert_id, call_no])?;
        let forgot = match call_no.and_then(|call_no| told.seals.get(&call_no)) {
            Some((_, seal)) => told.forgot_call(seal.closed_ms),
            None => told.rounds.iter().any(|round| round.no > *no),
        };
        if !exists && !forgot {
            found(AuditFault::AlertGone { no: *no, alert_id: alert_id.clone() });
        } else if let Some((cursor, digest)) = judged.as_ref().filter(|_| exists)
            && transition_digest(connection, *cursor)?.as_ref() != Some(digest)
        {
            found(AuditFault::AlertDiffers { no: *no, alert_id: alert_id.clone() });
        }
    }
    Ok(())
}

/// Checks that alerts are what their transitions come to.
fn check_latest(connection: &Connection, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    // What is sealed tells nothing of its own.
    #[derive(serde::Deserialize)]
    struct Deducted {
        deduct: Option<i64>,
    }
    let mut alerts = connection.prepare(
        "SELECT latest.alert_id, latest.alert_no IS DISTINCT FROM summed.first OR latest.cursor IS DISTINCT FROM summed.last
             OR latest.history IS DISTINCT FROM summed.states OR latest.state IS DISTINCT FROM now.state
             OR latest.agent_id IS DISTINCT FROM one.agent_id OR latest.rule_id IS DISTINCT FROM one.rule_id
             OR latest.severity IS DISTINCT FROM one.severity OR latest.said_ms IS DISTINCT FROM one.said_ms,
             latest.deduct, one.json
         FROM latest_alerts AS latest
         LEFT JOIN (SELECT call_no, alert_id, min(cursor) AS first, max(cursor) AS last, string_agg(state, ' ' ORDER BY cursor) AS states
                    FROM alerts GROUP BY call_no, alert_id) AS summed
             ON summed.call_no = latest.call_no AND summed.alert_id = latest.alert_id
         LEFT JOIN alerts AS one ON one.cursor = summed.first
         LEFT JOIN alerts AS now ON now.cursor = summed.last
         ORDER BY latest.alert_no",
    )?;
    let mut rows = alerts.query([])?;
    while let Some(row) = rows.next()? {
        let (differs, deduct, json): (bool, i64, Option<String>) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let told = json.and_then(|json| serde_json::from_str::<Deducted>(&json).ok()).and_then(|alert| alert.deduct);
        if differs || told.is_some_and(|told| told != deduct) {
            found(AuditFault::LatestDiffers { alert_id: row.get(0)? });
        }
    }
    Ok(())
}

/// Checks that the files of the rules are those that were loaded.
fn check_rules(connection: &Connection, told: &Told, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    for (version, digest) in &told.rules {
        let is_whole = match rules_digest(connection, version)? {
            Some(now) => now == *digest,
            None => !told.rounds.is_empty(),
        };
        if !is_whole {
            found(AuditFault::RulesDiffer { version: version.clone() });
        }
    }
    Ok(())
}

/// Checks that closed calls are what their seals say. What is too old to be kept is none of theirs.
fn check_seals(connection: &Connection, told: &Told, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    for (&call_no, (no, seal)) in &told.seals {
        let no = *no;
        let Some(now) = Seal::of(connection, call_no)? else {
            if !told.forgot_call(seal.closed_ms) {
                found(AuditFault::CallGone { no, call_no });
            }
            continue;
        };
        if now.words != seal.words && !(told.forgot_words(seal.closed_ms) && has_no_words(connection, call_no)?) {
            found(AuditFault::WordsDiffer { no, call_no });
        }
        if now.alerts != seal.alerts {
            found(AuditFault::CallDiffers { no, call_no });
        }
    }
    Ok(())
}

fn has_no_words(connection: &Connection, call_no: i64) -> Result<bool, StoreError> {
    let words =
        "SELECT 1 FROM events WHERE call_no = ?1 UNION ALL SELECT 1 FROM calls WHERE call_no = ?1 AND start <> ''";
    Ok(!connection.prepare_cached(words)?.exists([call_no])?)
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
fn check_gone(connection: &Connection, told: &Told, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    let kept = "SELECT 1 FROM reviews WHERE audit_no = ? AND alert_id = ?";
    let alert = "SELECT 1 FROM latest_alerts WHERE alert_id = ? AND call_no = ?";
    for ToldStep { no, alert_id, call_no, .. } in &told.steps {
        let is_kept = connection.prepare_cached(kept)?.exists(params![no, alert_id])?;
        if !is_kept && connection.prepare_cached(alert)?.exists(params![alert_id, call_no])? {
            found(AuditFault::ReviewGone { no: *no, alert_id: alert_id.clone() });
        }
    }
    Ok(())
}

/// Checks that alerts stand where their steps lead.
fn check_states(connection: &Connection, found: &mut impl FnMut(AuditFault)) -> Result<(), StoreError> {
    let mut alerts = connection.prepare(
        "SELECT call_no, alert_id, verdict, appeal, display FROM latest_alerts
             WHERE verdict <> 'unreviewed' OR appeal IS NOT NULL OR display = 'marked'
         UNION SELECT call_no, alert_id, verdict, appeal, display FROM latest_alerts JOIN (SELECT DISTINCT call_no, alert_id FROM reviews) AS judged
             USING (call_no, alert_id)",
    )?;
    let mut rows = alerts.query([])?;
    while let Some(row) = rows.next()? {
        let (call_no, alert_id, verdict): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (appeal, display): (Option<String>, String) = (row.get(3)?, row.get(4)?);
        let is_marked = display == Display::Marked.name();
        // An impossible step leads nowhere, and who marks an alert says so.
        let leads_there = steps_of(connection, call_no, &alert_id).is_ok_and(|steps| {
            ReviewState::of(&steps) == standing(&verdict, appeal.as_deref())
                && is_marked == steps.first().is_some_and(|step| step.action == Action::Mark)
        });
        if !leads_there {
            found(AuditFault::StateDiffers { alert_id });
        }
    }
    Ok(())
}
