//! The engine on io_uring: one thread that hands requests to the kernel in batches and waits for
//! all of them at once.
//!
//! The thread that submits a request is special to the kernel: it may carry out the rest of the
//! request in that thread's context, and cancels the request when that thread exits. So neither the
//! program's threads submit nor short-lived ones, but this one alone.

use super::buffer::BufferSet;
use super::queue::{Queue, Task, Work};
use super::slots::Slots;
use super::step::{Next, Step, SyncKind};
use super::wake::Event;
use crate::sys::{cvt, trying, uring};
use io_uring::squeue::{self, Flags};
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem::{self, ManuallyDrop};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The numbers of requests that belong to no operation.
const EVENT: u64 = u64::MAX;
const CANCEL: u64 = u64::MAX - 1;
/// The largest number of requests that are handed in at once.
pub(super) const BATCH: usize = 1024;
/// The largest completion queue that the kernel gives.
const MOST_RESULTS: usize = 1 << 16;

/// A ring that runs.
pub(super) struct Started {
    pub(super) threads: Vec<JoinHandle<()>>,
    /// The reason why the buffers are not registered.
    pub(super) not_registered: Option<io::Error>,
}

/// Starts a ring and the two threads that work for `queue` with it: one that submits and waits, and
/// a helper for the calls that a ring lacks.
///
/// # Errors
///
/// A sentence that says why there is no ring, or none that reads a file; the system's error if a
/// thread cannot be started.
pub(super) fn start(
    queue: &Arc<Queue>,
    event: &Arc<Event>,
    depth: usize,
    buffers: Option<&Arc<BufferSet>>,
) -> io::Result<Started> {
    let (calls, waiting) = channel();
    let (tell, hear) = channel();
    let driver = {
        let (queue, event, buffers) = (queue.clone(), event.clone(), buffers.cloned());
        move || match usable_ring(depth, None) {
            Ok(ring) => {
                let (buffers, refused) = register(&ring, buffers);
                let _ = tell.send(Ok(refused)); // `start` waits for it
                drop(tell);
                Driver::new(ring, queue, event, calls, buffers).run();
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        }
    };
    let helper = {
        let queue = queue.clone();
        move || help(&queue, &waiting)
    };
    // If anything fails from here on, `calls` is dropped, and the helper ends.
    let helper = thread::Builder::new().name("file-io-calls".to_owned()).spawn(helper);
    let helper = trying("starting the helper of a ring", helper)?;
    let driver = thread::Builder::new().name("file-io-ring".to_owned()).spawn(driver);
    let started = trying("starting the thread of a ring", driver).and_then(|driver| {
        let gone = |_| Err(io::Error::other("the thread of the ring has panicked"));
        match hear.recv().unwrap_or_else(gone) {
            Ok(not_registered) => Ok((driver, not_registered)),
            Err(error) => {
                let _ = driver.join(); // it has said what it had to say
                Err(error)
            }
        }
    });
    match started {
        Ok((driver, not_registered)) => {
            Ok(Started { threads: vec![driver, helper], not_registered })
        }
        Err(error) => {
            let _ = helper.join();
            Err(error)
        }
    }
}

/// Makes the calls that a ring lacks, and returns the tasks to the queue.
fn help(queue: &Queue, calls: &Receiver<Task>) {
    for mut task in calls {
        task.operation.call();
        queue.resume(task);
    }
}

// ANCHOR: usable
/// Creates a ring for the calling thread, and has it read a file. A list of errors that mean "no
/// io_uring" would never be complete; a read that has brought the right bytes is.
pub(super) fn usable_ring(depth: usize, polled: Option<Duration>) -> io::Result<IoUring> {
    let limits = || "RLIMIT_MEMLOCK, which kernels before 5.12 apply, is too small".to_owned();
    let mut ring = create(depth, polled).map_err(|error| uring::explained(error, limits))?;
    trying("probing the ring", probe(&mut ring))
        .map_err(|error| uring::explained(error, limits))?;
    Ok(ring)
}
// ANCHOR_END: usable

fn create(depth: usize, polled: Option<Duration>) -> io::Result<IoUring> {
    let entries = depth.saturating_add(2).min(BATCH).next_power_of_two() as u32;
    // Every operation in flight may have a result waiting, and a cancellation of it another.
    let results = depth.saturating_mul(2).saturating_add(2).min(MOST_RESULTS).next_power_of_two();
    let mut plain = IoUring::builder();
    plain.setup_clamp().setup_cqsize(results as u32);
    if let Some(idle) = polled {
        let idle = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
        return trying("io_uring_setup", plain.setup_sqpoll(idle).build(entries));
    }
    let mut modern = plain.clone();
    // One thread submits, and takes the results when it asks for them (Linux 6.1).
    modern.setup_single_issuer().setup_defer_taskrun();
    let ring = match modern.build(entries) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => plain.build(entries),
        other => other,
    };
    trying("io_uring_setup", ring)
}

