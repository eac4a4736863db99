//! The summary of the reader's machine: what comes out another way on it, what cannot be told, and
//! which commands would tell the rest.

use super::pieces::{Generated, fold, head};
use crate::book::{Book, Judged, OnMachine};
use crate::machine::HERE;
use crate::model::{Judgement, Verdict};
use crate::page::html::{
    MATRIX, card_address, machine_label, machine_page, ratios, scrolling, sentence, verdict,
};
use crate::prove::likely::{self, Side};
use maud::{Markup, html};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// The summary of the reader's machine, from the book's root, without its extension.
pub const YOUR_MACHINE: &str = "your-machine";

/// The command that proves everything but times.
const CHECK: &str = "cargo book check";

/// The page that says how to contribute a recording, if the book has one.
const INVITATION: &str = "add-your-machine.md";

/// Summarizes what was found on the reader's machine, or says how to get there.
pub(super) fn yours(book: &Book, claims: &[Judged<'_>]) -> Generated {
    let path = PathBuf::from(format!("{YOUR_MACHINE}.md"));
    let mut markdown = "# Your machine\n\n".to_owned();
    let page = Page { book, claims, path: &path };
    markdown += &match book.here.is_empty() {
        true => page.without_results(),
        false => page.with_results(),
    };
    Generated { title: "Your machine".to_owned(), path, markdown }
}

struct Page<'a> {
    book: &'a Book,
    claims: &'a [Judged<'a>],
    path: &'a Path,
}

impl<'a> Page<'a> {
    fn without_results(&self) -> String {
        let invites = self.book.pages.iter().any(|page| page.path == Path::new(INVITATION));
        let invitation = match invites {
            true => {
                format!(" To make your machine one of them, see [Add your machine]({INVITATION}).")
            }
            false => String::new(),
        };
        format!(
            "This copy of the book has no results of your machine. In a checkout of the book on \
             Linux, these commands put them here:\n\n\
             ```sh\n\
             cargo book check              # every count, build and model: some minutes\n\
             cargo bench --bench sendfile  # one round of one bench\n\
             cargo book record             # nine rounds of every bench: some hours\n\
             cargo book                    # opens with this page\n\
             ```\n\n\
             Then it lists which claims hold on your machine, which do not, and which cannot be \
             tested there, with the reasons. Claims that come out another way than on the \
             [recorded machines](machines.md) come first, each with its likely cause.{invitation}\n\n\
             ## Which command settles what\n\n{}",
            self.commands(self.claims.iter())
        )
    }

