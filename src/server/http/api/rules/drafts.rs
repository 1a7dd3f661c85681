//! Drafts of rules: kept on the server with their history, checked, approved by another person, tried, put in
//! force and taken back.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::rule::parse::SourceFile;
use crate::server::clock::{self, wall_time};
use crate::server::config::{DRAFT_CHECK_DAYS, DRAFTS_LISTED_MAX};
use crate::server::domain::draft::{DraftAction, DraftRefusal, DraftState, possible};
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::REASON_CHARS_MAX;
use crate::server::http::api::rules::edit::{Checked, Fields, TrialPermit, bad, checked, in_turn};
use crate::server::http::api::rules::hits::{RuleHits, looked};
use crate::server::net::reply::{self, Unanswered};
use crate::server::rules::history::diff;
use crate::server::runtime::Shared;
use crate::server::runtime::drafts::{NotInForce, follow, put_in_force, take_step};
use crate::server::store::{DraftChange, FoundDraft, ListedDraft, NewDraftStep, Span, Stored};

const TITLE_CHARS_MAX: usize = 100;

/// The drafts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Drafts {
    /// Those with the latest steps first.
    drafts: Vec<ListedView>,
    /// Whether the server may put drafts in force.
    writable: bool,
}

/// A draft in a list.
#[derive(Debug, Serialize, ToSchema)]
struct ListedView {
    draft_no: i64,
    title: String,
    /// Its name as `GET /v1/rules/packs` has it, or that of a new file.
    file: String,
    rule_id: String,
    state: DraftState,
    /// Whether its present text was checked and nothing was wrong with it.
    green: bool,
    owner: String,
    changed_at: Option<String>,
}

/// A draft.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DraftView {
    draft_no: i64,
    title: String,
    file: String,
    rule_id: String,
    /// The file as it would be.
    text: String,
    state: DraftState,
    green: bool,
    owner: String,
    /// What the checks of the present text found; null if it was not checked.
    checked: Option<DraftChecked>,
    /// What it changes in its file, as a unified diff.
    diff: String,
    /// Whether the file in use is another than the one that the draft began with.
    file_changed: bool,
    /// The steps that the caller may take now.
    possible: Vec<DraftAction>,
    /// Whether the server may put it in force.
    writable: bool,
    steps: Vec<DraftStepView>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct DraftStepView {
    action: DraftAction,
    by: String,
    role: String,
    reason: Option<String>,
    at: Option<String>,
    /// Of what was saved: the difference from what was saved before.
    diff: Option<String>,
}

/// What the checks of a draft found.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DraftChecked {
    /// Errors and warnings of all rules with the draft, and failed tests of its pack.
    errors: usize,
    warnings: usize,
    tests_passed: usize,
    tests_failed: usize,
    /// The errors and the failed tests as text.
    text: String,
    /// What the rule finds in the calls of the last days.
    days: u32,
    hits: Option<RuleHits>,
}

/// All drafts.
#[utoipa::path(get, path = "/v1/rules/drafts", tag = "qa", responses(
    (status = 200, description = "The latest 500 / 最近的 500 份", body = Drafts),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Drafts>, Unanswered> {
    let zone = shared.config.utc_offset;
    let view = |draft: ListedDraft| {
        let ListedDraft { draft_no, title, file, rule_id, state, is_green, owner, changed_ms } = draft;
        let changed_at = wall_time(changed_ms, zone);
        ListedView { draft_no, title, file, rule_id, state, green: is_green, owner, changed_at }
    };
    let drafts = shared.store.drafts(DRAFTS_LISTED_MAX).await?.into_iter().map(view).collect();
    Ok(Json(Drafts { drafts, writable: is_writable(&shared) }))
}

/// A new draft.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct NewDraft {
    #[schema(max_length = 100)]
    title: String,
    file: super::edit::EditedFile,
    /// The rule that it is about.
    rule_id: String,
    /// The writer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// Begins a draft.
