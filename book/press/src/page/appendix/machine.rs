//! The page of one machine: its environments, and everything that it counted and proved.

use super::pieces::{Generated, fold, heading, paragraph, rows_of, table};
use crate::book::{Book, Judged};
use crate::date::day;
use crate::machine::{Counts, Environment, HERE, Machine, Recording, Regime, Seen, Sources};
use crate::model::{Proof, Verdict};
use crate::page::html::{YOURS, machine_page};
use crate::units::{self, Quantity};
use maud::html;
use std::fmt::Write;
use std::path::PathBuf;

/// The facts that a reader looks for first.
const FACTS: [&str; 9] = [
    "Processor",
    "Design",
    "Architecture",
    "Cores used",
    "Caches",
    "Memory",
    "Kernel",
    "C library",
    "Virtualization",
];

/// Describes everything known of one machine except the figures, which the chapters show: its facts
/// and a line for each bench, and the rest folded.
pub(super) fn machine(machine: &Machine, book: &Book, claims: &[Judged<'_>]) -> Generated {
    let title = match machine.name.as_str() {
        HERE => format!("{YOURS} in detail"),
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
    let by = machine.by.as_ref().map(|by| format!("Contributed by {by}."));
    let origin: Vec<String> = by.into_iter().chain(origin(machine)).collect();
    if !origin.is_empty() {
        let _ = writeln!(out, "{}\n", paragraph(&origin.join(" ")));
    }
    let environments = environments(machine);
    let usual = environments.iter().max_by_key(|(benches, _)| benches.len());
    if let Some((_, environment)) = usual {
        let mut rows = lasting(environment);
        rows.retain(|(label, value)| FACTS.contains(label) && value != "not known");
        let rows = rows.into_iter().map(|(k, v)| vec![k.to_owned(), v]);
        out += &table("Facts of the machine", &["Property", "Value"], rows);
    }
    out += &benches(machine, book, claims);
    out += &recordings(machine);
    for (benches, environment) in &environments {
        let label = format!("Environment of {}", benches.join(", "));
        let rows = lasting(environment).into_iter().map(|(k, v)| vec![k.to_owned(), v]);
        out += &fold(&label, rows_of(&label, &["Property", "Value"], rows));
    }
    out += &impossible(machine);
    out += &counted(machine);
    out += &proved(machine);
    let path = PathBuf::from(machine_page(&machine.name)).with_extension("md");
    Generated { title, path, markdown: out }
}

/// Says when a machine was recorded, at which commit most recently, and what has changed since.
pub(super) fn origin(machine: &Machine) -> Option<String> {
    let dates = || machine.recordings.values().map(|recording| recording.date.as_str());
    let (first, last) = (day(dates().min()?), day(dates().max()?));
    let when = match first == last {
        true => format!("Recorded on {last}"),
        false => format!("Recorded from {first} to {last}"),
    };
    let newest = machine.recordings.values().max_by_key(|recording| &recording.date)?;
    let commit = newest.commit.as_deref();
    let at = commit
        .map_or(String::new(), |commit| format!(", most recently at commit {}", short(commit)));
    let changed = machine.sources.values().filter(|sources| **sources == Sources::Changed).count();
    let all = machine.recordings.len();
    let since = match changed {
        0 => String::new(),
        n => format!(" The code of {n} of its {all} benches has changed since."),
    };
    Some(format!("{when}{at}.{since}"))
}

/// Lists the benches, each with its date, rounds, noise floor and verdicts.
fn benches(machine: &Machine, book: &Book, claims: &[Judged<'_>]) -> String {
    if machine.recordings.is_empty() {
        return "Nothing was clocked on this machine.\n\n".to_owned();
    }
    let rows = machine.recordings.iter().map(|(bench, recording)| {
        let verdicts = claims.iter().filter_map(|judged| on(judged, machine, bench));
        let tally = Verdict::tally(verdicts);
        let tally: Vec<String> = tally.iter().map(|(words, n)| format!("{words}: {n}")).collect();
        let noise = book.memo.printed(("noise", &machine.name, bench), || {
            let text = |noise| units::text(noise, Quantity::Ratio);
            let noise = machine.noise(bench).measured().map(text);
            noise.map_or_else(
                || "not measured".to_owned(),
                |text| format!("{} ({})", text.value, text.interval),
            )
        });
        vec![
            bench.clone(),
            day(&recording.date).to_owned(),
            rounds(recording),
            noise,
            tally.join(", "),
            match machine.sources.get(bench) {
                Some(Sources::Same) => "as now",
                Some(Sources::Changed) => "changed since",
                Some(Sources::NotKnown) | None => "not known",
            }
            .to_owned(),
        ]
    });
    let whose = if machine.name == book.here.name { "your" } else { "this" };
    let intro = format!(
        "## Benches\n\nThe noise floor is what the bench found between two measurements of the same \
         code: a difference below it means nothing. Where the code has changed since, {whose} \
         machine might find something else today.\n\n"
    );
    let head = ["Bench", "Date", "Rounds", "Noise floor", "Clocked claims", "Code"];
    intro + &table("Recordings", &head, rows)
}

/// Returns the verdict of a clocked claim about a bench on one machine.
fn on<'a>(judged: &'a Judged<'_>, machine: &Machine, bench: &str) -> Option<&'a Verdict> {
    let Proof::Clocked(clocked) = &judged.claim.proof else { return None };
    if machine.bench_of(clocked.subject()) != Some(bench) {
        return None;
    }
    let recorded = judged.recorded.iter().find(|on| on.machine.name == machine.name);
    Some(&recorded.map_or(&judged.here, |on| &on.judgement).verdict)
}

/// Folds what was noted of each recording.
fn recordings(machine: &Machine) -> String {
    if machine.recordings.is_empty() {
        return String::new();
    }
    let rows = machine.recordings.iter().map(|(bench, recording)| {
        let environment = &recording.environment;
        let steal = environment.stolen_share;
        let load = environment.load_before;
        vec![
            bench.clone(),
            commit(recording),
            recording.benchmarks.len().to_string(),
            cores(recording),
            steal.map_or("not known".to_owned(), |s| format!("{:.1}\u{a0}%", s * 100.0)),
            load.map_or("not known".to_owned(), |load| format!("{load:.2}")),
        ]
    });
    let head = [
        "Bench",
        "Commit",
        "Benchmarks",
        "Samples near, far, dropped",
        "CPU time stolen",
        "Load before",
    ];
    let label = "Commit, cores and load of each recording";
    fold(
        label,
        html! {
            p {
                "Two cores that work on the same memory were near or far from each other. Samples \
                 during which that changed, or a core ran below its speed, are dropped."
            }
            (rows_of(label, &head, rows))
        },
    )
}

/// Folds the counts of each example.
fn counted(machine: &Machine) -> String {
    let one = |(example, counts): (&String, &Counts)| {
        let of =
            counts.commit.as_deref().map_or(String::new(), |c| format!(", commit {}", short(c)));
        let rows = counts.values.iter().map(|(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            vec![key.clone(), value]
        });
        let label = format!("Counts of {example}, {}{of}", day(&counts.date));
        fold(&label, rows_of(&label, &["Count", "Value"], rows))
    };
    if machine.counts.is_empty() {
        return String::new();
    }
    "## Counts\n\n".to_owned() + &machine.counts.iter().map(one).collect::<String>()
}

/// Folds the outcomes of builds and models.
fn proved(machine: &Machine) -> String {
    if machine.proofs.is_empty() {
        return String::new();
    }
    let rows = machine.proofs.iter().map(|(name, run)| {
        let outcome = if run.holds { "passed" } else { "failed" };
        vec![name.clone(), outcome.to_owned(), run.found.clone(), day(&run.date).to_owned()]
    });
    let failed = machine.proofs.values().filter(|run| !run.holds).count();
    let label = format!(
        "{} proofs by the compiler and by loom, {failed} of which failed",
        machine.proofs.len()
    );
    let head = ["Proof", "Outcome", "Found", "Date"];
    "## Compiled and explored\n\n".to_owned() + &fold(&label, rows_of(&label, &head, rows))
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

/// Folds the benchmarks that a machine cannot run, with the reasons.
fn impossible(machine: &Machine) -> String {
    let all: Vec<Vec<String>> = machine
        .recordings
        .values()
        .flat_map(|r| &r.not_possible)
        .map(|(id, why)| vec![id.clone(), why.clone()])
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let label = format!("{} benchmarks that are not possible here", all.len());
    fold(&label, rows_of(&label, &["Benchmark", "Why"], all.into_iter()))
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
