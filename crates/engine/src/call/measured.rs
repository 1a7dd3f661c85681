//! What a call keeps of timing rules: their findings by the utterance at whose position they stand.
//!
//! Monitors keep nothing. Speech rate and its like are asked about the positions that changed
//! only, so their findings at all others are kept here, beside the call.

use std::ops::RangeInclusive;
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
            let last = placed.reaches_to.max(placed.changed_to.saturating_add(monitor::LOOKED_BACK_FROM));
            let found_changed = self.measure_among(rules, rule, timing, unless, placed.changed_from..=last);
            // A rule that waits for something to go on too long is asked when it wakes, unless that may now be sooner.
            let waits = self.wakes.iter().any(|(_, waiting)| *waiting == rule);
            let reported = self.states.get(&rule).is_some_and(|state| !state.reported.is_empty());
            let is_sooner = !placed.is_new && placed.moved || matches!(timing, Timing::Listening { .. });
            if found_changed || reported || !waits || is_sooner {
                self.decide(rule);
            }
        }
    }

    /// Looks again at these positions; says whether a finding changed.
    fn measure_among(
        &mut self,
        rules: &RuleSet,
        rule: RuleIx,
        timing: &Timing,
        unless: &[PhraseId],
        positions: RangeInclusive<usize>,
    ) -> bool {
        let program = &rules.programs[rule as usize];
        let mut found_changed = false;
        for position in *positions.start()..self.timeline.len().min(positions.end().saturating_add(1)) {
            let found = monitor::at_position(&self.view(), program, timing, unless, position);
            let ix = self.timeline.at(position);
            if found.is_none() && !self.states.contains_key(&rule) {
                continue;
            }
            let state = self.states.entry(rule).or_default();
            if state.found.get(&ix) != found.as_ref() {
                found_changed = true;
                let at = found.as_ref().map(|found| found.at);
                let known = match found {
                    Some(found) => state.found.insert(ix, found),
                    None => state.found.remove(&ix),
                };
                if let Some(known) = known {
                    state.found_in_order.remove(&(known.at, ix));
                }
                state.found_in_order.extend(at.map(|at| (at, ix)));
            }
        }
        found_changed
    }

    /// Late news of a hold: silences from then on may have been part of it.
    pub(super) fn measure_silences_again(&mut self, since: CallTime) {
        let rules = Arc::clone(&self.rules);
        let first = self.timeline.first_from(since);
        for &rule in &rules.on_speech {
            if let BodyProgram::Timing(TimingProgram {
                timing: timing @ (Timing::Silence { .. } | Timing::Listening { .. }),
                unless,
            }) = &rules.programs[rule as usize].body
                && self.active.contains(rule)
            {
                self.measure_among(&rules, rule, timing, unless, first..=usize::MAX);
            }
        }
    }
}
