//! The agents of a call, and from when on each had it.

use std::sync::Arc;

use super::time::CallTime;

/// How many times a call may change hands and be remembered; beyond it, the
/// last one stands for all later ones.
const HANDOVERS_MAX: usize = 256;

/// Who had the call when. An alert belongs to the agent who had the call at
/// the moment it is about, however late the verdict comes.
#[derive(Clone, Debug)]
pub(crate) struct Agents {
    first: Arc<str>,
    /// By time; from each moment on, that agent.
    handovers: Vec<(CallTime, Arc<str>)>,
}

impl Agents {
    /// The agent who answered.
    pub(crate) fn new(first: Arc<str>) -> Self {
        Self { first, handovers: Vec::new() }
    }

    /// From `at` on, `agent_id` has the call.
    pub(crate) fn hand_over(&mut self, at: CallTime, agent_id: &str) {
        if **self.at(at) == *agent_id {
            return;
        }
        if self.handovers.len() >= HANDOVERS_MAX {
            self.handovers.pop();
        }
        let place = self.handovers.partition_point(|(earlier, _)| *earlier <= at);
        self.handovers.insert(place, (at, agent_id.into()));
    }

    /// The agent who had the call at that moment.
    pub(crate) fn at(&self, at: CallTime) -> &Arc<str> {
        let later = self.handovers.partition_point(|(from, _)| *from <= at);
        match later.checked_sub(1).and_then(|place| self.handovers.get(place)) {
            Some((_, agent_id)) => agent_id,
            None => &self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_belongs_to_whoever_had_it_then() {
        let mut agents = Agents::new("a1".into());
        agents.hand_over(CallTime(5_000), "a2");
        agents.hand_over(CallTime(9_000), "a3");
        agents.hand_over(CallTime(9_500), "a3");
        let at = |ms| &**agents.at(CallTime(ms));
        assert_eq!(
            [at(0), at(4_999), at(5_000), at(8_999), at(9_000), at(60_000)],
            ["a1", "a1", "a2", "a2", "a3", "a3"]
        );
        assert_eq!(agents.handovers.len(), 2);
    }
}
