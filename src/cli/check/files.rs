//! The files that the inputs of `check` name: directories are gone through, patterns looked up.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::sheet::extension;

/// What a directory is searched for.
const EXTENSIONS: [&str; 5] = ["jsonl", "ndjson", "csv", "xlsx", "parquet"];
/// Directories inside directories.
const DEPTH_MAX: usize = 16;

/// The files, in the order of the inputs, each once; those of a directory or a pattern by name.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<PathBuf>,
    /// Inputs that cannot be used, ready to print.
    pub(super) faults: Vec<String>,
    seen: HashSet<PathBuf>,
}

/// How many bytes a file has; none if it cannot be told.
pub(super) fn size(path: &PathBuf) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

/// Looks the inputs up.
pub(super) fn find(inputs: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for input in inputs {
        if input.is_dir() {
            let before = found.files.len();
            let faults = found.faults.len();
            found.directory(input, 0);
            if found.files.len() == before && found.faults.len() == faults {
                found.faults.push(format!(
                    "{}: 目录里没有 .jsonl、.csv、.xlsx、.parquet 文件 / there are no .jsonl, .csv, .xlsx or .parquet files in it",
                    input.display()
                ));
            }
        } else if input.exists() || !is_pattern(input) {
            found.file(input.clone());
        } else {
            found.pattern(input);
        }
    }
    found
}

/// A name that no file has may still be a pattern.
fn is_pattern(input: &Path) -> bool {
    input.to_string_lossy().contains(['*', '?', '['])
}

impl Found {
    fn file(&mut self, path: PathBuf) {
        if self.seen.insert(path.clone()) {
            self.files.push(path);
        }
    }

    fn directory(&mut self, directory: &Path, depth: usize) {
        let listed = fs::read_dir(directory).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                self.faults.push(format!("{}: 无法读取 / cannot be read: {error}", directory.display()));
                return;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // A link to a directory may lead back.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && depth < DEPTH_MAX {
                self.directory(&path, depth + 1);
            } else if is_directory {
                self.faults.push(format!(
                    "{}: 目录嵌套超过 {DEPTH_MAX} 层 / nested deeper than {DEPTH_MAX} directories",
                    path.display()
                ));
            } else if extension(&path).is_some_and(|known| EXTENSIONS.contains(&known.as_str())) && path.is_file() {
                self.file(path);
            }
        }
    }

    fn pattern(&mut self, input: &Path) {
        let shown = input.display();
        let matches = match glob::glob(&input.to_string_lossy()) {
            Ok(matches) => matches,
            Err(error) => {
                self.faults.push(format!("{shown}: 写错了 / is no pattern: {error}"));
                return;
            }
        };
        let mut is_matched = false;
        for path in matches {
            match path {
                Ok(path) if path.is_dir() => {}
                Ok(path) => {
                    is_matched = true;
                    self.file(path);
                }
                Err(error) => self.faults.push(format!("{error}")),
            }
        }
        if !is_matched {
            self.faults.push(format!("{shown}: 没有这样的文件 / there are no such files"));
        }
    }
}
