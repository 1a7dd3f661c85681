//! Shares of a whole from a part of it: ratios from stratified samples with honest intervals, and how far two reviewers agree
//! beyond chance.
//!
//! A ratio `Σ w·part / Σ w·whole` weighs each unit by how many it stands for. Its variance is that of the linearised ratio
//! within the strata, with the correction for finite populations; the interval is Wilson's for the number of independent
//! observations that this variance is worth, which is never more than were looked at. So ten of ten found is not 100 % for sure.

use serde::Serialize;
use utoipa::ToSchema;

/// 95 % of a normal distribution are within so many standard deviations.
const NORMAL_95: f64 = 1.96;

/// Some units of a stratum that were looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looked {
    /// How many units the stratum has.
    pub(crate) population: u64,
    /// Of each unit that was looked at: the whole, and the part of it.
    pub(crate) units: Vec<(u32, u32)>,
}

/// A share and the interval in which it lies in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Estimate {
    pub(crate) share: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The share of the parts in the wholes; `None` where there is no whole.
#[allow(clippy::cast_precision_loss, reason = "no sample has 2^53 units")]
pub(crate) fn ratio(strata: &[Looked]) -> Option<Estimate> {
    let strata: Vec<&Looked> = strata.iter().filter(|stratum| !stratum.units.is_empty()).collect();
    let weight =
        |stratum: &Looked| stratum.population.max(stratum.units.len() as u64) as f64 / stratum.units.len() as f64;
    let total = |of: fn(&(u32, u32)) -> u32| -> f64 {
        strata
            .iter()
            .map(|stratum| weight(stratum) * stratum.units.iter().map(|unit| f64::from(of(unit))).sum::<f64>())
            .sum()
    };
    let (whole, part) = (total(|unit| unit.0), total(|unit| unit.1));
    if whole <= 0.0 {
        return None;
    }
    let share = part / whole;
    let mut variance = 0.0;
    for stratum in &strata {
        let (weight, count) = (weight(stratum), stratum.units.len() as f64);
        let residuals =
            || stratum.units.iter().map(|&(whole, part)| weight * (f64::from(part) - share * f64::from(whole)));
        let left_out = 1.0 - 1.0 / weight;
        // A single unit tells nothing of the spread within; its distance from the whole does.
        variance += match stratum.units.len() {
            1 => left_out * residuals().map(|residual| residual * residual).sum::<f64>(),
            _ => {
                let mean = residuals().sum::<f64>() / count;
                left_out * count / (count - 1.0) * residuals().map(|residual| (residual - mean).powi(2)).sum::<f64>()
            }
        };
    }
    let variance = variance / (whole * whole);
    if strata.iter().all(|stratum| stratum.units.len() as u64 >= stratum.population) {
        return Some(Estimate::new(share, share, share));
    }
    let seen: f64 = strata.iter().flat_map(|stratum| &stratum.units).map(|unit| f64::from(unit.0)).sum();
    let weighed: f64 = strata
        .iter()
        .flat_map(|stratum| stratum.units.iter().map(|unit| (weight(stratum) * f64::from(unit.0)).powi(2)))
        .sum();
    // Without spread the weights alone say what the observations are worth.
    let worth = if variance > 0.0 { share * (1.0 - share) / variance } else { whole * whole / weighed };
    let (low, high) = wilson(share, worth.min(seen).max(1.0));
    Some(Estimate::new(share, low, high))
}

impl Estimate {
    fn new(share: f64, low: f64, high: f64) -> Self {
        let round = |value: f64| (value.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0;
        Self { share: round(share), low: round(low), high: round(high) }
    }
}

/// Wilson's interval for a share among `count` independent observations.
fn wilson(share: f64, count: f64) -> (f64, f64) {
    let squared = NORMAL_95 * NORMAL_95;
    let middle = (share + squared / (2.0 * count)) / (1.0 + squared / count);
    let half =
        NORMAL_95 / (1.0 + squared / count) * (share * (1.0 - share) / count + squared / (4.0 * count * count)).sqrt();
    (middle - half, middle + half)
}

/// How two reviewers judged the same alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) both_uphold: u64,
    pub(crate) both_dismiss: u64,
    pub(crate) first_only: u64,
    pub(crate) second_only: u64,
}

/// How far two reviewers agree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Agreement {
    /// Alerts that both judged.
    pub(crate) pairs: u64,
    /// The share of them on which they agree.
    pub(crate) agreement: f64,
    /// Cohen's kappa: 1 is full agreement, 0 as much as chance gives; null where both always say the same.
    pub(crate) kappa: Option<f64>,
}

