//! Nodes to values, noting every fault on the way and going on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::digest::Digests;
use super::yaml::{Content, Node, Style};
use crate::diagnostic::{Diagnostic, Faults, Located, Position, nearest};
use crate::rule::surface::{Shape, Word};
use crate::rule::syntax::{Extent, HourRange, Parameter};

/// No duration in a rule is longer: calls end within a week.
const DURATION_MAX_MS: i64 = 7 * 24 * 3_600_000;

/// Collects what is wrong while the nodes of one file are turned into values.
///
/// Every reader takes a node and returns `None` after having said what is
/// wrong with it. Nothing stops at the first fault.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pub(super) diagnostics: Faults,
    /// The names of the pack's lists.
    pub(super) lists: BTreeSet<String>,
    /// The lists could not be read, so that any reference may be right.
    pub(super) lists_lost: bool,
    /// The parameters of the file.
    pub(super) parameters: Vec<Parameter>,
    /// What the lists hold, for the digests of rules.
    pub(super) digests: Digests,
}

/// The entries of a map whose keys have been checked against its shape.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub(super) at: &'n Position,
    shape: &'static Shape,
    entries: BTreeMap<&'static str, (&'n Position, &'n Node)>,
    /// The keys that the decoder asked for, which a test compares with the table.
    #[cfg(debug_assertions)]
    asked: BTreeSet<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of `key`, if something was written there.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        debug_assert!(self.shape.key(key).is_some(), "{} has no key {key}", self.shape.name);
        #[cfg(debug_assertions)]
        self.asked.insert(key);
        self.entries.get(key).map(|(_, node)| *node)
    }

    /// The place of `key` itself.
    pub(super) fn key_at(&self, key: &str) -> Option<&'n Position> {
        self.entries.get(key).map(|(at, _)| *at)
    }

    /// Whether nothing at all was written.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first of `keys` that is there.
    pub(super) fn first_of(&self, keys: &[&'static str]) -> Option<&'static str> {
        keys.iter().copied().find(|key| self.entries.contains_key(key))
    }
}

/// The other half of "one key table": a key that is listed but never asked for is a bug of ours.
#[cfg(debug_assertions)]
impl Drop for Fields<'_> {
    fn drop(&mut self) {
        let unread: Vec<_> = self.shape.keys.iter().filter(|key| !self.asked.contains(key.name)).collect();
        debug_assert!(unread.is_empty() || std::thread::panicking(), "{}: never read: {unread:?}", self.shape.name);
    }
}

impl Decoder {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Opens a map: reports unknown, duplicate, empty and missing keys, and keys that exclude each other.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, shape: &'static Shape) -> Option<Fields<'n>> {
        let pairs = self.map(node, shape.zh, shape.name)?;
        let mut entries: BTreeMap<&'static str, (&Position, &Node)> = BTreeMap::new();
        // A key of which nothing can be used is still not a missing key.
        let mut mentioned: BTreeSet<&'static str> = BTreeSet::new();
        for (key, value) in pairs {
            let Some(name) = self.key_name(key) else { continue };
            let Some(known) = shape.key(name) else {
                mentioned.extend(self.unknown_key(key, name, shape));
                continue;
            };
            if let Some((first, _)) = entries.get(known.name) {
                self.report(duplicate_key(key, name, first.line));
                continue;
            }
            mentioned.insert(known.name);
            if matches!(value.content, Content::Refused) {
                continue;
            }
            if matches!(value.content, Content::Null) {
                self.report(
                    Diagnostic::error(
                        "empty-value",
                        key.at.clone(),
                        format!("`{name}:` 后面没有内容"),
                        format!("nothing follows `{name}:`"),
                    )
                    .help("写上内容，或删去这一行。", "Write a value or remove the key."),
                );
                continue;
            }
            entries.insert(known.name, (&key.at, value));
        }
        self.missing_keys(&node.at, shape, &mentioned);
        self.exclusive_keys(&node.at, shape, &mentioned, &entries);
        Some(Fields {
            at: &node.at,
            shape,
            entries,
            #[cfg(debug_assertions)]
            asked: BTreeSet::new(),
        })
    }

