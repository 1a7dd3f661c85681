//! Steps of review and appeal over HTTP, and how others see them.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::FixedOffset;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::adapter::native;
use crate::engine::alert::AlertState;
use crate::engine::privacy;
use crate::server::clock::{self, wall_time};
use crate::server::config::REVIEWED_AT_ONCE_MAX;
use crate::server::domain::principal::{Principal, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::{Action, Appeal, Circumstances, Step, Verdict, check_reason, possible};
use crate::server::filter::{BadQuery, Parameters, instant};
use crate::server::http::api::body::parse;
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::runtime::cases::{Case, Opened};
use crate::server::runtime::review::{take_step, take_steps};
use crate::server::store::{FoundReview, Taken, Target};

/// The state of an alert's review, and the steps that led to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReviewView {
    verdict: Verdict,
    /// Null: there is none.
    appeal: Option<Appeal>,
    /// Whether the alert counts in scores.
    counts: bool,
    /// In their order.
    steps: Vec<StepView>,
    /// The steps that the caller may take now.
    possible: Vec<Action>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct StepView {
    action: Action,
    /// The person who took the step.
    by: String,
    /// The role in which the person acted: `qa`, `admin` or `agents`.
    role: String,
    reason: Option<String>,
    at: Option<String>,
}

impl ReviewView {
    /// `alert` tells its state and whose it is.
    pub(crate) fn new(
        review: FoundReview,
        counts: bool,
        alert: (AlertState, &str),
        principal: &Principal,
        zone: FixedOffset,
    ) -> Self {
        let FoundReview { standing, steps } = review;
        let (state, agent_id) = alert;
        // Appeals are not among them, so neither is their end.
        let around = Circumstances { state, agent_id, appeal_until_ms: None };
        let possible = match principal.reviews() {
            true => possible(&steps, principal.name.as_deref(), clock::unix_ms(), around),
            false => Vec::new(),
        };
        let steps = steps.into_iter().map(|Step { action, by, role, reason, at_ms }| {
            let at = wall_time(at_ms, zone);
            StepView { action, by, role: role.name().to_owned(), reason, at }
        });
        Self { verdict: standing.verdict, appeal: standing.appeal, counts, steps: steps.collect(), possible }
    }
}

impl ReviewView {
    /// As if nobody had judged.
    pub(super) fn forgotten(self) -> Self {
        let possible = vec![Action::Confirm, Action::Dismiss];
        Self { verdict: Verdict::Unreviewed, appeal: None, steps: Vec::new(), possible, ..self }
    }
}

/// A step as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewStep {
    /// `confirm`, `dismiss`, `grant`, `reject` or `undo`.
    action: Action,
    /// Needed for all but `confirm` and `undo`.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
    /// How many steps the alert had when the reviewer looked; if it has others by now, this one is refused.
    steps_seen: Option<usize>,
}

/// Review of an alert, or the decision of an appeal.
#[utoipa::path(post, path = "/v1/alerts/{alert_id}/reviews", tag = "qa", params(
    ("alert_id" = String, Path, description = "Which alert / 哪条预警"),
    ("call_id" = Option<String>, Query, description = "Of which call / 哪一通的", min_length = 1),
    ("started_at" = Option<String>, Query, description = "When its call was answered, where ids were used again / 编号用过多次时，指定通话的接通时间"),
), request_body = NewStep, responses(
    (status = 201, description = "It is kept; where the alert stands / 已记下；预警现在的状态", body = ReviewView),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 404, description = "No such alert / 没有这条预警", body = ErrorMessage),
    (status = 409, description = "Not possible: not_confirmed, final, no_change, already_dismissed, no_appeal, same_person, several_calls, too_many_steps, changed, nothing_to_undo / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(alert_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Response, Unanswered> {
    let body = body?;
    let mut target = target(alert_id, query.as_deref().unwrap_or_default())?;
    let NewStep { action, reason, by, steps_seen } = read(&body)?;
    target.steps_seen = steps_seen;
    check_action(action)?;
    let (step, who) = step(&principal, action, reason, by.as_deref())?;
    let taken = take_step(&shared, target, step, who).await?;
    Ok(reply::json(StatusCode::CREATED, &view(&shared, &principal, taken)))
}

/// One step that several alerts take.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewSteps {
    /// `confirm`, `dismiss`, `grant`, `reject` or `undo`.
    action: Action,
    /// Needed for all but `confirm` and `undo`.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
    #[schema(min_items = 1, max_items = 1000)]
    alerts: Vec<NamedAlert>,
}

