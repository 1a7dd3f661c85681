//! Agents, teams or queues beside each other: how many alerts they have, how that changed, who is worst and why.
//!
//! Whoever has fewer calls than the minimum is not ranked: a rate of a few calls says little, and comes last.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::server::domain::estimate::{Change, Counted, Rate};

/// With fewer calls nobody is ranked, unless a request says otherwise.
pub(crate) const RANKED_CALLS_MIN: u32 = 10;
/// Rules that explain why somebody is among the worst.
const REASONS_MAX: usize = 3;

/// The sums of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) alerts: Counted,
    /// Critical alerts alone.
    pub(crate) critical: Counted,
    pub(crate) with_alerts: u64,
    pub(crate) deduct: u64,
}

/// The figures of a span.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) alerts: u64,
    pub(crate) critical: u64,
    /// Calls that have such an alert.
    pub(crate) with_alerts: u64,
    /// The points that counting alerts deduct.
    pub(crate) deduct: u64,
    /// Alerts per 100 calls; null without calls.
    pub(crate) rate: Option<Rate>,
    /// Critical alerts per 100 calls.
    pub(crate) critical_rate: Option<Rate>,
}

/// A span and the one before it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Compared {
    pub(crate) now: Figures,
    /// Null where there is no span before.
    pub(crate) before: Option<Figures>,
    /// By how many alerts per 100 calls it is more than before; null if there were no calls in one of the spans, or, of a
    /// line, fewer than the minimum.
    pub(crate) change: Option<Change>,
    /// By how many critical alerts per 100 calls.
    pub(crate) critical_change: Option<Change>,
}

/// An agent, team or queue, with its alerts by rule.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Line {
    /// Null for calls without a team or queue.
    pub(crate) key: Option<String>,
    #[serde(flatten)]
    pub(crate) figures: Compared,
    /// Whether it has calls enough to be ranked.
    pub(crate) ranked: bool,
    /// Alerts by rule; a rule without any has none.
    pub(crate) cells: BTreeMap<String, u64>,
    /// The rules with the most of its alerts.
    pub(crate) reasons: Vec<String>,
}

/// A rule among the alerts.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct RuleLine {
    pub(crate) rule_id: String,
    pub(crate) rule_name: String,
    pub(crate) severity: String,
    #[serde(flatten)]
    pub(crate) figures: Compared,
}

impl From<Tally> for Figures {
    fn from(tally: Tally) -> Self {
        let Tally { alerts, critical, with_alerts, deduct } = tally;
        Self {
            calls: alerts.calls,
            alerts: alerts.alerts,
            critical: critical.alerts,
            with_alerts,
            deduct,
            rate: alerts.rate(),
            critical_rate: critical.rate(),
        }
    }
}

impl Compared {
    pub(crate) fn new(now: Tally, before: Option<Tally>) -> Self {
        let change = |of: fn(Tally) -> Counted| before.and_then(|before| of(now).change(of(before)));
        Self {
            now: now.into(),
            before: before.map(Figures::from),
            change: change(|tally| tally.alerts),
            critical_change: change(|tally| tally.critical),
        }
    }
}

impl Line {
    pub(crate) fn new(
        key: Option<String>,
        now: Tally,
        before: Option<Tally>,
        cells: BTreeMap<String, u64>,
        calls_min: u32,
    ) -> Self {
        let mut most: Vec<(&String, u64)> = cells.iter().map(|(rule, alerts)| (rule, *alerts)).collect();
        most.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let reasons = most.into_iter().take(REASONS_MAX).map(|(rule, _)| rule.clone()).collect();
        let ranked = now.alerts.calls >= u64::from(calls_min).max(1);
        let mut figures = Compared::new(now, before);
        if !ranked || before.is_some_and(|before| before.alerts.calls < u64::from(calls_min)) {
            // The spread of so few calls is not known, so neither is what is more than chance.
            (figures.change, figures.critical_change) = (None, None);
        }
        Self { key, figures, ranked, cells, reasons }
    }

    /// The highest rate first; whoever is not ranked behind, those with the most alerts first.
    pub(crate) fn worse_first(&self, other: &Self) -> Ordering {
        let rate = |line: &Self| line.figures.now.rate.map_or(0.0, |rate| rate.per_100);
        let by_rate = if self.ranked && other.ranked { rate(other).total_cmp(&rate(self)) } else { Ordering::Equal };
        other
            .ranked
            .cmp(&self.ranked)
            .then(by_rate)
            .then_with(|| other.figures.now.alerts.cmp(&self.figures.now.alerts))
            .then_with(|| self.key.cmp(&other.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, calls: u64, alerts: u64) -> Line {
        let alerts = Counted { calls, alerts, squares: alerts };
        let tally = Tally { alerts, ..Tally::default() };
        let cells =
            BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 3), ("c".to_owned(), 3), ("d".to_owned(), 2)]);
        Line::new(Some(key.to_owned()), tally, None, cells, 10)
    }

    #[test]
    fn few_calls_come_last_however_high_their_rate() {
        let mut lines =
            [line("lonely", 1, 5), line("calm", 100, 5), line("busy", 10, 5), line("even", 10, 5), line("no", 0, 9)];
        lines.sort_by(Line::worse_first);
        let keys: Vec<_> = lines.iter().filter_map(|line| line.key.as_deref()).collect();
        assert_eq!(keys, ["busy", "even", "calm", "no", "lonely"]);
        assert_eq!(lines[0].reasons, ["b", "c", "d"]);
    }
}
