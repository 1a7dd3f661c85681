//! Where the rules of a run come from. The one place that `serve`, `demo` and
//! `check` get them from.

use std::sync::Arc;

use tingjian::engine::rule::diagnostic::Language;
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::{self, RuleSet};

use super::source::{self, Origin, Source};

/// The rules that `origin` names, compiled.
///
/// # Errors
/// What is wrong with them, ready to print: every fault of every file.
pub(crate) fn load_rules(origin: &Origin) -> Result<Arc<RuleSet>, String> {
    let Source { files, version, .. } = source::read(origin).map_err(|error| error.to_string())?;
    match rule::load(&files, version) {
        Ok(loaded) => Ok(loaded.rules),
        Err(faults) => Err(render(&faults, &files, Language::Zh, false)),
    }
}
