//! The value that a claim rests on, in short, beside the value claimed, such as
//! `4.9×; claimed: at least 3×`.

use crate::book::{Book, Judged};
use crate::machine::{Known, Machine};
use crate::model::{Clocked, Count, CountBound, Judgement, Proof, RatioBound};
use crate::units::{self, Quantity};
use maud::{Markup, html};

/// The most counts that a closed card names.
const SHOWN: usize = 3;

/// Renders the value found, first on the recorded machines in their order and then on the reader's,
/// with the bound claimed. A claim without a number, such as a compiled one, renders nothing.
pub(super) fn found(judged: &Judged<'_>, book: &Book) -> Markup {
    match &judged.claim.proof {
        Proof::Compiled { .. } | Proof::Explored { .. } => html! {},
        Proof::Clocked(clocked) => ratio(judged, clocked),
        Proof::Counted(counts) | Proof::Observed(counts) => {
            let has_all = |machine: &&Machine| {
                counts.iter().all(|count| value(machine, &count.example, &count.key).is_some())
            };
            let recorded = book.machines.iter().find(has_all);
            let yours = Some(&book.here).filter(has_all);
            match recorded.or(yours) {
                Some(machine) => several(counts, machine, recorded.and(yours)),
                None => html! {},
            }
        }
    }
}

/// Renders the quotient of times, and the reader's beside it.
fn ratio(judged: &Judged<'_>, clocked: &Clocked) -> Markup {
    let has_value = |judgement: &&Judgement| judgement.value.is_some();
    let recorded = judged.recorded.iter().map(|on| &on.judgement).find(has_value);
    let here = Some(&judged.here).filter(has_value);
    let Some(first) = recorded.or(here) else {
        return html! {};
    };
    html! {
        span class="value" {
            strong { (quotients(first)) }
            @if let (Some(_), Some(here)) = (recorded, here) { ", yours " (quotients(here)) }
            "; claimed: " (ratio_bound(clocked.bound))
        }
    }
}

/// Formats a judgement's quotient, or one for each regime: `4.9× near, 2.1× far`.
fn quotients(judgement: &Judgement) -> String {
    let short = |value| units::text(value, Quantity::Ratio).value;
    let regimes = judgement.regimes.iter();
    let of: Vec<(&str, String)> =
        regimes.filter_map(|one| Some((one.regime.as_str(), short(one.value?)))).collect();
    match &of[..] {
        [] => judgement.value.map(short).unwrap_or_default(),
        [(_, value)] => value.clone(),
        several => {
            let each: Vec<String> =
                several.iter().map(|(regime, value)| format!("{value} {regime}")).collect();
            each.join(", ")
        }
    }
}

/// Formats the bound of a clocked claim.
fn ratio_bound(bound: RatioBound) -> String {
    let times = |by: f64| format!("{by}×");
    match bound {
        RatioBound::Faster(by) | RatioBound::AtLeast(by) => format!("at least {}", times(by)),
        RatioBound::AtMost(by) => format!("at most {}", times(by)),
        RatioBound::Within(by) => format!("within {} either way", times(by)),
    }
}

/// Renders the numbers that `machine` counted and, of a claim with a single one, the reader's.
fn several(counts: &[Count], machine: &Machine, yours: Option<&Machine>) -> Markup {
    html! {
        span class={ "value" @if counts.len() > 1 { " several" } } {
            @if let [count] = counts {
                (number(count, machine))
                @if let Some(yours) = yours { ", yours " (plain(count, yours)) }
                "; claimed: " (bound(count))
            } @else {
                @for (i, count) in counts.iter().take(SHOWN).enumerate() {
                    @if i > 0 { ", " }
                    (number(count, machine))
                    // A number that had to be exactly what it is needs no bound beside it.
                    @if !is_exact(count, machine) { " (" (bound(count)) ")" }
                }
                @if counts.len() > SHOWN { " and " (counts.len() - SHOWN) " more" }
            }
        }
    }
}

/// Renders a number of an example with its name.
fn number(count: &Count, machine: &Machine) -> Markup {
    html! { strong { (plain(count, machine)) } " " code { (count.key) } }
}

/// Formats a number of an example, and the one that it is compared with.
fn plain(count: &Count, machine: &Machine) -> String {
    let print = |example: &str, key: &str| {
        value(machine, example, key)
            .map(|value| units::number(value, Quantity::Count, 0))
            .unwrap_or_default()
    };
    let own = print(&count.example, &count.key);
    match &count.bound {
        CountBound::FewerThan { example, key, .. } => {
            format!("{own} against {}", print(example, key))
        }
        _ => own,
    }
}

/// Formats the bound of a number.
fn bound(count: &Count) -> String {
    let print = |value: f64| units::number(value, Quantity::Count, 0);
    match &count.bound {
        CountBound::Equals(bound) => print(*bound),
        CountBound::AtMost(bound) => format!("at most {}", print(*bound)),
        CountBound::AtLeast(bound) => format!("at least {}", print(*bound)),
        CountBound::FewerThan { by, .. } => format!("at least {by} times fewer"),
    }
}

fn is_exact(count: &Count, machine: &Machine) -> bool {
    let found = value(machine, &count.example, &count.key);
    matches!(count.bound, CountBound::Equals(bound) if found == Some(bound))
}

fn value(machine: &Machine, example: &str, key: &str) -> Option<f64> {
    match machine.count(example, key) {
        Known::Measured(value) => Some(value),
        Known::NotPossible(_) | Known::NotMeasured => None,
    }
}
