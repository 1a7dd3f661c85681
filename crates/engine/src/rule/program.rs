//! What a call runs on: rules with their phrases interned and their lists
//! expanded. Built by `compile`, immutable afterwards.

use std::sync::Arc;

use chrono::NaiveDate;

use super::subjects::Subjects;
use super::syntax::{Context, Expression, Extent, HourRange, Hypotheses, Limit, Scope, Timing};
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
    pub(crate) unless: Vec<Context<PhraseId>>,
    pub(crate) only: Vec<Context<PhraseId>>,
    /// Whether a condition looks at other utterances, so that a change of those re-decides its hits.
    pub(crate) looks_around: bool,
    /// How long after the end of its utterance later words may take a hit back; `None` if they never do.
    pub(crate) open_ms: Option<i64>,
    /// Whom words name where a condition asks who acts.
    pub(crate) subjects: Arc<Subjects>,
    /// Where one of these hits the same words, this one does not.
    pub(crate) yields_to: Vec<DetectorIx>,
}

/// The moment that a window is measured from.
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
    /// The detector of its forbidden words, if every hit is told; other rules may yield to it.
    pub(crate) fn always_forbids(&self) -> Option<DetectorIx> {
        match self.body {
            BodyProgram::Forbid(ForbidProgram { detector, at_least: 1, window: None, .. })
                if self.when.is_none() && self.limit == Limit::Each =>
            {
                Some(detector)
            }
            _ => None,
        }
    }
}

/// A part of a requirement, or a step of a sequence.
#[derive(Debug)]
pub(crate) struct PartProgram {
    pub(crate) name: String,
    /// Words that do it.
    pub(crate) say: Option<String>,
    pub(crate) detector: DetectorIx,
    pub(crate) optional: bool,
}

/// The compiled body of a rule.
#[derive(Debug)]
pub(crate) enum BodyProgram {
    Forbid(ForbidProgram),
    Require(RequireProgram),
    Sequence(SequenceProgram),
    Timing(TimingProgram),
    HangupBy(Party),
    Without(WithoutProgram),
    TransferUnanswered,
    /// Detectors of greetings with the hours that fit them.
    Greeting(Vec<(HourRange, DetectorIx)>),
}

impl BodyProgram {
    /// Whether events of the call, or its beginning, can decide it.
    pub(crate) const fn on_event(&self) -> bool {
        match self {
            Self::Forbid(forbid) => forbid.window.is_some() || forbid.waits,
            Self::Greeting(_) => false,
            _ => true,
        }
    }

    /// Whether utterances without hits can decide it (turns, gaps, overlaps).
    pub(crate) fn on_speech(&self) -> bool {
        let by_turns = |window: &WindowProgram| matches!(window.extent, Extent::Turns(_));
        match self {
            Self::Forbid(forbid) => forbid.window.as_ref().is_some_and(by_turns),
            Self::Require(require) => by_turns(&require.window),
            Self::Timing(measured) => !matches!(measured.timing, Timing::Hold { .. } | Timing::Rings { .. }),
            _ => false,
        }
    }
}

/// Forbidden words.
#[derive(Debug)]
pub(crate) struct ForbidProgram {
    pub(crate) detector: DetectorIx,
    pub(crate) at_least: u32,
    /// Later words may take its hits back.
    pub(crate) waits: bool,
    pub(crate) window: Option<WindowProgram>,
    pub(crate) roles: Vec<Role>,
}

/// Required words.
#[derive(Debug)]
pub(crate) struct RequireProgram {
    pub(crate) parts: Vec<PartProgram>,
    pub(crate) window: WindowProgram,
    pub(crate) roles: Vec<Role>,
    pub(crate) remind_ms: Option<i64>,
    pub(crate) reminder: Option<String>,
    pub(crate) count_hold: bool,
    pub(crate) even_if_cut_short: bool,
}

/// Ordered steps.
#[derive(Debug)]
pub(crate) struct SequenceProgram {
    /// From the anchor on, for as long as the rule allows.
    pub(crate) window: WindowProgram,
    pub(crate) steps: Vec<PartProgram>,
}

/// A compiled timing rule.
#[derive(Debug)]
pub(crate) struct TimingProgram {
    pub(crate) timing: Timing,
    /// The phrases of its `unless`, interned.
    pub(crate) unless: Vec<PhraseId>,
}

/// An event that words must precede.
#[derive(Debug)]
pub(crate) struct WithoutProgram {
    pub(crate) event: EventKind,
    pub(crate) detector: DetectorIx,
    pub(crate) within_ms: i64,
}

/// The running half of a rule; `Rule` is the half that people see.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) body: BodyProgram,
    pub(crate) when: Option<Expression<DetectorIx>>,
    pub(crate) limit: Limit,
    pub(crate) hypotheses: Hypotheses,
    /// How sure the second look must be, in ten thousandths; 0 waives it.
    pub(crate) confidence: u16,
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
