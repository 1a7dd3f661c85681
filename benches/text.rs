//! Nanoseconds an utterance for folding, scanning and matching, beside the
//! libraries that one would otherwise use, on the same texts in the same run.
//!
//! `cargo bench --no-default-features --bench text`

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::print_stderr, reason = "memory is not a thing that criterion measures")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "corpus/mod.rs"]
mod corpus;

use std::hint::black_box;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use corpus::Corpus;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use daachorse::CharwiseDoubleArrayAhoCorasick;
use tingjian::engine::text::{
    Boundary, FoldedText, Homophone, Lexicon, LexiconBuilder, Match, PhraseOptions, fold, preload,
};

const SIZES: [usize; 4] = [50, 1_000, 10_000, 100_000];

/// Half of the phrases by sound, as in a rule set of forbidden and required ones.
fn lexicon(phrases: &[String], boundary: Boundary) -> Lexicon {
    let mut builder = LexiconBuilder::new();
    for (index, phrase) in phrases.iter().enumerate() {
        let homophone = if index % 2 == 0 { Homophone::Off } else { Homophone::Toneless };
        builder.add(phrase, PhraseOptions { homophone, boundary }).expect("the corpus has no malformed phrase");
    }
    builder.build().expect("the automaton is not too large")
}

/// Each of `items` in turn, for ever.
fn in_turn<'a, T>(items: &'a [T]) -> impl FnMut() -> &'a T {
    let mut items = items.iter().cycle();
    move || items.next().expect("there are items")
}

fn folding(c: &mut Criterion) {
    let corpus = Corpus::new(50);
    c.bench_function("fold", |b| {
        let mut next = in_turn(&corpus.utterances);
        let lexicon = lexicon(&[], Boundary::Anywhere);
        let mut text = FoldedText::new();
        b.iter(|| {
            lexicon.scan("", None, &mut text);
            lexicon.scan(next(), None, &mut text);
            black_box(text.len())
        });
    });
    c.bench_function("fold/characters", |b| {
        let mut next = in_turn(&corpus.utterances);
        b.iter(|| next().chars().fold(0, |sum: u32, c| sum.wrapping_add(c as u32)));
    });
}

fn scanning(c: &mut Criterion) {
    for size in SIZES {
        let corpus = Corpus::new(size);
        let lexicon = lexicon(&corpus.phrases, Boundary::Anywhere);
        eprintln!("{size} phrases: {} KB", lexicon.memory_usage() / 1024);
        let mut group = c.benchmark_group("scan");
        group.bench_function(BenchmarkId::new("scan", size), |b| {
            let mut next = in_turn(&corpus.quiet);
            let mut text = FoldedText::new();
            b.iter(|| {
                lexicon.scan(next(), None, &mut text);
                lexicon.has_candidates(&text)
            });
        });
        group.bench_function(BenchmarkId::new("scan and matches", size), |b| {
            let mut next = in_turn(&corpus.utterances);
            let (mut text, mut found): (_, Vec<Match>) = (FoldedText::new(), Vec::new());
            b.iter(|| {
                lexicon.scan(next(), None, &mut text);
                lexicon.matches(&text, &mut found);
                found.len()
            });
        });
        group.bench_function(BenchmarkId::new("aho-corasick", size), |b| {
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind((size > 1_000).then_some(AhoCorasickKind::ContiguousNFA))
                .build(&corpus.phrases)
                .expect("the automaton is not too large");
            let mut next = in_turn(&corpus.utterances);
            b.iter(|| automaton.find_overlapping_iter(next()).count());
        });
        group.bench_function(BenchmarkId::new("daachorse", size), |b| {
            let automaton: CharwiseDoubleArrayAhoCorasick<u32> =
                CharwiseDoubleArrayAhoCorasick::new(&corpus.phrases).expect("the phrases are distinct");
            let mut next = in_turn(&corpus.utterances);
            b.iter(|| automaton.find_overlapping_iter(next()).count());
        });
        if size == SIZES[0] {
            group.bench_function(BenchmarkId::new("contains", size), |b| {
                let mut next = in_turn(&corpus.utterances);
                b.iter(|| {
                    let utterance = next();
                    corpus.phrases.iter().filter(|phrase| utterance.contains(phrase.as_str())).count()
                });
            });
        }
    }
}

fn hypotheses(c: &mut Criterion) {
    let corpus = Corpus::new(1_000);
    let lexicon = lexicon(&corpus.phrases, Boundary::Anywhere);
    // Each utterance at 25 characters, then two longer.
    let pairs: Vec<(String, String)> = corpus
        .quiet
        .iter()
        .map(|utterance| (utterance.chars().take(25).collect(), utterance.chars().take(27).collect()))
        .collect();
    let mut group = c.benchmark_group("hypothesis");
    for (name, pick) in [("two characters more", true), ("rescan", false)] {
        group.bench_function(name, |b| {
            let mut next = in_turn(&pairs);
            let mut text = FoldedText::new();
            let mut found = Vec::new();
            b.iter_custom(|iterations| {
                let mut total = std::time::Duration::ZERO;
                for _ in 0..iterations.div_ceil(64) {
                    // Clocks cost as much as a hypothesis: time 64 of them at once.
                    let mut texts: Vec<(FoldedText, &String)> = Vec::with_capacity(64);
                    for _ in 0..64 {
                        let (short, long) = next();
                        let mut open = FoldedText::new();
                        lexicon.scan(long, None, &mut open);
                        lexicon.scan(short, None, &mut open);
                        texts.push((open, long));
                    }
                    let start = std::time::Instant::now();
                    for (open, long) in &mut texts {
                        if pick {
                            lexicon.scan(long, None, open);
                            lexicon.matches(open, &mut found);
                        } else {
                            lexicon.scan(long, None, &mut text);
                            lexicon.matches(&text, &mut found);
                        }
                        black_box(&found);
                    }
                    total += start.elapsed();
                }
                total.mul_f64(iterations as f64 / (iterations.div_ceil(64) * 64) as f64)
            });
        });
    }
}

fn boundaries(c: &mut Criterion) {
    preload();
    let corpus = Corpus::new(1_000);
    let lexicon = lexicon(&corpus.phrases, Boundary::Word);
    let mut found = Vec::new();
    let hits: Vec<(FoldedText, Match)> = corpus
        .utterances
        .iter()
        .filter_map(|utterance| {
            let mut text = FoldedText::new();
            lexicon.scan(utterance, None, &mut text);
            lexicon.matches(&text, &mut found);
            found.pop().map(|found| (text, found))
        })
        .collect();
    c.bench_function("boundary", |b| {
        let mut next = in_turn(&hits);
        b.iter(|| {
            let (text, found) = next();
            lexicon.in_words(text, found)
        });
    });
    c.bench_function("fold/without a lexicon", |b| {
        let mut next = in_turn(&corpus.utterances);
        b.iter(|| fold(next()).len());
    });
}

fn building(c: &mut Criterion) {
    let mut group = c.benchmark_group("build");
    group.sample_size(10);
    for size in [10_000, 100_000] {
        let corpus = Corpus::new(size);
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| lexicon(&corpus.phrases, Boundary::Word).len());
        });
    }
}

criterion_group!(benches, folding, scanning, hypotheses, boundaries, building);
criterion_main!(benches);
