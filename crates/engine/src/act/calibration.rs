//! From a score to the share of such turns that are what the score is for.

/// A rising line through steps: scores in ten thousandths, shares in ten thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    knots: Vec<(i32, u16)>,
}

/// The share that stands for one.
pub(super) const WHOLE: u16 = 10_000;

/// Steps of a calibration; more would follow chance.
const KNOTS_MAX: usize = 24;

/// Turns behind one step, at least.
const STEP_WEIGHT_MIN: f64 = 12.0;

impl Calibration {
    /// Fits to scores of turns that the model had not seen, each with its weight and whether it was a case.
    ///
    /// Pools adjacent violators (Ayer et al. 1955): the shares never fall as scores rise.
    #[must_use]
    pub fn fit(scored: &[(i32, f64, bool)]) -> Self {
        let mut scored = scored.to_vec();
        scored.sort_by_key(|&(score, _, case)| (score, case));
        // Each block: the sum of scores, cases and weights.
        let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
        for (score, weight, case) in scored {
            let case = if case { weight } else { 0.0 };
            blocks.push((f64::from(score) * weight, case, weight));
            while let [.., before, last] = blocks[..]
                && (before.1 * last.2 >= last.1 * before.2
                    || last.2 < STEP_WEIGHT_MIN && blocks.len() > 2 && before.2 < STEP_WEIGHT_MIN)
            {
                blocks.truncate(blocks.len() - 2);
                blocks.push((before.0 + last.0, before.1 + last.1, before.2 + last.2));
            }
        }
        while blocks.len() > KNOTS_MAX {
            let lightest = (1..blocks.len()).min_by(|&a, &b| {
                let weight = |at: usize| blocks[at - 1].2 + blocks[at].2;
                weight(a).total_cmp(&weight(b)).then(a.cmp(&b))
            });
            let Some(at) = lightest else { break };
            let (score, case, weight) = blocks.remove(at);
            let into = &mut blocks[at - 1];
            *into = (into.0 + score, into.1 + case, into.2 + weight);
        }
        let knot = |&(score, case, weight): &(f64, f64, f64)| {
            // A step never says more than its few cases can bear.
            let share = (case + 0.5) / (weight + 1.0);
            ((score / weight).round() as i32, (share * f64::from(WHOLE)).round() as u16)
        };
        let mut knots: Vec<(i32, u16)> = blocks.iter().map(knot).collect();
        for at in 1..knots.len() {
            knots[at].1 = knots[at].1.max(knots[at - 1].1);
        }
        knots.dedup_by_key(|knot| knot.0);
        Self { knots }
    }

    /// The steps, rising.
    #[must_use]
    pub fn knots(&self) -> &[(i32, u16)] {
        &self.knots
    }

    /// From steps as [`knots`](Self::knots) gives them; `None` if they do not rise.
    #[must_use]
    pub fn from_knots(knots: Vec<(i32, u16)>) -> Option<Self> {
        let rises = knots.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        (rises && knots.iter().all(|knot| knot.1 <= WHOLE)).then_some(Self { knots })
    }

    /// The share at `score`, in ten thousandths; 0 without steps.
    #[must_use]
    pub fn share(&self, score: i32) -> u16 {
        let above = self.knots.partition_point(|&(at, _)| at <= score);
        match (above.checked_sub(1).map(|ix| self.knots[ix]), self.knots.get(above)) {
            (None, None) => 0,
            (Some((_, share)), None) | (None, Some(&(_, share))) => share,
            (Some((from, low)), Some(&(to, high))) => {
                let (part, whole) = (i64::from(score) - i64::from(from), i64::from(to) - i64::from(from));
                let rise = i64::from(high - low) * part / whole;
                low + u16::try_from(rise).unwrap_or(0)
            }
        }
    }
}
