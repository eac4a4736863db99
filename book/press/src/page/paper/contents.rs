//! The table of contents, from the headings: the entries of the outline that a browser adds.

use maud::{Markup, PreEscaped, html};
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// 1 for a part, 2 for a chapter, and so on.
    pub level: u8,
    /// Its anchor.
    pub id: String,
    /// Its HTML without links.
    pub text: String,
}

impl Entry {
    /// Creates the entry of a part.
    pub fn part(title: &str) -> Entry {
        Entry { level: 1, id: part_id(title), text: html! { (title) }.into_string() }
    }
}

impl Entry {
    /// Returns the heading as plain text.
    pub fn title(&self) -> String {
        static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>").expect("a constant"));
        let text = TAG.replace_all(&self.text, "");
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        let text = text.replace("&#39;", "'").replace("&#x27;", "'").replace("&amp;", "&");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Returns the anchor of a part.
pub(super) fn part_id(title: &str) -> String {
    let dashed = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    format!("part-{}", title.chars().map(dashed).collect::<String>())
}

/// Returns the headings of a chapter.
pub(super) fn headings(html: &str) -> Vec<Entry> {
    static HEADING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?s)<h([1-6])\b[^>]* id="([^"]*)"[^>]*>(.*?)</h[1-6]>"#).expect("a constant")
    });
    static LINK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"</?a\b[^>]*>").expect("a constant"));
    let entry = |found: regex::Captures<'_>| {
        Some(Entry {
            level: found[1].parse().ok()?,
            id: found[2].to_owned(),
            text: LINK.replace_all(&found[3], "").into_owned(),
        })
    };
    HEADING.captures_iter(html).filter_map(entry).collect()
}

/// Renders the table of contents. A page that is not known yet takes up the room of three digits.
pub(super) fn contents(entries: &[Entry], numbers: &BTreeMap<String, usize>) -> Markup {
    html! {
        section class="contents" {
            p class="contents-title" { "Contents" }
            ul {
                @for entry in entries {
                    @let number = numbers.get(&entry.id).map_or("000".to_owned(), usize::to_string);
                    li class={ "level-" (entry.level) } {
                        a href={ "#" (entry.id) } {
                            span class="name" { (PreEscaped(&entry.text)) }
                            span class="number" { (number) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_keep_their_code_and_lose_their_links() {
        let found = headings(
            "<h2 id=\"a\"><a class=\"header\" href=\"#a\">A <code>b</code></a></h2>\n<h3>none</h3>\
             <h3 class=\"x\" id=\"c\">C</h3>",
        );
        let found: Vec<(u8, &str, &str)> =
            found.iter().map(|e| (e.level, e.id.as_str(), e.text.as_str())).collect();
        assert_eq!(found, [(2, "a", "A <code>b</code>"), (3, "c", "C")]);
        let entry =
            Entry { text: "A <code>b&lt;c&gt;</code> &amp;\nd".to_owned(), ..Entry::part("") };
        assert_eq!(entry.title(), "A b<c> & d");
        assert_eq!(part_id("I/O"), "part-i-o");
    }
}
