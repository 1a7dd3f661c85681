//! Calibration sessions: several reviewers judge the same alerts and calls without knowing of each other, then compare.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::privacy;
use crate::engine::rule::form::Form;
use crate::server::clock::{unix_ms, wall_time};
use crate::server::config::check_person;
use crate::server::domain::calibration::{Judged, PairAgreement, QuestionAgreement, compare};
use crate::server::domain::form::{Answered, COMMENT_CHARS_MAX, score};
use crate::server::domain::principal::{AccessRole, Principal};
use crate::server::domain::refusal::{ErrorMessage, Refusal, Uncalibrated};
use crate::server::domain::review::{Action, check_reason};
use crate::server::filter::{Parameters, instant};
use crate::server::http::api::alerts::{AlertView, view as alert_view};
use crate::server::http::api::body::{read, remark};
use crate::server::http::api::forms::FormView;
use crate::server::http::api::names::{check_reviewers, strange_reviewers};
use crate::server::http::api::roster::AgentView;
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::store::{
    AlertFilter, Calibration, CalibrationAnswer, CalibrationStep, CallQuery, NewCalibration, Order,
};

/// Cases of one session: more take longer than the meeting that compares them.
const CASES_MAX: usize = 50;
const REVIEWERS_MAX: usize = 20;
const TITLE_CHARS_MAX: usize = 100;
const DUE_DAYS: u32 = 7;
const DUE_DAYS_MAX: u32 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The question of an alert.
const VERDICT: &str = "verdict";

/// Calibration sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// The latest first.
    sessions: Vec<SessionView>,
}

/// A session, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    calibration_no: i64,
    title: String,
    by: String,
    made_at: Option<String>,
    due_at: Option<String>,
    /// Null while it is open: nobody sees what others answered.
    closed_at: Option<String>,
    cases: usize,
    reviewers: Vec<ReviewerProgress>,
}

/// How far a reviewer has come.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewerProgress {
    reviewer: String,
    done: usize,
}

/// A session with its cases; once it is closed, with all answers and how far they agree.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionDetail {
    #[serde(flatten)]
    session: SessionView,
    /// The form that calls are scored by.
    form: Option<FormView>,
    list: Vec<CaseDetail>,
    /// By question: `verdict` of alerts, the items of the form; null while it is open.
    questions: Option<Vec<QuestionAgreement>>,
    /// By two reviewers; null while it is open.
    pairs: Option<Vec<PairAgreement>>,
    /// Reviewers whom no token names: nothing tells a slip of the pen.
    unknown: Vec<String>,
}

/// An alert or a call to be judged.
#[derive(Debug, Serialize, ToSchema)]
struct CaseDetail {
    case_no: i64,
    call_id: String,
    started_at: String,
    agent_id: String,
    #[serde(flatten)]
    agent: AgentView,
    /// As it was before anybody judged it; null of a whole call, and of one that is gone.
    alert: Option<AlertView>,
    is_call: bool,
    /// The caller's own while the session is open, then everybody's.
    answers: Vec<CaseAnswer>,
}

/// What a reviewer made of a case.
#[derive(Debug, Serialize, ToSchema)]
struct CaseAnswer {
    reviewer: String,
    at: Option<String>,
    /// `confirm` or `dismiss`, of an alert.
    verdict: Option<String>,
    reason: Option<String>,
    /// Of a call, out of 100.
    score: Option<f64>,
    answers: Vec<Answered>,
    comment: Option<String>,
}

/// What is stored of an answer.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default)]
    answers: Vec<Answered>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

/// A session to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewSession {
    #[schema(max_length = 100)]
    title: String,
    /// Two at least, as their tokens name them.
    #[schema(min_items = 2, max_items = 20)]
    reviewers: Vec<String>,
    #[serde(default)]
    calls: Vec<CallRef>,
    #[serde(default)]
    alerts: Vec<AlertRef>,
    /// The form that calls are scored by; the first one in use unless said.
    form: Option<String>,
    /// Days in which it is to be done, 7 unless said.
    due_days: Option<u32>,
    /// Who makes it, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// A call that is meant.
#[derive(Debug, Deserialize, ToSchema)]
struct CallRef {
    call_id: String,
    /// The latest of that id unless said.
    started_at: Option<String>,
}

/// An alert that is meant.
#[derive(Debug, Deserialize, ToSchema)]
struct AlertRef {
    alert_id: String,
    call_id: String,
}

/// The answer to a case.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewCaseAnswer {
    /// Of an alert.
    verdict: Option<CaseVerdict>,
    /// Needed for `dismiss`.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Of a call: each item of the form once.
    answers: Option<Vec<Answered>>,
    #[schema(max_length = 500)]
    comment: Option<String>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CaseVerdict {
    Confirm,
    Dismiss,
}

