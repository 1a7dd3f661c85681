//! The closed calls that a shard still knows, as ids and numbers. Their words and alerts are in the
//! store.

use std::collections::{HashMap, VecDeque};

use crate::server::config::CLOSED_CALLS_MAX;
use crate::server::domain::refusal::Refusal;
use crate::server::store::ClosedCall;

/// The calls that were closed last: producers who did not hear of it resend them.
#[derive(Debug, Default)]
pub(crate) struct ClosedCalls {
    calls: HashMap<String, (i64, Option<u64>)>,
    order: VecDeque<String>,
}

impl ClosedCalls {
    /// Remembers one more; the oldest goes when there are too many.
    pub(crate) fn insert(&mut self, call: ClosedCall) {
        let ClosedCall { call_id, started_ms, last_seq } = call;
        if self.calls.insert(call_id.clone(), (started_ms, last_seq)).is_none() {
            self.order.push_back(call_id);
        }
        if self.order.len() > CLOSED_CALLS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.calls.remove(&oldest);
        }
    }

    /// Whether the call that was answered at that moment is over.
    pub(crate) fn is_over(&self, call_id: &str, started_ms: i64) -> bool {
        self.calls.get(call_id).is_some_and(|(known, _)| *known == started_ms)
    }

    /// The answer to an event of a call that is not in progress.
    pub(crate) fn input(&self, call_id: &str, seq: Option<u64>) -> Result<(), Refusal> {
        match self.calls.get(call_id) {
            None => Err(Refusal::UnknownCall),
            // It was taken before the call was closed.
            Some((_, last_seq)) if seq.is_some() && seq <= *last_seq => Ok(()),
            Some(_) => Err(Refusal::CallOver),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(call_id: &str, started_ms: i64, last_seq: Option<u64>) -> ClosedCall {
        ClosedCall { call_id: call_id.to_owned(), started_ms, last_seq }
    }

    #[test]
    fn what_was_taken_is_acknowledged_again_and_nothing_else() {
        let mut calls = ClosedCalls::default();
        calls.insert(closed("c1", 7, Some(5)));
        assert!(calls.is_over("c1", 7));
        assert!(!calls.is_over("c1", 8), "the same id, answered at another time");
        assert_eq!(calls.input("c1", Some(5)), Ok(()));
        assert_eq!(calls.input("c1", Some(6)), Err(Refusal::CallOver));
        assert_eq!(calls.input("c1", None), Err(Refusal::CallOver));
        assert_eq!(calls.input("c2", Some(1)), Err(Refusal::UnknownCall));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut calls = ClosedCalls::default();
        for number in 0..=CLOSED_CALLS_MAX {
            calls.insert(closed(&number.to_string(), 0, None));
        }
        assert!(!calls.is_over("0", 0) && calls.is_over("1", 0));
        assert_eq!((calls.calls.len(), calls.order.len()), (CLOSED_CALLS_MAX, CLOSED_CALLS_MAX));
    }
}
