//! Where the rules of a run come from. The one place that `serve`, `demo` and
//! `check` get them from.

use tingjian::engine::rule;
use tingjian::engine::rule::diagnostic::Language;
use tingjian::engine::rule::render::render;
use tingjian::server::Rules;

use super::source::{self, Origin, Source};

/// The rules that `origin` names, compiled.
///
/// # Errors
/// What is wrong with them, ready to print: every fault of every file.
pub(crate) fn load_rules(origin: &Origin) -> Result<Rules, String> {
    let Source { files, version, .. } = source::read(origin).map_err(|error| error.to_string())?;
    match rule::load(&files, version) {
        Ok(loaded) => Ok(Rules { set: loaded.rules, files }),
        Err(faults) => Err(render(&faults, &files, Language::Zh, false)),
    }
}
