//! Calls written from a clause: whether its violation is told, and whether a compliant call is left alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tingjian::adapter::native::{self, EventBody};
use tingjian::engine::alert::Alert;
use tingjian::engine::rule::RuleSet;
use tingjian::engine::severity::AlertKind;
use tingjian::session::{Session, last_states};

use super::read::{ClauseCall, Kind, Placed};
use super::report::Fired;

/// How the calls fared.
#[derive(Debug, Default, Serialize)]
pub(super) struct Calls {
    #[serde(flatten)]
    pub(super) counts: Fates,
    pub(super) by_clause: BTreeMap<String, Fates>,
    pub(super) errors: Vec<CallError>,
}

/// How many calls fared how.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Fates {
    pub(super) violating: usize,
    /// Violating calls with an alert that names the clause.
    pub(super) found_by_clause: usize,
    /// Violating calls with such an alert, or with one of another clause that rests on the utterances in focus.
    pub(super) found_at_place: usize,
    pub(super) compliant: usize,
    /// Compliant calls with an alert that names the clause.
    pub(super) told_falsely: usize,
    /// Compliant calls with any alert of something forbidden or missing.
    pub(super) told_anything: usize,
}

/// A violating call whose clause was not told, or a compliant one that was told of.
#[derive(Debug, Serialize)]
pub(super) struct CallError {
    pub(super) at: String,
    pub(super) clause: String,
    pub(super) kind: Kind,
    /// What was told in the call.
    pub(super) fired: Vec<Fired>,
}

impl Fates {
    fn add(&mut self, call: &ClauseCall, alerts: &[Alert]) -> bool {
        let named = alerts.iter().any(|alert| alert.rule.clauses.contains(&call.clause));
        let in_focus = |alert: &Alert| alert.evidence.iter().any(|said| call.focus.contains(&said.utterance_id));
        let is_of_words = |alert: &Alert| matches!(alert.kind, AlertKind::Forbidden | AlertKind::Missing);
        match call.kind {
            Kind::Violating => {
                self.violating += 1;
                self.found_by_clause += usize::from(named);
                self.found_at_place += usize::from(named || alerts.iter().any(in_focus));
                !named
            }
            Kind::Compliant => {
                let anything = alerts.iter().any(is_of_words);
                self.compliant += 1;
                self.told_falsely += usize::from(named);
                self.told_anything += usize::from(anything);
                named || anything
            }
        }
    }
}

/// Plays the calls as `check` does; the faults are of calls whose events cannot be read, ready to print.
pub(super) fn measure(rules: &Arc<RuleSet>, lines: &[Placed<ClauseCall>]) -> (Option<Calls>, Vec<String>) {
    let mut calls = Calls::default();
    let mut faults = Vec::new();
    for Placed { at, line } in lines {
        let alerts = match play(rules, line) {
            Ok(alerts) => alerts,
            Err(fault) => {
                faults.push(format!("{at}: {fault}"));
                continue;
            }
        };
        let is_error = calls.counts.add(line, &alerts);
        calls.by_clause.entry(line.clause.clone()).or_default().add(line, &alerts);
        if is_error {
            calls.errors.push(CallError {
                at: at.to_string(),
                clause: line.clause.clone(),
                kind: line.kind,
                fired: alerts.iter().map(Fired::of).collect(),
            });
        }
    }
    ((!lines.is_empty()).then_some(calls), faults)
}

/// The alerts of a call that stand in the end and are shown.
fn play(rules: &Arc<RuleSet>, call: &ClauseCall) -> Result<Vec<Alert>, String> {
    let mut session: Option<Session> = None;
    let mut transitions = Vec::new();
    for (number, event) in (1..).zip(&call.events) {
        let event = native::parse(&event.to_string()).map_err(|fault| format!("events[{number}]: {fault}"))?;
        match (event.body, &mut session) {
            (EventBody::Start(info), None) => session = Some(Session::new(Arc::clone(rules), *info, &event.number)),
            (EventBody::Start(_), Some(_)) => {}
            (EventBody::Input(input), Some(session)) => session.take(&event.number, input),
            (EventBody::Input(_), None) => {
                return Err(format!(
                    "events[{number}]: 第一个事件要是 call.start / the first event must be call.start"
                ));
            }
        }
        transitions.extend(session.iter_mut().flat_map(|session| std::iter::from_fn(|| session.poll_output())));
    }
    if let Some(session) = &mut session {
        session.finish();
        transitions.extend(std::iter::from_fn(|| session.poll_output()));
    }
    Ok(last_states(transitions))
}
