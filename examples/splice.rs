//! Counts what a TCP proxy asks of the kernel when it relays by a buffer and when it relays by a
//! pipe, and shows the version that everybody writes first failing.
//!
//!     cargo run --release --example splice                      # an answer of 1 MiB
//!     cargo run --release --example splice -- --size 16MiB
//!     cargo run --release --example splice -- --to 127.0.0.1:80 --listen 127.0.0.1:8080      # a proxy, until Ctrl-C
//!     strace -f -c target/release/examples/splice --only splice_64KiB

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
    println!("This example counts Linux's splice(2), which this system does not have.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::loopback::{self, FNV_START, Loopback, fnv1a, hear, pair, through};
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::zero_copy::splice::carrier::{self, carrier};
    use perf_proved::zero_copy::splice::proxy::Proxy;
    use perf_proved::zero_copy::splice::relay::{Moved, relay};
    use perf_proved::zero_copy::splice::{Pipe, naive, send_range_with};
    use std::fs::File;
    use std::io::{self, Read};
    use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
    use std::process::ExitCode;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::thread;
    use std::time::Duration;

    /// What the client of the example says; the answer is as large as it asks for.
    const QUESTION: &[u8] = b"how much is it?";
    const PATIENCE: Duration = Duration::from_secs(30);
    /// Memory that stays as long as the process.
    static LENT: [AtomicU8; 64 << 10] = [const { AtomicU8::new(0) }; 64 << 10];
    /// Ways of a file to a socket, by the capacity of the pipe between them.
    const FILES: [(&str, usize); 2] = [("file_64KiB", 64 << 10), ("file_1MiB", 1 << 20)];

    pub fn main() -> ExitCode {
        let names: Vec<&str> =
            carrier::NAMES.into_iter().chain(FILES.map(|(file, _)| file)).collect();
        Example::new(
            "Counts the system calls and copied bytes of relaying through pipes and buffers.",
        )
        .variants(&names)
        .size(1 << 20)
        .flag("to", "HOST:PORT", "runs the proxy to this server until Ctrl-C")
        .flag("listen", "HOST:PORT", "listens there (default: 127.0.0.1:8080)")
        .run(|flags| match (flags.own_as("to")?, &flags.only) {
            (Some(to), _) => serve(
                to,
                flags.own_as("listen")?.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            ),
            (None, Some(name)) => go_once(name, flags.size),
            (None, None) => compare(flags.size, flags.json),
        })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report =
            Report::new(&format!("A proxy before a server that answers with {size} bytes"));
        let answer = pattern(size);
        let mut same = true;
        for name in carrier::NAMES {
            same &= relayed(&answer, |first, second| {
                cost::memory(&mut report, name, || proxy(name, first, second))
            })?;
            same &= relayed(&answer, |first, second| {
                cost::calls(&mut report, name, &["splice"], || proxy(name, first, second))
            })?;
        }
        let always = ["splice", "read", "sendto"];
        same &= relayed(&answer, |first, second| {
            cost::calls(&mut report, "std_io_copy", &always, || copy_both(first, second))
        })?;
        report.promise("client and server heard what the other said, and no more", same);

        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", size)?)?;
        for (name, capacity) in FILES {
            let checksum = send_file(&mut report, name, &file, size as u64, capacity)?;
            report.promise(
                &format!("{name} brings the bytes of the file"),
                checksum == fnv1a(FNV_START, &answer),
            );
        }
        changed_after_send(&mut report)?;
        naive_versions(&mut report, &File::open(scratch.file("large", 1 << 20)?)?)?;
        Ok(report.finish(json))
    }

    /// A client asks, a server answers, and `proxy` relays between them. Returns whether all three
    /// say the same of it.
    fn relayed(
        answer: &[u8],
        proxy: impl FnOnce(&TcpStream, &TcpStream) -> io::Result<Moved>,
    ) -> io::Result<bool> {
        let (moved, same) = through(QUESTION, answer, proxy)?;
        Ok(same && moved == Moved { forward: QUESTION.len() as u64, back: answer.len() as u64 })
    }

    /// The proxy of this chapter, with what one connection needs: a carrier for each direction.
    fn proxy(name: &str, first: &TcpStream, second: &TcpStream) -> io::Result<Moved> {
        let (mut forward, mut back) = (carrier(name)?, carrier(name)?);
        Ok(relay(first, second, [&mut *forward, &mut *back], PATIENCE)?)
    }

    /// What the standard library makes of it: one direction after the other, which does for a
    /// question and its answer.
    fn copy_both(first: &TcpStream, second: &TcpStream) -> io::Result<Moved> {
        let copy = |mut from: &TcpStream, mut to: &TcpStream| {
            let moved = io::copy(&mut from, &mut to)?;
            to.shutdown(Shutdown::Write).map(|()| moved)
        };
        Ok(Moved { forward: copy(first, second)?, back: copy(second, first)? })
    }

    /// A file through a pipe into a socket that blocks: no call returns before all its bytes have
    /// moved, so the counts are exact. Returns the checksum of what arrived.
    fn send_file(
        report: &mut Report,
        name: &str,
        file: &File,
        size: u64,
        capacity: usize,
    ) -> io::Result<u64> {
        let mut pipe = Pipe::with_capacity(capacity)?;
        let mut send = |socket: &TcpStream| through_pipe(&mut pipe, socket, file, size);
        let mut line = Loopback::new(None)?;
        line.transfer(size, |socket| cost::memory(report, name, || send(socket)))?;
        line.transfer(size, |socket| cost::calls(report, name, &["splice"], || send(socket)))?;
        let ((), checksum) = line.transfer_checked(size, &mut send)?;
        line.close()?;
        Ok(checksum)
    }

    fn through_pipe(pipe: &mut Pipe, socket: &TcpStream, file: &File, size: u64) -> io::Result<()> {
        let full = || Err(io::ErrorKind::WouldBlock.into()); // never asked: the socket blocks
        Ok(send_range_with(pipe, socket, file, 0..size, full)?)
    }

    // ANCHOR: lend_and_tee
    /// Lends memory to a pipe, copies the pipe by `tee`, and drains both.
    fn lend_and_tee([pipe, tap]: [&mut Pipe; 2], [to, copy_to]: [&TcpStream; 2]) -> io::Result<()> {
        pipe.lend(&LENT)?;
        pipe.tee(tap)?;
        pipe.drain(to, false)?;
        tap.drain(copy_to, false)?;
        Ok(())
    }

    /// Does so, overwrites the memory, and only then lets the other ends read: how many bytes are
    /// new?
    fn changed_after_send(report: &mut Report) -> io::Result<()> {
        let ((client, socket), (observer, copy)) = (pair()?, pair()?);
        let (mut pipe, mut tap) =
            (Pipe::with_capacity(128 << 10)?, Pipe::with_capacity(128 << 10)?);
        LENT.iter().for_each(|byte| byte.store(b'a', Ordering::Relaxed)); // what was never written has no page to lend
        lend_and_tee([&mut pipe, &mut tap], [&socket, &copy])?;
        LENT.iter().for_each(|byte| byte.store(b'b', Ordering::Relaxed)); // nothing pairs with the kernel's reads
        for (quantity, mut end) in
            [("changed_after_send", &client), ("changed_in_the_copy", &observer)]
        {
            let mut received = vec![0; LENT.len()];
            end.read_exact(&mut received)?;
            let changed = received.iter().filter(|&&byte| byte == b'b').count();
            report.set("vmsplice_tee", quantity, Value::Bytes(changed as u64));
        }
        // ANCHOR_END: lend_and_tee
        // Traced apart: after the tracer's fork the memory is copy-on-write, and what was lent is
        // the old page.
        let always = ["vmsplice", "tee", "splice"];
        cost::calls(report, "vmsplice_tee", &always, || {
            lend_and_tee([&mut pipe, &mut tap], [&socket, &copy])
        })
    }

    /// The naive versions, on a file of 1 MiB.
    fn naive_versions(report: &mut Report, file: &File) -> io::Result<()> {
        let (peer, socket) = pair()?;
        naive::send_file(&socket, file, 1 << 20)?;
        drop(socket);
        report.set("naive", "arrived_of_1MiB", Value::Bytes(hear(peer)?.len() as u64));

        let (mut output, input) = io::pipe()?;
        thread::scope(|scope| {
            let filling = scope.spawn(|| naive::fill_first(input, file, 1 << 20));
            thread::sleep(Duration::from_millis(100));
            report
                .promise("filling a pipe that nobody drains does not end", !filling.is_finished());
            let filled = output.read(&mut vec![0; 1 << 20])?; // all that is in it, and no more
            drop(output); // ends the wait, with an error
            report.set("naive", "blocked_after", Value::Bytes(filled as u64));
            let error =
                filling.join().expect("it does not panic").expect_err("nobody reads the rest");
            report.promise(
                "until the other end is closed",
                error.kind() == io::ErrorKind::BrokenPipe,
            );
            Ok(())
        })
    }

    /// One transfer that nobody here counts.
    fn go_once(name: &str, size: usize) -> io::Result<ExitCode> {
        if let Some((_, capacity)) = FILES.into_iter().find(|(file, _)| *file == name) {
            let scratch = Scratch::new()?;
            let file = File::open(scratch.file("body", size)?)?;
            let mut pipe = Pipe::with_capacity(capacity)?;
            loopback::once(size as u64, |socket| {
                through_pipe(&mut pipe, socket, &file, size as u64)
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let same = relayed(&pattern(size), |first, second| proxy(name, first, second))?;
        Ok(ExitCode::from(u8::from(!same)))
    }

    /// Relays to `to` until Ctrl-C, and says how each connection ended.
    fn serve(to: SocketAddr, listen: SocketAddr) -> io::Result<ExitCode> {
        let listener = TcpListener::bind(listen)?;
        eprintln!("relaying {} to {to}, until Ctrl-C", listener.local_addr()?);
        let proxy = Proxy::new(to, 1 << 20, 1024, Duration::from_secs(60));
        Err(proxy.run(&listener, |peer, ended| match ended {
            Ok(Moved { forward, back }) => {
                eprintln!("{peer}: {forward} bytes forward, {back} back")
            }
            Err(error) => eprintln!("{peer}: {error}"),
        }))
    }
}
