//! The agents by name, as the file of the configuration and the starts of calls told them.

use crate::server::domain::roster::{Agent, Roster};
use crate::server::store::sql::{Transaction, params};
use crate::server::store::writer::Writer;
use crate::server::store::{Readers, StoreError};

/// An agent on the way to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentRow {
    pub(crate) agent_id: String,
    pub(crate) agent: Agent,
}

/// The SQL condition that the agent in `column` belongs to a team.
pub(super) fn in_team(column: &str) -> String {
    format!("{column} IN (SELECT agents.agent_id FROM agents WHERE team = ?)")
}

/// The SQL expression for the team of the agent in `column`.
pub(super) fn team_of(column: &str) -> String {
    format!("(SELECT team FROM agents WHERE agents.agent_id = {column})")
}

impl Readers {
    /// All agents that are known by more than their id.
    pub(crate) fn roster(&self) -> Result<Roster, StoreError> {
        self.ask(|connection| {
            let mut agents = connection.prepare_cached("SELECT agent_id, name, team, site, of_file FROM agents")?;
            let agents = agents.query_map([], |row| {
                let agent = Agent { name: row.get(1)?, team: row.get(2)?, site: row.get(3)?, of_file: row.get(4)? };
                Ok((row.get(0)?, agent))
            })?;
            Ok(agents.collect::<Result<_, _>>()?)
        })
    }
}

impl Writer {
    /// Puts the agents of the file in the place of those that it named before.
    pub(crate) fn keep_roster(&mut self, of_file: &[(String, Agent)]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM agents WHERE of_file <> 0", [])?;
        for (agent_id, agent) in of_file {
            upsert(&transaction, agent_id, agent)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

pub(super) fn upsert(transaction: &Transaction<'_>, agent_id: &str, agent: &Agent) -> Result<(), StoreError> {
    let Agent { name, team, site, of_file } = agent;
    // What a call says does not go before the file.
    let upsert = "INSERT INTO agents (agent_id, name, team, site, of_file) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (agent_id) DO UPDATE SET name = excluded.name, team = excluded.team, site = excluded.site, of_file = excluded.of_file
         WHERE excluded.of_file <> 0 OR agents.of_file = 0";
    transaction.prepare_cached(upsert)?.send(params![agent_id, name, team, site, of_file])?;
    Ok(())
}

/// Forgets an agent whom only calls named, once there are none left.
pub(super) fn forget_agent(transaction: &Transaction<'_>, agent_id: &str) -> Result<(), StoreError> {
    let forget = "DELETE FROM agents WHERE agent_id = ?1 AND of_file = 0
         AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.agent_id = ?1)";
    transaction.prepare_cached(forget)?.execute([agent_id])?;
    Ok(())
}
