//! Changes to a rule file that leave every byte alone that they do not concern: comments, order and
//! formatting stay as they were written.
//!
//! A change names a value by its path and says what becomes of it. It is applied to the text, at the
//! places that the parser gives for the values. Deliberately absent: any knowledge of what the keys
//! mean. Whoever edits parses the result and is told what is wrong with it.

use std::ops::Range;

use super::parse::yaml::{Content, Node, Style, strict};
use super::quote;
use crate::diagnostic::Position;

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text; quoted where it would not read the same without.
    Text(String),
    /// A number or a truth value: written as it is.
    Word(String),
    /// A list.
    List(Vec<Self>),
    /// A map, in its order.
    Map(Vec<(String, Self)>),
}

/// One step on the way from a map or list to a value inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(String),
    /// An item, from 0.
    Item(usize),
}

/// What becomes of a value. Paths begin at the rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Puts a value in the place of another, or where there is none.
    Set(Vec<Step>, Value),
    /// Removes a value; a list or map that would be empty goes with it.
    Remove(Vec<Step>),
    /// Adds an item at the end of a list, which is made if it is not there.
    Append(Vec<Step>, Value),
}

/// Why a text was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditFault {
    /// It is not YAML, or needs a repair that only a person can do.
    Unreadable,
    /// There is no such rule.
    UnknownRule,
    /// The path leads to nothing that can be changed.
    NoPlace,
    /// Nothing would be left of the rule's kind.
    LastItem,
}

impl EditFault {
    /// The fault and the remedy, in Chinese.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Unreadable => "YAML 有误，先在原文里改好",
            Self::UnknownRule => "文件里没有这条规则",
            Self::NoPlace => "这一项没法在表单里改，请改 YAML",
            Self::LastItem => "至少要留一项；先加新的，再删这一项",
        }
    }

    /// The fault and the remedy, in English.
    #[must_use]
    pub const fn en(self) -> &'static str {
        match self {
            Self::Unreadable => "the YAML has a fault: mend the text first",
            Self::UnknownRule => "the file has no such rule",
            Self::NoPlace => "this cannot be changed in the form: edit the YAML",
            Self::LastItem => "one must remain: add another, then remove this",
        }
    }
}

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenRule {
    /// Its values; numbers and truth values are texts here, and nothing is an empty text.
    pub value: Value,
    /// The line that it begins on, from 1.
    pub line: u32,
    /// The line that it ends on.
    pub last_line: u32,
}

/// Reads one rule of a file.
///
/// # Errors
/// The file cannot be read, or has no such rule.
pub fn read(text: &str, id: &str) -> Result<WrittenRule, EditFault> {
    let (text, _) = without_mark(text);
    let root = strict(text).ok_or(EditFault::Unreadable)?;
    let rule = find(&root, id).ok_or(EditFault::UnknownRule)?;
    let last_line = rule.at.line + lines(&text[rule.bytes.clone()]);
    Ok(WrittenRule { value: value_of(rule), line: rule.at.line, last_line })
}

/// Applies changes to a rule of a file, one after the other.
///
/// # Errors
/// One of them cannot be applied; the text is as it was.
pub fn edit(text: &str, id: &str, changes: &[Change]) -> Result<String, EditFault> {
    let (body, mark) = without_mark(text);
    let mut body = body.to_owned();
    for change in changes {
        let root = strict(&body).ok_or(EditFault::Unreadable)?;
        let rule = find(&root, id).ok_or(EditFault::UnknownRule)?;
        let editing = Editing { text: &body };
        let (range, with) = match change {
            Change::Set(path, value) => editing.set(rule, path, value)?,
            Change::Remove(path) => editing.remove(rule, path)?,
            Change::Append(path, value) => editing.append(rule, path, value)?,
        };
        body.replace_range(range, &with);
    }
    Ok(format!("{mark}{body}"))
}

/// Adds a rule, a map with its `id`, behind the others of a file.
///
/// # Errors
/// The file cannot be read, or has no list of rules.
pub fn add_rule(text: &str, rule: &Value) -> Result<String, EditFault> {
    let (body, mark) = without_mark(text);
    let root = strict(body).ok_or(EditFault::Unreadable)?;
    let (range, with) = Editing { text: body }.append(&root, &[Step::Key("rules".to_owned())], rule)?;
    let mut body = body.to_owned();
    body.replace_range(range, &with);
    Ok(format!("{mark}{body}"))
}

