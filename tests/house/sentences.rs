//! The sentences of claims, which stand alone in the list of all claims, in programs' answers and
//! wherever they are quoted.

use super::lines::whole;
use super::pages;
use std::fs;
use std::path::Path;

/// Words that point at something outside the sentence.
const POINTERS: [&str; 9] = [
    "above",
    "at this",
    "below",
    "here",
    "such a",
    "the article",
    "the naive",
    "these",
    "this chapter",
];

/// Lists the claims whose sentences are several or point at what stands around them, one sentence
/// each.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for page in pages(root) {
        let text = fs::read_to_string(root.join("book/src").join(&page)).unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| line.starts_with("says")) {
            let sentence = line.split_once('"').map_or("", |(_, sentence)| sentence);
            let what = of(sentence.trim_end_matches('"')).into_iter();
            found.extend(what.map(|what| format!("book/src/{page}:{number} {what}")));
        }
    }
    found
}

/// Lists what is wrong with one sentence.
fn of(sentence: &str) -> Vec<String> {
    let mut found = vec![];
    let ends = sentence.match_indices(". ").filter(|(at, _)| {
        sentence[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '{' || c == '`')
    });
    if ends.count() > 0 {
        found.push(format!("claims in more than one sentence: \"{sentence}\""));
    }
    let lower = sentence.to_lowercase();
    // The first "the article" of a sentence may point back at "the Go article's" of the same one.
    let named = lower.contains("the go article");
    for pointer in POINTERS {
        let is_explained = named && pointer == "the article";
        if !is_explained && whole(&lower, pointer).next().is_some() {
            found.push(format!("claims something of \"{pointer}\": \"{sentence}\""));
        }
    }
    if ["it ", "they ", "both "].iter().any(|start| lower.starts_with(start)) {
        found.push(format!("claims something without its name: \"{sentence}\""));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_does_not_stand_alone_is_found() {
        let good = "Touching {{equals 1}} pages, 4.5 MiB, takes no call; the Go article's version, as \
                    the article says, takes two.";
        assert!(of(good).is_empty(), "{:?}", of(good));
        for (bad, why) in [
            ("It takes a call.", "without its name"),
            ("A write takes a call. A send takes two.", "more than one sentence"),
            ("A write takes a call. {{equals 1}} are short.", "more than one sentence"),
            ("The naive version takes a call.", "\"the naive\""),
            ("A write takes a call, in the order of the article.", "\"the article\""),
            ("These reads take a call.", "\"these\""),
        ] {
            assert!(of(bad).join("\n").contains(why), "{bad}: {:?}", of(bad));
        }
        assert!(of("A write takes the theses of others.").is_empty());
    }
}
