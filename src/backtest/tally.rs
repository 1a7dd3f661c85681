//! The sum over the replayed calls. Tallies may be merged in any order and give the same report:
//! sums are sums, and the examples kept are those of the earliest calls.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{
    AgentDifference, Counts, Example, Examples, PackDifference, Report, RuleDifference, Version, hundredths,
};
use super::{Plan, Recorded, Replayed, replay};
use crate::adapter::alert_json::AlertJson;
use crate::engine::alert::Alert;
use crate::engine::rule::{Rule, RuleSet};
use crate::engine::transcript::Input;
use crate::session::Session;

/// Examples of each sort that are kept for a rule.
const EXAMPLES_MAX: usize = 3;
/// Agents that are listed.
const AGENTS_MAX: usize = 200;
const MS_PER_HOUR: f64 = 3_600_000.0;

/// Where an example stands: its call, its time, its alert.
type Moment = (u64, i64, String);

#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: u64,
    skipped: u64,
    failed: u64,
    said_ms: i64,
    rules: BTreeMap<String, OfRule>,
    agents: BTreeMap<String, OfAgent>,
}

#[derive(Debug, Default)]
struct OfAgent {
    calls: u64,
    counts: Counts,
}

#[derive(Debug, Default)]
struct OfRule {
    counts: Counts,
    gained: Earliest,
    lost: Earliest,
    changed: Earliest,
}

/// A few examples: the earliest of all that were offered.
#[derive(Debug, Default)]
struct Earliest(BTreeMap<Moment, Example>);

impl Earliest {
    /// Keeps what `example` makes, if it is among the earliest.
    fn offer(&mut self, place: Moment, example: impl FnOnce() -> Example) {
        let is_full = self.0.len() >= EXAMPLES_MAX;
        if is_full && self.0.last_key_value().is_some_and(|(last, _)| *last < place) {
            return;
        }
        self.0.insert(place, example());
        if is_full {
            self.0.pop_last();
        }
    }

    fn merge(&mut self, other: Self) {
        for (place, example) in other.0 {
            self.offer(place, || example);
        }
    }

    fn examples(self) -> Vec<Example> {
        self.0.into_values().collect()
    }
}

impl Tally {
    /// Replays one call and counts what comes out.
    pub(super) fn add(&mut self, plan: &Plan, number: u64, call: &Recorded) {
        let (Some(before), Some(after)) =
            (replay(Session::new, &plan.before, call), replay(Session::new, &plan.after, call))
        else {
            self.failed += 1;
            return;
        };
        self.calls += 1;
        self.said_ms = self.said_ms.saturating_add(before.session.said().0.max(0));
        for agent in agents(call) {
            self.agents.entry(agent.to_owned()).or_default().calls += 1;
        }
        let earlier: BTreeMap<&str, &Alert> = by_id(&before);
        let later: BTreeMap<&str, &Alert> = by_id(&after);
        let ids: BTreeSet<&str> = earlier.keys().chain(later.keys()).copied().collect();
        for id in ids {
            let pair = (earlier.get(id).copied(), later.get(id).copied());
            let changed = match pair {
                (Some(was), Some(is)) => changes(was, is),
                _ => Vec::new(),
            };
            let counts = Counts {
                before: u64::from(pair.0.is_some()),
                after: u64::from(pair.1.is_some()),
                gained: u64::from(pair.0.is_none()),
                lost: u64::from(pair.1.is_none()),
                changed: u64::from(!changed.is_empty()),
                ..Counts::default()
            };
            let Some(alert) = pair.1.or(pair.0) else { continue };
            if !is_shadow(plan, &alert.rule) {
                self.agents.entry(alert.agent_id.to_string()).or_default().counts.add(&counts);
            }
            let of_rule = self.rules.entry(alert.rule.id.clone()).or_default();
            of_rule.counts.add(&counts);
            let kept = match pair {
                (None, _) => &mut of_rule.gained,
                (_, None) => &mut of_rule.lost,
                _ if !changed.is_empty() => &mut of_rule.changed,
                _ => continue,
            };
            kept.offer((number, alert.at.0, id.to_owned()), || Example {
                started_at: call.info.started_at.to_rfc3339(),
                changed,
                before: pair.0.map(|alert| masked(&before, alert)),
                after: pair.1.map(|alert| masked(&after, alert)),
            });
        }
    }

