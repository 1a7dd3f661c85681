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
    /// Lines on which a quote or a bracket opens that nothing closes: what follows is read wrongly.
    pub(super) unclosed_lines: Lines,
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
    // Where the quote or bracket opened that the lines before left open, and how deep its line is.
    let mut left_open: Option<Open> = None;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        if let Some(parent) = block {
            if line.trim().is_empty() || indent > parent {
                result.text.push_str(line);
                continue;
            }
            block = None;
        }
        if let Some(open) = left_open.take_if(|open| indent <= open.indent && begins_entry(line)) {
            result.unclosed_lines.insert(open.line);
            brackets.clear();
            out.push(open.fault(file));
        }
        let mut pass = Pass { file, line: number, result: &mut result, out, column: 0, written: 0, open: None };
        let was_open = !brackets.is_empty();
        let key_at = pass.line(line, &mut brackets);
        let opened = pass.open;
        if !was_open || brackets.is_empty() {
            left_open = opened.map(|(column, mark)| Open { line: number, column, mark, indent });
        }
        let content = line.trim_end();
        let content = content.rsplit_once(" #").map_or(content, |(before, _)| before).trim_end();
        if content.ends_with(['|', '>']) || [" |-", " >-", " |+", " >+"].iter().any(|end| content.ends_with(end)) {
            block = Some(key_at);
        }
    }
    result
}

/// A quote or a bracket that its line does not close.
struct Open {
    line: u32,
    column: u32,
    mark: char,
    /// How deep its line is indented.
    indent: usize,
}

impl Open {
    fn fault(&self, file: &Arc<str>) -> Diagnostic {
        let Self { line, column, mark, .. } = *self;
        let at = Position { file: Arc::clone(file), line, column, length: 1 };
        let close = match mark {
            '[' => ']',
            '{' => '}',
            quote => quote,
        };
        let (zh, en) = match mark {
            '[' | '{' => (format!("`{mark}` 没有结束"), format!("`{mark}` is not closed")),
            _ => ("引号没有结束".to_owned(), "a quote is not closed".to_owned()),
        };
        Diagnostic::error("yaml-syntax", at, zh, en)
            .help(format!("在这一行的末尾补上 `{close}`。"), format!("Add `{close}` at the end of this line."))
    }
}

/// Whether a line begins a new entry: a key, or an item of a list.
fn begins_entry(line: &str) -> bool {
    let content = line.trim_start();
    let key = content.strip_prefix("- ").unwrap_or(content);
    let length = key.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).count();
    let rest: String = key.chars().skip(length).take(2).collect();
    content.starts_with("- ") || length > 0 && (rest.starts_with(": ") || rest.trim_end() == ":")
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
    /// The first quote or bracket that is open at the line's end: its column, from 1.
    open: Option<(u32, char)>,
}

