//! Counts what each way of sending a file over TCP asks of the kernel and what it copies, and shows
//! the version that everybody writes first failing.
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
    use perf_proved::harness::loopback::{self, FNV_START, Loopback, ask, fnv1a};
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::interrupt::Interrupt;
    use perf_proved::zero_copy::sendfile::naive;
    use perf_proved::zero_copy::sendfile::senders::Sender;
    use perf_proved::zero_copy::sendfile::server::{FileServer, Limits, Site};
    use std::fs::{self, File};
    use std::io::{self, Read};
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::process::ExitCode;
    use std::time::Duration;

    pub fn main() -> ExitCode {
        Example::new(
            "Counts the system calls and copied bytes of each way to send a file over TCP.",
        )
        .variants(&Sender::NAMES)
        .size(1 << 20)
        .flag("serve", "DIR", "serves the files of DIR until Ctrl-C")
        .flag("addr", "HOST:PORT", "listens there (default: 127.0.0.1:8080)")
        .run(|flags| match (flags.own("serve"), &flags.only) {
            (Some(root), _) => serve(root.as_ref(), flags.own("addr").unwrap_or("127.0.0.1:8080")),
            (None, Some(name)) => send_once(name, flags.size),
            (None, None) => compare(flags.size, flags.json),
        })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new(&format!(
            "Sending a file of {size} bytes over TCP: what it asks of the kernel"
        ));
        let scratch = Scratch::new()?;
        let root = scratch.path().join("root");
        fs::create_dir(&root)?;
        let body = scratch.file("root/body", size)?;
        let checksum = fnv1a(FNV_START, &pattern(size));

        let mut same = true;
        for name in Sender::NAMES {
            same &= send(&mut report, name, &body, size as u64)? == checksum;
            report.set(name, "changed_after_send", changed_after_send(name, &scratch)?);
        }
        let answer = serve_one(&mut report, &root)?;
        same &= answer.len() > size && fnv1a(FNV_START, &answer[answer.len() - size..]) == checksum;
        report.promise("every receiver got the bytes of the file", same);
        naive_versions(&mut report, &root)?;
        Ok(report.finish(json))
    }

    /// One way of sending, on a blocking socket: no call returns before all its bytes have left, so
    /// the counts are exact. Returns the checksum of what arrived.
    fn send(report: &mut Report, name: &str, body: &Path, size: u64) -> io::Result<u64> {
        let file = File::open(body)?;
        let mut line = Loopback::new(None)?;
        // What a connection needs that sends one file: its buffer too.
        line.transfer(size, |socket| {
            cost::memory(report, name, || Sender::new(name)?.send(socket, &file, size))
        })?;
        let mut sender = Sender::new(name)?;
        line.transfer(size, |socket| {
            cost::calls(report, name, &["sendfile", "read", "sendto"], || {
                sender.send(socket, &file, size)
            })
        })?;
        let ((), checksum) =
            line.transfer_checked(size, |socket| sender.send(socket, &file, size))?;
        line.close()?;
        Ok(checksum)
    }

    // ANCHOR: changed_after_send
    /// Sends 64 KiB to a client that is not reading yet, overwrites the file, and only then reads:
    /// how many bytes are new?
    fn changed_after_send(name: &str, scratch: &Scratch) -> io::Result<Value> {
        const PIECE: usize = 64 << 10; // fits the buffers of the connection
        let path = scratch.path().join("piece");
        fs::write(&path, [b'a'; PIECE])?;
        let file = File::options().read(true).write(true).open(&path)?;
        let (mut client, socket) = loopback::pair()?;
        Sender::new(name)?.send(&socket, &file, PIECE as u64)?; // has returned: all is sent
        file.write_all_at(&[b'b'; PIECE], 0)?;
        let mut received = [0; PIECE];
        client.read_exact(&mut received)?;
        Ok(Value::Bytes(received.iter().filter(|&&byte| byte == b'b').count() as u64))
    }
    // ANCHOR_END: changed_after_send

    /// The server, on one GET; returns the answer. Its socket never blocks: how often it asks again
    /// for room depends on the reader, what it copies does not.
    fn serve_one(report: &mut Report, root: &Path) -> io::Result<Vec<u8>> {
        let site = Site::new(root, Limits::default())?;
        let get = "GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n";
        ask(get, |socket| cost::memory(report, "file_server", || site.serve(socket)))?;
        ask(get, |socket| cost::calls(report, "file_server", &["sendfile"], || site.serve(socket)))
    }

    /// The naive version: one call on a non-blocking socket whose client does not read yet, and a
    /// path that leads out.
    fn naive_versions(report: &mut Report, root: &Path) -> io::Result<()> {
        let length = 64 << 20;
        File::create_new(root.join("large"))?.set_len(length)?;
        let large = File::open(root.join("large"))?;
        let (client, socket) = loopback::pair()?;
        socket.set_nonblocking(true)?;
        let sent = naive::send_file(&socket, &large, length)?;
        drop(client);
        report.set("naive", "sent_of_64MiB", Value::Bytes(sent));
        report.promise(
            "one call of the naive version sends less than all of a file of 64 MiB",
            sent < length,
        );

        let secret = b"a file beside the root";
        fs::write(root.with_file_name("secret"), secret)?;
        let outside = |answer: Vec<u8>| {
            Value::Bytes(if answer.ends_with(secret) { secret.len() as u64 } else { 0 })
        };
        let answer =
            ask("", |socket| naive::serve_file(&socket, &root.to_string_lossy(), "../secret"))?;
        report.set("naive", "from_outside", outside(answer));
        let site = Site::new(root, Limits::default())?;
        let answer = ask("GET /../secret HTTP/1.0\r\n\r\n", |socket| site.serve(socket))?;
        report.set("file_server", "from_outside", outside(answer));
        Ok(())
    }

    /// One transfer that nobody here counts.
    fn send_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let mut sender = Sender::new(name)?;
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", size)?)?;
        loopback::once(size as u64, |socket| sender.send(socket, &file, size as u64))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Serves until Ctrl-C, then lets responses in flight finish.
    fn serve(root: &Path, address: &str) -> io::Result<ExitCode> {
        let interrupt = Interrupt::hold()?; // before any thread starts: all must hold it
        let server =
            FileServer::start(root, address, Limits::default(), |peer, error| match peer {
                Some(peer) => eprintln!("{peer}: {error}"),
                None => eprintln!("accepting: {error}"),
            })?;
        eprintln!("serving {} at http://{}/, until Ctrl-C", root.display(), server.address());
        interrupt.wait()?;
        eprintln!("finishing what is in flight, for up to 10 seconds");
        eprintln!("{:?}", server.shutdown(Duration::from_secs(10)));
        Ok(ExitCode::SUCCESS)
    }
}
