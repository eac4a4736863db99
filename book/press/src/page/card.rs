//! The card of a claim: its sentence, its verdicts, and the command that proves it.

use super::html::{
    CLAIMS, YOURS, class, machine_link, machine_page, number, rounds, sentence, up, verdict,
};
use crate::book::{Book, Judged};
use crate::machine::Machine;
use crate::machine::statistics::Quotient;
use crate::model::{Judgement, Proof, Verdict};
use crate::units::{self, Quantity};
use maud::{Markup, html};

/// Renders a claim's card.
#[must_use]
pub fn card(judged: &Judged<'_>, book: &Book) -> Markup {
    let claim = judged.claim;
    let up = up(&judged.page.path);
    let anchor = format!("claim-{}", claim.id);
    html! {
        article class={ "claim " (class(judged.worst())) } id=(anchor) {
            p class="kind" {
                a href={ (up) (CLAIMS) ".html" } { (claim.kind()) }
                " " a class="self" href={ "#" (anchor) } { (claim.id) }
            }
            p class="says" { (sentence(&claim.says)) }
            dl {
                @for on in &judged.recorded {
                    @let note = note(judged, on.machine, &up);
                    (row(&machine_link(on.machine, &up), &on.judgement, note))
                }
                (row(&html! { (YOURS) }, &judged.here, note(judged, &book.here, &up)))
                @if let Some(condition) = &claim.condition {
                    div { dt { "Where" } dd { code { (condition) } } }
                }
                @if let Some(loose) = &claim.loose {
                    div { dt { "Loose bound" } dd { (sentence(loose)) } }
                }
                div class="prove" { dt { (prove(&claim.proof)) } dd { code { (claim.command()) } } }
            }
        }
    }
}

/// Returns the label of the command: nothing proves what was merely observed.
fn prove(proof: &Proof) -> &'static str {
    match proof {
        Proof::Observed(_) => "See it",
        _ => "Prove it",
    }
}

/// Renders one machine's line on a card.
fn row(machine: &Markup, judgement: &Judgement, note: Option<Markup>) -> Markup {
    // Without a measurement, the verdict says it all.
    let measured =
        judgement.verdict != Verdict::NotMeasured && judgement.verdict.reason().is_none();
    let ratio = judgement.value.filter(|value| value.low != value.high);
    html! {
        div {
            dt { (machine) }
            dd {
                (verdict(&judgement.verdict))
                @if measured {
                    @if let Some(ratio) = ratio {
                        " " (number(ratio, Quantity::Ratio))
                        @if let Some(reason) = &judgement.reason {
                            ": " span class="found" { (sentence(reason)) }
                        }
                    } @else if judgement.value.is_some() || !judgement.found.is_empty() {
                        " " span class="found" { (sentence(&judgement.found)) }
                    }
                }
                @if let (Some(_), Some(note)) = (judgement.value, note) {
                    " " span class="note" { (note) }
                }
            }
        }
    }
}

/// Renders where a ratio comes from: its rounds, the trust in its interval, and the bench's noise
/// floor. `None` for other proofs.
fn note(judged: &Judged<'_>, machine: &Machine, up: &str) -> Option<Markup> {
    let Proof::Clocked(clocked) = &judged.claim.proof else {
        return None;
    };
    let Quotient::Of(ratio) = machine.quotient(&clocked.over, &clocked.under, 1.0).measured()?
    else {
        return None;
    };
    let noise = machine.null_control(clocked.ids().map(String::as_str));
    Some(html! {
        (rounds(ratio.rounds))
        @if let Some(noise) = noise {
            "; noise floor: "
            a href={ (up) (machine_page(&machine.name)) } {
                "the same code against itself gave " (units::text(noise, Quantity::Ratio).value)
            }
        }
    })
}