#[utoipa::path(post, path = "/v1/rules/drafts", tag = "qa", request_body = NewDraft, responses(
    (status = 201, description = "It is kept / 已保存", body = DraftView),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 409, description = "too_many_drafts / 草稿太多", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let fields = Fields::read(body, &["title", "file", "rule_id", "by"])?;
    let SourceFile { name, text } = fields.file()?;
    let title = title(&fields)?.ok_or_else(|| bad("title", "缺少 title / title is missing"))?;
    let rule_id = fields.text("rule_id")?.ok_or_else(|| bad("rule_id", "缺少 rule_id / rule_id is missing"))?;
    if rule_id.len() > 64 {
        return Err(bad("rule_id", "最多 64 字节 / at most 64 bytes"));
    }
    let who = principal.person(fields.text("by")?)?;
    // A new file is named as it will be once it is there.
    let name = match shared.rules.file_path(&name) {
        Some(path) => path.display().to_string(),
        None if shared.rules.has_directory() => {
            return Err(bad(
                "file.name",
                "要是规则目录里的 .yaml 文件：只用字母、数字、汉字和 . - _，不带目录 / must be a .yaml file in the directory of rules: letters, digits, . - and _, no folder",
            ));
        }
        None => name,
    };
    let base = in_use(&shared, &name);
    let change = DraftChange::Create { title, file: name, rule_id: rule_id.to_owned(), base, text };
    let step = NewDraftStep {
        draft_no: None,
        action: DraftAction::Create,
        who,
        reason: None,
        at_ms: clock::unix_ms(),
        steps_seen: None,
        change,
    };
    let draft = take_step(&shared, step).await?;
    Ok(reply::json(StatusCode::CREATED, &view(&shared, &principal, draft)))
}

/// One draft with its history.
#[utoipa::path(get, path = "/v1/rules/drafts/{draft_no}", tag = "qa", params(
    ("draft_no" = i64, Path, description = "Which draft / 哪份草稿"),
), responses(
    (status = 200, description = "The draft / 草稿", body = DraftView),
    (status = 400, description = "No number / 不是编号", body = ErrorMessage),
    (status = 404, description = "No such draft / 没有这份草稿", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn read(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(draft_no): Path<String>,
) -> Result<Json<DraftView>, Unanswered> {
    let draft = find(&shared, &draft_no).await?;
    Ok(Json(view(&shared, &principal, draft)))
}

/// A step of a draft.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct DraftStepRequest {
    /// `save`, `follow` (the draft is brought up to the file in use), `approve`, `reject`, `shadow`, `live`, `roll_back` or `withdraw`.
    action: DraftAction,
    /// The file that a `save` leaves.
    text: Option<String>,
    #[schema(max_length = 100)]
    title: Option<String>,
    /// Needed for `reject`.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The person's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
    /// How many steps the draft had when the person looked; if it has others by now, this one is refused.
    steps_seen: Option<usize>,
}

/// Takes a draft on: saved, approved by another person, sent back, on trial, in force, taken back.
#[utoipa::path(post, path = "/v1/rules/drafts/{draft_no}", tag = "qa", params(
    ("draft_no" = i64, Path, description = "Which draft / 哪份草稿"),
), request_body = DraftStepRequest, responses(
    (status = 200, description = "Where the draft stands / 草稿现在的状态", body = DraftView),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 404, description = "No such draft / 没有这份草稿", body = ErrorMessage),
    (status = 409, description = "Not possible: changed, wrong_state, not_green, same_person, too_many_steps, rules_read_only, file_changed, not_alone, id_taken / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 422, description = "The rules cannot be used with it; the file is as it was / 规则不可用，文件没有改动", body = Object),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn step(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(draft_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let fields = Fields::read(body, &["action", "text", "title", "reason", "by", "steps_seen"])?;
    let no = number(&draft_no)?;
    let name = fields.text("action")?.unwrap_or_default();
    let action = DraftAction::from_name(name)
        .filter(|action| !matches!(action, DraftAction::Create | DraftAction::Check))
        .ok_or_else(|| {
            bad(
                "action",
                "要是 save、follow、approve、reject、shadow、live、roll_back、withdraw 之一 / must be one of these",
            )
        })?;
    let who = principal.person(fields.text("by")?)?;
    let reason = fields.text("reason")?.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(bad("reason", format!("最多 {REASON_CHARS_MAX} 字 / at most {REASON_CHARS_MAX} characters")));
    }
    if reason.is_none() && action == DraftAction::Reject {
        return Err(bad("reason", "退回要写原因 / say why it goes back"));
    }
    let steps_seen = match fields.get("steps_seen") {
        None => None,
        Some(seen) => Some(
            seen.as_u64()
                .and_then(|seen| usize::try_from(seen).ok())
                .ok_or_else(|| bad("steps_seen", "steps_seen 要是整数 / must be a whole number"))?,
        ),
    };
    if action.writes() {
        return match put_in_force(&shared, no, action, who, reason, steps_seen).await {
            Ok(draft) => Ok(reply::json(StatusCode::OK, &view(&shared, &principal, draft))),
            Err(NotInForce::Refused(refusal)) => Err(refusal.into()),
            Err(NotInForce::Rejected(outcome)) => Ok(reply::json(StatusCode::UNPROCESSABLE_ENTITY, &*outcome)),
        };
    }
    let change = match (action, fields.text("text")?) {
        (DraftAction::Save, Some(text)) => {
            DraftChange::Save { title: title(&fields)?, text: text.to_owned(), followed: None }
        }
        (DraftAction::Save, None) => return Err(bad("text", "缺少 text / text is missing")),
        (DraftAction::Follow, _) => {
            let draft = find(&shared, &draft_no).await?;
            let file = in_use(&shared, &draft.file).ok_or(Refusal::Draft(DraftRefusal::FileChanged))?;
            let (text, followed) = follow(&draft, file).map_err(Refusal::Draft)?;
            DraftChange::Save { title: title(&fields)?, text, followed: Some(followed) }
        }
        _ => DraftChange::Nothing,
    };
    let step = NewDraftStep { draft_no: Some(no), action, who, reason, at_ms: clock::unix_ms(), steps_seen, change };
    let draft = take_step(&shared, step).await?;
    Ok(reply::json(StatusCode::OK, &view(&shared, &principal, draft)))
}

