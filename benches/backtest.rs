//! How many recorded hours a backtest replays an hour, on 1, 2, … all cores:
//! the recorded calls through the shipped packs, before and after, out of memory.
//!
//! `cargo bench --bench backtest`

#![allow(clippy::print_stdout, reason = "what it measures is what it prints")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tingjian::adapter::native;
use tingjian::backtest::{Control, Gathering, Plan, Recorded, all_cores, run};
use tingjian::engine::rule::load;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::text::preload;

/// Calls that are replayed on each number of cores.
const CALLS: usize = 2_400;

/// The files of a directory that end so, in order.
fn files(directory: &str, suffix: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(directory).expect("the directory is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(suffix));
    paths.sort();
    paths
}

fn calls() -> Vec<Recorded> {
    let mut calls = Vec::new();
    for path in files("fixtures/calls", ".jsonl") {
        if path.to_string_lossy().ends_with(".expected.jsonl") {
            continue;
        }
        let mut gathering = Gathering::default();
        for line in fs::read_to_string(path).expect("it can be read").lines() {
            let event = native::parse(line).expect("a recorded call is right");
            calls.extend(gathering.take(event).expect("a recorded call is right"));
        }
        calls.extend(gathering.finish());
    }
    calls
}

fn main() {
    let rules = files("rules", ".yaml").into_iter().chain(files("rules", ".model")).map(|path| SourceFile {
        name: path.display().to_string(),
        text: fs::read_to_string(path).expect("it can be read"),
    });
    let rules = load(&rules.collect::<Vec<_>>(), "shipped".to_owned()).expect("the shipped packs are right").rules;
    preload();
    let plan = Plan { before: rules.clone(), after: rules, shadow_packs: Vec::new() };
    let calls = calls();
    let events: usize = calls.iter().map(|call| call.told.len()).sum();
    println!("{} calls of {events} events, replayed {CALLS} times in all", calls.len());
    for cores in 1..=all_cores().get() {
        let workers = NonZeroUsize::new(cores).unwrap_or(NonZeroUsize::MIN);
        let many = calls.iter().cycle().take(CALLS).map(Ok::<&Recorded, String>);
        let began = Instant::now();
        let report = run(&plan, workers, many, |call| Ok(Some(call.clone())), &Control::default());
        let took = began.elapsed().as_secs_f64();
        let hours = report.expect("every call can be read").hours;
        println!("{cores} cores: {hours} recorded hours in {took:.2} s, {:.0} hours an hour", hours / took * 3_600.0);
    }
}
