//! How good a rule is, by what people made of its alerts: precision (准确率).

use crate::server::config::Review;

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
}
