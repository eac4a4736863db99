//! Times a TCP proxy with each variant, for answers of 4 KiB to 16 MiB; a file through a pipe
//! against `sendfile`; and the making of a pipe.
//!
//! The proxy has one core for itself; client and server share the other. Each variant has its own
//! two connections, open for the whole bench, and relays on a thread of its own. `splice` is the
//! wall-clock time from the client's question to the last byte of its answer. `splice_cpu` is the
//! CPU time of the relaying thread over the same batches, in the kernel too; on loopback it
//! includes a part of the client's receiving, the same for every variant. `splice_file_cpu` is the
//! sending thread's CPU time. All sockets have `TCP_NODELAY` set.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let ids = ["splice", "splice_cpu", "splice_file_cpu", "splice_pipe"];
    with(two_cores(), &ids, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
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
    use perf_proved_benches::{Clock, Plan, Taken, bytes, size};
    use std::cell::RefCell;
    use std::fs::File;
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
        let lines: Vec<_> = Variant::NAMES
            .iter()
            .map(|name| Line::new(name, [relaying, talking]).map(RefCell::new))
            .collect::<io::Result<_>>()?;
        // Every variant brings the right bytes, at every size. This also lets the kernel grow the
        // sockets' buffers.
        for line in &lines {
            let mut line = line.borrow_mut();
            for length in ANSWERS {
                line.ask(length)?;
                assert!(line.answer[..length] == pattern(length), "{}, {length} bytes", line.name);
            }
        }
        let files = RefCell::new(Files::new([relaying, talking])?);
        let mut plan = Plan::new();
        let group = plan.group("splice");
        group.witnessed([relaying, talking]).second_clock(Clock::Thread, "splice_cpu");
        for length in ANSWERS {
            group.throughput(bytes(length));
            for line in &lines {
                let name = (line.borrow().name, size(length));
                group.bench(name, move |times| line.borrow_mut().exchange(length, times));
            }
        }
        group.again_at("splice_1MiB", "1MiB");

        let group = plan.group("splice_file_cpu");
        group.witnessed([relaying, talking]).clock(Clock::Thread);
        for length in FILES {
            group.throughput(bytes(length));
            for (way, name) in Files::NAMES.into_iter().enumerate() {
                let files = &files;
                let send = move |times| files.borrow_mut().send(way, length, times);
                group.bench((name, size(length)), send);
            }
        }
        group.again_at("sendfile", "1MiB");
        pipes(&mut plan);
        plan.run()?;
        lines.into_iter().try_for_each(|line| line.into_inner().close())?;
        files.into_inner().line.close()
    }

    /// A client and a server with a relay between them that has a core for itself.
    struct Line {
        name: &'static str,
        /// The core of the client and the server.
        talking: usize,
        client: TcpStream,
        /// The client's answers go here.
        answer: Vec<u8>,
        relay: (ThreadClock, JoinHandle<io::Result<()>>),
        server: JoinHandle<io::Result<()>>,
    }

    impl Line {
        fn new(name: &'static str, [core, talking]: [usize; 2]) -> io::Result<Self> {
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
                talking,
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
        fn exchange(&mut self, length: usize, times: u64) -> io::Result<Taken> {
            cores::pin(self.talking)?;
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
            let cpu = clock() - used;
            Ok(Taken { wall: start.elapsed(), cpu: Some(cpu) })
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

    /// A file to send to a socket with `sendfile`, and through pipes of two capacities.
    struct Files {
        sending: usize,
        file: File,
        line: Loopback,
        pipes: [Pipe; 2],
        _scratch: Scratch,
    }

    impl Files {
        const NAMES: [&str; 3] = ["sendfile", "splice_64KiB", "splice_1MiB"];

        /// Makes the file, and checks that every way brings its bytes at every size.
        fn new([sending, reading]: [usize; 2]) -> io::Result<Self> {
            let scratch = Scratch::new()?;
            let file = File::open(scratch.file("body", FILES[FILES.len() - 1])?)?;
            let line = Loopback::new(Some(reading))?;
            let pipes = [Pipe::with_capacity(64 * KIB)?, Pipe::with_capacity(MIB)?];
            let mut files = Self { sending, file, line, pipes, _scratch: scratch };
            for length in FILES {
                for (way, name) in Self::NAMES.into_iter().enumerate() {
                    let Self { line, file, pipes, .. } = &mut files;
                    let send = |socket: &TcpStream| send_once(pipes, way, socket, file, length);
                    let ((), arrived) = line.transfer_checked(length as u64, send)?;
                    assert_eq!(arrived, fnv1a(FNV_START, &pattern(length)), "{name}, {length}");
                }
            }
            Ok(files)
        }

        fn send(&mut self, way: usize, length: usize, times: u64) -> io::Result<Taken> {
            let Self { sending, file, line, pipes, .. } = self;
            cores::pin(*sending)?;
            Ok(Clock::Thread.taken(|| {
                line.transfer(times * length as u64, |socket| {
                    (0..times).try_for_each(|_| send_once(pipes, way, socket, file, length))
                })
                .expect("everything arrives, and the reader confirms it");
            }))
        }
    }

    fn send_once(
        pipes: &mut [Pipe; 2],
        way: usize,
        socket: &TcpStream,
        file: &File,
        length: usize,
    ) -> io::Result<()> {
        match way {
            0 => SendVariant::Sendfile.send(socket, file, 0..length as u64),
            _ => send_file(&mut pipes[way - 1], socket, file, length as u64),
        }
    }

    /// Makes and closes a pipe for one connection, or takes one from a pool and returns it.
    fn pipes(plan: &mut Plan<'_>) {
        let group = plan.group("splice_pipe");
        let pool = PipePool::new(MIB, 1);
        group.iter(("made", "64KiB"), || Pipe::new().is_ok());
        group.iter(("made", "1MiB"), || Pipe::with_capacity(MIB).is_ok());
        group.iter(("pooled", "1MiB"), move || pool.take().is_ok());
        group.again("pooled");
    }
}
