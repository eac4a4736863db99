//! One loop on io_uring: it hands operations to the kernel, waits for results, and hands over the
//! next operation of each connection that has got one.
//!
//! - **One operation in flight for each connection**, so the conversation is the one that a thread
//!   and an `epoll` loop drive: nothing is read while a response is being sent. It is also fair: an
//!   operation moves a bounded number of bytes, and the next one queues behind those of the others.
//! - **An operation owns its memory** until its result has been taken. A connection is not dropped
//!   before that, and the ring is not either.
//! - **A receive takes its buffer when bytes arrive**, from those that were lent to the kernel. So
//!   connections that wait for a request have none.
//! - **Files are opened by the ring**, and read if they are small: at once if the caches have what
//!   it takes, and otherwise without this thread, which serves the others meanwhile. A larger file
//!   leaves by `sendfile`, because a ring can only read it and send it, which copies it twice. Then
//!   this thread waits for the disk.
//! - **A deadline cancels** the operation on the socket. The connection then looks once more,
//!   without waiting, because it may have been the loop that was late.

mod buffers;
mod connection;
mod probe;
mod queue;

use super::reactor::{OUTDATED, REST, index_of, panicked, token};
use super::shared::{Accepted, Phase, Remote, Shared};
use super::timers::{Armed, Timers};
use crate::sys::{trying, uring};
use crate::zero_copy::sendfile::root::Root;
use buffers::{Pool, Provided};
use connection::{Connection, Means};
use io_uring::types::{Fd, OpenHow};
use io_uring::{opcode, squeue};
use queue::{Completion, Queue};
use slab::Slab;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// The tokens of the operations that are no connection's.
const WAKER: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;
const CANCEL: u64 = u64::MAX - 2;

/// A loop, with all that its thread alone touches. It stays on the thread that has made it.
pub(super) struct RingReactor {
    /// Closed before the memory that operations use is freed.
    queue: ManuallyDrop<Queue>,
    /// Leaked if the kernel may still use it.
    connections: ManuallyDrop<Slab<Slot>>,
    /// Likewise.
    means: ManuallyDrop<Means>,
    shared: Arc<Shared>,
    index: usize,
    /// `None` once the server shuts down.
    listener: Option<Arc<TcpListener>>,
    is_accepting: bool,
    is_watching: bool,
    /// Out of descriptors or memory until this time.
    rest_until: Option<Instant>,
    /// The serial number of the next connection, which makes its token its own.
    serial: u32,
    timers: Timers,
    is_finishing: bool,
}

struct Slot {
    connection: Connection,
    serial: u32,
    armed: Armed,
}

impl RingReactor {
    /// Makes the loop `index` of a server, for the calling thread, and has it serve a client of
    /// its own.
    ///
    /// # Errors
    ///
    /// A sentence that says why there is no ring here, or none that serves.
    pub(super) fn new(
        shared: Arc<Shared>,
        index: usize,
        listener: Arc<TcpListener>,
    ) -> io::Result<Self> {
        let how = Root::how();
        let how = Box::new(OpenHow::new().flags(how.flags).resolve(how.resolve));
        let started = start(&shared, &how);
        let limits = || "RLIMIT_MEMLOCK is too small".to_owned();
        let (queue, provided) = started.map_err(|error| uring::explained(error, limits))?;
        let (pool, budget) = (Pool::default(), shared.budget);
        Ok(Self {
            queue: ManuallyDrop::new(queue),
            connections: ManuallyDrop::new(Slab::new()),
            means: ManuallyDrop::new(Means { provided, pool, how, budget }),
            shared,
            index,
            listener: Some(listener),
            is_accepting: false,
            is_watching: false,
            rest_until: None,
            serial: 0,
            timers: Timers::default(),
            is_finishing: false,
        })
    }

    /// Serves until the server shuts down and its grace period is over.
    pub(super) fn run(mut self) {
        while self.shared.phase() != Phase::Aborting {
            self.round();
        }
        self.abort();
    }

    /// Waits until there is something to do, and does it: one round.
    fn round(&mut self) {
        self.watch();
        self.accept();
        let until = [self.timers.next(), self.rest_until].into_iter().flatten().min();
        if let Err(error) = self.queue.enter(until) {
            self.shared.log.error(None, &error);
            thread::sleep(REST); // to retry at once would burn the core
        }
        let now = Instant::now();
        // Only the results that are there now: more may arrive for as long as this takes them.
        for _ in 0..self.queue.results() {
            if let Some(completion) = self.queue.next() {
                self.completed(completion, now);
            }
        }
        for accepted in self.mine().collect() {
            self.adopt(accepted, now);
        }
        if self.shared.phase() != Phase::Serving {
            self.finish();
        }
        self.expire(now);
    }

