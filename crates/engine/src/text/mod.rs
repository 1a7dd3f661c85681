//! Text: folding, phrases, and where phrases stand.
//!
//! ```text
//! raw ──▶ FoldedText: symbols ⇄ raw offsets, marks between them ──▶ candidates ──▶ matches ──▶ in words?
//!         one table load and one step of the automaton a character    each verified on the spot
//! ```
//!
//! # Folding
//!
//! Two texts that sound the same shall fold to the same symbols. Phrases are
//! folded by the same function, so what matters is consistency.
//!
//! - Traditional characters become simplified, Taiwan's and Hong Kong's too, full
//!   width half, capitals small. Where the word decides how a character is
//!   written (看著 but 著名, 答覆 but 覆蓋), both writings are one symbol.
//! - Characters in disguise (Ⓥ, 𝐕, ①, compatibility ideographs) are what they
//!   stand for; a sign between Chinese characters (傻￥逼) is nothing.
//! - Numerals become digits, spoken or written: 工号零八零幺 is 工号0801,
//!   百分之十五 is 15%, 一百二十 is 120, 一点五 is 1.5, 1.5万 is 15000. Approximate ones
//!   (三四天, 十七八个) and words that are written like them (十分抱歉, 二百五, 三八,
//!   十三点, 快一点) stay characters; what stands beside them decides. Other
//!   words made of numerals (万一, 一定) fold alike wherever they stand.
//! - Dropped: spaces, invisible characters, `_ * · # ^` and the like, the
//!   fillers 嗯啊呃哦噢喔唔诶欸哎唉 and 那个 (not in 那个人), 额 where it stands alone.
//! - Stutter: a run of one function word (不不不, 我我) is one symbol. Any other
//!   Chinese character more than twice in a row is two. 谢谢 and 看看 stay. A
//!   phrase that has three or more of a character asks for three.
//! - Marks are not symbols. They are remembered between symbols as [`Break`]s:
//!   soft (，、：；…— and pictures) or hard (。！？ and line ends).
//!
//! # What marks mean to a match
//!
//! Recognisers put marks inside words (我不，知道) and speakers answer with one
//! word (不，知道了). A phrase may therefore match across marks like this:
//!
//! 1. Where the phrase itself has a mark, any mark or none may stand.
//! 2. Elsewhere no hard mark may stand inside the match.
//! 3. Elsewhere a soft mark is ignored, unless what stands between it and the
//!    mark before it (or the beginning) lies wholly inside the match and is a
//!    short answer that stands alone: 不, 没, 是, 好, 可以, 不行, 没事, 好的 …
//!
//! So 不知道 is in 我不，知道, but neither in 不，知道了 nor in 要不要？不。知道了;
//! and 你找我没用，要解决就去找领导 is found with its comma and without it.
//!
//! An utterance may go on with what the same speaker's previous one began,
//! because recognisers cut at pauses. The join counts as a soft mark, and the
//! mark that the previous utterance ends with does not count.
//!
//! A match that begins or ends with a digit does not touch another digit
//! (5个工作日 is not in 15个工作日), and likewise with Latin letters.
//!
//! # Phrases
//!
//! | written | means |
//! |---|---|
//! | `不知道` | these characters, as folded |
//! | `您好，请讲` | the same, with any mark or none at the comma |
//! | `{number}` `{number:4-6}` | one whole numeral; so many digits, with pauses (零八，零一) or without |
//! | `{name}` | one to three Chinese characters, or one word of up to 20 letters |
//! | `{any}` `{any:0-4}` | 1 to 20 symbols; so many; never past a hard mark |
//! | `(您\|请您)稍等(一下\|)` | any of at most 64 combinations |
//! | `/不太?清楚/` | a regular expression over the symbols of one sentence, with a fixed text of two characters, and seeing 200 symbols either side of it |
//! | `嗯` `~` `{emoji}` | alone: a filler, mark or picture that folding drops |
//! | `\(` | the character itself |
//!
//! Slots take as little as they can. Fillers in longer phrases do not count.

mod borders;
mod chars;
mod compile;
mod expression;
mod fold;
mod folded;
mod lexicon;
mod numeral;
mod options;
mod pattern;
mod phrase;
mod plain;
mod segment;
mod update;

pub(crate) use borders::Borders;
pub use chars::coarse_sound;
pub use compile::{BuildError, LexiconBuilder};
pub use fold::fold;
pub use folded::{Break, FoldedText, RawSpan};
pub use lexicon::{Lexicon, Match, PhraseId, PhraseOptions};
pub use options::{Boundary, Homophone};
pub use pattern::Likeness;
pub use phrase::{ANY_MAX, DIGITS_MAX, PhraseError, SYMBOLS_MAX, VARIANTS_MAX};
pub(crate) use plain::plain_chars;
pub(crate) use segment::Judged as WordsJudged;
pub use segment::{cut, preload};

/// The dictionaries that decide where words begin and how characters sound, as
/// `Cargo.toml` pins them. They are part of the version of the rules.
pub const DICTIONARIES: &str = "jieba-rs 0.11.0, pinyin 0.11.0";

/// Whether a character shows nothing and changes how others are shown: a control, or a mark that turns their direction.
#[must_use]
pub fn is_formatting(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
