//! The second look by itself: what each threshold of confidence would give, and
//! whether a confidence is the share of violations that it says.

use serde::Serialize;

use tingjian::learning::ranking::average_precision;

/// Figures over labelled turns, each with its confidence.
#[derive(Debug, Serialize)]
pub(super) struct SecondLook {
    /// The mean of the precision at each violation, in falling order of confidence.
    pub(super) average_precision: f64,
    /// The mean square of confidence less label; 0 is best.
    pub(super) brier: f64,
    /// Precision and recall, if all turns from a confidence on were told.
    pub(super) curve: Vec<Point>,
    /// Turns by confidence, a tenth each; tenths without turns are left out.
    pub(super) reliability: Vec<Tenth>,
}

#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) confidence: f64,
    pub(super) told: usize,
    /// `None` if nothing is told.
    pub(super) precision: Option<f64>,
    pub(super) recall: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Tenth {
    /// The lowest confidence of the tenth.
    pub(super) from: f64,
    pub(super) turns: usize,
    pub(super) mean_confidence: f64,
    pub(super) violations: f64,
}

impl SecondLook {
    /// Measures turns by their confidence, in ten thousandths, and whether they are violations.
    pub(super) fn of(judged: &[(u16, bool)]) -> Self {
        let mut falling: Vec<(f64, bool)> =
            judged.iter().map(|&(share, case)| (f64::from(share) / 10_000.0, case)).collect();
        falling.sort_by(|a, b| b.0.total_cmp(&a.0));
        let violations = falling.iter().filter(|turn| turn.1).count();
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let point = |tenths: i32| {
            let confidence = f64::from(tenths) / 10.0;
            let told = falling.iter().take_while(|turn| turn.0 >= confidence).count();
            let right = falling[..told].iter().filter(|turn| turn.1).count();
            Point { confidence, told, precision: share(right, told), recall: share(right, violations) }
        };
        let tenth = |tenths: i32| {
            let of: Vec<&(f64, bool)> =
                falling.iter().filter(|turn| ((turn.0 * 10.0).floor() as i32).min(9) == tenths).collect();
            let sum: f64 = of.iter().map(|turn| turn.0).sum();
            let cases = of.iter().filter(|turn| turn.1).count();
            (!of.is_empty()).then(|| Tenth {
                from: f64::from(tenths) / 10.0,
                turns: of.len(),
                mean_confidence: sum / of.len() as f64,
                violations: cases as f64 / of.len() as f64,
            })
        };
        let squares: f64 = falling.iter().map(|&(share, case)| (share - f64::from(u8::from(case))).powi(2)).sum();
        Self {
            average_precision: average_precision(judged.to_vec()),
            brier: squares / falling.len().max(1) as f64,
            curve: (1..=9).map(point).collect(),
            reliability: (0..10).filter_map(tenth).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_falls_and_a_table_says_what_came_true() {
        let look = SecondLook::of(&[(9_000, true), (9_000, false), (5_500, true), (1_000, false), (500, false)]);
        let at = |confidence: f64| look.curve.iter().find(|point| point.confidence == confidence);
        let high = at(0.9).map(|point| (point.told, point.precision, point.recall));
        assert_eq!(high, Some((2, Some(0.5), Some(0.5))));
        assert_eq!(at(0.5).map(|point| point.recall), Some(Some(1.0)));
        // The violation comes after the harmless turn of equal confidence: 1/2, then 2/3.
        assert!((look.average_precision - (0.5 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
        assert!((look.brier - (0.01 + 0.81 + 0.2025 + 0.01 + 0.0025) / 5.0).abs() < 1e-9);
        let tenths: Vec<(f64, usize, f64)> =
            look.reliability.iter().map(|tenth| (tenth.from, tenth.turns, tenth.violations)).collect();
        assert_eq!(tenths, [(0.0, 1, 0.0), (0.1, 1, 0.0), (0.5, 1, 1.0), (0.9, 2, 0.5)]);
    }
}
