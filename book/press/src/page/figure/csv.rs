//! The times of a group as a table for other programs.

use super::clock::other_clock;
use super::shown::knows;
use crate::book::Book;
use crate::machine::{Benchmark, Known, Machine, Regime};
use crate::model::{Block, Estimate};
use crate::page::html::{machine_label, up};
use std::collections::BTreeMap;
use std::path::Path;

/// The folder of the tables, beside the pages.
pub const FOLDER: &str = "figures";

/// The place of the tables that figures link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downloads {
    /// A file for each group in [`FOLDER`].
    Files,
    /// The link itself, for a printer that leaves no place for files.
    Inside,
}

/// The first line, with the units.
const HEADER: &str = "machine,function,parameter,regime,median (ns per iteration),low (ns),\
                      high (ns),rounds,bytes per iteration,elements per iteration\n";

/// Returns the tables of all groups that the book's figures show, by group.
#[must_use]
pub fn tables(book: &Book) -> BTreeMap<String, String> {
    let blocks = book.pages.iter().flat_map(|page| page.blocks.iter().map(move |one| (page, one)));
    let groups = blocks.flat_map(|(page, block)| match &block.item {
        Block::Figure(figure) => {
            let other = other_clock(figure, page, book).map(|other| other.group);
            [Some(figure.group.clone()), other]
        }
        _ => [None, None],
    });
    let of_group = |group: String| {
        let table = book.memo.printed(("csv", &group), || csv(&group, book));
        (group, table)
    };
    groups.flatten().map(of_group).collect()
}

/// Returns the address of a group's table from `page`.
pub(super) fn address(group: &str, book: &Book, page: &Path, downloads: Downloads) -> String {
    match downloads {
        Downloads::Files => format!("{}{FOLDER}/{group}.csv", up(page)),
        Downloads::Inside => format!("data:text/csv,{}", escaped(&csv(group, book))),
    }
}

/// Escapes what may not stand in an address.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b",._-()".contains(&b);
    let byte = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}

/// Returns the times of a group on all machines as comma-separated values, null controls included.
fn csv(group: &str, book: &Book) -> String {
    let mut out = HEADER.to_owned();
    for machine in book.machines.iter().chain([&book.here]).filter(|m| knows(m, group)) {
        let Some(recording) = machine.recording(group) else { continue };
        for (id, benchmark) in recording.benchmarks.iter().filter(|(_, b)| b.group == group) {
            for (regime, _) in machine.regimes(&[id.as_str()]) {
                if let Known::Measured(time) = machine.time_in(id, regime) {
                    out += &row(machine, benchmark, regime, time);
                }
            }
        }
    }
    out
}

fn row(machine: &Machine, benchmark: &Benchmark, regime: Option<Regime>, time: Estimate) -> String {
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let fields = [
        quoted(machine_label(machine)),
        quoted(benchmark.function.as_deref().unwrap_or(&benchmark.group)),
        quoted(benchmark.parameter.as_deref().unwrap_or_default()),
        regime.map(|regime| regime.to_string()).unwrap_or_default(),
        time.value.to_string(),
        time.low.to_string(),
        time.high.to_string(),
        time.rounds.to_string(),
        number(benchmark.throughput_bytes),
        number(benchmark.throughput_elements),
    ];
    fields.join(",") + "\n"
}

/// Returns a field in quotes if its text would end it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_a_whole_table() {
        assert_eq!(escaped("a b,1.5\nµ"), "a%20b,1.5%0A%C2%B5");
    }

    #[test]
    fn a_comma_does_not_split_a_field() {
        assert_eq!(quoted("read_write"), "read_write");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
