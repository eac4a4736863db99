//! The shape of a technique's chapter: three lines that answer, and sections whose headings say
//! what was found.

use super::prose::words;
use super::{PROSE, pages};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The kinds of section that each chapter has. A heading is `KIND: finding`.
const NEEDED: [&str; 7] =
    ["Naive", "Mechanism", "Done right", "Counted", "When not to", "In production", "From Go"];

/// The kinds that a chapter may have as well.
const OPTIONAL: [&str; 3] = ["Compiled", "Explored", "Clocked"];

/// The section of the exercises, whose heading stands alone.
const EXERCISES: &str = "Try it";

/// The labels of the three lines below the title.
const OPENING: [&str; 3] = ["Answer", "Not when", "Instead"];

/// The fewest and the most words of one of these lines, without its label.
const OPENING_WORDS: std::ops::RangeInclusive<usize> = 6..=30;

/// The longest heading, in characters: the sidebar shows it in two lines.
const LONGEST_HEADING: usize = 64;

/// Lists what is wrong with the shape of the techniques' chapters, one sentence each.
pub fn problems(root: &Path) -> Vec<String> {
    let is_chapter = |page: &String| page.contains('/') && !PROSE.contains(&page.as_str());
    let read = |page: &str| fs::read_to_string(root.join("book/src").join(page));
    let chapters = pages(root).into_iter().filter(is_chapter);
    let chapters: Vec<_> = chapters.map(|page| (read(&page).unwrap_or_default(), page)).collect();
    of(chapters.iter().map(|(text, page)| (page.as_str(), text.as_str())))
}

/// Lists what is wrong with chapters, pairs of a page and its text.
fn of<'a>(chapters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut found = vec![];
    let mut pages: BTreeMap<&str, &str> = BTreeMap::new();
    for (page, text) in chapters {
        found.extend(opening(text).into_iter().map(|what| format!("book/src/{page} {what}")));
        found.extend(headings(text).into_iter().map(|what| format!("book/src/{page} {what}")));
        // In the results of a search, a heading is all there is to tell two sections apart.
        for title in titles(text).filter(|title| *title != EXERCISES) {
            if let Some(other) = pages.insert(title, page).filter(|other| *other != page) {
                found.push(format!(
                    "book/src/{page} and book/src/{other} share the heading \"{title}\""
                ));
            }
        }
    }
    found
}

/// Lists what is wrong with the three lines below the title.
fn opening(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with("# ")).skip(1);
    let block = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let mut items: Vec<String> = vec![];
    for line in block {
        match (line.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push(item.to_owned()),
            (None, Some(item)) => *item = format!("{item} {}", line.trim()),
            (None, None) => return vec!["does not open with its three lines".to_owned()],
        }
    }
    let labels = items.iter().zip(OPENING);
    if items.len() != OPENING.len()
        || labels.clone().any(|(item, label)| !item.starts_with(&format!("**{label}:** ")))
    {
        let expected = OPENING.map(|label| format!("**{label}:**")).join(", ");
        return vec![format!("does not open with its three lines, {expected}")];
    }
    let mut found: Vec<String> = labels
        .map(|(item, label)| (words(item) - label.split(' ').count(), label))
        .filter(|(words, _)| !OPENING_WORDS.contains(words))
        .map(|(words, label)| {
            let (least, most) = OPENING_WORDS.into_inner();
            format!("has {words} words below \"{label}\", not {least} to {most}")
        })
        .collect();
    // The answer is also what search engines and previews of links show of the page.
    if items[0][OPENING[0].len() + 6..].starts_with(char::is_lowercase) {
        found.push("has an answer that is no sentence".to_owned());
    }
    found
}

/// Lists what is wrong with the headings of the sections.
fn headings(text: &str) -> Vec<String> {
    let mut found = vec![];
    for kind in NEEDED.iter().chain([&EXERCISES]) {
        if !titles(text).any(|title| kind_of(title) == Some(kind)) {
            found.push(format!("has no section \"{kind}\""));
        }
    }
    for title in titles(text) {
        let length = title.chars().count();
        if length > LONGEST_HEADING {
            found.push(format!("has a heading of {length} characters, \"{title}\""));
        }
        let Some(kind) = kind_of(title).filter(|kind| *kind != EXERCISES) else { continue };
        let finding = title[kind.len()..].strip_prefix(": ").unwrap_or_default();
        if finding.split_whitespace().count() < 2 {
            found.push(format!("has a heading that says nothing was found, \"{title}\""));
        }
    }
    found
}

