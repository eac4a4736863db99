//! Counts what a request costs a server with a thread for each connection, one with an event loop
//! on `epoll`, and one on io_uring; what idle connections cost each of them; and what the loops
//! that everyone writes first get wrong.
//!
//!     cargo run --release --example event_loop                  # 10,000 idle connections
//!     cargo run --release --example event_loop -- --connections 1000
//!     cargo run --release --example event_loop -- --serve . --addr 127.0.0.1:8080

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example counts Linux's epoll(7), which this system does not have.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::io::event_loop::experiment::{self, CALLS, Files};
    use perf_proved::io::event_loop::variants::Variant;
    use std::io;
    use std::process::ExitCode;

    /// The idle connections of the event loop.
    const CONNECTIONS: usize = 10_000;
    /// A thread for each connection is shown for one tenth of them.
    const SHARE: usize = 10;
    /// The bytes that a client sends at once to the loop that reads once.
    const SENT: usize = 10_000;
    /// The bytes that two clients want from the loop that writes until a socket is full.
    const LARGE: usize = 64 << 20;

    pub fn main() -> ExitCode {
        Example::new("Counts what requests and idle connections cost a thread and an event loop.")
            .flag("connections", "NUMBER", "holds that many idle connections (default: 10000)")
            .flag("hold", "HOST:PORT", "is the process that holds them, until its input ends")
            .flag("serve", "DIR", "serves the files of DIR from event loops until Ctrl-C")
            .flag("addr", "HOST:PORT", "listens there (default: 127.0.0.1:8080)")
            .run(|flags| {
                let connections = flags.own_as("connections")?.unwrap_or(CONNECTIONS);
                if let Some(address) = flags.own("hold") {
                    experiment::hold(address, connections).map(|()| ExitCode::SUCCESS)
                } else if let Some(root) = flags.own("serve") {
                    let address = flags.own("addr").unwrap_or("127.0.0.1:8080");
                    experiment::serve(root.as_ref(), address).map(|()| ExitCode::SUCCESS)
                } else {
                    Ok(compare(connections.max(SHARE), flags.json))
                }
            })
    }

    fn compare(connections: usize, json: bool) -> ExitCode {
        let mut report = Report::new("A thread for each connection, and an event loop");
        let files = Files::new();
        let files = || files.as_ref().map_err(again);
        let mut answered = vec![];
        for name in Variant::NAMES {
            let quantities = [&["calls_for_100"], &CALLS[..]].concat();
            answered.extend(report.attempt(name, &quantities, |report| {
                experiment::count_requests(report, name, files()?)
            }));
            let count = if name == "threads" { connections / SHARE } else { connections };
            let quantities = ["idle_connections", "threads_added", "memory_each"];
            answered.extend(report.attempt(name, &quantities, |report| {
                experiment::idle(report, name, files()?, count)
            }));
        }
        // Each client compares its answers with the file, and fails if they differ.
        let kept = (!answered.is_empty()).then_some(true);
        report.promise("every client got the bytes of the file", kept);

        report.measure("epoll", "in_vain", || experiment::server_in_vain(files()?));
        report.attempt("epoll", &["read_cold", "read_warm"], |report| {
            experiment::cold(report, files()?)
        });
        report.attempt("epoll_readers", &["read_cold", "read_by_reader"], |report| {
            experiment::cold_with_reader(report, files()?)
        });
        report.attempt("without_io_uring", &["answered", "by_epoll", "reasons"], |report| {
            experiment::denied(report, files()?)
        });
        report.measure("busy_poll", "in_vain", experiment::busy_poll_in_vain);
        report.measure("watch_both", "in_vain", experiment::watch_both_in_vain);
        report.measure("read_once", "left_unread", || {
            experiment::left_unread(SENT).map(Value::Bytes)
        });
        report.measure("write_until_full", "before_the_other", || {
            experiment::before_the_other(LARGE).map(Value::Bytes)
        });
        report.finish(json)
    }

    /// Returns the same error once more: each experiment that needs the files reports it.
    fn again(error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), error.to_string())
    }
}
