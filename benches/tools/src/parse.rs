//! Reads what the tools print.

/// The verdict of a tool about two pieces of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// By how much the second takes longer, in percent; negative if it is faster.
    pub percent: f64,
    /// The tool calls the two different, if it takes less than half of the effect for noise.
    pub differs: bool,
    /// It calls them different with the noise threshold that it has by default.
    pub by_default: bool,
}

/// The share, in percent, below which a difference is noise: half of the known effect.
pub const NOISE: f64 = 0.5;

/// The noise threshold that criterion and tango have by default, in percent.
pub const DEFAULT_NOISE: f64 = 1.0;

/// Reads the verdict of criterion with the noise threshold [`NOISE`], whose estimate of the change
/// lies between `low` and `high`.
pub fn criterion(printed: &str, [low, percent, high]: [f64; 3]) -> Option<Said> {
    let verdicts = [
        ("Performance has regressed.", true),
        ("Performance has improved.", true),
        ("Change within noise threshold.", false),
        ("No change in performance detected.", false),
    ];
    let (_, differs) = verdicts.into_iter().find(|(verdict, _)| printed.contains(verdict))?;
    // Criterion compares the whole interval with the threshold.
    let by_default = differs && (low > DEFAULT_NOISE || high < -DEFAULT_NOISE);
    Some(Said { percent, differs, by_default })
}

/// Reads the two medians of divan's table. Divan gives no verdict. This is that of a reader who
/// compares the medians.
pub fn divan(printed: &str) -> Option<Said> {
    let median = |name: &str| {
        let row = printed.lines().find(|line| line.contains(name))?;
        nanoseconds(row.split('│').nth(2)?.trim())
    };
    let percent = 100.0 * (median("second")? / median("first")? - 1.0);
    let differs = percent.abs() > NOISE;
    Some(Said { percent, differs, by_default: differs })
}

/// Reads a time such as `12.34 µs`.
fn nanoseconds(time: &str) -> Option<f64> {
    let (number, unit) = time.split_once(' ')?;
    let scale = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

/// Reads the line of tango, with the noise threshold [`NOISE`]: `name [ 1 ns ... 2 ns ] +0.98%*`.
pub fn tango(printed: &str) -> Option<Said> {
    let end = printed.lines().find(|line| line.contains(']'))?.rsplit(']').next()?.trim();
    let (percent, star) = end.split_once('%')?;
    let percent: f64 = percent.parse().ok()?;
    let differs = star.contains('*');
    Some(Said { percent, differs, by_default: differs && percent.abs() > DEFAULT_NOISE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterion_compares_its_interval_with_the_threshold() {
        let said = |printed, interval| criterion(printed, interval).unwrap();
        let regressed = said("Performance has regressed.", [0.9, 1.0, 1.1]);
        assert!(regressed.differs && !regressed.by_default);
        assert!(said("Performance has regressed.", [1.1, 1.2, 1.3]).by_default);
        assert!(!said("Change within noise threshold.", [1.1, 1.2, 1.3]).differs);
        assert!(!said("No change in performance detected.", [-1.0, 0.1, 1.1]).differs);
        assert_eq!(criterion("", [0.0; 3]), None);
    }

    #[test]
    fn medians_are_read_with_their_units() {
        let table = "with_divan  fastest │ slowest │ median │ mean │ samples │ iters\n\
            ├─ first  999.1 ns │ 12.1 µs │ 999.5 ns │ 1.2 µs │ 100 │ 100\n\
            ╰─ second 1 µs │ 12.1 µs │ 1.01 µs │ 1.2 µs │ 100 │ 100\n";
        let said = divan(table).unwrap();
        assert!((said.percent - 1.0505).abs() < 0.001 && said.differs, "{said:?}");
        assert!(!divan(&table.replace("1.01", "1.001")).unwrap().differs);
        assert_eq!(divan("first 1 h"), None);
    }

    #[test]
    fn a_star_marks_what_tango_finds() {
        let found = tango("known  [ 16.1 us ... 16.3 us ]      +0.98%*\n").unwrap();
        assert_eq!(found, Said { percent: 0.98, differs: true, by_default: false });
        assert!(tango("known  [ 16.1 us ... 16.0 us ]      -1.58%*").unwrap().by_default);
        assert!(!tango("known  [ 16.1 us ... 16.0 us ]      -1.58%").unwrap().differs);
        assert_eq!(tango("known"), None);
    }
}
