//! The tables that sum up the book: every belief with its verdict, and the claims by kind.

use super::belief::{about, anchor, chip, shown_on, standing};
use super::html::{CLAIMS, KINDS, YOURS, scrolling, sentence, up};
use crate::book::{Book, Judged};
use crate::chapter::Page;
use crate::model::Verdict;
use maud::{Markup, html};
use std::path::Path;

/// Renders the beliefs of `page` with their verdicts on the reference machine, and on the reader's
/// if that has results. A row leads to its belief.
#[must_use]
pub fn beliefs(book: &Book, page: &Page, claims: &[Judged<'_>]) -> Markup {
    let yours = !book.here.is_empty();
    let table = html! {
        table class="beliefs" {
            thead {
                tr {
                    th scope="col" { "They say" }
                    th scope="col" { "The verdict, on " (shown_on(book)) }
                    @if yours { th scope="col" { (YOURS) } }
                }
            }
            tbody {
                @for belief in page.beliefs() {
                    @let about = about(belief, claims);
                    tr {
                        th scope="row" {
                            a href={ "#" (anchor(belief)) } { "“" (sentence(&belief.saying)) "”" }
                        }
                        td { (chip(belief, standing(&about, |judged| judged.reference()))) }
                        @if yours {
                            @let standing = standing(&about, |judged| &judged.here.verdict);
                            td { (chip(belief, standing)) }
                        }
                    }
                }
            }
        }
    };
    scrolling("Beliefs and their verdicts", table)
}

/// Renders the number of claims of each kind, by their verdict on the reference machine.
#[must_use]
pub fn claims(book: &Book, page: &Path, claims: &[Judged<'_>]) -> Markup {
    let tallies: Vec<_> = KINDS
        .iter()
        .map(|kind| {
            let of_kind = claims.iter().filter(|judged| judged.claim.kind() == *kind);
            (Some(*kind), counts(of_kind.map(Judged::reference)))
        })
        .filter(|(_, [all, ..])| *all > 0)
        .chain([(None, counts(claims.iter().map(Judged::reference)))])
        .collect();
    let table = html! {
        table class="tally" {
            thead {
                tr {
                    th scope="col" { "Proof" }
                    @for name in ["Claims", "Hold", "Fail", "Undecided"] { th scope="col" { (name) } }
                }
            }
            tbody {
                @for (kind, counts) in tallies {
                    tr {
                        th scope="row" {
                            @if let Some(kind) = kind { (kind) }
                            @else { a href={ (up(page)) (CLAIMS) ".html" } { "every claim" } }
                        }
                        @for count in counts { td { (count) } }
                    }
                }
            }
        }
    };
    html! {
        (scrolling("Claims by kind and verdict", table))
        p class="caption" { "On " (shown_on(book)) ", computed when this page was printed. What is not measured counts as undecided." }
    }
}

/// Counts verdicts: all of them, those that hold, those that fail, and the others.
fn counts<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> [usize; 4] {
    let mut counts = [0; 4];
    for verdict in verdicts {
        counts[0] += 1;
        match verdict {
            Verdict::Holds => counts[1] += 1,
            Verdict::Fails => counts[2] += 1,
            _ => counts[3] += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_is_in_one_column() {
        let verdicts = [
            Verdict::Holds,
            Verdict::Holds,
            Verdict::Fails,
            Verdict::Undecided,
            Verdict::NotMeasured,
            Verdict::NotSeen,
        ];
        assert_eq!(counts(verdicts.iter()), [6, 2, 1, 3]);
    }
}