    /// Watches for other threads that wake this loop, unless it does already.
    fn watch(&mut self) {
        if !self.is_watching {
            let waker = Fd(self.mine().waker().as_fd().as_raw_fd());
            let poll = opcode::PollAdd::new(waker, libc::POLLIN as u32).multi(true).build();
            self.is_watching = self.push(poll, WAKER);
        }
    }

    /// Has the kernel accept connections, as many as come, unless it does already.
    fn accept(&mut self) {
        if self.is_accepting || self.rest_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.rest_until = None;
        if let Some(listener) = &self.listener {
            let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd()));
            let accept = accept.flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC).build();
            self.is_accepting = self.push(accept, LISTENER);
        }
    }

    /// Queues an operation that points to nothing. Returns `true` unless there is no ring any more.
    fn push(&mut self, entry: squeue::Entry, token: u64) -> bool {
        // SAFETY: points to nothing.
        let pushed = unsafe { self.queue.push(entry, token) };
        pushed.inspect_err(|error| self.shared.log.error(None, error)).is_ok()
    }

    fn completed(&mut self, completion: Completion, now: Instant) {
        match completion.token {
            CANCEL => {} // the result of what was canceled says if it was in time
            WAKER => self.is_watching = completion.more(),
            LISTENER => self.accepted(completion, now),
            token => {
                let Self { connections, means, shared, .. } = self;
                let Some(slot) = find(connections, token) else { return };
                // A panic ends this connection and no other.
                let result = catch_unwind(AssertUnwindSafe(|| {
                    slot.connection.completed(&shared.service, means, completion, now)
                }));
                if let Some(number) = completion.buffer() {
                    means.provided.give_back(number);
                }
                match result.unwrap_or_else(|_| Err(panicked())) {
                    Ok(()) => self.advance(token),
                    Err(error) => self.close(token, Some(error)),
                }
            }
        }
    }

    fn accepted(&mut self, completion: Completion, now: Instant) {
        self.is_accepting &= completion.more();
        match completion.get() {
            Ok(fd) => {
                // SAFETY: a new descriptor that nothing else owns.
                let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(fd as i32) });
                // An error: the client went away before it was accepted.
                if let Ok(peer) = stream.peer_addr()
                    && let Some(accepted) = self.shared.assign(stream, peer, self.index)
                {
                    self.adopt(accepted, now);
                }
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::ECANCELED | libc::ECONNABORTED | libc::EINTR | libc::EAGAIN) => {}
                _ => {
                    self.shared.log.error(None, &error); // the client stays in the queue
                    self.rest_until = Some(now + REST);
                }
            },
        }
    }

    /// Takes a connection into this loop.
    fn adopt(&mut self, accepted: Accepted, now: Instant) {
        let mut connection = Connection::new(accepted, &self.shared.service, now);
        if self.is_finishing {
            connection.finish();
        }
        let slot = Slot { connection, serial: self.serial, armed: Armed::default() };
        let token = token(self.connections.insert(slot), self.serial);
        self.serial = self.serial.wrapping_add(1);
        self.advance(token);
    }

    /// Hands the next operation of a connection to the kernel, or closes it.
    fn advance(&mut self, token: u64) {
        let Self { connections, means, shared, queue, timers, is_finishing, .. } = self;
        let Some(slot) = find(connections, token) else { return };
        let next = catch_unwind(AssertUnwindSafe(|| {
            slot.connection.next(&shared.service, means, *is_finishing)
        }));
        let end = match next.unwrap_or_else(|_| Err(panicked())) {
            Ok(Some(entry)) => {
                // SAFETY: the connection owns the memory. It is not closed before the result
                // has been taken, and leaked if none comes.
                match unsafe { queue.push(entry, token) } {
                    Ok(()) => {
                        let deadline = slot.connection.deadline();
                        return timers.arm(token, &mut slot.armed, deadline);
                    }
                    Err(error) => Some(error),
                }
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        slot.connection.withdraw();
        self.close(token, end);
    }

    /// Cancels the operations whose deadline has passed by `now`.
    fn expire(&mut self, now: Instant) {
        while let Some((at, token)) = self.timers.pop(now) {
            let Some(slot) = find(&mut self.connections, token) else { continue }; // closed
            if !slot.armed.fired(at) {
                continue; // a nearer deadline came up meanwhile, and has its own entry
            }
            if slot.connection.deadline() > now {
                self.timers.arm(token, &mut slot.armed, slot.connection.deadline());
            } else if slot.connection.waits_for_client() {
                self.cancel(token);
            } // Otherwise it waits for a disk, and its next operation arms it.
        }
    }

    fn cancel(&mut self, token: u64) {
        self.push(opcode::AsyncCancel::new(token).build(), CANCEL);
    }

    /// Lets the listener go, and has each connection answer what has arrived, as its last.
    fn finish(&mut self) {
        if mem::replace(&mut self.is_finishing, true) {
            return;
        }
        self.listener = None; // the kernel has it, too, until the accept is canceled
        self.rest_until = None;
        self.cancel(LISTENER);
        let idle = self.connections.iter_mut().filter_map(|(index, slot)| {
            slot.connection.finish().then_some(token(index, slot.serial))
        });
        let idle: Vec<u64> = idle.collect();
        idle.into_iter().for_each(|token| self.cancel(token));
    }

    /// Ends every connection.
    fn abort(mut self) {
        self.settle();
        let now = Instant::now();
        for accepted in self.mine().collect() {
            let connection = Connection::new(accepted, &self.shared.service, now);
            let slot = Slot { connection, serial: 0, armed: Armed::default() };
            self.connections.insert(slot);
        }
        for (_, slot) in &mut *self.connections {
            let aborted = io::ErrorKind::ConnectionAborted;
            let cause = io::Error::new(aborted, "the server is shutting down");
            if let Err(error) = slot.connection.cut_off(&self.shared.service, cause, now) {
                self.shared.log.error(Some(slot.connection.peer), &error);
            }
        }
    }

    /// Cancels every operation, and waits until the kernel has nothing of this loop any more, or
    /// refuses to say so.
    fn settle(&mut self) {
        let busy = self.connections.iter().filter(|(_, slot)| slot.connection.is_busy());
        let busy: Vec<u64> = busy.map(|(index, slot)| token(index, slot.serial)).collect();
        busy.into_iter().chain([LISTENER, WAKER]).for_each(|token| self.cancel(token));
        while self.queue.in_flight() > 0 {
            if let Err(error) = self.queue.enter(None) {
                return self.shared.log.error(None, &error);
            }
            while let Some(completion) = self.queue.next() {
                if let Some(slot) = find(&mut self.connections, completion.token) {
                    slot.connection.too_late(completion);
                } else if let (LISTENER, Ok(fd)) = (completion.token, completion.get()) {
                    // SAFETY: a new descriptor that nothing else owns.
                    drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
                }
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
}

impl Drop for RingReactor {
    fn drop(&mut self) {
        if thread::panicking() {
            self.settle();
        }
        let is_settled = self.queue.in_flight() == 0;
        // SAFETY: each is dropped once, here, and not used again.
        unsafe {
            ManuallyDrop::drop(&mut self.queue);
            // Otherwise the kernel may still write to their memory: never free it.
            if is_settled {
                ManuallyDrop::drop(&mut self.connections);
                ManuallyDrop::drop(&mut self.means);
            }
        }
    }
}

/// Makes a ring with buffers to receive into, and has it serve.
fn start(shared: &Shared, how: &OpenHow) -> io::Result<(Queue, Provided)> {
    let mut queue = Queue::new()?;
    // SAFETY: leaked below if anything is in flight, and kept by the reactor otherwise.
    let mut provided = ManuallyDrop::new(unsafe { Provided::new(&queue) }?);
    let root = shared.service.root().as_fd();
    trying("serving through it", probe::probe(&mut queue, &mut provided, root, how))?;
    Ok((queue, ManuallyDrop::into_inner(provided)))
}

/// Returns the connection that `token` was made for, unless it is closed.
fn find(connections: &mut Slab<Slot>, token: u64) -> Option<&mut Slot> {
    let slot = connections.get_mut(index_of(token))?;
    (slot.serial == (token >> 32) as u32).then_some(slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zero_copy::sendfile::permits::Permits;
    use crate::zero_copy::sendfile::server::{Limits, Log, Service};
    use std::io::{ErrorKind, Read, Write};
    use std::net::SocketAddr;
    use std::time::Duration;

    const GET: &str = "GET /lib.rs HTTP/1.1\r\nHost: a\r\n\r\n";
    /// Longer than a busy machine keeps a thread from running.
    const TICK: Duration = Duration::from_secs(1);

    /// A loop that stands still until a test calls [`round`](Self::round).
    struct Standing {
        reactor: RingReactor,
        address: SocketAddr,
    }

    impl Standing {
        /// Makes a loop, if there is a ring here.
        fn new(limits: Limits, budget: usize) -> Option<Self> {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let service = Service::new("src".as_ref(), limits.clone()).unwrap();
            let log = Log::new(Box::new(|_, error| panic!("{error}")));
            let permits = Permits::new(limits.connections);
            let shared = Shared::new(service, permits, log, budget, 1).unwrap();
            match RingReactor::new(Arc::new(shared), 0, Arc::new(listener)) {
                Ok(reactor) => Some(Self { reactor, address }),
                Err(error) => {
                    eprintln!("not possible here: {error}");
                    None
                }
            }
        }

        fn client(&self) -> TcpStream {
            let client = TcpStream::connect(self.address).unwrap();
            client.set_nonblocking(true).unwrap();
            client
        }

        /// Takes a round that does not wait.
        fn round(&mut self) {
            self.reactor.rest_until = Some(Instant::now());
            self.reactor.round();
        }

        /// Takes rounds until `done`.
        fn until(&mut self, mut done: impl FnMut() -> bool) {
            let deadline = Instant::now() + 20 * TICK;
            while !done() {
                assert!(Instant::now() < deadline, "it never comes");
                self.round();
            }
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
        let Some(mut standing) = Standing::new(Limits::default(), 64 << 10) else { return };
        let (mut greedy, mut modest) = (standing.client(), standing.client());
        standing.accept(2);
        greedy.write_all(GET.repeat(100).as_bytes()).unwrap();
        modest.write_all(GET.as_bytes()).unwrap();
        standing.until(|| answers(&modest) == 1);
        // Both go through receiving, opening, reading and sending. A busy kernel may open one file
        // some rounds later than the other.
        let mut got = answers(&greedy);
        assert!(got <= 10, "{got} answers before the other has one");
        standing.until(|| {
            got += answers(&greedy);
            got == 100
        });
    }

    #[test]
    fn what_arrived_while_the_loop_stood_still_is_not_late() {
        for expires_first in [false, true] {
            let limits = Limits { head: TICK, idle: TICK, ..Limits::default() };
            let Some(mut standing) = Standing::new(limits, 64 << 10) else { return };
            let [mut half, mut idle, mut slow] = [(); 3].map(|()| standing.client());
            standing.accept(3);
            half.write_all(&GET.as_bytes()[..10]).unwrap();
            slow.write_all(&GET.as_bytes()[..10]).unwrap();
            (0..4).for_each(|_| standing.round());
            half.write_all(&GET.as_bytes()[10..]).unwrap();
            idle.write_all(GET.as_bytes()).unwrap();
            thread::sleep(2 * TICK); // as if it waited for something
            if expires_first {
                standing.reactor.expire(Instant::now()); // as if the kernel had yet to tell
            }
            let mut refused = [0; 12];
            standing.until(|| slow.read(&mut refused).is_ok());
            assert_eq!(&refused, b"HTTP/1.1 408");
            for client in [&half, &idle] {
                standing.until(|| answers(client) == 1);
            }
            assert_eq!(standing.reactor.shared.log.failed(), 0, "{expires_first}");
        }
    }

    #[test]
    fn a_client_that_waits_for_the_loop_is_not_late() {
        for expires_first in [false, true] {
            let limits = Limits { body_per_mib: TICK, ..Limits::default() };
            let Some(mut standing) = Standing::new(limits, 4 << 10) else { return };
            let mut client = standing.client();
            standing.accept(1);
            client.write_all(GET.replace("lib.rs", "proof/syscalls.rs").as_bytes()).unwrap();
            (0..6).for_each(|_| standing.round()); // the head, and the beginning of the body
            thread::sleep(2 * TICK); // as if others had their turns
            if expires_first {
                standing.reactor.expire(Instant::now());
            }
            standing.until(|| answers(&client) == 1);
            assert_eq!(standing.reactor.shared.log.failed(), 0, "{expires_first}");
        }
    }

    #[test]
    fn a_client_that_does_not_read_is_late() {
        for file in ["io/event_loop/naive.rs", "proof/syscalls.rs"] {
            let limits = Limits { body_per_mib: TICK, ..Limits::default() };
            let Some(mut standing) = Standing::new(limits, 64 << 10) else { return };
            let mut client = standing.client();
            standing.accept(1);
            let get = GET.replace("lib.rs", file);
            client.write_all(get.repeat(2000).as_bytes()).unwrap(); // more than the sockets hold
            let started = Instant::now();
            let shared = Arc::clone(&standing.reactor.shared);
            standing.until(|| shared.log.failed() > 0);
            assert!(started.elapsed() >= TICK && standing.reactor.connections.is_empty());
        }
    }

    #[test]
    fn clients_that_are_gone_leave_no_deadlines() {
        let Some(mut standing) = Standing::new(Limits::default(), 64 << 10) else { return };
        for _ in 0..2 * OUTDATED {
            drop(standing.client());
            standing.accept(1);
            while !standing.reactor.connections.is_empty() {
                standing.round();
            }
        }
        assert!(standing.reactor.timers.len() <= OUTDATED + 2);
    }
}
