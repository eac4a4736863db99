//! A number that may be missing, with the reason.

/// The answer to a question about one number of one machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// It was measured.
    Measured(T),
    /// The machine cannot measure it, for this reason.
    NotPossible(String),
    /// It has never been measured.
    NotMeasured,
}

impl<T> Known<T> {
    /// Returns the number, if there is one.
    pub fn measured(self) -> Option<T> {
        match self {
            Known::Measured(value) => Some(value),
            Known::NotPossible(_) | Known::NotMeasured => None,
        }
    }

    /// Applies `f` to the number; `NotMeasured` if `f` returns `None`.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Option<U>) -> Known<U> {
        match self {
            Known::Measured(value) => f(value).map_or(Known::NotMeasured, Known::Measured),
            Known::NotPossible(reason) => Known::NotPossible(reason),
            Known::NotMeasured => Known::NotMeasured,
        }
    }

    /// Combines two numbers. If only one of them has a reason why it is missing, that reason
    /// stands.
    pub fn and<U>(self, other: Known<U>) -> Known<(T, U)> {
        match (self, other) {
            (Known::Measured(a), Known::Measured(b)) => Known::Measured((a, b)),
            (Known::NotPossible(reason), _) | (_, Known::NotPossible(reason)) => {
                Known::NotPossible(reason)
            }
            _ => Known::NotMeasured,
        }
    }
}
