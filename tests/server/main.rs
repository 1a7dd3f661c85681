//! A running server, driven over its port as producers, agents, supervisors and QA drive it.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../harness/mod.rs"]
mod harness;

mod access;
mod agents;
mod audit;
mod backtest;
mod backup;
mod clients;
mod cluster;
mod consume;
mod crash;
mod day;
mod drafts;
mod forms;
mod learning;
mod live;
mod live_feeds;
mod operations;
mod overview;
mod producers;
mod protocol;
mod query;
mod recognisers;
mod relay;
mod replay;
mod report;
mod review;
mod roster;
mod rules_api;
mod sampling;
mod search;
mod shapes;
mod statistics;
mod supervision;
mod training;
mod upgrade;
mod webhooks;
