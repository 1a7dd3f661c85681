//! Scoring forms: those in use, those that reviewers filled, how their agents answered, and how scores go week by week.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use utoipa::ToSchema;

use crate::adapter::alert_json::AlertJson;
use crate::engine::privacy;
use crate::engine::rule::form::{Form, Group, Item};
use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::{CALL_ALERTS_MAX, CALL_EVENTS_MAX, EXPORT_PAGE};
use crate::server::domain::estimate::Mean;
use crate::server::domain::form::{
    Answered, COMMENT_CHARS_MAX, FormStep, InForce, Prefilled, Signature, VersionedForm, Witness, prefill, score,
};
use crate::server::domain::principal::{AccessRole, Capacity, Principal, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal, Unfilled};
use crate::server::domain::review::REASON_CHARS_MAX;
use crate::server::domain::terms::Audited;
use crate::server::export::{ExportError, FormRow, OF_EXPORTS, wanted_format, write_forms};
use crate::server::filter::{AGENT, BadQuery, FROM, OF_PAGES, Parameter, Parameters, Shape, TEAM, TO};
use crate::server::http::api::body::{read, remark};
use crate::server::http::api::export::{Pieces, stream};
use crate::server::http::api::page::{About, next_cursor};
use crate::server::http::api::query::started_at;
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::{
    ExportParameters, FormParameters, OwnFormParameters, PageParameters, TrendParameters,
};
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::runtime::sampling::week_of;
use crate::server::store::{
    CallQuery, CallRecord, Fact, FilledForm, FormDeed, FormFilter, FoundFormStep, NewAnswers, NewFormStep, Place,
};

/// The filters of filled forms.
pub(crate) const OF_FORMS: &[Parameter] = &[FROM, TO, AGENT, TEAM, FORM, REVIEWER, SIGNATURE];
/// The filters of an agent's own forms.
pub(crate) const OF_OWN_FORMS: &[Parameter] = &[FROM, TO, FORM, SIGNATURE];
/// The parameters of the course of scores.
pub(crate) const OF_TREND: &[Parameter] = &[GROUP, FROM, TO, AGENT, TEAM, FORM, REVIEWER];
const FORM: Parameter = Parameter::new("form", "Of this form / 哪份评分表", Shape::Text);
const REVIEWER: Parameter = Parameter::new("reviewer", "Filled by this person / 谁评的", Shape::Text);
const SIGNATURE: Parameter = Parameter::new(
    "signature",
    "One or several, commas between them: open, signed, objected / 签收情况，可用逗号写多个",
    Shape::Text,
);
const GROUP: Parameter = Parameter::new(
    "group",
    "By what, team unless said / 按什么分组，默认按班组",
    Shape::Names(&["agent", "team", "form"]),
);

/// The scoring forms in use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormsInUse {
    forms: Vec<FormView>,
    /// What is wrong with the files since they changed; the forms of before stay in use.
    faults: Vec<String>,
}

/// A scoring form.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormView {
    form: String,
    /// The same words have the same version.
    version: String,
    title: String,
    help: Option<String>,
    /// From this score on a call has passed.
    pass: Option<u32>,
    groups: Vec<GroupView>,
}

/// Items that belong together.
#[derive(Debug, Serialize, ToSchema)]
struct GroupView {
    title: String,
    items: Vec<ItemView>,
}

/// A question of a form.
#[derive(Debug, Serialize, ToSchema)]
struct ItemView {
    item: String,
    title: String,
    help: Option<String>,
    points: u32,
    /// The highest mark; 1 is yes or no.
    scale: u32,
    not_applicable: bool,
    veto: bool,
    /// Less than everything needs a comment.
    comment: bool,
}

impl FormView {
    pub(crate) fn new(form: Form, version: String) -> Self {
        let Form { id, title, help, pass, groups } = form;
        let item = |Item { id, title, help, points, scale, not_applicable, veto, comment, .. }: Item| ItemView {
            item: id,
            title,
            help,
            points,
            scale,
            not_applicable,
            veto,
            comment,
        };
        let group = |Group { title, items }: Group| GroupView { title, items: items.into_iter().map(item).collect() };
        Self { form: id, version, title, help, pass, groups: groups.into_iter().map(group).collect() }
    }

