//! Where the rules of a run come from. The one place that `serve`, `demo` and
//! `check` get them from.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{self, RuleSet};

#[derive(Debug)]
pub(crate) struct RulesError(String);
impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for RulesError {}

pub(crate) fn load_rules(dir: Option<&Path>) -> Result<Arc<RuleSet>, RulesError> {
    let dir = dir.unwrap_or(Path::new("rules"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| RulesError(e.to_string()))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            files.push(SourceFile {
                name: path.display().to_string(),
                text: std::fs::read_to_string(&path).map_err(|e| RulesError(e.to_string()))?,
            });
        }
    }
<<<<<<< HEAD
    Ok(Arc::new(RuleSet::empty()))
=======
    files.sort_by(|a, b| a.name.cmp(&b.name));
    rule::load(&files)
        .map(|l| l.rules)
        .map_err(|faults| RulesError(rule::render::render(&faults, &files, rule::diagnostic::Language::Zh, true)))
>>>>>>> main
}
