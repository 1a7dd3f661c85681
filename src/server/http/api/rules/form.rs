//! One rule of a file as values for a form, and changes of values put into the file's text. Nothing changes
//! on the server: the text comes with the request and goes with the answer.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Map, Value as JsonValue};
use utoipa::ToSchema;

use crate::engine::diagnostic::{Diagnostic, Language, Level, Position};
use crate::engine::rule::edit::{self, Change, EditFault, Step, Value, WrittenRule};
use crate::engine::rule::load_alone;
use crate::engine::rule::parse::SourceFile;
use crate::engine::unit_test;
use crate::server::config::CHANGES_MAX;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::http::api::rules::edit::{Edited, EditedFile, Fields, TrialPermit, bad, in_turn};
use crate::server::net::reply::Unanswered;
use crate::server::rules::Remark;
use crate::server::runtime::Shared;

/// A file, the rule that is meant, and what is to change.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct EditRequest {
    file: EditedFile,
    /// The rule; none for the file as a whole.
    rule_id: Option<String>,
    /// `{"set": PATH, "value": …}`, `{"append": PATH, "value": …}` or `{"remove": PATH}`; a path is the
    /// names and places of values from the rule on: `["forbid", "any", 0]`.
    #[schema(value_type = Option<Vec<Object>>)]
    changes: Option<Vec<JsonValue>>,
    /// A rule that is put behind the others, as an object.
    #[schema(value_type = Option<Object>)]
    add: Option<JsonValue>,
    /// A rule that is taken out.
    remove: Option<String>,
}

/// A file after changes, and what a form shows of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EditAnswer {
    /// The text of the file.
    text: String,
    /// The rules in it, by id.
    rules: Vec<String>,
    /// The rule's values; null if there is no such rule, or the text cannot be read as it stands.
    #[schema(value_type = Option<Object>)]
    rule: Option<JsonValue>,
    /// The lines that the rule stands on, from 1.
    line: Option<u32>,
    last_line: Option<u32>,
    /// Why there are no values: the fault and the remedy.
    unreadable: Option<String>,
    unreadable_en: Option<String>,
    /// Whether all rules can be used with this file.
    ok: bool,
    /// What is wrong or doubtful in this file.
    remarks: Vec<FieldRemark>,
    /// How many tests the rule has, and those that fail, each with the place of the test.
    tests: usize,
    failures: Vec<FailedTest>,
}

/// A test of the rule that fails.
#[derive(Debug, Serialize, ToSchema)]
struct FailedTest {
    /// Names and places from the rule on.
    #[schema(value_type = Vec<Value>)]
    path: Vec<JsonValue>,
    /// The expected and the actual alerts as text for people.
    text: String,
    text_en: String,
}

/// A remark, and the value that it is about.
#[derive(Debug, Serialize, ToSchema)]
struct FieldRemark {
    #[serde(flatten)]
    remark: Remark,
    rule_id: Option<String>,
    /// Names and places from the rule on.
    #[schema(value_type = Vec<Value>)]
    path: Vec<JsonValue>,
}

/// Reads a rule for a form, and puts changes of its values into the text of its file.
#[utoipa::path(post, path = "/v1/rules/edit", tag = "operate", request_body = EditRequest, responses(
    (status = 200, description = "The file after the changes, and the rule's values / 改过的文件和规则的各项", body = EditAnswer),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn edit_rule(
    State(shared): State<Arc<Shared>>,
    Extension(turn): Extension<TrialPermit>,
    body: Result<String, StringRejection>,
) -> Result<Json<EditAnswer>, Unanswered> {
    let fields = Fields::read(body, &["file", "rule_id", "changes", "add", "remove"])?;
    let SourceFile { name, text } = fields.file()?;
    let rule_id = fields.text("rule_id")?.map(str::to_owned);
    let changes = changes(&fields)?;
    let mut text = text;
    let refused = |field: &str, fault: EditFault| bad(field, format!("{} / {}", fault.zh(), fault.en()));
    if let Some(rule) = fields.get("add") {
        let rule = value("add", rule)?;
        text = edit::add_rule(&text, &rule).map_err(|fault| refused("add", fault))?;
    }
    if let Some(id) = fields.text("remove")? {
        text = edit::remove_rule(&text, id).map_err(|fault| refused("remove", fault))?;
    }
    if !changes.is_empty() {
        let id = rule_id.as_deref().ok_or_else(|| bad("rule_id", "缺少 rule_id / rule_id is missing"))?;
        text = edit::edit(&text, id, &changes).map_err(|fault| refused("changes", fault))?;
    }
    let written = shared.rules.written();
    let answer = in_turn(&shared, turn, move |_| {
        let file = SourceFile { name, text };
        let edited = Edited::new(&written, std::slice::from_ref(&file));
        Some(EditAnswer::new(file, rule_id.as_deref(), edited))
    });
    Ok(Json(answer.await?))
}

