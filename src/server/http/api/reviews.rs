//! Steps of review and appeal over HTTP, and how others see them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::FixedOffset;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::alert::AlertState;
use crate::engine::privacy;
use crate::server::clock::{self, wall_time};
use crate::server::domain::principal::{Principal, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::{Action, Appeal, Circumstances, Step, Verdict, check_reason, possible};
use crate::server::filter::{BadQuery, Parameters};
use crate::server::net::reply::{self, Unanswered};
use crate::server::runtime::Shared;
use crate::server::runtime::review::take_step;
use crate::server::store::{FoundReview, Taken, Target};

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
    /// The steps that the caller may take now.
    possible: Vec<Action>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct StepView {
    action: Action,
    /// The person who took the step.
    by: String,
    /// As what: `qa`, `admin` or `agents`.
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
            StepView { action, by, role, reason, at }
        });
        Self { verdict: standing.verdict, appeal: standing.appeal, counts, steps: steps.collect(), possible }
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
    (status = 409, description = "Not possible: not_confirmed, final, no_change, already_dismissed, no_appeal, same_person, several_calls, too_many_steps, changed / 现在不能这样做", body = ErrorMessage),
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
    let (step, who, steps_seen) = new_step(&principal, &body)?;
    target.steps_seen = steps_seen;
    let Taken { agent_id, standing, counts, steps, .. } = take_step(&shared, target, step, who).await?;
    // No step is taken in any other state.
    let alert = (AlertState::Confirmed, agent_id.as_str());
    let view = ReviewView::new(FoundReview { standing, steps }, counts, alert, &principal, shared.config.utc_offset);
    Ok(reply::json(StatusCode::CREATED, &view))
}

fn target(alert_id: String, query: &str) -> Result<Target, BadQuery> {
    let parameters = Parameters::read(query, ["call_id", "started_at"])?;
    let (call_id, started_ms) = (parameters.id("call_id")?, parameters.moment("started_at")?);
    Ok(Target { alert_id, call_id, started_ms, agent_id: None, steps_seen: None })
}

fn new_step(principal: &Principal, body: &str) -> Result<(Step, Who, Option<usize>), Refusal> {
    let invalid = |reason: String| Refusal::InvalidReview { reason };
    let NewStep { action, reason, by, steps_seen } =
        serde_json::from_str(body).map_err(|fault| invalid(fault.to_string()))?;
    if action == Action::Appeal {
        return Err(invalid("申诉由坐席提出 / agents appeal, where they answer to alerts".to_owned()));
    }
    let reason = check_reason(action, reason).map_err(invalid)?;
    let reason = reason.map(|reason| privacy::mask(&reason).into_owned());
    let who = principal.person(by.as_deref()).map_err(Refusal::Unnamed)?;
    let step = Step { action, by: who.name.clone(), role: who.role.to_owned(), reason, at_ms: clock::unix_ms() };
    Ok((step, who, steps_seen))
}
