//! Drafts of rules: their texts, and who did what with them. What may follow what is decided by
//! [`decide`]; every step is in the audit.

use std::collections::BTreeSet;

use serde_json::json;

use crate::server::config::DRAFTS_OPEN_MAX;
use crate::server::domain::draft::{DraftAction, DraftCourse, DraftRefusal, DraftState, decide};
use crate::server::domain::principal::{Capacity, Who};
use crate::server::domain::terms::Audited;
use crate::server::store::audit::{Fact, digest};
use crate::server::store::query::limit;
use crate::server::store::sql::{Connection, OptionalExtension as _, Row, Transaction, params};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// What a step does besides moving the draft on.
#[derive(Clone, Debug)]
pub(crate) enum DraftChange {
    Create {
        title: String,
        file: String,
        rule_id: String,
        /// The file as it was; `None` if there is none yet.
        base: Option<String>,
        text: String,
    },
    Save {
        title: Option<String>,
        text: String,
        /// The file that it is brought up to.
        followed: Option<Followed>,
    },
    Check {
        is_green: bool,
        /// What was found, as JSON.
        report: String,
        /// The text that was checked.
        text: String,
    },
    /// The file was written with this text.
    Written(Option<String>),
    Nothing,
}

/// A file that was changed meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    /// As it is without the draft; `None` if there is no more to it.
    pub(crate) base: Option<String>,
    /// As it is.
    pub(crate) file: String,
}

/// A step on its way to the store.
#[derive(Clone, Debug)]
pub(crate) struct NewDraftStep {
    /// `None` creates one.
    pub(crate) draft_no: Option<i64>,
    pub(crate) action: DraftAction,
    pub(crate) who: Who,
    pub(crate) reason: Option<String>,
    pub(crate) at_ms: i64,
    /// The number of steps that the person saw.
    pub(crate) steps_seen: Option<usize>,
    pub(crate) change: DraftChange,
}

/// A step as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DraftStep {
    pub(crate) action: DraftAction,
    pub(crate) by: String,
    pub(crate) role: Capacity,
    pub(crate) reason: Option<String>,
    pub(crate) at_ms: i64,
    /// The text that was saved, if one was.
    pub(crate) text: Option<String>,
}

/// A draft with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundDraft {
    pub(crate) draft_no: i64,
    pub(crate) title: String,
    pub(crate) file: String,
    pub(crate) rule_id: String,
    pub(crate) base: Option<String>,
    pub(crate) text: String,
    pub(crate) state: DraftState,
    /// What the checks of the present text found, as JSON.
    pub(crate) checked: Option<String>,
    pub(crate) is_green: bool,
    /// The text of the file as this draft wrote it last.
    pub(crate) written: Option<String>,
    pub(crate) steps: Vec<DraftStep>,
}

impl FoundDraft {
    pub(crate) fn course(&self) -> DraftCourse {
        let writes = |step: &&DraftStep| matches!(step.action, DraftAction::Create | DraftAction::Save);
        let writers: BTreeSet<String> = self.steps.iter().filter(writes).map(|step| step.by.clone()).collect();
        DraftCourse { state: self.state, writers, is_green: self.is_green, steps: self.steps.len() }
    }
}

/// A draft in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedDraft {
    pub(crate) draft_no: i64,
    pub(crate) title: String,
    pub(crate) file: String,
    pub(crate) rule_id: String,
    pub(crate) state: DraftState,
    pub(crate) is_green: bool,
    pub(crate) owner: String,
    pub(crate) changed_ms: i64,
}

const DRAFT: &str = "draft_no, title, file, rule_id, base, text, state, checked, is_green, written";

fn find(connection: &Connection, draft_no: i64) -> Result<Option<FoundDraft>, StoreError> {
    let draft = format!("SELECT {DRAFT} FROM drafts WHERE draft_no = ?");
    let read = |row: &Row<'_>| {
        Ok(FoundDraft {
            draft_no: row.get(0)?,
            title: row.get(1)?,
            file: row.get(2)?,
            rule_id: row.get(3)?,
            base: row.get(4)?,
            text: row.get(5)?,
            // What this program did not write is not to be put in force.
            state: DraftState::from_name(row.text(6)?).unwrap_or(DraftState::Withdrawn),
            checked: row.get(7)?,
            is_green: row.get(8)?,
            written: row.get(9)?,
            steps: Vec::new(),
        })
    };
    let Some(mut draft) = connection.prepare_cached(&draft)?.query_row([draft_no], read).optional()? else {
        return Ok(None);
    };
    let steps = "SELECT action, by, role, reason, at_ms, text FROM draft_steps WHERE draft_no = ? ORDER BY step_no";
    let mut steps = connection.prepare_cached(steps)?;
    let steps = steps.query_map([draft_no], |row| {
        let Some(action) = DraftAction::from_name(row.text(0)?) else { return Ok(None) };
        let role = Capacity::from_name(row.text(2)?);
        let (by, reason, at_ms, text) = (row.get(1)?, row.get(3)?, row.get(4)?, row.get(5)?);
        Ok(Some(DraftStep { action, by, role, reason, at_ms, text }))
    })?;
    draft.steps = steps.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(Some(draft))
}

