//! Where the rules of a run come from. The one place that `serve`, `demo` and
//! `check` get them from.

use std::sync::Arc;

use tingjian::engine::diagnostic::Language;
use tingjian::engine::rule::RuleSet;
use tingjian::engine::rule::render::render;
use tingjian::server::{LoadedRules, RejectedRules};

use super::source::{self, Origin, RuleFlags};

/// The rules that `origin` names, compiled.
///
/// # Errors
/// The rules cannot be used; the error has every fault of every file.
pub(crate) fn load(origin: &Origin) -> Result<LoadedRules, RejectedRules> {
    let sources = source::read(origin)
        .map_err(|error| RejectedRules { text: error.to_string(), diagnostics: error.diagnostics() })?;
    match sources.load() {
        Ok(loaded) => Ok(LoadedRules { rules: loaded.rules, sources, warnings: loaded.warnings }),
        Err(faults) => {
            let text = render(&faults, &sources.files, Language::Zh, false);
            Err(RejectedRules { diagnostics: faults, text })
        }
    }
}

/// Loads the rules alone, without their sources.
///
/// # Errors
/// The rules cannot be used; the message is ready to print.
pub(crate) fn load_rules(origin: &Origin) -> Result<Arc<RuleSet>, String> {
    load(origin).map(|loaded| loaded.rules).map_err(|rejected| rejected.text)
}

/// Loads the rules that the flags name, alone.
///
/// # Errors
/// Configuration or rules cannot be used; the message is ready to print.
pub(crate) fn load_named(flags: &RuleFlags) -> Result<Arc<RuleSet>, String> {
    load_rules(&flags.origin()?)
}
