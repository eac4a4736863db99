//! Reads the times that claims and references compare.

use crate::ids::benchmark_id;
use crate::model::Times;

/// Reads one benchmark, or the two of a difference.
pub(super) fn times(name: &str, ids: &[String]) -> Result<Times, String> {
    for id in ids {
        benchmark_id(id)?;
    }
    match ids {
        [id] => Ok(Times::Of(id.clone())),
        [a, b] if a == b => Err(format!("`{a}` is compared with itself")),
        [a, b] => Ok(Times::Difference(a.clone(), b.clone())),
        _ => Err(format!("`{name}` names one benchmark, or two whose times are subtracted")),
    }
}
