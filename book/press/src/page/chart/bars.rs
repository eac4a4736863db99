//! Horizontal bars for cases that no line connects, or points on a logarithmic axis where bars from
//! zero would hide the small ones.

use super::data::{Chart, Panel, Series};
use super::labels::name;
use super::scale::{Scale, padded};
use super::svg::{Plot, Room, apart, drawing, grid, marker, path, text, tick};
use crate::model::Estimate;
use crate::units::{self, Quantity};
use maud::{Markup, html};

/// The ratio of the largest value to the smallest from which bars from zero are of no use.
const TOO_FAR_APART: f64 = 30.0;

/// Heights of a benchmark's row and of a parameter's heading.
const ROW: f64 = 40.0;
const HEADING: f64 = 26.0;

/// The place of a row's text below its upper edge.
const CAPTION: f64 = 15.0;

/// The place of the noise floor below the rows.
const NOISE: f64 = 34.0;

/// The drawing's margins to the left and above.
const LEFT: f64 = 2.0;
const TOP: f64 = 24.0;

/// Draws one panel. Each benchmark has a row with its name above its bar, so that no name is too
/// long.
pub(super) fn svg(chart: &Chart, panel: &Panel, room: Room) -> Markup {
    let (lines, bottom) = layout(panel);
    let right = room.width() - 12.0;
    let (low, high) = chart.extent();
    let log = high / low > TOO_FAR_APART || chart.quantity == Quantity::Ratio;
    let scale = if log {
        let (low, high) = padded(low, high);
        Scale::log(low, high, LEFT + 8.0, right)
    } else {
        Scale::linear(high, LEFT, right)
    };
    let ticks = if room == Room::Wide { 8 } else { 5 };
    let rows = Rows { quantity: chart.quantity, scale, right, log };
    let content = html! {
        (text(0.0, 13.0, "axis", &chart.y_label))
        g class="scale" {
            @for (value, label) in rows.ticks(ticks) {
                (rows.gridline(value, label.as_deref(), bottom))
            }
        }
        @for line in lines {
            @match line {
                Line::Parameter(name, bottom) => {
                    (text(LEFT, bottom - 6.0, "group", &chart.heading(name)))
                }
                Line::Benchmark((series, value), top) => {
                    (text(LEFT, top + CAPTION, name(series), &series.name))
                    (rows.row(series, value, top))
                }
                Line::Alone(name, (series, value), top) => {
                    (text(LEFT, top + CAPTION, "group", &chart.heading(name)))
                    (rows.row(series, value, top))
                }
            }
        }
        @if let Some(noise) = panel.noise {
            (noise.lying(scale.at(high / noise.reach), scale.at(high), bottom + NOISE))
        }
    };
    let kind = if log { "Dot chart, logarithmic" } else { "Bar chart" };
    let plot = Plot {
        sides: (LEFT, right),
        axis: 'x',
        scale,
        linear: log.then(|| Scale::linear(high, LEFT, right)),
        quantity: chart.quantity,
        ticks,
    };
    let height = bottom + if panel.noise.is_some() { NOISE + 12.0 } else { 26.0 };
    drawing(room, height, &chart.aria(panel, kind), &plot, content)
}

/// How to draw the rows of a panel.
struct Rows {
    quantity: Quantity,
    scale: Scale,
    right: f64,
    log: bool,
}

impl Rows {
    /// Returns round values along the axis, those with room for it with a label.
    fn ticks(&self, most: usize) -> Vec<(f64, Option<String>)> {
        let label = |value: f64| match value {
            0.0 => "0".to_owned(),
            value => tick(value, self.quantity),
        };
        let ticks = self.scale.ticks(self.quantity, most);
        let labels: Vec<String> = ticks.iter().map(|value| label(*value)).collect();
        let places: Vec<(f64, &str)> = ticks
            .iter()
            .zip(&labels)
            .map(|(value, label)| (self.scale.at(*value), &**label))
            .collect();
        let shown = apart(&places);
        let labels = labels.into_iter().zip(shown).map(|(label, shown)| shown.then_some(label));
        ticks.into_iter().zip(labels).collect()
    }

