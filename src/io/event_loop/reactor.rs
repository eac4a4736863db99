//! One loop: it asks which connections can go on, gives each of them a turn, and asks again.

use super::connection::{Connection, EVENTS, Turn};
use super::read_ahead::Part;
use super::shared::{Accepted, Phase, Remote, Shared};
use super::timers::{Armed, Timers};
use crate::concurrency::worker_pool::WorkerPool;
use crate::sys::epoll::{Epoll, Events};
use crate::sys::socket::accept;
use crate::sys::trying;
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The tokens of the two descriptors that are no connections.
const WAKER: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

/// The number of events that one call returns at most. The others are returned by the next one.
const EVENTS_PER_WAIT: usize = 1024;
/// The number of connections to accept in a row, so that a burst of new clients does not hold up
/// the old ones.
const ACCEPTS_PER_TURN: usize = 64;
/// The bytes that one read takes at most: heads of requests.
const BUFFER: usize = 16 << 10;
/// The number of outdated entries of the timers, beside one for each connection, that are kept
/// until their time comes. More of them are removed at once.
pub(super) const OUTDATED: usize = 1024;
/// The pause after an error of `accept`: most likely, the process or the machine is out of
/// descriptors or memory. An edge is not reported again, so the loop comes back by itself.
pub(super) const REST: Duration = Duration::from_millis(50);

/// A loop, with all that its thread alone touches.
pub(super) struct Reactor {
    shared: Arc<Shared>,
    index: usize,
    epoll: Epoll,
    /// `None` once the server shuts down.
    listener: Option<Arc<TcpListener>>,
    accepting: Accepting,
    connections: Slab<Slot>,
    /// The serial number of the next connection, which makes its token its own.
    serial: u32,
    /// The connections that can go on without an event. Each stands here at most once.
    ready: VecDeque<u64>,
    timers: Timers,
    /// Since when the kernel has had more to report than one wait returns, and how much it has
    /// reported since.
    behind: Option<(Instant, usize)>,
    /// Reads what the page cache lacks.
    pool: Option<Arc<WorkerPool<Part>>>,
    buffer: Box<[u8]>,
    is_finishing: bool,
}

/// The state of the listener, as far as this loop knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepting {
    /// Nothing to accept until the kernel reports a client.
    Waiting,
    /// Clients may be waiting.
    Pending,
    /// Out of descriptors or memory until this time.
    Resting(Instant),
}

struct Slot {
    connection: Connection,
    serial: u32,
    is_ready: bool,
    armed: Armed,
}

/// Returns the token of a connection: its place in the slab, which another one may take later, and
/// its serial number.
pub(super) fn token(index: usize, serial: u32) -> u64 {
    u64::from(serial) << 32 | index as u64
}

impl Reactor {
    /// Makes the loop `index` of a server, and has it watch `listener`.
    pub(super) fn new(
        shared: Arc<Shared>,
        index: usize,
        listener: Arc<TcpListener>,
        pool: Option<Arc<WorkerPool<Part>>>,
    ) -> io::Result<Self> {
        let epoll = trying("making an epoll set", Epoll::new())?;
        let edge = (libc::EPOLLIN | libc::EPOLLET) as u32;
        let exclusive = edge | libc::EPOLLEXCLUSIVE as u32;
        trying("watching the waker", epoll.add(shared.loops[index].waker(), edge, WAKER))?;
        trying("watching the listener", epoll.add(&*listener, exclusive, LISTENER))?;
        Ok(Self {
            shared,
            index,
            epoll,
            listener: Some(listener),
            accepting: Accepting::Waiting,
            connections: Slab::new(),
            serial: 0,
            ready: VecDeque::new(),
            timers: Timers::default(),
            behind: None,
            pool,
            buffer: vec![0; BUFFER].into(),
            is_finishing: false,
        })
    }