/// Takes a rule out of a file. The comments above it stay.
///
/// # Errors
/// The file cannot be read, has no such rule, or no other.
pub fn remove_rule(text: &str, id: &str) -> Result<String, EditFault> {
    let (body, mark) = without_mark(text);
    let root = strict(body).ok_or(EditFault::Unreadable)?;
    let place = rules(&root).iter().position(|rule| is(rule, id)).ok_or(EditFault::UnknownRule)?;
    let (range, with) = Editing { text: body }.remove(&root, &[Step::Key("rules".to_owned()), Step::Item(place)])?;
    let mut body = body.to_owned();
    body.replace_range(range, &with);
    Ok(format!("{mark}{body}"))
}

/// Puts a rule of one file into another, as it is written there: in the place of the rule of that id, or
/// behind the others.
///
/// # Errors
/// One of the files cannot be read, the first has no such rule, or they are indented differently.
pub fn carry(from: &str, id: &str, into: &str) -> Result<String, EditFault> {
    let (from, _) = without_mark(from);
    let root = strict(from).ok_or(EditFault::Unreadable)?;
    let rule = find(&root, id).ok_or(EditFault::UnknownRule)?;
    let source = Editing { text: from };
    let end = source.before_return(source.line_end(rule.bytes.end));
    let (raw, column) = (&from[rule.bytes.start..end], source.column(rule.bytes.start));
    let (into, mark) = without_mark(into);
    let target = strict(into).ok_or(EditFault::Unreadable)?;
    let editing = Editing { text: into };
    let old = find(&target, id);
    let beside = old.or(rules(&target).last()).ok_or(EditFault::NoPlace)?;
    if editing.column(beside.bytes.start) != column {
        return Err(EditFault::NoPlace);
    }
    let mut carried = into.to_owned();
    match old {
        Some(old) => {
            let until = editing.before_return(editing.line_end(old.bytes.end));
            carried.replace_range(old.bytes.start..until, raw);
        }
        None => {
            let end = editing.before_return(editing.line_end(beside.bytes.end));
            let dash = editing.dash(beside.bytes.start).ok_or(EditFault::NoPlace)?;
            let margin = &into[dash - editing.column(dash)..beside.bytes.start];
            carried.insert_str(end, &format!("{}{margin}{raw}", editing.newline()));
        }
    }
    Ok(format!("{mark}{carried}"))
}

/// The rules of a file, by id, in their order.
#[must_use]
pub fn ids(text: &str) -> Vec<String> {
    let root = strict(without_mark(text).0);
    let ids = root.iter().flat_map(rules).filter_map(|rule| entry(rule, "id")?.content.as_text().map(str::to_owned));
    ids.collect()
}

/// The rule that a place lies in, and the path of the value there; `None` outside of rules.
#[must_use]
pub fn field_at(text: &str, at: &Position) -> Option<(String, Vec<Step>)> {
    let (text, _) = without_mark(text);
    let root = strict(text)?;
    let line = text.split_inclusive('\n').take(at.line.saturating_sub(1) as usize).map(str::len).sum::<usize>();
    let within = text.get(line..)?.char_indices().nth(at.column.saturating_sub(1) as usize)?.0;
    let byte = line + within;
    let rule = rules(&root).iter().find(|rule| rule.bytes.contains(&byte))?;
    let id = entry(rule, "id")?.content.as_text()?.to_owned();
    let mut path = Vec::new();
    let mut node = rule;
    loop {
        let inside = |node: &Node| node.bytes.contains(&byte) || node.bytes.start == byte;
        let next = match &node.content {
            Content::List(items) => {
                items.iter().enumerate().find(|(_, item)| inside(item)).map(|(at, item)| (Step::Item(at), item))
            }
            Content::Map(entries) => entries
                .iter()
                .find(|(key, value)| inside(key) || inside(value))
                .and_then(|(key, value)| Some((Step::Key(key.content.as_text()?.to_owned()), value))),
            _ => None,
        };
        let Some((step, value)) = next else { return Some((id, path)) };
        path.push(step);
        node = value;
    }
}

/// The text behind a byte order mark, and the mark.
fn without_mark(text: &str) -> (&str, &str) {
    match text.strip_prefix('\u{feff}') {
        Some(body) => (body, "\u{feff}"),
        None => (text, ""),
    }
}

