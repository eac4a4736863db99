//! Lines over a numeric parameter, both axes logarithmic.

use super::data::{Chart, Panel, Series};
use super::labels::{End, Labels};
use super::noise::Noise;
use super::scale::{Scale, padded};
use super::svg::{Plot, Room, apart, drawing, grid, marker, path, text, tick};
use crate::model::Estimate;
use crate::units;
use crate::units::spaced;
use maud::{Markup, html};
use std::fmt::Write;

/// A point that has both a place along the axis and a value.
type Measured<'a> = (f64, &'a Estimate);

/// Draws one panel.
pub(super) fn svg(chart: &Chart, panel: &Panel, room: Room) -> Markup {
    let frame = Frame::new(chart, panel, room);
    let drawn: Vec<&Series> = panel.series.iter().filter(|s| s.has_value()).collect();
    let content = html! {
        (frame.axes(chart))
        // Intervals below, lines and markers above, so that no interval hides a value.
        @for series in &drawn {
            g class=(series.class()) { @for run in runs(series) { (frame.band(&run)) } }
        }
        @for series in &drawn {
            g class={ "values " (series.class()) } {
                @for run in runs(series) { (frame.line(&run, series.style)) }
            }
        }
        @if let Some(noise) = panel.noise { (frame.noise(noise)) }
        (frame.labels.html(frame.line_ends(&drawn), frame.right, frame.top, frame.bottom + 8.0))
    };
    let plot = Plot {
        sides: (frame.left, frame.right),
        axis: 'y',
        scale: frame.y,
        linear: Some(Scale::linear(chart.extent().1, frame.bottom, frame.top)),
        quantity: chart.quantity,
        ticks: 7,
    };
    drawing(room, frame.height, &chart.aria(panel, "Line chart"), &plot, content)
}

/// Returns the measured points of a series in runs without a gap: a line must not cross a size
/// without a measurement.
fn runs(series: &Series) -> Vec<Vec<Measured<'_>>> {
    let mut points: Vec<(f64, Option<&Estimate>)> = series
        .points
        .iter()
        .filter_map(|p| Some((units::parameter(p.parameter.as_deref()?)?, p.value.as_ref().ok())))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
        .split(|(_, value)| value.is_none())
        .map(|run| run.iter().filter_map(|(x, value)| Some((*x, (*value)?))).collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
}

struct Frame {
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
    sizes: Vec<(f64, String)>,
    labels: Labels,
}

impl Frame {
    fn new(chart: &Chart, panel: &Panel, room: Room) -> Frame {
        let mut sizes: Vec<(f64, String)> = panel
            .series
            .iter()
            .flat_map(|s| &s.points)
            .filter_map(|p| p.parameter.as_deref())
            .filter_map(|p| Some((units::parameter(p)?, spaced(p))))
            .collect();
        sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        sizes.dedup_by(|a, b| a.0 == b.0);
        let labels = Labels::new(room);
        let drawn = panel.series.iter().filter(|series| series.has_value());
        let margin = labels.margin(drawn.map(|series| series.name.as_str()));
        let (height, left) = match room {
            Room::Wide => (400.0, 78.0),
            Room::Narrow => (300.0, 66.0),
        };
        // "500 million/s" is the longest word on this axis.
        let left = if chart.quantity == units::Quantity::Elements { left + 16.0 } else { left };
        let (top, bottom, right) = (34.0, height - 46.0, room.width() - margin);
        let (low, high) = chart.extent();
        let (low, high) = padded(low, high);
        let ends = (sizes[0].0, sizes[sizes.len() - 1].0);
        Frame {
            x: Scale::log(ends.0, ends.1, left + 12.0, right - 12.0),
            y: Scale::log(low, high, bottom, top),
            height,
            left,
            right,
            top,
            bottom,
            sizes,
            labels,
        }
    }

    fn axes(&self, chart: &Chart) -> Markup {
        let (left, right, bottom) = (self.left, self.right, self.bottom);
        // The largest size is the last to lose its label.
        let places: Vec<(f64, &str)> = self
            .sizes
            .iter()
            .rev()
            .map(|(size, label)| (self.x.at(*size), label.as_str()))
            .collect();
        let labelled = apart(&places);
        html! {
            (text(0.0, 14.0, "axis", &chart.y_label))
            g class="scale" {
                @for value in self.y.ticks(chart.quantity, 7) {
                    @let (y, class) = (self.y.at(value), grid(chart.quantity, value));
                    (path(class, format_args!("M{left:.1} {y:.1}H{right:.1}")))
                    (text(left - 8.0, y + 4.0, "tick end", &tick(value, chart.quantity)))
                }
            }
            (path("frame", format_args!("M{left:.1} {bottom:.1}H{right:.1}")))
            @for ((x, label), labelled) in places.into_iter().zip(labelled) {
                (path("frame", format_args!("M{x:.1} {bottom:.1}v5")))
                @if labelled { (text(x, bottom + 19.0, "tick middle", label)) }
            }
            (text(f64::midpoint(left, right), self.height - 6.0, "axis middle", chart.x_label()))
        }
    }

    /// Draws the intervals of a run as a band and whiskers.
    fn band(&self, run: &[Measured<'_>]) -> Markup {
        let upper = run.iter().map(|(x, e)| (self.x.at(*x), self.y.at(e.high)));
        let lower = run.iter().rev().map(|(x, e)| (self.x.at(*x), self.y.at(e.low)));
        let mut whiskers = String::new();
        for (x, e) in run {
            let (x, high, low) = (self.x.at(*x), self.y.at(e.high), self.y.at(e.low));
            let _ = write!(whiskers, "M{:.1} {high:.1}h6m-3 0V{low:.1}m-3 0h6", x - 3.0);
        }
        html! {
            @if run.len() > 1 { (path("band", polyline(upper.chain(lower)) + "z")) }
            // A halo in the page's color sets the whisker off from the lines that it crosses.
            (path("halo", &whiskers))
            (path("whisker", &whiskers))
        }
    }

    /// Draws the values of a run as a line with markers.
    fn line(&self, run: &[Measured<'_>], style: usize) -> Markup {
        let points = run.iter().map(|(x, e)| (self.x.at(*x), self.y.at(e.value)));
        html! {
            (path("line", polyline(points.clone())))
            @for (x, y) in points { (marker(style, x, y)) }
        }
    }

    /// Returns the right ends of the lines.
    fn line_ends<'a>(&self, drawn: &[&'a Series]) -> Vec<End<'a>> {
        let end = |series: &'a Series| {
            let (x, e) = runs(series).last().and_then(|run| run.last().copied())?;
            Some(End { series, x: self.x.at(x), y: self.y.at(e.value) })
        };
        drawn.iter().filter_map(|series| end(series)).collect()
    }

    /// Draws the noise floor: as long as a factor on the value axis.
    fn noise(&self, noise: Noise) -> Markup {
        let (low, _) = self.y.ends();
        let length = (self.y.at(low) - self.y.at(low * noise.reach)).abs();
        noise.upright(length.min(self.bottom - self.top), self.left, self.top, self.bottom)
    }
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
    }
    d
}
