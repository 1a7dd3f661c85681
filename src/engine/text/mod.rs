//! Text: folding, phrases, and where phrases stand.

mod chars;
mod fold;
mod folded;
mod lexicon;
mod numeral;
mod pattern;
mod phrase;
mod segment;

pub use fold::fold;
pub use folded::{Break, FoldedText, RawSpan};
pub use lexicon::{BuildError, Lexicon, LexiconBuilder, Match, PhraseId, PhraseOptions};
pub use pattern::Likeness;
pub use phrase::{ANY_MAX, DIGITS_MAX, PhraseError, SYMBOLS_MAX, VARIANTS_MAX};
pub use segment::preload;