/// Returns the kind of section that a heading opens with, if it is one of the fixed ones.
fn kind_of(title: &str) -> Option<&'static str> {
    let mut kinds = NEEDED.into_iter().chain(OPTIONAL).chain([EXERCISES]);
    kinds.find(|kind| title == *kind || title.starts_with(&format!("{kind}:")))
}

/// Returns the headings of a page's sections.
fn titles(text: &str) -> impl Iterator<Item = &str> {
    let mut is_listing = false;
    text.lines().filter_map(move |line| {
        is_listing ^= line.starts_with("```");
        line.strip_prefix("## ").filter(|_| !is_listing)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "- **Answer:** Yes, it takes half of the time.\n\
                         - **Not when:** the file is small, or\n  the disk is slow.\n\
                         - **Instead:** take a larger buffer from the start.\n";

    fn chapter(lines: &str, sections: &str) -> String {
        let all = NEEDED.map(|kind| format!("## {kind}: it was found\n\n")).concat();
        format!("# T\n\n{lines}\nText.\n\n{all}{sections}## Try it\n")
    }

    fn said(text: &str) -> Vec<String> {
        of([("a/t.md", text)])
    }

    #[test]
    fn a_chapter_of_the_right_shape_passes() {
        assert!(said(&chapter(LINES, "## Clocked: it wins\n\n## Another one\n\n")).is_empty());
        let listing = "```sh\n## Clocked\n```\n\n";
        assert!(said(&chapter(LINES, listing)).is_empty(), "no heading");
    }

    #[test]
    fn a_heading_without_a_finding_is_found() {
        let bare = ["has a heading that says nothing was found, \"Clocked\""];
        assert_eq!(
            said(&chapter(LINES, "## Clocked\n\n")),
            bare.map(|s| format!("book/src/a/t.md {s}"))
        );
        for heading in ["Clocked: fast", "Compiled:", "Counted:x y"] {
            let said = said(&chapter(LINES, &format!("## {heading}\n\n"))).join("\n");
            assert!(said.contains("says nothing was found"), "{heading}: {said}");
        }
        let long = "x ".repeat(32);
        assert!(
            said(&chapter(LINES, &format!("## Clocked: {long}\n"))).join("").contains("73 char")
        );
        let without = chapter(LINES, "").replace("## Counted: it was found", "## Counts");
        assert_eq!(said(&without), ["book/src/a/t.md has no section \"Counted\""]);
    }

    #[test]
    fn a_heading_of_another_chapter_is_found() {
        let one = chapter(LINES, "");
        let said = of([("a/t.md", one.as_str()), ("a/u.md", one.as_str())]);
        assert_eq!(said.len(), NEEDED.len(), "{said:?}");
        assert!(said[0].contains("share the heading \"Naive: it was found\""), "{said:?}");
    }

    #[test]
    fn an_opening_that_lacks_a_line_or_its_size_is_found() {
        let expect = |lines: &str, expected: &str| {
            let said = said(&chapter(lines, "")).join("\n");
            assert!(said.contains(expected), "{lines}: {said}");
        };
        expect(&LINES.replace("Yes", "yes"), "has an answer that is no sentence");
        expect("", "does not open with its three lines");
        expect(
            &LINES.replace("Instead", "Otherwise"),
            "does not open with its three lines, **Answer:**",
        );
        expect(&LINES.replace("- **Instead:** take", "take"), "does not open with its three lines");
        expect(
            &LINES.replace("Yes, it takes half of the time", "Yes"),
            "has 1 words below \"Answer\"",
        );
        expect(&LINES.replace("Yes", &"Yes ".repeat(30)), "has 36 words below \"Answer\"");
    }
}