impl Pairs {
    pub(crate) fn add(&mut self, first: bool, second: bool) {
        let count = match (first, second) {
            (true, true) => &mut self.both_uphold,
            (false, false) => &mut self.both_dismiss,
            (true, false) => &mut self.first_only,
            (false, true) => &mut self.second_only,
        };
        *count += 1;
    }

    /// `None` without pairs.
    #[allow(clippy::cast_precision_loss, reason = "no site has 2^53 alerts")]
    pub(crate) fn agreement(self) -> Option<Agreement> {
        let Self { both_uphold, both_dismiss, first_only, second_only } = self;
        let pairs = both_uphold + both_dismiss + first_only + second_only;
        if pairs == 0 {
            return None;
        }
        let of_all = |count: u64| count as f64 / pairs as f64;
        let agreement = of_all(both_uphold + both_dismiss);
        let (first, second) = (of_all(both_uphold + first_only), of_all(both_uphold + second_only));
        let by_chance = first * second + (1.0 - first) * (1.0 - second);
        let round = |value: f64| (value * 10_000.0).round() / 10_000.0;
        let kappa = (by_chance < 1.0).then(|| round((agreement - by_chance) / (1.0 - by_chance)));
        Some(Agreement { pairs, agreement: round(agreement), kappa })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(population: u64, units: &[(u32, u32)]) -> Looked {
        Looked { population, units: units.to_vec() }
    }

    fn units(count: usize, parts: usize) -> Vec<(u32, u32)> {
        (0..count).map(|at| (1, u32::from(at < parts))).collect()
    }

    #[test]
    fn a_simple_sample_has_the_interval_of_wilson() {
        let Estimate { share, low, high } = ratio(&[looked(1_000_000, &units(100, 80))]).unwrap();
        // Wilson for 80 of 100: 0.7112 to 0.8666; the spread is divided by n - 1, so a little wider.
        assert!(
            (share - 0.8).abs() < 1e-9 && (low - 0.711).abs() < 0.003 && (high - 0.867).abs() < 0.003,
            "{low} {high}"
        );
        let all = ratio(&[looked(1_000, &units(10, 10))]).unwrap();
        assert!(all.share == 1.0 && all.high == 1.0 && (0.70..0.75).contains(&all.low), "{all:?}");
        assert_eq!(
            ratio(&[looked(10, &units(10, 7))]),
            Some(Estimate { share: 0.7, low: 0.7, high: 0.7 }),
            "all were looked at"
        );
        assert_eq!(ratio(&[]), None);
        assert_eq!(ratio(&[looked(5, &[(0, 0), (0, 0)])]), None);
    }

    #[test]
    fn a_stratum_weighs_what_it_stands_for() {
        // 2 of 2 looked at in a large stratum are found, 0 of 2 in a small one: 900 of 1 000.
        let estimate = ratio(&[looked(900, &units(2, 2)), looked(100, &units(2, 0))]).unwrap();
        assert_eq!(estimate.share, 0.9);
        assert!(estimate.low < 0.6, "four observations say little: {estimate:?}");
    }

    /// In so many of 100 draws the truth lies in the interval; it should be 95.
    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        let mut state = 1_u64;
        let mut chance = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        };
        for (found, rates) in [(0.8, [1.5, 0.4]), (0.5, [0.8, 0.8]), (0.95, [2.0, 0.2])] {
            let mut held = 0;
            for _ in 0..1_000 {
                let strata: Vec<Looked> = [(2_000, 30, rates[0]), (6_000, 40, rates[1])]
                    .into_iter()
                    .map(|(population, count, rate)| {
                        let units = (0..count).map(|_| {
                            let whole = (0..4).filter(|_| chance() < rate / 4.0).count() as u32;
                            (whole, (0..whole).filter(|_| chance() < found).count() as u32)
                        });
                        Looked { population, units: units.collect() }
                    })
                    .collect();
                held +=
                    usize::from(ratio(&strata).is_none_or(|estimate| (estimate.low..=estimate.high).contains(&found)));
            }
            assert!((920..=990).contains(&held), "{found}: {held} of 1000");
        }
    }

    #[test]
    fn kappa_is_cohens() {
        let pairs = Pairs { both_uphold: 20, both_dismiss: 15, first_only: 5, second_only: 10 };
        // The example of many textbooks: p_o 0.7, p_e 0.5.
        let told = pairs.agreement().unwrap();
        assert_eq!((told.pairs, told.agreement, told.kappa), (50, 0.7, Some(0.4)));
        let same = Pairs { both_uphold: 3, ..Pairs::default() }.agreement().unwrap();
        assert_eq!((same.agreement, same.kappa), (1.0, None));
        assert_eq!(Pairs::default().agreement(), None);
    }
}
