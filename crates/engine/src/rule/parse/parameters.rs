//! Values that a company sets for itself.
//!
//! A rule file declares them under `parameters:` with a default and uses them
//! as `${name}` in any scalar. A file called `parameters.yaml` (or
//! `….parameters.yaml`) sets them by pack. Values are put in on the tree,
//! before it is decoded: every node keeps its place, so that what is wrong
//! with a value is reported where it is used, with a note of where it was set.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::decoder::{Decoder, parse_duration};
use super::yaml::{self, Content, Node, Style};
use super::{FILE_BYTES_MAX, file_too_long};
use crate::diagnostic::{Diagnostic, Faults, Located, Position, nearest};
use crate::rule::syntax::Parameter;
use crate::rule::{quote, surface};

/// The beginning of a reference; `}` closes it.
const OPEN: &str = "${";

/// Whether a file of this name sets parameters, and holds no rules.
#[must_use]
pub fn is_parameters_file(name: &str) -> bool {
    let path = Path::new(name);
    let extension = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    extension && (stem == "parameters" || stem.ends_with(".parameters"))
}

/// The values that a company sets, by pack and parameter.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    packs: BTreeMap<String, PackOverrides>,
    /// The name of some pack could not be read, so that any name may be right.
    pub(super) packs_lost: bool,
}

#[derive(Debug)]
struct PackOverrides {
    at: Position,
    values: BTreeMap<String, Override>,
}

#[derive(Debug)]
struct Override {
    key: Position,
    value: Value,
}

/// A value of a parameter, as it was written.
#[derive(Clone, Debug)]
struct Value {
    text: Located<String>,
    style: Style,
}

/// What a value looks like; one that replaces another must look like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Number,
    Duration,
    Boolean,
    Text,
}

impl Overrides {
    /// Takes in a file of values.
    pub(super) fn read(&mut self, name: &Arc<str>, text: &str, out: &mut Faults) {
        if text.len() > FILE_BYTES_MAX {
            out.push(file_too_long(name));
            return;
        }
        // A file in which everything is a comment sets nothing.
        let Some(loaded) = yaml::load(name, text, out) else { return };
        let mut decoder = Decoder::default();
        let entries = decoder.entries(&loaded.root, "规则包: { 参数: 值 }", "pack: { parameter: value }");
        for (pack, node) in entries.unwrap_or_default() {
            if matches!(node.content, Content::Null | Content::Refused) {
                continue;
            }
            let values = decoder.entries(node, "参数: 值", "parameter: value").unwrap_or_default();
            let known = self
                .packs
                .entry(pack.value.clone())
                .or_insert_with(|| PackOverrides { at: pack.at.clone(), values: BTreeMap::new() });
            for (parameter, node) in values {
                let Some(value) = decoder.parameter_value(node) else { continue };
                if let Some(first) = known.values.get(&parameter.value) {
                    let place = first.key.to_string();
                    let name = &parameter.value;
                    decoder.report(
                        Diagnostic::error(
                            "duplicate-key",
                            parameter.at,
                            format!("`{name}` 已经设过了"),
                            format!("`{name}` is already set"),
                        )
                        .help(format!("它在 {place}；删去一个。"), format!("It is at {place}; remove one.")),
                    );
                    continue;
                }
                known.values.insert(parameter.value, Override { key: parameter.at, value });
            }
        }
        out.append(decoder.diagnostics);
    }

    /// Reports the values that no pack asked for.
    pub(super) fn unclaimed<'p>(self, packs: impl Iterator<Item = &'p str> + Clone, out: &mut Faults) {
        if self.packs_lost {
            return;
        }
        for (name, pack) in self.packs {
            let diagnostic = Diagnostic::error(
                "unknown-pack",
                pack.at,
                format!("没有规则包 `{name}`"),
                format!("there is no pack `{name}`"),
            );
            out.push(suggest(diagnostic, &name, packs.clone(), ""));
        }
    }
}

