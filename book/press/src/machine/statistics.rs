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

/// The rounds of a time, or of two whose difference counts.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The rounds of the time, or of the one that is reduced.
    pub time: &'a [Round],
    /// The rounds of the time that is taken off.
    pub less: Option<&'a [Round]>,
}

/// The quotient of two series, taken within each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quotient {
    /// Its median with the interval.
    Of(Estimate),
    /// There is none: the divisor is not above zero in this number of rounds.
    NotAbove(usize),
}

impl Series<'_> {
    /// Returns the number of rounds; `None` if the two times differ in it.
    fn rounds(&self) -> Option<usize> {
        let n = self.time.len();
        self.less.is_none_or(|less| less.len() == n).then_some(n)
    }

    /// Returns `true` if every round is a time.
    fn is_usable(&self) -> bool {
        self.time
            .iter()
            .chain(self.less.into_iter().flatten())
            .all(|round| [round.median, round.low, round.high].into_iter().all(usable))
    }

    /// Returns the value in one round between the least and the largest that it may be, if each
    /// time may be off by `factor`. A single round adds criterion's own intervals.
    fn at(&self, round: usize, factor: f64) -> [f64; 3] {
        let alone = self.time.len() == 1;
        let ends = |of: &Round| {
            let (low, high) = if alone { (of.low, of.high) } else { (of.median, of.median) };
            [low.min(of.median) / factor, of.median, high.max(of.median) * factor]
        };
        let [low, value, high] = ends(&self.time[round]);
        let Some(less) = self.less else { return [low, value, high] };
        let [least, off, most] = ends(&less[round]);
        [low - most, value - off, high - least]
    }
}

/// Returns the time of `a` less the time of `b`, taken within each round. A single round has an
/// interval as wide as criterion's allow.
pub fn difference(a: &[Round], b: &[Round]) -> Option<Estimate> {
    let series = Series { time: a, less: Some(b) };
    let rounds = series.rounds().filter(|_| series.is_usable())?;
    let values: Vec<[f64; 3]> = (0..rounds).map(|round| series.at(round, 1.0)).collect();
    widest(&values)
}

/// Returns `over` / `under`, taken within each round. Returns `None` if there are no rounds, not
/// the same number of each, or times that are not numbers above zero.
pub fn within_rounds(over: Series<'_>, under: Series<'_>) -> Option<Quotient> {
    quotients(over, under, 1.0, widest)
}

/// Does the same, with the least and the largest that the median may be if the ratio of any two
/// times is off by `factor` in every round, instead of the interval.
pub fn off_by(over: Series<'_>, under: Series<'_>, factor: f64) -> Option<Quotient> {
    quotients(over, under, factor, |values| {
        let column = |i: usize| median(&values.iter().map(|value| value[i]).collect::<Vec<f64>>());
        let (low, value, high) = (column(0)?, column(1)?, column(2)?);
        Some(Estimate { value, low, high, rounds: values.len() })
    })
}

/// Returns the summary of the quotients of all rounds: each with the least and the largest that it
/// may be if the ratio of any two times is off by `factor`.
fn quotients(
    over: Series<'_>,
    under: Series<'_>,
    factor: f64,
    summary: impl Fn(&[[f64; 3]]) -> Option<Estimate>,
) -> Option<Quotient> {
    let rounds = over.rounds().filter(|&n| under.rounds() == Some(n))?;
    if !over.is_usable() || !under.is_usable() {
        return None;
    }
    // The error of a ratio is shared by its two times.
    let each = factor.sqrt();
    let values: Vec<([f64; 3], [f64; 3])> =
        (0..rounds).map(|round| (over.at(round, each), under.at(round, each))).collect();
    let not_above = values.iter().filter(|(_, [low, ..])| *low <= 0.0).count();
    if not_above > 0 {
        return Some(Quotient::NotAbove(not_above));
    }
    let quotient = |([a, b, c], [low, value, high]): ([f64; 3], [f64; 3])| {
        let least = if a < 0.0 { a / low } else { a / high };
        let most = if c < 0.0 { c / high } else { c / low };
        [least, b / value, most]
    };
    summary(&values.into_iter().map(quotient).collect::<Vec<_>>()).map(Quotient::Of)
}

