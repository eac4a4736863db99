//! The page of all claims: each with its verdict and value on every machine.

use super::pieces::{Generated, head, heading};
use crate::book::{Book, Judged};
use crate::chapter::Page;
use crate::model::{Judgement, Proof, Verdict};
use crate::page::html::{
    CLAIMS, KINDS, YOURS, card_address, cite, machine_label, machine_link, ratios, scrolling,
    sentence, up, verdict,
};
use crate::prove::family;
use maud::{Markup, html};
use std::path::{Path, PathBuf};

/// Lists every claim of the book by chapter, with its command and what each machine found.
pub(super) fn claims(book: &Book, claims: &[Judged<'_>]) -> Generated {
    let path = PathBuf::from(format!("{CLAIMS}.md"));
    let columns = Columns::new(book, &path);
    let mut markdown =
        "# Every claim\n\nThe book's claims, each with its proof and with what each \
                        machine found. The verdicts were computed when the book was printed.\n"
            .to_owned();
    if columns.yours {
        markdown += "\n";
    } else {
        markdown +=
            "A column for your machine joins after `cargo book check` and `cargo bench`.\n\n";
    }
    markdown += &totals(&columns, claims);
    markdown += &errors(book, claims);
    for chapter in claims.chunk_by(|a, b| a.page.path == b.page.path) {
        let title = &chapter[0].page.title;
        let table = scrolling(
            &format!("Claims of {title}"),
            html! {
                table class="claims" {
                    (head(&columns.with("Claim", "Proof")))
                    tbody { @for claim in chapter { (row(claim, &columns, &path)) } }
                }
            },
        );
        let anchor = anchor(chapter[0].page);
        markdown += &format!("\n## {} {{#{anchor}}}\n\n{}\n", heading(title), table.into_string());
    }
    Generated { title: "Every claim".to_owned(), path, markdown }
}

/// Returns the anchor of a page's claims on the page of all claims.
#[must_use]
pub fn anchor(page: &Page) -> String {
    format!("chapter-{}", page.name().replace('/', "-"))
}

/// The machines of the page, in the order of their columns.
struct Columns<'a> {
    book: &'a Book,
    /// The path up to the book's root.
    up: String,
    /// `true` if the reader's machine has results, and so a column.
    yours: bool,
}

impl<'a> Columns<'a> {
    fn new(book: &'a Book, path: &Path) -> Columns<'a> {
        Columns { book, up: up(path), yours: !book.here.is_empty() }
    }

    /// Returns the heads of a table whose first two columns are given.
    fn with(&self, first: &str, second: &str) -> Vec<Markup> {
        let machines = self.book.machines.iter().map(|machine| machine_link(machine, &self.up));
        let yours = self.yours.then(|| machine_link(&self.book.here, &self.up));
        [first, second]
            .into_iter()
            .map(|text| html! { (text) })
            .chain(machines)
            .chain(yours)
            .collect()
    }

    /// Returns the judgements of a claim with their machines' labels.
    fn of<'b>(&self, judged: &'b Judged<'_>) -> Vec<(&'b str, &'b Judgement)> {
        let recorded = judged.recorded.iter().map(|on| (machine_label(on.machine), &on.judgement));
        recorded.chain(self.yours.then_some((YOURS, &judged.here))).collect()
    }
}

/// Renders the number of claims with each verdict, by kind and machine.
fn totals(columns: &Columns<'_>, claims: &[Judged<'_>]) -> String {
    let row = |kind: Option<&str>| {
        let of_kind: Vec<_> = claims
            .iter()
            .filter(|judged| kind.is_none_or(|kind| judged.claim.kind() == kind))
            .map(|judged| columns.of(judged))
            .collect();
        let machines = of_kind.first().map_or(0, Vec::len);
        let column = |i: usize| -> Vec<&Verdict> {
            of_kind.iter().map(|judgements| &judgements[i].1.verdict).collect()
        };
        (!of_kind.is_empty()).then(|| {
            html! {
                tr {
                    th scope="row" { (kind.unwrap_or("all")) }
                    td { (of_kind.len()) }
                    @for i in 0..machines { td { (tally(column(i).into_iter())) } }
                }
            }
        })
    };
    let rows = KINDS.iter().map(|kind| row(Some(*kind))).chain([row(None)]);
    let table = scrolling(
        "Totals",
        html! {
            table class="totals" {
                (head(&columns.with("Proof", "Claims")))
                tbody { @for row in rows.flatten() { (row) } }
            }
        },
    );
    if claims.is_empty() {
        "There are no claims yet.\n".to_owned()
    } else {
        table.into_string() + "\n"
    }
}

/// Returns the error of all clocked claims together, on each recorded machine.
fn errors(book: &Book, claims: &[Judged<'_>]) -> String {
    let clocked = claims.iter().filter(|judged| matches!(judged.claim.proof, Proof::Clocked(_)));
    let on = |i: usize| {
        let judgements = clocked.clone().map(|judged| &judged.recorded[i].judgement);
        let error = family::error(judgements)?;
        Some(format!("\nOn {}, {error}\n", machine_label(&book.machines[i])))
    };
    (0..book.machines.len()).filter_map(on).collect()
}

/// Renders a claim's row on the page at `path`.
fn row(judged: &Judged<'_>, columns: &Columns<'_>, path: &Path) -> Markup {
    let claim = judged.claim;
    html! {
        tr id=(cite(claim)) data-kind=(claim.kind()) data-chapter=(judged.page.name()) {
            td {
                a href=(card_address(judged, path)) { (sentence(&claim.says)) }
                br;
                code class="command" { (claim.command()) }
            }
            td { (claim.kind()) }
            @for (machine, judgement) in columns.of(judged) {
                td data-machine=(machine) data-verdict=(judgement.verdict.words()) {
                    (cell(judgement))
                }
            }
        }
    }
}

/// Renders a verdict with its value, or with the reason why there is none.
fn cell(judgement: &Judgement) -> Markup {
    html! {
        (verdict(judgement))
        @if judgement.value.is_some() { " " (ratios(judgement)) }
        @if let Some(reason) = &judgement.reason { ": " (sentence(reason)) }
    }
}

/// Formats the number of claims with each verdict: `holds: 3, undecided: 1`.
fn tally<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let counts = Verdict::tally(verdicts);
    let parts: Vec<String> = counts.iter().map(|(words, n)| format!("{words}: {n}")).collect();
    parts.join(", ")
}
