//! Charts as SVG, and the same numbers as tables.
//!
//! A figure shows one or two machines as panels that share their scales. A parameter sweep is drawn
//! as lines over two logarithmic axes; named cases are drawn as bars from zero, or as points on a
//! logarithmic axis where the values lie too far apart for bars. Every point carries its interval.
//!
//! Colours come from the theme by class (`s0` … `s7`), and series differ in marker and dash as
//! well. The SVG holds no ids, because the page that prints the whole book at once renames
//! duplicates without their references; and no text that the table below it does not repeat,
//! because it is one image to a screen reader.

mod bars;
mod scale;
mod sweep;
mod table;

use std::fmt::Write;

use crate::model::Estimate;
use crate::units::{self, Quantity};

/// What a figure shows.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What the values are.
    pub quantity: Quantity,
    /// Label of the value axis, such as "sender's CPU time".
    pub y_label: String,
    /// Label of the parameter, such as "file size".
    pub x_label: String,
    /// What is read off it, for people who do not see it.
    pub title: String,
    /// One a machine, in reading order.
    pub panels: Vec<Panel>,
}

/// One machine's measurements.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The machine, as a heading: "Reference machine".
    pub machine: String,
    /// What is compared, in the text's order; the same names in every panel.
    pub series: Vec<Series>,
}

/// One variant over the parameters.
#[derive(Clone, Debug)]
pub struct Series {
    /// The function's name in the bench.
    pub name: String,
    /// Whether it is what the chapter is about; drawn heavier.
    pub subject: bool,
    /// Which of the eight looks it has, the same in all figures of a bench.
    pub style: usize,
    /// Its measurements; the same parameters in every panel.
    pub points: Vec<Point>,
}

/// One benchmark.
#[derive(Clone, Debug)]
pub struct Point {
    /// The benchmark's parameter, if it has one.
    pub parameter: Option<String>,
    /// What was measured, or why nothing was ("not measured").
    pub value: Result<Estimate, String>,
}

/// Widths a panel is drawn for, in CSS pixels: text keeps its size, so a phone gets a drawing of
/// its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// The whole text column of a wide screen; labels stand beside the lines.
    Wide,
    /// A phone, or half of a wide screen; the legend names the lines.
    Narrow,
}

impl Room {
    fn width(self) -> f64 {
        match self {
            Room::Wide => 720.0,
            Room::Narrow => 352.0,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Room::Wide => "wide",
            Room::Narrow => "narrow",
        }
    }
}

impl Chart {
    /// The figure's body as HTML without blank lines: legend, panels, tables.
    ///
    /// A machine without a single value gets a note in place of a drawing.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = String::new();
        let both = self.panels.len() > 1;
        if self.is_sweep() {
            out += &self.legend(if both { "always" } else { "narrow" });
        }
        let _ = writeln!(out, "<div class=\"panels{}\">", if both { " two" } else { "" });
        for panel in &self.panels {
            out += "<div class=\"panel\">\n";
            if both {
                let _ = writeln!(out, "<p class=\"machine\">{}</p>", escape(&panel.machine));
            }
            if panel.values().next().is_none() {
                let _ =
                    writeln!(out, "<p class=\"placeholder\">{}</p>", escape(&panel.why_empty()));
            } else if both {
                out += &self.draw(panel, Room::Narrow);
            } else {
                out += &self.draw(panel, Room::Wide);
                out += &self.draw(panel, Room::Narrow);
            }
            out += &panel.not_drawn();
            out += "</div>\n";
        }
        out += "</div>\n";
        out + &table::html(self)
    }

    /// Whether the parameters are numbers to be drawn along an axis.
    fn is_sweep(&self) -> bool {
        let mut sizes: Vec<f64> = Vec::new();
        for point in self.panels.iter().flat_map(|p| &p.series).flat_map(|s| &s.points) {
            match point.parameter.as_deref().and_then(units::parameter) {
                Some(size) if size > 0.0 => sizes.push(size),
                _ => return false,
            }
        }
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        sizes.len() > 1
    }

    fn draw(&self, panel: &Panel, room: Room) -> String {
        if self.is_sweep() { sweep::svg(self, panel, room) } else { bars::svg(self, panel, room) }
    }

    /// Every value with the two ends of its interval, over all panels: the scales are shared.
    fn extent(&self) -> (f64, f64) {
        let values = self.panels.iter().flat_map(Panel::values);
        values.fold((f64::INFINITY, 0.0), |(low, high), e| (e.low.min(low), e.high.max(high)))
    }

    /// The sentence that stands for the drawing.
    fn aria(&self, panel: &Panel, kind: &str) -> String {
        let names: Vec<&str> = panel.series.iter().map(|s| s.name.as_str()).collect();
        let (low, high) = panel
            .values()
            .fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), e| (l.min(e.value), h.max(e.value)));
        format!(
            "{kind}: {}. {} of {}, from {} to {}, on {}. The table below holds every value.",
            self.title,
            self.y_label,
            names.join(", "),
            units::number(low, self.quantity, 3),
            units::number(high, self.quantity, 3),
            panel.machine
        )
    }

    fn legend(&self, when: &str) -> String {
        let mut out = format!("<ul class=\"legend {when}\">\n");
        let drawn = |s: &&Series| {
            self.panels.iter().flat_map(|p| &p.series).any(|t| t.name == s.name && t.has_value())
        };
        for series in self.panels[0].series.iter().filter(drawn) {
            let _ = writeln!(
                out,
                "<li><svg class=\"key {}\" viewBox=\"0 0 34 12\" width=\"34\" height=\"12\" aria-hidden=\"true\">\
                 <path class=\"line\" d=\"M1 6H33\"/>{}</svg><code>{}</code></li>",
                series.class(),
                marker(series.style, 17.0, 6.0),
                escape(&series.name)
            );
        }
        out + "</ul>\n"
    }
}

