//! Folding and matching as a whole.

mod folding;
mod matching;
mod properties;

use super::*;
use crate::rule::syntax::{Boundary, Homophone};

const PLAIN: PhraseOptions = PhraseOptions { homophone: Homophone::Off, boundary: Boundary::Anywhere };

fn sounding(homophone: Homophone) -> PhraseOptions {
    PhraseOptions { homophone, ..PLAIN }
}

fn lexicon(phrases: &[&str], options: PhraseOptions) -> Lexicon {
    let mut builder = LexiconBuilder::new();
    for phrase in phrases {
        builder.add(phrase, options).unwrap();
    }
    builder.build().unwrap()
}

fn scanned(lexicon: &Lexicon, raw: &str, previous: Option<&FoldedText>) -> FoldedText {
    let mut text = FoldedText::new();
    lexicon.scan(raw, previous, &mut text);
    text
}

fn matches(lexicon: &Lexicon, text: &FoldedText) -> Vec<Match> {
    let mut found = Vec::new();
    lexicon.matches(text, &mut found);
    found
}

fn slice(raw: &str, span: std::ops::Range<usize>) -> String {
    raw.chars().skip(span.start).take(span.len()).collect()
}

/// Symbols with their marks: `,` soft, `.` hard, `?` question, `/` join.
fn show(text: &FoldedText) -> String {
    let mut shown = String::new();
    for at in 0..=text.len() {
        match text.break_before(at) {
            Break::None => {}
            Break::Soft => shown.push(','),
            Break::Hard if text.ends_with_question_mark(&(0..at)) => shown.push('?'),
            Break::Hard => shown.push('.'),
            Break::Join => shown.push('/'),
        }
        shown.extend(text.chars().get(at));
    }
    shown
}
