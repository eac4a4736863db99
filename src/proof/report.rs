//! What an example prints: a table for people, one flat JSON object for programs, and whether it
//! kept its promises.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// One cell of a [`Report`], with its unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// So many things.
    Count(u64),
    /// So many bytes.
    Bytes(u64),
    /// So long; nanoseconds in JSON.
    Time(Duration),
    /// So many nanoseconds, for what is too short for a [`Duration`].
    Nanoseconds(f64),
    /// So many bytes a second.
    BytesPerSecond(f64),
    /// The median of several rounds, the lowest and the highest of them. In JSON three members: the
    /// quantity's own, and with `_low` and `_high` appended to it.
    Rounds(Box<[Value; 3]>),
    /// No number can be had on this machine, for this reason.
    NotPossible(String),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl From<io::Error> for Value {
    fn from(error: io::Error) -> Self {
        Self::NotPossible(error.to_string())
    }
}

/// The numbers of one example: a row a variant, a column a quantity, both in the order in which
/// they were first set.
///
/// ```
/// use perf_proved::proof::report::{Report, Value};
///
/// let mut report = Report::new("What it takes to answer");
/// report.set("loop", "syscalls", 32);
/// report.set("loop", "through_user_space", Value::Bytes(1 << 20));
/// report.promise("the answer is 42", 6 * 7 == 42);
/// assert_eq!(report.json(), r#"{"loop.syscalls":32,"loop.through_user_space":1048576}"#);
/// ```
pub struct Report {
    title: String,
    variants: Vec<String>,
    quantities: Vec<String>,
    cells: Vec<(usize, usize, Value)>,
    /// Numbers that only programs want, by their keys.
    details: Vec<(String, Value)>,
    notes: Vec<String>,
    promises: Vec<(String, bool)>,
}

impl Report {
    /// An empty report under this title.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            variants: vec![],
            quantities: vec![],
            cells: vec![],
            details: vec![],
            notes: vec![],
            promises: vec![],
        }
    }

    /// Sets one cell, or sets it again.
    ///
    /// # Panics
    ///
    /// If a name holds a full stop, which parts variant and quantity in the JSON.
    pub fn set(&mut self, variant: &str, quantity: &str, value: impl Into<Value>) {
        key(variant, quantity);
        let row = position(&mut self.variants, variant);
        let column = position(&mut self.quantities, quantity);
        self.cells.retain(|&(r, c, _)| (r, c) != (row, column));
        self.cells.push((row, column, value.into()));
    }

    /// Sets cells for which no number can be had on this machine, for this reason.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn not_possible(&mut self, variant: &str, quantities: &[&str], reason: &str) {
        quantities.iter().for_each(|quantity| {
            self.set(variant, quantity, Value::NotPossible(reason.to_owned()))
        });
    }

    /// Sets a number that has no place in the table, only in the JSON.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn detail(&mut self, variant: &str, quantity: &str, value: impl Into<Value>) {
        let key = key(variant, quantity);
        self.details.retain(|(known, _)| *known != key);
        self.details.push((key, value.into()));
    }

    /// Adds a line under the table, for people only.
    pub fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }

    /// States something that must hold for the numbers to mean anything. A broken promise is
    /// printed, and the example exits with 1.
    pub fn promise(&mut self, says: &str, kept: bool) {
        self.promises.push((says.to_owned(), kept));
    }

    /// The numbers as one flat JSON object, `"variant.quantity": number`: counts, bytes,
    /// nanoseconds, bytes a second. Where there is no number, the reason stands as a string.
    pub fn json(&self) -> String {
        let cells = self
            .cells
            .iter()
            .map(|(row, column, value)| {
                (key(&self.variants[*row], &self.quantities[*column]), value)
            })
            .chain(self.details.iter().map(|(key, value)| (key.clone(), value)));
        let members: Vec<String> = cells
            .map(|(key, value)| match value {
                Value::Rounds(rounds) => {
                    let keys = [key.clone(), key.clone() + "_low", key + "_high"];
                    let members =
                        keys.iter().zip(rounds.iter()).map(|(key, value)| member(key, value));
                    members.collect::<Vec<_>>().join(",")
                }
                value => member(&key, value),
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// The numbers as a table, the promises under it.
    pub fn table(&self) -> String {
        let mut rows = vec![vec![String::new()]];
        rows[0].extend(self.quantities.iter().map(|name| name.replace('_', " ")));
        let mut reasons = vec![];
        for (row, variant) in self.variants.iter().enumerate() {
            let mut line = vec![variant.clone()];
            for column in 0..self.quantities.len() {
                let value = self
                    .cells
                    .iter()
                    .find(|(r, c, _)| (*r, *c) == (row, column))
                    .map(|(_, _, value)| value);
                if let Some(Value::NotPossible(reason)) = value {
                    reasons.push(format!("{variant}: {reason}"));
                }
                line.push(value.map(text).unwrap_or_default());
            }
            rows.push(line);
        }
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.quantities.len()).map(width).collect();

        let mut out = format!("{}\n\n", self.title);
        for row in &rows {
            let mut line = format!("{:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                let _ = write!(line, "   {cell:>width$}");
            }
            out += line.trim_end();
            out.push('\n');
        }
        for (number, note) in self.notes.iter().enumerate() {
            out += if number == 0 { "\n" } else { "" };
            let _ = writeln!(out, "{note}");
        }
        if !self.promises.is_empty() || !reasons.is_empty() {
            out.push('\n');
        }
        reasons.dedup();
        for reason in reasons {
            let _ = writeln!(out, "not possible here: {reason}");
        }
        for (says, kept) in &self.promises {
            let _ = writeln!(out, "{}: {says}", if *kept { "holds" } else { "FAILS" });
        }
        out
    }

    /// Prints the report, as JSON or as a table, and returns what `main` should: 1 if a promise is
    /// broken. With JSON, broken promises go to standard error.
    pub fn finish(&self, json: bool) -> ExitCode {
        let out = if json { self.json() + "\n" } else { self.table() };
        if json {
            for (says, _) in self.promises.iter().filter(|(_, kept)| !kept) {
                eprintln!("FAILS: {says}");
            }
        }
        // A reader that closes the pipe early (`| head`) has seen what it wanted.
        let printed = io::stdout().write_all(out.as_bytes());
        let broken = self.promises.iter().any(|(_, kept)| !kept);
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                eprintln!("printing the report: {error}");
                ExitCode::FAILURE
            }
            _ if broken => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        }
    }
}