    fn current(form: &VersionedForm) -> Self {
        Self::new(form.form.clone(), form.version.clone())
    }
}

/// A filled form as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilledView {
    form_no: i64,
    form: String,
    version: String,
    title: String,
    call_id: String,
    started_at: String,
    queue: Option<String>,
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
    reviewer: String,
    /// Out of 100.
    score: f64,
    /// Null where the form does not say.
    passed: Option<bool>,
    /// Items that brought it to zero.
    vetoed_by: Vec<String>,
    comment: Option<String>,
    signature: Signature,
    /// What the agent does not agree with.
    objection: Option<String>,
    revision: i64,
    filled_at: Option<String>,
    changed_at: Option<String>,
    answers: Vec<Answered>,
}

/// A filled form, the form that it was filled in, and all that became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilledDetail {
    #[serde(flatten)]
    filled: FilledView,
    definition: FormView,
    /// In their order.
    steps: Vec<FormStepView>,
}

/// A step in the course of a filled form.
#[derive(Debug, Serialize, ToSchema)]
struct FormStepView {
    revision: i64,
    step: FormStep,
    by: String,
    role: String,
    at: Option<String>,
    /// Of a fill or a change.
    score: Option<f64>,
    reason: Option<String>,
    comment: Option<String>,
    answers: Vec<Answered>,
}

/// A page of filled forms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilledPage {
    /// The latest first.
    forms: Vec<FilledView>,
    #[serde(flatten)]
    about: About,
}

/// What is stored of a fill, a change or an answer.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    answers: Vec<Answered>,
    #[serde(default)]
    vetoed_by: Vec<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

fn hundredths(score: u32) -> f64 {
    f64::from(score) / 100.0
}

fn view(shared: &Shared, filled: FilledForm, objection: Option<String>) -> Result<(FilledView, Form), Refusal> {
    let zone = shared.config.utc_offset;
    let content: Content = serde_json::from_str(&filled.content).map_err(Refusal::store)?;
    let form: Form = serde_json::from_str(&filled.definition).map_err(Refusal::store)?;
    let view = FilledView {
        form_no: filled.form_no,
        form: filled.form,
        version: filled.version,
        title: form.title.clone(),
        call_id: filled.call_id,
        started_at: filled.started_at,
        queue: filled.queue,
        agent: AgentView::of(shared, &filled.agent_id),
        agent_id: filled.agent_id,
        reviewer: filled.reviewer,
        score: hundredths(filled.score),
        passed: filled.has_passed,
        vetoed_by: content.vetoed_by,
        comment: content.comment,
        signature: filled.signature,
        objection,
        revision: filled.revision,
        filled_at: wall_time(filled.filled_ms, zone),
        changed_at: wall_time(filled.changed_ms, zone),
        answers: content.answers,
    };
    Ok((view, form))
}

/// The words of the agent who objects, as far as they stand.
fn objection(steps: &[FoundFormStep]) -> Option<String> {
    let last = steps.last().filter(|step| step.step == FormStep::Object)?;
    serde_json::from_str::<Content>(&last.content).ok()?.reason
}

async fn detail(shared: &Shared, form_no: i64, agent_id: Option<&str>) -> Result<FilledDetail, Refusal> {
    let filter = FormFilter { form_no: Some(form_no), agent_id: agent_id.map(str::to_owned), ..FormFilter::default() };
    let found = shared.store.filled_forms(filter, None, 1).await?.pop();
    let found = found.ok_or(Refusal::Unfilled(Unfilled::Unknown))?;
    let steps = shared.store.form_steps(form_no).await?;
    let zone = shared.config.utc_offset;
    let (filled, form) = view(shared, found, objection(&steps))?;
    let steps = steps.into_iter().map(|found| {
        let content: Content = serde_json::from_str(&found.content).unwrap_or_default();
        FormStepView {
            revision: found.revision,
            step: found.step,
            by: found.by,
            role: found.role.name().to_owned(),
            at: wall_time(found.at_ms, zone),
            score: found.score.map(hundredths),
            reason: content.reason,
            comment: content.comment,
            answers: content.answers,
        }
    });
    let steps = steps.collect();
    let definition = FormView::new(form, filled.version.clone());
    Ok(FilledDetail { filled, definition, steps })
}

