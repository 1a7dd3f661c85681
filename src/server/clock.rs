//! The only reads of a clock in the whole program, and a call's clock laid on
//! them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, SecondsFormat, TimeZone as _};
use tokio::time::Instant;

use crate::adapter::native::CALL_MS_MAX;
use crate::engine::time::CallTime;

/// Now, for measuring and for timers.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970.
#[allow(clippy::disallowed_methods)]
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The date and the hour of the day.
pub(crate) fn wall_now(offset: FixedOffset) -> DateTime<FixedOffset> {
    DateTime::from_timestamp_millis(unix_ms()).unwrap_or_default().with_timezone(&offset)
}

/// A moment as answers have it.
pub(crate) fn wall_time(ms: i64, zone: FixedOffset) -> Option<String> {
    Some(DateTime::from_timestamp_millis(ms)?.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false))
}

/// When a day begins in a zone.
pub(crate) fn begin_ms(day: NaiveDate, zone: FixedOffset) -> Option<i64> {
    zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).single().map(|time| time.timestamp_millis())
}

/// A call's clock, live: the latest moment spoken of so far, plus the wall time
/// since that arrived (`docs/events.md`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallClock {
    said: CallTime,
    arrived: Instant,
}

impl CallClock {
    /// A call that was answered at `arrived`.
    pub(crate) const fn new(arrived: Instant) -> Self {
        Self { said: CallTime::ANSWERED, arrived }
    }

    /// A call whose clock showed `at` when the server stopped, taken up at `now`.
    pub(crate) const fn resumed(at: CallTime, now: Instant) -> Self {
        Self { said: at, arrived: now }
    }

    /// Words or an event of the moment `said` arrived.
    pub(crate) fn hear(&mut self, said: CallTime, arrived: Instant) {
        if said > self.said {
            *self = Self { said, arrived };
        }
    }

    /// The clock's time at `instant`.
    pub(crate) fn at(&self, instant: Instant) -> CallTime {
        let since = instant.saturating_duration_since(self.arrived);
        self.said.plus(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The clock's time at an `instant` that may lie before the call began.
    pub(crate) fn at_or_before(&self, instant: Instant) -> CallTime {
        let before = self.arrived.saturating_duration_since(instant);
        self.at(instant).plus(-i64::try_from(before.as_millis()).unwrap_or(i64::MAX))
    }

    /// When the clock will show `time`, if nothing moves it before.
    pub(crate) fn when(&self, time: CallTime) -> Instant {
        let ms = time.since(self.said).clamp(0, CALL_MS_MAX);
        self.arrived + Duration::from_millis(ms.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_later_words_move_the_clock() {
        let start = now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut clock = CallClock::new(start);
        clock.hear(CallTime(5_000), after(100));
        assert_eq!(clock.at(after(300)), CallTime(5_200));
        clock.hear(CallTime(4_000), after(300));
        assert_eq!(clock.at(after(300)), CallTime(5_200));
        assert_eq!(clock.at_or_before(after(300)), CallTime(5_200));
        assert_eq!(clock.at_or_before(start), CallTime(4_900));
        assert_eq!(clock.when(CallTime(6_000)), after(1_100));
        assert_eq!(clock.when(CallTime(1_000)), after(100));
        assert!(clock.when(CallTime::MAX) > after(1_000_000));
    }
}
