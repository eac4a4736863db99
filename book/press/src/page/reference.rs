//! References in running prose as HTML.

use super::html::{card_address, class, number, sentence, symbol};
use crate::book::{Book, Judged};
use crate::machine::Known;
use crate::machine::statistics::Quotient;
use crate::model::{Estimate, Inline, Judgement, Verdict};
use crate::units::{Quantity, spaced};
use maud::{Markup, html};
use std::path::Path;

/// Renders a reference in running prose as its number.
#[must_use]
pub fn inline(reference: &Inline, book: &Book, page: &Path, claims: &[Judged<'_>]) -> Markup {
    let machine = &book.reference;
    let estimate = |known: Known<Estimate>, quantity| show(known, |e| number(e, quantity));
    match reference {
        Inline::Measured { id, throughput: false } => estimate(machine.time(id), Quantity::Time),
        Inline::Measured { id, throughput: true } => {
            show(machine.throughput(id), |(estimate, quantity)| number(estimate, quantity))
        }
        Inline::Counted { example, key } => show(machine.count(example, key), |n| {
            number(Estimate { value: n, low: n, high: n, rounds: 1 }, Quantity::Count)
        }),
        Inline::Ratio { a, b } => estimate(machine.ratio(a, b), Quantity::Ratio),
        Inline::Difference { a, b } => estimate(machine.difference(a, b), Quantity::Time),
        Inline::Share { part, whole } => {
            show(machine.quotient(part, whole, 1.0), |quotient| match quotient {
                Quotient::Of(share) => number(share, Quantity::Percent),
                Quotient::NotAbove(_) => html! {
                    span class="measured missing" { "no share: the whole is not above zero" }
                },
            })
        }
        Inline::Percent { a, b } => estimate(machine.percent(a, b), Quantity::Percent),
        Inline::Noise { bench } => estimate(machine.noise(bench), Quantity::Ratio),
        Inline::Crossover { group, a, b } => show(machine.crossover(group, a, b), |crossover| {
            let Some(crossover) = crossover else {
                return html! { span class="measured" { "at no size measured" } };
            };
            let (from, earliest) = (spaced(&crossover.from), spaced(&crossover.earliest));
            html! {
                span class="measured" {
                    (from)
                    @if from != earliest {
                        " " small class="interval" { "(" (earliest) " to " (from) ")" }
                    }
                }
            }
        }),
        Inline::Claim { id } => claims
            .iter()
            .find(|judged| judged.claim.id == *id)
            .map_or_else(missing, |judged| cell(judged, page)),
        Inline::Quoted { text, url } => html! {
            span class="quoted" { (text) " (" a href=(url) { (host(url)) } ")" }
        },
    }
}

/// Renders a claim in a word: the reference machine's number and verdict, linked to the card, and
/// the reader's if there is one.
fn cell(judged: &Judged<'_>, page: &Path) -> Markup {
    let card = card_address(judged, page);
    let one = |judgement: &Judgement| {
        let verdict = &judgement.verdict;
        html! {
            @if let Some(value) = judgement.value.filter(|value| value.low < value.high) {
                (number(value, Quantity::Ratio)) " "
            }
            a class={ "verdict " (class(verdict)) } href=(card) {
                (symbol(verdict)) " " (verdict.words())
            }
        }
    };
    html! {
        span class="cell" {
            (one(&judged.reference))
            @if judged.here.verdict != Verdict::NotMeasured {
                " " span class="here" { "yours: " (one(&judged.here)) }
            }
        }
    }
}

/// Renders a number by `measured`, or the reason why there is none.
fn show<T>(known: Known<T>, measured: impl FnOnce(T) -> Markup) -> Markup {
    match known {
        Known::Measured(value) => measured(value),
        Known::NotPossible(why) => html! {
            span class="measured missing" {
                "not possible on the reference machine: " (sentence(&why))
            }
        },
        Known::NotMeasured => missing(),
    }
}

fn missing() -> Markup {
    html! { span class="measured missing" { "not measured" } }
}

/// Returns the host of a source's address, without `www.`.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.strip_prefix("www.").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_number_names_the_host_of_its_source() {
        assert_eq!(host("https://www.example.org/a?b#c"), "example.org");
        assert_eq!(host("http://kernel.org"), "kernel.org");
    }
}
