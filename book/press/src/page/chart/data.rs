//! The data of a chart: panels of series of points.

use super::noise::Noise;
use crate::model::Estimate;
use crate::units::{self, Quantity};

/// The measurements in a figure.
#[derive(Clone, Debug)]
pub struct Chart {
    /// The kind of the values.
    pub quantity: Quantity,
    /// Label of the value axis, such as "sender's CPU time".
    pub y_label: String,
    /// Label of the parameter, such as "File size", if it has one.
    pub x_label: Option<String>,
    /// The title, which a screen reader reads out.
    pub title: String,
    /// A panel for each machine, in reading order.
    pub panels: Vec<Panel>,
}

/// One machine's measurements.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The machine, as a heading.
    pub machine: String,
    /// The variants in the text's order; the same names in every panel.
    pub series: Vec<Series>,
    /// The noise floor of the group, where the same code was measured twice.
    pub noise: Option<Noise>,
}

/// One variant over the parameters.
#[derive(Clone, Debug)]
pub struct Series {
    /// The function's name in the bench.
    pub name: String,
    /// `true` for the variant that the chapter is about, which is drawn heavier.
    pub subject: bool,
    /// The number of its look among the eight, no other's in the figure.
    pub style: usize,
    /// Its measurements; the same parameters in every panel.
    pub points: Vec<Point>,
}

/// One benchmark.
#[derive(Clone, Debug)]
pub struct Point {
    /// The benchmark's parameter, if it has one.
    pub parameter: Option<String>,
    /// The measured value, or the reason why there is none ("not measured").
    pub value: Result<Estimate, String>,
}

impl Chart {
    /// Returns `true` if the parameters are numbers, to be drawn along an axis: three or more, as a
    /// line through two points shows no course.
    pub(super) fn is_sweep(&self) -> bool {
        let mut sizes: Vec<f64> = Vec::new();
        for point in self.panels.iter().flat_map(|p| &p.series).flat_map(|s| &s.points) {
            match point.parameter.as_deref().and_then(units::parameter) {
                Some(size) if size > 0.0 => sizes.push(size),
                _ => return false,
            }
        }
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        sizes.len() > 2
    }

    /// Returns the label of the parameter's axis.
    pub(super) fn x_label(&self) -> &str {
        self.x_label.as_deref().unwrap_or("Size")
    }

    /// Returns the heading of the cases with this parameter.
    pub(super) fn heading(&self, parameter: &str) -> String {
        let value = units::spaced(parameter);
        self.x_label.as_ref().map_or_else(|| value.clone(), |label| format!("{label}: {value}"))
    }

    /// Returns the lowest and the highest end of all intervals in all panels, which share a scale.
    pub(super) fn extent(&self) -> (f64, f64) {
        let values = self.panels.iter().flat_map(Panel::values);
        values.fold((f64::INFINITY, 0.0), |(low, high), e| (e.low.min(low), e.high.max(high)))
    }

    /// Returns the sentence that a screen reader reads in place of the drawing.
    pub(super) fn aria(&self, panel: &Panel, kind: &str) -> String {
        let names: Vec<&str> = panel.series.iter().map(|s| s.name.as_str()).collect();
        let (low, high) = panel
            .values()
            .fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), e| (l.min(e.value), h.max(e.value)));
        let noise = panel.noise.map(|noise| noise.sentence() + " ").unwrap_or_default();
        format!(
            "{kind}: {}. {} of {}, from {} to {}, on {}. {noise}The table below holds every value.",
            self.title,
            self.y_label,
            names.join(", "),
            units::number(low, self.quantity, 3),
            units::number(high, self.quantity, 3),
            panel.machine
        )
    }
}

impl Panel {
    /// Returns all values.
    pub(super) fn values(&self) -> impl Iterator<Item = &Estimate> {
        self.series.iter().flat_map(|s| &s.points).filter_map(|p| p.value.as_ref().ok())
    }

    /// Returns the reason why the points have no value.
    pub(super) fn why_empty(&self) -> String {
        let first = self.series.iter().flat_map(|s| &s.points).find_map(|p| p.value.as_ref().err());
        first.cloned().unwrap_or_else(|| "not measured".to_owned())
    }
}

impl Series {
    /// Returns the classes of everything drawn for it.
    pub(super) fn class(&self) -> String {
        format!("s{}{}", self.style % 8, if self.subject { " subject" } else { "" })
    }

    /// Returns `true` if any point has a value.
    pub(super) fn has_value(&self) -> bool {
        self.points.iter().any(|point| point.value.is_ok())
    }
}