    fn missing_keys(&mut self, at: &Position, shape: &Shape, mentioned: &BTreeSet<&str>) {
        for key in shape.keys.iter().filter(|key| key.required && !mentioned.contains(key.name)) {
            self.report(
                Diagnostic::error(
                    "missing-key",
                    at.clone(),
                    format!("缺少 `{}`", key.name),
                    format!("`{}` is missing", key.name),
                )
                .help(format!("补上 `{}:`（{}）。", key.name, key.zh), format!("Add `{}:`.", key.name)),
            );
        }
    }

    fn exclusive_keys(
        &mut self,
        at: &Position,
        shape: &Shape,
        mentioned: &BTreeSet<&'static str>,
        entries: &BTreeMap<&'static str, (&Position, &Node)>,
    ) {
        for group in shape.one_of {
            let names = group.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
            let mut present = group.iter().filter(|name| mentioned.contains(*name));
            let Some(first) = present.next() else {
                self.report(
                    Diagnostic::error(
                        "missing-choice",
                        at.clone(),
                        format!("这里要写且只写 {names} 中的一个，一个都没有"),
                        format!("exactly one of {names} is needed here, and there is none"),
                    )
                    .help("补上其中一个。", "Add one of them."),
                );
                continue;
            };
            for second in present {
                let place = entries.get(second).map_or(at, |(key, _)| *key);
                self.report(
                    Diagnostic::error(
                        "exclusive-keys",
                        place.clone(),
                        format!("`{second}` 不能与 `{first}` 同时写"),
                        format!("`{second}` cannot stand beside `{first}`"),
                    )
                    .help(format!("只留 {names} 中的一个。"), format!("Keep one of {names}.")),
                );
            }
        }
    }

