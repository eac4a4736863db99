//! Snapshots as lines of JSON, in a file that is rotated.

use super::export::Exporter;
use super::snapshot::{Reading, SeriesSnapshot, Snapshot, Value};
use crate::sys::trying;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A file to which each export adds a line, one JSON object.
///
/// Before a line that would make the file larger than `bytes`, the file is renamed to `NAME.1`,
/// `NAME.1` to `NAME.2` and so on, and `NAME.KEEP` is gone. A line that could not be written in
/// full is removed, so that a full disk leaves whole lines.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    bytes: u64,
    keep: u32,
    file: File,
    length: u64,
}

impl JsonLines {
    /// Opens the file `path`, or creates it. An unfinished last line, which a crash can leave, is
    /// ended by a line break.
    ///
    /// # Errors
    ///
    /// The errors of opening the file and of writing to it, with its path.
    pub fn open(path: &Path, bytes: u64, keep: u32) -> io::Result<Self> {
        let (file, length) = trying(path.display(), open(path))?;
        Ok(Self { path: path.to_owned(), bytes, keep, file, length })
    }

    // ANCHOR: rotate
    /// Renames the files, from the oldest to the newest, and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..self.keep).rev() {
            let (from, to) = (self.numbered(number), self.numbered(number + 1));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() == ErrorKind::NotFound => {} // not as many yet
                result => trying(format_args!("renaming {}", from.display()), result)?,
            }
        }
        if self.keep == 0 {
            trying(self.path.display(), self.file.set_len(0))?;
            self.length = 0;
            return Ok(());
        }
        (self.file, self.length) = trying(self.path.display(), open(&self.path))?;
        Ok(())
    }
    // ANCHOR_END: rotate

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.into()
    }
}

impl Exporter for JsonLines {
    fn export(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let line = json(snapshot) + "\n";
        let size = line.len() as u64;
        if self.length > 0 && self.length + size > self.bytes {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // The next line must not continue this one. If the file cannot be cut off, the next
            // line is no worse off than without trying.
            let _ = self.file.set_len(self.length);
            return trying(self.path.display(), Err(error));
        }
        self.length += size;
        Ok(())
    }
}

/// Opens a file to append to it, and returns its length.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut length = file.metadata()?.len();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            length += 1;
        }
    }
    Ok((file, length))
}

/// Returns a snapshot as a JSON object on one line:
/// `{"time":1.5,"metrics":[{"name":"jobs_total","labels":{"kind":"copy"},"value":3},…]}`.
///
/// A histogram has `count`, `sum` and `buckets`, an array of bounds and cumulative counts, instead
/// of `value`. JSON has no NaN and no infinities, so these are the strings `"NaN"`, `"+Inf"` and
/// `"-Inf"`.
pub fn json(snapshot: &Snapshot) -> String {
    let time = snapshot.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut text = format!("{{\"time\":{time:.3},\"metrics\":[");
    let start = text.len();
    for family in &snapshot.families {
        for series in &family.series {
            if text.len() > start {
                text.push(',');
            }
            text.push_str("{\"name\":");
            string(&mut text, &(family.name.clone() + family.kind.suffix()));
            one(&mut text, series);
        }
    }
    text + "]}"
}

/// Appends the labels and the numbers of a series.
fn one(text: &mut String, series: &SeriesSnapshot) {
    text.push_str(",\"labels\":{");
    for (index, (name, value)) in series.labels.iter().enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        string(text, name);
        text.push(':');
        string(text, value);
    }
    text.push('}');
    match &series.reading {
        Reading::Number(value) => {
            text.push_str(",\"value\":");
            number(text, *value);
        }
        Reading::Histogram { buckets, sum } => {
            let count = buckets.last().map_or(0, |(_, count)| *count);
            let _ = write!(text, ",\"count\":{count},\"sum\":"); // cannot fail
            number(text, Value::Float(*sum));
            text.push_str(",\"buckets\":[");
            for (index, (bound, count)) in buckets.iter().enumerate() {
                text.push_str(if index > 0 { ",[" } else { "[" });
                number(text, Value::Float(*bound));
                let _ = write!(text, ",{count}]"); // cannot fail
            }
            text.push(']');
        }
    }
    text.push('}');
}

fn number(text: &mut String, value: Value) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Integer(number) => write!(text, "{number}"),
        Value::Float(f64::INFINITY) => write!(text, "\"+Inf\""),
        Value::Float(f64::NEG_INFINITY) => write!(text, "\"-Inf\""),
        Value::Float(number) if number.is_nan() => write!(text, "\"NaN\""),
        Value::Float(number) => write!(text, "{number:?}"),
    };
}

/// Appends a JSON string.
fn string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            // U+2028 and U+2029 end a line of JavaScript.
            '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(character)); // cannot fail
            }
            other => text.push(other),
        }
    }
    text.push('"');
}