// ANCHOR: probe
/// Reads a file in memory through the ring, and compares the bytes.
fn probe(ring: &mut IoUring) -> io::Result<()> {
    const WORDS: &[u8] = b"a ring that reads";
    // SAFETY: the name is a C string.
    let fd = cvt(unsafe { libc::memfd_create(c"probe".as_ptr(), libc::MFD_CLOEXEC) });
    // SAFETY: a new descriptor, which no one else owns.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(trying("memfd_create", fd)?) });
    trying("writing to a memfd", file.write_all(WORDS))?;
    let mut buffer = vec![0; WORDS.len()];
    let (start, length) = (buffer.as_mut_ptr(), buffer.len() as u32);
    let read = opcode::Read::new(Fd(file.as_raw_fd()), start, length).offset(0).build();
    // SAFETY: if the kernel takes the request and no result comes, its buffer is leaked below.
    unsafe { ring.submission().push(&read) }.map_err(io::Error::other)?;
    let entered = trying("io_uring_enter", patiently(|| ring.submit_and_wait(1)));
    let Some(entry) = ring.completion().next() else {
        if ring.submission().is_empty() {
            mem::forget((buffer, file)); // the kernel has taken the request
        }
        entered?;
        return Err(io::Error::other("io_uring_enter has returned without a result"));
    };
    match usize::try_from(entry.result()) {
        Ok(count) if buffer[..count.min(buffer.len())] == *WORDS => Ok(()),
        Ok(count) => Err(io::Error::other(format!("a read of {count} bytes brought others"))),
        Err(_) => trying("a read", Err(io::Error::from_raw_os_error(-entry.result()))),
    }
}
// ANCHOR_END: probe

// ANCHOR: register
/// Has the kernel pin the pages of `buffers` once, instead of for each request. If it refuses, they
/// are ordinary memory: returns them only if they are registered, or else the reason.
pub(super) fn register(
    ring: &IoUring,
    buffers: Option<Arc<BufferSet>>,
) -> (Option<Arc<BufferSet>>, Option<io::Error>) {
    let Some(buffers) = buffers else { return (None, None) };
    // SAFETY: the driver keeps the set until the ring is closed, or leaks what the kernel may hold.
    let registered = unsafe { ring.submitter().register_buffers(&buffers.parts()) };
    let what = format!("registering {} buffers of {} bytes", buffers.count(), buffers.length());
    match trying(what, registered) {
        Ok(()) => (Some(buffers), None),
        Err(reason) => (None, Some(reason)),
    }
}
// ANCHOR_END: register

/// Repeats a call that signals interrupt.
fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The thread that submits and waits.
struct Driver {
    ring: IoUring,
    queue: Arc<Queue>,
    calls: Sender<Task>,
    /// Work that has been taken and not begun.
    work: Work,
    /// Results to be handled.
    results: Vec<(u64, i32)>,
    /// The buffers that are registered with the ring, and are freed after it: a buffer that is lent
    /// keeps all of them.
    buffers: Option<Arc<BufferSet>>,
    /// Freed only once the kernel has answered everything. If this thread panics, it is leaked.
    held: ManuallyDrop<Held>,
}

