//! `[confidence]`: how sure the second look must be where a rule does not say.

use serde::{Deserialize, Serialize};

use crate::engine::rule::thresholds::{Thresholds, ten_thousandths};
use crate::server::config::review::share;

/// `[confidence]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Confidence {
    /// For critical rules.
    #[serde(deserialize_with = "share")]
    pub critical: f64,
    /// For rules that warn.
    #[serde(deserialize_with = "share")]
    pub warning: f64,
    /// For rules that inform.
    #[serde(deserialize_with = "share")]
    pub info: f64,
    /// For an act that no phrase bears out, by voice.
    #[serde(deserialize_with = "share")]
    pub act_by_voice: f64,
    /// For an act that no phrase bears out, in chats.
    #[serde(deserialize_with = "share")]
    pub act_in_chat: f64,
}

impl Confidence {
    /// For the engine.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        let Self { critical, warning, info, act_by_voice, act_in_chat } = *self;
        let [critical, warning, info, act_by_voice, act_in_chat] =
            [critical, warning, info, act_by_voice, act_in_chat].map(ten_thousandths);
        Thresholds { critical, warning, info, act_by_voice, act_in_chat }
    }
}

impl Default for Confidence {
    fn default() -> Self {
        let share = |(_, share): (&str, u16)| f64::from(share) / 10_000.0;
        let [critical, warning, info, act_by_voice, act_in_chat] = Thresholds::default().named().map(share);
        Self { critical, warning, info, act_by_voice, act_in_chat }
    }
}