    /// Reports a key that is not in `shape`; returns the one that was probably meant.
    fn unknown_key(&mut self, key: &Node, name: &str, shape: &Shape) -> Option<&'static str> {
        let names = shape.keys.iter().map(|key| key.name);
        // Somebody may write the Chinese word.
        let named = |key: &&crate::rule::surface::Key| !name.is_ascii() && key.zh.contains(name);
        let near = shape.keys.iter().find(named).map(|key| key.name).or_else(|| nearest(name, names.clone()));
        let diagnostic = Diagnostic::error(
            "unknown-key",
            key.at.clone(),
            format!("不认识的键 `{name}`"),
            format!("unknown key `{name}`"),
        );
        let all = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
        self.report(match near {
            Some(near) => diagnostic.help(format!("是不是 `{near}`？"), format!("Did you mean `{near}`?")),
            None => diagnostic.help(format!("这里可以写：{all}。"), format!("Possible here: {all}.")),
        });
        near
    }

    /// The entries of a map with keys of the writer's choosing, duplicates reported and left out.
    pub(super) fn entries<'n>(
        &mut self,
        node: &'n Node,
        zh: &str,
        en: &str,
    ) -> Option<Vec<(Located<String>, &'n Node)>> {
        let mut lines: BTreeMap<&str, u32> = BTreeMap::new();
        let mut entries = Vec::new();
        for (key, value) in self.map(node, zh, en)? {
            let Some(name) = self.key_name(key) else { continue };
            if let Some(line) = lines.insert(name, key.at.line) {
                self.report(duplicate_key(key, name, line));
                continue;
            }
            entries.push((Located::new(name.to_owned(), key.at.clone()), value));
        }
        Some(entries)
    }

    fn map<'n>(&mut self, node: &'n Node, zh: &str, en: &str) -> Option<&'n [(Node, Node)]> {
        if let Content::Map(pairs) = &node.content {
            return Some(pairs);
        }
        self.wrong_type(
            node,
            &format!("若干 `键: 值`（{zh}）"),
            &format!("`key: value` pairs ({})", en.replace('_', " ")),
        );
        None
    }

    fn key_name<'n>(&mut self, key: &'n Node) -> Option<&'n str> {
        if let Content::Scalar(name, _) = &key.content {
            return Some(name);
        }
        self.report(
            Diagnostic::error("bad-key", key.at.clone(), "键必须是一个词", "a key must be a word").help(
                "写成 `键: 值`；含 `{…}` 的话术要加引号。",
                "Write `key: value`; put phrases with `{…}` in quotes.",
            ),
        );
        None
    }

    /// Reports a value of the wrong type; `zh` and `en` say what is needed.
    pub(super) fn wrong_type(&mut self, node: &Node, zh: &str, en: &str) {
        let (is_zh, is_en) = match &node.content {
            Content::Null => ("空的", "nothing"),
            Content::Scalar(..) => ("一段文字", "a text"),
            Content::List(_) => ("一个列表", "a list"),
            Content::Map(_) => ("若干 `键: 值`", "`key: value` pairs"),
            Content::Refused => return,
        };
        let diagnostic = Diagnostic::error(
            "wrong-type",
            node.at.clone(),
            format!("这里要写{zh}，现在是{is_zh}"),
            format!("{en} is needed here, this is {is_en}"),
        );
        let full_width =
            matches!(&node.content, Content::Scalar(text, style) if style.is_plain() && text.contains('：'));
        self.report(if full_width {
            diagnostic.help(
                "这里的冒号 `：` 是全角的；改成半角冒号加一个空格，`: `。",
                "The colon `：` is full-width; write a half-width colon and a space, `: `.",
            )
        } else {
            diagnostic.help(
                "看看冒号和缩进；含 `{…}` `: ` `#` 的文字要加引号。",
                "Check colons and indentation; quote texts with `{…}`, `: ` or `#`.",
            )
        });
    }

    pub(super) fn bad_value(&mut self, at: &Position, text: &str, zh: &str, en: &str) {
        self.report(
            Diagnostic::error(
                "bad-value",
                at.clone(),
                format!("`{text}` 不能用在这里"),
                format!("`{text}` is not possible here"),
            )
            .help(format!("要写{zh}。"), format!("Write {en}.")),
        );
    }

    fn scalar<'n>(&mut self, node: &'n Node, zh: &str, en: &str) -> Option<(&'n str, Style)> {
        if let Content::Scalar(text, style) = &node.content {
            return Some((text, *style));
        }
        self.wrong_type(node, zh, en);
        None
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, node: &Node) -> Option<Located<String>> {
        let (text, style) = self.scalar(node, "文字", "a text")?;
        if text.trim().is_empty() {
            self.report(
                Diagnostic::error("empty-text", node.at.clone(), "文字是空的", "the text is empty")
                    .help("写上内容，或删去它。", "Write something or remove it."),
            );
            return None;
        }
        if style.is_plain() {
            self.full_width_in_text(node, text, style)?;
        }
        Some(Located::new(text.to_owned(), node.at.clone()))
    }

    /// Full-width marks that only make sense as a slip of the input method.
    fn full_width_in_text(&mut self, node: &Node, text: &str, style: Style) -> Option<()> {
        let pairs = [('“', '”'), ('‘', '’'), ('「', '」'), ('『', '』'), ('＂', '＂'), ('【', '】'), ('［', '］')];
        if let Some((open, close)) =
            pairs.iter().find(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
        {
            self.report(
                Diagnostic::error(
                    "full-width-quotes",
                    node.at.clone(),
                    format!("`{open}…{close}` 是全角的，会被当作文字的一部分"),
                    format!("`{open}…{close}` is full-width and would be part of the text"),
                )
                .help(
                    format!("引号用半角 `\"…\"`，列表用半角 `[…]`；真要包含 `{open}…{close}`，就在外面再加半角引号。"),
                    format!("Use half-width `\"…\"` and `[…]`; to really include `{open}…{close}`, put half-width quotes around it."),
                ),
            );
            return None;
        }
        if style == Style::PlainInFlow
            && let Some(mark) = text.chars().find(|c| matches!(c, '，' | '、'))
        {
            self.report(
                Diagnostic::error(
                    "full-width-comma",
                    node.at.clone(),
                    format!("`{text}` 里有全角的 `{mark}`，它不分隔各项"),
                    format!("`{text}` has a full-width `{mark}`, which separates nothing"),
                )
                .help(
                    "要分成几项，用半角逗号 `, `；标点属于这句话，就加半角引号。",
                    "To separate items use a half-width `, `; if the mark belongs to the phrase, quote it.",
                ),
            );
            return None;
        }
        Some(())
    }

    /// A name that other things refer to: small letters, digits, `.`, `-`, `_`.
    pub(super) fn id(&mut self, node: &Node) -> Option<Located<String>> {
        let (zh, en) = ("编号", "an id");
        let (text, _) = self.scalar(node, zh, en)?;
        if is_id(text) {
            return Some(Located::new(text.to_owned(), node.at.clone()));
        }
        self.report(
            Diagnostic::error("bad-id", node.at.clone(), format!("`{text}` 不能作编号"), format!("`{text}` is no id"))
                .help(
                    "编号由小写英文字母和数字组成，中间可用 `.` `-` `_` 连接，最长 64 个字符，如 `hold.thank-after`。",
                    "An id is small letters and digits joined by `.`, `-` or `_`, at most 64, such as `hold.thank-after`.",
                ),
        );
        None
    }

    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        let (text, style) = self.scalar(node, " `true` 或 `false`", "`true` or `false`")?;
        match (text, style.is_plain()) {
            ("true", true) => Some(true),
            ("false", true) => Some(false),
            _ => {
                self.bad_value(
                    &node.at,
                    text,
                    " `true`（是）或 `false`（否），不加引号",
                    "`true` or `false`, without quotes",
                );
                None
            }
        }
    }

    pub(super) fn count(&mut self, node: &Node, least: u32) -> Option<u32> {
        let zh = format!("不小于 {least} 的整数");
        let en = format!("a whole number of {least} or more");
        let (text, style) = self.scalar(node, &zh, &en)?;
        let number = text.parse().ok().filter(|number| *number >= least && style.is_plain());
        match number {
            None if !style.is_plain() && text.trim().parse::<u32>().is_ok() => self.quoted_number(node, text),
            None => self.bad_value(&node.at, text, &zh, &en),
            Some(_) => {}
        }
        number
    }

    /// Reports a number that is in quotes, and so a text.
    fn quoted_number(&mut self, node: &Node, text: &str) {
        self.report(
            Diagnostic::error(
                "bad-value",
                node.at.clone(),
                format!("`\"{text}\"` 加了引号，是文字，不是数字"),
                format!("`\"{text}\"` is in quotes: a text, not a number"),
            )
            .help(format!("去掉引号：{text}。"), format!("Remove the quotes: {text}.")),
        );
    }

    pub(super) fn number(&mut self, node: &Node) -> Option<f32> {
        let (zh, en) = ("数字，如 `-20` 或 `62.5`", "a number, such as `-20` or `62.5`");
        let (text, style) = self.scalar(node, zh, en)?;
        let looks = style.is_plain() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        let number = text.parse::<f32>().ok().filter(|number| looks && number.is_finite());
        match number {
            None if !style.is_plain() && text.trim().parse::<f32>().is_ok() => self.quoted_number(node, text),
            None => self.bad_value(&node.at, text, zh, en),
            Some(_) => {}
        }
        number
    }

    /// One of `words`, which are the names serde knows the values of `T` by.
    pub(super) fn choice<T: DeserializeOwned>(&mut self, node: &Node, words: &[Word]) -> Option<T> {
        let word = self.word(node, words)?;
        let deserializer: StrDeserializer<'_, Error> = word.into_deserializer();
        T::deserialize(deserializer).ok()
    }

    /// One of `words`.
    pub(super) fn word(&mut self, node: &Node, words: &[Word]) -> Option<&'static str> {
        let zh = words.iter().map(|(word, zh)| format!("`{word}`（{zh}）")).collect::<Vec<_>>().join("、");
        let en = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let (text, _) = self.scalar(node, &format!("其中之一：{zh}"), &format!("one of {en}"))?;
        if let Some((word, _)) = words.iter().find(|(word, _)| *word == text) {
            return Some(word);
        }
        // Somebody may write the Chinese word.
        let near = words.iter().find(|(_, zh)| *zh == text).map(|(word, _)| *word);
        match near.or_else(|| nearest(text, words.iter().map(|(word, _)| *word))) {
            Some(near) => self.report(
                Diagnostic::error(
                    "bad-value",
                    node.at.clone(),
                    format!("`{text}` 不能用在这里"),
                    format!("`{text}` is not possible here"),
                )
                .help(format!("是不是 `{near}`？可以写：{zh}。"), format!("Did you mean `{near}`? Possible: {en}.")),
            ),
            None => self.bad_value(&node.at, text, &format!("其中之一：{zh}"), &format!("one of {en}")),
        }
        None
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&mut self, node: &Node) -> Option<i64> {
        let (text, _) = self.scalar(node, "时长，如 `10s`", "a duration, such as `10s`")?;
        match parse_duration(text) {
            Ok(ms) => Some(ms),
            Err(problem) => {
                self.bad_duration(node, text, problem, "");
                None
            }
        }
    }

    pub(super) fn extent(&mut self, node: &Node) -> Option<Extent> {
        let (text, _) =
            self.scalar(node, "时长或轮数，如 `10s`、`3 turns`", "a duration or turns, such as `10s` or `3 turns`")?;
        let turns = text.strip_suffix("turns").or_else(|| text.strip_suffix("turn"));
        if let Some(turns) = turns.and_then(|number| number.trim().parse().ok()).filter(|turns| *turns > 0) {
            return Some(Extent::Turns(turns));
        }
        match parse_duration(text) {
            Ok(ms) => Some(Extent::Ms(ms)),
            Err(problem) => {
                self.bad_duration(node, text, problem, "，或轮数，如 `3 turns`");
                None
            }
        }
    }

    fn bad_duration(&mut self, node: &Node, text: &str, problem: DurationFault, turns: &str) {
        let (zh, en) = match problem {
            DurationFault::NoUnit => (format!("时长 `{text}` 没有单位"), format!("the duration `{text}` has no unit")),
            DurationFault::NoNumber => (format!("`{text}` 不是时长"), format!("`{text}` is no duration")),
            DurationFault::TooLong => {
                (format!("时长 `{text}` 超过 7 天"), format!("the duration `{text}` exceeds 7 days"))
            }
        };
        let or_turns = if turns.is_empty() { "" } else { ", or turns, such as `3 turns`" };
        self.report(Diagnostic::error("bad-duration", node.at.clone(), zh, en).help(
            format!("写成数字加单位 ms（毫秒）、s（秒）、m（分）、h（时），如 `500ms` `10s` `1.5s` `2m`{turns}。"),
            format!("Write a number with ms, s, m or h, such as `500ms`, `10s`, `1.5s`, `2m`{or_turns}."),
        ));
    }

    pub(super) fn day(&mut self, node: &Node) -> Option<NaiveDate> {
        let (zh, en) = ("日期，如 `2026-03-15`", "a date, such as `2026-03-15`");
        let (text, _) = self.scalar(node, zh, en)?;
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
        if day.is_none() {
            self.bad_value(&node.at, text, zh, en);
        }
        day
    }

    pub(super) fn hours(&mut self, node: &Node) -> Option<HourRange> {
        let (text, _) = self.scalar(node, "时段，如 `\"09:00-18:00\"`", "hours, such as `\"09:00-18:00\"`")?;
        self.hour_range(&Located::new(text.to_owned(), node.at.clone()))
    }

    pub(super) fn hour_range(&mut self, text: &Located<String>) -> Option<HourRange> {
        let range = parse_hours(&text.value);
        if range.is_none() {
            self.bad_value(
                &text.at,
                &text.value,
                "时段，如 `\"09:00-18:00\"`；跨零点写 `\"22:00-06:00\"`",
                "hours, such as `\"09:00-18:00\"`, or `\"22:00-06:00\"` past midnight",
            );
        }
        range
    }

    /// The items of a list that is not empty.
    pub(super) fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.content {
            Content::List(items) if items.is_empty() => {
                self.report(
                    Diagnostic::error("empty-list", node.at.clone(), "列表是空的", "the list is empty")
                        .help("至少写一项，或删去它。", "Write at least one item or remove it."),
                );
                None
            }
            Content::List(items) => Some(items),
            _ => {
                self.wrong_type(node, "一个列表（每项以 `- ` 开头，或写成 `[…, …]`）", "a list");
                None
            }
        }
    }

    /// The items of a list that is not empty; something alone is a list of one.
    pub(super) fn one_or_many<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match node.content {
            Content::List(_) => self.list(node),
            _ => Some(std::slice::from_ref(node)),
        }
    }
}

