//! Edited rules over those in use, for rule writers: parsed, linted and tested. Nothing changes on
//! the server: the files come with the request and go with it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::{Request, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouterExt as _;

use crate::adapter::native::ID_BYTES_MAX;
use crate::engine::diagnostic::{Diagnostic, Language, nearest};
use crate::engine::rule::Loaded;
use crate::engine::rule::lint::lint;
use crate::engine::rule::parse::{SourceFile, is_parameters_file};
use crate::engine::rule::render::render;
use crate::engine::rule::sources::Sources;
use crate::engine::rule::syntax::PackSource;
use crate::engine::unit_test::{self, TestReport};
use crate::server::config::{BACKTEST_TIMEOUT, RULE_FILES_MAX, TRIAL_TIMEOUT, TRIAL_WAIT};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::filter::BadQuery;
use crate::server::http::api::rules::compute;
use crate::server::http::router::Handlers;
use crate::server::net::reply::{self, Unanswered};
use crate::server::rules::{Remark, Written};
use crate::server::runtime::Shared;

/// A turn at compiling rules or at a backtest; it lasts while a clone of the permit exists.
pub(crate) type TrialPermit = Arc<OwnedSemaphorePermit>;

/// Handlers that compile edited rules: a few at once, within a limit.
pub(crate) fn in_turns(shared: &Arc<Shared>, handlers: Handlers) -> Handlers {
    handlers
        .layer::<_, Infallible>(middleware::from_fn(|request: Request<HttpBody>, next: Next| {
            hurry(TRIAL_TIMEOUT, request, next)
        }))
        .layer::<_, Infallible>(middleware::from_fn_with_state(Arc::clone(shared), take_turns))
}

/// Handlers that replay stored calls: one at a time, within a limit.
pub(crate) fn one_by_one(shared: &Arc<Shared>, handlers: Handlers) -> Handlers {
    handlers
        .layer::<_, Infallible>(middleware::from_fn(|request: Request<HttpBody>, next: Next| {
            hurry(BACKTEST_TIMEOUT, request, next)
        }))
        .layer::<_, Infallible>(middleware::from_fn_with_state(Arc::clone(shared), one_at_a_time))
}

/// Answers within a limit, if only that it takes too long.
pub(super) async fn hurry(limit: Duration, request: Request<HttpBody>, next: Next) -> Response {
    timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        let message = format!(
            "{seconds} 秒内没有算完：请减少内容或缩小时间范围 / not done within {seconds} s: send less, or choose a shorter span"
        );
        reply::error(StatusCode::REQUEST_TIMEOUT, "timeout", &message)
    })
}

/// Lets a few questions at once compile rules; the others wait a while.
async fn take_turns(State(shared): State<Arc<Shared>>, mut request: Request<HttpBody>, next: Next) -> Response {
    let turn = match timeout(TRIAL_WAIT, Arc::clone(&shared.trials).acquire_owned()).await {
        Ok(Ok(turn)) => turn,
        Ok(Err(_)) => return Unanswered::from(Refusal::Stopping).into_response(),
        Err(_) => return Unanswered::from(Refusal::Busy).into_response(),
    };
    request.extensions_mut().insert::<TrialPermit>(Arc::new(turn));
    next.run(request).await
}

/// Lets one backtest run and refuses the others.
async fn one_at_a_time(State(shared): State<Arc<Shared>>, mut request: Request<HttpBody>, next: Next) -> Response {
    let Ok(turn) = Arc::clone(&shared.backtests).try_acquire_owned() else {
        return Unanswered::from(Refusal::BacktestRunning).into_response();
    };
    request.extensions_mut().insert::<TrialPermit>(Arc::new(turn));
    next.run(request).await
}

/// A field and what is wrong with it.
pub(crate) fn bad(field: impl AsRef<str>, message: impl Into<String>) -> Unanswered {
    Unanswered::Field(BadQuery::new(field.as_ref(), message))
}

