//! A listing with its caption: the files that the code comes from, each a link to the whole file if
//! the repository's address is known, and to its documentation where that is published beside.

use super::beside;
use super::html::up;
use crate::chapter::listings::Listing;
use crate::ids::slashed;
use maud::{Markup, html};
use std::path::{Component, Path, PathBuf};

/// Renders a listing of `page` as Markdown; one without files is its block alone. `page` is its
/// path below `book/src`, `repository` the address without a slash at its end, `documented` the
/// project's folder if its API documentation is published beside the pages.
#[must_use]
pub fn listing(
    listing: &Listing,
    page: &Path,
    repository: Option<&str>,
    documented: Option<&Path>,
) -> String {
    if listing.files.is_empty() {
        return listing.block.clone();
    }
    let folder = Path::new("book/src").join(page.parent().unwrap_or(page));
    let files = listing.files.iter().map(|file| normal(&folder.join(file))).collect::<Vec<_>>();
    let documentation = |file: &Path| {
        let (address, module) = beside::documentation(file, documented?)?;
        Some((up(page) + &address, module))
    };
    let caption = caption(&files, repository, documentation).into_string();
    // The empty lines end mdBook's block of HTML, so that the listing between is Markdown.
    format!("<figure class=\"listing\">\n{caption}\n\n{}\n</figure>\n", listing.block)
}

fn caption(
    files: &[PathBuf],
    repository: Option<&str>,
    documentation: impl Fn(&Path) -> Option<(String, String)>,
) -> Markup {
    html! {
        figcaption {
            @for (i, path) in files.iter().enumerate() {
                @let file = slashed(path);
                @if i > 0 { ", " }
                @match repository {
                    Some(repository) => a href={ (repository) "/blob/HEAD/" (file) } { (file) },
                    None => span { (file) },
                }
                @if let Some((address, module)) = documentation(path) {
                    " (" a href=(address) aria-label={ "API documentation of " (module) } { "API" } ")"
                }
            }
        }
    }
}

/// Returns a path without `..`, as far as its own components allow.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if normal.pop() => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(files: &[&str], repository: Option<&str>) -> String {
        let block = "```rust\nfn f() {}\n```\n".to_owned();
        let files = files.iter().map(PathBuf::from).collect();
        let listed = Listing { range: 0..0, block, files };
        listing(&listed, Path::new("zero-copy/a.md"), repository, None)
    }

    #[test]
    fn a_caption_names_the_files_from_the_root() {
        let one = shown(&["../../../src/zero_copy/a.rs"], None);
        assert!(one.contains("<figcaption><span>src/zero_copy/a.rs</span></figcaption>"), "{one}");
        let two = shown(&["../../../src/a.rs", "../../../src/b.rs"], None);
        assert!(two.contains("<span>src/a.rs</span>, <span>src/b.rs</span>"), "{two}");
        assert_eq!(shown(&[], None), "```rust\nfn f() {}\n```\n");
    }

    #[test]
    fn a_caption_links_the_whole_file_if_the_repository_is_known() {
        let one = shown(&["../../../src/a.rs"], Some("https://example.org/book"));
        let link = "<a href=\"https://example.org/book/blob/HEAD/src/a.rs\">src/a.rs</a>";
        assert!(one.contains(link), "{one}");
    }
}
