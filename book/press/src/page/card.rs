//! A claim's card.
//!
//! Everything here is one HTML block without blank lines, which is what Markdown passes through
//! untouched.

use super::html::{CLAIMS, class, escape, machine_page, number, rounds, sentence, up, verdict};
use crate::book::{Book, Judged};
use crate::ids::group_of;
use crate::machine::{Known, Machine};
use crate::model::{Judgement, Proof, Verdict};
use crate::units::{self, Quantity};
use std::fmt::Write;

/// A claim's card: sentence, proof, verdicts, command.
#[must_use]
pub fn card(judged: &Judged<'_>, book: &Book) -> String {
    let claim = judged.claim;
    let id = escape(&claim.id);
    let up = up(&judged.page.path);
    let mut out = format!(
        "<article class=\"claim {}\" id=\"claim-{id}\">\n\
         <p class=\"kind\"><a href=\"{up}{CLAIMS}.html\">{}</a> <a class=\"self\" href=\"#claim-{id}\">{id}</a></p>\n\
         <p class=\"says\">{}</p>\n<dl>\n",
        class(&judged.reference.verdict),
        claim.kind(),
        sentence(&claim.says),
    );
    out += &row("Reference", &judged.reference, &note(judged, &book.reference, &up));
    out += &row("Your machine", &judged.here, &note(judged, &book.here, &up));
    let _ = writeln!(
        out,
        "<div class=\"prove\"><dt>Prove it</dt><dd><code>{}</code></dd></div>\n</dl>\n</article>",
        escape(&claim.command())
    );
    out
}

/// One machine's line on a card.
fn row(machine: &str, judgement: &Judgement, note: &str) -> String {
    let mut out = format!("<div><dt>{machine}</dt><dd>{}", verdict(&judgement.verdict));
    match (&judgement.verdict, &judgement.value) {
        // These say it all.
        (Verdict::NotPossible(_) | Verdict::NotMeasured, _) => {}
        (_, None) => {
            if !judgement.found.is_empty() {
                let _ = write!(out, " <span class=\"found\">{}</span>", sentence(&judgement.found));
            }
        }
        (_, Some(value)) => {
            let exact = value.low == value.high;
            if exact {
                let _ = write!(out, " <span class=\"found\">{}</span>", sentence(&judgement.found));
            } else {
                out.push(' ');
                out += &number(*value, Quantity::Ratio);
            }
        }
    }
    if judgement.value.is_some() && !note.is_empty() {
        let _ = write!(out, " <span class=\"note\">{note}</span>");
    }
    out + "</dd></div>\n"
}

/// How a ratio was come by: rounds, what the interval covers, the bench's noise floor. Empty for
/// other proofs.
fn note(judged: &Judged<'_>, machine: &Machine, up: &str) -> String {
    let Proof::Clocked(clocked) = &judged.claim.proof else {
        return String::new();
    };
    let Known::Measured(ratio) = machine.ratio(&clocked.than, &clocked.subject) else {
        return String::new();
    };
    let mut out = rounds(ratio.rounds);
    // A group with a clock of its own has its own noise floor.
    let group = group_of(&clocked.subject);
    let of_bench = || machine.noise(machine.bench_of(group)?).measured();
    let noise = machine.noise(group).measured().or_else(of_bench);
    if let Some(noise) = noise {
        let noise = units::text(noise, Quantity::Ratio);
        let _ = write!(
            out,
            "; noise floor: <a href=\"{up}{}\">the same code against itself gave {}</a>",
            machine_page(&machine.name),
            escape(&noise.value)
        );
    }
    out
}
