//! The report of a backtest, as files and answers have it.

use serde::Serialize;

use crate::adapter::alert_json::AlertJson;

/// The report of a backtest. The order of its lists depends on nothing but the calls and the rules.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// The rules that calls ran on.
    pub before: Version,
    /// The rules that were tried.
    pub after: Version,
    /// Calls that were replayed.
    pub calls: u64,
    /// Calls whose words are no longer kept.
    pub skipped: u64,
    /// Calls in which the engine failed.
    pub failed: u64,
    /// Hours of the calls that were replayed; rounded to hundredths.
    pub hours: f64,
    /// Whether there are calls that were not replayed: it was cancelled, or there are more than allowed.
    pub partial: bool,
    /// Lines of recordings that could not be read.
    pub broken_lines: u64,
    /// Alerts that count, of packs in force.
    pub alerts: Counts,
    /// Alerts of packs on trial.
    pub shadow: Counts,
    /// By pack, by name.
    pub packs: Vec<PackDifference>,
    /// By rule, those with most differences first.
    pub rules: Vec<RuleDifference>,
    /// By the agent who had the call, if there are alerts; those with most differences first.
    pub agents: Vec<AgentDifference>,
    /// Agents that are not listed: those with fewest differences.
    pub agents_left_out: usize,
}

/// A version of the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Version {
    /// Its name.
    pub version: String,
    /// How many rules it has.
    pub rules: usize,
}

/// Final alerts under the earlier and the later rules, and their differences.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// With the rules that calls ran on.
    pub before: u64,
    /// With the rules that were tried.
    pub after: u64,
    /// In the second only.
    pub gained: u64,
    /// In the first only.
    pub lost: u64,
    /// In both, with another message, severity, deduction or time.
    pub changed: u64,
    /// A thousand calls; rounded to hundredths.
    pub before_per_1000_calls: f64,
    /// Alerts per 1000 calls under the new rules.
    pub after_per_1000_calls: f64,
}

/// The differences in a pack's alerts.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PackDifference {
    /// The pack.
    pub pack: String,
    /// Whether it is on trial.
    pub shadow: bool,
    #[serde(flatten)]
    #[allow(missing_docs)]
    pub counts: Counts,
}

/// The differences in a rule's alerts.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct RuleDifference {
    /// The rule.
    pub rule_id: String,
    /// Its name, as the later rules have it if they do.
    pub rule_name: String,
    /// Its pack.
    pub pack: String,
    /// Whether that is on trial.
    pub shadow: bool,
    /// Whether the earlier rules have it.
    pub in_before: bool,
    /// Whether the later rules have it.
    pub in_after: bool,
    #[serde(flatten)]
    #[allow(missing_docs)]
    pub counts: Counts,
    /// A few of each sort: those of the earliest calls.
    pub examples: Examples,
}

/// The differences in an agent's alerts; packs on trial are left out.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AgentDifference {
    /// The agent.
    pub agent_id: String,
    /// Calls that the agent answered or took over; rates are of these.
    pub calls: u64,
    #[serde(flatten)]
    #[allow(missing_docs)]
    pub counts: Counts,
}

/// Examples of differences.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Examples {
    /// In the second only.
    pub gained: Vec<Example>,
    /// In the first only.
    pub lost: Vec<Example>,
    /// In both, and not the same.
    pub changed: Vec<Example>,
}

/// One occurrence, personal data masked.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Example {
    /// When the call was answered.
    pub started_at: String,
    /// The fields that differ: `message`, `severity`, `deduct`, `at_ms`.
    pub changed: Vec<&'static str>,
    /// As it was; null if it is gained.
    #[schema(value_type = Option<AlertJson<'static>>)]
    pub before: Option<AlertJson<'static>>,
    /// As it would be; null if it is lost.
    #[schema(value_type = Option<AlertJson<'static>>)]
    pub after: Option<AlertJson<'static>>,
}

impl Counts {
    /// How many differences there are.
    #[must_use]
    pub const fn differences(&self) -> u64 {
        self.gained + self.lost + self.changed
    }

    /// These counts with their rates over `calls` calls.
    pub(super) fn over(mut self, calls: u64) -> Self {
        let rate = |count: u64| if calls == 0 { 0.0 } else { hundredths(count as f64 * 1_000.0 / calls as f64) };
        self.before_per_1000_calls = rate(self.before);
        self.after_per_1000_calls = rate(self.after);
        self
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.before += other.before;
        self.after += other.after;
        self.gained += other.gained;
        self.lost += other.lost;
        self.changed += other.changed;
    }
}

/// Rounded to two decimals.
pub(super) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Report {
    /// Whether the two rule sets differ on these calls, packs on trial included.
    #[must_use]
    pub const fn differs(&self) -> bool {
        self.alerts.differences() + self.shadow.differences() > 0
    }

    /// The report as one JSON object, on lines of its own.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("strings, numbers and string keys always serialise");
        json.push('\n');
        json
    }

    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        super::html::page(self)
    }
}
