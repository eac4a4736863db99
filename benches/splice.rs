//! Times a TCP proxy with each variant, for answers of 4 KiB to 16 MiB; a file through a pipe
//! against `sendfile`; and the making of a pipe.
//!
//! The proxy has one core for itself; client and server share the other. Each variant has its own
//! two connections, open for the whole bench, and relays on a thread of its own. `splice` is the
//! wall-clock time from the client's question to the last byte of its answer. `splice_cpu` is the
//! CPU time of the relaying thread for the same, in the kernel too; on loopback it includes a part
//! of the client's receiving, the same for every variant. `splice_file_cpu` is the sending thread's
//! CPU time.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["splice_cpu", "splice", "splice_file_cpu", "splice_pipe", "splice_aa"];
    with(two_cores(), &ids, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use criterion::measurement::Measurement;
    use criterion::{BenchmarkId, Criterion};
    use perf_proved::harness::loopback::{FNV_START, Loopback, fnv1a, pair};
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::proof::cpu::ThreadClock;
    use perf_proved::sys::cores;
    use perf_proved::zero_copy::sendfile::variants::Variant as SendVariant;
    use perf_proved::zero_copy::splice::Pipe;
    use perf_proved::zero_copy::splice::experiment::send_file;
    use perf_proved::zero_copy::splice::pool::PipePool;
    use perf_proved::zero_copy::splice::relay::relay;
    use perf_proved::zero_copy::splice::variants::Variant;
    use perf_proved_benches::{ThreadTime, bytes, size};
    use std::fs::File;
    use std::hint::black_box;
    use std::io::{self, Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};
    use std::time::{Duration, Instant};

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    const ANSWERS: [usize; 4] = [4 * KIB, 64 * KIB, MIB, 16 * MIB];
    const FILES: [usize; 3] = [64 * KIB, MIB, 16 * MIB];
    /// Longer than the whole bench: a line rests while the others are measured.
    const PATIENCE: Duration = Duration::from_secs(3600);

    pub fn run([relaying, talking]: [usize; 2]) -> io::Result<()> {
        cores::pin(talking)?;
        let mut lines: Vec<Line> = Variant::NAMES
            .iter()
            .map(|name| Line::new(name, relaying))
            .collect::<io::Result<_>>()?;
        // Every variant brings the right bytes, at every size. This also lets the kernel grow the
        // sockets' buffers.
        for line in &mut lines {
            for length in ANSWERS {
                line.ask(length)?;
                assert!(line.answer[..length] == pattern(length), "{}, {length} bytes", line.name);
            }
        }
        let mut wall = Criterion::default().configure_from_args();
        sweep(&mut wall, "splice", &mut lines, |line, length, times| {
            line.exchange(length, times).0
        });
        let mut cpu = Criterion::default().with_measurement(ThreadTime).configure_from_args();
        sweep(&mut cpu, "splice_cpu", &mut lines, |line, length, times| {
            line.exchange(length, times).1
        });
        let mut same = cpu.benchmark_group("splice_aa");
        let last = lines.len() - 1;
        for function in ["first", "second"] {
            same.bench_function(BenchmarkId::new(function, "cpu"), |bencher| {
                bencher.iter_custom(|times| lines[last].exchange(MIB, times).1);
            });
        }
        same.finish();
        let mut same = wall.benchmark_group("splice_aa");
        for function in ["first", "second"] {
            same.bench_function(BenchmarkId::new(function, "wall"), |bencher| {
                bencher.iter_custom(|times| lines[last].exchange(MIB, times).0);
            });
        }
        same.finish();
        lines.into_iter().try_for_each(Line::close)?;

        files(&mut cpu, relaying, talking)?;
        pipes(&mut wall);
        wall.final_summary();
        Ok(())
    }

    /// A client and a server with a relay between them that has a core for itself.
    struct Line {
        name: &'static str,
        client: TcpStream,
        /// The client's answers go here.
        answer: Vec<u8>,
        relay: (ThreadClock, JoinHandle<io::Result<()>>),
        server: JoinHandle<io::Result<()>>,
    }

    impl Line {
        fn new(name: &'static str, core: usize) -> io::Result<Self> {
            let ((client, first), (server, second)) = (pair()?, pair()?);
            for end in [&client, &first, &server, &second] {
                end.set_nodelay(true)?;
            }
            client.set_read_timeout(Some(PATIENCE))?;
            let (mut forward, mut back) = (Variant::new(name)?, Variant::new(name)?);
            let (clock, clocks) = mpsc::channel();
            let relay = thread::spawn(move || {
                cores::pin(core)?;
                clock.send(ThreadClock::mine()?).map_err(io::Error::other)?;
                relay(&first, &second, [&mut forward, &mut back], PATIENCE)?;
                Ok(())
            });
            let clock = clocks.recv().map_err(io::Error::other)?;
            let server = thread::spawn(move || answer_all(server));
            Ok(Self {
                name,
                client,
                answer: vec![0; ANSWERS[ANSWERS.len() - 1]],
                relay: (clock, relay),
                server,
            })
        }

        /// Asks one question and reads the whole answer.
        fn ask(&mut self, length: usize) -> io::Result<()> {
            self.client.write_all(&(length as u64).to_ne_bytes())?;
            self.client.read_exact(&mut self.answer[..length])
        }

        /// Asks `times` questions, one after the other. Returns the wall-clock time and the CPU
        /// time of the relay.
        fn exchange(&mut self, length: usize, times: u64) -> (Duration, Duration) {
            let clock =
                || self.relay.0.read().expect("the relay's thread runs until its ends are closed");
            let (start, used) = (Instant::now(), clock());
            for _ in 0..times {
                self.client.write_all(&(length as u64).to_ne_bytes()).expect("the question leaves");
                // The reader's buffer stays in its cache, as in the other benches.
                let mut left = length;
                while left > 0 {
                    let part = left.min(64 * KIB);
                    left -= self.client.read(&mut self.answer[..part]).expect("the answer arrives");
                }
            }
            (start.elapsed(), clock() - used)
        }

        fn close(self) -> io::Result<()> {
            self.client.shutdown(Shutdown::Write)?;
            for thread in [self.server, self.relay.1] {
                thread.join().map_err(|_| io::Error::other("a thread panicked"))??;
            }
            Ok(())
        }
    }

    /// Runs the server: a question is the length of the answer.
    fn answer_all(mut socket: TcpStream) -> io::Result<()> {
        let answer = pattern(ANSWERS[ANSWERS.len() - 1]);
        let mut length = [0; 8];
        loop {
            match socket.read_exact(&mut length) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                asked => asked?,
            }
            socket.write_all(&answer[..u64::from_ne_bytes(length) as usize])?;
        }
    }

    /// Measures all variants at one size, then at the next: if the machine drifts, it drifts for
    /// all.
    fn sweep<M>(
        criterion: &mut Criterion<M>,
        group: &str,
        lines: &mut [Line],
        measured: impl Fn(&mut Line, usize, u64) -> Duration,
    ) where
        M: Measurement<Value = Duration>,
    {
        let mut group = criterion.benchmark_group(group);
        for length in ANSWERS {
            group.throughput(bytes(length));
            for line in lines.iter_mut() {
                group.bench_function(BenchmarkId::new(line.name, size(length)), |bencher| {
                    bencher.iter_custom(|times| measured(line, length, times));
                });
            }
        }
        group.finish();
    }

    /// Sends a file to a socket with `sendfile`, and through pipes of two capacities.
    fn files(cpu: &mut Criterion<ThreadTime>, sending: usize, reading: usize) -> io::Result<()> {
        cores::pin(sending)?;
        let scratch = Scratch::new()?;
        let largest = FILES[FILES.len() - 1];
        let file = File::open(scratch.file("body", largest)?)?;
        let mut line = Loopback::new(Some(reading))?;
        let mut pipes = [Pipe::with_capacity(64 * KIB)?, Pipe::with_capacity(MIB)?];
        let mut send = |variant: usize, socket: &TcpStream, length: usize| match variant {
            0 => SendVariant::Sendfile.send(socket, &file, 0..length as u64),
            _ => send_file(&mut pipes[variant - 1], socket, &file, length as u64),
        };
        let names = ["sendfile", "splice_64KiB", "splice_1MiB"];
        for length in FILES {
            for (variant, name) in names.iter().enumerate() {
                let ((), arrived) =
                    line.transfer_checked(length as u64, |socket| send(variant, socket, length))?;
                assert_eq!(arrived, fnv1a(FNV_START, &pattern(length)), "{name}, {length} bytes");
            }
        }
        let mut group = cpu.benchmark_group("splice_file_cpu");
        for length in FILES {
            group.throughput(bytes(length));
            for (variant, name) in names.iter().enumerate() {
                group.bench_function(BenchmarkId::new(*name, size(length)), |bencher| {
                    bencher.iter_custom(|times| {
                        let start = ThreadTime.start();
                        line.transfer(times * length as u64, |socket| {
                            (0..times).try_for_each(|_| send(variant, socket, length))
                        })
                        .expect("everything arrives, and the reader confirms it");
                        ThreadTime.end(start)
                    });
                });
            }
        }
        group.finish();
        line.close()
    }

    /// Makes and closes a pipe for one connection, or takes one from a pool and returns it.
    fn pipes(wall: &mut Criterion) {
        let mut group = wall.benchmark_group("splice_pipe");
        let pool = PipePool::new(MIB, 1);
        group.bench_function(BenchmarkId::new("made", "64KiB"), |bencher| {
            bencher.iter(|| black_box(Pipe::new()).is_ok());
        });
        group.bench_function(BenchmarkId::new("made", "1MiB"), |bencher| {
            bencher.iter(|| black_box(Pipe::with_capacity(MIB)).is_ok());
        });
        group.bench_function(BenchmarkId::new("pooled", "1MiB"), |bencher| {
            bencher.iter(|| black_box(pool.take()).is_ok());
        });
        group.finish();
    }
}
