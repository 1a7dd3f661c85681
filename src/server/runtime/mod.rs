//! Calls in progress: shards that own them, the journal that keeps what they do,
//! and the recovery that takes them up again after a restart. [`Shared`] is what
//! all tasks of a server have in common.
//!
//! No connection is served here: subscribers are queues whose other ends the
//! rooms above hold.

pub(crate) mod agents;
pub(crate) mod call_state;
pub(crate) mod cases;
pub(crate) mod closed;
pub(crate) mod command;
pub(crate) mod drafts;
pub(crate) mod forms;
pub(crate) mod hands;
pub(crate) mod health;
pub(crate) mod journal;
pub(crate) mod live;
pub(crate) mod outbox;
pub(crate) mod precision;
pub(crate) mod recovery;
pub(crate) mod reload;
pub(crate) mod retention;
pub(crate) mod review;
pub(crate) mod roster;
pub(crate) mod sampling;
pub(crate) mod shard;
pub(crate) mod shard_call;
mod shared;
pub(crate) mod shares;
#[cfg(test)]
mod simulation;
pub(crate) mod subscription;
pub(crate) mod thresholds;

pub(crate) use shared::{Parts, Shared};
