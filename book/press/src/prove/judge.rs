//! Judges claims by the results of one machine.

use crate::ids::slashed;
use crate::machine::{Known, Machine, ProofRun, statistics};
use crate::model::{
    Claim, Clocked, Count, CountBound, Estimate, Judgement, Proof, RatioBound, Verdict,
};
use crate::units::{Quantity, number, text};
use std::path::Path;

/// Judges `claim` by the results of `machine`. A claim never holds by a number that is missing or
/// not finite, or by a time that is not above zero.
pub fn judge(claim: &Claim, machine: &Machine) -> Judgement {
    match &claim.proof {
        Proof::Compiled { file, anchor } => ran(machine.proofs.get(&compiled_key(file, anchor))),
        Proof::Explored { model } => ran(machine.proofs.get(&explored_key(model))),
        Proof::Counted(counts) => counted(counts, machine),
        Proof::Clocked(clocked) => judge_ratio(clocked.bound, ratio(clocked, machine)),
    }
}

/// Returns the key of a compiled claim in [`Machine::proofs`].
pub fn compiled_key(file: &Path, anchor: &str) -> String {
    // Slashes on every system, so that any system can read a recording.
    format!("compiled:{}#{anchor}", slashed(file))
}

/// Returns the key of an explored claim in [`Machine::proofs`].
pub fn explored_key(model: &str) -> String {
    format!("explored:{model}")
}

/// Judges a ratio by its whole interval. The claim holds if the interval lies within the bound, and
/// fails if it lies outside; an interval across the bound leaves it undecided.
pub fn judge_ratio(bound: RatioBound, ratio: Known<Estimate>) -> Judgement {
    let ratio = match ratio {
        Known::Measured(ratio) => ratio,
        Known::NotPossible(reason) => return without(Verdict::NotPossible(reason.clone()), reason),
        Known::NotMeasured => return not_measured("no times for both sides"),
    };
    let Estimate { value, low, high, .. } = ratio;
    let is_ratio = [value, low, high].iter().all(|n| n.is_finite() && *n > 0.0);
    if !is_ratio || low > high {
        return not_measured("the recorded times are not numbers above zero");
    }
    let (inside, outside) = match bound {
        RatioBound::Faster(by) => (low >= by, high < by),
        RatioBound::Within(by) => (low >= 1.0 / by && high <= by, high < 1.0 / by || low > by),
    };
    let verdict = match (inside, outside) {
        (true, _) => Verdict::Holds,
        (_, true) => Verdict::Fails,
        _ => Verdict::Undecided,
    };
    let shown = text(ratio, Quantity::Ratio);
    let found = format!("{} ({}; {})", shown.value, shown.interval, rounds(ratio.rounds));
    Judgement { verdict, value: Some(ratio), found }
}

/// Describes in words how far an interval over `rounds` rounds can be trusted.
pub fn rounds(rounds: usize) -> String {
    match rounds {
        1 => "one round, sampling noise only".to_string(),
        // The interval reaches from the smallest to the largest value and covers less than usual.
        2..=5 => format!("{rounds} rounds, {:.0} % coverage", statistics::coverage(rounds) * 100.0),
        _ => format!("{rounds} rounds"),
    }
}

fn ratio(clocked: &Clocked, machine: &Machine) -> Known<Estimate> {
    machine.ratio(&clocked.than, &clocked.subject)
}

fn ran(run: Option<&ProofRun>) -> Judgement {
    match run {
        None => not_measured("not run"),
        Some(run) => {
            let verdict = if run.holds { Verdict::Holds } else { Verdict::Fails };
            without(verdict, run.found.clone())
        }
    }
}

fn counted(counts: &[Count], machine: &Machine) -> Judgement {
    let mut judged: Vec<Judgement> =
        counts.iter().map(|count| judge_count(count, machine)).collect();
    if judged.len() == 1
        && let Some(only) = judged.pop()
    {
        return only;
    }
    // A single failure decides. Otherwise, a count that is missing does; the claim holds only if
    // every count does.
    let worst = |j: &Judgement| match j.verdict {
        Verdict::Fails => 0,
        Verdict::NotMeasured => 1,
        Verdict::NotPossible(_) => 2,
        Verdict::Undecided => 3,
        Verdict::Holds => 4,
    };
    let found = judged.iter().map(|j| j.found.as_str()).collect::<Vec<_>>().join("; ");
    match judged.into_iter().min_by_key(worst) {
        Some(judgement) => without(judgement.verdict, found),
        None => not_measured("nothing to count"),
    }
}

