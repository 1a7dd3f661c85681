//! The agents by name and team.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::runtime::Shared;

/// What an agent is called.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct AgentView {
    /// Null where nobody said.
    pub(crate) agent_name: Option<String>,
    /// Null where nobody said.
    pub(crate) team: Option<String>,
}

impl AgentView {
    pub(crate) fn of(shared: &Shared, agent_id: &str) -> Self {
        let agent = shared.roster.of(agent_id);
        Self { agent_name: agent.name, team: agent.team }
    }

    /// What these agents are called, without those of whom nothing is known.
    pub(crate) fn of_all<'a>(shared: &Shared, ids: impl Iterator<Item = &'a str>) -> BTreeMap<String, Self> {
        let named = ids.map(|agent_id| (agent_id.to_owned(), Self::of(shared, agent_id)));
        named.filter(|(_, agent)| agent.agent_name.is_some() || agent.team.is_some()).collect()
    }
}

/// The agents and teams that are known by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RosterView {
    /// By id.
    agents: Vec<KnownAgent>,
    /// By name.
    teams: Vec<TeamView>,
    /// What is wrong with the file of agents since it changed; the names of before stay in use.
    faults: Vec<String>,
}

/// An agent that is known by name or team.
#[derive(Debug, Serialize, ToSchema)]
struct KnownAgent {
    agent_id: String,
    name: Option<String>,
    team: Option<String>,
    site: Option<String>,
    /// `file` of the configuration, or `call`.
    source: &'static str,
}

/// A team.
#[derive(Debug, Serialize, ToSchema)]
struct TeamView {
    team: String,
    agents: u64,
}

/// The agents and teams that are known by name.
#[utoipa::path(get, path = "/v1/agents", tag = "qa", responses(
    (status = 200, description = "By id / 按工号", body = RosterView),
))]
pub(crate) async fn agents(State(shared): State<Arc<Shared>>) -> Json<RosterView> {
    let agents = shared.roster.ask(|roster| {
        let view = |(agent_id, agent): (&str, &crate::server::domain::roster::Agent)| KnownAgent {
            agent_id: agent_id.to_owned(),
            name: agent.name.clone(),
            team: agent.team.clone(),
            site: agent.site.clone(),
            source: if agent.of_file { "file" } else { "call" },
        };
        roster.all().into_iter().map(view).collect::<Vec<_>>()
    });
    let mut teams = BTreeMap::<&String, u64>::new();
    for team in agents.iter().filter_map(|agent| agent.team.as_ref()) {
        *teams.entry(team).or_default() += 1;
    }
    let teams = teams.into_iter().map(|(team, agents)| TeamView { team: team.clone(), agents }).collect();
    let told = shared.roster.faults();
    let faults = told.iter().map(|fault| format!("{}: {} / {}", fault.at, fault.zh, fault.en)).collect();
    Json(RosterView { faults, agents, teams })
}
