//! A directory in memory that remembers what was done to it, and fails when it is told to.

use super::history::{Ack, Entry, Event, History, Node, ROOT, What};
use super::image::Image;
use crate::sys::storage::{MOST_BUFFERS, Storage, StoredFile, check_name};
use crate::sys::trying;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The in-process twin of a [`Directory`](crate::sys::storage::Directory): a [`Storage`] whose
/// [`history`](Self::history) the laboratory can cut the power of. No call of it waits for a disk.
///
/// Clones are the same directory.
///
/// ```
/// use perf_proved::proof::power_loss::{Rules, Search, Twin, search};
/// use perf_proved::sys::storage::{Storage, StoredFile};
///
/// let twin = Twin::new();
/// let file = twin.create("journal")?;
/// file.write_at(b"entry", 0)?;
/// twin.acknowledge(b"stored"); // too early
/// file.sync_all()?;
///
/// let found = search(&twin.history(), Rules::POSIX, Search::default(), |crash| {
///     let stored = crash.image.file("journal").is_some_and(|content| content == b"entry");
///     if stored || crash.acknowledged.is_empty() { Ok(()) } else { Err("lost".to_owned()) }
/// });
/// assert!(found.violations > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Twin(Arc<Shared>);

/// A file of a [`Twin`].
#[derive(Clone)]
pub struct TwinFile {
    shared: Arc<Shared>,
    node: Node,
    name: String,
}

struct Shared {
    state: Mutex<State>,
    /// Called while a sync is under way.
    during_sync: Mutex<Option<Hook>>,
}

/// A function that is called with the number of a sync.
type Hook = Arc<dyn Fn(u64) + Send + Sync>;

#[derive(Default)]
struct State {
    history: History,
    names: BTreeMap<String, Node>,
    contents: HashMap<Node, Vec<u8>>,
    tick: u64,
    faults: Vec<Fault>,
    made: HashMap<Call, u64>,
    /// The bytes that all files together may have.
    space: Option<u64>,
    /// The bytes that one write takes at most.
    at_most: Option<usize>,
}

/// A kind of call to a [`Twin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Storage::create`].
    Create,
    /// [`Storage::open`].
    Open,
    /// [`Storage::rename`].
    Rename,
    /// [`Storage::remove`].
    Remove,
    /// [`Storage::sync`].
    SyncDirectory,
    /// [`StoredFile::set_len`].
    SetLen,
    /// [`StoredFile::allocate`].
    Allocate,
    /// [`StoredFile::read_at`].
    Read,
    /// [`StoredFile::write_at`] and [`StoredFile::write_vectored_at`].
    Write,
    /// [`StoredFile::sync_data`] and [`StoredFile::sync_all`].
    Sync,
}

/// The outcome of a call that does not go as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The error with this number, such as `libc::EIO`. The call has done nothing else, except that
    /// a sync that fails loses for good what it did not write.
    Error(i32),
    /// A write or a read of at most this number of bytes.
    Short(usize),
}

struct Fault {
    call: Call,
    /// The number of the call of its kind, from 1.
    nth: u64,
    outcome: Outcome,
}

impl Default for Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin {
    /// Makes an empty directory.
    pub fn new() -> Self {
        Self::holding(&Image::default())
    }

    /// Makes a directory that holds what `image` does, all of it durable: a machine that comes back
    /// after a power cut.
    ///
    /// # Panics
    ///
    /// If the image holds a directory, which no [`Storage`] has.
    pub fn holding(image: &Image) -> Self {
        let mut state = State { history: History::new(), ..State::default() };
        for (name, content) in image.iter() {
            let content = content.expect("a storage holds no directories");
            let node = state.history.add(name, Some(content.into()));
            state.history.names.insert(Entry::new(ROOT, name), node);
            state.names.insert(name.to_owned(), node);
            state.contents.insert(node, content.to_vec());
        }
        Self(Arc::new(Shared { state: Mutex::new(state), during_sync: Mutex::new(None) }))
    }

    /// Returns what was done so far. A call that is under way has begun and not ended.
    pub fn history(&self) -> History {
        self.0.lock().history.clone()
    }

    /// Returns what the directory holds in memory: what is left when the process is killed, and the
    /// machine runs on.
    pub fn image(&self) -> Image {
        let state = self.0.lock();
        let mut image = Image::default();
        for (name, node) in &state.names {
            image.put(name, Some(state.contents[node].as_slice().into()));
        }
        image
    }

