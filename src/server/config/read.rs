//! From text to [`Config`]: every fault at once, each with its place. A value
//! that may be secret is never part of a message.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize as _;
use toml::de::{DeArray, DeTable, DeValue};
use toml::{Spanned, Value};

use crate::engine::diagnostic::{Diagnostic, Language, Position, nearest};
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::render::render;
use crate::engine::text::is_formatting;
use crate::server::config::keys::{Key, Kind, PREFIX};
use crate::server::config::secret::check_signing;
use crate::server::config::{
    Config, Counted, Secret, THRESHOLD_NAME_CHARS_MAX, THRESHOLDS_MAX, Threshold, WEBHOOK_NAME_CHARS_MAX, WEBHOOKS_MAX,
    Webhook, keys,
};

/// Variables of other uses: `TINGJIAN_CONFIG` is the `--config` of the command line.
const OTHER_VARIABLES: [&str; 2] = ["TINGJIAN_LOG", "TINGJIAN_CONFIG"];
/// Kubernetes sets these in every pod beside a service called tingjian.
const KUBERNETES_PREFIXES: [&str; 2] = ["TINGJIAN_SERVICE_", "TINGJIAN_PORT"];
/// All faults of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    diagnostics: Vec<Diagnostic>,
    /// The file as far as it may be shown.
    shown: Option<SourceFile>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(render(&self.diagnostics, self.shown.as_slice(), Language::Zh, false).trim_end())
    }
}

impl std::error::Error for ConfigError {}

pub(super) fn read(
    file: Option<(&str, &str)>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut reader = Reader::default();
    let shown = file.map(|(name, text)| reader.file(name, text));
    for (name, value) in environment {
        reader.variable(&name, &value);
    }
    reader.contradictions();
    let error = |diagnostics, shown| ConfigError { diagnostics, shown };
    if !reader.diagnostics.is_empty() {
        return Err(error(reader.diagnostics, shown));
    }
    // Each key was tried alone, so this cannot fail; if it does, it says so.
    Config::deserialize(Value::Table(reader.values))
        .map_err(|fault| error(vec![diagnostic("", fault.message(), fault.message())], None))
}

/// Refuses names of packs that are none of `known`, each at its place.
pub(super) fn check_packs(config: &Config, file: Option<(&str, &str)>, known: &[String]) -> Result<(), ConfigError> {
    let score = &config.score;
    let named = [
        ("shadow_packs", config.shadow_packs.iter().collect::<Vec<_>>()),
        ("score.pack_caps", score.pack_caps.keys().collect()),
        ("score.veto_packs", score.veto_packs.iter().collect()),
    ];
    let mut unknown: Vec<(&str, &String)> =
        named.into_iter().flat_map(|(path, names)| names.into_iter().map(move |name| (path, name))).collect();
    unknown.retain(|(_, name)| !known.contains(name));
    if unknown.is_empty() {
        return Ok(());
    }
    let places = file.map(|(name, text)| pack_places(&Arc::from(name), text)).unwrap_or_default();
    let fault = |(path, name): (&str, &String)| {
        let written = places.iter().find(|(place, pack, _)| (*place, pack) == (path, name));
        let variable = || keys::find(path).map(Key::variable).unwrap_or_default();
        let at = written.map_or_else(|| diagnostic(&variable(), "", "").at, |(.., at)| at.clone());
        let (zh, en) = (format!("{path}：没有规则包 `{name}`"), format!("{path}: no such pack: `{name}`"));
        let fault = Diagnostic::error("config", at, format!("{zh} / no such pack"), en);
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => {
                fault.help(format!("是不是 {near}？ / did you mean {near}?"), format!("did you mean {near}?"))
            }
            None => {
                let all = known.join(", ");
                fault.help(format!("有这些：{all} / there are: {all}"), format!("there are: {all}"))
            }
        }
    };
    let shown = file.map(|(name, text)| SourceFile { name: name.to_owned(), text: without_values(text) });
    let mut diagnostics: Vec<Diagnostic> = unknown.into_iter().map(fault).collect();
    diagnostics.sort_by(|a, b| a.at.cmp(&b.at));
    Err(ConfigError { diagnostics, shown })
}