fn judge_count(count: &Count, machine: &Machine) -> Judgement {
    let value = match machine.count(&count.example, &count.key) {
        Known::Measured(value) => value,
        Known::NotPossible(reason) => return without(Verdict::NotPossible(reason.clone()), reason),
        Known::NotMeasured => {
            return not_measured(&format!("no count {}/{}", count.example, count.key));
        }
    };
    let print = |value: f64| number(value, Quantity::Count, 0);
    let mut found = format!("{} = {}", count.key, print(value));
    let mut shown = value;
    let holds = match &count.bound {
        CountBound::Equals(bound) => value == *bound,
        CountBound::AtMost(bound) => value <= *bound,
        CountBound::AtLeast(bound) => value >= *bound,
        CountBound::FewerThan { example, key, by } => {
            let other = match machine.count(example, key) {
                Known::Measured(other) => other,
                Known::NotPossible(reason) => {
                    return without(Verdict::NotPossible(reason.clone()), reason);
                }
                Known::NotMeasured => return not_measured(&format!("no count {example}/{key}")),
            };
            found = format!("{found}, {key} = {}", print(other));
            shown = other / value;
            // If the other variant counted nothing, it did no work, and fewer proves nothing.
            other.is_finite() && other > 0.0 && value * by <= other
        }
    };
    // A negative count is a bug in the counter, and satisfies no bound.
    let holds = holds && value.is_finite() && value >= 0.0;
    let value =
        shown.is_finite().then_some(Estimate { value: shown, low: shown, high: shown, rounds: 1 });
    Judgement { verdict: if holds { Verdict::Holds } else { Verdict::Fails }, value, found }
}

fn without(verdict: Verdict, found: String) -> Judgement {
    Judgement { verdict, value: None, found }
}

