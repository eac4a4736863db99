//! Lines over a numeric parameter, both axes logarithmic.

use super::data::{Chart, Panel, Series};
use super::scale::{Scale, padded};
use super::svg::{Room, marker, open_svg, text, tick};
use crate::model::Estimate;
use crate::units;
use crate::units::spaced;
use std::fmt::Write;

/// A point that has both a place along the axis and a value.
type Measured<'a> = (f64, &'a Estimate);

/// The drawing of one panel.
pub(super) fn svg(chart: &Chart, panel: &Panel, room: Room) -> String {
    let frame = Frame::new(chart, panel, room);
    let mut out = open_svg(room, frame.height, &chart.aria(panel, "Line chart"));
    out += &frame.axes(chart);
    // Intervals below, lines and markers above, so that no interval hides a value.
    for series in panel.series.iter().filter(|s| s.has_value()) {
        out += &format!("<g class=\"{}\">\n", series.class());
        for run in runs(series) {
            out += &frame.band(&run);
        }
        out += "</g>\n";
    }
    for series in panel.series.iter().filter(|s| s.has_value()) {
        out += &format!("<g class=\"{}\">\n", series.class());
        for run in runs(series) {
            out += &frame.line(&run, series.style);
        }
        out += "</g>\n";
    }
    if room == Room::Wide {
        out += &frame.labels(panel);
    }
    out + "</svg>\n"
}

/// The measured points of a series in stretches without a gap: a line must not cross a size that
/// nobody measured.
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
            // A character of the code font is 0.6 em wide; the marker stands before the name.
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

    fn axes(&self, chart: &Chart) -> String {
        let (left, right, bottom) = (self.left, self.right, self.bottom);
        let mut out = text(0.0, 14.0, "axis", &chart.y_label);
        for value in self.y.ticks(chart.quantity, 7) {
            let y = self.y.at(value);
            // In a ratio chart, 1 is where the baseline lies.
            let class = if chart.quantity == units::Quantity::Ratio && value == 1.0 {
                "grid one"
            } else {
                "grid"
            };
            let _ = writeln!(out, "<path class=\"{class}\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>");
            out += &text(left - 8.0, y + 4.0, "tick end", &tick(value, chart.quantity));
        }
        let _ = writeln!(out, "<path class=\"frame\" d=\"M{left:.1} {bottom:.1}H{right:.1}\"/>");
        let step = self.label_step();
        for (i, (size, label)) in self.sizes.iter().enumerate() {
            let x = self.x.at(*size);
            let _ = writeln!(out, "<path class=\"frame\" d=\"M{x:.1} {bottom:.1}v5\"/>");
            // Counted from the largest size, whose label must never be the one left out.
            if (self.sizes.len() - 1 - i).is_multiple_of(step) {
                out += &text(x, bottom + 19.0, "tick middle", label);
            }
        }
        out + &text(f64::midpoint(left, right), self.height - 6.0, "axis middle", &chart.x_label)
    }

    /// Every how many sizes a label fits.
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

    fn band(&self, run: &[Measured<'_>]) -> String {
        let mut out = String::new();
        if run.len() > 1 {
            let upper = run.iter().map(|(x, e)| (self.x.at(*x), self.y.at(e.high)));
            let lower = run.iter().rev().map(|(x, e)| (self.x.at(*x), self.y.at(e.low)));
            let _ = writeln!(out, "<path class=\"band\" d=\"{}z\"/>", polyline(upper.chain(lower)));
        }
        let mut whiskers = String::new();
        for (x, e) in run {
            let (x, high, low) = (self.x.at(*x), self.y.at(e.high), self.y.at(e.low));
            let _ = write!(whiskers, "M{:.1} {high:.1}h6m-3 0V{low:.1}m-3 0h6", x - 3.0);
        }
        // Drawn twice: first as a halo in the page's colour, which parts the whisker from the lines
        // that it crosses.
        out + &format!(
            "<path class=\"halo\" d=\"{whiskers}\"/>\n<path class=\"whisker\" d=\"{whiskers}\"/>\n"
        )
    }

    fn line(&self, run: &[Measured<'_>], style: usize) -> String {
        let points = run.iter().map(|(x, e)| (self.x.at(*x), self.y.at(e.value)));
        let mut out = format!("<path class=\"line\" d=\"{}\"/>\n", polyline(points.clone()));
        for (x, y) in points {
            out += &marker(style, x, y);
        }
        out + "\n"
    }

    /// Names beside the right ends of their lines, moved apart where they would overlap, each with
    /// a thin leader.
    fn labels(&self, panel: &Panel) -> String {
        let mut ends: Vec<(usize, f64, f64)> = Vec::new();
        for (i, series) in panel.series.iter().enumerate() {
            if let Some((x, e)) = runs(series).last().and_then(|run| run.last().copied()) {
                ends.push((i, self.x.at(x), self.y.at(e.value)));
            }
        }
        ends.sort_by(|a, b| a.2.total_cmp(&b.2));
        let wanted: Vec<f64> = ends.iter().map(|(_, _, y)| *y).collect();
        let spread = spread(&wanted, 17.0, self.top + 4.0, self.bottom - 2.0);
        let mut out = String::new();
        for ((i, x, y), at) in ends.into_iter().zip(spread) {
            let series = &panel.series[i];
            let column = self.right + 12.0;
            let _ = writeln!(
                out,
                "<g class=\"{}\"><path class=\"leader\" d=\"M{:.1} {y:.1}L{:.1} {at:.1}\"/>{}</g>",
                series.class(),
                x + 6.0,
                column - 6.0,
                marker(series.style, column, at)
            );
            let class = if series.subject { "name subject" } else { "name" };
            out += &text(column + 9.0, at + 4.0, class, &series.name);
        }
        out
    }
}

fn polyline(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
    }
    d
}

/// Moves sorted positions to at least `gap` from each other, within `top..=bottom`, close to where
/// they were.
fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    // Neighbours that collide merge into a block, which is centred on the mean of what its members
    // wanted.
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
    for (centre, n) in blocks {
        let half = gap * (n - 1) as f64 / 2.0;
        let centre = centre.min(bottom - half).max(top + half);
        out.extend((0..n).map(|i| centre - half + gap * i as f64));
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
