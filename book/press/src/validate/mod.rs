//! Validates the recordings of machines, such as a pull request brings: what is refused would make
//! a verdict that cannot be trusted or traced. What is odd and does no harm is a notice.

mod environment;
mod folder;
mod names;
mod numbers;
mod origin;
mod report;
#[cfg(test)]
mod tests;
mod validator;

pub use report::Finding;
pub use validator::Validator;

use crate::machine::Machine;
use crate::machine::files::{self, BenchFile, MACHINE, MachineFile};
use crate::model::Error;
use report::Report;
use std::path::{Path, PathBuf};

impl Validator<'_> {
    /// Returns what is wrong with the folder of one machine, its refusals first.
    pub fn machine(&mut self, name: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let paths = folder::files(self.project, name, &mut findings);
        let mut dates = Vec::new();
        for path in &paths {
            let path = self.project.machine(name).join(path);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let mut report = Report { path: self.short(&path), findings: &mut findings };
            if stem == MACHINE {
                folder::machine(load::<MachineFile>(&path, &mut report), &mut report);
            } else if let Some(file) = load::<BenchFile>(&path, &mut report) {
                dates.extend(self.bench(&stem, &file, &mut report));
            }
        }
        let mut report =
            Report { path: self.short(&self.project.machine(name)), findings: &mut findings };
        origin::span(&dates, &mut report);
        if let Some(because) = self.not_looked_up.take() {
            report.note(format!("commits were not looked up, because {because}"));
        }
        if findings.iter().all(|finding| !finding.refused) {
            self.null_controls(name, &mut findings);
        }
        findings.sort_by_key(|finding| (!finding.refused, finding.clone()));
        findings.dedup();
        findings
    }

    /// Validates the file of one bench, and returns its dates.
    fn bench(&mut self, bench: &str, file: &BenchFile, report: &mut Report<'_>) -> Vec<i64> {
        let mut dates = Vec::new();
        if file.recording.is_none() && file.counts.is_none() {
            report.refuse("it holds neither rounds nor counts; remove it, or record the bench");
        }
        if let Some(counts) = &file.counts {
            numbers::counts(counts, report);
            // The hash of the rounds speaks for the counts of the same commit.
            let has_hash = file.recording.as_ref().is_some_and(|recording| {
                recording.sources.is_some() && recording.commit == counts.commit
            });
            dates.extend(self.origin(&counts.date, counts.commit.as_deref(), has_hash, report));
            names::example(bench, &self.examples, report);
        }
        if let Some(recording) = &file.recording {
            names::bench(bench, &self.benches, report);
            numbers::recording(recording, report);
            names::groups(self.project, self.book, bench, recording, report);
            environment::complete(&recording.environment, report);
            let has_hash = recording.sources.is_some();
            let commit = recording.commit.as_deref();
            dates.extend(self.origin(&recording.date, commit, has_hash, report));
            self.sources(bench, recording, report);
        }
        dates
    }

    /// Notes or refuses null controls in which the same code differed from itself.
    fn null_controls(&self, name: &str, findings: &mut Vec<Finding>) {
        let folder = self.project.machine(name);
        let Ok(Some(machine)) = Machine::load(&folder) else { return };
        for bench in machine.recordings.keys() {
            let path = self.short(&files::bench_path(&folder, bench));
            numbers::null_controls(&machine, bench, &mut Report { path, findings });
        }
    }

    /// Returns a path from the project's root.
    fn short(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.project.root()).unwrap_or(path).to_owned()
    }
}

/// Reads a file of the recordings, or refuses it.
fn load<T: serde::de::DeserializeOwned>(path: &Path, report: &mut Report<'_>) -> Option<T> {
    match files::load(path) {
        Ok(file) => file,
        Err(Error::Failed(what)) => {
            // The finding names the file already.
            let what = what.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&what);
            report.refuse(format!("{what}; commit the file as `cargo book record` wrote it"));
            None
        }
        Err(other) => {
            report.refuse(other.to_string());
            None
        }
    }
}
