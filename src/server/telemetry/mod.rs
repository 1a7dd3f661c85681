//! The operators' view: one struct an event, which is a log line and its metrics.

pub(crate) mod events;
pub(crate) mod metrics;