/// The object in the body of a request.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object that may have these fields.
    pub(crate) fn read(body: Result<String, StringRejection>, known: &[&str]) -> Result<Self, Unanswered> {
        let body = body?;
        let fields: Map<String, Value> = serde_json::from_str(&body).map_err(|error| {
            bad("", format!("请求体要是一个 JSON 对象：{error} / the body must be a JSON object: {error}"))
        })?;
        if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            let all = known.join(", ");
            let shown: String = name.chars().take(40).collect();
            let near = nearest(name, known.iter().copied());
            let meant = near.map(|near| format!("是不是 {near}？/ did you mean {near}? ")).unwrap_or_default();
            let message = format!("没有字段 {shown}；{meant}可用的有：{all} / known are: {all}");
            return Err(bad(shown, message));
        }
        Ok(Self(fields))
    }

    /// The value of a field; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A field that is text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Unanswered> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| bad(name, format!("{name} 要是字符串 / must be a string"))))
            .transpose()
    }

    /// `files`: edited rule files, each named once.
    pub(crate) fn files(&self) -> Result<Vec<SourceFile>, Unanswered> {
        let Some(files) = self.get("files") else { return Ok(Vec::new()) };
        let Value::Array(files) = files else {
            return Err(bad("files", "files 要是数组：[{\"name\":…,\"text\":…}] / must be an array"));
        };
        if files.len() > RULE_FILES_MAX {
            return Err(bad("files", format!("最多 {RULE_FILES_MAX} 个文件 / at most {RULE_FILES_MAX} files")));
        }
        let mut read: Vec<SourceFile> = Vec::new();
        for (place, file) in files.iter().enumerate() {
            let file = one_file(&format!("files[{place}]"), file)?;
            if read.iter().any(|other| other.name == file.name) {
                return Err(bad(format!("files[{place}].name"), "同一个文件写了两次 / this file is there twice"));
            }
            read.push(file);
        }
        Ok(read)
    }

    /// `file`: one edited rule file.
    pub(crate) fn file(&self) -> Result<SourceFile, Unanswered> {
        one_file("file", self.get("file").ok_or_else(|| bad("file", "缺少 file / file is missing"))?)
    }
}

/// An edited file in the field of that name.
fn one_file(field: &str, file: &Value) -> Result<SourceFile, Unanswered> {
    let text = |name: &str| {
        file.get(name).and_then(Value::as_str).ok_or_else(|| {
            bad(format!("{field}.{name}"), format!("缺少 {name}，或不是字符串 / {name} must be a string"))
        })
    };
    let (name, text) = (text("name")?, text("text")?);
    let field = format!("{field}.name");
    if name.len() > ID_BYTES_MAX || name.chars().any(char::is_control) {
        let message =
            format!("最多 {ID_BYTES_MAX} 字节，不能有控制字符 / at most {ID_BYTES_MAX} bytes, no control characters");
        return Err(bad(field, message));
    }
    if !(name.ends_with(".yaml") || name.ends_with(".yml")) {
        return Err(bad(field, "文件名要以 .yaml 或 .yml 结尾 / must end in .yaml or .yml"));
    }
    Ok(SourceFile { name: name.to_owned(), text: text.to_owned() })
}

/// Rules with edited files among them.
pub(crate) struct Edited {
    pub(crate) sources: Sources,
    pub(crate) version: String,
    /// Nothing, if they cannot be used.
    pub(crate) loaded: Option<Loaded>,
    /// Faults and warnings.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Edited {
    /// Compiles the rules in use with `files` in place of those of that name.
    pub(crate) fn new(written: &Written, files: &[SourceFile]) -> Self {
        let sources = written.sources.edited(files);
        let version = sources.version();
        let (loaded, diagnostics) = match sources.load() {
            Ok(mut loaded) => {
                let warnings = std::mem::take(&mut loaded.warnings);
                (Some(loaded), warnings)
            }
            Err(faults) => (None, faults),
        };
        Self { sources, version, loaded, diagnostics }
    }

    /// Faults and warnings as text for people.
    pub(crate) fn text(&self) -> String {
        render(&self.diagnostics, &self.sources.files, Language::Zh, false)
    }

    /// Faults and warnings for programs.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        self.diagnostics.iter().cloned().map(Remark::from).collect()
    }
}

/// A rule file, edited.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct EditedFile {
    /// The name of a file from `GET /v1/rules/packs`, or a new name.
    name: String,
    text: String,
}

/// Edited rule files.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct CheckRequest {
    files: Vec<EditedFile>,
}

