//! Finds clocked claims whose bounds say less than the machines have shown, or more than a reader
//! would take them to say.

use super::judge;
use crate::chapter::SAME;
use crate::machine::statistics::coverage;
use crate::machine::{Machine, Regime};
use crate::model::{Claim, Clocked, Estimate, Problem, Proof, RatioBound, Verdict};
use crate::units::{Quantity, number, text};
use regex::Regex;
use std::sync::LazyLock;

/// The factor by which a bound may lie beyond the weakest machine's interval without a reason.
const ROOM: f64 = 1.5;

/// The room that a bound should leave to the weakest machine.
const MARGIN: f64 = 1.2;

/// The least probability that an interval covers the median, for it to speak against a bound.
const COVERAGE: f64 = 0.95;

/// Lists the clocked claims among `claims` whose bounds do not fit what `machines` have measured:
/// loose ones without a reason, reasons for bounds that are not loose, claims of no difference
/// where there is one, and claims that no null control can leave undecided.
pub fn problems(claims: &[&Claim], machines: &[Machine]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for claim in claims {
        let Proof::Clocked(clocked) = &claim.proof else { continue };
        let measured: Vec<(&str, Estimate)> = machines
            .iter()
            .flat_map(|machine| values(claim, machine).map(|value| (machine.name.as_str(), value)))
            .collect();
        let found = [room(claim, clocked, &measured), no_difference(claim, clocked, &measured)];
        let has_times = |machine: &&Machine| measured.iter().any(|(name, _)| *name == machine.name);
        let with_times = machines.iter().filter(has_times);
        let unpaired = with_times.filter_map(|machine| unpaired(clocked, machine));
        problems.extend(found.into_iter().flatten().chain(unpaired).map(|what| Problem {
            place: claim.place.clone(),
            message: format!("`{}` {what}", claim.id),
        }));
    }
    problems
}

/// Returns what a machine shows about a claim, in each regime that it was measured in for enough
/// rounds: with fewer, an interval is too often beside the median.
fn values(claim: &Claim, machine: &Machine) -> impl Iterator<Item = Estimate> {
    let judged = judge::judge(claim, machine);
    let applies = !matches!(judged.verdict, Verdict::DoesNotApply(_));
    let alone = judged.value.filter(|_| judged.regimes.is_empty());
    let regimes = judged.regimes.into_iter().filter_map(|one| one.value);
    let enough = move |value: &Estimate| applies && coverage(value.rounds) >= COVERAGE;
    alone.into_iter().chain(regimes).filter(enough)
}

/// Returns what is wrong with the room between the bound and the weakest machine's interval.
fn room(claim: &Claim, clocked: &Clocked, measured: &[(&str, Estimate)]) -> Option<String> {
    // The end of the weakest machine's interval, and the number of times that the bound fits in it.
    let weakest = |of: fn(&Estimate) -> f64| {
        let ends = measured.iter().map(|(name, estimate)| (*name, of(estimate)));
        ends.min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (bound, (name, end), room) = match clocked.bound {
        RatioBound::Faster(by) | RatioBound::AtLeast(by) => {
            let (name, end) = weakest(|estimate| estimate.low)?;
            (by, (name, end), end / by)
        }
        RatioBound::AtMost(by) => {
            let (name, end) = weakest(|estimate| -estimate.high)?;
            (by, (name, -end), if end < 0.0 { by / -end } else { f64::INFINITY })
        }
        RatioBound::Within(by) => {
            let (name, end) = weakest(|estimate| -estimate.reach())?;
            (by, (name, -end), by / -end)
        }
    };
    let is_loose = room > ROOM;
    if is_loose == claim.loose.is_some() {
        return None;
    }
    if !is_loose {
        return Some("has a bound that is not loose: take its `loose` out".to_owned());
    }
    let ratio = |value| number(value, Quantity::Ratio, 2);
    let take = match clocked.bound {
        RatioBound::Faster(_) | RatioBound::AtLeast(_) => rounded(end / MARGIN, f64::floor),
        RatioBound::AtMost(_) | RatioBound::Within(_) => rounded(end * MARGIN, f64::ceil),
    };
    Some(format!(
        "has a loose bound, {bound}, where the weakest machine, {name}, shows {}: take {take}, or \
         give the reason in `loose`",
        ratio(end)
    ))
}

/// Returns what is wrong with a claim of no difference.
fn no_difference(
    claim: &Claim,
    clocked: &Clocked,
    measured: &[(&str, Estimate)],
) -> Option<String> {
    static SAYS_SAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:same|no difference|a draw|alike|equal(?:ly)?)\b").expect("a constant")
    });
    let RatioBound::Within(within) = clocked.bound else { return None };
    let says_same = SAYS_SAME.is_match(&claim.says);
    if says_same && within > SAME {
        return Some(format!("says that there is no difference within {within}, above {SAME}"));
    }
    if !says_same && within > SAME {
        return None;
    }
    let (name, other) =
        measured.iter().find(|(_, estimate)| estimate.low > 1.0 || estimate.high < 1.0)?;
    let shown = text(*other, Quantity::Ratio).interval;
    Some(format!("says that there is no difference, where {name} shows one of {shown}"))
}

