//! The appendix in short form: every claim in a row, and the machines side by side.

use crate::book::{Book, Judged};
use crate::page::appendix::{Generated, anchor, machines};
use crate::page::html::{CLAIMS, MACHINES, cite, class, machine_label, sentence, symbol, up};
use maud::html;
use std::path::PathBuf;

/// The anchor of the page of all machines.
pub(super) const MACHINES_ID: &str = "the-machines";

/// Returns the pages of the appendix for paper.
#[must_use]
pub fn appendix(book: &Book, claims: &[Judged<'_>]) -> Vec<Generated> {
    vec![list(book, claims), machines(book)]
}

/// Lists every claim in a row with a symbol for each machine's verdict.
fn list(book: &Book, claims: &[Judged<'_>]) -> Generated {
    let path = PathBuf::from(format!("{CLAIMS}.md"));
    let up = up(&path);
    let mut markdown =
        "# Every claim\n\nA row for each claim with its verdict on each machine. Its \
                        card, in the chapter, has the values and the command.\n\n"
            .to_owned();
    let mut seen: Vec<&crate::model::Verdict> = Vec::new();
    for on in claims.iter().flat_map(|judged| &judged.recorded) {
        let verdict = &on.judgement.verdict;
        if seen.iter().all(|known| known.words() != verdict.words()) {
            seen.push(verdict);
        }
    }
    let legend = html! {
        p class="legend-of-verdicts" {
            @for verdict in seen {
                span { (symbol(verdict)) " " (verdict.words()) } " "
            }
        }
    };
    markdown += &format!("{}\n\n", legend.into_string());
    let rows = html! {
        table class="all-claims" {
            thead {
                tr {
                    th { "Claim" }
                    th { "Proof" }
                    @for machine in &book.machines {
                        th { a href={ (up) (MACHINES) ".html" } { (machine_label(machine)) } }
                    }
                }
            }
            tbody {
                @for chapter in claims.chunk_by(|a, b| a.page.path == b.page.path) {
                    tr class="of" id=(anchor(chapter[0].page)) { th colspan=(2 + book.machines.len()) { (chapter[0].page.title) } }
                    @for judged in chapter {
                        tr id=(cite(judged.claim)) {
                            td {
                                (sentence(&judged.claim.says)) " "
                                a href={ "#claim-" (judged.claim.id) } { (judged.claim.id) }
                            }
                            td { (judged.claim.kind()) }
                            @for on in &judged.recorded {
                                @let verdict = &on.judgement.verdict;
                                td class=(class(verdict)) { (symbol(verdict)) }
                            }
                        }
                    }
                }
            }
        }
    };
    markdown += &rows.into_string();
    Generated { title: "Every claim".to_owned(), path, markdown: markdown + "\n" }
}
