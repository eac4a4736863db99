//! The times that claims and references compare.

/// The time of one benchmark, or by how much the times of two differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// The time of a benchmark, by criterion's full id.
    Of(String),
    /// The time of the first less the time of the second.
    Difference(String, String),
}

impl Times {
    /// Returns the benchmarks that are measured.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        let (one, other) = match self {
            Times::Of(id) => (id, None),
            Times::Difference(a, b) => (a, Some(b)),
        };
        std::iter::once(one).chain(other)
    }
}
