//! The page of all claims on all machines: a symbol for each verdict.

use super::pieces::Generated;
use crate::book::{Book, Judged};
use crate::machine::{Machine, Sources};
use crate::model::{Judgement, Proof, Verdict};
use crate::page::html::{
    MATRIX, card_address, class, machine_link, scrolling, sentence, symbol, up,
};
use maud::{Markup, html};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The verdicts of the legend, with their explanations.
const LEGEND: [(Verdict, &str); 5] = [
    (Verdict::Holds, "holds"),
    (Verdict::Fails, "fails"),
    (Verdict::Undecided, "undecided"),
    (Verdict::NotSeen, "not seen"),
    (Verdict::NotMeasured, "not measured"),
];

/// Renders a row for each claim and a column for each machine, the reader's first.
pub(super) fn matrix(book: &Book, claims: &[Judged<'_>]) -> Generated {
    let path = PathBuf::from(format!("{MATRIX}.md"));
    let yours = (!book.here.is_empty()).then_some(&book.here);
    let mut markdown = "# Claims by machine\n\nEach row is a claim and each column a machine. \
                        A claim leads to its card, which has the numbers.\n\n"
        .to_owned();
    let differing = claims.iter().filter(|judged| differs(judged, yours)).count();
    // On a phone, the last columns are out of sight.
    let machines: Vec<&Machine> = yours.into_iter().chain(&book.machines).collect();
    let view = html! {
        div class="matrix-view" {
            p class="legend" {
                @for (verdict, words) in &LEGEND {
                    span { span class={ "verdict " (class(verdict)) } { (symbol(verdict)) } " " (words) }
                    " "
                }
                span { (symbol(&Verdict::NotPossible(String::new()))) " not possible" } " "
                span { (symbol(&Verdict::DoesNotApply(String::new()))) " about other machines" } " "
                span { "* the bench has changed since" }
            }
            @if differing > 0 {
                p class="filter" {
                    label {
                        input type="checkbox" id="only-differing";
                        " Only the " (differing) " claims whose verdicts differ"
                    }
                }
            }
            (scrolling("Claims by machine", table(claims, &machines, yours, &path)))
        }
    };
    markdown += &(view.into_string() + "\n");
    Generated { title: "Claims by machine".to_owned(), path, markdown }
}

fn table(
    claims: &[Judged<'_>],
    machines: &[&Machine],
    yours: Option<&Machine>,
    path: &Path,
) -> Markup {
    let up = up(path);
    html! {
        table class="matrix" {
            thead {
                tr {
                    th scope="col" { "Claim" }
                    @for machine in machines { th scope="col" { (machine_link(machine, &up)) } }
                }
            }
            @for chapter in claims.chunk_by(|a, b| a.page.path == b.page.path) {
                @let alike = !chapter.iter().any(|judged| differs(judged, yours));
                tbody class=[alike.then_some("alike")] {
                    tr class="chapter" {
                        th scope="rowgroup" colspan=(machines.len() + 1) { (chapter[0].page.title) }
                    }
                    @for judged in chapter {
                        tr class=[(!differs(judged, yours)).then_some("alike")] {
                            th scope="row" {
                                a href=(card_address(judged, path)) {
                                    (sentence(&judged.claim.says))
                                }
                            }
                            @if let Some(yours) = yours { (cell(judged, yours, &judged.here)) }
                            @for on in &judged.recorded {
                                (cell(judged, on.machine, &on.judgement))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Renders a verdict as a symbol; its words are for screen readers, and for a pointer that rests.
fn cell(judged: &Judged<'_>, machine: &Machine, judgement: &Judgement) -> Markup {
    let is_old = match &judged.claim.proof {
        Proof::Clocked(clocked) => {
            let bench = machine.bench_of(clocked.subject());
            let sources = bench.and_then(|bench| machine.sources.get(bench));
            sources == Some(&Sources::Changed) && judgement.verdict != Verdict::NotMeasured
        }
        _ => false,
    };
    let mut words = judgement.words();
    if let Some(reason) = judgement.verdict.reason() {
        words += &format!(": {reason}");
    }
    if is_old {
        words += ", and the bench has changed since";
    }
    html! {
        td title=(words) {
            span class={ "verdict " (class(&judgement.verdict)) } {
                (symbol(&judgement.verdict))
                @if is_old { span aria-hidden="true" { "*" } }
            }
            span class="words" { (words) }
        }
    }
}

/// Returns `true` if two machines that have an answer have different ones.
fn differs(judged: &Judged<'_>, yours: Option<&Machine>) -> bool {
    let recorded = judged.recorded.iter().map(|on| &on.judgement.verdict);
    let here = yours.map(|_| &judged.here.verdict);
    let measured = recorded.chain(here).filter(|verdict| **verdict != Verdict::NotMeasured);
    measured.map(Verdict::words).collect::<BTreeSet<_>>().len() > 1
}
