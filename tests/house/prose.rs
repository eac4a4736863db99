//! The language of the pages: phrases that read as translated, guesses, and how long a chapter is.

use super::lines::whole;
use super::{PROSE, pages};
use std::fs;
use std::path::Path;

/// Words for threads and things that are names of people, clauses in place of a noun, and filler.
const PHRASES: [&str; 14] = [
    "also if",
    "also when",
    "anybody",
    "basically",
    "due to the fact",
    "in order to",
    "inferred",
    "nobody",
    "obviously",
    "on their way",
    "simply",
    "so many",
    "somebody",
    "whoever",
];

/// Phrases that are right where they stand. An entry that its page does not need is reported.
const ALLOWED: [(&str, &str); 2] =
    [("sources.md", "obviously"), ("zero-copy/sendfile.md", "on their way")];

/// Phrases that say that the cause of something was not tested.
const GUESSES: [&str; 4] = ["as we guess", "guess is that", "is a guess", "was not tested"];

/// The most guesses in the book.
const MOST_GUESSES: usize = 3;

/// The most words of a chapter, without its code, claims, figures, tables and numbers.
const MOST_WORDS: usize = 2_000;

/// Lists what is wrong with the language of the pages, one sentence each.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut needed = vec![];
    let mut guesses = vec![];
    for page in pages(root) {
        let text = fs::read_to_string(root.join("book/src").join(&page)).unwrap_or_default();
        let prose = prose(&text).to_lowercase();
        for phrase in PHRASES.into_iter().filter(|phrase| says(&prose, phrase)) {
            match ALLOWED.iter().find(|(on, what)| *on == page && *what == phrase) {
                Some(entry) => needed.push(entry),
                None => found.push(format!("book/src/{page} says \"{phrase}\"")),
            }
        }
        for phrase in GUESSES.into_iter().filter(|phrase| says(&prose, phrase)) {
            guesses.push(format!("{page}, \"{phrase}\""));
        }
        let words = words(&text);
        let is_chapter = page.contains('/') && !PROSE[..].contains(&page.as_str());
        if is_chapter && words > MOST_WORDS {
            found.push(format!("book/src/{page} has {words} words, more than {MOST_WORDS}"));
        }
    }
    let unneeded = ALLOWED.iter().filter(|entry| !needed.contains(entry));
    found.extend(
        unneeded.map(|(page, phrase)| format!("book/src/{page} no longer says \"{phrase}\"")),
    );
    if guesses.len() > MOST_GUESSES {
        let all = guesses.join("; ");
        found.push(format!("the book has more than {MOST_GUESSES} guesses: {all}"));
    }
    found
}

/// Returns `true` if `text` has `phrase` as whole words.
fn says(text: &str, phrase: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    whole(&text, phrase).next().is_some()
}

/// Returns what a reader of a page reads as sentences: without code, of claims and figures the
/// sentences alone, and of solutions all lines.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut listing = None;
    for line in text.lines() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            listing = match listing {
                None => Some(info),
                Some(_) => None,
            };
        } else if matches!(listing, None | Some("solution"))
            || ["says", "title"].iter().any(|key| line.starts_with(key))
        {
            // What stands between backticks is code.
            prose.extend(line.split('`').step_by(2));
            prose.push('\n');
        }
    }
    prose
}

/// Counts the words of a page without its listings, blocks, tables, diagrams and references.
pub(super) fn words(text: &str) -> usize {
    let mut count = 0;
    let (mut is_listing, mut is_diagram) = (false, false);
    for line in text.lines() {
        is_diagram = (is_diagram || line.starts_with("<figure")) && !line.contains("</figure>");
        if line.trim_start().starts_with("```") {
            is_listing = !is_listing;
        } else if !is_listing && !is_diagram && !line.starts_with(['|', '<']) {
            // A reference such as `{{ratio …}}` is printed as one number.
            let outside = line.split("{{").map(|part| part.rsplit("}}").next().unwrap_or(part));
            let words = outside.flat_map(str::split_whitespace);
            count += words.filter(|word| word.contains(char::is_alphanumeric)).count();
            count += line.matches("{{").count();
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_whole_words_and_not_in_code() {
        assert!(says(&prose("It waits for\nnobody."), "nobody"));
        assert!(!says(
            &prose("`nobody` is a series, and nobodyish no word.\n```\nnobody\n```\n"),
            "nobody"
        ));
        assert!(says(&prose("```claim\nsays = \"Nobody waits.\"\n```\n").to_lowercase(), "nobody"));
        assert!(says(&prose("```solution\nsays = '''\nOf\nnobody.\n'''\n```\n"), "nobody"));
    }

    #[test]
    fn words_are_counted_outside_of_blocks() {
        let text = "One two,\n```sh\nx y\n```\n| a | b |\n<figure>\nx\n</figure>\n\
                    three {{ratio a b}} – four.\n";
        assert_eq!(words(text), 5);
    }
}
