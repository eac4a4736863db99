//! The likely reasons why a claim comes out another way on one machine than on another, as far as
//! the recordings show one.

use crate::condition::{Fact, Name};
use crate::ids::bench_of;
use crate::machine::{Machine, Sources};
use crate::model::{Claim, Judgement, Proof, RatioBound, Verdict};
use crate::sizes::{binary, parameter};

/// The rounds from which an interval covers 95 % of cases.
const ENOUGH: usize = 6;

/// A machine with its judgement of a claim.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The judgement.
    pub judgement: &'a Judgement,
}

/// The facts that a count may depend on, with their names in a sentence.
const OF_COUNTS: [(Name, &str); 5] = [
    (Name::Kernel, "kernel"),
    (Name::Libc, "C library"),
    (Name::Files, "file system"),
    (Name::Thp, "mode of huge pages"),
    (Name::Arch, "architecture"),
];

/// The facts that a time may depend on.
const OF_TIMES: [(Name, &str); 10] = [
    (Name::Arch, "architecture"),
    (Name::Cpu, "design of the processor"),
    (Name::Cores, "number of cores"),
    (Name::L1d, "L1d cache"),
    (Name::L2, "L2 cache"),
    (Name::L3, "L3 cache"),
    (Name::Kernel, "kernel"),
    (Name::Libc, "C library"),
    (Name::Files, "file system"),
    (Name::Thp, "mode of huge pages"),
];

/// Returns the likely reasons why `here` comes out another way than `there`, whose name is `name`.
/// Facts that the claim itself names come first; otherwise, all that differ share one sentence.
/// None are returned if nothing is known to differ.
#[must_use]
pub fn reasons(claim: &Claim, here: Side<'_>, there: Side<'_>, name: &str) -> Vec<String> {
    let pointed: Vec<String> = [
        code(claim, here.machine, "your machine"),
        code(claim, there.machine, name),
        regime(here.judgement, there.judgement, name),
        rounds(here.judgement),
        noise(claim, here),
        cache(claim, here.machine, there.machine, name),
        condition(claim, here.machine, there.machine, name),
    ]
    .into_iter()
    .flatten()
    .collect();
    match pointed.is_empty() {
        false => pointed,
        true => facts(claim, here.machine, there.machine, name).into_iter().collect(),
    }
}

/// Returns the likely reasons why a claim is undecided on a machine.
#[must_use]
pub fn doubts(claim: &Claim, here: Side<'_>) -> Vec<String> {
    let reason = here.judgement.reason.clone();
    let straddles = || "the interval reaches across the bound".to_owned();
    let mut all = vec![reason.unwrap_or_else(straddles)];
    all.extend(rounds(here.judgement));
    if here.judgement.reason.is_none() {
        all.extend(noise(claim, here));
    }
    all
}

/// The bench or example of a claim has changed since a machine was recorded.
fn code(claim: &Claim, machine: &Machine, name: &str) -> Option<String> {
    let changed = machine.sources.get(bench(claim, machine)?) == Some(&Sources::Changed);
    changed.then(|| format!("the code has changed since {name} was recorded"))
}

/// The cores were at another distance.
fn regime(here: &Judgement, there: &Judgement, name: &str) -> Option<String> {
    let of = |judgement: &Judgement| -> Vec<String> {
        let decide = judgement.regimes.iter().filter(|one| one.verdict == judgement.verdict);
        decide.map(|one| one.regime.clone()).collect()
    };
    let (here, there) = (of(here), of(there));
    let apart = !here.is_empty() && !there.is_empty() && here.iter().all(|r| !there.contains(r));
    apart.then(|| {
        let (here, there) = (here.join(" and "), there.join(" and "));
        format!("the two cores were {here} here, and {there} on {name}")
    })
}

/// Too few rounds.
fn rounds(here: &Judgement) -> Option<String> {
    match here.value.filter(|value| value.low < value.high)?.rounds {
        1 => Some("one round shows the noise of one run only".to_owned()),
        n if n < ENOUGH => Some(format!("{n} rounds are few: the interval covers too little")),
        _ => None,
    }
}

