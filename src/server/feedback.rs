//! What agents answer to their alerts: that they saw one, or that it was wrong.

use serde::{Deserialize, Serialize};

use super::Shared;
use super::clock;
use super::events::{FeedbackGiven, Happening as _};
use super::refusal::{ErrorMessage, Refusal};
use super::store::FeedbackRow;

/// A reason is a remark, not a report.
const REASON_CHARS_MAX: usize = 500;

/// What an agent sends.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
    alert_id: String,
    reason: Option<String>,
}

/// What the agent is told once it is kept.
#[derive(Debug, Serialize)]
struct Noted<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    alert_id: &'a str,
    action: &'a str,
}

/// Keeps an agent's answer and returns what to say to it: `noted`, or `error`.
pub(crate) async fn take(shared: &Shared, agent_id: &str, text: &str) -> String {
    match keep(shared, agent_id, text).await {
        Ok(noted) => noted,
        Err(refusal) => ErrorMessage::new(refusal.code(), &refusal.message()).to_json(),
    }
}

/// The same, with the refusal as such.
pub(crate) async fn keep(shared: &Shared, agent_id: &str, text: &str) -> Result<String, Refusal> {
    let invalid = |reason: String| Refusal::InvalidFeedback { reason };
    let answer: Answer = serde_json::from_str(text).map_err(|fault| invalid(fault.to_string()))?;
    let action = match answer.kind.as_str() {
        "seen" => "seen",
        "dismiss" => "dismiss",
        other => {
            let other: String = other.chars().take(40).collect();
            return Err(invalid(format!("type 是「{other}」，只能是 seen 或 dismiss / type must be seen or dismiss")));
        }
    };
    if answer.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(invalid(format!("reason 最多 {REASON_CHARS_MAX} 字 / at most {REASON_CHARS_MAX} characters")));
    }
    let (asked_agent, asked_alert) = (agent_id.to_owned(), answer.alert_id.clone());
    if !shared.ask(move |readers| readers.has_alert(&asked_agent, &asked_alert)).await? {
        return Err(Refusal::UnknownAlert);
    }
    let noted = Noted { kind: "noted", alert_id: &answer.alert_id, action };
    let noted = serde_json::to_string(&noted).expect("strings always serialise");
    let row = FeedbackRow {
        alert_id: answer.alert_id,
        agent_id: agent_id.to_owned(),
        action,
        reason: answer.reason,
        given_ms: clock::unix_ms(),
    };
    let kept = shared.journal.perform(move |writer| writer.keep_feedback(&row)).await?;
    kept.map_err(|error| Refusal::StoreFailed { error: error.to_string() })?;
    FeedbackGiven { action }.report(&shared.metrics);
    Ok(noted)
}
