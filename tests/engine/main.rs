//! What the engine and the adapters do, tested through their public surface alone, with no server.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../fuzz/bodies.rs"]
mod bodies;
#[path = "../oracle/mod.rs"]
mod oracle;

mod adapters;
mod alerts;
mod fuzz_corpus;
mod negation;
mod packs;
mod privacy;
mod properties;
mod regressions;
mod rules_lint;
mod rules_parameters;
mod rules_parse;
mod standing;
