//! The numbers behind a chart, one table for each machine.

use super::data::{Chart, Panel, Series};
use crate::page::html::scrolling;
use crate::units::{self, spaced};
use maud::{Markup, html};

/// The number of rows from which the tables are folded away.
const LONG: usize = 4;

/// Renders the tables of all panels in one fold, which print opens, with a link to the `file` of
/// the same numbers. A variant without any value is in the note below its panel instead.
pub(super) fn html(chart: &Chart, file: &str) -> Markup {
    let panels: Vec<&Panel> =
        chart.panels.iter().filter(|panel| panel.values().next().is_some()).collect();
    if panels.is_empty() {
        return Markup::default();
    }
    let rows: usize = chart.panels.iter().map(|p| rows(p).len()).max().unwrap_or(0);
    html! {
        details class="numbers" open[rows * chart.panels.len() < LONG] {
            summary { "The numbers" }
            @for panel in panels { (table(chart, panel)) }
            p class="download" { a href=(file) download { "Download as CSV" } }
        }
    }
}

/// Renders one machine's table: a parameter sweep has a row for each parameter and a column for
/// each variant, a group without parameters has a row for each variant.
fn table(chart: &Chart, panel: &Panel) -> Markup {
    let round = if panel.values().all(|e| e.rounds == 1) { ", one round only" } else { "" };
    let caption = format!("{}, {}: value and interval{round}", chart.y_label, panel.machine);
    let noise = panel.noise.map(|noise| format!(". {}", noise.sentence())).unwrap_or_default();
    let variants: Vec<&Series> = panel.series.iter().filter(|s| s.has_value()).collect();
    let parameters = rows(panel);
    let table = html! {
        table {
            caption { (caption) (noise) }
            @if parameters == [None] {
                thead { tr { th scope="col" { "Variant" } th scope="col" { "Value" } } }
                tbody {
                    @for series in variants {
                        tr {
                            th scope="row" { code { (series.name) } }
                            (cell(chart, series, None))
                        }
                    }
                }
            } @else {
                thead {
                    tr {
                        th scope="col" { (chart.x_label()) }
                        @for series in &variants { th scope="col" { code { (series.name) } } }
                    }
                }
                tbody {
                    @for parameter in parameters {
                        tr {
                            th scope="row" { (spaced(parameter.unwrap_or("none"))) }
                            @for series in &variants { (cell(chart, series, parameter)) }
                        }
                    }
                }
            }
        }
    };
    scrolling(&format!("{}: {caption}", chart.title), table)
}

/// Returns each parameter once: numbers by size, names in the order in which they came.
fn rows(panel: &Panel) -> Vec<Option<&str>> {
    let mut all: Vec<Option<&str>> = Vec::new();
    for point in panel.series.iter().filter(|s| s.has_value()).flat_map(|s| &s.points) {
        let parameter = point.parameter.as_deref();
        if !all.contains(&parameter) {
            all.push(parameter);
        }
    }
    // The sort is stable, so names keep their order after the numbers.
    all.sort_by(|a, b| units::in_order(*a, *b));
    all
}

/// Renders the value of a series at a parameter, or the reason why there is none.
fn cell(chart: &Chart, series: &Series, parameter: Option<&str>) -> Markup {
    let point = series.points.iter().find(|point| point.parameter.as_deref() == parameter);
    match point.map(|point| &point.value) {
        Some(Ok(estimate)) => {
            let shown = units::text(*estimate, chart.quantity);
            let interval = without_unit(&shown.interval, &shown.value);
            html! { td { (shown.value) " " small { "(" (interval) ")" } } }
        }
        Some(Err(why)) => html! { td class="missing" { (why) } },
        None => html! { td class="missing" { "not in the bench" } },
    }
}

/// Strips the unit from an interval beside a value that has it already, to keep the table narrow.
fn without_unit<'a>(interval: &'a str, value: &str) -> &'a str {
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || "-.,".contains(c));
    interval.strip_suffix(unit).unwrap_or(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_loses_the_unit_of_its_value_and_no_digit() {
        assert_eq!(without_unit("1.2 to 1.4 µs", "1.3 µs"), "1.2 to 1.4");
        assert_eq!(without_unit("30,000 to 38,000/s", "33,000/s"), "30,000 to 38,000");
        assert_eq!(without_unit("900 ns to 1.1 µs", "950 ns"), "900 ns to 1.1 µs");
    }
}