    /// Notes that the program tells the world something, such as the number of a record that is
    /// durable from now on.
    pub fn acknowledge(&self, bytes: &[u8]) {
        let ack = Ack { to: 1, bytes: bytes.into() };
        self.0.lock().happens(What::Acknowledge(ack));
    }

    /// Lets the `nth` call of a kind go wrong, counted from 1 and from the beginning.
    pub fn inject(&self, call: Call, nth: u64, outcome: Outcome) {
        self.0.lock().faults.push(Fault { call, nth, outcome });
    }

    /// Returns the number of calls of a kind so far, those that failed included.
    pub fn calls(&self, call: Call) -> u64 {
        self.0.lock().made.get(&call).copied().unwrap_or_default()
    }

    /// Limits the bytes of all files together. A write that would exceed it is short, and one that
    /// has no space at all fails with `ENOSPC`.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.0.lock().space = bytes;
    }

    /// Lets every write take at most `bytes` bytes.
    ///
    /// # Panics
    ///
    /// If `bytes` is zero: such a program could not go on.
    pub fn shorten_writes(&self, bytes: Option<usize>) {
        assert!(bytes != Some(0), "a write takes something");
        self.0.lock().at_most = bytes;
    }

    /// Calls `hook` with the number of each sync, from 1, while the sync is under way. What is
    /// written meanwhile is not covered by it. The hook may use the directory.
    pub fn during_sync(&self, hook: impl Fn(u64) + Send + Sync + 'static) {
        let hook: Hook = Arc::new(hook);
        *self.0.during_sync.lock().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self, node: Node, data_only: bool, call: Call) -> io::Result<()> {
        let mut state = self.lock();
        let number = state.happens(What::Sync { node, data_only });
        let fault = state.count(call);
        let made = state.made[&call];
        state.history.events[number].ended = u64::MAX; // not yet
        drop(state);
        let hook = self.during_sync.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook(made);
        }
        let mut state = self.lock();
        state.tick += 1;
        state.history.events[number].ended = state.tick;
        let result = fault.map_or(Ok(()), Outcome::error);
        if result.is_err() {
            state.history.events[number].what = What::SyncFailed { node };
        }
        result
    }
}

impl Outcome {
    fn error(self) -> io::Result<()> {
        match self {
            Self::Error(code) => Err(io::Error::from_raw_os_error(code)),
            Self::Short(_) => Ok(()),
        }
    }
}

impl State {
    /// Adds an event, which begins and ends now, and returns its number.
    fn happens(&mut self, what: What) -> usize {
        self.tick += 1;
        self.history.events.push(Event { began: self.tick, ended: self.tick, what });
        self.history.events.len() - 1
    }

    /// Counts a call, and returns what goes wrong with it.
    fn count(&mut self, call: Call) -> Option<Outcome> {
        let made = self.made.entry(call).or_default();
        *made += 1;
        let fault = self.faults.iter().find(|fault| (fault.call, fault.nth) == (call, *made));
        fault.map(|fault| fault.outcome)
    }

    /// Counts a call that moves `bytes` bytes, and returns how many it may move.
    fn count_bytes(&mut self, call: Call, bytes: usize) -> io::Result<usize> {
        match self.count(call) {
            Some(Outcome::Short(most)) => Ok(bytes.min(most)),
            Some(error) => error.error().map(|()| bytes),
            None => Ok(bytes),
        }
    }

    fn checked(&mut self, call: Call) -> io::Result<()> {
        self.count(call).map_or(Ok(()), Outcome::error)
    }

    fn find(&self, name: &str) -> io::Result<Node> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn content(&mut self, node: Node) -> &mut Vec<u8> {
        self.contents.get_mut(&node).expect("a file has a content")
    }

    /// Returns the size that the file may grow to, up to `wanted`.
    fn room(&self, node: Node, wanted: u64) -> u64 {
        let named = self.names.values();
        let others = named.filter(|other| **other != node).map(|other| self.contents[other].len());
        let others: u64 = others.map(|length| length as u64).sum();
        self.space.map_or(wanted, |space| wanted.min(space.saturating_sub(others)))
    }
}

impl Storage for Twin {
    type File = TwinFile;

    fn create(&self, name: &str) -> io::Result<TwinFile> {
        check_name(name)?;
        let mut state = self.0.lock();
        let mut create = || {
            state.checked(Call::Create)?;
            if state.names.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let node = state.history.add(name, Some(Arc::default()));
            state.names.insert(name.to_owned(), node);
            state.contents.insert(node, vec![]);
            state.happens(What::Link { at: Entry::new(ROOT, name), node });
            Ok(TwinFile { shared: self.0.clone(), node, name: name.to_owned() })
        };
        trying(format_args!("creating {name}"), create())
    }

