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
mod data;
mod scale;
mod svg;
mod sweep;
mod table;

use super::html::escape;
use std::fmt::Write;
use svg::{Room, marker};

pub use data::{Chart, Panel, Point, Series};

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

    fn draw(&self, panel: &Panel, room: Room) -> String {
        if self.is_sweep() { sweep::svg(self, panel, room) } else { bars::svg(self, panel, room) }
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
}

#[cfg(test)]
mod tests;
