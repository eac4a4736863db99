//! Chances of counts: how often something happens in `n` independent tries.

/// Returns the probability of at most `k` successes in `n` tries of probability `p`.
pub fn at_most(k: usize, n: usize, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // In logarithms: the terms of many tries are too small for a float.
    let (log_p, log_q) = (p.ln(), (1.0 - p).ln());
    let mut ways = 0.0; // the logarithm of n over i
    let mut sum = 0.0;
    for i in 0..=k {
        sum += (ways + i as f64 * log_p + (n - i) as f64 * log_q).exp();
        ways += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
    }
    sum.min(1.0)
}

// ANCHOR: interval
/// Returns the interval that contains the true probability of something that happened `k`
/// times in `n` tries, with a confidence of at least 95 %: all probabilities under which `k`
/// or more happen at least once in 40 experiments, and `k` or fewer, too.
///
/// Source: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934.
pub fn interval(k: usize, n: usize) -> (f64, f64) {
    let low = if k == 0 { 0.0 } else { solve(|p| at_most(k - 1, n, p) > 0.975) };
    let high = if k == n { 1.0 } else { solve(|p| at_most(k, n, p) > 0.025) };
    (low, high)
}
// ANCHOR_END: interval

/// Returns the probability up to which `holds` is true; it is false from there on.
fn solve(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
