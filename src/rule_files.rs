//! Rule files and scoring forms, read: from a directory, or as they were built into the program.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use crate::engine::act::MODEL_BYTES_MAX;
use crate::engine::diagnostic::{Diagnostic, Language, Position};
use crate::engine::rule::parse::{FILE_BYTES_MAX, SourceFile, is_model_file, is_parameters_file};
use crate::engine::rule::render::render;
use crate::engine::rule::sources::{Sources, Table};
use crate::engine::rule::thresholds::Thresholds;

/// Directories inside directories: a link that leads back to its parent ends here.
const DEPTH_MAX: usize = 8;
/// The table of clauses that rules may rest on: tab-separated, the first column counts.
const CLAUSES: &str = "clauses.tsv";
/// The learned model of acts and of the second look.
pub const MODEL: &str = "confidence.model";
/// Why clauses have no rules: clause, tab, reason.
const UNCOVERED: &str = "uncovered.tsv";
/// The name of a file of parameters, wherever it lies.
pub const PARAMETERS: &str = "parameters.yaml";
static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");
static FORMS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/forms");

/// Files that could not be read: all of them, each with its reason.
#[derive(Debug)]
pub struct SourceError {
    faults: Vec<(PathBuf, Fault)>,
}

#[derive(Debug)]
enum Fault {
    Io(io::Error),
    NotUtf8,
    TooLong,
    TooDeep,
    NoFiles,
    NotParameters,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "读不出来：{error} / cannot be read: {error}"),
            Self::NotUtf8 => write!(f, "不是 UTF-8 编码，请另存为 UTF-8 / not UTF-8; save it as UTF-8"),
            Self::TooLong => write!(f, "超过 4 MiB，请拆成几个文件 / exceeds 4 MiB; split it"),
            Self::TooDeep => write!(f, "目录嵌套超过 {DEPTH_MAX} 层 / nested deeper than {DEPTH_MAX} directories"),
            Self::NoFiles => write!(f, "没有 .yaml 或 .yml 文件 / no .yaml or .yml files"),
            Self::NotParameters => write!(
                f,
                "参数文件要叫 {PARAMETERS}，或以 .{PARAMETERS} 结尾 / a file of parameters is called {PARAMETERS} or ….{PARAMETERS}"
            ),
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, fault)) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {fault}", path.display())?;
        }
        Ok(())
    }
}

impl SourceError {
    /// The faults as diagnostics, one a file.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let diagnostic = |(path, fault): &(PathBuf, Fault)| {
            let file = Arc::from(path.display().to_string());
            let text = fault.to_string();
            Diagnostic::error("unreadable", Position { file, ..Position::default() }, text.clone(), text)
        };
        self.faults.iter().map(diagnostic).collect()
    }
}

impl std::error::Error for SourceError {}

/// Reads the rules of a directory: all `*.yaml` and `*.yml` files in it and below, hidden ones left out; without one,
/// the packs built in; and the parameters beside or instead of theirs.
///
/// # Errors
/// What of the files cannot be read.
pub fn read(
    directory: Option<&Path>,
    parameters: Option<&Path>,
    thresholds: Thresholds,
) -> Result<Sources, SourceError> {
    let mut faults = Vec::new();
    let mut gathered = Gathered::default();
    match directory {
        Some(directory) => gathered.directory(directory, &mut faults),
        None => gathered.built_in(),
    }
    if let Some(path) = parameters {
        gathered.files.retain(|(name, _)| !is_parameters_file(name));
        match text(path) {
            _ if !is_parameters_file(&path.to_string_lossy()) => faults.push((path.to_owned(), Fault::NotParameters)),
            Ok(text) => {
                let file = SourceFile { name: path.display().to_string(), text };
                gathered.files.push((PARAMETERS.to_owned(), file));
            }
            Err(fault) => faults.push((path.to_owned(), fault)),
        }
    }
    gathered.complete();
    if faults.is_empty() { Ok(gathered.finish(thresholds)) } else { Err(SourceError { faults }) }
}

