//! The words and numbers that cards, figures, references and the appendix share, as HTML.

use crate::book::Judged;
use crate::ids::slashed;
use crate::machine::{HERE, Machine, statistics};
use crate::model::{Claim, Estimate, Judgement, Verdict};
use crate::units::{self, Quantity};
use maud::{Markup, html};
use std::path::Path;

/// The page of all claims, from the book's root, without its extension.
pub const CLAIMS: &str = "claims";

/// The page of all machines, from the book's root, without its extension.
pub const MACHINES: &str = "machines";

/// The page of all claims on all machines, from the book's root, without its extension.
pub const MATRIX: &str = "claims-by-machine";

/// The kinds of claims, in the order of their strength.
pub const KINDS: [&str; 5] = ["compiled", "counted", "explored", "clocked", "observed"];

/// The label of the reader's machine.
pub const YOURS: &str = "Your machine";

/// Renders a sentence with its code spans; everything else in it is text.
#[must_use]
pub fn sentence(text: &str) -> Markup {
    // With an odd number of backticks, they are characters and not markup.
    if text.matches('`').count() % 2 == 1 {
        return html! { (text) };
    }
    html! {
        @for (i, part) in text.split('`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Renders a verdict as words and a symbol; the color only repeats them.
#[must_use]
pub fn verdict(judgement: &Judgement) -> Markup {
    let verdict = &judgement.verdict;
    html! {
        span class={ "verdict " (class(verdict)) } { (symbol(verdict)) " " (judgement.words()) }
        @if let Some(reason) = verdict.reason() { ": " (sentence(reason)) }
    }
}

/// Renders the symbol beside a verdict's word, which screen readers skip.
pub fn symbol(verdict: &Verdict) -> Markup {
    let symbol = match verdict {
        Verdict::Holds => "✓",
        Verdict::Fails => "✗",
        Verdict::Undecided => "≈",
        Verdict::NotMeasured => "–",
        Verdict::NotPossible(_) => "⊘",
        Verdict::DoesNotApply(_) => "⊄",
        Verdict::NotSeen => "○",
    };
    html! { span aria-hidden="true" { (symbol) } }
}

/// Returns the CSS class of a verdict.
pub fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Undecided => "undecided",
        Verdict::NotMeasured => "unmeasured",
        Verdict::NotPossible(_) | Verdict::DoesNotApply(_) => "impossible",
        Verdict::NotSeen => "unseen",
    }
}

/// Renders a value with its interval beside it in smaller type, visible on every screen.
pub fn number(estimate: Estimate, quantity: Quantity) -> Markup {
    let text = units::text(estimate, quantity);
    html! {
        span class="measured" {
            (text.value)
            @if !text.interval.is_empty() {
                " " small class="interval" { "(" (text.interval) ")" }
            }
        }
    }
}

/// Renders the ratio that a judgement rests on, in each regime if it was measured in several.
pub fn ratios(judgement: &Judgement) -> Markup {
    let alone = judgement.value.filter(|_| judgement.regimes.is_empty()).map(|value| ("", value));
    let regimes =
        judgement.regimes.iter().filter_map(|one| Some((one.regime.as_str(), one.value?)));
    let several = judgement.regimes.len() > 1;
    let shown = alone.into_iter().chain(regimes).filter(|(_, value)| value.low < value.high);
    html! {
        @for (i, (regime, value)) in shown.enumerate() {
            @if i > 0 { ", " }
            (number(value, Quantity::Ratio))
            @if several { " " (regime) }
        }
    }
}

/// Returns the number of rounds in words and, if they are few, how far to trust the interval.
pub fn rounds(n: usize) -> String {
    match n {
        1 => "one round only: the interval covers this run's noise, not the difference to the next"
            .to_owned(),
        2..6 => format!(
            "{n} rounds, whose range covers {:.0}\u{a0}% of cases",
            statistics::coverage(n) * 100.0
        ),
        n => format!("{n} rounds"),
    }
}

/// Puts a table into a region that scrolls sideways on a narrow screen.
pub(super) fn scrolling(label: &str, table: Markup) -> Markup {
    html! { div class="scroll" role="region" tabindex="0" aria-label=(label) { (table) } }
}

/// Returns the path from `page` up to the book's root, such as `../`.
#[must_use]
pub fn up(page: &Path) -> String {
    "../".repeat(page.components().count().saturating_sub(1))
}

/// Returns the address of a claim's card from `page`.
pub fn card_address(claim: &Judged<'_>, page: &Path) -> String {
    let path = slashed(&claim.page.path.with_extension("html"));
    format!("{}{path}#claim-{}", up(page), claim.claim.id)
}

/// Returns the anchor of a claim's row on the page of all claims. It stays the same when the claim
/// moves to another chapter.
#[must_use]
pub fn cite(claim: &Claim) -> String {
    format!("cite-{}", claim.id)
}

/// Returns the path of a machine's page from the book's root.
#[must_use]
pub fn machine_page(name: &str) -> String {
    format!("machines/{name}.html")
}

/// Returns a machine as readers know it: by the name of its folder, or as theirs.
pub fn machine_label(machine: &Machine) -> &str {
    if machine.name == HERE { YOURS } else { &machine.name }
}

/// Renders a machine's label as a link to its page.
pub fn machine_link(machine: &Machine, up: &str) -> Markup {
    html! { a href={ (up) (machine_page(&machine.name)) } { (machine_label(machine)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_its_code_and_nothing_else() {
        let html = |text| sentence(text).into_string();
        assert_eq!(html("`a<b>` is *not* <b>"), "<code>a&lt;b&gt;</code> is *not* &lt;b&gt;");
        assert_eq!(html("an odd ` stays"), "an odd ` stays");
        assert_eq!(html(""), "");
    }

    #[test]
    fn a_verdict_is_a_word_and_not_only_a_color() {
        let told = |verdict| super::verdict(&Judgement::new(verdict, String::new())).into_string();
        let all = [
            Verdict::Holds,
            Verdict::Fails,
            Verdict::Undecided,
            Verdict::NotSeen,
            Verdict::NotMeasured,
        ];
        for one in all {
            let html = told(one.clone());
            assert!(html.contains(&format!("</span> {}</span>", one.words())), "{html}");
        }
        let html = told(Verdict::NotPossible("no `io_uring`".to_owned()));
        assert!(html.ends_with("not possible here</span>: no <code>io_uring</code>"), "{html}");
        let html = told(Verdict::DoesNotApply("L2 is 512 KiB".to_owned()));
        assert!(html.ends_with("does not apply here</span>: L2 is 512 KiB"), "{html}");
    }

    #[test]
    fn a_few_rounds_say_how_far_to_trust_them() {
        assert!(rounds(1).starts_with("one round only"));
        assert!(rounds(5).contains("94\u{a0}%"), "{}", rounds(5));
        assert_eq!(rounds(9), "9 rounds");
    }

    #[test]
    fn links_lead_to_the_root_from_any_depth() {
        assert_eq!(up(Path::new("a.md")), "");
        assert_eq!(up(Path::new("a/b/c.md")), "../../");
    }
}
