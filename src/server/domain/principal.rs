//! The principal behind a request, as the token names it, for handlers that record the person.
//!
//! Deliberately absent: accounts. A person is a name in the configuration, or the hash of the
//! token; without any tokens, the name that the request gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::server::config::check_person;

/// The role of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AccessRole {
    Ingest,
    Agent,
    Qa,
    Admin,
    Metrics,
}

impl AccessRole {
    pub(crate) const ALL: [Self; 5] = [Self::Ingest, Self::Agent, Self::Qa, Self::Admin, Self::Metrics];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Agent => "agents",
            Self::Qa => "qa",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }
}

/// The capacity in which somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// The server itself.
    Server,
    /// A person in a role.
    Person(AccessRole),
    /// Somebody whose token has none of the roles that matter.
    Unknown,
}

impl Capacity {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Person(role) => role.name(),
            Self::Unknown => "",
        }
    }

    pub(crate) fn from_name(name: &str) -> Self {
        let person = AccessRole::ALL.into_iter().find(|role| role.name() == name).map(Self::Person);
        person.unwrap_or(if name == Self::Server.name() { Self::Server } else { Self::Unknown })
    }
}

/// The principal behind a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Principal {
    /// The person; `None` where there are no tokens, or none was needed.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) roles: BTreeSet<AccessRole>,
    /// The agents whose alerts it may see, if it is an agent.
    pub(crate) agents: BTreeSet<String>,
    /// Nobody has a token: everybody may do everything.
    pub(crate) is_open: bool,
}

/// How a principal reads the words of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The words as they were said.
    Plain,
    /// Personal data masked.
    Masked,
}

/// The person who did something, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: Capacity,
}

impl Who {
    /// The server itself.
    pub(crate) fn server() -> Self {
        Self { name: "tingjian".to_owned(), role: Capacity::Server }
    }
}

/// Why a request does not say who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unnamed {
    /// Nobody has a token, so `by` is needed.
    Missing,
    /// That cannot be a name.
    Unusable,
    /// The token says another name.
    Other,
}

impl Principal {
    /// The principal of every request where no tokens are configured.
    pub(crate) fn open() -> Self {
        Self { name: None, roles: AccessRole::ALL.into(), agents: BTreeSet::new(), is_open: true }
    }

    /// Takes the name that the configuration has for it. A token names one
    /// person: who reviews is not two.
    pub(crate) fn call(&mut self, name: Option<&str>) -> Result<(), String> {
        let Some(name) = name else { return Ok(()) };
        match &self.name {
            Some(other) if **other != *name => Err(format!(
                "{other} 和 {name} 用了同一个令牌；每人要有自己的令牌 / {other} and {name} have the same token; each needs their own"
            )),
            _ => {
                self.name = Some(name.into());
                Ok(())
            }
        }
    }

    /// Takes a name if there is none yet: an agent their id, others their role
    /// and the first 6 hexadecimal digits of the token's digest.
    pub(crate) fn call_by_token(&mut self, digest: &[u8; 32]) {
        if self.name.is_some() {
            return;
        }
        let roles = [AccessRole::Qa, AccessRole::Admin, AccessRole::Ingest, AccessRole::Metrics];
        let role = roles.into_iter().find(|role| self.roles.contains(role));
        self.name = Some(match (role, self.agents.first()) {
            (None, Some(agent_id)) => agent_id.as_str().into(),
            _ => {
                let [a, b, c, ..] = digest;
                format!("{}-{a:02x}{b:02x}{c:02x}", role.unwrap_or(AccessRole::Agent).name()).into()
            }
        });
    }

    /// Whether it is this agent: a token of theirs, or no tokens at all.
    pub(crate) fn is_agent(&self, agent_id: &str) -> bool {
        self.is_open || self.agents.contains(agent_id)
    }

    /// How it reads the live alerts of an agent: who is in the call heard the words, everybody else
    /// reads them masked, wherever they ask.
    pub(crate) fn reading(&self, agent_id: &str) -> Reading {
        if self.is_agent(agent_id) { Reading::Plain } else { Reading::Masked }
    }

    /// Whether it may review.
    pub(crate) fn reviews(&self) -> bool {
        self.roles.contains(&AccessRole::Qa) || self.roles.contains(&AccessRole::Admin)
    }

    /// The role in which this person acts where one of `roles` is required: the first of them that
    /// the person has.
    fn role(&self, roles: &[AccessRole]) -> Capacity {
        roles.iter().find(|role| self.roles.contains(role)).map_or(Capacity::Unknown, |role| Capacity::Person(*role))
    }

    /// The person behind a step, where `by` is what the request says.
    pub(crate) fn person(&self, by: Option<&str>) -> Result<Who, Unnamed> {
        let role = self.role(&[AccessRole::Qa, AccessRole::Admin]);
        let name = match (&self.name, by) {
            (Some(name), Some(by)) if **name != *by => return Err(Unnamed::Other),
            (Some(name), _) => name.to_string(),
            (None, None) => return Err(Unnamed::Missing),
            (None, Some(by)) => {
                check_person(by).map_err(|_| Unnamed::Unusable)?;
                by.to_owned()
            }
        };
        Ok(Who { name, role })
    }

    /// The one who asked for something that needs no name, for the audit.
    pub(crate) fn asker(&self, roles: &[AccessRole]) -> Who {
        let name = self.name.as_deref().unwrap_or("-").to_owned();
        Who { name, role: self.role(roles) }
    }
}
