//! The book on paper: mdBook's page of all chapters with a title page, a table of contents, footers
//! and everything unfolded, for a browser to print.

mod chapter;
mod contents;
pub mod lists;
pub mod outline;
pub mod pages;

use crate::model::Error;
use crate::page::programs::About;
use contents::Entry;
use maud::{DOCTYPE, PreEscaped, html};
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The file to print, from the site's root.
pub const PAPER: &str = "paper.html";

/// The element that mdBook puts between two chapters.
const BETWEEN: &str = r#"<div style="break-before: page; page-break-before: always;"></div>"#;

/// A chapter in the order of print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The title of its part.
    pub part: Option<String>,
    /// Its own title.
    pub title: String,
}

/// The page to print.
#[derive(Clone, Debug)]
pub struct Paper {
    /// Its HTML.
    pub html: String,
    /// The text of its headings, in order.
    pub titles: Vec<String>,
}

/// Returns the page to print, made from mdBook's `print.html`. `numbers` are the pages of the
/// anchors, which are known only after printing once: until then, the contents have placeholders
/// of the same width.
///
/// # Errors
///
/// If `print` does not hold these chapters.
pub fn document(
    print: &str,
    chapters: &[Printed],
    about: &About,
    numbers: &BTreeMap<String, usize>,
) -> Result<Paper, Error> {
    let main = print.split_once("<main").and_then(|(_, rest)| rest.split_once("</main>"));
    let main = main.and_then(|(main, _)| main.split_once('>')).map_or("", |(_, main)| main);
    let bodies: Vec<&str> = main.split(BETWEEN).collect();
    if bodies.len() != chapters.len() {
        return Err(Error::Failed(format!(
            "the page of all chapters holds {}, and the book has {}",
            bodies.len(),
            chapters.len()
        )));
    }
    let (mut entries, mut sections) = (Vec::new(), Vec::new());
    let mut part = None;
    for (number, (printed, body)) in chapters.iter().zip(bodies).enumerate() {
        let opens = printed.part.as_ref().filter(|title| part != Some(*title));
        part = printed.part.as_ref().or(part);
        let body = chapter::unfolded(body);
        if let Some(title) = opens {
            entries.push(Entry::part(title));
        }
        entries.extend(contents::headings(&body));
        sections.push(html! {
            section class="bound" style={ "page: c" (number) } {
                @if let Some(title) = opens { h1 class="part" id=(contents::part_id(title)) { (title) } }
                (PreEscaped(body))
            }
        });
    }
    let page = html! {
        (DOCTYPE)
        html lang="en" class="light paper" {
            head {
                meta charset="utf-8";
                title { (about.title) }
                @for sheet in sheets(print) { (PreEscaped(sheet)) }
                style { (PreEscaped(footers(about, chapters))) }
            }
            body {
                div id="mdbook-content" class="content" {
                    main {
                        (title_page(about))
                        (contents::contents(&entries, numbers))
                        @for section in &sections { (section) }
                    }
                }
                @if let Some(script) = highlighter(print) {
                    (PreEscaped(script))
                    script { (PreEscaped(HIGHLIGHT)) }
                }
            }
        }
    };
    let titles = entries.iter().map(Entry::title).collect();
    Ok(Paper { html: page.into_string(), titles })
}

/// Colors the listings, as mdBook's own script does.
const HIGHLIGHT: &str = "document.querySelectorAll('pre code[class*=language-]').forEach(code => \
                         hljs.highlightBlock(code));";

/// Returns the style sheets that a page of mdBook's links.
fn sheets(print: &str) -> impl Iterator<Item = &str> {
    static SHEET: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"<link rel="stylesheet"[^>]*>"#).expect("a constant"));
    SHEET.find_iter(print).map(|found| found.as_str())
}

/// Returns the script that colors listings.
fn highlighter(print: &str) -> Option<&str> {
    static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"<script src="highlight[^"]*"></script>"#).expect("a constant")
    });
    SCRIPT.find(print).map(|found| found.as_str())
}

/// Returns the rules of the footers. Each chapter has pages of its own name, whose footer is its
/// title.
fn footers(about: &About, chapters: &[Printed]) -> String {
    let quoted = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", text.replace('<', "\\3c "))
    };
    let mut css = String::new();
    for (number, chapter) in chapters.iter().enumerate() {
        css += &format!(
            "@page c{number} {{ @bottom-left {{ content: {}; }} @bottom-center {{ content: {}; }} }}\n",
            quoted(&about.title),
            quoted(&chapter.title)
        );
    }
    css
}

/// Renders the title page.
fn title_page(about: &About) -> maud::Markup {
    html! {
        section class="title-page" {
            p class="title" { (about.title) }
            p class="subtitle" { (about.description) }
            p class="authors" { (about.authors.join(", ")) }
            @if let Some(repository) = &about.repository {
                p { a href=(repository) { (repository) } }
            }
        }
    }
}
