//! The same figure by the other clock: CPU time in place of wall time, or the other way around.

use super::shown::knows;
use crate::book::Book;
use crate::chapter::Page;
use crate::model::{Block, Figure, YAxis};

/// The ending of a group of CPU times.
const CPU: &str = "_cpu";

/// Returns a figure by the other clock, if a machine has measured that and no other figure of
/// `page` shows it.
#[must_use]
pub fn other_clock(figure: &Figure, page: &Page, book: &Book) -> Option<Figure> {
    let group = match figure.group.strip_suffix(CPU) {
        Some(wall) => wall.to_owned(),
        None => format!("{}{CPU}", figure.group),
    };
    let is_shown = page.blocks.iter().any(|block| match &block.item {
        Block::Figure(other) => other.group == group,
        _ => false,
    });
    let mut machines = book.machines.iter().chain([&book.here]);
    // A throughput of CPU time means nothing, and a small figure has no room for a switch.
    if figure.y != YAxis::Time || figure.small || is_shown || !machines.any(|m| knows(m, &group)) {
        return None;
    }
    let to_cpu = group.ends_with(CPU);
    let title = figure.title.as_deref().map(|title| renamed(title, to_cpu));
    let label = Some(if to_cpu { "CPU time" } else { "Wall time" }.to_owned());
    Some(Figure { group, title, label, ..figure.clone() })
}

/// Names the other clock in a title.
fn renamed(title: &str, to_cpu: bool) -> String {
    let (from, first, later) = match to_cpu {
        true => ("Time", "CPU time", "CPU time"),
        false => ("CPU time", "Wall time", "wall time"),
    };
    match title.strip_prefix(from) {
        Some(rest) => format!("{first}{rest}"),
        None if title.contains(from) => title.replacen(from, later, 1),
        None => format!("{title}: {later}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_names_the_other_clock() {
        assert_eq!(renamed("CPU time per item", false), "Wall time per item");
        assert_eq!(renamed("The server's CPU time", false), "The server's wall time");
        assert_eq!(renamed("Time per block", true), "CPU time per block");
        assert_eq!(renamed("What it costs", false), "What it costs: wall time");
        assert_eq!(renamed("What it costs", true), "What it costs: CPU time");
    }
}
