//! What a phrase says of itself: how far its sound may do for its writing, and whether it must be whole words.

use serde::Deserialize;

/// How far a word may differ in writing when it sounds alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Homophone {
    /// The very characters.
    Off,
    /// The same syllables, whatever the tone; phrases of three characters and more.
    Toneless,
    /// Also zh/z, ch/c, sh/s, n/l and in/ing, en/eng, an/ang as one; three characters and more.
    Merged,
    /// The same syllables whatever the tone, for phrases of any length.
    Always,
}

/// Whether a phrase must begin and end where words do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// It must, as jieba cuts the sentence.
    Word,
    /// It may stand anywhere.
    Anywhere,
}
