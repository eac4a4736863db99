//! Prints a book with every kind of block in every state, both ways, and reads the result.

mod common;
#[path = "common/site.rs"]
mod site;

use mdbook_driver::MDBook;
use press::cmd::build;
use press::model::Error;
use press::page::beside::Extras;
use press::page::{links, paper};
use press::project::Project;
use serde_json::{Value, json};
use site::Site;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a claim's card.
fn card<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("id=\"claim-{id}\"")).unwrap_or_else(|| panic!("no card {id}"));
    &page[start..start + page[start..].find("</article>").unwrap()]
}

#[test]
fn a_card_shows_each_verdict_in_words_with_its_command() {
    let site = Site::new("cards");
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    for (id, reference, here) in [
        ("padded-size", "holds", "not measured"),
        ("sendfile-syscalls", "holds", "fails"),
        ("loop-syscalls", "fails", "fails"),
        ("uring-syscalls", "not possible here", "not measured"),
        ("spsc-no-loss", "not measured", "not measured"),
        ("sendfile-1mib", "holds", "holds"),
        ("sendfile-4kib", "fails", "fails"),
        ("wake-alike", "holds", "not measured"),
    ] {
        let card = card(&page, id);
        let row = |machine: &str| {
            let (_, rest) = card.split_once(&format!("<dt>{machine}</dt>"))?;
            Some(rest.split_once("</dd>").unwrap().0)
        };
        let found = row("<a href=\"../machines/reference.html\">reference</a>").unwrap();
        assert!(found.contains(&format!("</span> {reference}</span>")), "{id}: {found}");
        // A strip says once for the chapter what was not measured here.
        match (row("Your machine"), here) {
            (None, "not measured") => {}
            (None, _) => panic!("{id} has no line for the reader's machine"),
            (Some(found), _) => {
                assert!(found.contains(&format!("</span> {here}</span>")), "{id}: {found}")
            }
        }
    }
    assert!(card(&page, "sendfile-1mib").contains("<code>cargo bench --bench sendfile</code>"));
    assert!(card(&page, "sendfile-1mib").contains("one round only"));
    assert!(card(&page, "uring-syscalls").contains("io_uring is forbidden on this machine"));
    assert!(card(&page, "sendfile-syscalls").contains("A 1 MiB file leaves in 1 system call."));
    assert!(!page.contains("```") && !page.contains("{{"), "a block was left as it was");
}

#[test]
fn a_card_shows_what_was_observed_where_it_applies_and_why_nothing_is_decided() {
    let site = Site::new("kinds");
    let claim =
        |id: &str, body: &str| format!("```claim\nid = \"{id}\"\nsays = \"S.\"\n{body}\n```\n\n");
    let faster = "faster = \"sendfile/sendfile/1MiB\"\nthan = \"sendfile/read_write_64KiB/1MiB\"";
    let claims = [
        claim("seen", "observed = \"sendfile/read_write.syscalls\"\nat_least = 1"),
        claim("unseen", "observed = \"sendfile/read_write.syscalls\"\nat_least = 1000"),
        claim("elsewhere", &format!("{faster}\nby = 1.5\nwhere = \"l2 >= 2MiB and cores >= 2\"")),
        claim("not-known", &format!("{faster}\nby = 1.5\nwhere = \"lines == near\"")),
        claim("loose", &format!("{faster}\nby = 1.1\nloose = \"Because of `that`.\"")),
        claim(
            "difference",
            "difference = [\"sendfile/read_write_64KiB/1MiB\", \"sendfile/sendfile/1MiB\"]\n\
             of = \"sendfile/sendfile/1MiB\"\nat_least = 0.2",
        ),
    ];
    let figures = "## Figures\n";
    site.edit("book/src/part/blocks.md", figures, &(claims.concat() + figures));
    site.edit(
        "book/src/part/below.md",
        "No number at all",
        "It costs {{difference sendfile/read_write_64KiB/1MiB sendfile/sendfile/1MiB}} more, \
         {{share sendfile/read_write_64KiB/1MiB sendfile/sendfile/1MiB of sendfile/sendfile/1MiB}}",
    );
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    for (id, expected) in [
        ("seen", "</span> holds</span>"),
        ("seen", "<dt>See it</dt>\n<dd><code>cargo book check --claim seen</code>"),
        ("seen", "<dt>It runs</dt>\n<dd><code>cargo run --release --example sendfile</code>"),
        ("unseen", "</span> not seen</span>"),
        ("elsewhere", "</span> does not apply here</span>: L2 is 1 MiB"),
        ("elsewhere", "<dt>Where</dt>\n<dd><code>l2 &gt;= 2MiB and cores &gt;= 2</code>"),
        ("not-known", "</span> undecided</span>"),
        ("not-known", "not known whether lines == near"),
        ("not-known", "<dt>Prove it</dt>"),
        ("loose", "<dt>Loose bound</dt>\n<dd>Because of <code>that</code>."),
        ("difference", "</span> holds</span>"),
    ] {
        assert!(card(&page, id).contains(expected), "{id}: {expected}\n{}", card(&page, id));
    }
    assert!(!card(&page, "seen").contains("Prove it"), "an observation is no proof");
    let below = site.page("part/below.html");
    let (_, text) = below.split_once("<main").unwrap().1.split_once("It costs ").unwrap();
    let (time, share) = text.split_once(" more, ").unwrap();
    assert!(time.contains("µs <small class=\"interval\">"), "{time}");
    assert!(share.starts_with("<span class=\"measured\">") && share.contains(" %"), "{share}");
}

