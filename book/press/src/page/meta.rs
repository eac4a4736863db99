//! The words that a search engine or another site shows of a page: a description, which is the
//! opening of its text, and the tags of Open Graph.
//!
//! mdBook's template knows one description, the book's. So these go into the pages that mdBook has
//! printed, in place of that one.

use maud::{Markup, html};
use mdbook_driver::config::Config;
use std::fs;
use std::io;
use std::path::Path;

/// The picture that other sites show of a page, from the book's root.
pub const PICTURE: &str = "social.png";
/// The picture's width and height.
pub const SIZE: (u32, u32) = (1200, 630);

/// A description ends with the sentence that reaches this many characters.
const ENOUGH: usize = 60;
/// Search engines cut a description off at about this many characters.
const MOST: usize = 200;

/// The facts that the tags of all pages share.
pub struct Site {
    title: String,
    description: String,
    /// The site's address, with a slash at its end; not known of a book on a reader's disk.
    address: Option<String>,
}

impl Site {
    /// Reads the book's title and description, and the site's address, `site-url`, if it is
    /// absolute.
    #[must_use]
    pub fn new(config: &Config) -> Site {
        let address = config.html_config().and_then(|html| html.site_url);
        Site {
            title: config.book.title.clone().unwrap_or_default(),
            description: config.book.description.clone().unwrap_or_default(),
            address: address
                .filter(|address| address.starts_with("http"))
                .map(|address| format!("{}/", address.trim_end_matches('/'))),
        }
    }

    /// Puts the tags into every page below `folder`, the root of the printed book.
    ///
    /// # Errors
    ///
    /// Returns an error if a page cannot be read or written.
    pub fn finish(&self, folder: &Path) -> io::Result<()> {
        self.finish_below(folder, "")
    }

    fn finish_below(&self, folder: &Path, path: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let file = entry?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if file.is_dir() {
                self.finish_below(&file, &format!("{path}{name}/"))?;
            } else if name.ends_with(".html") {
                let page = fs::read_to_string(&file)?;
                if let Some(finished) = self.page(&page, &format!("{path}{name}")) {
                    fs::write(&file, finished)?;
                }
            }
        }
        Ok(())
    }

    /// Returns a page with its tags, or `None` for one that mdBook's template did not make. `path`
    /// is the page's path from the book's root.
    fn page(&self, page: &str, path: &str) -> Option<String> {
        let start = page.find("<meta name=\"description\"")?;
        let end = start + page[start..].find('>')? + 1;
        let title = between(page, "<title>", "</title>")?;
        let whole = path == "print.html" || path == "404.html";
        let opening = if whole { None } else { opening(page) };
        let description = opening.unwrap_or_else(|| self.description.clone());
        let tags = self.tags(path, &unescaped(title), &description).into_string();
        Some(format!("{}{tags}{}", &page[..start], &page[end..]))
    }

    fn tags(&self, path: &str, title: &str, description: &str) -> Markup {
        let own = title.strip_suffix(&format!(" - {}", self.title)).unwrap_or(title);
        // The cover is there twice, once under the name of its chapter.
        let cover = path == "index.html" || path == "introduction.html";
        let at = if cover { "" } else { path };
        html! {
            meta name="description" content=(description);
            meta property="og:type" content=(if cover { "website" } else { "article" });
            meta property="og:site_name" content=(self.title);
            meta property="og:title" content=(if cover { &self.title } else { own });
            meta property="og:description" content=(description);
            @if let Some(address) = self.address.as_deref().filter(|_| path != "404.html") {
                link rel="canonical" href={ (address) (at) };
                meta property="og:url" content={ (address) (at) };
                meta property="og:image" content={ (address) (PICTURE) };
                meta property="og:image:width" content=(SIZE.0);
                meta property="og:image:height" content=(SIZE.1);
                meta property="og:image:alt" content={ "The title “" (self.title) "”" };
                meta name="twitter:card" content="summary_large_image";
            }
        }
    }
}

/// Returns the first sentences of a page's text, without the intervals of its numbers.
fn opening(page: &str) -> Option<String> {
    let main = between(page, "<main", "</main>")?;
    let text = main.split_once("</h1>").map_or(main, |(_, text)| text);
    let paragraph = match (text.find("<p>"), text.find("<li>")) {
        (Some(p), Some(li)) if li < p => between(text, "<li>", "</li>")?,
        _ => between(text, "<p>", "</p>")?,
    };
    let plain = plain(paragraph);
    // The label of an answer is for those who see the answers side by side.
    let plain = plain.strip_prefix("Answer: ").unwrap_or(&plain);
    let mut chosen = String::new();
    for sentence in sentences(plain) {
        if chosen.chars().count() >= ENOUGH
            || !chosen.is_empty() && chosen.chars().count() + sentence.chars().count() > MOST
        {
            break;
        }
        chosen += sentence;
    }
    let chosen = chosen.trim();
    (!chosen.is_empty()).then(|| chosen.to_owned())
}

