//! Shares of a whole from a part of it: ratios from stratified samples with honest intervals, rates of alerts and how they
//! change, and how far two reviewers agree beyond chance.
//!
//! A ratio `Σ w·part / Σ w·whole` weighs each unit by how many it stands for. Its variance is that of the linearised ratio
//! within the strata, with the correction for finite populations; the interval is Wilson's for the number of independent
//! observations that this variance is worth, which is never more than were looked at. So ten of ten found is not 100 % for sure.
//!
//! A rate has Byar's interval for a Poisson count, of as many independent alerts as the alerts of the calls are worth: alerts
//! come in clusters, so a call with ten is not ten observations. The interval of a difference is put together of those of
//! both rates (MOVER, Zou and Donner 2008), which holds for small counts and for none.

use serde::Serialize;
use utoipa::ToSchema;

/// 95 % of a normal distribution are within so many standard deviations.
const NORMAL_95: f64 = 1.96;

/// The quantile .975 of Student's t by degrees of freedom, from 1 on; beyond 30 the normal quantile serves.
const STUDENT_95: [f64; 30] = [
    12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Fewer numbers say nothing of how they spread.
const SPREAD_MIN: u64 = 3;

/// Numbers put together: their mean, and within what of it the true mean lies in 95 of 100 cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mean {
    count: u64,
    sum: u64,
    squares: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, number: u64) {
        self.count += 1;
        self.sum += number;
        self.squares += number.pow(2);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The mean and its margin in units of `scale`, rounded to hundredths; no margin of fewer than three numbers,
    /// nor of numbers that are all equal.
    #[allow(clippy::cast_precision_loss, reason = "no site has 2^53 points")]
    pub(crate) fn told(&self, scale: f64) -> (f64, Option<f64>) {
        let round = |value: f64| (value / scale * 100.0).round() / 100.0;
        let (count, sum) = (self.count.max(1) as f64, self.sum as f64);
        let squared = self.squares as f64 - sum * sum / count;
        let margin = (self.count >= SPREAD_MIN && squared > 0.0).then(|| {
            let freedom = usize::try_from(self.count - 2).unwrap_or(usize::MAX);
            let quantile = STUDENT_95.get(freedom).copied().unwrap_or(NORMAL_95);
            round(quantile * (squared / (count - 1.0) / count).sqrt())
        });
        (round(sum / count), margin)
    }
}

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
pub(crate) fn wilson(share: f64, count: f64) -> (f64, f64) {
    let squared = NORMAL_95 * NORMAL_95;
    let middle = (share + squared / (2.0 * count)) / (1.0 + squared / count);
    let half =
        NORMAL_95 / (1.0 + squared / count) * (share * (1.0 - share) / count + squared / (4.0 * count * count)).sqrt();
    (middle - half, middle + half)
}

/// Calls and their alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) calls: u64,
    pub(crate) alerts: u64,
    /// The sum over the calls of their alerts squared.
    pub(crate) squares: u64,
}

/// A number of alerts per 100 calls, and the interval in which it lies in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Rate {
    pub(crate) per_100: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// By how much a rate is higher than it was before, and the interval of that. Without 0 in it, it is more than chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Change {
    pub(crate) difference: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Counted {
    /// `None` without calls.
    pub(crate) fn rate(self) -> Option<Rate> {
        let [per_100, low, high] = self.bounds()?.map(tenth);
        Some(Rate { per_100, low, high })
    }

    /// How this rate differs from an earlier one; `None` if one of them has no calls.
    pub(crate) fn change(self, before: Self) -> Option<Change> {
        let ([now, now_low, now_high], [then, then_low, then_high]) = (self.bounds()?, before.bounds()?);
        let difference = now - then;
        let low = difference - (now - now_low).hypot(then_high - then);
        let high = difference + (now_high - now).hypot(then - then_low);
        let [difference, low, high] = [difference, low, high].map(tenth);
        Some(Change { difference, low, high })
    }

    /// The rate and its bounds.
    #[allow(clippy::cast_precision_loss, reason = "no site has 2^53 alerts")]
    fn bounds(self) -> Option<[f64; 3]> {
        let (calls, alerts, squares) = (self.calls as f64, self.alerts as f64, self.squares as f64);
        if self.calls == 0 {
            return None;
        }
        let mean = alerts / calls;
        let variance = (squares - alerts * mean).max(0.0) / (calls - 1.0).max(1.0);
        // How many alerts come together; at least one.
        let cluster = if self.alerts == 0 { 1.0 } else { (variance / mean).max(1.0) };
        let worth = alerts / cluster;
        let per_100 = |count: f64| count * cluster * 100.0 / calls;
        Some([per_100(worth), per_100(byar(worth, -1.0)), per_100(byar(worth + 1.0, 1.0))])
    }
}

