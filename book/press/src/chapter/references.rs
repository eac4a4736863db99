//! Finds references to numbers in running prose.

use super::markdown::Source;
use super::times::times;
use crate::ids::{benchmark_id, count_key, identifier, kebab};
use crate::model::{Inline, Problem, Spanned};
use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

/// Returns the references of one page in order, and a problem for each malformed one. Code spans
/// and code blocks are left alone, and so is every `{{word …}}` with another word, since mdBook has
/// its own.
pub fn references(page: &Path, markdown: &str) -> (Vec<Spanned<Inline>>, Vec<Problem>) {
    static START: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\{\{\s*(measured|counted|ratio|difference|share|percent|crossover|claim|found|noise|quoted)\b")
            .expect("a constant")
    });
    let source = Source::new(page, markdown);
    let code = source.code();
    let mut references = Vec::new();
    let mut problems = Vec::new();
    for found in START.captures_iter(markdown) {
        let (whole, word) = (found.get_match(), &found[1]);
        if code.iter().any(|range| range.contains(&whole.start())) {
            continue;
        }
        let rest = &markdown[whole.end()..];
        // A reference may span two lines but not two paragraphs, and holds no other reference.
        let end = rest
            .find("}}")
            .filter(|end| !rest[..*end].contains("{{") && !rest[..*end].contains("\n\n"));
        let read = match end {
            Some(end) => arguments(&rest[..end]).and_then(|arguments| inline(word, &arguments)),
            None => Err("it is never closed with }}".to_string()),
        };
        match (read, end) {
            (Ok(item), Some(end)) => {
                references.push(Spanned { range: whole.start()..whole.end() + end + 2, item });
            }
            (Ok(_), None) => {}
            (Err(message), _) => problems.push(Problem {
                place: source.place(whole.start()),
                message: format!("{{{{{word} …}}}}: {message}"),
            }),
        }
    }
    (references, problems)
}

/// Splits arguments at white space outside quotes.
fn arguments(text: &str) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (argument, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote is never closed")?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        arguments.push(argument.split_whitespace().collect::<Vec<_>>().join(" "));
        rest = after.trim_start();
    }
    Ok(arguments)
}

/// Reads the reference that `word` and its arguments make.
fn inline(word: &str, arguments: &[String]) -> Result<Inline, String> {
    let id = |id: &String| benchmark_id(id).map(|()| id.clone());
    match (word, arguments) {
        ("measured", [text]) => {
            let (text, throughput) = match text.strip_suffix(".throughput") {
                Some(id) => (id.to_string(), true),
                None => (text.clone(), false),
            };
            Ok(Inline::Measured { id: id(&text)?, throughput })
        }
        ("counted", [text]) => {
            count_key(text).map(|(example, key)| Inline::Counted { example, key })
        }
        ("ratio", [a, b]) => Ok(Inline::Ratio { a: id(a)?, b: id(b)? }),
        ("difference", [a, b]) => Ok(Inline::Difference { a: id(a)?, b: id(b)? }),
        ("share", [a, b, of, whole @ ..]) if of == "of" && !whole.is_empty() => Ok(Inline::Share {
            part: times("share", &[a.clone(), b.clone()])?,
            whole: times("share", whole)?,
        }),
        ("percent", [a, b]) => Ok(Inline::Percent { a: id(a)?, b: id(b)? }),
        ("crossover", [group, a, b]) => {
            Ok(Inline::Crossover { group: group.clone(), a: a.clone(), b: b.clone() })
        }
        ("claim", [id]) if kebab(id) => Ok(Inline::Claim { id: id.clone() }),
        ("found", [id]) if kebab(id) => Ok(Inline::Found { id: id.clone() }),
        ("noise", [bench]) if identifier(bench) => Ok(Inline::Noise { bench: bench.clone() }),
        ("quoted", [text, url]) if url.starts_with("https://") || url.starts_with("http://") => {
            Ok(Inline::Quoted { text: text.clone(), url: url.clone() })
        }
        _ => Err(format!("its form is {}", usage(word))),
    }
}

