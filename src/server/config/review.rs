//! `[review]`: how long an agent may appeal, when a rule is reported, and what reviewers mark.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::engine::severity::Severity;
use crate::engine::text::is_formatting;
use crate::server::config::check_person;

/// Days in which an agent may appeal: every rota of a week gives each of them
/// at least one shift to do it in, and a month's marks settle soon after.
const APPEAL_DAYS: NonZeroU32 = NonZeroU32::new(7).expect("not zero");
/// A rule that is wrong more than once in five times costs trust.
const PRECISION_MIN: f64 = 0.8;
/// Below this many reviewed alerts, a precision says little.
const REVIEWED_MIN: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

const CATEGORIES: [&str; 6] = ["态度", "推诿", "承诺", "流程", "信息安全", "其他"];
/// A longer list is no help; each is a label of metrics, too.
const CATEGORIES_MAX: usize = 50;
const CATEGORY_CHARS_MAX: usize = 32;

/// A week's sample is done before the next one comes.
const DUE_DAYS: NonZeroU32 = NonZeroU32::new(7).expect("not zero");
const PLANS_MAX: usize = 32;
const REVIEWERS_MAX: usize = 100;
const TEAMS_MAX: usize = 100;
/// Nobody looks at more in a week.
const SAMPLES_MAX: u32 = 10_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// `[review]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Review {
    /// Days in which an agent may appeal.
    pub appeal_days: NonZeroU32,
    /// A rule of less precision is reported.
    #[serde(deserialize_with = "share")]
    pub precision_min: f64,
    /// Once so many of its alerts were reviewed.
    pub reviewed_min: NonZeroU32,
    /// Kinds of violations that a reviewer may mark where no rule fits.
    #[serde(deserialize_with = "categories")]
    pub categories: Vec<String>,
    /// Points that such a violation costs, by severity.
    pub category_deduct: CategoryDeduct,
    /// What is drawn each week, and for whom.
    #[serde(deserialize_with = "plans")]
    pub plans: Vec<Plan>,
}

/// `[[review.plans]]`: a sample of each week, given to reviewers in turn.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name, for good: a renamed plan is another one.
    pub name: String,
    /// Told alerts a week.
    #[serde(default)]
    pub alerts: u32,
    /// Held alerts a week.
    #[serde(default)]
    pub held: u32,
    /// Whole calls a week.
    #[serde(default)]
    pub calls: u32,
    /// By what the samples are divided.
    #[serde(default)]
    pub by: SampledBy,
    /// Only of agents of these teams; of all, if there are none.
    #[serde(default)]
    pub teams: Vec<String>,
    /// Their names as those of tokens are.
    pub reviewers: Vec<String>,
    /// Days in which they are to be done.
    #[serde(default = "due_days")]
    pub due_days: NonZeroU32,
    /// The share of the alerts that a second reviewer judges without the first verdict.
    #[serde(default)]
    pub second: f64,
    /// The same seed draws the same sample.
    #[serde(default)]
    pub seed: u64,
}

/// By what samples are divided, so that none of them is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SampledBy {
    #[default]
    Rule,
    Severity,
    Agent,
    Team,
    Queue,
}

const fn due_days() -> NonZeroU32 {
    DUE_DAYS
}

/// `[review] category_deduct`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CategoryDeduct {
    pub info: u32,
    pub warning: u32,
    pub critical: u32,
}

impl CategoryDeduct {
    pub(crate) const fn of(self, severity: Severity) -> u32 {
        match severity {
            Severity::Info => self.info,
            Severity::Warning => self.warning,
            Severity::Critical => self.critical,
        }
    }
}

impl Default for CategoryDeduct {
    fn default() -> Self {
        Self { info: 0, warning: 2, critical: 5 }
    }
}

impl Review {
    /// Milliseconds in which an agent may appeal.
    pub(crate) const fn appeal_ms(&self) -> i64 {
        self.appeal_days.get() as i64 * DAY_MS
    }
}

impl Default for Review {
    fn default() -> Self {
        Self {
            appeal_days: APPEAL_DAYS,
            precision_min: PRECISION_MIN,
            reviewed_min: REVIEWED_MIN,
            categories: CATEGORIES.map(str::to_owned).into(),
            category_deduct: CategoryDeduct::default(),
            plans: Vec::new(),
        }
    }
}

fn categories<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let is_name = |name: &String| {
        (1..=CATEGORY_CHARS_MAX).contains(&name.chars().count()) && name.trim() == name && !name.contains(is_formatting)
    };
    if names.len() <= CATEGORIES_MAX && names.iter().all(is_name) {
        return Ok(names);
    }
    Err(de::Error::custom(format!(
        "最多 {CATEGORIES_MAX} 个，每个 1 到 {CATEGORY_CHARS_MAX} 个字 / at most {CATEGORIES_MAX}, each of 1 to {CATEGORY_CHARS_MAX} characters"
    )))
}

fn plans<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Plan>, D::Error> {
    let plans = Vec::<Plan>::deserialize(deserializer)?;
    if plans.len() > PLANS_MAX {
        return Err(de::Error::custom(format!("最多 {PLANS_MAX} 个 / at most {PLANS_MAX}")));
    }
    for (index, plan) in plans.iter().enumerate() {
        let Plan { name, alerts, held, calls, reviewers, second, .. } = plan;
        let fault = if check_person(name).is_err() || plans[..index].iter().any(|other| other.name == *name) {
            Some("name 要有 1 到 64 个字，不能重复 / name has 1 to 64 characters and is used once".to_owned())
        } else if [alerts, held, calls].into_iter().any(|count| *count > SAMPLES_MAX) || alerts + held + calls == 0 {
            Some(format!(
                "alerts、held、calls 至少写一个，每个最多 {SAMPLES_MAX} / give alerts, held or calls, each at most {SAMPLES_MAX}"
            ))
        } else if !(1..=REVIEWERS_MAX).contains(&reviewers.len())
            || reviewers
                .iter()
                .enumerate()
                .any(|(at, name)| check_person(name).is_err() || reviewers[..at].contains(name))
        {
            Some(format!(
                "reviewers 要有 1 到 {REVIEWERS_MAX} 个不同的姓名 / reviewers has 1 to {REVIEWERS_MAX} different names"
            ))
        } else if plan.teams.len() > TEAMS_MAX || plan.teams.iter().any(|team| check_person(team).is_err()) {
            Some(format!("teams 最多 {TEAMS_MAX} 个班组 / teams has at most {TEAMS_MAX} names of teams"))
        } else if !(0.0..=1.0).contains(second) || (*second > 0.0 && reviewers.len() < 2) {
            Some("second 在 0 到 1 之间，大于 0 时至少要有两位 reviewers / second is from 0 to 1, and needs two reviewers if it is more than 0".to_owned())
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(de::Error::custom(format!("plans: {name}: {fault}")));
        }
    }
    Ok(plans)
}

pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(de::Error::custom("必须在 0 到 1 之间 / must be from 0 to 1"))
}