/// The scoring forms in use.
#[utoipa::path(get, path = "/v1/forms", tag = "qa", responses(
    (status = 200, description = "The forms / 评分表", body = FormsInUse),
))]
pub(crate) async fn forms(State(shared): State<Arc<Shared>>) -> Json<FormsInUse> {
    let told = shared.forms.faults();
    let faults = told.iter().map(|fault| format!("{}: {} / {}", fault.at, fault.zh, fault.en)).collect();
    Json(FormsInUse { forms: shared.forms.current().iter().map(FormView::current).collect(), faults })
}

/// The forms for one call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FormsOfCall {
    /// The agents whom a form may be about; who answered first.
    agents: Vec<CallAgent>,
    forms: Vec<FormForCall>,
    /// Those that are filled.
    filled: Vec<FilledView>,
}

/// An agent who had the call.
#[derive(Debug, Serialize, ToSchema)]
struct CallAgent {
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
}

/// A form in use, with what the alerts of a call answer of it.
#[derive(Debug, Serialize, ToSchema)]
struct FormForCall {
    #[serde(flatten)]
    form: FormView,
    /// By agent, as the alerts that count say.
    prefilled: BTreeMap<String, Vec<Prefilled>>,
}

/// The agents who had a call, who answered first.
fn agents_of(record: &CallRecord) -> Vec<String> {
    let mut agents = vec![record.call.agent_id.clone()];
    let mut add = |agent_id: &str| {
        if !agents.iter().any(|known| known == agent_id) {
            agents.push(agent_id.to_owned());
        }
    };
    for event in record.events.iter().filter(|event| event.contains("\"agent_id\"")) {
        let event: serde_json::Value = serde_json::from_str(event).unwrap_or_default();
        event["agent_id"].as_str().into_iter().for_each(&mut add);
    }
    agents
}

async fn call_record(shared: &Shared, call_id: String, query: Option<&str>) -> Result<CallRecord, Unanswered> {
    let started_ms = started_at(query)?;
    let query =
        CallQuery { call_id, started_ms, with_held: false, events_max: CALL_EVENTS_MAX, alerts_max: CALL_ALERTS_MAX };
    Ok(shared.store.call_record(query).await?.ok_or(Refusal::NoSuchCall)?)
}

