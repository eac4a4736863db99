//! The numbers behind a chart, one table a machine.

use super::data::{Chart, Panel};
use crate::page::html::escape;
use crate::units;
use crate::units::spaced;
use std::fmt::Write;

/// Rows from which on the tables are folded away.
const LONG: usize = 4;

/// The tables of all panels in one fold, which print opens. A variant without any value is in the
/// note below its panel, and not here.
pub(super) fn html(chart: &Chart) -> String {
    if chart.panels.iter().all(|panel| panel.values().next().is_none()) {
        return String::new();
    }
    let rows: usize = chart.panels.iter().map(|p| rows(p).len()).max().unwrap_or(0);
    let open = if rows * chart.panels.len() < LONG { " open" } else { "" };
    let mut out = format!("<details class=\"numbers\"{open}>\n<summary>The numbers</summary>\n");
    for panel in chart.panels.iter().filter(|panel| panel.values().next().is_some()) {
        out += &table(chart, panel);
    }
    out + "</details>\n"
}

/// A parameter sweep has a row a parameter and a column a variant; a group without parameters has a
/// row a variant.
fn table(chart: &Chart, panel: &Panel) -> String {
    let round = if panel.values().all(|e| e.rounds == 1) { ", one round only" } else { "" };
    let caption = format!("{}, {}: value and interval{round}", chart.y_label, panel.machine);
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}: {caption}\">\n\
         <table>\n<caption>{caption}</caption>\n",
        escape(&chart.title),
        caption = escape(&caption)
    );
    let parameters = rows(panel);
    if parameters == [None] {
        out += "<thead><tr><th scope=\"col\">Variant</th><th scope=\"col\">Value</th></tr></thead>\n<tbody>\n";
        for series in panel.series.iter().filter(|s| s.has_value()) {
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\"><code>{}</code></th>{}</tr>",
                escape(&series.name),
                cell(chart, panel, &series.name, None)
            );
        }
    } else {
        let _ = write!(out, "<thead><tr><th scope=\"col\">{}</th>", escape(&chart.x_label));
        for series in panel.series.iter().filter(|s| s.has_value()) {
            let _ = write!(out, "<th scope=\"col\"><code>{}</code></th>", escape(&series.name));
        }
        out += "</tr></thead>\n<tbody>\n";
        for parameter in parameters {
            let _ = write!(
                out,
                "<tr><th scope=\"row\">{}</th>",
                escape(&spaced(parameter.unwrap_or("none")))
            );
            for series in panel.series.iter().filter(|s| s.has_value()) {
                out += &cell(chart, panel, &series.name, parameter);
            }
            out += "</tr>\n";
        }
    }
    out + "</tbody>\n</table>\n</div>\n"
}

/// Every parameter once, by size where they are numbers, otherwise as they came.
fn rows(panel: &Panel) -> Vec<Option<&str>> {
    let mut all: Vec<Option<&str>> = Vec::new();
    for point in panel.series.iter().filter(|s| s.has_value()).flat_map(|s| &s.points) {
        let parameter = point.parameter.as_deref();
        if !all.contains(&parameter) {
            all.push(parameter);
        }
    }
    // A stable sort leaves names where they were, after the numbers.
    let size = |p: &Option<&str>| p.and_then(units::parameter).unwrap_or(f64::INFINITY);
    all.sort_by(|a, b| size(a).total_cmp(&size(b)));
    all
}

fn cell(chart: &Chart, panel: &Panel, series: &str, parameter: Option<&str>) -> String {
    let series = panel.series.iter().find(|s| s.name == series);
    let point = series.and_then(|s| s.points.iter().find(|p| p.parameter.as_deref() == parameter));
    match point.map(|p| &p.value) {
        Some(Ok(e)) => {
            let shown = units::text(*e, chart.quantity);
            let interval = without_unit(&shown.interval, &shown.value);
            format!("<td>{} <small>({})</small></td>", escape(&shown.value), escape(interval))
        }
        Some(Err(why)) => format!("<td class=\"missing\">{}</td>", escape(why)),
        None => "<td class=\"missing\">not in the bench</td>".to_owned(),
    }
}

/// An interval without the unit that its value already has: a table is narrow.
fn without_unit<'a>(interval: &'a str, value: &str) -> &'a str {
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    interval.strip_suffix(unit).unwrap_or(interval)
}
