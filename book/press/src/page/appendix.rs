//! The appendix, generated from claims and measurements: a page of all claims, and a page for each
//! machine.

use super::html::{CLAIMS, card_address, day, machine_page, sentence, verdict};
use crate::book::{Book, Judged};
use crate::machine::{Environment, Known, Machine, Recording};
use crate::model::{Proof, Verdict};
use crate::prove::family;
use crate::units::{self, Quantity};
use maud::{Markup, html};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A page without a source file.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its title.
    pub title: String,
    /// The path of its source below `book/src`, had it one.
    pub path: PathBuf,
    /// Markdown.
    pub markdown: String,
}

/// Returns the appendix's pages in order.
#[must_use]
pub fn appendix(book: &Book, all: &[Judged<'_>]) -> Vec<Generated> {
    // Chapters link to the reference machine's page, so it exists even without any recording.
    let mut pages = vec![claims(all), machine(&book.reference)];
    let others = book.machines.iter().filter(|m| m.name != book.reference.name);
    pages.extend(others.map(machine));
    if !book.here.is_empty() {
        pages.push(machine(&book.here));
    }
    pages
}

/// Lists every claim of the book by chapter, with its verdicts and its command.
fn claims(claims: &[Judged<'_>]) -> Generated {
    let path = PathBuf::from(format!("{CLAIMS}.md"));
    let mut markdown = format!(
        "# Every claim\n\nThe book's claims, each with its proof. The verdicts were computed when \
         the book was printed: on the reference machine ({}), and on yours ({}).\n",
        tally(claims.iter().map(|claim| &claim.reference.verdict)),
        tally(claims.iter().map(|claim| &claim.here.verdict)),
    );
    let clocked = claims.iter().filter(|claim| matches!(claim.claim.proof, Proof::Clocked(_)));
    if let Some(error) = family::error(clocked.map(|claim| &claim.reference)) {
        let _ = writeln!(markdown, "\nOn the reference machine, {error}");
    }
    for chapter in claims.chunk_by(|a, b| a.page.path == b.page.path) {
        let title = &chapter[0].page.title;
        let columns = ["Claim", "Proof", "Reference", "Your machine"];
        let table = html! {
            (scrolling(&format!("Claims of {title}"), html! {
                table class="claims" {
                    (head(&columns))
                    tbody { @for claim in chapter { (row(claim, &path)) } }
                }
            }))
        };
        markdown += &format!("\n## {}\n\n{}\n", heading(title), table.into_string());
    }
    Generated { title: "Every claim".to_owned(), path, markdown }
}

/// Renders a claim's row on the page at `path`.
fn row(judged: &Judged<'_>, path: &Path) -> Markup {
    let claim = judged.claim;
    html! {
        tr {
            td {
                a href=(card_address(judged, path)) { (sentence(&claim.says)) }
                br;
                code class="command" { (claim.command()) }
            }
            td { (claim.kind()) }
            td { (verdict(&judged.reference.verdict)) }
            td { (verdict(&judged.here.verdict)) }
        }
    }
}

/// Formats the number of claims with each verdict: `holds: 3, undecided: 1`.
fn tally<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let counts = Verdict::tally(verdicts);
    if counts.is_empty() {
        return "no claims yet".to_owned();
    }
    let parts: Vec<String> = counts.iter().map(|(words, n)| format!("{words}: {n}")).collect();
    parts.join(", ")
}

/// Describes everything known of one machine except the figures, which the chapters show.
fn machine(machine: &Machine) -> Generated {
    let title = match machine.name.as_str() {
        "reference" => "The reference machine".to_owned(),
        "here" => "Your machine".to_owned(),
        name => format!("Machine: {name}"),
    };
    let mut out = format!("# {}\n\n", heading(&title));
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
            steal,
            recording
                .environment
                .load_before
                .map_or("not known".to_owned(), |load| format!("{load:.2}")),
        ]
    });
    let intro = "## Clocked\n\nThe noise floor is what the bench found between two \
                 measurements of the same code: a difference below it means nothing.\n\n";
    let head = [
        "Bench",
        "Date",
        "Commit",
        "Rounds",
        "Benchmarks",
        "Noise floor",
        "CPU time stolen",
        "Load before",
    ];
    intro.to_owned() + &table("Recordings", &head, rows)
}

/// Returns the distinct environments, each with the benches that were measured in it.
fn environments(machine: &Machine) -> Vec<(Vec<&str>, Environment)> {
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
fn lasting(environment: &Environment) -> Vec<(&'static str, String)> {
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

/// Renders a table whose first column names the row, as a block of its own in Markdown.
fn table(label: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let table = scrolling(
        label,
        html! {
            table {
                (head(columns))
                tbody {
                    @for row in rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                // A blank line inside would end the HTML block.
                                @let cell = sentence(&cell.replace('\n', " "));
                                @if i == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        },
    );
    table.into_string() + "\n\n"
}

/// Renders a table's head.
fn head(columns: &[&str]) -> Markup {
    html! { thead { tr { @for name in columns { th scope="col" { (name) } } } } }
}

/// Puts a table into a region that scrolls sideways on a narrow screen.
fn scrolling(label: &str, table: Markup) -> Markup {
    html! { div class="scroll" role="region" tabindex="0" aria-label=(label) { (table) } }
}

/// Renders text as a paragraph of its own in which Markdown finds no markup.
fn paragraph(text: &str) -> String {
    html! { p { (sentence(&text.replace('\n', " "))) } }.into_string()
}

/// Escapes what Markdown would take for markup in a heading; code spans stay.
fn heading(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('*', "\\*").replace('_', "\\_").replace('<', "&lt;")
}
