//! The rules in use, and how others take their place while calls go on: all
//! of them or none. A call keeps those that it began with.
//!
//! What reads rule files is given by the command line; here is only when it is
//! done (on request, and when the files change) and what became of it.

pub(crate) mod history;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::engine::rule::diagnostic::{Diagnostic, Level};
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::sources::Sources;
use crate::engine::rule::{self, RuleSet};
use crate::server::Shared;
use crate::server::domain::principal::Who;
use crate::server::http::api::{audit, quality};
use crate::server::runtime::clock;
use crate::server::store::{Fact, LoadRow, Readers};
use crate::server::telemetry::events::{Happening as _, RulesReloaded};

/// Files are read when none has changed for so long: editors and copies write
/// in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// And at the latest after so long.
const UNQUIET_MAX: Duration = Duration::from_secs(2);

/// Rules that can be used.
#[derive(Debug)]
pub struct LoadedRules {
    /// What calls run on.
    pub rules: Arc<RuleSet>,
    /// What they were compiled from. The rule files are kept, so that a call
    /// goes on with the rules that it began with after a restart, too.
    pub sources: Sources,
    /// What is doubtful about them.
    pub warnings: Vec<Diagnostic>,
}

/// Rules that cannot be used.
#[derive(Debug)]
pub struct RejectedRules {
    /// Every fault of every file.
    pub diagnostics: Vec<Diagnostic>,
    /// The same for people, each with its line.
    pub text: String,
}

type Load = dyn Fn() -> Result<LoadedRules, RejectedRules> + Send + Sync;

/// Rules and what they were compiled from.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) rules: Arc<RuleSet>,
    /// Nothing, if the rules were given as they are.
    pub(crate) sources: Sources,
}

/// The rules in use and where others come from.
pub struct Rulebook {
    current: RwLock<Arc<RuleSet>>,
    /// The same as they were written, for those who read or edit them.
    written: RwLock<Arc<Written>>,
    /// What the first ones were compiled from, as it is kept.
    first_files: String,
    /// What reads the rules anew; `None` if they are fixed.
    load: Option<Arc<Load>>,
    /// Files and directories whose change is a reason to.
    sources: Vec<PathBuf>,
    last: RwLock<Option<Outcome>>,
    /// One reload at a time.
    turn: Mutex<()>,
}

impl fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rulebook").field("version", &self.current().version).finish_non_exhaustive()
    }
}

impl From<Arc<RuleSet>> for Rulebook {
    /// Rules that stay as they are.
    fn from(rules: Arc<RuleSet>) -> Self {
        Self {
            written: RwLock::new(Arc::new(Written { rules: Arc::clone(&rules), sources: Sources::default() })),
            current: RwLock::new(rules),
            first_files: to_kept(&[]),
            load: None,
            sources: Vec::new(),
            last: RwLock::new(None),
            turn: Mutex::new(()),
        }
    }
}

impl Rulebook {
    /// The rules that `load` reads, now and anew on request, and when one of
    /// `sources` (files or directories) changes.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn new(
        sources: Vec<PathBuf>,
        load: impl Fn() -> Result<LoadedRules, RejectedRules> + Send + Sync + 'static,
    ) -> Result<Self, RejectedRules> {
        let LoadedRules { rules, sources: from, .. } = load()?;
        let first_files = to_kept(&from.files);
        let written = RwLock::new(Arc::new(Written { rules: Arc::clone(&rules), sources: from }));
        Ok(Self { first_files, written, load: Some(Arc::new(load)), sources, ..Self::from(rules) })
    }

    /// What the rules that the server starts with were compiled from, as it is kept.
    pub(crate) fn first_files(&self) -> &str {
        &self.first_files
    }

    /// What a call that begins now runs on.
    pub(crate) fn current(&self) -> Arc<RuleSet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rules in use as they were written.
    pub(crate) fn written(&self) -> Arc<Written> {
        Arc::clone(&self.written.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What became of the last reload, if there was one.
    pub(crate) fn last(&self) -> Option<Outcome> {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is in use, for people and pages.
    pub(crate) fn report(&self) -> Report {
        let current = self.current();
        let mut packs = BTreeMap::new();
        for rule in &current.rules {
            *packs.entry(rule.pack.clone()).or_insert(0) += 1;
        }
        Report {
            version: current.version.clone(),
            rules: current.rules.len(),
            packs,
            reloadable: self.load.is_some(),
            last_reload: self.last(),
        }
    }
}

/// Why rules are read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trigger {
    /// Somebody asked for it.
    Request,
    /// A file changed.
    Change,
}

impl Trigger {
    const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Change => "change",
        }
    }
}

/// These rules do not come from files.
#[derive(Debug)]
pub(crate) struct Fixed;

/// What became of a reload.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    trigger: Trigger,
    /// When, in RFC 3339.
    at: String,
    /// In use from now on.
    version: String,
    /// In use until now; the same if the new ones cannot be used.
    previous: String,
    /// How many are in use.
    rules: usize,
    warnings: Vec<Remark>,
    /// Why the new ones cannot be used.
    diagnostics: Vec<Remark>,
    /// The same for people.
    text: String,
}

/// The rules in use.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: String,
    rules: usize,
    /// How many each pack has.
    packs: BTreeMap<String, usize>,
    reloadable: bool,
    last_reload: Option<Outcome>,
}