/// Returns the median of the values, each between its least and its largest, with an interval that
/// reaches from the interval of the least to that of the largest.
fn widest(values: &[[f64; 3]]) -> Option<Estimate> {
    let column = |i: usize| values.iter().map(|value| value[i]).collect::<Vec<f64>>();
    let (low, _) = interval(&column(0))?;
    let (_, high) = interval(&column(2))?;
    Some(Estimate { value: median(&column(1))?, low, high, rounds: values.len() })
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
        medians.iter().map(|&median| Round::new(median, median * 0.9, median * 1.1)).collect()
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

    fn series<'a>(time: &'a [Round], less: Option<&'a [Round]>) -> Series<'a> {
        Series { time, less }
    }

    #[test]
    fn a_difference_is_taken_within_each_round() {
        // The machine slows down by half in every other round, the difference with it.
        let (a, b) = (rounds(&[30.0, 45.0, 30.0, 45.0]), rounds(&[10.0, 15.0, 10.0, 15.0]));
        let found = difference(&a, &b).unwrap();
        assert_eq!((found.value, found.low, found.high, found.rounds), (25.0, 20.0, 30.0, 4));
        let share = within_rounds(series(&a, Some(&b)), series(&b, None));
        let always = Estimate { value: 2.0, low: 2.0, high: 2.0, rounds: 4 };
        assert_eq!(share, Some(Quotient::Of(always)), "slowness of both is no difference");
        assert_eq!(difference(&b, &a).unwrap().value, -25.0, "what costs less has a sign");
        assert_eq!(difference(&a, &b[..3]), None, "rounds that do not belong together");
        assert_eq!(difference(&[], &[]), None);
        assert_eq!(difference(&rounds(&[0.0, 1.0]), &rounds(&[1.0, 1.0])), None, "no time");
    }

    #[test]
    fn a_single_round_differs_by_what_its_intervals_allow() {
        let (a, b) = (rounds(&[30.0]), rounds(&[10.0]));
        let found = difference(&a, &b).unwrap();
        assert_eq!((found.value, found.low, found.high), (20.0, 27.0 - 11.0, 33.0 - 9.0));
        let Some(Quotient::Of(share)) = within_rounds(series(&a, Some(&b)), series(&b, None))
        else {
            panic!("no quotient")
        };
        assert_eq!((share.value, share.low, share.high), (2.0, 16.0 / 11.0, 24.0 / 9.0));
    }

    #[test]
    fn a_divisor_that_is_not_above_zero_has_no_quotient() {
        let (a, b) = (rounds(&[30.0; 3]), rounds(&[10.0, 10.0, 31.0]));
        let found = within_rounds(series(&b, None), series(&a, Some(&b)));
        assert_eq!(found, Some(Quotient::NotAbove(1)));
        let found = within_rounds(series(&b, None), series(&a, Some(&a)));
        assert_eq!(found, Some(Quotient::NotAbove(3)), "zero is not above zero");
        assert_eq!(within_rounds(series(&a, None), series(&b[..2], None)), None);
        let zero = rounds(&[0.0; 3]);
        assert_eq!(within_rounds(series(&zero, None), series(&a, None)), None, "no time");
    }

    #[test]
    fn a_factor_of_doubt_widens_a_quotient() {
        let (a, b) = (rounds(&[30.0; 3]), rounds(&[10.0; 3]));
        let Some(Quotient::Of(found)) = off_by(series(&a, None), series(&b, None), 1.21) else {
            panic!("no quotient")
        };
        assert_eq!(found.value, 3.0);
        assert!((found.low - 3.0 / 1.21).abs() < 1e-9 && (found.high - 3.0 * 1.21).abs() < 1e-9);
        // A small difference of two large times drowns in a small doubt about each.
        let near = rounds(&[29.0; 3]);
        let part = off_by(series(&a, Some(&near)), series(&b, None), 1.21);
        let Some(Quotient::Of(part)) = part else { panic!("no quotient") };
        let (low, high) =
            ((30.0 / 1.1 - 29.0 * 1.1) / (10.0 / 1.1), (33.0 - 29.0 / 1.1) * 1.1 / 10.0);
        assert!((part.low - low).abs() < 1e-9 && (part.high - high).abs() < 1e-9, "{part:?}");
        let whole = off_by(series(&b, None), series(&a, Some(&near)), 1.21);
        assert_eq!(whole, Some(Quotient::NotAbove(3)));
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
