//! The card of a claim. Closed, it is the sentence, the value found and the verdicts; its evidence
//! and the command that proves it are folded below.

use super::found;
use super::html::{
    CLAIMS, YOURS, cite, class, machine_label, machine_link, machine_page, ratios, rounds,
    sentence, symbol, up, verdict,
};
use crate::book::{Book, Judged};
use crate::machine::Machine;
use crate::model::{InRegime, Judgement, Proof, Verdict};
use crate::prove::judge;
use crate::units::{self, Quantity};
use maud::{Markup, html};

/// Renders a claim's card.
#[must_use]
pub fn card(judged: &Judged<'_>, book: &Book) -> Markup {
    let claim = judged.claim;
    let anchor = format!("claim-{}", claim.id);
    html! {
        article class={ "claim " (class(judged.edge())) } id=(anchor) {
            p class="says" { (sentence(&claim.says)) }
            details {
                summary {
                    span class="kind" { (claim.kind()) }
                    " " (found::found(judged, book))
                    // No links in here: a link inside a button confuses screen readers.
                    @for (machine, judgement) in chips(judged, book) {
                        " " (chip(machine, judgement))
                    }
                    " " span class="unfold" { "Evidence" }
                }
                (evidence(judged, book, &anchor))
            }
        }
    }
}

/// Returns the judgements that a closed card shows. A machine without a result is left out, unless
/// no machine has one.
fn chips<'a>(judged: &'a Judged<'_>, book: &'a Book) -> Vec<(&'a str, &'a Judgement)> {
    let recorded = judged.recorded.iter().map(|on| (machine_label(on.machine), &on.judgement));
    let all: Vec<_> = recorded.chain([(machine_label(&book.here), &judged.here)]).collect();
    let measured = |judgement: &Judgement| judgement.verdict != Verdict::NotMeasured;
    match all.iter().any(|(_, judgement)| measured(judgement)) {
        true => all.into_iter().filter(|(_, judgement)| measured(judgement)).collect(),
        false => all,
    }
}

/// Renders one machine's verdict in short. The usual one, that the claim holds, is a symbol; every
/// other is spelled out.
fn chip(machine: &str, judgement: &Judgement) -> Markup {
    let words = judgement.words();
    html! {
        span class={ "chip " (class(&judgement.verdict)) } {
            (symbol(&judgement.verdict)) " " (machine)
            @if words == Verdict::Holds.words() {
                span class="word" { ": " (words) }
            } @else {
                ": " (words)
            }
        }
    }
}

/// Renders what the card folds away.
fn evidence(judged: &Judged<'_>, book: &Book, anchor: &str) -> Markup {
    let claim = judged.claim;
    let up = up(&judged.page.path);
    html! {
        dl {
            @for on in &judged.recorded {
                @let note = note(judged, &on.judgement, on.machine, book, &up);
                (row(&machine_link(on.machine, &up), &on.judgement, note))
            }
            @if judged.here.verdict != Verdict::NotMeasured {
                @let note = note(judged, &judged.here, &book.here, book, &up);
                (row(&html! { (YOURS) }, &judged.here, note.or_else(|| ran(&claim.proof, book))))
            }
            @if let Some(condition) = &claim.condition {
                div class="where" { dt { "Where" } dd { code { (condition) } } }
            }
            @if let Some(loose) = &claim.loose {
                div class="loose" { dt { "Loose bound" } dd { (sentence(loose)) } }
            }
            div class="prove" {
                dt { (prove(&claim.proof)) }
                dd { code { (claim.command()) } }
            }
            @if let Some(own) = claim.runs() {
                div class="runs" { dt { "It runs" } dd { code { (own) } } }
            }
            div class="cite" {
                dt { "Claim" }
                dd {
                    a class="self" href={ "#" (anchor) } { (claim.id) }
                    ", among " a href={ (up) (CLAIMS) ".html#" (cite(claim)) } { "every claim" }
                }
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
    let is_ratio = judgement.value.is_some_and(|value| value.low != value.high);
    html! {
        div class="on" {
            dt { (machine) }
            dd {
                (verdict(judgement))
                @if measured {
                    @if is_ratio {
                        " " (ratios(judgement))
                        @if let Some(reason) = &judgement.reason {
                            ": " span class="found" { (sentence(reason)) }
                        }
                    } @else if judgement.value.is_some() || !judgement.found.is_empty() {
                        " " span class="found" { (sentence(&judgement.found)) }
                    }
                }
                @if let Some(note) = note {
                    " " span class="note" { (note) }
                }
            }
        }
    }
}

/// Renders where a ratio comes from: its rounds, the trust in its interval, and the bench's noise
/// floor. `None` for other proofs.
fn note(
    judged: &Judged<'_>,
    judgement: &Judgement,
    machine: &Machine,
    book: &Book,
    up: &str,
) -> Option<Markup> {
    let (Proof::Clocked(_), Some(_)) = (&judged.claim.proof, judgement.value) else {
        return None;
    };
    let of = |one: &InRegime| Some(format!("{} {}", rounds(one.value?.rounds), one.regime));
    let rounds = match judgement.regimes.is_empty() {
        true => rounds(judgement.value?.rounds),
        false => judgement.regimes.iter().filter_map(of).collect::<Vec<_>>().join(", "),
    };
    let noise = book.null_control(judged.claim, machine);
    Some(html! {
        (rounds)
        @if let Some(noise) = noise {
            "; noise floor: "
            a href={ (up) (machine_page(&machine.name)) } {
                "the same code against itself gave " (units::text(noise, Quantity::Ratio).value)
            }
        }
    })
}

/// Renders when the reader's result was found: the code may have changed since.
fn ran(proof: &Proof, book: &Book) -> Option<Markup> {
    let counts = proof.examples().filter_map(|example| book.here.counts.get(example));
    let counted = counts.map(|counts| &counts.date).min();
    let proved = judge::proof_key(proof).and_then(|key| Some(&book.here.proofs.get(&key)?.date));
    let date = counted.or(proved)?;
    Some(html! { "run on " time datetime=(date) { (date.replace('T', " ").replace('Z', " UTC")) } })
}
