//! The kind, the severity and the state of an alert: names that rules, alerts and pages share.

use serde::{Deserialize, Serialize};

/// The kind of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A forbidden phrase was said.
    Forbidden,
    /// A required phrase did not come in its window.
    Missing,
    /// Silence, speech rate, interruption, hold, rings, reply time.
    Timing,
    /// A step came out of sequence.
    Order,
    /// An event: the party that hung up, a blind transfer, a greeting at the wrong hour.
    Event,
}

impl AlertKind {
    /// Its name on the wire and in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Missing => "missing",
            Self::Timing => "timing",
            Self::Order => "order",
            Self::Event => "event",
        }
    }
}

/// The severity of a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    #[default]
    Warning,
    Critical,
}

impl Severity {
    /// From the mildest on.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name on the wire, in the store and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Info => "提示",
            Self::Warning => "警告",
            Self::Critical => "严重",
        }
    }

    /// The severity of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Seen in a hypothesis.
    Provisional,
    /// Borne out.
    Confirmed,
    /// The final did not bear it out, or a late utterance met the requirement.
    Retracted,
    /// A required phrase is nearly due.
    Reminder,
    /// The reminder or the missing phrase was made good.
    Resolved,
}

impl AlertState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Provisional, Self::Confirmed, Self::Retracted, Self::Reminder, Self::Resolved];

    /// Its name on the wire, in the store and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Confirmed => "confirmed",
            Self::Retracted => "retracted",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Provisional => "疑似",
            Self::Confirmed => "确认",
            Self::Retracted => "撤回",
            Self::Reminder => "提醒",
            Self::Resolved => "已补",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
