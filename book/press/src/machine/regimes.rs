//! The numbers of a machine by regime.

use super::benchmark::Benchmark;
use super::known::Known;
use super::recordings::Machine;
use super::regime::{ENOUGH, Regime, Seen};
use crate::model::Round;

/// Returns the regime that all of these have in common, `None` in it if none has a witness; or
/// `None` if they disagree.
fn common<'a>(rounds: impl Iterator<Item = &'a Round>) -> Option<Option<Regime>> {
    rounds.map(Round::seen).try_fold(None, |common, seen| match (common, seen) {
        (common, Seen::Unwitnessed) => Some(common),
        (None, Seen::In(regime)) => Some(Some(regime)),
        (Some(common), Seen::In(regime)) if common == regime => Some(Some(regime)),
        _ => None,
    })
}

/// Benchmarks that are looked at together.
struct Together<'a> {
    benchmarks: Vec<&'a Benchmark>,
    /// They were measured in the same rounds.
    in_step: bool,
}

impl Together<'_> {
    fn rounds(&self) -> usize {
        self.benchmarks.iter().map(|benchmark| benchmark.rounds.len()).min().unwrap_or(0)
    }

    /// Returns the numbers of the rounds that `benchmark` has in `regime`; those that all have, if
    /// they are in step.
    fn places(&self, benchmark: &Benchmark, regime: Option<Regime>) -> Vec<usize> {
        let fits = |at: &usize| {
            if self.in_step {
                common(self.benchmarks.iter().map(|benchmark| &benchmark.rounds[*at]))
                    == Some(regime)
            } else {
                match benchmark.rounds[*at].seen() {
                    Seen::Unwitnessed => true,
                    Seen::In(seen) => Some(seen) == regime,
                    Seen::Dropped => false,
                }
            }
        };
        let all = if self.in_step { self.rounds() } else { benchmark.rounds.len() };
        (0..all).filter(fits).collect()
    }

    /// Returns the number of rounds in `regime`, of the benchmark that has the fewest.
    fn count(&self, regime: Option<Regime>) -> usize {
        self.benchmarks.iter().map(|b| self.places(b, regime).len()).min().unwrap_or(0)
    }

    fn witnessed(&self) -> bool {
        let mut rounds = self.benchmarks.iter().flat_map(|benchmark| &benchmark.rounds);
        rounds.any(|round| round.witness.is_some())
    }
}

