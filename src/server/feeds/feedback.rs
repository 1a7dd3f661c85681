//! Agents' answers to their alerts: `seen`, `dismiss` (it was wrong in the situation) and `appeal`.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::engine::privacy;
use crate::server::clock::{self, wall_time};
use crate::server::domain::principal::{AccessRole, Capacity, Principal, Who};
use crate::server::domain::refusal::{ErrorMessage, Refusal};
use crate::server::domain::review::{Action, REASON_CHARS_MAX, Step, check_reason};
use crate::server::domain::terms::FeedbackAction;
use crate::server::runtime::Shared;
use crate::server::runtime::hands;
use crate::server::runtime::review::take_step;
use crate::server::runtime::subscription::Push;
use crate::server::store::{AnsweredCall, NewFeedback, Target};
use crate::server::telemetry::events::{FeedbackGiven, Happening as _};

/// A message from an agent.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
    alert_id: String,
    reason: Option<String>,
    /// When the call was answered, should the alert's id stand for several.
    started_at: Option<String>,
}

/// An agent read words of a supervisor.
#[derive(Debug, Deserialize)]
struct ReadHelp {
    #[serde(rename = "type")]
    kind: String,
    help_id: String,
}

/// The reply once the answer is stored.
#[derive(Debug, Serialize)]
struct Noted<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    alert_id: &'a str,
    action: &'static str,
}

/// Stores an agent's answer and returns the reply to it: `noted`, or `error`.
pub(crate) async fn take(shared: &Shared, agent_id: &str, principal: &Principal, text: &str) -> String {
    match keep(shared, agent_id, principal, text).await {
        Ok(noted) => noted,
        Err(refusal) => ErrorMessage::new(refusal.code(), &refusal.message()).to_json(),
    }
}

/// Stores an agent's answer; like [`take`], but returns a refusal as such. Nobody answers in
/// another's name.
pub(crate) async fn keep(
    shared: &Shared,
    agent_id: &str,
    principal: &Principal,
    text: &str,
) -> Result<String, Refusal> {
    if !principal.is_agent(agent_id) {
        return Err(Refusal::AgentsOnly);
    }
    let invalid = |reason: String| Refusal::InvalidFeedback { reason };
    if let Ok(ReadHelp { kind, help_id }) = serde_json::from_str(text)
        && kind == "read"
    {
        hands::read(shared, agent_id, &help_id).await?;
        return Ok(json!({"type": "noted", "help_id": help_id, "action": "read"}).to_string());
    }
    let answer: Answer = serde_json::from_str(text).map_err(|fault| invalid(fault.to_string()))?;
    let Some(action) = FeedbackAction::from_name(&answer.kind) else {
        let other: String = answer.kind.chars().take(40).collect();
        return Err(invalid(format!(
            "type 是「{other}」，只能是 seen、dismiss、appeal 或 read / type must be seen, dismiss, appeal or read"
        )));
    };
    if answer.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(invalid(format!("reason 最多 {REASON_CHARS_MAX} 字 / at most {REASON_CHARS_MAX} characters")));
    }
    let noted = Noted { kind: "noted", alert_id: &answer.alert_id, action: action.name() };
    let noted = serde_json::to_string(&noted).expect("strings always serialise");
    if action == FeedbackAction::Appeal {
        appeal(shared, agent_id, answer).await?;
    } else {
        let Answer { alert_id, reason, .. } = answer;
        let reason = reason.map(|reason| privacy::mask(&reason).into_owned());
        let by = principal.name.as_deref().map(str::to_owned);
        let feedback =
            NewFeedback { agent_id: agent_id.to_owned(), alert_id, action, reason, by, given_ms: clock::unix_ms() };
        let kept = shared.journal.keep_feedback(feedback.clone()).await?.map_err(Refusal::store)?;
        tell(shared, &feedback, &kept.ok_or(Refusal::UnknownAlert)?).await;
    }
    FeedbackGiven { action }.report(&shared.metrics);
    Ok(noted)
}

/// Tells who looks on: those who listen to the agent and are not the agent, and those who watch the call.
async fn tell(shared: &Shared, feedback: &NewFeedback, answered: &AnsweredCall) {
    let NewFeedback { agent_id, alert_id, action, reason, given_ms, by } = feedback;
    let AnsweredCall { call_no, call_id, started_at } = answered;
    let told = json!({
        "type": "feedback", "alert_id": alert_id, "call_id": call_id, "started_at": started_at, "agent_id": agent_id,
        "action": action.name(), "reason": reason, "by": by,
        "given_at": wall_time(*given_ms, shared.config.utc_offset),
    });
    let push = Push { text: Utf8Bytes::from(told.to_string()), cursor: None, since: None };
    shared.agents.tell_onlookers(agent_id, &push);
    if let Ok(call) = hands::find(shared, call_id, None).await
        && call.call_no == *call_no
        && let Some(watchers) = &call.watchers
    {
        watchers.publish(&push);
    }
}

async fn appeal(shared: &Shared, agent_id: &str, answer: Answer) -> Result<(), Refusal> {
    let Answer { alert_id, reason, started_at, .. } = answer;
    let reason = check_reason(Action::Appeal, reason).map_err(|reason| Refusal::InvalidFeedback { reason })?;
    let started_ms = match started_at {
        None => None,
        Some(text) => match chrono::DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Some(time.timestamp_millis()),
            Err(_) => {
                let reason = "started_at 应形如 2026-11-21T10:00:00+08:00 / started_at must look like this".to_owned();
                return Err(Refusal::InvalidFeedback { reason });
            }
        },
    };
    let who = Who { name: agent_id.to_owned(), role: Capacity::Person(AccessRole::Agent) };
    let target = Target { alert_id, call_id: None, started_ms, agent_id: Some(agent_id.to_owned()), steps_seen: None };
    let reason = reason.map(|reason| privacy::mask(&reason).into_owned());
    let step = Step { action: Action::Appeal, by: who.name.clone(), role: who.role, reason, at_ms: clock::unix_ms() };
    take_step(shared, target, step, who).await.map(|_| ())
}
