//! The loops themselves: how they share connections, how few calls they make, and ten thousand
//! connections at once.

use super::site::{Client, calm, site};
use perf_proved::harness::scratch::pattern;
use perf_proved::io::event_loop::{Server, Settings};
use perf_proved::proof::resident;
use perf_proved::proof::syscalls::{self, Call, Calls};
use perf_proved::proof::usage::read_from_device;
use perf_proved::sys::rlimit::raise_open_files;
use perf_proved::zero_copy::mmap::page_cache::evict;
use perf_proved::zero_copy::sendfile::server::Limits;
use perf_proved_tests::{PATIENCE, alone, in_a_process, only, soon};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

const GET: &str = "GET /ten HTTP/1.1\r\nHost: a\r\n\r\n";

fn start(root: &Path, loops: usize, limits: Limits) -> Server {
    let settings = Settings { limits, loops, ..Settings::default() };
    Server::start(root, "127.0.0.1:0", settings, |_, _| {}).unwrap()
}

/// Waits until the loops have these numbers of connections.
fn become_of(server: &Server, expected: &[usize]) {
    let deadline = soon();
    while server.connections() != expected {
        assert!(Instant::now() < deadline, "{:?}, not {expected:?}", server.connections());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn connections_go_to_the_loop_with_the_fewest() {
    let site = site();
    let server = start(&site.root(), 4, calm());
    let mut clients: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = Client::new(&server);
            assert_eq!(client.get("/ten").status, 200);
            client
        })
        .collect();
    assert_eq!(server.connections(), [10; 4]);
    clients.truncate(1);
    let deadline = soon();
    while server.connections().iter().sum::<usize>() > 1 {
        assert!(Instant::now() < deadline, "{:?}", server.connections());
        thread::sleep(Duration::from_millis(1));
    }
    clients.extend((0..39).map(|_| {
        let mut client = Client::new(&server);
        assert_eq!(client.get("/ten").status, 200);
        client
    }));
    assert_eq!(server.connections(), [10; 4], "the loops that have become empty are filled first");
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.cut_off, counts.failed), (0, 0));
}

#[test]
fn an_arrival_wakes_one_loop() {
    const CLIENTS: u64 = 50;
    let _alone = alone();
    // The loop that accepts a client looks for the next one. The other three sleep. On a busy
    // machine, one that has not gone back to sleep yet may look, too, but not every time.
    let looked_in_vain = |_| {
        let accepts = accepts_of(CLIENTS);
        assert_eq!(accepts.made - accepts.failed, CLIENTS);
        accepts.failed
    };
    let tries: Vec<u64> = (0..5).map(looked_in_vain).collect();
    assert!(tries.iter().any(|&failed| failed <= CLIENTS * 3 / 2), "{tries:?}");
}

/// Serves `count` clients, who come one after the other, from four loops, and returns the loops'
/// calls of `accept4`.
fn accepts_of(count: u64) -> Call {
    let site = site();
    let (address, addressed) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    let clients = thread::spawn(move || {
        let address = addressed.recv().unwrap();
        let clients: Vec<Client> = (0..count)
            .map(|_| {
                let mut client = Client(TcpStream::connect(address).unwrap());
                assert_eq!(client.get("/ten").status, 200);
                client
            })
            .collect();
        done.send(()).unwrap();
        clients
    });
    let ((), calls) = syscalls::trace(|| {
        let server = start(&site.root(), 4, calm());
        address.send(server.address()).unwrap();
        finished.recv().unwrap();
        server.shutdown(PATIENCE);
    })
    .unwrap();
    drop(clients.join().unwrap());
    calls.of("accept4")
}

