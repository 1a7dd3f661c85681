//! Drafts of rules on their way into force: the steps that write rule files. A file is written whole
//! or not at all, only if it is still as the draft knows it, and is put back if the rules cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::rule::edit::{self, Change, EditFault, Step, Value};
use crate::learning::write_whole;
use crate::server::clock;
use crate::server::domain::draft::{DraftAction, DraftRefusal, decide};
use crate::server::domain::principal::Who;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::terms::Trigger;
use crate::server::rules::Outcome;
use crate::server::runtime::{Shared, reload};
use crate::server::store::{DraftChange, Followed, FoundDraft, NewDraftStep};

/// Behind the id of a rule whose next wording is on trial beside it.
const TRIAL: &str = ".trial";

/// Takes a step that writes no file.
pub(crate) async fn take_step(shared: &Shared, step: NewDraftStep) -> Result<FoundDraft, Refusal> {
    let _turn = shared.drafts.lock().await;
    keep(shared, step).await
}

async fn keep(shared: &Shared, step: NewDraftStep) -> Result<FoundDraft, Refusal> {
    shared.journal.draft_step(step).await?.map_err(Refusal::store)?.map_err(Refusal::Draft)
}

/// Why a draft did not come into force.
#[derive(Debug)]
pub(crate) enum NotInForce {
    Refused(Refusal),
    /// The rules cannot be used with it; the file is as it was.
    Rejected(Box<Outcome>),
}

impl From<Refusal> for NotInForce {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DraftRefusal> for NotInForce {
    fn from(refusal: DraftRefusal) -> Self {
        Self::Refused(Refusal::Draft(refusal))
    }
}

/// Writes the file of a draft, on trial, in force or as it was before, and loads the rules.
pub(crate) async fn put_in_force(
    shared: &Shared,
    draft_no: i64,
    action: DraftAction,
    who: Who,
    reason: Option<String>,
    steps_seen: Option<usize>,
) -> Result<FoundDraft, NotInForce> {
    let _turn = shared.drafts.lock().await;
    let draft = shared.store.draft(draft_no).await?.ok_or(DraftRefusal::Unknown)?;
    if steps_seen.is_some_and(|seen| seen != draft.steps.len()) {
        return Err(DraftRefusal::Changed.into());
    }
    decide(&draft.course(), action, &who.name)?;
    let path = shared.rules.file_path(&draft.file).filter(|_| shared.config.rules_writable);
    let path = path.ok_or(DraftRefusal::ReadOnly)?;
    let text = match action {
        DraftAction::Shadow => Some(on_trial(&draft)?),
        DraftAction::RollBack => draft.base.clone(),
        _ => Some(draft.text.clone()),
    };
    let known = if draft.written.is_some() { draft.written.clone() } else { draft.base.clone() };
    let (place, new) = (path.clone(), text.clone());
    let written = tokio::task::spawn_blocking(move || replace(&place, known.as_deref(), new.as_deref()));
    let before = match written.await.map_err(|_| Refusal::Stopping)? {
        Ok(Some(before)) => before,
        Ok(None) => return Err(DraftRefusal::FileChanged.into()),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a draft could not be written: the server must be able to write its directory of rules");
            return Err(DraftRefusal::ReadOnly.into());
        }
    };
    let outcome = match reload::reload(shared, Trigger::Draft, who.clone()).await {
        Ok(outcome) if outcome.ok => Ok(()),
        Ok(outcome) => Err(NotInForce::Rejected(Box::new(outcome))),
        Err(_) => Err(DraftRefusal::ReadOnly.into()),
    };
    if let Err(refused) = outcome {
        put_back(path, before).await;
        // What was refused stays in the report otherwise.
        let _ = reload::reload(shared, Trigger::Draft, who).await;
        return Err(refused);
    }
    let step = NewDraftStep {
        draft_no: Some(draft_no),
        action,
        who,
        reason,
        at_ms: clock::unix_ms(),
        steps_seen: None,
        change: DraftChange::Written(text),
    };
    Ok(keep(shared, step).await?)
}

async fn put_back(path: PathBuf, before: Option<String>) {
    let place = path.clone();
    let written = tokio::task::spawn_blocking(move || write(&place, before.as_deref())).await;
    if !matches!(written, Ok(Ok(()))) {
        tracing::error!(path = %path.display(), "a rule file could not be put back: copy it there from a backup");
    }
}

/// Writes a file if it has the text that is known of it, or the new one already. Tells the text before;
/// nothing if it has another.
fn replace(path: &Path, known: Option<&str>, new: Option<&str>) -> io::Result<Option<Option<String>>> {
    let before = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if before.as_deref() != known && before.as_deref() != new {
        return Ok(None);
    }
    write(path, new)?;
    Ok(Some(before))
}

fn write(path: &Path, text: Option<&str>) -> io::Result<()> {
    match text {
        Some(text) => write_whole(path, text),
        None => std::fs::remove_file(path),
    }
}

/// The file with the draft on trial: a new rule is, and an edited one stands behind the others a second time,
/// so that the rule in force goes on.
fn on_trial(draft: &FoundDraft) -> Result<String, DraftRefusal> {
    let FoundDraft { base, text, rule_id, .. } = draft;
    let failed = |_: EditFault| DraftRefusal::NotAlone;
    let shadow = Change::Set(vec![Step::Key("shadow".to_owned())], Value::Word("true".to_owned()));
    let Some(base) = base.as_deref().filter(|base| edit::read(base, rule_id).is_ok()) else {
        return edit::edit(text, rule_id, &[shadow]).map_err(failed);
    };
    if edit::carry(text, rule_id, base).map_err(failed)? != *text {
        return Err(DraftRefusal::NotAlone);
    }
    let name = format!("{rule_id}{TRIAL}");
    let renamed = Change::Set(vec![Step::Key("id".to_owned())], Value::Text(name.clone()));
    let copy = edit::edit(text, rule_id, &[renamed]).map_err(failed)?;
    let copy = edit::edit(&copy, &name, &[shadow]).map_err(failed)?;
    edit::carry(&copy, &name, base).map_err(failed)
}

/// The draft brought up to the file as it is now: its rule in the place of the one there, or behind the others.
/// What it has on trial in the file goes.
pub(crate) fn follow(draft: &FoundDraft, file: String) -> Result<(String, Followed), DraftRefusal> {
    let FoundDraft { base, text, rule_id, written, .. } = draft;
    let failed = |_: EditFault| DraftRefusal::NotAlone;
    let trial = format!("{rule_id}{TRIAL}");
    let has = |text: &str, id: &str| edit::ids(text).iter().any(|known| known == id);
    // It was added under an id that was free then; what is in the file is another's rule.
    let adds = !base.as_deref().is_some_and(|base| has(base, rule_id));
    if adds && written.is_none() && has(&file, rule_id) {
        return Err(DraftRefusal::IdTaken);
    }
    let mut without = file.clone();
    if has(&file, &trial) {
        without = edit::remove_rule(&file, &trial).map_err(failed)?;
    }
    let text = edit::carry(text, rule_id, &without).map_err(failed)?;
    // A rule that only the draft brought there is none of the file's own.
    let base = if adds && has(&without, rule_id) { edit::remove_rule(&without, rule_id).ok() } else { Some(without) };
    Ok((text, Followed { base, file }))
}
