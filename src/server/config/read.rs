//! From text to [`Config`]: every fault at once, each with its place. A value
//! that may be secret is never part of a message.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use crate::engine::diagnostic::{Diagnostic, Language, Position, nearest};
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::render::render;
use crate::server::config::keys::{Key, Kind, PREFIX};
use crate::server::config::secret::check_signing;
use crate::server::config::{Config, SecretSource, WEBHOOK_NAME_CHARS_MAX, WEBHOOKS_MAX, keys};

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
    let mut reader = Reader { values: toml::Table::new(), diagnostics: Vec::new() };
    let shown = file.map(|(name, text)| reader.file(name, text));
    for (name, value) in environment {
        reader.variable(&name, &value);
    }
    let error = |diagnostics, shown| ConfigError { diagnostics, shown };
    if !reader.diagnostics.is_empty() {
        return Err(error(reader.diagnostics, shown));
    }
    // Each key was tried alone, so this cannot fail; if it does, it says so.
    let config = Config::deserialize(Value::Table(reader.values))
        .map_err(|fault| error(vec![diagnostic("", fault.message(), fault.message())], None))?;
    match contradiction(&config) {
        Some(contradiction) => Err(error(vec![contradiction], None)),
        None => Ok(config),
    }
}

/// A fault that only several keys together show.
fn contradiction(config: &Config) -> Option<Diagnostic> {
    let tls = match (&config.tls.certificate, &config.tls.key) {
        (Some(_), None) => Some("tls.key"),
        (None, Some(_)) => Some("tls.certificate"),
        _ => None,
    };
    if let Some(missing) = tls {
        return Some(diagnostic(
            "",
            format!("缺少 {missing}：证书和私钥要一起配置 / {missing} is missing: certificate and key go together"),
            format!("{missing} is missing: certificate and key go together"),
        ));
    }
    if let Some(SecretSource::Plain(secret)) = &config.tokens.agent_secret
        && let Err(fault) = check_signing(secret)
    {
        return Some(diagnostic("", fault.clone(), fault));
    }
    if config.webhooks.len() > WEBHOOKS_MAX {
        return Some(diagnostic(
            "",
            format!("webhooks 最多 {WEBHOOKS_MAX} 个 / at most {WEBHOOKS_MAX} webhooks"),
            format!("at most {WEBHOOKS_MAX} webhooks are possible"),
        ));
    }
    for (index, webhook) in config.webhooks.iter().enumerate() {
        if webhook.name.is_empty() || webhook.name.chars().count() > WEBHOOK_NAME_CHARS_MAX {
            return Some(diagnostic(
                "",
                format!(
                    "webhooks 的 name 要有 1 到 {WEBHOOK_NAME_CHARS_MAX} 个字 / the name of a webhook has 1 to {WEBHOOK_NAME_CHARS_MAX} characters"
                ),
                format!("the name of a webhook has 1 to {WEBHOOK_NAME_CHARS_MAX} characters"),
            ));
        }
        if config.webhooks[..index].iter().any(|other| other.name == webhook.name) {
            let name = &webhook.name;
            return Some(diagnostic(
                "",
                format!("webhooks 里有两个 name = \"{name}\" / two webhooks are called \"{name}\""),
                format!("two webhooks are called \"{name}\""),
            ));
        }
    }
    None
}

fn diagnostic(file: &str, zh: impl Into<String>, en: impl Into<String>) -> Diagnostic {
    let file = if file.is_empty() { "配置 / configuration" } else { file };
    Diagnostic::error("config", Position { file: Arc::from(file), ..Position::default() }, zh, en)
}

struct Reader {
    /// The values understood so far.
    values: toml::Table,
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
        if faults.is_empty() {
            let whole = root.span();
            for (key, value) in root.get_ref() {
                let section = value.get_ref().as_table().filter(|_| keys::is_section(key.get_ref()));
                let Some(section) = section else {
                    faults.extend(try_alone(whole.clone(), None, key, value));
                    continue;
                };
                for inner in section {
                    faults.extend(try_alone(whole.clone(), Some((key, value.span())), inner.0, inner.1));
                }
            }
            faults.sort_by_key(|fault| fault.at.start);
        }
        let file: Arc<str> = Arc::from(name);
        self.diagnostics.extend(faults.into_iter().map(|Fault { at, zh, en, near }| {
            let fault = Diagnostic::error("config", place(&file, text, &at), zh, en);
            match near {
                Some(near) => {
                    fault.help(format!("是不是 {near}？ / did you mean {near}?"), format!("did you mean {near}?"))
                }
                None => fault,
            }
        }));
        if self.diagnostics.is_empty()
            && let Ok(values) = toml::from_str(text)
        {
            self.values = values;
        }
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
            Kind::Number | Kind::Fraction | Kind::Table => as_toml().unwrap_or_else(as_text),
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
        let table = match section {
            Some(section) => {
                let table = self.values.entry(section).or_insert_with(|| Value::Table(toml::Table::new()));
                table.as_table_mut()
            }
            None => Some(&mut self.values),
        };
        if let Some(table) = table {
            table.insert(last.to_owned(), value);
        }
    }
}

type SpannedKey<'i> = Spanned<toml::de::DeString<'i>>;
type SpannedValue<'i> = Spanned<DeValue<'i>>;

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
    let (zh, en) = match key.map(|key| (key.kind, key)) {
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
