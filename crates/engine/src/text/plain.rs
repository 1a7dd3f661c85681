//! Characters for statistics: simplified, small, half width, without marks.
//! Hesitations and particles stay, as they carry tone; numbers written in
//! digits become one `0`. Matching uses [`fold`](super::fold) instead.

use super::chars::{Kind, TABLE};

/// The character that stands for every picture.
const PICTURE: char = '☺';

/// More of one character in a row say no more.
const RUN_MAX: usize = 2;

/// Appends the characters of `raw`, each with its offset in Unicode scalar values.
pub(crate) fn plain_chars(raw: &str, out: &mut Vec<(char, u32)>) {
    let first = out.len();
    for (at, c) in (0..).zip(raw.chars()) {
        let symbol = TABLE.symbol(c);
        let plain = match symbol.entry.kind() {
            Kind::Plain | Kind::Function | Kind::Letter => symbol.folded,
            Kind::Digit if symbol.folded.is_ascii_digit() && !super::chars::is_han(c) => '0',
            Kind::Digit | Kind::Unit | Kind::SpokenPoint | Kind::Na | Kind::E | Kind::Filler => c,
            Kind::Emoji => PICTURE,
            _ => continue,
        };
        let own = &out[first..];
        let most = if plain == '0' { 1 } else { RUN_MAX };
        if own.len() >= most && own[own.len() - most..].iter().all(|&(before, _)| before == plain) {
            continue;
        }
        out.push((plain, at));
    }
}
