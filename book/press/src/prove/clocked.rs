//! Judges clocked claims in one regime: quotients of times, against a bound and against the null
//! control.

use crate::machine::statistics::{self, Quotient};
use crate::machine::{Known, Machine, Regime};
use crate::model::{Clocked, Estimate, Judgement, RatioBound, Verdict};
use crate::units::{Quantity, text};

/// The factor by which the same code may differ from itself, before a recording decides nothing.
const SAME_CODE: f64 = 1.05;

/// Judges a clocked claim by a machine's times in `regime`, and its verdict by the null control. A
/// recording in which the same code differs from itself in every round decides nothing; where it
/// might differ, the difference must not reach from the median across the bound.
///
/// One interval in twenty-five excludes 1 by chance, and a bench has up to twenty pairs, so the
/// interval of a pair alone is no sign of a bias.
pub fn judge(clocked: &Clocked, machine: &Machine, regime: Option<Regime>) -> Judgement {
    let Clocked { over, under, bound } = clocked;
    let judged = judge_ratio(*bound, machine.quotient_in(over, under, regime));
    if !matches!(judged.verdict, Verdict::Holds | Verdict::Fails) {
        return judged;
    }
    let ids = || clocked.ids().map(String::as_str);
    if let Some(bias) = machine.bias(ids(), regime, SAME_CODE) {
        let shown = text(bias, Quantity::Ratio);
        return judged.undecided(format!(
            "the same code against itself gave {} ({}), the same way in every round",
            shown.value, shown.interval
        ));
    }
    let Some(null) = machine.null_control(ids(), regime) else {
        return judged;
    };
    let off = match machine.quotient_off_by(over, under, null.reach(), regime) {
        Known::Measured(Quotient::Of(off)) => verdict(*bound, off),
        _ => Verdict::Undecided,
    };
    if off != judged.verdict {
        return judged.undecided(format!(
            "the margin is less than the same code may differ from itself ({})",
            text(null, Quantity::Ratio).interval
        ));
    }
    judged
}

/// Judges a ratio by its whole interval. The claim holds if the interval lies within the bound, and
/// fails if it lies outside; an interval across the bound leaves it undecided.
fn judge_ratio(bound: RatioBound, ratio: Known<Quotient>) -> Judgement {
    let ratio = match ratio {
        Known::Measured(Quotient::Of(ratio)) => ratio,
        Known::Measured(Quotient::NotAbove(rounds)) => {
            let reason =
                format!("what it is compared with is not above zero in {rounds} of the rounds");
            return Judgement::new(Verdict::Undecided, String::new()).undecided(reason);
        }
        Known::NotPossible(reason) => {
            return Judgement::new(Verdict::NotPossible(reason.clone()), reason);
        }
        Known::NotMeasured => return Judgement::not_measured("no times for both sides"),
    };
    let Estimate { value, low, high, .. } = ratio;
    let is_difference = matches!(bound, RatioBound::AtLeast(_) | RatioBound::AtMost(_));
    let is_ratio = [value, low, high].iter().all(|n| n.is_finite() && (*n > 0.0 || is_difference));
    if !is_ratio || low > high {
        return Judgement::not_measured("the recorded times are not numbers above zero");
    }
    let verdict = verdict(bound, ratio);
    let shown = text(ratio, Quantity::Ratio);
    let found = format!("{} ({}; {})", shown.value, shown.interval, rounds(ratio.rounds));
    Judgement { value: Some(ratio), ..Judgement::new(verdict, found) }
}

