//! A fault in a file that people write: where it is, what is wrong, what to do.
//!
//! Rules and the configuration of a server tell their faults so. A leaf: it knows nothing of either.

mod nearest;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use self::nearest::nearest;

/// A place in a rule file. Lines and columns count from 1, columns in
/// Unicode scalar values. Line 0 means the file as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file, as it was named on loading.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Length of the marked text in Unicode scalar values; 0 marks one place.
    pub length: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and the place it was written at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Position,
}

impl<T> Located<T> {
    /// `value`, written at `at`.
    pub const fn new(value: T, at: Position) -> Self {
        Self { value, at }
    }
}

/// The language in which diagnostics are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// 中文.
    #[default]
    Zh,
    /// English.
    En,
}

/// Whether the rules can be used in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The rules cannot be used.
    Error,
    /// They can, but somebody should look.
    Warning,
}

/// One fault, worded for a reader of Chinese and for a reader of English.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub level: Level,
    /// A stable, greppable name of the kind of fault, such as `unknown-key`.
    pub code: &'static str,
    /// Where.
    pub at: Position,
    /// The fault, in Chinese.
    pub zh: String,
    /// The fault, in English.
    pub en: String,
    /// The remedy, in Chinese; empty if `zh` says it all.
    pub help_zh: String,
    /// The remedy, in English.
    pub help_en: String,
}

impl Diagnostic {
    /// An error without help text.
    pub fn error(code: &'static str, at: Position, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            code,
            at,
            zh: zh.into(),
            en: en.into(),
            help_zh: String::new(),
            help_en: String::new(),
        }
    }

    /// A warning without help text.
    pub fn warning(code: &'static str, at: Position, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, at, zh, en) }
    }

    /// The diagnostic with its remedy.
    #[must_use]
    pub fn help(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.help_zh = zh.into();
        self.help_en = en.into();
        self
    }
}

/// Faults of one file that are told one by one; what is more is counted. Nobody
/// mends hundreds at a time, and a file may be made of nothing else.
pub const FAULTS_MAX: usize = 200;

/// Faults as they are found: the first [`FAULTS_MAX`] of each file, and how many more.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) kept: Vec<Diagnostic>,
    files: BTreeMap<Arc<str>, Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    kept: usize,
    errors_more: usize,
    warnings_more: usize,
}

impl Faults {
    pub(crate) fn push(&mut self, fault: Diagnostic) {
        let count = match self.files.get_mut(&fault.at.file) {
            Some(count) => count,
            None => self.files.entry(Arc::clone(&fault.at.file)).or_default(),
        };
        if count.kept < FAULTS_MAX {
            count.kept += 1;
            self.kept.push(fault);
        } else {
            match fault.level {
                Level::Error => count.errors_more += 1,
                Level::Warning => count.warnings_more += 1,
            }
        }
    }

    /// Takes all faults of `others`.
    pub(crate) fn append(&mut self, others: Self) {
        self.extend(others.kept);
        for (file, more) in others.files {
            let count = self.files.entry(file).or_default();
            count.errors_more += more.errors_more;
            count.warnings_more += more.warnings_more;
        }
    }

    /// Whether a fault of `file` was found.
    pub(crate) fn concern(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// Whether the rules cannot be used.
    pub(crate) fn has_error(&self) -> bool {
        self.kept.iter().any(|fault| fault.level == Level::Error)
            || self.files.values().any(|count| count.errors_more > 0)
    }

    /// The faults in the order of `by`, which keeps those of a file together;
    /// behind them, one that says how many more the file has.
    pub(crate) fn finish(self, by: impl Fn(&Diagnostic, &Diagnostic) -> std::cmp::Ordering) -> Vec<Diagnostic> {
        let Self { mut kept, mut files } = self;
        kept.sort_by(by);
        let mut told = Vec::with_capacity(kept.len());
        let mut faults = kept.into_iter().peekable();
        while let Some(fault) = faults.next() {
            let file = Arc::clone(&fault.at.file);
            told.push(fault);
            if faults.peek().is_none_or(|next| next.at.file != file) {
                told.extend(files.remove(&file).and_then(|count| count.more(file)));
            }
        }
        told
    }
}

impl Extend<Diagnostic> for Faults {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, faults: T) {
        faults.into_iter().for_each(|fault| self.push(fault));
    }
}

impl Count {
    fn more(self, file: Arc<str>) -> Option<Diagnostic> {
        let count = self.errors_more + self.warnings_more;
        let at = Position { file, ..Position::default() };
        let level = if self.errors_more > 0 { Level::Error } else { Level::Warning };
        let more = Diagnostic::error(
            "more-faults",
            at,
            format!("这个文件还有 {count} 处，没有一一列出"),
            format!("this file has {count} more, which are not listed"),
        );
        (count > 0).then(|| {
            Diagnostic { level, ..more }.help("先改好上面的，再检查一遍。", "Mend those above, then check again.")
        })
    }
}