/// Where a file names packs: under which key, which, and where.
fn pack_places(file: &Arc<str>, text: &str) -> Vec<(&'static str, String, Position)> {
    let (root, _) = DeTable::parse_recoverable(text);
    fn find<'i>(table: &DeTable<'i>, name: &str) -> Option<DeValue<'i>> {
        table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value.get_ref().clone())
    }
    let score = find(root.get_ref(), "score");
    let in_score = |name: &str| score.as_ref().and_then(DeValue::as_table).and_then(|table| find(table, name));
    let mut places = Vec::new();
    for (path, value) in [
        ("shadow_packs", find(root.get_ref(), "shadow_packs")),
        ("score.pack_caps", in_score("pack_caps")),
        ("score.veto_packs", in_score("veto_packs")),
    ] {
        let mut note = |name: &str, at: Range<usize>| places.push((path, name.to_owned(), place(file, text, &at)));
        match &value {
            Some(DeValue::Array(items)) => items.iter().for_each(|item| {
                item.get_ref().as_str().into_iter().for_each(|name| note(name, item.span()));
            }),
            Some(DeValue::Table(entries)) => entries.iter().for_each(|(key, _)| note(key.get_ref(), key.span())),
            _ => {}
        }
    }
    places
}

fn diagnostic(file: &str, zh: impl Into<String>, en: impl Into<String>) -> Diagnostic {
    let file = if file.is_empty() { "配置 / configuration" } else { file };
    Diagnostic::error("config", Position { file: Arc::from(file), ..Position::default() }, zh, en)
}

#[derive(Default)]
struct Reader {
    /// The values understood so far.
    values: toml::Table,
    /// Webhooks and thresholds as they are written, understood or not.
    items: BTreeMap<&'static str, Vec<Value>>,
    /// Where each key is set, whatever its value: `tls.key`, `webhooks.0.name`.
    places: BTreeMap<String, Position>,
    diagnostics: Vec<Diagnostic>,
}

/// A fault and the bytes it stands at.
struct Fault {
    at: Range<usize>,
    zh: String,
    en: String,
    near: Option<String>,
}

impl Reader {
    /// Reads a file; returns it as far as it may be shown.
    fn file(&mut self, name: &str, text: &str) -> SourceFile {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut faults: Vec<Fault> = errors
            .iter()
            .map(|error| Fault {
                at: error.span().unwrap_or(0..0),
                zh: format!("不是正确的 TOML / not TOML: {}", error.message().replace('\n', "; ")),
                en: format!("not TOML: {}", error.message()),
                near: None,
            })
            .collect();
        let file: Arc<str> = Arc::from(name);
        let written: toml::Table = toml::from_str(text).unwrap_or_default();
        if faults.is_empty() {
            let whole = root.span();
            for (key, value) in root.get_ref() {
                let section = value.get_ref().as_table().filter(|_| keys::is_section(key.get_ref()));
                let inner = section.into_iter().flatten().map(|inner| (Some((key, value.span())), inner));
                let own = section.is_none().then_some((None, (key, value)));
                for (section, (key, value)) in inner.chain(own) {
                    let found = faults_of(&whole, section.as_ref(), key, value);
                    let section = section.map(|(section, _)| section.get_ref().to_string());
                    let path = path_of(section.as_deref(), key.get_ref());
                    self.places.insert(path, place(&file, text, &key.span()));
                    if section.is_none()
                        && let Some(list) = List::of(key.get_ref())
                    {
                        let items = written.get(list.key).and_then(Value::as_array).cloned().unwrap_or_default();
                        self.items.insert(list.key, items);
                        self.note_items(list.key, &file, text, value);
                    }
                    if found.is_empty() {
                        let table = section.as_ref().map_or(Some(&written), |section| written.get(section)?.as_table());
                        let value = table.and_then(|table| table.get(key.get_ref().as_ref())).cloned();
                        value.into_iter().for_each(|value| self.set(section.as_deref(), key.get_ref(), value));
                    }
                    faults.extend(found);
                }
            }
            faults.sort_by_key(|fault| fault.at.start);
        }
        self.diagnostics.extend(faults.into_iter().map(|Fault { at, zh, en, near }| {
            let fault = Diagnostic::error("config", place(&file, text, &at), zh, en);
            match near {
                Some(near) => {
                    fault.help(format!("是不是 {near}？ / did you mean {near}?"), format!("did you mean {near}?"))
                }
                None => fault,
            }
        }));
        SourceFile { name: name.to_owned(), text: without_values(text) }
    }