/// The same code differs from itself by more than the claim's margin.
fn noise(claim: &Claim, here: Side<'_>) -> Option<String> {
    let Proof::Clocked(clocked) = &claim.proof else { return None };
    let (RatioBound::Faster(by) | RatioBound::Within(by)) = clocked.bound else { return None };
    let value = here.judgement.value?.value;
    let ids: Vec<&str> = clocked.ids().map(String::as_str).collect();
    let regime = here.machine.usual_regime(&ids).measured()?;
    let floor = here.machine.null_control(ids.into_iter(), regime)?.reach();
    let margin = (value / by).max(by / value);
    (floor > margin).then(|| {
        format!("the same code differs from itself by up to {floor:.2}×, more than the margin")
    })
}

/// The data fits into a cache of one machine and not into that of the other.
fn cache(claim: &Claim, here: &Machine, there: &Machine, name: &str) -> Option<String> {
    let Proof::Clocked(clocked) = &claim.proof else { return None };
    let sizes: Vec<u64> = clocked
        .ids()
        .filter_map(|id| id.split('/').nth(2))
        .filter(|size| size.ends_with("iB"))
        .filter_map(|size| parameter(size).map(|bytes| bytes as u64))
        .collect();
    let id = clocked.subject();
    for (fact, label) in [(Name::L1d, "L1d"), (Name::L2, "L2"), (Name::L3, "L3")] {
        let of = |machine: &Machine| match machine.environment(id)?.fact(fact)? {
            Fact::Size(bytes) => Some(bytes),
            _ => None,
        };
        let (Some(ours), Some(theirs)) = (of(here), of(there)) else { continue };
        let between = |size: &&u64| **size > ours.min(theirs) && **size <= ours.max(theirs);
        if let Some(size) = sizes.iter().find(between) {
            let (fits, not) = if ours > theirs {
                (format!("here ({})", binary(ours)), format!("on {name} ({})", binary(theirs)))
            } else {
                (format!("on {name} ({})", binary(theirs)), format!("here ({})", binary(ours)))
            };
            return Some(format!("{} fit into the {label} {fits} and not {not}", binary(*size)));
        }
    }
    None
}

/// The machines differ in a fact that the claim's condition names.
fn condition(claim: &Claim, here: &Machine, there: &Machine, name: &str) -> Option<String> {
    let condition = claim.condition.as_ref()?;
    let named = OF_TIMES.iter().filter(|(fact, _)| condition.names(*fact));
    let differing: Vec<String> =
        named.filter_map(|(fact, label)| differs(claim, here, there, *fact, label)).collect();
    (!differing.is_empty())
        .then(|| format!("its condition names what differs on {name}: {}", differing.join(", ")))
}

/// All facts that differ and that such a claim may depend on.
fn facts(claim: &Claim, here: &Machine, there: &Machine, name: &str) -> Option<String> {
    let facts: &[(Name, &str)] = match claim.proof {
        Proof::Clocked(_) => &OF_TIMES,
        Proof::Counted(_) | Proof::Observed(_) => &OF_COUNTS,
        Proof::Compiled { .. } | Proof::Explored { .. } => &[],
    };
    let differing: Vec<String> = facts
        .iter()
        .filter_map(|(fact, label)| differs(claim, here, there, *fact, label))
        .collect();
    (!differing.is_empty())
        .then(|| format!("this machine and {name} differ in {}", differing.join(", ")))
}

/// Returns a fact of both machines if it differs: `the kernel (6.1 and 6.12)`.
fn differs(
    claim: &Claim,
    here: &Machine,
    there: &Machine,
    fact: Name,
    label: &str,
) -> Option<String> {
    let id = match &claim.proof {
        Proof::Clocked(clocked) => clocked.subject(),
        proof => proof.examples().next().unwrap_or_default(),
    };
    let of = |machine: &Machine| Some(shown(machine.environment(id)?.fact(fact)?));
    let (ours, theirs) = (of(here)?, of(there)?);
    (ours != theirs).then(|| format!("the {label} ({ours} and {theirs})"))
}

/// Formats a fact; of a version, the part that changes behavior.
fn shown(fact: Fact) -> String {
    match fact {
        Fact::Version(numbers) => Fact::Version(numbers.into_iter().take(2).collect()).to_string(),
        fact => fact.to_string(),
    }
}

/// Returns the bench or the example that a claim rests on.
fn bench<'a>(claim: &'a Claim, machine: &'a Machine) -> Option<&'a str> {
    match &claim.proof {
        Proof::Clocked(clocked) => {
            let id = clocked.subject();
            Some(machine.bench_of(id).unwrap_or_else(|| bench_of(id)))
        }
        proof => proof.examples().next(),
    }
}

