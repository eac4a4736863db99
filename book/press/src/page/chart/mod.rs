//! Charts as SVG, and the same numbers as tables.
//!
//! A figure shows each machine as a panel; all panels share their scales. A sweep over three or
//! more numbers is drawn as lines over two logarithmic axes, each with its name at its right end.
//! Other cases are drawn as bars from zero, or as points on a logarithmic axis where the values lie
//! too far apart for bars. Every point carries its interval, and a bracket shows the noise floor.
//!
//! Colors come from the theme by class (`s0` … `s7`), and series differ in marker and dash as well.
//! The SVG holds no ids, because the page that prints the whole book at once renames duplicates
//! without their references, and no text that the table below it lacks, because a screen reader
//! takes it for one image.

mod bars;
mod data;
mod labels;
mod noise;
mod scale;
mod svg;
mod sweep;
mod table;

use maud::{Markup, html};
use svg::Room;

pub use data::{Chart, Panel, Point, Series};
pub use noise::Noise;

impl Chart {
    /// Renders the figure's body: panels and tables, with a link to the `file` of the same numbers.
    ///
    /// A machine without a single value gets a note in place of a drawing.
    #[must_use]
    pub fn html(&self, file: &str) -> Markup {
        let several = self.panels.len() > 1;
        html! {
            div class={ "panels" @if several { " several" } } {
                @for panel in &self.panels { (self.panel(panel, several)) }
            }
            (table::html(self, file))
        }
    }

    /// Renders one machine's panel, which is one of `several` or alone.
    fn panel(&self, panel: &Panel, several: bool) -> Markup {
        html! {
            div class="panel" data-machine=(panel.machine) {
                @if several { p class="machine" { (panel.machine) } }
                @if panel.values().next().is_none() {
                    p class="placeholder" { (panel.why_empty()) }
                } @else {
                    @if !several { (self.draw(panel, Room::Wide)) }
                    (self.draw(panel, Room::Narrow))
                }
                (panel.not_drawn())
            }
        }
    }

    fn draw(&self, panel: &Panel, room: Room) -> Markup {
        if self.is_sweep() { sweep::svg(self, panel, room) } else { bars::svg(self, panel, room) }
    }
}

impl Panel {
    /// Notes the series without a value, unless there are no others: then the placeholder says so.
    fn not_drawn(&self) -> Markup {
        let absent: Vec<&Series> = self.series.iter().filter(|s| !s.has_value()).collect();
        if absent.is_empty() || absent.len() == self.series.len() {
            return Markup::default();
        }
        let why = |series: &Series| {
            let reason = series.points.iter().find_map(|p| p.value.as_ref().err());
            reason.map_or("not measured", String::as_str).to_owned()
        };
        html! {
            p class="absent" {
                "Not drawn: "
                @for (i, series) in absent.iter().enumerate() {
                    @if i > 0 { ", " }
                    code { (series.name) } " (" (why(series)) ")"
                }
                "."
            }
        }
    }
}

#[cfg(test)]
mod tests;