/// Returns what a closed card shows: its sentence and its summary.
fn closed<'a>(page: &'a str, id: &str) -> &'a str {
    card(page, id).split_once("</summary>").unwrap().0
}

#[test]
fn a_closed_card_leads_with_the_value_and_the_edge_shows_the_worst_verdict() {
    let site = Site::new("closed");
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    for (id, class, expected) in [
        ("padded-size", "holds", "<span class=\"kind\">compiled</span>"),
        ("sendfile-1mib", "holds", "; claimed: at least 1.5×</span>"),
        ("wake-alike", "holds", "; claimed: within "),
        // The reference machine counted 1, and this one fails with 4.
        ("sendfile-syscalls", "fails", "<strong>1</strong> <code>sendfile.syscalls</code>, yours "),
        ("sendfile-syscalls", "fails", "; claimed: at most 1</span>"),
        ("sendfile-syscalls", "fails", "</span> Your machine: fails</span>"),
        ("uring-syscalls", "impossible", "</span> reference: not possible here</span>"),
        ("spsc-no-loss", "unmeasured", "</span> reference: not measured</span>"),
    ] {
        let closed = closed(&page, id);
        assert!(closed.contains(expected), "{id}: {expected}\n{closed}");
        let article = format!("<article class=\"claim {class}\" id=\"claim-{id}\">");
        assert!(page.contains(&article), "{id}");
        assert!(!closed.contains("<a "), "a link in a button: {closed}");
        assert!(!closed.contains("cargo"), "{closed}");
    }
    let holds = "</span> reference<span class=\"word\">: holds</span></span>";
    assert!(closed(&page, "padded-size").contains(holds));
    assert!(!closed(&page, "padded-size").contains("Your machine"));
}

#[test]
fn a_strip_counts_the_verdicts_of_a_chapter_and_names_what_to_run() {
    let site = Site::new("strip");
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    assert_eq!(page.matches("<div class=\"strip\">").count(), 1);
    let (before, strip) = page.split_once("<div class=\"strip\">").unwrap();
    assert!(!before.contains("<article"), "after the first card");
    let (strip, _) = strip.split_once("</div>").unwrap();
    for expected in [
        "<strong>9 claims</strong>",
        "<a href=\"../claims.html#chapter-part-blocks\">",
        "reference</a> (the reference): 4 hold, 2 fail, 1 undecided, 1 not measured, 1 not possible.",
        "Your machine</a>: 1 holds, 3 fail, 1 undecided, 4 not measured.",
        "Fails here: <a class=\"verdict fails\" href=\"#claim-sendfile-syscalls\">",
        "Run <code class=\"command\">cargo book check --chapter part/blocks</code> and \
         <code class=\"command\">cargo bench --bench limits</code>.",
    ] {
        assert!(strip.contains(expected), "{expected}\n{strip}");
    }
    assert!(!strip.contains("Differs"), "all that differ fail: {strip}");
    assert!(!site.page("part/below.html").contains("class=\"strip\""), "it makes no claim");

    fs::remove_dir_all(site.root.join("book/machines/here")).unwrap();
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    assert!(page.contains("Your machine: not measured. Run "), "{page}");
}

#[test]
fn a_card_names_the_regimes_that_were_seen() {
    let site = Site::new("regimes");
    let path = site.root.join("book/machines/reference/sendfile.json");
    let mut file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for function in ["sendfile", "read_write_64KiB"] {
        let benchmark = &mut file["recording"]["benchmarks"][format!("sendfile/{function}/1MiB")];
        let trips = json!([50.0, 51.0, 52.0, 50.0, 400.0, 410.0, 405.0]);
        benchmark["witness_before"] = trips.clone();
        benchmark["witness_after"] = trips;
    }
    fs::write(&path, file.to_string()).unwrap();
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let card = card(&page, "sendfile-1mib");
    for expected in ["</span> holds near and far</span>", "</span> near, <span", "4 rounds"] {
        assert!(card.contains(expected), "{expected}\n{card}");
    }
    let below = site.page("part/below.html");
    assert!(below.contains("</span> holds near and far</a>"), "{below}");
    let all = site.page("claims.html");
    assert!(all.contains("</span> holds near and far</span>"), "{all}");
}

