//! `cargo book pdf`: the whole book as a PDF, printed by Chromium.

use super::build;
use super::folders::write;
use crate::model::Error;
use crate::page::paper::{self, outline, pages};
use crate::process;
use crate::project::Project;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, path};

/// The names and places of Chromium and of browsers built from it.
const BROWSERS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The limit of one printing.
const LIMIT: Duration = Duration::from_secs(600);

/// Prints the book to `target/proved/TITLE.pdf`, or to `to`. Returns its path.
///
/// # Errors
///
/// As [`build::build`], and if there is no Chromium or it writes no PDF.
pub fn run(project: &Project, to: Option<&Path>) -> Result<PathBuf, Error> {
    let browser = browser()?;
    let folder = project.scratch().join("paper");
    let (chapters, about) = build::for_paper(project, &folder)?;
    let print = folder.join("print.html");
    let print = fs::read_to_string(&print)
        .map_err(|e| Error::Failed(format!("cannot read {}: {e}", print.display())))?;
    let to =
        to.map_or_else(|| project.scratch().join(format!("{}.pdf", about.slug())), Path::to_owned);
    let page = folder.join(paper::PAPER);
    // Twice: only a printed book knows the pages of its contents.
    let mut numbers = BTreeMap::new();
    for time in 1..=2 {
        eprintln!("printing the book with {} ({time} of 2)", browser.display());
        write(&page, &paper::document(&print, &chapters, &about, &numbers)?)?;
        self::print(&browser, &page, &to)?;
        let mut pdf = fs::read(&to)
            .map_err(|e| Error::Failed(format!("cannot read {}: {e}", to.display())))?;
        outline::mend(&mut pdf);
        fs::write(&to, &pdf)
            .map_err(|e| Error::Failed(format!("cannot write {}: {e}", to.display())))?;
        let found = pages::pages(&pdf);
        if found.is_empty() {
            return Err(Error::Failed(format!(
                "{} is no PDF with named destinations: is {} older than version 131?",
                to.display(),
                browser.display()
            )));
        }
        if time == 2 && found != numbers {
            return Err(Error::Failed("the page numbers moved the pages".to_string()));
        }
        numbers = found;
    }
    Ok(to)
}

/// Finds a browser: the one that the variable `CHROMIUM` names, or the first one on the path.
fn browser() -> Result<PathBuf, Error> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Ok(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    // An absolute name replaces the folder that it is joined to.
    let places = BROWSERS.iter().flat_map(|name| folders.iter().map(move |at| at.join(name)));
    places.into_iter().find(|place| place.is_file()).ok_or_else(|| {
        Error::Failed(
            "a PDF is printed by Chromium, and there is none: install it, or name one in the \
             variable CHROMIUM"
                .to_string(),
        )
    })
}

/// Prints a page to a PDF.
fn print(browser: &Path, page: &Path, to: &Path) -> Result<(), Error> {
    let absolute = |path: &Path| {
        path::absolute(path).map_err(|e| Error::Failed(format!("finding {}: {e}", path.display())))
    };
    let (page, to) = (absolute(page)?, absolute(to)?);
    let _ = fs::remove_file(&to);
    let mut command = Command::new(browser);
    command
        // The page is the book's own and asks no other site, and many machines forbid the sandbox.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        .args(["--no-first-run", "--no-pdf-header-footer", "--generate-pdf-document-outline"])
        .arg(format!("--print-to-pdf={}", to.display()))
        .arg(format!("file://{}", page.display()));
    let outcome = process::run(&mut command, LIMIT)?;
    match outcome.success() && to.is_file() {
        true => Ok(()),
        false => Err(outcome.failure(&browser.display().to_string(), LIMIT)),
    }
}