impl Panel {
    fn values(&self) -> impl Iterator<Item = &Estimate> {
        self.series.iter().flat_map(|s| &s.points).filter_map(|p| p.value.as_ref().ok())
    }

    /// A note on the series that have no value here, unless there is none at all, which the
    /// placeholder says.
    fn not_drawn(&self) -> String {
        let absent: Vec<String> = self
            .series
            .iter()
            .filter(|series| !series.has_value())
            .map(|series| {
                let why = series.points.iter().find_map(|p| p.value.as_ref().err());
                format!(
                    "<code>{}</code> ({})",
                    escape(&series.name),
                    escape(why.map_or("not measured", String::as_str))
                )
            })
            .collect();
        if absent.is_empty() || absent.len() == self.series.len() {
            return String::new();
        }
        format!("<p class=\"absent\">Not drawn: {}.</p>\n", absent.join(", "))
    }

    /// The reason that the points give for having no value.
    fn why_empty(&self) -> String {
        let first = self.series.iter().flat_map(|s| &s.points).find_map(|p| p.value.as_ref().err());
        first.cloned().unwrap_or_else(|| "not measured".to_owned())
    }
}

impl Series {
    /// Classes of everything drawn for it.
    fn class(&self) -> String {
        format!("s{}{}", self.style % 8, if self.subject { " subject" } else { "" })
    }

    fn has_value(&self) -> bool {
        self.points.iter().any(|point| point.value.is_ok())
    }
}

/// The marker of a style: eight shapes that differ in outline, not only in turn.
fn marker(style: usize, x: f64, y: f64) -> String {
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
fn open_svg(room: Room, height: f64, label: &str) -> String {
    format!(
        "<svg class=\"chart {}\" viewBox=\"0 0 {} {height:.0}\" role=\"img\" aria-label=\"{}\">\n",
        room.class(),
        room.width(),
        escape(label)
    )
}

/// Text at a point; `class` decides its anchor and font.
fn text(x: f64, y: f64, class: &str, content: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>\n", escape(content))
}

/// A round value as an axis label: `1.50 µs` becomes `1.5 µs`.
fn tick(value: f64, quantity: Quantity) -> String {
    let text = units::number(value, quantity, 4);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if !number.contains('.') {
        return text;
    }
    format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

/// A parameter as people write it: `64KiB` becomes `64 KiB`; what is no number stays.
#[must_use]
pub fn spaced(parameter: &str) -> String {
    let end = parameter.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(parameter.len());
    if end == 0 || end == parameter.len() || units::parameter(parameter).is_none() {
        return parameter.to_owned();
    }
    format!("{}\u{a0}{}", &parameter[..end], parameter[end..].trim())
}

/// Escapes text for HTML, in content and in attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
