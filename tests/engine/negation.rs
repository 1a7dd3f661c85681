//! How far a negation reaches, held to pairs of a sentence and a phrase that people judged.

use std::sync::Arc;

use crate::oracle::generate::info;
use crate::oracle::play::play;
use tingjian::engine::rule::load;
use tingjian::engine::rule::parse::SourceFile;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{Input, Party, Role, Utterance};

/// Whether `negated` holds of `phrase` in `sentence`.
fn is_negated(sentence: &str, phrase: &str) -> bool {
    let text = format!(
        "pack: p\ntitle: t\nrules:\n  - id: r\n    name: n\n    message: m\n    \
         forbid: {{ any: [{phrase}], boundary: anywhere, homophone: off, only: [{{ negated: true }}] }}\n"
    );
    let rules = load(&[SourceFile { name: String::from("r.yaml"), text }], String::from("test")).unwrap().rules;
    let said = Input::Utterance(Utterance {
        utterance_id: String::from("u1"),
        role: Role::Agent,
        text: sentence.to_owned(),
        start: CallTime(1_000),
        end: CallTime(4_000),
        is_final: true,
        confidence: None,
        volume_db: None,
        pitch_hz: None,
        agent_id: None,
    });
    let end = Input::End { at: CallTime(9_000), by: Party::Customer };
    let call = [(said.said_at(), said), (end.said_at(), end)];
    !play(&Arc::clone(&rules), &info(None), &call).is_empty()
}

/// The pairs that are judged otherwise, and how many there are in all.
fn differing(pairs: &str) -> (Vec<String>, usize) {
    let rows: Vec<Vec<&str>> =
        pairs.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    let differing = rows.iter().filter(|row| is_negated(row[1], row[2]) != (row[3] == "yes"));
    (differing.map(|row| row[1..].join(" ")).collect(), rows.len())
}

/// At least `share` of 100 are judged as people judge them.
fn agrees(pairs: &str, share: usize) {
    let (differing, all) = differing(pairs);
    let agreed = all - differing.len();
    assert!(agreed * 100 >= all * share, "{agreed} of {all}:\n{}", differing.join("\n"));
}

#[test]
fn pairs_are_heard_as_people_hear_them() {
    agrees(include_str!("negation/pairs.tsv"), 100);
}

#[test]
fn pairs_kept_apart_are_heard_as_people_hear_them() {
    agrees(include_str!("negation/apart.tsv"), 90);
}