/// A bound of Byar's interval for a Poisson count.
fn byar(count: f64, side: f64) -> f64 {
    if count <= 0.0 {
        return 0.0;
    }
    count * (1.0 - 1.0 / (9.0 * count) + side * NORMAL_95 / (3.0 * count.sqrt())).max(0.0).powi(3)
}

/// Rounded as it is shown.
fn tenth(value: f64) -> f64 {
    // Without the sign of a nought.
    (value * 10.0).round() / 10.0 + 0.0
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
    fn a_mean_of_few_numbers_is_as_uncertain_as_it_is() {
        let told = |numbers: &[u64]| {
            let mut mean = Mean::default();
            numbers.iter().for_each(|&number| mean.add(number));
            mean.told(1.0)
        };
        // Student's t with two degrees of freedom: 4.303 · √(1200 / 3).
        assert_eq!(told(&[40, 100, 100]), (80.0, Some(86.06)));
        assert_eq!(
            [told(&[]), told(&[97, 97]), told(&[0, 100]), told(&[97; 9])],
            [(0.0, None), (97.0, None), (50.0, None), (97.0, None)]
        );
        assert_eq!(told(&[[90, 100].as_slice(); 500].concat()), (95.0, Some(0.31)));
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
    fn a_rate_has_the_interval_of_byar_and_a_cluster_counts_once() {
        let single = Counted { calls: 50, alerts: 10, squares: 10 };
        // Byar for 10: 4.78 to 18.39.
        assert_eq!(single.rate(), Some(Rate { per_100: 20.0, low: 9.6, high: 36.8 }));
        let none = Counted { calls: 50, alerts: 0, squares: 0 };
        assert_eq!(none.rate(), Some(Rate { per_100: 0.0, low: 0.0, high: 7.3 }));
        // All ten in one call say much less.
        let clustered = Counted { calls: 50, alerts: 10, squares: 100 }.rate().unwrap();
        assert!(clustered.per_100 == 20.0 && clustered.low < 1.0 && clustered.high > 100.0, "{clustered:?}");
        assert_eq!(Counted::default().rate(), None);
        assert_eq!(single.change(Counted::default()), None);
        let change = single.change(none).unwrap();
        assert!(change.difference == 20.0 && change.low > 0.0 && change.high < 37.0, "{change:?}");
        assert_eq!(none.change(single).unwrap().difference, -20.0);
        let same = single.change(single).unwrap();
        assert!(same.difference == 0.0 && same.low == -same.high, "{same:?}");
    }

    #[test]
    fn changes_hold_the_truth_about_as_often_as_they_say() {
        let mut state = 7_u64;
        let mut chance = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        };
        // Calls of each week, the share of calls with a cluster, and how large clusters are.
        for (calls, shares, sizes) in [(400, [0.1, 0.05], 1), (150, [0.2, 0.3], 4), (60, [0.1, 0.1], 2)] {
            let truth = (shares[0] - shares[1]) * f64::from(1 + sizes) / 2.0 * 100.0;
            let mut held = 0;
            for _ in 0..1_000 {
                let [now, then] = shares.map(|share| {
                    (0..calls).fold(Counted::default(), |sum, _| {
                        let found = if chance() < share { 1 + (chance() * f64::from(sizes)) as u64 } else { 0 };
                        Counted {
                            calls: sum.calls + 1,
                            alerts: sum.alerts + found,
                            squares: sum.squares + found * found,
                        }
                    })
                });
                let change = now.change(then).unwrap();
                held += usize::from((change.low - 0.05..=change.high + 0.05).contains(&truth));
            }
            assert!((925..=990).contains(&held), "{calls} {shares:?}: {held} of 1000");
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