/// Who closes a session.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Closing {
    /// Their name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

fn session_view(shared: &Shared, found: &Calibration) -> SessionView {
    let zone = shared.config.utc_offset;
    let done = |reviewer: &String| found.answers.iter().filter(|answer| answer.reviewer == *reviewer).count();
    SessionView {
        calibration_no: found.calibration_no,
        title: found.title.clone(),
        by: found.by.clone(),
        made_at: wall_time(found.made_ms, zone),
        due_at: wall_time(found.due_ms, zone),
        closed_at: found.closed_ms.and_then(|ms| wall_time(ms, zone)),
        cases: found.cases.len(),
        reviewers: found
            .reviewers
            .iter()
            .map(|reviewer| ReviewerProgress { done: done(reviewer), reviewer: reviewer.clone() })
            .collect(),
    }
}

fn answer_view(shared: &Shared, answer: &CalibrationAnswer) -> CaseAnswer {
    let Content { verdict, reason, answers, comment } = serde_json::from_str(&answer.content).unwrap_or_default();
    CaseAnswer {
        reviewer: answer.reviewer.clone(),
        at: wall_time(answer.at_ms, shared.config.utc_offset),
        verdict,
        reason,
        score: answer.score.map(|score| f64::from(score) / 100.0),
        answers,
        comment,
    }
}

/// The answers as texts, by question.
fn judged(answer: &CalibrationAnswer) -> Judged {
    let Content { verdict, answers, .. } = serde_json::from_str(&answer.content).unwrap_or_default();
    let items = answers.iter().map(|answered| (answered.item.clone(), answered.answer.text()));
    let answers: BTreeMap<String, String> =
        verdict.into_iter().map(|verdict| (VERDICT.to_owned(), verdict)).chain(items).collect();
    Judged { case_no: answer.case_no, reviewer: answer.reviewer.clone(), answers }
}

async fn find(shared: &Shared, calibration_no: &str) -> Result<Calibration, Refusal> {
    let unknown = Refusal::Uncalibrated(Uncalibrated::Unknown);
    let no: i64 = calibration_no.parse().map_err(|_| unknown.clone())?;
    shared.store.calibrations(Some(no)).await?.pop().ok_or(unknown)
}

fn form_of(found: &Calibration) -> Option<(Form, String)> {
    let (version, definition) = found.form.as_ref()?;
    Some((serde_json::from_str(definition).ok()?, version.clone()))
}

/// The session as this reviewer may see it.
async fn detail(
    shared: &Shared,
    principal: &Principal,
    own: Option<&str>,
    found: Calibration,
) -> Result<SessionDetail, Refusal> {
    let is_closed = found.closed_ms.is_some();
    let mut list = Vec::with_capacity(found.cases.len());
    for case in &found.cases {
        let alert = match &case.alert_id {
            None => None,
            Some(alert_id) => {
                let filter = AlertFilter {
                    call_no: Some(case.call_no),
                    alert_id: Some(alert_id.clone()),
                    with_held: true,
                    ..AlertFilter::default()
                };
                let alerts = shared.store.alerts(Arc::new(filter), Order::OldestFirst, None, None, 1).await?;
                let alert = alerts.into_iter().next().map(|alert| alert_view(shared, principal, alert)).transpose()?;
                alert.map(AlertView::without_review)
            }
        };
        let may_see = |answer: &&CalibrationAnswer| {
            answer.case_no == case.case_no && (is_closed || own == Some(answer.reviewer.as_str()))
        };
        list.push(CaseDetail {
            case_no: case.case_no,
            call_id: case.call_id.clone(),
            started_at: case.started_at.clone(),
            agent: AgentView::of(shared, &case.agent_id),
            agent_id: case.agent_id.clone(),
            alert,
            is_call: case.alert_id.is_none(),
            answers: found.answers.iter().filter(may_see).map(|answer| answer_view(shared, answer)).collect(),
        });
    }
    let compared = is_closed.then(|| compare(&found.answers.iter().map(judged).collect::<Vec<_>>()));
    let (questions, pairs) = compared.unzip();
    let form = form_of(&found).map(|(form, version)| FormView::new(form, version));
    let unknown = strange_reviewers(shared, &found.reviewers);
    Ok(SessionDetail { session: session_view(shared, &found), form, list, questions, pairs, unknown })
}

/// Calibration sessions, the latest first.
#[utoipa::path(get, path = "/v1/calibrations", tag = "qa", responses(
    (status = 200, description = "The sessions / 校准", body = Sessions),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn sessions(State(shared): State<Arc<Shared>>) -> Result<Json<Sessions>, Unanswered> {
    let all = shared.store.calibrations(None).await?;
    Ok(Json(Sessions { sessions: all.iter().map(|one| session_view(&shared, one)).collect() }))
}