/// Returns the verdict about an interval alone.
fn verdict(bound: RatioBound, Estimate { low, high, .. }: Estimate) -> Verdict {
    let (inside, outside) = match bound {
        RatioBound::Faster(by) | RatioBound::AtLeast(by) => (low >= by, high < by),
        RatioBound::AtMost(by) => (high <= by, low > by),
        RatioBound::Within(by) => (low >= 1.0 / by && high <= by, high < 1.0 / by || low > by),
    };
    match (inside, outside) {
        (true, _) => Verdict::Holds,
        (_, true) => Verdict::Fails,
        _ => Verdict::Undecided,
    }
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::machine::{Benchmark, Environment, Recording, Round};
    use crate::model::Times;
    use std::collections::BTreeMap;

    fn judge(clocked: &Clocked, machine: &Machine) -> Judgement {
        super::judge(clocked, machine, None)
    }

    fn clocked(bound: RatioBound) -> Clocked {
        Clocked { over: Times::Of("g/old".into()), under: Times::Of("g/new".into()), bound }
    }

    fn benchmark(function: &str, medians: &[f64]) -> (String, Benchmark) {
        let rounds = medians.iter().map(|&m| Round::new(m, m * 0.99, m * 1.01)).collect();
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

    pub fn clocks(new: &[f64], old: &[f64]) -> Machine {
        let mut machine = Machine::new("m");
        let recording = Recording {
            date: "2026-01-01T00:00:00Z".into(),
            commit: None,
            modified: None,
            sources: None,
            rounds: new.len(),
            planned: None,
            environment: Environment::default(),
            benchmarks: [benchmark("new", new), benchmark("old", old)].into_iter().collect(),
            not_possible: BTreeMap::new(),
        };
        machine.recordings.insert("g".into(), recording);
        machine
    }

    #[test]
    fn a_ratio_is_judged_by_its_whole_interval() {
        let verdict = |bound, low, high| {
            let ratio = Estimate { value: (low + high) / 2.0, low, high, rounds: 9 };
            judge_ratio(bound, Known::Measured(Quotient::Of(ratio))).verdict
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
        let at_most = RatioBound::AtMost(2.0);
        assert_eq!(verdict(at_most, 1.0, 2.0), Verdict::Holds);
        assert_eq!(verdict(at_most, 1.0, 2.01), Verdict::Undecided);
        assert_eq!(verdict(at_most, 2.0, 3.0), Verdict::Undecided);
        assert_eq!(verdict(at_most, 2.01, 3.0), Verdict::Fails);
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
                let ratio = Quotient::Of(Estimate { value, low, high, rounds: 9 });
                assert_eq!(
                    judge_ratio(bound, Known::Measured(ratio)).verdict,
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

    /// Adds a benchmark of the bench `g` with an id of any group.
    pub fn add(machine: &mut Machine, id: &str, medians: &[f64]) {
        let parts: Vec<&str> = id.split('/').collect();
        let (_, benchmark) = benchmark(parts[1], medians);
        let parameter = parts.get(2).map(|parameter| (*parameter).to_string());
        let benchmark = Benchmark { group: parts[0].into(), parameter, ..benchmark };
        machine.recordings.get_mut("g").unwrap().benchmarks.insert(id.into(), benchmark);
    }

    /// Times of which the newer is twice as fast, with a null control whose ratio is `null`.
    fn controlled(null: &[f64]) -> Machine {
        let mut machine = clocks(&[100.0; 9], &[200.0; 9]);
        add(&mut machine, "g/new_again", &null.iter().map(|null| 100.0 / null).collect::<Vec<_>>());
        machine
    }

    #[test]
    fn a_null_control_that_differs_in_every_round_leaves_every_claim_undecided() {
        let claim = clocked(RatioBound::Faster(1.5));
        assert_eq!(judge(&claim, &controlled(&[1.0; 9])).verdict, Verdict::Holds);
        let wide = [0.9, 0.95, 1.0, 1.0, 1.0, 1.0, 1.1, 1.2, 1.25];
        assert_eq!(judge(&claim, &controlled(&wide)).verdict, Verdict::Holds, "1.67 is enough");
        for null in [1.06, 1.0 / 1.06] {
            let doctored = judge(&claim, &controlled(&[null; 9]));
            assert_eq!(doctored.verdict, Verdict::Undecided, "{null}");
            let reason = doctored.reason.unwrap();
            assert!(reason.starts_with("the same code against itself gave "), "{reason}");
            assert_eq!(doctored.found, format!("2.00× (2.00 to 2.00×; 9 rounds); {reason}"));
            assert!(doctored.value.is_some(), "the number stays");
        }
        let by_chance = [[1.06; 8].as_slice(), &[1.04]].concat();
        assert_eq!(judge(&claim, &controlled(&by_chance)).verdict, Verdict::Holds);
        let fails = clocked(RatioBound::Faster(3.0));
        assert_eq!(judge(&fails, &controlled(&[1.0; 9])).verdict, Verdict::Fails);
        assert_eq!(judge(&fails, &controlled(&[1.06; 9])).verdict, Verdict::Undecided);
    }

    #[test]
    fn a_margin_within_the_null_control_leaves_the_claim_undecided() {
        // The same code may be off by 1.4 either way, and so may a ratio of 2.
        let wide = [0.71, 0.72, 0.9, 1.0, 1.0, 1.0, 1.1, 1.4, 1.41];
        let on = |bound| judge(&clocked(bound), &controlled(&wide)).verdict;
        assert_eq!(on(RatioBound::Faster(1.4)), Verdict::Holds);
        assert_eq!(on(RatioBound::Faster(1.5)), Verdict::Undecided);
        assert_eq!(on(RatioBound::Faster(2.5)), Verdict::Undecided);
        assert_eq!(on(RatioBound::Faster(3.0)), Verdict::Fails);
        assert_eq!(on(RatioBound::Within(2.1)), Verdict::Undecided);
        assert_eq!(on(RatioBound::Within(3.0)), Verdict::Holds);
        let near = judge(&clocked(RatioBound::Faster(1.5)), &controlled(&wide));
        assert!(near.reason.unwrap().starts_with("the margin is less than the same code may"));
    }

    #[test]
    fn the_null_control_is_the_nearest_there_is() {
        let claim = clocked(RatioBound::Faster(1.5));
        let verdict = |machine: &Machine| judge(&claim, machine).verdict;
        let mut machine = clocks(&[100.0; 9], &[200.0; 9]);
        assert_eq!(verdict(&machine), Verdict::Holds, "without any");
        // A pair of the bench, in a group of its own, as in old recordings.
        add(&mut machine, "g_aa/first", &[110.0; 9]);
        add(&mut machine, "g_aa/second", &[100.0; 9]);
        assert_eq!(verdict(&machine), Verdict::Undecided);
        // A pair of another group is none of ours; one of this group takes the bench's place.
        add(&mut machine, "g_cpu/new", &[100.0; 9]);
        add(&mut machine, "g_cpu/new_again", &[100.0; 9]);
        assert_eq!(verdict(&machine), Verdict::Undecided);
        add(&mut machine, "g/old_again", &[200.0; 9]);
        assert_eq!(verdict(&machine), Verdict::Holds);
        // At several parameters, the claim's own counts.
        for (parameter, again) in [("1KiB", 100.0), ("1MiB", 140.0)] {
            add(&mut machine, &format!("g/new/{parameter}"), &[100.0; 9]);
            add(&mut machine, &format!("g/old/{parameter}"), &[200.0; 9]);
            add(&mut machine, &format!("g/new_again/{parameter}"), &[again; 9]);
        }
        for (parameter, expected) in [("1KiB", Verdict::Holds), ("1MiB", Verdict::Undecided)] {
            let times = |function| Times::Of(format!("g/{function}/{parameter}"));
            let (over, under) = (times("old"), times("new"));
            let claim = Clocked { over, under, bound: RatioBound::Faster(1.5) };
            assert_eq!(judge(&claim, &machine).verdict, expected, "{parameter}");
        }
        let shown = |(id, _): (&str, &Benchmark)| id.to_string();
        let shown: Vec<String> = machine.group("g_cpu").into_iter().map(shown).collect();
        assert_eq!(shown, ["g_cpu/new"], "figures leave it out");
    }

    #[test]
    fn a_difference_is_judged_inside_each_round() {
        let mut machine = clocks(&[100.0, 150.0, 100.0], &[170.0, 255.0, 170.0]);
        add(&mut machine, "g/none", &[60.0, 90.0, 60.0]);
        let share = |bound| Clocked {
            over: Times::Difference("g/old".into(), "g/new".into()),
            under: Times::Difference("g/new".into(), "g/none".into()),
            bound,
        };
        let found = judge(&share(RatioBound::AtLeast(1.5)), &machine);
        assert_eq!((&found.verdict, found.value.unwrap().value), (&Verdict::Holds, 1.75));
        assert_eq!(judge(&share(RatioBound::AtLeast(2.0)), &machine).verdict, Verdict::Fails);
        assert_eq!(judge(&share(RatioBound::AtMost(2.0)), &machine).verdict, Verdict::Holds);
        assert_eq!(judge(&share(RatioBound::AtMost(1.5)), &machine).verdict, Verdict::Fails);
        let back = Clocked {
            over: Times::Difference("g/new".into(), "g/old".into()),
            ..share(RatioBound::AtLeast(0.5))
        };
        assert_eq!(judge(&back, &machine).verdict, Verdict::Fails, "less than nothing");
        let of_one =
            Clocked { under: Times::Of("g/new".into()), ..share(RatioBound::AtLeast(0.6)) };
        assert_eq!(judge(&of_one, &machine).verdict, Verdict::Holds);
        add(&mut machine, "g/none", &[60.0, 160.0, 60.0]);
        let found = judge(&share(RatioBound::AtLeast(1.5)), &machine);
        assert_eq!(found.verdict, Verdict::Undecided);
        assert_eq!(found.found, "what it is compared with is not above zero in 1 of the rounds");
    }

    #[test]
    fn a_null_control_weighs_more_on_a_small_difference() {
        let mut machine = controlled(&[0.96, 0.97, 0.99, 1.0, 1.0, 1.0, 1.01, 1.03, 1.04]);
        add(&mut machine, "g/near", &[98.0; 9]);
        let claim = |a: &str, bound| Clocked {
            over: Times::Difference(a.into(), "g/near".into()),
            under: Times::Of("g/new".into()),
            bound,
        };
        let far = judge(&claim("g/old", RatioBound::AtLeast(0.5)), &machine);
        assert_eq!(far.verdict, Verdict::Holds);
        let near = judge(&claim("g/new", RatioBound::AtLeast(0.01)), &machine);
        assert_eq!(near.verdict, Verdict::Undecided, "2 of 100, by clocks that are off by 3");
    }
}
