//! The pieces that every drawing uses.

use super::data::Series;
use crate::units::{self, Quantity};
use maud::{Markup, Render, html};

/// The widths that a panel is drawn for. Text keeps its size, so a phone gets a drawing of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The whole text column of a wide screen; labels stand beside the lines.
    Wide,
    /// A phone, or half of a wide screen; the legend names the lines.
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

/// Renders the marker of a style: one of eight shapes that differ in outline, not only in turn.
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
    let (shape, open) = SHAPES[style % 8];
    path(if open { "mark open" } else { "mark" }, format_args!("M{x:.1} {y:.1}{shape}"))
}

/// Renders a path.
pub(super) fn path(class: &str, d: impl Render) -> Markup {
    html! { path class=(class) d=(d) {} }
}

/// Renders a panel's drawing of the given height; `label` describes it to a screen reader.
pub(super) fn drawing(room: Room, height: f64, label: &str, content: Markup) -> Markup {
    html! {
        svg class={ "chart " (room.class()) } role="img" aria-label=(label)
            viewBox={ "0 0 " (room.width()) " " (format_args!("{height:.0}")) } {
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

/// Returns the class of the grid line at `value`: in a chart of ratios, the baseline lies at 1.
pub(super) fn grid(quantity: Quantity, value: f64) -> &'static str {
    if quantity == Quantity::Ratio && value == 1.0 { "grid one" } else { "grid" }
}

/// Returns the class of a series' name.
pub(super) fn name(series: &Series) -> &'static str {
    if series.subject { "name subject" } else { "name" }
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
