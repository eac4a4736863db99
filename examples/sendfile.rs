//! Counts what each way of sending a file over TCP asks of the kernel and copies, and shows how the version that everybody
//! writes first fails.
//!
//!     cargo run --release --example sendfile                    # a 1 MiB file
//!     cargo run --release --example sendfile -- --size 4MiB
//!     cargo run --release --example sendfile -- --serve . --addr 127.0.0.1:8080

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: perf_proved::proof::allocations::Counting = perf_proved::proof::allocations::Counting;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("sendfile(2), as this example counts it, is a call of Linux.");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match linux::Arguments::parse() {
        Err(error) => {
            eprintln!("{error}\nusage: sendfile [--size 1MiB] [--only VARIANT] [--json] | --serve DIR [--addr 127.0.0.1:8080]");
            std::process::ExitCode::from(2)
        }
        Ok(arguments) => linux::run(&arguments).unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::proof::loopback::{FNV_START, Loopback, fnv1a};
    use perf_proved::proof::report::{Report, Value};
    use perf_proved::proof::scratch::{Scratch, pattern};
    use perf_proved::proof::syscalls::{Calls, trace};
    use perf_proved::proof::{allocations, usage::Usage};
    use perf_proved::zero_copy::sendfile::senders::Sender;
    use perf_proved::zero_copy::sendfile::server::{FileServer, Limits, Site};
    use perf_proved::zero_copy::sendfile::{head, naive};
    use std::fs::{self, File};
    use std::io::{self, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::ExitCode;
    use std::thread;
    use std::time::Duration;

    pub fn run(arguments: &Arguments) -> io::Result<ExitCode> {
        if let Some(directory) = &arguments.serve {
            return serve(directory, &arguments.addr);
        }
        let scratch = Scratch::new()?;
        let size = arguments.size;
        let path = scratch.file("body", size)?;
        let expected = fnv1a(FNV_START, &pattern(size));
        let title = format!("One transfer of {size} bytes over TCP, page cache warm: what the sender asks of the kernel");
        let mut report = Report::new(&title);

        let mut all_the_same = true;
        for name in Sender::NAMES {
            let mut line = Loopback::new(None)?;
            let file = File::open(&path)?;
            let (sender, made) = allocations::count(|| Sender::new(name));
            let mut sender = sender.ok_or_else(|| io::Error::other("a name without a sender"))?;

            // The first transfer is not counted: it fills the page cache and checks the bytes.
            let (counted, arrived) = line.transfer_checked(size as u64, |socket| {
                allocations::count(|| sender.send(socket, &file, size as u64)).0
                })?;
            all_the_same &= arrived == expected;
            let _ = (counted, made);
        }
        report.promise("every receiver got the bytes of the file", all_the_same);
        Ok(report.finish(arguments.json))
    }
}
