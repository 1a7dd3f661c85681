//! What an utterance costs a call with everything on: folding, the scan,
//! homophones, conditions, monitors and deadlines; and what a call weighs.
//!
//! `cargo bench --no-default-features --bench engine`

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::print_stderr, reason = "memory is not a thing that criterion measures")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "corpus/mod.rs"]
mod corpus;

use std::alloc::System;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use corpus::Corpus;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tingjian::adapter::native::{self, EventBody};
use tingjian::engine::act::{Judged, Model, Scratch, Turn};
use tingjian::engine::call::Call;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::rule::{Loaded, RuleSet, load};
use tingjian::engine::text::preload;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{CallInfo, Channel, Direction, Input, Role, Utterance};

const SIZES: [usize; 4] = [50, 1_000, 10_000, 100_000];

/// Utterances of one measured call: a conversation of ten minutes.
const CALL_UTTERANCES: usize = 128;

/// Monitors of every kind, whose words the corpus does not hold.
const MONITORS: &str = include_str!("corpus/monitors.yaml");

/// `phrases`, half of them by sound, and monitors of every kind.
fn files(phrases: &[String]) -> Vec<SourceFile> {
    let mut pack = String::from("pack: bench\ntitle: 基准\nrules:\n");
    for (id, homophone, half) in [("exact", "off", 0), ("sound", "toneless", 1)] {
        let _ = write!(
            pack,
            "  - id: bench.{id}\n    name: 基准\n    message: 基准\n    forbid:\n      homophone: {homophone}\n      any:\n"
        );
        for phrase in phrases.iter().skip(half).step_by(2) {
            let _ = writeln!(pack, "        - {phrase}");
        }
    }
    vec![
        SourceFile { name: String::from("bench.yaml"), text: pack },
        SourceFile { name: String::from("monitors.yaml"), text: MONITORS.to_owned() },
    ]
}

/// The packs that are shipped.
fn shipped() -> Arc<RuleSet> {
    let files: Vec<SourceFile> = fs::read_dir("rules")
        .expect("benches run in the repository")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "model"))
        .map(|path| SourceFile {
            name: path.display().to_string(),
            text: fs::read_to_string(&path).expect("rule files are UTF-8"),
        })
        .collect();
    load(&files, String::from("shipped")).expect("the rules have no faults").rules
}

/// The recorded calls' finals, as they were said.
fn spoken() -> Vec<String> {
    let calls = fs::read_dir("fixtures/calls").expect("benches run in the repository");
    let paths = calls.filter_map(|entry| Some(entry.ok()?.path()));
    let paths = paths.filter(|path| !path.to_string_lossy().contains(".expected."));
    let texts = paths.map(|path| fs::read_to_string(path).expect("recordings are UTF-8"));
    let events = texts.flat_map(|text| text.lines().map(native::parse).collect::<Vec<_>>());
    let finals = events.filter_map(|event| match event.expect("recordings have no faults").body {
        EventBody::Input(Input::Utterance(utterance)) if utterance.is_final => Some(utterance.text),
        _ => None,
    });
    finals.collect()
}

fn rules(phrases: &[String]) -> Arc<RuleSet> {
    let Loaded { rules, .. } = load(&files(phrases), String::from("bench")).expect("the rules have no faults");
    rules
}

fn info() -> CallInfo {
    CallInfo {
        call_id: String::from("c1"),
        agent_id: String::from("a1"),
        started_at: DateTime::parse_from_rfc3339("2026-11-21T10:00:00+08:00").expect("a valid time"),
        direction: Direction::Inbound,
        channel: Channel::Voice,
        queue: None,
        rings: Some(1),
        customer_name: None,
        packs: None,
        attributes: BTreeMap::new(),
    }
}

/// The `n`-th utterance of a call, five seconds after the one before, the two parties in turn.
fn utterance(n: usize, text: &str, is_final: bool) -> Input {
    let start = CallTime(i64::try_from(n).expect("few utterances") * 5_000);
    Input::Utterance(Utterance {
        utterance_id: format!("u{n}"),
        role: if n.is_multiple_of(2) { Role::Agent } else { Role::Customer },
        text: text.to_owned(),
        start,
        end: start.plus(4_000),
        is_final,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    })
}

fn hear(call: &mut Call, input: Input) -> usize {
    let now = input.said_at();
    call.handle(now, input);
    std::iter::from_fn(|| call.poll_output()).count()
}

/// Time of `iterations` inputs, a call of `CALL_UTTERANCES` at a time; making the inputs does not count.
fn time_calls(rules: &Arc<RuleSet>, iterations: u64, mut inputs: impl FnMut() -> Vec<(bool, Input)>) -> Duration {
    let (mut total, mut measured) = (Duration::ZERO, 0_u64);
    while measured < iterations {
        let mut call = Call::new(Arc::clone(rules), info());
        let mut pending = Vec::with_capacity(CALL_UTTERANCES);
        for (counts, input) in inputs() {
            if counts {
                pending.push(input);
                continue;
            }
            hear(&mut call, input);
        }
        measured += pending.len() as u64;
        let start = Instant::now();
        for input in pending {
            black_box(hear(&mut call, input));
        }
        total += start.elapsed();
    }
    total.mul_f64(iterations as f64 / measured as f64)
}

