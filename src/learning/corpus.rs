//! The project's own corpus, as it was built into the binary.

use std::collections::BTreeMap;

use crate::engine::act::{Act, ActId, Label};
use crate::engine::diagnostic::Language;
use crate::engine::rule::parse::{self, SourceFile};
use crate::engine::rule::render::render;
use crate::engine::transcript::{Channel, Role};
use include_dir::{Dir, include_dir};

use super::Row;

static CORPUS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/corpus");

const ACTS: &str = "acts.yaml";

fn text(path: &str) -> Option<&'static str> {
    CORPUS.get_file(path).and_then(include_dir::File::contents_utf8)
}

/// The acts, in the order of their catalogue.
pub(super) fn acts() -> Result<Vec<Act>, Vec<String>> {
    let text = text(ACTS).unwrap_or_default().to_owned();
    parse::acts(ACTS, &text).map_err(|faults| {
        let file = SourceFile { name: ACTS.to_owned(), text };
        vec![render(&faults, &[file], Language::Zh, false)]
    })
}

/// Every turn; where there are labels of a second labeller, what both agree on.
pub(super) fn rows(acts: &[Act]) -> Result<Vec<Row>, Vec<String>> {
    let numbers: BTreeMap<&str, ActId> = acts.iter().map(|act| act.id.as_str()).zip(0..).collect();
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for trade in CORPUS.dirs().filter(|trade| !trade.path().ends_with("labels")) {
        for file in trade.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "tsv")) {
            let name = file.path().with_extension("").display().to_string().replace('/', "-");
            let second = text(&format!("labels/{name}.b.tsv")).map(labels);
            for (number, line) in (1..).zip(file.contents_utf8().unwrap_or_default().lines()).skip(1) {
                match row(line, &numbers, second.as_ref()) {
                    Some(row) => rows.push(row),
                    None => {
                        faults.push(format!("{}:{number}: 行不完整 / this row is incomplete", file.path().display()))
                    }
                }
            }
        }
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// Acts and verdict by id.
fn labels(text: &str) -> BTreeMap<&str, (&str, &str)> {
    let cells = |line| {
        let mut cells = str::split(line, '\t');
        Some((cells.next()?, (cells.next()?, cells.next().unwrap_or_default())))
    };
    text.lines().skip(1).filter_map(cells).collect()
}

fn row(line: &str, numbers: &BTreeMap<&str, ActId>, second: Option<&BTreeMap<&str, (&str, &str)>>) -> Option<Row> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [id, channel, role, prev, own_prev, text, acts, verdict, category, ..] = cells[..] else { return None };
    let named = |names: &str| -> Option<Vec<ActId>> {
        names.split(',').filter(|name| !name.is_empty()).map(|name| numbers.get(name).copied()).collect()
    };
    let label = |verdict| match verdict {
        "yes" => Label::Yes,
        "no" => Label::No,
        _ => Label::Unknown,
    };
    let (mut acts, mut unsure, mut verdict) = (named(acts)?, Vec::new(), label(verdict));
    if let Some(&(other_acts, other_verdict)) = second.and_then(|second| second.get(id)) {
        let other = named(other_acts)?;
        unsure.extend(acts.iter().filter(|act| !other.contains(act)));
        unsure.extend(other.iter().filter(|act| !acts.contains(act)));
        acts.retain(|act| other.contains(act));
        if label(other_verdict) != verdict {
            verdict = Label::Unknown;
        }
    }
    Some(Row {
        role: if role == "agent" { Role::Agent } else { Role::Customer },
        channel: if channel == "chat" { Channel::Chat } else { Channel::Voice },
        prev: prev.to_owned(),
        own_prev: own_prev.to_owned(),
        text: text.to_owned(),
        acts: Some(acts),
        unsure,
        verdict,
        is_of_site: false,
        category: String::new(),
        fault: category.to_owned(),
        found: Vec::new(),
    })
}
