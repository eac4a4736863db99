//! Names beside the ends of lines.

use super::data::Series;
use super::svg::{Room, marker, path, text};
use maud::{Markup, html};

/// The name of a line in one or two rows.
type Rows<'a> = Vec<&'a str>;

/// The place of a line's right end.
pub(super) struct End<'a> {
    pub series: &'a Series,
    pub x: f64,
    pub y: f64,
}

/// The labels of a panel's lines, in the margin to the right of the plot.
pub(super) struct Labels {
    room: Room,
    /// The height of a row, and the width of a character: 0.6 em of the code font.
    row: f64,
    character: f64,
}

impl Labels {
    /// Creates the labels for a room.
    pub fn new(room: Room) -> Labels {
        match room {
            Room::Wide => Labels { room, row: 16.0, character: 7.4 },
            Room::Narrow => Labels { room, row: 13.0, character: 6.8 },
        }
    }

    /// Returns the width that the labels need.
    pub fn margin<'a>(&self, names: impl Iterator<Item = &'a str>) -> f64 {
        let rows = names.flat_map(|name| self.rows(name));
        let longest = rows.map(|row| row.chars().count()).max().unwrap_or(0) as f64;
        longest * self.character + if self.room == Room::Wide { 34.0 } else { 26.0 }
    }

    /// Splits a long name at an underscore on a phone, where two short rows leave more room for the
    /// plot than a long one.
    fn rows<'a>(&self, name: &'a str) -> Rows<'a> {
        const LONG: usize = 13;
        if self.room == Room::Wide || name.chars().count() <= LONG {
            return vec![name];
        }
        let cuts = name.match_indices('_').map(|(at, _)| at + 1).filter(|at| *at < name.len());
        let longer = |at: &usize| (*at).max(name.len() - at).max(LONG);
        match cuts.rev().min_by_key(longer) {
            Some(at) => vec![&name[..at], &name[at..]],
            None => vec![name],
        }
    }

    /// Draws the labels between `top` and `bottom`, with a leader from each line's end and, because
    /// lines may end in one point, the line's marker.
    pub fn html(&self, mut ends: Vec<End<'_>>, right: f64, top: f64, bottom: f64) -> Markup {
        ends.sort_by(|a, b| a.y.total_cmp(&b.y));
        let rows: Vec<Rows<'_>> = ends.iter().map(|end| self.rows(&end.series.name)).collect();
        let heights: Vec<f64> =
            rows.iter().map(|rows| rows.len() as f64 * self.row + 2.0).collect();
        let wanted: Vec<f64> = ends.iter().map(|end| end.y).collect();
        let column = right + if self.room == Room::Wide { 12.0 } else { 8.0 };
        html! {
            @let places = spread(&wanted, &heights, top, bottom);
            @for ((end, rows), at) in ends.iter().zip(&rows).zip(places) {
                @let (from, to) = (end.x + 6.0, column - 5.0);
                @let first = at + 4.0 - (rows.len() - 1) as f64 * self.row / 2.0;
                g class={ "end " (end.series.class()) } {
                    (path("leader", format_args!("M{from:.1} {:.1}L{to:.1} {at:.1}", end.y)))
                    (marker(end.series.style, column, at))
                    @for (i, row) in rows.iter().enumerate() {
                        (text(column + 8.0, first + i as f64 * self.row, name(end.series), row))
                    }
                }
            }
        }
    }
}

/// Moves sorted positions apart, so that labels of these heights do not overlap and stay within
/// `top..=bottom`, and as little as possible.
fn spread(wanted: &[f64], heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    // In coordinates without the labels' own heights, the order is all that must hold.
    let mut above = 0.0;
    let offsets: Vec<f64> = heights
        .iter()
        .map(|height| {
            above += height;
            above - height / 2.0
        })
        .collect();
    // Neighbors in the wrong order merge into a block at the mean of their places.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (place, offset) in wanted.iter().zip(&offsets) {
        blocks.push((place - offset, 1));
        while let [.., (before, n), (after, m)] = blocks[..] {
            if before <= after {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            let mean = (before * n as f64 + after * m as f64) / (n + m) as f64;
            blocks.push((mean, n + m));
        }
    }
    let room = (bottom - top - above).max(0.0);
    let places = blocks.into_iter().flat_map(|(place, n)| std::iter::repeat_n(place, n));
    places.zip(offsets).map(|(place, offset)| place.clamp(top, top + room) + offset).collect()
}

/// Returns the class of a series' name.
pub(super) fn name(series: &Series) -> &'static str {
    if series.subject { "name subject" } else { "name" }
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
            let heights: Vec<f64> = (0..wanted.len()).map(|i| [16.0, 28.0][i % 2]).collect();
            let at = spread(&wanted, &heights, 10.0, 300.0);
            for i in 1..at.len() {
                let apart = f64::midpoint(heights[i - 1], heights[i]);
                assert!(at[i] - at[i - 1] >= apart - 0.01, "{at:?}");
            }
            let last = at.len() - 1;
            assert!(at[0] - heights[0] / 2.0 >= 9.99, "{at:?}");
            assert!(at[last] + heights[last] / 2.0 <= 300.01, "{at:?}");
        }
        assert_eq!(spread(&[50.0, 100.0], &[16.0; 2], 0.0, 300.0), [50.0, 100.0]);
    }

    #[test]
    fn a_long_name_takes_two_rows_on_a_phone() {
        let rows = |room, name| Labels::new(room).rows(name);
        assert_eq!(rows(Room::Narrow, "io_uring_send_zc_fixed"), ["io_uring_", "send_zc_fixed"]);
        assert_eq!(rows(Room::Narrow, "sendfile"), ["sendfile"]);
        assert_eq!(rows(Room::Wide, "io_uring_send_zc_fixed"), ["io_uring_send_zc_fixed"]);
    }
}
