//! Lines over a numeric parameter, both axes logarithmic.

use super::data::{Chart, Panel, Series};
use super::scale::{Scale, padded};
use super::svg::{Room, drawing, grid, marker, name, path, text, tick};
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
            g class=(series.class()) {
                @for run in runs(series) { (frame.line(&run, series.style)) }
            }
        }
        @if room == Room::Wide { (frame.labels(panel)) }
    };
    drawing(room, frame.height, &chart.aria(panel, "Line chart"), content)
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
        let longest = panel.series.iter().map(|s| s.name.chars().count()).max().unwrap_or(0) as f64;
        let (height, left, margin) = match room {
            // A character of the code font is 0.6 em wide, and the marker stands before the name.
            Room::Wide => (400.0, 78.0, (longest * 7.4 + 34.0).min(240.0)),
            Room::Narrow => (300.0, 66.0, 20.0),
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
        }
    }

    fn axes(&self, chart: &Chart) -> Markup {
        let (left, right, bottom) = (self.left, self.right, self.bottom);
        let step = self.label_step();
        // Counted from the largest size, whose label is the last to leave out.
        let labelled = |i: usize| (self.sizes.len() - 1 - i).is_multiple_of(step);
        html! {
            (text(0.0, 14.0, "axis", &chart.y_label))
            @for value in self.y.ticks(chart.quantity, 7) {
                @let y = self.y.at(value);
                (path(grid(chart.quantity, value), format_args!("M{left:.1} {y:.1}H{right:.1}")))
                (text(left - 8.0, y + 4.0, "tick end", &tick(value, chart.quantity)))
            }
            (path("frame", format_args!("M{left:.1} {bottom:.1}H{right:.1}")))
            @for (i, (size, label)) in self.sizes.iter().enumerate() {
                @let x = self.x.at(*size);
                (path("frame", format_args!("M{x:.1} {bottom:.1}v5")))
                @if labelled(i) { (text(x, bottom + 19.0, "tick middle", label)) }
            }
            (text(f64::midpoint(left, right), self.height - 6.0, "axis middle", &chart.x_label))
        }
    }

    /// Returns `n` such that labels fit if only every `n`-th size has one.
    fn label_step(&self) -> usize {
        let widest = self.sizes.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(1)
            as f64
            * 7.0
            + 10.0;
        let apart = (self.right - self.left - 24.0) / (self.sizes.len().max(2) - 1) as f64;
        (1..self.sizes.len())
            .find(|step| apart * *step as f64 >= widest)
            .unwrap_or(self.sizes.len())
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

    /// Puts names beside the right ends of their lines, moved apart where they would overlap, each
    /// with a thin leader.
    fn labels(&self, panel: &Panel) -> Markup {
        let mut ends: Vec<(&Series, f64, f64)> = Vec::new();
        for series in &panel.series {
            if let Some((x, e)) = runs(series).last().and_then(|run| run.last().copied()) {
                ends.push((series, self.x.at(x), self.y.at(e.value)));
            }
        }
        ends.sort_by(|a, b| a.2.total_cmp(&b.2));
        let wanted: Vec<f64> = ends.iter().map(|(_, _, y)| *y).collect();
        let places = spread(&wanted, 17.0, self.top + 4.0, self.bottom - 2.0);
        let column = self.right + 12.0;
        html! {
            @for ((series, x, y), at) in ends.into_iter().zip(places) {
                @let (from, to) = (x + 6.0, column - 6.0);
                g class=(series.class()) {
                    (path("leader", format_args!("M{from:.1} {y:.1}L{to:.1} {at:.1}")))
                    (marker(series.style, column, at))
                }
                (text(column + 9.0, at + 4.0, name(series), &series.name))
            }
        }
    }
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
    }
    d
}

/// Moves sorted positions at least `gap` apart, within `top..=bottom`, and as little as possible.
fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    // Neighbors that collide merge into a block, centered on the mean of their wanted positions.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for y in wanted {
        blocks.push((*y, 1));
        while let [.., (above, n), (below, m)] = blocks[..] {
            let (n_, m_) = (n as f64, m as f64);
            if below - above >= gap * (n_ + m_) / 2.0 {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push(((above * n_ + below * m_) / (n_ + m_), n + m));
        }
    }
    let mut out = Vec::new();
    for (center, n) in blocks {
        let half = gap * (n - 1) as f64 / 2.0;
        let center = center.min(bottom - half).max(top + half);
        out.extend((0..n).map(|i| center - half + gap * i as f64));
    }
    // Clamping to the frame may have pushed blocks together again.
    for i in 1..out.len() {
        out[i] = out[i].max(out[i - 1] + gap);
    }
    for i in (1..out.len()).rev() {
        let limit = if i == out.len() - 1 { bottom } else { out[i + 1] - gap };
        out[i] = out[i].min(limit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap_and_stay_inside() {
        for wanted in [
            vec![10.0, 11.0, 12.0, 200.0],
            vec![5.0; 6],
            vec![290.0, 299.0, 300.0],
            vec![50.0, 60.0, 75.0],
        ] {
            let at = spread(&wanted, 16.0, 10.0, 300.0);
            assert!(at.windows(2).all(|w| w[1] - w[0] >= 15.99), "{at:?}");
            assert!(at[0] >= 9.99 && at[at.len() - 1] <= 300.01, "{at:?}");
        }
        assert_eq!(spread(&[50.0, 100.0], 16.0, 0.0, 300.0), [50.0, 100.0]);
    }
}
