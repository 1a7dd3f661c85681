//! The closed calls that a shard still knows, as ids and numbers. Their words and alerts are in the
//! store.

use std::collections::{HashMap, VecDeque};

use crate::adapter::native::Number;
use crate::engine::transcript::Input;
use crate::numbers::{self, Numbers, Seen};
use crate::server::config::{CLOSED_CALLS_MAX, CLOSED_NUMBERS_BYTES_MAX};
use crate::server::domain::refusal::Refusal;
use crate::server::store::ClosedCall;

/// The calls that were closed last: producers who did not hear of it resend them.
#[derive(Debug, Default)]
pub(crate) struct ClosedCalls {
    calls: HashMap<String, Closed>,
    order: VecDeque<String>,
    /// Calls whose numbers are known, the oldest first, each as it was closed then.
    numbered: VecDeque<(String, u64)>,
    numbers_bytes: usize,
    serial: u64,
}

#[derive(Debug)]
struct Closed {
    started_ms: i64,
    is_idle: bool,
    numbers: Option<Numbers>,
    serial: u64,
}

impl ClosedCalls {
    /// Remembers one more; the oldest goes when there are too many.
    pub(crate) fn insert(&mut self, call: ClosedCall) {
        let ClosedCall { call_id, started_ms, is_idle, numbers } = call;
        self.numbers_bytes += numbers.as_ref().map_or(0, Numbers::bytes);
        self.serial += 1;
        let serial = self.serial;
        self.numbered.push_back((call_id.clone(), serial));
        match self.calls.insert(call_id.clone(), Closed { started_ms, is_idle, numbers, serial }) {
            None => self.order.push_back(call_id),
            Some(before) => self.numbers_bytes -= before.numbers.as_ref().map_or(0, Numbers::bytes),
        }
        while self.numbers_bytes > CLOSED_NUMBERS_BYTES_MAX || self.numbered.len() > 2 * CLOSED_CALLS_MAX {
            let Some((oldest, serial)) = self.numbered.pop_front() else { break };
            if let Some(closed) = self.calls.get_mut(&oldest).filter(|closed| closed.serial == serial) {
                self.numbers_bytes -= closed.numbers.take().as_ref().map_or(0, Numbers::bytes);
            }
        }
        if self.order.len() > CLOSED_CALLS_MAX
            && let Some(oldest) = self.order.pop_front()
            && let Some(closed) = self.calls.remove(&oldest)
        {
            self.numbers_bytes -= closed.numbers.as_ref().map_or(0, Numbers::bytes);
        }
    }

    /// Whether the call that was answered at that moment is over for good.
    pub(crate) fn is_over(&self, call_id: &str, started_ms: i64) -> bool {
        self.calls.get(call_id).is_some_and(|closed| closed.started_ms == started_ms && !closed.is_idle)
    }

    /// The numbers of the call that was answered at that moment and was closed because nothing was heard of it.
    pub(crate) fn idle(&self, call_id: &str, started_ms: i64) -> Option<Numbers> {
        let closed = self.calls.get(call_id).filter(|closed| closed.started_ms == started_ms && closed.is_idle)?;
        Some(closed.numbers.clone().unwrap_or_default())
    }

    /// The answer to an event of a call that is not in progress.
    pub(crate) fn input(&self, call_id: &str, number: &Number, input: &Input) -> Result<(), Refusal> {
        let Some(closed) = self.calls.get(call_id) else { return Err(Refusal::UnknownCall) };
        let print = numbers::print(call_id, input);
        match closed.numbers.as_ref().map(|numbers| numbers.look(number, print)) {
            // It was taken before the call was closed.
            Some(Seen::Before) => Ok(()),
            _ => Err(Refusal::CallOver),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::CallTime;

    fn number(seq: u64) -> Number {
        Number { producer: None, seq: Some(seq) }
    }

    fn closed(call_id: &str, started_ms: i64, is_idle: bool) -> ClosedCall {
        let mut numbers = Numbers::default();
        numbers.take(&number(5), numbers::print(call_id, &hold(1)));
        ClosedCall { call_id: call_id.to_owned(), started_ms, is_idle, numbers: Some(numbers) }
    }

    fn hold(at: i64) -> Input {
        Input::Hold { at: CallTime(at) }
    }

    #[test]
    fn what_was_taken_is_acknowledged_again_and_nothing_else() {
        let mut calls = ClosedCalls::default();
        calls.insert(closed("c1", 7, false));
        assert!(calls.is_over("c1", 7));
        assert!(!calls.is_over("c1", 8), "the same id, answered at another time");
        assert_eq!(calls.input("c1", &number(5), &hold(1)), Ok(()));
        assert_eq!(calls.input("c1", &number(5), &hold(2)), Err(Refusal::CallOver), "never seen");
        assert_eq!(calls.input("c1", &number(4), &hold(1)), Err(Refusal::CallOver), "never seen");
        assert_eq!(calls.input("c1", &Number::default(), &hold(1)), Err(Refusal::CallOver));
        assert_eq!(calls.input("c2", &number(5), &hold(1)), Err(Refusal::UnknownCall));
    }

    #[test]
    fn a_call_that_was_idle_goes_on() {
        let mut calls = ClosedCalls::default();
        calls.insert(closed("c1", 7, true));
        assert!(!calls.is_over("c1", 7));
        assert!(calls.idle("c1", 7).is_some() && calls.idle("c1", 8).is_none());
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut calls = ClosedCalls::default();
        for number in 0..=CLOSED_CALLS_MAX {
            calls.insert(closed(&number.to_string(), 0, false));
        }
        assert!(!calls.is_over("0", 0) && calls.is_over("1", 0));
        assert_eq!((calls.calls.len(), calls.order.len()), (CLOSED_CALLS_MAX, CLOSED_CALLS_MAX));
    }
}
