//! Takes the paths of a file's bytes to a socket apart: the calls that each makes, the bytes that
//! it carries through user space by `read` and `write`, and the page faults of its memory.
//!
//!     cargo run --release --example copies                     # a file of 1 MiB
//!     cargo run --release --example copies -- --size 16MiB
//!     strace -c target/release/examples/copies --only read_whole

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
    println!("This example reads counts of Linux's kernel, which this system does not have.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::harness::cost;
    use perf_proved::harness::flags::Example;
    use perf_proved::harness::report::Report;
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::zero_copy::copies::experiment::{self, AGAIN};
    use perf_proved::zero_copy::copies::variants::Variant;
    use std::fs::File;
    use std::io;
    use std::process::ExitCode;

    pub fn main() -> ExitCode {
        Example::new("Counts the calls and the bytes through user space on each path from a file to a socket.")
            .variants(&Variant::NAMES)
            .size(1 << 20)
            .run(|flags| match flags.only {
                Some(name) => experiment::run_once(&name, flags.size).map(|()| ExitCode::SUCCESS),
                None => Ok(compare(flags.size, flags.json)),
            })
    }

    fn compare(size: usize, json: bool) -> ExitCode {
        let mut report = Report::new(&format!("The paths of {size} bytes from a file to a socket"));
        paths(&mut report, size);

        // The allocator has to ask for memory again that it has returned to the kernel.
        let large = ["page_faults", "faults_again"];
        report.attempt("read_whole_64MiB", &large, |report| {
            let faults = experiment::naive_faults()?;
            for (quantity, faults) in large.into_iter().zip(faults) {
                report.set("read_whole_64MiB", quantity, faults);
            }
            Ok(())
        });
        report.attempt("small_writes", &["switches"], |report| {
            report.set("small_writes", "switches", experiment::small_writes_switch()?);
            Ok(())
        });
        report.finish(json)
    }

    /// Counts each path, and each half of one, and checks what arrives at its end.
    fn paths(report: &mut Report, size: usize) {
        let body = body(size);
        let quantities = [&cost::MEMORY[..], &AGAIN, &cost::CALLS].concat();
        let mut intact = vec![];
        for name in Variant::NAMES {
            intact.extend(report.attempt(name, &quantities, |report| {
                let (_, file) = body.as_ref().map_err(again)?;
                experiment::count(report, name, file, size)
            }));
        }
        let kept = (!intact.is_empty()).then(|| intact.iter().all(|intact| *intact));
        report.promise("every whole path delivers the bytes of the file", kept);
    }

    /// Writes the file that all paths send.
    fn body(size: usize) -> io::Result<(Scratch, File)> {
        let scratch = Scratch::new()?;
        let file = File::open(scratch.file("body", size)?)?;
        Ok((scratch, file))
    }

    /// Returns the same error once more: each path that needs the file reports it.
    fn again(error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), error.to_string())
    }
}
