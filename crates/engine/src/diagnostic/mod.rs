//! A fault in a file that people write: where it is, what is wrong, what to do.
//!
//! Rules and the configuration of a server tell their faults so. A leaf: it knows nothing of either.

mod nearest;

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
    /// What is wrong, in Chinese.
    pub zh: String,
    /// What is wrong, in English.
    pub en: String,
    /// What to do about it, in Chinese; empty when `zh` says it all.
    pub help_zh: String,
    /// What to do about it, in English.
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

    /// The same, telling what to do.
    #[must_use]
    pub fn help(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.help_zh = zh.into();
        self.help_en = en.into();
        self
    }
}
