//! Medians, intervals and ratios.
//!
//! An interval is a pair of order statistics: whatever distribution the rounds come from, it covers
//! the median with a probability that depends only on their number (David and Nagaraja, *Order
//! Statistics*, 3rd ed., section 7.1).

use crate::model::{Estimate, Round};

/// The least probability with which an interval should cover the median.
const CONFIDENCE: f64 = 0.95;

/// Returns the median, or `None` if there are no values or one of them is not finite.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values)?;
    let middle = sorted.len() / 2;
    Some(if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    })
}

/// Returns the probability that [`interval`] over `n` values covers the true median, whatever the
/// distribution: 0.961 for nine values, 0.5 for two, 0 for one.
pub fn coverage(n: usize) -> f64 {
    covers(n, rank(n))
}

/// Returns the tightest pair of order statistics, equally far from both ends, that covers the
/// median with a probability of at least 95 %. Fewer than six values cannot; for these, returns the
/// smallest and the largest.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(values)?;
    let rank = rank(sorted.len());
    Some((sorted[rank - 1], sorted[sorted.len() - rank]))
}

/// Returns the rank, counted from 1, of the order statistic at the interval's lower end.
fn rank(n: usize) -> usize {
    (1..=n.div_ceil(2)).take_while(|&rank| covers(n, rank) >= CONFIDENCE).last().unwrap_or(1)
}

