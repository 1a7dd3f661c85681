//! Names of reviewers, agents and teams in a request: where the configuration names them, one that it does not have is a
//! slip and refused; where it does not, the answer tells those whom nobody knows.

use std::collections::BTreeSet;

use crate::engine::diagnostic::nearest;
use crate::server::domain::principal::AccessRole;
use crate::server::domain::refusal::Refusal;
use crate::server::net::reply::Unanswered;
use crate::server::runtime::Shared;
use crate::server::store::CallFilter;

/// Names that a refusal lists.
const LISTED_MAX: usize = 20;

/// The reviewers among `names` whom no token names.
pub(super) fn strange_reviewers(shared: &Shared, names: &[String]) -> Vec<String> {
    let known = shared.config.tokens.reviewers();
    names.iter().filter(|name| !known.contains(name.as_str()) && !is_of_token(name)).cloned().collect()
}

/// Refuses reviewers whom no token names, if any token does name one.
pub(super) fn check_reviewers(shared: &Shared, field: &str, names: &[String]) -> Result<(), Unanswered> {
    let known = shared.config.tokens.reviewers();
    match strange_reviewers(shared, names).first() {
        Some(strange) if !known.is_empty() => Err(refused(field, "复核人", "reviewer", strange, known.iter().copied())),
        _ => Ok(()),
    }
}

/// A token without a name is called by its role and the beginning of its digest.
fn is_of_token(name: &str) -> bool {
    let digits = [AccessRole::Qa, AccessRole::Admin].into_iter().find_map(|role| name.strip_prefix(role.name()));
    let digits = digits.and_then(|rest| rest.strip_prefix('-'));
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// The agents whom no file, token or call knows, and the teams that nobody is in.
pub(super) async fn strange_readers(
    shared: &Shared,
    agents: &[String],
    teams: &[String],
) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let known: BTreeSet<String> =
        shared.roster.ask(|roster| roster.all().into_iter().map(|(agent_id, _)| agent_id.to_owned()).collect());
    let mut strange = Vec::new();
    for agent_id in agents.iter().filter(|agent_id| !known.contains(*agent_id)) {
        let calls = CallFilter { agent_id: Some(agent_id.clone()), ..CallFilter::default() };
        if !shared.config.tokens.agents.contains_key(agent_id) && shared.store.count_calls(calls).await? == 0 {
            strange.push(agent_id.clone());
        }
    }
    let known = teams_of(shared);
    Ok((strange, teams.iter().filter(|team| !known.contains(*team)).cloned().collect()))
}

fn teams_of(shared: &Shared) -> BTreeSet<String> {
    shared.roster.ask(|roster| roster.all().into_iter().filter_map(|(_, agent)| agent.team.clone()).collect())
}

/// Refuses agents and teams that nobody knows, if a file names the agents.
pub(super) async fn check_readers(
    shared: &Shared,
    field: &str,
    agents: &[String],
    teams: &[String],
) -> Result<(), Unanswered> {
    if shared.config.agents.file.is_none() {
        return Ok(());
    }
    let (strange_agents, strange_teams) = strange_readers(shared, agents, teams).await?;
    if let Some(strange) = strange_teams.first() {
        let known = teams_of(shared);
        return Err(refused(&format!("{field}.teams"), "班组", "team", strange, known.iter().map(String::as_str)));
    }
    let Some(strange) = strange_agents.first() else { return Ok(()) };
    let known: Vec<String> =
        shared.roster.ask(|roster| roster.all().into_iter().map(|(agent_id, _)| agent_id.to_owned()).collect());
    Err(refused(&format!("{field}.agents"), "坐席", "agent", strange, known.iter().map(String::as_str)))
}

fn refused<'a>(
    field: &str,
    zh: &str,
    en: &str,
    strange: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Unanswered {
    let all = known.clone().take(LISTED_MAX).collect::<Vec<_>>().join(", ");
    let (meant_zh, meant_en) = match nearest(strange, known) {
        Some(near) => (format!("是不是 {near}？"), format!("did you mean {near}?")),
        None => (format!("有：{all}"), format!("there are: {all}")),
    };
    Unanswered::in_body(field, format!("没有{zh} {strange}；{meant_zh} / no such {en}: {strange}; {meant_en}"))
}