/// Returns `true` if a claim holds on one side and fails on the other.
#[must_use]
pub fn flipped(here: &Verdict, there: &Verdict) -> bool {
    matches!((here, there), (Verdict::Holds, Verdict::Fails) | (Verdict::Fails, Verdict::Holds))
}

#[cfg(test)]
mod tests {
    use super::super::clocked::tests::{add, clocks};
    use super::super::regimes;
    use super::*;
    use crate::condition::Condition;
    use crate::machine::{Environment, Regime};
    use crate::model::{Clocked, Count, CountBound, Place, Times};

    fn claim(over: &str, under: &str, condition: Option<&str>) -> Claim {
        let proof = Proof::Clocked(Clocked {
            over: Times::Of(over.into()),
            under: Times::Of(under.into()),
            bound: RatioBound::Faster(1.5),
        });
        Claim {
            id: "c".into(),
            says: "S.".into(),
            proof,
            condition: condition.map(|text| Condition::parse(text).unwrap()),
            loose: None,
            bears: Vec::new(),
            command: None,
            place: Place { page: "a.md".into(), line: 1 },
        }
    }

    fn plain() -> Claim {
        claim("g/old", "g/new", None)
    }

    /// A machine on which the new way is `ratio` times as fast, with an environment.
    fn machine(ratio: f64, rounds: usize, environment: Environment) -> Machine {
        let new: Vec<f64> = (0..rounds).map(|i| 100.0 + i as f64).collect();
        let old: Vec<f64> = new.iter().map(|time| time * ratio).collect();
        let mut machine = clocks(&new, &old);
        machine.recordings.get_mut("g").unwrap().environment = environment;
        machine
    }

    fn found(claim: &Claim, here: &Machine, there: &Machine) -> Vec<String> {
        let judge = |machine| match &claim.proof {
            Proof::Clocked(clocked) => regimes::judge(claim, clocked, machine),
            _ => Judgement::new(Verdict::Fails, String::new()),
        };
        let (ours, theirs) = (judge(here), judge(there));
        let here = Side { machine: here, judgement: &ours };
        reasons(claim, here, Side { machine: there, judgement: &theirs }, "box")
    }

    fn equal() -> (Machine, Machine) {
        (machine(1.0, 9, Environment::default()), machine(2.0, 9, Environment::default()))
    }

    #[test]
    fn without_a_difference_there_is_no_reason() {
        let (here, there) = equal();
        assert_eq!(found(&plain(), &here, &there), [""; 0]);
    }

    #[test]
    fn code_that_has_changed_is_a_reason() {
        let (here, mut there) = equal();
        there.sources.insert("g".into(), Sources::Changed);
        assert_eq!(found(&plain(), &here, &there), ["the code has changed since box was recorded"]);
        let mut here = here;
        here.sources.insert("g".into(), Sources::Changed);
        assert_eq!(
            found(&plain(), &here, &there),
            [
                "the code has changed since your machine was recorded",
                "the code has changed since box was recorded"
            ]
        );
        here.sources.clear();
        there.sources.insert("g".into(), Sources::Same);
        assert_eq!(found(&plain(), &here, &there), [""; 0]);
    }

    #[test]
    fn cores_at_another_distance_are_a_reason() {
        let (mut here, mut there) = equal();
        let witness = |machine: &mut Machine, trip: f64| {
            for benchmark in machine.recordings.get_mut("g").unwrap().benchmarks.values_mut() {
                benchmark.rounds.iter_mut().for_each(|round| round.witness = Some([trip; 2]));
            }
        };
        witness(&mut here, 400.0);
        witness(&mut there, 50.0);
        assert_eq!(Regime::of_trip(400.0).to_string(), "far");
        let expected = ["the two cores were far here, and near on box"];
        assert_eq!(found(&plain(), &here, &there), expected);
        witness(&mut here, 50.0);
        assert_eq!(found(&plain(), &here, &there), [""; 0]);
    }

    #[test]
    fn few_rounds_are_a_reason() {
        let there = machine(2.0, 9, Environment::default());
        let of = |rounds| {
            let mut here = machine(1.0, rounds, Environment::default());
            // An interval, and not one number.
            let recording = here.recordings.get_mut("g").unwrap();
            recording.benchmarks["g/old"].rounds[0].median *= 1.01;
            found(&plain(), &here, &there)
        };
        assert_eq!(of(1), ["one round shows the noise of one run only"]);
        assert_eq!(of(5), ["5 rounds are few: the interval covers too little"]);
        assert_eq!(of(6), [""; 0]);
    }

