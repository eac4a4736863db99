//! What the tests share: the rules that hold the project's folders together, and what several of
//! them begin with.

use perf_proved::harness::loopback::hear;
use std::collections::BTreeSet;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs};

/// Pages inside a part that describe no technique, and so have no example, bench or test.
pub const PROSE: [&str; 2] = ["measuring/figures.md", "zero-copy/which-one.md"];

/// The sections of a technique's chapter, by the words that its headings start with.
const SECTIONS: [&str; 8] = [
    "The version everyone writes",
    "What the machine does",
    "Doing it right",
    "Counted",
    "When not to",
    "In production",
    "From Go",
    "Try it",
];

/// The longest piece of code that a chapter may show at once, in lines.
const LONGEST_PIECE: usize = 25;

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the project").to_owned()
}

/// Everything that breaks the rule "one word everywhere" or the shape of a chapter in the project
/// at `root`, a sentence each.
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
        for name in stems(&root.join(folder), "rs").into_iter().filter(|name| name != "lib") {
            if !manifest.contains(&format!("{key}\nname = \"{name}\"\n")) {
                found.push(format!(
                    "{folder}/{name}.rs is not listed in {folder}/Cargo.toml, so it never runs"
                ));
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
        let Some((_, file)) = page.split_once('/') else { continue };
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
        for section in SECTIONS {
            if !text.lines().any(|line| {
                line.strip_prefix("## ").is_some_and(|title| title.starts_with(section))
            }) {
                found.push(format!("book/src/{page} has no section \"{section}\""));
            }
        }
        if !readme.contains(&format!("(book/src/{page})")) {
            found.push(format!("README.md does not list book/src/{page}"));
        }
    }
    found
}

/// What is wrong with the pieces of code that a page includes: a file or an anchor that is not
/// there, a piece too long.
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
        let Some((file, anchor)) = target.split_once(':') else {
            found.push(format!("{place}: {target} includes a whole file"));
            continue;
        };
        let source = fs::read_to_string(path.with_file_name(file)).unwrap_or_default();
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let at =
            |mark: &str| lines.iter().position(|line| line.ends_with(&format!("{mark}: {anchor}")));
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

/// The pages of the book, as paths below book/src.
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

/// The names of the files in `folder` that end in `.extension`.
fn stems(folder: &Path, extension: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|end| end == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

/// What the compiler says of a program that uses the library: the code of each error (`E0499`) with
/// its message, in its order; nothing if it compiles.
///
/// # Panics
///
/// If the compiler cannot be run, or refuses without an error.
pub fn refusals(name: &str, program: &str) -> Vec<(String, String)> {
    let executable = env::current_exe().expect("a test knows its own path");
    let target = executable.ancestors().nth(3).expect("it runs in target/debug/deps");
    let folder = target.join("tmp/refusals").join(name);
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n[dependencies]\nperf-proved = {{ path = {:?} }}\nstatic_assertions = \"1.1\"\n[workspace]\n",
        root()
    );
    fs::create_dir_all(folder.join("src")).expect("creating a crate to compile");
    fs::write(folder.join("Cargo.toml"), manifest).expect("writing its manifest");
    fs::write(folder.join("src/main.rs"), program).expect("writing its program");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))
        .expect("the versions of the workspace");
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--message-format=json", "--target-dir"])
        .arg(folder.with_file_name("target"))
        .current_dir(&folder)
        .output()
        .expect("running cargo");
    let errors: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|line| line["message"].clone())
        .filter(|message| {
            message["level"] == "error"
                && message["spans"].as_array().is_some_and(|spans| !spans.is_empty())
        })
        .map(|message| {
            [&message["code"]["code"], &message["message"]]
                .map(|text| text.as_str().unwrap_or("").to_owned())
        })
        .map(|[code, message]| (code, message))
        .collect();
    let refused = !output.status.success();
    assert_eq!(refused, !errors.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    errors
}

/// Held by tests of one file that must not run side by side: because they look at the memory of the
/// whole process, or need both cores, of which one that spins takes another's; because they trace
/// or count page faults, since the tracer is forked from the whole process, and a forked process
/// faults again on every page that it writes.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This program with this test and no other, to be started in a process of its own.
pub fn only(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows its own path"));
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// The test that [`only`] has started ran, and passed.
///
/// # Panics
///
/// If it did not run, or failed.
pub fn passed(output: &Output) {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("1 passed"), "{}\n{said}", output.status);
}

/// Long enough for anything that works; what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// When [`PATIENCE`] is at its end.
pub fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Everything that arrives until the other end closes.
///
/// # Panics
///
/// If reading fails.
pub fn hears(end: impl Read) -> Vec<u8> {
    hear(end).expect("the other end closes, and does not reset")
}

/// As [`hears`], on a thread of its own.
pub fn reads_all(end: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || hears(end))
}

/// Signals that interrupt system calls: their handler lets no call go on (no `SA_RESTART`).
#[cfg(unix)]
pub mod signals {
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread::JoinHandle;

    static CAUGHT: AtomicU64 = AtomicU64::new(0);

    /// From now on they are caught.
    ///
    /// # Panics
    ///
    /// If there can be no handler.
    pub fn catch() {
        extern "C" fn handler(_: libc::c_int) {
            CAUGHT.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: all-zero bytes are a valid `sigaction`, and the handler only touches an atomic.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        }
    }

    /// Sends one to that thread, which [`catch`] must have preceded.
    pub fn interrupt<T>(thread: &JoinHandle<T>) {
        // SAFETY: the thread has not been joined, so its id is valid.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
    }

    /// How many have come.
    pub fn caught() -> u64 {
        CAUGHT.load(Ordering::Relaxed)
    }
}