/// `diagnostic`, telling which of `names` was probably meant, or all of them.
fn suggest<'n>(
    diagnostic: Diagnostic,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    nothing: &str,
) -> Diagnostic {
    if let Some(near) = nearest(name, names.clone()) {
        return diagnostic.help(format!("是不是 `{near}`？"), format!("Did you mean `{near}`?"));
    }
    let all = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ");
    if all.is_empty() {
        return diagnostic.help(nothing, "Declare it under `parameters:` or remove it.");
    }
    diagnostic.help(format!("可以用：{all}。"), format!("Possible: {all}."))
}

/// A parameter on its way through the file.
struct Draft {
    parameter: Parameter,
    /// `None` if its value could not be read.
    value: Option<Value>,
}

impl Decoder {
    /// Reads the parameters of a file and puts their values where they are used. What cannot be
    /// filled in is reported once and stands for anything afterwards.
    pub(super) fn parameters(&mut self, root: &mut Node, overrides: &mut Overrides) {
        let Content::Map(entries) = &mut root.content else { return };
        let entry = |name: &str| {
            entries.iter().find(|(key, _)| matches!(&key.content, Content::Scalar(text, _) if text == name))
        };
        let own = match entry("pack") {
            Some((_, Node { content: Content::Scalar(pack, _), .. })) => overrides.packs.remove(pack),
            _ => {
                overrides.packs_lost = true;
                None
            }
        };
        // Where they could not be read, any reference may be right.
        let mut lost = self.lists_lost;
        let mut slots = Vec::new();
        if let Some((_, node)) = entry("parameters") {
            match &node.content {
                Content::Map(_) => slots = self.declared(node),
                // Reported with the other keys of the pack.
                Content::Null => lost = true,
                _ => {
                    self.declared(node);
                    lost = true;
                }
            }
        }
        if !lost {
            self.set(&mut slots, own);
        }
        for (key, value) in entries.iter_mut() {
            if matches!(&key.content, Content::Scalar(text, _) if text == "parameters") {
                continue;
            }
            self.fill(key, &mut slots, lost);
            self.fill(value, &mut slots, lost);
        }
        for slot in &slots {
            let Parameter { name, used_at, .. } = &slot.parameter;
            if used_at.is_empty() && !lost {
                let name_text = &name.value;
                self.report(
                    Diagnostic::warning(
                        "unused-parameter",
                        name.at.clone(),
                        format!("参数 `{name_text}` 没有用到"),
                        format!("the parameter `{name_text}` is not used"),
                    )
                    .help(
                        format!("在规则里写 `${{{name_text}}}`，或删去它。"),
                        format!("Write `${{{name_text}}}` in a rule, or remove it."),
                    ),
                );
            }
        }
        self.parameters = slots.into_iter().map(|slot| slot.parameter).collect();
    }

    fn declared(&mut self, node: &Node) -> Vec<Draft> {
        let entries = self.entries(node, "名称: { value: 默认值, description: 说明 }", "name: { value, description }");
        let mut slots = Vec::new();
        for (name, node) in entries.unwrap_or_default() {
            let valid = !name.value.is_empty() && name.value.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
            if !valid {
                let text = &name.value;
                self.report(
                    Diagnostic::error(
                        "bad-parameter-name",
                        name.at.clone(),
                        format!("`{text}` 不能作参数的名称"),
                        format!("`{text}` is no name for a parameter"),
                    )
                    .help("名称由文字、数字、`_` 和 `-` 组成。", "A name is letters, digits, `_` and `-`."),
                );
            }
            let mut value = None;
            let mut description = String::new();
            if let Some(mut fields) = self.fields(node, &surface::PARAMETER) {
                value = fields.get("value").and_then(|node| self.parameter_value(node));
                let text = fields.get("description").and_then(|node| self.text(node));
                description = text.map(|text| text.value).unwrap_or_default();
            }
            let written = value.as_ref().map(|Value { text, style }| match style.is_plain() {
                true => text.value.clone(),
                false => quote::quoted(&text.value),
            });
            let parameter = Parameter {
                value: value.as_ref().map_or_else(|| Located::new(String::new(), name.at.clone()), |v| v.text.clone()),
                default: written.unwrap_or_default(),
                name,
                description,
                used_at: Vec::new(),
            };
            slots.push(Draft { parameter, value });
        }
        slots
    }

