//! Closed classes of characters and words, asked for by the low bits of a first character: one look answers for
//! nearly all characters that are in none.
//!
//! Deliberately absent: automata. These lists are short, and asked at one place of a text at a time.

/// So many low bits of a character are looked at.
const LOW: u32 = u128::BITS;

const fn low_bit(c: u32) -> u128 {
    1 << (c % LOW)
}

/// Characters of a class.
pub(crate) struct Chars<const N: usize> {
    chars: [char; N],
    low_bits: u128,
}

impl<const N: usize> Chars<N> {
    pub(crate) const fn new(chars: [char; N]) -> Self {
        let (mut low_bits, mut at) = (0, 0);
        while at < N {
            low_bits |= low_bit(chars[at] as u32);
            at += 1;
        }
        Self { chars, low_bits }
    }

    pub(crate) fn holds(&self, c: char) -> bool {
        self.low_bits & low_bit(c as u32) != 0 && self.chars.contains(&c)
    }
}

/// Words of a class, none of them empty.
pub(crate) struct Words {
    words: &'static [&'static str],
    low_bits: u128,
}

impl Words {
    pub(crate) const fn new(words: &'static [&'static str]) -> Self {
        let (mut low_bits, mut at) = (0, 0);
        while at < words.len() {
            low_bits |= low_bit(first_char(words[at].as_bytes()));
            at += 1;
        }
        Self { words, low_bits }
    }

    /// How many characters the longest of the words has with which `chars` begins.
    pub(crate) fn longest(&self, chars: &[char]) -> Option<usize> {
        let first = *chars.first()?;
        if self.low_bits & low_bit(first as u32) == 0 {
            return None;
        }
        self.words.iter().filter(|word| starts_with(chars, word)).map(|word| word.chars().count()).max()
    }
}

pub(crate) fn starts_with(chars: &[char], word: &str) -> bool {
    let mut chars = chars.iter();
    word.chars().all(|c| chars.next() == Some(&c))
}

/// The first character of a text in UTF-8.
const fn first_char(bytes: &[u8]) -> u32 {
    let (mut c, mut at) = match bytes[0] {
        lead @ 0..0x80 => (lead as u32, 1),
        lead @ 0x80..0xe0 => (lead as u32 & 0x1f, 1),
        lead @ 0xe0..0xf0 => (lead as u32 & 0x0f, 1),
        lead => (lead as u32 & 0x07, 1),
    };
    while at < bytes.len() && bytes[at] & 0xc0 == 0x80 {
        c = c << 6 | (bytes[at] & 0x3f) as u32;
        at += 1;
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_their_first_characters() {
        static WORDS: Words = Words::new(&["a", "é", "不", "不用", "1样", "𝐕"]);
        let longest = |text: &str| WORDS.longest(&text.chars().collect::<Vec<char>>());
        for (text, length) in [("a", 1), ("éa", 1), ("不用了", 2), ("不行", 1), ("1样的", 2), ("𝐕", 1)] {
            assert_eq!(longest(text), Some(length), "{text}");
        }
        for text in ["", "b", "用不", "1", "è"] {
            assert_eq!(longest(text), None, "{text}");
        }
    }

    #[test]
    fn characters_of_a_class_are_told_from_those_with_their_low_bits() {
        static CHARS: Chars<2> = Chars::new(['好', '?']);
        assert!(CHARS.holds('好') && CHARS.holds('?'));
        let like = char::from_u32('好' as u32 + LOW).unwrap();
        assert!(!CHARS.holds(like) && !CHARS.holds('不'));
    }
}
