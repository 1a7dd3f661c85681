//! What a call is made of: who speaks, what was said, what happened.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

use super::time::CallTime;

/// Whose mouth it is in. `System` is the machine: announcements and robots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Role {
    Agent,
    Customer,
    System,
}

impl Role {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Customer => "customer",
            Self::System => "system",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Agent => "坐席",
            Self::Customer => "客户",
            Self::System => "系统",
        }
    }
}

/// The party that placed the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Direction {
    #[default]
    Inbound,
    Outbound,
}

/// Spoken, or typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Channel {
    #[default]
    Voice,
    Chat,
}

/// The party that ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Party {
    Agent,
    Customer,
    System,
}

impl Party {
    /// Its name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Customer => "customer",
            Self::System => "system",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Agent => "坐席",
            Self::Customer => "客户",
            Self::System => "系统",
        }
    }
}

/// The facts that a call begins with: the `call.start` of `docs/events.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct CallInfo {
    /// Unique within the deployment.
    pub call_id: String,
    /// The agent who answered.
    pub agent_id: String,
    /// When it was answered; gives the hour of the day and the date, nothing else.
    pub started_at: DateTime<FixedOffset>,
    /// Inbound unless said.
    pub direction: Direction,
    /// Voice unless said.
    pub channel: Channel,
    /// The queue or skill group.
    pub queue: Option<String>,
    /// How often it rang before it was answered.
    pub rings: Option<u32>,
    /// The customer's name, where the CRM knows it.
    pub customer_name: Option<String>,
    /// Packs to apply; `None` means all that are enabled.
    pub packs: Option<Vec<String>>,
    /// Free attributes, matched by a rule's scope.
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// One stretch of speech, as one hypothesis or final words it.
#[derive(Clone, Debug, PartialEq)]
pub struct Utterance {
    /// Unique within the call; a later one with the same id replaces it whole.
    pub utterance_id: String,
    /// The speaker.
    pub role: Role,
    /// The agent who speaks, where it is another than the one who has the call.
    pub agent_id: Option<String>,
    /// The words, as they came.
    pub text: String,
    /// When it began.
    pub start: CallTime,
    /// When it ended, so far as is known. Not before `start`.
    pub end: CallTime,
    /// A hypothesis, or settled.
    pub is_final: bool,
    /// The recogniser's confidence, 0 to 1.
    pub confidence: Option<f32>,
    /// Loudness in dB, where the pipeline measures it.
    pub volume_db: Option<f32>,
    /// Pitch in Hz, where the pipeline measures it.
    pub pitch_hz: Option<f32>,
}

/// One thing that happens in a call after its start: an event of `docs/events.md`.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Words, or a new wording of earlier ones.
    Utterance(Utterance),
    /// The customer was put on hold.
    Hold {
        /// When.
        at: CallTime,
    },
    /// The hold ended.
    Resume {
        /// When.
        at: CallTime,
    },
    /// The agent transferred the call.
    Transfer {
        /// When.
        at: CallTime,
        /// Whereto.
        to: Option<String>,
    },
    /// Somebody took the transferred call.
    TransferAnswered {
        /// When.
        at: CallTime,
        /// The agent who now has the call.
        agent_id: Option<String>,
    },
    /// The call is over.
    End {
        /// When.
        at: CallTime,
        /// The party that hung up.
        by: Party,
    },
}

/// An event of a call besides words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum EventKind {
    Answered,
    Hold,
    Resume,
    Transfer,
    TransferAnswered,
    End,
}

impl EventKind {
    /// Its name for people.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Answered => "接通",
            Self::Hold => "等待",
            Self::Resume => "等待结束",
            Self::Transfer => "转接",
            Self::TransferAnswered => "转接被接起",
            Self::End => "通话结束",
        }
    }

    /// Whether somebody is with the customer again.
    #[must_use]
    pub const fn ends_hold(self) -> bool {
        matches!(self, Self::Resume | Self::TransferAnswered | Self::End)
    }
}

impl Input {
    /// The latest moment this input speaks of: what moves the call's clock.
    #[must_use]
    pub fn said_at(&self) -> CallTime {
        match self {
            Self::Utterance(utterance) => utterance.end,
            Self::Hold { at }
            | Self::Resume { at }
            | Self::Transfer { at, .. }
            | Self::TransferAnswered { at, .. }
            | Self::End { at, .. } => *at,
        }
    }
}