    /// Takes a variable of the environment, if it is one of ours.
    fn variable(&mut self, name: &str, text: &str) {
        let ours = name.starts_with(PREFIX)
            && !OTHER_VARIABLES.contains(&name)
            && !KUBERNETES_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if !ours {
            return;
        }
        let Some(key) = keys::KEYS.iter().find(|key| key.variable() == name) else {
            let names: Vec<String> = keys::KEYS.iter().map(Key::variable).collect();
            let near = nearest(name, names.iter().map(String::as_str).chain(OTHER_VARIABLES));
            let fault = diagnostic(name, "没有这个配置项 / no such key", "no such key");
            self.diagnostics.push(match near {
                Some(near) => {
                    fault.help(format!("是不是 {near}？ / did you mean {near}?"), format!("did you mean {near}?"))
                }
                None => fault,
            });
            return;
        };
        let as_toml = || toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value");
        let as_text = || Value::String(text.to_owned());
        let value = match key.kind {
            Kind::Number | Kind::Fraction | Kind::Flag | Kind::Table => as_toml().unwrap_or_else(as_text),
            Kind::Text if text.starts_with('{') => as_toml().unwrap_or_else(as_text),
            Kind::Text => as_text(),
            Kind::List if text.starts_with(['[', '{']) => as_toml().unwrap_or_else(as_text),
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
        };
        let (section, last) =
            key.path.split_once('.').map_or((None, key.path), |(section, last)| (Some(section), last));
        let mut alone = toml::Table::from_iter([(last.to_owned(), value.clone())]);
        if let Some(section) = section {
            alone = toml::Table::from_iter([(section.to_owned(), Value::Table(alone))]);
        }
        if let Err(error) = Config::deserialize(Value::Table(alone)) {
            let (zh, en) = wrong_value(Some(key), key.path, error.message());
            self.diagnostics.push(diagnostic(name, zh, en));
            return;
        }
        self.places.insert(key.path.to_owned(), diagnostic(name, "", "").at);
        if let Some(list) = List::of(key.path) {
            self.places.retain(|path, _| path.split_once('.').is_none_or(|(first, _)| first != list.key));
            self.items.insert(list.key, value.as_array().cloned().unwrap_or_default());
        }
        self.set(section, last, value);
    }

    fn set(&mut self, section: Option<&str>, key: &str, value: Value) {
        let table = match section {
            Some(section) => {
                let table = self.values.entry(section).or_insert_with(|| Value::Table(toml::Table::new()));
                table.as_table_mut()
            }
            None => Some(&mut self.values),
        };
        if let Some(table) = table {
            table.insert(key.to_owned(), value);
        }
    }

    fn note_items(&mut self, list: &str, file: &Arc<str>, text: &str, value: &SpannedValue<'_>) {
        for (index, item) in value.get_ref().as_array().into_iter().flat_map(|items| items.iter()).enumerate() {
            for (key, value) in item.get_ref().as_table().into_iter().flatten() {
                self.places.insert(format!("{list}.{index}.{}", key.get_ref()), place(file, text, &value.span()));
            }
        }
    }

