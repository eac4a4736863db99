//! Runs the benchmarks that a bench has registered.

use crate::arguments::{Arguments, Mode, SAMPLES};
use crate::clocks::{self, Taken};
use crate::group::{Entry, Group, Routine};
use crate::steady::{self, Batch, Patience, Pieces, Steady, WarmUp};
use crate::{order, output, witness};
use criterion::{Bencher, BenchmarkId, Criterion, SamplingMode, Throughput};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, io};

/// The number of the round that `cargo book record` measures.
const ROUND: &str = "PERF_PROVED_ROUND";

/// The one benchmark that a process runs for an isolated group.
const ONLY: &str = "PERF_PROVED_ONLY";

/// The default duration of the warm-up, in seconds.
const WARM_UP: &str = "0.05";

/// The resamples for criterion's intervals: ten samples do not need its 100,000, which take longer
/// than the samples.
const RESAMPLES: usize = 2000;

/// The default duration of the measurement, in seconds.
const MEASUREMENT: &str = "0.1";

/// The benchmarks of a bench, registered group by group and then run.
///
/// By default each benchmark takes a tenth of a second, in ten samples, and half of that to warm
/// up: a machine varies more from minute to minute than within one, and many short rounds tell more
/// than a few long ones. Samples are taken while the cores run at full speed, as far as that can be
/// had within a third of a second.
/// Criterion's flags, its filter, `--test` and `--list` work as usual; a filter may also name a
/// group of a second clock.
///
/// Inside a group, the parameters run in the order of the code, and the variants of each parameter
/// in an order that depends on the round (the environment variable `PERF_PROVED_ROUND`): rotated by
/// half its number, and reversed if it is odd.
#[derive(Default)]
pub struct Plan<'a> {
    groups: Vec<Group<'a>>,
}

impl<'a> Plan<'a> {
    /// Creates a plan without benchmarks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the group of this name, a new one at the first call. Groups run in the order in
    /// which they were created.
    pub fn group(&mut self, name: &str) -> &mut Group<'a> {
        let at = self.groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            self.groups.push(Group::new(name));
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }

    /// Runs the benchmarks that the arguments of the process ask for, and writes the results.
    ///
    /// # Errors
    ///
    /// If a result cannot be written, a witness cannot be measured, or the process of an isolated
    /// benchmark fails.
    ///
    /// # Panics
    ///
    /// If a batch fails, or lacks the time of a clock that its group needs.
    pub fn run(self) -> io::Result<()> {
        // First, since criterion refuses wrong arguments.
        let criterion = Criterion::default()
            .warm_up_time(seconds(WARM_UP))
            .measurement_time(seconds(MEASUREMENT))
            .sample_size(SAMPLES)
            .nresamples(RESAMPLES)
            .without_plots()
            .configure_from_args()
            // The filter is applied here, since it may also name ids of a second clock.
            .with_filter("");
        let arguments = Arguments::of_process();
        let steady = (arguments.mode == Mode::Measure).then(Steady::new);
        let mut runner = Runner { criterion, arguments, only: env::var(ONLY).ok(), steady };
        let mut steps = Vec::new();
        for group in &self.groups {
            let places: Vec<_> = group.entries.iter().map(|entry| entry.place.clone()).collect();
            let order = order::order(&places, round());
            let ordered = order.into_iter().map(|index| (group, &group.entries[index]));
            steps.extend(ordered.filter(|(group, entry)| runner.asked_for(group, entry)));
        }
        let measures = runner.arguments.mode == Mode::Measure;
        if measures && runner.only.is_none() {
            self.describe(&runner.arguments)?;
        }
        let begun = Instant::now();
        for (done, (group, entry)) in steps.iter().enumerate() {
            if runner.arguments.mode != Mode::List && runner.only.is_none() {
                eprintln!("{}", progress(done, steps.len(), begun.elapsed()));
            }
            runner.run(group, entry)?;
        }
        runner.criterion.final_summary();
        Ok(())
    }

    /// Writes the settings, and the order of the code.
    fn describe(&self, arguments: &Arguments) -> io::Result<()> {
        let settings = serde_json::json!({
            "warm_up": arguments.warm_up.as_deref().unwrap_or(WARM_UP),
            "measurement": arguments.measurement.as_deref().unwrap_or(MEASUREMENT),
            "samples": arguments.samples,
        });
        output::write("", "settings.json", &settings)?;
        for group in &self.groups {
            let second = group.second.as_ref().map(|second| second.group.as_str());
            for name in [Some(group.name.as_str()), second].into_iter().flatten() {
                let ids: Vec<_> = group.entries.iter().map(|e| e.name.within(name)).collect();
                output::write(name, "order.json", &serde_json::json!({ "ids": ids }))?;
            }
        }
        Ok(())
    }
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().expect("a constant"))
}

