//! A labelled turn of a site as one JSON object, for `tingjian learn` and for Python.

use serde::Deserialize;

use crate::engine::act::Label;
use crate::engine::transcript::{Channel, Role};
use crate::learning::{Row, SITE_CHANNEL};

#[derive(Deserialize)]
struct Labelled {
    text: String,
    #[serde(default)]
    prev_turn: Option<String>,
    #[serde(default)]
    agent_prev: Option<String>,
    is_violation: Violation,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    channel: Option<Channel>,
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

impl Row {
    /// Reads a labelled turn.
    ///
    /// # Errors
    /// What it lacks, in Chinese and English.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let labelled: Labelled = serde_json::from_str(text).map_err(|error| {
            format!("要有 text 和 is_violation（yes、no、borderline） / text and is_violation (yes, no, borderline) are needed: {error}")
        })?;
        let verdict = match labelled.is_violation {
            Violation::Yes => Label::Yes,
            Violation::No => Label::No,
            Violation::Borderline => Label::Unknown,
        };
        let (prev, own_prev) = (labelled.prev_turn.unwrap_or_default(), labelled.agent_prev.unwrap_or_default());
        Ok(Self {
            role: labelled.role.unwrap_or(Role::Agent),
            channel: labelled.channel.unwrap_or(SITE_CHANNEL),
            category: labelled.category.unwrap_or_default(),
            ..Self::of_site(labelled.text, prev, own_prev, verdict)
        })
    }
}