/// An alert, as its list names it.
#[derive(Debug, Deserialize, ToSchema)]
struct NamedAlert {
    alert_id: String,
    call_id: String,
    started_at: String,
    /// How many steps the alert had when the reviewer looked; if it has others by now, this one is refused.
    steps_seen: Option<usize>,
}

/// The outcome of each alert, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepsTaken {
    /// On how many of them the step was taken.
    taken: usize,
    results: Vec<StepTaken>,
}

/// The outcome for one alert: its new state, or why the step was not taken.
#[derive(Debug, Serialize, ToSchema)]
struct StepTaken {
    alert_id: String,
    call_id: String,
    started_at: String,
    review: Option<ReviewView>,
    error: Option<NotTaken>,
}

/// Why a step was not taken.
#[derive(Debug, Serialize, ToSchema)]
struct NotTaken {
    /// The error, as for a single step.
    code: &'static str,
    message: String,
}

/// Reviews several alerts alike in one request; each alert takes the step or says why not.
#[utoipa::path(post, path = "/v1/reviews", tag = "qa", request_body = NewSteps, responses(
    (status = 200, description = "What became of each / 每条的结果", body = StepsTaken),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn take_all(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Json<StepsTaken>, Unanswered> {
    let NewSteps { action, reason, by, alerts } = read(&body?)?;
    if !(1..=REVIEWED_AT_ONCE_MAX).contains(&alerts.len()) {
        let message = format!("alerts 要有 1 到 {REVIEWED_AT_ONCE_MAX} 条 / alerts has 1 to {REVIEWED_AT_ONCE_MAX}");
        return Err(Unanswered::in_body("alerts", message));
    }
    let targets = alerts.iter().map(NamedAlert::target).collect::<Result<_, _>>()?;
    check_action(action)?;
    let (step, who) = step(&principal, action, reason, by.as_deref())?;
    let courses = take_steps(&shared, targets, step, who).await?;
    let taken = courses.iter().filter(|taken| taken.is_ok()).count();
    let results = alerts.into_iter().zip(courses).map(|(alert, taken)| {
        let NamedAlert { alert_id, call_id, started_at, .. } = alert;
        let (review, error) = match taken {
            Ok(taken) => (Some(view(&shared, &principal, taken)), None),
            Err(refusal) => (None, Some(NotTaken { code: refusal.code(), message: refusal.message() })),
        };
        StepTaken { alert_id, call_id, started_at, review, error }
    });
    Ok(Json(StepsTaken { taken, results: results.collect() }))
}

impl NamedAlert {
    fn target(&self) -> Result<Target, Unanswered> {
        let Self { alert_id, call_id, started_at, steps_seen } = self;
        let started_ms = instant("started_at", started_at).map_err(Unanswered::Field)?;
        Ok(Target {
            alert_id: alert_id.clone(),
            call_id: Some(call_id.clone()),
            started_ms: Some(started_ms),
            agent_id: None,
            steps_seen: *steps_seen,
        })
    }
}

/// The case that a reviewer has open now: an alert, or a form to fill; without either, no alert.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewCase {
    alert: Option<CaseOf>,
    form: Option<FormCase>,
    /// The reviewer's name, where there are no tokens.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// The alert of a case.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct CaseOf {
    #[schema(max_length = 128)]
    alert_id: String,
    #[schema(max_length = 128)]
    call_id: String,
    started_at: String,
}

/// A form about an agent in a call.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct FormCase {
    #[schema(max_length = 128)]
    form: String,
    #[schema(max_length = 128)]
    agent_id: String,
    #[schema(max_length = 128)]
    call_id: String,
    started_at: String,
    /// It is open no more.
    #[serde(default, skip_serializing)]
    close: bool,
}

/// The cases that others have open.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CasesOpen {
    open: Vec<CaseView>,
    /// Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forms: Vec<FormCaseView>,
}

/// A form that somebody is about to fill or change.
#[derive(Debug, Serialize, ToSchema)]
struct FormCaseView {
    by: String,
    #[serde(flatten)]
    form: FormCase,
    since: Option<String>,
}

/// A case that somebody has open.
#[derive(Debug, Serialize, ToSchema)]
struct CaseView {
    by: String,
    #[serde(flatten)]
    alert: CaseOf,
    since: Option<String>,
}

