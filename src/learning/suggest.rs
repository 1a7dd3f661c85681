//! What would make the rules better by the turns that people judged: words that mark false alarms of a
//! rule, and words that mark violations which no rule tells.
//!
//! Counts runs of Chinese characters; it proposes, a person decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::act::Label;
use crate::engine::rule::RuleSet;
use crate::engine::severity::AlertKind;
use crate::engine::transcript::Role;

use super::Row;
use super::speech::{Bench, MIDDLE};

/// Turns that are looked at; of more than that the first count.
pub const TURNS_MAX: usize = 20_000;

/// Characters of a turn that are looked at.
const CHARS_MAX: usize = 160;

/// Characters of an exception, and of a phrase: shorter ones are nearly everywhere.
const EXCEPTION_CHARS: std::ops::RangeInclusive<usize> = 2..=6;
const PHRASE_CHARS: std::ops::RangeInclusive<usize> = 3..=8;

/// Different turns that must speak for a suggestion.
const SUPPORT_MIN: usize = 2;

/// Of so many turns that speak for a suggestion one may speak against it.
const RIGHT_FOR_ONE_WRONG: usize = 10;

/// Exceptions of one rule, and phrases in all.
const EXCEPTIONS_MAX: usize = 3;
const PHRASES_MAX: usize = 10;

/// What is suggested, and of how many turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// Turns of agents that say whether they are violations.
    pub turns: usize,
    /// Violations among them, and how many of them no rule tells.
    pub violations: usize,
    /// See `violations`.
    pub missed: usize,
    /// Harmless turns that a rule tells.
    pub false_alarms: usize,
    /// One a rule, those with most false alarms first.
    pub exceptions: Vec<Exceptions>,
    /// The most frequent first.
    pub phrases: Vec<Phrase>,
}

/// Words that mark false alarms of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceptions {
    /// The rule.
    pub rule_id: String,
    /// The words, each with the turns that have it.
    pub words: Vec<Phrase>,
    /// Its false alarms: all, and those that the words take away.
    pub dismissed: usize,
    /// See `dismissed`.
    pub removed: usize,
    /// Its alerts that are right: all, and those that the words take away.
    pub upheld: usize,
    /// See `upheld`.
    pub lost: usize,
}

/// Words, and the turns that have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The words.
    pub text: String,
    /// Different turns for which they are meant.
    pub support: usize,
    /// Different turns of the other side.
    pub against: usize,
    /// One of the turns.
    pub example: String,
}

/// Looks for what the rules should leave alone, and for what they miss.
#[must_use]
pub fn suggest(rules: &Arc<RuleSet>, rows: &[Row]) -> Suggestions {
    let mut found = Suggestions::default();
    // The texts of each rule's alerts with the words that they rest on: false alarms, and right ones.
    let mut told: BTreeMap<String, [BTreeMap<&str, String>; 2]> = BTreeMap::new();
    let (mut missed, mut harmless) = (BTreeSet::new(), BTreeSet::new());
    for row in rows.iter().filter(|row| row.role == Role::Agent).take(TURNS_MAX) {
        let is_violation = match row.verdict {
            Label::Yes => true,
            Label::No => false,
            Label::Unknown => continue,
        };
        found.turns += 1;
        found.violations += usize::from(is_violation);
        let mut is_told = false;
        let last = (row.lines().count() - 1).to_string();
        let bench = Bench { rules: Arc::clone(rules), packs: None, channel: row.channel };
        for alert in bench.play(MIDDLE, row.lines()).alerts.iter().filter(|alert| alert.kind == AlertKind::Forbidden) {
            let Some(said) = alert.evidence.iter().find(|said| said.utterance_id == last) else { continue };
            is_told = true;
            let words = said.text.chars().skip(said.start).take(said.end.saturating_sub(said.start)).collect();
            told.entry(alert.rule.id.clone()).or_default()[usize::from(is_violation)].insert(&row.text, words);
        }
        match (is_violation, is_told) {
            (true, false) => drop(missed.insert(row.text.as_str())),
            (false, _) => drop(harmless.insert(row.text.as_str())),
            (true, true) => {}
        }
        found.missed += usize::from(is_violation && !is_told);
        found.false_alarms += usize::from(!is_violation && is_told);
    }
    found.phrases = cover(&missed, &harmless, PHRASE_CHARS, PHRASES_MAX, |_| true);
    for (rule_id, [dismissed, upheld]) in told {
        let of = |texts: &BTreeMap<&'_ str, String>| texts.keys().copied().map(str::to_owned).collect::<BTreeSet<_>>();
        let (wrong, right) = (of(&dismissed), of(&upheld));
        let (wrong, right) = (borrowed(&wrong), borrowed(&right));
        // What the rule rests on excuses nothing.
        let forbidden: Vec<&String> = dismissed.values().chain(upheld.values()).collect();
        let is_apart =
            |words: &str| !forbidden.iter().any(|said| said.contains(words) || words.contains(said.as_str()));
        let words = cover(&wrong, &right, EXCEPTION_CHARS, EXCEPTIONS_MAX, is_apart);
        if words.is_empty() {
            continue;
        }
        let hit = |texts: &BTreeSet<&str>| {
            texts.iter().filter(|text| words.iter().any(|word| text.contains(word.text.as_str()))).count()
        };
        let (removed, lost) = (hit(&wrong), hit(&right));
        let (dismissed, upheld) = (wrong.len(), right.len());
        found.exceptions.push(Exceptions { rule_id, words, dismissed, removed, upheld, lost });
    }
    found.exceptions.sort_by_key(|one| std::cmp::Reverse(one.removed));
    found
}

