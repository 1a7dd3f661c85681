//! Phrases that occur by accident where one word ends and another begins.

use std::collections::BTreeMap;

use jieba_rs::Jieba;

/// A word of the dictionary counts as common from this frequency on.
const COMMON: usize = 1_000;

/// Common words by their first and by their last character.
///
/// 和服 occurs in 和服务, because 服务 is a common word that begins with the
/// phrase's end. So, for each of the few characters of a phrase at which a
/// word could begin or end, the common two-character words with it are looked
/// up among the common characters, and jieba is asked how it cuts the phrase
/// prolonged by one of them. That is some thousand look-ups a phrase instead
/// of a walk through half a million words, and jieba's own judgement decides.
pub(super) struct Words {
    jieba: Jieba,
    common: Vec<char>,
    beginning: BTreeMap<char, Vec<(usize, char)>>,
    ending: BTreeMap<char, Vec<(usize, char)>>,
}

impl Words {
    pub(super) fn new() -> Self {
        let jieba = Jieba::new();
        let mut buffer = [0; 4];
        let mut frequent = |c: char| {
            let word = c.encode_utf8(&mut buffer);
            jieba.has_word(word) && jieba.suggest_freq(word) >= COMMON
        };
        let common = ('\u{4e00}'..='\u{9fa5}').filter(|c| frequent(*c)).collect();
        Self { jieba, common, beginning: BTreeMap::new(), ending: BTreeMap::new() }
    }

    /// A prolonged text in which jieba does not see `phrase`, and the common word that is in the way.
    pub(super) fn around(&mut self, phrase: &str) -> Option<(String, String)> {
        let (first, last) = (phrase.chars().next()?, phrase.chars().next_back()?);
        let own = if self.jieba.has_word(phrase) { self.jieba.suggest_freq(phrase) } else { 0 };
        // The phrase itself is the likelier reading where it is the commoner word.
        let likelier = |(frequency, _): &&(usize, char)| *frequency / 4 >= own;
        let after = self.pairs(last, true).iter().filter(likelier).map(|(_, next)| format!("{phrase}{next}"));
        let after: Vec<String> = after.collect();
        for longer in after {
            let cut = self.jieba.cut(&longer, false);
            let word = cut.last().map(|token| token.word).unwrap_or_default();
            if word.len() < longer.len() && word.starts_with(last) && word.chars().count() == 2 {
                return Some((longer.clone(), word.to_owned()));
            }
        }
        let before: Vec<String> =
            self.pairs(first, false).iter().filter(likelier).map(|(_, before)| format!("{before}{phrase}")).collect();
        for longer in before {
            let cut = self.jieba.cut(&longer, false);
            let word = cut.first().map(|token| token.word).unwrap_or_default();
            if word.len() < longer.len() && word.ends_with(first) && word.chars().count() == 2 {
                return Some((longer.clone(), word.to_owned()));
            }
        }
        None
    }

    /// The common two-character words that begin (or end) with `c`: frequency and other character, commonest first.
    fn pairs(&mut self, c: char, begins: bool) -> &[(usize, char)] {
        let (jieba, common) = (&self.jieba, &self.common);
        let cache = if begins { &mut self.beginning } else { &mut self.ending };
        cache.entry(c).or_insert_with(|| {
            let mut pairs: Vec<(usize, char)> = common
                .iter()
                .filter_map(|other| {
                    let word: String = if begins { [c, *other].iter().collect() } else { [*other, c].iter().collect() };
                    let frequency = if jieba.has_word(&word) { jieba.suggest_freq(&word) } else { 0 };
                    (frequency >= COMMON).then_some((frequency, *other))
                })
                .collect();
            pairs.sort_by(|a, b| b.cmp(a));
            pairs
        })
    }
}
