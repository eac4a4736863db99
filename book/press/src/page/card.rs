//! The card of a claim: its sentence, its verdicts, and the command that proves it.

use super::html::{CLAIMS, class, machine_page, number, rounds, sentence, up, verdict};
use crate::book::{Book, Judged};
use crate::ids::group_of;
use crate::machine::Machine;
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
        article class={ "claim " (class(&judged.reference.verdict)) } id=(anchor) {
            p class="kind" {
                a href={ (up) (CLAIMS) ".html" } { (claim.kind()) }
                " " a class="self" href={ "#" (anchor) } { (claim.id) }
            }
            p class="says" { (sentence(&claim.says)) }
            dl {
                (row("Reference", &judged.reference, note(judged, &book.reference, &up)))
                (row("Your machine", &judged.here, note(judged, &book.here, &up)))
                div class="prove" { dt { "Prove it" } dd { code { (claim.command()) } } }
            }
        }
    }
}

/// Renders one machine's line on a card.
fn row(machine: &str, judgement: &Judgement, note: Option<Markup>) -> Markup {
    // Without a measurement, the verdict says it all.
    let measured = !matches!(judgement.verdict, Verdict::NotPossible(_) | Verdict::NotMeasured);
    let ratio = judgement.value.filter(|value| value.low != value.high);
    html! {
        div {
            dt { (machine) }
            dd {
                (verdict(&judgement.verdict))
                @if measured {
                    @if let Some(ratio) = ratio {
                        " " (number(ratio, Quantity::Ratio))
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
    let ratio = machine.ratio(&clocked.than, &clocked.subject).measured()?;
    // A group with a clock of its own has its own noise floor.
    let group = group_of(&clocked.subject);
    let of_bench = || machine.noise(machine.bench_of(group)?).measured();
    let noise = machine.noise(group).measured().or_else(of_bench);
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
