//! The bounds of the buckets of a histogram.

use super::name::RegisterError;
use super::render;
use std::sync::Arc;

/// The upper bounds of the buckets of a histogram. Above the last one, there is a bucket without a
/// bound.
#[derive(Clone, Debug)]
pub struct Buckets(Arc<Bounds>);

#[derive(Debug)]
struct Bounds {
    bounds: Box<[f64]>,
    /// The bounds as labels: `0.5`, …, `+Inf`.
    texts: Box<[String]>,
}

impl Buckets {
    /// Creates buckets with these upper bounds. A bucket includes its bound.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Bounds`] unless the bounds are finite, positive and increasing, and there
    /// is at least one.
    pub fn new(bounds: &[f64]) -> Result<Self, RegisterError> {
        let is_increasing = bounds.windows(2).all(|two| two[0] < two[1]);
        let is_positive = bounds.first().is_some_and(|first| *first > 0.0);
        let is_finite = bounds.iter().all(|bound| bound.is_finite());
        if !(is_increasing && is_positive && is_finite) {
            return Err(RegisterError::Bounds(bounds.to_vec()));
        }
        let texts = bounds.iter().chain([&f64::INFINITY]);
        let texts = texts.map(|bound| render::canonical(*bound)).collect();
        Ok(Self(Arc::new(Bounds { bounds: bounds.into(), texts })))
    }

    /// Creates `count` buckets with the bounds `first`, `first * factor`, `first * factor²`, …
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn exponential(first: f64, factor: f64, count: usize) -> Result<Self, RegisterError> {
        let bounds = (0..count).map(|power| first * factor.powi(power as i32));
        Self::new(&bounds.collect::<Vec<f64>>())
    }

    pub(super) fn bounds(&self) -> &[f64] {
        &self.0.bounds
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.0.texts
    }
}
