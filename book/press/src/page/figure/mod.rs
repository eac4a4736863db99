//! A group of benchmarks as a chart and a table.

mod clock;
mod csv;
mod data;
mod looks;
mod shown;

pub use clock::other_clock;
pub use csv::{Downloads, FOLDER, tables};
pub use looks::Looks;

use super::html::{YOURS, machine_link, sentence, up};
use crate::book::Book;
use crate::chapter::Page;
use crate::date::short;
use crate::ids::{bench_of, owner};
use crate::machine::{HERE, Recording, statistics};
use crate::model::{Block, Figure};
use maud::{Markup, html};
use shown::machines;
use std::path::Path;

/// Chooses the looks of all functions in a page's figures, each bench's namesake first.
#[must_use]
pub fn looks(page: &Page, book: &Book) -> Looks {
    let mut benches: Vec<Vec<String>> = Vec::new();
    let mut figures: Vec<Vec<String>> = Vec::new();
    for block in &page.blocks {
        let Block::Figure(figure) = &block.item else { continue };
        let bench = vec![bench(&figure.group, book)];
        if !benches.contains(&bench) {
            benches.push(bench);
        }
        figures.push(data::functions(figure, &machines(figure, book)));
    }
    Looks::choose(&[benches, figures].concat())
}

/// Renders a figure: its title, the origin of its numbers, chart and table.
#[must_use]
pub fn figure(
    figure: &Figure,
    looks: &Looks,
    book: &Book,
    page: &Path,
    downloads: Downloads,
) -> Markup {
    let title = figure.title.clone().unwrap_or_else(|| figure.group.clone());
    let bench = bench(&figure.group, book);
    let machines = machines(figure, book);
    let here = machines.iter().any(|machine| machine.name == HERE);
    let file = csv::address(&figure.group, book, page, downloads);
    html! {
        figure class="measurement" data-group=(figure.group) {
            figcaption {
                strong { (sentence(&title)) }
                @for machine in &machines {
                    @if let Some(recording) = machine.recording(&figure.group) {
                        " " span class="origin" {
                            (machine_link(machine, &up(page))) ": " (origin(recording))
                        }
                    }
                }
                // The strip says once for the chapter that nothing was measured here.
                @if !here && !book.here.is_empty() {
                    " " span class="origin" {
                        (YOURS) ": not measured (" code { "cargo bench --bench " (bench) } ")"
                    }
                }
            }
            @if machines.is_empty() {
                p class="placeholder" { "not measured" }
            } @else {
                (data::chart(figure, &title, &bench, looks, &machines).html(&file))
            }
        }
    }
}

/// Returns the rounds and the day of a recording. A range over few rounds covers less than an
/// interval should, and says so.
fn origin(recording: &Recording) -> String {
    let rounds = match recording.rounds {
        1 => "one round only".to_owned(),
        n @ 2..6 => {
            format!("{n} rounds, covering {:.0}\u{a0}%", statistics::coverage(n) * 100.0)
        }
        n => format!("{n} rounds"),
    };
    format!("{rounds}, {}", short(&recording.date))
}

/// Returns the bench that a group belongs to, judging by the recordings.
fn bench(group: &str, book: &Book) -> String {
    let recorded = book.machines.iter().chain([&book.here]).flat_map(|m| m.recordings.keys());
    owner(group, recorded.map(String::as_str)).unwrap_or_else(|| bench_of(group)).to_owned()
}
