//! Counts what each way of sending a file over TCP asks of the kernel and what it copies, and shows the version that
//! everybody writes first failing.
//!
//!     cargo run --release --example sendfile                    # a file of 1 MiB
//!     cargo run --release --example sendfile -- --size 64KiB
//!     cargo run --release --example sendfile -- --serve . --addr 127.0.0.1:8080
//!     strace -f -c target/release/examples/sendfile --only sendfile     # one transfer, counted by strace alone

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: perf_proved::proof::allocations::Counting = perf_proved::proof::allocations::Counting;

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
    use perf_proved::proof::allocations::count;
    use perf_proved::proof::interrupt::Interrupt;
    use perf_proved::proof::loopback::{self, FNV_START, Loopback, ask, fnv1a};
    use perf_proved::proof::report::{Report, Value};
    use perf_proved::proof::scratch::{Scratch, pattern};
    use perf_proved::proof::size;
    use perf_proved::proof::syscalls::trace;
    use perf_proved::proof::usage::Usage;
    use perf_proved::zero_copy::sendfile::naive;
    use perf_proved::zero_copy::sendfile::senders::Sender;
    use perf_proved::zero_copy::sendfile::server::{FileServer, Limits, Site};
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::time::Duration;

    pub fn main() -> ExitCode {
        let outcome = match Arguments::parse() {
            Ok(Arguments { serve: Some(root), addr, .. }) => serve(&root, &addr),
            Ok(Arguments { only: Some(name), size, .. }) => send_once(&name, size),
            Ok(arguments) => compare(arguments.size, arguments.json),
            Err(error) => {
                eprintln!("{error} (--size 1MiB, --json, --only VARIANT, --serve DIR --addr 127.0.0.1:8080)");
                return ExitCode::from(2);
            }
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let title =
            format!("A file of {size} bytes over TCP, once: what the sender asks of the kernel, and what is copied");
        let mut counts = Counts { report: Report::new(&title), possible: trace(|| ()).map(drop), json };
        let scratch = Scratch::new()?;
        let root = scratch.path().join("root");
        fs::create_dir(&root)?;
        let body = scratch.file("root/body", size)?;
        let checksum = fnv1a(FNV_START, &pattern(size));

        // Each way, on a blocking socket: no call returns before all its bytes have left, so the counts are exact.
        let mut same = true;
        for name in Sender::NAMES {
            let mut line = Loopback::new(None)?;
            let (sender, made) = count(|| Sender::new(name));
            let mut sender = sender.ok_or_else(|| io::Error::other("a name without its sender"))?;
            let file = File::open(&body)?;
            let bytes = size as u64;
            // Once to warm up and check the bytes, once for the memory, once for the calls: a traced process faults more.
            same &= line.transfer_checked(bytes, |socket| sender.send(socket, &file, bytes))?.1 == checksum;
            let used = line.transfer(bytes, |socket| memory(|| sender.send(socket, &file, bytes)))?;
            line.transfer(bytes, |socket| counts.calls(name, || sender.send(socket, &file, bytes)))?;
            counts.memory(name, made.bytes + used.0, used.1);
            line.close()?;
        }

        // One GET. The server's socket never blocks: how often it asks again for room depends on the reader, what it copies
        // does not.
        let site = Site::new(&root, Limits::default())?;
        let get = "GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut whole = |answer: Vec<u8>| {
            same &= answer.len() > size && fnv1a(FNV_START, &answer[answer.len() - size..]) == checksum;
        };
        whole(ask(get, |socket| site.serve(socket))?);
        let mut used = (0, 0);
        whole(ask(get, |socket| memory(|| site.serve(socket)).map(|both| used = both))?);
        whole(ask(get, |socket| counts.calls("file_server", || site.serve(socket)))?);
        counts.memory("file_server", used.0, used.1);
        let mut report = counts.report;
        report.promise("every receiver got the bytes of the file", same);

        // The naive version: one call, on a non-blocking socket whose reader does not read yet.
        let length = 64 << 20;
        File::create_new(root.join("large"))?.set_len(length)?;
        let large = File::open(root.join("large"))?;
        let (reader, socket) = loopback::pair()?;
        socket.set_nonblocking(true)?;
        let left = naive::send_file(&socket, &large, length)?;
        drop(reader);
        report.set("naive", "left_of_64MiB", Value::Bytes(left));
        report.promise("one call of the naive version leaves the rest of a file of 64 MiB behind", left < length);

        // And a path that leads out of the root.
        let secret = "a file beside the root";
        fs::write(scratch.path().join("secret"), secret)?;
        let outside =
            |answer: Vec<u8>| Value::Bytes(if answer.ends_with(secret.as_bytes()) { secret.len() as u64 } else { 0 });
        let answer = ask("", |socket| naive::serve_file(&socket, &root.to_string_lossy(), "../secret"))?;
        report.set("naive", "from_outside", outside(answer));
        let answer = ask("GET /../secret HTTP/1.0\r\n\r\n", |socket| site.serve(socket))?;
        report.set("file_server", "from_outside", outside(answer));
        Ok(report.finish(json))
    }

    struct Counts {
        report: Report,
        /// Whether system calls can be counted here.
        possible: io::Result<()>,
        json: bool,
    }

    impl Counts {
        fn memory(&mut self, variant: &str, heap: u64, faults: u64) {
            self.report.set(variant, "heap", Value::Bytes(heap));
            self.report.set(variant, "page_faults", faults);
        }

        fn calls(&mut self, variant: &str, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            if let Err(reason) = &self.possible {
                self.report.set(variant, "syscalls", Value::NotPossible(reason.to_string()));
                return work();
            }
            let (result, calls) = trace(work)?;
            let moving = ["read", "pread64", "recvfrom", "write", "sendto", "sendfile"];
            self.report.set(variant, "syscalls", calls.total());
            self.report.set(variant, "moving_calls", moving.iter().map(|name| calls.of(name).made).sum::<u64>());
            self.report.set(variant, "copied_in", Value::Bytes(calls.copied_in()));
            self.report.set(variant, "copied_out", Value::Bytes(calls.copied_out()));
            if self.json {
                moving.iter().for_each(|name| self.report.set(variant, name, calls.of(name).made));
                calls.iter().for_each(|(name, call)| self.report.set(variant, name, call.made));
            } else {
                let names: Vec<String> = calls.iter().map(|(name, call)| format!("{} {name}", call.made)).collect();
                println!("{variant:16}   {}", names.join(", "));
            }
            result
        }
    }

    /// Does the work, and returns how many bytes it allocated and how many page faults it met.
    fn memory(work: impl FnOnce() -> io::Result<()>) -> io::Result<(u64, u64)> {
        let before = Usage::of_thread()?;
        let (result, made) = count(work);
        let used = Usage::of_thread()? - before;
        result.map(|()| (made.bytes, used.minor_faults + used.major_faults))
    }

    /// One transfer that nobody here counts.
    fn send_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let mut sender = Sender::new(name).ok_or_else(|| io::Error::other(format!("there is no `{name}`")))?;
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", size)?)?;
        let mut line = Loopback::new(None)?;
        line.transfer(size as u64, |socket| sender.send(socket, &file, size as u64))?;
        line.close()?;
        Ok(ExitCode::SUCCESS)
    }

    /// Serves until Ctrl-C, then lets responses in flight finish.
    fn serve(root: &Path, address: &str) -> io::Result<ExitCode> {
        let interrupt = Interrupt::hold()?; // before any thread starts: all must hold it
        let server = FileServer::start(root, address, Limits::default(), |peer, error| match peer {
            Some(peer) => eprintln!("{peer}: {error}"),
            None => eprintln!("accepting: {error}"),
        })?;
        eprintln!("serving {} at http://{}/, until Ctrl-C", root.display(), server.address());
        interrupt.wait()?;
        eprintln!("finishing what is in flight, for up to 10 seconds");
        eprintln!("{:?}", server.shutdown(Duration::from_secs(10)));
        Ok(ExitCode::SUCCESS)
    }

    struct Arguments {
        size: usize,
        json: bool,
        only: Option<String>,
        serve: Option<PathBuf>,
        addr: String,
    }

    impl Arguments {
        fn parse() -> Result<Self, lexopt::Error> {
            use lexopt::prelude::*;
            let addr = "127.0.0.1:8080".to_owned();
            let mut arguments = Self { size: 1 << 20, json: false, only: None, serve: None, addr };
            let mut parser = lexopt::Parser::from_env();
            while let Some(argument) = parser.next()? {
                match argument {
                    Long("size") => arguments.size = parser.value()?.parse_with(size::parse)?,
                    Long("json") => arguments.json = true,
                    Long("only") => {
                        let name = parser.value()?.string()?;
                        if Sender::new(&name).is_none() {
                            return Err(format!("--only {name}: not one of {}", Sender::NAMES.join(", ")).into());
                        }
                        arguments.only = Some(name);
                    }
                    Long("serve") => arguments.serve = Some(parser.value()?.into()),
                    Long("addr") => arguments.addr = parser.value()?.string()?,
                    other => return Err(other.unexpected()),
                }
            }
            Ok(arguments)
        }
    }
}
