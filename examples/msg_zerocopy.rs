//! Shows that a send without a copy reads the buffer later, that loopback copies it after all, and
//! what the detour costs in system calls: `MSG_ZEROCOPY` and io_uring's `SEND_ZC` against `send`.
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
    use perf_proved::harness::loopback::{Loopback, pair};
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::proof::cpu;
    use perf_proved::zero_copy::msg_zerocopy::experiment::{self, Experiment, FileSender};
    use perf_proved::zero_copy::msg_zerocopy::variants::Variant;
    use perf_proved::zero_copy::msg_zerocopy::{kernel_tls, ring};
    use std::fs::File;
    use std::io::{self, Read};
    use std::process::ExitCode;

    /// The number of buffers that each variant sends.
    const BUFFERS: u64 = 64;

    pub fn main() -> ExitCode {
        Example::new("Counts the copies of sending buffers with send, MSG_ZEROCOPY and io_uring.")
            .variants(&Variant::NAMES)
            .size(64 << 10)
            .run(|flags| match flags.only {
                Some(name) => send_once(&name, flags.size),
                None => Ok(compare(flags.size, flags.json)),
            })
    }

    fn compare(size: usize, json: bool) -> ExitCode {
        let mut report = Report::new(&format!(
            "{BUFFERS} buffers of {size} bytes over TCP on loopback, and which of them were copied"
        ));
        let counts = ["returned", "copied_after_all", "syscalls"];
        let quantities = [&counts[..], &CALLS].concat();
        for name in Variant::NAMES {
            report.attempt(name, &quantities, |report| count(report, name, size));
        }
        report.attempt("nowhere", &counts[..2], discarded);
        report.attempt("naive", &["of_sent", "changed_after_send"], |report| {
            let (sent, changed) = naive_reuse()?;
            report.set("naive", "of_sent", Value::Bytes(sent));
            report.set("naive", "changed_after_send", Value::Bytes(changed));
            Ok(())
        });
        report.attempt("unread", &["sends", "messages"], unread);
        for name in FileSender::NAMES {
            let quantities = ["sender_cpu", "process_cpu", "workers"];
            report.attempt(name, &quantities, |report| workers(report, name));
        }
        report.attempt("kernel_tls", &["available"], |report| {
            let available = kernel_tls(&pair()?.0).map(|()| Value::Count(1));
            report.set("kernel_tls", "available", available.unwrap_or_else(Value::from));
            Ok(())
        });
        report.finish(json)
    }

    /// The calls that the variants differ in.
    const CALLS: [&str; 4] = ["sendto", "recvmsg", "ppoll", "io_uring_enter"];

    /// Counts the calls of one variant, the buffers that came back, and those that the kernel reports
    /// as copied. The receiver checks every byte.
    fn count(report: &mut Report, name: &str, size: usize) -> io::Result<()> {
        let mut experiment = Experiment::new(name, size, None)?;
        let intact = experiment.send_checked(BUFFERS)?;
        report.promise(&format!("{name}: every byte arrives as it was"), intact);
        let counts = experiment.without_fallback()?;
        report.set(name, "returned", counts.returned);
        report.set(name, "copied_after_all", counts.copied);

        let calls = experiment.send_traced(BUFFERS)?.map_err(Value::from);
        let total = calls.as_ref().map(|calls| calls.total().into());
        report.set(name, "syscalls", total.unwrap_or_else(Value::clone));
        for call in CALLS {
            let made = calls.as_ref().map(|calls| calls.of(call).made.into());
            report.detail(name, call, made.unwrap_or_else(Value::clone));
        }
        experiment.close()
    }

    /// Sends sixteen datagrams to a device that discards them: they come back without a copy, if
    /// there is such a device.
    fn discarded(report: &mut Report) -> io::Result<()> {
        let back = experiment::discarded(16)?;
        let copied = back.iter().filter(|returned| returned.copied).count();
        report.set("nowhere", "returned", back.len() as u64);
        report.set("nowhere", "copied_after_all", copied as u64);
        Ok(())
    }

    // ANCHOR: naive_reuse
    /// Sends to a client that does not read yet until the socket is full, refills the buffer, and
    /// only then reads. Returns the number of bytes sent, and the number of these that are new.
    fn naive_reuse() -> io::Result<(u64, u64)> {
        let (mut client, socket) = pair()?;
        let mut buffer = vec![b'a'; 16 << 20];
        let sent = experiment::fill(&socket, &buffer)?; // by naive::send
        buffer.fill(b'b');
        let mut received = vec![0; sent];
        client.read_exact(&mut received)?;
        Ok((sent as u64, received.iter().filter(|&&byte| byte == b'b').count() as u64))
    }
    // ANCHOR_END: naive_reuse

    /// Makes ten thousand sends before the first completion is read.
    fn unread(report: &mut Report) -> io::Result<()> {
        const SENDS: u64 = 10_000;
        let messages = experiment::unread(SENDS)?.map(Value::from);
        report.set("unread", "sends", SENDS);
        report.set("unread", "messages", messages.unwrap_or_else(Value::from));
        Ok(())
    }

    /// Sends a file of 64 MiB, and looks at which clock it ran on.
    fn workers(report: &mut Report, name: &str) -> io::Result<()> {
        const LENGTH: usize = 64 << 20;
        let mut sender = FileSender::new(name)?;
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", LENGTH)?)?;
        let mut line = Loopback::new(None)?;
        let before = (cpu::thread()?, cpu::process()?);
        line.transfer(LENGTH as u64, |socket| sender.send(socket, &file, LENGTH as u64))?;
        report.set(name, "sender_cpu", cpu::thread()? - before.0);
        report.set(name, "process_cpu", cpu::process()? - before.1);
        report.set(name, "workers", ring::workers()?);
        line.close()
    }

    /// Runs one variant without counting anything.
    fn send_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let mut experiment = Experiment::new(name, size, None)?;
        experiment.send(BUFFERS)?;
        experiment.close()?;
        Ok(ExitCode::SUCCESS)
    }
}
