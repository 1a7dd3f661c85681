//! What a call runs on: rules with their phrases interned and their lists
//! expanded. Built by `compile`, immutable afterwards.

use chrono::NaiveDate;

use super::syntax::{Extent, HourRange, Hypotheses, Limit, Scope, Subject, Timing};
use crate::text::PhraseId;
use crate::transcript::{EventKind, Party, Role};

/// Index of a detector in its rule set.
pub(crate) type DetectorIx = u32;

/// Index of a rule in its rule set.
pub(crate) type RuleIx = u32;

/// Says whether something was said: phrases, mouths and conditions.
#[derive(Debug)]
pub(crate) struct Detector {
    pub(crate) roles: Vec<Role>,
    pub(crate) phrases: Vec<PhraseId>,
    pub(crate) unless: Vec<Condition>,
    pub(crate) only: Vec<Condition>,
    /// Whether a condition looks at other utterances, so that a change of those re-decides its hits.
    pub(crate) looks_around: bool,
    /// Where one of these hits the same words, this one does not.
    pub(crate) yields_to: Vec<DetectorIx>,
}

/// A compiled `Context`: the same shapes, with phrases interned.
#[derive(Debug)]
pub(crate) enum Condition {
    Before { any: Vec<PhraseId>, within: Option<u32> },
    After { any: Vec<PhraseId>, within: Option<u32> },
    Around(Vec<PhraseId>),
    Clause(Vec<PhraseId>),
    Sentence(Vec<PhraseId>),
    Turn(Vec<PhraseId>),
    Reply(Vec<PhraseId>),
    Negated(bool),
    Question(bool),
    Quoted(bool),
    Conditional(bool),
    Subject(Vec<Subject>),
    Alone(bool),
    Begins(bool),
    Ends(bool),
    VolumeAboveDb(f32),
    PitchAboveHz(f32),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// Whether it looks at utterances other than the one that hit.
    pub(crate) fn looks_around(&self) -> bool {
        match self {
            Self::Turn(_) | Self::Reply(_) => true,
            Self::All(conditions) | Self::Any(conditions) => conditions.iter().any(Self::looks_around),
            Self::Not(condition) => condition.looks_around(),
            _ => false,
        }
    }

    /// Its name in rule files, for explanations.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Before { .. } => "before",
            Self::After { .. } => "after",
            Self::Around(_) => "around",
            Self::Clause(_) => "clause",
            Self::Sentence(_) => "sentence",
            Self::Turn(_) => "turn",
            Self::Reply(_) => "reply",
            Self::Negated(_) => "negated",
            Self::Question(_) => "question",
            Self::Quoted(_) => "quoted",
            Self::Conditional(_) => "conditional",
            Self::Subject(_) => "subject",
            Self::Alone(_) => "alone",
            Self::Begins(_) => "begins",
            Self::Ends(_) => "ends",
            Self::VolumeAboveDb(_) => "volume_above",
            Self::PitchAboveHz(_) => "pitch_above",
            Self::All(_) => "all",
            Self::Any(_) => "any_of",
            Self::Not(_) => "not",
        }
    }
}

/// What windows are measured from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AnchorProgram {
    Event(EventKind),
    Said(DetectorIx),
}

/// A part of a call, measured from anchors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowProgram {
    pub(crate) anchor: AnchorProgram,
    pub(crate) side: Side,
    pub(crate) extent: Extent,
}

/// Which side of the anchor a window lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    After,
    Before,
}

impl Program {
    /// What it forbids, if every hit is told: others may leave those words to it.
    pub(crate) fn always_forbids(&self) -> Option<DetectorIx> {
        match self.body {
            BodyProgram::Forbid { detector, at_least: 1, window: None, .. }
                if self.when.is_none() && self.limit == Limit::Each =>
            {
                Some(detector)
            }
            _ => None,
        }
    }
}

/// A precondition with its detectors.
#[derive(Debug)]
pub(crate) enum ExpressionProgram {
    All(Vec<ExpressionProgram>),
    Any(Vec<ExpressionProgram>),
    Not(Box<ExpressionProgram>),
    Said { detector: DetectorIx, within_ms: Option<i64> },
    Happened { event: EventKind, within_ms: Option<i64> },
    Hour(HourRange),
    LastedMs(i64),
}

impl ExpressionProgram {
    /// Whether late news of an event can change it.
    pub(crate) fn asks_for_events(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_for_events),
            Self::Not(part) => part.asks_for_events(),
            Self::Happened { .. } => true,
            Self::Said { .. } | Self::Hour(_) | Self::LastedMs(_) => false,
        }
    }
}

/// A part of a requirement, or a step of a sequence.
#[derive(Debug)]
pub(crate) struct PartProgram {
    pub(crate) name: String,
    pub(crate) detector: DetectorIx,
    pub(crate) optional: bool,
}

/// What decides a rule.
#[derive(Debug)]
pub(crate) enum BodyProgram {
    Forbid {
        detector: DetectorIx,
        at_least: u32,
        window: Option<WindowProgram>,
        roles: Vec<Role>,
    },
    Require {
        parts: Vec<PartProgram>,
        window: WindowProgram,
        roles: Vec<Role>,
        remind_ms: Option<i64>,
        count_hold: bool,
        even_if_cut_short: bool,
    },
    Sequence {
        after: AnchorProgram,
        steps: Vec<PartProgram>,
        within_ms: Option<i64>,
    },
    Timing {
        timing: Timing,
        /// The phrases of its `unless`, interned.
        unless: Vec<PhraseId>,
    },
    HangupBy(Party),
    Without {
        event: EventKind,
        detector: DetectorIx,
        within_ms: i64,
    },
    TransferUnanswered,
    /// Detectors of greetings with the hours that fit them.
    Greeting(Vec<(HourRange, DetectorIx)>),
}

/// The running half of a rule; `Rule` is the half that people see.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) body: BodyProgram,
    pub(crate) when: Option<ExpressionProgram>,
    pub(crate) limit: Limit,
    pub(crate) hypotheses: Hypotheses,
    pub(crate) grace_ms: i64,
    pub(crate) from: Option<NaiveDate>,
    pub(crate) until: Option<NaiveDate>,
    pub(crate) scope: Scope,
    pub(crate) pack_enabled: bool,
    pub(crate) message: String,
    /// Every detector whose hits it looks at.
    pub(crate) detectors: Vec<DetectorIx>,
    /// Whether events of the call, or its beginning, can decide it.
    pub(crate) on_event: bool,
    /// Whether utterances without hits can decide it (turns, gaps, overlaps).
    pub(crate) on_speech: bool,
}
