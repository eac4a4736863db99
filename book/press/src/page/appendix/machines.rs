//! The page of all machines, their facts side by side.

use super::machine::{environments, lasting, origin};
use super::pieces::{Generated, head};
use crate::book::Book;
use crate::date::day;
use crate::machine::{Environment, Machine};
use crate::page::html::{MACHINES, machine_label, machine_link, scrolling, sentence, up};
use maud::{Markup, html};
use std::path::PathBuf;

/// The rows that are left to the page of each machine, because they are long or the same for all.
const LEFT_OUT: [&str; 5] =
    ["Mount options of target/", "Temporary files", "Flags", "Allocators and peers", "Settings"];

/// Describes every recorded machine, and the reader's if it has results.
pub(in crate::page) fn machines(book: &Book) -> Generated {
    let path = PathBuf::from(format!("{MACHINES}.md"));
    let up = up(&path);
    let mut markdown = "# The machines\n\n".to_owned();
    match book.machines.first() {
        None => markdown += "No machine has been recorded yet.\n\n",
        Some(reference) => {
            markdown += &format!(
                "Every figure and every claim's card shows each of these machines. A number in the \
                 prose is from the reference machine, **{}**, unless it names another.\n\n",
                machine_label(reference)
            );
        }
    }
    for machine in &book.machines {
        let about = machine.about.as_deref().unwrap_or("Nothing is said about it.");
        let line = html! {
            p { strong { (machine_link(machine, &up)) } ": " (sentence(&about.replace('\n', " ")))
                @if let Some(by) = &machine.by { " Contributed by " (sentence(by)) "." }
                @if let Some(origin) = origin(machine) { " " (origin) }
            }
        };
        markdown += &format!("{}\n\n", line.into_string());
    }
    let yours = Some(&book.here).filter(|here| !here.recordings.is_empty());
    let shown: Vec<&Machine> = book.machines.iter().chain(yours).collect();
    if !shown.is_empty() {
        markdown += &side_by_side(&shown, &up).into_string();
        markdown += "\n\nWhere a machine was recorded in more than one environment, this is the one \
                     of most benches; its own page has all of them.\n";
    }
    Generated { title: "The machines".to_owned(), path, markdown }
}

/// Renders the facts of each machine as a column.
fn side_by_side(machines: &[&Machine], up: &str) -> Markup {
    let columns: Vec<Vec<(&str, String)>> = machines.iter().map(|m| facts(m)).collect();
    let mut heads = vec![html! { "Property" }];
    heads.extend(machines.iter().map(|machine| machine_link(machine, up)));
    scrolling(
        "The machines side by side",
        html! {
            table class="machines" {
                (head(&heads))
                tbody {
                    @for (i, (label, _)) in columns[0].iter().enumerate() {
                        tr {
                            th scope="row" { (label) }
                            @for column in &columns { td { (column[i].1) } }
                        }
                    }
                }
            }
        },
    )
}

/// Returns the facts of the environment in which most benches were measured, then the rounds.
fn facts(machine: &Machine) -> Vec<(&'static str, String)> {
    let environment = environments(machine)
        .into_iter()
        .max_by_key(|(benches, _)| benches.len())
        .map_or_else(Environment::default, |(_, environment)| environment);
    let mut rows = lasting(&environment);
    rows.retain(|(label, _)| !LEFT_OUT.contains(label));
    let rounds = machine.recordings.values().map(|recording| recording.rounds);
    let (least, most) = (rounds.clone().min().unwrap_or(0), rounds.max().unwrap_or(0));
    rows.push((
        "Rounds",
        if least == most { most.to_string() } else { format!("{least} to {most}") },
    ));
    rows.push(("Benches", machine.recordings.len().to_string()));
    let last = machine.recordings.values().map(|recording| day(&recording.date)).max();
    rows.push(("Recorded", last.unwrap_or("not known").to_owned()));
    rows
}