/// Checks a draft: errors, tests, and what its rule finds in the calls of the last seven days.
#[utoipa::path(post, path = "/v1/rules/drafts/{draft_no}/check", tag = "qa", params(
    ("draft_no" = i64, Path, description = "Which draft / 哪份草稿"),
), request_body = DraftChecker, responses(
    (status = 200, description = "The draft with what was found / 草稿和检查结果", body = DraftView),
    (status = 400, description = "A field cannot be used / 字段有误", body = ErrorMessage),
    (status = 404, description = "No such draft / 没有这份草稿", body = ErrorMessage),
    (status = 408, description = "It takes too long / 太久", body = ErrorMessage),
    (status = 409, description = "Not possible now, or a backtest is running / 现在不能，或正在回测", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn check(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Extension(turn): Extension<TrialPermit>,
    Path(draft_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Json<DraftView>, Unanswered> {
    let fields = Fields::read(body, &["by"])?;
    let who = principal.person(fields.text("by")?)?;
    let draft = find(&shared, &draft_no).await?;
    let files = vec![SourceFile { name: draft.file.clone(), text: draft.text.clone() }];
    let (written, edited) = (shared.rules.written(), files.clone());
    let result = in_turn(&shared, Arc::clone(&turn), move |over| checked(&written, &edited, over)).await?;
    // Whole days, today the last of them, as the page looks through.
    let zone = shared.config.utc_offset;
    let first = clock::wall_now(zone).date_naive() - TimeDelta::days(i64::from(DRAFT_CHECK_DAYS) - 1);
    let span = Span { from_ms: clock::begin_ms(first, zone), to_ms: None };
    let wanted = Stored { span, agent_id: None };
    let hits = looked(&shared, turn, files, draft.rule_id.clone(), wanted).await?;
    let found = DraftChecked::new(result, hits);
    let change = DraftChange::Check {
        is_green: found.is_green(),
        report: serde_json::to_string(&found).unwrap_or_default(),
        text: draft.text.clone(),
    };
    let step = NewDraftStep {
        draft_no: Some(draft.draft_no),
        action: DraftAction::Check,
        who,
        reason: None,
        at_ms: clock::unix_ms(),
        steps_seen: None,
        change,
    };
    let draft = take_step(&shared, step).await?;
    Ok(Json(view(&shared, &principal, draft)))
}

/// Who asks for a check.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body; what reads it tells every fault by its field")]
pub(crate) struct DraftChecker {
    /// The person's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

impl DraftChecked {
    fn new(result: Checked, hits: Option<RuleHits>) -> Self {
        let (errors, warnings) = result.counts();
        let (tests_passed, tests_failed) = result.tests();
        Self { errors, warnings, tests_passed, tests_failed, text: result.told(), days: DRAFT_CHECK_DAYS, hits }
    }

    /// Nothing is wrong, and the calls were looked through.
    const fn is_green(&self) -> bool {
        self.errors == 0 && self.tests_failed == 0 && self.hits.is_some()
    }
}

async fn find(shared: &Shared, draft_no: &str) -> Result<FoundDraft, Unanswered> {
    let draft = shared.store.draft(number(draft_no)?).await?;
    Ok(draft.ok_or(Refusal::Draft(DraftRefusal::Unknown))?)
}

fn number(draft_no: &str) -> Result<i64, Unanswered> {
    draft_no
        .parse()
        .map_err(|_| Unanswered::bad("draft_no", "草稿编号是整数 / the number of a draft is a whole number"))
}

fn title(fields: &Fields) -> Result<Option<String>, Unanswered> {
    let title = fields.text("title")?.map(str::trim);
    if title.is_some_and(|title| title.is_empty() || title.chars().count() > TITLE_CHARS_MAX) {
        let message = format!("标题要有 1 到 {TITLE_CHARS_MAX} 个字 / a title has 1 to {TITLE_CHARS_MAX} characters");
        return Err(bad("title", message));
    }
    Ok(title.map(str::to_owned))
}

/// The text of a rule file in use.
fn in_use(shared: &Shared, name: &str) -> Option<String> {
    let written = shared.rules.written();
    written.sources.files.iter().find(|file| file.name == name).map(|file| file.text.clone())
}

fn is_writable(shared: &Shared) -> bool {
    shared.config.rules_writable && shared.rules.file_path("site.yaml").is_some()
}

fn view(shared: &Shared, principal: &Principal, draft: FoundDraft) -> DraftView {
    let zone = shared.config.utc_offset;
    let in_use = in_use(shared, &draft.file);
    let course = draft.course();
    let known = if draft.written.is_some() { &draft.written } else { &draft.base };
    let difference = |before: Option<&str>, after: &str| diff(&draft.file, before, Some(after)).0;
    let mut saved: Option<&str> = None;
    let mut steps = Vec::with_capacity(draft.steps.len());
    for step in &draft.steps {
        let text = step.text.as_deref();
        let change = text.zip(saved).map(|(text, before)| difference(Some(before), text));
        saved = text.or(saved);
        steps.push(DraftStepView {
            action: step.action,
            by: step.by.clone(),
            role: step.role.name().to_owned(),
            reason: step.reason.clone(),
            at: wall_time(step.at_ms, zone),
            diff: change,
        });
    }
    DraftView {
        draft_no: draft.draft_no,
        state: draft.state,
        green: draft.is_green,
        owner: draft.steps.first().map(|step| step.by.clone()).unwrap_or_default(),
        checked: draft.checked.as_deref().and_then(|checked| serde_json::from_str(checked).ok()),
        diff: difference(draft.base.as_deref(), &draft.text),
        file_changed: in_use != *known,
        possible: possible(&course, principal.name.as_deref()),
        writable: is_writable(shared),
        steps,
        title: draft.title,
        file: draft.file,
        rule_id: draft.rule_id,
        text: draft.text,
    }
}
