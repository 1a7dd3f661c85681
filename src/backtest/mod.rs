//! Backtests: recorded calls are replayed through two rule sets, and the alerts of both are
//! compared one by one.
//!
//! A call is replayed from its finals, holds and transfers, each at the time that the call's clock
//! showed when it arrived. Hypotheses that a final replaced do not change the final alerts, so they
//! are not needed (docs/adr/0010). Occurrences are matched by call and alert id, which names rule
//! and occurrence.
//!
//! All cores replay. Their counts are merged in a way that does not depend on the order, so the
//! report is the same to the byte on any number of cores. Memory is bounded by the calls that wait
//! and by the examples.
//!
//! Deliberately absent: hypotheses and the cards that agents saw, durations of the run, and any
//! effect on the store or a server.

mod gathering;
mod html;
mod report;
mod single;
mod tally;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapter::native::Number;
use crate::engine::alert::Alert;
use crate::engine::rule::RuleSet;
use crate::engine::time::CallTime;
use crate::engine::transcript::{CallInfo, Input};
use crate::session::{Session, told_and_held};

pub use gathering::{CALLS_MAX, Gathering, HELD_BYTES_MAX};
pub use report::{Counts, Example, Examples, Report, Version};
pub use single::{Hit, Looked, look, said_before};
use tally::Tally;

/// Calls that wait for a worker.
const QUEUE_MAX: usize = 64;

/// Two rule sets, and which of their packs are on trial.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rules that the calls ran on.
    pub before: Arc<RuleSet>,
    /// The rules to compare with.
    pub after: Arc<RuleSet>,
    /// Packs on trial: their alerts are counted apart.
    pub shadow_packs: Vec<String>,
}

/// A call as it was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How it began.
    pub info: CallInfo,
    /// The number of its `call.start`.
    pub number: Number,
    /// Its events, in the order of arrival.
    pub told: Vec<Told>,
}

/// One thing that a call was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// The time of the call's clock; `None` where only events move it.
    pub now: Option<CallTime>,
    /// The producer's number of it.
    pub number: Number,
    /// The event.
    pub input: Input,
}

/// How far a replay is, and whether it is still wanted.
#[derive(Debug, Default)]
pub struct Control {
    done: AtomicU64,
    cancelled: AtomicBool,
}

impl Control {
    /// Ends the replay after the calls that are being replayed.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Calls that were replayed or skipped so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// All cores of this machine.
#[must_use]
pub fn all_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Replays `calls` through both rule sets, on so many threads. `read` makes a
/// recorded call of each, on the thread that replays it; `None` is a call whose
/// words are no longer kept. A cancelled replay reports what it came to.
///
/// # Errors
/// The first call that could not be read.
pub fn run<T: Send, E: Send>(
    plan: &Plan,
    workers: NonZeroUsize,
    calls: impl Iterator<Item = Result<T, E>>,
    read: impl Fn(T) -> Result<Option<Recorded>, E> + Sync,
    control: &Control,
) -> Result<Report, E> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let receiver = Mutex::new(receiver);
    let fault = Mutex::new(None);
    let mut whole = Tally::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut tally = Tally::default();
            while let Some((number, call)) = next(&receiver) {
                // Calls are taken from the queue all the same, so that the reader does not wait for a place in it.
                if control.is_cancelled() {
                    continue;
                }
                match read(call) {
                    Ok(Some(recorded)) => tally.add(plan, number, &recorded),
                    Ok(None) => tally.skip(),
                    Err(error) => {
                        control.cancel();
                        fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
                control.done.fetch_add(1, Ordering::Relaxed);
            }
            tally
        };
        let working: Vec<_> = (0..workers.get()).map(|_| scope.spawn(work)).collect();
        for (number, call) in (0..).zip(calls) {
            match call {
                Ok(call) if !control.is_cancelled() => {
                    // Workers only go when the queue is closed.
                    let _ = sender.send((number, call));
                }
                Ok(_) => break,
                Err(error) => {
                    fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    break;
                }
            }
        }
        drop(sender);
        for worker in working {
            // A worker catches the panics of calls and has no others.
            if let Ok(tally) = worker.join() {
                whole.merge(tally);
            }
        }
    });
    match fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(whole.report(plan, control.is_cancelled())),
    }
}

fn next<T>(receiver: &Mutex<Receiver<T>>) -> Option<T> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// The final alerts of a call, and its duration.
struct Replayed {
    session: Session,
    alerts: Vec<Alert>,
    /// Those that the second look holds back.
    held: Vec<Alert>,
}

/// How a session begins: [`Session::new`] or [`Session::explainable`].
type Begin = fn(Arc<RuleSet>, CallInfo, &Number) -> Session;

/// Replays one call; `None` if the engine panicked, as it would have closed the call live.
fn replay(begin: Begin, rules: &Arc<RuleSet>, call: &Recorded) -> Option<Replayed> {
    let replaying = || {
        let mut session = begin(Arc::clone(rules), call.info.clone(), &call.number);
        let mut transitions = Vec::new();
        for Told { now, number, input } in &call.told {
            match now {
                // It was taken then; a hypothesis that was kept at the end may bear an earlier number.
                Some(now) => {
                    session.hear(number, input);
                    session.handle(*now, input.clone());
                }
                None => session.take(number, input.clone()),
            }
            transitions.extend(std::iter::from_fn(|| session.poll_output()));
        }
        session.finish();
        transitions.extend(std::iter::from_fn(|| session.poll_output()));
        let (alerts, held) = told_and_held(transitions);
        Replayed { session, alerts, held }
    };
    catch_unwind(AssertUnwindSafe(replaying)).ok()
}
