//! Turns that are labelled, and dialogues that deserve no alert.

use std::collections::BTreeMap;

use serde::Serialize;
use tingjian::engine::alert::Alert;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::Role;

use super::read::{Dialogue, Label, Placed, Turn};
use super::report::{Counts, Fired};
use super::speech::{Bench, MIDDLE};
use tingjian::engine::severity::AlertKind;

/// How forbidden words fared on labelled turns.
#[derive(Debug, Serialize)]
pub(super) struct Turns {
    pub(super) total: usize,
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// Turns that could be taken either way, and how many of them were alerted; not in the counts.
    pub(super) borderline: usize,
    pub(super) borderline_alerted: usize,
    pub(super) errors: Vec<TurnError>,
}

/// A turn that was judged otherwise than labelled.
#[derive(Debug, Serialize)]
pub(super) struct TurnError {
    pub(super) at: String,
    pub(super) text: String,
    pub(super) prev_turn: Option<String>,
    /// The rules that fired on a harmless turn; empty if a violation was missed.
    pub(super) fired: Vec<Fired>,
}

pub(super) fn measure_turns(bench: &Bench, lines: &[Placed<Turn>]) -> Turns {
    let mut turns = Turns {
        total: lines.len(),
        counts: Counts::default(),
        borderline: 0,
        borderline_alerted: 0,
        errors: Vec::new(),
    };
    for Placed { at, line } in lines {
        let role = line.role.unwrap_or(Role::Agent);
        let other = if role == Role::Customer { Role::Agent } else { Role::Customer };
        let said = |role, text: &'_ Option<String>| {
            text.as_deref().filter(|text| !text.is_empty()).map(|text| (role, text.to_owned()))
        };
        let before: Vec<(Role, String)> =
            said(role, &line.agent_prev).into_iter().chain(said(other, &line.prev_turn)).collect();
        let id = before.len().to_string();
        let lines = before.iter().map(|(role, text)| (*role, text.as_str()));
        let alerts = bench.play(MIDDLE, lines.chain([(role, line.text.as_str())]));
        // The label is about the words of this turn, not about what a call should have had.
        let fired: Vec<Fired> = alerts
            .iter()
            .filter(|alert| alert.kind == AlertKind::Forbidden)
            .filter(|alert| alert.evidence.iter().any(|evidence| evidence.utterance_id == id))
            .map(Fired::of)
            .collect();
        let alerted = !fired.is_empty();
        let expected = match line.is_violation {
            Label::Yes => true,
            Label::No => false,
            Label::Borderline => {
                turns.borderline += 1;
                turns.borderline_alerted += usize::from(alerted);
                continue;
            }
        };
        turns.counts.add(expected, alerted);
        if alerted != expected {
            turns.errors.push(TurnError {
                at: at.to_string(),
                text: line.text.clone(),
                prev_turn: line.prev_turn.clone(),
                fired,
            });
        }
    }
    turns
}

/// How all rules fared on dialogues that deserve no alert.
#[derive(Debug, Serialize)]
pub(super) struct Dialogues {
    pub(super) total: usize,
    pub(super) agent_turns: usize,
    pub(super) alerts: usize,
    pub(super) alerts_per_1000_agent_turns: f64,
    /// The counts by kind of alert.
    pub(super) by_kind: BTreeMap<&'static str, usize>,
    pub(super) errors: Vec<DialogueError>,
}

/// A false alert.
#[derive(Debug, Serialize)]
pub(super) struct DialogueError {
    pub(super) at: String,
    pub(super) dialogue_id: Option<String>,
    pub(super) kind: &'static str,
    /// The words it rests on, or what the agent said last before it.
    pub(super) text: Option<String>,
    pub(super) fired: Fired,
}

pub(super) fn measure_dialogues(bench: &Bench, lines: &[Placed<Dialogue>]) -> Dialogues {
    let mut agent_turns = 0;
    let mut by_kind = BTreeMap::new();
    let mut errors = Vec::new();
    for Placed { at, line } in lines {
        agent_turns += line.turns.iter().filter(|turn| turn.role == Role::Agent).count();
        let alerts = bench.play(CallTime(1_000), line.turns.iter().map(|turn| (turn.role, turn.text.as_str())));
        for alert in &alerts {
            let kind = kind_name(alert.kind);
            *by_kind.entry(kind).or_insert(0) += 1;
            errors.push(DialogueError {
                at: at.to_string(),
                dialogue_id: line.dialogue_id.clone(),
                kind,
                text: words(alert),
                fired: Fired::of(alert),
            });
        }
    }
    let alerts = errors.len();
    let alerts_per_1000_agent_turns = alerts as f64 * 1_000.0 / agent_turns.max(1) as f64;
    Dialogues { total: lines.len(), agent_turns, alerts, alerts_per_1000_agent_turns, by_kind, errors }
}

fn words(alert: &Alert) -> Option<String> {
    alert.evidence.first().map(|evidence| evidence.text.clone())
}

/// The name of a kind on the wire.
fn kind_name(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Forbidden => "forbidden",
        AlertKind::Missing => "missing",
        AlertKind::Timing => "timing",
        AlertKind::Order => "order",
        AlertKind::Event => "event",
    }
}
