//! Horizontal bars for named cases; points on a logarithmic axis where bars from zero would hide
//! the small ones.

use super::data::{Chart, Panel};
use super::scale::{Scale, padded};
use super::svg::{Room, marker, open_svg, text, tick};
use crate::units;
use crate::units::spaced;
use std::fmt::Write;

/// Largest value over smallest from which on bars from zero are of no use.
const TOO_FAR_APART: f64 = 30.0;

const ROW: f64 = 40.0;

/// The drawing of one panel: one row a benchmark, its name above its bar, so that no name is too
/// long.
pub(super) fn svg(chart: &Chart, panel: &Panel, room: Room) -> String {
    let groups = by_parameter(panel);
    let rows: usize = groups.iter().map(|(_, rows)| rows.len()).sum();
    let headings = groups.iter().filter(|(name, _)| name.is_some()).count();
    let top = 24.0;
    let bottom = top + rows as f64 * ROW + headings as f64 * 26.0;
    let (left, right) = (2.0, room.width() - 12.0);
    let (low, high) = chart.extent();
    let log = high / low > TOO_FAR_APART || chart.quantity == units::Quantity::Ratio;
    let scale = if log {
        let (low, high) = padded(low, high);
        Scale::log(low, high, left + 8.0, right)
    } else {
        Scale::linear(high * 1.04, left, right)
    };
    let kind = if log { "Dot chart, logarithmic" } else { "Bar chart" };
    let mut out = open_svg(room, bottom + 26.0, &chart.aria(panel, kind));
    out += &text(0.0, 13.0, "axis", &chart.y_label);
    let most = if room == Room::Wide { 8 } else { 4 };
    for value in scale.ticks(chart.quantity, most) {
        let x = scale.at(value);
        let class = if chart.quantity == units::Quantity::Ratio && value == 1.0 {
            "grid one"
        } else {
            "grid"
        };
        let _ = writeln!(out, "<path class=\"{class}\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>");
        let anchor = if x < left + 20.0 {
            "tick"
        } else if x > right - 24.0 {
            "tick end"
        } else {
            "tick middle"
        };
        let shown = if value == 0.0 { "0".to_owned() } else { tick(value, chart.quantity) };
        out += &text(x, bottom + 17.0, anchor, &shown);
    }
    // Colour says which case the chapter is about; where it is about none, they are all alike.
    let compared = panel.series.iter().any(|series| series.subject);
    let mut y = top;
    for (name, rows) in groups {
        if let Some(name) = name {
            y += 26.0;
            out += &text(left, y - 6.0, "group", &spaced(name));
        }
        for (i, value) in rows {
            let series = &panel.series[i];
            let class = if series.subject { "name subject" } else { "name" };
            out += &text(left, y + 15.0, class, &series.name);
            let middle = y + 28.0;
            match value {
                Ok(e) => {
                    let x = scale.at(e.value);
                    let _ = writeln!(
                        out,
                        "<g class=\"{}\">",
                        if series.subject || !compared { "case" } else { "case other" }
                    );
                    if log {
                        let _ = writeln!(
                            out,
                            "<path class=\"rail\" d=\"M{left:.1} {middle:.1}H{x:.1}\"/>"
                        );
                    } else {
                        let _ = writeln!(
                            out,
                            "<path class=\"bar\" d=\"M{left:.1} {:.1}H{x:.1}v12H{left:.1}z\"/>",
                            middle - 6.0
                        );
                    }
                    let whisker = format!(
                        "M{:.1} {:.1}v8m0-4H{:.1}m0-4v8",
                        scale.at(e.low),
                        middle - 4.0,
                        scale.at(e.high)
                    );
                    let _ = writeln!(out, "<path class=\"halo\" d=\"{whisker}\"/>");
                    let _ = writeln!(out, "<path class=\"whisker over\" d=\"{whisker}\"/>");
                    if log {
                        out += &marker(0, x, middle);
                    }
                    out += "</g>\n";
                    out +=
                        &text(right, y + 15.0, "value end", &units::text(*e, chart.quantity).value);
                }
                Err(why) => out += &text(right, y + 15.0, "value missing end", why),
            }
            y += ROW;
        }
    }
    out + "</svg>\n"
}

type Row<'a> = (usize, &'a Result<crate::model::Estimate, String>);

/// Rows under their parameter, in the order of the parameters' first appearance.
fn by_parameter(panel: &Panel) -> Vec<(Option<&str>, Vec<Row<'_>>)> {
    let mut groups: Vec<(Option<&str>, Vec<Row<'_>>)> = Vec::new();
    for (i, series) in panel.series.iter().enumerate() {
        for point in &series.points {
            let name = point.parameter.as_deref();
            match groups.iter_mut().find(|(have, _)| *have == name) {
                Some((_, rows)) => rows.push((i, &point.value)),
                None => groups.push((name, vec![(i, &point.value)])),
            }
        }
    }
    groups
}
