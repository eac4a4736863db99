//! The rules that hold the project's folders together.

pub mod api;
pub mod chapters;
pub mod layers;
pub mod lines;
pub mod outputs;
pub mod prose;
pub mod sentences;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Pages inside a part that describe no technique, and so have no example, bench or test.
pub const PROSE: [&str; 11] = [
    "concurrency/index.md",
    "concurrency/which-one.md",
    "io/index.md",
    "io/which-one.md",
    "measuring/figures.md",
    "measuring/index.md",
    "measuring/tools.md",
    "memory/index.md",
    "memory/which-one.md",
    "zero-copy/index.md",
    "zero-copy/which-one.md",
];

/// Hosts of papers and of the documentation of Linux, whose pages book/src/sources.md lists.
const SOURCES: [&str; 9] = [
    "dl.acm.org",
    "docs.kernel.org",
    "doi.org",
    "lwn.net",
    "man7.org",
    "sourceware.org",
    "www.cl.cam.ac.uk",
    "www.kernel.org",
    "www.usenix.org",
];

/// The longest piece of code that a chapter may show at once, in lines.
const LONGEST_PIECE: usize = 25;

/// The widest line of code that fits a page without scrolling, in columns.
const WIDEST_SHOWN: usize = 90;

/// Lists what breaks a rule in the project at `root`, one sentence each: "one word everywhere", and
/// the shape of a chapter.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let summary = read("book/src/SUMMARY.md");
    let readme = read("README.md");
    let techniques: BTreeSet<String> = stems(&root.join("examples"), "rs");
    if techniques.is_empty() {
        found.push("there is no example at all".to_owned());
    }

    for (folder, key) in [("benches", "[[bench]]"), ("tests", "[[test]]")] {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let files = source::files(root, folder);
        let targets = files.iter().filter_map(|file| {
            let name = file[folder.len() + 1..].trim_end_matches(".rs").trim_end_matches("/main");
            (name != "lib" && !name.contains('/')).then_some((file, name))
        });
        for (file, name) in targets {
            if !manifest.contains(&format!("{key}\nname = \"{name}\"\n")) {
                found
                    .push(format!("{file} is not listed in {folder}/Cargo.toml, so it never runs"));
            }
        }
    }

    for document in ["README.md", "CONTRIBUTING.md"] {
        let text = read(document);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(target, _)| target);
        for target in
            targets.filter(|target| !target.contains("://") && !root.join(target).exists())
        {
            found.push(format!("{document} links {target}, which is not there"));
        }
    }

    let pages = pages(root);
    for page in &pages {
        if !summary.contains(&format!("({page})")) {
            found.push(format!("book/src/{page} is not in SUMMARY.md"));
        }
        found.extend(pieces(root, page));
        let text = read(&format!("book/src/{page}"));
        let exercises = text.lines().filter(|line| *line == "```solution").count();
        if text.contains("\n## Try it\n") && !(2..=3).contains(&exercises) {
            found.push(format!("book/src/{page} has {exercises} exercises, not two or three"));
        }
        let Some((part, file)) = page.split_once('/') else { continue };
        // The opening of a part answers the question of each of its chapters.
        let opening = format!("book/src/{part}/index.md");
        if file != "index.md" && !read(&opening).contains(&format!("]({file})")) {
            found.push(format!("{opening} does not list {page}"));
        }
        let name = file.trim_end_matches(".md").replace('-', "_");
        let is_technique = techniques.contains(&name);
        if PROSE.contains(&page.as_str()) {
            if is_technique {
                found.push(format!(
                    "book/src/{page} is exempt as prose, but examples/{name}.rs exists"
                ));
            }
        } else if !is_technique {
            found.push(format!("book/src/{page} has no examples/{name}.rs"));
        }
    }
    for exempt in PROSE.iter().filter(|exempt| !pages.iter().any(|page| page == *exempt)) {
        found.push(format!("book/src/{exempt} is exempt as prose, but does not exist"));
    }

    for name in &techniques {
        for needed in [format!("benches/{name}.rs"), format!("tests/{name}.rs")] {
            if !root.join(&needed).is_file() {
                found.push(format!("examples/{name}.rs has no {needed}"));
            }
        }
        let file = format!("{}.md", name.replace('_', "-"));
        let Some(page) =
            pages.iter().find(|page| page.split_once('/').is_some_and(|(_, end)| end == file))
        else {
            found.push(format!("no chapter {file} for examples/{name}.rs"));
            continue;
        };
        let part = page.split('/').next().unwrap_or_default().replace('-', "_");
        let module = format!("src/{part}/{name}");
        if !root.join(format!("{module}.rs")).is_file()
            && !root.join(format!("{module}/mod.rs")).is_file()
        {
            found.push(format!("book/src/{page} has no module {module}"));
        }
        let text = read(&format!("book/src/{page}"));
        for command in
            [format!("cargo run --release --example {name}"), format!("cargo bench --bench {name}")]
        {
            if !text.contains(&command) {
                found.push(format!("book/src/{page} never says `{command}`"));
            }
        }
        if !readme.contains(&format!("(book/src/{page})")) {
            found.push(format!("README.md does not list book/src/{page}"));
        }
    }
    found
}

