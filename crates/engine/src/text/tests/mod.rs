//! Folding and matching as a whole.

mod folding;
mod matching;
mod properties;

use pinyin::ToPinyin as _;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::text::options::{Boundary, Homophone};

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

/// What the pinned dictionaries hold decides verdicts: whoever changes them
/// sees it here, and changes [`DICTIONARIES`], so that the rules get another version.
#[test]
fn the_dictionaries_are_those_that_the_rules_version_names() {
    const GOLDEN: (&str, &str) = ("66ad110b7fda", "您 稍 等 我 帮 您 查 一下 物流 这个 要 不要紧 我 不 知道 情况");
    let lock = include_str!("../../../../../Cargo.lock");
    let locked = ["jieba-rs", "pinyin"].map(|name| {
        let (_, version) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap();
        format!("{name} {}", version.split_once('"').unwrap().0)
    });
    assert_eq!(locked.join(", "), DICTIONARIES);
    let mut readings = Sha256::new();
    for character in '\u{4e00}'..='\u{9fff}' {
        readings.update(character.to_pinyin().map_or("", pinyin::Pinyin::with_tone_num));
        readings.update(",");
    }
    let readings: String = readings.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let jieba = jieba_rs::Jieba::new();
    let words = jieba.cut("您稍等我帮您查一下物流这个要不要紧我不知道情况", true);
    let words: Vec<&str> = words.iter().map(|token| token.word).collect();
    assert_eq!((readings.as_str(), words.join(" ").as_str()), GOLDEN);
}
