//! The words and numbers that cards, figures, references and the appendix share, as HTML.

use crate::machine::statistics;
use crate::model::{Estimate, Verdict};
use crate::units::{self, Quantity};
use std::fmt::Write;
use std::path::Path;

/// The page of all claims, from the book's root, without its extension.
pub const CLAIMS: &str = "claims";

/// Escapes text for HTML, in content and in attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c => out.push(c),
        }
    }
    out
}

/// A sentence with its code spans; everything else in it is text.
#[must_use]
pub fn sentence(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // An odd backtick out is a character, not markup.
    let paired = parts.len() % 2 == 1;
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        match (paired, i % 2) {
            (true, 1) => {
                let _ = write!(out, "<code>{}</code>", escape(part));
            }
            (false, _) if i > 0 => {
                let _ = write!(out, "`{}", escape(part));
            }
            _ => out += &escape(part),
        }
    }
    out
}

/// A verdict as a word and a symbol; the colour only repeats them.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    let mut out = format!(
        "<span class=\"verdict {}\">{} {}</span>",
        class(verdict),
        symbol(verdict),
        verdict.words()
    );
    if let Verdict::NotPossible(reason) = verdict {
        let _ = write!(out, ": {}", sentence(reason));
    }
    out
}

/// Beside the word, for the eye only.
pub fn symbol(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "<span aria-hidden=\"true\">✓</span>",
        Verdict::Fails => "<span aria-hidden=\"true\">✗</span>",
        Verdict::Undecided => "<span aria-hidden=\"true\">≈</span>",
        Verdict::NotMeasured => "<span aria-hidden=\"true\">–</span>",
        Verdict::NotPossible(_) => "<span aria-hidden=\"true\">⊘</span>",
    }
}

pub fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Undecided => "undecided",
        Verdict::NotMeasured => "unmeasured",
        Verdict::NotPossible(_) => "impossible",
    }
}

/// A value with its interval beside it, in smaller type: visible to everybody, on every screen.
pub fn number(estimate: Estimate, quantity: Quantity) -> String {
    let text = units::text(estimate, quantity);
    let mut out = format!("<span class=\"measured\">{}", escape(&text.value));
    if !text.interval.is_empty() {
        let _ = write!(out, " <small class=\"interval\">({})</small>", escape(&text.interval));
    }
    out + "</span>"
}

/// The number of rounds in words, and how far the interval can be trusted when they are few.
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

/// `../` as often as it takes from a page to the book's root.
#[must_use]
pub fn up(page: &Path) -> String {
    "../".repeat(page.components().count().saturating_sub(1))
}

/// A machine's page, from the book's root.
#[must_use]
pub fn machine_page(name: &str) -> String {
    format!("machines/{name}.html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_its_code_and_nothing_else() {
        assert_eq!(sentence("`a<b>` is *not* <b>"), "<code>a&lt;b&gt;</code> is *not* &lt;b&gt;");
        assert_eq!(sentence("an odd ` stays"), "an odd ` stays");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn a_verdict_is_a_word_and_not_only_a_color() {
        let all = [Verdict::Holds, Verdict::Fails, Verdict::Undecided, Verdict::NotMeasured];
        for one in all {
            let html = verdict(&one);
            assert!(html.contains(&format!("</span> {}</span>", one.words())), "{html}");
        }
        let html = verdict(&Verdict::NotPossible("no `io_uring`".to_owned()));
        assert!(html.ends_with("not possible here</span>: no <code>io_uring</code>"), "{html}");
    }

    #[test]
    fn few_rounds_are_owned_up_to() {
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
