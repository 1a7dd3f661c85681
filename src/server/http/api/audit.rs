//! Reading the audit (审计), and the words for its faults. Its entries are written in
//! `store/audit.rs` and checked in `store/audit_check.rs`.
//!
//! Anyone who can write the database can write a chain anew. A head that was noted elsewhere shows
//! that: every entry's number and hash is in a log line.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::server::config::Config;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::filter::{BadQuery, LIMIT, OF_AUDIT, OF_PAGES, Parameters};
use crate::server::http::api::page::{About, next_cursor};
use crate::server::http::openapi::{AuditParameters, PageParameters};
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{AuditEntry, AuditFault, Head, Place, StoreError, read_of};

/// Faults that are listed; further ones are counted.
const FAULTS_MAX: usize = 20;

/// An entry, as it is hashed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    /// From 1, without gaps.
    no: i64,
    /// In UTC.
    at: String,
    by: String,
    role: String,
    action: String,
    /// The object of the action.
    subject: String,
    detail: Value,
    /// SHA-256 of the hash before it and of this entry as JSON without spaces,
    /// keys sorted, without `hash`; both in hexadecimal digits.
    hash: String,
}

impl From<AuditEntry> for EntryView {
    fn from(entry: AuditEntry) -> Self {
        let at = entry.at();
        let AuditEntry { no, by, role, action, subject, detail, hash, .. } = entry;
        Self { no, at, by, role, action, subject, detail, hash }
    }
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// The latest first.
    entries: Vec<EntryView>,
    #[serde(flatten)]
    about: About,
}

/// The audit, the latest entries first.
#[utoipa::path(get, path = "/v1/audit", tag = "qa", params(AuditParameters, PageParameters), responses(
    (status = 200, description = "One page / 一页审计", body = AuditPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn audit(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_AUDIT, OF_PAGES])?;
    let zone = shared.config.utc_offset;
    let filter = parameters.audit(zone)?;
    let page = parameters.page("audit", shared.store_id)?;
    let span = filter.span;
    let mut found = shared.store.audit_entries(filter, page.behind, page.count + 1).await?;
    let place = |entry: &AuditEntry| Place { ms: entry.at_ms, no: entry.no };
    let next_cursor = next_cursor(&mut found, page.count, page.list, place);
    let entries = found.into_iter().map(EntryView::from).collect();
    Ok(Json(AuditPage { entries, about: About::new(span, zone, next_cursor) }))
}

/// Why the audit of a data directory cannot be read.
#[derive(Debug)]
pub enum AuditError {
    /// A filter cannot be used; what is wrong and what is allowed.
    BadQuery(String),
    /// The store cannot be read.
    Store(StoreError),
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadQuery(message) => f.write_str(message),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AuditError {}

impl From<BadQuery> for AuditError {
    fn from(bad: BadQuery) -> Self {
        Self::BadQuery(bad.message)
    }
}

impl From<StoreError> for AuditError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The latest entries in `directory`, the earliest of them first, beside a
/// server that may have it; as JSON of `GET /v1/audit`, whose query `query` is.
///
/// # Errors
/// The query cannot be understood, or the store not be read.
pub fn read_audit(directory: &Path, query: &str, config: &Config) -> Result<Vec<Value>, AuditError> {
    let parameters = Parameters::of_tables(query, &[OF_AUDIT, &[LIMIT]])?;
    let filter = parameters.audit(config.utc_offset)?;
    let page = parameters.page("audit", 0)?;
    let readers = read_of(config, directory, false)?;
    let entries = readers.audit_entries(&filter, None, page.count)?;
    let json = |entry| serde_json::to_value(EntryView::from(entry)).unwrap_or_default();
    Ok(entries.into_iter().rev().map(json).collect())
}

/// The result of a check of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of entries.
    pub entries: u64,
    /// The last entry, as `--head` takes it: number and hash.
    pub head: String,
    /// The first faults, in Chinese and English.
    pub faults: Vec<String>,
    /// The number of faults beyond those listed.
    pub more: usize,
}

