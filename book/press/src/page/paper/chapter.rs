//! One chapter's HTML, changed for paper.

use super::lists::MACHINES_ID;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// Returns a chapter with its folds open, its headings one level down, below those of the parts,
/// and its links to pages that are not printed led elsewhere.
pub(super) fn unfolded(html: &str) -> String {
    static HEADING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"<(/?)h([1-5])\b").expect("a constant"));
    static FOLD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"<details\b([^>]*)>").expect("a constant"));
    static LINK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#" href="([^"]*)""#).expect("a constant"));
    let html = HEADING.replace_all(html, |found: &Captures| {
        let level = found[2].parse::<u8>().unwrap_or(1);
        format!("<{}h{}", &found[1], level + 1)
    });
    let html = FOLD.replace_all(&html, |found: &Captures| match found[1].contains(" open") {
        true => found[0].to_owned(),
        false => format!("<details{} open>", &found[1]),
    });
    LINK.replace_all(&html, |found: &Captures| link(&found[1])).into_owned()
}

/// Returns the attribute for a link to `address`, which is empty for a page that is not printed.
fn link(address: &str) -> String {
    let elsewhere = address.split(['/', '?', '#']).next().is_some_and(|start| start.contains(':'));
    if address.starts_with('#') || elsewhere {
        return format!(" href=\"{address}\"");
    }
    if address.starts_with("machines/") {
        return format!(" href=\"#{MACHINES_ID}\"");
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_open_and_headings_below_their_part() {
        let html = "<h1 id=\"a\">A</h1><details class=\"x\"><summary>S</summary></details>\
                    <details open></details><h2>B</h2><header>";
        assert_eq!(
            unfolded(html),
            "<h2 id=\"a\">A</h2><details class=\"x\" open><summary>S</summary></details>\
             <details open></details><h3>B</h3><header>"
        );
    }

    #[test]
    fn links_lead_to_what_is_printed() {
        for (from, to) in [
            ("#a", " href=\"#a\""),
            ("https://x.org/a.html", " href=\"https://x.org/a.html\""),
            ("mailto:a@x.org", " href=\"mailto:a@x.org\""),
            ("machines/zen5.html", " href=\"#the-machines\""),
            ("api/index.html", ""),
        ] {
            assert_eq!(unfolded(&format!("<a href=\"{from}\">x</a>")), format!("<a{to}>x</a>"));
        }
    }
}
