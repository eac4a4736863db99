//! Counts what a TCP proxy asks of the kernel when it relays through a buffer and when it relays
//! through a pipe, and runs the version that everybody writes first into its faults.
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
    use perf_proved::harness::cost::{self, CALLS, MEMORY};
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::loopback::{FNV_START, fnv1a};
    use perf_proved::harness::report::{Kept, Report, Value};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::sys::{log, trying};
    use perf_proved::zero_copy::splice::experiment::*;
    use perf_proved::zero_copy::splice::proxy::Proxy;
    use perf_proved::zero_copy::splice::relay::Moved;
    use perf_proved::zero_copy::splice::variants::Variant;
    use std::fs::File;
    use std::io;
    use std::net::{SocketAddr, TcpListener};
    use std::process::ExitCode;
    use std::time::Duration;

    pub fn main() -> ExitCode {
        let names = Variant::NAMES.into_iter().chain(FILE_PIPES.map(|(name, _)| name));
        Example::new("Counts what a TCP proxy asks of the kernel: a buffer against a pipe.")
            .variants(&names.collect::<Vec<_>>())
            .size(1 << 20)
            .flag("to", "HOST:PORT", "runs the proxy to this server until Ctrl-C")
            .flag("listen", "HOST:PORT", "listens there (default: 127.0.0.1:8080)")
            .run(|flags| match (flags.own_as("to")?, &flags.only) {
                (Some(server), _) => proxy(server, flags.own_as("listen")?),
                (None, Some(name)) => Ok(ExitCode::from(u8::from(!run_once(name, flags.size)?))),
                (None, None) => compare(flags.size, flags.json),
            })
    }

    fn compare(size: usize, json: bool) -> io::Result<ExitCode> {
        let answer = pattern(size);
        let mut report =
            Report::new(&format!("A proxy before a server that answers with {size} bytes"));
        relays(&mut report, &answer);
        for (name, capacity) in FILE_PIPES {
            let quantities = [&MEMORY[..], &CALLS, &["splice"]].concat();
            let checksum = report
                .attempt(name, &quantities, |report| file_costs(report, name, capacity, size));
            let kept = checksum.map(|checksum| checksum == fnv1a(FNV_START, &answer));
            report.promise(&format!("{name} brings the bytes of the file"), kept);
        }
        lent_memory(&mut report);
        naive_versions(&mut report);
        let limit = ["large_of_128", "capacity_of_the_last"];
        report.attempt("pipes_of_a_user", &limit, |report| {
            let Allowance { large, last } = allowance()?;
            report.set("pipes_of_a_user", limit[0], large);
            report.set("pipes_of_a_user", limit[1], Value::Bytes(last));
            Ok(())
        });
        Ok(report.finish(json))
    }

    /// Relays a question and its answer through each variant, and as the standard library does.
    fn relays(report: &mut Report, answer: &[u8]) {
        let mut same = vec![];
        for name in Variant::NAMES {
            let relay = |client: &_, server: &_| relay_with(name, client, server);
            same.push(relay_memory(report, name, answer, relay));
            same.push(relay_calls(report, name, &["splice"], answer, relay));
        }
        let always = ["splice", "read", "recvfrom", "sendto"];
        same.push(relay_calls(report, "std_io_copy", &always, answer, copy_both));
        let says = "client and server received what the other sent, and no more";
        report.promise(says, same.into_iter().collect::<Kept>());
    }

    /// Lends memory to two pipes and overwrites it before the other ends have read.
    fn lent_memory(report: &mut Report) {
        let (name, always) = ("vmsplice_tee", ["vmsplice", "tee", "splice"]);
        let changed = ["changed_after_send", "changed_in_the_copy"];
        report.attempt(name, &[&changed[..], &CALLS, &always].concat(), |report| {
            let mut lending = Lending::new()?;
            for (quantity, bytes) in changed.iter().zip(lending.changed_after_send()?) {
                report.set(name, quantity, Value::Bytes(bytes as u64));
            }
            // Traced apart: after the tracer's fork the memory is copy-on-write, and the pipe keeps
            // the old page.
            cost::calls(report, name, &always, || lending.lend_and_tee())
        });
    }

    /// Sends a file of 1 MiB in the naive ways.
    fn naive_versions(report: &mut Report) {
        let quantities = ["arrived_of_1MiB", "blocked_after"];
        let blocked = report.attempt("naive", &quantities, |report| {
            let scratch = Scratch::new()?;
            let file = File::open(scratch.file("large", 1 << 20)?)?;
            let arrived = naive_arrived(&file, 1 << 20)?;
            report.set("naive", quantities[0], Value::Bytes(arrived as u64));
            let blocked = naive_blocked(&file, 1 << 20)?;
            report.set("naive", quantities[1], Value::Bytes(blocked.after as u64));
            Ok(blocked)
        });
        let waits = blocked.map(|blocked| blocked.waits);
        report.promise("filling a pipe that nothing drains does not end", waits);
        let ends = blocked.map(|blocked| blocked.ends_when_closed);
        report.promise("until the other end is closed", ends);
    }

    /// Relays to `server` until Ctrl-C, and logs how each connection ended.
    fn proxy(server: SocketAddr, listen: Option<SocketAddr>) -> io::Result<ExitCode> {
        let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let listener = trying(format_args!("listening on {listen}"), TcpListener::bind(listen))?;
        let listen = listener.local_addr()?;
        log::line(format_args!("relaying {listen} to {server}, until Ctrl-C"));
        let proxy = Proxy::new(server, 1 << 20, 1024, Duration::from_secs(60));
        Err(proxy.run(&listener, |client, ended| match ended {
            Ok(Moved { forward, back }) => {
                log::line(format_args!("{client}: {forward} bytes forward, {back} back"))
            }
            Err(error) => log::line(format_args!("{client}: {error}")),
        }))
    }
}
