//! What rules ask of a call, as a checklist shows it: required words, window by
//! window, and the steps of a sequence that was begun.

use super::{Finding, View, require, sequence};
use crate::rule::program::{BodyProgram, PartProgram, Program};
use crate::time::CallTime;

/// An occasion on which a rule asks for words.
pub(crate) struct Obligation<'a> {
    /// The monitor's finding; while the obligation is open, its reminder.
    pub(crate) finding: Finding,
    /// Nothing is decided yet.
    pub(crate) is_open: bool,
    pub(crate) due: Option<CallTime>,
    /// Each part and when it was said, even if that was too late.
    pub(crate) parts: Vec<(&'a PartProgram, Option<CallTime>)>,
    /// The other findings of its rule, which the rule's limit counts, too.
    pub(crate) beside: Vec<Finding>,
    /// The moment at which it may look different by time alone.
    pub(crate) changes_at: Option<CallTime>,
}

impl Obligation<'_> {
    /// Its finding as the rule's limit counts it. An obligation that is not due at a known moment counts as
    /// the last: if it counted as of now, its turn would come by time alone.
    pub(crate) fn in_order(&self) -> Finding {
        let at = if self.is_open && self.due.is_none() { CallTime::MAX } else { self.finding.at };
        Finding { at, ..self.finding.clone() }
    }
}

/// What a rule asks of the call, decided or not. What is to be said before the
/// call ends is asked from the beginning: as if the call ended now.
pub(crate) fn obligations<'a>(view: &View<'a>, program: &'a Program) -> Vec<Obligation<'a>> {
    match &program.body {
        BodyProgram::Require(required) => require::obligations(view, program, required),
        BodyProgram::Sequence(steps) => sequence::obligation(view, program, steps).into_iter().collect(),
        BodyProgram::Forbid(_)
        | BodyProgram::Timing(_)
        | BodyProgram::HangupBy(_)
        | BodyProgram::Without(_)
        | BodyProgram::TransferUnanswered
        | BodyProgram::Greeting(_) => Vec::new(),
    }
}
