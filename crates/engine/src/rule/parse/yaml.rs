//! YAML text to a tree in which every key and every value knows its place.
//!
//! Built on the events of granit-parser, the parser under serde-saphyr, and
//! not on serde: a deserializer stops at its first fault, and has lost the
//! places of keys and the second of two equal keys by the time one could look
//! for more. Anchors, aliases, tags and further documents are refused: named
//! lists do the same work readably, and without aliases a small file cannot
//! grow into a big tree.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use super::typography::{self, Repaired};
use crate::diagnostic::{Diagnostic, Faults, Position};

/// Collections inside collections. The deepest sensible rule needs about 12.
const NESTING_MAX: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(in crate::rule) struct Node {
    pub(in crate::rule) at: Position,
    /// Where it stands in the text that was read, which is the file's as [`strict`] reads it.
    pub(in crate::rule) bytes: Range<usize>,
    pub(in crate::rule) content: Content,
}

#[derive(Clone, Debug)]
pub(in crate::rule) enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// An alias: it has been reported, and stands for anything.
    Refused,
    Scalar(String, Style),
    List(Vec<Node>),
    /// In order, duplicates and all.
    Map(Vec<(Node, Node)>),
}

impl Content {
    /// The text of a scalar.
    pub(in crate::rule) fn as_text(&self) -> Option<&str> {
        if let Self::Scalar(text, _) = self { Some(text) } else { None }
    }
}

/// How a scalar was written, where that changes what it can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rule) enum Style {
    Plain,
    /// Plain and inside `[…]` or `{…}`.
    PlainInFlow,
    Quoted,
    /// A `|` block: its lines are the file's lines.
    Literal,
    Folded,
}

impl Style {
    pub(in crate::rule) fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::PlainInFlow)
    }
}

/// The part of a file that could be read.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Node,
    /// The part outside of the rules could not be read, so that nothing can be said of it.
    pub(super) header_lost: bool,
}

/// Reads one file. A syntax error in one rule costs only that rule: the others are still read.
pub(super) fn load(name: &Arc<str>, text: &str, out: &mut Faults) -> Option<Document> {
    let text = without_lone_returns(text.strip_prefix('\u{feff}').unwrap_or(text));
    let repaired = typography::repair(name, &text, out);
    let file = File { name, repaired: &repaired };
    let whole = if repaired.tab_lines.is_empty() { file.read(&repaired.text, 0, out) } else { Err(None) };
    let fault = match whole {
        Ok(root) => return root.map(|root| Document { root, header_lost: false }),
        Err(fault) => fault,
    };
    let Some(split) = Split::of(&repaired.text) else {
        out.extend(fault.map(|fault| *fault));
        return None;
    };

    let lost = |first: u32, last: u32| repaired.tab_lines.range(first..last).next().is_some();
    let item_lines = |item: &Item| (item.line + 1, item.line + 1 + item.lines);
    // Items stand one behind the other.
    let in_items = |line: &u32| {
        let behind = split.items.partition_point(|item| item_lines(item).0 <= *line);
        behind.checked_sub(1).is_some_and(|at| *line < item_lines(&split.items[at]).1)
    };
    let mut header = None;
    if repaired.tab_lines.iter().all(in_items) {
        match file.read(&split.header, 0, out) {
            Ok(root) => header = root,
            Err(fault) => out.extend(fault.map(|fault| *fault)),
        }
    }
    let mut rules = Vec::new();
    for item in &split.items {
        let (first, last) = item_lines(item);
        if lost(first, last) {
            continue;
        }
        match file.read(&repaired.text[item.bytes.clone()], item.line, out) {
            Ok(Some(Node { content: Content::List(nodes), .. })) => rules.extend(nodes),
            Ok(_) => {}
            Err(fault) => out.extend(fault.map(|fault| *fault)),
        }
    }
    let place = Position { file: Arc::clone(name), line: split.rules_line + 1, column: 1, length: 5 };
    // Of a list whose items could none of them be read, that has been reported.
    let content = if rules.is_empty() { Content::Refused } else { Content::List(rules) };
    let list = Node { at: place.clone(), bytes: 0..0, content };
    let header_lost = !matches!(&header, Some(Node { content: Content::Map(_), .. }));
    let mut entries = match header {
        Some(Node { content: Content::Map(entries), .. }) => entries,
        _ => Vec::new(),
    };
    entries.retain(|(key, _)| !matches!(&key.content, Content::Scalar(text, _) if text == "rules"));
    let key = Node { at: place.clone(), bytes: 0..0, content: Content::Scalar("rules".to_owned(), Style::Plain) };
    entries.push((key, list));
    let at = Position { line: 1, length: 0, ..place };
    Some(Document { root: Node { at, bytes: 0..0, content: Content::Map(entries) }, header_lost })
}

