//! Counts the lines of files, all at once, on a tokio runtime of one thread, which never waits for
//! a disk: an operation is a future like any other.
//!
//!     cargo run --release --package perf-proved-tests --no-default-features \
//!         --example lines_on_tokio -- FILE...

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example awaits operations of a module that only Linux has.");
}

#[cfg(target_os = "linux")]
mod linux {
    use perf_proved::io::async_io::{AsyncIo, Buffer, Completion, Operation, Settings};
    use std::fs::File;
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::sync::Arc;
    use std::{env, io};
    use tokio::runtime;
    use tokio::task::JoinSet;

    /// The length of a read in bytes.
    const PIECE: usize = 64 << 10;

    pub fn main() -> ExitCode {
        let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
        if paths.is_empty() {
            println!("Usage: lines_on_tokio FILE...");
            return ExitCode::from(2);
        }
        let all = match count_all(&Settings::default(), paths) {
            Ok(all) => all,
            Err(error) => {
                println!("lines_on_tokio: {error}");
                return ExitCode::FAILURE;
            }
        };
        let mut code = ExitCode::SUCCESS;
        for (path, lines) in all {
            match lines {
                Ok(lines) => println!("{lines:>10} {}", path.display()),
                Err(error) => {
                    println!("{:>10} {}", "error:", error); // names the file
                    code = ExitCode::FAILURE;
                }
            }
        }
        code
    }

    /// Counts the lines of the files at `paths`, which are returned in the order in which their
    /// ends were reached.
    ///
    /// # Errors
    ///
    /// If the engine or the runtime cannot be started.
    pub fn count_all(
        settings: &Settings,
        paths: Vec<PathBuf>,
    ) -> io::Result<Vec<(PathBuf, io::Result<u64>)>> {
        let io = Arc::new(AsyncIo::start(settings)?);
        let runtime = runtime::Builder::new_current_thread().build()?;
        Ok(runtime.block_on(async {
            let mut counting = JoinSet::new();
            for path in paths {
                let io = io.clone();
                counting.spawn(async move {
                    let lines = lines(&io, path.clone()).await;
                    (path, lines)
                });
            }
            counting.join_all().await
        }))
    }

    /// Counts the line feeds of one file.
    async fn lines(io: &AsyncIo, path: PathBuf) -> io::Result<u64> {
        let opened = run(io, Operation::open(path, File::options().read(true))).await?;
        let file = opened.file.expect("an open that is done has it");
        let (mut buffer, mut at, mut lines) = (Buffer::from(vec![0; PIECE]), 0, 0);
        loop {
            // The buffer moves into the operation, and comes back with its completion.
            let read = run(io, Operation::read_at(&file, buffer, at)).await?;
            if read.bytes == 0 {
                return Ok(lines);
            }
            at += read.bytes;
            buffer = read.buffer.expect("a read has one");
            let feeds = buffer[..read.bytes as usize].iter().filter(|byte| **byte == b'\n');
            lines += feeds.count() as u64;
        }
    }

    // ANCHOR: run
    /// Awaits room for an operation, and then its end.
    async fn run(io: &AsyncIo, operation: Operation) -> io::Result<Completion> {
        let handle = io.submission(operation).await.map_err(io::Error::other)?;
        handle.await.done()
    }
    // ANCHOR_END: run
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::count_all;
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::io::async_io::{Engine, Settings};
    use std::fs;
    use std::io::ErrorKind;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    /// More files than operations may be in flight, one that is missing, and one of many pieces.
    #[test]
    fn every_file_is_counted_on_both_engines() {
        let scratch = Scratch::new().unwrap();
        let path = |number: usize| scratch.path().join(number.to_string());
        (0..50).for_each(|number| fs::write(path(number), "line\n".repeat(number)).unwrap());
        fs::write(path(50), "x\n".repeat(500_000)).unwrap();
        for engine in [Engine::Pool, Engine::Ring] {
            let settings = Settings { engine: Some(engine), depth: 4, ..Settings::default() };
            let paths = (0..52).map(path).collect();
            let (tell, hear) = channel();
            thread::spawn(move || tell.send(count_all(&settings, paths)));
            // A wake-up that is lost would make the runtime wait forever.
            let counted = hear.recv_timeout(Duration::from_secs(120)).expect("all tasks end");
            let counted = match counted {
                Ok(counted) => counted,
                Err(error) => {
                    assert_eq!(engine, Engine::Ring, "{error}");
                    eprintln!("not possible here: {error}");
                    continue;
                }
            };
            assert_eq!(counted.len(), 52);
            for (found, lines) in counted {
                let number: usize = found.file_name().unwrap().to_str().unwrap().parse().unwrap();
                match number {
                    50 => assert_eq!(lines.unwrap(), 500_000),
                    51 => assert_eq!(lines.unwrap_err().kind(), ErrorKind::NotFound),
                    _ => assert_eq!(lines.unwrap(), number as u64),
                }
            }
        }
    }
}
