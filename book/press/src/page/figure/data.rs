//! Collects the values of a figure.

use super::super::chart::{Chart, Noise, Panel, Point, Series};
use super::looks::Looks;
use crate::ids::group_of;
use crate::machine::{Known, Machine, Regime};
use crate::model::{Estimate, Figure, YAxis};
use crate::page::html::machine_label;
use crate::units::Quantity;

/// Collects the values of a figure, with a panel for each machine, or for each regime of one that
/// saw several.
pub(super) fn chart(
    figure: &Figure,
    title: &str,
    bench: &str,
    looks: &Looks,
    machines: &[&Machine],
) -> Chart {
    let names = functions(figure, machines);
    let mut values = Values { figure, machines, quantity: quantity(figure) };
    let mut panels = Vec::new();
    for machine in machines {
        for regime in regimes(&figure.group, machine) {
            let machine_label = machine_label(machine);
            let label = match regime {
                Some(regime) => format!("{machine_label}, {regime} cores"),
                None => machine_label.to_owned(),
            };
            let series = names.iter().zip(looks.of(&names)).map(|(name, style)| Series {
                name: name.clone(),
                subject: name == bench,
                style,
                points: values.points(machine, name, regime),
            });
            let series: Vec<Series> = series.collect();
            let noise = values.noise(machine, regime);
            panels.push(Panel { machine: label, series, noise });
        }
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
        quantity: values.quantity,
        y_label: format!("{} ({better})", capital(figure.label.as_ref().unwrap_or(&what))),
        x_label: figure.x.as_deref().map(capital),
        title: title.replace('`', ""),
        panels,
    }
}

fn quantity(figure: &Figure) -> Quantity {
    match figure.y {
        YAxis::Time => Quantity::Time,
        YAxis::Throughput => Quantity::Bytes,
        YAxis::Ratio => Quantity::Ratio,
    }
}

/// Returns the text with a capital first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Looks up the values of a figure.
struct Values<'a> {
    figure: &'a Figure,
    machines: &'a [&'a Machine],
    /// The kind of the values so far: a throughput counts bytes until one counts elements.
    quantity: Quantity,
}

impl Values<'_> {
    /// Returns the points of a function on one machine in one regime.
    fn points(&mut self, machine: &Machine, name: &str, regime: Option<Regime>) -> Vec<Point> {
        let group = &self.figure.group;
        let mut points = Vec::new();
        for parameter in parameters(group, name, self.machines) {
            let id = id(group, name, parameter.as_deref());
            let value = match (self.value(machine, &id, parameter.as_deref(), regime), regime) {
                (Known::Measured(estimate), _) => Ok(estimate),
                (Known::NotPossible(why), _) => Err(format!("not possible: {why}")),
                (Known::NotMeasured, Some(regime)) if is_measured(machine, &id) => {
                    Err(format!("no round {regime}"))
                }
                (Known::NotMeasured, _) => Err("not measured".to_owned()),
            };
            points.push(Point { parameter, value });
        }
        points
    }

    /// Returns a benchmark's value in the figure's quantity.
    fn value(
        &mut self,
        machine: &Machine,
        id: &str,
        parameter: Option<&str>,
        regime: Option<Regime>,
    ) -> Known<Estimate> {
        match self.figure.y {
            YAxis::Time => machine.time_in(id, regime),
            YAxis::Throughput => match machine.throughput_in(id, regime) {
                Known::Measured((estimate, of)) => {
                    self.quantity = of;
                    Known::Measured(estimate)
                }
                Known::NotPossible(why) => Known::NotPossible(why),
                Known::NotMeasured => Known::NotMeasured,
            },
            YAxis::Ratio => {
                let baseline = self.figure.baseline.as_deref().unwrap_or_default();
                machine.ratio_in(&self::id(&self.figure.group, baseline, parameter), id, regime)
            }
        }
    }

    /// Returns the noise floor of the group on one machine.
    fn noise(&self, machine: &Machine, regime: Option<Regime>) -> Option<Noise> {
        let reach = machine.noise_of_group(&self.figure.group, regime)?.reach();
        // An infinite reach would have no place on any axis.
        reach.is_finite().then_some(Noise { reach })
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
/// measured or has a reason not to. The build refuses more than [`Figure::MOST`] recorded ones; of
/// those that only the reader's machine knows, the ones beyond that number are left out.
pub(super) fn functions(figure: &Figure, machines: &[&Machine]) -> Vec<String> {
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
    all.truncate(Figure::MOST);
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
#[path = "tests.rs"]
mod tests;
