//! The rules in use ([`Rulebook`]) and the versions before them ([`history`]). A
//! call keeps the rules that it began with.
//!
//! The command line gives the function that reads rule files; `runtime/reload.rs` decides when to
//! call it.

pub(crate) mod history;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};
use utoipa::ToSchema;

use crate::engine::diagnostic::{Diagnostic, Level};
use crate::engine::rule::parse::{SourceFile, is_model_file};
use crate::engine::rule::sources::Sources;
use crate::engine::rule::thresholds::Thresholds;
use crate::engine::rule::{self, RuleSet};
use crate::learning::MODEL;
use crate::server::domain::terms::Trigger;
use crate::server::store::{Readers, StoreError};

/// Rules that can be used.
#[derive(Debug)]
pub struct LoadedRules {
    /// The compiled rules.
    pub rules: Arc<RuleSet>,
    /// Their sources. The rule files are stored, so that a call goes on with the rules that it
    /// began with after a restart, too.
    pub sources: Sources,
    /// Warnings about them.
    pub warnings: Vec<Diagnostic>,
}

/// Rules that cannot be used.
#[derive(Debug)]
pub struct RejectedRules {
    /// Every fault of every file.
    pub diagnostics: Vec<Diagnostic>,
    /// The faults as text for people, each with its line.
    pub text: String,
}

/// The function that reads the rules.
pub(crate) type Load = dyn Fn() -> Result<LoadedRules, RejectedRules> + Send + Sync;

/// Rules and what they were compiled from.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) rules: Arc<RuleSet>,
    /// Nothing, if the rules were given as they are.
    pub(crate) sources: Sources,
}

/// The rules in use and where others come from.
pub struct Rulebook {
    in_force: RwLock<InForce>,
    /// The sources of the first rules, as they are stored.
    first_files: String,
    /// The function that reads the rules anew; `None` if they are fixed.
    load: Option<Arc<Load>>,
    /// Files and directories whose change is a reason to.
    sources: Vec<PathBuf>,
    /// The directory that a new model is written to.
    directory: Option<PathBuf>,
    /// One reload at a time.
    turn: Mutex<()>,
}

/// The state that a reload replaces at once.
#[derive(Debug)]
struct InForce {
    written: Arc<Written>,
    /// The outcome of the last reload, if there was one.
    last: Option<Outcome>,
}

impl InForce {
    const fn new(written: Arc<Written>) -> RwLock<Self> {
        RwLock::new(Self { written, last: None })
    }
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
            in_force: InForce::new(Arc::new(Written { rules, sources: Sources::default() })),
            first_files: to_kept(&Sources::default()),
            load: None,
            sources: Vec::new(),
            directory: None,
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
        let first_files = to_kept(&from);
        Ok(Self {
            in_force: InForce::new(Arc::new(Written { rules, sources: from })),
            first_files,
            load: Some(Arc::new(load)),
            sources,
            directory: None,
            turn: Mutex::new(()),
        })
    }

    /// Has new models written to a directory of rules.
    #[must_use]
    pub fn with_models_in(self, directory: Option<PathBuf>) -> Self {
        Self { directory, ..self }
    }

    /// Where a new model goes: in the place of the one in use, or into the directory of the rules.
    /// `None` if they are in none.
    pub(crate) fn model_path(&self) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        let written = self.written();
        let own = |file: &&SourceFile| is_model_file(&file.name) && Path::new(&file.name).starts_with(directory);
        let in_use = written.sources.files.iter().find(own).map(|file| PathBuf::from(&file.name));
        Some(in_use.unwrap_or_else(|| directory.join(MODEL)))
    }

    /// Whether the rules are files in a directory.
    pub(crate) fn has_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Where a rule file is: the place of the file of that name, or that of a new one in the directory of
    /// the rules. `None` if it is or would be elsewhere.
    pub(crate) fn file_path(&self, name: &str) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        let written = self.written();
        let is_rules = |name: &str| !is_model_file(name) && (name.ends_with(".yaml") || name.ends_with(".yml"));
        if let Some(file) = written.sources.files.iter().find(|file| file.name == name) {
            let path = PathBuf::from(&file.name);
            return (path.starts_with(directory) && is_rules(name)).then_some(path);
        }
        let within = Path::new(name).strip_prefix(directory).ok().and_then(Path::to_str).unwrap_or(name);
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_new = is_rules(within) && within.chars().all(plain) && !within.starts_with('.');
        is_new.then(|| directory.join(within))
    }

    /// The packs in force.
    #[must_use]
    pub fn packs(&self) -> Vec<String> {
        self.current().packs().into_iter().map(str::to_owned).collect()
    }

    /// The sources of the rules that the server starts with, as they are stored.
    pub(crate) fn first_files(&self) -> &str {
        &self.first_files
    }

    /// The rules for a call that begins now.
    pub(crate) fn current(&self) -> Arc<RuleSet> {
        Arc::clone(&self.in_force().written.rules)
    }

    /// The rules in use as they were written.
    pub(crate) fn written(&self) -> Arc<Written> {
        Arc::clone(&self.in_force().written)
    }

    /// The outcome of the last reload, if there was one.
    pub(crate) fn last(&self) -> Option<Outcome> {
        self.in_force().last.clone()
    }

    /// The function that reads the rules anew; `None` if they are fixed.
    pub(crate) fn loader(&self) -> Option<Arc<Load>> {
        self.load.clone()
    }

    /// Files and directories whose change is a reason to read the rules anew.
    pub(crate) fn sources(&self) -> &[PathBuf] {
        &self.sources
    }

    /// Waits until no other reload is under way.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Puts rules in force for the calls that begin from now on.
    pub(crate) fn put_in_force(&self, rules: Arc<RuleSet>, sources: Sources) {
        let written = Arc::new(Written { rules, sources });
        self.in_force.write().unwrap_or_else(PoisonError::into_inner).written = written;
    }

    /// Notes what became of a reload.
    pub(crate) fn note(&self, outcome: Outcome) {
        self.in_force.write().unwrap_or_else(PoisonError::into_inner).last = Some(outcome);
    }

    fn in_force(&self) -> RwLockReadGuard<'_, InForce> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rules in use, for people and pages.
    pub(crate) fn report(&self) -> Report {
        let in_force = self.in_force();
        let current = &in_force.written.rules;
        let mut packs = BTreeMap::new();
        for rule in &current.rules {
            *packs.entry(rule.pack.clone()).or_insert(0) += 1;
        }
        Report {
            version: current.version.clone(),
            rules: current.rules.len(),
            packs,
            reloadable: self.load.is_some(),
            last_reload: in_force.last.clone(),
        }
    }
}