    fn with_results(&self) -> String {
        let mut text = self.totals().into_string() + "\n\n";
        let flipped: Vec<(&Judged<'_>, &OnMachine<'_>)> =
            self.claims.iter().filter_map(|judged| Some((judged, opposite(judged)?))).collect();
        let is_flipped =
            |judged: &&Judged<'_>| flipped.iter().any(|(one, _)| one.claim.id == judged.claim.id);
        if !flipped.is_empty() {
            text += "## Another verdict than elsewhere\n\n";
            let item = |(judged, there): &(&Judged<'_>, &OnMachine<'_>)| {
                let likely = self.reasons(judged, there);
                self.item(judged, Some(there), &likely, "Likely")
            };
            text += &list(flipped.iter().map(item));
        }
        let of = |verdict: fn(&Verdict) -> bool| {
            let wanted = move |judged: &&Judged<'_>| verdict(&judged.here.verdict);
            self.claims.iter().filter(wanted).filter(|judged| !is_flipped(judged))
        };
        let mut section = |heading: &str, all: Vec<Markup>| {
            if !all.is_empty() {
                text += &format!("## {heading}\n\n{}", list(all.into_iter()));
            }
        };
        let fails = of(|verdict| *verdict == Verdict::Fails);
        section("Fails here", fails.map(|judged| self.item(judged, None, &[], "")).collect());
        let undecided = of(|verdict| *verdict == Verdict::Undecided);
        let doubtful = |judged: &Judged<'_>| {
            let side = Side { machine: &self.book.here, judgement: &judged.here };
            self.item(judged, None, &likely::doubts(judged.claim, side), "Because")
        };
        section("Undecided here", undecided.map(doubtful).collect());
        let unseen = of(|verdict| *verdict == Verdict::NotSeen);
        section("Not seen here", unseen.map(|judged| self.item(judged, None, &[], "")).collect());
        let untested = of(|verdict| verdict.reason().is_some());
        section(
            "Cannot be tested here",
            untested.map(|judged| self.item(judged, None, &[], "")).collect(),
        );
        let holds = of(|verdict| *verdict == Verdict::Holds).collect::<Vec<_>>();
        if !holds.is_empty() {
            let items = holds.iter().map(|judged| self.item(judged, None, &[], ""));
            let summary = format!("{} claims hold", holds.len());
            text += "## Holds here\n\n";
            text +=
                &fold(&summary, html! { ul class="found-here" { @for item in items { (item) } } });
        }
        text += "## Not measured yet\n\n";
        let missing: Vec<&Judged<'_>> = of(|verdict| *verdict == Verdict::NotMeasured).collect();
        text += &match missing.is_empty() {
            true => "Nothing is left to measure.\n\n".to_owned(),
            false => self.commands(missing.into_iter()),
        };
        if self.book.here.recordings.values().any(|recording| recording.rounds == 1) {
            text += "One round of `cargo bench` shows the noise of one run only. `cargo book \
                     record` measures nine rounds.\n\n";
        }
        text + &format!(
            "[What was noted of this machine]({}), and [all claims on all machines]({MATRIX}.md).\n",
            machine_page(HERE).replace(".html", ".md")
        )
    }

    /// Renders the number of claims with each verdict.
    fn totals(&self) -> Markup {
        let tally = Verdict::tally(self.claims.iter().map(|judged| &judged.here.verdict));
        html! {
            p class="tally" {
                "Of the book's " (self.claims.len()) " claims, "
                @for (i, (words, n)) in tally.iter().enumerate() {
                    @if i > 0 { @if i + 1 == tally.len() { " and " } @else { ", " } }
                    strong { (n) } " " (plural(words, *n))
                }
                "."
            }
        }
    }

    /// Renders one claim with its verdict here and, if it differs, that of another machine.
    fn item(
        &self,
        judged: &Judged<'_>,
        there: Option<&OnMachine<'_>>,
        why: &[String],
        label: &str,
    ) -> Markup {
        html! {
            li {
                a href=(card_address(judged, self.path)) { (sentence(&judged.claim.says)) }
                div class="verdicts" {
                    (outcome("Here", &judged.here))
                    @if let Some(there) = there {
                        " " (outcome(machine_label(there.machine), &there.judgement))
                    }
                }
                @if !why.is_empty() {
                    p class="likely" { strong { (label) ": " } (sentence(&why.join("; "))) "." }
                }
            }
        }
    }

    /// Returns the likely reasons why a claim comes out another way here than on one machine.
    fn reasons(&self, judged: &Judged<'_>, there: &OnMachine<'_>) -> Vec<String> {
        let here = Side { machine: &self.book.here, judgement: &judged.here };
        let name = machine_label(there.machine);
        let there = Side { machine: there.machine, judgement: &there.judgement };
        let found = likely::reasons(judged.claim, here, there, name);
        match found.is_empty() {
            true => vec!["not known: the recordings show no difference".to_owned()],
            false => found,
        }
    }

    /// Renders the commands that measure these claims: first the one for everything but times, then
    /// each bench by the number of its claims.
    fn commands<'b>(&self, claims: impl Iterator<Item = &'b Judged<'b>>) -> String {
        let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
        for judged in claims {
            let kind = judged.claim.kind();
            let command = match kind {
                "clocked" => judged.claim.command(),
                _ => CHECK.to_owned(),
            };
            match commands.iter_mut().find(|(known, _)| *known == command) {
                Some((_, kinds)) => kinds.push(kind),
                None => commands.push((command, vec![kind])),
            }
        }
        commands.sort_by_key(|(command, kinds)| (command != CHECK, Reverse(kinds.len())));
        let rows = commands.iter().map(|(command, kinds)| {
            html! { tr { td { code { (command) } } td { (settles(kinds)) } } }
        });
        let table = html! {
            table class="commands" {
                (head(&[html! { "Command" }, html! { "Claims that it settles" }]))
                tbody { @for row in rows { (row) } }
            }
        };
        scrolling("Commands for what is not measured", table).into_string() + "\n\n"
    }
}

/// Returns the first recorded machine that refutes the verdict here.
fn opposite<'a>(judged: &'a Judged<'_>) -> Option<&'a OnMachine<'a>> {
    let flips = |on: &&OnMachine<'_>| likely::flipped(&judged.here.verdict, &on.judgement.verdict);
    judged.recorded.iter().find(flips)
}

/// Renders the verdict of one machine with what it rests on.
fn outcome(machine: &str, judgement: &Judgement) -> Markup {
    let is_ratio = judgement.value.is_some_and(|value| value.low != value.high);
    html! {
        span class="outcome" {
            span class="machine" { (machine) ":" } " " (verdict(judgement)) " "
            @if is_ratio {
                (ratios(judgement))
            } @else if judgement.verdict.reason().is_none() && judgement.reason.is_none() {
                span class="found" { (sentence(&judgement.found)) }
            }
        }
    }
}

/// Returns the number of claims of each kind: `12 counted, 3 explored`.
fn settles(kinds: &[&str]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for kind in kinds {
        match counts.iter_mut().find(|(known, _)| known == kind) {
            Some((_, n)) => *n += 1,
            None => counts.push((kind, 1)),
        }
    }
    let parts: Vec<String> = counts.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    parts.join(", ")
}

/// Returns the words of a verdict for a number of claims.
fn plural(words: &str, n: usize) -> String {
    match words {
        _ if n == 1 && matches!(words, "holds" | "fails" | "does not apply here") => {
            words.to_owned()
        }
        "holds" => "hold".to_owned(),
        "fails" => "fail".to_owned(),
        "does not apply here" => "do not apply here".to_owned(),
        words => format!("{} {words}", if n == 1 { "is" } else { "are" }),
    }
}

/// Renders a list as a block of its own in Markdown.
fn list(items: impl Iterator<Item = Markup>) -> String {
    let list = html! { ul class="found-here" { @for item in items { (item) } } };
    list.into_string().replace("\n\n", "\n") + "\n\n"
}
