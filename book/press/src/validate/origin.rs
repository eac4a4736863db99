//! The origin of a recording: its date, its commit, and the code that it measured.

use super::names;
use super::report::Report;
use super::validator::Validator;
use crate::machine::{Recording, Sources};
use jiff::Timestamp;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The days between the first and the last file of a machine, above which it was hardly the same.
const SPAN: i64 = 366;

impl Validator<'_> {
    /// Validates a date and a commit, and returns the date in seconds since 1970.
    pub(super) fn origin(
        &mut self,
        date: &str,
        commit: Option<&str>,
        has_hash: bool,
        report: &mut Report<'_>,
    ) -> Option<i64> {
        let Ok(time) = date.parse::<Timestamp>().map(Timestamp::as_second) else {
            report.refuse(format!(
                "`{date}` is no date like 2026-03-01T12:00:00Z; commit the file as it was written"
            ));
            return None;
        };
        // A clock may be off by a time zone.
        if time > self.now + DAY {
            report.refuse(format!(
                "the date {date} is in the future; set the machine's clock and record again"
            ));
        }
        match commit {
            None if !has_hash => report.refuse(
                "it names neither a commit nor the hash of its sources, so what was measured \
                 cannot be told; record from a checkout of git or from a packed archive",
            ),
            None => {}
            Some(commit) => self.commit(commit, time, has_hash, report),
        }
        Some(time)
    }

    fn commit(&mut self, commit: &str, time: i64, has_hash: bool, report: &mut Report<'_>) {
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            report.refuse(format!("`{commit}` is no full id of a commit; record again"));
            return;
        }
        if !self.history.is_there() {
            self.not_looked_up = Some("this is no checkout of git");
            return;
        }
        let short = &commit[..10];
        match self.history.authored(commit) {
            Some(authored) if time + HOUR < authored => report.refuse(format!(
                "it is older than the commit {short} that it measured; set the machine's clock \
                 and record again"
            )),
            Some(_) => {}
            None if self.history.is_shallow() => {
                self.not_looked_up = Some("the checkout is shallow");
            }
            // The hash says what was measured, wherever the commit is.
            None if has_hash => {
                report.note(format!("the commit {short} is not in this repository"));
            }
            None => report.refuse(format!(
                "the commit {short} is not in this repository; record from a commit that is \
                 pushed to it"
            )),
        }
    }

    /// Validates the code that a recording measured.
    pub(super) fn sources(&mut self, bench: &str, recording: &Recording, report: &mut Report<'_>) {
        let hash = recording.sources.as_deref();
        let commit = recording.commit.as_deref();
        if let Some(hash) = hash
            && (hash.len() != 16 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            report.refuse(format!("`{hash}` is no hash of sources; record the bench again"));
            return;
        }
        let now = self.history.compare(self.project, bench, hash, commit);
        let of_commit = commit.and_then(|commit| self.history.hash(commit, bench));
        // Other files may differ from the commit, as long as these do not.
        let known = hash.is_some() && (now == Sources::Same || of_commit.as_deref() == hash);
        if recording.modified == Some(true) && !known {
            report.refuse(
                "the code that it measured differs from its commit; commit your changes, or undo \
                 them, and record again",
            );
        }
        let lacks =
            |id: &String| !recording.benchmarks.contains_key(id) && recording.why_not(id).is_none();
        let missing: Vec<String> =
            names::named(self.book, bench).into_iter().filter(lacks).collect();
        match (now, missing.first()) {
            (Sources::Same, Some(first)) => report.refuse(format!(
                "it lacks {} benchmarks that claims need, `{first}` among them; record the whole \
                 bench again",
                missing.len()
            )),
            (Sources::Changed, _) => {
                report.note("the bench has changed since, and the page of the machine says so");
            }
            _ => {}
        }
        let unknown = names::unknown_functions(self.project, self.book, bench, recording);
        let unknown: Vec<String> = unknown.iter().map(|path| format!("`{path}`")).collect();
        if unknown.is_empty() {
            return;
        }
        let unknown = unknown.join(", ");
        match now {
            Sources::Same => report.refuse(format!(
                "the bench has no {unknown}; commit the file as `cargo book record` wrote it"
            )),
            _ => report.note(format!("the bench has no {unknown} now")),
        }
    }
}

/// Notes that a machine's files are far apart in time.
pub(super) fn span(dates: &[i64], report: &mut Report<'_>) {
    if let (Some(first), Some(last)) = (dates.iter().min(), dates.iter().max())
        && last - first > SPAN * DAY
    {
        report.refuse(format!(
            "its files are {} days apart, so kernel and compiler are hardly the same; record the \
             older benches again, or as another machine",
            (last - first) / DAY
        ));
    }
}