/// The forms in use with what the alerts of a call answer of them, and those that are filled about it.
#[utoipa::path(get, path = "/v1/calls/{call_id}/forms", tag = "qa", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again / 同一 call_id 用过多次时指定接通时间"),
), responses(
    (status = 200, description = "Forms in use, forms filled / 可用的和已填的评分表", body = FormsOfCall),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such call / 没有这通通话", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn of_call(
    State(shared): State<Arc<Shared>>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<FormsOfCall>, Unanswered> {
    let record = call_record(&shared, call_id, query.as_deref()).await?;
    let agents = agents_of(&record);
    let alerts: Vec<AlertJson<'static>> = record
        .alerts
        .iter()
        .filter(|alert| alert.counts())
        .filter_map(|alert| serde_json::from_str(&alert.json).ok())
        .collect();
    let rules = shared.rules();
    let in_force = rules.rules.iter().map(|rule| InForce { rule_id: &rule.id, pack: &rule.pack, kind: rule.kind });
    let in_force: Vec<InForce<'_>> = in_force.collect();
    let prefilled = |form: &Form| {
        let of = |agent_id: &String| {
            let witnesses: Vec<Witness<'_>> = alerts
                .iter()
                .filter(|alert| alert.agent_id == *agent_id)
                .map(|alert| Witness { alert_id: &alert.alert_id, rule_id: &alert.rule_id, pack: &alert.pack })
                .collect();
            (agent_id.clone(), prefill(form, &witnesses, &in_force))
        };
        agents.iter().map(of).collect()
    };
    let current = shared.forms.current();
    let forms = current
        .iter()
        .map(|form| FormForCall { form: FormView::current(form), prefilled: prefilled(&form.form) })
        .collect();
    let filter = FormFilter { call_no: Some(record.call.call_no), ..FormFilter::default() };
    let found = shared.store.filled_forms(filter, None, CALL_ALERTS_MAX).await?;
    let filled = views(&shared, found).await?;
    let agents = agents.into_iter().map(|agent_id| CallAgent { agent: AgentView::of(&shared, &agent_id), agent_id });
    Ok(Json(FormsOfCall { agents: agents.collect(), forms, filled }))
}

async fn views(shared: &Shared, found: Vec<FilledForm>) -> Result<Vec<FilledView>, Refusal> {
    let mut views = Vec::with_capacity(found.len());
    for filled in found {
        let objects = filled.signature == Signature::Objected;
        let told = if objects { objection(&shared.store.form_steps(filled.form_no).await?) } else { None };
        views.push(view(shared, filled, told)?.0);
    }
    Ok(views)
}

/// A form that a reviewer fills.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewForm {
    form: String,
    /// That of the form when it was read; refused if there is another by now.
    version: Option<String>,
    /// Whom it is about; who answered, unless said.
    agent_id: Option<String>,
    /// Each item once.
    answers: Vec<Answered>,
    #[schema(max_length = 500)]
    comment: Option<String>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// A change of a filled form.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChangedForm {
    /// That of the form as the reviewer saw it; refused if there is another by now.
    revision: i64,
    /// Each item once, of the version of the form that it was filled in.
    answers: Vec<Answered>,
    #[schema(max_length = 500)]
    comment: Option<String>,
    /// Why.
    #[schema(max_length = 500)]
    reason: String,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// Answers as they are stored, with their score.
fn answers(
    form: &VersionedForm,
    answers: Vec<Answered>,
    comment: Option<String>,
    reason: Option<String>,
) -> Result<Box<NewAnswers>, Unanswered> {
    let told = score(&form.form, &answers)
        .map_err(|fault| Unanswered::in_body(&format!("answers.{}", fault.item), fault.message))?;
    let comment = remark("comment", comment, COMMENT_CHARS_MAX)?;
    let mask = |answered: Answered| {
        let comment = answered.comment.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Answered { comment: comment.map(|text| privacy::mask(&text).into_owned()), ..answered }
    };
    let answers = answers.into_iter().map(mask).collect();
    let content = Content { answers, vetoed_by: told.vetoed_by, comment, reason };
    Ok(Box::new(NewAnswers {
        form: form.form.id.clone(),
        version: form.version.clone(),
        definition: serde_json::to_string(&form.form).map_err(Refusal::store)?,
        score: told.hundredths,
        has_passed: told.has_passed,
        content: serde_json::to_string(&content).map_err(Refusal::store)?.into(),
    }))
}

async fn keep(shared: &Shared, deed: FormDeed, who: Who) -> Result<i64, Refusal> {
    let new = NewFormStep { deed, who, at_ms: unix_ms() };
    let kept = shared.journal.form_step(new).await?.map_err(Refusal::store)?;
    kept.map_err(|why| Refusal::Unfilled(why.seen_in(shared.config.utc_offset)))
}

/// Fills a form about an agent in a call that is over.
#[utoipa::path(post, path = "/v1/calls/{call_id}/forms", tag = "qa", params(
    ("call_id" = String, Path, description = "Which call / 哪一通"),
    ("started_at" = Option<String>, Query, description = "When it was answered, where its id was used again / 同一 call_id 用过多次时指定接通时间"),
), request_body = NewForm, responses(
    (status = 201, description = "It is kept / 已记下", body = FilledDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such call / 没有这通通话", body = ErrorMessage),
    (status = 409, description = "Not possible: call_in_progress, already_filled / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn fill(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(call_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let new: NewForm = read(&body)?;
    let who = principal.person(new.by.as_deref())?;
    let current = shared.forms.current();
    let form = current.iter().find(|form| form.form.id == new.form);
    let form =
        form.ok_or_else(|| Unanswered::in_body("form", "没有这份评分表，见 /v1/forms / no such form; see /v1/forms"))?;
    if new.version.is_some_and(|version| version != form.version) {
        return Err(Unanswered::in_body(
            "version",
            "评分表刚刚更新过，请刷新再填 / the form was changed just now; read it again",
        ));
    }
    let record = call_record(&shared, call_id, query.as_deref()).await?;
    let agents = agents_of(&record);
    let agent_id = new.agent_id.unwrap_or_else(|| record.call.agent_id.clone());
    if !agents.contains(&agent_id) {
        let all = agents.join(", ");
        return Err(Unanswered::in_body(
            "agent_id",
            format!("这通电话的坐席是：{all} / the agents of this call are: {all}"),
        ));
    }
    let answers = answers(form, new.answers, new.comment, None)?;
    let form_no = keep(&shared, FormDeed::Fill { call_no: record.call.call_no, agent_id, answers }, who).await?;
    Ok(reply::json(StatusCode::CREATED, &detail(&shared, form_no, None).await?))
}

fn number(form_no: &str) -> Result<i64, Refusal> {
    form_no.parse().map_err(|_| Refusal::Unfilled(Unfilled::Unknown))
}

/// One filled form with its history.
#[utoipa::path(get, path = "/v1/forms/filled/{form_no}", tag = "qa", params(
    ("form_no" = i64, Path, description = "Which / 哪一份"),
), responses(
    (status = 200, description = "The form and what became of it / 评分和经过", body = FilledDetail),
    (status = 404, description = "No such form / 没有这份评分", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(form_no): Path<String>,
) -> Result<Json<FilledDetail>, Unanswered> {
    Ok(Json(detail(&shared, number(&form_no)?, None).await?))
}

/// Changes a filled form; what it was before is kept, and its agent is asked to sign again.
#[utoipa::path(post, path = "/v1/forms/filled/{form_no}", tag = "qa", params(
    ("form_no" = i64, Path, description = "Which / 哪一份"),
), request_body = ChangedForm, responses(
    (status = 200, description = "It is kept / 已记下", body = FilledDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such form / 没有这份评分", body = ErrorMessage),
    (status = 409, description = "Not possible: changed, too_many_steps / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(form_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let form_no = number(&form_no)?;
    let new: ChangedForm = read(&body)?;
    let who = principal.person(new.by.as_deref())?;
    let reason = remark("reason", Some(new.reason), REASON_CHARS_MAX)?;
    if reason.is_none() {
        return Err(Unanswered::in_body("reason", "要写为什么改 / say why it is changed"));
    }
    let filter = FormFilter { form_no: Some(form_no), ..FormFilter::default() };
    let found = shared.store.filled_forms(filter, None, 1).await?.pop();
    let found = found.ok_or(Refusal::Unfilled(Unfilled::Unknown))?;
    let form = VersionedForm {
        form: serde_json::from_str(&found.definition).map_err(Refusal::store)?,
        version: found.version,
    };
    let answers = answers(&form, new.answers, new.comment, reason)?;
    keep(&shared, FormDeed::Change { form_no, revision: new.revision, answers }, who).await?;
    Ok(reply::json(StatusCode::OK, &detail(&shared, form_no, None).await?))
}

/// The filters that a query names, but for the agent.
fn filter_of(parameters: &Parameters, zone: FixedOffset) -> Result<FormFilter, BadQuery> {
    let signatures = Signature::ALL.map(|signature| (signature.name(), signature));
    Ok(FormFilter {
        span: parameters.span(zone)?,
        form: parameters.id("form")?,
        reviewer: parameters.id("reviewer")?,
        signatures: parameters.choices("signature", &signatures)?,
        ..FormFilter::default()
    })
}

async fn page_of(
    shared: &Shared,
    parameters: &Parameters,
    agent_id: Option<String>,
    path: &str,
) -> Result<FilledPage, Unanswered> {
    let zone = shared.config.utc_offset;
    let (agent_id, team) = match agent_id {
        Some(agent_id) => (Some(agent_id), None),
        None => (parameters.id("agent_id")?, parameters.id("team")?),
    };
    let filter = FormFilter { agent_id, team, ..filter_of(parameters, zone)? };
    let page = parameters.page(path, shared.store_id)?;
    let span = filter.span;
    let mut found = shared.store.filled_forms(filter, page.behind, page.count + 1).await?;
    let place = |filled: &FilledForm| Place { ms: filled.filled_ms, no: filled.form_no };
    let next_cursor = next_cursor(&mut found, page.count, page.list, place);
    Ok(FilledPage { forms: views(shared, found).await?, about: About::new(span, zone, next_cursor) })
}

/// Filled forms, the latest first.
#[utoipa::path(get, path = "/v1/forms/filled", tag = "qa", params(FormParameters, PageParameters), responses(
    (status = 200, description = "One page / 一页评分", body = FilledPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn filled(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<FilledPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_FORMS, OF_PAGES])?;
    Ok(Json(page_of(&shared, &parameters, None, "forms").await?))
}

/// Filled forms as a file, the latest first: one row an answer.
#[utoipa::path(get, path = "/v1/forms/export", tag = "qa", params(ExportParameters, FormParameters), responses(
    (status = 200, description = "The file, as it is written / 文件", content(
        (String = "text/csv"), (String = "application/x-ndjson"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "application/vnd.apache.parquet"),
    )),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法导出", body = ErrorMessage),
))]
pub(crate) async fn export(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Response, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_EXPORTS, OF_FORMS])?;
    let format = wanted_format(&parameters)?;
    let permit = Arc::clone(&shared.exports).try_acquire_owned().map_err(|_| Refusal::TooManyExports)?;
    let zone = shared.config.utc_offset;
    let filter = FormFilter {
        agent_id: parameters.id("agent_id")?,
        team: parameters.id("team")?,
        ..filter_of(&parameters, zone)?
    };
    let who = principal.asker(&[AccessRole::Qa, AccessRole::Admin]);
    let write = move |shared: &Shared, runtime: &Handle, out: Pieces| {
        let mut behind = None;
        let page = || {
            let read = async {
                let found = shared.store.filled_forms(filter.clone(), behind, EXPORT_PAGE).await?;
                behind = found.last().map(|filled| Place { ms: filled.filled_ms, no: filled.form_no }).or(behind);
                let mut rows = Vec::new();
                for filled in found {
                    rows.extend(rows_of(shared, filled).await?);
                }
                Ok::<_, Refusal>(rows)
            };
            runtime.block_on(read).map_err(|refusal| ExportError::Store(refusal.message()))
        };
        let written = write_forms(format, zone, page, out);
        let detail = serde_json::json!({
            "format": format.name(), "query": parameters.given(), "ok": written.is_ok(), "rows": written.as_ref().ok(),
        });
        let fact = Fact { at_ms: unix_ms(), who, action: Audited::Export, subject: "forms".to_owned(), detail };
        (written, fact)
    };
    Ok(stream(shared, permit, (format, "forms"), write))
}

