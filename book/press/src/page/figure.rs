//! A group of benchmarks as a chart and a table.

use super::chart::{Chart, Panel, Point, Series};
use super::html::{YOURS, machine_label, machine_link, rounds, sentence, up};
use crate::book::Book;
use crate::date::day;
use crate::ids::{bench_of, group_of, owner};
use crate::machine::{HERE, Known, Machine, Recording, Regime};
use crate::model::{Figure, YAxis};
use crate::units::Quantity;
use maud::{Markup, html};
use std::path::Path;

/// Renders a figure: its title, the origin of its numbers, chart and table.
#[must_use]
pub fn figure(figure: &Figure, book: &Book, page: &Path) -> Markup {
    let title = figure.title.clone().unwrap_or_else(|| figure.group.clone());
    let bench = bench(&figure.group, book);
    let machines: Vec<&Machine> = book
        .machines
        .iter()
        .chain([&book.here])
        .filter(|machine| knows(machine, &figure.group))
        .collect();
    let here = machines.iter().any(|machine| machine.name == HERE);
    html! {
        figure class="measurement" {
            figcaption {
                strong { (sentence(&title)) }
                @for machine in &machines {
                    @if let Some(recording) = machine.recording(&figure.group) {
                        " " span class="origin" {
                            (machine_link(machine, &up(page))) ": " (origin(recording))
                        }
                    }
                }
                @if !here {
                    " " span class="origin" {
                        (YOURS) ": not measured (" code { "cargo bench --bench " (bench) } ")"
                    }
                }
            }
            @if machines.is_empty() {
                p class="placeholder" { "not measured" }
            } @else {
                (chart(figure, &title, &bench, &machines).html())
            }
        }
    }
}

/// Returns the rounds and the day of a recording.
fn origin(recording: &Recording) -> String {
    let rounds = match recording.rounds {
        1 => "one round only".to_owned(),
        n => rounds(n),
    };
    format!("{rounds}, {}", day(&recording.date))
}

/// Returns `true` if `machine` measured anything of a group, or has a reason why it cannot.
fn knows(machine: &Machine, group: &str) -> bool {
    let cannot = |id: &String| group_of(id) == group;
    !machine.group(group).is_empty()
        || machine.recording(group).is_some_and(|r| r.not_possible.keys().any(cannot))
}

/// Collects the values of a figure.
fn chart(figure: &Figure, title: &str, bench: &str, machines: &[&Machine]) -> Chart {
    let group = figure.group.as_str();
    let names = functions(figure, machines);
    let mut quantity = match figure.y {
        YAxis::Time => Quantity::Time,
        YAxis::Throughput => Quantity::Bytes,
        YAxis::Ratio => Quantity::Ratio,
    };
    let styles = styles(group, bench, machines);
    let mut panels = Vec::new();
    for machine in machines {
        let mut all = Vec::new();
        let regimes = regimes(group, machine);
        // Several regimes are series of their own. One stands beside the name of the machine.
        let several = regimes.len() > 1;
        let machine_label = machine_label(machine);
        let label = match regimes[..] {
            [Some(regime)] => format!("{machine_label}, {regime} cores"),
            _ => machine_label.to_owned(),
        };
        for (name, regime) in names.iter().flat_map(|name| regimes.iter().map(move |r| (name, *r)))
        {
            let mut points = Vec::new();
            for parameter in parameters(group, name, machines) {
                let id = id(group, name, parameter.as_deref());
                let value = match figure.y {
                    YAxis::Time => machine.time_in(&id, regime),
                    YAxis::Throughput => match machine.throughput_in(&id, regime) {
                        Known::Measured((estimate, of)) => {
                            quantity = of;
                            Known::Measured(estimate)
                        }
                        Known::NotPossible(why) => Known::NotPossible(why),
                        Known::NotMeasured => Known::NotMeasured,
                    },
                    YAxis::Ratio => {
                        let baseline = figure.baseline.as_deref().unwrap_or_default();
                        let baseline = self::id(group, baseline, parameter.as_deref());
                        machine.ratio_in(&baseline, &id, regime)
                    }
                };
                let value = match (value, regime) {
                    (Known::Measured(estimate), _) => Ok(estimate),
                    (Known::NotPossible(why), _) => Err(format!("not possible: {why}")),
                    (Known::NotMeasured, Some(regime)) if is_measured(machine, &id) => {
                        Err(format!("no round {regime}"))
                    }
                    (Known::NotMeasured, _) => Err("not measured".to_owned()),
                };
                points.push(Point { parameter, value });
            }
            let style = styles.iter().position(|s| s == name).unwrap_or(styles.len());
            all.push(Series {
                name: match regime {
                    Some(regime) if several => format!("{name}, {regime}"),
                    _ => name.clone(),
                },
                subject: name == bench,
                // Colors are eight, and few figures have more than four functions.
                style: if several && regime == Some(Regime::Far) { style + 4 } else { style },
                points,
            });
        }
        panels.push(Panel { machine: label, series: all });
    }
    let (what, better) = match figure.y {
        YAxis::Time => ("Time".to_owned(), "lower is better"),
        YAxis::Throughput => ("Throughput".to_owned(), "higher is better"),
        YAxis::Ratio => (
            format!("Speed relative to {}", figure.baseline.as_deref().unwrap_or_default()),
            "higher is better",
        ),
    };
    Chart {
        quantity,
        y_label: format!("{} ({better})", figure.label.as_ref().unwrap_or(&what)),
        x_label: figure.x.clone().unwrap_or_else(|| "Size".to_owned()),
        title: title.replace('`', ""),
        panels,
    }
}

