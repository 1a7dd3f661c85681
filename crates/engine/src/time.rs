//! The call's own clock.

use std::fmt;

/// A moment of a call: milliseconds since it was answered.
///
/// Never compared with a wall clock: producers' clocks differ and recordings
/// are replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallTime(pub i64);

impl CallTime {
    /// When the call was answered.
    pub const ANSWERED: Self = Self(0);
    /// After everything that can happen in a call.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `ms` milliseconds later (earlier, when negative).
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// `MM:SS.mmm`, as rule tests and reports print it.
impl fmt::Display for CallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{:02}:{:02}.{:03}", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
    }
}
