//! The page of one machine: its environments, and everything that it counted and proved.

use super::pieces::{Generated, heading, paragraph, table};
use crate::book::Book;
use crate::date::day;
use crate::machine::{Environment, HERE, Known, Machine, Recording, Regime, Seen};
use crate::page::html::{YOURS, machine_page};
use crate::units::{self, Quantity};
use std::fmt::Write;
use std::path::PathBuf;

/// Describes everything known of one machine except the figures, which the chapters show.
pub(super) fn machine(machine: &Machine, book: &Book) -> Generated {
    let title = match machine.name.as_str() {
        HERE => YOURS.to_owned(),
        name => format!("Machine: {name}"),
    };
    let mut out = format!("# {}\n\n", heading(&title));
    if book.is_reference(machine) {
        out += "The reference machine: numbers in the prose are from it, unless they name another \
                one.\n\n";
    }
    if let Some(about) = &machine.about {
        let _ = writeln!(out, "{}\n", paragraph(about));
    }
    out += &recorded(machine);
    for (benches, environment) in environments(machine) {
        let _ = writeln!(out, "## Environment: {}\n", heading(&benches.join(", ")));
        let rows = lasting(&environment);
        out += &table(
            &format!("Environment of {}", benches.join(", ")),
            &["Property", "Value"],
            rows.into_iter().map(|(k, v)| vec![k.to_owned(), v]),
        );
    }
    impossible(machine, &mut out);
    for (example, counts) in &machine.counts {
        let _ = writeln!(out, "## Counted by `{example}`\n");
        let commit =
            counts.commit.as_deref().map_or(String::new(), |c| format!(", commit {}", short(c)));
        let _ = writeln!(out, "{}{commit}.\n", day(&counts.date));
        let rows = counts.values.iter().map(|(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            vec![key.clone(), value]
        });
        out += &table(&format!("Counts of {example}"), &["Count", "Value"], rows);
    }
    if !machine.proofs.is_empty() {
        out += "## Compiled and explored\n\n";
        let rows = machine.proofs.iter().map(|(name, run)| {
            let outcome = if run.holds { "passed" } else { "failed" };
            vec![name.clone(), outcome.to_owned(), run.found.clone(), day(&run.date).to_owned()]
        });
        out += &table(
            "Proofs by the compiler and by loom",
            &["Proof", "Outcome", "Found", "Date"],
            rows,
        );
    }
    let path = PathBuf::from(machine_page(&machine.name)).with_extension("md");
    Generated { title, path, markdown: out }
}

/// Lists the recorded benches with their dates and noise floors.
fn recorded(machine: &Machine) -> String {
    if machine.recordings.is_empty() {
        return "Nothing was clocked on this machine.\n\n".to_owned();
    }
    let rows = machine.recordings.iter().map(|(bench, recording)| {
        let noise = match machine.noise(bench) {
            Known::Measured(noise) => {
                let text = units::text(noise, Quantity::Ratio);
                format!("{} ({})", text.value, text.interval)
            }
            Known::NotPossible(why) => format!("not possible: {why}"),
            Known::NotMeasured => "not measured".to_owned(),
        };
        let steal = recording
            .environment
            .stolen_share
            .map_or("not known".to_owned(), |s| format!("{:.1}\u{a0}%", s * 100.0));
        vec![
            bench.clone(),
            day(&recording.date).to_owned(),
            commit(recording),
            rounds(recording),
            recording.benchmarks.len().to_string(),
            noise,
            cores(recording),
            steal,
            recording
                .environment
                .load_before
                .map_or("not known".to_owned(), |load| format!("{load:.2}")),
        ]
    });
    let intro = "## Clocked\n\nThe noise floor is what the bench found between two \
                 measurements of the same code: a difference below it means nothing. Two cores \
                 that work on the same memory were near or far from each other. Samples during \
                 which that changed, or a core ran below its speed, are dropped.\n\n";
    let head = [
        "Bench",
        "Date",
        "Commit",
        "Rounds",
        "Benchmarks",
        "Noise floor",
        "Samples near, far, dropped",
        "CPU time stolen",
        "Load before",
    ];
    intro.to_owned() + &table("Recordings", &head, rows)
}

/// Returns the number of samples of two cores that were near, that were far, and of all samples
/// that are dropped because the cores moved meanwhile or were slowed down.
fn cores(recording: &Recording) -> String {
    let rounds = || recording.benchmarks.values().flat_map(|benchmark| &benchmark.rounds);
    let count = |wanted: Seen| rounds().filter(|round| round.seen() == wanted).count();
    match [Seen::In(Regime::Near), Seen::In(Regime::Far), Seen::Dropped].map(count) {
        [0, 0, 0] => "\u{2013}".to_owned(),
        [near, far, dropped] => format!("{near}, {far}, {dropped}"),
    }
}

/// Returns the distinct environments, each with the benches that were measured in it.
pub(super) fn environments(machine: &Machine) -> Vec<(Vec<&str>, Environment)> {
    let mut all: Vec<(Vec<&str>, Environment)> = Vec::new();
    for (bench, recording) in &machine.recordings {
        match all.iter_mut().find(|(_, environment)| environment.is_like(&recording.environment)) {
            Some((benches, _)) => benches.push(bench),
            None => all.push((vec![bench], recording.environment.clone())),
        }
    }
    all
}

/// Returns the rows of an environment that stay the same from run to run. The others stand with the
/// recordings.
pub(super) fn lasting(environment: &Environment) -> Vec<(&'static str, String)> {
    let passing =
        Environment { stolen_share: Some(0.5), load_before: Some(0.5), ..Environment::default() };
    let changes: Vec<bool> =
        passing.rows().iter().zip(Environment::default().rows()).map(|(a, b)| a.1 != b.1).collect();
    environment
        .rows()
        .into_iter()
        .zip(changes)
        .filter(|(_, changes)| !changes)
        .map(|(row, _)| row)
        .collect()
}

/// Appends the benchmarks that a machine cannot run, with the reasons.
fn impossible(machine: &Machine, out: &mut String) {
    let all: Vec<Vec<String>> = machine
        .recordings
        .values()
        .flat_map(|r| &r.not_possible)
        .map(|(id, why)| vec![id.clone(), why.clone()])
        .collect();
    if !all.is_empty() {
        *out += "## Not measurable here\n\n";
        *out += &table("Benchmarks that are not possible", &["Benchmark", "Why"], all.into_iter());
    }
}

/// Returns the number of rounds, of the planned number if the recording was interrupted.
fn rounds(recording: &Recording) -> String {
    match recording.planned {
        Some(planned) => format!("{} of {planned}, interrupted", recording.rounds),
        None => recording.rounds.to_string(),
    }
}

/// Returns a recording's commit, and whether the files differed from it.
fn commit(recording: &Recording) -> String {
    let Some(commit) = &recording.commit else {
        return "not known".to_owned();
    };
    let note = if recording.modified == Some(true) { ", with changes" } else { "" };
    format!("{}{note}", short(commit))
}

/// Returns a commit's first ten digits.
fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}
