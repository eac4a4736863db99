//! Logarithmic and linear axes with round labels.

use crate::units::Quantity;

/// The factor between its ends up to which a logarithmic axis looks linear.
const NARROW: f64 = 10.0;

/// Maps values to positions along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// Creates a logarithmic axis over `low..=high`, drawn from `from` to `to`.
    pub fn log(low: f64, high: f64, from: f64, to: f64) -> Scale {
        Scale { low: low.ln(), high: high.ln(), from, to, log: true }
    }

    /// Creates a linear axis from zero to a little beyond `high`, drawn from `from` to `to`.
    pub fn linear(high: f64, from: f64, to: f64) -> Scale {
        Scale { low: 0.0, high: high * 1.04, from, to, log: false }
    }

    /// Returns the position of a value.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.ln() } else { value };
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Returns the positions of the axis' ends.
    pub fn span(&self) -> [f64; 2] {
        [self.from, self.to]
    }

    /// Returns the values at the axis' ends.
    pub fn ends(&self) -> (f64, f64) {
        if self.log { (self.low.exp(), self.high.exp()) } else { (self.low, self.high) }
    }

    /// Returns round values along the axis, `most` of them at most.
    pub fn ticks(&self, quantity: Quantity, most: usize) -> Vec<f64> {
        let (low, high) = self.ends();
        // Steps are round in the unit of the labels.
        let unit = match quantity {
            Quantity::Bytes => 1024f64.powf((high.ln() / 1024f64.ln()).floor()),
            _ => 1.0,
        };
        let linear = || {
            let ticks = linear_ticks(low / unit, high / unit, most);
            ticks.into_iter().map(|tick| tick * unit).collect()
        };
        if !self.log {
            return linear();
        }
        // Memory and ratios double; times and rates go up in tens.
        let ladders: &[(f64, &[f64])] = match quantity {
            Quantity::Bytes | Quantity::Ratio => &[
                (2.0, &[1.0, 1.25, 1.5, 1.75]),
                (2.0, &[1.0, 1.5]),
                (2.0, &[1.0]),
                (4.0, &[1.0]),
                (16.0, &[1.0]),
                (256.0, &[1.0]),
            ],
            _ => &[
                (10.0, &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]),
                (10.0, &[1.0, 2.0, 5.0]),
                (10.0, &[1.0, 3.0]),
                (10.0, &[1.0]),
                (100.0, &[1.0]),
                (1000.0, &[1.0]),
            ],
        };
        let fine = ladders.iter().map(|(base, steps)| ladder(*base, steps, low, high));
        let best = fine.into_iter().find(|ticks| ticks.len() <= most).unwrap_or_default();
        // Over a narrow range a logarithmic axis is almost linear, and round steps read better.
        if best.len() < 3 && high / low < NARROW { linear() } else { best }
    }
}

fn ladder(base: f64, steps: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut power = base.powf((low.ln() / base.ln()).floor());
    let mut ticks = Vec::new();
    while power <= high {
        ticks.extend(
            steps.iter().map(|s| s * power).filter(|t| *t >= low * 0.999 && *t <= high * 1.001),
        );
        power *= base;
    }
    ticks
}

fn linear_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let rough = (high - low) / most.max(2) as f64;
    if rough <= 0.0 || !rough.is_finite() {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].iter().map(|s| s * power).find(|s| *s >= rough).unwrap_or(rough);
    let first = (low / step).ceil();
    (0..=most).map(|i| (first + i as f64) * step).take_while(|t| *t <= high * 1.000_001).collect()
}

/// Widens an interval of values, so that points do not touch the frame. The axis spans a factor of
/// two or more, so that a difference of a few percent does not fill it.
pub(super) fn padded(low: f64, high: f64) -> (f64, f64) {
    let (low, high) = (low.max(f64::MIN_POSITIVE), high.max(f64::MIN_POSITIVE));
    let span = (high / low).ln();
    let pad = (span * 0.06).max((2f64.ln() - span) / 2.0);
    (low / pad.exp(), high * pad.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_run_from_end_to_end() {
        let scale = Scale::log(1.0, 100.0, 0.0, 200.0);
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
        let scale = Scale::linear(50.0, 104.0, 0.0);
        assert!((scale.at(0.0) - 104.0).abs() < 1e-9 && (scale.at(50.0) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn there_are_always_some_labels_and_never_too_many() {
        for quantity in [Quantity::Time, Quantity::Bytes, Quantity::Ratio] {
            for (low, high) in
                [(1.0, 2.0), (0.9, 1.3), (3.0, 3e7), (150.0, 310.0), (1e9, 8e9), (0.2, 40.0)]
            {
                let ticks = Scale::log(low, high, 0.0, 1.0).ticks(quantity, 7);
                assert!((2..=8).contains(&ticks.len()), "{quantity:?} {low}..{high}: {ticks:?}");
                assert!(ticks.windows(2).all(|w| w[0] < w[1]));
            }
        }
    }

    #[test]
    fn linear_labels_are_round_in_their_unit() {
        let gib = 1024f64.powi(3);
        let ticks = Scale::linear(3.7 * gib, 0.0, 1.0).ticks(Quantity::Bytes, 7);
        assert_eq!(ticks, [0.0, 1.0, 2.0, 3.0].map(|n| n * gib));
    }

    #[test]
    fn equal_values_get_an_axis() {
        let (low, high) = padded(5.0, 5.0);
        assert!(low < 5.0 && high > 5.0 && (high / low - 2.0).abs() < 1e-9);
    }
}
