//! The pure heart: call events in, alerts out.
//!
//! Deliberately absent: I/O, clocks, tasks, threads, logging, randomness and
//! hash-map iteration order. Time is an argument, outputs are drained, and the
//! same rules with the same inputs give the same outputs, byte for byte.

mod agents;
pub mod alert;
pub mod call;
mod context;
mod detect;
pub mod explain;
pub mod inspect;
mod monitor;
pub mod privacy;
pub mod rule;
pub mod standing;
pub mod text;
pub mod time;
mod timeline;
pub mod transcript;
