//! How good a rule is, by what people made of its alerts: precision (准确率).

use crate::server::config::Review;
use crate::server::domain::estimate::wilson;

/// The judgements of QA on the alerts of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Judged {
    pub(crate) reviewed: u64,
    pub(crate) upheld: u64,
}

impl Judged {
    pub(crate) fn precision(self) -> Option<f64> {
        share(self.upheld, self.reviewed)
    }

    /// Whether that is too little, and known well enough.
    pub(crate) fn is_below(self, config: &Review) -> bool {
        self.reviewed >= u64::from(config.reviewed_min.get())
            && self.precision().is_some_and(|precision| precision < config.precision_min)
    }
}

/// How a rule does, and how it did before what decides when it fires was edited last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    pub(crate) now: Judged,
    pub(crate) before: Judged,
}

impl Measured {
    /// Whether it is less precise than before: both are known well enough, and their intervals do not meet.
    pub(crate) fn has_fallen(self, config: &Review) -> bool {
        let is_known = |judged: Judged| judged.reviewed >= u64::from(config.reviewed_min.get());
        let interval = |judged: Judged| judged.precision().map(|share| wilson(share, count(judged.reviewed)));
        match (interval(self.now), interval(self.before)) {
            (Some((_, high)), Some((low, _))) => is_known(self.now) && is_known(self.before) && high < low,
            _ => false,
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "no site has 2^53 alerts")]
const fn count(number: u64) -> f64 {
    number as f64
}

/// `part` of `whole`, rounded to a ten-thousandth.
#[allow(clippy::cast_precision_loss, reason = "no site has 2^53 alerts")]
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_reported_once_enough_was_reviewed() {
        let config = Review { precision_min: 0.8, ..Review::default() };
        for (upheld, reviewed, precision, is_below) in [
            (0, 0, None, false),
            (0, 19, Some(0.0), false),
            (15, 20, Some(0.75), true),
            (16, 20, Some(0.8), false),
            (79, 99, Some(0.798), true),
            (2, 3, Some(0.6667), false),
        ] {
            let judged = Judged { reviewed, upheld };
            assert_eq!((judged.precision(), judged.is_below(&config)), (precision, is_below), "{judged:?}");
        }
    }

    #[test]
    fn a_rule_has_fallen_when_chance_does_not_explain_it() {
        let judged = |upheld, reviewed| Judged { reviewed, upheld };
        for (now, before, has_fallen) in [
            (judged(10, 20), judged(19, 20), true),
            (judged(17, 20), judged(19, 20), false),
            (judged(5, 10), judged(19, 20), false),
            (judged(10, 20), judged(9, 10), false),
            (judged(19, 20), judged(10, 20), false),
            (judged(10, 20), Judged::default(), false),
        ] {
            assert_eq!(Measured { now, before }.has_fallen(&Review::default()), has_fallen, "{now:?} {before:?}");
        }
    }
}