    /// Where a key is set, or the one that it is a part of.
    fn place_of(&self, path: &str) -> Position {
        let whole = || self.places.get(path.split('.').next().unwrap_or_default());
        self.places.get(path).or_else(whole).cloned().unwrap_or_else(|| diagnostic("", "", "").at)
    }

    fn contradicts(&mut self, path: &str, zh: String, en: String) {
        let at = self.place_of(path);
        self.diagnostics.push(Diagnostic::error("config", at, zh, en));
    }

    /// Reports the faults that only several keys together show.
    fn contradictions(&mut self) {
        for (given, missing) in [("tls.certificate", "tls.key"), ("tls.key", "tls.certificate")] {
            if self.places.contains_key(given) && !self.places.contains_key(missing) {
                let en = format!("{missing} is missing: certificate and key go together");
                self.contradicts(given, format!("缺少 {missing}：证书和私钥要一起配置 / {en}"), en);
            }
        }
        let secret = self.values.get("tokens").and_then(|tokens| tokens.get("agent_secret")).and_then(Value::as_str);
        if let Some(fault) = secret.and_then(|secret| check_signing(&Secret::new(secret.to_owned())).err()) {
            self.contradicts("tokens.agent_secret", fault.clone(), fault);
        }
        for list in LISTS {
            self.name_faults(list);
        }
        self.threshold_contradictions();
    }

    /// The names of webhooks and of thresholds: how many, how long, and each once.
    fn name_faults(&mut self, list: &List) {
        let List { key, most, chars_max, .. } = list;
        let items = self.items.get(key).map(Vec::as_slice).unwrap_or_default();
        let names: Vec<Option<String>> =
            items.iter().map(|item| item.get("name")?.as_str().map(str::to_owned)).collect();
        if items.len() > *most {
            let en = format!("at most {most} {key} are possible");
            self.contradicts(key, format!("{key} 最多 {most} 个 / {en}"), en);
        }
        for (index, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            let path = format!("{key}.{index}.name");
            if name.is_empty() || name.chars().count() > *chars_max || name.contains(is_formatting) {
                let en = format!("the name of a {} has 1 to {chars_max} characters, none of control", list.one);
                self.contradicts(&path, format!("{key} 的 name 要有 1 到 {chars_max} 个字，不能有控制字符 / {en}"), en);
            } else if names[..index].contains(&Some(name.clone())) {
                let en = format!("two {key} are called \"{name}\"");
                self.contradicts(&path, format!("{key} 里有两个 name = \"{name}\" / {en}"), en);
            }
        }
    }

    /// Keys of a threshold that mean nothing with what it counts, and webhooks that there are not.
    fn threshold_contradictions(&mut self) {
        let webhooks = self.items.get(WEBHOOKS).map(Vec::as_slice).unwrap_or_default();
        let known: Vec<String> =
            webhooks.iter().filter_map(|webhook| webhook.get("name")?.as_str().map(str::to_owned)).collect();
        for (index, item) in self.items.get(THRESHOLDS).cloned().unwrap_or_default().iter().enumerate() {
            let Some(Ok(count)) = item.get("count").map(|count| Counted::deserialize(count.clone())) else { continue };
            let idle: &[&str] = match count {
                Counted::Alerts => &["lasting_s"],
                Counted::Calls => &["within_s", "lasting_s", "severity_min", "rule", "pack"],
                Counted::Silence | Counted::Hold | Counted::Unheard => &["within_s", "severity_min", "rule", "pack"],
            };
            for key in idle.iter().filter(|key| item.get(**key).is_some()) {
                let en = format!("{key} means nothing where count = \"{}\"", count.name());
                self.contradicts(
                    &format!("thresholds.{index}.{key}"),
                    format!("count = \"{}\" 用不到 {key} / {en}", count.name()),
                    en,
                );
            }
            let named = item.get("webhooks").and_then(Value::as_array).cloned().unwrap_or_default();
            for name in named.iter().filter_map(Value::as_str).filter(|name| !known.iter().any(|known| known == name)) {
                let en = format!("there is no webhook \"{name}\"");
                self.contradicts(
                    &format!("thresholds.{index}.webhooks"),
                    format!("webhooks 里没有 name = \"{name}\" / {en}"),
                    en,
                );
            }
        }
    }
}

