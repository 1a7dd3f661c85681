//! Rule files to [`PackSource`]s, with every fault of every file at once.
//!
//! In three steps: the typography is put right (`typography`), the text
//! becomes a tree that knows its places (`yaml`), and the tree becomes the
//! types of [`syntax`](super::syntax) (`decoder`, `said`, `body`, and here).
//! None of them stops at a fault. What may be written is in `surface`.

mod acts;
mod body;
mod decoder;
mod digest;
mod form;
mod parameters;
mod said;
mod typography;
pub(super) mod yaml;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::acts::acts;
use self::decoder::{Decoder, Fields, file_start};
use self::digest::Digests;
pub use self::form::{ReadForms, Reference, forms};
use self::parameters::Overrides;
pub(super) use self::parameters::annotate;
pub use self::parameters::is_parameters_file;
use self::yaml::{Content, Document, Node, Style};
use super::surface;
use super::syntax::{Hypotheses, Limit, PackSource, PhraseSource, RuleSource, Scope, SubjectWords, TestSource};
use crate::diagnostic::{Diagnostic, Faults, Located, Position, nearest};
use crate::severity::Severity;
use crate::transcript::Role;

/// A longer rule file is refused. The largest sensible one is a hundredth of this.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// How long a deadline waits for late utterances unless a rule says otherwise.
const GRACE_DEFAULT_MS: i64 = 2_000;

/// The placeholders that a message may hold.
const PLACEHOLDERS: &[&str] = &["phrase", "missing", "said", "total", "value", "limit", "step", "before"];

/// A rule file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name in diagnostics.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Whether a file is a learned model (see [`crate::act`]) and not written by a person.
#[must_use]
pub fn is_model_file(name: &str) -> bool {
    name.ends_with(".model")
}

/// Reads rule files, and the files among them that set parameters (see [`is_parameters_file`]).
///
/// The packs hold all that could be understood. They are only complete, and
/// fit to be compiled, if no diagnostic is an error.
#[must_use]
pub fn parse(files: &[SourceFile]) -> (Vec<PackSource>, Vec<Diagnostic>) {
    let (packs, faults) = parse_all(files);
    (packs, faults.finish(order(files)))
}

/// The order in which people read faults: that of `files`, and of the lines in them.
pub(super) fn order(files: &[SourceFile]) -> impl Fn(&Diagnostic, &Diagnostic) -> Ordering {
    let order: BTreeMap<&str, usize> = files.iter().map(|file| file.name.as_str()).zip(0..).collect();
    move |a, b| {
        let place = |fault: &Diagnostic| order.get(&*fault.at.file).copied();
        place(a).cmp(&place(b)).then(a.at.cmp(&b.at)).then(a.code.cmp(b.code))
    }
}

/// The packs in `files`, and the faults before they are put in order.
pub(super) fn parse_all(files: &[SourceFile]) -> (Vec<PackSource>, Faults) {
    let mut packs = Vec::new();
    let mut diagnostics = Faults::default();
    // What files share: values of parameters, names of packs and ids of rules.
    let mut overrides = Overrides::default();
    let mut seen = Seen::default();
    let written = files.iter().filter(|file| !is_model_file(&file.name));
    let (setting, ruling): (Vec<&SourceFile>, Vec<_>) = written.partition(|file| is_parameters_file(&file.name));
    for file in setting {
        overrides.read(&Arc::from(file.name.as_str()), &file.text, &mut diagnostics);
    }
    for file in ruling {
        let name: Arc<str> = Arc::from(file.name.as_str());
        packs.extend(parse_file(&name, &file.text, &mut seen, &mut overrides, &mut diagnostics));
    }
    overrides.unclaimed(packs.iter().map(|pack: &PackSource| pack.pack.value.as_str()), &mut diagnostics);
    (packs, diagnostics)
}

#[derive(Default)]
struct Seen {
    packs: BTreeMap<String, Position>,
    rules: BTreeMap<String, Position>,
}

fn file_too_long(name: &Arc<str>) -> Diagnostic {
    Diagnostic::error("file-too-long", file_start(name), "文件超过 4 MiB", "the file exceeds 4 MiB")
        .help("把它拆成几个文件。", "Split it into several files.")
}