/// Returns what is wrong with a recording in which no code was measured twice beside what the claim
/// compares.
fn unpaired(clocked: &Clocked, machine: &Machine) -> Option<String> {
    let regimes = [None, Some(Regime::Near), Some(Regime::Far)];
    let control = |regime| machine.null_control(clocked.ids().map(String::as_str), regime);
    let paired = regimes.into_iter().any(|regime| control(regime).is_some());
    (!paired).then(|| {
        format!("rests on no null control on {}: measure one of its variants `again`", machine.name)
    })
}

/// Rounds a bound to two digits.
fn rounded(value: f64, round: fn(f64) -> f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return value;
    }
    let step = 10f64.powi(value.log10().floor() as i32 - 1);
    // Dividing by a power of ten gives the nearest number that prints with two digits.
    if step < 1.0 { round(value / step) / (1.0 / step).round() } else { round(value / step) * step }
}

#[cfg(test)]
mod tests {
    use super::super::clocked::tests::{add, clocks};
    use super::*;
    use crate::model::{Place, Times};
    use std::path::PathBuf;

    /// A machine on which the old way takes `ratio` times as long as the new one.
    fn machine(name: &str, ratio: f64) -> Machine {
        let mut machine = unpaired_machine(name, ratio);
        add(&mut machine, "g/new_again", &[64.0; 9]);
        machine
    }

    /// The same without a null control.
    fn unpaired_machine(name: &str, ratio: f64) -> Machine {
        let mut machine = Machine { name: name.into(), ..clocks(&[64.0; 9], &[64.0 * ratio; 9]) };
        machine.recordings.values_mut().for_each(|recording| recording.environment.cores = Some(2));
        machine
    }

    fn claim(says: &str, bound: RatioBound) -> Claim {
        let over = match bound {
            RatioBound::Faster(_) | RatioBound::Within(_) => Times::Of("g/old".into()),
            _ => Times::Difference("g/old".into(), "g/new".into()),
        };
        Claim {
            id: "a".into(),
            says: says.into(),
            proof: Proof::Clocked(Clocked { over, under: Times::Of("g/new".into()), bound }),
            condition: None,
            loose: None,
            bears: Vec::new(),
            command: None,
            place: Place { page: PathBuf::from("a.md"), line: 3 },
        }
    }

