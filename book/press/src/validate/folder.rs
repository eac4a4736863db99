//! The folder of a machine: its name, its files, and the sentence about it.

use super::report::{Finding, Report};
use crate::machine::HERE;
use crate::machine::files::{MACHINE, MachineFile};
use crate::project::Project;
use std::fs;
use std::path::PathBuf;

/// The longest name of a machine: it is the head of a column.
const NAME: usize = 40;

/// The largest file, in bytes. Fifteen rounds of the largest bench take a fifth of it.
const LARGEST: u64 = 2 << 20;

/// The longest sentence about a machine, in bytes.
const ABOUT: usize = 500;

/// The longest name of a contributor, in bytes.
const BY: usize = 80;

/// Returns `true` if `name` can be a machine's: it names a folder and an address.
pub fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty()
        && name.len() <= NAME
        && name.split('-').all(|part| !part.is_empty() && part.bytes().all(letter))
}

/// Returns the names of the files of a machine, without those that are refused.
pub(super) fn files(project: &Project, name: &str, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    let folder = PathBuf::from("book/machines").join(name);
    let mut report = Report { path: folder.clone(), findings };
    if !is_name(name) {
        report.refuse(format!(
            "a machine's name is made of a-z, 0-9 and single hyphens, at most {NAME} of them, and \
             is not a path; rename the folder after the design of the processor"
        ));
        return Vec::new();
    }
    let root = project.machine(name);
    if root.is_symlink() {
        report.refuse("it is a symbolic link; commit the folder itself");
        return Vec::new();
    }
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries.flatten(),
        Err(e) => {
            report.refuse(format!("the folder cannot be read ({e}); record the machine first"));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = PathBuf::from(entry.file_name());
        let mut report = Report { path: folder.join(&path), findings: &mut *report.findings };
        let Ok(about) = entry.path().symlink_metadata() else { continue };
        if !about.is_file() {
            report.refuse("only plain files belong here; remove it");
        } else if path.extension().is_none_or(|ending| ending != "json") {
            report.refuse("only the files BENCH.json and machine.json belong here; remove it");
        } else if about.len() > LARGEST {
            report.refuse(format!(
                "it has {} bytes, and no recording needs more than {LARGEST}; record fewer rounds",
                about.len()
            ));
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    let machine = PathBuf::from(MACHINE).with_extension("json");
    if paths.iter().all(|path| *path == machine) {
        report.refuse("it holds no recording; run `cargo book record --machine NAME`");
    }
    // The reader's own machine needs no introduction.
    if !paths.contains(&machine) && name != HERE {
        report.refuse(
            "machine.json is missing, which says what the machine is; record with --about \
             \"One sentence.\"",
        );
    }
    paths
}

/// Validates the sentence about the machine and the name of its contributor.
pub(super) fn machine(file: Option<MachineFile>, report: &mut Report<'_>) {
    let Some(file) = file else { return };
    let about = file.about.unwrap_or_default();
    if about.trim().is_empty() {
        report.refuse("it does not say what the machine is; record with --about \"One sentence.\"");
    }
    for (key, text, most) in [("about", Some(about), ABOUT), ("by", file.by, BY)] {
        let Some(text) = text else { continue };
        if text.len() > most || text.contains(char::is_control) {
            report.refuse(format!("`{key}` is one line of at most {most} bytes; shorten it"));
        }
        if key == "by" && text.trim().is_empty() {
            report.refuse("`by` is empty; give a name, or leave it out");
        }
    }
}
