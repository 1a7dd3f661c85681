//! One call: inputs in, alerts out, and when to wake it next.

use std::sync::Arc;

use super::alert::Alert;
use super::rule::RuleSet;
use super::time::CallTime;
use super::transcript::{CallInfo, Input};

/// Why a call wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// A rule has a deadline, a reminder or a hypothesis to decide.
    Rule,
}

/// The state of one call under one version of the rules.
#[derive(Debug)]
pub struct Call {
    info: CallInfo,
}

impl Call {
    /// A call that was just answered.
    #[must_use]
    pub fn new(_rules: Arc<RuleSet>, info: CallInfo) -> Self {
        Self { info }
    }

    /// What is known of the call.
    #[must_use]
    pub fn info(&self) -> &CallInfo {
        &self.info
    }

    /// Takes one input, which arrived at `now`. Timeouts due by `now` are handled first.
    /// `now` never runs backwards; an earlier one counts as the latest seen.
    pub fn handle(&mut self, _now: CallTime, _input: Input) {}

    /// The next alert, until there is none. Drain it after every `handle` and `handle_timeout`.
    pub fn poll_output(&mut self) -> Option<Alert> {
        None
    }

    /// When the call next wants `handle_timeout`, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(CallTime, TimeoutReason)> {
        None
    }

    /// Does all that is due by `now`. A spurious one changes nothing.
    pub fn handle_timeout(&mut self, _now: CallTime) {}

    /// The recording is over: without a `call.end` the line was cut at the
    /// latest moment spoken of. Then everything still due is decided.
    pub fn finish(&mut self) {}
}
