//! Checks a printed book: every internal link, anchor and image leads somewhere, and no page has an
//! id twice.
//!
//! Addresses on other sites are not requested, because a build must not depend on them.

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use percent_encoding::percent_decode_str;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The extent of a check, and the faults that it found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The number of HTML files read.
    pub pages: usize,
    /// The number of internal references followed.
    pub links: usize,
    /// One line for each fault: page, reference, reason.
    pub problems: Vec<String>,
}

/// Follows every internal reference of every page below `folder`.
///
/// # Errors
///
/// Returns an error if a file cannot be read.
pub fn check(folder: &Path) -> io::Result<Report> {
    let mut pages = BTreeMap::new();
    read(folder, Path::new(""), &mut pages)?;
    let mut report = Report { pages: pages.len(), ..Report::default() };
    for (path, page) in &pages {
        let name = path.display();
        report
            .problems
            .extend(page.twice.iter().map(|id| format!("{name}: the id `{id}` appears twice")));
        for reference in &page.references {
            let Some((target, fragment)) = resolve(path, page.at_root, reference) else {
                continue;
            };
            report.links += 1;
            let Some(target) = target.filter(|target| exists(folder, target)) else {
                report.problems.push(format!("{name}: `{reference}` leads to no file"));
                continue;
            };
            let file =
                if folder.join(&target).is_dir() { target.join("index.html") } else { target };
            if let (Some(fragment), Some(page)) = (fragment, pages.get(&file))
                && !page.has(&fragment)
            {
                report.problems.push(format!(
                    "{name}: `{reference}` names an anchor that {} lacks",
                    file.display()
                ));
            }
        }
    }
    Ok(report)
}

fn exists(folder: &Path, target: &Path) -> bool {
    let path = folder.join(target);
    path.is_file() || path.join("index.html").is_file()
}

/// The ids and references of a page.
#[derive(Debug, Default)]
struct Page {
    ids: BTreeSet<String>,
    twice: BTreeSet<String>,
    references: BTreeSet<String>,
    /// `true` if links start at the site's root, wherever the page is, as `<base>` says on the 404
    /// page.
    at_root: bool,
}

impl Page {
    /// Returns `true` if a fragment, as it is written or decoded, is an id of the page. rustdoc's
    /// pages of sources have an id for each line, and resolve a range of lines by script.
    fn has(&self, fragment: &str) -> bool {
        let is_line = |text: &str| text.parse::<u32>().is_ok() && self.ids.contains(text);
        self.ids.contains(fragment)
            || self.ids.contains(&decode(fragment))
            || fragment.split_once('-').is_some_and(|(from, to)| is_line(from) && is_line(to))
    }
}

fn read(folder: &Path, below: &Path, pages: &mut BTreeMap<PathBuf, Page>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read(folder, &path, pages)?;
        } else if path.extension().is_some_and(|e| e == "html") {
            pages.insert(path, parse(&fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

fn parse(html: &str) -> Page {
    let sink = Sink::default();
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    // The tokenizer pauses at the end of each script, which nothing runs here.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

#[derive(Default)]
struct Sink(RefCell<Page>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        if tag.kind != TagKind::StartTag {
            return TokenSinkResult::Continue;
        }
        let mut page = self.0.borrow_mut();
        let name = &*tag.name;
        if name == "base" {
            page.at_root = attribute(&tag, "href")
                .is_some_and(|href| href.starts_with('/') || href.contains("://"));
        } else {
            for reference in ["href", "src"].iter().filter_map(|a| attribute(&tag, a)) {
                page.references.insert(reference);
            }
        }
        if let Some(id) = attribute(&tag, "id")
            && !page.ids.insert(id.clone())
        {
            page.twice.insert(id);
        }
        // The content of these is not markup.
        match name {
            "script" => TokenSinkResult::RawData(html5ever::tokenizer::states::RawKind::ScriptData),
            "style" => TokenSinkResult::RawData(html5ever::tokenizer::states::RawKind::Rawtext),
            _ => TokenSinkResult::Continue,
        }
    }
}

fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs.iter().find(|a| &*a.name.local == name).map(|a| a.value.to_string())
}

/// Returns the file below the root, and the anchor in it, that a reference on `page` leads to. The
/// file is `None` if the reference leaves the book by `..`; the whole is `None` if it leads to
/// another site.
fn resolve(
    page: &Path,
    at_root: bool,
    reference: &str,
) -> Option<(Option<PathBuf>, Option<String>)> {
    let scheme = reference.split(['/', '?', '#']).next().is_some_and(|start| start.contains(':'));
    if scheme || reference.starts_with("//") {
        return None;
    }
    let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let address = decode(address.split('?').next().unwrap_or_default());
    let start = if at_root { Path::new("") } else { page.parent().unwrap_or(Path::new("")) };
    let target = match address.strip_prefix('/') {
        Some(from_root) => normal(Path::new(from_root)),
        None if address.is_empty() => Some(page.to_owned()),
        None => normal(&start.join(&address)),
    };
    Some((target, Some(fragment.to_owned()).filter(|f| !f.is_empty())))
}

/// Resolves the `..` in a path, or returns `None` if it leads above the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => out.push(part),
            Component::ParentDir if !out.pop() => return None,
            _ => {}
        }
    }
    Some(out)
}

/// Decodes percent-encoded text.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, files: &[(&str, &str)]) -> Report {
        let folder =
            std::env::temp_dir().join(format!("press-links-{name}-{}", std::process::id()));
        for (path, content) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let report = check(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        report
    }

    #[test]
    fn a_sound_book_has_no_problems() {
        let report = site(
            "sound",
            &[
                (
                    "index.html",
                    r##"<h1 id="top"></h1><a href="part/a.html#x%20y">a</a><a href="#top">t</a>
                        <img src="i.svg">"##,
                ),
                (
                    "part/a.html",
                    r#"<p id="x y"><a href="../index.html">b</a><a href="../part/">p</a>
                       <a href="https://x.org/#n">o</a>"#,
                ),
                ("part/index.html", "<script>const s = '<a href=\"nowhere\">';</script>"),
                ("404.html", r#"<base href="/"><a href="part/a.html">a</a>"#),
                ("part/404.html", r#"<base href="https://x.org/"><a href="part/a.html">a</a>"#),
                ("i.svg", "<svg/>"),
                (
                    "api/index.html",
                    r##"<p id="impl-From%3CT%3E"><a href="#impl-From%3CT%3E">i</a>
                        <a href="a.rs.html#1-2">l</a>"##,
                ),
                ("api/a.rs.html", r##"<a id=1></a><a id=2></a>"##),
            ],
        );
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!((report.pages, report.links), (7, 9));
    }

    #[test]
    fn what_leads_nowhere_is_found() {
        let report = site(
            "broken",
            &[
                (
                    "index.html",
                    r##"<a href="gone.html">a</a><a href="b.html#gone">b</a><a href="#gone">c</a>
                        <img src="gone.svg"><a href="b.html#1-9">l</a>"##,
                ),
                ("b.html", r#"<p id="one"><p id="one"><a href="../outside.html">o</a>"#),
            ],
        );
        let expected = [
            "b.html: `../outside.html` leads to no file",
            "b.html: the id `one` appears twice",
            "index.html: `#gone` names an anchor that index.html lacks",
            "index.html: `b.html#1-9` names an anchor that b.html lacks",
            "index.html: `b.html#gone` names an anchor that b.html lacks",
            "index.html: `gone.html` leads to no file",
            "index.html: `gone.svg` leads to no file",
        ];
        let mut found = report.problems;
        found.sort();
        assert_eq!(found, expected);
    }
}
