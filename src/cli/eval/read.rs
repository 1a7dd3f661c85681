//! Labelled data, line by line. What a line is, its fields say:
//!
//! - `text`, `is_violation` (`yes`, `no`, `borderline`), maybe `prev_turn` and `role`: one turn,
//!   after the other party's;
//! - `text`, `word`, `is_real_occurrence`: whether the word stands there as a word;
//! - `turns` of `role` and `text`, maybe `dialogue_id`: a dialogue that deserves no alert;
//! - `clause`, `kind` (`violating`, `compliant`), `focus` (utterance ids), `events`: a call written
//!   from a clause, in the events of the wire format;
//! - `ref`, `hyp`: what was said, and what the recogniser made of it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tingjian::engine::transcript::Role;

use super::super::lines::Lines;

/// Where a line stands.
#[derive(Clone, Debug)]
pub(super) struct LinePlace {
    pub(super) file: Arc<str>,
    pub(super) line: u64,
}

impl fmt::Display for LinePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A line and its place.
pub(super) struct Placed<T> {
    pub(super) at: LinePlace,
    pub(super) line: T,
}

/// All that was read.
#[derive(Default)]
pub(super) struct Data {
    pub(super) turns: Vec<Placed<Turn>>,
    pub(super) words: Vec<Placed<Word>>,
    pub(super) dialogues: Vec<Placed<Dialogue>>,
    pub(super) pairs: Vec<Placed<Pair>>,
    pub(super) calls: Vec<Placed<ClauseCall>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Label {
    Yes,
    No,
    Borderline,
}

#[derive(Deserialize)]
pub(super) struct Turn {
    pub(super) text: String,
    pub(super) is_violation: Label,
    pub(super) prev_turn: Option<String>,
    pub(super) agent_prev: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) category: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ClauseCall {
    pub(super) clause: String,
    pub(super) kind: Kind,
    /// The utterances that carry it.
    #[serde(default)]
    pub(super) focus: Vec<String>,
    pub(super) events: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Violating,
    Compliant,
}

#[derive(Deserialize)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) word: String,
    pub(super) is_real_occurrence: bool,
}

#[derive(Deserialize)]
pub(super) struct Dialogue {
    pub(super) dialogue_id: Option<String>,
    pub(super) turns: Vec<Line>,
}

#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) role: Role,
    pub(super) text: String,
}

#[derive(Deserialize)]
pub(super) struct Pair {
    #[serde(rename = "ref")]
    pub(super) said: String,
    #[serde(rename = "hyp")]
    pub(super) heard: String,
}

impl Data {
    /// Reads a file; returns all its faults, ready to print.
    pub(super) fn read(&mut self, path: &Path) -> Vec<String> {
        let mut lines = match Lines::open(path) {
            Ok(lines) => lines,
            Err(fault) => return vec![fault],
        };
        let file: Arc<str> = Arc::from(lines.name());
        let mut faults = Vec::new();
        while let Some(line) = lines.next_line() {
            let value = line.and_then(|text| {
                serde_json::from_str::<Map<String, Value>>(text)
                    .map_err(|error| format!("不是 JSON 对象 / no JSON object: {error}"))
            });
            let at = LinePlace { file: Arc::clone(&file), line: lines.number() };
            if let Err(fault) = value.and_then(|value| self.take(at.clone(), value)) {
                faults.push(format!("{at}: {fault}"));
            }
        }
        faults
    }

    fn take(&mut self, at: LinePlace, value: Map<String, Value>) -> Result<(), String> {
        fn line<T: serde::de::DeserializeOwned>(at: LinePlace, value: Map<String, Value>) -> Result<Placed<T>, String> {
            let line = serde_json::from_value(Value::Object(value))
                .map_err(|error| format!("字段有误 / bad field: {error}"))?;
            Ok(Placed { at, line })
        }
        let has = |name: &str| value.contains_key(name);
        if has("is_violation") {
            self.turns.push(line(at, value)?);
        } else if has("is_real_occurrence") {
            self.words.push(line(at, value)?);
        } else if has("clause") && has("events") {
            self.calls.push(line(at, value)?);
        } else if has("turns") {
            self.dialogues.push(line(at, value)?);
        } else if has("ref") && has("hyp") {
            self.pairs.push(line(at, value)?);
        } else {
            return Err(String::from(
                "看不出是哪种数据；要有 is_violation、is_real_occurrence、turns、clause 和 events，或 ref 和 hyp / unknown kind of line: one of is_violation, is_real_occurrence, turns, clause and events, or ref and hyp is needed",
            ));
        }
        Ok(())
    }
}