    fn open(&self, name: &str) -> io::Result<TwinFile> {
        check_name(name)?;
        let mut state = self.0.lock();
        let found = state.checked(Call::Open).and_then(|()| state.find(name));
        let file = |node| TwinFile { shared: self.0.clone(), node, name: name.to_owned() };
        trying(format_args!("opening {name}"), found.map(file))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        let mut state = self.0.lock();
        let mut rename = || {
            state.checked(Call::Rename)?;
            let node = state.find(from)?;
            if from != to {
                state.names.remove(from);
                state.names.insert(to.to_owned(), node);
                let (from, to) = (Entry::new(ROOT, from), Entry::new(ROOT, to));
                state.happens(What::Rename { from, to, node });
            }
            Ok(())
        };
        trying(format_args!("renaming {from} to {to}"), rename())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        let mut state = self.0.lock();
        let mut remove = || {
            state.checked(Call::Remove)?;
            state.find(name)?;
            state.names.remove(name);
            state.happens(What::Unlink { at: Entry::new(ROOT, name) });
            Ok(())
        };
        trying(format_args!("removing {name}"), remove())
    }

    fn sync(&self) -> io::Result<()> {
        trying("syncing the directory", self.0.sync(ROOT, false, Call::SyncDirectory))
    }
}

impl StoredFile for TwinFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.shared.lock().content(self.node).len() as u64)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.shared.lock();
        let result = state.checked(Call::SetLen);
        if result.is_ok() {
            state.content(self.node).resize(bytes as usize, 0);
            state.happens(What::Truncate { file: self.node, size: bytes });
        }
        trying(format_args!("resizing {}", self.name), result)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let (mut state, end) = (self.shared.lock(), offset + bytes);
        let mut result = state.checked(Call::Allocate);
        if state.room(self.node, end) < end {
            result = result.and(Err(io::Error::from_raw_os_error(libc::ENOSPC)));
        }
        if result.is_ok() {
            let content = state.content(self.node);
            content.resize(content.len().max(end as usize), 0);
            state.happens(What::Allocate { file: self.node, size: end });
        }
        trying(format_args!("allocating blocks for {}", self.name), result)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.shared.lock();
        let most = trying(
            format_args!("reading {}", self.name),
            state.count_bytes(Call::Read, into.len()),
        )?;
        let there = state.content(self.node).get(offset as usize..).unwrap_or_default();
        let read = most.min(there.len());
        into[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        self.write_vectored_at(&[IoSlice::new(from)], offset)
    }

    fn write_vectored_at(&self, from: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut data: Vec<u8> = vec![];
        from.iter().take(MOST_BUFFERS).for_each(|buffer| data.extend_from_slice(buffer));
        let mut state = self.shared.lock();
        let mut take = || {
            let most = state.count_bytes(Call::Write, data.len())?;
            let most = most.min(state.at_most.unwrap_or(usize::MAX));
            let before = state.contents[&self.node].len() as u64;
            let end = offset + most as u64;
            let end = if end > before { state.room(self.node, end).max(before) } else { end };
            match end.saturating_sub(offset) as usize {
                0 if most > 0 => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
                taken => Ok(taken.min(most)),
            }
        };
        let taken = trying(format_args!("writing {}", self.name), take())?;
        data.truncate(taken);
        if taken > 0 {
            let (start, end) = (offset as usize, offset as usize + taken);
            let content = state.content(self.node);
            content.resize(content.len().max(end), 0);
            content[start..end].copy_from_slice(&data);
            let (file, data) = (self.node, data.into());
            state.happens(What::Write { file, offset, data, durable: false });
        }
        Ok(taken)
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.shared.sync(self.node, true, Call::Sync);
        trying(format_args!("syncing {}", self.name), synced)
    }

    fn sync_all(&self) -> io::Result<()> {
        let synced = self.shared.sync(self.node, false, Call::Sync);
        trying(format_args!("syncing {}", self.name), synced)
    }
}

impl fmt::Debug for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twin").field("names", &self.0.lock().names).finish_non_exhaustive()
    }
}

impl fmt::Debug for TwinFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwinFile").field("name", &self.name).finish_non_exhaustive()
    }
}
