//! The noise floor: a bracket as long as the same code, measured twice, was apart.

use super::svg::{path, text};
use crate::units::{self, Quantity};
use maud::{Markup, html};

/// The noise floor of a panel's group.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// The largest factor between two measurements of the same code, above 1.
    pub reach: f64,
}

/// The tallest bracket that fits below the value axis.
const BELOW: f64 = 38.0;

impl Noise {
    /// Returns the share by which two measurements of the same code differ.
    pub(super) fn share(self) -> String {
        let share = self.reach - 1.0;
        units::number(share, Quantity::Percent, if share < 0.1 { 1 } else { 2 })
    }

    /// Returns the sentence that says what the bracket shows.
    pub(super) fn sentence(self) -> String {
        format!("Noise floor: the same code, measured twice, differs by up to {}.", self.share())
    }

    /// Draws an upright bracket of `length` to the left of the axis at `left`, below its lower end
    /// at `bottom` or, if it is too long for that, beside the axis from `top` down.
    pub(super) fn upright(self, length: f64, left: f64, top: f64, bottom: f64) -> Markup {
        let (x, y, class) = if length <= BELOW {
            (left - 18.0, bottom + 6.0, "tick end")
        } else {
            (left + 4.0, top, "tick")
        };
        let at = if length <= BELOW { x - 5.0 } else { x + 10.0 };
        html! {
            g class="noise" {
                (path("bracket", format_args!("M{x:.1} {y:.1}h6m-3 0v{length:.1}m-3 0h6")))
                (text(at, y + 14.0, class, "noise"))
                (text(at, y + 28.0, class, &format!("≤ {}", self.share())))
            }
        }
    }

    /// Draws a lying bracket from `from` to `to`, around `middle`, with its label on the side that
    /// has the room.
    pub(super) fn lying(self, from: f64, to: f64, middle: f64) -> Markup {
        let label = format!("noise ≤ {}", self.share());
        let (x, class) = if from > 110.0 { (from - 7.0, "tick end") } else { (to + 7.0, "tick") };
        html! {
            g class="noise" {
                (path("bracket", format_args!("M{from:.1} {:.1}v6m0-3H{to:.1}m0-3v6", middle - 3.0)))
                (text(x, middle + 4.0, class, &label))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_in_percent() {
        assert_eq!(Noise { reach: 1.043 }.share(), "4 %");
        assert_eq!(Noise { reach: 1.346 }.share(), "35 %");
    }
}
