//! The strip below a chapter's opening: how many of its claims hold on each machine, and what to
//! run where the reader's has no results.

use super::appendix::anchor;
use super::html::{CLAIMS, YOURS, class, machine_label, machine_link, symbol, up};
use crate::book::{Book, Judged};
use crate::chapter::Page;
use crate::chapter::markdown::events;
use crate::model::{Judgement, Proof, Verdict};
use maud::{Markup, html};
use mdbook_markdown::pulldown_cmark::{Event, HeadingLevel, Tag};

/// Renders the strip of a page, or `None` for a page without claims.
#[must_use]
pub fn strip(page: &Page, book: &Book, claims: &[Judged<'_>]) -> Option<Markup> {
    let own: Vec<&Judged<'_>> =
        claims.iter().filter(|judged| judged.page.path == page.path).collect();
    if own.is_empty() {
        return None;
    }
    let up = up(&page.path);
    let count = match own.len() {
        1 => "1 claim".to_owned(),
        n => format!("{n} claims"),
    };
    Some(html! {
        div class="strip" {
            p {
                strong { (count) } ", "
                a href={ (up) (CLAIMS) ".html#" (anchor(page)) } { "listed among every claim" } "."
                @for (i, machine) in book.machines.iter().enumerate() {
                    @let found = || own.iter().map(|judged| &judged.recorded[i].judgement);
                    @if found().any(|judgement| judgement.verdict != Verdict::NotMeasured) {
                        " " span class="tally" {
                            (machine_link(machine, &up))
                            @if book.is_reference(machine) { " (the reference)" }
                            ": " (tally(found()))
                        }
                    }
                }
            }
            (yours(page, book, &own, &up))
        }
    })
}

/// Renders the results of the reader's machine: the tally, the claims that fail or differ from the
/// reference, and what to run for those without a result.
fn yours(page: &Page, book: &Book, own: &[&Judged<'_>], up: &str) -> Markup {
    let measured = own.iter().any(|judged| judged.here.verdict != Verdict::NotMeasured);
    let fails = own.iter().filter(|judged| judged.here.verdict == Verdict::Fails);
    let reference = book.machines.first().map(machine_label).unwrap_or_default();
    html! {
        p class="yours" {
            @if measured {
                (machine_link(&book.here, up)) ": " (tally(own.iter().map(|judged| &judged.here)))
                (list("Fails here", fails))
                (list(
                    &format!("Differs from {reference}"),
                    own.iter().filter(|judged| differs(judged)),
                ))
            } @else {
                (YOURS) ": not measured."
            }
            (to_run(page, own))
        }
    }
}

/// Returns `true` if the verdict here is another than on the reference machine, and no failure,
/// which is listed as such.
fn differs(judged: &Judged<'_>) -> bool {
    let (here, reference) = (judged.here.verdict.words(), judged.reference().words());
    let unmeasured = Verdict::NotMeasured.words();
    here != reference
        && here != unmeasured
        && reference != unmeasured
        && judged.here.verdict != Verdict::Fails
}

/// Renders links to cards on this page, each with the verdict here.
fn list<'a>(label: &str, claims: impl Iterator<Item = &'a &'a Judged<'a>> + Clone) -> Markup {
    if claims.clone().next().is_none() {
        return html! {};
    }
    html! {
        " " (label) ": "
        @for (i, judged) in claims.enumerate() {
            @if i > 0 { ", " }
            a class={ "verdict " (class(&judged.here.verdict)) } href={ "#claim-" (judged.claim.id) } {
                (symbol(&judged.here.verdict)) " " (judged.claim.id)
                @if judged.here.verdict != Verdict::Fails { " (" (judged.here.words()) ")" }
            }
        }
        "."
    }
}

/// Renders the commands that measure what has no result here.
fn to_run(page: &Page, own: &[&Judged<'_>]) -> Markup {
    let mut commands: Vec<String> = Vec::new();
    for judged in own.iter().filter(|judged| judged.here.verdict == Verdict::NotMeasured) {
        let command = match judged.claim.proof {
            Proof::Clocked(_) => judged.claim.command(),
            _ => format!("cargo book check --chapter {}", page.name()),
        };
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    html! {
        @if !commands.is_empty() {
            " Run "
            @for (i, command) in commands.iter().enumerate() {
                @if i > 0 { @if i + 1 == commands.len() { " and " } @else { ", " } }
                code class="command" { (command) }
            }
            "."
        }
    }
}

/// Formats the number of claims with each verdict: `17 hold, 1 undecided.`
fn tally<'a>(judgements: impl Iterator<Item = &'a Judgement>) -> String {
    let counts = Verdict::tally(judgements.map(|judgement| &judgement.verdict));
    let parts: Vec<String> = counts.iter().map(|(words, n)| counted(words, *n)).collect();
    format!("{}.", parts.join(", "))
}

fn counted(words: &str, n: usize) -> String {
    match (words, n) {
        ("holds", 2..) => format!("{n} hold"),
        ("fails", 2..) => format!("{n} fail"),
        ("does not apply here", 2..) => format!("{n} do not apply"),
        ("does not apply here", _) => format!("{n} does not apply"),
        ("not possible here", _) => format!("{n} not possible"),
        _ => format!("{n} {words}"),
    }
}

/// Returns the byte of a page's source before which its strip stands: at the first section, or at
/// the first claim if that comes earlier.
#[must_use]
pub fn place(page: &Page) -> usize {
    let section = events(&page.markdown).find_map(|(event, range)| match event {
        Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => Some(range.start),
        _ => None,
    });
    let claim = page.claim_starts().next();
    section.into_iter().chain(claim).min().unwrap_or(page.markdown.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chapter;
    use std::path::Path;

    #[test]
    fn a_tally_agrees_with_its_numbers() {
        let all = [Verdict::Holds, Verdict::Holds, Verdict::Fails, Verdict::Undecided];
        let all = all.map(|verdict| Judgement::new(verdict, String::new()));
        assert_eq!(tally(all.iter()), "2 hold, 1 fails, 1 undecided.");
        assert_eq!(tally(all[1..].iter()), "1 holds, 1 fails, 1 undecided.");
        assert_eq!(counted("does not apply here", 2), "2 do not apply");
    }

    #[test]
    fn the_strip_stands_before_the_first_section_or_claim() {
        let claim = "```claim\nid = 'a'\nsays = 'S'\ncompiled = 'src/a.rs#b'\n```\n";
        let at = |markdown: &str| place(&chapter::page(Path::new("a.md"), "A", markdown).0);
        let opening = "# A\n\nText.\n\n";
        assert_eq!(at(&format!("{opening}## B\n\n{claim}")), opening.len());
        assert_eq!(at(&format!("{opening}{claim}\n## B\n")), opening.len());
        assert_eq!(at(&format!("{opening}```\n## no\n```\n\n{claim}")), opening.len() + 15);
    }
}
