//! References in running prose as HTML.

use super::html::{
    card_address, class, machine_label, machine_link, number, ratios, sentence, symbol, up,
};
use crate::book::{Book, Judged};
use crate::machine::statistics::Quotient;
use crate::machine::{Known, Machine, Regime};
use crate::model::{Crossover, Estimate, Inline, Judgement, Verdict};
use crate::units::{Quantity, spaced};
use maud::{Markup, html};
use std::path::Path;

/// Renders a reference in running prose as its number, from the first recorded machine that has it.
#[must_use]
pub fn inline(reference: &Inline, book: &Book, page: &Path, claims: &[Judged<'_>]) -> Markup {
    let prose = Prose { book, up: up(page), ids: reference.benchmarks() };
    match reference {
        Inline::Measured { id, throughput: false } => {
            prose.estimate(|machine| machine.time(id), Quantity::Time)
        }
        Inline::Measured { id, throughput: true } => {
            prose.show(|machine| machine.throughput(id), |(estimate, unit)| number(estimate, unit))
        }
        Inline::Counted { example, key } => prose.show(
            |machine| machine.count(example, key),
            |n| number(Estimate { value: n, low: n, high: n, rounds: 1 }, Quantity::Count),
        ),
        Inline::Ratio { a, b } => prose.estimate(|machine| machine.ratio(a, b), Quantity::Ratio),
        Inline::Difference { a, b } => {
            prose.estimate(|machine| machine.difference(a, b), Quantity::Time)
        }
        Inline::Share { part, whole } => prose.show(
            |machine| machine.quotient(part, whole),
            |quotient| match quotient {
                Quotient::Of(share) => number(share, Quantity::Percent),
                Quotient::NotAbove(_) => html! {
                    span class="measured missing" { "no share: the whole is not above zero" }
                },
            },
        ),
        Inline::Percent { a, b } => {
            prose.estimate(|machine| machine.percent(a, b), Quantity::Percent)
        }
        Inline::Noise { bench } => prose.estimate(|machine| machine.noise(bench), Quantity::Ratio),
        Inline::Crossover { group, a, b } => {
            prose.show(|machine| machine.crossover(group, a, b), |c| crossover(c.as_ref()))
        }
        Inline::Claim { id } => claims
            .iter()
            .find(|judged| judged.claim.id == *id)
            .map_or_else(missing, |judged| claim(judged, book, page)),
        Inline::Found { id } => claims
            .iter()
            .find(|judged| judged.claim.id == *id)
            .map_or_else(missing, |judged| brief(judged, page)),
        Inline::Quoted { text, url } => html! {
            span class="quoted" { (text) " (" a href=(url) { (host(url)) } ")" }
        },
    }
}

/// The numbers of one page's prose.
struct Prose<'a> {
    book: &'a Book,
    /// The path up to the book's root.
    up: String,
    /// The benchmarks that the number rests on.
    ids: Vec<&'a str>,
}

impl Prose<'_> {
    fn estimate<'a>(
        &'a self,
        question: impl Fn(&'a Machine) -> Known<Estimate>,
        quantity: Quantity,
    ) -> Markup {
        self.show(question, |estimate| number(estimate, quantity))
    }

    /// Returns the regime of the number, if the machine has seen several.
    fn one_of_several(&self, machine: &Machine) -> Option<Regime> {
        match machine.regimes(&self.ids)[..] {
            [(regime, _), _, ..] => regime,
            _ => None,
        }
    }

    /// Renders the answer of the first machine that has one. Names the machine unless it is the
    /// reference machine, and the regime in which its two cores were, if it has seen several.
    /// Without an answer, renders the reason.
    fn show<'a, T>(
        &'a self,
        question: impl Fn(&'a Machine) -> Known<T>,
        measured: impl FnOnce(T) -> Markup,
    ) -> Markup {
        match self.book.first(question) {
            (Some(machine), Known::Measured(value)) => html! {
                (measured(value))
                @if let Some(regime) = self.one_of_several(machine) {
                    " " small class="regime" { "(cores " (regime) ")" }
                }
                @if !self.book.is_reference(machine) {
                    " " span class="on" { "on " (machine_link(machine, &self.up)) }
                }
            },
            (Some(machine), Known::NotPossible(why)) => html! {
                span class="measured missing" {
                    "not possible on " (machine_label(machine)) ": " (sentence(&why))
                }
            },
            _ => missing(),
        }
    }
}

/// Renders the parameter from which one variant wins.
fn crossover(crossover: Option<&Crossover>) -> Markup {
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
}

/// Renders a claim in a word: the number and verdict of the reference machine, linked to the card,
/// then those of the other machines and of the reader's. A machine without a result is left out,
/// unless all are like that.
pub fn claim(judged: &Judged<'_>, book: &Book, page: &Path) -> Markup {
    let card = card_address(judged, page);
    let one = |judgement: &Judgement| {
        let verdict = &judgement.verdict;
        html! {
            @if judgement.value.is_some_and(|value| value.low < value.high) {
                (ratios(judgement)) " "
            }
            a class={ "verdict " (class(verdict)) } href=(card) {
                (symbol(verdict)) " " (judgement.words())
            }
        }
    };
    let found = |judgement: &Judgement| judgement.verdict != Verdict::NotMeasured;
    let recorded = judged.recorded.iter().filter(|on| found(&on.judgement));
    let mut shown: Vec<(Option<&str>, &Judgement)> = recorded
        .map(|on| {
            let label = Some(machine_label(on.machine));
            (label.filter(|_| !book.is_reference(on.machine)), &on.judgement)
        })
        .collect();
    shown.extend(Some((Some("yours"), &judged.here)).filter(|(_, here)| found(here)));
    html! {
        span class="cell" {
            @if shown.is_empty() { (one(&judged.here)) }
            @for (i, (machine, judgement)) in shown.into_iter().enumerate() {
                @if i > 0 { "; " }
                @if let Some(machine) = machine {
                    span class="other" { (machine) ": " (one(judgement)) }
                } @else { (one(judgement)) }
            }
        }
    }
}

/// Renders a claim inside a sentence: what the reference machine found, as one link to the card.
pub fn brief(judged: &Judged<'_>, page: &Path) -> Markup {
    let missing = Judgement::not_measured("");
    let judgement = judged.recorded.first().map_or(&missing, |on| &on.judgement);
    let verdict = &judgement.verdict;
    let ratio = judgement.value.is_some_and(|value| value.low < value.high);
    html! {
        a class={ "brief verdict " (class(verdict)) } href=(card_address(judged, page)) {
            @if ratio { (ratios(judgement)) " " }
            (symbol(verdict))
            @if *verdict != Verdict::Holds { " " (verdict.words()) }
            @else if !ratio { " " (judged.claim.kind()) }
            @else { span class="unseen-word" { " holds" } }
        }
    }
}

fn missing() -> Markup {
    html! { span class="measured missing" { "not measured" } }
}

/// Returns the host of a source's address, without `www.`.
pub fn host(url: &str) -> &str {
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
