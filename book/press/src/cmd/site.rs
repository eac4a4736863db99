//! `cargo book site` and `cargo book archive`: everything that is published, in one folder, and an
//! archive to read offline.

use super::folders::{compress, copy, write};
use super::{build, pdf};
use crate::model::Error;
use crate::page::beside::{self, API, Extras};
use crate::page::links;
use crate::process;
use crate::project::Project;
use maud::{DOCTYPE, html};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most time that the API documentation may take.
const LIMIT: Duration = Duration::from_secs(1200);

/// Publishes the book into `folder`, by default `target/proved/site/`: the pages, the API
/// documentation, the archive, the PDF, and the files for programs. Follows every link in it, and
/// returns the folder.
///
/// # Errors
///
/// As [`archive`] and [`pdf::run`], and if a link leads nowhere.
pub fn run(project: &Project, folder: Option<&Path>) -> Result<PathBuf, Error> {
    let folder = folder.map_or_else(|| project.scratch().join("site"), Path::to_owned);
    eprintln!("packing the archive");
    let archive = archive(project)?;
    let pdf = pdf::run(project, None)?;
    let extras = Extras { pdf: Some(name(&pdf)), archive: Some(name(&archive)) };
    build::with_extras(project, &folder, extras)?;
    copy(&documentation(project), &folder.join(API))?;
    for file in [&pdf, &archive] {
        copy(file, &folder.join(name(file)))?;
    }
    check(&folder)?;
    Ok(folder)
}

/// Packs the pages and the API documentation into `target/proved/TITLE.tar.gz`. The links are
/// relative, so that the pages work from a disk. Returns its path.
///
/// # Errors
///
/// As [`build::build`], and if the API documentation does not build or tar fails.
pub fn archive(project: &Project) -> Result<PathBuf, Error> {
    document(project)?;
    let name = build::about(project)?.slug();
    let above = project.scratch().join("archive");
    let folder = above.join(&name);
    build::with_extras(project, &folder, Extras::default())?;
    copy(&documentation(project), &folder.join(API))?;
    check(&folder)?;
    let archive = project.scratch().join(format!("{name}.tar.gz"));
    compress(&folder, &archive)?;
    Ok(archive)
}

/// Writes the API documentation into a folder of its own: cargo's also holds that of every package
/// that was ever documented.
fn document(project: &Project) -> Result<(), Error> {
    eprintln!("documenting the API");
    let folder = documentation(project);
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(Error::Failed(format!("cannot remove {}: {e}", folder.display())));
        }
        _ => {}
    }
    let mut command = process::cargo(project);
    command.args(["doc", "--no-deps", "--package"]).arg(beside::CRATE.replace('_', "-"));
    command.env("CARGO_TARGET_DIR", project.scratch().join("api"));
    let outcome = process::run(&mut command, LIMIT)?;
    match outcome.success() {
        true => write(&folder.join("index.html"), &forward()),
        false => Err(outcome.failure("cargo doc", LIMIT)),
    }
}

/// Returns the page that leads to the crate: rustdoc itself has none above its crates.
fn forward() -> String {
    let address = format!("{}/index.html", beside::CRATE);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0; url=" (address) };
                title { "API documentation" }
            }
            body { p { a href=(address) { "API documentation" } } }
        }
    };
    page.into_string()
}

/// Returns the folder of the API documentation.
fn documentation(project: &Project) -> PathBuf {
    project.scratch().join("api/doc")
}

/// Follows every link of the site.
fn check(folder: &Path) -> Result<(), Error> {
    let report = links::check(folder)
        .map_err(|e| Error::Failed(format!("reading the pages in {}: {e}", folder.display())))?;
    // rustdoc names a script of implementations on the page of a trait that has none, and writes no
    // such script.
    let is_rustdocs = |problem: &&String| problem.contains("/trait.impl/");
    let problems: Vec<&str> =
        report.problems.iter().filter(|one| !is_rustdocs(one)).map(String::as_str).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Failed(problems.join("\n"))),
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
