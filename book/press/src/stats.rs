//! Medians, intervals and ratios.

use crate::machine::Round;
use crate::model::Estimate;

/// The median; `None` for no values, or for one that is not a finite number.
pub fn median(values: &[f64]) -> Option<f64> {
    let _ = values;
    todo!()
}

/// The chance that the interval that [`interval`] takes over `n` values covers the true median, whatever the
/// distribution: 0.9609 for nine, 0.5 for two, 0 for one.
pub fn coverage(n: usize) -> f64 {
    let _ = n;
    todo!()
}

/// The tightest pair of order statistics that covers the median with at least 95 %, or the smallest and the largest
/// value when there are too few for that.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let _ = values;
    todo!()
}

/// A benchmark's time in ns: the median of the rounds' medians. One round brings criterion's own interval.
pub fn time(rounds: &[Round]) -> Option<Estimate> {
    let _ = rounds;
    todo!()
}

/// time(a) / time(b), taken inside each round. One round brings the quotient of the two intervals' far ends.
pub fn ratio(a: &[Round], b: &[Round]) -> Option<Estimate> {
    let _ = (a, b);
    todo!()
}

/// a / b for two estimates that do not share rounds: as wide as the two intervals allow.
pub fn quotient(a: Estimate, b: Estimate) -> Option<Estimate> {
    let _ = (a, b);
    todo!()
}
