//! Finds measured numbers that were typed by hand.
//!
//! A number with a unit of measurement in prose is either measured here, so that a reference prints
//! it, or comes from elsewhere, so that `{{quoted …}}` names its source. Sizes in KiB, MiB, GiB and
//! bytes are parameters, not measurements.

use super::markdown::{self, Source, ends_a_block};
use super::references;
use crate::model::Problem;
use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

/// A placeholder for anything but prose: neither a unit nor a digit.
const GAP: char = '\u{fffc}';

/// Returns a problem for every number with a unit of measurement in the page's prose: text,
/// headings, tables, HTML. Code, blocks, link targets and references are not prose.
pub fn typed_numbers(page: &Path, markdown: &str) -> Vec<Problem> {
    let source = Source::new(page, markdown);
    let mut blanked = markdown.to_string();
    for reference in references::references(page, markdown).0 {
        // The same number of bytes, so that places stay the same, and none that is markup.
        let gap = "\u{1}".repeat(reference.range.len());
        blanked.replace_range(reference.range, &gap);
    }
    prose(&blanked)
        .into_iter()
        .flat_map(|passage| {
            let source = &source;
            typed(&passage.text).into_iter().map(move |range| Problem {
                place: source.place(passage.source_of(range.start)),
                message: format!(
                    "a number typed by hand, `{}`: refer to the measurement, or name the source \
                     with {{{{quoted \"…\" https://…}}}}",
                    &passage.text[range]
                ),
            })
        })
        .collect()
}

/// Returns the numbers with a unit of measurement in one sentence, such as a claim's.
pub fn typed_in(sentence: &str) -> Vec<String> {
    prose(sentence)
        .iter()
        .flat_map(|passage| {
            typed(&passage.text).into_iter().map(|range| passage.text[range].to_string())
        })
        .collect()
}

/// The running text of one paragraph, heading, cell or item, without markup.
#[derive(Default)]
struct Passage {
    text: String,
    /// The pieces of the text: their starts in the text and in the source.
    pieces: Vec<(usize, usize)>,
}

impl Passage {
    /// Appends text that starts at byte `source` of the page.
    fn push(&mut self, text: &str, source: usize) {
        self.pieces.push((self.text.len(), source));
        self.text.push_str(text);
    }

    /// Returns the byte of the page that byte `at` of the text comes from.
    fn source_of(&self, at: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= at);
        self.pieces.get(piece.wrapping_sub(1)).map_or(0, |(start, source)| source + (at - start))
    }
}

/// Returns a page's prose. Bold and links do not interrupt a passage: `**60** ns` is one.
fn prose(markdown: &str) -> Vec<Passage> {
    let mut passages = vec![Passage::default()];
    let mut in_code = false;
    for (event, range) in markdown::events(markdown) {
        let last = passages.len() - 1;
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) if !in_code => passages[last].push(&text, range.start),
            Event::Code(_) | Event::InlineMath(_) => {
                passages[last].push(&GAP.to_string(), range.start)
            }
            Event::InlineHtml(tag) => in_code = opens_code(&tag).unwrap_or(in_code),
            Event::SoftBreak | Event::HardBreak => passages[last].push(" ", range.start),
            Event::Start(Tag::HtmlBlock) => {
                let text = html_text(&markdown[range.clone()]);
                passages[last].push(&text, range.start);
            }
            Event::Start(tag) if ends_a_block(tag.to_end()) => passages.push(Passage::default()),
            Event::End(end) if ends_a_block(end) => passages.push(Passage::default()),
            _ => {}
        }
    }
    passages
}

/// Returns `true` if an HTML tag in running text begins something other than prose, `false` if it
/// ends it, and `None` if it does neither.
fn opens_code(tag: &str) -> Option<bool> {
    let (name, opens) = match tag.strip_prefix("</") {
        Some(rest) => (rest, false),
        None => (tag.strip_prefix('<')?, true),
    };
    let name = name.split(|c: char| !c.is_ascii_alphabetic()).next()?.to_ascii_lowercase();
    ["style", "script", "pre", "code"].contains(&name.as_str()).then_some(opens)
}

/// Blanks everything but the text of HTML, byte for byte.
fn html_text(html: &str) -> String {
    static NOT_TEXT: LazyLock<Regex> = LazyLock::new(|| {
        let elements = ["style", "script", "pre", "code"]
            .map(|name| format!(r"<{name}\b.*?</{name}\s*>|"))
            .concat();
        Regex::new(&format!("(?is)<!--.*?-->|{elements}<[^>]*>")).expect("a constant")
    });
    NOT_TEXT
        .replace_all(html, |found: &regex::Captures<'_>| " ".repeat(found[0].len()))
        .into_owned()
}

/// Returns the ranges of a text that are a number with a unit of measurement.
fn typed(text: &str) -> Vec<std::ops::Range<usize>> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        let space = r"[\s\u{a0}\u{2009}\u{202f}]";
        // A unit of letters must end where the word ends; signs need no such care.
        let words = [
            // time
            "ns|µs|μs|us|ms|s|min|h|secs?|(?:nano|micro|milli)?seconds?|minutes?|hours?",
            // amounts in decimal units, which only measurements have here, and clock rates
            "[kKMGT]B|[kMG]Hz|[KMG]i?bps|[kMG]bit",
            // factors and counts of work
            "x|times|fold|percent|cycles?|ops",
            // rates
            r"[\p{Alphabetic}]*/(?:s|sec|second)",
            r"(?:[\p{Alphabetic}]+\s)?per\s(?:second|minute|µs|μs|us|ms|ns|s)",
        ]
        .join("|");
        let unit = format!(r"(?:{space}|-)?(?:{words})\b|{space}?(?:%|‰|×|⨯)");
        let number = format!(r"(?:[0-9][0-9,._]*)(?:{unit})|×{space}?[0-9][0-9,.]*");
        Regex::new(&number).expect("a constant")
    });
    // A dimension (`4 x 4`, `1920×1080`) has a number on either side of the sign.
    let sign = |c: char| matches!(c, 'x' | '×' | '⨯');
    NUMBER
        .find_iter(text)
        .filter(|found| {
            let before = text[..found.start()].chars().next_back();
            let after = text[found.end()..].trim_start().chars().next();
            let name = before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                || part_of_a_name(&text[..found.start()]);
            let product = found.as_str().ends_with(sign)
                && after.is_some_and(|c| c.is_ascii_digit())
                || found.as_str().starts_with(sign)
                    && text[..found.start()].trim_end().ends_with(|c: char| c.is_ascii_digit());
            !name && !product && !decade(found.as_str())
        })
        .map(|found| found.range())
        .collect()
}

