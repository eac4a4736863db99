//! Files published beside the pages: the API documentation, the files for programs, the archive
//! and the PDF; and the links to them.

use super::appendix::Generated;
use super::html::up;
use super::programs::{CLAIMS, LLMS};
use crate::chapter::Page;
use crate::ids::slashed;
use maud::{Markup, html};
use std::path::{Path, PathBuf};

/// The folder of the API documentation, from the site's root.
pub const API: &str = "api";

/// The crate that is documented.
pub const CRATE: &str = "perf_proved";

/// The files beside the pages that the reader can take along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The PDF, from the site's root.
    pub pdf: Option<String>,
    /// The archive, from the site's root.
    pub archive: Option<String>,
}

/// Renders the link from a chapter to the documentation of its module; `None` for a page that has
/// no module.
#[must_use]
pub fn module(page: &Page, root: &Path) -> Option<Markup> {
    let part = page.path.parent()?.to_str()?.replace('-', "_");
    let modules = match page.technique().as_str() {
        _ if part.is_empty() => return None,
        "index" => vec![part],
        technique => vec![part, technique.to_owned()],
    };
    let source = root.join("src").join(modules.join("/"));
    if !source.join("mod.rs").is_file() {
        return None;
    }
    let address = format!("{}{API}/{CRATE}/{}/index.html", up(&page.path), modules.join("/"));
    Some(html! {
        p class="api" {
            "API documentation: "
            a href=(address) { code { (CRATE) "::" (modules.join("::")) } }
        }
    })
}

/// Returns the page that lists what there is beside the pages.
#[must_use]
pub fn page(extras: &Extras) -> Generated {
    let item = |address: &str, name: &str, about: &str| {
        html! { li { a href=(address) { (name) } ": " (about) } }
    };
    let list = html! {
        ul {
            @if let Some(pdf) = &extras.pdf { (item(pdf, "PDF", "the whole book on paper.")) }
            @if let Some(archive) = &extras.archive {
                (item(archive, "Archive", "these pages to read offline; unpack it and open index.html."))
            }
            (item(
                &slashed(&Path::new(API).join(CRATE).join("index.html")),
                "API documentation",
                "the modules, types and functions that the chapters explain.",
            ))
            (item(
                CLAIMS,
                CLAIMS,
                "every claim with its verdict, value and interval on each machine, as JSON.",
            ))
            (item(LLMS, LLMS, "the list of pages for language models."))
        }
    };
    Generated {
        title: "Other forms of this book".to_owned(),
        path: PathBuf::from("forms.md"),
        markdown: format!("# Other forms of this book\n\n{}\n", list.into_string()),
    }
}