impl Machine {
    fn abreast(&self, ids: &[&str]) -> Known<Together<'_>> {
        let mut benchmarks = Known::Measured(Vec::new());
        for id in ids {
            benchmarks = benchmarks.and(self.benchmark(id)).and_then(|(mut all, one)| {
                all.push(one);
                Some(all)
            });
        }
        let bench = ids.first().and_then(|id| self.bench_of(id));
        let one_bench = ids.iter().all(|id| self.bench_of(id) == bench);
        benchmarks.and_then(|benchmarks: Vec<&Benchmark>| {
            let rounds = benchmarks.first().map(|benchmark| benchmark.rounds.len());
            let in_step = one_bench && benchmarks.iter().all(|b| Some(b.rounds.len()) == rounds);
            Some(Together { benchmarks, in_step })
        })
    }

    /// Returns the regimes in which all of `ids` were measured, with the number of rounds, most
    /// first: rounds of their own recording in which all saw the same regime, or else the fewest
    /// that one of them has. Regimes with fewer than [`ENOUGH`] rounds are left out, unless there
    /// are no more. If none of `ids` has a witness, the only element is `None` with all rounds.
    pub fn regimes(&self, ids: &[&str]) -> Vec<(Option<Regime>, usize)> {
        let Known::Measured(together) = self.abreast(ids) else {
            return Vec::new();
        };
        let candidates = match together.witnessed() {
            true => vec![Some(Regime::Near), Some(Regime::Far)],
            false => vec![None],
        };
        let enough = together.rounds().clamp(1, ENOUGH);
        let mut seen: Vec<_> = candidates
            .into_iter()
            .map(|regime| (regime, together.count(regime)))
            .filter(|(_, rounds)| *rounds >= enough)
            .collect();
        seen.sort_by_key(|(_, rounds)| std::cmp::Reverse(*rounds));
        seen
    }

    /// Returns the number of rounds of `ids` that lie in none of their [`Machine::regimes`]: the
    /// witnesses of a benchmark disagree, those of two benchmarks do, or a regime has too few.
    pub fn dropped(&self, ids: &[&str]) -> usize {
        let kept: usize = self.regimes(ids).iter().map(|(_, rounds)| rounds).sum();
        match self.abreast(ids) {
            Known::Measured(together) => together.rounds().saturating_sub(kept),
            _ => 0,
        }
    }

    /// Returns the regime with the most rounds; `None` in it if there are no witnesses.
    pub fn usual_regime(&self, ids: &[&str]) -> Known<Option<Regime>> {
        let together = match self.abreast(ids) {
            Known::Measured(together) => together,
            Known::NotPossible(reason) => return Known::NotPossible(reason),
            Known::NotMeasured => return Known::NotMeasured,
        };
        match self.regimes(ids).first() {
            Some((regime, _)) => Known::Measured(*regime),
            None if together.rounds() == 0 => Known::NotMeasured,
            None => Known::NotPossible(format!(
                "in fewer than {} of {} rounds did the cores stay as they were",
                together.rounds().min(ENOUGH),
                together.rounds()
            )),
        }
    }

    /// Returns the rounds of each of `ids`, in their order, in which it saw `regime`. If one
    /// recording has them all, these are the same rounds for each: those in which all saw it.
    pub fn rounds_in(&self, ids: &[&str], regime: Option<Regime>) -> Known<Vec<Vec<Round>>> {
        self.abreast(ids).and_then(|together| {
            let of = |benchmark: &&Benchmark| {
                let places = together.places(benchmark, regime).into_iter();
                places.map(|at| benchmark.rounds[at]).collect::<Vec<_>>()
            };
            let rounds: Vec<_> = together.benchmarks.iter().map(of).collect();
            rounds.iter().all(|rounds| !rounds.is_empty()).then_some(rounds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Environment, Recording};
    use std::collections::BTreeMap;

    const NEAR: [f64; 2] = [50.0, 52.0];
    const FAR: [f64; 2] = [400.0, 390.0];
    const MOVED: [f64; 2] = [50.0, 400.0];

    /// A function, and its medians with their witnesses.
    type Function<'a> = (&'a str, &'a [Sample]);
    type Sample = (f64, Option<[f64; 2]>);

    /// A machine with one recording.
    fn machine(functions: &[Function<'_>]) -> Machine {
        let benchmark = |(function, rounds): &Function<'_>| {
            let round = |&(median, witness): &Sample| Round {
                median,
                low: median * 0.99,
                high: median * 1.01,
                witness,
                slowed: 0.0,
            };
            let benchmark = Benchmark {
                group: "g".into(),
                function: Some((*function).into()),
                parameter: None,
                throughput_bytes: Some(1000),
                throughput_elements: None,
                rounds: rounds.iter().map(round).collect(),
            };
            (format!("g/{function}"), benchmark)
        };
        let recording = Recording {
            date: "2026-01-01T00:00:00Z".into(),
            commit: None,
            modified: None,
            sources: None,
            rounds: functions[0].1.len(),
            planned: None,
            environment: Environment::default(),
            benchmarks: functions.iter().map(benchmark).collect(),
            not_possible: BTreeMap::new(),
        };
        let mut machine = Machine::new("m");
        machine.recordings.insert("g".into(), recording);
        machine
    }

    fn value(known: Known<crate::model::Estimate>) -> (f64, usize) {
        let estimate = known.measured().unwrap();
        (estimate.value, estimate.rounds)
    }

    #[test]
    fn no_number_mixes_near_and_far_cores() {
        let (near, far, moved) = (Some(NEAR), Some(FAR), Some(MOVED));
        let machine = machine(&[
            (
                "a",
                &[
                    (2.0, near),
                    (2.2, near),
                    (2.1, near),
                    (2.3, near),
                    (13.0, far),
                    (13.2, far),
                    (13.1, far),
                    (7.0, moved),
                ],
            ),
            // In the last round but one, the cores moved between the two benchmarks.
            (
                "b",
                &[
                    (4.0, near),
                    (4.4, near),
                    (4.2, near),
                    (4.6, near),
                    (13.0, far),
                    (13.2, far),
                    (4.3, near),
                    (13.0, far),
                ],
            ),
        ]);
        let regimes = |ids: &[&str]| machine.regimes(ids);
        assert_eq!(regimes(&["g/a"]), [(Some(Regime::Near), 4), (Some(Regime::Far), 3)]);
        assert_eq!(machine.dropped(&["g/a"]), 1, "witnesses that disagree");
        assert_eq!(value(machine.time("g/a")), (2.1500000000000004, 4), "that with most rounds");
        assert_eq!(value(machine.time_in("g/a", Some(Regime::Far))), (13.1, 3));
        assert_eq!(machine.time_in("g/a", None), Known::NotMeasured);
        assert_eq!(regimes(&["g/a", "g/b"]), [(Some(Regime::Near), 4)], "twice far is too few");
        assert_eq!(machine.dropped(&["g/a", "g/b"]), 4);
        assert_eq!(value(machine.ratio("g/b", "g/a")), (2.0, 4));
        assert_eq!(value(machine.ratio_in("g/b", "g/a", Some(Regime::Far))), (1.0, 2));
        let rounds = machine.rounds_in(&["g/b", "g/a"], Some(Regime::Far)).measured().unwrap();
        assert_eq!(rounds.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(rounds[1][1].median, 13.2);
        let (rate, _) = machine.throughput_in("g/b", Some(Regime::Near)).measured().unwrap();
        assert_eq!((rate.value, rate.rounds), (1e12 / 4.3, 5));
    }

    #[test]
    fn a_benchmark_without_witness_fits_every_regime() {
        let rounds = |witness| [(10.0, witness), (20.0, witness), (30.0, witness)];
        let machine = machine(&[
            ("alone", &rounds(None)),
            ("far", &rounds(Some(FAR))),
            ("moved", &rounds(Some(MOVED))),
        ]);
        assert_eq!(machine.regimes(&["g/alone"]), [(None, 3)]);
        assert_eq!(machine.regimes(&["g/alone", "g/far"]), [(Some(Regime::Far), 3)]);
        assert_eq!(value(machine.time("g/alone")), (20.0, 3));
        assert_eq!(value(machine.ratio("g/alone", "g/far")), (1.0, 3));
        assert_eq!(machine.regimes(&["g/moved"]), []);
        let reason = "in fewer than 3 of 3 rounds did the cores stay as they were";
        assert_eq!(machine.time("g/moved"), Known::NotPossible(reason.into()));
        assert_eq!(machine.ratio("g/alone", "g/moved"), Known::NotPossible(reason.into()));
        assert_eq!(machine.dropped(&["g/moved"]), 3);
    }

    #[test]
    fn no_number_rests_on_a_sample_from_a_slowed_core() {
        let all = [(10.0, None), (20.0, None), (30.0, None), (90.0, None), (80.0, None)];
        let mut machine = machine(&[("slowed", &all), ("other", &all)]);
        let recording = machine.recordings.get_mut("g").unwrap();
        let rounds = &mut recording.benchmarks["g/slowed"].rounds;
        (rounds[2].slowed, rounds[3].slowed, rounds[4].slowed) = (0.3, 0.4, 1.0);
        assert_eq!(machine.regimes(&["g/slowed"]), [(None, 3)]);
        assert_eq!(value(machine.time("g/slowed")), (20.0, 3));
        assert_eq!(value(machine.ratio("g/slowed", "g/other")), (1.0, 3));
        assert_eq!(machine.dropped(&["g/slowed"]), 2);
    }

    #[test]
    fn the_regime_with_most_rounds_comes_first() {
        let (near, far) = ((2.0, Some(NEAR)), (13.0, Some(FAR)));
        let machine = machine(&[("a", &[near, near, near, far, far, far, far])]);
        assert_eq!(machine.regimes(&["g/a"]), [(Some(Regime::Far), 4), (Some(Regime::Near), 3)]);
        assert_eq!(machine.usual_regime(&["g/a"]), Known::Measured(Some(Regime::Far)));
    }

    #[test]
    fn the_rounds_of_two_recordings_are_not_the_same_rounds() {
        let (near, far) = (|at| (at, Some(NEAR)), |at| (at, Some(FAR)));
        let mut first = machine(&[("a", &[near(1.0), near(2.0), near(3.0), far(4.0), far(5.0)])]);
        let far_then_near = [far(6.0), far(7.0), near(8.0), near(9.0), near(10.0), near(11.0)];
        let second = machine(&[("b", &far_then_near[..5]), ("c", &far_then_near)]);
        let mut second = second.recordings["g"].clone();
        let benchmarks = second.benchmarks.into_iter();
        second.benchmarks = benchmarks.map(|(id, of)| (id.replace('g', "h"), of)).collect();
        first.recordings.insert("h".into(), second);
        for (id, of_id) in [("h/b", &[8.0, 9.0, 10.0][..]), ("h/c", &[8.0, 9.0, 10.0, 11.0])] {
            let ids = ["g/a", id];
            assert_eq!(first.regimes(&ids), [(Some(Regime::Near), 3)], "{id}");
            let rounds = first.rounds_in(&ids, Some(Regime::Near)).measured().unwrap();
            let medians = rounds.iter().map(|of| of.iter().map(|round| round.median).collect());
            assert_eq!(medians.collect::<Vec<Vec<f64>>>(), [&[1.0, 2.0, 3.0], of_id], "{id}");
        }
    }

    #[test]
    fn one_round_is_a_regime_if_there_is_only_one() {
        let machine = machine(&[("a", &[(10.0, Some(FAR))])]);
        assert_eq!(machine.regimes(&["g/a"]), [(Some(Regime::Far), 1)]);
        let time = machine.time("g/a").measured().unwrap();
        assert_eq!((time.low, time.high), (9.9, 10.1), "criterion's own interval");
    }
}