    fn said(claim: &Claim, machines: &[Machine]) -> Vec<String> {
        problems(&[claim], machines).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_bound_far_from_the_weakest_machine_is_loose_without_a_reason() {
        let machines = [machine("strong", 9.0), machine("weak", 3.0)];
        let loose = claim("S", RatioBound::Faster(1.5));
        assert_eq!(
            said(&loose, &machines),
            ["a.md:3: `a` has a loose bound, 1.5, where the weakest machine, weak, shows 3.0×: \
              take 2.5, or give the reason in `loose`"]
        );
        assert_eq!(said(&claim("S", RatioBound::Faster(2.0)), &machines), [""; 0]);
        let reason = Some("R.".to_string());
        assert_eq!(said(&Claim { loose: reason.clone(), ..loose }, &machines), [""; 0]);
        let stale = Claim { loose: reason, ..claim("S", RatioBound::Faster(2.0)) };
        assert!(said(&stale, &machines)[0].ends_with("not loose: take its `loose` out"));
        assert_eq!(said(&claim("S", RatioBound::Faster(1.5)), &[]), [""; 0], "nothing measured");
        let three = Machine { name: "three".into(), ..clocks(&[64.0; 3], &[64.0 * 9.0; 3]) };
        let bound = claim("S", RatioBound::Faster(1.5));
        assert_eq!(said(&bound, &[three]), [""; 0], "too few rounds to tell");
    }

    #[test]
    fn every_kind_of_bound_can_be_loose() {
        let machines = [machine("strong", 2.0), machine("weak", 1.5)];
        let is_loose = |bound| {
            let said = said(&claim("S to within a factor", bound), &machines);
            said.iter().any(|said| said.contains("has a loose bound"))
        };
        // The old way takes 0.5 to 1 times the new one's time on top of it.
        assert!(is_loose(RatioBound::AtLeast(0.3)) && !is_loose(RatioBound::AtLeast(0.4)));
        assert!(is_loose(RatioBound::AtMost(1.6)) && !is_loose(RatioBound::AtMost(1.4)));
        assert!(is_loose(RatioBound::Within(3.1)) && !is_loose(RatioBound::Within(2.9)));
        assert!(!is_loose(RatioBound::AtLeast(20.0)), "that fails, which is another matter");
        // Of times at most 2 times as long, the weakest machine is the one that takes longest.
        let machines = [machine("quick", 2.0), machine("slow", 3.0)];
        let at_most = |by| said(&claim("S", RatioBound::AtMost(by)), &machines);
        assert_eq!(at_most(2.9), [""; 0]);
        assert_eq!(
            at_most(3.1),
            ["a.md:3: `a` has a loose bound, 3.1, where the weakest machine, slow, shows 2.0×: \
              take 2.4, or give the reason in `loose`"]
        );
        let quick = [machine("quick", 0.5)];
        let below = said(&claim("S", RatioBound::AtMost(0.1)), &quick);
        assert!(below[0].contains("has a loose bound"), "less than nothing: {below:?}");
    }

    #[test]
    fn a_machine_that_a_claim_is_not_about_does_not_count() {
        let mut claim = claim("S", RatioBound::Faster(1.5));
        claim.condition = Some(crate::condition::Condition::parse("cores >= 4").unwrap());
        assert_eq!(said(&claim, &[machine("two-cores", 9.0)]), [""; 0]);
    }

    #[test]
    fn no_difference_means_a_small_bound_and_an_interval_around_1() {
        let within = |says: &str, bound, ratio| {
            let claim = claim(says, RatioBound::Within(bound));
            said(&claim, &[machine("one", 1.0), machine("other", ratio)]).join("\n")
        };
        assert_eq!(within("They take the same.", 1.25, 1.0), "");
        let told = within("They take the same.", 1.25, 1.125);
        assert!(told.ends_with("no difference, where other shows one of 1.12 to 1.13×"), "{told}");
        assert!(within("At most 1.25 times.", 1.25, 1.125).contains("where other shows one"));
        let told = within("The same to within a factor of 1.5.", 1.5, 1.125);
        assert!(told.contains("says that there is no difference within 1.5, above 1.25"), "{told}");
        assert_eq!(within("At most 1.5 times as long.", 1.5, 1.125), "");
    }

    #[test]
    fn a_claim_rests_on_a_null_control_on_each_machine() {
        let claim = claim("S", RatioBound::Faster(2.0));
        let machines = [machine("one", 3.0), unpaired_machine("other", 3.0)];
        assert_eq!(
            said(&claim, &machines),
            ["a.md:3: `a` rests on no null control on other: measure one of its variants `again`"]
        );
    }

    #[test]
    fn the_bound_to_take_has_two_digits() {
        for (value, down) in [(2.5694, 2.5), (0.5694, 0.56), (1234.0, 1200.0), (0.0456, 0.045)] {
            assert_eq!(rounded(value, f64::floor), down, "{value}");
        }
        assert_eq!(rounded(1.101, f64::ceil), 1.2);
    }
}
