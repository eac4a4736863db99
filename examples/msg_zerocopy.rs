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
    use perf_proved::harness::loopback::pair;
    use perf_proved::harness::report::{Report, Value};
    use perf_proved::proof::usage;
    use perf_proved::zero_copy::msg_zerocopy::experiment::{self, Experiment, FileSender};
    use perf_proved::zero_copy::msg_zerocopy::kernel_tls;
    use perf_proved::zero_copy::msg_zerocopy::variants::Variant;
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
        let mut report = Report::new(&format!("{BUFFERS} buffers of {size} bytes over loopback"));
        let counts = ["returned", "copied_after_all", "pinned", "syscalls"];
        let quantities = [&counts[..], &CALLS].concat();
        for name in Variant::NAMES {
            report.attempt(name, &quantities, |report| count(report, name, size));
        }
        report.attempt("nowhere", &counts[..2], |report| {
            let back = experiment::discarded(16)?; // by a device that nothing is copied for
            let copied = back.iter().filter(|returned| returned.copied).count();
            report.set("nowhere", "returned", back.len() as u64);
            report.set("nowhere", "copied_after_all", copied as u64);
            Ok(())
        });
        report.attempt("naive", &["of_sent", "changed_after_send"], |report| {
            let (sent, changed) = naive_reuse()?;
            report.set("naive", "of_sent", Value::Bytes(sent));
            report.set("naive", "changed_after_send", Value::Bytes(changed));
            Ok(())
        });
        report.attempt("unread", &["sends", "messages"], |report| {
            const SENDS: u64 = 10_000; // before the first completion is read
            let messages = experiment::unread(SENDS)?.map(Value::from);
            report.set("unread", "sends", SENDS);
            report.set("unread", "messages", messages.unwrap_or_else(Value::from));
            Ok(())
        });
        let quantities = ["sender_cpu", "process_cpu", "workers"];
        for name in FileSender::NAMES {
            report.attempt(name, &quantities, |report| {
                let cost = FileSender::new(name)?.cost_of_a_file(64 << 20)?;
                report.set(name, "sender_cpu", cost.thread);
                report.set(name, "process_cpu", cost.process);
                report.set(name, "workers", cost.workers);
                Ok(())
            });
        }
        report.measure("kernel_tls", "available", || {
            let available = kernel_tls(&pair()?.0);
            Ok(available.map_or_else(Value::from, |()| Value::Count(1)))
        });
        report.finish(json)
    }

    /// The calls that the variants differ in.
    const CALLS: [&str; 4] = ["sendto", "recvmsg", "ppoll", "io_uring_enter"];

    /// Counts the calls of one variant, the buffers that came back, those that the kernel reports
    /// as copied, and the memory that stays pinned between two sends. The receiver checks every
    /// byte.
    fn count(report: &mut Report, name: &str, size: usize) -> io::Result<()> {
        let before = usage::pinned();
        let mut experiment = Experiment::new(name, size, None)?;
        report
            .measure(name, "pinned", || Ok(Value::Bytes(usage::pinned()?.saturating_sub(before?))));
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

    // ANCHOR: naive_reuse
    /// Sends to a client that does not read yet until the socket is full, refills the buffer,
    /// and only then reads. Returns the number of bytes sent, and the number of these that
    /// are new.
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

    /// Runs one variant without counting anything.
    fn send_once(name: &str, size: usize) -> io::Result<ExitCode> {
        let mut experiment = Experiment::new(name, size, None)?;
        experiment.send(BUFFERS)?;
        experiment.close()?;
        Ok(ExitCode::SUCCESS)
    }
}
