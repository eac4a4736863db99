//! The names in a recording: benches, examples and groups that exist, and all that claims need.

use super::report::Report;
use crate::book::Book;
use crate::ids::{AGAIN, covers, group_of, owner};
use crate::machine::{self, Recording};
use crate::model::{Block, Proof};
use crate::project::Project;
use regex::Regex;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Refuses the rounds of a bench that does not exist.
pub(super) fn bench(name: &str, benches: &[String], report: &mut Report<'_>) {
    if !benches.iter().any(|bench| bench == name) {
        report.refuse(format!(
            "there is no bench `{name}`; rename the file if the bench was renamed, or remove it"
        ));
    }
}

/// Refuses the counts of an example that does not exist.
pub(super) fn example(name: &str, examples: &[String], report: &mut Report<'_>) {
    if !examples.iter().any(|example| example == name) {
        report.refuse(format!("there is no example `{name}`; remove its counts"));
    }
}

/// Refuses groups that neither the bench nor a claim names, and a recording that lacks what claims
/// need.
pub(super) fn groups(
    project: &Project,
    book: &Book,
    bench: &str,
    recording: &Recording,
    report: &mut Report<'_>,
) {
    let named = named(book, bench);
    let literals = literals(project, bench);
    let groups: BTreeSet<&str> =
        recording.benchmarks.values().map(|benchmark| benchmark.group.as_str()).collect();
    for group in groups {
        let of_bench = owner(group, std::iter::once(bench)).is_some();
        // The null control of older recordings.
        let apart = group.strip_suffix("_aa") == Some(bench);
        let by_claim = named.iter().any(|id| group_of(id) == group);
        if !of_bench || !(apart || by_claim || literals.iter().any(|literal| literal.names(group)))
        {
            report.refuse(format!(
                "the bench `{bench}` has no group `{group}`; names have changed since, so record \
                 it again"
            ));
        }
    }
}

/// Returns the functions of a recording, each as `group/function`, that the bench cannot have: no
/// claim and no figure names them, and neither does a string in the code that the bench measures.
pub(super) fn unknown_functions(
    project: &Project,
    book: &Book,
    bench: &str,
    recording: &Recording,
) -> BTreeSet<String> {
    let claims = named(book, bench);
    let blocks = || book.pages.iter().flat_map(|page| &page.blocks);
    let in_figure = |group: &str, function: &str| {
        blocks().any(|block| match &block.item {
            Block::Figure(figure) => {
                let mut functions = figure.series.iter().chain(&figure.baseline);
                figure.group == group && functions.any(|name| name == function)
            }
            _ => false,
        })
    };
    let in_code = Names::of(&machine::text(project, bench));
    let mut unknown = BTreeSet::new();
    for benchmark in recording.benchmarks.values() {
        let (group, Some(function)) = (&benchmark.group, &benchmark.function) else { continue };
        // The null control of older recordings.
        if group.strip_suffix("_aa") == Some(bench) {
            continue;
        }
        let function = function.strip_suffix(AGAIN).unwrap_or(function);
        let path = format!("{group}/{function}");
        let known = in_code.have(function)
            || claims.iter().any(|id| covers(&path, id))
            || in_figure(group, function);
        if !known {
            unknown.insert(path);
        }
    }
    unknown
}

/// The names in the strings of some code that a function may have.
struct Names {
    whole: BTreeSet<String>,
    /// Those with formatted parts, which may be anything.
    formatted: Vec<Regex>,
}

impl Names {
    fn of(code: &str) -> Names {
        let mut names = Names { whole: BTreeSet::new(), formatted: Vec::new() };
        let quoted = Regex::new(r#""((?:[A-Za-z0-9_.:-]|\{[^"{}]*\})+)""#);
        let (Ok(quoted), Ok(part)) = (quoted, Regex::new(r"\{[^{}]*\}")) else { return names };
        names.whole.extend(quoted.captures_iter(code).map(|found| found[1].to_owned()));
        for text in names.whole.iter().filter(|text| text.contains('{')) {
            let fixed: Vec<String> = part.split(text).map(regex::escape).collect();
            // Without a letter of its own, it would be any name.
            if fixed.iter().any(|part| part.contains(char::is_alphanumeric)) {
                names.formatted.extend(Regex::new(&format!("^{}$", fixed.join(".+"))));
            }
        }
        names
    }

    fn have(&self, function: &str) -> bool {
        self.whole.contains(function) || self.formatted.iter().any(|name| name.is_match(function))
    }
}

/// Returns the benchmarks of a bench that clocked claims name.
pub(super) fn named(book: &Book, bench: &str) -> BTreeSet<String> {
    let blocks = book.pages.iter().flat_map(|page| &page.blocks);
    let mut ids = BTreeSet::new();
    for block in blocks {
        if let Block::Claim(claim) = &block.item
            && let Proof::Clocked(clocked) = &claim.proof
        {
            ids.extend(clocked.ids().cloned());
        }
    }
    ids.retain(|id| owner(id, std::iter::once(bench)).is_some());
    ids
}

/// A text in the source of a bench that a group's name may be, or may begin with.
struct Literal {
    text: String,
    /// The rest is formatted in.
    goes_on: bool,
}

impl Literal {
    fn names(&self, group: &str) -> bool {
        // A second clock has a group of its own.
        let base = group.strip_suffix("_cpu").unwrap_or(group);
        self.text == base || self.text == group || self.goes_on && group.starts_with(&self.text)
    }
}

/// Returns the names in the source of a bench that begin with the bench's own.
fn literals(project: &Project, bench: &str) -> Vec<Literal> {
    let benches = project.root().join("benches");
    let mut text = fs::read_to_string(benches.join(format!("{bench}.rs"))).unwrap_or_default();
    read(&benches.join(bench), &mut text);
    let Ok(quoted) = Regex::new(r#""([a-z][a-z0-9_]*)(\{[^"]*)?""#) else { return Vec::new() };
    let literal = |found: regex::Captures<'_>| Literal {
        text: found[1].to_owned(),
        goes_on: found.get(2).is_some(),
    };
    let all = quoted.captures_iter(&text).map(literal);
    all.filter(|literal| literal.text.starts_with(bench)).collect()
}

/// Appends the text of all files below a folder.
fn read(folder: &Path, text: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            read(&path, text);
        } else {
            *text += &fs::read_to_string(path).unwrap_or_default();
        }
    }
}
