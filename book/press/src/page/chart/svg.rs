//! The pieces that all drawings are made of.

use crate::page::html::escape;
use crate::units::{self, Quantity};

/// Widths a panel is drawn for, in CSS pixels: text keeps its size, so a phone gets a drawing of
/// its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The whole text column of a wide screen; labels stand beside the lines.
    Wide,
    /// A phone, or half of a wide screen; the legend names the lines.
    Narrow,
}

impl Room {
    pub(super) fn width(self) -> f64 {
        match self {
            Room::Wide => 720.0,
            Room::Narrow => 352.0,
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Room::Wide => "wide",
            Room::Narrow => "narrow",
        }
    }
}

/// The marker of a style: eight shapes that differ in outline, not only in turn.
pub(super) fn marker(style: usize, x: f64, y: f64) -> String {
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
    format!("<path class=\"mark{}\" d=\"M{x:.1} {y:.1}{shape}\"/>", if open { " open" } else { "" })
}

/// Opens an SVG of the given height; the caller closes it.
pub(super) fn open_svg(room: Room, height: f64, label: &str) -> String {
    format!(
        "<svg class=\"chart {}\" viewBox=\"0 0 {} {height:.0}\" role=\"img\" aria-label=\"{}\">\n",
        room.class(),
        room.width(),
        escape(label)
    )
}

/// Text at a point; `class` decides its anchor and font.
pub(super) fn text(x: f64, y: f64, class: &str, content: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>\n", escape(content))
}

/// A round value as an axis label: `1.50 µs` becomes `1.5 µs`.
pub(super) fn tick(value: f64, quantity: Quantity) -> String {
    let text = units::number(value, quantity, 4);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.contains('.') {
        return text;
    }
    format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
}
