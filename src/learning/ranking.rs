//! How well scores put labelled turns in order.

use std::cmp::Reverse;

/// The mean of the precision at each case, in falling order of scores. Of equal scores cases come
/// last: chance must not flatter. Without a case it is 0.
#[must_use]
pub fn average_precision<S: Ord + Copy>(mut judged: Vec<(S, bool)>) -> f64 {
    judged.sort_by_key(|&(score, case)| (Reverse(score), case));
    let (mut right, mut sum) = (0.0, 0.0);
    for (seen, &(_, case)) in (1_u32..).zip(&judged) {
        if case {
            right += 1.0;
            sum += right / f64::from(seen);
        }
    }
    if right == 0.0 { 0.0 } else { sum / right }
}