/// The result of a check of edited rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checked {
    /// Whether they can be used.
    ok: bool,
    /// The version that these rules would have.
    version: String,
    /// In the order of files and lines.
    diagnostics: Vec<Remark>,
    /// Faults and warnings as text, each with its line.
    text: String,
    /// The tests of the edited packs; of all packs if parameters were edited.
    tests: Tests,
}

/// How the tests in rule files went.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Tests {
    passed: usize,
    failed: usize,
    failures: Vec<FailureView>,
}

/// A test that failed.
#[derive(Debug, Serialize, ToSchema)]
struct FailureView {
    rule_id: String,
    file: String,
    line: u32,
    column: u32,
    /// The expected and the actual alerts as text for people.
    text: String,
    text_en: String,
}

/// Parses, lints and tests edited rule files over those in use.
#[utoipa::path(post, path = "/v1/rules/check", tag = "operate", request_body = CheckRequest, responses(
    (status = 200, description = "What is wrong with them, if anything / 检查结果", body = Checked),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn check(
    State(shared): State<Arc<Shared>>,
    Extension(turn): Extension<TrialPermit>,
    body: Result<String, StringRejection>,
) -> Result<Json<Checked>, Unanswered> {
    let fields = Fields::read(body, &["files"])?;
    let files = fields.files()?;
    if fields.get("files").is_none() {
        return Err(bad("files", "缺少 files / files is missing"));
    }
    let written = shared.rules.written();
    Ok(Json(in_turn(&shared, turn, move |over| checked(&written, &files, over)).await?))
}

/// Computes, and keeps the turn until it is done. `work` is told when nobody
/// waits for it any more: the client left, its time is over, or the server stops.
/// It then comes to nothing.
pub(crate) async fn in_turn<T: Send + 'static>(
    shared: &Shared,
    turn: TrialPermit,
    work: impl FnOnce(&CancellationToken) -> Option<T> + Send + 'static,
) -> Result<T, Refusal> {
    let over = shared.draining.child_token();
    let _ends = over.clone().drop_guard();
    let computed = compute(move || {
        let _turn = turn;
        work(&over)
    });
    tokio::select! {
        computed = computed => computed?.ok_or(Refusal::Stopping),
        () = shared.draining.cancelled() => Err(Refusal::Stopping),
    }
}

pub(super) fn checked(written: &Written, files: &[SourceFile], over: &CancellationToken) -> Option<Checked> {
    let mut edited = Edited::new(written, files);
    let mut tests = Tests::default();
    if let Some(loaded) = &edited.loaded {
        if over.is_cancelled() {
            return None;
        }
        edited.diagnostics.extend(lint(loaded, edited.sources.clause_names().as_ref()));
        let all = files.iter().any(|file| is_parameters_file(&file.name));
        let is_edited = |pack: &&PackSource| all || files.iter().any(|file| *file.name == *pack.pack.at.file);
        let packs: Vec<PackSource> = loaded.packs.iter().filter(is_edited).cloned().collect();
        for pack in &packs {
            if over.is_cancelled() {
                return None;
            }
            tests.add(&unit_test::run(&loaded.rules, std::slice::from_ref(pack)));
        }
    }
    Some(Checked {
        ok: edited.loaded.is_some(),
        diagnostics: edited.remarks(),
        text: edited.text(),
        version: edited.version,
        tests,
    })
}

impl Checked {
    /// Errors and warnings.
    pub(super) fn counts(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|remark| remark.is_error()).count();
        (errors, self.diagnostics.len() - errors)
    }

    /// Tests that passed, and that failed.
    pub(super) const fn tests(&self) -> (usize, usize) {
        (self.tests.passed, self.tests.failed)
    }

    /// Faults and failed tests as text.
    pub(super) fn told(self) -> String {
        let faults = if self.ok { String::new() } else { self.text };
        let failures = self.tests.failures.into_iter().map(|failure| failure.text);
        std::iter::once(faults).chain(failures).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

impl Tests {
    fn add(&mut self, report: &TestReport) {
        let failed = report.failures.len();
        let view = |failure: &unit_test::Failure| FailureView {
            rule_id: failure.rule_id.clone(),
            file: failure.at.file.to_string(),
            line: failure.at.line,
            column: failure.at.column,
            text: failure.render(Language::Zh),
            text_en: failure.render(Language::En),
        };
        self.passed += report.total - failed;
        self.failed += failed;
        self.failures.extend(report.failures.iter().map(view));
    }
}