/// Returns the form of the reference that begins with `word`.
fn usage(word: &str) -> &'static str {
    match word {
        "measured" => "{{measured ID}} or {{measured ID.throughput}}",
        "counted" => "{{counted example/variant.quantity}}",
        "ratio" => "{{ratio ID ID}}",
        "difference" => "{{difference ID ID}}",
        "share" => "{{share ID ID of ID}} or {{share ID ID of ID ID}}",
        "percent" => "{{percent ID ID}}",
        "crossover" => "{{crossover GROUP FUNCTION FUNCTION}}",
        "claim" => "{{claim ID}}",
        "found" => "{{found ID}}",
        "noise" => "{{noise BENCH}}",
        _ => "{{quoted \"words\" https://source}}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Times;

    fn read(markdown: &str) -> (Vec<Spanned<Inline>>, Vec<String>) {
        let (references, problems) = references(Path::new("a.md"), markdown);
        (references, problems.iter().map(Problem::to_string).collect())
    }

    fn one(markdown: &str) -> Inline {
        let (references, problems) = read(markdown);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(references.len(), 1, "{markdown}");
        references[0].item.clone()
    }

    #[test]
    fn every_reference_is_read() {
        let s = str::to_string;
        assert_eq!(
            one("{{measured g/f/1MiB}}"),
            Inline::Measured { id: s("g/f/1MiB"), throughput: false }
        );
        assert_eq!(
            one("{{measured g/f/1MiB.throughput}}"),
            Inline::Measured { id: s("g/f/1MiB"), throughput: true }
        );
        assert_eq!(one("{{counted e/v.q}}"), Inline::Counted { example: s("e"), key: s("v.q") });
        assert_eq!(one("{{ratio g/a\n  g/b}}"), Inline::Ratio { a: s("g/a"), b: s("g/b") });
        assert_eq!(one("{{difference g/a g/b}}"), Inline::Difference { a: s("g/a"), b: s("g/b") });
        let part = Times::Difference(s("g/a"), s("g/b"));
        assert_eq!(
            one("{{share g/a g/b of g/c}}"),
            Inline::Share { part: part.clone(), whole: Times::Of(s("g/c")) }
        );
        assert_eq!(
            one("{{share g/a g/b\n  of g/c g/d}}"),
            Inline::Share { part, whole: Times::Difference(s("g/c"), s("g/d")) }
        );
        assert_eq!(
            one("{{percent \"g/a b\" g/b}}"),
            Inline::Percent { a: s("g/a b"), b: s("g/b") }
        );
        assert_eq!(
            one("{{ crossover g a b }}"),
            Inline::Crossover { group: s("g"), a: s("a"), b: s("b") }
        );
        assert_eq!(one("{{claim a-b-1}}"), Inline::Claim { id: s("a-b-1") });
        assert_eq!(one("{{found a-b-1}}"), Inline::Found { id: s("a-b-1") });
        assert_eq!(one("{{noise g}}"), Inline::Noise { bench: s("g") });
        assert_eq!(
            one("{{quoted \"60 ns\" https://a.example/b_c}}"),
            Inline::Quoted { text: s("60 ns"), url: s("https://a.example/b_c") }
        );
    }

    #[test]
    fn ranges_cover_exactly_the_reference() {
        let page = "One {{noise a}}, |\n\n| a | {{ratio g/_a_ g/_b_}} |\n";
        let found: Vec<&str> =
            read(page).0.iter().map(|reference| &page[reference.range.clone()]).collect();
        assert_eq!(found, ["{{noise a}}", "{{ratio g/_a_ g/_b_}}"]);
    }

    #[test]
    fn code_comments_and_other_words_are_left_alone() {
        let page = "`{{noise a}}`\n\n```text\n{{measured}}\n```\n\n    {{ratio}}\n\n\
                    <!-- {{quoted}} -->\n\n\
                    {{#include x.rs}} {{measuredly a}} a <!-- {{noise}} --> b\n";
        let (references, problems) = read(page);
        assert!(references.is_empty() && problems.is_empty(), "{references:?} {problems:?}");
    }

    #[test]
    fn a_malformed_reference_is_named_with_its_line() {
        for (text, expected) in [
            ("{{measured}}", "{{measured …}}: its form is {{measured ID}}"),
            ("{{measured g}}", "{{measured …}}: a benchmark is named"),
            ("{{measured g/f g/h}}", "{{measured …}}: its form is"),
            ("{{counted e/v}}", "{{counted …}}: a count is named"),
            ("{{ratio g/a}}", "{{ratio …}}: its form is"),
            ("{{difference g/a}}", "{{difference …}}: its form is"),
            ("{{share g/a g/b}}", "{{share …}}: its form is"),
            ("{{share g/a g/b of}}", "{{share …}}: its form is"),
            ("{{share g/a g/b of g/c g/d g/e}}", "{{share …}}: `share` names one benchmark"),
            ("{{crossover g/a g/b}}", "{{crossover …}}: its form is"),
            ("{{claim A}}", "{{claim …}}: its form is {{claim ID}}"),
            ("{{found A}}", "{{found …}}: its form is {{found ID}}"),
            ("{{noise g/a}}", "{{noise …}}: its form is"),
            ("{{quoted \"60 ns\"}}", "{{quoted …}}: its form is"),
            ("{{quoted \"60 ns\" see}}", "{{quoted …}}: its form is"),
            ("{{quoted \"60 ns https://a.example}}", "{{quoted …}}: a quote is never closed"),
            ("{{noise g} and so on", "{{noise …}}: it is never closed"),
            ("{{noise g\n\nNext }}", "{{noise …}}: it is never closed"),
        ] {
            let (references, problems) = read(&format!("One\n\n{text}\n"));
            assert!(
                references.is_empty() && problems.len() == 1,
                "{text}: {references:?} {problems:?}"
            );
            assert!(problems[0].starts_with(&format!("a.md:3: {expected}")), "{problems:?}");
        }
        assert_eq!(read("{{noise a {{noise b}}").0.len(), 1, "the second is whole");
    }
}
