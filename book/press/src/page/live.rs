//! A claim outside its chapter: the sentence, its verdicts, the command, and what that printed.

use super::html::{card_address, class, machine_link, sentence, up};
use super::reference;
use crate::book::{Book, Judged};
use crate::machine::{Known, Machine};
use crate::model::{Count, CountBound, Proof};
use maud::{Markup, html};
use std::path::Path;

/// Renders a claim on a page that is not its own. What the example printed is what the first
/// machine with these counts recorded: the numbers that the claim rests on.
#[must_use]
pub fn live(judged: &Judged<'_>, book: &Book, page: &Path) -> Markup {
    let claim = judged.claim;
    let mut recorded = book.machines.iter();
    let printed = recorded.find_map(|machine| Some((machine, printed(&claim.proof, machine)?)));
    html! {
        article class={ "live " (class(judged.worst())) } {
            p class="says" {
                a href=(card_address(judged, page)) { (sentence(&claim.says)) }
                " " (reference::brief(judged, page))
            }
            @if let Some((_, (command, lines))) = &printed {
                // Apart, because a page copies a block whole.
                pre { code class="language-sh" { (command) } }
                pre { code class="language-text" { (lines) } }
            }
            p class="caption" {
                @if let Some((machine, _)) = printed {
                    "Printed on " (machine_link(machine, &up(page))) ", among other counts. "
                }
                "Prove it: " code class="command" { (claim.command()) }
            }
        }
    }
}

/// Returns the command of a proof's example, and the counts of the proof as it prints them. `None`
/// if `machine` lacks one of them, or the proof is not a count.
fn printed(proof: &Proof, machine: &Machine) -> Option<(String, String)> {
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
    let command = format!("cargo run --release --example {} -- --json", counts.first()?.example);
    Some((command, format!("{{{}\n…}}", lines.join("\n "))))
}
