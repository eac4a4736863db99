//! Measured values with their intervals.

/// A value with the interval that covers it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The number of rounds; with one round, the interval holds that run's sampling noise only.
    pub rounds: usize,
}

impl Estimate {
    /// Returns the largest factor by which the interval reaches away from 1, up or down.
    pub fn reach(&self) -> f64 {
        self.high.max(1.0 / self.low)
    }
}