/// Lists what is wrong with the pieces of code that a page includes: a file or an anchor that is
/// not there, a piece that is too long.
fn pieces(root: &Path, page: &str) -> Vec<String> {
    let path = root.join("book/src").join(page);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let mut found = vec![];
    for (number, line) in text.lines().enumerate() {
        let Some(target) =
            line.trim().strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"))
        else {
            continue;
        };
        let place = format!("book/src/{page}:{}", number + 1);
        // Data beside the page is no code to read.
        if target.ends_with(".json") && path.with_file_name(target).is_file() {
            continue;
        }
        let Some((file, anchor)) = target.split_once(':') else {
            found.push(format!("{place}: {target} includes a whole file"));
            continue;
        };
        let source = fs::read_to_string(path.with_file_name(file)).unwrap_or_default();
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let at = |mark: &str| {
            lines.iter().position(|line| {
                let line = line.trim_end_matches("-->").trim_end();
                line.ends_with(&format!("{mark}: {anchor}"))
            })
        };
        match (at("ANCHOR"), at("ANCHOR_END")) {
            (Some(start), Some(end)) if end > start => {
                let marks = lines[start + 1..end]
                    .iter()
                    .filter(|line| line.starts_with("// ANCHOR"))
                    .count();
                let length = end - start - 1 - marks;
                if length > LONGEST_PIECE {
                    found.push(format!(
                        "{place}: {target} is {length} lines long, more than {LONGEST_PIECE}"
                    ));
                }
            }
            _ => found.push(format!("{place}: {target} does not exist")),
        }
    }
    found
}

/// Lists the headings of columns that are empty, which a screen reader cannot name, and the fences
/// of listings that do not stand alone, one sentence each.
pub fn markup_problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for page in pages(root) {
        let text = fs::read_to_string(root.join("book/src").join(&page)).unwrap_or_default();
        let next = text.lines().skip(1).chain([""]);
        for (number, (line, next)) in (1..).zip(text.lines().zip(next)) {
            let cells = line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
            let is_heading = next.starts_with("| --");
            if is_heading
                && cells.is_some_and(|row| row.split('|').any(|cell| cell.trim().is_empty()))
            {
                found.push(format!("book/src/{page}:{number} has a column without a heading"));
            }
            if line.trim_end().ends_with("```") && !line.trim_start().starts_with("```") {
                found
                    .push(format!("book/src/{page}:{number} ends a listing behind something else"));
            }
        }
    }
    found
}