/// Makes a session.
#[utoipa::path(post, path = "/v1/calibrations", tag = "qa", request_body = NewSession, responses(
    (status = 201, description = "It is kept / 已记下", body = SessionDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such call or alert / 没有这通通话或预警", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn make(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let new: NewSession = read(&body)?;
    let who = principal.person(new.by.as_deref())?;
    let title = new.title.trim().to_owned();
    if !(1..=TITLE_CHARS_MAX).contains(&title.chars().count()) {
        return Err(Unanswered::in_body(
            "title",
            format!("title 要有 1 到 {TITLE_CHARS_MAX} 个字 / title has 1 to {TITLE_CHARS_MAX} characters"),
        ));
    }
    let mut reviewers = new.reviewers;
    reviewers.sort();
    let count = reviewers.len();
    reviewers.dedup();
    if !(2..=REVIEWERS_MAX).contains(&count)
        || reviewers.len() < count
        || reviewers.iter().any(|name| check_person(name).is_err())
    {
        return Err(Unanswered::in_body(
            "reviewers",
            format!(
                "reviewers 要有 2 到 {REVIEWERS_MAX} 个不同的姓名 / reviewers has 2 to {REVIEWERS_MAX} different names"
            ),
        ));
    }
    check_reviewers(&shared, "reviewers", &reviewers)?;
    let cases = new.calls.len() + new.alerts.len();
    if !(1..=CASES_MAX).contains(&cases) {
        return Err(Unanswered::in_body(
            "calls",
            format!("calls 和 alerts 一共 1 到 {CASES_MAX} 个 / calls and alerts are 1 to {CASES_MAX} together"),
        ));
    }
    let due_days = new.due_days.unwrap_or(DUE_DAYS);
    if !(1..=DUE_DAYS_MAX).contains(&due_days) {
        return Err(Unanswered::in_body(
            "due_days",
            format!("due_days 是 1 到 {DUE_DAYS_MAX} / due_days is 1 to {DUE_DAYS_MAX}"),
        ));
    }
    let current = shared.forms.current();
    let form = match &new.form {
        _ if new.calls.is_empty() => None,
        Some(id) => Some(current.iter().find(|form| form.form.id == *id).ok_or_else(|| {
            Unanswered::in_body("form", "没有这份评分表，见 /v1/forms / no such form; see /v1/forms")
        })?),
        None => Some(current.first().ok_or_else(|| Unanswered::in_body("form", "没有评分表 / there is no form"))?),
    };
    let form = form.map(|form| Ok((form.version.clone(), serde_json::to_string(&form.form)?))).transpose();
    let form = form.map_err(|fault: serde_json::Error| Refusal::store(fault))?;
    let mut given = Vec::with_capacity(cases);
    for CallRef { call_id, started_at } in new.calls {
        let started_ms = started_at.map(|text| instant("started_at", &text)).transpose().map_err(Unanswered::Field)?;
        let query = CallQuery { call_id, started_ms, with_held: false, events_max: 0, alerts_max: 0 };
        let record = shared.store.call_record(query).await?.ok_or(Refusal::NoSuchCall)?;
        if record.call.closed_ms.is_none() {
            return Err(Refusal::Uncalibrated(Uncalibrated::CallInProgress).into());
        }
        given.push((record.call.call_no, None));
    }
    for AlertRef { alert_id, call_id } in new.alerts {
        let filter = AlertFilter {
            alert_id: Some(alert_id.clone()),
            call_id: Some(call_id),
            with_held: true,
            ..AlertFilter::default()
        };
        let found = shared.store.alerts(Arc::new(filter), Order::NewestFirst, None, None, 1).await?.pop();
        given.push((found.ok_or(Refusal::UnknownAlert)?.call_no, Some(alert_id)));
    }
    let made_ms = unix_ms();
    let due_ms = made_ms + i64::from(due_days) * DAY_MS;
    let own = who.name.clone();
    let new = NewCalibration { title, form, reviewers, cases: given, who, made_ms, due_ms };
    let no = shared.journal.make_calibration(new).await?.map_err(Refusal::store)?;
    let found = find(&shared, &no.to_string()).await?;
    Ok(reply::json(StatusCode::CREATED, &detail(&shared, &principal, Some(&own), found).await?))
}

/// One session: the cases, the caller's own answers, and once it is closed everybody's.
#[utoipa::path(get, path = "/v1/calibrations/{calibration_no}", tag = "qa", params(
    ("calibration_no" = i64, Path, description = "Which / 哪一次"),
    ("reviewer" = Option<String>, Query, description = "Whose own answers, where there are no tokens / 没有令牌时：看谁自己的答案"),
), responses(
    (status = 200, description = "The session / 校准", body = SessionDetail),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 404, description = "No such session / 没有这次校准", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn one(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(calibration_no): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<SessionDetail>, Unanswered> {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), ["reviewer"])?;
    let found = find(&shared, &calibration_no).await?;
    let named = parameters.given().get("reviewer").filter(|_| principal.is_open);
    let own = named.map(String::as_str).or(principal.name.as_deref());
    Ok(Json(detail(&shared, &principal, own, found).await?))
}