#[test]
fn a_claim_in_a_sentence_is_its_number_its_verdict_and_a_link() {
    let site = Site::new("cells");
    site.print().unwrap();
    let page = site.page("part/below.html");
    let cell = |words: &str| {
        let (_, rest) = page.split_once(&format!("<td>{words}</td>")).unwrap();
        rest.split_once("</tr>").unwrap().0.to_owned()
    };
    let both = cell("a claim");
    assert_eq!(
        both.matches("href=\"../part/blocks.html#claim-sendfile-1mib\"").count(),
        2,
        "{both}"
    );
    assert_eq!(both.matches("</span> holds</a>").count(), 2, "{both}");
    assert!(
        both.contains("yours: <span class=\"measured\">") && both.contains("class=\"interval\""),
        "{both}"
    );
    let reference = cell("one not measured here");
    assert!(reference.contains("</span> holds</a>") && !reference.contains("yours"), "{reference}");
}

#[test]
fn a_solution_shows_its_edit_and_what_notices_it_even_once_it_is_made() {
    let site = Site::new("solutions");
    let page = site.root.join("book/src/part/blocks.md");
    let exercise = "\n## Try it\n\n1. Break *it*.\n\n```solution\nexercise = 1\n\
                    says = \"Nothing is `left`.\"\n```\n\n2. Break it <b>again</b>.\n\n\
                    ```solution\nexercise = 2\nsays = \"Again.\"\n```\n";
    fs::write(&page, fs::read_to_string(&page).unwrap() + exercise).unwrap();
    fs::create_dir_all(site.root.join(".ci/breaks")).unwrap();
    let file = "file = 'src/lines.rs'\nfrom = 'b < 1'\nto = 'b < 2'\n";
    let claims = "claims = ['sendfile-syscalls', 'spsc-no-loss']\nmodel = 'ring::wakes'\n";
    let others = "test = 'ring::parts::holds'\nsanitizer = 'ring::races'\ncommand = 'book build'\n";
    let table =
        format!("[[break]]\nexercise = 1\n{claims}{file}\n[[break]]\nexercise = 2\n{others}{file}");
    fs::write(site.root.join(".ci/breaks/blocks.toml"), table).unwrap();
    let write = |text: &str| fs::write(site.root.join("src/lines.rs"), text).unwrap();

    write("a\nb < 1\nc\n");
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let patch = "@@ -1,3 +1,3 @@\n a\n-b &lt; 1\n+b &lt; 2\n c\n";
    for expected in [
        "<details class=\"solution\">\n<summary>Solution of exercise 1</summary>",
        "Nothing is <code>left</code>.",
        &format!("--- a/src/lines.rs\n+++ b/src/lines.rs\n{patch}"),
        "<a href=\"../part/blocks.html#claim-sendfile-syscalls\"><code>sendfile-syscalls</code></a> \
         fails: <code>cargo book check --claim sendfile-syscalls</code>",
        "fails: <code>cargo explore --exact ring_buffer::spsc_no_loss</code>",
        "The model fails: <code>cargo explore --exact ring::wakes</code>",
        "The test fails: <code>cargo test --test ring -- --exact parts::holds</code>",
        "ThreadSanitizer reports a data race in the test <code>races</code>.",
        "The command fails: <code>cargo book build</code>",
        "<ol start=\"2\">",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    write("a\nb < 2\nc\n");
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    assert!(page.contains("+++ b/src/lines.rs\n-b &lt; 1\n+b &lt; 2\n</code>"), "{page}");
}

#[test]
fn figures_show_every_machine_or_say_which_has_no_measurement() {
    let site = Site::new("figures");
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let figures: Vec<&str> = page.split("<figure class=\"measurement\"").skip(1).collect();
    assert_eq!(figures.len(), 5);
    assert!(
        figures[0].contains("panels several")
            && figures[0].contains("Your machine</a>: one round only")
    );
    assert!(
        figures[0].contains(
            "Not drawn: <code>io_uring_splice</code> (not possible: io_uring is forbidden"
        )
    );
    assert!(figures[0].contains("not measured</td>"), "the gap in the fixture");
    assert!(
        figures[1]
            .contains("Your machine: not measured (<code>cargo bench --bench sendfile</code>)")
    );
    let unmeasured = page.matches("Your machine: not measured (<code>").count();
    assert_eq!(unmeasured, 3, "the figures of sendfile_cpu, limits and limits_wake");
    assert!(figures[3].contains("Dot chart, logarithmic"));
    assert!(figures[4].contains("Bar chart"));

    // Each figure links to its group's times.
    assert!(figures[1].contains("href=\"../figures/sendfile_cpu.csv\" download"));
    let table = site.page("figures/sendfile_cpu.csv");
    assert!(table.starts_with("machine,function,parameter,regime,median (ns per iteration),"));
    let columns = |line: &str| line.split(',').count();
    assert!(table.lines().count() > 4);
    assert!(table.lines().all(|line| columns(line) == columns(table.lines().next().unwrap())));
    assert!(table.contains("\nreference,sendfile,"), "{table}");

    // A site whose printer has measured nothing does not say so below every figure.
    fs::remove_dir_all(site.root.join("book/machines/here")).unwrap();
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let figures: Vec<&str> = page.split("<figure class=\"measurement\"").skip(1).collect();
    assert_eq!(figures.len(), 5);
    assert!(figures.iter().all(|figure| !figure.contains("Your machine")), "{figures:?}");
}

#[test]
fn a_figure_brings_the_other_clock_unless_its_page_shows_it() {
    let site = Site::new("clocks");
    site.print().unwrap();
    assert!(!site.page("part/blocks.html").contains("other-clock"), "the page has both");
    let other_group = "group = \"limits\"\ny = \"time\"";
    let ratio = "group = \"sendfile\"\ny = \"ratio\"\ntitle = \"Against the loop that everybody writes\"\n\
                 baseline = \"read_write_64KiB\"\nseries = [\"sendfile\", \"std_io_copy\", \"mmap_write\"]";
    let throughput = "group = \"sendfile\"\ny = \"throughput\"";
    site.edit("book/src/part/blocks.md", ratio, other_group);
    site.edit("book/src/part/blocks.md", throughput, other_group);
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let (before, behind) = page.split_once("<div class=\"other-clock\" hidden=\"\">").unwrap();
    let (_, own) = before.rsplit_once("<figure class=\"measurement\"").unwrap();
    assert!(own.starts_with(" data-group=\"sendfile_cpu\">"), "{own}");
    let (other, after) = behind.split_once("</figure>").unwrap();
    for expected in [
        "data-group=\"sendfile\">",
        "<strong>What it costs the sender: wall time</strong>",
        "Wall time (lower is better)",
        "href=\"../figures/sendfile.csv\"",
    ] {
        assert!(other.contains(expected), "{expected}\n{other}");
    }
    assert!(!after.contains("other-clock"), "limits has one clock");
    assert_eq!(links::check(&site.root.join("book/book")).unwrap().problems, [""; 0]);
    let paper = site.root.join("paper");
    build::for_paper(&site.project(), &paper).unwrap();
    let paper = fs::read_to_string(paper.join("print.html")).unwrap();
    assert!(paper.contains("data-group=\"sendfile_cpu\"") && !paper.contains("other-clock"));
}

#[test]
fn a_figure_of_nine_series_is_refused() {
    let site = Site::new("crowd");
    let path = site.root.join("book/machines/reference/limits.json");
    let mut file: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let benchmarks = file["recording"]["benchmarks"].as_object_mut().unwrap();
    let mut one = benchmarks["limits_wake/eventfd"].clone();
    let functions = |benchmarks: &serde_json::Map<String, serde_json::Value>| {
        benchmarks.keys().filter(|id| id.starts_with("limits_wake/")).count()
    };
    for extra in functions(benchmarks)..8 {
        one["function"] = format!("extra{extra}").into();
        benchmarks.insert(format!("limits_wake/extra{extra}"), one.clone());
    }
    fs::write(&path, file.to_string()).unwrap();
    site.print().unwrap();

    one["function"] = "ninth".into();
    file["recording"]["benchmarks"]["limits_wake/ninth"] = one;
    fs::write(&path, file.to_string()).unwrap();
    let error = site.print().unwrap_err().to_string();
    assert!(error.contains("a figure of 9 series, of which a reader can tell apart 8"), "{error}");

    let (from, to) = ("group = \"limits_wake\"", "group = \"limits_wake\"\nseries = [\"pipe\"]");
    site.edit("book/src/part/blocks.md", from, to);
    site.print().unwrap();
}

/// Adds a second recorded machine with other numbers: only limits, in which a system call takes
/// three times as long, and waking by an eventfd twice as long as by a pipe.
fn with_laptop(name: &str) -> Site {
    let site = Site::new(name);
    let machines = site.root.join("book/machines");
    fs::create_dir(machines.join("laptop")).unwrap();
    let text = fs::read_to_string(machines.join("reference/limits.json")).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let benchmarks = file["recording"]["benchmarks"].as_object_mut().unwrap();
    let mut extra = benchmarks["limits/syscall"].clone();
    extra["function"] = "laptops_own".into();
    benchmarks.insert("limits/laptops_own".to_owned(), extra);
    let mut scale = |id: &str, factor: f64| {
        for column in ["median", "low", "high"] {
            for value in benchmarks[id][column].as_array_mut().unwrap() {
                *value = (value.as_f64().unwrap() * factor).into();
            }
        }
    };
    scale("limits/syscall", 3.0);
    scale("limits_wake/eventfd", 2.5);
    fs::write(machines.join("laptop/limits.json"), file.to_string()).unwrap();
    site
}

#[test]
fn every_recorded_machine_has_its_line_its_panel_and_its_page() {
    let site = with_laptop("laptop");
    site.edit(
        "book/src/part/below.md",
        "No number at all",
        "Its own is {{measured limits/laptops_own}}, the call {{measured limits/syscall}}; no number",
    );
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let alike = card(&page, "wake-alike");
    let line = |machine: &str| {
        let link = format!("<dt><a href=\"../machines/{machine}.html\">{machine}</a></dt>");
        let (_, rest) = alike.split_once(&link).unwrap_or_else(|| panic!("{machine}: {alike}"));
        rest.split_once("</div>").unwrap().0
    };
    assert!(line("reference").contains("</span> holds</span>"), "{alike}");
    assert!(line("laptop").contains("</span> fails</span>"), "{alike}");
    assert!(page.contains("<article class=\"claim fails\" id=\"claim-wake-alike\">"), "the worst");
    let figures: Vec<&str> = page.split("<figure class=\"measurement\"").skip(1).collect();
    assert!(figures[3].contains("panels several"));
    for machine in ["reference", "laptop"] {
        assert!(figures[3].contains(&format!("<p class=\"machine\">{machine}</p>")), "{machine}");
        assert!(figures[3].contains(&format!("Time (lower is better), {machine}: value")));
    }

    let prose = site.page("part/below.html");
    let on = "<span class=\"on\">on <a href=\"../machines/laptop.html\">laptop</a></span>";
    let (before, _) = prose.split_once("<main").unwrap().1.split_once(", the call ").unwrap();
    assert!(
        before.ends_with(on),
        "the page names the machine that is not the reference: {}",
        &before[before.len() - 300..]
    );
    assert_eq!(prose.matches(on).count(), 1, "the reference's numbers stand alone");
    assert!(prose.contains("laptop: <span class=\"measured\">"), "both in the cell of a claim");

    let claims = site.page("claims.html");
    let (_, row) = claims.split_once("#claim-wake-alike").unwrap();
    let row = row.split_once("</tr>").unwrap().0;
    let (_, on_laptop) =
        row.split_once("<td data-machine=\"laptop\" data-verdict=\"fails\">").unwrap();
    assert!(on_laptop.contains("</span> fails</span> <span class=\"measured\">0."), "{row}");
    let machines = site.page("machines.html");
    assert!(machines.contains("<a href=\"machines/laptop.html\">laptop</a>"));
    assert!(machines.contains("is from the reference machine, <strong>reference</strong>"));
    assert_eq!(machines.matches("<td>L1d 32 KiB, L2 1 MiB").count(), 3, "yours, too");
    assert!(site.page("machines/laptop.html").contains("Example CPU 3000"));
    assert_eq!(links::check(&site.root.join("book/book")).unwrap().problems, [""; 0]);
}

#[test]
fn without_any_measurement_the_pages_still_print() {
    let site = Site::new("empty");
    fs::remove_dir_all(site.root.join("book/machines")).unwrap();
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    assert!(page.contains("<p class=\"placeholder\">not measured</p>"));
    assert!(page.contains("<span class=\"measured missing\">not measured</span>"));
    assert!(!page.contains("</span> holds</span>"));
    assert!(site.page("machines.html").contains("No machine has been recorded yet."));
    assert!(!site.root.join("book/book/machines").exists());
    assert_eq!(links::check(&site.root.join("book/book")).unwrap().problems, [""; 0]);
}

#[test]
fn every_link_anchor_and_image_leads_somewhere() {
    let site = Site::new("links");
    site.print().unwrap();
    let report = links::check(&site.root.join("book/book")).unwrap();
    assert_eq!(report.problems, [""; 0]);
    assert!(report.pages >= 9 && report.links > 100, "{report:?}");
    // A link that leads nowhere is found.
    site.edit("book/src/part/below.md", "#claim-sendfile-1mib", "#claim-renamed");
    site.print().unwrap();
    let report = links::check(&site.root.join("book/book")).unwrap();
    assert!(report.problems.iter().any(|p| p.contains("claim-renamed")), "{:?}", report.problems);
}

/// Checks the links of the book itself.
#[test]
fn every_link_of_the_book_leads_somewhere() {
    let project =
        Project::at(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap());
    let folder = std::env::temp_dir().join(format!("press-printing-book-{}", std::process::id()));
    let report = build::build_to(&project, &folder).map(|()| links::check(&folder));
    let _ = fs::remove_dir_all(&folder);
    assert_eq!(report.unwrap_or_else(|e| panic!("{e}")).unwrap().problems, [""; 0]);
}

#[test]
fn the_appendix_lists_every_claim_and_machine() {
    let site = Site::new("appendix");
    let rounds = "\"rounds\": 7,";
    site.edit(
        "book/machines/reference/sendfile.json",
        rounds,
        &format!("{rounds} \"planned\": 9,"),
    );
    site.print().unwrap();
    let claims = site.page("claims.html");
    assert_eq!(claims.matches("part/blocks.html#claim-").count(), 9);
    assert!(claims.contains("cargo bench --bench sendfile"));
    let machine = site.page("machines/reference.html");
    for found in [
        "Example CPU 3000",
        "io_uring is forbidden on this machine",
        "0123456789",
        "limits",
        "Noise floor",
        "<td>7 of 9, interrupted</td>",
    ] {
        assert!(machine.contains(found), "{found}");
    }
    assert!(site.page("machines/here.html").contains("Example Laptop 9"));
}

#[test]
fn a_listing_names_its_file_and_a_page_describes_itself() {
    let site = Site::new("listings");
    let config = "book/book.toml";
    site.edit(
        config,
        "[output.html]\n",
        "[output.html]\ngit-repository-url = \"https://example.org/book/\"\n\
         site-url = \"https://example.org/site/\"\n",
    );
    site.print().unwrap();
    let page = site.page("part/blocks.html");
    let caption = "<a href=\"https://example.org/book/blob/HEAD/src/layout.rs\">src/layout.rs</a>";
    assert!(page.contains(&format!("<figure class=\"listing\">\n<figcaption>{caption}")), "{page}");
    assert!(
        page.contains(
            "<link rel=\"canonical\" href=\"https://example.org/site/part/blocks.html\">"
        )
    );
    assert_eq!(page.matches("<meta name=\"description\"").count(), 1);
    let book = site.page("print.html");
    assert!(book.contains(caption), "the print page has the captions, too");
}

#[test]
fn the_site_lists_its_claims_for_programs() {
    let site = with_laptop("programs");
    site.edit(
        "book/book.toml",
        "[output.html]\n",
        "[output.html]\ngit-repository-url = \"https://x.org/r\"\n",
    );
    site.print().unwrap();
    let all: Value = serde_json::from_str(&site.page("claims.json")).unwrap();
    let text = |key: &str| all[key].as_str().unwrap();
    assert_eq!((text("reference"), text("repository")), ("reference", "https://x.org/r"));
    assert_eq!(all["machines"]["laptop"]["url"], "machines/laptop.html");
    let claims = all["claims"].as_array().unwrap();
    let listed = site.page("claims.html");
    assert_eq!(claims.len(), listed.matches("part/blocks.html#claim-").count());
    let mut ids: Vec<&str> = claims.iter().map(|claim| claim["id"].as_str().unwrap()).collect();
    for (claim, id) in claims.iter().zip(&ids) {
        let (page, anchor) = claim["url"].as_str().unwrap().split_once('#').unwrap();
        assert_eq!(anchor, format!("claim-{id}"));
        assert!(site.page(page).contains(&format!("id=\"{anchor}\"")), "{id} is not on {page}");
        let row = format!("cite-{id}");
        assert_eq!(claim["permalink"], format!("claims.html#{row}"));
        let (_, row) = listed.split_once(&format!("<tr id=\"{row}\"")).unwrap();
        let (row, _) = row.split_once("</tr>").unwrap();
        assert!(row.contains(&format!("<a href=\"{page}#{anchor}\">")), "{row}");
    }
    ids.sort();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");

    let one = |id: &str| claims.iter().find(|claim| claim["id"] == id).unwrap();
    let faster = one("sendfile-1mib");
    assert_eq!(faster["command"], "cargo bench --bench sendfile");
    assert_eq!(faster["sources"][1], "sendfile/sendfile/1MiB");
    let found = &faster["machines"]["reference"];
    assert_eq!((&found["verdict"], &found["rounds"]), (&"holds".into(), &7.into()));
    let bound = |i: usize| found["interval"][i].as_f64().unwrap();
    let value = found["value"].as_f64().unwrap();
    assert!(bound(0) <= value && value <= bound(1), "{found}");
    assert_eq!(faster["machines"]["laptop"]["verdict"], "not measured");
    assert_eq!(faster["machines"]["here"]["rounds"], 1);
    let count = &one("sendfile-syscalls")["machines"]["reference"];
    assert_eq!((&count["value"], count.get("noise")), (&1.0.into(), None));
    let reason = &one("uring-syscalls")["machines"]["reference"]["reason"];
    assert_eq!(reason, "io_uring is forbidden on this machine");

    let list = site.page("llms.txt");
    assert!(list.starts_with("# Rust Performance, Proved\n\n> Performance techniques"), "{list}");
    for expected in [
        "](claims.json) holds all 9 ",
        "](index.html): ",
        "](part/blocks.html): ",
        "](part/below.html)",
    ] {
        assert!(list.contains(expected), "{expected}\n{list}");
    }
    assert!(list.contains("a `code span with {{measured nothing}}` in it") && !list.contains("</"));
}

#[test]
fn published_chapters_link_their_modules_and_a_page_lists_the_other_forms() {
    let site = Site::new("beside");
    let folder = site.root.join("published");
    let extras = Extras { pdf: Some("book.pdf".to_owned()), archive: None };
    let module = site.root.join("src/part/blocks");
    fs::create_dir_all(&module).unwrap();
    fs::write(module.join("mod.rs"), "").unwrap();
    fs::write(site.root.join("src/lib.rs"), "pub mod layout;\n").unwrap();
    build::with_extras(&site.project(), &folder, extras).unwrap();
    let page = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
    let link = "<a href=\"../api/perf_proved/part/blocks/index.html\">\
                <code>perf_proved::part::blocks</code></a>";
    assert!(page("part/blocks.html").contains(link));
    assert!(!page("part/below.html").contains("API documentation"), "it has no module");
    let caption = "<figcaption><span>src/layout.rs</span> (<a href=\"../api/perf_proved/layout/index.html\" \
                   aria-label=\"API documentation of perf_proved::layout\">API</a>)</figcaption>";
    assert!(page("part/blocks.html").contains(caption), "{}", page("part/blocks.html"));
    let forms = page("forms.html");
    for address in ["book.pdf", "api/perf_proved/index.html", "claims.json", "llms.txt"] {
        assert!(forms.contains(&format!("<li><a href=\"{address}\">")), "{address}\n{forms}");
    }
    assert!(!forms.contains("tar.gz"));
    let gone = links::check(&folder).unwrap().problems;
    let missing = |file: &str| gone.iter().any(|problem| problem.contains(file));
    assert!(missing("book.pdf") && missing("api/"), "nothing was copied yet: {gone:?}");
    assert!(missing("../api/perf_proved/layout/index.html"), "of a listing: {gone:?}");

    // Otherwise, the files that those links lead to are missing.
    site.print().unwrap();
    assert!(!site.page("part/blocks.html").contains("API documentation"));
    assert!(!site.root.join("book/book/forms.html").exists());
}

#[test]
fn the_page_for_paper_holds_every_chapter_and_links_within_itself() {
    let site = with_laptop("paper");
    let folder = site.root.join("paper");
    let (chapters, about) = build::for_paper(&site.project(), &folder).unwrap();
    let titles: Vec<(Option<&str>, &str)> =
        chapters.iter().map(|one| (one.part.as_deref(), one.title.as_str())).collect();
    let appendix = Some("Appendix");
    assert_eq!(
        titles,
        [
            (None, "Introduction"),
            (Some("A part"), "Every kind of block"),
            (Some("A part"), "Below it"),
            (appendix, "Glossary"),
            (appendix, "Every claim"),
            (appendix, "The machines"),
        ]
    );
    let print = fs::read_to_string(folder.join("print.html")).unwrap();
    let numbers = BTreeMap::from([("glossary".to_owned(), 7)]);
    let paper = paper::document(&print, &chapters, &about, &numbers).unwrap().html;
    assert_eq!(paper.matches("<section class=\"bound\"").count(), 6);
    assert_eq!(paper.matches("<h1 class=\"part\"").count(), 2);
    for expected in [
        "<p class=\"title\">Rust Performance, Proved</p>",
        "<a href=\"#glossary\"><span class=\"name\">Glossary</span><span class=\"number\">7</span>",
        "<a href=\"#part-a-part\"><span class=\"name\">A part</span><span class=\"number\">000</span>",
        "@page c3 { @bottom-left { content: \"Rust Performance, Proved\"; } @bottom-center { content: \"Glossary\"; } }",
    ] {
        assert!(paper.contains(expected), "{expected}");
    }
    assert!(!paper.contains("window.print") && !paper.contains("<details class=\"numbers\">"));
    fs::write(folder.join("paper.html"), &paper).unwrap();
    let mut problems = links::check(&folder).unwrap().problems;
    problems.retain(|problem| problem.starts_with("paper.html"));
    assert_eq!(problems, [""; 0]);
    let fewer = paper::document(&print, &chapters[1..], &about, &numbers);
    assert!(
        matches!(fewer, Err(Error::Failed(said)) if said.contains("holds 6, and the book has 5"))
    );
}

#[test]
fn mdbooks_own_command_prints_the_same_pages() {
    let site = Site::new("protocol");
    site.print().unwrap();
    let mut ours = files(&site.root.join("book/book"));
    let tables = site.root.join("book/book/figures");
    // mdBook's protocol has no place for what is no page.
    for name in ["claims.json", "llms.txt"] {
        let path = site.root.join("book/book").join(name);
        assert!(ours.remove(&path).is_some(), "{name}");
    }

    // mdBook's library calls a preprocessor exactly as its command line does: a process of its own,
    // asked whether it supports the renderer, then given the chapters as JSON.
    let mut printer = MDBook::load(site.root.join("book")).unwrap();
    let command = format!("'{}' preprocess", env!("CARGO_BIN_EXE_press"));
    printer.config.set("preprocessor.press.command", &command).unwrap();
    let printer = MDBook::load_with_config(site.root.join("book"), printer.config.clone()).unwrap();
    printer.build().unwrap();
    let theirs = files(&site.root.join("book/book"));

    // mdBook empties the folder last of all, so the tables stand in their links.
    ours.retain(|path, _| !path.starts_with(&tables));
    assert!(ours.len() > 20);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    // What mdBook's command leaves out: the description of each page, and the tags beside it.
    let whole = |text: &[u8]| text.to_vec();
    let without = |page: &[u8]| {
        let page = String::from_utf8(without_addresses_of_tables(page)).unwrap();
        let tag = |line: &&str| !line.trim_start().starts_with("<meta name=\"description\"");
        page.lines().filter(tag).collect::<Vec<_>>().join("\n").into_bytes()
    };
    for (path, bytes) in &ours {
        let page = path.extension().is_some_and(|extension| extension == "html");
        let read: &dyn Fn(&[u8]) -> Vec<u8> = if page { &without } else { &whole };
        assert!(read(&theirs[path]) == read(bytes), "{} differs", path.display());
    }
}

/// Removes the addresses of downloads from a page.
fn without_addresses_of_tables(page: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(page) else { return page.to_vec() };
    let mut parts = text.split("<p class=\"download\">");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (address, rest) = part.split_once(" download").unwrap();
        assert!(address.contains(".csv") || address.contains("data:text/csv,machine,"));
        out += rest;
    }
    out.into_bytes()
}

