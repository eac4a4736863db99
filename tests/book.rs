//! The book holds together: one word everywhere, and every rule is able to fail.

use perf_proved_tests::house::{self, problems};
use perf_proved_tests::{breaks, root};
use press::machine::{Environment, Machine};
use press::model::{Claim, Proof, Verdict};
use press::project::Project;
use press::prove::{examples, judge};
use press::{book, chapter};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn one_word_everywhere() {
    let found = problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn imports_go_down() {
    let found = house::layers::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn modules_link_their_chapters() {
    let found = house::api::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn lines_fit_and_comments_are_plain() {
    let found = house::lines::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn pages_are_plain_and_chapters_short() {
    let found = house::prose::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn chapters_answer_first_and_headings_say_what_was_found() {
    let found = house::chapters::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn sentences_of_claims_stand_alone() {
    let found = house::sentences::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn outputs_name_their_commands_and_commands_can_be_pasted() {
    let found = house::outputs::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Runs the examples whose output a chapter shows, and compares.
#[test]
fn every_example_prints_what_its_chapter_shows() {
    let shown = house::outputs::shown(&root());
    let examples =
        shown.iter().filter_map(|shown| Some((shown, shown.by.strip_prefix("example=")?)));
    let mut ran = 0;
    for (shown, example) in examples {
        let output = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--release", "--example", example])
            .current_dir(root())
            .output()
            .expect("running cargo");
        let kept = Project::at(root()).ran().join(format!("{example}.json"));
        let kept = fs::read_to_string(&kept).unwrap_or_else(|e| panic!("{}: {e}", kept.display()));
        assert!(kept.starts_with('{'), "{example} keeps {kept} for the book");
        let printed = String::from_utf8_lossy(&output.stdout);
        let drifted = house::outputs::drifted(&shown.lines, &printed);
        let place = &shown.place;
        assert_eq!(drifted, None, "book/src/{place}: {example} does not print it, but\n{printed}");
        ran += 1;
    }
    assert!(ran > 0, "no chapter shows what an example prints");
}

#[test]
fn sources_are_those_of_the_chapters() {
    let found = house::source_problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn tables_have_headings_and_listings_end() {
    let found = house::markup_problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn code_that_is_shown_fits_the_page() {
    let found = house::wide_pieces(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The whole book is well-formed, and each number that it refers to is there.
#[test]
fn every_page_loads() {
    if let Err(error) = book::load(&Project::at(root())) {
        panic!("{error}");
    }
}

/// Runs every example, and judges the counted and observed claims by what they count.
#[test]
fn every_counted_claim_holds_here() {
    let project = Project::at(root());
    let mut here = Machine::new("here");
    here.now = Some(Environment::read(&project));
    for example in project.examples() {
        let counted = examples::run(&project, &example).unwrap_or_else(|error| panic!("{error}"));
        here.counts.insert(example, counted);
    }

    let pages = chapter::pages(&project).unwrap_or_else(|error| panic!("{error}"));
    let claims: Vec<&Claim> = pages
        .iter()
        .flat_map(|page| page.claims())
        .filter(|claim| matches!(claim.proof, Proof::Counted(_) | Proof::Observed(_)))
        .collect();
    assert!(!claims.is_empty(), "no chapter counts anything");
    let mut wrong = vec![];
    for claim in claims {
        let judged = judge::judge(claim, &here);
        match judged.verdict {
            Verdict::Holds => {}
            Verdict::NotPossible(_) | Verdict::DoesNotApply(_) | Verdict::NotSeen => {
                eprintln!("{}: {}: {}", claim.id, judged.verdict.words(), judged.found);
            }
            other => wrong.push(format!("{}: {}: {}", claim.id, other.words(), judged.found)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `--help` prints a usage text to standard output and exits with 0, whatever else is asked.
#[test]
fn every_example_answers_help() {
    for example in Project::at(root()).examples() {
        for arguments in [&["--help"][..], &["-h"], &["--json", "--help"]] {
            let output = Command::new(env!("CARGO"))
                .args(["run", "--quiet", "--release", "--example", &example, "--"])
                .args(arguments)
                .current_dir(root())
                .output()
                .expect("running cargo");
            let said = String::from_utf8_lossy(&output.stdout);
            let complaints = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{example} {arguments:?}: {complaints}");
            let names_itself = said.contains(&format!("cargo run --release --example {example}"));
            assert!(said.contains("Usage: ") && names_itself, "{example} {arguments:?}: {said}");
            assert!(said.contains("--help") && said.contains("--json"), "{example}: {said}");
        }
    }
}

/// A package alone has its dependencies with the same features as in the whole workspace. Otherwise
/// cargo would compile them, and what depends on them, once more for `cargo book` or an example.
#[test]
fn one_build_serves_every_command() {
    let packages = |arguments: &[&str]| -> BTreeSet<String> {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--prefix", "none", "--format", "{p} {f}"])
            .args(arguments)
            .current_dir(root())
            .output()
            .expect("running cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    // Without benches/tools, which no other command builds.
    let all = packages(&[]);
    for package in ["perf-proved", "press"] {
        let alone = packages(&["--edges", "no-dev", "--package", package]);
        let other: Vec<_> = alone.difference(&all).collect();
        assert!(other.is_empty(), "{package} alone has other features: {other:#?}");
    }
}

/// A claim that never fails proves nothing: each one that does not rest on a clock has a break in
/// `.ci/breaks`, and each break applies.
#[test]
fn every_claim_that_a_check_can_judge_has_its_break() {
    let found = breaks::problems(&root());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The names of tests in `.ci/unsafe` and `.ci/race` are parts of names that exist: a filter that
/// matches nothing runs nothing, and a `--skip` that matches nothing skips nothing.
#[test]
fn the_deeper_checks_name_tests_that_exist() {
    let read = |path: String| fs::read_to_string(root().join(path)).unwrap();
    let mut lists: Vec<(String, String)> = vec![];
    for line in read(".ci/unsafe".to_owned()).lines() {
        let (target, words) = line.split_once(' ').expect("a target and its tests");
        lists.push((target.to_owned(), words.to_owned()));
    }
    let race = read(".ci/race".to_owned());
    let (_, words) = race.split_once("--test-threads=1 ").expect("the stress tests");
    lists.push(("ring_buffer".to_owned(), words.lines().next().unwrap_or_default().to_owned()));
    for (target, words) in lists {
        let text = house::test_source(&root(), &target);
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("fn ")?.split('(').next())
            .collect();
        for word in words.split(' ').filter(|word| *word != "--skip") {
            let exists = names.iter().any(|name| name.contains(word));
            assert!(exists, "tests/{target}.rs has no test that `{word}` is part of");
        }
    }
}

/// Copies what the rules look at, changes one thing, and returns what they then say.
fn after(change: impl FnOnce(&Path)) -> String {
    said_after(problems, change)
}

/// Returns what `rule` says of a copy of the project after a change.
fn said_after(rule: fn(&Path) -> Vec<String>, change: impl FnOnce(&Path)) -> String {
    let copy = tempfile::tempdir().unwrap();
    for name in [
        ".ci/breaks",
        "README.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "CONTRIBUTING.md",
        "benches",
        "book/chapter.png",
        "book/src",
        "examples",
        "src",
        "tests",
    ] {
        copy_tree(&root().join(name), &copy.path().join(name));
    }
    change(copy.path());
    rule(copy.path()).join("\n")
}

fn copy_tree(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy_tree(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has no `{from}`", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_missing_bench_test_example_or_chapter_is_noticed() {
    let without = |path: &'static str| after(move |root| fs::remove_file(root.join(path)).unwrap());
    assert!(
        without("benches/sendfile.rs").contains("examples/sendfile.rs has no benches/sendfile.rs")
    );
    assert!(without("tests/sendfile.rs").contains("examples/sendfile.rs has no tests/sendfile.rs"));
    assert!(
        without("examples/sendfile.rs")
            .contains("zero-copy/sendfile.md has no examples/sendfile.rs")
    );
    assert!(
        without("book/src/zero-copy/sendfile.md")
            .contains("no chapter sendfile.md for examples/sendfile.rs")
    );
    assert!(
        without("book/src/measuring/figures.md").contains("exempt as prose, but does not exist")
    );
}

#[test]
fn a_renamed_module_is_noticed() {
    let said = after(|root| fs::rename(root.join("src/zero_copy"), root.join("src/zero")).unwrap());
    assert!(said.contains("zero-copy/sendfile.md has no module src/zero_copy/sendfile"), "{said}");
}

#[test]
fn what_cargo_is_not_told_of_is_noticed() {
    let said = after(|root| fs::write(root.join("tests/forgotten.rs"), "").unwrap());
    assert!(said.contains("tests/forgotten.rs is not listed in tests/Cargo.toml"), "{said}");
    let said = after(|root| {
        fs::create_dir(root.join("tests/forgotten")).unwrap();
        fs::write(root.join("tests/forgotten/main.rs"), "").unwrap();
    });
    assert!(said.contains("tests/forgotten/main.rs is not listed in tests/Cargo.toml"), "{said}");
    let said = after(|root| fs::write(root.join("benches/forgotten.rs"), "").unwrap());
    assert!(said.contains("benches/forgotten.rs is not listed in benches/Cargo.toml"), "{said}");
}

#[test]
fn a_page_that_nothing_links_is_noticed() {
    let said =
        after(|root| replace(&root.join("book/src/SUMMARY.md"), "(zero-copy/sendfile.md)", "()"));
    assert!(said.contains("zero-copy/sendfile.md is not in SUMMARY.md"), "{said}");
    let said = after(|root| {
        replace(&root.join("README.md"), "(book/src/measuring/figures.md)", "(figures.md)")
    });
    assert!(said.contains("README.md links figures.md, which is not there"), "{said}");
    let said =
        after(|root| replace(&root.join("README.md"), "(book/src/zero-copy/sendfile.md)", "()"));
    assert!(said.contains("README.md does not list book/src/zero-copy/sendfile.md"), "{said}");
    let said = after(|root| {
        replace(&root.join("book/src/zero-copy/index.md"), "](sendfile.md)", "](splice.md)")
    });
    assert!(said.contains("zero-copy/index.md does not list zero-copy/sendfile.md"), "{said}");
}

#[test]
fn a_source_that_is_not_listed_or_not_used_is_noticed() {
    let page = "https://man7.org/linux/man-pages/man2/nothing.2.html";
    let link = format!("\n[nothing]({page}#section)\n");
    let said = appended(house::source_problems, "book/src/zero-copy/sendfile.md", &link);
    let lacks = format!("sources.md lacks {page}, a source of zero-copy/sendfile.md");
    assert!(said.contains(&lacks), "{said}");
    let said = appended(house::source_problems, "book/src/sources.md", &link);
    assert!(said.contains(&format!("sources.md has {page}, which no chapter links")), "{said}");
}

#[test]
fn an_output_that_is_typed_and_a_prompt_are_noticed() {
    let page = "book/src/memory/layout.md";
    let rule = house::outputs::problems;
    let said =
        said_after(rule, |root| replace(&root.join(page), "```text,example=layout", "```text"));
    assert!(said.contains("memory/layout.md:") && said.contains("an output without"), "{said}");
    let said = said_after(rule, |root| replace(&root.join(page), "```sh\n", "```sh\n$ "));
    assert!(said.contains("has a prompt"), "{said}");
}

#[test]
fn a_missing_section_or_command_is_noticed() {
    let page = "book/src/zero-copy/sendfile.md";
    let said = said_after(house::chapters::problems, |root| {
        replace(&root.join(page), "## When not to: ", "## Never mind: ");
    });
    assert!(said.contains("has no section \"When not to\""), "{said}");
    let said = after(|root| {
        let text = fs::read_to_string(root.join(page)).unwrap();
        fs::write(root.join(page), text.replace("cargo bench --bench sendfile", "cargo bench"))
            .unwrap();
    });
    assert!(said.contains("never says `cargo bench --bench sendfile`"), "{said}");
}

#[test]
fn a_bare_heading_a_missing_answer_or_a_claim_of_that_is_noticed() {
    let page = "book/src/zero-copy/sendfile.md";
    let edited = |rule, from: &'static str, to: &'static str| {
        said_after(rule, move |root| replace(&root.join(page), from, to))
    };
    let said = edited(house::chapters::problems, "## Compiled: ", "## Compiled\n\n");
    assert!(said.contains("sendfile.md has a heading that says nothing was found"), "{said}");
    let said = edited(house::chapters::problems, "- **Instead:** ", "- **Otherwise:** ");
    assert!(said.contains("sendfile.md does not open with its three lines"), "{said}");
    let said = edited(house::sentences::problems, "One call of the Go article's", "The naive");
    assert!(said.contains("sendfile.md:"), "{said}");
    assert!(said.contains("claims something of \"the naive\""), "{said}");
}

#[test]
fn a_lost_anchor_or_a_long_piece_is_noticed() {
    let page = "book/src/zero-copy/sendfile.md";
    let append = |line: &'static str| {
        after(move |root| {
            let text = fs::read_to_string(root.join(page)).unwrap();
            fs::write(root.join(page), text + "\n" + line + "\n").unwrap();
        })
    };
    let said = append("{{#include ../../../src/lib.rs:nowhere}}");
    assert!(said.contains("src/lib.rs:nowhere does not exist"), "{said}");
    let said = append("{{#include ../../../src/lib.rs}}");
    assert!(said.contains("includes a whole file"), "{said}");
    let said = after(|root| {
        let long = format!("// ANCHOR: long\n{}// ANCHOR_END: long\n", "//\n".repeat(26));
        fs::write(root.join("src/long.rs"), long).unwrap();
        let text = fs::read_to_string(root.join(page)).unwrap();
        fs::write(root.join(page), text + "\n{{#include ../../../src/long.rs:long}}\n").unwrap();
    });
    assert!(said.contains("src/long.rs:long is 26 lines long"), "{said}");
}

/// Appends `text` to a file of a copy, and returns what `rule` then says.
fn appended(rule: fn(&Path) -> Vec<String>, file: &str, text: &str) -> String {
    said_after(rule, |root| {
        let before = fs::read_to_string(root.join(file)).unwrap_or_default();
        fs::write(root.join(file), before + text).unwrap();
    })
}

#[test]
fn an_import_that_goes_up_or_round_is_noticed() {
    let appended = |file, text| appended(house::layers::problems, file, text);
    let said = appended("src/sys/poll.rs", "use crate::proof::syscalls;\n");
    let up = "src/sys/poll.rs imports src/proof/syscalls.rs, which is a layer above it";
    assert!(said.contains(up), "{said}");
    let said = appended("src/zero_copy/sendfile/mod.rs", "use crate::harness::report::Report;\n");
    let home = "src/zero_copy/sendfile/mod.rs is what a reader takes home, and imports";
    assert!(said.contains(home), "{said}");
    let said = appended("src/zero_copy/sendfile/mod.rs", "use self::variants::Variant;\n");
    let experiment = "src/zero_copy/sendfile/mod.rs imports the experiments of";
    assert!(said.contains(experiment), "{said}");
    let said = appended("src/sys/poll.rs", "fn up() { super::error::check() }\n");
    assert!(!said.contains("src/sys/poll.rs"), "that is no fault: {said}");
    let said = said_after(house::layers::problems, |root| {
        fs::write(root.join("src/sys/one.rs"), "use super::two::Two;\n").unwrap();
        fs::write(root.join("src/sys/two.rs"), "pub struct Two(super::one::One);\n").unwrap();
    });
    let circle = "a circle of imports: src/sys/one.rs, src/sys/two.rs";
    assert!(said.contains(circle), "{said}");
}

#[test]
fn a_wide_line_or_a_phrase_that_is_not_english_is_noticed() {
    let appended = |text: &str| appended(house::lines::problems, "src/lib.rs", text);
    let said = appended(&format!("// {}\n", "x".repeat(98)));
    assert!(said.contains("has 101 columns, more than 100"), "{said}");
    let said = appended("/// Calls so many.\nfn call() {}\n");
    assert!(said.contains("says \"so many\" in a comment"), "{said}");
    let said = appended("/// Whether it is.\nfn is() {}\n");
    assert!(said.contains("opens a doc comment with \"Whether\""), "{said}");
}

#[test]
fn a_phrase_a_guess_or_a_long_chapter_is_noticed() {
    let page = "book/src/zero-copy/splice.md";
    let appended = |text: &str| appended(house::prose::problems, page, text);
    let said = appended("\nIt waits for\nnobody.\n");
    assert!(said.contains(&format!("{page} says \"nobody\"")), "{said}");
    let said = appended("\nThat the caches are the reason was not tested.\n");
    assert!(said.contains("the book has more than 3 guesses"), "{said}");
    let said = appended(&"word ".repeat(300));
    assert!(said.contains("words, more than 2000"), "{said}");
    let said = said_after(house::prose::problems, |root| {
        let page = root.join("book/src/zero-copy/sendfile.md");
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, text.replace("on their way", "moving")).unwrap();
    });
    assert!(said.contains("sendfile.md no longer says \"on their way\""), "{said}");
}

#[test]
fn a_wide_line_that_a_chapter_shows_is_noticed() {
    let shown = |indentation: usize| {
        said_after(house::wide_pieces, |root| {
            let line = format!("{}// {}", " ".repeat(indentation), "x".repeat(88));
            let piece = format!("// ANCHOR: wide\n{line}\n// ANCHOR_END: wide\n");
            fs::write(root.join("src/wide.rs"), piece).unwrap();
            let page = root.join("book/src/zero-copy/sendfile.md");
            let text = fs::read_to_string(&page).unwrap();
            let listing = "\n```rust\n{{#include ../../../src/wide.rs:wide}}\n```\n";
            fs::write(&page, text + listing).unwrap();
        })
    };
    for indentation in [0, 4] {
        let said = shown(indentation);
        assert!(said.contains("src/wide.rs:2 has 91 columns, more than 90"), "{said}");
    }
}

#[test]
fn an_exercise_without_its_solution_is_noticed() {
    fn load(root: &Path) -> Vec<String> {
        book::load(&Project::at(root)).err().map(|error| error.to_string()).into_iter().collect()
    }
    let (page, table) = ("book/src/zero-copy/splice.md", ".ci/breaks/splice.toml");
    let edited = |file: &'static str, from: &'static str, to: &'static str| {
        said_after(load, |root| replace(&root.join(file), from, to))
    };
    let said = edited(page, "```solution\nexercise = 2\n", "```text\nexercise = 2\n");
    assert!(said.contains("exercise 2 has no solution"), "{said}");
    assert!(!said.contains("exercise 1"), "{said}");
    let said = edited(page, "```solution\nexercise = 2\n", "```solution\nexercise = 1\n");
    assert!(said.contains("a solution stands right below its exercise"), "{said}");
    let said = edited(table, "exercise = 2\n", "");
    let missing = "no break in .ci/breaks/splice.toml has `exercise = 2`";
    assert!(said.contains(missing), "{said}");
    let said = edited(table, "exercise = 2\n", "exercise = 7\n");
    assert!(said.contains("its chapter has no solution of exercise 7"), "{said}");
    let said = edited(table, "exercise = 2\n", "exercise = 1\n");
    assert!(said.contains("exercise 1 has a break already"), "{said}");
    let said = appended(problems, page, "```solution\n```\n");
    assert!(said.contains("splice.md has 4 exercises, not two or three"), "{said}");
}

#[test]
fn a_break_that_cannot_be_tried_is_noticed() {
    let appended = |text: &str| appended(breaks::problems, ".ci/breaks/sendfile.toml", text);
    let file = "file = 'src/lib.rs'\nto = ''\n";
    let said = appended(&format!("\n[[break]]\nmodel = 'sendfile::nothing'\nfrom = 'x'\n{file}"));
    assert!(said.contains("tests/loom/sendfile.rs has no test `nothing`"), "{said}");
    let said = appended(&format!("\n[[break]]\nclaims = ['sendfile-nothing']\nfrom = 'x'\n{file}"));
    assert!(said.contains("no chapter makes a claim `sendfile-nothing`"), "{said}");
    let said = appended(&format!("\n[[break]]\nclaims = ['sendfile-calls']\nfrom = '@'\n{file}"));
    assert!(said.contains("src/lib.rs has `@` 0 times instead of once"), "{said}");
    let said = appended(&format!("\n[[break]]\nfrom = '@'\n{file}"));
    assert!(said.contains("it names nothing that must notice"), "{said}");
    let said = said_after(breaks::problems, |root| {
        let table = root.join(".ci/breaks/sendfile.toml");
        replace(&table, "claims = [\"sendfile-std\"]", "claims = [\"sendfile-calls\"]");
    });
    assert!(said.contains("no break for `sendfile-std`"), "{said}");
}
