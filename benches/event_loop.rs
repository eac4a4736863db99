//! The time of a request, and the CPU time that it costs the server: a thread for each connection,
//! event loops on `epoll` and on io_uring, hyper on tokio, and nginx, for 1 to 1,024 connections
//! and files of 4 KiB to 1 MiB.
//!
//! All clients share one thread on a core of their own, in a closed loop: each connection asks,
//! reads the whole answer, and asks again. The server has the other core. The groups
//! `event_loop_SIZE` measure the wall clock; `event_loop_SIZE_cpu` is the CPU time of the process
//! without the clients' thread, over the same batches; for nginx, it is that of its own processes.
//! On loopback it includes a part of receiving.
//!
//! Three peers serve the same files. `hyper_read` and `tower_http` are one connection to a task on
//! a runtime of one thread. `tower_http` serves the directory with tower-http's `ServeDir`, which
//! opens and reads files on tokio's blocking threads, on the same core. `hyper_read` reads the
//! whole file on the loop and answers with its bytes, without checks of the path and with fewer
//! headers. `nginx` runs with one worker, and is not possible where it is not installed.
//!
//! `epoll_readers` is the loop with a pool that reads what the page cache lacks. Here it has all.
//!
//! `event_loop_two_cores` has the server and its clients share two cores: `epoll` is one loop,
//! `epoll_two` two of them, `nginx_two` two workers.
//!
//! `event_loop_idle` has 32 connections that ask, alone and beside 10,000 that do not, whose
//! clients are another process.
//!
//! `event_loop_latency` has 256 clients that ask in an open loop: at random times, at half of the
//! rate at which the threads answer all of them in a closed loop. A time of this group is a
//! percentile of the latencies of some thousand requests, each counted from when it was due.
//! `generator` is how late the requests themselves left.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

const IDS: [&str; 11] = [
    "event_loop_4KiB",
    "event_loop_4KiB_cpu",
    "event_loop_64KiB",
    "event_loop_64KiB_cpu",
    "event_loop_1MiB",
    "event_loop_1MiB_cpu",
    "event_loop_two_cores",
    "event_loop_two_cores_cpu",
    "event_loop_idle",
    "event_loop_idle_cpu",
    "event_loop_latency",
];

