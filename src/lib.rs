//! tingjian (听检) listens in on live calls and says, while the customer is
//! still on the line, that a forbidden phrase was said or a required one is
//! missing.
//!
//! [`engine`] is pure: events and the time go in, alerts come out. [`adapter`]
//! turns the JSON of recognisers into the engine's events and is pure too, as is
//! [`session`], one call as all programs run it, with the [`numbers`] of its events, and [`recording`], the calls
//! of a file.
//! `rule_files` (feature `rule-files`) reads rules from files.
//! `backtest` compares what two rule sets make of recorded calls, `learning` makes the model of acts and of the second
//! look anew (feature `learning`).
//! `server` (feature `server`) is the only part with sockets, files and a clock.

pub mod adapter;
#[cfg(feature = "learning")]
pub mod backtest;
#[cfg(feature = "learning")]
pub mod learning;
pub mod numbers;
pub mod recording;
#[cfg(feature = "rule-files")]
pub mod rule_files;
#[cfg(feature = "server")]
pub mod server;
pub mod session;

pub use tingjian_engine as engine;