/// # Panics
///
/// If a name holds a full stop.
fn key(variant: &str, quantity: &str) -> String {
    assert!(
        !variant.contains('.') && !quantity.contains('.'),
        "a full stop in `{variant}` or `{quantity}`"
    );
    format!("{variant}.{quantity}")
}

fn position(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

/// One member of the JSON object.
fn member(key: &str, value: &Value) -> String {
    let value = match value {
        Value::Count(n) | Value::Bytes(n) => n.to_string(),
        Value::Time(time) => time.as_nanos().to_string(),
        Value::Nanoseconds(time) => format!("{time:.3}"),
        Value::BytesPerSecond(rate) => format!("{rate:.0}"),
        Value::Rounds(rounds) => return member(key, &rounds[0]),
        Value::NotPossible(reason) => quoted(reason),
    };
    format!("{}:{value}", quoted(key))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// A value with its unit, to three significant digits where it is not exact.
fn text(value: &Value) -> String {
    const BINARY: [(f64, &str); 4] =
        [(1024.0 * 1024.0 * 1024.0, "GiB"), (1024.0 * 1024.0, "MiB"), (1024.0, "KiB"), (1.0, "B")];
    const TIME: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    match value {
        Value::Count(n) => n.to_string(),
        Value::Bytes(n) => scaled(*n as f64, &BINARY),
        Value::Time(time) => scaled(time.as_nanos() as f64, &TIME),
        Value::Nanoseconds(time) => scaled(*time, &TIME),
        Value::Rounds(rounds) => {
            let [median, mut low, mut high] = (**rounds).each_ref().map(text);
            // One unit is enough where all three have the same.
            if let (Some((_, unit)), Some((l, lu)), Some((h, hu))) =
                (median.rsplit_once(' '), low.rsplit_once(' '), high.rsplit_once(' '))
                && (unit, unit) == (lu, hu)
            {
                (low, high) = (l.to_owned(), h.to_owned());
            }
            format!("{median} ({low} to {high})")
        }
        Value::BytesPerSecond(rate) => scaled(*rate, &BINARY) + "/s",
        Value::NotPossible(_) => "—".to_owned(),
    }
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let &(size, unit) =
        units.iter().find(|(size, _)| value >= *size).unwrap_or(&units[units.len() - 1]);
    let value = value / size;
    let decimals =
        if value.fract() == 0.0 || value >= 100.0 { 0 } else { usize::from(value < 10.0) + 1 };
    format!("{value:.decimals$} {unit}")
}