/// Reads a file that needs no repair, so that the bytes of its nodes are those of the file; `None` for a
/// file that needs one, has a fault of syntax or is empty.
pub(in crate::rule) fn strict(text: &str) -> Option<Node> {
    let name: Arc<str> = Arc::from("");
    let mut faults = Faults::default();
    let read = without_lone_returns(text);
    let repaired = typography::repair(&name, &read, &mut faults);
    if repaired.text != read || !repaired.tab_lines.is_empty() {
        return None;
    }
    let file = File { name: &name, repaired: &repaired };
    let root = file.read(&repaired.text, 0, &mut faults).ok().flatten()?;
    (!faults.has_error()).then_some(root)
}

/// A carriage return alone ends a line for YAML, but not for editors, and not for those who look
/// up the line that a fault names.
fn without_lone_returns(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let mut chars = text.chars().peekable();
    let mut result = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        result.push(if c == '\r' && chars.peek() != Some(&'\n') { ' ' } else { c });
    }
    Cow::Owned(result)
}

struct File<'a> {
    name: &'a Arc<str>,
    repaired: &'a Repaired,
}

/// A collection that is being read.
enum Open {
    List { at: Position, start: usize, flow: bool, items: Vec<Node> },
    Map { at: Position, start: usize, flow: bool, entries: Vec<(Node, Node)>, key: Option<Node> },
}

