//! The output of an example: a table for people or one flat JSON object for programs, and the
//! promises that it keeps.

use super::kept;
use crate::sys::{log, raw_code};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

/// One cell of a [`Report`], with its unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number of things.
    Count(u64),
    /// A number of bytes.
    Bytes(u64),
    /// A duration; nanoseconds in JSON.
    Time(Duration),
    /// A time in nanoseconds, for one too short for a [`Duration`].
    Nanoseconds(f64),
    /// A rate in bytes per second.
    BytesPerSecond(f64),
    /// The median, the lowest and the highest of several rounds. In JSON these are three members:
    /// the quantity's own name, and the name with `_low` and `_high` appended.
    Rounds(Box<[Value; 3]>),
    /// The reason why this machine cannot provide the number.
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

/// The numbers of one example: a row per variant and a column per quantity, both in the order in
/// which they were first set.
///
/// ```
/// use perf_proved::harness::report::{Report, Value};
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
    /// Columns whose heading is not the quantity's name: quantity and heading.
    headings: Vec<(String, String)>,
    cells: Vec<(usize, usize, Value)>,
    /// Numbers that appear only in the JSON, by key.
    details: Vec<(String, Value)>,
    notes: Vec<String>,
    promises: Vec<(String, Kept)>,
}

/// The state of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It holds.
    Yes,
    /// It is broken: the example exits with 1.
    No,
    /// It is about times, and this run does not show it. That is printed and breaks nothing, since
    /// another program may have slowed this one down.
    InDoubt,
    /// It was not put to the test, because what it is about is not possible here.
    NotTried,
}

impl From<bool> for Kept {
    fn from(kept: bool) -> Self {
        if kept { Self::Yes } else { Self::No }
    }
}

/// `None` stands for a promise that could not be put to the test.
impl From<Option<bool>> for Kept {
    fn from(kept: Option<bool>) -> Self {
        kept.map_or(Self::NotTried, Self::from)
    }
}

/// Collects the outcomes of several experiments: broken if one of them failed, not tried if none of
/// them could be tried.
///
/// ```
/// use perf_proved::harness::report::Kept;
///
/// assert_eq!([Some(true), None].into_iter().collect::<Kept>(), Kept::Yes);
/// assert_eq!([Some(true), Some(false)].into_iter().collect::<Kept>(), Kept::No);
/// assert_eq!([None].into_iter().collect::<Kept>(), Kept::NotTried);
/// ```
impl FromIterator<Option<bool>> for Kept {
    fn from_iter<I: IntoIterator<Item = Option<bool>>>(outcomes: I) -> Self {
        outcomes.into_iter().flatten().reduce(|all, one| all && one).into()
    }
}

/// Returns `true` if `error` means that this machine lacks or refuses something (a call that is not
/// implemented or not permitted, a limit, a full disk), as opposed to a wrong result.
pub fn is_unavailable(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kind = matches!(
        error.kind(),
        Kind::Unsupported
            | Kind::PermissionDenied
            | Kind::OutOfMemory
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::FileTooLarge
            | Kind::ReadOnlyFilesystem
    );
    #[cfg(unix)]
    let limit = matches!(
        raw_code(error),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::EAGAIN | libc::ENOSYS)
    );
    #[cfg(not(unix))]
    let limit = raw_code(error).is_some_and(|_| false);
    kind || limit
}