/// Returns `true` if a number after this text belongs to a name: `x86-64`, `HTTP/1.1`.
fn part_of_a_name(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    word.ends_with(['-', '/', '.']) && word.contains(char::is_alphabetic)
}

/// Returns `true` for four digits and an s, as in `1990s`.
fn decade(text: &str) -> bool {
    text.len() == 5 && text.ends_with('s') && text[..4].bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(markdown: &str) -> Vec<String> {
        typed_numbers(Path::new("a.md"), markdown).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn typed_numbers_are_caught() {
        for text in [
            "60 ns",
            "60ns",
            "1.8×",
            "1.8 ×",
            "×1.8",
            "3x faster",
            "3 x faster",
            "12 %",
            "12%",
            "12 percent",
            "2.5 GB/s",
            "2.5 GiB/s",
            "100 KiB/s",
            "800 MB/s",
            "100 µs",
            "100 μs",
            "100 us",
            "0.3 ms",
            "10 times",
            "3-fold",
            "57,000/s",
            "57,000 requests/s",
            "57,000 requests per second",
            "300 per second",
            "2 s",
            "2s",
            "5 minutes",
            "5 seconds",
            "40 cycles",
            "16 GB",
            "10 Gbps",
            "3.2 GHz",
            "60\u{a0}ns",
            "60&nbsp;ns",
            "60&thinsp;ns",
            "**60** ns",
            "**60 ns**",
            "[60 ns](https://a.example)",
            "60\nns",
            "a (60 ns) b",
            "-5 %",
            "~60 ns",
            "60 ns.",
            "1–2 ms",
            "1-2 ms",
            "# Sixty: 60 ns",
            "- item 60 ns",
            "> quote 60 ns",
            "| a |\n|---|\n| 60 ns |",
            "a[^1]\n\n[^1]: 60 ns",
            "![60 ns](a.svg)",
            "<p>60 ns</p>",
            "<figure>\n<text x=\"1\">1.8×</text>\n</figure>",
            "a <b>60</b> ns",
            "1,000,000 ns",
            "60 nanoseconds",
        ] {
            assert!(!found(text).is_empty(), "{text:?} was let through");
            assert!(!typed_in(text).is_empty(), "{text:?} was let through");
        }
    }

    #[test]
    fn what_is_no_measurement_is_let_through() {
        for text in [
            "64 KiB",
            "64KiB",
            "1 MiB and 2 GiB",
            "4096 bytes",
            "HTTP/1.1",
            "HTTP/1.1 times out",
            "x86-64 s",
            "x86_64",
            "2 cores",
            "sendfile(2)",
            "sendfile(2) sends",
            "2024-05-01",
            "May 2024",
            "the 1990s",
            "Linux 5.10",
            "rustc 1.95",
            "0x7ffff000",
            "`60 ns`",
            "a `x` ns",
            "```text\n60 ns\n```",
            "    60 ns",
            "[a](https://b.example/60ns)",
            "[a](b.md \"t\")",
            "five times",
            "{{quoted \"60 ns\" https://a.example/60%20ns}}",
            "{{measured g/f/64KiB}}",
            "8 bits",
            "4 × 4",
            "1920×1080",
            "4 x 4",
            "3 threads",
            "step 2. So on",
            "section 3.2 says",
            "page 12 shows",
            "IPv4 stack",
            "SHA-256",
            "UTF-8",
            "a 2-core machine",
            "<div style=\"width: 50%\"></div>",
            "<svg width=\"100%\"><style>a { top: 5%; }</style></svg>",
            "<!-- 60 ns -->",
            "<pre>60 ns</pre>",
            "v2ms",
            "9 rounds",
            "`f` 2 `s`",
            "errno 11 means",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text:?}");
        }
    }

    #[test]
    fn the_place_is_that_of_the_number() {
        let page = "# T\n\nOne {{noise a_b}} two\nthree **60** ns.\n\n\
                    ```text\n1 ns\n```\n\n| a |\n|---|\n| 5 % |\n";
        assert_eq!(
            found(page).iter().map(|p| p.split(": refer").next().unwrap()).collect::<Vec<_>>(),
            ["a.md:4: a number typed by hand, `60 ns`", "a.md:12: a number typed by hand, `5 %`"]
        );
        assert!(found("A&nbsp;b\n\nc&nbsp;d 60&nbsp;ns")[0].starts_with("a.md:3: "));
    }

    #[test]
    fn only_the_reference_escapes() {
        assert_eq!(found("{{quoted \"60 ns\" https://a.example}} and 70 ns").len(), 1);
        assert_eq!(found("{{quoted \"60 ns\"}}").len(), 1, "without its source it is typed");
        assert_eq!(found("`{{quoted` 60 ns https://a.example `}}`").len(), 1);
    }
}
