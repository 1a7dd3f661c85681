//! Diagnostics for people: the offending line, marked, in Chinese or English.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::parse::SourceFile;
use crate::diagnostic::{self, Diagnostic, Language, Position};
use crate::text::is_formatting;

/// The text of `diagnostics`, each with its line out of `files`.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile], language: Language, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut result = String::new();
    // Lines are looked up once a file: a big file with many faults would be searched again and again.
    let lines: Vec<(&str, Vec<&str>)> =
        files.iter().map(|file| (file.name.as_str(), file.text.split('\n').collect())).collect();
    for diagnostic in diagnostics {
        let (text, help) = match language {
            Language::Zh => (&diagnostic.zh, &diagnostic.help_zh),
            Language::En => (&diagnostic.en, &diagnostic.help_en),
        };
        let (level, name) = match (diagnostic.level, language) {
            (diagnostic::Level::Error, Language::Zh) => (Level::ERROR, "错误"),
            (diagnostic::Level::Error, Language::En) => (Level::ERROR, "error"),
            (diagnostic::Level::Warning, Language::Zh) => (Level::WARNING, "提醒"),
            (diagnostic::Level::Warning, Language::En) => (Level::WARNING, "warning"),
        };
        // Rule files come from anywhere: what they put into a message must not steer the terminal.
        let title = printable(text);
        let help = printable(help);
        let at = &diagnostic.at;
        let shown = lines
            .iter()
            .find(|(name, _)| *name == &*at.file)
            .and_then(|(_, lines)| lines.get((at.line as usize).checked_sub(1)?))
            .map(|line| Shown::of(line.strip_suffix('\r').unwrap_or(line).trim_start_matches('\u{feff}'), at));
        let group: Group<'_> =
            Group::with_title(level.with_name(name).primary_title(title.as_str()).id(diagnostic.code));
        let group = match &shown {
            Some(Shown { text, marked, is_whole: true }) => group.element(
                Snippet::source(text.as_str())
                    .path(&*at.file)
                    .line_start(at.line as usize)
                    .annotation(AnnotationKind::Primary.span(marked.clone())),
            ),
            // The place is not that in the piece that is shown.
            Some(Shown { text, marked, is_whole: false }) => {
                group.element(Origin::path(&*at.file).line(at.line as usize).char_column(at.column as usize)).element(
                    Snippet::source(text.as_str())
                        .line_start(at.line as usize)
                        .annotation(AnnotationKind::Primary.span(marked.clone())),
                )
            }
            None => group.element(Origin::path(&*at.file)),
        };
        let hint = match language {
            Language::Zh => "建议",
            Language::En => "help",
        };
        let group =
            if help.is_empty() { group } else { group.element(Level::HELP.with_name(hint).message(help.as_str())) };
        result.push_str(&renderer.render(&[group]));
        result.push_str("\n\n");
    }
    result
}

/// Characters of a line that are shown on either side of what is marked, where
/// the line is longer than both. A file may be one line of megabytes.
const AROUND: usize = 200;

/// A line of a file, or the piece of it around a fault.
struct Shown {
    text: String,
    /// The bytes of `text` that are marked.
    marked: std::ops::Range<usize>,
    is_whole: bool,
}

impl Shown {
    fn of(line: &str, at: &Position) -> Self {
        let start = (at.column as usize).saturating_sub(1);
        let is_whole = line.len() <= 2 * AROUND;
        let skipped = if is_whole { 0 } else { start.saturating_sub(AROUND) };
        let piece = line.char_indices().nth(skipped).map_or("", |(byte, _)| &line[byte..]);
        let length = if is_whole { usize::MAX } else { 2 * AROUND };
        let text = printable(piece.char_indices().nth(length).map_or(piece, |(byte, _)| &piece[..byte]));
        let byte = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(byte, _)| byte);
        let first = start - skipped;
        let marked = byte(first)..byte(first.saturating_add((at.length as usize).max(1)));
        Self { text, marked, is_whole }
    }
}

/// Replaces control characters by one visible character each.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if is_formatting(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