    /// Counts a call whose words are no longer kept.
    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.said_ms = self.said_ms.saturating_add(other.said_ms);
        for (agent, other) in other.agents {
            let own = self.agents.entry(agent).or_default();
            own.calls += other.calls;
            own.counts.add(&other.counts);
        }
        for (rule, other) in other.rules {
            let own = self.rules.entry(rule).or_default();
            own.counts.add(&other.counts);
            own.gained.merge(other.gained);
            own.lost.merge(other.lost);
            own.changed.merge(other.changed);
        }
    }

    pub(super) fn report(self, plan: &Plan, partial: bool) -> Report {
        let calls = self.calls;
        let (mut alerts, mut shadow) = (Counts::default(), Counts::default());
        let mut packs: BTreeMap<String, Counts> = BTreeMap::new();
        let mut rules = Vec::new();
        for (rule_id, of_rule) in self.rules {
            let (earlier, later) = (find(&plan.before, &rule_id), find(&plan.after, &rule_id));
            let Some(rule) = later.or(earlier) else { continue };
            let shadowed = is_shadow(plan, rule);
            if shadowed { &mut shadow } else { &mut alerts }.add(&of_rule.counts);
            packs.entry(rule.pack.clone()).or_default().add(&of_rule.counts);
            let OfRule { counts, gained, lost, changed } = of_rule;
            rules.push(RuleDifference {
                rule_name: rule.name.clone(),
                pack: rule.pack.clone(),
                shadow: shadowed,
                in_before: earlier.is_some(),
                in_after: later.is_some(),
                counts: counts.over(calls),
                examples: Examples { gained: gained.examples(), lost: lost.examples(), changed: changed.examples() },
                rule_id,
            });
        }
        let pack = |(pack, counts): (String, Counts)| PackDifference {
            shadow: plan.shadow_packs.contains(&pack),
            pack,
            counts: counts.over(calls),
        };
        let raised = self.agents.into_iter().filter(|(_, agent)| agent.counts != Counts::default());
        let agent =
            |(agent_id, OfAgent { calls, counts })| AgentDifference { agent_id, calls, counts: counts.over(calls) };
        let mut agents: Vec<AgentDifference> = raised.map(agent).collect();
        // Names are in order already, and stay so among equals.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.counts.differences()));
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.counts.differences()));
        let agents_left_out = agents.len().saturating_sub(AGENTS_MAX);
        agents.truncate(AGENTS_MAX);
        Report {
            before: version(&plan.before),
            after: version(&plan.after),
            calls,
            skipped: self.skipped,
            failed: self.failed,
            hours: hundredths(self.said_ms as f64 / MS_PER_HOUR),
            partial,
            broken_lines: 0,
            alerts: alerts.over(calls),
            shadow: shadow.over(calls),
            packs: packs.into_iter().map(pack).collect(),
            rules,
            agents,
            agents_left_out,
        }
    }
}

/// Whether a rule is on trial, by itself or with its pack.
fn is_shadow(plan: &Plan, rule: &Rule) -> bool {
    rule.shadow || plan.shadow_packs.contains(&rule.pack)
}

/// The agents who had the call at some time.
fn agents(call: &Recorded) -> BTreeSet<&str> {
    let later = call.told.iter().filter_map(|told| match &told.input {
        Input::TransferAnswered { agent_id, .. } => agent_id.as_deref(),
        _ => None,
    });
    std::iter::once(call.info.agent_id.as_str()).chain(later).collect()
}

fn by_id(replayed: &Replayed) -> BTreeMap<&str, &Alert> {
    replayed.alerts.iter().map(|alert| (alert.alert_id.as_str(), alert)).collect()
}

fn find<'a>(rules: &'a RuleSet, id: &str) -> Option<&'a Rule> {
    rules.rules.iter().find(|rule| rule.id == id).map(|rule| &**rule)
}

fn version(rules: &RuleSet) -> Version {
    Version { version: rules.version.clone(), rules: rules.rules.len() }
}

/// The fields of an alert that differ between two versions of one occurrence.
fn changes(was: &Alert, is: &Alert) -> Vec<&'static str> {
    let fields = [
        ("message", was.message != is.message),
        ("severity", was.rule.severity != is.rule.severity),
        ("deduct", was.rule.deduct != is.rule.deduct),
        ("at_ms", was.at != is.at),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

/// An alert as others than its agent may see it.
fn masked(replayed: &Replayed, alert: &Alert) -> AlertJson<'static> {
    let json = replayed.session.to_masked_wire(alert).to_json();
    serde_json::from_str(&json).expect("an alert that was written can be read")
}