fn lines(text: &str) -> u32 {
    u32::try_from(text.trim_end().matches('\n').count()).unwrap_or(u32::MAX)
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Content::Map(entries) = &node.content else { return None };
    entries.iter().find(|(name, _)| name.content.as_text() == Some(key)).map(|(_, value)| value)
}

fn rules(root: &Node) -> &[Node] {
    match entry(root, "rules").map(|rules| &rules.content) {
        Some(Content::List(rules)) => rules,
        _ => &[],
    }
}

fn is(rule: &Node, id: &str) -> bool {
    entry(rule, "id").is_some_and(|own| own.content.as_text() == Some(id))
}

fn find<'n>(root: &'n Node, id: &str) -> Option<&'n Node> {
    rules(root).iter().find(|rule| is(rule, id))
}

fn value_of(node: &Node) -> Value {
    match &node.content {
        Content::Null | Content::Refused => Value::Text(String::new()),
        Content::Scalar(text, _) => Value::Text(text.clone()),
        Content::List(items) => Value::List(items.iter().map(value_of).collect()),
        Content::Map(entries) => {
            let entry =
                |(key, value): &(Node, Node)| (key.content.as_text().unwrap_or_default().to_owned(), value_of(value));
            Value::Map(entries.iter().map(entry).collect())
        }
    }
}

/// A range of the text and what comes in its place.
type Splice = (Range<usize>, String);

struct Editing<'t> {
    text: &'t str,
}

