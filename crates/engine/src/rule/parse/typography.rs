//! Full-width punctuation where YAML needs half-width, and tabs.
//!
//! Chinese input methods type `：` for `:`, and no YAML parser explains what
//! follows from it: `severity：warning` is to YAML a text, and the fault shows
//! up somewhere else. So the raw text is looked through first. What is found
//! is reported and repaired, so that the rest of the file can still be read.
//! Only places where a key must stand are touched: full-width punctuation
//! inside phrases is everyday text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Faults, Position};
use crate::rule::surface;

/// Line numbers, and in each the columns at which `repair` put in a character.
type Insertions = BTreeMap<u32, Vec<u32>>;
/// Line numbers.
pub(super) type Lines = BTreeSet<u32>;

/// The text with its typography put right, and what is needed to find the way back.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    pub(super) text: String,
    insertions: Insertions,
    /// Lines with a fault that was reported.
    pub(super) fault_lines: Lines,
    /// Lines indented with tabs: how deep they were meant to be, nobody knows.
    pub(super) tab_lines: Lines,
}

impl Repaired {
    /// The column in the file of a column in `text`; both from 1.
    pub(super) fn original_column(&self, line: u32, column: u32) -> u32 {
        let Some(inserted) = self.insertions.get(&line) else { return column };
        // They were made from left to right.
        let before = inserted.partition_point(|at| *at < column);
        column.saturating_sub(u32::try_from(before).unwrap_or(u32::MAX)).max(1)
    }
}

pub(super) fn repair(file: &Arc<str>, text: &str, out: &mut Faults) -> Repaired {
    let mut result = Repaired { text: String::with_capacity(text.len()), ..Repaired::default() };
    // Indentation of the key whose `|` or `>` block we are in.
    let mut block: Option<usize> = None;
    let mut brackets = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        if let Some(parent) = block {
            if line.trim().is_empty() || indent > parent {
                result.text.push_str(line);
                continue;
            }
            block = None;
        }
        let mut pass = Pass { file, line: number, result: &mut result, out, column: 0, written: 0 };
        let key_at = pass.line(line, &mut brackets);
        let content = line.trim_end();
        let content = content.rsplit_once(" #").map_or(content, |(before, _)| before).trim_end();
        if content.ends_with(['|', '>']) || [" |-", " >-", " |+", " >+"].iter().any(|end| content.ends_with(end)) {
            block = Some(key_at);
        }
    }
    result
}

/// One line on its way from the file to the repaired text.
struct Pass<'a> {
    file: &'a Arc<str>,
    line: u32,
    result: &'a mut Repaired,
    out: &'a mut Faults,
    /// Characters read.
    column: u32,
    /// Characters written.
    written: u32,
}

