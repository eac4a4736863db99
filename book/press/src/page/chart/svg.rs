//! The pieces that every drawing uses.

use super::scale::Scale;
use crate::units::{self, Quantity};
use maud::{Markup, Render, html};

/// The widths that a panel is drawn for. Text keeps its size, so a phone gets a drawing of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The whole text column of a wide screen.
    Wide,
    /// A phone, or half of a wide screen.
    Narrow,
}

impl Room {
    /// Returns the width in CSS pixels.
    pub(super) fn width(self) -> f64 {
        match self {
            Room::Wide => 720.0,
            Room::Narrow => 352.0,
        }
    }

    /// Returns the CSS class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Room::Wide => "wide",
            Room::Narrow => "narrow",
        }
    }
}

/// Renders the marker of a style: one of eight shapes, which differ in outline.
pub(super) fn marker(style: usize, x: f64, y: f64) -> Markup {
    // (shape around the origin, open or filled)
    const SHAPES: [(&str, bool); 8] = [
        ("m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", false),
        ("m-3.5-3.5h7v7h-7z", true),
        ("m0-4.6 4.4 7.8h-8.8z", false),
        ("m0-4.8 4.8 4.8-4.8 4.8-4.8-4.8z", true),
        ("m0 4.6 4.4-7.8h-8.8z", true),
        ("m-3.6-3.6 7.2 7.2m0-7.2-7.2 7.2", true),
        ("m-4.4 0h8.8m-4.4-4.4v8.8", true),
        ("m-3.5-3.5h7v7h-7z", false),
    ];
    let (shape, open) = SHAPES[style % SHAPES.len()];
    path(if open { "mark open" } else { "mark" }, format_args!("M{x:.1} {y:.1}{shape}"))
}

/// Renders a path.
pub(super) fn path(class: &str, d: impl Render) -> Markup {
    html! { path class=(class) d=(d) {} }
}

/// The frame of a drawing, for the script that widens it or turns a logarithmic axis into a linear
/// one.
pub(super) struct Plot {
    /// The left edge of what stretches with the width, and its right edge.
    pub sides: (f64, f64),
    /// The direction of the value axis: `x` or `y`.
    pub axis: char,
    /// The value axis.
    pub scale: Scale,
    /// The linear axis in its place, if it is logarithmic.
    pub linear: Option<Scale>,
    /// The kind of the values.
    pub quantity: Quantity,
    /// The number of labels on the linear axis.
    pub ticks: usize,
}

impl Plot {
    /// Returns both value axes as numbers: the direction, where each begins and ends, the values at
    /// the ends of the logarithmic one, and the last value of the linear one.
    fn axes(&self) -> Option<String> {
        let (low, high) = self.scale.ends();
        let [from, to] = self.scale.span();
        let linear = self.linear?;
        let [start, end] = linear.span();
        let last = linear.ends().1;
        Some(format!("{} {from:.1} {to:.1} {start:.1} {end:.1} {low} {high} {last}", self.axis))
    }

    /// Returns the labels of the linear axis, each after its place.
    fn labels(&self) -> Option<String> {
        let linear = self.linear?;
        let label = |value: f64| match value {
            0.0 => "0".to_owned(),
            value => tick(value, self.quantity),
        };
        let ticks = linear.ticks(self.quantity, self.ticks).into_iter();
        let labels: Vec<String> =
            ticks.map(|value| format!("{:.1} {}", linear.at(value), label(value))).collect();
        Some(labels.join("|"))
    }
}

/// Renders a panel's drawing of the given height; `label` describes it to a screen reader.
pub(super) fn drawing(
    room: Room,
    height: f64,
    label: &str,
    plot: &Plot,
    content: Markup,
) -> Markup {
    html! {
        svg class={ "chart " (room.class()) } role="img" aria-label=(label)
            viewBox={ "0 0 " (room.width()) " " (format_args!("{height:.0}")) }
            data-sides=(format_args!("{:.1} {:.1}", plot.sides.0, plot.sides.1))
            data-axes=[plot.axes()] data-linear=[plot.labels()] {
            (content)
        }
    }
}

/// Renders text at a point; `class` decides its anchor and font.
pub(super) fn text(x: f64, y: f64, class: &str, content: &str) -> Markup {
    html! {
        text x=(format_args!("{x:.1}")) y=(format_args!("{y:.1}")) class=(class) { (content) }
    }
}

/// Returns which labels of an axis to show, so that none covers another: of each label its place
/// and text, the most important first.
pub(super) fn apart(labels: &[(f64, &str)]) -> Vec<bool> {
    // A digit is 0.57 em wide, and the mean letter of a unit no wider.
    let half = |text: &str| text.chars().count() as f64 * 3.5 + 4.0;
    let mut shown: Vec<(f64, &str)> = Vec::new();
    let mut fits = |at: f64, text| {
        let free = shown.iter().all(|(x, other)| (x - at).abs() >= half(text) + half(other));
        if free {
            shown.push((at, text));
        }
        free
    };
    labels.iter().map(|(at, text)| fits(*at, text)).collect()
}

/// Returns the class of the grid line at `value`: in a chart of ratios, the baseline lies at 1.
pub(super) fn grid(quantity: Quantity, value: f64) -> &'static str {
    if quantity == Quantity::Ratio && value == 1.0 { "grid one" } else { "grid" }
}

/// Formats a round value as an axis label: `1.50 µs` becomes `1.5 µs`.
pub(super) fn tick(value: f64, quantity: Quantity) -> String {
    let text = units::number(value, quantity, 4);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.contains('.') {
        return text;
    }
    format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
}