fn parse_file(
    name: &Arc<str>,
    text: &str,
    seen: &mut Seen,
    overrides: &mut Overrides,
    out: &mut Faults,
) -> Option<PackSource> {
    if text.len() > FILE_BYTES_MAX {
        out.push(file_too_long(name));
        overrides.packs_lost = true;
        return None;
    }
    let Document { mut root, header_lost } = match yaml::load(name, text, out) {
        Some(loaded) => loaded,
        None if out.concern(name) => {
            overrides.packs_lost = true;
            return None;
        }
        None => {
            out.push(Diagnostic::error("empty-file", file_start(name), "文件是空的", "the file is empty").help(
                "写上 `pack:`、`title:` 和 `rules:`，或删去这个文件。",
                "Write `pack:`, `title:` and `rules:`, or remove the file.",
            ));
            return None;
        }
    };
    let mut decoder = Decoder { lists_lost: header_lost, ..Decoder::default() };
    decoder.parameters(&mut root, overrides);
    let pack = if header_lost { decoder.lone_rules(&root, seen) } else { decoder.pack(&root, seen) };
    annotate(&mut decoder.diagnostics.kept, &decoder.parameters);
    out.append(decoder.diagnostics);
    pack
}

impl Decoder {
    /// The rules of a file whose other parts could not be read: looked at for their own faults.
    fn lone_rules(&mut self, root: &Node, seen: &mut Seen) -> Option<PackSource> {
        if let Content::Map(entries) = &root.content {
            for (_, rules) in entries {
                self.rules(rules, seen);
            }
        }
        None
    }

    fn pack(&mut self, root: &Node, seen: &mut Seen) -> Option<PackSource> {
        let mut fields = self.fields(root, &surface::PACK)?;
        let pack = fields.get("pack").and_then(|node| self.id(node));
        if let Some(pack) = &pack {
            self.unique(&mut seen.packs, pack, "duplicate-pack", ("规则包", "pack"));
        }
        let title = fields.get("title").and_then(|node| self.text(node));
        let source = fields.get("source").and_then(|node| self.text(node));
        let enabled = fields.get("enabled").and_then(|node| self.boolean(node)).unwrap_or(true);
        let feature = fields.get("feature").and_then(|node| self.boolean(node)).unwrap_or(true);
        let yields_to = fields.get("yields_to").map(|node| self.texts(node)).unwrap_or_default();
        let parameters = fields.get("parameters").map(|_| self.parameters.clone()).unwrap_or_default();
        let subjects = fields.get("subjects").map(|node| self.subjects(node)).unwrap_or_default();
        let lists = fields.get("lists").map(|node| self.lists(node)).unwrap_or_default();
        self.digests = Digests::new(fields.get("lists"));
        let rules = fields.get("rules").map(|node| self.rules(node, seen)).unwrap_or_default();
        Some(PackSource {
            pack: pack?,
            title: title?.value,
            source: source.map(|source| source.value),
            enabled,
            feature,
            yields_to,
            parameters,
            subjects,
            lists,
            rules,
        })
    }

    fn unique(
        &mut self,
        seen: &mut BTreeMap<String, Position>,
        name: &Located<String>,
        code: &'static str,
        (zh, en): (&str, &str),
    ) {
        let Some(first) = seen.get(&name.value) else {
            seen.insert(name.value.clone(), name.at.clone());
            return;
        };
        let place = format!("{}:{}", first.file, first.line);
        let value = &name.value;
        self.report(
            Diagnostic::error(
                code,
                name.at.clone(),
                format!("{zh} `{value}` 已经有了"),
                format!("there already is a {en} `{value}`"),
            )
            .help(format!("它在 {place}；给其中一个换个名字。"), format!("It is in {place}; rename one of them.")),
        );
    }