/// Judges a case, or judges it anew while the session is open. The last answer of all closes it.
#[utoipa::path(post, path = "/v1/calibrations/{calibration_no}/cases/{case_no}", tag = "qa", params(
    ("calibration_no" = i64, Path, description = "Which session / 哪一次"),
    ("case_no" = i64, Path, description = "Which case / 哪一个"),
), request_body = NewCaseAnswer, responses(
    (status = 200, description = "It is kept / 已记下", body = SessionDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 403, description = "It was given to others / 没有分给您", body = ErrorMessage),
    (status = 404, description = "No such case / 没有这个案例", body = ErrorMessage),
    (status = 409, description = "The session is closed / 校准已经结束", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path((calibration_no, case_no)): Path<(String, String)>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let case_no: i64 = case_no.parse().map_err(|_| Refusal::Uncalibrated(Uncalibrated::Unknown))?;
    let new: NewCaseAnswer = read(&body)?;
    let who = principal.person(new.by.as_deref())?;
    let found = find(&shared, &calibration_no).await?;
    let mask = |text: Option<String>| text.map(|text| privacy::mask(&text).into_owned());
    let (is_call, score_of, content) = match (new.verdict, new.answers) {
        (Some(verdict), None) => {
            let (name, action) = match verdict {
                CaseVerdict::Confirm => ("confirm", Action::Confirm),
                CaseVerdict::Dismiss => ("dismiss", Action::Dismiss),
            };
            let reason = check_reason(action, new.reason).map_err(|reason| Refusal::InvalidReview { reason })?;
            (false, None, Content { verdict: Some(name.to_owned()), reason: mask(reason), ..Content::default() })
        }
        (None, Some(answers)) => {
            let Some((form, _)) = form_of(&found) else {
                return Err(Refusal::Uncalibrated(Uncalibrated::OtherSort).into());
            };
            let told = score(&form, &answers)
                .map_err(|fault| Unanswered::in_body(&format!("answers.{}", fault.item), fault.message))?;
            let comment = remark("comment", new.comment, COMMENT_CHARS_MAX)?;
            let answers = answers.into_iter().map(|one| Answered { comment: mask(one.comment), ..one }).collect();
            (true, Some(told.hundredths), Content { answers, comment, ..Content::default() })
        }
        _ => {
            return Err(Unanswered::in_body(
                "verdict",
                "预警写 verdict，通话写 answers / give verdict for an alert, answers for a call",
            ));
        }
    };
    let content = serde_json::to_string(&content).map_err(Refusal::store)?.into();
    let step = CalibrationStep::Answer { case_no, is_call, score: score_of, content };
    step_taken(&shared, &principal, found, step, who).await
}

/// Closes a session before everybody has judged everything: who made it does, or an admin.
#[utoipa::path(post, path = "/v1/calibrations/{calibration_no}/close", tag = "qa", params(
    ("calibration_no" = i64, Path, description = "Which / 哪一次"),
), request_body = Closing, responses(
    (status = 200, description = "It is closed / 已结束", body = SessionDetail),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 403, description = "Somebody else made it / 不是您发起的", body = ErrorMessage),
    (status = 404, description = "No such session / 没有这次校准", body = ErrorMessage),
    (status = 409, description = "It is closed / 已经结束", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn close(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(calibration_no): Path<String>,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let Closing { by } = read(&body)?;
    let who = principal.person(by.as_deref())?;
    let found = find(&shared, &calibration_no).await?;
    if found.by != who.name && !principal.roles.contains(&AccessRole::Admin) {
        return Err(Refusal::Uncalibrated(Uncalibrated::NotMaker).into());
    }
    step_taken(&shared, &principal, found, CalibrationStep::Close, who).await
}

async fn step_taken(
    shared: &Shared,
    principal: &Principal,
    found: Calibration,
    step: CalibrationStep,
    who: crate::server::domain::principal::Who,
) -> Result<Response, Unanswered> {
    let (no, own) = (found.calibration_no, who.name.clone());
    let kept = shared.journal.calibrate(no, step, who, unix_ms()).await?.map_err(Refusal::store)?;
    kept.map_err(Refusal::Uncalibrated)?;
    let found = find(shared, &no.to_string()).await?;
    Ok(reply::json(StatusCode::OK, &detail(shared, principal, Some(&own), found).await?))
}
