//! A step of a review or an appeal on its way to the store, and what follows
//! once it is kept.

use std::collections::BTreeSet;

use serde_json::json;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::server::domain::principal::Who;
use crate::server::domain::refusal::Refusal;
use crate::server::domain::review::{Action, Appeal, ReviewState, Step, Verdict};
use crate::server::runtime::subscription::Push;
use crate::server::runtime::{Shared, precision};
use crate::server::store::{NewMark, Taken, Target, Untaken};
use crate::server::telemetry::events::{AlertDecided, Happening as _, Reviewed};

/// Takes a step, and tells what follows from it.
pub(crate) async fn take_step(shared: &Shared, target: Target, step: Step, who: Who) -> Result<Taken, Refusal> {
    let mut taken = take_steps(shared, vec![target], step, who).await?;
    taken.pop().unwrap_or(Err(Refusal::UnknownAlert))
}

/// Takes the same step on several alerts, and tells what follows from it; where it is not possible, why not.
pub(crate) async fn take_steps(
    shared: &Shared,
    targets: Vec<Target>,
    step: Step,
    who: Who,
) -> Result<Vec<Result<Taken, Refusal>>, Refusal> {
    let action = step.action;
    let alert_ids: Vec<String> = targets.iter().map(|target| target.alert_id.clone()).collect();
    let appeal_ms = shared.config.review.appeal_ms();
    let courses = shared.journal.review(targets, step, who, appeal_ms).await?;
    let courses = courses.map_err(Refusal::store)?;
    let mut judged = BTreeSet::new();
    for (alert_id, taken) in alert_ids.iter().zip(&courses) {
        let Ok(taken) = taken else { continue };
        tell(shared, action, alert_id, taken);
        if action != Action::Appeal {
            judged.insert(taken.rule_id.clone());
        }
    }
    for rule_id in judged {
        precision::measure(shared, &rule_id).await;
    }
    let refusal = |untaken| match untaken {
        Untaken::Unknown => Refusal::UnknownAlert,
        Untaken::Ambiguous => Refusal::SeveralCalls,
        Untaken::Impossible(impossible) => Refusal::Impossible(impossible),
    };
    Ok(courses.into_iter().map(|taken| taken.map_err(refusal)).collect())
}

/// Keeps a violation that a reviewer marked, and tells its agent.
pub(crate) async fn mark(shared: &Shared, mark: NewMark) -> Result<(), Refusal> {
    let (alert_id, step) = (mark.row.alert_id.clone(), mark.step.clone());
    let (agent_id, rule_id, state, display) =
        (mark.row.agent_id.clone(), mark.row.rule_id.clone(), mark.row.state, mark.row.display);
    match shared.journal.mark(mark).await?.map_err(Refusal::store)? {
        Ok(()) => {}
        Err(Untaken::Impossible(impossible)) => return Err(Refusal::Impossible(impossible)),
        Err(Untaken::Unknown | Untaken::Ambiguous) => return Err(Refusal::NoSuchCall),
    }
    AlertDecided { rule_id: &rule_id, state, display: display.name() }.report(&shared.metrics);
    let standing = ReviewState { verdict: Verdict::Confirmed, appeal: None };
    let (action, steps) = (step.action, vec![step]);
    let taken = Taken { agent_id, rule_id, standing, steps, counts: true, is_told: true };
    tell(shared, action, &alert_id, &taken);
    Ok(())
}

fn tell(shared: &Shared, action: Action, alert_id: &str, taken: &Taken) {
    let (is_appeal, outcome) = match action {
        Action::Confirm => (false, Verdict::Confirmed.name()),
        Action::Dismiss => (false, Verdict::Dismissed.name()),
        Action::Appeal => (true, Appeal::Pending.name()),
        Action::Grant => (true, Appeal::Granted.name()),
        Action::Reject => (true, Appeal::Rejected.name()),
        Action::Undo => (false, "undone"),
        Action::Mark => (false, "marked"),
    };
    Reviewed { rule_id: &taken.rule_id, is_appeal, outcome }.report(&shared.metrics);
    if action != Action::Appeal {
        tell_agent(shared, alert_id, taken);
    }
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
