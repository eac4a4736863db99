//! Sends buffers with and without the copy into the socket, and asks the kernel whether it copied
//! them after all; shows the version that everybody writes first changing what it has sent.
//!
//!     cargo run --release --example msg_zerocopy                     # 64 buffers of 64 KiB
//!     cargo run --release --example msg_zerocopy -- --size 4KiB
//!     strace -c target/release/examples/msg_zerocopy --only msg_zerocopy

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example sends with Linux's MSG_ZEROCOPY, which this system does not have.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a, pair};
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::proof::cpu;
    use perf_proved::proof::syscalls::trace;
    use perf_proved::zero_copy::msg_zerocopy::ring::{self, Ring};
    use perf_proved::zero_copy::msg_zerocopy::sender::ZeroCopySender;
    use perf_proved::zero_copy::msg_zerocopy::way::Way;
    use perf_proved::zero_copy::msg_zerocopy::{kernel_tls, naive, nowhere};
    use perf_proved::zero_copy::sendfile::send_range_with;
    use std::fs::File;
    use std::io::{self, ErrorKind, Read};
    use std::net::TcpStream;
    use std::process::ExitCode;
    use std::time::{Duration, Instant};

    /// Buffers that each way sends.
    const BUFFERS: u64 = 64;

    pub fn main() -> ExitCode {
        Example::new("Counts the copies of sending buffers with send, MSG_ZEROCOPY and io_uring.")
            .variants(&Way::NAMES)
            .size(64 << 10)
            .run(|flags| match flags.only {
                Some(name) => send_once(&name, flags.size),
                None => compare(flags.size, flags.json),
            })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let mut report = Report::new(&format!(
            "{BUFFERS} buffers of {size} bytes over TCP on loopback, and who copied them"
        ));
        for name in Way::NAMES {
            if let Err(error) = count(&mut report, name, size) {
                if !name.starts_with("io_uring") || Ring::new().is_ok() {
                    return Err(error);
                }
                report.not_possible(
                    name,
                    &["syscalls", "returned", "copied_after_all"],
                    &error.to_string(),
                );
            }
        }
        match nowhere_counts() {
            Ok((returned, copied)) => {
                report.set("nowhere", "returned", returned);
                report.set("nowhere", "copied_after_all", copied);
            }
            Err(error) => report.not_possible(
                "nowhere",
                &["returned", "copied_after_all"],
                &error.to_string(),
            ),
        }

        let (sent, changed) = naive_reuse()?;
        report.set("naive", "of_sent", Value::Bytes(sent));
        report.set("naive", "changed_after_send", Value::Bytes(changed));
        unread(&mut report)?;
        workers(&mut report)?;
        let available = kernel_tls(&pair()?.0).map(|()| Value::Count(1));
        report.set("kernel_tls", "available", available.unwrap_or_else(Value::from));
        Ok(report.finish(json))
    }

    /// One way: its calls, what came back, and what the kernel says of it. The receiver checks
    /// every byte.
    fn count(report: &mut Report, name: &str, size: usize) -> io::Result<()> {
        let mut line = Loopback::new(None)?;
        let bytes = pattern(size);
        let mut way = line.transfer(0, |socket| Way::new(name, socket, &bytes))?;
        let send_all =
            |way: &mut Way| (0..BUFFERS).try_for_each(|_| way.send()).and_then(|()| way.finish());
        let ((), checksum) =
            line.transfer_checked(BUFFERS * size as u64, |_| send_all(&mut way))?;
        let expected = (0..BUFFERS).fold(FNV_START, |hash, _| fnv1a(hash, &bytes));
        report.promise(&format!("{name}: every byte arrives as it was"), checksum == expected);
        let (returned, copied) = way.back();
        report.set(name, "returned", returned);
        report.set(name, "copied_after_all", copied);

        let counted = line.transfer(BUFFERS * size as u64, |_| match trace(|| ()) {
            Ok(_) => {
                trace(|| send_all(&mut way)).and_then(|(result, calls)| result.map(|()| Ok(calls)))
            }
            Err(reason) => send_all(&mut way).map(|()| Err(Value::from(reason))),
        })?;
        report.set(
            name,
            "syscalls",
            counted.as_ref().map_or_else(Clone::clone, |calls| calls.total().into()),
        );
        for call in ["sendto", "recvmsg", "ppoll", "io_uring_enter"] {
            report.detail(
                name,
                call,
                counted.as_ref().map_or_else(Clone::clone, |calls| calls.of(call).made.into()),
            );
        }
        drop(way);
        line.close()
    }

    /// Sixteen datagrams to a device that throws them away: back without a copy, if such a device
    /// is to be had.
    fn nowhere_counts() -> io::Result<(u64, u64)> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut sender = ZeroCopySender::new(nowhere::socket()?)?;
        let (mut returned, mut copied) = (0, 0);
        for _ in 0..16 {
            sender.send(vec![0; 1024], deadline)?;
        }
        while let Some(back) = sender.wait(deadline)? {
            returned += 1;
            copied += u64::from(back.copied);
        }
        Ok((returned, copied))
    }

    // ANCHOR: naive_reuse
    /// Sends to a client that is not reading yet until there is no room, fills the buffer anew, and
    /// only then reads: how many bytes left, and how many of these are new?
    fn naive_reuse() -> io::Result<(u64, u64)> {
        let (mut client, socket) = pair()?;
        socket.set_nonblocking(true)?;
        let mut buffer = vec![b'a'; 16 << 20];
        let mut sent = 0;
        loop {
            match naive::send(&socket, &buffer[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        buffer.fill(b'b');
        let mut received = vec![0; sent];
        client.read_exact(&mut received)?;
        Ok((sent as u64, received.iter().filter(|&&byte| byte == b'b').count() as u64))
    }
    // ANCHOR_END: naive_reuse

    /// Ten thousand sends before anybody reads a completion: how many messages in the error queue
    /// report them?
    fn unread(report: &mut Report) -> io::Result<()> {
        const SENDS: u64 = 10_000;
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut line = Loopback::new(None)?;
        let mut sender = ZeroCopySender::new(line.transfer(0, TcpStream::try_clone)?)?;
        line.transfer(SENDS, |_| (0..SENDS).try_for_each(|_| sender.send(vec![7], deadline)))?;
        let messages =
            trace(|| sender.take_back()).map(|(back, calls)| back.map(|_| calls.of("recvmsg")));
        report.set("unread", "sends", SENDS);
        match messages {
            Ok(calls) => {
                calls.map(|calls| report.set("unread", "messages", calls.made - calls.failed))?
            }
            Err(reason) => report.set("unread", "messages", reason),
        }
        while sender.wait(deadline)?.is_some() {}
        drop(sender);
        line.close()
    }

    /// A file of 64 MiB, once by `sendfile` and once by io_uring's splice: on whose clock does it
    /// run?
    fn workers(report: &mut Report) -> io::Result<()> {
        const LENGTH: usize = 64 << 20;
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", LENGTH)?)?;
        let mut line = Loopback::new(None)?;
        for name in ["sendfile", "io_uring_splice"] {
            let ring = if name == "sendfile" { None } else { Some(Ring::new()) };
            if let Some(Err(error)) = ring {
                report.not_possible(name, &["sender_cpu", "workers"], &error.to_string());
                continue;
            }
            let before = (cpu::thread()?, cpu::process()?);
            line.transfer(LENGTH as u64, |socket| match ring {
                Some(Ok(mut ring)) => ring.send_file(socket, &file, LENGTH as u64),
                _ => Ok(send_range_with(socket, &file, 0..LENGTH as u64, || {
                    Err(ErrorKind::WouldBlock.into())
                })?),
            })?;
            report.set(name, "sender_cpu", cpu::thread()? - before.0);
            report.set(name, "process_cpu", cpu::process()? - before.1);
            report.set(name, "workers", ring::workers()?);
        }
        line.close()
    }

    /// One run that nobody here counts.
    fn send_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let mut line = Loopback::new(None)?;
        let mut way = line.transfer(0, |socket| Way::new(name, socket, &pattern(size)))?;
        line.transfer(BUFFERS * size as u64, |_| {
            (0..BUFFERS).try_for_each(|_| way.send())?;
            way.finish()
        })?;
        drop(way);
        line.close()?;
        Ok(ExitCode::SUCCESS)
    }
}
