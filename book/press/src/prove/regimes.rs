//! Judges clocked claims in each regime that a machine saw, and puts the verdicts together.

use super::applies::applied;
use super::clocked;
use crate::condition::Name;
use crate::machine::{Known, Machine, Regime};
use crate::model::{Claim, Clocked, InRegime, Judgement, Verdict};

/// Judges a clocked claim in each regime in which all of its benchmarks were measured. It holds if
/// it holds in every regime, and fails if it fails in one.
pub fn judge(claim: &Claim, clocked: &Clocked, machine: &Machine) -> Judgement {
    let ids: Vec<&str> = clocked.ids().map(String::as_str).collect();
    let regimes = machine.regimes(&ids);
    let dropped = machine.dropped(&ids);
    if dropped > 0
        && let Known::NotPossible(reason) = machine.usual_regime(&ids)
    {
        return Judgement::new(Verdict::Undecided, String::new()).undecided(reason);
    }
    let of = |regime: Option<Regime>| {
        let judged = clocked::judge(clocked, machine, regime);
        applied(claim, machine, regime, judged)
    };
    let mut judged: Vec<(Regime, Judgement)> = Vec::new();
    for (regime, _) in &regimes {
        match regime {
            None => return of(None),
            Some(regime) => judged.push((*regime, of(Some(*regime)))),
        }
    }
    // Near before far, whichever was seen more often.
    judged.sort_by_key(|(regime, _)| *regime);
    match judged.len() {
        0 => of(None),
        _ => together(
            judged,
            claim.condition.as_ref().is_some_and(|c| c.names(Name::Lines)),
            dropped,
        ),
    }
}

/// Puts the judgements in each regime together. A claim about one regime, `one`, does not miss the
/// other.
fn together(judged: Vec<(Regime, Judgement)>, one: bool, dropped: usize) -> Judgement {
    let applies = |judgement: &Judgement| !matches!(judgement.verdict, Verdict::DoesNotApply(_));
    let any = judged.iter().any(|(_, judgement)| applies(judgement));
    let judged: Vec<(Regime, Judgement)> =
        judged.into_iter().filter(|(_, judgement)| !any || applies(judgement)).collect();
    let Some((_, worst)) = judged.iter().min_by_key(|(_, judgement)| rank(&judgement.verdict))
    else {
        return Judgement::not_measured("");
    };
    if !any {
        return worst.clone();
    }
    let mut found: Vec<String> =
        judged.iter().map(|(regime, judgement)| format!("{regime}: {}", judgement.found)).collect();
    if dropped > 0 {
        found.push(format!("{dropped} rounds dropped, in which the cores moved or were slowed"));
    }
    let regimes = judged
        .iter()
        .map(|(regime, judgement)| InRegime {
            regime: regime.to_string(),
            verdict: judgement.verdict.clone(),
            value: judgement.value,
        })
        .collect();
    let unseen = match judged[..] {
        [(Regime::Near, _)] if !one => Some(Regime::Far.to_string()),
        [(Regime::Far, _)] if !one => Some(Regime::Near.to_string()),
        _ => None,
    };
    Judgement {
        verdict: worst.verdict.clone(),
        value: worst.value,
        found: found.join("; "),
        reason: worst.reason.clone(),
        regimes,
        unseen,
    }
}