    /// A scalar of one line that refers to no parameter itself.
    fn parameter_value(&mut self, node: &Node) -> Option<Value> {
        if matches!(node.content, Content::Null) {
            self.report(
                Diagnostic::error("empty-value", node.at.clone(), "参数没有值", "the parameter has no value")
                    .help("写上值，或删去这一行。", "Write a value or remove the line."),
            );
            return None;
        }
        let text = self.text(node)?;
        let Content::Scalar(_, style) = node.content else { return None };
        if text.value.contains('\n') || text.value.contains(OPEN) {
            self.report(
                Diagnostic::error(
                    "bad-parameter-value",
                    text.at,
                    "参数的值要写成一行，里面不能再用 `${…}`",
                    "a value is one line and holds no `${…}` itself",
                )
                .help("直接写出值。", "Write the value itself."),
            );
            return None;
        }
        Some(Value { text, style })
    }

    /// Puts a company's values in the place of the defaults.
    fn set(&mut self, slots: &mut [Draft], own: Option<PackOverrides>) {
        for (name, Override { key, value }) in own.into_iter().flat_map(|own| own.values) {
            let Some(slot) = slots.iter_mut().find(|slot| slot.parameter.name.value == name) else {
                let diagnostic = Diagnostic::error(
                    "unknown-parameter",
                    key,
                    format!("这个规则包没有参数 `{name}`"),
                    format!("the pack has no parameter `{name}`"),
                );
                let names = slots.iter().map(|slot| slot.parameter.name.value.as_str());
                self.report(suggest(diagnostic, &name, names, "这个规则包没有参数；删去这一行。"));
                continue;
            };
            // A default that could not be read says nothing of what is needed.
            let needed = slot.value.as_ref().map_or(Look::Text, Value::look);
            if needed != Look::Text && needed != value.look() {
                let (zh, en) = needed.name();
                let (text, default) = (&value.text.value, &slot.parameter.default);
                self.report(
                    Diagnostic::error(
                        "parameter-type",
                        value.text.at.clone(),
                        format!("参数 `{name}` 要写{zh}，现在是 `{text}`"),
                        format!("the parameter `{name}` is {en}, this is `{text}`"),
                    )
                    .help(
                        format!("默认值是 `{default}`，照它的样子写。"),
                        format!("The default is `{default}`; write one like it."),
                    ),
                );
                continue;
            }
            slot.parameter.value = value.text.clone();
            slot.value = Some(value);
        }
    }

    fn fill(&mut self, node: &mut Node, slots: &mut [Draft], lost: bool) {
        match &mut node.content {
            Content::List(items) => items.iter_mut().for_each(|item| self.fill(item, slots, lost)),
            Content::Map(entries) => {
                for (key, value) in entries {
                    self.fill(key, slots, lost);
                    self.fill(value, slots, lost);
                }
            }
            Content::Scalar(text, style) if text.contains(OPEN) => {
                let (text, style) = (std::mem::take(text), *style);
                node.content = self.filled(&node.at, &text, style, slots, lost).unwrap_or(Content::Refused);
            }
            Content::Scalar(..) | Content::Null | Content::Refused => {}
        }
    }

