//! The arguments of a bench, as far as this library has to know them. Criterion reads all of them
//! and refuses wrong ones.

use regex::Regex;
use std::env;

/// The default number of samples.
pub(crate) const SAMPLES: usize = 10;

/// The task that the arguments set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Measures, and writes the results.
    Measure,
    /// Measures or loads, but writes no new results.
    Look,
    /// Runs everything once.
    Test,
    /// Prints the ids.
    List,
}

/// The arguments.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) samples: usize,
    pub(crate) warm_up: Option<String>,
    pub(crate) measurement: Option<String>,
    filter: Filter,
}

#[derive(Debug)]
enum Filter {
    All,
    None,
    Exact(String),
    Matches(Regex),
}

/// The options of criterion that take a value.
const WITH_VALUE: [&str; 17] = [
    "--color",
    "--colour",
    "--save-baseline",
    "--baseline",
    "--baseline-lenient",
    "--format",
    "--profile-time",
    "--load-baseline",
    "--sample-size",
    "--warm-up-time",
    "--measurement-time",
    "--nresamples",
    "--noise-threshold",
    "--confidence-level",
    "--significance-level",
    "--plotting-backend",
    "--output-format",
];

impl Arguments {
    /// Reads the arguments of this process.
    pub(crate) fn of_process() -> Self {
        Self::parse(env::args().skip(1))
    }

    fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut arguments = arguments;
        let mut given: Vec<(String, Option<String>)> = Vec::new();
        let mut pattern = None;
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                pattern = arguments.next();
            } else if let Some((name, value)) =
                argument.split_once('=').filter(|_| argument.starts_with("--"))
            {
                given.push((name.to_owned(), Some(value.to_owned())));
            } else if WITH_VALUE.contains(&argument.as_str())
                || ["-c", "-s", "-b"].contains(&argument.as_str())
            {
                given.push((argument, arguments.next()));
            } else if argument.starts_with('-') {
                given.push((argument, None));
            } else {
                pattern = Some(argument);
            }
        }
        let has = |name: &str| given.iter().any(|(given, _)| given == name);
        let value = |name: &str| {
            given.iter().rev().find(|(given, _)| given == name).and_then(|(_, value)| value.clone())
        };
        let mode = if has("--list") {
            Mode::List
        } else if has("--test") || !has("--bench") {
            Mode::Test
        } else if ["--profile-time", "--load-baseline", "--discard-baseline"]
            .map(has)
            .contains(&true)
        {
            Mode::Look
        } else {
            Mode::Measure
        };
        let filter = match pattern {
            _ if has("--ignored") => Filter::None,
            None => Filter::All,
            Some(id) if has("--exact") => Filter::Exact(id),
            // Criterion has already refused a pattern that is no regular expression.
            Some(pattern) => Regex::new(&pattern).map_or(Filter::None, Filter::Matches),
        };
        // Quick mode ends with one sample of n iterations and one of 2 n.
        let samples = if has("--quick") { 2 } else { SAMPLES };
        Self {
            mode,
            samples: value("--sample-size").and_then(|n| n.parse().ok()).unwrap_or(samples),
            warm_up: value("--warm-up-time"),
            measurement: value("--measurement-time"),
            filter,
        }
    }

    /// Returns `true` if the benchmark `id` is asked for.
    pub(crate) fn ask_for(&self, id: &str) -> bool {
        match &self.filter {
            Filter::All => true,
            Filter::None => false,
            Filter::Exact(exact) => id == exact,
            Filter::Matches(pattern) => pattern.is_match(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str) -> Arguments {
        Arguments::parse(arguments.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_pattern_is_found_among_the_options_and_their_values() {
        for arguments in [
            "--bench 1MiB",
            "--bench --sample-size 20 1MiB",
            "1MiB --bench --color=never",
            "--bench -s before -n 1MiB --verbose",
            "--bench --noplot -- 1MiB",
        ] {
            let parsed = parse(arguments);
            assert!(parsed.ask_for("sendfile/sendfile/1MiB"), "{arguments}");
            assert!(!parsed.ask_for("sendfile/sendfile/4KiB"), "{arguments}");
            assert_eq!(parsed.mode, Mode::Measure, "{arguments}");
        }
        assert!(parse("--bench").ask_for("anything"));
        assert!(!parse("--bench --ignored a").ask_for("a"));
        let exact = parse("--bench --exact a/b");
        assert!(exact.ask_for("a/b") && !exact.ask_for("a/bc"));
        assert!(parse("--bench a.c").ask_for("xabc"), "a regular expression");
    }

    #[test]
    fn the_mode_is_that_of_criterion() {
        for (arguments, mode) in [
            ("--bench", Mode::Measure),
            ("", Mode::Test),
            ("--bench --test", Mode::Test),
            ("--list --format terse", Mode::List),
            ("--bench --profile-time 5", Mode::Look),
            ("--bench --discard-baseline", Mode::Look),
        ] {
            assert_eq!(parse(arguments).mode, mode, "{arguments}");
        }
    }

    #[test]
    fn the_number_of_samples_is_that_of_the_flags() {
        assert_eq!(parse("--bench").samples, SAMPLES);
        assert_eq!(parse("--bench --sample-size 30").samples, 30);
        assert_eq!(parse("--bench --sample-size=40").samples, 40);
        assert_eq!(parse("--bench --quick").samples, 2);
    }
}
