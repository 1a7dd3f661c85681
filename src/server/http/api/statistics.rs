//! `/v1/statistics`: alerts and calls counted by one or two of day, hour, rule,
//! agent, team, queue and severity, with the filters of `/v1/alerts`.
//!
//! Deliberately absent: rates and averages. A client that shows them chooses the divisor; the calls
//! are counted for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::alert::AlertState;
use crate::server::config::STATISTICS_ROWS_MAX;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::domain::terms::Display;
use crate::server::filter::{BadQuery, OF_ALERTS, Parameter, Parameters, Shape};
use crate::server::http::api::page::About;
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::{AlertParameters, StatisticsParameters};
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{CallCount, Grouping, Statistics, StatisticsFilter, Sums};

/// The parameters of statistics beside the filters of alerts.
pub(crate) const OF_STATISTICS: &[Parameter] = &[GROUPS];
const GROUPS: Parameter = Parameter::new(
    "group",
    "One or two, a comma between them: day, hour, rule, agent, team, queue, severity; rule unless said / 按什么分组，一个或两个，默认按规则",
    Shape::Text,
);

/// A table has two sides.
const GROUPS_MAX: usize = 2;

/// The counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatisticsView {
    /// The groups that the request named, in its order.
    groups: Vec<&'static str>,
    /// The groups with the most alerts first; a group without alerts has no row.
    rows: Vec<RowView>,
    total: SumsView,
    /// All calls that were answered, with alerts or without.
    answered: AnsweredView,
    /// The names of the rules in `rows`, by id.
    rule_names: BTreeMap<String, Option<String>>,
    /// The names and teams of the agents in `rows` and `answered`, by id.
    agents: BTreeMap<String, AgentView>,
    /// Whether rows are left out because there are too many.
    truncated: bool,
    /// From this moment on, if it was asked for.
    from: Option<String>,
    /// Up to but without this moment, if it was asked for.
    to: Option<String>,
    /// In which days and hours begin.
    utc_offset: String,
}

/// One group.
#[derive(Debug, Serialize, ToSchema)]
struct RowView {
    /// One value a group, in their order: `2026-11-21`, `9`, an id; null for calls without a queue.
    key: Vec<Option<String>>,
    #[serde(flatten)]
    sums: SumsView,
}

/// The sums of a group.
#[derive(Debug, Serialize, ToSchema)]
struct SumsView {
    alerts: i64,
    /// That have such an alert.
    calls: i64,
    /// The sum of the deductions of those that count.
    deduct: i64,
}

/// Calls, to divide by.
#[derive(Debug, Serialize, ToSchema)]
struct AnsweredView {
    /// The requested groups that apply to calls: all but rule and severity.
    groups: Vec<&'static str>,
    /// By the time when they were answered, and by who answered.
    rows: Vec<CallsView>,
    total: i64,
}

/// The calls of one group.
#[derive(Debug, Serialize, ToSchema)]
struct CallsView {
    key: Vec<Option<String>>,
    calls: i64,
}

impl From<Sums> for SumsView {
    fn from(Sums { alerts, calls, deduct }: Sums) -> Self {
        Self { alerts, calls, deduct }
    }
}

/// Alerts and calls, counted.
#[utoipa::path(get, path = "/v1/statistics", tag = "qa", params(AlertParameters, StatisticsParameters), responses(
    (status = 200, description = "One row a group / 每组一行", body = StatisticsView),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn statistics(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<StatisticsView>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_ALERTS, OF_STATISTICS])?;
    let zone = shared.config.utc_offset;
    let groups = groups(&parameters)?;
    let mut alerts = parameters.alerts(zone)?;
    if alerts.displays.is_empty() {
        alerts.displays.extend(Display::ALL.into_iter().filter(|display| display.is_told()));
    }
    if alerts.states.is_empty() {
        alerts.states.push(AlertState::Confirmed);
    }
    let span = alerts.span;
    let filter =
        StatisticsFilter { alerts, groups: groups.clone(), offset_ms: i64::from(zone.local_minus_utc()) * 1_000 };
    // One row more than the limit shows whether there are more.
    let counted = shared.store.statistics(filter, STATISTICS_ROWS_MAX + 1).await?;
    let Statistics { mut rows, total, mut answered, answered_total, rule_names } = counted;
    let truncated = rows.len().max(answered.len()) > STATISTICS_ROWS_MAX;
    rows.truncate(STATISTICS_ROWS_MAX);
    answered.truncate(STATISTICS_ROWS_MAX);
    let agent_in = |groups: &[Grouping], key: &[Option<String>]| {
        let place = groups.iter().position(|group| *group == Grouping::Agent)?;
        key.get(place).cloned().flatten()
    };
    let of_calls: Vec<Grouping> = groups.iter().copied().filter(|group| group.is_of_calls()).collect();
    let ids: BTreeSet<String> = rows
        .iter()
        .filter_map(|(key, _)| agent_in(&groups, key))
        .chain(answered.iter().filter_map(|count| agent_in(&of_calls, &count.key)))
        .collect();
    let agents = AgentView::of_all(&shared, ids.iter().map(String::as_str));
    let About { from, to, utc_offset, .. } = About::new(span, zone, None);
    Ok(Json(StatisticsView {
        agents,
        groups: groups.iter().map(|group| group.name()).collect(),
        rows: rows.into_iter().map(|(key, sums)| RowView { key, sums: sums.into() }).collect(),
        total: total.into(),
        answered: AnsweredView {
            groups: groups.iter().filter(|group| group.is_of_calls()).map(|group| group.name()).collect(),
            rows: answered.into_iter().map(|CallCount { key, calls }| CallsView { key, calls }).collect(),
            total: answered_total,
        },
        rule_names: rule_names.into_iter().collect(),
        truncated,
        from,
        to,
        utc_offset,
    }))
}

fn groups(parameters: &Parameters) -> Result<Vec<Grouping>, BadQuery> {
    let mut groups = parameters.choices("group", &Grouping::ALL.map(|group| (group.name(), group)))?;
    if groups.is_empty() {
        groups.push(Grouping::Rule);
    }
    if groups.len() > GROUPS_MAX || groups.first() == groups.get(1) {
        return Err(BadQuery::new(
            "group",
            "group 可以写一个，或两个不同的，用逗号分开 / group is one, or two different ones with a comma between them",
        ));
    }
    Ok(groups)
}