/// Divides a text into sentences, each with the space behind it.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let ends = [". ", "? ", "! "].iter().filter_map(|mark| rest.find(mark)).min();
        let (sentence, left) = rest.split_at(ends.map_or(rest.len(), |end| end + 2));
        rest = left;
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// Returns the text of a piece of HTML, on one line.
fn plain(html: &str) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some((before, after)) = rest.split_once('<') {
        text += before;
        let hidden = after.starts_with("small").then_some("</small>");
        let hidden = hidden.or(after.starts_with("svg").then_some("</svg>"));
        rest = after.split_once(hidden.unwrap_or(">")).map_or("", |(_, rest)| rest);
    }
    text += rest;
    let words = unescaped(&text);
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    // The space before an interval.
    line.replace(" .", ".").replace(" ,", ",")
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'")];
    let text = pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: Option<&str>) -> Site {
        Site {
            title: "Book".to_owned(),
            description: "Of the book.".to_owned(),
            address: address.map(str::to_owned),
        }
    }

    fn page(main: &str) -> String {
        format!(
            "<head><title>A &amp; b - Book</title><meta name=\"description\" content=\"x\"></head>\
             <main id=\"text\"><h1>A</h1>{main}</main>"
        )
    }

    #[test]
    fn a_page_is_described_by_its_opening() {
        let text = "<p>It costs 2.8× <small class=\"interval\">(2 to 3×)</small> of <code>a &lt; \
                    b</code>, which\nis much more than a reader would have thought it is. More.</p>";
        let printed = site(None).page(&page(text), "a/b.html").unwrap();
        let expected = "<meta name=\"description\" content=\"It costs 2.8× of a &lt; b, which is \
                        much more than a reader would have thought it is.\">";
        assert!(printed.contains(expected), "{printed}");
        assert!(
            printed.contains("<meta property=\"og:title\" content=\"A &amp; b\">"),
            "{printed}"
        );
        assert!(!printed.contains("og:image") && !printed.contains("content=\"x\""), "{printed}");
    }

    #[test]
    fn a_short_sentence_is_followed_by_the_next_one_and_a_label_is_left_out() {
        let answer = "<ul><li><strong>Answer:</strong> It is. Because of this.</li></ul><p>No.</p>";
        assert_eq!(opening(&page(answer)).as_deref(), Some("It is. Because of this."));
        let long = format!("<p>Short. {}.</p>", "long ".repeat(60));
        assert_eq!(opening(&page(&long)).as_deref(), Some("Short."));
        assert_eq!(opening(&page("")), None);
        let printed = site(None).page(&page(""), "a.html").unwrap();
        assert!(printed.contains("content=\"Of the book.\""), "{printed}");
    }

    #[test]
    fn a_site_with_an_address_has_pictures_and_addresses() {
        let printed = site(Some("https://e.org/b/")).page(&page("<p>A.</p>"), "a/b.html").unwrap();
        for tag in [
            "<link rel=\"canonical\" href=\"https://e.org/b/a/b.html\">",
            "<meta property=\"og:url\" content=\"https://e.org/b/a/b.html\">",
            "<meta property=\"og:image\" content=\"https://e.org/b/social.png\">",
        ] {
            assert!(printed.contains(tag), "{tag} in {printed}");
        }
        let cover = site(Some("https://e.org/b/")).page(&page("<p>A.</p>"), "index.html").unwrap();
        assert!(cover.contains("href=\"https://e.org/b/\"") && cover.contains("\"website\""));
        assert_eq!(site(None).page("<title>x</title>", "toc.html"), None);
    }

    #[test]
    fn only_an_absolute_address_is_one() {
        let of = |toml: &str| Site::new(&toml.parse().unwrap()).address;
        assert_eq!(of("[output.html]\nsite-url = \"/book/\""), None);
        let address = of("[output.html]\nsite-url = \"https://e.org/b\"");
        assert_eq!(address.as_deref(), Some("https://e.org/b/"));
    }

    #[test]
    fn the_picture_has_the_size_that_the_tags_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src").join(PICTURE);
        let png = fs::read(path).unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((&png[12..16], number(16), number(20)), (&b"IHDR"[..], SIZE.0, SIZE.1));
    }
}
