//! Text: folding, phrases, and where phrases stand.

mod chars;
mod compile;
mod fold;
mod folded;
mod lexicon;
mod numeral;
mod pattern;
mod phrase;
mod segment;

pub use compile::{BuildError, LexiconBuilder};
pub use fold::fold;
pub use folded::{Break, FoldedText, RawSpan};
pub use lexicon::{Lexicon, Match, PhraseId, PhraseOptions};
pub use pattern::Likeness;
pub use phrase::{ANY_MAX, DIGITS_MAX, PhraseError, SYMBOLS_MAX, VARIANTS_MAX};
pub use segment::preload;

#[cfg(test)]
mod tests;
