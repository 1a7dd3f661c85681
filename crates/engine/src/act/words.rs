//! Words that do the same in a conversation, so that what is learned of one holds for the others.
//!
//! A model of characters alone has to see 没辙 before it knows what 没办法 taught it. The table
//! `words.tsv` puts both into one class (`cannot`).
//! Classes never replace the characters: they are features beside them.
//!
//! Deliberately absent: word segmentation. The longest entry that fits stands, left to right.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use sha2::{Digest as _, Sha256};

use super::features::{is_frame, unified};

const TABLE: &str = include_str!("words.tsv");

/// Classes are told as characters of the private use area, which no text holds.
const CLASS: u32 = 0xE000;

/// Stands for what no entry covers: up to two characters, or more.
const FEW: char = '\u{4}';
const MANY: char = '\u{5}';
const FEW_CHARS_MAX: usize = 2;

/// A character of a text as features see it, and where it stands in the raw text.
pub(super) type Placed = (char, u32);

/// A class of words, or what stands between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The class, the frame, or [`FEW`] or [`MANY`].
    pub(super) sign: char,
    /// In characters of the raw text.
    pub(super) start: u32,
    /// See `start`.
    pub(super) end: u32,
}

impl Piece {
    pub(super) fn is_gap(self) -> bool {
        self.sign == FEW || self.sign == MANY
    }
}

struct Table {
    automaton: AhoCorasick,
    /// The class of each entry.
    signs: Vec<char>,
    digest: String,
}

static WORDS: LazyLock<Table> = LazyLock::new(|| Table::read(TABLE));

impl Table {
    fn read(table: &str) -> Self {
        let rows = table.lines().filter(|line| !line.starts_with('#'));
        let (mut entries, mut signs) = (Vec::new(), Vec::new());
        for (class, row) in (CLASS..).zip(rows) {
            let words = row.split_once('\t').map_or("", |(_, words)| words);
            let sign = char::from_u32(class).unwrap_or(char::REPLACEMENT_CHARACTER);
            for word in words.split(' ') {
                // Leftmost-longest takes the first of two equal entries.
                entries.push(unified(word));
                signs.push(sign);
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&entries)
            .expect("a table of a few thousand short words is far below the automaton's limits");
        let digest = Sha256::digest(table.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { automaton, signs, digest }
    }
}

/// Eight hexadecimal digits that tell tables apart: a model holds for the one that it was learned with.
pub(super) fn table_digest() -> &'static str {
    &WORDS.digest
}

/// Reads the framed `text` into its classes, with what stands between them.
pub(super) fn classify(text: &[Placed], plain: &mut String, pieces: &mut Vec<Piece>) {
    plain.clear();
    pieces.clear();
    plain.extend(text.iter().filter(|(c, _)| !is_frame(*c)).map(|&(c, _)| c));
    let (Some(&begin), Some(&end)) = (text.first(), text.last()) else { return };
    pieces.push(Piece { sign: begin.0, start: begin.1, end: begin.1 });
    // The next character of `text`, and the byte of `plain` where it begins.
    let (mut at, mut byte) = (1, 0);
    let gap = |from: usize, to: usize, pieces: &mut Vec<Piece>| {
        if from < to {
            let sign = if to - from <= FEW_CHARS_MAX { FEW } else { MANY };
            pieces.push(Piece { sign, start: text[from].1, end: text[to - 1].1 + 1 });
        }
    };
    for found in WORDS.automaton.find_iter(plain.as_str()) {
        let from = at + plain[byte..found.start()].chars().count();
        gap(at, from, pieces);
        at = from + plain[found.range()].chars().count();
        byte = found.end();
        let sign = WORDS.signs[found.pattern().as_usize()];
        pieces.push(Piece { sign, start: text[from].1, end: text[at - 1].1 + 1 });
    }
    gap(at, text.len() - 1, pieces);
    pieces.push(Piece { sign: end.0, start: end.1, end: end.1 });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_row_of_the_table_has_an_id_and_words_of_its_own() {
        let mut rows_of: BTreeMap<&str, &str> = BTreeMap::new();
        let mut twice = Vec::new();
        for row in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = row.split('\t').collect();
            let [id, words] = columns[..] else { panic!("not two columns: {row}") };
            assert!(!id.is_empty(), "{row}");
            for word in words.split(' ') {
                assert!(!unified(word).is_empty(), "{id}: {word:?} has nothing that counts");
                if let Some(before) = rows_of.insert(word, id) {
                    twice.push((word, before, id));
                }
            }
        }
        assert_eq!(twice, [], "a word of two rows is only the first's");
    }
}