fn main() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Ok(held) = std::env::var(line::HOLD) {
        return line::hold(&held); // of idle clients, on one core
    }
    with(two_cores(), &IDS, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
#[path = "event_loop/nginx.rs"]
mod nginx;

#[cfg(target_os = "linux")]
#[path = "event_loop/peers.rs"]
mod peers;

#[cfg(target_os = "linux")]
#[path = "event_loop/line.rs"]
mod line;

#[cfg(target_os = "linux")]
mod bench {
    use super::line::{Line, Setting};
    use super::peers::Peer;
    use criterion::Throughput;
    use perf_proved::harness::scratch::Scratch;
    use perf_proved::io::event_loop::variants::Variant;
    use perf_proved_benches::{Clock, Plan, Taken, size};
    use std::cell::OnceCell;
    use std::io;
    use std::time::{Duration, Instant};

    const KIB: usize = 1 << 10;
    /// Each size of the file, with the numbers of connections, and those of them at which the loop
    /// is measured a second time: where the chapter compares.
    const FIGURES: [(usize, &[usize], &[usize]); 3] = [
        (4 * KIB, &[1, 8, 32, 256, 1024], &[8, 32, 256]),
        (64 * KIB, &[1, 8, 32, 256], &[32]),
        (1024 * KIB, &[1, 32, 256], &[32]),
    ];
    /// The numbers of connections of the loop with a reader.
    const READERS: [usize; 3] = [1, 32, 256];
    /// The questions of each connection in a piece of a batch, at least: a piece begins with all
    /// connections at once, ends with those that have no further question, and should be mostly
    /// what comes between.
    const QUESTIONS: usize = 4;
    /// The connections that ask beside idle ones, and the number of those.
    const ACTIVE: usize = 32;
    const IDLE: [(usize, &str); 2] = [(0, "alone"), (10_000, "beside_10000")];
    /// The clients of the open loop, and the requests of a sample: one of them is later than the
    /// highest percentile.
    const OPEN: usize = 256;
    const REQUESTS: u64 = 1500;
    const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

    pub fn run(cores: [usize; 2]) -> io::Result<()> {
        let scratch = Scratch::new()?;
        for (length, ..) in FIGURES {
            scratch.file(&size(length), length)?;
        }
        scratch.file("body", 4 * KIB)?; // that of the idle clients
        let [serving, asking] = cores;
        let setting = Setting::new(scratch.path(), [serving], [asking]);
        let half = OnceCell::new();
        let mut plan = Plan::new();
        for (length, connections, compared) in FIGURES {
            let name = format!("event_loop_{}", size(length));
            let group = plan.group(&name);
            group.witnessed(cores).second_clock(Clock::Process, &format!("{name}_cpu"));
            group.throughput(Throughput::Elements(1));
            for &connections in connections {
                group.at_least((QUESTIONS * connections) as u64);
                let setting = Setting { length, connections, ..setting.clone() };
                let variants = Variant::NAMES.into_iter().chain(Peer::NAMES).chain(["nginx"]);
                let with_reader = length == 4 * KIB && READERS.contains(&connections);
                for variant in variants.chain(with_reader.then_some("epoll_readers")) {
                    let setting = setting.clone();
                    group.made((variant, connections), move || closed(variant, &setting));
                }
            }
            for connections in compared {
                group.again_at("epoll", connections);
            }
        }

        let group = plan.group("event_loop_two_cores");
        group.witnessed(cores).second_clock(Clock::Process, "event_loop_two_cores_cpu");
        group.throughput(Throughput::Elements(1));
        let shared = Setting::new(scratch.path(), cores, cores);
        for connections in [32, 256, 1024] {
            group.at_least((QUESTIONS * connections) as u64);
            for variant in ["threads", "epoll", "epoll_two", "nginx_two"] {
                let setting = Setting { connections, ..shared.clone() };
                group.made((variant, connections), move || closed(variant, &setting));
            }
        }
        group.again_at("epoll_two", 256);

        let group = plan.group("event_loop_idle");
        group.witnessed(cores).second_clock(Clock::Process, "event_loop_idle_cpu");
        group.throughput(Throughput::Elements(1)).at_least((QUESTIONS * ACTIVE) as u64);
        for (idle, parameter) in IDLE {
            for variant in Variant::NAMES.into_iter().chain(["hyper_read", "nginx"]) {
                let setting = Setting { connections: ACTIVE, idle, ..setting.clone() };
                group.made((variant, parameter), move || closed(variant, &setting));
            }
        }
        group.again("epoll");

        let group = plan.group("event_loop_latency");
        // A percentile of a part of a batch would be that of fewer requests.
        group.witnessed(cores).flat().at_least(REQUESTS);
        for (parameter, share) in PERCENTILES {
            for variant in Variant::NAMES.into_iter().chain(["hyper_read", "nginx", "generator"]) {
                let (half, setting) = (&half, Setting { connections: OPEN, ..setting.clone() });
                group.made((variant, parameter), move || {
                    let rate = half_load(half, &setting)?;
                    let is_generator = variant == "generator";
                    let variant = if is_generator { "epoll" } else { variant };
                    let mut line = Line::new(variant, &setting)?;
                    Ok(move |requests| {
                        let [latencies, lateness] = line.run_open(rate, requests)?;
                        let times = if is_generator { lateness } else { latencies };
                        let percentile = times.value_at_quantile(share) as f64 / 1e9;
                        let wall = Duration::from_secs_f64(percentile * requests as f64);
                        Ok::<_, io::Error>(Taken { wall, cpu: None })
                    })
                });
            }
        }
        group.again_at("epoll", "p99");
        plan.run()
    }

    /// Makes the batches of a closed loop.
    fn closed(
        variant: &str,
        setting: &Setting<'_>,
    ) -> io::Result<impl FnMut(u64) -> io::Result<Taken> + use<>> {
        let mut line = Line::new(variant, setting)?;
        Ok(move |requests| line.run(requests))
    }

    /// Returns half of the requests that the threads answer in a second, which is measured once.
    fn half_load(known: &OnceCell<f64>, setting: &Setting<'_>) -> io::Result<f64> {
        if let Some(&rate) = known.get() {
            return Ok(rate);
        }
        let mut line = Line::new("threads", setting)?;
        line.run(REQUESTS)?; // a warm-up
        let (start, questions) = (Instant::now(), 4 * REQUESTS);
        line.run(questions)?;
        let rate = questions as f64 / start.elapsed().as_secs_f64() / 2.0;
        eprintln!("event_loop_latency: {rate:.0} requests a second");
        Ok(*known.get_or_init(|| rate))
    }
}
