//! Plays inputs to the engine, and sums up what it said.

use std::collections::BTreeMap;
use std::sync::Arc;

use tingjian::engine::alert::{Alert, AlertState};
use tingjian::engine::call::Call;
use tingjian::engine::rule::RuleSet;
use tingjian::engine::rule::compile::compile;
use tingjian::engine::rule::syntax::PackSource;
use tingjian::engine::rule::thresholds::Thresholds;
use tingjian::engine::time::CallTime;
use tingjian::engine::transcript::{CallInfo, Input};

pub(crate) fn compiled(pack: &PackSource) -> Arc<RuleSet> {
    match compile(std::slice::from_ref(pack), None, Thresholds::default(), String::from("test")) {
        Ok(rules) => Arc::new(rules),
        Err(faults) => panic!("the generated rules are sound, yet: {faults:?}"),
    }
}

/// What a call put out until now.
pub(crate) fn drain(call: &mut Call) -> Vec<Alert> {
    std::iter::from_fn(|| call.poll_output()).collect()
}

/// Everything the engine says of a call, from its beginning to its end.
pub(crate) fn play(rules: &Arc<RuleSet>, info: &CallInfo, arrivals: &[(CallTime, Input)]) -> Vec<Alert> {
    let mut call = Call::new(Arc::clone(rules), info.clone());
    let mut alerts = drain(&mut call);
    for (now, input) in arrivals {
        call.handle(*now, input.clone());
        alerts.extend(drain(&mut call));
    }
    call.finish();
    alerts.extend(drain(&mut call));
    alerts
}

/// The last state of every alert, by id.
pub(crate) fn fold(alerts: &[Alert]) -> BTreeMap<&str, &Alert> {
    alerts.iter().map(|alert| (alert.alert_id.as_str(), alert)).collect()
}

/// What stands in the end: the last states that are `state`, by rule and time.
pub(crate) fn standing(alerts: &[Alert], state: AlertState) -> Vec<(String, i64)> {
    let mut standing: Vec<(String, i64)> = fold(alerts)
        .into_values()
        .filter(|alert| alert.state == state)
        .map(|alert| (alert.rule.id.clone(), alert.at.0))
        .collect();
    standing.sort();
    standing
}