impl Pass<'_> {
    /// Returns the indentation of the line's first key.
    fn line(&mut self, line: &str, brackets: &mut Vec<char>) -> usize {
        let chars: Vec<char> = line.chars().collect();
        let mut i = self.indentation(&chars);
        let mut after_dash = false;
        while brackets.is_empty() {
            match (chars.get(i), chars.get(i + 1)) {
                (Some('-'), Some(' ')) => {}
                (Some('－' | '—'), Some(next)) if !"－—-".contains(*next) => {
                    self.fault(
                        "full-width-dash",
                        1,
                        ("这里的横线是全角的", "this dash is full-width"),
                        ("列表的每一项以半角的 `- ` 开头。", "Items of a list begin with a half-width `- `."),
                    );
                    let spaced = *next == ' ';
                    self.replace('-');
                    if spaced {
                        self.copy(' ');
                    } else {
                        self.insert(' ');
                    }
                    i += 1 + usize::from(spaced);
                    after_dash = true;
                    continue;
                }
                _ => break,
            }
            after_dash = true;
            self.copy('-');
            i += 1;
            while chars.get(i) == Some(&' ') {
                self.copy(' ');
                i += 1;
            }
        }
        let key_at = self.written as usize;
        // Whether a key may begin at the next character.
        let mut key = brackets.last().is_none_or(|open| *open == '{');
        // Whether a value may begin: only there a quote opens a quoted text.
        let mut value = true;
        while let Some(c) = chars.get(i).copied() {
            if key && c.is_ascii_lowercase() {
                let end = i + chars[i..].iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').count();
                let name: String = chars[i..end].iter().collect();
                chars[i..end].iter().for_each(|c| self.copy(*c));
                i = end;
                (key, value) = (false, false);
                let gap = chars[i..].iter().take_while(|c| **c == ' ').count();
                let mark = chars.get(i + gap).copied();
                if let Some(mark @ ('：' | '＝' | '=')) = mark
                    && (!after_dash || surface::is_key(&name))
                {
                    for _ in 0..gap {
                        self.copy(' ');
                    }
                    self.wrong_colon(&name, mark);
                    i += gap + 1;
                    if chars.get(i).is_some_and(|c| !c.is_whitespace()) {
                        self.insert(' ');
                    }
                    value = true;
                }
                continue;
            }
            match c {
                '"' | '\'' if value => {
                    let end = quoted_end(&chars, i);
                    chars[i..end].iter().for_each(|c| self.copy(*c));
                    i = end;
                    (key, value) = (false, false);
                    continue;
                }
                '#' if i == 0 || chars[i - 1].is_whitespace() => break,
                '[' | '{' if value || !brackets.is_empty() => {
                    brackets.push(c);
                    (key, value) = (c == '{', true);
                }
                ']' | '}' => {
                    brackets.pop();
                    (key, value) = (false, false);
                }
                ',' if !brackets.is_empty() => (key, value) = (brackets.last() == Some(&'{'), true),
                // A full-width comma right after a quoted text or a bracket can only be meant as a separator.
                '，' | '、' if !brackets.is_empty() && i > 0 && "\"']}".contains(chars[i - 1]) => {
                    self.fault(
                        "full-width-comma",
                        1,
                        (&format!("这里的 `{c}` 是全角的"), &format!("this `{c}` is full-width")),
                        ("各项之间用半角逗号 `, ` 分开。", "Separate items with a half-width comma, `, `."),
                    );
                    self.replace(',');
                    i += 1;
                    if chars.get(i).is_some_and(|c| !c.is_whitespace()) {
                        self.insert(' ');
                    }
                    (key, value) = (brackets.last() == Some(&'{'), true);
                    continue;
                }
                ':' => (key, value) = (false, true),
                c if c.is_whitespace() => {}
                _ => (key, value) = (false, false),
            }
            self.copy(c);
            i += 1;
        }
        chars[i..].iter().for_each(|c| self.copy(*c));
        key_at
    }

    fn indentation(&mut self, chars: &[char]) -> usize {
        let count = chars.iter().take_while(|c| matches!(c, ' ' | '\t' | '\u{3000}')).count();
        if chars[count..].iter().all(|c| c.is_whitespace()) {
            chars[..count].iter().for_each(|_| self.copy(' '));
            return count;
        }
        if let Some(tab) = chars[..count].iter().position(|c| *c == '\t') {
            self.result.tab_lines.insert(self.line);
            self.column = u32::try_from(tab).unwrap_or(u32::MAX);
            self.fault(
                "tab",
                1,
                ("缩进里有制表符（Tab）", "there is a tab in the indentation"),
                (
                    "缩进只能用空格；请把编辑器设成用空格代替 Tab。",
                    "Indent with spaces only; set your editor to write spaces for tabs.",
                ),
            );
            self.column = 0;
        }
        if let Some(wide) = chars[..count].iter().position(|c| *c == '\u{3000}') {
            self.column = u32::try_from(wide).unwrap_or(u32::MAX);
            self.fault(
                "full-width-space",
                1,
                ("缩进里有全角空格", "there is a full-width space in the indentation"),
                ("缩进只能用半角空格。", "Indent with half-width spaces only."),
            );
            self.column = 0;
        }
        for c in &chars[..count] {
            if *c == '\u{3000}' {
                // As wide as two half-width spaces: most likely what was meant.
                self.replace(' ');
                self.insert(' ');
            } else {
                self.copy(*c);
            }
        }
        count
    }

    fn wrong_colon(&mut self, name: &str, mark: char) {
        let (zh, en) = if mark == '=' {
            (format!("`{name}` 后面是等号 `=`"), format!("`{name}` is followed by `=`"))
        } else {
            (format!("`{name}` 后面的 `{mark}` 是全角的"), format!("the `{mark}` after `{name}` is full-width"))
        };
        let help_zh = format!("改成半角冒号加一个空格：`{name}: …`。");
        let help_en = format!("Write a half-width colon and a space: `{name}: …`.");
        self.fault("full-width-colon", 1, (&zh, &en), (&help_zh, &help_en));
        self.replace(':');
    }

    fn fault(&mut self, code: &'static str, length: u32, text: (&str, &str), help: (&str, &str)) {
        let at = Position { file: Arc::clone(self.file), line: self.line, column: self.column + 1, length };
        self.result.fault_lines.insert(self.line);
        self.out.push(Diagnostic::error(code, at, text.0, text.1).help(help.0, help.1));
    }

    /// Writes the character that was read.
    fn copy(&mut self, c: char) {
        self.replace(c);
    }

    /// Writes `c` for the character that was read.
    fn replace(&mut self, c: char) {
        self.result.text.push(c);
        self.column += 1;
        self.written += 1;
    }

    /// Writes a character that is not in the file.
    fn insert(&mut self, c: char) {
        self.result.text.push(c);
        self.written += 1;
        self.result.insertions.entry(self.line).or_default().push(self.written);
    }
}

/// Where the quoted text that begins at `start` ends, or the line does.
fn quoted_end(chars: &[char], start: usize) -> usize {
    let quote = chars[start];
    let mut i = start + 1;
    while let Some(c) = chars.get(i) {
        let escaped = *c == '\\' && quote == '"';
        let doubled = *c == '\'' && quote == '\'' && chars.get(i + 1) == Some(&'\'');
        if escaped || doubled {
            i += 2;
        } else if *c == quote {
            return i + 1;
        } else {
            i += 1;
        }
    }
    chars.len()
}
