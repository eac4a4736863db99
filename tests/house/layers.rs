//! Layers of the code. Imports go down: system calls (`sys`) at the bottom, what counts (`proof`)
//! above them, what examples, benches and tests share (`harness`) above both, then the techniques.
//! No file imports another that imports it, over however many steps.

use super::source::{self, Used};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The crates: the folder of the root file, and that file.
const CRATES: [(&str, &str); 5] = [
    ("src", "lib.rs"),
    ("book/press/src", "lib.rs"),
    ("benches/src", "lib.rs"),
    ("tests", "lib.rs"),
    ("tests/loom", "main.rs"),
];

/// The layers of the library below the techniques, from the bottom.
const LAYERS: [&str; 3] = ["sys", "proof", "harness"];

/// The modules of a technique that its example, bench and tests alone need.
const EXPERIMENTS: [&str; 2] = ["variants", "experiment"];

/// The technique that measures the machine: all of it is experiments.
const LABORATORY: [&str; 2] = ["measuring", "limits"];

/// A crate's modules, and which of them each one imports.
struct Imports {
    /// The file of each module.
    files: BTreeMap<Vec<String>, String>,
    edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
}

/// Lists circles of imports and imports that go up, one sentence each.
pub fn problems(root: &Path) -> Vec<String> {
    let mut found = vec![];
    for (folder, file) in CRATES {
        let imports = imports(root, folder, file);
        found.extend(circles(&imports));
        if folder == "src" {
            found.extend(upwards(&imports));
        }
    }
    found
}

fn imports(root: &Path, folder: &str, main: &str) -> Imports {
    let mut files = BTreeMap::new();
    for file in source::files(root, folder) {
        let inside = &file[folder.len() + 1..];
        // Other files beside the root are programs of their own.
        let is_program = (folder == "tests" && !inside.contains('/')) || inside == "main.rs";
        let is_other = folder == "tests" && inside.starts_with("loom/");
        if inside == main {
            files.insert(vec![], file);
        } else if !is_program && !is_other {
            let module = inside.trim_end_matches(".rs").trim_end_matches("/mod");
            files.insert(module.split('/').map(str::to_owned).collect(), file);
        }
    }
    let mut edges = BTreeMap::new();
    for (module, file) in &files {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        let used = source::used(module, &text).into_iter().filter(|used| !used.is_facade);
        let targets = used.filter_map(|Used { path, .. }| {
            // The module that a path leads to is its longest beginning that is one.
            (0..=path.len()).rev().find_map(|length| files.get_key_value(&path[..length]))
        });
        let targets = targets.map(|(target, _)| target).filter(|target| *target != module);
        edges.insert(module.clone(), targets.cloned().collect());
    }
    Imports { files, edges }
}

/// Lists a circle for each module that reaches itself, the shortest, and each circle once.
fn circles(imports: &Imports) -> Vec<String> {
    let mut found = BTreeSet::new();
    for start in imports.edges.keys() {
        let mut ways: BTreeMap<&[String], Vec<&[String]>> = BTreeMap::new();
        let mut next: Vec<Vec<&[String]>> = vec![vec![start]];
        'search: while !next.is_empty() {
            for way in std::mem::take(&mut next) {
                for target in &imports.edges[way[way.len() - 1]] {
                    if target == start {
                        let names = way.iter().map(|module| imports.files[*module].as_str());
                        let mut names: Vec<&str> = names.collect();
                        let first = names.iter().enumerate().min_by_key(|(_, name)| **name);
                        let first = first.map_or(0, |(index, _)| index);
                        names.rotate_left(first);
                        found.insert(format!("a circle of imports: {}", names.join(", ")));
                        break 'search;
                    }
                    if !ways.contains_key(target.as_slice()) {
                        let way: Vec<&[String]> =
                            way.iter().copied().chain([target.as_slice()]).collect();
                        ways.insert(target, way.clone());
                        next.push(way);
                    }
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Lists the imports of the library that go up: from a layer to one above it, and from what a
/// reader takes home to what only counts or compares.
fn upwards(imports: &Imports) -> Vec<String> {
    let layer = |module: &[String]| {
        LAYERS
            .iter()
            .position(|layer| module.first().is_some_and(|first| first == layer))
            .unwrap_or(LAYERS.len())
    };
    let is_experiment = |module: &[String]| {
        module.iter().take(2).eq(&LABORATORY)
            || module.iter().any(|part| EXPERIMENTS.contains(&part.as_str()))
    };
    let mut found = vec![];
    for (from, targets) in imports.edges.iter().filter(|(from, _)| !from.is_empty()) {
        for to in targets {
            let (mine, theirs) = (layer(from), layer(to));
            let (file, target) = (&imports.files[from], &imports.files[to]);
            if mine < theirs {
                found.push(format!("{file} imports {target}, which is a layer above it"));
            } else if mine < LAYERS.len() || is_experiment(from) {
                // Lower layers are for all; experiments may use everything.
            } else if theirs == LAYERS.len() && is_experiment(to) {
                found.push(format!("{file} imports the experiments of {target}"));
            } else if theirs == 1 || theirs == 2 {
                found.push(format!(
                    "{file} is what a reader takes home, and imports {target}, which is not"
                ));
            }
        }
    }
    found
}
