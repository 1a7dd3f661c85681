//! Nanoseconds an utterance of tingjian's folding and matching and of matcher_rs's, on the same texts.

#[path = "../../corpus/mod.rs"]
mod corpus;

use std::hint::black_box;
use std::time::Instant;

use corpus::Corpus;
use matcher_rs::{ProcessType, SimpleMatcherBuilder};
use tingjian::engine::text::{Boundary, FoldedText, Homophone, LexiconBuilder, PhraseOptions};

/// The best of many rounds over all utterances: what is left when others leave the machine alone.
fn nanoseconds(utterances: &[String], mut each: impl FnMut(&str)) -> f64 {
    const ROUNDS: usize = 300;
    let round = |_| {
        let start = Instant::now();
        utterances.iter().for_each(|utterance| each(utterance));
        start.elapsed().as_nanos() as f64 / utterances.len() as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn main() {
    println!("| phrases | tingjian | matcher_rs, plain | matcher_rs, folding | matcher_rs, pinyin |");
    println!("|---|---|---|---|---|");
    for size in [50, 1_000, 10_000, 100_000] {
        let corpus = Corpus::new(size);
        let mut builder = LexiconBuilder::new();
        for (index, phrase) in corpus.phrases.iter().enumerate() {
            let homophone = if index % 2 == 0 { Homophone::Off } else { Homophone::Toneless };
            let options = PhraseOptions { homophone, boundary: Boundary::Anywhere };
            builder.add(phrase, options).expect("the corpus has no malformed phrase");
        }
        let lexicon = builder.build().expect("the automaton is not too large");
        let (mut text, mut found) = (FoldedText::new(), Vec::new());
        let ours = nanoseconds(&corpus.utterances, |utterance| {
            lexicon.scan(utterance, None, &mut text);
            lexicon.matches(&text, &mut found);
            black_box(found.len());
        });
        let theirs = [
            ProcessType::None,
            ProcessType::VariantNorm | ProcessType::Delete | ProcessType::Normalize,
            ProcessType::Romanize,
        ]
        .map(|process| {
            let mut builder = SimpleMatcherBuilder::new();
            for (index, phrase) in corpus.phrases.iter().enumerate() {
                builder = builder.add_word(process, index as u32, phrase);
            }
            let matcher = builder.build().expect("the corpus has no malformed phrase");
            nanoseconds(&corpus.utterances, |utterance| {
                black_box(matcher.process(utterance).len());
            })
        });
        println!("| {size} | {ours:.0} | {:.0} | {:.0} | {:.0} |", theirs[0], theirs[1], theirs[2]);
    }
}