fn round() -> Option<usize> {
    env::var(ROUND).ok()?.parse().ok()
}

/// Says which of `all` benchmarks is next and how much time is left after `done` took `elapsed`.
fn progress(done: usize, all: usize, elapsed: Duration) -> String {
    let next = done + 1;
    if done == 0 {
        return format!("{next} of {all}");
    }
    let left = elapsed.as_secs_f64() / done as f64 * (all - done) as f64;
    if left < 90.0 {
        format!("{next} of {all}, about {left:.0} s left")
    } else {
        format!("{next} of {all}, about {:.0} min left", left / 60.0)
    }
}

struct Runner {
    criterion: Criterion,
    arguments: Arguments,
    /// In the process of an isolated benchmark: its id.
    only: Option<String>,
    /// If results are written.
    steady: Option<Steady>,
}

impl Runner {
    fn asked_for(&self, group: &Group<'_>, entry: &Entry<'_>) -> bool {
        let id = entry.name.within(&group.name);
        let second = group.second.as_ref().map(|second| entry.name.within(&second.group));
        let asked = self.arguments.ask_for(&id)
            || second.is_some_and(|second| self.arguments.ask_for(&second));
        asked && self.only.as_ref().is_none_or(|only| *only == id)
    }

    fn run(&mut self, group: &Group<'_>, entry: &Entry<'_>) -> io::Result<()> {
        let id = entry.name.within(&group.name);
        let second = group.second.as_ref().map(|second| entry.name.within(&second.group));
        if self.arguments.mode == Mode::List {
            self.measure(group, entry, &mut |_| unreachable!("a list runs nothing"));
            // In criterion's format.
            second.iter().for_each(|second| println!("{second}: benchmark"));
            return Ok(());
        }
        if group.isolated && self.only.is_none() {
            return apart(&id, self.steady.as_ref().map(Steady::fastest));
        }
        let reason = match &entry.routine {
            Routine::Ready(batch) => {
                return self.witnessed(group, entry, &mut **batch.borrow_mut());
            }
            Routine::Made(make) => match make.borrow_mut()() {
                Ok(mut batch) => return self.witnessed(group, entry, &mut *batch),
                Err(error) => error.to_string(),
            },
            Routine::NotPossible(reason) => reason.clone(),
        };
        [Some(id), second].iter().flatten().try_for_each(|id| output::not_possible(id, &reason))
    }

    /// Measures a benchmark and its witness, and writes what criterion does not.
    fn witnessed(
        &mut self,
        group: &Group<'_>,
        entry: &Entry<'_>,
        batch: &mut dyn FnMut(u64) -> Taken,
    ) -> io::Result<()> {
        let writes = self.arguments.mode == Mode::Measure;
        let witness = || match group.witness.filter(|_| writes) {
            Some(cores) => witness::round_trip(cores).map(Some),
            None => Ok(None),
        };
        if let Some(steady) = &mut self.steady {
            steady.watch(group.witness);
        }
        let before = witness()?;
        let (samples, slowed) = self.measure(group, entry, batch);
        let after = witness()?;
        let second = group.second.as_ref().map(|second| second.group.as_str());
        if let (true, Some(second)) = (writes, second) {
            self.write_second(second, entry, &samples)?;
        }
        if !writes {
            return Ok(());
        }
        for name in [Some(group.name.as_str()), second].into_iter().flatten() {
            let id = entry.name.within(name);
            let json = serde_json::json!({
                "id": id,
                "before": before,
                "after": after,
                "slowed": slowed,
            });
            output::write(&id, "witness.json", &json)?;
        }
        Ok(())
    }

