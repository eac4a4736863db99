//! Power cuts while a file is replaced, and while any program runs.

use super::variants::Variant;
use crate::harness::scratch::Scratch;
use crate::proof::power_loss::{
    Crash, Findings, History, Image, Recorder, Rules, Search, Twin, search,
};
use crate::sys::storage::Directory;
use crate::sys::trying;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

/// The file that is replaced.
pub const NAME: &str = "settings";

/// Its old content: two sectors, the second of them not full.
pub const OLD: [u8; 600] = [b'o'; 600];

/// Its new content.
pub const NEW: [u8; 600] = [b'n'; 600];

/// Runs a variant in the directory at `path`, and tells standard output when the file is stored.
///
/// # Errors
///
/// The errors of the variant.
pub fn store(variant: Variant, path: &Path) -> io::Result<()> {
    variant.store(&Directory::open(path)?, NAME, &NEW)?;
    io::stdout().write_all(b"stored\n")
}

/// Records this program while it runs a variant (`--only NAME --in DIR`), in a directory with the
/// old file.
///
/// # Errors
///
/// The errors of the recorder; any error of the program.
pub fn recorded(name: &str) -> io::Result<History> {
    let scratch = Scratch::new()?;
    if Variant::new(name)?.has_old() {
        trying("writing the old file", fs::write(scratch.path().join(NAME), OLD))?;
    }
    let mut program = Command::new(env::current_exe()?);
    program.args(["--only", name, "--in"]).arg(scratch.path()).stdout(Stdio::null());
    let recording = Recorder::new(scratch.path()).record(&mut program)?;
    if !recording.status.success() {
        return Err(io::Error::other(format!("{name} ended with {}", recording.status)));
    }
    Ok(recording.history)
}

/// Returns the history of a variant in the twin, where nothing waits for a disk.
///
/// # Errors
///
/// The errors of the variant.
pub fn in_memory(name: &str) -> io::Result<History> {
    let variant = Variant::new(name)?;
    let mut image = Image::default();
    if variant.has_old() {
        image.put(NAME, Some(OLD[..].into()));
    }
    let twin = Twin::holding(&image);
    variant.store(&twin, NAME, &NEW)?;
    twin.acknowledge(b"stored\n");
    Ok(twin.history())
}

/// The images that power cuts leave of a replacement, by what they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub images: u64,
    /// Those without the file, although there was one before or it was reported as stored.
    pub missing: u64,
    /// Those with an empty file.
    pub empty: u64,
    /// Those with a file that is neither the old one nor the new one: zeros, or parts of both.
    pub mixed: u64,
    /// Those with the old file, although the new one was reported as stored.
    pub stale: u64,
}

impl Tally {
    /// Cuts the power everywhere in a history, and counts.
    ///
    /// # Panics
    ///
    /// If there are more images than are tried, which a history of these variants never has.
    pub fn of(history: &History, rules: Rules, variant: Variant) -> Self {
        let mut tally = Self::default();
        let found = search(history, rules, Search::default(), |crash| {
            tally.count(crash, variant);
            Ok(())
        });
        assert_eq!(found.sampled, 0, "all images are counted");
        tally
    }

    fn count(&mut self, crash: &Crash<'_>, variant: Variant) {
        let stored = !crash.acknowledged.is_empty();
        self.images += 1;
        match crash.image.file(NAME) {
            None => self.missing += u64::from(stored || variant.has_old()),
            Some(content) if content == NEW => {}
            Some(content) if content == OLD => self.stale += u64::from(stored),
            Some([]) => self.empty += 1,
            Some(_) => self.mixed += 1,
        }
    }

    /// Returns the number of those that have neither the old file nor the new one.
    pub fn destroyed(&self) -> u64 {
        self.missing + self.empty + self.mixed
    }
}

/// A program that is examined.
#[derive(Clone, Debug)]
pub struct Examination<'a> {
    /// The directory that is watched.
    pub directory: &'a Path,
    /// Endings of names that are left out.
    pub ignored: &'a [&'a str],
    /// The rules.
    pub rules: Rules,
    /// The effort at each moment.
    pub search: Search,
    /// The command of the shell that checks an image. It runs in a directory that holds the image.
    /// The file named by `$ACKNOWLEDGED` has what the program had written to standard output.
    pub check: &'a str,
}

impl Examination<'_> {
    /// Records `command`, whose standard output goes nowhere, and has each image checked.
    ///
    /// # Errors
    ///
    /// The errors of the recorder; if the program fails; if a check cannot be run.
    pub fn run(&self, command: &mut Command) -> io::Result<Findings> {
        let mut recorder = Recorder::new(self.directory);
        for suffix in self.ignored {
            recorder = recorder.ignore(suffix);
        }
        let recording = recorder.record(command.stdout(Stdio::null()))?;
        if !recording.status.success() {
            let status = recording.status;
            return Err(io::Error::other(format!("the program ended with {status}")));
        }
        let scratch = Scratch::new()?;
        let [image, told] = ["image", "acknowledged"].map(|name| scratch.path().join(name));
        fs::create_dir(&image)?;
        let mut failed = None;
        let found = search(&recording.history, self.rules, self.search, |crash| {
            let outcome = self.checked(crash, &image, &told);
            outcome.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Ok(())
            })
        });
        failed.map_or(Ok(found), Err)
    }

    fn checked(
        &self,
        crash: &Crash<'_>,
        image: &Path,
        told: &Path,
    ) -> io::Result<Result<(), String>> {
        crash.image.write(image)?;
        fs::write(told, crash.told(1))?;
        let mut check = Command::new("sh");
        check.args(["-c", self.check]).current_dir(image).env("ACKNOWLEDGED", told);
        let output = trying("running the check", check.output())?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().last().unwrap_or("no word");
        Ok(Err(format!("the check ended with {}: {line}", output.status)))
    }
}
