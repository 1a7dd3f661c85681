//! Alerts as they stand, page by page. Times bear the offset of the
//! configuration.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::adapter::alert_json::AlertJson;
use crate::engine::privacy;
use crate::server::clock::{self, wall_time};
use crate::server::domain::principal::Principal;
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::{Circumstances, appeal_until_ms, may_appeal};
use crate::server::filter::{OF_ALERTS, OF_PAGES, Page, Parameters};
use crate::server::http::api::page::{About, next_cursor};
use crate::server::http::api::reviews::ReviewView;
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::{AlertParameters, PageParameters};
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{AlertFilter, FoundAlert, Order};

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsPage {
    /// The newest first.
    alerts: Vec<AlertView>,
    #[serde(flatten)]
    about: About,
}

/// An alert as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertView {
    #[serde(flatten)]
    pub(crate) alert: AlertJson<'static>,
    #[serde(flatten)]
    agent: AgentView,
    /// The cursor of its latest transition, as agents get it.
    cursor: String,
    /// Whether the agent saw it: `card`, `folded`, `late`, `shadow` (a pack on trial) or `held` (too unsure).
    display: String,
    /// The queue of its call.
    queue: Option<String>,
    /// All its states, in their order.
    history: Vec<String>,
    /// When its call was answered, RFC 3339.
    started_at: String,
    feedback: Option<FeedbackView>,
    /// Its review: verdict, appeal and steps.
    review: ReviewView,
    /// Whether its agent may appeal now.
    may_appeal: bool,
    /// Up to when its agent may appeal; null while the call is in progress.
    appeal_until: Option<String>,
}

impl AlertView {
    /// The alert as it was before anybody judged it.
    pub(crate) fn without_review(self) -> Self {
        Self { review: self.review.forgotten(), may_appeal: false, appeal_until: None, ..self }
    }
}

/// The agent's last answer.
#[derive(Debug, Serialize, ToSchema)]
struct FeedbackView {
    /// `seen` or `dismiss`.
    action: String,
    reason: Option<String>,
    given_at: Option<String>,
    /// The name of the token that it came with; null without tokens.
    by: Option<String>,
}

/// Alerts as they stand, the newest first.
#[utoipa::path(get, path = "/v1/alerts", tag = "qa", params(AlertParameters, PageParameters), responses(
    (status = 200, description = "One page / 一页预警", body = AlertsPage),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn alerts(
    State(shared): State<Arc<Shared>>,
    Extension(principal): Extension<Principal>,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertsPage>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_ALERTS, OF_PAGES])?;
    let zone = shared.config.utc_offset;
    let filter = parameters.alerts(zone)?;
    let page = parameters.page("alerts", shared.store_id)?;
    Ok(Json(alerts_page(&shared, &principal, filter, page).await?))
}

/// A page of alerts, the newest first.
pub(crate) async fn alerts_page(
    shared: &Shared,
    principal: &Principal,
    filter: AlertFilter,
    page: Page,
) -> Result<AlertsPage, Unanswered> {
    let (span, zone) = (filter.span, shared.config.utc_offset);
    // One more than asked for tells whether there is another page.
    let (filter, count_max) = (Arc::new(filter), page.count + 1);
    let mut found = shared.store.alerts(filter, Order::NewestFirst, page.behind, None, count_max).await?;
    let next_cursor = next_cursor(&mut found, page.count, page.list, |alert| alert.place);
    let alerts = found.into_iter().map(|alert| view(shared, principal, alert)).collect::<Result<_, _>>()?;
    Ok(AlertsPage { alerts, about: About::new(span, zone, next_cursor) })
}

/// An alert as clients see it.
pub(crate) fn view(shared: &Shared, principal: &Principal, found: FoundAlert) -> Result<AlertView, Refusal> {
    let counts = found.counts();
    let FoundAlert { cursor, json, display, history, queue, started_at, closed_ms, feedback, review, .. } = found;
    let zone = shared.config.utc_offset;
    let alert: AlertJson<'static> = serde_json::from_str(&json).map_err(Refusal::store)?;
    let alert = AlertJson { display: None, ..alert };
    let appeal_until_ms = appeal_until_ms(closed_ms, &review.steps, shared.config.review.appeal_ms());
    let around = Circumstances { state: alert.state, agent_id: &alert.agent_id, appeal_until_ms };
    let may_appeal = display.is_told() && may_appeal(&review.steps, clock::unix_ms(), around);
    let review = ReviewView::new(review, counts, (alert.state, &alert.agent_id), principal, zone);
    Ok(AlertView {
        agent: AgentView::of(shared, &alert.agent_id),
        alert,
        review,
        may_appeal,
        appeal_until: appeal_until_ms.and_then(|ms| wall_time(ms, zone)),
        started_at,
        cursor: shared.cursor(cursor).to_string(),
        display: display.name().to_owned(),
        queue,
        history: history.iter().map(|state| state.name().to_owned()).collect(),
        feedback: feedback.map(|given| FeedbackView {
            action: given.action.name().to_owned(),
            reason: given.reason.map(|reason| privacy::mask(&reason).into_owned()),
            given_at: wall_time(given.given_ms, zone),
            by: given.by,
        }),
    })
}