/// Tells which case the caller has open, an alert or a form, for 45 seconds, and asks which ones others have.
#[utoipa::path(post, path = "/v1/reviews/open", tag = "qa", request_body = NewCase, responses(
    (status = 200, description = "The cases of others / 别人打开着的预警和评分表", body = CasesOpen),
    (status = 400, description = "It cannot be used / 内容有误", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
))]
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    body: Result<String, StringRejection>,
) -> Result<Json<CasesOpen>, Unanswered> {
    let NewCase { alert, form, by } = read(&body?)?;
    let who = principal.person(by.as_deref())?;
    let is_form = form.is_some();
    let case = match (alert, form) {
        (Some(_), Some(_)) => {
            return Err(Unanswered::in_body("form", "alert 和 form 写其中一个 / give alert or form, one of them"));
        }
        (Some(CaseOf { alert_id, call_id, started_at }), None) => {
            Some(Case { call_id, started_at, of: Opened::Alert { alert_id } })
        }
        (None, Some(FormCase { form, agent_id, call_id, started_at, close })) => {
            (!close).then_some(Case { call_id, started_at, of: Opened::Form { form, agent_id } })
        }
        (None, None) => None,
    };
    if let Some(Case { call_id, started_at, of }) = &case {
        let ids = match of {
            Opened::Alert { alert_id } => vec![("alert_id", alert_id)],
            Opened::Form { form, agent_id } => vec![("form", form), ("agent_id", agent_id)],
        };
        for (field, id) in ids.into_iter().chain([("call_id", call_id)]) {
            native::check_id(field, id).map_err(|fault| Unanswered::in_body(field, fault.to_string()))?;
        }
        instant("started_at", started_at).map_err(Unanswered::Field)?;
    }
    let zone = shared.config.utc_offset;
    let mut told = CasesOpen { open: Vec::new(), forms: Vec::new() };
    for (by, open) in shared.cases.open(&who.name, is_form, case, clock::unix_ms()) {
        let since = wall_time(open.since_ms, zone);
        let Case { call_id, started_at, of } = open.case;
        match of {
            Opened::Alert { alert_id } => {
                told.open.push(CaseView { by, alert: CaseOf { alert_id, call_id, started_at }, since });
            }
            Opened::Form { form, agent_id } => {
                let form = FormCase { form, agent_id, call_id, started_at, close: false };
                told.forms.push(FormCaseView { by, form, since });
            }
        }
    }
    Ok(Json(told))
}

/// Where an alert stands after a step.
fn view(shared: &Shared, principal: &Principal, taken: Taken) -> ReviewView {
    let Taken { agent_id, standing, counts, steps, .. } = taken;
    // No step is taken in any other state.
    let alert = (AlertState::Confirmed, agent_id.as_str());
    ReviewView::new(FoundReview { standing, steps }, counts, alert, principal, shared.config.utc_offset)
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, Refusal> {
    parse(body).map_err(|fault| Refusal::InvalidReview { reason: fault.message })
}

fn target(alert_id: String, query: &str) -> Result<Target, BadQuery> {
    let parameters = Parameters::read(query, ["call_id", "started_at"])?;
    let (call_id, started_ms) = (parameters.id("call_id")?, parameters.moment("started_at")?);
    Ok(Target { alert_id, call_id, started_ms, agent_id: None, steps_seen: None })
}

/// Refuses steps that are taken elsewhere.
fn check_action(action: Action) -> Result<(), Refusal> {
    let reason = match action {
        Action::Appeal => "申诉由坐席提出 / agents appeal, where they answer to alerts",
        Action::Mark => "漏报在通话里标 / violations are marked in their call",
        Action::Confirm | Action::Dismiss | Action::Grant | Action::Reject | Action::Undo => return Ok(()),
    };
    Err(Refusal::InvalidReview { reason: reason.to_owned() })
}

/// The step that a body describes, and who takes it.
pub(super) fn step(
    principal: &Principal,
    action: Action,
    reason: Option<String>,
    by: Option<&str>,
) -> Result<(Step, Who), Refusal> {
    let invalid = |reason: String| Refusal::InvalidReview { reason };
    let reason = check_reason(action, reason).map_err(invalid)?;
    let reason = reason.map(|reason| privacy::mask(&reason).into_owned());
    let who = principal.person(by)?;
    let step = Step { action, by: who.name.clone(), role: who.role, reason, at_ms: clock::unix_ms() };
    Ok((step, who))
}
