//! Files published beside the pages: the API documentation, the files for programs, the archive
//! and the PDF; and the links to them.

use super::appendix::Generated;
use super::html::up;
use super::programs::{CLAIMS, LLMS};
use crate::chapter::Page;
use crate::ids::slashed;
use maud::{Markup, html};
use std::fs;
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
    let (address, module) = published(&modules);
    Some(html! {
        p class="api" {
            "API documentation: "
            a href={ (up(&page.path)) (address) } { code { (module) } }
        }
    })
}

/// Returns the address of a module's documentation, from the site's root, and the module's path.
fn published(modules: &[String]) -> (String, String) {
    let address = format!("{API}/{CRATE}/{}/index.html", modules.join("/"));
    (address, format!("{CRATE}::{}", modules.join("::")))
}

/// Returns the address, from the site's root, of the documentation of a source file's module, and
/// the module's path. A module that is private, or that not every system has, is documented by the
/// one around it. `None` for a file that is not below `src/`, or of which nothing is public.
#[must_use]
pub fn documentation(file: &Path, root: &Path) -> Option<(String, String)> {
    let inside = file.strip_prefix("src").ok()?.with_extension("");
    let mut around = root.join("src/lib.rs");
    let mut modules = Vec::new();
    for name in slashed(&inside).split('/').filter(|name| !["lib", "mod"].contains(name)) {
        if !fs::read_to_string(&around).is_ok_and(|text| declares(&text, name)) {
            break;
        }
        modules.push(name.to_owned());
        let folder = root.join("src").join(modules.join("/"));
        around = folder.join("mod.rs");
        if !around.is_file() {
            around = folder.with_extension("rs");
        }
    }
    (!modules.is_empty()).then(|| published(&modules))
}

/// Returns `true` if a module's source declares a public module on every system.
fn declares(source: &str, name: &str) -> bool {
    let declaration = format!("pub mod {name};");
    let before = source.lines().take_while(|line| line.trim() != declaration);
    let (before, all) = (before.collect::<Vec<_>>(), source.lines().count());
    before.len() < all && before.last().is_none_or(|line| !line.trim().starts_with("#[cfg("))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;

    #[test]
    fn a_file_is_documented_by_the_nearest_module_that_is_public_everywhere() {
        let folder = tempfile::TempDir::new().unwrap();
        write(folder.path(), "src/lib.rs", "pub mod part;\nmod hidden;\n");
        write(folder.path(), "src/part/mod.rs", "pub mod copy;\npub(crate) mod own;\n");
        let copy = "mod private;\n#[cfg(target_os = \"linux\")]\npub mod linux;\npub mod naive;\n";
        write(folder.path(), "src/part/copy.rs", copy);
        let of = |file: &str| documentation(Path::new(file), folder.path());
        let module = |path: &str| {
            let address = format!("api/perf_proved/{}/index.html", path.replace("::", "/"));
            Some((address, format!("perf_proved::{path}")))
        };
        assert_eq!(of("src/part/mod.rs"), module("part"));
        assert_eq!(of("src/part/copy.rs"), module("part::copy"));
        assert_eq!(of("src/part/copy/naive.rs"), module("part::copy::naive"));
        assert_eq!(of("src/part/copy/private.rs"), module("part::copy"));
        assert_eq!(of("src/part/copy/linux.rs"), module("part::copy"));
        assert_eq!(of("src/part/own.rs"), module("part"));
        assert_eq!(of("src/hidden/deep.rs"), None);
        assert_eq!(of("src/lib.rs"), None);
        assert_eq!(of("examples/part.rs"), None);
    }
}
