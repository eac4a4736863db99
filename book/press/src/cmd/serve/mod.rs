//! `cargo book`: prints the book, serves it to this computer only, and prints it again after every
//! change.

mod events;
mod http;
mod terminal;
mod watch;

use crate::cmd::reprint::Reprint;
use crate::machine::Machine;
use crate::model::Error;
use crate::page::appendix::YOUR_MACHINE;
use crate::project::Project;
use http::Site;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

/// The default port.
const PORT: u16 = 3000;

/// Options of `serve`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Open a browser.
    pub open: bool,
    /// The port; without one, the first free one from the default on.
    pub port: Option<u16>,
}

/// Prints the book and serves it until interrupted.
///
/// # Errors
///
/// Returns an error if no port is free, or if the book cannot be printed at first. A later failure
/// to print is reported, and the pages stay as they were.
pub fn run(project: &Project, options: &Options) -> Result<(), Error> {
    // Before printing the book, so that a taken port is reported at once.
    let listener = listen(options.port)?;
    let address =
        listener.local_addr().map_err(|e| failed("asking for the server's address", &e))?;
    let reprint = Reprint::new(project, project.book().join("book"));
    reprint.print()?;
    let site = Arc::new(Site::new(project.book().join("book")));
    let url = format!("http://{address}/");
    let first = first_page(project, &url);
    terminal::print(format_args!(
        "The book is at {url}; it is printed again when a page, a source or a measurement \
         changes. Press Ctrl-C to stop."
    ));
    if first != url {
        terminal::print(format_args!("What was found on your machine is at {first}"));
    }
    if options.open {
        open(&first);
    }
    let (watched, served) = (project.clone(), Arc::clone(&site));
    thread::spawn(move || watch::forever(&watched, &served, &reprint));
    site.serve(&listener);
    Ok(())
}

/// Returns the address to open: the reader's own results if there are any, otherwise the cover.
fn first_page(project: &Project, url: &str) -> String {
    match Machine::here(project) {
        Ok(here) if !here.is_empty() => format!("{url}{YOUR_MACHINE}.html"),
        _ => url.to_owned(),
    }
}

/// Binds `port` or, without one, the default port or one of the ten after it.
fn listen(port: Option<u16>) -> Result<TcpListener, Error> {
    if let Some(port) = port {
        let taken =
            |e: &io::Error| failed(&format!("listening on 127.0.0.1:{port}, the port given"), e);
        return TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| taken(&e));
    }
    for port in PORT..=PORT + 10 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => {
                if port != PORT {
                    terminal::print(format_args!("Port {PORT} is taken; using {port}."));
                }
                return Ok(listener);
            }
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            Err(e) => return Err(failed(&format!("listening on 127.0.0.1:{port}"), &e)),
        }
    }
    Err(Error::Failed(format!(
        "ports {PORT} to {} are all taken; choose one with --port",
        PORT + 10
    )))
}

fn failed(tried: &str, error: &io::Error) -> Error {
    Error::Failed(format!("{tried}: {error}"))
}

/// Asks the desktop to show the page. Without a desktop, the printed address remains.
fn open(url: &str) {
    let opener = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let started = Command::new(opener).arg(url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(e) = started {
        terminal::print_error(format_args!("opening a browser with {opener}: {e}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::files::{self, CheckFile};
    use crate::machine::{Counts, HERE};

    #[test]
    fn the_book_opens_on_the_readers_machine_once_it_has_results() {
        let folder = tempfile::TempDir::new().unwrap();
        let project = Project::at(folder.path());
        let first = || first_page(&project, "http://localhost/");
        assert_eq!(first(), "http://localhost/");
        let counts = Counts {
            date: "2026-01-01T00:00:00Z".into(),
            commit: None,
            values: [("a.calls".to_owned(), 1.into())].into_iter().collect(),
        };
        let checked = CheckFile {
            counts: [("copy".to_owned(), counts.clone())].into(),
            ..CheckFile::default()
        };
        files::store(&checked, &project.checked()).unwrap();
        assert_eq!(first(), "http://localhost/your-machine.html", "after a check");
        std::fs::remove_file(project.checked()).unwrap();
        assert_eq!(first(), "http://localhost/");
        let recorded = files::BenchFile { counts: Some(counts), ..Default::default() };
        files::store(&recorded, &files::bench_path(&project.machine(HERE), "copy")).unwrap();
        assert_eq!(first(), "http://localhost/your-machine.html", "after a recording");
    }

    #[test]
    fn a_given_port_that_is_taken_is_an_error_that_names_it() {
        let first = listen(Some(0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen(Some(port)).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
    }

    #[test]
    fn without_a_port_the_next_free_one_is_taken() {
        let first = listen(None).unwrap().local_addr().unwrap().port();
        let _holding = TcpListener::bind((Ipv4Addr::LOCALHOST, first));
        let second = listen(None).unwrap().local_addr().unwrap().port();
        assert_ne!(first, second);
        assert!((PORT..=PORT + 10).contains(&second));
    }
}
