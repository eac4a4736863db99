//! Null controls: the same code, measured twice.

use super::benchmark::Benchmark;
use super::known::Known;
use super::recordings::Machine;
use super::regime::Regime;
use crate::ids::{AGAIN, bench_of, group_of};
use crate::model::{Estimate, Round};
use std::cmp::Ordering;

impl Machine {
    /// Returns the null control of a comparison of these benchmarks: of each one's group, the ratio
    /// of the functions `NAME` and `NAME_again`, at the same parameter if that was measured. For a
    /// group without one, it is the [`Machine::noise`] of the group, or else of its bench. Among
    /// several, it is the ratio whose interval reaches furthest from 1.
    /// A pair in the group was measured in `regime`, the others in the regime with the most rounds.
    pub fn null_control<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        regime: Option<Regime>,
    ) -> Option<Estimate> {
        ids.filter_map(|id| self.of_group(id, regime)).max_by(wider)
    }

    /// Returns the ratio of two measurements of the same code in `name`, a bench or one of its
    /// groups (`sendfile_cpu`). Among several, it is the ratio whose interval reaches furthest from
    /// 1: of the pairs inside the group, or inside all groups of the bench. Older recordings have a
    /// group `NAME_aa` with the functions `first` and `second` instead.
    pub fn noise(&self, name: &str) -> Known<Estimate> {
        let of_group = !self.recordings.contains_key(name);
        let wanted = |group: &str| !of_group || group == name;
        let pairs = self.pairs(name, wanted, |first, again| self.ratio(first, again));
        let widest = pairs.into_iter().map(|(_, ratio)| ratio).max_by(wider);
        widest.map_or_else(|| self.noise_apart(name), Known::Measured)
    }

    /// Returns the ratio of two measurements of the same code in one group, in `regime`: of a pair
    /// inside the group or of its group `NAME_aa`. Among several, it is the one whose interval
    /// reaches furthest from 1.
    pub fn noise_of_group(&self, group: &str, regime: Option<Regime>) -> Option<Estimate> {
        let ratio = |first: &str, again: &str| self.ratio_in(first, again, regime);
        let inside = self.pairs(group, |name| name == group, ratio);
        let widest = inside.into_iter().map(|(_, ratio)| ratio).max_by(wider);
        widest.or_else(|| self.noise_apart(group).measured())
    }

    /// Returns the noise of the group `NAME_aa`.
    fn noise_apart(&self, name: &str) -> Known<Estimate> {
        let ratios = self.pairs_apart(name);
        let ratios = ratios.iter().filter_map(|(a, b)| self.ratio(a, b).measured());
        let group = format!("{name}_aa");
        let reason = || self.recording(&group)?.why_not(&group);
        // Of equals, `max_by` takes the last: here the one with the smallest parameter.
        match (ratios.rev().max_by(wider), reason()) {
            (Some(widest), _) => Known::Measured(widest),
            (None, Some(reason)) => Known::NotPossible(reason.to_string()),
            (None, None) => Known::NotMeasured,
        }
    }

    /// Returns the ids of each pair of the group `NAME_aa`.
    fn pairs_apart(&self, name: &str) -> Vec<(String, String)> {
        let group = format!("{name}_aa");
        let members = self.group(&group).into_iter();
        let firsts = members.filter(|(_, one)| one.function.as_deref() == Some("first"));
        let pair = |(id, first): (&str, &Benchmark)| {
            let second = match &first.parameter {
                Some(parameter) => format!("{group}/second/{parameter}"),
                None => format!("{group}/second"),
            };
            (id.to_string(), second)
        };
        firsts.map(pair).collect()
    }

    /// Returns a null control of the groups of these benchmarks that cannot be chance: in every
    /// round the same measurement took longer, by more than `tolerated` as a factor.
    pub fn bias<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a str>,
        regime: Option<Regime>,
        tolerated: f64,
    ) -> Option<Estimate> {
        let rounds = |first: &str, again: &str| {
            let rounds = self.rounds_in(&[first, again], regime);
            self.ratio_in(first, again, regime).and(rounds)
        };
        let biased = |(ratio, rounds): (Estimate, Vec<Vec<Round>>)| {
            one_way(&rounds, tolerated).then_some(ratio)
        };
        let of_id = |id: &'a str| {
            let beside = self.pairs_beside(id, rounds);
            if !beside.is_empty() {
                return beside;
            }
            let apart = [group_of(id), self.bench_or_guess(id)].map(|name| self.pairs_apart(name));
            let apart = apart.iter().flatten();
            apart.filter_map(|(a, b)| rounds(a, b).measured()).collect()
        };
        ids.flat_map(of_id).filter_map(biased).max_by(wider)
    }

    /// Returns `true` if the second measurement of the same code differs from the first the same
    /// way in every round of a regime, by more than `tolerated` as a factor.
    pub fn is_biased(&self, first: &str, again: &str, tolerated: f64) -> bool {
        let in_regime = |(regime, _): &(Option<Regime>, usize)| {
            let rounds = self.rounds_in(&[first, again], *regime).measured();
            rounds.is_some_and(|rounds| one_way(&rounds, tolerated))
        };
        self.regimes(&[first, again]).iter().any(in_regime)
    }

    /// Returns the null control of one benchmark.
    fn of_group(&self, id: &str, regime: Option<Regime>) -> Option<Estimate> {
        let group = group_of(id);
        self.pairs_beside(id, |first, again| self.ratio_in(first, again, regime))
            .into_iter()
            .max_by(wider)
            .or_else(|| self.noise_apart(group).measured())
            .or_else(|| self.noise(self.bench_or_guess(id)).measured())
    }

    /// Returns the bench that recorded a benchmark, or whose name its id begins with.
    fn bench_or_guess<'a>(&'a self, id: &'a str) -> &'a str {
        self.bench_of(id).unwrap_or_else(|| bench_of(id))
    }

    /// Returns the null controls in the group of a benchmark: those at its parameter if there are
    /// any, or else all.
    fn pairs_beside<T>(&self, id: &str, of: impl Fn(&str, &str) -> Known<T>) -> Vec<T> {
        let group = group_of(id);
        let Known::Measured(benchmark) = self.benchmark(id) else { return Vec::new() };
        let mut all = self.pairs(group, |name| name == group, of);
        let is_same = |pair: &Benchmark| pair.parameter == benchmark.parameter;
        if all.iter().any(|(pair, _)| is_same(pair)) {
            all.retain(|(pair, _)| is_same(pair));
        }
        all.into_iter().map(|(_, found)| found).collect()
    }

    /// Returns the null controls inside the groups that `wanted` accepts, of the recording that
    /// `name` belongs to: each `NAME_again` with what `of` finds for `NAME` and it.
    fn pairs<T>(
        &self,
        name: &str,
        wanted: impl Fn(&str) -> bool,
        of: impl Fn(&str, &str) -> Known<T>,
    ) -> Vec<(&Benchmark, T)> {
        let Some(recording) = self.recording(name) else {
            return Vec::new();
        };
        recording
            .benchmarks
            .iter()
            .filter(|(_, benchmark)| wanted(&benchmark.group) && benchmark.is_again())
            .filter_map(|(id, benchmark)| {
                let function = benchmark.function.as_ref()?.strip_suffix(AGAIN)?;
                let group = Some(benchmark.group.as_str());
                let parts = [group, Some(function), benchmark.parameter.as_deref()];
                let first = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
                Some((benchmark, of(&first, id).measured()?))
            })
            .collect()
    }
}

/// Returns `true` if the second of two measurements took longer in every round, or the first did,
/// by more than `tolerated` as a factor.
fn one_way(rounds: &[Vec<Round>], tolerated: f64) -> bool {
    let ratios = || rounds[0].iter().zip(&rounds[1]).map(|(a, b)| b.median / a.median);
    ratios().all(|r| r > tolerated) || ratios().all(|r| r < 1.0 / tolerated)
}

/// Compares how far two intervals reach from 1.
fn wider(a: &Estimate, b: &Estimate) -> Ordering {
    a.reach().total_cmp(&b.reach())
}
