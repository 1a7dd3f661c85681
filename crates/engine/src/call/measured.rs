//! What a call keeps of timing rules: their findings by the utterance at whose position they stand.
//!
//! Monitors keep nothing. Speech rate and its like are asked about the positions that changed
//! only, so their findings at all others are kept here, beside the call.

use std::sync::Arc;

use super::Call;
use crate::monitor;
use crate::rule::RuleSet;
use crate::rule::program::{BodyProgram, RuleIx, TimingProgram};
use crate::rule::syntax::Timing;
use crate::text::PhraseId;
use crate::time::CallTime;
use crate::timeline::Placed;

impl Call {
    /// Asks the rules that measure speech about every position that changed.
    pub(super) fn measure(&mut self, rules: &RuleSet, placed: Placed) {
        for &rule in &rules.on_speech {
            if !self.active.contains(rule) {
                continue;
            }
            let program = &rules.programs[rule as usize];
            let BodyProgram::Timing(TimingProgram { timing, unless }) = &program.body else {
                self.decide(rule);
                continue;
            };
            let found_changed = self.measure_from(rules, rule, timing, unless, placed.changed_from);
            // A rule that waits for something to go on too long is asked when it wakes, unless that may now be sooner.
            let waits = self.wakes.iter().any(|(_, waiting)| *waiting == rule);
            let reported = self.states.get(&rule).is_some_and(|state| !state.reported.is_empty());
            if found_changed || reported || !waits || !placed.is_new && placed.moved {
                self.decide(rule);
            }
        }
    }

    /// Looks again at every position from `first` on; says whether a finding changed.
    fn measure_from(
        &mut self,
        rules: &RuleSet,
        rule: RuleIx,
        timing: &Timing,
        unless: &[PhraseId],
        first: usize,
    ) -> bool {
        let program = &rules.programs[rule as usize];
        let mut found_changed = false;
        for position in first..self.timeline.len() {
            let found = monitor::at_position(&self.view(), program, timing, unless, position);
            let ix = self.timeline.at(position);
            if found.is_none() && !self.states.contains_key(&rule) {
                continue;
            }
            let known = &mut self.states.entry(rule).or_default().found;
            if known.get(&ix) != found.as_ref() {
                found_changed = true;
                match found {
                    Some(found) => known.insert(ix, found),
                    None => known.remove(&ix),
                };
            }
        }
        found_changed
    }

    /// Late news of a hold: silences from then on may have been part of it.
    pub(super) fn measure_silences_again(&mut self, since: CallTime) {
        let rules = Arc::clone(&self.rules);
        let first = self.timeline.in_order().take_while(|(_, spoken)| spoken.start < since).count();
        for &rule in &rules.on_speech {
            if let BodyProgram::Timing(TimingProgram { timing: timing @ Timing::Silence { .. }, unless }) =
                &rules.programs[rule as usize].body
                && self.active.contains(rule)
            {
                self.measure_from(&rules, rule, timing, unless, first);
            }
        }
    }
}