/// Keeps what a step changes, and tells the draft's number.
fn apply(transaction: &Transaction<'_>, step: &NewDraftStep, state: DraftState) -> Result<i64, StoreError> {
    let NewDraftStep { draft_no, at_ms, change, .. } = step;
    let no = draft_no.unwrap_or_default();
    match change {
        DraftChange::Create { title, file, rule_id, base, text } => {
            let insert = "INSERT INTO drafts (title, file, rule_id, base, text, state, is_green, changed_ms) VALUES (?, ?, ?, ?, ?, ?, 0, ?) RETURNING draft_no";
            let values = params![title, file, rule_id, base, text, state.name(), at_ms];
            return Ok(transaction.prepare_cached(insert)?.insert(values)?);
        }
        DraftChange::Save { title, text, followed } => {
            if let Some(Followed { base, file }) = followed {
                let follow = "UPDATE drafts SET base = ?, written = ? WHERE draft_no = ?";
                transaction.execute(follow, params![base, file, no])?;
            }
            let save = "UPDATE drafts SET title = coalesce(?, title), text = ?, checked = NULL, is_green = 0 WHERE draft_no = ?";
            transaction.execute(save, params![title, text, no])?
        }
        DraftChange::Check { is_green, report, text } => transaction.execute(
            "UPDATE drafts SET checked = ?, is_green = ? WHERE draft_no = ? AND text = ?",
            params![report, is_green, no, text],
        )?,
        DraftChange::Written(text) => {
            transaction.execute("UPDATE drafts SET written = ? WHERE draft_no = ?", params![text, no])?
        }
        DraftChange::Nothing => 0,
    };
    transaction
        .execute("UPDATE drafts SET state = ?, changed_ms = ? WHERE draft_no = ?", params![state.name(), at_ms, no])?;
    Ok(no)
}

impl Writer {
    /// Takes a step in the course of a draft, if it is possible, and tells the audit.
    pub(crate) fn draft_step(&mut self, step: &NewDraftStep) -> Result<Result<FoundDraft, DraftRefusal>, StoreError> {
        let NewDraftStep { draft_no, action, who, reason, at_ms, steps_seen, change } = step;
        let transaction = self.connection.transaction()?;
        let state = match draft_no {
            None => {
                let open = "SELECT count(*) FROM drafts WHERE state IN ('draft', 'approved', 'shadow')";
                let open: i64 = transaction.query_row(open, [], |row| row.get(0))?;
                if usize::try_from(open).unwrap_or_default() >= DRAFTS_OPEN_MAX {
                    return Ok(Err(DraftRefusal::TooMany));
                }
                DraftState::Draft
            }
            Some(draft_no) => {
                let Some(draft) = find(&transaction, *draft_no)? else { return Ok(Err(DraftRefusal::Unknown)) };
                if steps_seen.is_some_and(|seen| seen != draft.steps.len()) {
                    return Ok(Err(DraftRefusal::Changed));
                }
                match decide(&draft.course(), *action, &who.name) {
                    Ok(state) => state,
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
        };
        let no = apply(&transaction, step, state)?;
        let text = match change {
            DraftChange::Create { text, .. } | DraftChange::Save { text, .. } => Some(text),
            _ => None,
        };
        transaction.execute(
            "INSERT INTO draft_steps (draft_no, action, by, role, reason, at_ms, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![no, action.name(), who.name, who.role.name(), reason, at_ms, text],
        )?;
        let Some(draft) = find(&transaction, no)? else { return Ok(Err(DraftRefusal::Unknown)) };
        let detail = json!({
            "rule_id": draft.rule_id, "state": state.name(), "text_sha256": digest(&draft.text),
            "written_sha256": draft.written.as_deref().map(digest), "green": draft.is_green,
            "reason_sha256": reason.as_deref().map(digest),
        });
        let (who, subject) = (who.clone(), format!("draft-{no}"));
        let fact = Fact { at_ms: *at_ms, who, action: Audited::Draft(*action), subject, detail };
        let head = self.head.append(&transaction, &fact)?;
        transaction.commit()?;
        self.head = head.tell(&fact);
        Ok(Ok(draft))
    }
}

impl Readers {
    /// The draft of that number.
    pub(crate) fn draft(&self, draft_no: i64) -> Result<Option<FoundDraft>, StoreError> {
        self.ask(|connection| find(connection, draft_no))
    }

    /// Drafts, those with the latest steps first.
    pub(crate) fn drafts(&self, count_max: usize) -> Result<Vec<ListedDraft>, StoreError> {
        let drafts = "SELECT draft_no, title, file, rule_id, state, is_green, changed_ms,
                 coalesce((SELECT by FROM draft_steps WHERE draft_steps.draft_no = drafts.draft_no ORDER BY step_no LIMIT 1), '')
             FROM drafts ORDER BY changed_ms DESC, draft_no DESC LIMIT ?";
        self.ask(|connection| {
            let mut drafts = connection.prepare_cached(drafts)?;
            let drafts = drafts.query_map([limit(count_max)], |row| {
                Ok(ListedDraft {
                    draft_no: row.get(0)?,
                    title: row.get(1)?,
                    file: row.get(2)?,
                    rule_id: row.get(3)?,
                    state: DraftState::from_name(row.text(4)?).unwrap_or(DraftState::Withdrawn),
                    is_green: row.get(5)?,
                    changed_ms: row.get(6)?,
                    owner: row.get(7)?,
                })
            })?;
            Ok(drafts.collect::<Result<_, _>>()?)
        })
    }
}
