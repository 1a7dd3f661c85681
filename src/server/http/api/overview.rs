//! `/v1/overview`: agents, teams or queues beside each other, by rule, this span against the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::clock::unix_ms;
use crate::server::config::{OVERVIEW_CELLS_MAX, RANKED_CALLS_MAX};
use crate::server::domain::overview::{Compared, Line, RANKED_CALLS_MIN, RuleLine};
use crate::server::domain::refusal::ErrorMessage;
use crate::server::filter::{OF_ALERTS, Parameter, Parameters, Shape};
use crate::server::http::api::page::About;
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::{AlertParameters, OverviewParameters};
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{CallFilter, Grouping, Overview, OverviewFilter};

/// The parameters of an overview beside the filters of alerts.
pub(crate) const OF_OVERVIEW: &[Parameter] = &[BY, CALLS_MIN];
const BY: Parameter = Parameter::new(
    "by",
    "Whom to compare, agent unless said / 比较什么，默认坐席",
    Shape::Names(&["agent", "team", "queue"]),
);
pub(crate) const CALLS_MIN: Parameter = Parameter::new(
    "calls_min",
    "Who has fewer calls is not ranked, 10 unless said / 不足多少通不排名，默认 10",
    Shape::Number(1, RANKED_CALLS_MAX),
);

/// The comparison.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OverviewView {
    by: &'static str,
    /// With fewer calls nobody is ranked.
    calls_min: u32,
    /// Agents, teams or queues: the highest rate first; whoever is not ranked comes last.
    lines: Vec<Line>,
    /// The rules with the most alerts first.
    rules: Vec<RuleLine>,
    total: Compared,
    /// Calls in progress among those of the span: their alerts may still change.
    live: u64,
    /// The names and teams of the agents in `lines`, by id.
    agents: BTreeMap<String, AgentView>,
    /// Whether lines, rules or cells are left out because there are too many.
    truncated: bool,
    from: Option<String>,
    to: Option<String>,
    /// The span before, of the same length; null where the request has no beginning.
    before_from: Option<String>,
    before_to: Option<String>,
    utc_offset: String,
}

/// Alerts that count, by agent, team or queue and by rule, with the span before.
#[utoipa::path(get, path = "/v1/overview", tag = "qa", params(AlertParameters, OverviewParameters), responses(
    (status = 200, description = "The comparison / 对比", body = OverviewView),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn overview(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<OverviewView>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_ALERTS, OF_OVERVIEW])?;
    let zone = shared.config.utc_offset;
    let groups = [Grouping::Agent, Grouping::Team, Grouping::Queue].map(|group| (group.name(), group));
    let by = parameters.choice("by", &groups)?;
    let by = by.unwrap_or(Grouping::Agent);
    let calls_min = parameters.number("calls_min", 1, RANKED_CALLS_MAX)?.unwrap_or(RANKED_CALLS_MIN);
    let mut alerts = parameters.alerts(zone)?;
    // What does not count is compared only where the request asks for it.
    if alerts.counts.is_none() && alerts.states.is_empty() && alerts.displays.is_empty() {
        alerts.counts = Some(true);
    }
    let span = alerts.span;
    let before = span.before(unix_ms());
    let in_progress = CallFilter { is_live: Some(true), ..CallFilter::of_alerts(&alerts) };
    let live = shared.store.count_calls(in_progress).await?;
    let found = shared.store.overview(OverviewFilter { alerts, before, by, calls_min }, OVERVIEW_CELLS_MAX).await?;
    let About { from, to, utc_offset, .. } = About::new(span, zone, None);
    let About { from: before_from, to: before_to, .. } = About::new(before.unwrap_or_default(), zone, None);
    let Overview { lines, rules, total, truncated } = found;
    let ids = lines.iter().filter_map(|line| line.key.as_deref().filter(|_| by == Grouping::Agent));
    let agents = AgentView::of_all(&shared, ids);
    let by = by.name();
    Ok(Json(OverviewView {
        by,
        calls_min,
        lines,
        rules,
        total,
        live,
        agents,
        truncated,
        from,
        to,
        before_from,
        before_to,
        utc_offset,
    }))
}
