//! A copy of the checkout, to be broken.

use press::breaks::{self, Break};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs, io};

/// The longest that one command may take, in seconds.
const LIMIT: &str = "1800";

/// The profile of the models: loom itself does the work, so that it alone is worth optimizing.
const MODELS: [&str; 14] = [
    "--config",
    "build.rustflags=['--cfg','loom']",
    "--config",
    "profile.release.package.perf-proved.opt-level=0",
    "--config",
    "profile.release.package.perf-proved-tests.opt-level=0",
    "--config",
    "profile.release.package.aho-corasick.opt-level=0",
    "--config",
    "profile.release.package.regex-automata.opt-level=0",
    "--config",
    "profile.release.package.regex-syntax.opt-level=0",
    "--config",
    "profile.release.package.tracing-subscriber.opt-level=0",
];

/// A copy of a checkout, with target folders of its own.
pub(super) struct Checkout {
    original: PathBuf,
    root: PathBuf,
    target: PathBuf,
    /// The texts of the files that are broken, as they were.
    mended: BTreeMap<String, String>,
}

/// The output of a command, and whether it succeeded.
pub(super) struct Said {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
    /// Returns both outputs, one after the other.
    pub all: String,
}

impl Said {
    /// Returns the last lines of both outputs.
    pub fn tail(&self) -> String {
        tail(&self.all)
    }

    /// Returns the last lines of standard error, where standard output is for programs.
    pub fn complaints(&self) -> String {
        tail(&self.stderr)
    }
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let [stdout, stderr] = [&output.stdout, &output.stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Self { success: output.status.success(), all: stdout.clone() + &stderr, stdout, stderr }
    }
}

impl Checkout {
    /// Brings copy `number` of the checkout at `original` up to date. It lies at the same path each
    /// time, so that cargo knows what it has built there, and outside of the checkout, whose
    /// `.cargo/config.toml` would be added to its own.
    pub fn new(original: &Path, number: usize) -> io::Result<Self> {
        let mut hasher = DefaultHasher::new();
        original.hash(&mut hasher);
        let folder = format!("perf-proved-breaks-{:x}", hasher.finish());
        let root = env::temp_dir().join(folder).join(number.to_string());
        let target = original.join("target/breaks").join(number.to_string());
        let checkout =
            Self { original: original.to_owned(), root, target, mended: BTreeMap::new() };
        let wanted = checkout.files()?;
        for file in &wanted {
            checkout.reset(file)?;
        }
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(checkout.root.join(&folder))? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                } else if !wanted.contains(&*path.to_string_lossy()) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(checkout)
    }

    /// Lists the files that git tracks or would.
    fn files(&self) -> io::Result<BTreeSet<String>> {
        let output = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(&self.original)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(format!("git ls-files: {}", output.status)));
        }
        let files = String::from_utf8_lossy(&output.stdout);
        let files = files.split('\0').filter(|file| self.original.join(file).is_file());
        Ok(files.map(str::to_owned).collect())
    }

    /// Copies one file, unless it is the same already: cargo builds again what is newer.
    fn reset(&self, file: &str) -> io::Result<()> {
        let (from, to) = (self.original.join(file), self.root.join(file));
        let wanted = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        fs::create_dir_all(to.parent().unwrap_or(&to))?;
        fs::write(&to, wanted)
    }

    /// Applies `one` on top of the breaks that are there already.
    pub fn apply(&mut self, one: &Break) -> Result<(), String> {
        let mut texts = BTreeMap::new();
        one.apply(&mut texts, |file| breaks::read(&self.root, file))?;
        for (file, text) in texts {
            let before = breaks::read(&self.root, &file)?;
            self.mended.entry(file.clone()).or_insert(before);
            fs::write(self.root.join(&file), text)
                .map_err(|error| format!("cannot write {file} in the copy: {error}"))?;
        }
        Ok(())
    }

    /// Reverts all breaks. The checkout may have changed since, and the copy keeps to itself.
    pub fn mend(&mut self) -> io::Result<()> {
        for (file, text) in std::mem::take(&mut self.mended) {
            fs::write(self.root.join(&file), text)?;
        }
        Ok(())
    }

    fn command<S: AsRef<OsStr>>(&self, target: &str, arguments: &[S]) -> Command {
        // `timeout` ends a whole group, where `Child::kill` would leave cargo's children behind.
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=10", LIMIT])
            .args(arguments)
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .env("CARGO_TARGET_DIR", self.target.join(target))
            .env("CARGO_INCREMENTAL", "1")
            // These would outweigh the configuration of the models.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        // What cargo told this program about its own package would mislead the press.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            }) {
                command.env_remove(&name);
            }
        }
        command
    }

    fn cargo(&self, target: &str, arguments: &[&str]) -> Command {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        self.command(target, &[&[cargo.as_str()], arguments].concat())
    }

    /// Runs cargo, with the ordinary target folder.
    pub fn plain(&self, arguments: &[&str]) -> io::Result<Said> {
        self.cargo("plain", arguments).output().map(Said::from)
    }

    /// Runs `press`, the press of the original checkout: what is broken is not its own code.
    pub fn press(&self, press: &Path, arguments: &[&str]) -> io::Result<Said> {
        let press = press.to_string_lossy();
        self.command("plain", &[&[&*press], arguments].concat()).output().map(Said::from)
    }

    /// Runs the program of the loom models.
    pub fn models(&self, arguments: &[&str]) -> io::Result<Said> {
        let test = ["test", "--release", "--package", "perf-proved-tests", "--test", "loom", "--"];
        self.cargo("loom", &[&MODELS[..], &test, arguments].concat()).output().map(Said::from)
    }

    /// Runs the tests of `target`, without the press, which they do not need.
    pub fn tests(&self, target: &str, arguments: &[&str]) -> io::Result<Said> {
        let test =
            ["test", "--package", "perf-proved-tests", "--no-default-features", "--test", target];
        self.cargo("plain", &[&test, arguments].concat()).output().map(Said::from)
    }

    /// Runs the tests of `target` under ThreadSanitizer.
    pub fn raced(&self, target: &str, arguments: &[&str]) -> io::Result<Said> {
        let version = Command::new("rustc").arg("-vV").output()?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or_else(|| io::Error::other("rustc -vV names no host"))?;
        let test =
            ["test", "--package", "perf-proved-tests", "--no-default-features", "--test", target];
        let suppressions = self.root.join(".ci/race-suppressions");
        self.cargo("race", &[&test[..], &["--target", host], arguments].concat())
            // The sanitizer is no stable option of the compiler, but the stable one has it.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer")
            .env("TSAN_OPTIONS", format!("halt_on_error=1 suppressions={}", suppressions.display()))
            .output()
            .map(Said::from)
    }
}