/// The fault of a duration.
#[derive(Clone, Copy, Debug)]
pub(super) enum DurationFault {
    NoUnit,
    NoNumber,
    TooLong,
}

/// `500ms`, `1.5s`, `2m`, `24h` in milliseconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, DurationFault> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return Err(DurationFault::NoNumber);
    }
    let factor: i64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" => return Err(DurationFault::NoUnit),
        _ => return Err(DurationFault::NoNumber),
    };
    // In exact steps, not in floating point: 1.1s is 1100 ms everywhere.
    let mut total =
        whole.parse::<i64>().ok().and_then(|whole| whole.checked_mul(factor)).ok_or(DurationFault::TooLong)?;
    let mut step = factor;
    for digit in fraction.bytes() {
        if step % 10 != 0 {
            return Err(DurationFault::NoNumber);
        }
        step /= 10;
        total = total.saturating_add(step * i64::from(digit - b'0'));
    }
    if total > DURATION_MAX_MS { Err(DurationFault::TooLong) } else { Ok(total) }
}

/// The fault of a key of a map that has `name` on line `first` already.
fn duplicate_key(key: &Node, name: &str, first: u32) -> Diagnostic {
    Diagnostic::error(
        "duplicate-key",
        key.at.clone(),
        format!("`{name}` 写了两次"),
        format!("`{name}` is written twice"),
    )
    .help(format!("第 {first} 行已经有了，删去一个。"), format!("It is already on line {first}; remove one."))
}