fn borrowed(texts: &BTreeSet<String>) -> BTreeSet<&str> {
    texts.iter().map(String::as_str).collect()
}

/// The fewest words that most of `wanted` have and nearly none of `others`: at each step those that the
/// most texts have which none had so far, of equal ones the longest.
fn cover(
    wanted: &BTreeSet<&str>,
    others: &BTreeSet<&str>,
    chars: std::ops::RangeInclusive<usize>,
    most: usize,
    fits: impl Fn(&str) -> bool,
) -> Vec<Phrase> {
    let mut texts_of: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let wanted: Vec<&str> = wanted.iter().copied().collect();
    for (at, text) in wanted.iter().enumerate() {
        for run in runs(text, &chars) {
            texts_of.entry(run).or_default().insert(at);
        }
    }
    texts_of.retain(|_, texts| texts.len() >= SUPPORT_MIN);
    let mut against: BTreeMap<&str, usize> = BTreeMap::new();
    for text in others {
        for run in runs(text, &chars) {
            if let Some((known, _)) = texts_of.get_key_value(&run) {
                *against.entry(known).or_insert(0) += 1;
            }
        }
    }
    let against = |words: &str| against.get(words).copied().unwrap_or(0);
    let mut left: Vec<(&String, &BTreeSet<usize>)> = texts_of
        .iter()
        .filter(|(words, texts)| against(words) * RIGHT_FOR_ONE_WRONG <= texts.len() && fits(words))
        .collect();
    let (mut covered, mut chosen) = (BTreeSet::new(), Vec::new());
    while chosen.len() < most {
        let gain = |texts: &BTreeSet<usize>| texts.difference(&covered).count();
        left.retain(|(_, texts)| gain(texts) >= SUPPORT_MIN);
        let best =
            left.iter().max_by_key(|(words, texts)| (gain(texts), words.chars().count(), std::cmp::Reverse(*words)));
        let Some(&(words, texts)) = best else { break };
        let example = texts.iter().next().map_or("", |&at| wanted[at]).to_owned();
        chosen.push(Phrase { text: words.clone(), support: texts.len(), against: against(words), example });
        covered.extend(texts.iter().copied());
    }
    chosen
}

/// The different runs of Chinese characters in a text.
fn runs(text: &str, chars: &std::ops::RangeInclusive<usize>) -> BTreeSet<String> {
    let text: Vec<char> = text.chars().take(CHARS_MAX).collect();
    let mut runs = BTreeSet::new();
    for piece in text.split(|c| !('\u{4e00}'..='\u{9fff}').contains(c)) {
        for length in chars.clone() {
            runs.extend(piece.windows(length).map(|run| run.iter().collect::<String>()));
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rule::load;
    use crate::engine::rule::parse::SourceFile;

    fn row(text: &str, verdict: Label) -> Row {
        Row::of_site(text.to_owned(), String::new(), String::new(), verdict)
    }

    fn rules() -> Arc<RuleSet> {
        let text = "pack: p\ntitle: t\nrules:\n  - { id: p.a, name: 甲, message: 话, forbid: { any: [不知道] } }\n";
        load(&[SourceFile { name: String::from("p.yaml"), text: text.to_owned() }], String::new()).unwrap().rules
    }

    #[test]
    fn false_alarms_give_exceptions_and_misses_give_phrases() {
        let rows = [
            row("不知道您方便接电话吗", Label::No),
            row("我想问不知道您方便说话吗", Label::No),
            row("这个我不知道", Label::Yes),
            row("这个我真的不知道啊", Label::Yes),
            row("你自己去网点办", Label::Yes),
            row("那你就自己去网点吧", Label::Yes),
            row("您可以去网点办理", Label::No),
            row("再说吧", Label::Unknown),
        ];
        let found = suggest(&rules(), &rows);
        assert_eq!((found.turns, found.violations, found.missed, found.false_alarms), (7, 4, 2, 2));
        let [of_rule] = &found.exceptions[..] else { panic!("{found:?}") };
        assert_eq!((of_rule.rule_id.as_str(), of_rule.removed, of_rule.lost), ("p.a", 2, 0));
        assert!(of_rule.words[0].text.contains("您方便"), "{found:?}");
        let [phrase] = &found.phrases[..] else { panic!("{found:?}") };
        assert_eq!((phrase.text.as_str(), phrase.support, phrase.against), ("自己去网点", 2, 0));
    }

    #[test]
    fn one_turn_is_no_reason_and_neither_are_words_that_right_alerts_have() {
        let rows = [
            row("不知道您方便吗", Label::No),
            row("这个不知道您方便吗", Label::Yes),
            row("不知道您方便吗亲", Label::No),
            row("你自己去办", Label::Yes),
        ];
        let found = suggest(&rules(), &rows);
        assert_eq!((found.exceptions.len(), found.phrases.len()), (0, 0), "{found:?}");
        assert_eq!(suggest(&rules(), &[]), Suggestions::default());
    }
}