impl File<'_> {
    /// Reads `text`, which begins `line_offset` lines into the file. An error is what ended the
    /// reading, unless a fault of typography already says it.
    fn read(&self, text: &str, line_offset: u32, out: &mut Faults) -> Result<Option<Node>, Option<Box<Diagnostic>>> {
        let mut faults = Faults::default();
        let root = self
            .tree(text, line_offset, &mut faults)
            .map_err(|error| self.syntax_fault(&error, text, line_offset).map(Box::new))?;
        out.append(faults);
        Ok(root)
    }

    fn tree(&self, text: &str, line_offset: u32, faults: &mut Faults) -> Result<Option<Node>, ScanError> {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            emit_comments: false,
            flow_nesting_limit: NESTING_MAX,
            block_nesting_limit: NESTING_MAX,
        };
        let mut stack: Vec<Open> = Vec::new();
        let mut root = None;
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next?;
            let at = self.span(&span, line_offset);
            let tag_at = span.tag_span().map_or_else(|| at.clone(), |tag| self.span(&tag, line_offset));
            let node = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents == 2 {
                        faults.push(
                            Diagnostic::error(
                                "second-document",
                                at,
                                "一个文件只能有一个规则包，这里又用 `---` 开始了一个",
                                "a file holds one pack, but `---` begins another here",
                            )
                            .help("把它移到另一个文件。", "Move it to a file of its own."),
                        );
                    }
                    continue;
                }
                Event::Anchor(..) => {
                    faults.push(alias_fault(at));
                    continue;
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) => {
                    faults.push(alias_fault(at.clone()));
                    Node { at, bytes: span.byte_range().unwrap_or_default(), content: Content::Refused }
                }
                Event::Scalar(value, style, _, tag) => {
                    faults.extend(tag.map(|_| tag_fault(tag_at.clone())));
                    let flow = stack.last().is_some_and(Open::is_flow);
                    let bytes = span.byte_range().unwrap_or_default();
                    let bytes = match style {
                        ScalarStyle::Literal | ScalarStyle::Folded => with_indicator(text, bytes),
                        _ => bytes,
                    };
                    self.scalar(at, bytes, value.into_owned(), style, flow)
                }
                Event::SequenceStart(style, _, tag) => {
                    faults.extend(tag.map(|_| tag_fault(tag_at.clone())));
                    let (start, flow) = (span.start.byte_offset().unwrap_or(0), style == StructureStyle::Flow);
                    stack.push(Open::List { at, start, flow, items: Vec::new() });
                    continue;
                }
                Event::MappingStart(style, _, tag) => {
                    faults.extend(tag.map(|_| tag_fault(tag_at.clone())));
                    let (start, flow) = (span.start.byte_offset().unwrap_or(0), style == StructureStyle::Flow);
                    stack.push(Open::Map { at, start, flow, entries: Vec::new(), key: None });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(open) = stack.pop() else { continue };
                    open.closed(span.end.byte_offset().unwrap_or(0))
                }
                _ => continue,
            };
            match stack.last_mut() {
                Some(Open::List { items, .. }) => items.push(node),
                Some(Open::Map { entries, key, .. }) => match key.take() {
                    Some(key) => entries.push((key, node)),
                    None => *key = Some(node),
                },
                None if root.is_none() => root = Some(node),
                None => {}
            }
        }
        Ok(root)
    }

    fn scalar(&self, mut at: Position, bytes: Range<usize>, text: String, style: ScalarStyle, flow: bool) -> Node {
        let style = match style {
            ScalarStyle::Plain if flow => Style::PlainInFlow,
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if style.is_plain() && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
            at.length = if text.is_empty() { 0 } else { at.length };
            return Node { at, bytes, content: Content::Null };
        }
        Node { at, bytes, content: Content::Scalar(text, style) }
    }

    fn position(&self, marker: &Marker, line_offset: u32) -> Position {
        let line = narrow(marker.line()) + line_offset;
        let column = self.repaired.original_column(line, narrow(marker.col()) + 1);
        Position { file: Arc::clone(self.name), line, column, length: 0 }
    }

    fn span(&self, span: &Span, line_offset: u32) -> Position {
        let mut start = self.position(&span.start, line_offset);
        let end = self.position(&span.end, line_offset);
        if start.line == end.line {
            start.length = end.column.saturating_sub(start.column);
        }
        start
    }

    /// What a syntax error means to somebody who does not know YAML's words for it. Nothing, if a
    /// fault of typography on the same line explains it.
    fn syntax_fault(&self, error: &ScanError, text: &str, line_offset: u32) -> Option<Diagnostic> {
        let mut at = self.position(error.marker(), line_offset);
        if matches!(error.kind(), ErrorKind::InvalidQuotedScalarIndent | ErrorKind::UnclosedQuotedScalar) {
            // The parser says where it gave up; the reader wants to see the quote.
            let before = &text[..error.marker().byte_offset().unwrap_or(0).min(text.len())];
            if let Some(quote) = before.rfind(['"', '\'']).filter(|_| !text[before.len()..].starts_with(['"', '\''])) {
                let line_start = before[..quote].rfind('\n').map_or(0, |newline| newline + 1);
                at.line = narrow(before[..quote].matches('\n').count()) + 1 + line_offset;
                let column = narrow(before[line_start..quote].chars().count()) + 1;
                at.column = self.repaired.original_column(at.line, column);
            }
        }
        let is_told = self.repaired.fault_lines.contains(&at.line)
            || self.repaired.unclosed_lines.range(line_offset + 1..=at.line).next().is_some();
        if is_told {
            return None;
        }
        let line = text.lines().nth((at.line - line_offset).saturating_sub(1) as usize);
        Some(explain(error.kind(), at, line.unwrap_or_default()))
    }
}

impl Open {
    fn is_flow(&self) -> bool {
        match self {
            Self::List { flow, .. } | Self::Map { flow, .. } => *flow,
        }
    }

    /// The collection, whose closing mark ends at `end` if it has one; without, it ends with its last value.
    fn closed(self, end: usize) -> Node {
        match self {
            Self::List { at, start, flow, items } => {
                let last = items.last().map_or(start, |item| item.bytes.end);
                Node { at, bytes: start..if flow { end } else { last }, content: Content::List(items) }
            }
            Self::Map { at, start, flow, entries, .. } => {
                let last = entries.last().map_or(start, |(key, value)| match value.content {
                    Content::Null => key.bytes.end,
                    _ => value.bytes.end,
                });
                Node { at, bytes: start..if flow { end } else { last }, content: Content::Map(entries) }
            }
        }
    }
}

