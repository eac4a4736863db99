//! References in running prose as HTML.

use super::html::{class, escape, number, sentence, symbol, up};
use crate::book::{Book, Judged};
use crate::machine::Known;
use crate::model::{Estimate, Inline, Judgement, Verdict};
use crate::units::{self, Quantity, spaced};
use std::path::Path;

/// A reference in running prose as its number.
#[must_use]
pub fn inline(reference: &Inline, book: &Book, page: &Path, claims: &[Judged<'_>]) -> String {
    let machine = &book.reference;
    match reference {
        Inline::Measured { id, throughput: false } => known(machine.time(id), Quantity::Time),
        Inline::Measured { id, throughput: true } => match machine.throughput(id) {
            Known::Measured((estimate, quantity)) => number(estimate, quantity),
            Known::NotPossible(why) => impossible(&why),
            Known::NotMeasured => missing(),
        },
        Inline::Counted { example, key } => match machine.count(example, key) {
            Known::Measured(n) => {
                let exact = Estimate { value: n, low: n, high: n, rounds: 1 };
                format!(
                    "<span class=\"measured\">{}</span>",
                    escape(&units::text(exact, Quantity::Count).value)
                )
            }
            Known::NotPossible(why) => impossible(&why),
            Known::NotMeasured => missing(),
        },
        Inline::Ratio { a, b } => known(machine.ratio(a, b), Quantity::Ratio),
        Inline::Percent { a, b } => known(machine.percent(a, b), Quantity::Percent),
        Inline::Noise { bench } => known(machine.noise(bench), Quantity::Ratio),
        Inline::Crossover { group, a, b } => match machine.crossover(group, a, b) {
            Known::Measured(Some(crossover)) => {
                let (from, earliest) =
                    (escape(&spaced(&crossover.from)), escape(&spaced(&crossover.earliest)));
                let interval = if from == earliest {
                    String::new()
                } else {
                    format!(" <small class=\"interval\">({earliest} to {from})</small>")
                };
                format!("<span class=\"measured\">{from}{interval}</span>")
            }
            Known::Measured(None) => {
                "<span class=\"measured\">at no size measured</span>".to_owned()
            }
            Known::NotPossible(why) => impossible(&why),
            Known::NotMeasured => missing(),
        },
        Inline::Claim { id } => claims
            .iter()
            .find(|judged| judged.claim.id == *id)
            .map_or_else(missing, |judged| cell(judged, page)),
        Inline::Quoted { text, url } => format!(
            "<span class=\"quoted\">{} (<a href=\"{}\">{}</a>)</span>",
            escape(text),
            escape(url),
            escape(host(url))
        ),
    }
}

/// A claim in a word: the reference machine's number and verdict, linked to the card; the reader's
/// too, where there is one.
fn cell(judged: &Judged<'_>, page: &Path) -> String {
    let card = format!(
        "{}{}#claim-{}",
        up(page),
        judged.page.path.with_extension("html").to_string_lossy().replace('\\', "/"),
        escape(&judged.claim.id)
    );
    let one = |judgement: &Judgement| {
        let value = judgement.value.filter(|value| value.low < value.high);
        let value = value.map(|value| number(value, Quantity::Ratio) + " ").unwrap_or_default();
        let word = judgement.verdict.words();
        let class = class(&judgement.verdict);
        format!(
            "{value}<a class=\"verdict {class}\" href=\"{card}\">{} {word}</a>",
            symbol(&judgement.verdict)
        )
    };
    let here = match judged.here.verdict {
        Verdict::NotMeasured => String::new(),
        _ => format!(" <span class=\"here\">yours: {}</span>", one(&judged.here)),
    };
    format!("<span class=\"cell\">{}{here}</span>", one(&judged.reference))
}

fn known(estimate: Known<Estimate>, quantity: Quantity) -> String {
    match estimate {
        Known::Measured(estimate) => number(estimate, quantity),
        Known::NotPossible(why) => impossible(&why),
        Known::NotMeasured => missing(),
    }
}

fn missing() -> String {
    "<span class=\"measured missing\">not measured</span>".to_owned()
}

fn impossible(why: &str) -> String {
    format!(
        "<span class=\"measured missing\">not possible on the reference machine: {}</span>",
        sentence(why)
    )
}

/// Who says it, of a source's address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.strip_prefix("www.").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_number_shows_who_says_it() {
        assert_eq!(host("https://www.example.org/a?b#c"), "example.org");
        assert_eq!(host("http://kernel.org"), "kernel.org");
    }
}
