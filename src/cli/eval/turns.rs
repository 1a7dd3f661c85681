//! Turns that are labelled, and dialogues that deserve no alert.

use std::collections::BTreeMap;

use serde::Serialize;
use tingjian::engine::alert::Alert;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::Role;
use tingjian::learning::speech::{Bench, MIDDLE};

use super::read::{Dialogue, Label, Placed, Turn};
use super::report::{Counts, Fired};
use super::second_look::SecondLook;
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
    /// Turns with an alert among a thousand.
    pub(super) alerted_per_1000: f64,
    /// How the violations fared, by the category that the labeller gave them.
    pub(super) by_category: BTreeMap<String, Category>,
    /// What the second look alone makes of the turns; `None` without a model.
    pub(super) second_look: Option<SecondLook>,
    pub(super) errors: Vec<TurnError>,
}

/// Violations of one category.
#[derive(Debug, Default, Serialize)]
pub(super) struct Category {
    pub(super) violations: usize,
    pub(super) found: usize,
    pub(super) borderline: usize,
    pub(super) borderline_alerted: usize,
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
        alerted_per_1000: 0.0,
        by_category: BTreeMap::new(),
        second_look: None,
        errors: Vec::new(),
    };
    let mut alerted_turns = 0;
    let mut judged: Vec<(u16, bool)> = Vec::new();
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
        let played = bench.play(MIDDLE, lines.chain([(role, line.text.as_str())]));
        // The label is about the words of this turn, not about what a call should have had.
        let fired: Vec<Fired> = played
            .alerts
            .iter()
            .filter(|alert| alert.kind == AlertKind::Forbidden)
            .filter(|alert| alert.evidence.iter().any(|evidence| evidence.utterance_id == id))
            .map(Fired::of)
            .collect();
        let alerted = !fired.is_empty();
        alerted_turns += usize::from(alerted);
        let mut category = match (&line.category, line.is_violation) {
            (Some(category), Label::Yes | Label::Borderline) => {
                Some(turns.by_category.entry(category.clone()).or_default())
            }
            _ => None,
        };
        let expected = match line.is_violation {
            Label::Yes => true,
            Label::No => false,
            Label::Borderline => {
                turns.borderline += 1;
                turns.borderline_alerted += usize::from(alerted);
                if let Some(category) = &mut category {
                    category.borderline += 1;
                    category.borderline_alerted += usize::from(alerted);
                }
                continue;
            }
        };
        if let Some(category) = &mut category {
            category.violations += 1;
            category.found += usize::from(alerted);
        }
        judged.extend(played.verdict(&id).map(|share| (share, expected)));
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
    turns.alerted_per_1000 = alerted_turns as f64 * 1_000.0 / turns.total.max(1) as f64;
    turns.second_look = (!judged.is_empty()).then(|| SecondLook::of(&judged));
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
        let played = bench.play(CallTime(1_000), line.turns.iter().map(|turn| (turn.role, turn.text.as_str())));
        for alert in &played.alerts {
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