/// The place of a block scalar together with its `|` or `>`, which the parser leaves out.
fn with_indicator(text: &str, bytes: Range<usize>) -> Range<usize> {
    let head = text.get(..bytes.start).unwrap_or_default().trim_end();
    let line = head.rfind('\n').map_or(0, |newline| newline + 1);
    let header = head[line..].split(" #").next().unwrap_or_default();
    match header.rfind(['|', '>']) {
        Some(at) if !text[bytes.start..].starts_with(['|', '>']) => line + at..bytes.end,
        _ => bytes,
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn alias_fault(at: Position) -> Diagnostic {
    Diagnostic::error(
        "yaml-alias",
        at,
        "规则文件不用 YAML 的锚点和别名（`&` `*`）",
        "rule files do not use YAML anchors and aliases (`&`, `*`)",
    )
    .help(
        "要共用话术，写进 `lists:`，再用 `$名称` 引用；文字本身以 `&` 或 `*` 开头时加引号。",
        "To share phrases, name them under `lists:` and write `$name`; quote a text that begins with `&` or `*`.",
    )
}

fn tag_fault(at: Position) -> Diagnostic {
    Diagnostic::error("yaml-tag", at, "规则文件不用 YAML 的标签（`!`）", "rule files do not use YAML tags (`!`)")
        .help("文字本身以 `!` 开头时加引号。", "Quote a text that begins with `!`.")
}

fn explain(kind: &ErrorKind, at: Position, line: &str) -> Diagnostic {
    let in_quotes = matches!(
        kind,
        ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::InvalidTrailingDoubleQuotedScalar
            | ErrorKind::InvalidTrailingSingleQuotedScalar
    );
    let slot = !in_quotes
        && line.match_indices('{').any(|(i, _)| {
            line[i + 1..].chars().next().is_some_and(|c| c.is_ascii_lowercase())
                && line[i + 1..].split_once('}').is_some_and(|(inner, _)| !inner.contains(": "))
        });
    let full_width = line.chars().find(|c| "：，“”「」【】＝".contains(*c));
    let (zh, en) = match kind {
        _ if slot => ("含 `{…}` 的话术没有加引号".to_owned(), "a phrase with `{…}` is not in quotes".to_owned()),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            ("引号没有结束".to_owned(), "a quote is not closed".to_owned())
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            ("引号结束之后还有文字".to_owned(), "there is text after the closing quote".to_owned())
        }
        ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` 没有结束"), format!("`{open}` is not closed")),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` 被 `{close}` 结束了"), format!("`{open}` is closed by `{close}`"))
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => (
            "方括号里的各项要用 `,` 分开，以 `]` 结束".to_owned(),
            "items in brackets are separated by `,` and end with `]`".to_owned(),
        ),
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => (
            "花括号里的各项要写成 `键: 值`，用 `,` 分开，以 `}` 结束".to_owned(),
            "items in braces are `key: value`, separated by `,`, and end with `}`".to_owned(),
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "这里需要 `键: 值`，但没有冒号".to_owned(),
            "`key: value` is needed here, but there is no colon".to_owned(),
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockSequenceEntry => (
            "缩进不对：这一行与上面同一层的行没有对齐".to_owned(),
            "wrong indentation: this line is not aligned with its siblings above".to_owned(),
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement | ErrorKind::MappingKeyNotAllowed => {
            ("这里不能出现冒号".to_owned(), "a colon is not possible here".to_owned())
        }
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::InvalidBlockEntryWhitespace => {
            ("这里不能用 `-` 开始一项".to_owned(), "`-` cannot begin an item here".to_owned())
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            ("双引号里的 `\\` 后面不是认识的转义".to_owned(), "unknown escape after `\\` in double quotes".to_owned())
        }
        ErrorKind::UnexpectedCharacter { character } => {
            (format!("文字不能以 `{character}` 开头"), format!("a text cannot begin with `{character}`"))
        }
        ErrorKind::RecursionLimitExceeded => {
            (format!("嵌套超过 {NESTING_MAX} 层"), format!("nested deeper than {NESTING_MAX} levels"))
        }
        other => (format!("YAML 语法有误（{other}）"), format!("YAML syntax: {other}")),
    };
    let diagnostic = Diagnostic::error("yaml-syntax", at, zh, en);
    if slot {
        return diagnostic.help(
            "加上双引号，如 `\"我是{number}号\"`；花括号在 YAML 里另有意思。",
            "Put it in double quotes, such as `\"我是{number}号\"`; braces mean something else to YAML.",
        );
    }
    if let Some(mark) = full_width {
        return diagnostic.help(
            format!("这一行有全角的 `{mark}`；YAML 的冒号、逗号、引号和括号要用半角，属于话术的标点要放在半角引号里。"),
            format!("This line has a full-width `{mark}`; YAML needs half-width colons, commas, quotes and brackets, and punctuation of a phrase goes inside half-width quotes."),
        );
    }
    match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => diagnostic.help(
            "文字里有 `: ` 就要加引号；如果这是一个键，让它与同一层的键左边对齐。",
            "Quote a text that holds `: `; if this is a key, align it with its siblings.",
        ),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => diagnostic.help("补上结束的引号；文字里的双引号写成 `\\\"`。", "Add the closing quote; write `\\\"` for a quote inside the text."),
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            diagnostic.help("把整段文字放进同一对引号里。", "Put the whole text inside one pair of quotes.")
        }
        ErrorKind::UnknownQuotedScalarEscape => diagnostic.help("正则表达式放在单引号里，`\\` 就不用转义。", "Put regular expressions in single quotes: `\\` needs no escape there."),
        ErrorKind::UnexpectedCharacter { .. } => diagnostic.help("给文字加上引号。", "Put the text in quotes."),
        _ => diagnostic.help("同一层的键左边对齐，冒号和 `-` 后面空一格；含 `: `、`#`、`[`、`{` 的文字要加引号。", "Align keys of one level, leave a space after a colon and after `-`, and quote texts with `: `, `#`, `[` or `{`."),
    }
}

/// A file cut at its rules, for when it cannot be read in one piece.
struct Split {
    /// The file with blank lines in place of the rules.
    header: String,
    /// The line of `rules:`, from 0.
    rules_line: u32,
    items: Vec<Item>,
}

struct Item {
    bytes: Range<usize>,
    /// Its first line, from 0.
    line: u32,
    /// How many lines it has.
    lines: u32,
}

impl Split {
    fn of(text: &str) -> Option<Self> {
        let mut header = String::with_capacity(text.len());
        let mut items: Vec<Item> = Vec::new();
        let mut rules_line = None;
        let mut indent = None;
        let mut inside = false;
        let mut start = 0;
        for (number, line) in (0..).zip(text.split_inclusive('\n')) {
            let bytes = start..start + line.len();
            start = bytes.end;
            let content = line.trim_start_matches(' ');
            let depth = line.len() - content.len();
            // How deep a line with a tab was meant to be, nobody knows: it does not end the rules.
            let blank = content.trim().is_empty() || content.starts_with(['#', '\t']);
            let dash = content.starts_with("- ") || content.trim_end() == "-";
            if inside && !blank {
                let depth_of_items = *indent.get_or_insert(depth);
                inside = depth > depth_of_items || (depth == depth_of_items && dash);
                if inside && depth == depth_of_items {
                    items.push(Item { bytes: bytes.clone(), line: number, lines: 0 });
                }
            }
            if !inside {
                header.push_str(line);
                if rules_line.is_none()
                    && let Some(rest) = line.strip_prefix("rules:")
                    && (rest.trim().is_empty() || rest.trim_start().starts_with('#'))
                {
                    rules_line = Some(number);
                    inside = true;
                }
                continue;
            }
            header.push('\n');
            if let Some(item) = items.last_mut() {
                item.bytes.end = bytes.end;
                item.lines += 1;
            }
        }
        (!items.is_empty()).then_some(())?;
        Some(Self { header, rules_line: rules_line?, items })
    }
}
