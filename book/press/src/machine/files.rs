//! Reads and writes recordings.
//!
//! `book/machines/MACHINE/` holds a file per bench, `BENCH.json`, with the bench's recording and
//! the counts of the example of the same name, and `machine.json` for the machine as a whole. So
//! recording one bench touches one file. An array of samples takes one line: short enough to skim,
//! and a difference of two recordings shows which benchmark changed.

use super::recording::{Counts, ProofRun, Recording};
use crate::model::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The version of the file format that this press reads and writes.
pub const FORMAT: u32 = 2;

/// The name of [`MachineFile`] without `.json`, which no bench may have.
pub const MACHINE: &str = "machine";

/// `BENCH.json`: one bench and the example of the same name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchFile {
    /// [`FORMAT`].
    pub format: u32,
    /// The counts of the example, unless it has not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The bench's rounds, unless it has not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Recording>,
}

/// `machine.json`: the machine as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineFile {
    /// [`FORMAT`].
    pub format: u32,
    /// One sentence about the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The person or the team that contributed it, if it is not one of the book's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The outcomes of builds and models, by `compiled:FILE#ANCHOR` and `explored:MODEL`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proofs: BTreeMap<String, ProofRun>,
}

/// `target/proved/check.json`: the results of the last `check` of each example and proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckFile {
    /// [`FORMAT`].
    pub format: u32,
    /// By example.
    pub counts: BTreeMap<String, Counts>,
    /// The outcomes of builds and models, as in [`MachineFile::proofs`].
    pub proofs: BTreeMap<String, ProofRun>,
}

impl Default for BenchFile {
    fn default() -> BenchFile {
        BenchFile { format: FORMAT, counts: None, recording: None }
    }
}

impl Default for MachineFile {
    fn default() -> MachineFile {
        MachineFile { format: FORMAT, about: None, by: None, proofs: BTreeMap::new() }
    }
}

impl Default for CheckFile {
    fn default() -> CheckFile {
        CheckFile { format: FORMAT, counts: BTreeMap::new(), proofs: BTreeMap::new() }
    }
}

/// Returns the path of a bench's file in a machine's folder.
pub fn bench_path(folder: &Path, bench: &str) -> PathBuf {
    folder.join(format!("{bench}.json"))
}

/// Returns the path of [`MachineFile`] in a machine's folder.
pub fn machine_path(folder: &Path) -> PathBuf {
    bench_path(folder, MACHINE)
}

/// Returns the paths in `folder`, sorted; a folder that does not exist has none.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |entries: fs::ReadDir| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>()
    };
    match fs::read_dir(folder).and_then(read) {
        Ok(mut paths) => {
            paths.sort();
            Ok(paths)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::Failed(format!("cannot read {}: {e}", folder.display()))),
    }
}

/// Returns the JSON files in `folder`, as [`entries`] does.
pub(super) fn json_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = entries(folder)?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json") && path.is_file());
    Ok(paths)
}

/// Reads a file of this format; `None` if there is no such file.
///
/// # Errors
///
/// If the file cannot be read, is damaged, or has another format.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let bad = |what: String| Error::Failed(format!("{}: {what}", path.display()));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(bad(format!("cannot read: {e}"))),
    };
    let value: Value =
        serde_json::from_str(&text).map_err(|e| bad(format!("damaged, not JSON: {e}")))?;
    match value.get("format").and_then(Value::as_u64) {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            return Err(bad(format!("format {format}, but this press reads format {FORMAT}")));
        }
        None => return Err(bad("damaged, it names no format".to_string())),
    }
    // Parsed from the text again, for the line number in the error.
    serde_json::from_str(&text).map(Some).map_err(|e| bad(format!("damaged: {e}")))
}

/// Writes a file, creating its folder. The file appears at `path` as a whole or not at all.
///
/// # Errors
///
/// If the file cannot be written.
pub fn store<T: Serialize>(file: &T, path: &Path) -> Result<(), Error> {
    let failed = |e: io::Error| Error::Failed(format!("cannot write {}: {e}", path.display()));
    let mut text = Vec::new();
    file.serialize(&mut Serializer::with_formatter(&mut text, Lines::default()))
        .map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let beside = beside(path, &format!(".{}.tmp", std::process::id()));
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(|e| {
        let _ = fs::remove_file(&beside);
        failed(e)
    })
}

/// Creates `folder` and writes a file into it, to find out in time that recordings cannot be
/// written there.
///
/// # Errors
///
/// If the folder or the file cannot be created.
pub fn try_to_write(folder: &Path) -> Result<(), Error> {
    let probe = folder.join(format!(".probe.{}.tmp", std::process::id()));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, "can be written\n"))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(|e| Error::Failed(format!("cannot write recordings to {}: {e}", folder.display())))
}

/// Returns `path` with `ending` appended to its name.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    path.with_file_name(name)
}

/// JSON with an object's fields on lines of their own and every array on one line.
#[derive(Default)]
struct Lines {
    pretty: PrettyFormatter<'static>,
}

impl Formatter for Lines {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }
}