    /// Serves until the server shuts down and its grace period is over.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_WAIT);
        while self.shared.phase() != Phase::Aborting {
            self.round(&mut events);
        }
        self.abort();
    }

    // ANCHOR: round
    /// Waits until there is something to do, and does it: one round.
    fn round(&mut self, events: &mut Events) {
        let reported = self.wait(events);
        let now = Instant::now();
        let known_until = self.known_until(reported, events.capacity(), now);
        self.collect(now);
        self.accept(now);
        if self.shared.phase() != Phase::Serving {
            self.finish();
        }
        // Each of them once: those whose budget is spent come again in the next round.
        for _ in 0..self.ready.len() {
            self.take_a_turn();
        }
        // Last, and as of a time whose events have all had their turns: after a long round,
        // what arrived meanwhile counts before what is late.
        if let Some(known_until) = known_until {
            self.expire(known_until);
        }
    }
    // ANCHOR_END: round

    /// Waits until there is something to do, and notes what the kernel reports. Returns the number
    /// of events.
    fn wait(&mut self, events: &mut Events) -> usize {
        let mut count = 0;
        match self.epoll.wait(events, self.wake_up_at()) {
            Ok(events) => {
                for (token, events) in events {
                    self.reported(token, events);
                    count += 1;
                }
            }
            Err(error) => {
                self.report("epoll_wait", error);
                thread::sleep(REST); // to retry at once would burn the core
            }
        }
        count
    }

    /// Returns the latest time until which all events have been reported; `None` if that is not
    /// known. The kernel reports in the order in which sockets become ready, and each socket once
    /// in a wait, so as many events as there are sockets leave nothing out that is older than the
    /// first of them.
    fn known_until(&mut self, reported: usize, capacity: usize, now: Instant) -> Option<Instant> {
        if reported < capacity {
            self.behind = None;
            return Some(now);
        }
        let (since, all) = self.behind.unwrap_or((now, 0));
        self.behind = Some((since, all + reported));
        // The waker and the listener report, too.
        let sockets = self.connections.len() + 2;
        (all + reported >= 2 * sockets).then(|| {
            self.behind = None;
            since
        })
    }

    /// Returns the time at which the loop has something to do, even if the kernel reports nothing.
    fn wake_up_at(&self) -> Option<Instant> {
        match self.accepting {
            _ if !self.ready.is_empty() => Some(Instant::now()),
            Accepting::Pending => Some(Instant::now()),
            Accepting::Resting(until) => Some(self.timers.next().map_or(until, |at| at.min(until))),
            Accepting::Waiting => self.timers.next(),
        }
    }

    /// Notes what the kernel has reported.
    fn reported(&mut self, token: u64, events: u32) {
        if token == WAKER {
            // Nothing to note: the round looks at the inbox and the phase anyway.
        } else if token == LISTENER {
            if self.accepting == Accepting::Waiting {
                self.accepting = Accepting::Pending;
            }
        } else if let Some(slot) = find(&mut self.connections, token)
            && slot.connection.reported(&self.shared.service, events)
        {
            slot.queue(token, &mut self.ready);
        }
    }

    /// Adopts the connections that other loops have accepted for this one, and goes on with those
    /// for which the pool has read.
    fn collect(&mut self, now: Instant) {
        for accepted in self.mine().collect() {
            self.adopt(accepted, now);
        }
        if self.pool.is_none() {
            return;
        }
        for token in self.mine().collect_read() {
            if let Some(slot) = find(&mut self.connections, token) {
                slot.connection.set_reading(false);
                slot.queue(token, &mut self.ready);
            }
        }
    }

    /// Accepts connections until none is waiting, at most [`ACCEPTS_PER_TURN`].
    fn accept(&mut self, now: Instant) {
        match self.accepting {
            Accepting::Waiting => return,
            Accepting::Resting(until) if now < until => return,
            _ => self.accepting = Accepting::Pending,
        }
        let Some(listener) = self.listener.clone() else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            match accept(&listener) {
                Ok((stream, peer)) => {
                    if let Some(accepted) = self.shared.assign(stream, peer, self.index) {
                        self.adopt(accepted, now);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The client went away before it was accepted.
                Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accepting = Accepting::Waiting;
                    return;
                }
                Err(error) => {
                    self.shared.log.error(None, &error); // the client stays in the queue
                    self.accepting = Accepting::Resting(now + REST);
                    return;
                }
            }
        }
    }

    /// Takes a connection into this loop.
    fn adopt(&mut self, accepted: Accepted, now: Instant) {
        let peer = accepted.peer;
        let reads_ahead = self.pool.is_some();
        let mut connection = Connection::new(accepted, &self.shared.service, reads_ahead, now);
        let entry = self.connections.vacant_entry();
        let token = token(entry.key(), self.serial);
        let added = self.epoll.add(connection.stream(), EVENTS, token);
        if let Err(error) = trying("watching a connection", added) {
            drop(connection);
            self.mine().forget();
            return self.shared.log.error(Some(peer), &error);
        }
        let mut armed = Armed::default();
        self.timers.arm(token, &mut armed, connection.deadline());
        if self.is_finishing {
            connection.finish();
        }
        let slot = Slot { connection, serial: self.serial, is_ready: false, armed };
        let slot = entry.insert(slot);
        if self.is_finishing {
            slot.queue(token, &mut self.ready);
        }
        self.serial = self.serial.wrapping_add(1);
    }

    // ANCHOR: take_a_turn
    /// Gives the first connection of the ready queue a turn.
    fn take_a_turn(&mut self) {
        let Some(token) = self.ready.pop_front() else { return };
        let Some(slot) = find(&mut self.connections, token) else { return }; // closed
        slot.is_ready = false;
        let Shared { service, budget, .. } = &*self.shared;
        // A panic ends this connection and no other.
        let turn = catch_unwind(AssertUnwindSafe(|| {
            slot.connection.turn(service, &mut self.buffer, *budget)
        }));
        match turn.unwrap_or_else(|_| Err(panicked())) {
            Ok(Turn::Over) => return self.close(token, None),
            Err(error) => return self.close(token, Some(error)),
            // Behind all others.
            Ok(Turn::Spent) => slot.queue(token, &mut self.ready),
            Ok(Turn::Blocked) => {} // the kernel reports it
            Ok(Turn::Cold) => return self.read_ahead(token),
        }
        self.timers.arm(token, &mut slot.armed, slot.connection.deadline());
    }
    // ANCHOR_END: take_a_turn

    /// Has the pool read what a connection is about to send.
    fn read_ahead(&mut self, token: u64) {
        let Some(slot) = find(&mut self.connections, token) else { return };
        let Some((file, range)) = slot.connection.part_to_read() else { return };
        let part = Part { file, range, index: self.index, token };
        let accepted = self.pool.as_ref().is_some_and(|pool| pool.try_submit(part).is_ok());
        slot.connection.set_reading(accepted);
        if !accepted {
            slot.queue(token, &mut self.ready); // the queue is full: the loop reads itself
        }
    }

    /// Cuts off the connections whose deadline has passed by `now`.
    fn expire(&mut self, now: Instant) {
        while let Some((at, token)) = self.timers.pop(now) {
            let Some(slot) = find(&mut self.connections, token) else { continue }; // closed
            if !slot.armed.fired(at) {
                continue; // a nearer deadline came up meanwhile, and has its own entry
            }
            if slot.is_ready || slot.connection.is_reading() {
                continue; // it waits for this loop, not for its client; its next turn arms it
            }
            if slot.connection.deadline() > now {
                self.timers.arm(token, &mut slot.armed, slot.connection.deadline());
                continue;
            }
            let late = io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed");
            match slot.connection.cut_off(&self.shared.service, late, now) {
                // Its next turn says 408, or closes it.
                Ok(()) => slot.queue(token, &mut self.ready),
                Err(error) => self.close(token, Some(error)),
            }
        }
    }

    /// Closes the listener, and has each connection answer what has arrived, as its last.
    fn finish(&mut self) {
        if std::mem::replace(&mut self.is_finishing, true) {
            return;
        }
        self.accepting = Accepting::Waiting;
        if let Some(listener) = self.listener.take()
            && let Err(error) = self.epoll.remove(&*listener)
        {
            self.report("leaving the listener", error);
        }
        for (index, slot) in &mut self.connections {
            slot.connection.finish();
            slot.queue(token(index, slot.serial), &mut self.ready);
        }
    }

    /// Ends every connection.
    fn abort(mut self) {
        let now = Instant::now();
        self.collect(now);
        for mut slot in self.connections.drain() {
            let aborted = io::ErrorKind::ConnectionAborted;
            let cause = io::Error::new(aborted, "the server is shutting down");
            if let Err(error) = slot.connection.cut_off(&self.shared.service, cause, now) {
                self.shared.log.error(Some(slot.connection.peer), &error);
            }
        }
    }

    fn close(&mut self, token: u64, error: Option<io::Error>) {
        let slot = self.connections.remove(index_of(token));
        if let Some(error) = error {
            self.shared.log.error(Some(slot.connection.peer), &error);
        }
        drop(slot);
        self.mine().forget();
        // Clients that come and go would otherwise leave an entry each until its time.
        if self.timers.len() > 2 * self.connections.len() + OUTDATED {
            let connections = &mut self.connections;
            self.timers.retain(|at, token| {
                find(connections, token).is_some_and(|slot| slot.armed.is_at(at))
            });
        }
    }

    fn mine(&self) -> &Remote {
        &self.shared.loops[self.index]
    }

    /// Reports an error of the loop itself.
    fn report(&self, what: &str, error: io::Error) {
        if let Err(error) = trying::<()>(what, Err(error)) {
            self.shared.log.error(None, &error);
        }
    }
}

