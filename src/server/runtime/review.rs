//! A step of a review or an appeal on its way to the store, and what follows
//! once it is kept.

use serde_json::json;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::domain::principal::Who;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::review::{Action, Appeal, ReviewState, Step, Verdict};
use crate::server::runtime::subscription::Push;
use crate::server::runtime::{Shared, precision};
use crate::server::store::{Taken, Target, Untaken};
use crate::server::telemetry::events::{Happening as _, Reviewed};

/// Takes a step, and tells what follows from it.
pub(crate) async fn take_step(shared: &Shared, target: Target, step: Step, who: Who) -> Result<Taken, Refusal> {
    let (action, alert_id) = (step.action, target.alert_id.clone());
    let appeal_ms = shared.config.review.appeal_ms();
    let taken = shared.journal.review(target, step, who, appeal_ms).await?;
    let taken = match taken {
        Ok(Ok(taken)) => taken,
        Ok(Err(Untaken::Unknown)) => return Err(Refusal::UnknownAlert),
        Ok(Err(Untaken::Ambiguous)) => return Err(Refusal::SeveralCalls),
        Ok(Err(Untaken::Impossible(impossible))) => return Err(Refusal::Impossible(impossible)),
        Err(error) => return Err(Refusal::store(error)),
    };
    let (is_appeal, outcome) = match action {
        Action::Confirm => (false, Verdict::Confirmed.name()),
        Action::Dismiss => (false, Verdict::Dismissed.name()),
        Action::Appeal => (true, Appeal::Pending.name()),
        Action::Grant => (true, Appeal::Granted.name()),
        Action::Reject => (true, Appeal::Rejected.name()),
    };
    Reviewed { rule_id: &taken.rule_id, is_appeal, outcome }.report(&shared.metrics);
    if action != Action::Appeal {
        tell_agent(shared, &alert_id, &taken);
        precision::measure(shared, &taken.rule_id, &taken.rules_version).await;
    }
    Ok(taken)
}

/// Tells the agent, if connected, what became of an alert.
fn tell_agent(shared: &Shared, alert_id: &str, taken: &Taken) {
    if taken.is_told {
        let ReviewState { verdict, appeal } = taken.standing;
        let told = json!({
            "type": "reviewed", "alert_id": alert_id, "verdict": verdict.name(), "appeal": appeal.map(Appeal::name),
        });
        let text = Utf8Bytes::from(told.to_string());
        shared.agents.publish(&taken.agent_id, |_| Push { text: text.clone(), cursor: None, since: None });
    }
}
