//! A claim outside its chapter: the sentence, its verdicts, the command, and what that printed.

use super::html::{card_address, class, machine_link, sentence, up};
use super::reference;
use crate::book::{Book, Judged};
use crate::machine::{Known, Machine};
use crate::model::{Count, CountBound, Proof};
use maud::{Markup, html};
use std::path::Path;

/// Renders a claim on a page that is not its own. What the command printed is what the first
/// machine with these counts recorded: the numbers that the claim rests on, in the example's JSON.
#[must_use]
pub fn live(judged: &Judged<'_>, book: &Book, page: &Path) -> Markup {
    let claim = judged.claim;
    let printed =
        book.machines.iter().find_map(|machine| Some((machine, printed(&claim.proof, machine)?)));
    let command = match printed {
        Some(_) => format!("{} -- --json", claim.command()),
        None => claim.command(),
    };
    html! {
        article class={ "live " (class(judged.worst())) } {
            p class="says" {
                a href=(card_address(judged, page)) { (sentence(&claim.says)) }
                " " (reference::claim(judged, book, page))
            }
            pre { code class="language-console" { "$ " (command) "\n" @if let Some((_, lines)) = &printed { (lines) } } }
            @if let Some((machine, _)) = printed {
                p class="caption" { "As printed on " (machine_link(machine, &up(page))) ", in one line with the other counts." }
            }
        }
    }
}

/// Returns the counts of a proof as the example prints them, one a line. `None` if `machine` lacks
/// one of them, or the proof is not a count.
fn printed(proof: &Proof, machine: &Machine) -> Option<String> {
    let Proof::Counted(counts) = proof else { return None };
    let mut lines = Vec::new();
    for Count { example, key, bound } in counts {
        let than = match bound {
            CountBound::FewerThan { example, key, .. } => Some((example, key)),
            _ => None,
        };
        for (example, key) in std::iter::once((example, key)).chain(than) {
            let Known::Measured(value) = machine.count(example, key) else { return None };
            lines.push(format!("…\"{key}\":{value},"));
        }
    }
    Some(format!("{{{}\n…}}", lines.join("\n ")))
}