    /// Reads `lists:`. All names are noted first: a list may hold one that is written below it.
    fn lists(&mut self, node: &Node) -> BTreeMap<String, Located<Vec<PhraseSource>>> {
        let entries = self.entries(node, "名称: [话术, …]", "name: [phrase, …]").unwrap_or_default();
        self.lists = entries.iter().map(|(name, _)| name.value.clone()).collect();
        let mut lists = BTreeMap::new();
        for (name, phrases) in entries {
            if !name.value.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) || name.value.is_empty() {
                let value = &name.value;
                self.report(
                    Diagnostic::error(
                        "bad-list-name",
                        name.at.clone(),
                        format!("`{value}` 不能作词表的名称"),
                        format!("`{value}` is no name for a list"),
                    )
                    .help(
                        "名称由文字、数字、`_` 和 `-` 组成，不带 `$`。",
                        "A name is letters, digits, `_` and `-`, without `$`.",
                    ),
                );
            }
            let phrases = self.phrases(phrases);
            lists.insert(name.value, Located::new(phrases, name.at));
        }
        self.list_cycles(&lists);
        lists
    }

    /// A list that holds itself, directly or through others, holds nothing.
    fn list_cycles(&mut self, lists: &BTreeMap<String, Located<Vec<PhraseSource>>>) {
        let references = |name: &str| {
            lists
                .get(name)
                .into_iter()
                .flat_map(|list| &list.value)
                .filter_map(|phrase| phrase.text.value.strip_prefix('$'))
        };
        for (name, list) in lists {
            let mut reached = BTreeSet::new();
            let mut todo: Vec<&str> = references(name).collect();
            while let Some(next) = todo.pop() {
                if reached.insert(next) {
                    todo.extend(references(next));
                }
            }
            if reached.contains(name.as_str()) {
                self.report(
                    Diagnostic::error(
                        "list-cycle",
                        list.at.clone(),
                        format!("词表 `{name}` 绕回了自己"),
                        format!("the list `{name}` leads back to itself"),
                    )
                    .help("去掉其中一处引用。", "Remove one of the references."),
                );
            }
        }
    }

    fn rules(&mut self, node: &Node, seen: &mut Seen) -> Vec<RuleSource> {
        let items = self.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.rule(item, seen)).collect()
    }

    fn rule(&mut self, node: &Node, seen: &mut Seen) -> Option<RuleSource> {
        let mut fields = self.fields(node, &surface::RULE)?;
        let id = fields.get("id").and_then(|node| self.id(node));
        if let Some(id) = &id {
            self.unique(&mut seen.rules, id, "duplicate-rule", ("规则", "rule"));
        }
        let name = fields.get("name").and_then(|node| self.text(node));
        let severity: Option<Severity> = fields.get("severity").and_then(|node| self.choice(node, surface::SEVERITY));
        let deduct = fields.get("deduct").and_then(|node| self.count(node, 0));
        let message = fields.get("message").and_then(|node| self.text(node));
        if let Some(message) = &message {
            self.placeholders(message);
        }
        let suggestion = fields.get("suggestion").and_then(|node| self.text(node));
        let clauses = fields.get("clauses").map(|node| self.texts(node)).unwrap_or_default();
        let (from, until) = fields.get("effective").map(|node| self.effective(node)).unwrap_or_default();
        let scope = fields.get("scope").and_then(|node| self.scope(node)).unwrap_or_default();
        let when = fields.get("when").and_then(|node| self.expression(node));
        let limit = fields.get("limit").and_then(|node| self.limit(node)).unwrap_or_default();
        let confidence = fields.get("confidence").and_then(|node| self.share(node));
        let shadow = fields.get("shadow").and_then(|node| self.boolean(node)).unwrap_or(false);
        let hypotheses = fields.get("hypotheses").and_then(|node| self.hypotheses(node)).unwrap_or_default();
        let grace = fields.get("grace").and_then(|node| self.duration(node));
        let body = self.body(&mut fields);
        let tests = fields.get("tests").map(|node| self.tests(node)).unwrap_or_default();
        Some(RuleSource {
            id: id?,
            name: name?.value,
            severity: severity.unwrap_or_default(),
            deduct: deduct.unwrap_or(0),
            message: message?.value,
            suggestion: suggestion.map(|suggestion| suggestion.value),
            clauses,
            from,
            until,
            scope,
            when,
            limit,
            hypotheses,
            confidence,
            shadow,
            grace_ms: grace.unwrap_or(GRACE_DEFAULT_MS),
            body: body?,
            tests,
            digest: self.digests.of_rule(node),
        })
    }

    /// Reports placeholders of a message that nothing fills.
    pub(super) fn placeholders(&mut self, message: &Located<String>) {
        let mut rest = message.value.as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            rest = after;
            if PLACEHOLDERS.contains(&name) {
                continue;
            }
            let all = PLACEHOLDERS.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(" ");
            let diagnostic = Diagnostic::error(
                "unknown-placeholder",
                message.at.clone(),
                format!("预警文字里的 `{{{name}}}` 没有可填的内容"),
                format!("nothing fills `{{{name}}}` in a message"),
            );
            self.report(match nearest(name, PLACEHOLDERS.iter().copied()) {
                Some(near) => diagnostic.help(format!("是不是 `{{{near}}}`？"), format!("Did you mean `{{{near}}}`?")),
                None => diagnostic.help(format!("可以用：{all}。"), format!("Possible: {all}.")),
            });
        }
    }

    fn subjects(&mut self, node: &Node) -> SubjectWords {
        let Some(mut fields) = self.fields(node, &surface::SUBJECTS) else { return SubjectWords::default() };
        let mut words = |name| fields.get(name).map(|node| self.texts(node)).unwrap_or_default();
        SubjectWords { own: words("own"), customer: words("customer"), other: words("other") }
    }

    fn texts(&mut self, node: &Node) -> Vec<Located<String>> {
        let items = self.one_or_many(node).unwrap_or_default();
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    fn effective(&mut self, node: &Node) -> (Option<chrono::NaiveDate>, Option<chrono::NaiveDate>) {
        let Some(mut fields) = self.fields(node, &surface::EFFECTIVE) else { return (None, None) };
        let from = fields.get("from").and_then(|node| self.day(node));
        let until_node = fields.get("until");
        let until = until_node.and_then(|node| self.day(node));
        if let (Some(first), Some(last), Some(node)) = (from, until, until_node)
            && last < first
        {
            self.report(
                Diagnostic::error(
                    "empty-period",
                    node.at.clone(),
                    format!("{last} 早于 {first}，规则永远不生效"),
                    format!("{last} is before {first}: the rule never applies"),
                )
                .help("改正 `from` 或 `until`。", "Correct `from` or `until`."),
            );
        }
        (from, until)
    }

    fn scope(&mut self, node: &Node) -> Option<Scope> {
        let mut fields = self.fields(node, &surface::SCOPE)?;
        let direction = fields.get("direction").and_then(|node| self.choice(node, surface::DIRECTION));
        let channel = fields.get("channel").and_then(|node| self.choice(node, surface::CHANNEL));
        let values = |texts: Vec<Located<String>>| texts.into_iter().map(|text| text.value).collect();
        let queue = fields.get("queue").map(|node| values(self.texts(node))).unwrap_or_default();
        let attributes = fields
            .get("attributes")
            .and_then(|node| self.entries(node, "属性: [值, …]", "attribute: [value, …]"))
            .unwrap_or_default()
            .into_iter()
            .map(|(name, node)| (name.value, values(self.texts(node))))
            .collect();
        Some(Scope { direction, channel, queue, attributes })
    }

    fn limit(&mut self, node: &Node) -> Option<Limit> {
        if let Content::Scalar(text, _) = &node.content
            && text.parse::<u32>().is_ok()
        {
            self.report(
                Diagnostic::error(
                    "bad-value",
                    node.at.clone(),
                    format!("`{text}` 不能用在这里"),
                    format!("`{text}` is not possible here"),
                )
                .help(
                    format!("最多报几次写成 `limit: {{ max: {text} }}`；也可以写 `each`、`once`。"),
                    format!("To tell it so often at most, write `limit: {{ max: {text} }}`; `each` and `once` are possible, too."),
                ),
            );
            return None;
        }
        if matches!(node.content, Content::Scalar(..)) {
            let once = self.word(node, surface::LIMIT_WORD)? == "once";
            return Some(if once { Limit::Once } else { Limit::Each });
        }
        let mut fields = self.fields(node, &surface::LIMIT)?;
        let max = fields.get("max").and_then(|node| self.count(node, 1));
        let cooldown = fields.get("cooldown").and_then(|node| self.duration(node));
        max.map(Limit::Max).or(cooldown.map(Limit::CooldownMs))
    }

    /// A number from 0 to 1.
    fn share(&mut self, node: &Node) -> Option<f64> {
        let share = f64::from(self.number(node)?);
        if (0.0..=1.0).contains(&share) {
            return Some(share);
        }
        self.report(
            Diagnostic::error("out-of-range", node.at.clone(), "要在 0 和 1 之间", "must be between 0 and 1")
                .help("如 0.6；0 表示不复看。", "Such as 0.6; 0 waives the second look."),
        );
        None
    }

    fn hypotheses(&mut self, node: &Node) -> Option<Hypotheses> {
        if matches!(node.content, Content::Scalar(..)) {
            let show = self.word(node, surface::HYPOTHESES_WORD)? == "show";
            return Some(if show { Hypotheses::Show } else { Hypotheses::Final });
        }
        let mut fields = self.fields(node, &surface::HYPOTHESES)?;
        let revisions = fields.get("revisions").and_then(|node| self.count(node, 1));
        let stable = fields.get("stable").and_then(|node| self.duration(node));
        revisions.map(Hypotheses::Revisions).or(stable.map(Hypotheses::StableMs))
    }

    fn tests(&mut self, node: &Node) -> Vec<TestSource> {
        let items = self.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.test(item)).collect()
    }

    fn test(&mut self, node: &Node) -> Option<TestSource> {
        let mut fields = self.fields(node, &surface::TEST)?;
        let fires = fields.get("fires").and_then(|node| self.text(node));
        let silent = fields.get("silent").and_then(|node| self.text(node));
        let role: Option<Role> = fields.get("role").and_then(|node| self.choice(node, surface::ROLE));
        let reply_to = fields.get("reply_to").and_then(|node| self.text(node));
        let call = fields.get("call").and_then(|node| self.script(node));
        if let Some(script) = call {
            for key in ["role", "reply_to"] {
                self.only_beside(&fields, key, "fires", "silent");
            }
            return Some(TestSource::Call { script });
        }
        let (text, fires) = fires.map(|text| (text, true)).or(silent.map(|text| (text, false)))?;
        let role = role.unwrap_or(Role::Agent);
        Some(TestSource::Line { text, fires, role, reply_to: reply_to.map(|text| text.value) })
    }

    /// Reports `key` as out of place: it belongs beside `one` or `other`.
    fn only_beside(&mut self, fields: &Fields<'_>, key: &str, one: &str, other: &str) {
        if let Some(at) = fields.key_at(key) {
            self.report(
                Diagnostic::error(
                    "misplaced-key",
                    at.clone(),
                    format!("`{key}` 只能与 `{one}` 或 `{other}` 同用"),
                    format!("`{key}` only goes with `{one}` or `{other}`"),
                )
                .help(format!("删去 `{key}`。"), format!("Remove `{key}`.")),
            );
        }
    }

    /// The lines of a test, placed where the first of them stands.
    fn script(&mut self, node: &Node) -> Option<Located<String>> {
        match &node.content {
            Content::Scalar(text, Style::Literal) if !text.trim().is_empty() => {
                Some(Located::new(text.clone(), node.at.clone()))
            }
            Content::Scalar(text, Style::Literal) if text.trim().is_empty() => {
                self.report(
                    Diagnostic::error("empty-text", node.at.clone(), "对话是空的", "the call is empty")
                        .help("在 `call: |` 下面每行写一句，缩进。", "Write one line each below `call: |`, indented."),
                );
                None
            }
            _ => {
                self.report(
                    Diagnostic::error(
                        "bad-script",
                        node.at.clone(),
                        "`call` 要写成 `|` 块",
                        "`call` must be a `|` block",
                    )
                    .help(
                        "写 `call: |`，换行，然后每行写一句，缩进。",
                        "Write `call: |`, then one line each below it, indented.",
                    ),
                );
                None
            }
        }
    }
}

/// A file as JSON, as an editor that knows YAML hands it to a schema.
#[cfg(test)]
pub(super) fn to_json(text: &str) -> serde_json::Value {
    use serde_json::{Value, json};
    fn value(node: &Node) -> Value {
        match &node.content {
            Content::Null | Content::Refused => Value::Null,
            Content::Scalar(text, style) if style.is_plain() => {
                let number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                match (text.as_str(), number) {
                    ("true", _) => json!(true),
                    ("false", _) => json!(false),
                    (_, true) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
                    _ => json!(text),
                }
            }
            Content::Scalar(text, _) => json!(text),
            Content::List(items) => items.iter().map(value).collect(),
            Content::Map(entries) => {
                let name = |key: &Node| match &key.content {
                    Content::Scalar(name, _) => name.clone(),
                    other => panic!("a key that is no word: {other:?}"),
                };
                Value::Object(entries.iter().map(|(key, node)| (name(key), value(node))).collect())
            }
        }
    }
    let mut faults = Faults::default();
    let loaded = yaml::load(&Arc::from("test.yaml"), text, &mut faults);
    assert_eq!(faults.kept, []);
    value(&loaded.unwrap().root)
}
