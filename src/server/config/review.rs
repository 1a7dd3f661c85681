//! `[review]`: how long an agent may appeal, and when a rule is reported.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Days in which an agent may appeal: every rota of a week gives each of them
/// at least one shift to do it in, and a month's marks settle soon after.
const APPEAL_DAYS: NonZeroU32 = NonZeroU32::new(7).expect("not zero");
/// A rule that is wrong more than once in five times costs trust.
const PRECISION_MIN: f64 = 0.8;
/// Below this many reviewed alerts, a precision says little.
const REVIEWED_MIN: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// `[review]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Review {
    /// Days in which an agent may appeal.
    pub appeal_days: NonZeroU32,
    /// A rule of less precision is reported.
    #[serde(deserialize_with = "share")]
    pub precision_min: f64,
    /// Once so many of its alerts were reviewed.
    pub reviewed_min: NonZeroU32,
}

impl Review {
    /// Milliseconds in which an agent may appeal.
    pub(crate) const fn appeal_ms(&self) -> i64 {
        self.appeal_days.get() as i64 * DAY_MS
    }
}

impl Default for Review {
    fn default() -> Self {
        Self { appeal_days: APPEAL_DAYS, precision_min: PRECISION_MIN, reviewed_min: REVIEWED_MIN }
    }
}

pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(de::Error::custom("必须在 0 到 1 之间 / must be from 0 to 1"))
}
