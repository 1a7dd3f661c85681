//! Whether a text has a word as a word: the boundary check, through the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tingjian::engine::diagnostic::{Located, Position};
use tingjian::engine::rule::RuleSet;
use tingjian::engine::rule::compile::compile;
use tingjian::engine::rule::syntax::{
    Body, Forbid, Hypotheses, Limit, PackSource, PhraseSource, RuleSource, Said, Scope,
};
use tingjian::engine::rule::thresholds::Thresholds;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Channel, Role};

use super::read::{Placed, Word};
use super::report::Counts;
use tingjian::engine::severity::Severity;
use tingjian::engine::text::{Boundary, Homophone};
use tingjian::learning::speech::Bench;

/// How the boundary check fared.
#[derive(Debug, Serialize)]
pub(super) struct Words {
    pub(super) total: usize,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) errors: Vec<WordError>,
}

/// A word that was found where it is none, or was not found.
#[derive(Debug, Serialize)]
pub(super) struct WordError {
    pub(super) at: String,
    pub(super) word: String,
    pub(super) text: String,
    pub(super) is_real_occurrence: bool,
}

/// Forbids each word as a whole word and looks where that fires. Also returns the words that
/// cannot be phrases, ready to print.
pub(super) fn measure(lines: &[Placed<Word>]) -> (Option<Words>, Vec<String>) {
    let mut faults = Vec::new();
    let mut benches: BTreeMap<&str, Option<Bench>> = BTreeMap::new();
    let mut words = Words { total: 0, counts: Counts::default(), errors: Vec::new() };
    for Placed { at, line } in lines {
        let bench = benches.entry(&line.word).or_insert_with(|| match forbid(&line.word) {
            Ok(rules) => Some(Bench { rules: Arc::new(rules), packs: None, channel: Channel::Voice }),
            Err(fault) => {
                faults.push(format!("{at}: {fault}"));
                None
            }
        });
        let Some(bench) = bench else { continue };
        let found = !bench.play(CallTime::ANSWERED, [(Role::Agent, line.text.as_str())].into_iter()).alerts.is_empty();
        words.total += 1;
        words.counts.add(line.is_real_occurrence, found);
        if found != line.is_real_occurrence {
            words.errors.push(WordError {
                at: at.to_string(),
                word: line.word.clone(),
                text: line.text.clone(),
                is_real_occurrence: line.is_real_occurrence,
            });
        }
    }
    ((words.total > 0).then_some(words), faults)
}

/// A rule that forbids one word.
fn forbid(word: &str) -> Result<RuleSet, String> {
    let place = Position::default();
    let phrase = PhraseSource {
        is_act: false,
        text: Located::new(word.to_owned(), place.clone()),
        homophone: Some(Homophone::Off),
        boundary: Some(Boundary::Word),
    };
    let said = Said {
        roles: vec![Role::Agent],
        any: vec![phrase],
        unless: Vec::new(),
        only: Vec::new(),
        homophone: None,
        boundary: None,
    };
    let rule = RuleSource {
        confidence: None,
        shadow: false,
        digest: String::new(),
        id: Located::new(String::from("word"), place.clone()),
        name: word.to_owned(),
        severity: Severity::Warning,
        deduct: 0,
        message: String::new(),
        suggestion: None,
        clauses: Vec::new(),
        from: None,
        until: None,
        scope: Scope::default(),
        when: None,
        limit: Limit::Each,
        hypotheses: Hypotheses::Show,
        grace_ms: 0,
        body: Located::new(Body::Forbid(Forbid { said, at_least: 1, window: None }), place.clone()),
        tests: Vec::new(),
    };
    let pack = PackSource {
        pack: Located::new(String::from("word"), place),
        title: word.to_owned(),
        source: None,
        enabled: true,
        feature: true,
        yields_to: Vec::new(),
        parameters: Vec::new(),
        subjects: Default::default(),
        lists: BTreeMap::new(),
        rules: vec![rule],
    };
    compile(&[pack], None, Thresholds::default(), String::new()).map_err(|faults| {
        let told = faults.iter().map(|fault| format!("{} / {}", fault.zh, fault.en)).collect::<Vec<_>>();
        format!("`{word}` 不能作话术：{}", told.join("；"))
    })
}
