//! The appendix, made from claims and measurements: a page of all claims, and a page a machine.

use super::html::{CLAIMS, escape, machine_page, sentence, up, verdict};
use crate::book::{Book, Judged};
use crate::machine::{Environment, Known, Machine, Recording};
use crate::model::Verdict;
use crate::units::{self, Quantity};
use std::fmt::Write;
use std::path::PathBuf;

/// A page that has no source.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its title.
    pub title: String,
    /// Below `book/src`, if it were there.
    pub path: PathBuf,
    /// Markdown.
    pub markdown: String,
}

/// The appendix's pages in order.
#[must_use]
pub fn appendix(book: &Book, all: &[Judged<'_>]) -> Vec<Generated> {
    // The reference machine has its page even when nothing is known of it: chapters link to it.
    let mut pages = vec![claims(all), machine(&book.reference)];
    let others = book.machines.iter().filter(|m| m.name != book.reference.name);
    pages.extend(others.map(machine));
    if !book.here.is_empty() {
        pages.push(machine(&book.here));
    }
    pages
}

/// Every claim of the book by chapter, with its verdicts and its command.
fn claims(claims: &[Judged<'_>]) -> Generated {
    let path = PathBuf::from(format!("{CLAIMS}.md"));
    let mut out = String::from("# Every claim\n\n");
    let _ = writeln!(
        out,
        "What this book asserts, with the proof of each. The verdicts were computed when the book was printed: on the \
         reference machine ({}), and on yours ({}).",
        tally(claims.iter().map(|c| &c.reference.verdict)),
        tally(claims.iter().map(|c| &c.here.verdict)),
    );
    let mut chapter = None;
    for judged in claims {
        if chapter != Some(&judged.page.path) {
            if chapter.is_some() {
                out += "</tbody></table></div>\n";
            }
            chapter = Some(&judged.page.path);
            let _ = write!(
                out,
                "\n## {}\n\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Claims of {1}\">\n\
                 <table class=\"claims\"><thead><tr><th scope=\"col\">Claim</th><th scope=\"col\">Proof</th>\
                 <th scope=\"col\">Reference</th><th scope=\"col\">Your machine</th></tr></thead><tbody>\n",
                heading(&judged.page.title),
                escape(&judged.page.title),
            );
        }
        let claim = judged.claim;
        let link = format!(
            "{}{}#claim-{}",
            up(&path),
            judged.page.path.with_extension("html").display(),
            claim.id
        );
        let _ = writeln!(
            out,
            "<tr><td><a href=\"{}\">{}</a><br><code class=\"command\">{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&link),
            sentence(&claim.says),
            escape(&claim.command()),
            claim.kind(),
            verdict(&judged.reference.verdict),
            verdict(&judged.here.verdict),
        );
    }
    if chapter.is_some() {
        out += "</tbody></table></div>\n";
    }
    Generated { title: "Every claim".to_owned(), path, markdown: out }
}

/// `3 hold, 1 is undecided`: how many claims have which verdict.
fn tally<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for verdict in verdicts {
        match counts.iter_mut().find(|(words, _)| *words == verdict.words()) {
            Some((_, n)) => *n += 1,
            None => counts.push((verdict.words(), 1)),
        }
    }
    if counts.is_empty() {
        return "no claims yet".to_owned();
    }
    let order = ["holds", "fails", "undecided", "not measured", "not possible here"];
    counts.sort_by_key(|(words, _)| order.iter().position(|o| o == words));
    let parts: Vec<String> = counts.iter().map(|(words, n)| format!("{words}: {n}")).collect();
    parts.join(", ")
}

/// Everything known of one machine but the figures, which the chapters show.
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
            &["What", "Value"],
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
        out += &table(&format!("Counts of {example}"), &["What", "How many"], rows);
    }
    if !machine.proofs.is_empty() {
        out += "## Compiled and explored\n\n";
        let rows = machine.proofs.iter().map(|(name, run)| {
            let outcome = if run.holds { "went through" } else { "failed" };
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

/// What was measured when, with each bench's noise floor.
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
            recording.rounds.to_string(),
            recording.benchmarks.len().to_string(),
            noise,
            steal,
            recording
                .environment
                .load_before
                .map_or("not known".to_owned(), |load| format!("{load:.2}")),
        ]
    });
    let intro = "## What was clocked\n\nThe noise floor is what the bench found between two measurements of the same \
                 code: a difference below it means nothing.\n\n";
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

/// The distinct environments, each with the benches that were measured in it.
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

/// The rows of an environment that do not change from run to run by nature; those that do stand
/// with the recordings.
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

fn impossible(machine: &Machine, out: &mut String) {
    let all: Vec<Vec<String>> = machine
        .recordings
        .values()
        .flat_map(|r| &r.not_possible)
        .map(|(id, why)| vec![id.clone(), why.clone()])
        .collect();
    if !all.is_empty() {
        *out += "## What it cannot measure\n\n";
        *out += &table("Benchmarks that are not possible", &["Benchmark", "Why"], all.into_iter());
    }
}

fn commit(recording: &Recording) -> String {
    let Some(commit) = &recording.commit else {
        return "not known".to_owned();
    };
    let note = if recording.modified == Some(true) { ", with changes" } else { "" };
    format!("{}{note}", short(commit))
}

fn short(commit: &str) -> String {
    commit.chars().take(10).collect()
}

/// The day of a date in RFC 3339.
fn day(date: &str) -> &str {
    date.split('T').next().unwrap_or(date)
}

/// A table whose first column names the row.
fn table(label: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\">\n<table><thead><tr>",
        escape(label)
    );
    for name in head {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(name));
    }
    out += "</tr></thead><tbody>\n";
    for row in rows {
        out += "<tr>";
        for (i, cell) in row.iter().enumerate() {
            // A blank line inside would end the HTML block.
            let cell = sentence(&cell.replace('\n', " "));
            let _ = if i == 0 {
                write!(out, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(out, "<td>{cell}</td>")
            };
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n\n"
}

/// Text as a paragraph of its own, whatever Markdown would make of it.
fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", sentence(&text.replace('\n', " ")))
}

/// Text in a heading, with what Markdown would take for markup escaped; code spans stay.
fn heading(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('*', "\\*").replace('_', "\\_").replace('<', "&lt;")
}