impl Slot {
    /// Puts the connection into the ready queue, unless it stands there already.
    fn queue(&mut self, token: u64, ready: &mut VecDeque<u64>) {
        if !self.is_ready {
            self.is_ready = true;
            ready.push_back(token);
        }
    }
}

/// Returns the connection that `token` was made for, unless it is closed.
fn find(connections: &mut Slab<Slot>, token: u64) -> Option<&mut Slot> {
    let slot = connections.get_mut(index_of(token))?;
    (slot.serial == (token >> 32) as u32).then_some(slot)
}

/// Returns the error of a connection whose turn has panicked.
pub(super) fn panicked() -> io::Error {
    io::Error::other("serving the connection panicked")
}

pub(super) fn index_of(token: u64) -> usize {
    token as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::super::read_ahead;
    use super::*;
    use crate::harness::loopback::pair;
    use crate::zero_copy::sendfile::permits::Permits;
    use crate::zero_copy::sendfile::server::{Limits, Log, Service};
    use std::io::{ErrorKind, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    const GET: &str = "GET /lib.rs HTTP/1.1\r\nHost: a\r\n\r\n";
    /// Longer than a busy machine keeps a thread from running.
    const TICK: Duration = Duration::from_secs(1);

    /// A loop that stands still until a test calls [`round`](Self::round).
    struct Standing {
        reactor: Reactor,
        events: Events,
        address: SocketAddr,
    }

    impl Standing {
        fn new(limits: Limits, budget: usize, events: usize) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let service = Service::new("src".as_ref(), limits.clone()).unwrap();
            let log = Log::new(Box::new(|_, error| panic!("{error}")));
            let permits = Permits::new(limits.connections);
            let shared = Shared::new(service, permits, log, budget, 1).unwrap();
            let reactor = Reactor::new(Arc::new(shared), 0, Arc::new(listener), None).unwrap();
            Self { reactor, events: Events::with_capacity(events), address }
        }

        fn client(&self) -> TcpStream {
            let client = TcpStream::connect(self.address).unwrap();
            client.set_nonblocking(true).unwrap();
            client
        }

        fn round(&mut self) {
            self.reactor.round(&mut self.events);
        }

        /// Takes a round that does not wait.
        fn round_at_once(&mut self) {
            self.reactor.accepting = Accepting::Pending;
            self.round();
        }

        /// Returns the token of the first connection.
        fn token(&self) -> u64 {
            let (index, slot) = self.reactor.connections.iter().next().unwrap();
            token(index, slot.serial)
        }

        /// Has it accept `count` connections.
        fn accept(&mut self, count: usize) {
            while self.reactor.connections.len() < count {
                self.round();
            }
        }
    }

    /// Returns the number of answers that have arrived.
    fn answers(mut client: &TcpStream) -> usize {
        let (mut all, mut buffer) = (vec![], [0; 4096]);
        loop {
            match client.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        String::from_utf8_lossy(&all).matches("HTTP/1.1 200 OK\r\n").count()
    }

    #[test]
    fn a_client_that_asks_a_hundred_times_holds_up_no_other() {
        for (budget, first_round) in [(usize::MAX, 100), (64 << 10, 5), (1, 0)] {
            let mut standing = Standing::new(Limits::default(), budget, 64);
            let (mut greedy, mut modest) = (standing.client(), standing.client());
            standing.accept(2);
            greedy.write_all(GET.repeat(100).as_bytes()).unwrap();
            modest.write_all(GET.as_bytes()).unwrap();
            let mut got = 0;
            standing.round();
            got += answers(&greedy);
            assert!(got.abs_diff(first_round) <= 1, "{budget}: {got} in the first round");
            // Reading, opening, sending the head, sending the file: four turns at most.
            let mut rounds = 1;
            while answers(&modest) == 0 {
                assert!(rounds < 4, "{budget}");
                rounds += 1;
                standing.round();
            }
            while got < 100 {
                standing.round();
                got += answers(&greedy);
            }
        }
    }

    #[test]
    fn what_arrived_while_the_loop_stood_still_is_not_late() {
        for events in [64, 1] {
            let limits = Limits { head: TICK, idle: TICK, ..Limits::default() };
            let mut standing = Standing::new(limits, 64 << 10, events);
            let [mut half, mut idle, mut slow] = [(); 3].map(|()| standing.client());
            standing.accept(3);
            half.write_all(&GET.as_bytes()[..10]).unwrap();
            slow.write_all(&GET.as_bytes()[..10]).unwrap();
            // One event for a new connection, which has room to send, and one for its bytes.
            (0..8 / events + 1).for_each(|_| standing.round_at_once());
            half.write_all(&GET.as_bytes()[10..]).unwrap();
            idle.write_all(GET.as_bytes()).unwrap();
            thread::sleep(2 * TICK); // as if it waited for a disk
            (0..4).for_each(|_| standing.round());
            assert_eq!((answers(&half), answers(&idle)), (1, 1), "{events} events a call");
            let mut refused = [0; 12];
            slow.read_exact(&mut refused).unwrap();
            assert_eq!(&refused, b"HTTP/1.1 408");
        }
    }

    #[test]
    fn clients_that_never_pause_do_not_hide_one_that_is_late() {
        let limits = Limits { head: TICK, ..Limits::default() };
        let mut standing = Standing::new(limits, 64 << 10, 1); // an event for each wait
        let busy = [(); 3].map(|()| standing.client());
        let mut slow = standing.client();
        standing.accept(4);
        slow.write_all(&GET.as_bytes()[..10]).unwrap();
        let started = Instant::now();
        let mut refused = [0; 12];
        while slow.read(&mut refused).is_err() {
            assert!(started.elapsed() < 20 * TICK, "it has all the time in the world");
            for mut client in &busy {
                answers(client);
                client.write_all(GET.as_bytes()).unwrap();
            }
            standing.round_at_once();
        }
        assert!(started.elapsed() >= TICK);
        assert_eq!(&refused, b"HTTP/1.1 408");
    }

    #[test]
    fn clients_that_are_gone_leave_no_deadlines() {
        let mut standing = Standing::new(Limits::default(), 64 << 10, 64);
        let _stays = standing.client();
        standing.accept(1);
        let first = standing.reactor.timers.next();
        assert!(first.is_some());
        for _ in 0..2 * OUTDATED {
            drop(standing.client());
            standing.accept(2);
            while standing.reactor.connections.len() > 1 {
                standing.round();
            }
        }
        assert!(standing.reactor.timers.len() <= OUTDATED + 4);
        assert_eq!(standing.reactor.timers.next(), first, "that of the one that stays");
    }

    #[test]
    fn a_deadline_that_has_moved_away_is_kept() {
        let limits = Limits { idle: TICK, ..Limits::default() };
        let mut standing = Standing::new(limits, 64 << 10, 64);
        let mut client = standing.client();
        standing.accept(1);
        thread::sleep(TICK / 2);
        client.write_all(GET.as_bytes()).unwrap();
        let asked = Instant::now();
        while !standing.reactor.connections.is_empty() {
            assert!(asked.elapsed() < 20 * TICK, "the loop has forgotten it");
            standing.round_at_once();
            thread::sleep(Duration::from_millis(1));
        }
        assert!(asked.elapsed() >= TICK);
        assert_eq!(answers(&client), 1);
    }

    #[test]
    fn a_client_that_waits_for_a_disk_is_not_late() {
        let limits = Limits { idle: TICK, ..Limits::default() };
        let mut standing = Standing::new(limits, 64 << 10, 64);
        let pool = match read_ahead::start(&standing.reactor.shared, 1, "src".as_ref()) {
            Ok(pool) => Arc::new(pool),
            Err(error) => return println!("{error}"),
        };
        standing.reactor.pool = Some(pool);
        let _client = standing.client();
        standing.accept(1);
        let token = standing.token();
        find(&mut standing.reactor.connections, token).unwrap().connection.set_reading(true);
        thread::sleep(2 * TICK);
        (0..3).for_each(|_| standing.round_at_once());
        assert_eq!(standing.reactor.connections.len(), 1);
        standing.reactor.mine().tell_read(token).unwrap();
        (0..3).for_each(|_| standing.round_at_once());
        assert!(standing.reactor.connections.is_empty(), "now it is");
    }

    #[test]
    fn a_burst_of_clients_is_accepted_in_parts() {
        let mut standing = Standing::new(Limits::default(), 64 << 10, 64);
        let _clients = Vec::from_iter((0..ACCEPTS_PER_TURN + 1).map(|_| standing.client()));
        standing.round();
        assert_eq!(standing.reactor.connections.len(), ACCEPTS_PER_TURN);
        standing.round();
        assert_eq!(standing.reactor.connections.len(), ACCEPTS_PER_TURN + 1);
    }

    #[test]
    fn the_token_of_a_closed_connection_finds_no_later_one() {
        let mut standing = Standing::new(Limits::default(), 64 << 10, 64);
        let first = standing.client();
        standing.accept(1);
        let closed = standing.token();
        drop(first);
        while !standing.reactor.connections.is_empty() {
            standing.round();
        }
        let _second = standing.client();
        standing.accept(1);
        let open = standing.token();
        assert_eq!(index_of(closed), index_of(open), "the same place");
        let connections = &mut standing.reactor.connections;
        assert!(find(connections, closed).is_none() && find(connections, open).is_some());
    }

    #[test]
    fn a_panic_ends_one_connection() {
        // No clock reaches that far: to set this deadline panics.
        let limits = Limits { body_per_mib: Duration::MAX, ..Limits::default() };
        let mut standing = Standing::new(limits, 64 << 10, 64);
        let [mut one, _other] = [(); 2].map(|()| standing.client());
        standing.accept(2);
        one.write_all(GET.as_bytes()).unwrap();
        while standing.reactor.connections.len() > 1 {
            standing.round();
        }
        assert_eq!(answers(&one), 0);
        assert_eq!(standing.reactor.shared.log.failed(), 1);
    }

    #[test]
    fn a_request_that_is_still_to_be_reported_is_answered_before_the_end() {
        let mut standing = Standing::new(Limits::default(), 64 << 10, 1); // an event for each wait
        let mut client = standing.client();
        standing.accept(1);
        client.write_all(GET.as_bytes()).unwrap();
        let mut answered = 0;
        while answered == 0 {
            standing.round();
            answered = answers(&client);
        }
        (0..4).for_each(|_| standing.round_at_once()); // it has nothing more to report
        standing.reactor.shared.enter(Phase::Finishing); // the first event is that of the waker
        client.write_all(GET.as_bytes()).unwrap();
        standing.round();
        assert!(standing.reactor.is_finishing);
        (0..4).for_each(|_| standing.round_at_once());
        assert_eq!(answers(&client), 1);
    }

    #[test]
    fn a_connection_that_is_handed_over_during_the_shutdown_ends() {
        let mut standing = Standing::new(Limits::default(), 64 << 10, 64);
        standing.reactor.shared.enter(Phase::Finishing);
        standing.round();
        let (client, stream) = pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (peer, shared) = (client.local_addr().unwrap(), &standing.reactor.shared);
        let permit = shared.admit(&stream).ok().unwrap();
        shared.loops[0].expect();
        shared.loops[0].hand_over(Accepted { stream, peer, permit }).unwrap();
        (0..4).for_each(|_| standing.round_at_once());
        assert!(standing.reactor.connections.is_empty());
        assert_eq!((&client).read(&mut [0]).unwrap(), 0, "closed, and not reset");
    }

    #[test]
    fn a_client_that_waits_for_the_loop_is_not_late() {
        let limits = Limits { body_per_mib: TICK, ..Limits::default() };
        let mut standing = Standing::new(limits, 8 << 10, 64);
        let mut client = standing.client();
        standing.accept(1);
        client.write_all(GET.replace("lib.rs", "proof/syscalls.rs").as_bytes()).unwrap();
        while standing.reactor.ready.is_empty() {
            standing.round();
        }
        standing.round(); // the head, and the beginning of the body
        thread::sleep(2 * TICK); // as if others had their turns
        while !standing.reactor.ready.is_empty() {
            standing.round();
        }
        assert_eq!(answers(&client), 1);
        assert_eq!(standing.reactor.shared.log.failed(), 0);
    }
}
