//! An alert for human eyes: state, rule and message, and the evidence with the
//! words marked under the text.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use tingjian::adapter::alert_json::AlertJson;
use tingjian::engine::alert::{AlertState, Evidence};
use tingjian::engine::severity::Severity;
use tingjian::engine::time::CallTime;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters shown on either side of the marked words.
const CONTEXT_CHARS: usize = 24;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Writes one alert, with colours that the stream strips where they are not wanted.
pub(crate) fn alert(out: &mut dyn Write, alert: &AlertJson<'_>) -> io::Result<()> {
    let style = style(alert.severity, alert.state);
    write!(
        out,
        "{DIM}{}{DIM:#} {style}{} {}{style:#} {BOLD}{}{BOLD:#}",
        CallTime(alert.at_ms),
        alert.state.zh(),
        alert.severity.zh(),
        plain(&alert.rule_name),
    )?;
    write!(out, " {DIM}{} · 通话 {} · 坐席 {}", plain(&alert.rule_id), plain(&alert.call_id), plain(&alert.agent_id))?;
    if alert.deduct > 0 {
        write!(out, " · 扣 {} 分", alert.deduct)?;
    }
    writeln!(out, "{DIM:#}")?;
    for evidence in alert.evidence.iter() {
        words(out, evidence, style)?;
    }
    if !alert.message.is_empty() {
        writeln!(out, "    {}", plain(&alert.message))?;
    }
    if let Some(suggestion) = &alert.suggestion {
        writeln!(out, "    建议：{}", plain(suggestion))?;
    }
    Ok(())
}

/// Prints an utterance with the words in question marked under it.
pub(crate) fn words(out: &mut dyn Write, evidence: &Evidence, style: Style) -> io::Result<()> {
    let label = format!("    {}：", evidence.role.zh());
    let marked = Marked::new(&evidence.text, evidence.start, evidence.end);
    writeln!(out, "{DIM}{label}{DIM:#}{}", marked.shown)?;
    if marked.width > 0 {
        let indent = " ".repeat(label.width() + marked.before);
        let carets = "^".repeat(marked.width);
        let homophone = if evidence.homophone { " 同音" } else { "" };
        writeln!(out, "{indent}{style}{carets}{style:#}{DIM}{homophone}{DIM:#}")?;
    }
    Ok(())
}

/// A stretch of text around the words in question, and where the marks go, in
/// columns of the terminal: a Chinese character is two wide.
struct Marked {
    shown: String,
    before: usize,
    width: usize,
}

impl Marked {
    fn new(text: &str, start: usize, end: usize) -> Self {
        let from = start.saturating_sub(CONTEXT_CHARS);
        let until = end.saturating_add(CONTEXT_CHARS);
        let mut marked = Self { shown: String::new(), before: 0, width: 0 };
        if from > 0 {
            marked.shown.push('…');
            marked.before += '…'.width().unwrap_or(0);
        }
        for (place, character) in text.chars().enumerate().skip(from) {
            if place >= until {
                marked.shown.push('…');
                break;
            }
            let character = printable(character);
            marked.shown.push(character);
            let width = character.width().unwrap_or(0);
            if place < start {
                marked.before += width;
            } else if place < end {
                marked.width += width;
            }
        }
        marked
    }
}

/// Replaces control characters: text from a producer must not steer the terminal.
fn printable(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

/// `text` without control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// The colour of a state.
pub(crate) const fn style(severity: Severity, state: AlertState) -> Style {
    let colour = match (state, severity) {
        (AlertState::Retracted, _) => return Style::new().dimmed(),
        (AlertState::Resolved, _) => AnsiColor::Green,
        (AlertState::Reminder, _) | (_, Severity::Info) => AnsiColor::Cyan,
        (_, Severity::Warning) => AnsiColor::Yellow,
        (_, Severity::Critical) => AnsiColor::Red,
    };
    colour.on_default().bold()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_under_wide_characters() {
        let marked = Marked::new("OK 这个我不知道", 6, 9);
        assert_eq!((marked.shown.as_str(), marked.before, marked.width), ("OK 这个我不知道", 9, 6));
    }

    #[test]
    fn a_long_text_is_cut_around_the_words() {
        let text = format!("{}坏话{}", "前".repeat(100), "后".repeat(100));
        let marked = Marked::new(&text, 100, 102);
        let shown = format!("…{}坏话{}…", "前".repeat(24), "后".repeat(24));
        assert_eq!((marked.shown, marked.before, marked.width), (shown, 1 + 48, 4));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[31m\nb"), "a [31m b");
    }
}
