//! Calls in progress: shards that own them, the journal that keeps what they do,
//! and the recovery that takes them up again after a restart.

pub(crate) mod clock;
pub(crate) mod closed;
pub(crate) mod command;
pub(crate) mod health;
pub(crate) mod journal;
pub(crate) mod recovery;
pub(crate) mod retention;
pub(crate) mod shard;
#[cfg(test)]
mod simulation;
pub(crate) mod slot;
