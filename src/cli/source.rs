//! Rule files, read: from a directory, or as they were built into the binary.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};
use tingjian::engine::rule::parse::{FILE_BYTES_MAX, SourceFile};

/// Directories inside directories: a link that leads back to its parent ends here.
const DEPTH_MAX: usize = 8;
/// The table of clauses that rules may rest on: tab-separated, the first column counts.
const CLAUSES: &str = "clauses.tsv";
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// The rule files of a directory.
#[derive(Debug)]
pub(crate) struct Source {
    /// In the order of their names, named as they were reached.
    pub(crate) files: Vec<SourceFile>,
    /// The clauses of the directory's `clauses.tsv`, if it has one.
    pub(crate) clauses: Option<BTreeSet<String>>,
    /// The first 12 hexadecimal digits of the SHA-256 of names and contents.
    pub(crate) version: String,
}

/// Files that could not be read: all of them, each with its reason.
#[derive(Debug)]
pub(crate) struct SourceError {
    faults: Vec<(PathBuf, Fault)>,
}

#[derive(Debug)]
enum Fault {
    Io(io::Error),
    NotUtf8,
    TooLong,
    TooDeep,
    NoFiles,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, fault)) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: ", path.display())?;
            match fault {
                Fault::Io(error) => write!(f, "读不出来：{error} / cannot be read: {error}"),
                Fault::NotUtf8 => write!(f, "不是 UTF-8 编码，请另存为 UTF-8 / not UTF-8; save it as UTF-8"),
                Fault::TooLong => write!(f, "超过 4 MiB，请拆成几个文件 / exceeds 4 MiB; split it"),
                Fault::TooDeep => write!(f, "目录嵌套超过 {DEPTH_MAX} 层 / nested deeper than {DEPTH_MAX} directories"),
                Fault::NoFiles => write!(f, "没有 .yaml 或 .yml 文件 / no .yaml or .yml files"),
            }?;
        }
        Ok(())
    }
}

impl std::error::Error for SourceError {}

/// Reads all `*.yaml` and `*.yml` files in `directory` and below, hidden ones left out.
pub(crate) fn read(directory: &Path) -> Result<Source, SourceError> {
    let mut faults = Vec::new();
    let mut paths = Vec::new();
    collect(directory, 0, &mut paths, &mut faults);
    paths.sort();
    if paths.is_empty() && faults.is_empty() {
        faults.push((directory.to_owned(), Fault::NoFiles));
    }
    let mut files = Vec::new();
    let mut version = Version::default();
    for path in paths {
        match text(&path) {
            Ok(text) => {
                // The version does not depend on where the directory lies.
                version.add(&path.strip_prefix(directory).unwrap_or(&path).to_string_lossy(), &text);
                files.push(SourceFile { name: path.display().to_string(), text });
            }
            Err(fault) => faults.push((path, fault)),
        }
    }
    let clauses = clauses(&directory.join(CLAUSES), &mut faults);
    if !faults.is_empty() {
        return Err(SourceError { faults });
    }
    Ok(Source { files, clauses, version: version.finish() })
}

/// The packs built into the binary: the repository's `rules` directory.
pub(crate) fn built_in() -> Source {
    let mut found: Vec<_> = BUILT_IN.files().collect();
    found.sort_by_key(|file| file.path());
    let mut files = Vec::new();
    let mut version = Version::default();
    for file in found {
        let is_rules = file.path().extension().is_some_and(|extension| extension == "yaml");
        if let Some(text) = file.contents_utf8().filter(|_| is_rules) {
            let name = file.path().display().to_string();
            version.add(&name, text);
            files.push(SourceFile { name: format!("built-in/{name}"), text: text.to_owned() });
        }
    }
    let table = BUILT_IN.get_file(CLAUSES).and_then(include_dir::File::contents_utf8);
    Source { files, clauses: table.map(clause_names), version: version.finish() }
}

/// The first 12 hexadecimal digits of the SHA-256 of the files' names and contents.
#[derive(Default)]
struct Version(Sha256);

impl Version {
    fn add(&mut self, name: &str, text: &str) {
        for part in [name.as_bytes(), text.as_bytes()] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn finish(self) -> String {
        self.0.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn collect(directory: &Path, depth: usize, paths: &mut Vec<PathBuf>, faults: &mut Vec<(PathBuf, Fault)>) {
    if depth > DEPTH_MAX {
        faults.push((directory.to_owned(), Fault::TooDeep));
        return;
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            faults.push((directory.to_owned(), Fault::Io(error)));
            return;
        }
    };
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                faults.push((directory.to_owned(), Fault::Io(error)));
                continue;
            }
        };
        // Editors and mounted volumes keep copies under hidden names.
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let is_rules = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => collect(&path, depth + 1, paths, faults),
            Ok(_) if is_rules => paths.push(path),
            Ok(_) => {}
            Err(error) if is_rules => faults.push((path, Fault::Io(error))),
            Err(_) => {}
        }
    }
}

fn text(path: &Path) -> Result<String, Fault> {
    let limit = FILE_BYTES_MAX as u64;
    let mut bytes = Vec::new();
    // Read up to the limit, not up to the length: what looks like a file may be a pipe.
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(Fault::Io)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    String::from_utf8(bytes).map_err(|_| Fault::NotUtf8)
}

fn clauses(path: &Path, faults: &mut Vec<(PathBuf, Fault)>) -> Option<BTreeSet<String>> {
    let table = match text(path) {
        Ok(table) => table,
        Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(fault) => {
            faults.push((path.to_owned(), fault));
            return None;
        }
    };
    Some(clause_names(&table))
}

fn clause_names(table: &str) -> BTreeSet<String> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let first = lines.filter_map(|line| line.split('\t').next()).map(str::trim);
    first.filter(|clause| !clause.is_empty() && *clause != "clause").map(str::to_owned).collect()
}