fn not_measured(why: &str) -> Judgement {
    without(Verdict::NotMeasured, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Benchmark, Counts, Environment, Recording, Round};
    use crate::model::Place;
    use indexmap::IndexMap;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn claim(proof: Proof) -> Claim {
        let place = Place { page: PathBuf::from("a.md"), line: 1 };
        Claim { id: "a".into(), says: "S".into(), proof, command: None, place }
    }

    fn clocked(bound: RatioBound) -> Claim {
        claim(Proof::Clocked(Clocked { subject: "g/new".into(), than: "g/old".into(), bound }))
    }

    fn benchmark(function: &str, medians: &[f64]) -> (String, Benchmark) {
        let rounds =
            medians.iter().map(|&m| Round { median: m, low: m * 0.99, high: m * 1.01 }).collect();
        let benchmark = Benchmark {
            group: "g".into(),
            function: Some(function.into()),
            parameter: None,
            throughput_bytes: None,
            throughput_elements: None,
            rounds,
        };
        (format!("g/{function}"), benchmark)
    }

    fn clocks(new: &[f64], old: &[f64]) -> Machine {
        let mut machine = Machine::new("m");
        let recording = Recording {
            date: "2026-01-01T00:00:00Z".into(),
            commit: None,
            modified: None,
            rounds: new.len(),
            planned: None,
            environment: Environment::default(),
            benchmarks: [benchmark("new", new), benchmark("old", old)].into_iter().collect(),
            not_possible: BTreeMap::new(),
        };
        machine.recordings.insert("g".into(), recording);
        machine
    }

    fn counts(values: Value) -> Machine {
        let mut machine = Machine::new("m");
        let values: IndexMap<String, Value> = serde_json::from_value(values).unwrap();
        let counts = Counts { date: "2026-01-01T00:00:00Z".into(), commit: None, values };
        machine.counts.insert("e".into(), counts);
        machine
    }

    fn count(key: &str, bound: CountBound) -> Count {
        Count { example: "e".into(), key: key.into(), bound }
    }

    #[test]
    fn a_ratio_is_judged_by_its_whole_interval() {
        let verdict = |bound, low, high| {
            let ratio = Estimate { value: (low + high) / 2.0, low, high, rounds: 9 };
            judge_ratio(bound, Known::Measured(ratio)).verdict
        };
        let faster = RatioBound::Faster(1.5);
        assert_eq!(verdict(faster, 1.5, 1.7), Verdict::Holds);
        assert_eq!(verdict(faster, 1.49, 1.7), Verdict::Undecided);
        assert_eq!(verdict(faster, 1.2, 1.5), Verdict::Undecided);
        assert_eq!(verdict(faster, 1.2, 1.49), Verdict::Fails);
        let within = RatioBound::Within(1.25);
        assert_eq!(verdict(within, 0.8, 1.25), Verdict::Holds);
        assert_eq!(verdict(within, 0.79, 1.0), Verdict::Undecided);
        assert_eq!(verdict(within, 1.2, 1.3), Verdict::Undecided);
        assert_eq!(verdict(within, 1.26, 1.3), Verdict::Fails);
        assert_eq!(verdict(within, 0.5, 0.79), Verdict::Fails);
        assert_eq!(
            verdict(within, 0.5, 2.0),
            Verdict::Undecided,
            "wider than the bounds on both sides"
        );
        // Bounds that binary fractions hit exactly: an interval that ends on one touches it.
        let within = RatioBound::Within(2.0);
        assert_eq!(verdict(within, 0.5, 2.0), Verdict::Holds);
        assert_eq!(verdict(within, 0.25, 0.5), Verdict::Undecided, "the upper end is inside");
        assert_eq!(verdict(within, 2.0, 4.0), Verdict::Undecided, "the lower end is inside");
        assert_eq!(verdict(within, 0.25, 0.75), Verdict::Undecided, "below 1, not below 1/2");
        assert_eq!(verdict(within, 0.25, 0.49), Verdict::Fails);
        assert_eq!(verdict(within, 2.01, 4.0), Verdict::Fails);
    }

    #[test]
    fn a_ratio_that_is_not_a_number_has_no_verdict() {
        for bound in [RatioBound::Faster(1.5), RatioBound::Within(1.25)] {
            for (value, low, high) in [
                (f64::NAN, f64::NAN, f64::NAN),
                (f64::INFINITY, f64::INFINITY, f64::INFINITY),
                (1.0, f64::NAN, 1.0),
                (0.0, 0.0, 0.0),
                (-2.0, -2.0, -2.0),
                (2.0, 3.0, 1.0),
            ] {
                let ratio = Known::Measured(Estimate { value, low, high, rounds: 9 });
                assert_eq!(
                    judge_ratio(bound, ratio).verdict,
                    Verdict::NotMeasured,
                    "{value} {low} {high}"
                );
            }
        }
    }

    #[test]
    fn times_in_a_machine_give_the_ratio_of_the_slower_to_the_faster() {
        let new = [100.0, 110.0, 120.0, 100.0, 105.0, 100.0, 100.0, 100.0, 101.0];
        let old: Vec<f64> = new.iter().map(|t| t * 2.0).collect();
        let judgement = judge(&clocked(RatioBound::Faster(1.5)), &clocks(&new, &old));
        assert_eq!(judgement.verdict, Verdict::Holds);
        assert_eq!(judgement.value.unwrap().value, 2.0);
        assert_eq!(judgement.found, "2.00× (2.00 to 2.00×; 9 rounds)");
        let swapped = judge(&clocked(RatioBound::Faster(1.5)), &clocks(&old, &new));
        assert_eq!(swapped.verdict, Verdict::Fails, "the slower technique must be noticed");
        let one = judge(&clocked(RatioBound::Faster(1.5)), &clocks(&[100.0], &[200.0]));
        assert!(one.found.contains("one round"), "{}", one.found);
        let three = judge(&clocked(RatioBound::Faster(1.5)), &clocks(&new[..3], &old[..3]));
        assert!(three.found.contains("3 rounds, 75 % coverage"), "{}", three.found);
    }

    #[test]
    fn missing_and_invalid_times_never_hold() {
        let claim = clocked(RatioBound::Faster(1.5));
        assert_eq!(judge(&claim, &Machine::new("m")).verdict, Verdict::NotMeasured);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                judge(&claim, &clocks(&[bad], &[200.0])).verdict,
                Verdict::NotMeasured,
                "{bad}"
            );
            assert_eq!(
                judge(&claim, &clocks(&[1.0, bad], &[2.0, 2.0])).verdict,
                Verdict::NotMeasured,
                "{bad}"
            );
            assert_eq!(
                judge(&claim, &clocks(&[1.0], &[bad])).verdict,
                Verdict::NotMeasured,
                "{bad}"
            );
        }
        assert_eq!(judge(&claim, &clocks(&[], &[])).verdict, Verdict::NotMeasured);
        let mut half = clocks(&[1.0], &[2.0]);
        let recording = half.recordings.get_mut("g").unwrap();
        recording.benchmarks.shift_remove("g/old");
        assert_eq!(judge(&claim, &half).verdict, Verdict::NotMeasured);
        half.recordings.get_mut("g").unwrap().not_possible.insert("g".into(), "forbidden".into());
        assert_eq!(judge(&claim, &half).verdict, Verdict::NotPossible("forbidden".into()));
    }

    #[test]
    fn counts_are_judged_by_their_bounds() {
        let machine = counts(json!({
            "a.n": 1, "b.n": 32, "z.n": 0, "neg.n": -1, "no.n": "forbidden", "odd.n": true
        }));
        let verdict = |key: &str, bound| {
            judge(&claim(Proof::Counted(vec![count(key, bound)])), &machine).verdict
        };
        let than =
            |key: &str, by| CountBound::FewerThan { example: "e".into(), key: key.into(), by };
        assert_eq!(verdict("a.n", CountBound::Equals(1.0)), Verdict::Holds);
        assert_eq!(verdict("a.n", CountBound::Equals(2.0)), Verdict::Fails);
        assert_eq!(verdict("a.n", CountBound::AtMost(1.0)), Verdict::Holds);
        assert_eq!(verdict("b.n", CountBound::AtMost(31.0)), Verdict::Fails);
        assert_eq!(verdict("b.n", CountBound::AtLeast(32.0)), Verdict::Holds);
        assert_eq!(verdict("a.n", CountBound::AtLeast(2.0)), Verdict::Fails);
        assert_eq!(verdict("a.n", than("b.n", 32.0)), Verdict::Holds);
        assert_eq!(verdict("a.n", than("b.n", 33.0)), Verdict::Fails);
        assert_eq!(verdict("z.n", than("b.n", 2.0)), Verdict::Holds);
        assert_eq!(verdict("z.n", than("z.n", 2.0)), Verdict::Fails, "zero is not fewer than zero");
        let judgement =
            judge(&claim(Proof::Counted(vec![count("a.n", than("b.n", 2.0))])), &machine);
        assert_eq!(judgement.value.unwrap().value, 32.0);
        assert_eq!(judgement.found, "a.n = 1, b.n = 32");
        assert_eq!(verdict("neg.n", CountBound::AtMost(1.0)), Verdict::Fails);
        assert_eq!(verdict("a.n", than("neg.n", 2.0)), Verdict::Fails);
        assert_eq!(
            verdict("no.n", CountBound::Equals(1.0)),
            Verdict::NotPossible("forbidden".into())
        );
        assert_eq!(verdict("a.n", than("no.n", 2.0)), Verdict::NotPossible("forbidden".into()));
        assert_eq!(verdict("a.n", than("missing.n", 2.0)), Verdict::NotMeasured);
        assert_eq!(verdict("missing.n", CountBound::AtMost(1.0)), Verdict::NotMeasured);
        assert_eq!(verdict("odd.n", CountBound::AtMost(1.0)), Verdict::NotMeasured);
    }

    #[test]
    fn of_several_counts_all_must_hold() {
        let machine = counts(json!({ "a.n": 1, "b.n": 2, "no.n": "forbidden" }));
        let verdict = |keys: &[(&str, f64)]| {
            let counts = keys.iter().map(|(key, n)| count(key, CountBound::Equals(*n))).collect();
            judge(&claim(Proof::Counted(counts)), &machine).verdict
        };
        assert_eq!(verdict(&[("a.n", 1.0), ("b.n", 2.0)]), Verdict::Holds);
        assert_eq!(verdict(&[("a.n", 1.0), ("b.n", 3.0)]), Verdict::Fails);
        assert_eq!(verdict(&[("a.n", 1.0), ("c.n", 3.0)]), Verdict::NotMeasured);
        assert_eq!(
            verdict(&[("a.n", 1.0), ("no.n", 3.0)]),
            Verdict::NotPossible("forbidden".into())
        );
        assert_eq!(verdict(&[("a.n", 2.0), ("no.n", 3.0)]), Verdict::Fails);
        assert_eq!(verdict(&[]), Verdict::NotMeasured);
    }

    #[test]
    fn builds_and_models_are_judged_by_their_outcome() {
        let compiled =
            claim(Proof::Compiled { file: PathBuf::from("src/a.rs"), anchor: "size".into() });
        let explored = claim(Proof::Explored { model: "a::b".into() });
        let mut machine = Machine::new("m");
        assert_eq!(judge(&compiled, &machine).verdict, Verdict::NotMeasured);
        for (holds, expected) in [(true, Verdict::Holds), (false, Verdict::Fails)] {
            let run = ProofRun { date: String::new(), commit: None, holds, found: "f".into() };
            machine.proofs.insert("compiled:src/a.rs#size".into(), run.clone());
            machine.proofs.insert("explored:a::b".into(), run);
            assert_eq!(judge(&compiled, &machine).verdict, expected);
            assert_eq!(judge(&explored, &machine).verdict, expected);
        }
    }
}
