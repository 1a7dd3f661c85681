//! Diagnostics for people: the offending line, marked, in Chinese or English.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::parse::SourceFile;
use crate::diagnostic::{self, Diagnostic, Language, Position};

/// What is said of `diagnostics`, each with its line out of `files`.
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
        let line = lines
            .iter()
            .find(|(name, _)| *name == &*diagnostic.at.file)
            .and_then(|(_, lines)| lines.get((diagnostic.at.line as usize).checked_sub(1)?))
            .map(|line| printable(line.strip_suffix('\r').unwrap_or(line).trim_start_matches('\u{feff}')));
        let group: Group<'_> =
            level.with_name(name).primary_title(title.as_str()).id(diagnostic.code).elements(line.iter().map(|line| {
                Snippet::source(line.as_str())
                    .path(&*diagnostic.at.file)
                    .line_start(diagnostic.at.line as usize)
                    .annotation(AnnotationKind::Primary.span(marked(&diagnostic.at, line)))
            }));
        let group = match line {
            Some(_) => group,
            None => group.element(Origin::path(&*diagnostic.at.file)),
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

/// The bytes of `line` that a position marks.
fn marked(at: &Position, line: &str) -> std::ops::Range<usize> {
    let byte = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(byte, _)| byte);
    let start = (at.column as usize).saturating_sub(1);
    byte(start)..byte(start + (at.length as usize).max(1))
}

/// The same number of characters, none of which a terminal obeys.
fn printable(text: &str) -> String {
    let direction = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() || direction(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
