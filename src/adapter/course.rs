//! Where the times of one recogniser's stream lie in the call.
//!
//! A recogniser counts from where its audio began, which the server only knows from when words
//! arrive. As long as its stamps go on from one another and from their arrival they are believed.
//! Stamps that do not begin a new stretch, which is placed by arrival: a recogniser was restarted
//! behind its forwarder, or counts from another moment than the connection.

use std::collections::BTreeMap;

use super::native::CALL_MS_MAX;
use crate::engine::time::CallTime;

/// Words may be told so much later than words that began after them.
const BACK_MS_MAX: i64 = 5_000;
/// A stamp may lie so far ahead of its arrival and of all stamps before it. A recording that is sent
/// faster than it was spoken runs ahead sentence by sentence, not at once.
const AHEAD_MS_MAX: i64 = 30_000;
/// How far a stamp may lie from its arrival at all: half of what makes an alert late.
const APART_MS_MAX: i64 = 60_000;
/// Speakers of one stream.
const SPEAKERS_MAX: usize = 16;

/// The stretch of a stream that goes on now.
#[derive(Debug)]
pub(super) struct Course {
    /// The call's time at which the stretch counts 0; before the answer where it began earlier.
    began: CallTime,
    /// The latest start of each speaker, in the stream's time.
    starts: BTreeMap<String, i64>,
    /// The latest moment of the stream.
    reached: i64,
    jumps: u32,
}

impl Course {
    pub(super) const fn new(began: CallTime) -> Self {
        Self { began, starts: BTreeMap::new(), reached: 0, jumps: 0 }
    }

    /// The call's time at a moment of the stream.
    pub(super) fn at(&self, ms: i64) -> CallTime {
        self.began.plus(ms).clamp(CallTime::ANSWERED, CallTime(CALL_MS_MAX))
    }

    /// Whether words that begin at `start` do not go on from the ones before.
    pub(super) fn runs_back(&self, speaker: &str, start: i64) -> bool {
        self.starts.get(speaker).is_some_and(|latest| start < latest - BACK_MS_MAX)
    }

    /// Whether words that arrive at `now` cannot have been said then.
    pub(super) fn is_apart(&self, start: i64, end: Option<i64>, now: CallTime) -> bool {
        let ahead_ms = self.began.plus(start).since(now);
        let further_ms = start - self.reached;
        let behind_ms = now.since(self.began.plus(end.unwrap_or(start)));
        ahead_ms > APART_MS_MAX || ahead_ms.min(further_ms) > AHEAD_MS_MAX || behind_ms > APART_MS_MAX
    }

    /// Takes the stamps of words that go on from the ones before.
    pub(super) fn follow(&mut self, speaker: &str, start: i64, end: Option<i64>) {
        self.reached = self.reached.max(end.unwrap_or(start));
        if let Some(latest) = self.starts.get_mut(speaker) {
            *latest = (*latest).max(start);
        } else if self.starts.len() < SPEAKERS_MAX {
            self.starts.insert(speaker.to_owned(), start);
        }
    }

    /// Begins a new stretch, which counts from `began`.
    pub(super) fn begin(&mut self, began: CallTime) {
        *self = Self { jumps: self.jumps, ..Self::new(began) };
    }

    /// Begins a new stretch in which `ms` is `at`, because stamps jumped.
    pub(super) fn jump(&mut self, ms: i64, at: CallTime) {
        self.begin(at.plus(-ms));
        self.jumps = self.jumps.saturating_add(1);
    }

    /// How often stamps jumped since this was last asked.
    pub(super) fn take_jumps(&mut self) -> u32 {
        std::mem::take(&mut self.jumps)
    }
}
