//! `[supervision]`: the way into a call in progress, and how long a call stays taken; `[[thresholds]]`: figures over all
//! calls that supervisors are told of.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::engine::severity::Severity;
use crate::server::config::recording::{AddressTemplate, PLACES};
use crate::server::config::{SecretSource, critical};

/// A link is followed at once.
const EXPIRES_S: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// A page that is loaded anew, or a network that fails for a moment, gives no call back.
const RELEASE_AFTER_S: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// The parts of an address into a call, beside those of a recording's.
const MONITOR_PLACES: [&str; 10] = {
    let [a, b, c, d, e, f, g, h] = PLACES;
    [a, b, c, d, e, f, g, h, "mode", "supervisor"]
};
/// Ways into a call.
const MODES: [&str; 3] = ["listen", "whisper", "barge"];

/// Thresholds; each is a label of metrics.
pub(crate) const THRESHOLDS_MAX: usize = 50;
/// The name of a threshold.
pub(crate) const THRESHOLD_NAME_CHARS_MAX: usize = 64;
/// The most that a threshold may count to: it remembers as many alerts.
pub(crate) const COUNTED_MAX: u32 = 10_000;
const WITHIN_S: NonZeroU32 = NonZeroU32::new(600).expect("not zero");
/// A longer window is a question for the statistics.
const WITHIN_S_MAX: u32 = 24 * 60 * 60;
const LASTING_S: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
const COOLDOWN_S: NonZeroU32 = NonZeroU32::new(600).expect("not zero");

/// `[supervision]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supervision {
    /// Seconds after which a call is given back whose supervisor has no connection.
    pub release_after_s: NonZeroU32,
    /// The address by which the telephone system lets a supervisor into a call; none: it does not.
    pub monitor_url: Option<MonitorUrl>,
    /// The key that addresses are signed with.
    pub monitor_key: Option<SecretSource>,
    /// Seconds for which an address is good.
    pub monitor_expires_s: NonZeroU32,
    /// The ways in that are offered, where the address has `{mode}`.
    pub monitor_modes: Vec<MonitorMode>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            release_after_s: RELEASE_AFTER_S,
            monitor_url: None,
            monitor_key: None,
            monitor_expires_s: EXPIRES_S,
            monitor_modes: MODES.into_iter().filter_map(MonitorMode::from_name).collect(),
        }
    }
}

/// A way into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "snake_case")]
pub enum MonitorMode {
    /// Nobody hears the supervisor.
    Listen,
    /// The agent hears the supervisor.
    Whisper,
    /// Both hear the supervisor.
    Barge,
}

impl TryFrom<String> for MonitorMode {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        Self::from_name(&name).ok_or("只能是 listen、whisper、barge / must be listen, whisper or barge")
    }
}

impl MonitorMode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Listen, Self::Whisper, Self::Barge].into_iter().find(|mode| mode.name() == name)
    }
}

/// An address with places such as `{call_id}`, `{mode}` and `{supervisor}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MonitorUrl(pub(crate) AddressTemplate);

impl TryFrom<String> for MonitorUrl {
    type Error = String;

    fn try_from(template: String) -> Result<Self, String> {
        AddressTemplate::new(template, &MONITOR_PLACES).map(Self)
    }
}

impl From<MonitorUrl> for String {
    fn from(url: MonitorUrl) -> Self {
        url.0.into()
    }
}

/// What a threshold counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Alerts that were confirmed within the last while and stand.
    Alerts,
    /// Calls in which nobody has spoken for so long.
    Silence,
    /// Calls that have been on hold for so long.
    Hold,
    /// Calls without words from the recogniser for so long.
    Unheard,
    /// Calls in progress.
    Calls,
}

impl Counted {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Silence => "silence",
            Self::Hold => "hold",
            Self::Unheard => "unheard",
            Self::Calls => "calls",
        }
    }
}

/// One of `[[thresholds]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Its name in messages and metrics.
    pub name: String,
    /// What it counts.
    pub count: Counted,
    /// From how many on it is told.
    #[serde(deserialize_with = "counted")]
    pub at_least: NonZeroU32,
    /// Alerts of so many seconds count.
    #[serde(default = "within_s", deserialize_with = "window")]
    pub within_s: NonZeroU32,
    /// A call counts once its silence, its hold, or the lack of its words has lasted so many seconds.
    #[serde(default = "lasting_s")]
    pub lasting_s: NonZeroU32,
    /// Alerts below it do not count.
    #[serde(default = "critical")]
    pub severity_min: Severity,
    /// Only alerts of this rule count.
    #[serde(default)]
    pub rule: Option<String>,
    /// Only alerts of this pack count.
    #[serde(default)]
    pub pack: Option<String>,
    /// Only calls of this queue count.
    #[serde(default)]
    pub queue: Option<String>,
    /// Only calls of agents of this team count.
    #[serde(default)]
    pub team: Option<String>,
    /// Only calls of agents at this site count.
    #[serde(default)]
    pub site: Option<String>,
    /// It is told again after so many seconds at the earliest.
    #[serde(default = "cooldown_s")]
    pub cooldown_s: NonZeroU32,
    /// How grave its message is.
    #[serde(default = "critical")]
    pub severity: Severity,
    /// The webhooks that are told; all that want this severity unless given.
    #[serde(default)]
    pub webhooks: Option<Vec<String>>,
}

const fn within_s() -> NonZeroU32 {
    WITHIN_S
}

const fn lasting_s() -> NonZeroU32 {
    LASTING_S
}

const fn cooldown_s() -> NonZeroU32 {
    COOLDOWN_S
}

fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    below(deserializer, COUNTED_MAX)
}

fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    below(deserializer, WITHIN_S_MAX)
}

fn below<'de, D: Deserializer<'de>>(deserializer: D, max: u32) -> Result<NonZeroU32, D::Error> {
    let number = NonZeroU32::deserialize(deserializer)?;
    if number.get() > max {
        return Err(de::Error::custom(format!("最多 {max} / must be at most {max}")));
    }
    Ok(number)
}
