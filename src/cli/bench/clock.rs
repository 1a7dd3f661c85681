//! The clock of the load generator: a stopwatch apart from the server's, whose
//! times it judges.

use std::time::Instant;

/// Now, for measuring.
#[allow(clippy::disallowed_methods)]
pub(super) fn now() -> Instant {
    Instant::now()
}