/// A diagnostic as JSON. Lines and columns count from 1; line 0 is the file as
/// a whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Remark {
    level: &'static str,
    code: &'static str,
    file: String,
    line: u32,
    column: u32,
    length: u32,
    message: String,
    message_en: String,
    help: String,
    help_en: String,
}

impl From<Diagnostic> for Remark {
    fn from(diagnostic: Diagnostic) -> Self {
        let Diagnostic { level, code, at, zh, en, help_zh, help_en } = diagnostic;
        Self {
            level: match level {
                Level::Error => "error",
                Level::Warning => "warning",
            },
            code,
            file: at.file.to_string(),
            line: at.line,
            column: at.column,
            length: at.length,
            message: zh,
            message_en: en,
            help: help_zh,
            help_en,
        }
    }
}

/// Reads the rules anew and, if they can be used, uses them for the calls that
/// begin from now on.
pub(crate) async fn reload(shared: &Shared, trigger: Trigger, who: Who) -> Result<Outcome, Fixed> {
    let book = &shared.rules;
    let load = Arc::clone(book.load.as_ref().ok_or(Fixed)?);
    let _turn = book.turn.lock().await;
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
            if trigger == Trigger::Request || version != previous {
                let row = LoadRow {
                    version: version.clone(),
                    files: to_kept(&sources.files),
                    loaded_ms: clock::unix_ms(),
                    who: who.clone(),
                    trigger: trigger.name(),
                };
                keep(shared, row).await;
            }
            let count = rules.rules.len();
            let written = Arc::new(Written { rules: Arc::clone(&rules), sources });
            *book.written.write().unwrap_or_else(PoisonError::into_inner) = written;
            *book.current.write().unwrap_or_else(PoisonError::into_inner) = rules;
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
    let is_news = trigger == Trigger::Request
        || !outcome.ok
        || outcome.version != outcome.previous
        || book.last().is_some_and(|last| !last.ok);
    if is_news {
        *book.last.write().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
        let fault = (!outcome.ok).then_some(outcome.text.as_str());
        let (version, previous) = (&outcome.version, &outcome.previous);
        RulesReloaded { trigger: trigger.name(), version, previous, fault }.report(&shared.metrics);
    }
    if is_news && !outcome.ok {
        audit_failure(shared, &outcome, who).await;
    }
    if outcome.version != outcome.previous {
        quality::measure_all(shared).await;
    }
    Ok(outcome)
}

/// Keeps the files of a version. Without them a call that began with it goes
/// on with later rules, should the server restart meanwhile.
async fn keep(shared: &Shared, row: LoadRow) {
    let kept = shared.journal.perform(move |writer| writer.load_rules(&row)).await;
    if let Ok(Err(error)) = kept {
        tracing::warn!(%error, "the files of the new rules could not be kept");
    }
}

/// Tells the audit of rules that could not be used.
async fn audit_failure(shared: &Shared, outcome: &Outcome, who: Who) {
    let fact = Fact {
        at_ms: clock::unix_ms(),
        who,
        action: "reload",
        subject: outcome.version.clone(),
        detail: serde_json::json!({
            "trigger": outcome.trigger.name(), "version": outcome.version, "previous": outcome.previous,
            "ok": false, "faults": outcome.diagnostics.len(),
        }),
    };
    audit::keep(shared, fact).await;
}

/// A rule file as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFile<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, str>,
}

fn to_kept(files: &[SourceFile]) -> String {
    let kept =
        |file: &'_ SourceFile| KeptFile { name: Cow::Owned(file.name.clone()), text: Cow::Owned(file.text.clone()) };
    let files: Vec<_> = files.iter().map(kept).collect();
    serde_json::to_string(&files).expect("strings always serialise")
}

/// The rules of an earlier version, compiled from the files that were kept.
pub(crate) fn kept(readers: &Readers, version: &str) -> Option<Arc<RuleSet>> {
    let files = readers.rule_files(version).ok()??;
    let files: Vec<KeptFile<'_>> = serde_json::from_str(&files).ok()?;
    let file = |KeptFile { name, text }| SourceFile { name: Cow::into_owned(name), text: Cow::into_owned(text) };
    let files: Vec<_> = files.into_iter().map(file).collect();
    match rule::load(&files, version.to_owned()) {
        Ok(loaded) => Some(loaded.rules),
        Err(_) => {
            tracing::warn!(version, "earlier rules can no longer be used; their calls go on with the current ones");
            None
        }
    }
}

/// Reloads the rules whenever their files have changed. The files are watched
/// from the call on, as long as the future lives; it never completes.
pub(crate) fn watch(shared: &Arc<Shared>) -> impl Future<Output = ()> + Send + use<> {
    let shared = Arc::clone(shared);
    let (changed, mut changes) = mpsc::channel(1);
    let mut watcher = watcher(&shared.rules.sources, changed.clone());
    async move {
        while changes.recv().await.is_some() {
            let settled = async { while let Ok(Some(())) = timeout(QUIET, changes.recv()).await {} };
            // Files that never rest are read all the same.
            let _ = timeout(UNQUIET_MAX, settled).await;
            // A directory that took another's place is watched from here on.
            watcher = self::watcher(&shared.rules.sources, changed.clone());
            // Fixed rules have no sources that could change.
            let _ = reload(&shared, Trigger::Change, Who::server()).await;
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
            tracing::warn!(%error, "rule files are not watched; reload them by POST /v1/rules/reload");
            None
        }
    }
}