impl Report {
    /// Starts an empty report under this title.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            variants: vec![],
            quantities: vec![],
            headings: vec![],
            cells: vec![],
            details: vec![],
            notes: vec![],
            promises: vec![],
        }
    }

    /// Gives the column of `quantity` a heading other than its name, which remains its key in the
    /// JSON.
    pub fn heading(&mut self, quantity: &str, heading: &str) {
        self.headings.retain(|(known, _)| known != quantity);
        self.headings.push((quantity.to_owned(), heading.to_owned()));
    }

    /// Sets one cell, or replaces its value.
    ///
    /// # Panics
    ///
    /// If a name contains a period, which separates variant and quantity in the JSON.
    pub fn set(&mut self, variant: &str, quantity: &str, value: impl Into<Value>) {
        key(variant, quantity);
        let row = position(&mut self.variants, variant);
        let column = position(&mut self.quantities, quantity);
        self.cells.retain(|&(r, c, _)| (r, c) != (row, column));
        self.cells.push((row, column, value.into()));
    }

    /// Sets cells for which this machine cannot provide a number to the reason why.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn not_possible(&mut self, variant: &str, quantities: &[&str], reason: &str) {
        quantities.iter().for_each(|quantity| {
            self.set(variant, quantity, Value::NotPossible(reason.to_owned()))
        });
    }

    /// Runs one experiment of the example, apart from all others. If this machine lacks or refuses
    /// what it needs ([`is_unavailable`]), those `quantities` of `variant` that it has not set
    /// become "not possible here" for that reason: in their cells if the table has such columns,
    /// else in the JSON and a note. Any other error is a broken promise. Returns `None` in both
    /// cases, and the example goes on.
    ///
    /// The error should say what was tried: see [`trying`](crate::sys::trying).
    ///
    /// ```
    /// use perf_proved::harness::report::Report;
    /// use perf_proved::sys::trying;
    /// use std::io;
    ///
    /// let mut report = Report::new("Two experiments");
    /// let refused = || Err::<u64, _>(io::Error::from(io::ErrorKind::PermissionDenied));
    /// let kept = report.attempt("splice", &["syscalls"], |report| {
    ///     let calls = trying("splice", refused())?;
    ///     report.set("splice", "syscalls", calls);
    ///     Ok(calls == 1)
    /// });
    /// report.promise("one call is enough", kept); // not tried, hence not broken
    /// assert_eq!(report.json(), r#"{"splice.syscalls":"splice: permission denied"}"#);
    /// ```
    pub fn attempt<T>(
        &mut self,
        variant: &str,
        quantities: &[&str],
        experiment: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> Option<T> {
        let error = match experiment(self) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let reason = error.to_string();
        let mut shown = false;
        for quantity in quantities {
            if self.has(variant, quantity) {
                continue;
            }
            let value = Value::NotPossible(reason.clone());
            if self.quantities.iter().any(|known| known == quantity) {
                self.set(variant, quantity, value);
                shown = true;
            } else {
                self.detail(variant, quantity, value);
            }
        }
        if !is_unavailable(&error) {
            self.promise(&format!("{variant} ends without an error ({reason})"), false);
        } else if !shown {
            self.note(&format!("{variant}: not possible here: {reason}"));
        }
        None
    }

    /// Sets one cell to the result of `measure`: an [`attempt`](Self::attempt) for a single
    /// quantity.
    pub fn measure<V: Into<Value>>(
        &mut self,
        variant: &str,
        quantity: &str,
        measure: impl FnOnce() -> io::Result<V>,
    ) {
        self.attempt(variant, &[quantity], |report| {
            report.set(variant, quantity, measure()?);
            Ok(())
        });
    }

    /// Sets a number that appears only in the JSON.
    ///
    /// # Panics
    ///
    /// As [`set`](Self::set).
    pub fn detail(&mut self, variant: &str, quantity: &str, value: impl Into<Value>) {
        let key = key(variant, quantity);
        self.details.retain(|(known, _)| *known != key);
        self.details.push((key, value.into()));
    }

    /// Returns `true` if a cell or a detail has been set.
    fn has(&self, variant: &str, quantity: &str) -> bool {
        let key = key(variant, quantity);
        let is_it = |row: usize, column: usize| {
            self.variants[row] == variant && self.quantities[column] == quantity
        };
        self.details.iter().any(|(known, _)| *known == key)
            || self.cells.iter().any(|&(row, column, _)| is_it(row, column))
    }

    /// Adds a line under the table; the JSON has no notes.
    pub fn note(&mut self, line: &str) {
        if !self.notes.iter().any(|known| known == line) {
            self.notes.push(line.to_owned());
        }
    }

    /// States something that must hold for the numbers to mean anything. A broken promise is
    /// printed, and the example exits with 1. `None` is a promise that could not be put to the
    /// test: it is listed as such and breaks nothing.
    pub fn promise(&mut self, says: &str, kept: impl Into<Kept>) {
        self.promises.push((says.to_owned(), kept.into()));
    }

    /// Formats the numbers as one flat JSON object, `"variant.quantity": number`: counts, bytes,
    /// nanoseconds, bytes per second. A number that is not possible here is a string, the reason.
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

    /// Formats the numbers as a table, with the promises under it.
    pub fn table(&self) -> String {
        let mut rows = vec![vec![String::new()]];
        rows[0].extend(self.quantities.iter().map(|name| {
            let heading = self.headings.iter().find(|(quantity, _)| quantity == name);
            heading.map_or_else(|| name.replace('_', " "), |(_, heading)| heading.clone())
        }));
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
            let state = match kept {
                Kept::Yes => "holds",
                Kept::No => "FAILS",
                Kept::InDoubt => "in doubt",
                Kept::NotTried => "not tried",
            };
            let _ = writeln!(out, "{state}: {says}");
        }
        out
    }

    /// Prints the report, as JSON or as a table, and returns the example's exit code: 1 if a
    /// promise is broken. With JSON, broken promises go to standard error. Unless one is broken,
    /// the numbers of an optimized example that cargo runs without flags are kept for the book.
    pub fn finish(&self, json: bool) -> ExitCode {
        let out = if json { self.json() + "\n" } else { self.table() };
        if json {
            for (says, _) in self.promises.iter().filter(|(_, kept)| *kept == Kept::No) {
                log::line(format_args!("FAILS: {says}"));
            }
        }
        // A reader that closes the pipe early (`| head`) has seen what it wanted.
        let printed = io::stdout().write_all(out.as_bytes());
        let broken = self.promises.iter().any(|(_, kept)| *kept == Kept::No);
        if !broken {
            // Without a place for them, the numbers are still on the screen.
            _ = kept::keep(&self.json());
        }
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                log::line(format_args!("printing the report: {error}"));
                ExitCode::FAILURE
            }
            _ if broken => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        }
    }
}