/// Reads the scoring forms of a directory: all `*.yaml` and `*.yml` files in it and below; without one, the form that ships.
///
/// # Errors
/// What of the files cannot be read.
pub fn forms(directory: Option<&Path>) -> Result<Vec<SourceFile>, SourceError> {
    let Some(directory) = directory else {
        let file = |file: &include_dir::File<'_>| {
            Some(SourceFile {
                name: format!("built-in/{}", file.path().display()),
                text: file.contents_utf8()?.to_owned(),
            })
        };
        return Ok(FORMS.files().filter_map(file).collect());
    };
    let (mut paths, mut faults) = (Vec::new(), Vec::new());
    collect(directory, 0, &mut paths, &mut faults);
    paths.retain(|path| !is_model_file(&path.to_string_lossy()));
    paths.sort();
    if paths.is_empty() && faults.is_empty() {
        faults.push((directory.to_owned(), Fault::NoFiles));
    }
    let mut files = Vec::new();
    for path in paths {
        match text(&path) {
            Ok(text) => files.push(SourceFile { name: path.display().to_string(), text }),
            Err(fault) => faults.push((path, fault)),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(SourceError { faults }) }
}

/// Faults of rules for people: each with its line.
#[must_use]
pub fn rendered(faults: &[Diagnostic], sources: &Sources) -> String {
    render(faults, &sources.files, Language::Zh, false)
}

/// The files and faults found so far.
#[derive(Default)]
struct Gathered {
    /// Each with its name within the directory, so that the version does not depend on where that lies.
    files: Vec<(String, SourceFile)>,
    clauses: Option<Table>,
    uncovered: Option<Table>,
}

impl Gathered {
    fn directory(&mut self, directory: &Path, faults: &mut Vec<(PathBuf, Fault)>) {
        let mut paths = Vec::new();
        collect(directory, 0, &mut paths, faults);
        paths.sort();
        if paths.is_empty() && faults.is_empty() {
            faults.push((directory.to_owned(), Fault::NoFiles));
        }
        for path in paths {
            match text(&path) {
                Ok(text) => {
                    let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
                    self.files.push((name, SourceFile { name: path.display().to_string(), text }));
                }
                Err(fault) => faults.push((path, fault)),
            }
        }
        self.clauses = table(&directory.join(CLAUSES), faults);
        self.uncovered = table(&directory.join(UNCOVERED), faults);
    }

    /// The repository's `rules` directory.
    fn built_in(&mut self) {
        let mut found: Vec<_> = BUILT_IN.files().collect();
        found.sort_by_key(|file| file.path());
        for file in found {
            let is_rules = is_model_file(&file.path().to_string_lossy())
                || file.path().extension().is_some_and(|extension| extension == "yaml");
            if let Some(text) = file.contents_utf8().filter(|_| is_rules) {
                let name = file.path().display().to_string();
                let source = SourceFile { name: format!("built-in/{name}"), text: text.to_owned() };
                self.files.push((name, source));
            }
        }
        let table = |name: &str| {
            let text = BUILT_IN.get_file(name).and_then(include_dir::File::contents_utf8)?;
            Some(Table { name: format!("built-in/{name}"), text: text.to_owned() })
        };
        self.clauses = table(CLAUSES);
        self.uncovered = table(UNCOVERED);
    }

    /// Rules that speak of acts and come without a model of their own get the one that ships.
    fn complete(&mut self) {
        let speaks_of_acts = self.files.iter().any(|(_, file)| file.text.contains("act:"));
        let has_model = self.files.iter().any(|(name, _)| is_model_file(name));
        if speaks_of_acts
            && !has_model
            && let Some(text) = BUILT_IN.get_file(MODEL).and_then(include_dir::File::contents_utf8)
        {
            let source = SourceFile { name: format!("built-in/{MODEL}"), text: text.to_owned() };
            self.files.push((MODEL.to_owned(), source));
        }
    }

    fn finish(self, thresholds: Thresholds) -> Sources {
        let (within, files) = self.files.into_iter().unzip();
        Sources { files, within, clauses: self.clauses, uncovered: self.uncovered, thresholds }
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
        let is_rules = is_model_file(&path.to_string_lossy())
            || path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
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
    let bytes_max = if is_model_file(&path.to_string_lossy()) { MODEL_BYTES_MAX } else { FILE_BYTES_MAX };
    let limit = bytes_max as u64;
    let mut bytes = Vec::new();
    // Read up to the limit, not up to the length: what looks like a file may be a pipe.
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(Fault::Io)?;
    if bytes.len() > bytes_max {
        return Err(Fault::TooLong);
    }
    String::from_utf8(bytes).map_err(|_| Fault::NotUtf8)
}

fn table(path: &Path, faults: &mut Vec<(PathBuf, Fault)>) -> Option<Table> {
    match text(path) {
        Ok(text) => Some(Table { name: path.display().to_string(), text }),
        Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(fault) => {
            faults.push((path.to_owned(), fault));
            None
        }
    }
}