/// The memory and the files that the kernel may use.
struct Held {
    /// The tasks whose requests the kernel has. They stay here until it has answered.
    slots: Slots<Task>,
    event: Arc<Event>,
    /// Memory for the count of `event`, to which the kernel writes. It may do so while `waits`.
    count: Box<[u8; 8]>,
    waits: bool,
}

impl Driver {
    fn new(
        ring: IoUring,
        queue: Arc<Queue>,
        event: Arc<Event>,
        calls: Sender<Task>,
        buffers: Option<Arc<BufferSet>>,
    ) -> Self {
        let (work, results) = (Work::default(), vec![]);
        let held = Held { slots: Slots::new(), event, count: Box::default(), waits: false };
        Self { ring, queue, calls, work, results, buffers, held: ManuallyDrop::new(held) }
    }

    fn run(mut self) {
        self.queue.serve();
        match self.serve() {
            Ok(()) => drop(ManuallyDrop::into_inner(self.held)), // the kernel has answered all
            Err(error) => self.fail(&error),
        }
    }

    // ANCHOR: serve
    /// Works until the queue is closed and every operation has ended.
    fn serve(&mut self) -> io::Result<()> {
        while self.queue.take(&mut self.work) {
            for ticket in mem::take(&mut self.work.stops) {
                if let Some(number) = self.held.slots.find(|task| task.is_of(&ticket)) {
                    let request = opcode::AsyncCancel::new(number).build();
                    // SAFETY: points to nothing.
                    unsafe { self.push(request, CANCEL) }?;
                }
            }
            while let Some(task) = self.work.tasks.pop_front() {
                self.advance(task)?;
            }
            self.listen()?;
            self.enter(1)?;
            self.handle_results()?;
        }
        self.hang_up()
    }
    // ANCHOR_END: serve

    // ANCHOR: advance
    /// Hands the next request of a task to the kernel, or ends the task.
    fn advance(&mut self, mut task: Task) -> io::Result<()> {
        let registered = self.buffers.as_ref().and_then(|set| task.operation.index_in(set));
        let request = match task.next() {
            Next::End(outcome) => {
                self.queue.finish(task, outcome);
                return Ok(());
            }
            Next::Step(Step::Call) => {
                if let Err(SendError(task)) = self.calls.send(task) {
                    let error = io::Error::other("the helper of the ring has panicked");
                    self.queue.fail(task, error);
                }
                return Ok(());
            }
            Next::Step(step) => request(step, registered, None),
        };
        let number = self.held.slots.insert(task);
        // SAFETY: the task owns the buffer and the file, and stays in its slot until the
        // result is here. If none comes, it is leaked. Moving it moves no byte of its buffer.
        unsafe { self.push(request, number) }
    }
    // ANCHOR_END: advance

    /// Asks for the next event, unless that is under way.
    fn listen(&mut self) -> io::Result<()> {
        let Held { event, count, waits, .. } = &mut *self.held;
        if !*waits {
            let (start, length) = (count.as_mut_ptr(), count.len() as u32);
            let request = opcode::Read::new(fd(event.file()), start, length).build();
            *waits = true;
            // SAFETY: `count` and `event` live until `waits` is false, or are leaked.
            unsafe { self.push(request, EVENT) }?;
        }
        Ok(())
    }

    /// Withdraws the request for the next event, so that the kernel holds nothing any more.
    fn hang_up(&mut self) -> io::Result<()> {
        if self.held.waits {
            // SAFETY: points to nothing.
            unsafe { self.push(opcode::AsyncCancel::new(EVENT).build(), CANCEL) }?;
        }
        while self.held.waits {
            self.enter(1)?;
            self.handle_results()?;
        }
        Ok(())
    }

    /// Queues a request for the kernel.
    ///
    /// # Safety
    ///
    /// The memory that the request points to must stay valid until its result has arrived, or be
    /// leaked.
    unsafe fn push(&mut self, request: squeue::Entry, number: u64) -> io::Result<()> {
        let request = request.user_data(number);
        loop {
            // SAFETY: the caller's promise.
            if unsafe { self.ring.submission().push(&request) }.is_ok() {
                return Ok(());
            }
            self.enter(0)?; // the queue is full
        }
    }