/// Returns the name of a cell in the JSON.
///
/// # Panics
///
/// If a name contains a period.
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

/// Formats one member of the JSON object.
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

/// Formats a value with its unit, to three significant digits unless it is exact.
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
            // The unit stands once if all three share it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::trying;

    fn failing(kind: io::ErrorKind) -> impl FnOnce(&mut Report) -> io::Result<()> {
        move |_| trying("splice", Err(kind.into()))
    }

    #[test]
    fn a_refused_call_leaves_a_reason_and_breaks_no_promise() {
        let mut report = Report::new("");
        report.set("loop", "calls", 32);
        let kept = report.attempt("pipe", &["calls"], failing(io::ErrorKind::PermissionDenied));
        report.promise("the pipe loses nothing", kept.map(|()| true));
        assert_eq!(report.json(), r#"{"loop.calls":32,"pipe.calls":"splice: permission denied"}"#);
        let table = report.table();
        assert!(table.contains("not possible here: pipe: splice: permission denied"), "{table}");
        assert!(table.contains("not tried: the pipe loses nothing"), "{table}");
        assert!(!table.contains("FAILS"), "{table}");
    }

    #[test]
    fn a_heading_stands_over_its_column_and_the_json_keeps_the_name() {
        let mut report = Report::new("");
        report.heading("copied_in", "a heading");
        report.set("loop", "copied_in", 32);
        report.heading("copied_in", "in by read");
        report.set("loop", "page_faults", 1);
        let table = report.table();
        assert!(table.contains("   in by read   page faults\n"), "{table}");
        assert!(!table.contains("a heading"), "{table}");
        assert_eq!(report.json(), r#"{"loop.copied_in":32,"loop.page_faults":1}"#);
    }

    #[test]
    fn a_time_in_doubt_is_listed_and_breaks_nothing() {
        let mut report = Report::new("");
        report.promise("b takes longer than a", Kept::InDoubt);
        assert!(report.table().ends_with("\nin doubt: b takes longer than a\n"));
        assert_eq!(report.finish(true), ExitCode::SUCCESS);
    }

    #[test]
    fn another_error_breaks_a_promise_and_the_rest_runs() {
        let mut report = Report::new("");
        assert_eq!(report.attempt("pipe", &["calls"], failing(io::ErrorKind::UnexpectedEof)), None);
        assert_eq!(report.attempt("loop", &[], |_| Ok(7)), Some(7));
        assert!(report.table().contains("FAILS: pipe ends without an error (splice: "));
    }

    #[test]
    fn what_was_set_before_the_error_stays() {
        let mut report = Report::new("");
        let none: Option<()> = report.attempt("pipe", &["calls", "bytes"], |report| {
            report.set("pipe", "calls", 3);
            trying("splice", Err(io::ErrorKind::Unsupported.into()))
        });
        assert_eq!(none, None);
        assert_eq!(report.json(), r#"{"pipe.calls":3,"pipe.bytes":"splice: unsupported"}"#);
    }
}
