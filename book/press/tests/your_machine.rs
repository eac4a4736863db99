//! The summary of the reader's machine, claims by machine, and the pages of machines, printed from
//! a fixture and read.

mod common;

use common::copy;
use press::cmd::build;
use press::project::Project;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const CONFIG: &str = r#"
[book]
title = "T"

[preprocessor.press]
command = "true"
reference = "reference"
"#;

struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Site {
        let site = Site { folder: TempDir::new().unwrap() };
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&here.join("tests/data/site"), site.folder.path());
        fs::write(site.folder.path().join("book/book.toml"), CONFIG).unwrap();
        site
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.folder.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Prints the book and returns a page, from its heading on.
    fn page(&self, path: &str) -> String {
        build::build(&Project::at(self.folder.path())).unwrap();
        let page = fs::read_to_string(self.folder.path().join("book/book").join(path)).unwrap();
        let start = page.find("<main>").unwrap();
        page[start..page.find("</main>").unwrap()].to_owned()
    }
}

/// Returns a section of a page, from its heading to the next.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!(">{heading}</a></h2>")).unwrap_or_else(|| panic!("{heading}"));
    let rest = &page[start + 5..];
    rest.find("<h2").map_or(rest, |end| &rest[..end])
}

#[test]
fn what_comes_out_another_way_here_stands_first_with_its_likely_reason() {
    let page = Site::new().page("your-machine.html");
    let flipped = section(&page, "Another verdict than elsewhere");
    assert!(flipped.contains("part/blocks.html#claim-sendfile-syscalls"), "{flipped}");
    assert!(!flipped.contains("#claim-loop-syscalls"), "it fails on both");
    assert!(flipped.contains("Here:</span> <span class=\"verdict fails\">"), "{flipped}");
    assert!(flipped.contains("reference:</span> <span class=\"verdict holds\">"), "{flipped}");
    assert!(flipped.contains("<strong>Likely: </strong>"), "{flipped}");
    let fails = section(&page, "Fails here");
    assert!(fails.contains("#claim-loop-syscalls") && !fails.contains("#claim-sendfile-syscalls"));
    assert!(section(&page, "Holds here").contains("#claim-sendfile-1mib"));
    let missing = section(&page, "Not measured yet");
    assert!(missing.contains("<code>cargo book check</code>"), "{missing}");
    assert!(missing.contains("<code>cargo bench --bench limits</code>"), "{missing}");
    assert!(missing.contains("shows the noise of one run only"), "{missing}");
    let first = page.find("Another verdict than elsewhere").unwrap();
    assert!(first < page.find("Fails here").unwrap());
}

#[test]
fn a_site_without_own_results_says_how_to_get_them() {
    let site = Site::new();
    fs::remove_dir_all(site.folder.path().join("book/machines/here")).unwrap();
    let _ = fs::remove_dir_all(site.folder.path().join("target"));
    let page = site.page("your-machine.html");
    assert!(page.contains("has no results of your machine"), "{page}");
    assert!(page.contains("cargo book record"));
    assert!(section(&page, "Which command settles what").contains("<code>cargo book check</code>"));
    let matrix = site.page("claims-by-machine.html");
    assert!(!matrix.contains("Your machine"), "{matrix}");
}

#[test]
fn claims_by_machine_have_a_cell_with_words_for_each_machine() {
    let page = Site::new().page("claims-by-machine.html");
    let row = |id: &str| {
        let start = page.find(&format!("#claim-{id}\"")).unwrap_or_else(|| panic!("no row {id}"));
        &page[start..start + page[start..].find("</tr>").unwrap()]
    };
    let syscalls = row("sendfile-syscalls");
    assert_eq!(syscalls.matches("<td").count(), page.matches("<th scope=\"col\">").count() - 1);
    assert!(syscalls.contains("<span class=\"words\">holds</span>"), "{syscalls}");
    assert!(syscalls.contains("<span class=\"words\">fails</span>"), "{syscalls}");
    assert!(row("uring-syscalls").contains("not possible here: io_uring is forbidden"));
    // The filter hides rows whose machines agree, and shows the others.
    let classes = |id: &str| {
        let at = page.find(&format!("#claim-{id}\"")).unwrap();
        let start = page[..at].rfind("<tr").unwrap();
        &page[start..at]
    };
    assert!(!classes("sendfile-syscalls").contains("alike"));
    assert!(classes("loop-syscalls").contains("alike"));
    assert!(page.contains("id=\"only-differing\""));
}

#[test]
fn a_contributed_machine_is_shown_as_such_and_its_details_are_folded() {
    let site = Site::new();
    let about = "book/machines/reference/machine.json";
    let path = site.folder.path().join(about);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|_| "{\n  \"format\": 2,\n  \"about\": \"A.\"\n}\n".to_owned());
    fs::write(&path, text.replacen("\"format\": 2,", "\"format\": 2, \"by\": \"A `Team`\",", 1))
        .unwrap();
    let sources = "\"rounds\": 7,";
    site.edit(
        "book/machines/reference/sendfile.json",
        sources,
        &format!("\"sources\": \"0123456789abcdef\", {sources}"),
    );
    let page = site.page("machines/reference.html");
    assert!(page.contains("<p>Contributed by A <code>Team</code>. Recorded "), "{page}");
    assert!(page.contains("at commit 0123456789. The code of 1 of its 2 benches"), "{page}");
    assert!(site.page("machines.html").contains("Contributed by A <code>Team</code>."));
    let benches = section(&page, "Benches");
    assert!(benches.contains("<td>changed since</td>"), "{benches}");
    let (before, _) = page.split_once("<summary>Commit, cores and load").unwrap();
    assert!(!before.contains("Samples near") && page.contains("Samples near"), "folded");
    assert!(page.contains("<summary>Counts of sendfile, "));
    // A claim of a bench that has changed is marked.
    let matrix = site.page("claims-by-machine.html");
    assert!(matrix.contains("holds, and the bench has changed since"), "{matrix}");
}
