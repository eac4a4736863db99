//! Prints a book again after edits, as a server does, and compares it with a whole printing.

mod common;

use common::copy;
use press::cmd::build;
use press::cmd::reprint::Reprint;
use press::project::Project;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

/// A copy of the fixture, with the real book's configuration and theme.
struct Site {
    folder: TempDir,
    reprint: Reprint,
}

impl Site {
    fn new() -> Site {
        let folder = TempDir::new().unwrap();
        let root = folder.path();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&here.join("tests/data/site"), root);
        copy(&here.join("../theme"), &root.join("book/theme"));
        let config = fs::read_to_string(here.join("../book.toml")).unwrap();
        let config = config.replace("reference = \"emerald-rapids\"", "reference = \"reference\"");
        fs::write(root.join("book/book.toml"), config).unwrap();
        let project = Project::at(root);
        let reprint = Reprint::new(&project, root.join("book/book"));
        reprint.print().unwrap();
        Site { folder, reprint }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from}");
        fs::write(self.path(path), text.replace(from, to)).unwrap();
    }

    fn page(&self, path: &str) -> String {
        fs::read_to_string(self.path("book/book").join(path)).unwrap()
    }

    /// Returns the pages that are not as a whole printing prints them, but for `print.html`. The
    /// name of the search index tells its contents, which are of no interest.
    fn behind(&self) -> Vec<String> {
        let aside = TempDir::new().unwrap();
        build::build_to(&Project::at(self.folder.path()), aside.path()).unwrap();
        let (ours, whole) = (pages(&self.path("book/book")), pages(aside.path()));
        assert_eq!(ours.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
        let differ = |(path, text): (&PathBuf, &String)| {
            (*text != whole[path]).then(|| path.display().to_string())
        };
        ours.iter().filter_map(differ).filter(|path| path != "print.html").collect()
    }

    /// Returns the files that a printing writes.
    fn written(&self, print: impl FnOnce()) -> Vec<String> {
        let old = SystemTime::UNIX_EPOCH;
        let files = html(&self.path("book/book"));
        for file in &files {
            fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
        }
        print();
        let is_new = |file: &&PathBuf| fs::metadata(file).unwrap().modified().unwrap() > old;
        let root = self.path("book/book");
        let name = |file: &PathBuf| file.strip_prefix(&root).unwrap().display().to_string();
        html(&root).iter().filter(is_new).map(name).collect()
    }
}

/// Returns the pages below a folder, with the search index's name made the same in all.
fn pages(folder: &Path) -> BTreeMap<PathBuf, String> {
    let text = |path: PathBuf| {
        let mut text = fs::read_to_string(&path).unwrap();
        if let Some(at) = text.find("searchindex-") {
            let name = text[at..].split_once(".js").unwrap().0.to_owned();
            text = text.replace(&name, "searchindex");
        }
        (path.strip_prefix(folder).unwrap().to_owned(), text)
    };
    html(folder).into_iter().map(text).collect()
}

fn html(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(html(&path));
        } else if path.extension().is_some_and(|ending| ending == "html") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn an_edit_prints_the_pages_that_it_reaches_and_no_other() {
    let site = Site::new();
    assert_eq!(site.behind(), [""; 0]);

    // A sentence reaches its own page.
    site.edit("book/src/part/below.md", "No number at all", "Not a single number");
    let written = site.written(|| site.reprint.print().unwrap());
    assert_eq!(written, ["part/below.html"]);
    assert!(site.page("part/below.html").contains("Not a single number"));
    assert_eq!(site.behind(), [""; 0]);

    // A claim reaches the pages that quote it, and the list of all.
    site.edit("book/src/part/blocks.md", "by = 1.5", "by = 1000");
    let written = site.written(|| site.reprint.print().unwrap());
    for page in ["claims.html", "part/below.html", "part/blocks.html"] {
        assert!(written.contains(&page.to_owned()), "{page}: {written:?}");
    }
    for page in ["glossary.html", "index.html", "print.html"] {
        assert!(!written.contains(&page.to_owned()), "{page}: {written:?}");
    }
    assert!(site.page("part/below.html").contains("</span> fails</a>"));
    assert_eq!(site.behind(), [""; 0]);

    // The first page is printed under two names.
    site.edit("book/src/README.md", "\n", "\nFirst of all.\n");
    let written = site.written(|| site.reprint.print().unwrap());
    assert_eq!(written, ["index.html"]);
    assert_eq!(site.behind(), [""; 0]);

    let written = site.written(|| site.reprint.print().unwrap());
    assert_eq!(written, [""; 0], "nothing has changed");
}

#[test]
fn the_search_index_and_the_whole_book_on_a_page_follow() {
    let site = Site::new();
    assert!(!site.reprint.finish().unwrap(), "nothing is behind");
    site.edit("book/src/part/below.md", "No number at all", "Not a single abracadabra");
    site.reprint.print().unwrap();
    let index = |site: &Site| {
        let folder = fs::read_dir(site.path("book/book")).unwrap();
        let mut files = folder.map(|entry| entry.unwrap().path());
        let is_index = |path: &PathBuf| path.to_string_lossy().contains("searchindex-");
        fs::read_to_string(files.find(is_index).unwrap()).unwrap()
    };
    assert!(!index(&site).contains("abracadabra"));
    assert!(site.reprint.finish().unwrap());
    assert!(index(&site).contains("abracadabra"));
    assert!(site.page("print.html").contains("abracadabra"));
    assert_eq!(site.behind(), [""; 0]);
    assert!(!site.reprint.finish().unwrap());
}

#[test]
fn what_every_page_shows_prints_them_all() {
    let site = Site::new();
    let all = html(&site.path("book/book")).len();
    site.edit("book/src/SUMMARY.md", "[Glossary]", "[Words]");
    assert_eq!(site.written(|| site.reprint.print().unwrap()).len(), all);
    assert_eq!(site.behind(), [""; 0]);
    fs::write(site.path("book/theme/cards.css"), ".claim { color: red; }").unwrap();
    assert_eq!(site.written(|| site.reprint.print().unwrap()).len(), all);
    assert_eq!(site.behind(), [""; 0]);
    // Measurements are read again.
    fs::remove_file(site.path("book/machines/here/sendfile.json")).unwrap();
    site.reprint.print().unwrap();
    assert_eq!(site.behind(), [""; 0]);
    assert!(site.page("part/blocks.html").contains("Your machine: not measured"));
    // Of a picture, there is no page.
    fs::write(site.path("book/src/part/picture.svg"), "<svg/>").unwrap();
    site.reprint.print().unwrap();
    assert!(site.path("book/book/part/picture.svg").exists());
}

#[test]
fn a_fault_leaves_the_pages_and_its_repair_prints_them() {
    let site = Site::new();
    let before = site.page("part/below.html");
    site.edit("book/src/part/below.md", "sendfile.syscalls", "sendfile.nonsense");
    let written = site.written(|| {
        let error = site.reprint.print().unwrap_err().to_string();
        assert!(error.contains("book/src/part/below.md:"), "{error}");
    });
    assert_eq!((written, site.page("part/below.html")), (Vec::new(), before));
    site.edit("book/src/part/below.md", "sendfile.nonsense", "sendfile.syscalls");
    site.edit("book/src/part/below.md", "No number at all", "Not a single number");
    let written = site.written(|| site.reprint.print().unwrap());
    assert_eq!(written, ["part/below.html"]);
}