type SpannedKey<'i> = Spanned<toml::de::DeString<'i>>;
type SpannedValue<'i> = Spanned<DeValue<'i>>;

/// The path of a key.
fn path_of(section: Option<&str>, key: &str) -> String {
    section.map_or_else(|| key.to_owned(), |section| format!("{section}.{key}"))
}

/// Every fault of one key: if its value cannot be used, of each of its parts.
fn faults_of<'i>(
    whole: &Range<usize>,
    section: Option<&(&SpannedKey<'i>, Range<usize>)>,
    key: &SpannedKey<'i>,
    value: &SpannedValue<'i>,
) -> Vec<Fault> {
    let Some(fault) = try_alone(whole.clone(), section.cloned(), key, value) else { return Vec::new() };
    let found: Vec<Fault> = match value.get_ref() {
        DeValue::Array(items) if section.is_none() && List::of(key.get_ref()).is_some() => {
            let list = List::of(key.get_ref());
            items.iter().flat_map(|item| list.map_or_else(Vec::new, |list| item_faults(list, whole, item))).collect()
        }
        _ => parts(value).iter().flat_map(|part| faults_of(whole, section, key, part)).collect(),
    };
    if found.is_empty() { vec![fault] } else { found }
}

/// A list as lists of one, a table as tables of one entry; nothing of what cannot be taken apart.
fn parts<'i>(value: &SpannedValue<'i>) -> Vec<SpannedValue<'i>> {
    match value.get_ref() {
        DeValue::Array(items) if items.len() > 1 => {
            let one = |item: &SpannedValue<'i>| {
                let mut one = DeArray::new();
                one.push(item.clone());
                Spanned::new(item.span(), DeValue::Array(one))
            };
            items.iter().map(one).collect()
        }
        DeValue::Table(entries) => {
            let split = |(key, value): (&SpannedKey<'i>, &SpannedValue<'i>)| {
                let inner = parts(value);
                let inner = if inner.is_empty() { vec![value.clone()] } else { inner };
                let alone = |value: SpannedValue<'i>| {
                    Spanned::new(value.span(), DeValue::Table(DeTable::from_iter([(key.clone(), value)])))
                };
                inner.into_iter().map(alone).collect::<Vec<_>>()
            };
            let split: Vec<_> = entries.iter().flat_map(split).collect();
            if split.len() > 1 { split } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// The keys of the lists whose items are sections of their own.
const WEBHOOKS: &str = "webhooks";
const THRESHOLDS: &str = "thresholds";