/// These rules do not come from files.
#[derive(Debug)]
pub(crate) struct Fixed;

/// The outcome of a reload.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    pub(crate) trigger: Trigger,
    /// The time of the reload, RFC 3339.
    pub(crate) at: String,
    /// In use from now on.
    pub(crate) version: String,
    /// In use until now; the same if the new ones cannot be used.
    pub(crate) previous: String,
    /// The number of rules in use.
    pub(crate) rules: usize,
    pub(crate) warnings: Vec<Remark>,
    /// Why the new ones cannot be used.
    pub(crate) diagnostics: Vec<Remark>,
    /// The diagnostics for people.
    pub(crate) text: String,
}

/// The rules in use.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: String,
    rules: usize,
    /// The number of rules in each pack.
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

impl Remark {
    pub(crate) fn is_error(&self) -> bool {
        self.level == "error"
    }
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

/// What decides when each rule fires, by rule.
pub(crate) fn digests(rules: &RuleSet) -> Vec<(String, String)> {
    rules.rules.iter().map(|rule| (rule.id.clone(), rule.digest.clone())).collect()
}

/// A rule file as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFile<'a> {
    name: Cow<'a, str>,
    text: Cow<'a, str>,
}

/// The name under which thresholds other than those that ship are kept among the files.
const THRESHOLDS: &str = "[confidence]";

/// Rule files as the store keeps them, with the thresholds that they were loaded with.
pub(crate) fn to_kept(sources: &Sources) -> String {
    let kept =
        |file: &'_ SourceFile| KeptFile { name: Cow::Owned(file.name.clone()), text: Cow::Owned(file.text.clone()) };
    let mut files: Vec<_> = sources.files.iter().map(kept).collect();
    if sources.thresholds != Thresholds::default() {
        files.push(KeptFile { name: THRESHOLDS.into(), text: sources.thresholds.to_text().into() });
    }
    serde_json::to_string(&files).expect("strings always serialise")
}

/// The model of an earlier version: nothing if there is no such version, nothing inside if it had none.
pub(crate) fn kept_model(readers: &Readers, version: &str) -> Result<Option<Option<String>>, StoreError> {
    let model = |files: String| {
        let file = kept_files_of(&files).into_iter().find(|file| is_model_file(&file.name))?;
        Some(file.text.into_owned())
    };
    Ok(readers.rule_files(version)?.map(model))
}

fn kept_files_of(json: &str) -> Vec<KeptFile<'_>> {
    serde_json::from_str(json).unwrap_or_default()
}

/// The rules of an earlier version, compiled from the files that were kept.
pub(crate) fn kept(readers: &Readers, version: &str) -> Option<Arc<RuleSet>> {
    let files = readers.rule_files(version).ok()??;
    let files: Vec<KeptFile<'_>> = serde_json::from_str(&files).ok()?;
    let file = |KeptFile { name, text }| SourceFile { name: Cow::into_owned(name), text: Cow::into_owned(text) };
    let mut files: Vec<_> = files.into_iter().map(file).collect();
    let thresholds = files.pop_if(|file| file.name == THRESHOLDS);
    let thresholds = thresholds.map(|file| Thresholds::from_text(&file.text)).unwrap_or_default();
    match rule::load_with(&files, version.to_owned(), thresholds) {
        Ok(loaded) => Some(loaded.rules),
        Err(_) => {
            tracing::warn!(version, "earlier rules can no longer be used; their calls go on with the current ones");
            None
        }
    }
}
