//! The engine's words as OpenAPI describes them.
//!
//! The engine knows nothing of OpenAPI, and no other crate may describe its
//! types. So each has a twin here that is only described, never sent: a field
//! names it with `#[schema(value_type = …)]`. A type and its twin cannot part:
//! each twin can be made from what it describes.

use utoipa::ToSchema;

use crate::engine::{alert, severity, transcript};

/// Where an alert stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
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

impl From<alert::AlertState> for AlertState {
    fn from(state: alert::AlertState) -> Self {
        match state {
            alert::AlertState::Provisional => Self::Provisional,
            alert::AlertState::Confirmed => Self::Confirmed,
            alert::AlertState::Retracted => Self::Retracted,
            alert::AlertState::Reminder => Self::Reminder,
            alert::AlertState::Resolved => Self::Resolved,
        }
    }
}

/// The sort of mistake.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AlertKind {
    /// A forbidden phrase was said.
    Forbidden,
    /// A required phrase did not come in its window.
    Missing,
    /// Silence, speech rate, interruption, hold, rings, reply time.
    Timing,
    /// A step came out of sequence.
    Order,
    /// The wrong side hung up, a blind transfer, a greeting at the wrong hour.
    Event,
}

impl From<severity::AlertKind> for AlertKind {
    fn from(kind: severity::AlertKind) -> Self {
        match kind {
            severity::AlertKind::Forbidden => Self::Forbidden,
            severity::AlertKind::Missing => Self::Missing,
            severity::AlertKind::Timing => Self::Timing,
            severity::AlertKind::Order => Self::Order,
            severity::AlertKind::Event => Self::Event,
        }
    }
}

/// How grave it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be put right.
    Warning,
    /// To be put right at once.
    Critical,
}

impl From<severity::Severity> for Severity {
    fn from(severity: severity::Severity) -> Self {
        match severity {
            severity::Severity::Info => Self::Info,
            severity::Severity::Warning => Self::Warning,
            severity::Severity::Critical => Self::Critical,
        }
    }
}

/// The speaker. `system` is the machine: announcements and robots.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Role {
    /// The agent.
    Agent,
    /// The customer.
    Customer,
    /// The machine.
    System,
}

impl From<transcript::Role> for Role {
    fn from(role: transcript::Role) -> Self {
        match role {
            transcript::Role::Agent => Self::Agent,
            transcript::Role::Customer => Self::Customer,
            transcript::Role::System => Self::System,
        }
    }
}

/// The words an alert rests on.
#[derive(ToSchema)]
pub struct Evidence {
    /// Which utterance.
    pub utterance_id: String,
    /// The speaker.
    pub role: Role,
    /// The utterance as it came; of a long one the part around the phrase.
    pub text: String,
    /// Where the phrase begins in `text`, in Unicode scalar values.
    pub start: usize,
    /// Where it ends, exclusive.
    pub end: usize,
    /// The phrase as the rule words it; empty when the whole utterance is meant.
    pub phrase: String,
    /// The words only sound like the phrase (同音).
    #[schema(required = false)]
    pub homophone: bool,
    /// How many characters of the utterance stand before `text`.
    #[schema(required = false)]
    pub offset: usize,
}

impl From<alert::Evidence> for Evidence {
    fn from(evidence: alert::Evidence) -> Self {
        let alert::Evidence { utterance_id, role, text, start, end, phrase, homophone, offset } = evidence;
        Self { utterance_id, role: role.into(), text, start, end, phrase, homophone, offset }
    }
}
