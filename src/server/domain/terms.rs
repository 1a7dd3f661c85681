//! The terms by which calls, alerts and the audit are stored, shown and counted. Each has its name
//! here and nowhere else.

use serde::Serialize;

use crate::server::domain::draft::DraftAction;
use crate::server::domain::form::FormStep;
use crate::server::domain::review::Action;

/// Whether the agent is to see an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    /// A card of its own.
    Card,
    /// Counted in a card that stands for several.
    Folded,
    /// Too late to help.
    Late,
    /// An alert of a pack on trial: stored and counted only.
    Shadow,
    /// Too unsure to be shown: stored for quality assurance.
    Held,
    /// The rules missed it, and a reviewer marked it when the call was over.
    Marked,
}

impl Display {
    pub(crate) const ALL: [Self; 6] = [Self::Card, Self::Folded, Self::Late, Self::Shadow, Self::Held, Self::Marked];

    /// Whether such an alert is more than a trial or a guess: it counts, and is told to others than reviewers.
    pub(crate) const fn is_told(self) -> bool {
        !matches!(self, Self::Shadow | Self::Held)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Folded => "folded",
            Self::Late => "late",
            Self::Shadow => "shadow",
            Self::Held => "held",
            Self::Marked => "marked",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|display| display.name() == name)
    }
}

/// Why a call is no longer kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// It ended, and its time for late finals is over.
    Ended,
    /// Nothing was heard of it for too long.
    Idle,
    /// Another call began under its id.
    Replaced,
    /// The engine panicked in it.
    Panicked,
    /// The server stopped while it was in progress; the next server resumes it.
    Shutdown,
}

impl CloseReason {
    pub(crate) const ALL: [Self; 5] = [Self::Ended, Self::Idle, Self::Replaced, Self::Panicked, Self::Shutdown];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Idle => "idle",
            Self::Replaced => "replaced",
            Self::Panicked => "panicked",
            Self::Shutdown => "shutdown",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Why rules were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trigger {
    /// The server started.
    Start,
    /// Somebody asked for it.
    Request,
    /// A file changed.
    Change,
    /// A model was learned, or an earlier one restored.
    Learn,
    /// A draft was put in force, or taken back.
    Draft,
}

impl Trigger {
    const ALL: [Self; 5] = [Self::Start, Self::Request, Self::Change, Self::Learn, Self::Draft];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Request => "request",
            Self::Change => "change",
            Self::Learn => "learn",
            Self::Draft => "draft",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.name() == name)
    }
}

/// An agent's answer to an alert. An appeal is stored as a step of the review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedbackAction {
    Seen,
    Dismiss,
    Appeal,
}

impl FeedbackAction {
    pub(crate) const ALL: [Self; 3] = [Self::Seen, Self::Dismiss, Self::Appeal];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Dismiss => "dismiss",
            Self::Appeal => "appeal",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// An action that the audit records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audited {
    /// The server started with these rules.
    Start,
    /// Other rules came into use, or were refused.
    Reload,
    /// A step of a review or an appeal.
    Step(Action),
    /// A plan drew a sample.
    Sample,
    /// A second look, or a call that was read.
    Look,
    /// A step in the course of a scoring form.
    Form(FormStep),
    /// Training clips were collected, changed or shared.
    Clips,
    /// A calibration session was made, answered or closed.
    Calibration,
    Export,
    /// A report left the server.
    Report,
    /// A supervisor wrote to an agent.
    Help,
    /// A supervisor took a call, or gave it back.
    Take,
    Release,
    /// A supervisor asked for the way into a call in progress.
    Monitor,
    /// A call was flagged for review, or reviewed since.
    Flag,
    Settle,
    /// The retention removed what was too old.
    Forget,
    /// Closed calls got their digests.
    Seal,
    /// A step of a draft of a rule.
    Draft(DraftAction),
}

impl Audited {
    /// All of them, in the order of the documentation.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let steps = Action::ALL.into_iter().map(Self::Step);
        let supervision = [Self::Help, Self::Take, Self::Release, Self::Monitor, Self::Flag, Self::Settle];
        let forms = FormStep::ALL.into_iter().map(Self::Form);
        [Self::Start, Self::Reload]
            .into_iter()
            .chain(steps)
            .chain([Self::Sample, Self::Look])
            .chain(forms)
            .chain([Self::Clips, Self::Calibration, Self::Export, Self::Report, Self::Forget, Self::Seal])
            .chain(supervision)
            .chain(DraftAction::ALL.into_iter().map(Self::Draft))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Step(action) => action.name(),
            Self::Sample => "sample",
            Self::Look => "look",
            Self::Form(FormStep::Fill) => "form_fill",
            Self::Form(FormStep::Change) => "form_change",
            Self::Form(FormStep::Sign) => "form_sign",
            Self::Form(FormStep::Object) => "form_object",
            Self::Clips => "clips",
            Self::Calibration => "calibration",
            Self::Export => "export",
            Self::Report => "report",
            Self::Help => "help",
            Self::Take => "take",
            Self::Release => "release",
            Self::Monitor => "monitor",
            Self::Flag => "flag",
            Self::Settle => "settle",
            Self::Forget => "forget",
            Self::Seal => "seal",
            Self::Draft(action) => action.audited(),
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|action| action.name() == name)
    }
}
