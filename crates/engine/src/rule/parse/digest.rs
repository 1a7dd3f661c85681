//! Digests of rules: each names what decides when a rule fires, so that its figures go on when
//! something else is edited.
//!
//! Comments, formatting, the rule's wording, its tests and whether it is on trial are no part of it.
//! The words that packs add to those of persons (`subjects`), the dictionaries and the model are not
//! either: they belong to all rules.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::yaml::{Content, Node};

/// The keys of a rule that do not decide when it fires.
const ASIDE: &[&str] = &["id", "name", "message", "suggestion", "clauses", "deduct", "tests", "reminder", "shadow"];
/// Lists that hold lists: what lies deeper counts by its name only.
const DEPTH_MAX: usize = 32;

/// The digests of the lists of a pack.
#[derive(Debug, Default)]
pub(super) struct Digests(BTreeMap<String, [u8; 32]>);

impl Digests {
    /// Reads the node of `lists`.
    pub(super) fn new(lists: Option<&Node>) -> Self {
        let entries: BTreeMap<&str, &Node> = match lists.map(|lists| &lists.content) {
            Some(Content::Map(entries)) => {
                entries.iter().filter_map(|(key, value)| Some((key.content.as_text()?, value))).collect()
            }
            _ => BTreeMap::new(),
        };
        let mut digests = Self::default();
        for name in entries.keys() {
            digests.add(name, &entries, 0);
        }
        digests
    }

    /// Digests a list behind the lists that it holds.
    fn add(&mut self, name: &str, entries: &BTreeMap<&str, &Node>, depth: usize) {
        if self.0.contains_key(name) || depth > DEPTH_MAX {
            return;
        }
        let Some(list) = entries.get(name) else { return };
        // A list that leads back to itself finds itself here.
        self.0.insert(name.to_owned(), [0; 32]);
        let mut references = Vec::new();
        collect(list, &mut references);
        for reference in references {
            self.add(reference, entries, depth + 1);
        }
        let mut hash = Sha256::new();
        self.write(list, &mut hash);
        self.0.insert(name.to_owned(), hash.finalize().into());
    }

    /// The digest of a rule, as 12 hexadecimal digits.
    pub(super) fn of_rule(&self, rule: &Node) -> String {
        let mut hash = Sha256::new();
        if let Content::Map(entries) = &rule.content {
            let mut entries: Vec<(&str, &Node)> =
                entries.iter().filter_map(|(key, value)| Some((key.content.as_text()?, value))).collect();
            entries.retain(|(key, _)| !ASIDE.contains(key));
            entries.sort_by_key(|(key, _)| *key);
            for (key, value) in entries {
                text(key, &mut hash);
                self.write(value, &mut hash);
            }
        }
        hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn write(&self, node: &Node, hash: &mut Sha256) {
        match &node.content {
            Content::Null | Content::Refused => hash.update([0]),
            Content::Scalar(written, _) => {
                hash.update([1]);
                text(written, hash);
                if let Some(list) = written.strip_prefix('$').and_then(|name| self.0.get(name)) {
                    hash.update(list);
                }
            }
            Content::List(items) => {
                hash.update([2]);
                hash.update((items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| self.write(item, hash));
            }
            Content::Map(entries) => {
                hash.update([3]);
                let mut entries: Vec<(&str, &Node)> =
                    entries.iter().map(|(key, value)| (key.content.as_text().unwrap_or_default(), value)).collect();
                entries.retain(|(key, _)| *key != "reminder");
                entries.sort_by_key(|(key, _)| *key);
                hash.update((entries.len() as u64).to_le_bytes());
                for (key, value) in entries {
                    text(key, hash);
                    self.write(value, hash);
                }
            }
        }
    }
}

fn text(text: &str, hash: &mut Sha256) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

/// The names of the lists that a node refers to.
fn collect<'n>(node: &'n Node, into: &mut Vec<&'n str>) {
    match &node.content {
        Content::Scalar(text, _) => into.extend(text.strip_prefix('$')),
        Content::List(items) => items.iter().for_each(|item| collect(item, into)),
        Content::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, into)),
        Content::Null | Content::Refused => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::parse::{SourceFile, parse};

    const RULES: &str = "pack: t\ntitle: t\nlists:\n  inner: [甲乙]\n  outer: [$inner, 丙丁]\n  other: [戊己]\nrules:\n  - id: t.a\n    name: a\n    deduct: 1\n    forbid: { any: [$outer, 不知道] }\n    message: m\n    tests: [{ fires: 不知道 }]\n  - id: t.b\n    name: b\n    forbid: { any: [不清楚] }\n    message: m\n";

    fn digests(text: &str) -> Vec<String> {
        let (packs, _) = parse(&[SourceFile { name: "t.yaml".to_owned(), text: text.to_owned() }]);
        packs[0].rules.iter().map(|rule| rule.digest.clone()).collect()
    }

    #[test]
    fn a_digest_changes_with_what_decides_and_with_nothing_else() {
        let before = digests(RULES);
        for (from, to, changed) in [
            ("name: a", "name: 别名 # 注", [false, false]),
            ("message: m", "message: n\n    shadow: true", [false, false]),
            ("deduct: 1", "deduct: 2", [false, false]),
            ("{ fires: 不知道 }", "{ fires: 我不知道 }", [false, false]),
            ("戊己", "庚辛", [false, false]),
            ("{ any: [$outer, 不知道] }", "\n      any:\n        - $outer\n        - '不知道'", [false, false]),
            ("甲乙", "甲丙", [true, false]),
            ("不知道]", "不晓得]", [true, false]),
            ("deduct: 1", "severity: critical", [true, false]),
            ("不清楚", "不明白", [false, true]),
        ] {
            let after = digests(&RULES.replacen(from, to, 1));
            assert_eq!([before[0] != after[0], before[1] != after[1]], changed, "{from} → {to}");
        }
    }
}