    /// Has criterion measure a benchmark, and returns the iterations and times of its samples, and
    /// the share of that time during which a core was slowed down.
    fn measure(
        &mut self,
        group: &Group<'_>,
        entry: &Entry<'_>,
        batch: &mut dyn FnMut(u64) -> Taken,
    ) -> (Vec<(u64, Taken)>, Option<f64>) {
        let mut batches = Vec::new();
        let mut steady = self.steady.as_mut();
        let (mut pieces, mut patience) = (Pieces::new(group.flat, entry.least), Patience::new());
        let mut warm_up = WarmUp::new();
        // A group of its own for each benchmark, because a group cannot forget a throughput.
        let mut criterion = self.criterion.benchmark_group(&group.name);
        if group.flat {
            criterion.sampling_mode(SamplingMode::Flat);
        }
        if let Some(throughput) = &entry.throughput {
            criterion.throughput(throughput.clone());
        }
        let routine = |bencher: &mut Bencher<'_>| {
            bencher.iter_custom(|times| {
                let run = match &mut steady {
                    Some(_) if warm_up.has(times) => pieces.warm_up(times, &mut *batch),
                    Some(steady) => steady.run(times, &mut pieces, &mut patience, &mut *batch),
                    None => {
                        let done = times.max(entry.least);
                        let taken = batch(done).scaled(times as f64 / done as f64);
                        Batch { taken, slowed: Duration::ZERO }
                    }
                };
                let taken = run.taken;
                batches.push((times, run));
                if group.clock.is_some() { cpu(taken) } else { taken.wall }
            });
        };
        let function = &*entry.name.function;
        match &entry.name.parameter {
            Some(value) => criterion.bench_function(BenchmarkId::new(function, value), routine),
            None => criterion.bench_function(function, routine),
        };
        criterion.finish();
        // The first batches are the warm-up.
        let samples = batches.split_off(batches.len().saturating_sub(self.arguments.samples));
        let total = |time: fn(&Batch) -> Duration| -> f64 {
            samples.iter().map(|(_, batch)| time(batch).as_secs_f64()).sum()
        };
        let share = total(|batch| batch.slowed) / total(|batch| batch.taken.wall);
        let slowed = self.steady.is_some().then_some(share);
        (samples.into_iter().map(|(times, batch)| (times, batch.taken)).collect(), slowed)
    }

    /// Writes the times of the second clock over criterion's samples.
    fn write_second(
        &self,
        group: &str,
        entry: &Entry<'_>,
        samples: &[(u64, Taken)],
    ) -> io::Result<()> {
        let ns = |time: Duration| time.as_nanos() as f64;
        let each = samples.iter().map(|&(times, taken)| ns(cpu(taken)) / times as f64).collect();
        let Some(summary) = clocks::summary(each) else { return Ok(()) };
        let id = entry.name.within(group);
        let json = serde_json::json!({
            "group_id": group,
            "function_id": entry.name.function,
            "value_str": entry.name.parameter,
            "throughput": entry.throughput.as_ref().map(throughput_json),
            "full_id": id,
            "median": summary.median,
            "low": summary.low,
            "high": summary.high,
            "iterations": samples.iter().map(|(times, _)| *times).collect::<Vec<_>>(),
            "wall_ns": samples.iter().map(|(_, taken)| ns(taken.wall)).collect::<Vec<_>>(),
            "cpu_ns": samples.iter().map(|(_, taken)| ns(cpu(*taken))).collect::<Vec<_>>(),
        });
        output::write(&id, "second_clock.json", &json)
    }
}

/// Returns the CPU time of a batch.
fn cpu(taken: Taken) -> Duration {
    taken.cpu.expect("a batch returns the time of each clock that its group needs")
}

/// Writes a throughput as criterion does.
fn throughput_json(throughput: &Throughput) -> serde_json::Value {
    serde_json::to_value(throughput).expect("criterion writes it, too")
}

/// Runs one benchmark in a process of its own.
fn apart(id: &str, fastest: Option<f64>) -> io::Result<()> {
    let program = env::current_exe()?;
    let mut command = Command::new(&program);
    command.args(env::args_os().skip(1)).env(ONLY, id);
    command.envs(fastest.map(|ns| (steady::FASTEST, ns.to_string())));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(io::Error::other(format!("the process of {id} ended with {status}"))),
        Err(error) => {
            let what = format!("cannot run {} for {id}: {error}", program.display());
            Err(io::Error::new(error.kind(), what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_benchmarks_to_go() {
        assert_eq!(progress(0, 54, Duration::ZERO), "1 of 54");
        assert_eq!(progress(11, 54, Duration::from_secs(11)), "12 of 54, about 43 s left");
        assert_eq!(progress(1, 301, Duration::from_secs(1)), "2 of 301, about 5 min left");
    }
}