impl Editing<'_> {
    fn set(&self, node: &Node, path: &[Step], value: &Value) -> Result<Splice, EditFault> {
        let Some((step, rest)) = path.split_first() else { return Ok(self.replace(node, value)) };
        match (step, &node.content) {
            (Step::Item(at), Content::List(items)) => self.set(items.get(*at).ok_or(EditFault::NoPlace)?, rest, value),
            // Where one may stand for a list, it is the first item.
            (Step::Item(0), _) => self.set(node, rest, value),
            (Step::Key(name), Content::Map(_)) => match entry(node, name) {
                Some(Node { content: Content::Null, .. }) => self.fill(node, name, &wrapped(rest, value)?),
                Some(next) => self.set(next, rest, value),
                None => self.add_key(node, name, &wrapped(rest, value)?),
            },
            _ => Err(EditFault::NoPlace),
        }
    }

    fn append(&self, node: &Node, path: &[Step], value: &Value) -> Result<Splice, EditFault> {
        let Some((step, rest)) = path.split_first() else { return self.add_item(node, value) };
        match (step, &node.content) {
            (Step::Item(at), Content::List(items)) => {
                self.append(items.get(*at).ok_or(EditFault::NoPlace)?, rest, value)
            }
            (Step::Item(0), _) => self.append(node, rest, value),
            (Step::Key(name), Content::Map(_)) => {
                let list = || wrapped(rest, &Value::List(vec![value.clone()]));
                match entry(node, name) {
                    Some(Node { content: Content::Null, .. }) => self.fill(node, name, &list()?),
                    Some(next) => self.append(next, rest, value),
                    None => self.add_key(node, name, &list()?),
                }
            }
            _ => Err(EditFault::NoPlace),
        }
    }

    fn remove(&self, node: &Node, path: &[Step]) -> Result<Splice, EditFault> {
        let Some((step, rest)) = path.split_first() else { return Err(EditFault::LastItem) };
        match &node.content {
            Content::List(items) => {
                let Step::Item(at) = step else { return Err(EditFault::NoPlace) };
                let item = items.get(*at).ok_or(EditFault::NoPlace)?;
                match self.remove(item, rest) {
                    Err(EditFault::LastItem) if items.len() > 1 => {
                        let spans: Vec<_> = items.iter().map(|item| item.bytes.clone()).collect();
                        Ok(self.cut(node, &spans, *at))
                    }
                    other => other,
                }
            }
            Content::Map(entries) => {
                let Step::Key(name) = step else {
                    // One context alone stands for a list of one.
                    return if *step == Step::Item(0) { self.remove(node, rest) } else { Err(EditFault::NoPlace) };
                };
                let is_it = |(key, _): &(Node, Node)| key.content.as_text() == Some(name);
                let at = entries.iter().position(is_it).ok_or(EditFault::NoPlace)?;
                match self.remove(&entries[at].1, rest) {
                    Err(EditFault::LastItem)
                        if entries.len() > 1 && (rest.is_empty() || !KEPT.contains(&name.as_str())) =>
                    {
                        let spans: Vec<_> =
                            entries.iter().map(|(key, value)| key.bytes.start..end_of(key, value)).collect();
                        Ok(self.cut(node, &spans, at))
                    }
                    other => other,
                }
            }
            // One phrase alone stands for a list of one.
            _ if path == [Step::Item(0)] => Err(EditFault::LastItem),
            _ => Err(EditFault::NoPlace),
        }
    }

    /// Whether a collection is written in brackets or braces of its own.
    fn is_flow(&self, node: &Node) -> bool {
        let first = match &node.content {
            Content::List(items) => items.first().map(|item| item.bytes.start),
            Content::Map(entries) => entries.first().map(|(key, _)| key.bytes.start),
            _ => return false,
        };
        self.text[node.bytes.start..].starts_with(['[', '{']) && first.is_none_or(|first| first > node.bytes.start)
    }

    /// Writes a value behind a key that has none.
    fn fill(&self, map: &Node, name: &str, value: &Value) -> Result<Splice, EditFault> {
        let Content::Map(entries) = &map.content else { return Err(EditFault::NoPlace) };
        let is_it = |(key, _): &&(Node, Node)| key.content.as_text() == Some(name);
        let key = &entries.iter().find(is_it).ok_or(EditFault::NoPlace)?.0.bytes;
        let colon = self.text[key.end..].find(':').ok_or(EditFault::NoPlace)?;
        let at = key.end + colon + 1;
        if let (Value::List(items), false) = (value, self.is_flow(map)) {
            let end = self.before_return(self.line_end(at));
            let mut out = String::new();
            block_items(items, self.column(key.start) + 2, self.newline(), &mut out);
            return Ok((end..end, out));
        }
        Ok((at..at, format!(" {}", flow(value, true))))
    }

    /// The column of a place, in bytes.
    fn column(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The end of the line that a value ends on.
    fn line_end(&self, end: usize) -> usize {
        let end = self.text[..end].trim_end().len();
        self.text[end..].find('\n').map_or(self.text.len(), |newline| end + newline)
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// A place at the end of a line, before the carriage return that belongs to the line's end.
    fn before_return(&self, at: usize) -> usize {
        if self.text[..at].ends_with('\r') { at - 1 } else { at }
    }

    /// The dash before an item of a block.
    fn dash(&self, item: usize) -> Option<usize> {
        let before = self.text[..item].trim_end();
        before.ends_with('-').then(|| before.len() - 1)
    }

    fn replace(&self, node: &Node, value: &Value) -> Splice {
        let is_block = matches!(node.content, Content::List(_) | Content::Map(_)) && !self.is_flow(node);
        let in_block = matches!(node.content, Content::Scalar(_, Style::Plain | Style::Literal | Style::Folded));
        // What a block ends with belongs to the next line.
        let ended = self.text[..node.bytes.end].trim_end().len().max(node.bytes.start);
        let range = match node.content {
            Content::Scalar(_, Style::Literal | Style::Folded) => node.bytes.start..ended,
            _ if is_block => node.bytes.start..ended,
            _ => node.bytes.clone(),
        };
        let with = match (value, &node.content) {
            (Value::Text(text), Content::Scalar(_, Style::Quoted)) => {
                let single = self.text[node.bytes.start..].starts_with('\'');
                if single && !text.chars().any(char::is_control) {
                    format!("'{}'", text.replace('\'', "''"))
                } else {
                    quote::quoted(text)
                }
            }
            (Value::List(items), _) if is_block && self.text[node.bytes.start..].starts_with('-') => {
                let indent = self.column(node.bytes.start);
                let mut out = String::new();
                block_items(items, indent, self.newline(), &mut out);
                out.trim_start().to_owned()
            }
            (value, _) => flow(value, !in_block),
        };
        // A block scalar may have a comment behind its `|`.
        let header = match node.content {
            Content::Scalar(_, Style::Literal | Style::Folded) => self.text[range.clone()].lines().next(),
            _ => None,
        };
        let comment = header.and_then(|line| line.split_once(" #"));
        let with = comment.map_or(with.clone(), |(_, comment)| format!("{with} #{comment}"));
        (range, with)
    }

    fn add_item(&self, node: &Node, value: &Value) -> Result<Splice, EditFault> {
        match &node.content {
            Content::Scalar(text, _) => {
                let both = Value::List(vec![Value::Text(text.clone()), value.clone()]);
                Ok(self.replace(node, &both))
            }
            Content::List(items) if self.is_flow(node) => match items.last() {
                Some(last) => {
                    let end = last.bytes.end;
                    Ok((end..end, format!(", {}", flow(value, true))))
                }
                None => Ok((node.bytes.clone(), format!("[{}]", flow(value, true)))),
            },
            Content::List(items) => {
                let last = items.last().ok_or(EditFault::NoPlace)?;
                let indent = self.column(self.dash(items[0].bytes.start).ok_or(EditFault::NoPlace)?);
                let end = self.before_return(self.line_end(last.bytes.end));
                let mut out = String::new();
                block_items(std::slice::from_ref(value), indent, self.newline(), &mut out);
                Ok((end..end, out))
            }
            Content::Map(_) if self.is_flow(node) => {
                let raw = &self.text[node.bytes.clone()];
                Ok((node.bytes.clone(), format!("[{raw}, {}]", flow(value, true))))
            }
            Content::Map(_) => {
                let indent = self.column(node.bytes.start);
                let end = self.before_return(self.line_end(node.bytes.end));
                let raw = self.text[node.bytes.start..end].replace('\n', "\n  ");
                let mut out = format!("- {raw}");
                block_items(std::slice::from_ref(value), indent, self.newline(), &mut out);
                Ok((node.bytes.start..end, out))
            }
            Content::Null | Content::Refused => Err(EditFault::NoPlace),
        }
    }

    fn add_key(&self, node: &Node, name: &str, value: &Value) -> Result<Splice, EditFault> {
        let Content::Map(entries) = &node.content else { return Err(EditFault::NoPlace) };
        if self.is_flow(node) {
            let written = format!("{}: {}", quote::scalar(name), flow(value, true));
            return Ok(match entries.last() {
                Some((key, last)) => {
                    let end = end_of(key, last);
                    (end..end, format!(", {written}"))
                }
                None => (node.bytes.clone(), format!("{{ {written} }}")),
            });
        }
        let before =
            entries.iter().rev().find(|(key, _)| key.content.as_text().is_some_and(|key| rank(key) < rank(name)));
        let (key, last) = before.or(entries.first()).ok_or(EditFault::NoPlace)?;
        let indent = self.column(entries[0].0.bytes.start);
        let end = self.before_return(self.line_end(end_of(key, last)));
        let mut out = String::new();
        block_entry(name, value, indent, self.newline(), &mut out);
        Ok((end..end, out))
    }

    /// Cuts one of the values of a collection out, with what separates it from the others.
    fn cut(&self, node: &Node, spans: &[Range<usize>], at: usize) -> Splice {
        let span = &spans[at];
        if self.is_flow(node) {
            return match (spans.get(at + 1), at.checked_sub(1)) {
                (Some(next), _) if !self.text[span.end..next.start].contains('#') => {
                    (span.start..next.start, String::new())
                }
                (Some(_), _) => {
                    let comma = self.text[span.end..].find(',').map_or(span.end, |comma| span.end + comma + 1);
                    (span.start..comma, String::new())
                }
                (None, Some(before)) if !self.text[spans[before].end..span.start].contains('#') => {
                    (spans[before].end..span.end, String::new())
                }
                // What was the last leaves a comma, which may stand there.
                (None, Some(_)) => (span.clone(), String::new()),
                (None, None) => (span.clone(), String::new()),
            };
        }
        let is_list = matches!(node.content, Content::List(_));
        let start = if is_list { self.dash(span.start).unwrap_or(span.start) } else { span.start };
        let line = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.line_end(span.end);
        if self.text[line..start].trim().is_empty() {
            let next = (end + 1).min(self.text.len());
            // The last line takes the line's end before it along.
            let from = if end == self.text.len() && line > 0 { line - 1 } else { line };
            return (from..next, String::new());
        }
        // Something stands before it on its line: the dash of the item that it is the first value of.
        match spans.get(at + 1).map(|next| next.start) {
            Some(next) => {
                let next = if is_list { self.dash(next).unwrap_or(next) } else { next };
                let between = &self.text[end.min(next)..next];
                let until = if between.trim().is_empty() { next } else { self.before_return(end) };
                (start..until, String::new())
            }
            None => (start..self.before_return(end), String::new()),
        }
    }
}

/// The end of an entry of a map; nothing ends with its key.
fn end_of(key: &Node, value: &Node) -> usize {
    if matches!(value.content, Content::Null) { key.bytes.end } else { value.bytes.end }
}

/// Keys that stay when the last of what they hold is removed: without them a rule says nothing.
const KEPT: &[&str] = &["any", "forbid", "require", "sequence", "timing", "event", "steps", "rules"];

/// `value` inside the maps and lists of a path that is not there yet.
fn wrapped(path: &[Step], value: &Value) -> Result<Value, EditFault> {
    let Some((step, rest)) = path.split_first() else { return Ok(value.clone()) };
    let inside = wrapped(rest, value)?;
    match step {
        Step::Key(name) => Ok(Value::Map(vec![(name.clone(), inside)])),
        Step::Item(0) => Ok(Value::List(vec![inside])),
        Step::Item(_) => Err(EditFault::NoPlace),
    }
}

/// The order in which keys are written: a new one stands behind the last of those before it.
const ORDER: &[&str] = &[
    "id",
    "name",
    "clauses",
    "severity",
    "deduct",
    "shadow",
    "effective",
    "scope",
    "when",
    "limit",
    "hypotheses",
    "confidence",
    "grace",
    "forbid",
    "require",
    "sequence",
    "timing",
    "event",
    "fires",
    "silent",
    "call",
    "role",
    "reply_to",
    "any",
    "all",
    "unless",
    "only",
    "homophone",
    "boundary",
    "at_least",
    "window",
    "after",
    "before",
    "within",
    "remind",
    "count_hold",
    "message",
    "suggestion",
    "tests",
];

/// The place of a key among those of its map, as people write them.
#[must_use]
pub fn rank(name: &str) -> usize {
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
}

/// Whether YAML reads `text` as it stands and people take it for a number, a time or a day.
fn is_figure(text: &str) -> bool {
    let figure = text.trim_end_matches(|c: char| c.is_ascii_lowercase()).trim_end();
    let unit = text[figure.len()..].trim_start();
    let digits = figure.strip_prefix('-').unwrap_or(figure);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
        && ["", "ms", "s", "m", "h", "turn", "turns"].contains(&unit)
}

/// A value on one line.
fn flow(value: &Value, in_flow: bool) -> String {
    match value {
        Value::Word(word) => word.clone(),
        Value::Text(text) if is_figure(text) => text.clone(),
        // Full-width commas in brackets are taken for slips of the input method.
        Value::Text(text) if in_flow && text.contains(['，', '、']) => quote::quoted(text),
        Value::Text(text) => quote::scalar(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, true)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", quote::scalar(key), flow(value, true))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// Items, each on lines of its own behind the line's end before it.
fn block_items(items: &[Value], indent: usize, newline: &str, out: &mut String) {
    for item in items {
        let dash = " ".repeat(indent);
        match item {
            // A whole rule, or a value with a single name.
            Value::Map(entries) if entries.len() == 1 || entries.iter().any(|(_, value)| is_collection(value)) => {
                let mut inner = String::new();
                for (key, value) in entries {
                    block_entry(key, value, indent + 2, newline, &mut inner);
                }
                let inner = inner.strip_prefix(newline).unwrap_or(&inner).trim_start();
                out.push_str(&format!("{newline}{dash}- {inner}"));
            }
            item => out.push_str(&format!("{newline}{dash}- {}", flow(item, false))),
        }
    }
}

const fn is_collection(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

/// A key with its value, on lines of its own behind the line's end before it.
fn block_entry(name: &str, value: &Value, indent: usize, newline: &str, out: &mut String) {
    let margin = " ".repeat(indent);
    let name = &quote::scalar(name);
    match value {
        Value::List(items) if ["any", "unless", "only", "tests", "steps", "all"].contains(&name.as_str()) => {
            out.push_str(&format!("{newline}{margin}{name}:"));
            block_items(items, indent + 2, newline, out);
        }
        Value::Map(entries) if ["forbid", "require", "sequence"].contains(&name.as_str()) => {
            out.push_str(&format!("{newline}{margin}{name}:"));
            for (key, value) in entries {
                block_entry(key, value, indent + 2, newline, out);
            }
        }
        value => {
            let written = flow(value, is_collection(value));
            out.push_str(&format!("{newline}{margin}{name}: {written}"));
        }
    }
}

#[cfg(test)]
mod tests;