impl Pass<'_> {
    /// Returns the indentation of the line's first key.
    fn line(&mut self, line: &str, brackets: &mut Vec<char>) -> usize {
        let chars: Vec<char> = line.chars().collect();
        let mut i = self.indentation(&chars);
        let mut after_dash = false;
        let mut opened: Vec<(u32, char)> = Vec::new();
        while brackets.is_empty() {
            match (chars.get(i), chars.get(i + 1)) {
                (Some('-'), Some(' ')) => {}
                (Some('-'), Some(next)) if next.is_ascii_lowercase() && names_key(&chars[i + 1..]) => {
                    self.fault(
                        "missing-space",
                        1,
                        ("`-` 后面少一个空格", "a space is missing after `-`"),
                        (
                            "列表的每一项以 `- ` 开头，横线后面空一格。",
                            "Items of a list begin with `- `, with a space.",
                        ),
                    );
                    self.copy('-');
                    self.insert(' ');
                    i += 1;
                    after_dash = true;
                    continue;
                }
                (Some(dash @ ('－' | '—' | '–' | '−' | '‐' | '‑' | '―' | '﹣')), Some(next))
                    if !DASHES.contains(next) =>
                {
                    self.fault(
                        "full-width-dash",
                        1,
                        (
                            &format!("这里的横线 `{dash}` 不是半角的 `-`"),
                            &format!("this dash `{dash}` is not a half-width `-`"),
                        ),
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
                } else if mark == Some(':')
                    && gap == 0
                    && brackets.is_empty()
                    && chars.get(i + 1).is_some_and(|c| !c.is_whitespace())
                    && surface::is_key(&name)
                {
                    let (zh, en) = (format!("`{name}:` 后面少一个空格"), format!("a space is missing after `{name}:`"));
                    let help = format!("`{name}: …`");
                    self.fault(
                        "missing-space",
                        1,
                        (&zh, &en),
                        (&format!("冒号后面空一格：{help}。"), &format!("Leave a space after the colon: {help}.")),
                    );
                    self.copy(':');
                    self.insert(' ');
                    i += 1;
                    value = true;
                }
                continue;
            }
            match c {
                '"' | '\'' if value => {
                    let end = quoted_end(&chars, i);
                    if end == chars.len() && !closes(&chars, i) {
                        opened.push((self.column + 1, c));
                    }
                    chars[i..end].iter().for_each(|c| self.copy(*c));
                    i = end;
                    (key, value) = (false, false);
                    continue;
                }
                '#' if i == 0 || chars[i - 1].is_whitespace() => {
                    self.cut_text(&chars, i, value);
                    break;
                }
                '[' | '{' if value || !brackets.is_empty() => {
                    brackets.push(c);
                    opened.push((self.column + 1, c));
                    (key, value) = (c == '{', true);
                }
                ']' | '}' => {
                    let opener = if c == ']' { '[' } else { '{' };
                    if brackets.pop().is_some_and(|open| open != opener) {
                        // Which of them is meant, the parser asks.
                        brackets.clear();
                        opened.clear();
                    }
                    opened.pop();
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
        // A bracket that a quote swallows is not to blame.
        let quote = opened.iter().find(|(_, mark)| matches!(mark, '"' | '\''));
        self.open = quote.or(opened.first()).copied();
        key_at
    }

    /// Warns of a text that a `#` cuts off: a comment has a space behind its `#`.
    fn cut_text(&mut self, chars: &[char], at: usize, nothing_before: bool) {
        let is_comment = chars.get(at + 1).is_none_or(|c| c.is_whitespace() || *c == '#');
        if is_comment || nothing_before || chars[..at].iter().all(char::is_ascii) {
            return;
        }
        let place = Position { file: Arc::clone(self.file), line: self.line, column: self.column + 1, length: 1 };
        self.out.push(
            Diagnostic::warning(
                "cut-text",
                place,
                "文字到 ` #` 为止，`#` 和后面的都成了注释",
                "the text ends at ` #`: the rest of the line is a comment",
            )
            .help(
                "`#` 属于文字，就给整段文字加双引号；真是注释，就在 `#` 后面空一格。",
                "If `#` belongs to the text, put it in double quotes; if it is a comment, leave a space after `#`.",
            ),
        );
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

/// Marks that look like the `-` of a list.
const DASHES: &[char] = &['－', '—', '–', '−', '‐', '‑', '―', '﹣', '-'];

/// Whether a key that is known begins here, with its colon.
fn names_key(chars: &[char]) -> bool {
    let name: String = chars.iter().take_while(|c| c.is_ascii_lowercase() || **c == '_').collect();
    matches!(chars.get(name.len()), Some(':' | '：')) && surface::is_key(&name)
}

/// Whether the quoted text that begins at `start` ends on its line.
fn closes(chars: &[char], start: usize) -> bool {
    let end = quoted_end(chars, start);
    end > start + 1 && chars.get(end - 1) == Some(&chars[start]) && quoted_end(&chars[..end - 1], start) == end - 1
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
