//! Steps of review and appeal over HTTP, and how others see them.

use std::sync::Arc;

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use chrono::FixedOffset;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::adapter::native;
use crate::engine::privacy;
use crate::server::domain::principal::{Principal, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::{Action, Appeal, REASON_CHARS_MAX, Standing, Step, Verdict};
use crate::server::http::api::quality;
use crate::server::http::api::query::{AlertsPage, Unanswered, alerts_page};
use crate::server::http::filter::{OF_PAGES, Parameters, wall_time};
use crate::server::http::openapi::PageParameters;
use crate::server::runtime::clock;
use crate::server::store::{AlertFilter, Taken, Target, Untaken};
use crate::server::telemetry::events::Happening;
use crate::server::telemetry::metrics::Metrics;
use crate::server::{Shared, http};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Where people have an alert, and how it came there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReviewView {
    verdict: Verdict,
    /// Null: there is none.
    appeal: Option<Appeal>,
    /// Whether the alert counts in scores.
    counts: bool,
    /// In their order.
    steps: Vec<StepView>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct StepView {
    action: Action,
    /// Who took it.
    by: String,
    /// As what: `qa`, `admin` or `agents`.
    role: String,
    reason: Option<String>,
    at: Option<String>,
}

impl ReviewView {
    pub(crate) fn new(standing: Standing, counts: bool, steps: Vec<Step>, zone: FixedOffset) -> Self {
        let steps = steps.into_iter().map(|Step { action, by, role, reason, at_ms }| {
            let at = wall_time(at_ms, zone);
            StepView { action, by, role, reason, at }
        });
        Self { verdict: standing.verdict, appeal: standing.appeal, counts, steps: steps.collect() }
    }
}

/// A step as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewStep {
    /// `confirm`, `dismiss`, `grant` or `reject`.
    action: Action,
    /// Needed for all but `confirm`.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Who it is, where nobody has a token.
    #[schema(max_length = 64)]
    by: Option<String>,
}

/// A step was taken.
struct Reviewed<'a> {
    rule_id: &'a str,
    action: Action,
}

impl Happening for Reviewed<'_> {
    fn report(self, metrics: &Metrics) {
        let Self { rule_id, action } = self;
        let (counter, label) = match action {
            Action::Confirm => (&metrics.reviews, Verdict::Confirmed.name()),
            Action::Dismiss => (&metrics.reviews, Verdict::Dismissed.name()),
            Action::Appeal => (&metrics.appeals, Appeal::Pending.name()),
            Action::Grant => (&metrics.appeals, Appeal::Granted.name()),
            Action::Reject => (&metrics.appeals, Appeal::Rejected.name()),
        };
        counter.with_label_values(&[rule_id, label]).inc();
    }
}

/// The reason of a step, if it has what it needs: words, and not too many.
pub(crate) fn check_reason(action: Action, reason: Option<String>) -> Result<Option<String>, String> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(format!("reason 最多 {REASON_CHARS_MAX} 字 / reason has at most {REASON_CHARS_MAX} characters"));
    }
    if reason.is_none() && action.needs_reason() {
        return Err(format!("{0} 要写 reason，说明为什么 / {0} needs a reason", action.name()));
    }
    Ok(reason)
}

/// Takes a step, and tells what follows from it.
pub(crate) async fn take_step(shared: &Shared, target: Target, step: Step, who: Who) -> Result<Taken, Refusal> {
    let action = step.action;
    let appeal_ms = i64::from(shared.config.review.appeal_days.get()) * DAY_MS;
    let taken = shared.journal.perform(move |writer| writer.review(&target, &step, &who, appeal_ms)).await?;
    let taken = match taken {
        Ok(Ok(taken)) => taken,
        Ok(Err(Untaken::Unknown)) => return Err(Refusal::UnknownAlert),
        Ok(Err(Untaken::Ambiguous)) => return Err(Refusal::SeveralCalls),
        Ok(Err(Untaken::Impossible(impossible))) => return Err(Refusal::Impossible(impossible)),
        Err(error) => return Err(Refusal::StoreFailed { error: error.to_string() }),
    };
    Reviewed { rule_id: &taken.rule_id, action }.report(&shared.metrics);
    if action != Action::Appeal {
        quality::measure(shared, &taken.rule_id, &taken.rules_version).await;
    }
    Ok(taken)
}