/// `09:00-18:00`; an end at or before the beginning lies past midnight.
fn parse_hours(text: &str) -> Option<HourRange> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let digits = |text: &str| text.parse::<u32>().ok().filter(|_| text.len() <= 2 && !text.starts_with('+'));
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        (minute < 60 && (hour < 24 || (hour == 24 && minute == 0))).then_some(hour * 60 + minute)
    };
    let (from, until) = text.split_once('-')?;
    let (from_minute, until) = (minute(from)?, minute(until)?);
    let until_minute = if until <= from_minute { until + 24 * 60 } else { until };
    (from_minute < 24 * 60).then_some(HourRange { from_minute, until_minute })
}

pub(super) fn is_id(text: &str) -> bool {
    let joint = |b: u8| matches!(b, b'.' | b'-' | b'_');
    let bytes = text.as_bytes();
    !text.is_empty()
        && text.len() <= 64
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || joint(*b))
        && !bytes.first().copied().is_some_and(joint)
        && !bytes.last().copied().is_some_and(joint)
        && !bytes.windows(2).any(|pair| joint(pair[0]) && joint(pair[1]))
}

/// A place in the same file.
pub(super) fn file_start(file: &Arc<str>) -> Position {
    Position { file: Arc::clone(file), line: 0, column: 0, length: 0 }
}
