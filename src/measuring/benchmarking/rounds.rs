//! The book's rule for two variants that were measured in rounds, and what its recordings say of
//! it.

use super::binomial::at_most;

/// The times of a benchmark: one of each round, which is a process of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rounds {
    /// The median of the samples of each round.
    pub median: Vec<f64>,
    /// The interval of that median, from the samples of the one process alone.
    pub interval: Vec<(f64, f64)>,
}

/// The same code, measured twice in each round as if it were two variants.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The first measurement.
    pub first: Rounds,
    /// The second one.
    pub again: Rounds,
}

// ANCHOR: ends
/// Returns the interval of the median of `values`: counted inward from both ends as far
/// as it still covers the true median with a probability of 95 %. Fewer than six values
/// cannot.
pub fn ends(values: &[f64]) -> Option<(f64, f64)> {
    let (mut sorted, n) = (values.to_vec(), values.len());
    sorted.sort_unstable_by(f64::total_cmp);
    let inward = (0..n).take_while(|&rank| error(n, rank) <= 0.05).last()?;
    Some((sorted[inward], sorted[n - 1 - inward]))
}

/// Returns the probability that the interval that leaves out `rank` of `n` values at
/// each end misses the median: each value lies below it like the toss of a coin.
fn error(n: usize, rank: usize) -> f64 {
    2.0 * at_most(rank, n, 0.5)
}
// ANCHOR_END: ends

impl Pair {
    /// Returns the ratio of the two times in each round.
    fn ratios(&self) -> Vec<f64> {
        self.first.median.iter().zip(&self.again.median).map(|(a, b)| a / b).collect()
    }

    /// Returns the interval of the ratio over the rounds; `None` if there are fewer than six.
    pub fn ratio(&self) -> Option<(f64, f64)> {
        ends(&self.ratios())
    }

    // ANCHOR: differs
    /// Returns `true` if the rule takes the two for different code: the interval of the
    /// ratio does not contain 1.
    pub fn differs(&self) -> bool {
        self.ratio().is_some_and(|(low, high)| low > 1.0 || high < 1.0)
    }

    /// Returns the smallest effect that the rule would find in this pair: by which share
    /// one side must be slowed down until its interval lies above 1.
    pub fn smallest_effect(&self) -> Option<f64> {
        self.ratio().map(|(low, _)| (1.0 / low - 1.0).max(0.0))
    }
    // ANCHOR_END: differs

    /// Returns the number of single rounds, and of those in which the two times differ by more than
    /// `share`.
    pub fn off_by(&self, share: f64) -> (usize, usize) {
        let ratios = self.ratios();
        let is_off = |ratio: &&f64| **ratio > 1.0 + share || **ratio < 1.0 / (1.0 + share);
        (ratios.len(), ratios.iter().filter(is_off).count())
    }

    /// Returns the number of rounds, and of those in which the intervals of the two do not overlap.
    pub fn apart(&self) -> (usize, usize) {
        let both = self.first.interval.iter().zip(&self.again.interval);
        (both.clone().count(), both.filter(|(a, b)| are_apart(**a, **b)).count())
    }
}

impl Rounds {
    /// Returns the number of rounds that another one follows, and of those whose interval does not
    /// overlap with that of the next one.
    pub fn apart(&self) -> (usize, usize) {
        let apart = self.interval.windows(2).filter(|two| are_apart(two[0], two[1]));
        (self.interval.len().saturating_sub(1), apart.count())
    }

    /// Returns the smallest time of the first `tries` rounds.
    ///
    /// # Panics
    ///
    /// If there are not that many.
    pub fn minimum(&self, tries: usize) -> f64 {
        self.median[..tries].iter().copied().fold(f64::INFINITY, f64::min)
    }
}

fn are_apart(a: (f64, f64), b: (f64, f64)) -> bool {
    a.1 < b.0 || b.1 < a.0
}

/// The outcome of the rule over many pairs of the same code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NullTest {
    /// The number of pairs.
    pub pairs: usize,
    /// The number of pairs that the rule calls different.
    pub different: usize,
    /// The share of pairs that it may call different: its stated error, averaged over the pairs.
    pub stated: f64,
    /// The effect that it would find in half of the pairs.
    pub half: f64,
    /// The effect that it would find in nine pairs of ten.
    pub most: f64,
}

/// Puts the rule to the test with pairs of the same code. Pairs with fewer than six rounds count
/// for nothing. Returns `None` if none is left.
pub fn null_test(pairs: &[Pair]) -> Option<NullTest> {
    let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.ratio().is_some()).collect();
    let mut effects: Vec<f64> = pairs.iter().filter_map(|pair| pair.smallest_effect()).collect();
    effects.sort_unstable_by(f64::total_cmp);
    let stated = |pair: &&Pair| {
        let n = pair.first.median.len();
        (0..n).map(|rank| error(n, rank)).take_while(|error| *error <= 0.05).last()
    };
    let found_in = |share: f64| {
        effects.get(((effects.len() as f64 * share).ceil() as usize).checked_sub(1)?).copied()
    };
    Some(NullTest {
        pairs: pairs.len(),
        different: pairs.iter().filter(|pair| pair.differs()).count(),
        stated: pairs.iter().filter_map(stated).sum::<f64>() / pairs.len() as f64,
        half: found_in(0.5)?,
        most: found_in(0.9)?,
    })
}