fn utterances(c: &mut Criterion) {
    preload();
    let mut group = c.benchmark_group("engine");
    for size in SIZES {
        let corpus = Corpus::new(size);
        let rules = rules(&corpus.phrases);
        let mut of = |name: &str, texts: &[String]| {
            let mut texts = texts.iter().cycle();
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter_custom(|iterations| {
                    time_calls(&rules, iterations, || {
                        let texts = texts.by_ref().take(CALL_UTTERANCES).enumerate();
                        texts.map(|(n, text)| (true, utterance(n, text, true))).collect()
                    })
                });
            });
        };
        of("no hit", &corpus.quiet);
        of("one in ten hits", &corpus.utterances);
    }
    let (rules, texts) = (shipped(), spoken());
    let mut texts = texts.iter().cycle();
    group.bench_function("shipped packs on the recorded calls", |b| {
        b.iter_custom(|iterations| {
            time_calls(&rules, iterations, || {
                let texts = texts.by_ref().take(CALL_UTTERANCES).enumerate();
                texts.map(|(n, text)| (true, utterance(n, text, true))).collect()
            })
        });
    });
    group.finish();
}

fn hypotheses(c: &mut Criterion) {
    let corpus = Corpus::new(1_000);
    let rules = rules(&corpus.phrases);
    let mut texts = corpus.quiet.iter().cycle();
    c.bench_function("engine/hypothesis, two characters more", |b| {
        b.iter_custom(|iterations| {
            // One call each: its hypothesis stands at 25 characters, then two more come.
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                let text = texts.next().expect("there are texts");
                let mut call = Call::new(Arc::clone(&rules), info());
                let cut = |chars: usize| text.chars().take(chars).collect::<String>();
                for (n, text) in [cut(25), cut(27), cut(25)].iter().enumerate() {
                    hear(&mut call, utterance(0, text, false));
                    black_box(n);
                }
                let longer = utterance(0, &cut(27), false);
                let start = Instant::now();
                black_box(hear(&mut call, longer));
                total += start.elapsed();
            }
            total
        });
    });
}

/// All acts and the verdict of a final in its place in a recorded call, by the model that ships.
fn acts(c: &mut Criterion) {
    let text = fs::read_to_string("rules/confidence.model").expect("benches run in the repository");
    let model = Model::from_text(&text).expect("the model that ships can be read");
    let texts = spoken();
    let before = |at: usize| at.checked_sub(1).map_or("", |before| texts[before].as_str());
    let turns: Vec<Turn<'_>> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| Turn {
            role: if at.is_multiple_of(2) { Role::Agent } else { Role::Customer },
            channel: Channel::Voice,
            text,
            prev: before(at),
            own_prev: before(at.saturating_sub(1)),
            found: &[],
        })
        .collect();
    let (mut scratch, mut judged) = (Scratch::default(), Judged::default());
    let mut score = |turn: &Turn<'_>| {
        model.judge(turn, &mut scratch, &mut judged);
        model.done(&judged, turn.role).count() + usize::from(model.verdict(&judged))
    };
    let mut all = || black_box(turns.iter().map(&mut score).sum::<usize>());
    all();
    let region = Region::new(ALLOCATOR);
    all();
    let allocations = region.change().allocations;
    assert_eq!(allocations, 0, "scoring takes no memory once its buffers have grown");
    let chars: usize = texts.iter().map(|text| text.chars().count()).sum();
    eprintln!("acts: {} features, {} characters an utterance", model.features(), chars / texts.len());
    // Others use the machine, too: of many short runs the fastest is nearest to the truth.
    let mut run = || {
        let start = Instant::now();
        all();
        start.elapsed() / u32::try_from(turns.len()).expect("few turns")
    };
    let fastest = std::iter::repeat_with(&mut run).take(500).min().unwrap_or_default();
    eprintln!("acts: {fastest:?} an utterance in the fastest of 500 runs");
    let mut turns = turns.iter().cycle();
    c.bench_function("acts/all acts and the verdict of an utterance", |b| {
        b.iter(|| score(turns.next().expect("there are turns")));
    });
}

fn loading(c: &mut Criterion) {
    let mut group = c.benchmark_group("load, lint apart");
    group.sample_size(10);
    for size in [1_000, 10_000] {
        let corpus = Corpus::new(size);
        let files = files(&corpus.phrases);
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| load(&files, String::from("bench")).expect("the rules have no faults").rules.rules.len());
        });
    }
    group.finish();
}

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes on the heap since `region` began.
fn kept(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.bytes_allocated - change.bytes_deallocated
}

fn weight(_: &mut Criterion) {
    const CALLS: usize = 1_000;
    let quiet = Corpus::new(50).quiet;
    let weigh = |name: &str, rules: &Arc<RuleSet>, texts: &[String]| {
        eprintln!("{name}");
        for spoken in [0, 4, 16, 64, 128] {
            let region = Region::new(ALLOCATOR);
            let calls: Vec<Call> = (0..CALLS)
                .map(|_| {
                    let mut call = Call::new(Arc::clone(rules), info());
                    for (n, text) in texts.iter().take(spoken).enumerate() {
                        hear(&mut call, utterance(n, text, true));
                    }
                    call
                })
                .collect();
            let bytes = kept(&region) / calls.len();
            eprintln!("  a call with {spoken} utterances: {bytes} bytes");
        }
    };
    for size in [50, 100_000] {
        let corpus = Corpus::new(size);
        let region = Region::new(ALLOCATOR);
        let rules = rules(&corpus.phrases);
        weigh(&format!("{size} phrases ({} KB), no hits", kept(&region) / 1_024), &rules, &quiet);
    }
    let region = Region::new(ALLOCATOR);
    let rules = shipped();
    weigh(&format!("shipped packs ({} KB), the recorded calls", kept(&region) / 1_024), &rules, &spoken());
}

criterion_group!(benches, weight, acts, utterances, hypotheses, loading);
criterion_main!(benches);