/// The rows of a filled form: one an answer.
async fn rows_of(shared: &Shared, filled: FilledForm) -> Result<Vec<FormRow>, Refusal> {
    let started = DateTime::parse_from_rfc3339(&filled.started_at).map_err(Refusal::store)?;
    let (filled_ms, changed_ms, score) = (filled.filled_ms, filled.changed_ms, i64::from(filled.score));
    let objects = filled.signature == Signature::Objected;
    let told = if objects { objection(&shared.store.form_steps(filled.form_no).await?) } else { None };
    let (view, form) = view(shared, filled, told)?;
    let all = FormRow {
        form_no: view.form_no,
        form: view.form,
        version: view.version,
        title: view.title,
        call_id: view.call_id,
        started_ms: started.timestamp_millis(),
        queue: view.queue,
        agent_id: view.agent_id,
        agent_name: view.agent.agent_name,
        team: view.agent.team,
        reviewer: view.reviewer,
        filled_ms,
        changed_ms,
        score,
        passed: view.passed,
        signature: view.signature.name(),
        objection: view.objection,
        comment: view.comment,
        ..FormRow::default()
    };
    let mut given: BTreeMap<String, Answered> =
        view.answers.into_iter().map(|answered| (answered.item.clone(), answered)).collect();
    let mut rows = Vec::new();
    for group in form.groups {
        for item in group.items {
            let answered = given.remove(&item.id);
            let (answer, answer_comment) = answered.map(|one| (one.answer.text(), one.comment)).unwrap_or_default();
            rows.push(FormRow {
                group: group.title.clone(),
                item: item.id,
                item_title: item.title,
                points: item.points.into(),
                scale: item.scale.into(),
                answer,
                answer_comment,
                ..all.clone()
            });
        }
    }
    Ok(rows)
}