/// Returns the probability that the true median lies between the `rank`-th smallest and the
/// `rank`-th largest of `n` values: each value falls below the median like the toss of a fair coin,
/// and at least `rank` must fall on either side.
fn covers(n: usize, rank: usize) -> f64 {
    let mut term = 0.5f64.powi(n as i32);
    let mut below = 0.0;
    for k in 0..rank {
        below += term;
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    (1.0 - 2.0 * below).max(0.0)
}

/// Returns the median with its interval, or `None` unless all values are finite and above zero.
fn estimate(values: &[f64]) -> Option<Estimate> {
    if !values.iter().all(|&value| usable(value)) {
        return None;
    }
    let (low, high) = interval(values)?;
    Some(Estimate { value: median(values)?, low, high, rounds: values.len() })
}

/// Returns a benchmark's time in ns: the median of the rounds' medians. A single round keeps
/// criterion's own interval. Returns `None` if there is no round, or a time is not a number above
/// zero.
pub fn time(rounds: &[Round]) -> Option<Estimate> {
    if let [only] = rounds {
        return spread(only.median, only.low, only.high, 1);
    }
    estimate(&rounds.iter().map(|round| round.median).collect::<Vec<_>>())
}

/// Returns time(`a`) / time(`b`), taken within each round, so that a machine that slows down for a
/// while slows both. For a single round, or different numbers of rounds, returns the [`quotient`].
pub fn ratio(a: &[Round], b: &[Round]) -> Option<Estimate> {
    if a.len() != b.len() || a.len() == 1 {
        return quotient(time(a)?, time(b)?);
    }
    if !a.iter().chain(b).all(|round| usable(round.median)) {
        return None;
    }
    estimate(&a.iter().zip(b).map(|(a, b)| a.median / b.median).collect::<Vec<_>>())
}

/// Returns `a` / `b` for estimates that share no rounds, with an interval as wide as theirs allow.
pub fn quotient(a: Estimate, b: Estimate) -> Option<Estimate> {
    if ![a.value, a.low, a.high, b.value, b.low, b.high].into_iter().all(usable) {
        return None;
    }
    spread(a.value / b.value, a.low / b.high, a.high / b.low, a.rounds.min(b.rounds))
}

/// Returns an estimate whose interval contains its value.
fn spread(value: f64, low: f64, high: f64, rounds: usize) -> Option<Estimate> {
    [value, low, high].into_iter().all(usable).then(|| Estimate {
        value,
        low: low.min(value),
        high: high.max(value),
        rounds,
    })
}

/// Returns `true` if `value` can be a time or a ratio of times.
fn usable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(medians: &[f64]) -> Vec<Round> {
        medians
            .iter()
            .map(|&median| Round { median, low: median * 0.9, high: median * 1.1 })
            .collect()
    }

    /// A small deterministic generator (Marsaglia's xorshift64*).
    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
        }

        /// Draws from a skewed distribution with a long tail, like times on a busy machine. Its
        /// median is ln 2.
        fn exponential(&mut self) -> f64 {
            -(1.0 - self.uniform()).ln()
        }
    }

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[2.0, 1.0]), Some(1.5));
        assert_eq!(median(&[5.0, 1.0, 4.0, 2.0, 3.0]), Some(3.0));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
        assert_eq!(median(&[1.0, f64::INFINITY]), None);
    }

    #[test]
    fn coverage_is_that_of_the_binomial_distribution() {
        for (n, expected) in [(1, 0.0), (2, 0.5), (5, 0.9375), (6, 0.96875), (9, 0.9609375)] {
            assert_eq!(coverage(n), expected, "{n} rounds");
        }
        for n in 6..200 {
            assert!(coverage(n) >= 0.95, "{n} rounds");
        }
    }

    #[test]
    fn nine_rounds_give_the_second_to_the_eighth() {
        let values: Vec<f64> = (1..=9).rev().map(f64::from).collect();
        assert_eq!(interval(&values), Some((2.0, 8.0)));
        assert_eq!(interval(&values[..5]), Some((5.0, 9.0)), "five: the smallest and the largest");
    }

    #[test]
    fn the_interval_covers_the_median_as_often_as_it_says() {
        let mut random = Random(1);
        for n in [2, 3, 5, 6, 9, 15, 30] {
            let draws = 20_000;
            let covered = (0..draws)
                .filter(|_| {
                    let values: Vec<f64> = (0..n).map(|_| random.exponential()).collect();
                    let (low, high) = interval(&values).unwrap();
                    low <= std::f64::consts::LN_2 && std::f64::consts::LN_2 <= high
                })
                .count();
            let share = covered as f64 / draws as f64;
            // Over 20,000 draws, four standard errors of a share near 0.5, and more near 0.95.
            assert!(
                (share - coverage(n)).abs() < 0.014,
                "{n} rounds: {share} against {}",
                coverage(n)
            );
        }
    }

    #[test]
    fn a_drift_that_hits_both_leaves_the_ratio_alone() {
        let a = rounds(&[200.0, 400.0, 800.0, 300.0, 220.0, 500.0]);
        let b = rounds(&[100.0, 200.0, 400.0, 150.0, 110.0, 250.0]);
        let ratio = ratio(&a, &b).unwrap();
        assert_eq!((ratio.value, ratio.low, ratio.high, ratio.rounds), (2.0, 2.0, 2.0, 6));
        let apart = quotient(time(&a).unwrap(), time(&b).unwrap()).unwrap();
        assert!(apart.low < 1.0 && apart.high > 4.0, "what the rounds are for: {apart:?}");
    }

    #[test]
    fn one_round_keeps_the_far_ends() {
        let ratio = ratio(&rounds(&[200.0]), &rounds(&[100.0])).unwrap();
        assert_eq!(ratio.rounds, 1);
        assert!(
            (ratio.low - 180.0 / 110.0).abs() < 1e-12 && (ratio.high - 220.0 / 90.0).abs() < 1e-12
        );
    }

    #[test]
    fn different_numbers_of_rounds_give_the_quotient() {
        let (a, b) = (rounds(&[200.0, 210.0, 220.0]), rounds(&[100.0, 110.0]));
        let expected = quotient(time(&a).unwrap(), time(&b).unwrap());
        assert_eq!((ratio(&a, &b), ratio(&a, &b).unwrap().rounds), (expected, 2));
    }

    #[test]
    fn values_that_are_no_times_give_no_number() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(time(&rounds(&[bad])), None, "{bad}");
            assert_eq!(time(&rounds(&[1.0, bad, 2.0])), None, "{bad}");
            assert_eq!(ratio(&rounds(&[1.0, 1.0]), &rounds(&[1.0, bad])), None, "{bad}");
            assert_eq!(ratio(&rounds(&[bad]), &rounds(&[1.0])), None, "{bad}");
        }
        assert_eq!(
            ratio(&rounds(&[-2.0, -2.0]), &rounds(&[-1.0, -1.0])),
            None,
            "two wrongs make no ratio"
        );
        assert_eq!(time(&[]), None);
        assert_eq!(ratio(&[], &[]), None);
    }
}
