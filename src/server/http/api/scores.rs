//! Scores by agent, team, queue or day.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::clock::wall_time;
use crate::server::domain::estimate::Mean;
use crate::server::domain::refusal::ErrorMessage;
use crate::server::domain::score::{Deduction, Scoring, score};
use crate::server::filter::{AGENT, FROM, HOUR, Parameter, Parameters, QUEUE, Shape, TEAM, TO};
use crate::server::http::api::page::About;
use crate::server::http::api::roster::AgentView;
use crate::server::http::openapi::ScoreParameters;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::{CallFilter, TotalledCall};

/// Scores of several calls together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scores {
    /// `agent`, `team`, `queue` or `day`.
    group: &'static str,
    pub(super) scores: Vec<ScoreView>,
    /// Calls in progress, which are not scored yet.
    live: u64,
    from: Option<String>,
    to: Option<String>,
    utc_offset: String,
}

/// The scores of one agent, team, queue or day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScoreView {
    /// The agent, the team (of an agent without one, the queue), the queue (null: calls without one) or the day.
    key: Option<String>,
    /// Whether `key` is the queue of agents without a team; left out where it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_queue: bool,
    /// Of one agent.
    #[serde(flatten)]
    agent: AgentView,
    calls: u64,
    /// The mean score of the calls, rounded to hundredths.
    mean: f64,
    /// The mean lies within so much of it, in 95 of 100 cases; null for a single call.
    margin: Option<f64>,
    min: u32,
    /// Calls with 0 by one vote.
    vetoed: u64,
    /// Confirmed alerts.
    alerts: u64,
}

/// Scores by agent, team, queue or day.
#[utoipa::path(get, path = "/v1/scores", tag = "qa", params(ScoreParameters), responses(
    (status = 200, description = "One row a group / 每组一行", body = Scores),
    (status = 400, description = "A parameter cannot be used / 参数有误", body = ErrorMessage),
    (status = 503, description = "Not now / 暂时无法回答", body = ErrorMessage),
))]
pub(crate) async fn scores(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Scores>, Unanswered> {
    let parameters = Parameters::of_tables(query.as_deref().unwrap_or_default(), &[OF_SCORES])?;
    Ok(Json(compute(&shared, &parameters).await?))
}

/// The scores that a request asks for.
pub(super) async fn compute(shared: &Arc<Shared>, parameters: &Parameters) -> Result<Scores, Unanswered> {
    let group = parameters
        .choice(
            "group",
            &[("agent", Group::Agent), ("team", Group::Team), ("queue", Group::Queue), ("day", Group::Day)],
        )?
        .unwrap_or(Group::Agent);
    let zone = shared.config.utc_offset;
    let mut filter = CallFilter { is_live: Some(false), ..parameters.calls(zone)? };
    let live = shared.store.count_calls(CallFilter { is_live: Some(true), ..filter.clone() }).await?;
    // An agent's score may rest on a call that another one answered.
    let (agent_id, team) = (filter.agent_id.take(), filter.team.take());
    let span = filter.span;
    let config = shared.config.score.clone();
    let asking = Arc::clone(shared);
    let add = move |groups: &mut BTreeMap<Key, Total>, call: &TotalledCall| {
        let team_of = |agent: &str| asking.roster.of(agent).team;
        let is_wanted = |agent: &str| {
            agent_id.as_deref().is_none_or(|wanted| wanted == agent) && (team.is_none() || team_of(agent) == team)
        };
        let key = |agent: &str| match group {
            Group::Agent => (Some(agent.to_owned()), false),
            Group::Team => match team_of(agent) {
                Some(team) => (Some(team), false),
                None => (call.queue.clone(), true),
            },
            Group::Queue => (call.queue.clone(), false),
            Group::Day => (wall_time(call.started_ms, zone).map(|time| time.chars().take(DAY_CHARS).collect()), false),
        };
        for (key, deductions) in units(call, is_wanted, key) {
            groups.entry(key).or_default().add(&score(&config, deductions.iter().copied()), deductions.len());
        }
    };
    let groups = shared.store.totals(filter, add).await?;
    let agents = match group {
        Group::Agent => AgentView::of_all(shared, groups.keys().filter_map(|(key, _)| key.as_deref())),
        Group::Team | Group::Queue | Group::Day => BTreeMap::new(),
    };
    let view = |((key, is_queue), total): (Key, Total)| {
        let agent = key.as_deref().and_then(|key| agents.get(key)).cloned().unwrap_or_default();
        ScoreView { is_queue, ..total.view(key, agent) }
    };
    let scores = groups.into_iter().map(view).collect();
    let About { from, to, utc_offset, .. } = About::new(span, zone, None);
    Ok(Scores { group: group.name(), scores, live, from, to, utc_offset })
}

/// The parameters of scores.
pub(crate) const OF_SCORES: &[Parameter] = &[GROUP, FROM, TO, AGENT, TEAM, QUEUE, HOUR];
const GROUP: Parameter = Parameter::new(
    "group",
    "By what, agent unless said / 按什么分组，默认按坐席",
    Shape::Names(&["agent", "team", "queue", "day"]),
);

/// The key of a group of scores: a name, and whether it names a queue where a team was asked for, since both may be called alike.
type Key = (Option<String>, bool);

/// `2026-11-21`.
const DAY_CHARS: usize = 10;

/// By what scores are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Agent,
    /// The team of the agent; of one without, the queue of the call.
    Team,
    Queue,
    Day,
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Queue => "queue",
            Self::Day => "day",
        }
    }
}

/// Splits a call into the parts that are scored: one a key of the agents who are wanted. Returns each part's deductions.
fn units(
    call: &TotalledCall,
    is_wanted: impl Fn(&str) -> bool,
    key: impl Fn(&str) -> Key,
) -> BTreeMap<Key, Vec<&Deduction>> {
    let mut parts = BTreeMap::new();
    if is_wanted(&call.agent_id) {
        parts.insert(key(&call.agent_id), Vec::new());
    }
    for deduction in call.deductions.iter().filter(|deduction| is_wanted(&deduction.agent_id)) {
        parts.entry(key(&deduction.agent_id)).or_insert_with(Vec::new).push(deduction);
    }
    parts
}

/// Scores put together.
#[derive(Debug, Default)]
pub(super) struct Total {
    scores: Mean,
    min: Option<u32>,
    vetoed: u64,
    alerts: u64,
}

impl Total {
    pub(super) fn add(&mut self, scoring: &Scoring, alerts: usize) {
        self.scores.add(u64::from(scoring.score));
        self.min = Some(self.min.map_or(scoring.score, |min| min.min(scoring.score)));
        self.vetoed += u64::from(!scoring.vetoed_by.is_empty());
        self.alerts += alerts as u64;
    }

    pub(super) fn view(self, key: Option<String>, agent: AgentView) -> ScoreView {
        let Self { scores, min, vetoed, alerts } = self;
        let (mean, margin) = scores.told(1.0);
        let calls = scores.count();
        let min = min.unwrap_or_default();
        ScoreView { key, is_queue: false, agent, calls, mean, margin, min, vetoed, alerts }
    }
}