#[cfg(unix)]
#[test]
fn an_environment_variable_that_is_not_utf8_stops_only_what_needs_it() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let site = Site::new("environment");
    let strange = OsStr::from_bytes(b"caf\xe9");
    let build = |variables: &[(&OsStr, &OsStr)]| {
        let mut press = Command::new(env!("CARGO_BIN_EXE_press"));
        press.arg("build").current_dir(&site.root).env("CARGO_MANIFEST_DIR", &site.root);
        let output = press.envs(variables.iter().copied()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let title = OsStr::new("MDBOOK_BOOK__TITLE");
    assert_eq!(build(&[(OsStr::new("PLACE"), strange)]), (true, String::new()));
    assert_eq!(build(&[(strange, OsStr::new("x"))]), (true, String::new()));
    let (built, error) = build(&[(title, strange)]);
    assert!(!built && error.contains("MDBOOK_BOOK__TITLE is not UTF-8"), "{error}");
    let both = [(title, OsStr::new("Another title")), (OsStr::new("PLACE"), strange)];
    let (built, error) = build(&both);
    assert!(!built && error.contains("MDBOOK_BOOK__TITLE while PLACE"), "{error}");
    assert_eq!(build(&both[..1]), (true, String::new()));
    assert!(site.page("index.html").contains("Another title"));
}

/// Reads every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
    all
}

