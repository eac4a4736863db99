//! A belief on its page: the saying, its verdict on each machine, the answer, and the claims that
//! settle it.

use super::html::{YOURS, card_address, machine_label, machine_link, sentence, up};
use super::reference;
use crate::belief::{Belief, Side, Standing, Tally};
use crate::book::{Book, Judged};
use crate::model::Verdict;
use maud::{Markup, html};
use std::path::Path;

/// Returns the anchor of a belief.
#[must_use]
pub fn anchor(belief: &Belief) -> String {
    format!("belief-{}", belief.id)
}

/// Renders a belief on `page` as Markdown, so that its heading joins the page's other headings.
/// `says` is its answer, with the references replaced.
#[must_use]
pub fn belief(
    belief: &Belief,
    says: &str,
    book: &Book,
    page: &Path,
    claims: &[Judged<'_>],
) -> String {
    let about = about(belief, claims);
    let verdict = standing(&about, |judged| judged.reference()).standing();
    format!(
        "<section class=\"belief {}\">\n\n### “{}” {{#{}}}\n\n{}\n\n{says}\n\n{}\n</section>\n",
        class(verdict),
        belief.saying,
        anchor(belief),
        chips(belief, &about, book, page).into_string(),
        grounds(belief, &about, book, page).into_string(),
    )
}

/// A claim about a belief, with its side.
type About<'a> = Vec<(Side, &'a Judged<'a>)>;

/// Returns the claims that bear on a belief.
#[must_use]
pub fn about<'a>(belief: &Belief, claims: &'a [Judged<'a>]) -> About<'a> {
    let of = |judged: &'a Judged<'a>| {
        let mut bears = judged.claim.bears.iter();
        bears.find(|bearing| bearing.belief == belief.id).map(|bearing| (bearing.side, judged))
    };
    claims.iter().filter_map(of).collect()
}

/// Returns the verdict on a belief, from one verdict on each of its claims.
pub fn standing<'a>(about: &About<'a>, on: impl Fn(&'a Judged<'a>) -> &'a Verdict) -> Tally {
    Tally::new(about.iter().map(|(side, judged)| (*side, on(judged))))
}

/// Renders the verdicts, each with the machines that it was found on, the reference machine first.
/// A machine that measured no claim is left out, except the reader's if it has other results.
fn chips(belief: &Belief, about: &About<'_>, book: &Book, page: &Path) -> Markup {
    let up = up(page);
    let recorded = book.machines.iter().enumerate().filter_map(|(i, machine)| {
        let tally = standing(about, |judged| &judged.recorded[i].judgement.verdict);
        let shown = i == 0 || tally.standing() != Standing::NotMeasured;
        shown.then(|| (machine_link(machine, &up), tally))
    });
    let yours = (!book.here.is_empty())
        .then(|| (html! { "your machine" }, standing(about, |judged| &judged.here.verdict)));
    let mut groups: Vec<(Standing, Vec<(Markup, Tally)>)> = Vec::new();
    for (machine, tally) in recorded.chain(yours) {
        let standing = tally.standing();
        match groups.iter_mut().find(|(of, _)| *of == standing) {
            Some((_, machines)) => machines.push((machine, tally)),
            None => groups.push((standing, vec![(machine, tally)])),
        }
    }
    html! {
        ul class="standings" {
            @for (standing, machines) in groups {
                li {
                    (badge(belief, standing)) ": " span class="on" {
                        @for (i, (machine, tally)) in machines.into_iter().enumerate() {
                            @if i > 0 { ", " }
                            (machine) (part(tally))
                        }
                    }
                }
            }
        }
    }
}

/// Renders one verdict, with the number of claims behind it if some are missing.
#[must_use]
pub fn chip(belief: &Belief, tally: Tally) -> Markup {
    html! { (badge(belief, tally.standing())) (part(tally)) }
}

/// Renders a verdict as a word and a symbol; the color only repeats them.
fn badge(belief: &Belief, standing: Standing) -> Markup {
    html! {
        span class={ "standing " (class(standing)) } {
            span aria-hidden="true" { (symbol(standing)) } " " (standing.words())
        }
        @if let (Standing::Depends, Some(on)) = (standing, &belief.on) { " on " (sentence(on)) }
    }
}

/// Renders the number of claims behind a verdict, if it is not all of them.
fn part(tally: Tally) -> Markup {
    html! {
        @if tally.decided() > 0 && tally.decided() < tally.all {
            " " small class="part" { "(" (tally.decided()) " of " (tally.all) " claims)" }
        }
    }
}

/// Renders the claims that settle a belief, folded, and the links to its chapters and its source.
fn grounds(belief: &Belief, about: &About<'_>, book: &Book, page: &Path) -> Markup {
    let mut chapters: Vec<&Judged<'_>> = Vec::new();
    for (_, judged) in about {
        if !chapters.iter().any(|other| other.page.path == judged.page.path) {
            chapters.push(judged);
        }
    }
    let of = |side| about.iter().filter(move |(one, _)| *one == side).count();
    let n = about.len();
    html! {
        details class="grounds" {
            summary {
                (n) " " (if n == 1 { "claim" } else { "claims" }) ": "
                @match (of(Side::For), of(Side::Against)) {
                    (0, against) => { (against) " against" }
                    (supporting, 0) => { (supporting) " for" }
                    (supporting, against) => { (supporting) " for, " (against) " against" }
                }
            }
            ul {
                @for (side, judged) in about {
                    li {
                        b { (if *side == Side::For { "For" } else { "Against" }) } ": "
                        a href=(card_address(judged, page)) { (sentence(&judged.claim.says)) }
                        " " (reference::claim(judged, book, page))
                    }
                }
            }
        }
        p class="chapters" {
            @for (i, judged) in chapters.iter().enumerate() {
                @if i > 0 { ", " } @else { "Chapter: " }
                a href=(chapter_address(judged, page)) { (judged.page.title) }
            }
            @if let Some(heard) = &belief.heard {
                ". Heard, for example, at " a href=(heard) { (reference::host(heard)) }
            }
        }
    }
}

/// Returns the address of a claim's page from `page`.
fn chapter_address(judged: &Judged<'_>, page: &Path) -> String {
    let card = card_address(judged, page);
    card.split('#').next().unwrap_or_default().to_owned()
}

/// Returns the label of the machine whose verdict an overview shows.
#[must_use]
pub fn shown_on(book: &Book) -> &str {
    book.machines.first().map_or(YOURS, machine_label)
}

/// Returns the CSS class of a verdict.
#[must_use]
pub fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::True => "true",
        Standing::False => "false",
        Standing::Depends => "depends",
        Standing::Undecided => "undecided",
        Standing::NotMeasured => "unmeasured",
    }
}

/// Returns the symbol beside a verdict's word.
fn symbol(standing: Standing) -> &'static str {
    match standing {
        Standing::True => "✓",
        Standing::False => "✗",
        Standing::Depends => "±",
        Standing::Undecided => "≈",
        Standing::NotMeasured => "–",
    }
}