/// Checks the audit in `directory`, beside a server that may have it: that no
/// entry was changed, moved or taken out, that the entry `head` (number and
/// hash, noted elsewhere) is there as it was, and that reviews are what the
/// audit says they are.
///
/// # Errors
/// `head` cannot be read, or the store cannot.
pub fn verify_audit(directory: &Path, head: Option<&str>, config: &Config) -> Result<Verified, AuditError> {
    let head = head.map(read_head).transpose()?;
    let (mut faults, mut more) = (Vec::new(), 0);
    let extent = read_of(config, directory, false)?.check_audit(head.as_ref(), |fault| {
        if faults.len() < FAULTS_MAX {
            faults.push(worded(&fault));
        } else {
            more += 1;
        }
    })?;
    Ok(Verified { entries: extent.entries, head: format!("{}:{}", extent.last.no, extent.last.hash), faults, more })
}

fn read_head(text: &str) -> Result<Head, BadQuery> {
    let read = || {
        let (no, hash) = text.split_once(':')?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Head { no: no.parse().ok().filter(|no| *no > 0)?, hash: hash.to_ascii_lowercase() }).filter(|_| is_hash)
    };
    read().ok_or_else(|| {
        BadQuery::new("head", "--head 应形如 12:64位十六进制，来自日志或上次校验 / --head must be NO:HASH, out of the log or of an earlier check")
    })
}

/// The wording of a fault, in Chinese and English.
fn worded(fault: &AuditFault) -> String {
    match fault {
        AuditFault::Missing { first, last } => {
            let missing = if first == last { first.to_string() } else { format!("{first}–{last}") };
            format!("缺少第 {missing} 条 / entry {missing} is missing")
        }
        AuditFault::Changed { no, before } => format!(
            "第 {no} 条被改动，或不再接在第 {before} 条之后 / entry {no} was changed, or no longer follows from entry {before}"
        ),
        AuditFault::Rewritten { no } => format!(
            "第 {no} 条与 --head 记下的不同：它或之前的条目被重写过 / entry {no} is not what --head says: it, or entries before it, were written anew"
        ),
        AuditFault::CutOff { last, noted } => format!(
            "末尾被截断：只到第 {last} 条，--head 记下的是第 {noted} 条 / the tail was cut off: the last entry is {last}, --head says {noted}"
        ),
        AuditFault::ReviewDiffers { review_no, alert_id, audit_no } => format!(
            "复核记录 {review_no}（预警 {alert_id}）与第 {audit_no} 条不符 / review {review_no} (alert {alert_id}) is not what entry {audit_no} says"
        ),
        AuditFault::ReviewGone { no, alert_id } => format!(
            "第 {no} 条的复核记录（预警 {alert_id}）不见了 / the review of entry {no} (alert {alert_id}) is gone"
        ),
        AuditFault::AlertGone { no, alert_id } => format!(
            "第 {no} 条复核的预警 {alert_id} 不见了，却不是因为超过保留期 / alert {alert_id}, which entry {no} judges, is gone, and not because of its age"
        ),
        AuditFault::AlertDiffers { no, alert_id } => format!(
            "预警 {alert_id} 与第 {no} 条复核时的不同 / alert {alert_id} is not as it was when entry {no} judged it"
        ),
        AuditFault::LatestDiffers { alert_id } => {
            format!("预警 {alert_id} 与它的各个状态不符 / alert {alert_id} is not what its states come to")
        }
        AuditFault::FormDiffers { form_no, audit_no } => format!(
            "评分表 {form_no} 与第 {audit_no} 条不符，或不见了 / form {form_no} is not what entry {audit_no} says, or is gone"
        ),
        AuditFault::RulesDiffer { version } => format!(
            "规则版本 {version} 的文件与加载时的不同，或不见了 / the files of version {version} of the rules are not those that were loaded, or are gone"
        ),
        AuditFault::WordsDiffer { no, call_no } => format!(
            "通话 {call_no}（库内编号）的文字与第 {no} 条封存的不同 / the words of call {call_no} (its number in the store) are not those that entry {no} seals"
        ),
        AuditFault::CallDiffers { no, call_no } => format!(
            "通话 {call_no}（库内编号）或它的预警与第 {no} 条封存的不同 / call {call_no} (its number in the store) or its alerts are not what entry {no} seals"
        ),
        AuditFault::CallGone { no, call_no } => format!(
            "第 {no} 条封存的通话 {call_no}（库内编号）不见了，却不是因为超过保留期 / call {call_no} (its number in the store), which entry {no} seals, is gone, and not because of its age"
        ),
        AuditFault::StateDiffers { alert_id } => {
            format!("预警 {alert_id} 的复核结论与它的步骤不符 / alert {alert_id} does not stand where its steps lead")
        }
    }
}