/// The status of an answer that refuses a step, or an agent's answer.
pub(crate) const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::UnknownAlert => StatusCode::NOT_FOUND,
        Refusal::InvalidFeedback { .. } | Refusal::InvalidReview { .. } | Refusal::Unnamed(_) => {
            StatusCode::BAD_REQUEST
        }
        Refusal::AgentsOnly => StatusCode::FORBIDDEN,
        Refusal::Impossible(_) | Refusal::SeveralCalls => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
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
    (status = 409, description = "Not possible: not_confirmed, final, no_change, already_dismissed, no_appeal, same_person, several_calls, too_many_steps / 现在不能这样做", body = ErrorMessage),
    (status = 413, description = "Too long / 太长", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时不能", body = ErrorMessage),
))]
pub(crate) async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    Path(alert_id): Path<String>,
    RawQuery(query): RawQuery,
    body: Result<String, StringRejection>,
) -> Result<Response, Response> {
    let body = body.map_err(|rejection| http::unreadable(&rejection))?;
    let refuse = |refusal: Refusal| http::refused(status_of(&refusal), &refusal);
    let target = target(alert_id, query.as_deref().unwrap_or_default())
        .map_err(|bad| Unanswered::BadQuery(bad).into_response())?;
    let (step, who) = new_step(&principal, &body).map_err(refuse)?;
    let taken = take_step(&shared, target, step, who).await.map_err(refuse)?;
    let Taken { standing, counts, steps, .. } = taken;
    let view = ReviewView::new(standing, counts, steps, shared.config.utc_offset);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

fn target(alert_id: String, query: &str) -> Result<Target, crate::server::http::filter::BadQuery> {
    let parameters = Parameters::read(query, ["call_id", "started_at"])?;
    let (call_id, started_ms) = (parameters.id("call_id")?, parameters.moment("started_at")?);
    Ok(Target { alert_id, call_id, started_ms, agent_id: None })
}

fn new_step(principal: &Principal, body: &str) -> Result<(Step, Who), Refusal> {
    let invalid = |reason: String| Refusal::InvalidReview { reason };
    let NewStep { action, reason, by } = serde_json::from_str(body).map_err(|fault| invalid(fault.to_string()))?;
    if action == Action::Appeal {
        return Err(invalid("申诉由坐席提出 / agents appeal, where they answer to alerts".to_owned()));
    }
    let reason = check_reason(action, reason).map_err(invalid)?;
    let reason = reason.map(|reason| privacy::mask(&reason).into_owned());
    let who = principal.person(by.as_deref()).map_err(Refusal::Unnamed)?;
    let step = Step { action, by: who.name.clone(), role: who.role.to_owned(), reason, at_ms: clock::unix_ms() };
    Ok((step, who))
}

/// An agent's alerts of which somebody said something, the newest first.
#[utoipa::path(get, path = "/v1/agents/{agent_id}/reviews", tag = "qa", params(
    ("agent_id" = String, Path, description = "Whose / 坐席"),
    PageParameters,
), responses(
    (status = 200, description = "One page / 一页预警", body = AlertsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn of_agent(
    State(shared): State<Arc<Shared>>,
    Path(agent_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertsPage>, Unanswered> {
    let parameters = Parameters::read(query.as_deref().unwrap_or_default(), OF_PAGES)?;
    native::check_id("agent_id", &agent_id).map_err(|fault| Unanswered::bad("agent_id", fault.to_string()))?;
    // A cursor of one agent's list is of no use in another's.
    let page = parameters.page(&format!("reviews of {agent_id}"), shared.store_id)?;
    let filter = AlertFilter { agent_id: Some(agent_id), has_steps: true, ..AlertFilter::default() };
    Ok(Json(alerts_page(&shared, filter, page).await?))
}