    #[test]
    fn noise_beyond_the_margin_is_a_reason() {
        let (mut here, there) = equal();
        let again = |off: f64| (0..9).map(|i| (100.0 + f64::from(i)) * off).collect::<Vec<_>>();
        add(&mut here, "g/new_again", &again(1.4));
        assert_eq!(found(&plain(), &here, &there), [""; 0], "1.4 is less than 1.5");
        add(&mut here, "g/new_again", &again(1.6));
        let expected = ["the same code differs from itself by up to 1.60×, more than the margin"];
        assert_eq!(found(&plain(), &here, &there), expected);
    }

    #[test]
    fn data_that_fits_into_one_cache_is_a_reason() {
        let with =
            |caches: &str| Environment { caches: Some(caches.into()), ..Environment::default() };
        let (small, large) = (with("L1d 48 KiB, L2 1 MiB"), with("L1d 48 KiB, L2 2 MiB"));
        let machine = |environment| {
            let mut machine = machine(1.0, 9, environment);
            for id in ["g/new/2MiB", "g/old/2MiB", "g/new/4MiB", "g/old/4MiB"] {
                add(&mut machine, id, &[100.0; 9]);
            }
            machine
        };
        let (small, large) = (machine(small), machine(large));
        let two = claim("g/old/2MiB", "g/new/2MiB", None);
        let expected = ["2 MiB fit into the L2 on box (2 MiB) and not here (1 MiB)"];
        assert_eq!(found(&two, &small, &large), expected);
        let expected = ["2 MiB fit into the L2 here (2 MiB) and not on box (1 MiB)"];
        assert_eq!(found(&two, &large, &small), expected);
        let four = claim("g/old/4MiB", "g/new/4MiB", None);
        let expected = ["this machine and box differ in the L2 cache (1 MiB and 2 MiB)"];
        assert_eq!(found(&four, &small, &large), expected, "it fits into neither");
    }

    #[test]
    fn facts_that_differ_are_a_reason_the_condition_first() {
        let environment = |kernel: &str, libc: &str| Environment {
            kernel: Some(format!("Linux {kernel}")),
            libc: Some(libc.into()),
            ..Environment::default()
        };
        let here = machine(1.0, 9, environment("6.1.9", "musl 1.2"));
        let there = machine(2.0, 9, environment("6.12.1", "glibc 2.36"));
        let kernel = "the kernel (6.1 and 6.12)";
        let libc = "the C library (musl and glibc)";
        let both = [format!("this machine and box differ in {kernel}, {libc}")];
        assert_eq!(found(&plain(), &here, &there), both);
        let named = claim("g/old", "g/new", Some("kernel >= 6.1"));
        let expected = [format!("its condition names what differs on box: {kernel}")];
        assert_eq!(found(&named, &here, &there), expected);
        let patch = machine(2.0, 9, environment("6.1.20", "musl 1.2"));
        assert_eq!(found(&plain(), &here, &patch), [""; 0], "a patch changes no behavior");

        let mut here = here;
        let of = |environment: &mut Environment| environment.cores = Some(2);
        of(&mut here.recordings.get_mut("g").unwrap().environment);
        let counted = Claim {
            proof: Proof::Counted(vec![Count {
                example: "g".into(),
                key: "a.calls".into(),
                bound: CountBound::Equals(1.0),
            }]),
            ..plain()
        };
        assert_eq!(found(&counted, &here, &there), both);
    }

    #[test]
    fn an_undecided_claim_says_why() {
        let here = machine(1.5, 9, Environment::default());
        let mut judgement = Judgement::new(Verdict::Undecided, String::new());
        let of = |judgement: &Judgement| {
            let claim = plain();
            doubts(&claim, Side { machine: &here, judgement })
        };
        assert_eq!(of(&judgement), ["the interval reaches across the bound"]);
        judgement = judgement.undecided("the cores moved".into());
        assert_eq!(of(&judgement), ["the cores moved"]);
    }

    #[test]
    fn a_verdict_is_flipped_if_one_side_refutes_the_other() {
        assert!(flipped(&Verdict::Holds, &Verdict::Fails));
        assert!(flipped(&Verdict::Fails, &Verdict::Holds));
        assert!(!flipped(&Verdict::Holds, &Verdict::Holds));
        assert!(!flipped(&Verdict::Fails, &Verdict::Undecided));
    }
}