    // ANCHOR: enter
    /// Hands the queued requests to the kernel, and waits until there are `results` results.
    fn enter(&mut self, results: usize) -> io::Result<()> {
        loop {
            let wanted = if self.results.is_empty() { results } else { 0 };
            match self.ring.submit_and_wait(wanted) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The kernel has no memory for a request, or wants its results taken first.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) => {
                    let before = self.results.len();
                    self.take_results();
                    if self.results.len() == before {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                Err(error) => return trying("io_uring_enter", Err(error)),
            }
        }
    }
    // ANCHOR_END: enter

    fn take_results(&mut self) {
        let results = self.ring.completion();
        self.results.extend(results.map(|entry| (entry.user_data(), entry.result())));
    }

    // ANCHOR: results
    /// Gives each result to its task, and goes on with that.
    fn handle_results(&mut self) -> io::Result<()> {
        self.take_results();
        let mut results = mem::take(&mut self.results);
        for (number, result) in results.drain(..) {
            match number {
                EVENT => self.held.waits = false,
                CANCEL => {} // the result of the operation says whether it was in time
                _ => {
                    let Some(mut task) = self.held.slots.remove(number) else {
                        return Err(io::Error::other("a result came for no request"));
                    };
                    let stopped = result == -libc::ECANCELED && task.is_stopped();
                    task.operation.answer(match answer(result) {
                        Err(_) if stopped => Err(ErrorKind::Interrupted.into()), // nothing was done
                        answer => answer,
                    });
                    self.advance(task)?;
                }
            }
        }
        if self.results.is_empty() {
            self.results = results; // its memory serves again
        }
        Ok(())
    }
    // ANCHOR_END: results

    // ANCHOR: fail
    /// Ends all operations after the kernel has refused to go on. There is no way left to learn of
    /// results, so the memory that requests point to, and their files, can never be freed.
    fn fail(self, error: &io::Error) {
        let Self { ring, queue, calls, mut work, held, .. } = self;
        let Held { mut slots, event, count, waits } = ManuallyDrop::into_inner(held);
        let failed = || io::Error::new(error.kind(), error.to_string());
        queue.close();
        drop(ring); // the kernel withdraws the requests, but at a time of its own
        if waits {
            mem::forget((count, event));
        }
        for task in slots.drain() {
            queue.lose(task, failed());
        }
        loop {
            work.tasks.drain(..).for_each(|task| queue.fail(task, failed()));
            if !queue.take(&mut work) {
                break;
            }
            if work.tasks.is_empty() {
                // The helper has some. The event cannot be waited for: the kernel may take it.
                thread::sleep(Duration::from_millis(1));
            }
        }
        drop(calls);
    }
    // ANCHOR_END: fail
}

// ANCHOR: request
/// Translates a step, whose buffer and file may have numbers among the registered ones.
pub(super) fn request(step: Step<'_>, buffer: Option<u16>, file: Option<u32>) -> squeue::Entry {
    let fd = |it| file.map_or(fd(it), |number| Fd(number as i32));
    let request = match step {
        Step::Read { file, into, at } => {
            let (fd, start, length) = (fd(file), into.as_mut_ptr(), into.len() as u32);
            match buffer {
                None => opcode::Read::new(fd, start, length).offset(at).build(),
                Some(index) => opcode::ReadFixed::new(fd, start, length, index).offset(at).build(),
            }
        }
        Step::Write { file, from, at } => {
            let (fd, start, length) = (fd(file), from.as_ptr(), from.len() as u32);
            match buffer {
                None => opcode::Write::new(fd, start, length).offset(at).build(),
                Some(index) => opcode::WriteFixed::new(fd, start, length, index).offset(at).build(),
            }
        }
        Step::Sync { file, kind: SyncKind::All } => opcode::Fsync::new(fd(file)).build(),
        Step::Sync { file, kind: SyncKind::Data } => {
            opcode::Fsync::new(fd(file)).flags(FsyncFlags::DATASYNC).build()
        }
        Step::Call => unreachable!("no ring makes these calls"),
    };
    request.flags(if file.is_some() { Flags::FIXED_FILE } else { Flags::empty() })
}
// ANCHOR_END: request

