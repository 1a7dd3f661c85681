//! The site's own labelled turns.

use std::path::Path;

use serde::Deserialize;
use tingjian::engine::act::Label;
use tingjian::engine::transcript::Role;

use super::SITE_CHANNEL;
use super::corpus::Row;
use crate::cli::lines::Lines;

#[derive(Deserialize)]
struct Labelled {
    text: String,
    #[serde(default)]
    prev_turn: Option<String>,
    #[serde(default)]
    agent_prev: Option<String>,
    is_violation: Violation,
    #[serde(default)]
    role: Option<Role>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Violation {
    Yes,
    No,
    Borderline,
}

/// The turns of a file, one JSON object a line.
///
/// # Errors
/// Every line that is none, ready to print.
pub(super) fn rows(path: &Path) -> Result<Vec<Row>, Vec<String>> {
    let mut lines = Lines::open(path).map_err(|fault| vec![fault])?.or_nothing();
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next_line() {
        let labelled = line.and_then(|text| {
            serde_json::from_str::<Labelled>(text).map_err(|error| {
                format!("要有 text 和 is_violation（yes、no、borderline） / text and is_violation (yes, no, borderline) are needed: {error}")
            })
        });
        match labelled {
            Ok(labelled) => rows.push(row(labelled)),
            Err(fault) => faults.push(format!("{}:{}: {fault}", lines.name(), lines.number())),
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

fn row(labelled: Labelled) -> Row {
    Row {
        role: labelled.role.unwrap_or(Role::Agent),
        channel: SITE_CHANNEL,
        prev: labelled.prev_turn.unwrap_or_default(),
        own_prev: labelled.agent_prev.unwrap_or_default(),
        text: labelled.text,
        acts: None,
        unsure: Vec::new(),
        verdict: match labelled.is_violation {
            Violation::Yes => Label::Yes,
            Violation::No => Label::No,
            Violation::Borderline => Label::Unknown,
        },
        is_of_site: true,
        found: Vec::new(),
    }
}