#[test]
fn only_pages_are_printed() {
    let supports = |renderer: &str| {
        let press = Command::new(env!("CARGO_BIN_EXE_press"))
            .args(["preprocess", "supports", renderer])
            .status();
        press.unwrap().code()
    };
    assert_eq!(supports("html"), Some(0));
    assert_eq!(supports("epub"), Some(1));
}

#[test]
fn all_mistakes_are_reported_with_page_and_line_and_the_old_pages_stay() {
    let site = Site::new("mistakes");
    site.print().unwrap();
    let before = site.page("part/below.html");
    site.edit("book/src/part/below.md", "No number at all", "It takes 12 µs, as a guess");
    site.edit(
        "book/src/part/blocks.md",
        "{{#include ../../../src/layout.rs:padded}}",
        "{{#include ../../../src/layout.rs:gone}}",
    );
    let error = site.print().unwrap_err().to_string();
    assert!(error.contains("book/src/part/below.md:3: "), "{error}");
    assert_eq!(site.page("part/below.html"), before);
    site.edit("book/src/part/below.md", "It takes 12 µs, as a guess", "No number at all");
    let error = site.print().unwrap_err().to_string();
    assert!(
        error.contains("book/src/part/blocks.md:1") && error.contains("no anchor `gone`"),
        "{error}"
    );
}