/// A list whose items are sections of their own.
struct List {
    key: &'static str,
    one: &'static str,
    most: usize,
    chars_max: usize,
    /// Keys that each item has, with values that are right, in TOML.
    required: &'static [(&'static str, &'static str)],
    /// Why a table of one item cannot be used.
    fault: fn(toml::de::Deserializer<'_>) -> Option<toml::de::Error>,
    /// What the values of its keys are, in Chinese and English.
    values: fn(&str) -> (&'static str, &'static str),
}

const LISTS: &[List] = &[
    List {
        key: WEBHOOKS,
        one: "webhook",
        most: WEBHOOKS_MAX,
        chars_max: WEBHOOK_NAME_CHARS_MAX,
        required: &[("name", "\"right\""), ("url", "\"http://localhost\"")],
        fault: |item| Webhook::deserialize(item).err(),
        values: |key| match key {
            "style" => ("要写其中之一：json、wecom、dingtalk、feishu", "must be one of json, wecom, dingtalk, feishu"),
            "severity_min" => ("要写其中之一：info、warning、critical", "must be one of info, warning, critical"),
            "url" => ("要是完整的 http:// 或 https:// 地址", "must be a whole http:// or https:// address"),
            "secret" => ("要是文字，或 { file = \"文件\" }", "must be text, or { file = \"FILE\" }"),
            _ => ("要是文字", "must be text"),
        },
    },
    List {
        key: THRESHOLDS,
        one: "threshold",
        most: THRESHOLDS_MAX,
        chars_max: THRESHOLD_NAME_CHARS_MAX,
        required: &[("name", "\"right\""), ("count", "\"calls\""), ("at_least", "1")],
        fault: |item| Threshold::deserialize(item).err(),
        values: |key| match key {
            "count" => (
                "要写其中之一：alerts、silence、hold、unheard、calls",
                "must be one of alerts, silence, hold, unheard, calls",
            ),
            "severity_min" | "severity" => {
                ("要写其中之一：info、warning、critical", "must be one of info, warning, critical")
            }
            "at_least" => ("要是 1 到 10000 的整数", "must be a whole number from 1 to 10000"),
            "within_s" => ("要是 1 到 86400 的整数（秒）", "must be a whole number of seconds from 1 to 86400"),
            "lasting_s" | "cooldown_s" => ("要是大于 0 的整数（秒）", "must be a whole number of seconds above 0"),
            "webhooks" => ("要是 webhooks 的名称列表：[\"…\"]", "must be a list of names of webhooks: [\"…\"]"),
            _ => ("要是文字", "must be text"),
        },
    },
];

impl List {
    fn of(key: &str) -> Option<&'static Self> {
        LISTS.iter().find(|list| list.key == key)
    }
}

/// Every fault of one item: each of its keys is tried among others that are right.
fn item_faults<'i>(list: &List, whole: &Range<usize>, item: &SpannedValue<'i>) -> Vec<Fault> {
    let List { key: of, one, required, .. } = list;
    let fault = |at, (zh, en): (String, String), near| Fault {
        at,
        zh: format!("{of}：{zh} / {en}"),
        en: format!("{of}: {en}"),
        near,
    };
    let Some(entries) = item.get_ref().as_table() else {
        let keys: Vec<String> = required.iter().map(|(name, _)| format!("{name} = …")).collect();
        let form = format!("{{ {} }}", keys.join(", "));
        return vec![fault(item.span(), (format!("每个 {one} 写成 {form}"), format!("each {one} is {form}")), None)];
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        let right = required.iter().filter_map(|(name, right)| {
            Some((Spanned::new(0..0, (*name).into()), Spanned::new(0..0, DeValue::parse(right).ok()?.into_inner())))
        });
        let mut alone = DeTable::from_iter(right);
        alone.remove(key);
        alone.insert(key.clone(), value.clone());
        let deserializer = toml::de::Deserializer::from(Spanned::new(whole.clone(), alone));
        let Some(error) = (list.fault)(deserializer) else { continue };
        let name = key.get_ref();
        if let Some((name, near)) = unknown_field(error.message()) {
            found.push(fault(key.span(), (format!("没有配置项 `{name}`"), format!("no such key: `{name}`")), near));
            continue;
        }
        let (zh, en) = (list.values)(name);
        found.push(fault(value.span(), (format!("{name} {zh}"), format!("{name} {en}")), None));
    }
    for (required, _) in *required {
        if !entries.keys().any(|key| key.get_ref() == required) {
            found.push(fault(item.span(), (format!("缺少 {required}"), format!("{required} is missing")), None));
        }
    }
    found
}

