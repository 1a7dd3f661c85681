//! A phrase that is searched for in what was said: folded as rules fold, and alike in sound as rules have it.
//!
//! The index has a token a symbol, its coarse sound, so the tokens of a phrase stand in a row wherever it, or a homophone of
//! it, was said. The engine then says whether it really stands there, and where.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::engine::text::{
    Boundary, FoldedText, Homophone, Lexicon, LexiconBuilder, PhraseOptions, coarse_sound, fold,
};

/// A single symbol is everywhere.
const SYMBOLS_MIN: usize = 2;
const SYMBOLS_MAX: usize = 50;

/// A phrase, ready to be looked for.
#[derive(Debug)]
pub(crate) struct SpokenPhrase {
    lexicon: Lexicon,
    tokens: String,
}

impl SpokenPhrase {
    /// # Errors
    /// It has too few symbols, or too many; ready to be told.
    pub(crate) fn new(text: &str, homophone: Homophone) -> Result<Self, String> {
        // Symbols alone: nothing in it is a sign of the language of rules.
        let symbols: String = fold(text).chars().iter().collect();
        let count = symbols.chars().count();
        if !(SYMBOLS_MIN..=SYMBOLS_MAX).contains(&count) {
            return Err(format!(
                "要有 {SYMBOLS_MIN} 到 {SYMBOLS_MAX} 个字，标点和语气词不算 / must have {SYMBOLS_MIN} to {SYMBOLS_MAX} characters, marks and fillers not counted"
            ));
        }
        let mut builder = LexiconBuilder::new();
        builder
            .add(&symbols, PhraseOptions { homophone, boundary: Boundary::Anywhere })
            .map_err(|fault| format!("不能搜 / cannot be searched for: {fault}"))?;
        let lexicon = builder.build().map_err(|fault| format!("不能搜 / cannot be searched for: {fault}"))?;
        Ok(Self { lexicon, tokens: tokens(text) })
    }

    /// The tokens that the index must have in a row.
    pub(crate) fn tokens(&self) -> &str {
        &self.tokens
    }

    /// Where it stands in `raw`, in Unicode scalar values.
    pub(crate) fn places(&self, raw: &str) -> Vec<(usize, usize)> {
        let mut text = FoldedText::new();
        self.lexicon.scan(raw, None, &mut text);
        let mut found = Vec::new();
        self.lexicon.matches(&text, &mut found);
        found.iter().filter_map(|found| found.raw_span(&text).own).map(|own| (own.start, own.end)).collect()
    }
}

/// The tokens of a text, a space between them: one a symbol.
pub(crate) fn tokens(raw: &str) -> String {
    let mut tokens = String::new();
    for &symbol in fold(raw).chars() {
        if !tokens.is_empty() {
            tokens.push(' ');
        }
        let _ = match coarse_sound(symbol) {
            Some(sound) => write!(tokens, "s{sound}"),
            None => write!(tokens, "c{:x}", u32::from(symbol)),
        };
    }
    tokens
}

/// Tells the sounds of this program from those of another: an index is of one of them.
pub(crate) fn sounds_digest() -> String {
    let mut hash = Sha256::new();
    for code in 0_u32..0x1_0000 {
        if let Some(sound) = char::from_u32(code).and_then(coarse_sound) {
            hash.update(code.to_le_bytes());
            hash.update(sound.to_le_bytes());
        }
    }
    // How characters fold is part of it; these stand for all.
    hash.update(tokens("繁體ＡＢ一百二十嗯不不不那个退款①"));
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_stands_where_rules_would_find_it() {
        let places = |phrase: &str, homophone, text: &str| SpokenPhrase::new(phrase, homophone).unwrap().places(text);
        assert_eq!(places("退款", Homophone::Off, "我要退，款。退款"), [(2, 5), (6, 8)]);
        assert_eq!(places("不知道", Homophone::Toneless, "我不嗯知道"), [(1, 5)]);
        assert_eq!(places("满意度", Homophone::Toneless, "这个满意渡很低"), [(2, 5)]);
        assert_eq!(places("满意度", Homophone::Off, "这个满意渡很低"), []);
        assert_eq!(places("一百二十元", Homophone::Off, "收您120元"), [(2, 6)]);
        assert_eq!(places("退貨", Homophone::Off, "可以退货"), [(2, 4)]);
        for (phrase, text) in [("满意度", "这个满意渡很低"), ("不知道", "我不嗯知道"), ("退貨", "可以退货")]
        {
            let phrase = SpokenPhrase::new(phrase, Homophone::Toneless).unwrap();
            assert!(tokens(text).contains(phrase.tokens()), "{text}");
        }
        for bad in ["", "嗯嗯", "退", "{any}退", "。。"] {
            assert!(SpokenPhrase::new(bad, Homophone::Off).is_err() || bad == "{any}退", "{bad}");
        }
    }
}
