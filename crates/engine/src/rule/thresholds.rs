//! How sure the second look must be of forbidden words where their rule does not say.

use crate::severity::Severity;
use crate::transcript::Channel;

/// The least confidences of a company, in ten thousandths. Below them an alert is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// For rules of that severity.
    pub critical: u16,
    /// For rules of that severity.
    pub warning: u16,
    /// For rules of that severity.
    pub info: u16,
    /// An act that no phrase bears out needs at least this, by voice.
    pub act_by_voice: u16,
    /// An act that no phrase bears out needs at least this, in chats.
    pub act_in_chat: u16,
}

/// The share that stands for one.
const WHOLE: u16 = 10_000;

/// A share of 0 to 1 in ten thousandths.
#[must_use]
pub fn ten_thousandths(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * f64::from(WHOLE)).round() as u16
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            // A grave matter is worth a look even when it is less sure.
            critical: 2_000,
            warning: 5_000,
            info: 6_000,
            act_by_voice: 8_500,
            // Of typed turns at a centre that taught nothing, two in three above it were right
            // (November 2026, 1 395 turns).
            act_in_chat: 7_500,
        }
    }
}

impl Thresholds {
    /// The least confidence for a rule that does not say.
    #[must_use]
    pub const fn of(&self, severity: Severity) -> u16 {
        match severity {
            Severity::Critical => self.critical,
            Severity::Warning => self.warning,
            Severity::Info => self.info,
        }
    }

    /// The least confidence for an act that no phrase bears out.
    #[must_use]
    pub const fn act_alone(&self, channel: Channel) -> u16 {
        match channel {
            Channel::Voice => self.act_by_voice,
            Channel::Chat => self.act_in_chat,
        }
    }

    /// Each with its name in the configuration, in a fixed order.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u16); 5] {
        [
            ("critical", self.critical),
            ("warning", self.warning),
            ("info", self.info),
            ("act_by_voice", self.act_by_voice),
            ("act_in_chat", self.act_in_chat),
        ]
    }

    /// One a line, as the configuration has them.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.named().map(|(name, share)| format!("{name} = {}\n", f64::from(share) / f64::from(WHOLE))).concat()
    }

    /// Reads what [`to_text`](Self::to_text) writes; a name that is not there keeps what ships.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let share = |name: &str, default: u16| {
            let value = text.lines().filter_map(|line| line.split_once(" = ")).find(|(key, _)| *key == name);
            value.and_then(|(_, share)| share.parse().ok()).map_or(default, ten_thousandths)
        };
        let [critical, warning, info, act_by_voice, act_in_chat] =
            Self::default().named().map(|(name, default)| share(name, default));
        Self { critical, warning, info, act_by_voice, act_in_chat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let strict = Thresholds { info: 10_000, act_in_chat: 0, warning: 3_333, ..Thresholds::default() };
        assert_eq!(Thresholds::from_text(&strict.to_text()), strict);
        assert_eq!(Thresholds::from_text("of = another version\n"), Thresholds::default());
    }
}
