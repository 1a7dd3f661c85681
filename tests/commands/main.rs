//! The command line, run as a process over files: no server is started.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bench;
mod cli_batch;
mod cli_check;
mod cli_eval;
mod cli_rules;
mod confidence;
mod config;
mod fixtures;
mod learn;
mod quality;