/// Reads a configuration of this one key, so that every fault is reported, not only the first.
fn try_alone<'i>(
    whole: Range<usize>,
    section: Option<(&SpannedKey<'i>, Range<usize>)>,
    key: &SpannedKey<'i>,
    value: &SpannedValue<'i>,
) -> Option<Fault> {
    let mut alone = DeTable::from_iter([(key.clone(), value.clone())]);
    let mut path = key.get_ref().to_string();
    if let Some((section, span)) = section {
        path = format!("{}.{path}", section.get_ref());
        alone = DeTable::from_iter([(section.clone(), Spanned::new(span, DeValue::Table(alone)))]);
    }
    let deserializer = toml::de::Deserializer::from(Spanned::new(whole, alone));
    let error = Config::deserialize(deserializer).err()?;
    if let Some((name, near)) = unknown_field(error.message()) {
        let at = error.span().unwrap_or_else(|| key.span());
        return Some(Fault {
            at,
            zh: format!("没有配置项 `{name}` / no such key: `{name}`"),
            en: format!("no such key: `{name}`"),
            near,
        });
    }
    let (zh, en) = wrong_value(keys::find(&path), &path, error.message());
    Some(Fault { at: error.span().unwrap_or_else(|| value.span()), zh, en, near: None })
}

/// The name and its nearest neighbour out of serde's message about a field that is not there.
fn unknown_field(message: &str) -> Option<(String, Option<String>)> {
    let mut names = message.strip_prefix("unknown field `")?.split('`').step_by(2);
    let name = names.next()?;
    let near = nearest(name, names.filter(|name| !name.is_empty()));
    Some((name.to_owned(), near.map(str::to_owned)))
}

/// The fault of a key's value, or of a section that is no key. Messages of serde may quote the
/// value, messages of this crate do not.
fn wrong_value(key: Option<&Key>, path: &str, message: &str) -> (String, String) {
    let ours = message.contains(" / ");
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let (zh, en) = match key.map(|key| (key.kind, key)) {
        Some(_) if missing.is_some() => {
            let name = missing.unwrap_or_default();
            (format!("缺少 {name} / {name} is missing"), format!("{name} is missing"))
        }
        Some(_) if ours => (message.to_owned(), message.to_owned()),
        None => (format!("应是一节 [{path}] / must be a section"), "must be a section".to_owned()),
        Some((Kind::Number, _)) => (
            "应是大于 0 的整数 / must be a whole number above 0".to_owned(),
            "must be a whole number above 0".to_owned(),
        ),
        Some((Kind::Fraction, _)) => (
            "应是 0 到 1 之间的小数 / must be a number from 0 to 1".to_owned(),
            "must be a number from 0 to 1".to_owned(),
        ),
        Some((Kind::Flag, _)) => {
            ("应是 true 或 false / must be true or false".to_owned(), "must be true or false".to_owned())
        }
        Some((Kind::List, _)) => ("应是列表：[\"…\", \"…\"] / must be a list".to_owned(), "must be a list".to_owned()),
        Some((_, key)) if key.is_secret() => (format!("{} / {}", key.zh, key.en), key.en.to_owned()),
        Some(_) => (format!("值不对 / wrong value: {message}"), format!("wrong value: {message}")),
    };
    (format!("{path}：{zh}"), format!("{path}: {en}"))
}

/// Line and column of the bytes `at`.
fn place(file: &Arc<str>, text: &str, at: &Range<usize>) -> Position {
    let before = text.get(..at.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    let marked = text.get(at.clone()).and_then(|marked| marked.lines().next()).unwrap_or_default().chars().count();
    let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Position { file: Arc::clone(file), line: count(line), column: count(column), length: count(marked) }
}

/// The text with what is between quotes made unreadable on lines that may hold
/// a secret. Every character keeps its place.
fn without_values(text: &str) -> String {
    let mut section = String::new();
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') && !trimmed.contains('=') {
            section = trimmed.trim_matches(|c: char| "[] \r\n\t".contains(c)).to_owned();
        }
        let path = |name: &str| if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        let name = trimmed.split(['=', ' ']).next().unwrap_or_default();
        if keys::find(&path(name)).is_some_and(|key| !key.is_secret()) {
            shown.push_str(line);
            continue;
        }
        let value_at = line.find(['=', '"', '\'']).unwrap_or(line.len());
        let (name, value) = line.split_at(value_at);
        shown.push_str(name);
        shown.extend(value.chars().map(|c| if c.is_alphanumeric() || "-._~+/".contains(c) { '*' } else { c }));
    }
    shown
}