/// Returns the calls of a loop that is started, answers `requests` on one connection, and is shut
/// down.
fn calls_for(root: &Path, requests: u64) -> Calls {
    // The client's thread is there before the tracer, so its calls do not count.
    let (address, addressed) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    let client = thread::spawn(move || {
        let mut client = Client(TcpStream::connect(addressed.recv().unwrap()).unwrap());
        for _ in 0..requests {
            assert_eq!(client.get("/ten").body, b"0123456789");
        }
        done.send(()).unwrap();
        client
    });
    let served = syscalls::trace(|| {
        let server = start(root, 1, calm());
        address.send(server.address()).unwrap();
        finished.recv().unwrap();
        server.shutdown(PATIENCE)
    });
    let (counts, calls) = served.unwrap();
    client.join().unwrap();
    assert_eq!((counts.responses, counts.failed), (requests, 0));
    calls
}

#[test]
fn a_request_costs_seven_calls_and_no_connection_is_registered_twice() {
    const REQUESTS: u64 = 50;
    let _alone = alone();
    let site = site();
    let (few, many) = (calls_for(&site.root(), REQUESTS), calls_for(&site.root(), 2 * REQUESTS));
    for call in ["recvfrom", "openat2", "statx", "sendto", "sendfile", "close"] {
        assert_eq!(many.of(call).made - few.of(call).made, REQUESTS, "{call}: {few:?} {many:?}");
    }
    // The seventh. How many events the first and the last wait return is a matter of time.
    let waits = many.of("epoll_wait").made - few.of("epoll_wait").made;
    assert!(waits.abs_diff(REQUESTS) <= 2, "{few:?} {many:?}");
    // Before the shutdown, one read more sees that nothing has arrived.
    assert_eq!((many.of("recvfrom").failed, many.of("sendto").failed), (1, 0), "{many:?}");
    // The waker, the listener and the connection, and the listener is let go.
    assert_eq!((few.of("epoll_ctl").made, many.of("epoll_ctl").made), (4, 4));
}

/// Opens connections until it has `count`, with a request on each, and holds them until standard
/// input ends. The process that `ten_thousand_idle_connections_take_little_memory` starts.
fn hold(address: &str, count: usize) {
    raise_open_files().unwrap();
    let clients: Vec<Client> = (0..count)
        .map(|_| {
            let mut client = Client(TcpStream::connect(address).unwrap());
            client.0.set_read_timeout(Some(PATIENCE)).unwrap();
            client.send(GET);
            assert_eq!(client.reply(false).unwrap().body, b"0123456789");
            client
        })
        .collect();
    println!("holding");
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(clients);
}

#[test]
fn ten_thousand_idle_connections_take_little_memory() {
    const NAME: &str = "loops::ten_thousand_idle_connections_take_little_memory";
    if let Ok(clients) = env::var("PERF_PROVED_CLIENTS") {
        let (address, count) = clients.split_once(' ').unwrap();
        return hold(address, count.parse().unwrap());
    }
    if !in_a_process(NAME) {
        return;
    }
    let place = site();
    let files = raise_open_files().unwrap();
    let count = 10_000.min((files / 4 * 3).saturating_sub(100) as usize);
    println!("{count} connections, with {files} descriptors at most");
    let hour = Duration::from_secs(3600);
    let limits = Limits { connections: count + 1, idle: hour, ..calm() };
    let server = start(&place.root(), 1, limits);
    assert_eq!(Client::new(&server).get("/ten").status, 200);
    become_of(&server, &[0]);
    let (before, threads) = (resident::now().unwrap(), threads());
    let mut holder = only(NAME)
        .env("PERF_PROVED_CLIENTS", format!("{} {count}", server.address()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("holding")), "the clients could not be made");
    assert_eq!(server.connections(), [count]);
    assert_eq!(self::threads(), threads, "no thread a connection");
    let memory = resident::now().unwrap().saturating_sub(before) / count as u64;
    assert!(memory <= 1024, "{memory} bytes for each idle connection");
    assert_eq!(Client::new(&server).get("/ten").body, b"0123456789", "one more is served");
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    become_of(&server, &[0]);
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.responses, counts.failed), (count as u64 + 2, 0));
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn idle_clients_leave_descriptors_for_files() {
    const NAME: &str = "loops::idle_clients_leave_descriptors_for_files";
    const LIMIT: usize = 200;
    if !in_a_process(NAME) {
        return;
    }
    let place = site();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live `rlimit`, which the calls write and read.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = LIMIT as libc::rlim_t;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    let server = start(&place.root(), 2, calm());
    let mut clients: Vec<Client> = vec![];
    // Both ends of each connection are descriptors of this process.
    let refused = loop {
        assert!(clients.len() < LIMIT / 2, "the server takes what it needs for files");
        let mut client = Client::new(&server);
        let status = client.get("/ten").status;
        if status != 200 {
            break status;
        }
        clients.push(client);
    };
    assert_eq!(refused, 503);
    assert!(clients.len() > LIMIT / 4, "{} of {LIMIT}", clients.len());
    for client in &mut clients {
        assert_eq!(client.get("/ten").body, b"0123456789");
    }
    clients.truncate(10);
    let deadline = soon();
    while server.connections().iter().sum::<usize>() > 10 {
        assert!(Instant::now() < deadline, "{:?}", server.connections());
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(Client::new(&server).get("/ten").status, 200, "there is room again");
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.refused, counts.failed), (1, 0));
}