/// Returns the regimes that any benchmark of a group was measured in, near before far; `None` alone
/// for a group without witnesses.
fn regimes(group: &str, machine: &Machine) -> Vec<Option<Regime>> {
    let members = machine.group(group);
    let mut all: Vec<Option<Regime>> =
        members.iter().flat_map(|(id, _)| machine.regimes(&[id])).map(|(of, _)| of).collect();
    all.sort();
    all.dedup();
    if all.is_empty() { vec![None] } else { all }
}

/// Returns the bench that a group belongs to, judging by the recordings.
fn bench(group: &str, book: &Book) -> String {
    let recorded = book.machines.iter().chain([&book.here]).flat_map(|m| m.recordings.keys());
    owner(group, recorded.map(String::as_str)).unwrap_or_else(|| bench_of(group)).to_owned()
}

/// Returns the functions of a whole bench in one order, the bench's namesake first. With it, a
/// function looks the same in every figure, whichever others the figure shows.
fn styles(group: &str, bench: &str, machines: &[&Machine]) -> Vec<String> {
    let mut all = vec![bench.to_owned()];
    for recording in machines.iter().filter_map(|machine| machine.recording(group)) {
        for benchmark in
            recording.benchmarks.values().filter(|b| !b.group.ends_with("_aa") && !b.is_again())
        {
            let name = benchmark.function.as_ref().unwrap_or(&benchmark.group);
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
    }
    all
}

/// Returns criterion's full id. A group with a single function has the group's name alone.
fn id(group: &str, function: &str, parameter: Option<&str>) -> String {
    let mut id = group.to_owned();
    for part in [Some(function).filter(|f| *f != group || parameter.is_some()), parameter]
        .into_iter()
        .flatten()
    {
        id.push('/');
        id += part;
    }
    id
}

/// Returns the functions to show: those that the figure names, otherwise all that any machine has
/// measured or has a reason not to.
fn functions(figure: &Figure, machines: &[&Machine]) -> Vec<String> {
    if !figure.series.is_empty() {
        return figure.series.clone();
    }
    let mut all: Vec<String> = Vec::new();
    for machine in machines {
        let measured = machine
            .group(&figure.group)
            .into_iter()
            .map(|(_, b)| b.function.clone().unwrap_or_else(|| figure.group.clone()));
        let recording = machine.recording(&figure.group);
        let cannot = recording.into_iter().flat_map(|r| r.not_possible.keys());
        let cannot =
            cannot.filter(|id| group_of(id) == figure.group).filter_map(|id| id.split('/').nth(1));
        for name in measured.chain(cannot.map(str::to_owned)) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

fn is_measured(machine: &Machine, id: &str) -> bool {
    matches!(machine.benchmark(id), Known::Measured(_))
}

/// Returns the parameters at which any machine has measured a function, in the machines' order.
/// A function without measurements gets those of the whole group.
fn parameters(group: &str, function: &str, machines: &[&Machine]) -> Vec<Option<String>> {
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for (_, benchmark) in machines.iter().flat_map(|machine| machine.group(group)) {
        if !all.contains(&benchmark.parameter) {
            all.push(benchmark.parameter.clone());
        }
        if benchmark.function.as_deref().unwrap_or(group) == function
            && !own.contains(&benchmark.parameter)
        {
            own.push(benchmark.parameter.clone());
        }
    }
    if all.is_empty() {
        return vec![None];
    }
    if own.is_empty() { all } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Benchmark, Environment, Round};
    use crate::model::Place;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    #[test]
    fn near_and_far_cores_are_series_of_their_own() {
        let (near, far) = (Some([50.0, 52.0]), Some([400.0, 390.0]));
        let rounds = |times: [f64; 6]| {
            let witnesses = [near, far, near, far, near, far];
            let round = |(time, witness)| Round {
                median: time,
                low: time,
                high: time,
                witness,
                slowed: 0.0,
            };
            times.into_iter().zip(witnesses).map(round).collect()
        };
        let benchmark = |function: &str, times| Benchmark {
            group: "ring".into(),
            function: Some(function.into()),
            parameter: None,
            throughput_bytes: None,
            throughput_elements: None,
            rounds: rounds(times),
        };
        let recording = Recording {
            date: "2026-01-01T00:00:00Z".into(),
            commit: None,
            modified: None,
            sources: None,
            rounds: 6,
            planned: None,
            environment: Environment::default(),
            benchmarks: [
                ("ring/spsc".into(), benchmark("spsc", [2.0, 13.0, 2.0, 13.0, 2.0, 13.0])),
                ("ring/spsc_again".into(), benchmark("spsc_again", [2.0; 6])),
                ("ring/lock".into(), benchmark("lock", [20.0, 40.0, 20.0, 40.0, 20.0, 40.0])),
            ]
            .into(),
            not_possible: BTreeMap::new(),
        };
        let mut machine = Machine::new("m");
        machine.recordings.insert("ring".into(), recording);
        let figure = Figure {
            group: "ring".into(),
            y: YAxis::Time,
            title: None,
            label: None,
            x: None,
            series: Vec::new(),
            baseline: None,
            place: Place { page: PathBuf::from("a.md"), line: 1 },
        };
        let chart = chart(&figure, "Ring", "ring", &[&machine]);
        let panel = &chart.panels[0];
        let series = |panel: &Panel| -> Vec<(String, f64)> {
            let one = |s: &Series| (s.name.clone(), s.points[0].value.as_ref().unwrap().value);
            panel.series.iter().map(one).collect()
        };
        let expected =
            [("spsc, near", 2.0), ("spsc, far", 13.0), ("lock, near", 20.0), ("lock, far", 40.0)];
        assert_eq!(series(panel), expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(panel.machine, "m");

        // A machine with one regime has the series that one without witnesses has.
        for benchmark in machine.recordings["ring"].benchmarks.clone().into_keys() {
            let recording = machine.recordings.get_mut("ring").unwrap();
            let rounds = &mut recording.benchmarks[&benchmark].rounds;
            rounds.iter_mut().for_each(|round| round.witness = far);
        }
        let chart = self::chart(&figure, "Ring", "ring", &[&machine]);
        let names: Vec<String> = series(&chart.panels[0]).into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["spsc", "lock"]);
        assert_eq!(chart.panels[0].machine, "m, far cores");
    }
}
