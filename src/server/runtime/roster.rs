//! Who the agents are, while calls go on: the file of the configuration, read anew when it changes, and what calls say.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, RwLock};

use encoding_rs::GB18030;

use crate::engine::diagnostic::{Diagnostic, Language};
use crate::engine::rule::parse::SourceFile;
use crate::engine::rule::render::render;
use crate::engine::transcript::CallInfo;
use crate::server::config::AGENTS_FILE_BYTES_MAX;
use crate::server::domain::roster::{Agent, Roster, parse};
use crate::server::rules::RejectedRules;
use crate::server::runtime::{Shared, reload};
use crate::server::store::AgentRow;

/// The agents of a server.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    roster: RwLock<Roster>,
    /// What is wrong with the file since it changed; empty while it is in use.
    faults: RwLock<Vec<Diagnostic>>,
}

impl Agents {
    pub(crate) fn new(roster: Roster) -> Self {
        Self { roster: RwLock::new(roster), faults: RwLock::default() }
    }

    /// What is known of an agent.
    pub(crate) fn of(&self, agent_id: &str) -> Agent {
        self.ask(|roster| roster.of(agent_id).cloned()).unwrap_or_default()
    }

    /// Asks what only all agents together tell.
    pub(crate) fn ask<T: Default>(&self, question: impl FnOnce(&Roster) -> T) -> T {
        self.roster.read().map(|roster| question(&roster)).unwrap_or_default()
    }

    pub(crate) fn faults(&self) -> Vec<Diagnostic> {
        self.faults.read().map(|faults| faults.clone()).unwrap_or_default()
    }

    /// Takes what the start of a call says of its agent; a row to keep, if that is news.
    pub(crate) fn note(&self, info: &CallInfo) -> Option<AgentRow> {
        let text = |name| info.attributes.get(name).and_then(|value| value.as_str());
        let (name, team) = (text("agent_name"), text("team"));
        if name.is_none() && team.is_none() {
            return None;
        }
        let agent = self.roster.write().ok()?.note(&info.agent_id, name, team)?;
        Some(AgentRow { agent_id: info.agent_id.clone(), agent })
    }
}

/// Reads the file; without one, nobody is named by it.
pub(crate) fn read(path: Option<&Path>) -> Result<Vec<(String, Agent)>, RejectedRules> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let name = path.display().to_string();
    let unreadable = |why: String| {
        let at = crate::engine::diagnostic::Position { file: Arc::from(name.as_str()), ..Default::default() };
        let (zh, en) = (format!("无法读取坐席名单：{why}"), format!("cannot read the file of agents: {why}"));
        RejectedRules {
            text: format!("{name}: {zh} / {en}"),
            diagnostics: vec![Diagnostic::error("agents", at, zh, en)],
        }
    };
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(AGENTS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > AGENTS_FILE_BYTES_MAX {
        return Err(unreadable(format!("{AGENTS_FILE_BYTES_MAX} bytes at most")));
    }
    let text = String::from_utf8(bytes).unwrap_or_else(|error| GB18030.decode(error.as_bytes()).0.into_owned());
    parse(&name, &text).map_err(|faults| {
        let shown = [SourceFile { name: name.clone(), text }];
        RejectedRules { text: render(&faults, &shown, Language::Zh, false).trim_end().to_owned(), diagnostics: faults }
    })
}

/// Reads the file whenever it has changed: all of it or nothing. Ends with the server.
pub(crate) fn watch(shared: &Arc<Shared>) -> impl Future<Output = ()> + Send + use<> {
    let shared = Arc::clone(shared);
    let sources: Vec<_> = shared.config.agents.file.iter().cloned().collect();
    reload::on_change(sources, async move || refresh(&shared).await)
}

async fn refresh(shared: &Shared) {
    let path = shared.config.agents.file.clone();
    let read = tokio::task::spawn_blocking(move || read(path.as_deref())).await;
    let faults = match read {
        Ok(Ok(agents)) => {
            if !matches!(shared.journal.keep_roster(agents.clone()).await, Ok(Ok(()))) {
                return;
            }
            if let Ok(mut roster) = shared.roster.roster.write() {
                roster.replace(&agents);
            }
            tracing::info!(agents = agents.len(), "the agents were read anew");
            Vec::new()
        }
        Ok(Err(rejected)) => {
            tracing::warn!(
                faults = rejected.diagnostics.len(),
                "the file of agents cannot be used; the names of before stay\n{}",
                rejected.text
            );
            rejected.diagnostics
        }
        Err(_) => return,
    };
    if let Ok(mut told) = shared.roster.faults.write() {
        *told = faults;
    }
}
