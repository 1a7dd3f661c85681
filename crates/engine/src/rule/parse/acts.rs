//! The catalogue of acts: `corpus/acts.yaml`, read for the learner.

use std::sync::Arc;

use super::yaml::{self, Content, Node};
use crate::act::{Act, ActKind};
use crate::diagnostic::{Diagnostic, Faults};
use crate::transcript::Role;

/// Reads the catalogue.
///
/// # Errors
/// Every entry that lacks a field, with its place.
pub fn acts(name: &str, text: &str) -> Result<Vec<Act>, Vec<Diagnostic>> {
    let mut faults = Faults::default();
    let loaded = yaml::load(&Arc::from(name), text, &mut faults);
    let mut acts = Vec::new();
    for node in loaded.iter().filter_map(|loaded| field(&loaded.root, "acts")).flat_map(items) {
        match act(node) {
            Some(act) => acts.push(act),
            None => faults.push(
                Diagnostic::error("bad-act", node.at.clone(), "动作写得不全", "this act is incomplete").help(
                    "要有 id、role（agent、customer）、kind（forbidden、required、neutral）、zh、en。",
                    "It needs id, role (agent, customer), kind (forbidden, required, neutral), zh and en.",
                ),
            ),
        }
    }
    if faults.has_error() { Err(faults.finish(|a, b| a.at.cmp(&b.at))) } else { Ok(acts) }
}

fn act(node: &Node) -> Option<Act> {
    let word = |name: &str| field(node, name).and_then(scalar);
    Some(Act {
        id: word("id")?.to_owned(),
        role: match word("role")? {
            "agent" => Role::Agent,
            "customer" => Role::Customer,
            _ => return None,
        },
        kind: match word("kind")? {
            "forbidden" => ActKind::Forbidden,
            "required" => ActKind::Required,
            "neutral" => ActKind::Neutral,
            _ => return None,
        },
        category: word("category").map(str::to_owned),
        zh: word("zh")?.to_owned(),
        en: word("en")?.to_owned(),
    })
}

fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Content::Map(entries) = &node.content else { return None };
    entries.iter().find(|(key, _)| scalar(key) == Some(name)).map(|(_, value)| value)
}

fn items(node: &Node) -> &[Node] {
    match &node.content {
        Content::List(items) => items,
        _ => &[],
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(text, _) => Some(text),
        _ => None,
    }
}