/// The forms that were filled about an agent, the latest first.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/forms", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    OwnFormParameters, PageParameters,
), responses(
    (status = 200, description = "One page / 一页评分", body = FilledPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn of_agent(
    State(shared): State<Arc<Shared>>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<FilledPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_OWN_FORMS, OF_PAGES])?;
    let path = format!("forms of {agent_id}");
    Ok(Json(page_of(&shared, &parameters, Some(agent_id), &path).await?))
}

/// A form that was filled about an agent, with its history.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/forms/{form_no}", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    ("form_no" = i64, Path, description = "Which / 哪一份"),
), responses(
    (status = 200, description = "The form and what became of it / 评分和经过", body = FilledDetail),
    (status = 404, description = "No such form of this agent / 该坐席没有这份评分", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn own(
    State(shared): State<Arc<Shared>>,
    Path((agent_id, form_no)): Path<(String, String)>,
) -> Result<Json<FilledDetail>, Unanswered> {
    Ok(Json(detail(&shared, number(&form_no)?, Some(&agent_id)).await?))
}

/// An agent's answer to a form.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewSignature {
    action: SignatureAction,
    /// That of the form as the agent saw it; refused if there is another by now.
    revision: i64,
    /// What the agent does not agree with; needed for `object`.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SignatureAction {
    Sign,
    Object,
}

/// Signs a form, or signs it with an objection. Only its agent does.
#[utoipa::path(post, path = "/v1/agents/{agent_id}/forms/{form_no}", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    ("form_no" = i64, Path, description = "Which / 哪一份"),
), request_body = NewSignature, responses(
    (status = 200, description = "It is kept / 已记下", body = FilledDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 403, description = "Not the agent / 不是坐席本人", body = ErrorMessage),
    (status = 404, description = "No such form of this agent / 该坐席没有这份评分", body = ErrorMessage),
    (status = 409, description = "Not possible: already_signed, changed / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn sign(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path((agent_id, form_no)): Path<(String, String)>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    if !principal.is_agent(&agent_id) {
        return Err(Refusal::AgentsOnly.into());
    }
    let body = body?;
    let form_no = number(&form_no)?;
    let new: NewSignature = read(&body)?;
    let reason = remark("reason", new.reason, REASON_CHARS_MAX)?;
    let step = match new.action {
        SignatureAction::Sign => FormStep::Sign,
        SignatureAction::Object if reason.is_none() => {
            return Err(Unanswered::in_body("reason", "有异议要写明是什么 / say what you do not agree with"));
        }
        SignatureAction::Object => FormStep::Object,
    };
    let content = Content { reason, ..Content::default() };
    let content = serde_json::to_string(&content).map_err(Refusal::store)?.into();
    let who = Who { name: agent_id.clone(), role: Capacity::Person(AccessRole::Agent) };
    let deed = FormDeed::Answer { form_no, revision: new.revision, agent_id: agent_id.clone(), step, content };
    keep(&shared, deed, who).await?;
    Ok(reply::json(StatusCode::OK, &detail(&shared, form_no, Some(&agent_id)).await?))
}

