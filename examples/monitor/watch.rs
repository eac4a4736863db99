//! Serves the metrics of code at work, and the page that draws them.

use perf_proved::harness::flags::{Flags, bad_argument};
use perf_proved::measuring::monitor::experiment::watched::{self, End};
use perf_proved::measuring::monitor::export::{Exporters, Schedule};
use perf_proved::measuring::monitor::http::{LOOPBACK, Limits, Page, Server};
use perf_proved::measuring::monitor::json_lines::JsonLines;
use perf_proved::measuring::monitor::{Registry, process};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Serves the metrics of a technique at work, and the page that draws them.
pub fn watch(name: &str, flags: &Flags) -> io::Result<ExitCode> {
    if !watched::NAMES.contains(&name) {
        let known = watched::NAMES.join(", ");
        return Err(bad_argument(&format!("--watch {name}: not one of {known}")));
    }
    let seconds = flags.own_as("seconds")?;
    let end = End::hold()?; // before any thread starts
    let registry = Registry::new();
    let address = flags.own("at").unwrap_or(LOOPBACK);
    let limits = Limits { connections: 32, ..Limits::default() }; // a browser opens several
    let server = Server::start(&registry, address, pages(), limits)?;
    let _watched = watched::start(name, &registry)?;
    process::register(&registry).map_err(io::Error::other)?;
    let mut exporters = Exporters::new(&registry);
    if let Some(path) = flags.own("log") {
        let schedule = Schedule { interval: Duration::from_secs(1), ..Schedule::default() };
        exporters.start("log", schedule, JsonLines::open(Path::new(path), 1 << 20, 3)?)?;
    }
    println!("http://{}/ shows {name} at work", server.address());
    io::stdout().flush()?;
    end.wait(seconds.map(Duration::from_secs))?;
    for (exporter, counts) in exporters.stop(Duration::from_secs(5)) {
        println!("{exporter}: {counts:?}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The page and its parts. Nothing on it comes from elsewhere, and the browser sees to that.
fn pages() -> Vec<Page> {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
        connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let page = |path, content_type, body: &'static str| Page {
        path,
        content_type,
        policy: POLICY,
        body: Box::new(|| body.into()),
    };
    vec![
        page("/", "text/html; charset=utf-8", include_str!("page.html")),
        page("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
        page("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ]
}
