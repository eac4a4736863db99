//! Counts what it costs a program to be watched, and what it sees when it exports; or watches code
//! of an earlier chapter at work, on a page that draws its metrics.
//!
//!     cargo run --release --example monitor
//!     cargo run --release --example monitor -- --watch worker_pool    # then open the page
//!     curl -H 'Accept: application/openmetrics-text' http://127.0.0.1:9464/metrics

#[path = "monitor/watch.rs"]
mod watch;

use perf_proved::harness::flags::Example;
use perf_proved::harness::report::{Report, Value};
use perf_proved::measuring::monitor::experiment::{self, Beside, Cardinality, Memory, Scrapes};
use perf_proved::measuring::monitor::variants::Variant;
use perf_proved::proof::allocations::Counting;
use std::io::{self, Write};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const UPDATES: u64 = 1000;
const OBSERVATIONS: u64 = 10_000_000;
const SCRAPES: u64 = 2000;
const USERS: u64 = 100_000;
const BOUND: usize = 1000;
const EVENTS: u64 = 1000;

fn main() -> ExitCode {
    Example::new("Counts what it costs to be watched, or watches code at work.")
        .flag(
            "watch",
            "NAME",
            "serves the metrics of worker_pool, ring_buffer, event_loop, batching, group_commit",
        )
        .flag("at", "ADDRESS", "serves there (default: 127.0.0.1:9464)")
        .flag("log", "FILE", "adds a line of JSON to FILE every second")
        .flag("seconds", "N", "ends after N seconds instead of waiting for Ctrl-C")
        .flag(
            "hostile",
            "SEED",
            "prints labels that are hard to escape, as JSON and as OpenMetrics",
        )
        .run(|flags| match (flags.own("watch"), flags.own_as("hostile")?) {
            (Some(name), _) => watch::watch(name, &flags),
            (None, Some(seed)) => {
                let text = experiment::hostile(seed).map_err(io::Error::other)?;
                io::stdout().write_all(&text).map(|()| ExitCode::SUCCESS)
            }
            (None, None) => Ok(compare().finish(flags.json)),
        })
}

fn compare() -> Report {
    let mut report = Report::new(&format!("{UPDATES} updates of a series that exists"));
    for variant in Variant::COUNTERS.iter().chain(&Variant::TIMERS) {
        let name = variant.name();
        report.attempt(name, &["allocations", "bytes"], |report| {
            let made = experiment::allocations(*variant, UPDATES).map_err(io::Error::other)?;
            report.set(name, "allocations", made.calls);
            report.set(name, "bytes", Value::Bytes(made.bytes));
            Ok(())
        });
    }
    memory(&mut report);
    scrapes(&mut report);
    cardinality(&mut report);
    exporters(&mut report);
    report
}

/// Observes 10 million times, and exports nothing.
fn memory(report: &mut Report) {
    report.attempt("unscraped", &["grown"], |report| {
        let Memory { grown, allocations } = experiment::memory(OBSERVATIONS)?;
        report.detail("unscraped", "grown", Value::Bytes(grown));
        report.detail("unscraped", "allocations", allocations);
        report.note(&format!("unscraped: {OBSERVATIONS} observations made {allocations} allocations, and resident memory grew by {grown} bytes"));
        Ok(())
    });
}

/// Exports a histogram while two threads observe.
fn scrapes(report: &mut Report) {
    let kept = report.attempt("scrapes", &["inconsistent"], |report| {
        let found = experiment::scrapes(SCRAPES)?;
        let Scrapes { rendered, inconsistent, backwards, advanced, lost } = found;
        report.detail("scrapes", "rendered", rendered);
        report.detail("scrapes", "advanced", advanced);
        report.detail("scrapes", "inconsistent", inconsistent);
        report.detail("scrapes", "backwards", backwards);
        report.detail("scrapes", "lost", lost);
        report.note(&format!("scrapes: of {rendered}, {advanced} saw new observations, {inconsistent} disagree with themselves and {backwards} with the one before; {lost} observations are lost"));
        Ok(inconsistent + backwards + lost == 0)
    });
    report.promise("no export disagrees with itself, and no observation is lost", kept);
}

/// Counts requests by users of their own.
fn cardinality(report: &mut Report) {
    let kept = report.attempt("users", &["series"], |report| {
        let found = experiment::cardinality(USERS, BOUND).map_err(io::Error::other)?;
        let Cardinality { naive, series, total, overflow } = found;
        report.detail("users", "naive_series", naive);
        report.detail("users", "series", series);
        report.detail("users", "total", total);
        report.detail("users", "overflow", overflow);
        report.note(&format!("users: {USERS} have {naive} series in the naive monitor, and {series} here, of which one has {overflow} of {total} requests"));
        Ok(total == USERS)
    });
    report.promise("the series of a metric are bounded, and their sum is exact", kept);
}

/// Exports beside exporters that hang, panic and fail.
fn exporters(report: &mut Report) {
    let kept = report.attempt("beside", &["healthy"], |report| {
        let Beside { healthy, last, panics, fails, hangs } = experiment::beside(20, EVENTS)?;
        let (healthy, naive) = (healthy.exported, experiment::naive_beside());
        report.detail("beside", "healthy", healthy);
        report.detail("beside", "last", last);
        report.detail("beside", "dropped", fails.dropped);
        report.detail("beside", "panics", panics.panics);
        report.detail("beside", "hanging", u64::from(!hangs.ended));
        report.detail("naive", "exports", naive);
        report.note(&format!("beside: an exporter beside others that hang, panic and fail exported {healthy} times, the last time {last} of {EVENTS} events; the naive monitor's, {naive} times"));
        Ok(last == EVENTS)
    });
    report.promise("no exporter holds another one up, and the last interval is exported", kept);
}