    /// A scalar with its references filled in; `None` if one of them cannot be.
    fn filled(&mut self, at: &Position, text: &str, style: Style, slots: &mut [Draft], lost: bool) -> Option<Content> {
        let mut result = String::with_capacity(text.len());
        let mut complete = true;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(OPEN) {
            result.push_str(before);
            let start = text.len() - rest.len() + before.len();
            let Some((name, behind)) = after.split_once('}') else {
                self.report(
                    Diagnostic::error(
                        "open-reference",
                        inside(at, text, style, start..text.len()),
                        "`${` 后面没有 `}`",
                        "nothing closes `${`",
                    )
                    .help("写成 `${参数的名称}`。", "Write `${name of a parameter}`."),
                );
                return None;
            };
            rest = behind;
            let Some(ix) = slots.iter().position(|slot| slot.parameter.name.value == name) else {
                if !lost {
                    let diagnostic = Diagnostic::error(
                        "unknown-parameter",
                        inside(at, text, style, start..text.len() - behind.len()),
                        format!("没有参数 `{name}`"),
                        format!("there is no parameter `{name}`"),
                    );
                    let names = slots.iter().map(|slot| slot.parameter.name.value.as_str());
                    let nothing =
                        format!("在这个文件的 `parameters:` 下加上 `{name}: {{ value: …, description: … }}`。");
                    self.report(suggest(diagnostic, name, names, &nothing));
                }
                complete = false;
                continue;
            };
            let slot = &mut slots[ix];
            if slot.parameter.used_at.last() != Some(at) {
                slot.parameter.used_at.push(at.clone());
            }
            let Some(value) = &slot.value else {
                complete = false;
                continue;
            };
            if start == 0 && before.is_empty() && behind.is_empty() && result.is_empty() {
                // Nothing but the reference: the value stands there as it was written.
                let style = if value.style.is_plain() { Style::Plain } else { Style::Quoted };
                return Some(Content::Scalar(value.text.value.clone(), style));
            }
            result.push_str(&value.text.value);
        }
        result.push_str(rest);
        complete.then_some(Content::Scalar(result, style))
    }
}

/// The place of a part of a scalar, where the scalar is written as it reads; else that of all of it.
fn inside(at: &Position, text: &str, style: Style, bytes: std::ops::Range<usize>) -> Position {
    let chars = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let quote = match style {
        Style::Plain | Style::PlainInFlow => 0,
        Style::Quoted => 1,
        Style::Literal | Style::Folded => return at.clone(),
    };
    if at.length != chars(text).saturating_add(2 * quote) {
        return at.clone();
    }
    Position { column: at.column + quote + chars(&text[..bytes.start]), length: chars(&text[bytes]), ..at.clone() }
}

impl Value {
    fn look(&self) -> Look {
        let text = self.text.value.as_str();
        let number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') && text.parse::<f64>().is_ok();
        match self.style.is_plain() {
            _ if parse_duration(text).is_ok() => Look::Duration,
            true if number => Look::Number,
            true if matches!(text, "true" | "false") => Look::Boolean,
            _ => Look::Text,
        }
    }
}

impl Look {
    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Number => ("数字，不加引号", "a number, without quotes"),
            Self::Duration => ("时长", "a duration"),
            Self::Boolean => (" `true` 或 `false`", "`true` or `false`"),
            Self::Text => ("文字", "a text"),
        }
    }
}

/// Adds to faults of scalars that parameters were put into what those are, and where they were set.
pub(in crate::rule) fn annotate(faults: &mut [Diagnostic], parameters: &[Parameter]) {
    for fault in faults {
        for Parameter { name, value, .. } in parameters.iter().filter(|parameter| parameter.used_at.contains(&fault.at))
        {
            let (name, place, value) = (&name.value, &value.at, &value.value);
            end_sentence(&mut fault.help_zh, "。", "。");
            end_sentence(&mut fault.help_en, ".", ". ");
            fault.help_zh.push_str(&format!("`${{{name}}}` 在这里是 `{value}`，写在 {place}。"));
            fault.help_en.push_str(&format!("`${{{name}}}` is `{value}` here, set at {place}."));
        }
    }
}

/// Prepares `text` for a further sentence.
fn end_sentence(text: &mut String, stop: &str, stop_and_space: &str) {
    if text.ends_with(['。', '？', '！']) || text.is_empty() {
        return;
    }
    text.push_str(if text.ends_with(['.', '?', '!']) {
        stop_and_space.trim_start_matches(stop)
    } else {
        stop_and_space
    });
}
