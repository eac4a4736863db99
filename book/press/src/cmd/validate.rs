//! `cargo book validate`: says whether recordings can become part of the book.

use crate::book;
use crate::machine::HERE;
use crate::model::Error;
use crate::project::Project;
use crate::validate::Validator;
use std::fs;

/// Prints what is wrong with each machine, all of them if none is named, and returns `true` if none
/// is refused.
///
/// # Errors
///
/// If the pages or the machines' folder cannot be read.
pub fn run(project: &Project, names: &[String]) -> Result<bool, Error> {
    let book = book::without_machines(project)?;
    let mut validator = Validator::new(project, &book);
    let names = if names.is_empty() { all(project)? } else { names.to_vec() };
    let mut refused = 0;
    for name in &names {
        let findings = validator.machine(name);
        let refusals = findings.iter().filter(|finding| finding.refused).count();
        refused += refusals;
        match (refusals, findings.len()) {
            (0, 0) => println!("{name}: valid"),
            (0, n) => println!("{name}: valid, with {n} notices"),
            (n, _) => println!("{name}: {n} refusals"),
        }
        for finding in findings {
            println!("  {finding}");
        }
    }
    Ok(refused == 0)
}

/// Returns the names of all entries of `book/machines` but the reader's own: a plain file there is
/// refused, too.
fn all(project: &Project) -> Result<Vec<String>, Error> {
    let folder = project.machines();
    let failed = |e| Error::Failed(format!("cannot read {}: {e}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.retain(|name| name != HERE);
    names.sort();
    Ok(names)
}