#[test]
fn readers_read_what_the_page_cache_lacks() {
    const NAME: &str = "loops::readers_read_what_the_page_cache_lacks";
    // Neither the pieces of a conversation nor the pages of a file divide them.
    const LENGTHS: [usize; 3] = [1, 100_001, 5_000_003];
    if !in_a_process(NAME) {
        return; // the threads have their names to themselves
    }
    let place = site();
    let settings = Settings { limits: calm(), loops: 1, readers: 1, ..Settings::default() };
    let server = match Server::start(&place.root(), "127.0.0.1:0", settings, |_, _| {}) {
        Err(error) if error.to_string().contains("cachestat") => return println!("{error}"),
        server => server.unwrap(),
    };
    for length in LENGTHS {
        let path = place.0.file(&format!("root/{length}"), length).unwrap();
        if let Err(error) = evict(&File::open(path).unwrap()) {
            return println!("not possible here: {error}");
        }
    }
    let mut clients = [(); 4].map(|()| Client::new(&server));
    let read = || ["loop 0", "worker-0"].map(|thread| read_from_device(thread).unwrap());
    let before = read();
    let mut by_reader = vec![];
    for _ in 0..2 {
        for length in LENGTHS {
            let question = format!("GET /{length} HTTP/1.1\r\nHost: a\r\n\r\n");
            for client in &mut clients {
                client.send(&question);
            }
            for client in &mut clients {
                assert!(client.reply(false).unwrap().body == pattern(length), "{length} bytes");
            }
        }
        let [by_loop, reader] = read();
        assert_eq!(by_loop, before[0], "the loop has read");
        by_reader.push(reader - before[1]);
    }
    assert!(by_reader[0] >= LENGTHS.iter().sum::<usize>() as u64, "{by_reader:?}");
    assert_eq!(by_reader[1], by_reader[0], "the page cache has all of them");
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.responses, counts.failed, counts.cut_off), (24, 0, 0));
}

#[test]
fn an_idle_server_sleeps() {
    let _alone = alone();
    let site = site();
    let (address, addressed) = mpsc::channel();
    let clients = thread::spawn(move || {
        let address = addressed.recv().unwrap();
        let mut clients: Vec<TcpStream> =
            (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
        clients.iter_mut().for_each(|client| client.write_all(&GET.as_bytes()[..9]).unwrap());
        clients
    });
    let (held, calls) = syscalls::trace(|| {
        let server = start(&site.root(), 1, calm());
        address.send(server.address()).unwrap();
        let clients = clients.join().unwrap();
        become_of(&server, &[100]);
        thread::sleep(Duration::from_millis(300));
        (server, clients) // to be closed afterwards
    })
    .unwrap();
    drop(held);
    // At most one round for each event: a client, room to send to it, and its bytes.
    let waits = calls.of("epoll_wait").made;
    assert!(waits <= 310, "{waits} rounds for 300 events");
    assert_eq!(calls.of("recvfrom").failed, 0, "{calls:?}");
}
