//! Limits on what producers send: how fast, and how long an utterance may be.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::adapter::native::EventBody;
use crate::engine::transcript::{CallInfo, Input};
use crate::server::clock;
use crate::server::config::Config;
use crate::server::domain::refusal::Refusal;
use crate::server::runtime::Shared;
use crate::server::telemetry::events::{Happening as _, PackUnknown};
use crate::session;

/// The code of the remark that a call asks for a pack that is not there.
pub(crate) const UNKNOWN_PACK: &str = "unknown_pack";

/// Counts a call that asks for a pack that is not there, and returns what its producer is told,
/// once a connection.
pub(crate) fn unknown_packs(shared: &Shared, info: &CallInfo, told: &mut bool) -> Option<String> {
    let message = session::unknown_packs(&shared.rules.current(), info)?;
    let first = !std::mem::replace(told, true);
    PackUnknown { message: &message, first }.report(&shared.metrics);
    first.then_some(message)
}

/// The clock of the server, as the rate limiter reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerClock;

impl Clock for ServerClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        clock::now().into_std()
    }
}

/// How fast one connection may send: so many events a second, and as many at
/// once after a pause.
pub(crate) struct Pace<C: Clock = ServerClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    told: bool,
}

impl Pace {
    pub(crate) fn new(events_per_second: NonZeroU32) -> Self {
        Self::with_clock(events_per_second, ServerClock)
    }
}

impl<C: Clock + Clone> Pace<C> {
    fn with_clock(events_per_second: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(events_per_second);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock, told: false }
    }

    /// Counts one event, or says how long the connection must wait before it
    /// is taken: never longer than a second.
    pub(crate) fn take(&mut self) -> Result<(), Duration> {
        self.limiter.check().map_err(|early| early.wait_time_from(self.clock.now()))
    }

    /// Whether the producer has not been told yet that it is slowed; true only once.
    pub(crate) const fn tell(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

/// Refuses an event beyond the limits of `config`.
pub(crate) fn check(config: &Config, body: &EventBody) -> Result<(), Refusal> {
    let max = config.utterance_chars_max.get();
    if let EventBody::Input(Input::Utterance(utterance)) = body
        && utterance.text.len() > max
    {
        let chars = utterance.text.chars().count();
        if chars > max {
            return Err(Refusal::UtteranceTooLong { chars, max });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_producer_waits_once_its_second_is_used_up() {
        let clock = FakeRelativeClock::default();
        let mut pace = Pace::with_clock(NonZeroU32::new(4).unwrap(), clock.clone());
        for _ in 0..4 {
            assert_eq!(pace.take(), Ok(()));
        }
        let quarter = Duration::from_millis(250);
        assert_eq!(pace.take(), Err(quarter));
        clock.advance(quarter / 2);
        assert_eq!(pace.take(), Err(quarter / 2));
        clock.advance(quarter / 2);
        assert_eq!((pace.take(), pace.take()), (Ok(()), Err(quarter)));
        assert_eq!((pace.tell(), pace.tell()), (true, false));
    }
}