/// Translates the result of a request.
pub(super) fn answer(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

fn fd(file: &File) -> Fd {
    Fd(file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::super::completion::Delivery;
    use super::super::file::SharedFile;
    use super::super::operation::Operation;
    use super::super::queue::IfFull;
    use super::super::wake::Wake;
    use super::*;

    /// The kernel's answer is the same with or without, so nothing else would tell.
    #[test]
    fn registered_buffers_and_files_are_asked_for_by_their_numbers() {
        let file = File::open("/dev/null").unwrap();
        let named = |request: &squeue::Entry, code: u8| {
            format!("{request:?}").contains(&format!("op_code: {code},"))
        };
        for (registered, read, write) in [
            (None, opcode::Read::CODE, opcode::Write::CODE),
            (Some(1), opcode::ReadFixed::CODE, opcode::WriteFixed::CODE),
        ] {
            let step = Step::Read { file: &file, into: &mut [0; 9], at: 0 };
            assert!(named(&request(step, registered, None), read), "{registered:?}");
            let step = Step::Write { file: &file, from: &[0; 9], at: 0 };
            assert!(named(&request(step, registered, None), write), "{registered:?}");
        }
        for (registered, flags) in [(None, Flags::empty()), (Some(5), Flags::FIXED_FILE)] {
            let step = Step::Sync { file: &file, kind: SyncKind::All };
            let request = format!("{:?}", request(step, None, registered));
            assert!(request.contains(&format!("flags: {},", flags.bits())), "{request}");
        }
        let Ok(ring) = usable_ring(2, None) else {
            return eprintln!("not possible here: io_uring");
        };
        let (set, reason) = register(&ring, Some(BufferSet::new(1, 1).unwrap()));
        assert_ne!(set.is_some(), reason.is_some(), "registered, or a reason: {reason:?}");
    }

    /// A panic drops the driver, and the kernel goes on.
    #[test]
    fn a_driver_that_is_dropped_keeps_what_the_kernel_has() {
        let Ok(ring) = usable_ring(2, None) else {
            return eprintln!("not possible here: io_uring");
        };
        let event = Arc::new(Event::new().unwrap());
        let queue = Arc::new(Queue::new(1, Wake::Event(event.clone())));
        let mut driver = Driver::new(ring, queue.clone(), event.clone(), channel().0, None);
        let file = SharedFile::from(File::open("/dev/null").unwrap());
        let read = Operation::read_at(&file, vec![0; 9], 0);
        let ticket = queue.submit(read, Delivery::Handle, IfFull::Refuse).unwrap();
        assert!(queue.take(&mut driver.work));
        let task = driver.work.tasks.pop_front().unwrap();
        driver.advance(task).unwrap();
        driver.listen().unwrap();
        drop(driver);
        assert_eq!((Arc::strong_count(&ticket), Arc::strong_count(&event)), (2, 3));
    }

    /// Why no chain is handed in as one (`IOSQE_IO_LINK`): a short result ends it.
    #[test]
    fn a_short_read_cancels_the_rest_of_its_chain() {
        let Ok(mut ring) = usable_ring(2, None) else {
            return eprintln!("not possible here: io_uring");
        };
        let file = File::open("/proc/self/exe").unwrap();
        let length = file.metadata().unwrap().len();
        for (at, read, next) in [(0, 100, 0), (length - 10, 10, -libc::ECANCELED)] {
            let mut buffer = [0; 100];
            let (start, room) = (buffer.as_mut_ptr(), buffer.len() as u32);
            let first = opcode::Read::new(fd(&file), start, room).offset(at).build();
            let first = first.flags(Flags::IO_LINK).user_data(1);
            let second = opcode::Nop::new().build().user_data(2);
            // SAFETY: the buffer and the file live until both results are here.
            unsafe { ring.submission().push_multiple(&[first, second]) }.unwrap();
            ring.submit_and_wait(2).unwrap();
            let results = ring.completion().map(|entry| (entry.user_data(), entry.result()));
            let mut results: Vec<_> = results.collect();
            results.sort_unstable();
            assert_eq!(results, [(1, read), (2, next)]);
        }
    }
}
