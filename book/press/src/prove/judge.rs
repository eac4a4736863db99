//! Judges claims by the results of one machine.

use super::applies::applied;
use super::regimes;
use crate::ids::slashed;
use crate::machine::{Known, Machine, ProofRun};
use crate::model::{Claim, Count, CountBound, Estimate, Judgement, Proof, Verdict};
use crate::units::{Quantity, number};
use std::path::Path;

/// Judges `claim` by the results of `machine`. A claim never holds by a number that is missing or
/// not finite, by a time that is not above zero, or on a machine that it is not about.
pub fn judge(claim: &Claim, machine: &Machine) -> Judgement {
    let judged = match &claim.proof {
        Proof::Clocked(clocked) => return regimes::judge(claim, clocked, machine),
        Proof::Compiled { file, anchor } => ran(machine.proofs.get(&compiled_key(file, anchor))),
        Proof::Explored { model } => ran(machine.proofs.get(&explored_key(model))),
        Proof::Counted(counts) => counted(counts, machine, judge_count),
        Proof::Observed(counts) => counted(counts, machine, observe),
    };
    applied(claim, machine, None, judged)
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

/// Returns the key in [`Machine::proofs`] of what proves a claim; `None` if a count or a time does.
pub fn proof_key(proof: &Proof) -> Option<String> {
    match proof {
        Proof::Compiled { file, anchor } => Some(compiled_key(file, anchor)),
        Proof::Explored { model } => Some(explored_key(model)),
        Proof::Counted(_) | Proof::Observed(_) | Proof::Clocked(_) => None,
    }
}

fn ran(run: Option<&ProofRun>) -> Judgement {
    match run {
        None => Judgement::not_measured("not run"),
        Some(run) => {
            let verdict = if run.holds { Verdict::Holds } else { Verdict::Fails };
            Judgement::new(verdict, run.found.clone())
        }
    }
}

/// Judges several counts, each by `judge`.
fn counted(
    counts: &[Count],
    machine: &Machine,
    judge: fn(&Count, &Machine) -> Judgement,
) -> Judgement {
    let mut judged: Vec<Judgement> = counts.iter().map(|count| judge(count, machine)).collect();
    if judged.len() == 1
        && let Some(only) = judged.pop()
    {
        return only;
    }
    // A single failure decides. Otherwise, a count that is missing does; the claim holds only if
    // every count does.
    let worst = |j: &Judgement| match j.verdict {
        Verdict::Fails => 0,
        Verdict::NotSeen => 1,
        Verdict::NotMeasured => 2,
        Verdict::NotPossible(_) | Verdict::DoesNotApply(_) => 3,
        Verdict::Undecided => 4,
        Verdict::Holds => 5,
    };
    let found = judged.iter().map(|j| j.found.as_str()).collect::<Vec<_>>().join("; ");
    match judged.into_iter().min_by_key(worst) {
        Some(judgement) => Judgement::new(judgement.verdict, found),
        None => Judgement::not_measured("nothing to count"),
    }
}

fn judge_count(count: &Count, machine: &Machine) -> Judgement {
    let value = match machine.count(&count.example, &count.key) {
        Known::Measured(value) => value,
        Known::NotPossible(reason) => {
            return Judgement::new(Verdict::NotPossible(reason.clone()), reason);
        }
        Known::NotMeasured => {
            return Judgement::not_measured(&format!("no count {}/{}", count.example, count.key));
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
                    return Judgement::new(Verdict::NotPossible(reason.clone()), reason);
                }
                Known::NotMeasured => {
                    return Judgement::not_measured(&format!("no count {example}/{key}"));
                }
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
    let verdict = if holds { Verdict::Holds } else { Verdict::Fails };
    Judgement { value, ..Judgement::new(verdict, found) }
}

/// Judges an observation. What should have happened and did not was not seen, which refutes
/// nothing; what should never happen and did fails.
fn observe(count: &Count, machine: &Machine) -> Judgement {
    let mut judged = judge_count(count, machine);
    let never = matches!(count.bound, CountBound::AtMost(_) | CountBound::Equals(0.0));
    let is_count = judged.value.is_some_and(|value| value.value >= 0.0);
    if judged.verdict == Verdict::Fails && !never && is_count {
        judged.verdict = Verdict::NotSeen;
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Condition;
    use crate::machine::{Counts, Environment};
    use crate::model::Place;
    use indexmap::IndexMap;
    use serde_json::{Value, json};
    use std::path::PathBuf;

    fn claim(proof: Proof) -> Claim {
        let place = Place { page: PathBuf::from("a.md"), line: 1 };
        Claim {
            id: "a".into(),
            says: "S".into(),
            proof,
            condition: None,
            loose: None,
            bears: Vec::new(),
            command: None,
            place,
        }
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
    fn counts_are_judged_by_their_bounds() {
        let machine = counts(json!({
            "a.n": 1, "two.n": 2, "b.n": 32, "z.n": 0, "neg.n": -1, "no.n": "forbidden", "odd.n": true
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
            judge(&claim(Proof::Counted(vec![count("two.n", than("b.n", 2.0))])), &machine);
        assert_eq!(judgement.value.unwrap().value, 16.0);
        assert_eq!(judgement.found, "two.n = 2, b.n = 32");
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
    fn an_observation_was_seen_or_not_and_fails_only_by_what_should_never_happen() {
        let machine = counts(json!({ "lost.n": 7, "zero.n": 0, "no.n": "forbidden", "neg.n": -1 }));
        let verdict = |bounds: &[(&str, CountBound)]| {
            let counts = bounds.iter().map(|(key, bound)| count(key, bound.clone())).collect();
            judge(&claim(Proof::Observed(counts)), &machine).verdict
        };
        let (once, never) = (CountBound::AtLeast(1.0), CountBound::Equals(0.0));
        assert_eq!(verdict(&[("lost.n", once.clone())]), Verdict::Holds);
        assert_eq!(verdict(&[("zero.n", once.clone())]), Verdict::NotSeen);
        assert_eq!(verdict(&[("zero.n", CountBound::Equals(3.0))]), Verdict::NotSeen);
        assert_eq!(verdict(&[("zero.n", never.clone())]), Verdict::Holds);
        assert_eq!(verdict(&[("lost.n", never.clone())]), Verdict::Fails, "it happened");
        assert_eq!(verdict(&[("lost.n", CountBound::AtMost(0.0))]), Verdict::Fails);
        assert_eq!(verdict(&[("neg.n", once.clone())]), Verdict::Fails, "a bug in the counter");
        assert_eq!(verdict(&[("none.n", once.clone())]), Verdict::NotMeasured);
        assert_eq!(verdict(&[("no.n", once.clone())]), Verdict::NotPossible("forbidden".into()));
        let both = [("zero.n", once.clone()), ("zero.n", never.clone())];
        assert_eq!(verdict(&both), Verdict::NotSeen);
        assert_eq!(verdict(&[("zero.n", once), ("lost.n", never)]), Verdict::Fails);
    }

    #[test]
    fn a_claim_about_other_machines_does_not_apply() {
        let mut machine = counts(json!({ "a.n": 1 }));
        let on = |condition: &str, bound: f64, machine: &Machine| {
            let condition = Some(Condition::parse(condition).unwrap());
            let proof = Proof::Counted(vec![count("a.n", CountBound::Equals(bound))]);
            judge(&Claim { condition, ..claim(proof) }, machine)
        };
        let unknown = on("l2 >= 1MiB", 1.0, &machine);
        assert_eq!(unknown.verdict, Verdict::Undecided);
        assert_eq!(unknown.found, "a.n = 1; not known whether l2 >= 1MiB");
        assert_eq!(unknown.reason.as_deref(), Some("not known whether l2 >= 1MiB"));
        assert_eq!(on("l2 >= 1MiB", 1.0, &Machine::new("m")).verdict, Verdict::NotMeasured);
        machine.now =
            Some(Environment { caches: Some("L2 512 KiB".into()), ..Environment::default() });
        let small = Verdict::DoesNotApply("L2 is 512 KiB".into());
        assert_eq!(on("l2 >= 1MiB", 1.0, &machine).verdict, small);
        assert_eq!(on("l2 >= 1MiB", 2.0, &machine).verdict, small, "whatever was counted");
        assert_eq!(on("l2 < 1MiB", 1.0, &machine).verdict, Verdict::Holds);
        assert_eq!(on("l2 < 1MiB", 2.0, &machine).verdict, Verdict::Fails);
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
