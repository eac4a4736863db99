//! Counts what each way of sending a file over TCP asks of the kernel, what it carries through user
//! space by `read` and `write`, and how many segments leave. Shows how the version that everyone
//! writes first fails.
//!
//!     cargo run --release --example sendfile                    # a file of 1 MiB
//!     cargo run --release --example sendfile -- --size 64KiB
//!     cargo run --release --example sendfile -- --serve . --addr 127.0.0.1:8080
//!     strace -f -c target/release/examples/sendfile --only sendfile     # one transfer, counted by strace alone

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: perf_proved::proof::allocations::Counting =
    perf_proved::proof::allocations::Counting;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example counts Linux's sendfile(2), which this system does not have.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::zero_copy::sendfile::experiment::{self, ALWAYS, Files, LARGE};
    use perf_proved::zero_copy::sendfile::variants::Variant;
    use std::io;
    use std::process::ExitCode;

    pub fn main() -> ExitCode {
        Example::new(
            "Counts the calls and the bytes through user space of each way to send a file over TCP.",
        )
        .variants(&Variant::NAMES)
        .size(1 << 20)
        .flag(
            "serve",
            "DIR",
            "serves the files of DIR until Ctrl-C; a client has 10 s for each MiB of a body",
        )
        .flag("addr", "HOST:PORT", "listens there (default: 127.0.0.1:8080)")
        .run(|flags| match (flags.own("serve"), &flags.only) {
            (Some(root), _) => {
                let address = flags.own("addr").unwrap_or("127.0.0.1:8080");
                experiment::serve(root.as_ref(), address).map(|()| ExitCode::SUCCESS)
            }
            (None, Some(name)) => {
                experiment::send_once(name, flags.size).map(|()| ExitCode::SUCCESS)
            }
            (None, None) => Ok(compare(flags.size, flags.json)),
        })
    }

    fn compare(size: usize, json: bool) -> ExitCode {
        let title = format!("Sending a file of {size} bytes over TCP: what it asks of the kernel");
        let mut report = Report::new(&title);
        let files = Files::new(size);
        let files = || files.as_ref().map_err(again);

        let mut whole = vec![];
        for name in Variant::NAMES {
            let costs = [&cost::MEMORY[..], &cost::CALLS, &ALWAYS, &["segments"]].concat();
            whole.extend(
                report.attempt(name, &costs, |report| experiment::count(report, name, files()?)),
            );
            report.attempt(name, &["changed_after_send"], |report| {
                let changed = experiment::changed_after_send(name, files()?)?;
                report.set(name, "changed_after_send", changed);
                Ok(())
            });
        }
        let costs = [&cost::MEMORY[..], &cost::CALLS, &["sendfile"]].concat();
        whole.extend(
            report.attempt("file_server", &costs, |report| {
                experiment::count_server(report, files()?)
            }),
        );
        let kept = (!whole.is_empty()).then(|| whole.iter().all(|whole| *whole));
        report.promise("every receiver got the bytes of the file", kept);

        let sent = report.attempt("naive", &["sent_of_64MiB"], |report| {
            let sent = experiment::naive_sends(files()?)?;
            report.set("naive", "sent_of_64MiB", Value::Bytes(sent));
            Ok(sent)
        });
        report.promise(
            "one call of the naive version sends less than all of a file of 64 MiB",
            sent.map(|sent| sent < LARGE),
        );
        for (name, leaked) in [
            ("naive", experiment::naive_leaks as fn(&Files) -> io::Result<Value>),
            ("file_server", experiment::server_leaks),
        ] {
            report.attempt(name, &["from_outside"], |report| {
                report.set(name, "from_outside", leaked(files()?)?);
                Ok(())
            });
        }
        report.finish(json)
    }

    /// Returns the same error once more: each experiment that needs the files reports it.
    fn again(error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), error.to_string())
    }
}