/// Returns the order in which verdicts decide: one failure does, and only all successes do.
fn rank(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Fails => 0,
        Verdict::Undecided => 1,
        Verdict::Holds => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::super::clocked::tests::{add, clocks};
    use super::*;
    use crate::condition::Condition;
    use crate::machine::Machine;
    use crate::model::{Place, Proof, RatioBound, Times};
    use std::path::PathBuf;

    const NEAR: [f64; 2] = [50.0, 52.0];
    const FAR: [f64; 2] = [400.0, 390.0];
    const MOVED: [f64; 2] = [50.0, 400.0];

    /// A machine on which the old way takes twice the time of the new one with near cores, and as
    /// much as `far` says with far ones.
    fn machine(witnesses: &[[f64; 2]], far: f64) -> Machine {
        let of = |at: fn(&[f64; 2], f64) -> f64| -> Vec<f64> {
            witnesses.iter().map(|witness| at(witness, far)).collect()
        };
        let is_near = |witness: &[f64; 2]| witness[1] < 100.0;
        let new = of(|_, _| 100.0);
        let old: Vec<f64> = witnesses
            .iter()
            .map(|witness| 100.0 * if is_near(witness) { 2.0 } else { far })
            .collect();
        let mut machine = clocks(&new, &old);
        for benchmark in machine.recordings.get_mut("g").unwrap().benchmarks.values_mut() {
            for (round, witness) in benchmark.rounds.iter_mut().zip(witnesses) {
                round.witness = Some(*witness);
            }
        }
        machine
    }

    fn judged(bound: f64, condition: Option<&str>, machine: &Machine) -> Judgement {
        let clocked = Clocked {
            over: Times::Of("g/old".into()),
            under: Times::Of("g/new".into()),
            bound: RatioBound::Faster(bound),
        };
        let claim = Claim {
            id: "a".into(),
            says: "S".into(),
            proof: Proof::Clocked(clocked.clone()),
            condition: condition.map(|condition| Condition::parse(condition).unwrap()),
            loose: None,
            bears: Vec::new(),
            command: None,
            place: Place { page: PathBuf::from("a.md"), line: 1 },
        };
        judge(&claim, &clocked, machine)
    }

    fn both() -> Vec<[f64; 2]> {
        [[NEAR; 4], [FAR; 4]].concat()
    }

    #[test]
    fn a_claim_is_judged_in_each_regime_that_was_seen() {
        let words = |bound, far| judged(bound, None, &machine(&both(), far)).words();
        assert_eq!(words(1.5, 3.0), "holds near and far");
        assert_eq!(words(4.0, 3.0), "fails near and far");
        assert_eq!(words(1.5, 1.0), "fails far, holds near");
        assert_eq!(words(2.5, 3.0), "fails near, holds far");
        // Over all rounds, the median would lie between the regimes and the interval across.
        let apart = judged(1.5, None, &machine(&both(), 1.0));
        assert_eq!(apart.verdict, Verdict::Fails, "one regime decides");
        let mostly_far = [&[FAR; 5][..], &[NEAR; 4]].concat();
        let mostly_far = judged(1.5, None, &machine(&mostly_far, 3.0));
        assert!(mostly_far.found.starts_with("near: "), "{}", mostly_far.found);
        assert_eq!(
            apart.found,
            "near: 2.00× (2.00 to 2.00×; 4 rounds, 88 % coverage); \
             far: 1.00× (1.00 to 1.00×; 4 rounds, 88 % coverage)"
        );
    }

    #[test]
    fn a_regime_that_was_not_seen_is_named() {
        let words =
            |witnesses: &[[f64; 2]], bound| judged(bound, None, &machine(witnesses, 3.0)).words();
        assert_eq!(words(&[NEAR; 9], 1.5), "holds near, far not seen");
        assert_eq!(words(&[FAR; 9], 1.5), "holds far, near not seen");
        assert_eq!(words(&[FAR; 9], 4.0), "fails far, near not seen");
        // Two rounds of a regime are too few among nine.
        let few = [&[NEAR; 7][..], &[FAR; 2]].concat();
        let few = judged(1.5, None, &machine(&few, 3.0));
        assert_eq!(few.words(), "holds near, far not seen");
        assert!(
            few.found.ends_with("; 2 rounds dropped, in which the cores moved or were slowed"),
            "{}",
            few.found
        );
    }

    #[test]
    fn rounds_in_which_the_cores_moved_decide_nothing() {
        let moved = judged(1.5, None, &machine(&[MOVED; 9], 3.0));
        assert_eq!(moved.verdict, Verdict::Undecided);
        assert_eq!(moved.found, "in fewer than 3 of 9 rounds did the cores stay as they were");
        assert_eq!(moved.reason.as_deref(), Some(moved.found.as_str()));
        let some = [&[NEAR; 5][..], &[MOVED; 4]].concat();
        assert_eq!(judged(1.5, None, &machine(&some, 0.1)).words(), "holds near, far not seen");
    }

    #[test]
    fn a_claim_about_one_regime_does_not_miss_the_other() {
        let near = Some("lines == near");
        let words = |witnesses: &[[f64; 2]]| judged(1.5, near, &machine(witnesses, 1.0)).words();
        assert_eq!(words(&both()), "holds near");
        assert_eq!(words(&[NEAR; 9]), "holds near");
        let far = judged(1.5, near, &machine(&[FAR; 9], 1.0));
        assert_eq!(far.verdict, Verdict::DoesNotApply("the two cores are far".into()));
        let unknown = judged(1.5, near, &clocks(&[100.0; 9], &[200.0; 9]));
        assert_eq!(unknown.verdict, Verdict::Undecided);
        assert_eq!(unknown.reason.as_deref(), Some("not known whether lines == near"));
    }

    #[test]
    fn the_null_control_is_that_of_the_regime() {
        let mut machine = machine(&both(), 3.0);
        let again = [[100.0; 4], [150.0; 4]].concat();
        add(&mut machine, "g/new_again", &again);
        let again = machine.recordings.get_mut("g").unwrap();
        let again = again.benchmarks.get_mut("g/new_again").unwrap();
        for (round, witness) in again.rounds.iter_mut().zip(both()) {
            round.witness = Some(witness);
        }
        assert_eq!(judged(1.5, None, &machine).words(), "undecided far, holds near");
    }
}
