//! Rules that take the place of those in use while calls go on, on request or
//! because their files changed: all of them or none.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::engine::diagnostic::Diagnostic;
use crate::server::clock;
use crate::server::domain::principal::Who;
use crate::server::domain::terms::{Audited, Trigger};
use crate::server::rules::{Fixed, LoadedRules, Outcome, RejectedRules, Remark, digests, to_kept};
use crate::server::runtime::{Shared, precision};
use crate::server::store::{Fact, LoadRow};
use crate::server::telemetry::events::{Happening as _, RulesReloaded};

/// Files are read when none has changed for so long: editors and copies write
/// in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// And at the latest after so long.
const UNQUIET_MAX: Duration = Duration::from_secs(2);

/// Reads the rules anew and, if they can be used, uses them for the calls that
/// begin from now on.
pub(crate) async fn reload(shared: &Shared, trigger: Trigger, who: Who) -> Result<Outcome, Fixed> {
    let book = &shared.rules;
    let load = book.loader().ok_or(Fixed)?;
    let _turn = book.turn().await;
    let loaded = tokio::task::spawn_blocking(move || load()).await.unwrap_or_else(|_| {
        let text = "读规则时内部出错 / an internal fault while reading the rules".to_owned();
        Err(RejectedRules { diagnostics: Vec::new(), text })
    });
    let previous = book.current().version.clone();
    let at = clock::wall_now(shared.config.utc_offset).to_rfc3339();
    let remarks = |diagnostics: Vec<Diagnostic>| diagnostics.into_iter().map(Remark::from).collect();
    let outcome = match loaded {
        Ok(LoadedRules { rules, sources, warnings }) => {
            let version = rules.version.clone();
            // What changes nothing comes into use no more than it is.
            if trigger != Trigger::Change || version != previous {
                let row = LoadRow {
                    version: version.clone(),
                    files: to_kept(&sources),
                    digests: digests(&rules),
                    loaded_ms: clock::unix_ms(),
                    who: who.clone(),
                    trigger,
                };
                keep(shared, row).await;
            }
            let count = rules.rules.len();
            book.put_in_force(rules, sources);
            Outcome {
                ok: true,
                trigger,
                at,
                version,
                previous,
                rules: count,
                warnings: remarks(warnings),
                diagnostics: Vec::new(),
                text: String::new(),
            }
        }
        Err(RejectedRules { diagnostics, text }) => Outcome {
            ok: false,
            trigger,
            at,
            version: previous.clone(),
            previous,
            rules: book.current().rules.len(),
            warnings: Vec::new(),
            diagnostics: remarks(diagnostics),
            text,
        },
    };
    shared.health.set_rules_invalid(!outcome.ok);
    // Editors touch files beside the rules; what changes nothing is no news.
    let is_news = trigger != Trigger::Change
        || !outcome.ok
        || outcome.version != outcome.previous
        || book.last().is_some_and(|last| !last.ok);
    if is_news {
        book.note(outcome.clone());
        let fault = (!outcome.ok).then_some(outcome.text.as_str());
        let (version, previous) = (&outcome.version, &outcome.previous);
        RulesReloaded { trigger: trigger.name(), version, previous, fault }.report(&shared.metrics);
    }
    if is_news && !outcome.ok {
        audit_failure(shared, &outcome, who).await;
    }
    if outcome.version != outcome.previous {
        precision::measure_all(shared).await;
    }
    Ok(outcome)
}

/// Keeps the files of a version. Without them a call that began with it goes
/// on with later rules, should the server restart meanwhile.
async fn keep(shared: &Shared, row: LoadRow) {
    let kept = shared.journal.load_rules(row).await;
    if let Ok(Err(error)) = kept {
        tracing::warn!(%error, "the files of the new rules could not be kept");
    }
}

/// Tells the audit of rules that could not be used.
async fn audit_failure(shared: &Shared, outcome: &Outcome, who: Who) {
    let fact = Fact {
        at_ms: clock::unix_ms(),
        who,
        action: Audited::Reload,
        subject: outcome.version.clone(),
        detail: serde_json::json!({
            "trigger": outcome.trigger.name(), "version": outcome.version, "previous": outcome.previous,
            "ok": false, "faults": outcome.diagnostics.len(),
        }),
    };
    shared.audit(fact).await;
}

/// Reloads the rules whenever their files have changed. The files are watched
/// from the call on, as long as the future lives; it never completes.
pub(crate) fn watch(shared: &Arc<Shared>) -> impl Future<Output = ()> + Send + use<> {
    let shared = Arc::clone(shared);
    on_change(shared.rules.sources().to_vec(), async move || {
        // Fixed rules have no sources that could change.
        let _ = reload(&shared, Trigger::Change, Who::server()).await;
    })
}

/// Calls `deed` whenever one of `sources` has changed, once writing has come to rest. They are watched from the call on, as
/// long as the future lives; it never completes.
pub(crate) fn on_change<D: AsyncFnMut()>(sources: Vec<PathBuf>, mut deed: D) -> impl Future<Output = ()> + use<D> {
    let (changed, mut changes) = mpsc::channel(1);
    let mut watcher = watcher(&sources, changed.clone());
    async move {
        while changes.recv().await.is_some() {
            let settled = async { while let Ok(Some(())) = timeout(QUIET, changes.recv()).await {} };
            // Files that never rest are read all the same.
            let _ = timeout(UNQUIET_MAX, settled).await;
            // A directory that took another's place is watched from here on.
            watcher = self::watcher(&sources, changed.clone());
            deed().await;
        }
        drop(watcher);
    }
}

/// Puts a word into `changed` when one of `sources` changes.
fn watcher(sources: &[PathBuf], changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    if sources.is_empty() {
        return None;
    }
    let sources: Vec<PathBuf> = sources.iter().filter_map(|source| std::path::absolute(source).ok()).collect();
    let ours = sources.clone();
    let watching = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns_us = |path: &PathBuf| ours.iter().any(|source| path.starts_with(source));
        // Reading them is an event, too, and no reason to read them again.
        let is_change =
            |kind| matches!(kind, EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
        if event.is_ok_and(|event| is_change(event.kind) && event.paths.iter().any(concerns_us)) {
            // One word that waits is enough.
            let _ = changed.try_send(());
        }
    })
    .and_then(|mut watcher| {
        for source in &sources {
            if source.is_dir() {
                watcher.watch(source, RecursiveMode::Recursive)?;
            }
            // Another file or directory may take its place.
            watcher.watch(source.parent().unwrap_or(Path::new("/")), RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    match watching {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "files are not watched; rules are reloaded by POST /v1/rules/reload, others by a restart");
            None
        }
    }
}
