//! Where the rules of a run come from. The one place that `serve`, `demo` and
//! `check` get them from.

use std::path::Path;
use std::sync::Arc;

use tingjian::engine::rule::diagnostic::Language;
use tingjian::engine::rule::render::render;
use tingjian::engine::rule::{self, RuleSet};

use super::source::{self, Source};

/// Where rules are looked for when nobody says.
const DIRECTORY: &str = "rules";

/// The rules in `directory`; without it, those in `rules` of the working
/// directory; without that, the packs built into the binary.
///
/// # Errors
/// What is wrong with them, ready to print: every fault of every file.
pub(crate) fn load_rules(directory: Option<&Path>) -> Result<Arc<RuleSet>, String> {
    let Source { files, version, .. } = match directory {
        Some(directory) => source::read(directory).map_err(|error| error.to_string())?,
        None if Path::new(DIRECTORY).is_dir() => {
            source::read(Path::new(DIRECTORY)).map_err(|error| error.to_string())?
        }
        None => source::built_in(),
    };
    match rule::load(&files, version) {
        Ok(loaded) => Ok(loaded.rules),
        Err(faults) => Err(render(&faults, &files, Language::Zh, false)),
    }
}