impl EditAnswer {
    fn new(file: SourceFile, rule_id: Option<&str>, edited: Edited) -> Self {
        let SourceFile { name, text } = file;
        let read = rule_id.map(|id| edit::read(&text, id));
        let (rule, fault) = match read {
            Some(Ok(rule)) => (Some(rule), None),
            Some(Err(fault)) => (None, Some(fault)),
            None => (None, None),
        };
        let alone = rule_id.and_then(|id| load_alone(&edited.sources.files, id, edited.sources.thresholds));
        let report = alone.map(|(rules, packs)| unit_test::run(&rules, &packs)).unwrap_or_default();
        let failed = |failure: &unit_test::Failure| FailedTest {
            path: path_at(&text, &failure.at).1,
            text: failure.render(Language::Zh),
            text_en: failure.render(Language::En),
        };
        let lines = rule.as_ref().map(|WrittenRule { line, last_line, .. }| (*line, *last_line));
        let ok = edited.diagnostics.iter().all(|remark| remark.level != Level::Error);
        let own = edited.diagnostics.into_iter().filter(|remark| *remark.at.file == name);
        Self {
            rules: edit::ids(&text),
            rule: rule.map(|rule| json(&rule.value)),
            line: lines.map(|(line, _)| line),
            last_line: lines.map(|(_, line)| line),
            unreadable: fault.map(|fault| fault.zh().to_owned()),
            unreadable_en: fault.map(|fault| fault.en().to_owned()),
            ok,
            remarks: own.map(|remark| FieldRemark::new(&text, remark)).collect(),
            tests: report.total,
            failures: report.failures.iter().map(failed).collect(),
            text,
        }
    }
}

impl FieldRemark {
    fn new(text: &str, remark: Diagnostic) -> Self {
        let (rule_id, path) = path_at(text, &remark.at);
        Self { remark: Remark::from(remark), rule_id, path }
    }
}

/// The rule and the value at a place of the text.
fn path_at(text: &str, at: &Position) -> (Option<String>, Vec<JsonValue>) {
    let (rule_id, path) = edit::field_at(text, at).unzip();
    let step = |step: Step| match step {
        Step::Key(name) => JsonValue::from(name),
        Step::Item(at) => JsonValue::from(at),
    };
    (rule_id, path.unwrap_or_default().into_iter().map(step).collect())
}

/// `changes`, each with its path.
fn changes(fields: &Fields) -> Result<Vec<Change>, Unanswered> {
    let Some(changes) = fields.get("changes") else { return Ok(Vec::new()) };
    let JsonValue::Array(changes) = changes else {
        return Err(bad("changes", "changes 要是数组 / must be an array"));
    };
    if changes.len() > CHANGES_MAX {
        return Err(bad("changes", format!("最多 {CHANGES_MAX} 处 / at most {CHANGES_MAX} changes")));
    }
    let change = |(place, change): (usize, &JsonValue)| {
        let field = format!("changes[{place}]");
        let own = change.as_object().ok_or_else(|| bad(&field, "要是对象 / must be an object"))?;
        let new = || value(&field, own.get("value").unwrap_or(&JsonValue::Null));
        match (own.get("set"), own.get("append"), own.get("remove")) {
            (Some(at), None, None) => Ok(Change::Set(path(&field, at)?, new()?)),
            (None, Some(at), None) => Ok(Change::Append(path(&field, at)?, new()?)),
            (None, None, Some(at)) => Ok(Change::Remove(path(&field, at)?)),
            _ => Err(bad(&field, "set、append、remove 恰好写一个 / exactly one of set, append and remove")),
        }
    };
    changes.iter().enumerate().map(change).collect()
}

fn path(field: &str, path: &JsonValue) -> Result<Vec<Step>, Unanswered> {
    let step = |step: &JsonValue| match step {
        JsonValue::String(name) => Some(Step::Key(name.clone())),
        JsonValue::Number(at) => Some(Step::Item(usize::try_from(at.as_u64()?).ok()?)),
        _ => None,
    };
    let steps = path.as_array().and_then(|path| path.iter().map(step).collect::<Option<Vec<_>>>());
    steps
        .filter(|steps| !steps.is_empty())
        .ok_or_else(|| bad(field, "路径要是名称和序号的数组 / a path is an array of names and places"))
}

/// A value as it is to be written.
fn value(field: &str, value: &JsonValue) -> Result<Value, Unanswered> {
    match value {
        JsonValue::String(text) if !text.trim().is_empty() => Ok(Value::Text(text.clone())),
        JsonValue::Number(number) => Ok(Value::Word(number.to_string())),
        JsonValue::Bool(is) => Ok(Value::Word(is.to_string())),
        JsonValue::Array(items) if !items.is_empty() => {
            Ok(Value::List(items.iter().map(|item| self::value(field, item)).collect::<Result<_, _>>()?))
        }
        JsonValue::Object(entries) if !entries.is_empty() => {
            let entry = |(name, item): (&String, &JsonValue)| Ok((name.clone(), self::value(field, item)?));
            let mut entries: Vec<_> = entries.iter().map(entry).collect::<Result<_, Unanswered>>()?;
            // An object has no order; in a file the keys stand as people write them.
            entries.sort_by_key(|(name, _)| edit::rank(name));
            Ok(Value::Map(entries))
        }
        _ => Err(bad(field, "值是空的；要去掉它，用 remove / the value is empty: use remove to take it out")),
    }
}

fn json(value: &Value) -> JsonValue {
    match value {
        Value::Text(text) | Value::Word(text) => JsonValue::from(text.as_str()),
        Value::List(items) => JsonValue::Array(items.iter().map(json).collect()),
        Value::Map(entries) => {
            JsonValue::Object(entries.iter().map(|(name, value)| (name.clone(), json(value))).collect::<Map<_, _>>())
        }
    }
}
