//! What the engine and the adapters do, tested through their public surface alone, with no server.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../fuzz/bodies.rs"]
mod bodies;
#[path = "../oracle/mod.rs"]
mod oracle;

mod adapters;
mod alerts;
mod forms;
mod fuzz_corpus;
mod layers;
mod negation;
mod packs;
mod privacy;
mod properties;
mod regressions;
mod remedies;
mod rules_lint;
mod rules_parameters;
mod rules_parse;
mod status;

use std::fs;
use std::path::Path;

use tingjian::engine::rule::parse::SourceFile;

/// The rule files of a directory of the repository, by name.
fn files(directory: &str) -> Vec<SourceFile> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    let file = |name: String| SourceFile { text: fs::read_to_string(directory.join(&name)).unwrap(), name };
    names.into_iter().map(file).collect()
}