    /// Draws the line of a round value, and its label below.
    fn gridline(&self, value: f64, label: Option<&str>, bottom: f64) -> Markup {
        let x = self.scale.at(value);
        let anchor = if x < LEFT + 20.0 {
            "tick"
        } else if x > self.right - 24.0 {
            "tick end"
        } else {
            "tick middle"
        };
        html! {
            (path(grid(self.quantity, value), format_args!("M{x:.1} {TOP:.1}V{bottom:.1}")))
            @if let Some(label) = label { (text(x, bottom + 17.0, anchor, label)) }
        }
    }

    /// Draws the value of one benchmark below `top`.
    fn row(&self, series: &Series, value: &Result<Estimate, String>, top: f64) -> Markup {
        let caption = top + CAPTION;
        html! {
            @match value {
                Ok(estimate) => {
                    (self.bar(series, estimate, top + 28.0))
                    @let shown = units::text(*estimate, self.quantity).value;
                    (text(self.right, caption, "value end", &shown))
                }
                Err(why) => (text(self.right, caption, "value missing end", why)),
            }
        }
    }

    /// Draws a value as a bar or a point around `middle`, with its interval.
    fn bar(&self, series: &Series, estimate: &Estimate, middle: f64) -> Markup {
        let x = self.scale.at(estimate.value);
        let (low, high) = (self.scale.at(estimate.low), self.scale.at(estimate.high));
        let whisker = format!("M{low:.1} {:.1}v8m0-4H{high:.1}m0-4v8", middle - 4.0);
        html! {
            g class={ "values " (series.class()) } {
                @if self.log {
                    (path("rail", format_args!("M{LEFT:.1} {middle:.1}H{x:.1}")))
                } @else {
                    @let upper = middle - 6.0;
                    (path("bar", format_args!("M{LEFT:.1} {upper:.1}H{x:.1}v12H{LEFT:.1}z")))
                }
                (path("halo", &whisker))
                (path("whisker over", &whisker))
                (marker(series.style, x, middle))
            }
        }
    }
}

/// A line of the drawing with its place.
enum Line<'a> {
    /// The heading of a parameter, and its lower edge.
    Parameter(&'a str, f64),
    /// The row of a benchmark, and its upper edge.
    Benchmark(Row<'a>, f64),
    /// The row of a parameter where there is only one series, and its upper edge.
    Alone(&'a str, Row<'a>, f64),
}

/// Places headings and rows below each other, and returns them with the lower edge of the last.
fn layout(panel: &Panel) -> (Vec<Line<'_>>, f64) {
    let (mut lines, mut y) = (Vec::new(), TOP);
    let alone = panel.series.iter().filter(|series| series.has_value()).count() == 1;
    for (parameter, rows) in by_parameter(panel) {
        if let (true, Some(name)) = (alone, parameter) {
            for row in rows {
                lines.push(Line::Alone(name, row, y));
                y += ROW;
            }
            continue;
        }
        if let Some(name) = parameter {
            y += HEADING;
            lines.push(Line::Parameter(name, y));
        }
        for row in rows {
            lines.push(Line::Benchmark(row, y));
            y += ROW;
        }
    }
    (lines, y)
}

/// A series with its value at the parameter that its row stands under.
type Row<'a> = (&'a Series, &'a Result<Estimate, String>);

/// Groups the rows by parameter: numbers by size, names in the order in which they first appear.
fn by_parameter(panel: &Panel) -> Vec<(Option<&str>, Vec<Row<'_>>)> {
    let mut groups: Vec<(Option<&str>, Vec<Row<'_>>)> = Vec::new();
    for series in panel.series.iter().filter(|series| series.has_value()) {
        for point in &series.points {
            let name = point.parameter.as_deref();
            match groups.iter_mut().find(|(have, _)| *have == name) {
                Some((_, rows)) => rows.push((series, &point.value)),
                None => groups.push((name, vec![(series, &point.value)])),
            }
        }
    }
    groups.sort_by(|(a, _), (b, _)| units::in_order(*a, *b)); // stable
    groups
}