/// How the scores of forms go, week by week.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trend {
    /// `agent`, `team` or `form`.
    group: &'static str,
    /// By key, then by week.
    rows: Vec<TrendRow>,
    /// By key, over all weeks.
    totals: Vec<TrendRow>,
    from: Option<String>,
    to: Option<String>,
    utc_offset: String,
}

/// The forms of one key in one week, or in all.
#[derive(Debug, Serialize, ToSchema)]
struct TrendRow {
    /// The agent, the team (null: agents without one) or the form.
    key: Option<String>,
    /// Of one agent.
    #[serde(flatten)]
    agent: AgentView,
    /// The Monday of the week in which the calls were answered; null: all weeks.
    week: Option<String>,
    forms: u64,
    /// The mean score, rounded to hundredths.
    mean: f64,
    /// The mean lies within so much of it, in 95 of 100 cases; null for a single form.
    margin: Option<f64>,
    /// Forms that passed, of those that say so.
    passed: u64,
    judged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrendGroup {
    Agent,
    Team,
    Form,
}

/// Forms put together.
#[derive(Debug, Default)]
struct Sum {
    scores: Mean,
    passed: u64,
    judged: u64,
}

impl Sum {
    fn add(&mut self, score: u32, has_passed: Option<bool>) {
        self.scores.add(u64::from(score));
        self.passed += u64::from(has_passed == Some(true));
        self.judged += u64::from(has_passed.is_some());
    }