/// Lists the lines of code that a chapter shows and that are too wide for a page, one sentence
/// each. A listing begins at the margin: the press removes the indentation that its lines share.
pub fn wide_pieces(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for page in pages(root) {
        let path = root.join("book/src").join(&page);
        let text = fs::read_to_string(&path).unwrap_or_default();
        // The lines of the listing at hand, each with its place.
        let mut listing: Vec<(String, String)> = vec![];
        for line in text.lines().map(str::trim) {
            if line.starts_with("```") {
                let lines = std::mem::take(&mut listing);
                let texts = lines.iter().map(|(_, text)| text).filter(|text| !text.is_empty());
                let margins = texts.map(|text| text.len() - text.trim_start().len());
                let margin = margins.min().unwrap_or(0);
                for (place, text) in &lines {
                    let width = text.chars().count().saturating_sub(margin);
                    if width > WIDEST_SHOWN {
                        found.push(format!(
                            "{place} has {width} columns, more than {WIDEST_SHOWN}, where book/src/{page} shows it"
                        ));
                    }
                }
            }
            let target = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
            let Some((file, anchor)) = target.and_then(|target| target.split_once(':')) else {
                continue;
            };
            let source = fs::read_to_string(path.with_file_name(file)).unwrap_or_default();
            let lines = (1..).zip(source.lines());
            let ends = |line: &str, mark: &str| line.trim().ends_with(&format!("{mark}: {anchor}"));
            let piece = lines
                .skip_while(|(_, line)| !ends(line, "ANCHOR"))
                .skip(1)
                .take_while(|(_, line)| !ends(line, "ANCHOR_END"))
                .filter(|(_, line)| !line.trim().starts_with("// ANCHOR"));
            let file = file.trim_start_matches("../");
            listing.extend(piece.map(|(number, line)| (format!("{file}:{number}"), line.into())));
        }
    }
    found
}

/// Lists the sources of the chapters that book/src/sources.md lacks, and the addresses there that
/// no chapter links, one sentence each.
pub fn source_problems(root: &Path) -> Vec<String> {
    let read =
        |page: &str| fs::read_to_string(root.join("book/src").join(page)).unwrap_or_default();
    let listed: BTreeSet<String> = addresses(&read("sources.md"));
    let mut linked = BTreeSet::new();
    let mut found = vec![];
    for page in pages(root).iter().filter(|page| page.contains('/')) {
        for address in addresses(&read(page)) {
            let host = address.split('/').nth(2).unwrap_or_default();
            if SOURCES.contains(&host) && !listed.contains(&address) {
                found.push(format!("book/src/sources.md lacks {address}, a source of {page}"));
            }
            linked.insert(address);
        }
    }
    for address in listed.difference(&linked) {
        found.push(format!("book/src/sources.md has {address}, which no chapter links"));
    }
    found
}

/// Returns the addresses that a page links, without the places inside their pages.
fn addresses(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("https://").map(|(start, _)| &text[start..]);
    let ends = |c: char| c.is_whitespace() || matches!(c, ')' | '#' | '"' | '`' | '}');
    starts.filter_map(|rest| rest.split(ends).next()).map(str::to_owned).collect()
}

/// Returns the source of the test target `name`: `tests/NAME.rs`, and its parts in `tests/NAME/`.
pub fn test_source(root: &Path, name: &str) -> String {
    let parts = source::files(root, &format!("tests/{name}"));
    let files = [format!("tests/{name}.rs")].into_iter().chain(parts);
    files.map(|file| fs::read_to_string(root.join(file)).unwrap_or_default()).collect()
}

/// Lists the pages of the book, as paths below book/src.
fn pages(root: &Path) -> Vec<String> {
    let source = root.join("book/src");
    let mut found = vec![];
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md")
                && !path.ends_with("SUMMARY.md")
            {
                let page = path.strip_prefix(&source).unwrap_or(&path);
                found.push(page.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// Returns the names of the files in `folder` that end in `.extension`.
fn stems(folder: &Path, extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|end| end == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}