    fn row(&self, key: Option<String>, agent: AgentView, week: Option<String>) -> TrendRow {
        let Self { scores, passed, judged } = self;
        let (mean, margin) = scores.told(100.0);
        TrendRow { key, agent, week, forms: scores.count(), mean, margin, passed: *passed, judged: *judged }
    }
}

/// How the scores of forms go, week by week: means, how many forms they rest on, and their intervals.
#[utoipa::path(get, path = "/v1/forms/trend", tag = "qa", params(TrendParameters), responses(
    (status = 200, description = "One row a key and week / 每组每周一行", body = Trend),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn trend(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Trend>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_TREND])?;
    let groups = [("agent", TrendGroup::Agent), ("team", TrendGroup::Team), ("form", TrendGroup::Form)];
    let group = parameters.choice("group", &groups)?.unwrap_or(TrendGroup::Team);
    let zone = shared.config.utc_offset;
    let filter = FormFilter {
        agent_id: parameters.id("agent_id")?,
        team: parameters.id("team")?,
        ..filter_of(&parameters, zone)?
    };
    let span = filter.span;
    let scored = shared.store.form_scores(filter).await?;
    let monday = |ms: i64| {
        let day: NaiveDate = wall_time(ms, zone)?.get(..10)?.parse().ok()?;
        Some(wall_time(week_of(day, zone)?.from_ms?, zone)?.get(..10)?.to_owned())
    };
    let mut weeks: BTreeMap<(Option<String>, Option<String>), Sum> = BTreeMap::new();
    let mut totals: BTreeMap<Option<String>, Sum> = BTreeMap::new();
    for one in scored {
        let key = match group {
            TrendGroup::Agent => Some(one.agent_id),
            TrendGroup::Team => shared.roster.of(&one.agent_id).team,
            TrendGroup::Form => Some(one.form),
        };
        weeks.entry((key.clone(), monday(one.started_ms))).or_default().add(one.score, one.has_passed);
        totals.entry(key).or_default().add(one.score, one.has_passed);
    }
    let agent = |key: &Option<String>| match (group, key) {
        (TrendGroup::Agent, Some(agent_id)) => AgentView::of(&shared, agent_id),
        _ => AgentView::default(),
    };
    let rows = weeks.iter().map(|((key, week), sum)| sum.row(key.clone(), agent(key), week.clone())).collect();
    let totals = totals.iter().map(|(key, sum)| sum.row(key.clone(), agent(key), None)).collect();
    let About { from, to, utc_offset, .. } = About::new(span, zone, None);
    let group = groups.iter().find(|(_, known)| *known == group).map_or("", |(name, _)| name);
    Ok(Json(Trend { group, rows, totals, from, to, utc_offset }))
}
