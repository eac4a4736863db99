//! The tracer: from system calls to events.

use super::history::{Ack, Entry, Event, History, Node, ROOT, What};
use super::image::Image;
use super::search::final_image;
use crate::proof::stop::{Stop, syscall_stop};
use crate::sys::{cvt, trying};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;

type Tid = libc::pid_t;

pub(super) fn record(
    directory: &Path,
    ignored: &[String],
    command: &mut Command,
) -> io::Result<(History, ExitStatus)> {
    let root = trying(format_args!("recording {}", directory.display()), directory.canonicalize())?;
    let mut tracer = Tracer::new(root, ignored)?;
    // A thread of its own: only the thread that started a traced process may wait for it, and it
    // must not reap what other threads have started.
    let status = thread::scope(|scope| {
        let run = scope.spawn(|| tracer.run(command));
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let Tracer { root, mut history, ignored, .. } = tracer;
    history.events.sort_by_key(|event| event.began);
    let found = visible(Image::read(&root)?, &ignored);
    let explained = final_image(&history);
    if let Some(path) = explained.difference(&found) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("the calls recorded do not explain {path}: something else changed it"),
        ));
    }
    Ok((history, status))
}

/// Returns the image without the files that are ignored.
fn visible(image: Image, ignored: &[String]) -> Image {
    let mut rest = Image::default();
    for (path, content) in image.iter().filter(|(path, _)| !is_ignored(path, ignored)) {
        rest.put(path, content.map(Into::into));
    }
    rest
}

fn is_ignored(name: &str, ignored: &[String]) -> bool {
    ignored.iter().any(|suffix| name.ends_with(suffix.as_str()))
}

struct Tracer {
    root: PathBuf,
    ignored: Vec<String>,
    history: History,
    /// The files and directories that are watched, by device and inode.
    nodes: HashMap<(u64, u64), Node>,
    /// The names in memory.
    names: BTreeMap<Entry, Node>,
    /// The program's standard output and standard error, by device and inode.
    outputs: [Option<(u64, u64)>; 2],
    tick: u64,
}

/// A call that has been made and has not returned.
struct Made {
    began: u64,
    number: libc::c_long,
    args: [u64; 6],
    /// The names that it is about, as they are at its beginning.
    places: Places,
    /// The flags of an `open`.
    flags: i32,
}

/// The two names of a call, or the one.
type Places = [Place; 2];

/// A name, in respect of the directory that is watched.
#[derive(Clone, Debug, Default)]
enum Place {
    #[default]
    Outside,
    Ignored,
    Inside(Entry),
    /// The directory that is watched, itself.
    Root,
}

impl Tracer {
    /// Reads the directory as it is at first.
    fn new(root: PathBuf, ignored: &[String]) -> io::Result<Self> {
        let image = visible(Image::read(&root)?, ignored);
        let mut tracer = Self {
            ignored: ignored.to_owned(),
            history: History::new(),
            nodes: HashMap::new(),
            names: BTreeMap::new(),
            outputs: [None; 2],
            tick: 0,
            root,
        };
        tracer.nodes.insert(id(&fs::metadata(&tracer.root)?), ROOT);
        for (path, content) in image.iter() {
            let file = tracer.root.join(path);
            let id = id(&trying(file.display(), fs::metadata(&file))?);
            let node = match tracer.nodes.get(&id) {
                Some(node) => *node, // a hard link
                None => tracer.history.add(path, content.map(Into::into)),
            };
            tracer.nodes.insert(id, node);
            let Place::Inside(entry) = tracer.place(&file)? else {
                return Err(refusal("a directory that changes while it is read"));
            };
            tracer.names.insert(entry, node);
        }
        tracer.history.names = tracer.names.clone();
        Ok(tracer)
    }

    /// Runs the command and follows it.
    fn run(&mut self, command: &mut Command) -> io::Result<ExitStatus> {
        // SAFETY: between fork and exec the child makes one system call, on integers.
        unsafe {
            command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let what = format!("starting {} with ptrace", command.get_program().display());
        let child = trying(what, command.spawn())?; // which holds the ends of pipes
        let first = child.id() as Tid;
        // The kernel stops it at its exec.
        wait(first)?;
        self.outputs = [1, 2].map(|fd| {
            let metadata = fs::metadata(format!("/proc/{first}/fd/{fd}"));
            metadata.ok().map(|metadata| id(&metadata))
        });
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_EXITKILL;
        // SAFETY: ptrace requests on integers, for a thread that is stopped.
        unsafe {
            if libc::ptrace(libc::PTRACE_SETOPTIONS, first, 0, options) == -1 {
                let error = io::Error::last_os_error();
                libc::kill(first, libc::SIGKILL);
                return trying("ptrace", Err(error));
            }
            libc::ptrace(libc::PTRACE_SYSCALL, first, 0, 0);
        }

        let mut known = BTreeSet::from([first]);
        let mut made: HashMap<Tid, Made> = HashMap::new();
        let mut status = ExitStatus::default();
        let mut refused = Ok(());
        while let Some((tid, stopped)) = wait(-1)? {
            if !libc::WIFSTOPPED(stopped) {
                made.remove(&tid);
                known.remove(&tid);
                if tid == first {
                    status = ExitStatus::from_raw(stopped);
                }
                continue;
            }
            let signal = libc::WSTOPSIG(stopped);
            let is_new = known.insert(tid);
            let mut deliver = 0;
            if signal == libc::SIGTRAP | 0x80 {
                let noted = match (&refused, syscall_stop(tid)) {
                    (Ok(()), Stop::Entry(number, args)) => self
                        .enter(tid, number, args)
                        .map(|call| drop(call.map(|call| made.insert(tid, call)))),
                    (Ok(()), Stop::Foreign) => Err(refusal("a call of another architecture")),
                    (Ok(()), Stop::Exit(result)) => match made.remove(&tid) {
                        Some(call) => self.leave(tid, &call, result),
                        None => Ok(()),
                    },
                    _ => Ok(()),
                };
                if noted.is_err() {
                    refused = noted;
                    // SAFETY: they are ours: started by the command, and traced by this thread.
                    known.iter().for_each(|&tid| unsafe {
                        libc::kill(tid, libc::SIGKILL);
                    });
                }
            } else if stopped >> 16 == 0 && !(is_new && signal == libc::SIGSTOP) {
                deliver = signal; // a signal for the thread: pass it on
            }
            // SAFETY: `tid` is in a ptrace stop. If it was killed meanwhile, the call fails and the
            // next wait reports it.
            unsafe { libc::ptrace(libc::PTRACE_SYSCALL, tid, 0, deliver) };
        }
        refused.map(|()| status)
    }

    fn now(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// Notes that a thread makes a call. Names are resolved before the call can change them.
    fn enter(
        &mut self,
        tid: Tid,
        number: libc::c_long,
        args: [u64; 6],
    ) -> io::Result<Option<Made>> {
        let Some(form) = form(number) else { return Ok(None) };
        let mut call =
            Made { began: self.now(), number, args, places: Places::default(), flags: 0 };
        const HERE: u64 = libc::AT_FDCWD as i64 as u64;
        call.places = match form {
            Form::Open { flags } => {
                call.flags = match flags {
                    Flags::At(index) => args[index] as i32,
                    Flags::Creat => libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY,
                    Flags::How => {
                        let how = read_memory(tid, args[2], 8)?;
                        u64::from_ne_bytes(how.try_into().unwrap_or_default()) as i32
                    }
                };
                Places::default()
            }
            Form::Path => [self.named(tid, HERE, args[0])?, Place::Outside],
            Form::Paths => [self.named(tid, HERE, args[0])?, self.named(tid, HERE, args[1])?],
            Form::PathAt => [self.named(tid, args[0], args[1])?, Place::Outside],
            Form::PathsAt => {
                [self.named(tid, args[0], args[1])?, self.named(tid, args[2], args[3])?]
            }
            Form::Link => [Place::Outside, self.named(tid, HERE, args[1])?],
            Form::LinkAt => [Place::Outside, self.named(tid, args[2], args[3])?],
            Form::SymlinkAt => [Place::Outside, self.named(tid, args[1], args[2])?],
            Form::Descriptor => Places::default(),
        };
        Ok(Some(call))
    }

    /// Notes that a call returns.
    fn leave(&mut self, tid: Tid, call: &Made, result: i64) -> io::Result<()> {
        let args = &call.args;
        let is = |number: libc::c_long| call.number == number;
        if is(libc::SYS_fsync) || is(libc::SYS_fdatasync) {
            return self.synced(tid, call, result);
        }
        if result < 0 {
            return Ok(()); // nothing was done
        }
        match form(call.number) {
            Some(Form::Open { .. }) => return self.opened(tid, call, result),
            None => return Ok(()),
            _ => {}
        }
        match call.number {
            libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_sendto => {
                let data = || read_memory(tid, args[1], result as usize);
                self.wrote(tid, call, result, data)
            }
            libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
                let data = || read_vectors(tid, args[1], args[2] as usize, result as usize);
                self.wrote(tid, call, result, data)
            }
            libc::SYS_sendmsg => {
                let data = || {
                    let header = words(tid, args[1], 4)?; // name, its length, vectors, their number
                    read_vectors(tid, header[2], header[3] as usize, result as usize)
                };
                self.wrote(tid, call, result, data)
            }
            libc::SYS_ftruncate => match self.file(tid, args[0])? {
                Some(file) => self.happened(call, What::Truncate { file, size: args[1] }),
                None => Ok(()),
            },
            libc::SYS_truncate => match self.path(tid, args[0])? {
                Some(file) => self.happened(call, What::Truncate { file, size: args[1] }),
                None => Ok(()),
            },
            libc::SYS_fallocate => self.allocated(tid, call),
            libc::SYS_sync | libc::SYS_syncfs => self.happened(call, What::SyncEverything),
            libc::SYS_mkdirat => self.made_directory(call, tid, args[0], args[1]),
            libc::SYS_linkat => self.linked(call),
            libc::SYS_unlinkat => self.unlinked(call),
            libc::SYS_renameat => self.renamed(call),
            libc::SYS_renameat2 if args[4] & u64::from(!libc::RENAME_NOREPLACE) == 0 => {
                self.renamed(call)
            }
            libc::SYS_mmap => {
                let [_, _, protection, flags, fd, _] = args.map(|arg| arg as i32);
                let shared = flags & libc::MAP_TYPE != libc::MAP_PRIVATE;
                if shared && protection & libc::PROT_WRITE != 0 && flags & libc::MAP_ANONYMOUS == 0
                {
                    self.refuse_file(tid, fd as u64, "a shared writable mmap")
                } else {
                    Ok(())
                }
            }
            libc::SYS_sendfile => self.refuse_file(tid, args[0], "sendfile"),
            libc::SYS_copy_file_range => self.refuse_file(tid, args[2], "copy_file_range"),
            libc::SYS_splice => self.refuse_file(tid, args[2], "splice"),
            libc::SYS_io_uring_setup => Err(refusal("io_uring")),
            libc::SYS_renameat2 => self.refuse_places(call, "renameat2 with flags"),
            libc::SYS_symlinkat => self.refuse_places(call, "symlinkat"),
            libc::SYS_mknodat => self.refuse_places(call, "mknodat"),
            number => self.leave_old(tid, call, number),
        }
    }

    /// Notes the calls that only older architectures have.
    #[cfg(target_arch = "x86_64")]
    fn leave_old(&mut self, tid: Tid, call: &Made, number: libc::c_long) -> io::Result<()> {
        const HERE: u64 = libc::AT_FDCWD as i64 as u64;
        match number {
            libc::SYS_mkdir => self.made_directory(call, tid, HERE, call.args[0]),
            libc::SYS_link => self.linked(call),
            libc::SYS_unlink | libc::SYS_rmdir => self.unlinked(call),
            libc::SYS_rename => self.renamed(call),
            libc::SYS_symlink => self.refuse_places(call, "symlink"),
            libc::SYS_mknod => self.refuse_places(call, "mknod"),
            _ => Ok(()),
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn leave_old(&mut self, _: Tid, _: &Made, _: libc::c_long) -> io::Result<()> {
        Ok(())
    }

    fn happened(&mut self, call: &Made, what: What) -> io::Result<()> {
        let ended = self.now();
        self.history.events.push(Event { began: call.began, ended, what });
        Ok(())
    }

    fn opened(&mut self, tid: Tid, call: &Made, fd: i64) -> io::Result<()> {
        let link = format!("/proc/{tid}/fd/{fd}");
        let (Ok(metadata), Ok(path)) = (fs::metadata(&link), fs::read_link(&link)) else {
            return Ok(());
        };
        if !path.starts_with(&self.root) || !metadata.is_file() {
            return Ok(());
        }
        if call.flags & libc::O_TMPFILE == libc::O_TMPFILE {
            let node = self.history.add("a file without a name", Some([].into()));
            self.nodes.insert(id(&metadata), node);
            return Ok(());
        }
        let entry = match self.place(&path)? {
            Place::Inside(entry) => entry,
            Place::Ignored => {
                self.nodes.remove(&id(&metadata)); // of a file that was removed
                return Ok(());
            }
            _ => return Ok(()),
        };
        match self.names.get(&entry) {
            Some(&file) if call.flags & libc::O_TRUNC != 0 => {
                // It may have been empty; then this changes nothing.
                self.happened(call, What::Truncate { file, size: 0 })
            }
            Some(_) => Ok(()),
            None => {
                let label = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
                let node = self.history.add(&label, Some([].into()));
                self.nodes.insert(id(&metadata), node);
                self.names.insert(entry.clone(), node);
                self.happened(call, What::Link { at: entry, node })
            }
        }
    }

    fn wrote(
        &mut self,
        tid: Tid,
        call: &Made,
        result: i64,
        data: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        let fd = call.args[0];
        let link = format!("/proc/{tid}/fd/{fd}");
        let Ok(metadata) = fs::metadata(&link) else { return Ok(()) };
        let Some(file) = self.watched(&link, &metadata) else {
            let (kind, id) = (metadata.file_type(), Some(id(&metadata)));
            let to = match self.outputs.iter().position(|output| *output == id) {
                Some(0) => 1,
                Some(_) => 2,
                None if matches!(fd, 1 | 2) => -1,
                None => fd as i32,
            };
            if to == 1 || kind.is_fifo() || kind.is_socket() {
                // The world may know from the moment at which the call was made.
                return self.happened(call, What::Acknowledge(Ack { to, bytes: data()?.into() }));
            }
            return Ok(());
        };
        let (position, flags) = descriptor(tid, fd)?;
        let given = match call.number {
            libc::SYS_pwrite64 | libc::SYS_pwritev | libc::SYS_pwritev2 => Some(call.args[3]),
            _ => None,
        };
        let call_flags = if call.number == libc::SYS_pwritev2 { call.args[5] as i32 } else { 0 };
        let appends = flags & libc::O_APPEND != 0 || call_flags & libc::RWF_APPEND != 0;
        let offset = match given {
            Some(_) if appends => metadata.len().saturating_sub(result as u64),
            Some(offset) if offset != u64::MAX => offset,
            _ => position.saturating_sub(result as u64),
        };
        let durable =
            flags & libc::O_DSYNC != 0 || call_flags & (libc::RWF_DSYNC | libc::RWF_SYNC) != 0;
        let data = data()?.into();
        self.happened(call, What::Write { file, offset, data, durable })
    }

    fn allocated(&mut self, tid: Tid, call: &Made) -> io::Result<()> {
        let [fd, mode, offset, length, ..] = call.args;
        let Some(file) = self.file(tid, fd)? else { return Ok(()) };
        let (mode, end) = (mode as i32, offset + length);
        let keeps = mode & libc::FALLOC_FL_KEEP_SIZE != 0;
        match mode & !libc::FALLOC_FL_KEEP_SIZE {
            0 if keeps => Ok(()), // blocks, and nothing to see
            0 => self.happened(call, What::Allocate { file, size: end }),
            libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE => {
                let size = fs::metadata(format!("/proc/{tid}/fd/{fd}"))?.len();
                let zeros = end.min(size).saturating_sub(offset) as usize;
                let data = vec![0; zeros].into();
                self.happened(call, What::Write { file, offset, data, durable: false })
            }
            _ => Err(refusal("fallocate that moves data")),
        }
    }

    fn synced(&mut self, tid: Tid, call: &Made, result: i64) -> io::Result<()> {
        let Some(node) = self.file(tid, call.args[0])? else { return Ok(()) };
        let data_only = call.number == libc::SYS_fdatasync;
        match -result as i32 {
            0 => self.happened(call, What::Sync { node, data_only }),
            libc::EIO | libc::ENOSPC | libc::EDQUOT => {
                self.happened(call, What::SyncFailed { node })
            }
            _ => Ok(()),
        }
    }

    fn made_directory(&mut self, call: &Made, tid: Tid, base: u64, path: u64) -> io::Result<()> {
        let Place::Inside(entry) = &call.places[0] else { return Ok(()) };
        let Some(path) = self.absolute(tid, base, path)? else { return Ok(()) };
        let metadata = trying(path.display(), fs::metadata(&path))?;
        let label = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
        let node = self.history.add(&label, None);
        self.nodes.insert(id(&metadata), node);
        self.names.insert(entry.clone(), node);
        self.happened(call, What::Link { at: entry.clone(), node })
    }

    fn linked(&mut self, call: &Made) -> io::Result<()> {
        let Place::Inside(entry) = &call.places[1] else { return Ok(()) };
        // The file behind the new name: the old one may have been a link to it.
        let found = fs::symlink_metadata(self.full(entry)).map(|metadata| id(&metadata));
        let Some(&node) = found.ok().and_then(|id| self.nodes.get(&id)) else {
            return Err(refusal("a link to a file from elsewhere"));
        };
        self.names.insert(entry.clone(), node);
        self.happened(call, What::Link { at: entry.clone(), node })
    }

    fn unlinked(&mut self, call: &Made) -> io::Result<()> {
        let Place::Inside(entry) = &call.places[0] else { return Ok(()) };
        self.names.remove(entry);
        self.happened(call, What::Unlink { at: entry.clone() })
    }

    fn renamed(&mut self, call: &Made) -> io::Result<()> {
        let (from, to) = match &call.places {
            [Place::Inside(from), Place::Inside(to)] => (from, to),
            [Place::Outside | Place::Ignored, Place::Outside | Place::Ignored] => return Ok(()),
            _ => return Err(refusal("a rename into or out of the directory")),
        };
        if from == to {
            return Ok(());
        }
        let Some(node) = self.names.remove(from) else {
            return Err(refusal("a rename of something that was not seen before"));
        };
        self.names.insert(to.clone(), node);
        self.happened(call, What::Rename { from: from.clone(), to: to.clone(), node })
    }

    /// Returns the file or directory behind a descriptor, if it is watched.
    fn file(&self, tid: Tid, fd: u64) -> io::Result<Option<Node>> {
        let link = format!("/proc/{tid}/fd/{fd}");
        let found = fs::metadata(&link).ok();
        Ok(found.and_then(|metadata| self.watched(&link, &metadata)))
    }

    /// Returns the node of an open file. A file elsewhere may have the inode of one that was
    /// removed here, so the path has to be right, too.
    fn watched(&self, link: &str, metadata: &Metadata) -> Option<Node> {
        let node = self.nodes.get(&id(metadata))?;
        fs::read_link(link).is_ok_and(|path| path.starts_with(&self.root)).then_some(*node)
    }

    /// Returns the file at a path, if it is watched.
    fn path(&self, tid: Tid, path: u64) -> io::Result<Option<Node>> {
        let path = self.absolute(tid, libc::AT_FDCWD as i64 as u64, path)?;
        let found = path.and_then(|path| fs::metadata(path).ok());
        Ok(found.and_then(|metadata| self.nodes.get(&id(&metadata)).copied()))
    }

    fn refuse_file(&self, tid: Tid, fd: u64, call: &str) -> io::Result<()> {
        match self.file(tid, fd)? {
            Some(_) => Err(refusal(call)),
            None => Ok(()),
        }
    }

    fn refuse_places(&self, call: &Made, name: &str) -> io::Result<()> {
        match call.places.iter().any(|place| matches!(place, Place::Inside(_))) {
            true => Err(refusal(name)),
            false => Ok(()),
        }
    }

    /// Returns the path of a name.
    fn full(&self, entry: &Entry) -> PathBuf {
        self.root.join(&self.history.labels[entry.directory.0]).join(&*entry.name)
    }

    /// Returns the absolute path that a thread names, of which the last part may not exist.
    fn absolute(&self, tid: Tid, base: u64, path: u64) -> io::Result<Option<PathBuf>> {
        let path = PathBuf::from(OsString::from_vec(read_text(tid, path)?));
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let base = match base as i32 {
            _ if path.is_absolute() => PathBuf::from("/"),
            libc::AT_FDCWD => {
                trying("finding a directory", fs::read_link(format!("/proc/{tid}/cwd")))?
            }
            fd => match fs::read_link(format!("/proc/{tid}/fd/{fd}")) {
                Ok(base) => base,
                Err(_) => return Ok(None), // not open: the call will fail
            },
        };
        Ok(Some(base.join(path)))
    }

    /// Returns the place of a name that a thread gives to a call.
    fn named(&self, tid: Tid, base: u64, path: u64) -> io::Result<Place> {
        match self.absolute(tid, base, path)? {
            Some(path) => self.place(&path),
            None => Ok(Place::Outside),
        }
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Place::Outside);
        };
        if path == self.root {
            return Ok(Place::Root);
        }
        let Ok(metadata) = fs::metadata(parent) else { return Ok(Place::Outside) };
        let Some(&directory) = self.nodes.get(&id(&metadata)) else {
            let real = parent.canonicalize().unwrap_or_default();
            return if real.starts_with(&self.root) {
                Err(refusal("a directory that was not seen before"))
            } else {
                Ok(Place::Outside)
            };
        };
        let Some(name) = name.to_str() else { return Err(refusal("a name that is not UTF-8")) };
        if is_ignored(name, &self.ignored) {
            return Ok(Place::Ignored);
        }
        Ok(Place::Inside(Entry::new(directory, name)))
    }
}

/// The arguments of a call that are names.
enum Form {
    /// `open` and its variants.
    Open { flags: Flags },
    /// One path.
    Path,
    /// Two paths.
    Paths,
    /// A directory and a path in it.
    PathAt,
    /// Two of these.
    PathsAt,
    /// Something, and a new path.
    Link,
    /// A path in a directory, and a new one in another.
    LinkAt,
    /// A text, a directory and a new path in it.
    SymlinkAt,
    /// No path at all, but a descriptor.
    Descriptor,
}

/// The place of the flags of an `open`.
enum Flags {
    At(usize),
    Creat,
    How,
}

/// Returns the form of a call that matters here.
fn form(number: libc::c_long) -> Option<Form> {
    Some(match number {
        libc::SYS_openat => Form::Open { flags: Flags::At(2) },
        libc::SYS_openat2 => Form::Open { flags: Flags::How },
        libc::SYS_mkdirat | libc::SYS_unlinkat | libc::SYS_mknodat => Form::PathAt,
        libc::SYS_renameat | libc::SYS_renameat2 => Form::PathsAt,
        libc::SYS_linkat => Form::LinkAt,
        libc::SYS_symlinkat => Form::SymlinkAt,
        libc::SYS_write
        | libc::SYS_pwrite64
        | libc::SYS_writev
        | libc::SYS_pwritev
        | libc::SYS_pwritev2
        | libc::SYS_sendto
        | libc::SYS_sendmsg
        | libc::SYS_truncate
        | libc::SYS_ftruncate
        | libc::SYS_fallocate
        | libc::SYS_fsync
        | libc::SYS_fdatasync
        | libc::SYS_sync
        | libc::SYS_syncfs
        | libc::SYS_mmap
        | libc::SYS_sendfile
        | libc::SYS_copy_file_range
        | libc::SYS_splice
        | libc::SYS_io_uring_setup => Form::Descriptor,
        number => return old_form(number),
    })
}

#[cfg(target_arch = "x86_64")]
fn old_form(number: libc::c_long) -> Option<Form> {
    Some(match number {
        libc::SYS_open => Form::Open { flags: Flags::At(1) },
        libc::SYS_creat => Form::Open { flags: Flags::Creat },
        libc::SYS_mkdir | libc::SYS_unlink | libc::SYS_rmdir | libc::SYS_mknod => Form::Path,
        libc::SYS_rename => Form::Paths,
        libc::SYS_link | libc::SYS_symlink => Form::Link,
        _ => return None,
    })
}

#[cfg(target_arch = "aarch64")]
fn old_form(_number: libc::c_long) -> Option<Form> {
    None
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn refusal(what: &str) -> io::Error {
    let text = format!("{what}: not modeled, so nothing can be said of this program");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Waits for a traced thread, or for one of all of them, and returns it and how it stopped; `None`
/// if there is none left.
fn wait(tid: Tid) -> io::Result<Option<(Tid, libc::c_int)>> {
    loop {
        let mut status = 0;
        let flags = libc::__WALL | libc::__WNOTHREAD;
        // SAFETY: waits for children of this thread; `status` is writable.
        match cvt(unsafe { libc::waitpid(tid, &raw mut status, flags) }) {
            Ok(tid) => return Ok(Some((tid, status))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            Err(error) => return trying("waiting for the traced program", Err(error)),
        }
    }
}

/// Returns the position and the flags of an open file.
fn descriptor(tid: Tid, fd: u64) -> io::Result<(u64, i32)> {
    let path = format!("/proc/{tid}/fdinfo/{fd}");
    let text = trying(&path, fs::read_to_string(&path))?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let position = field("pos:").and_then(|value| value.parse().ok());
    let flags = field("flags:").and_then(|value| i32::from_str_radix(value, 8).ok());
    position.zip(flags).ok_or_else(|| io::Error::other(format!("{path} has another form")))
}

/// Reads `length` bytes of a thread's memory.
fn read_memory(tid: Tid, address: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = read_some(tid, address, &mut bytes)?;
    if read < length {
        return Err(io::Error::other("a buffer that cannot be read"));
    }
    Ok(bytes)
}

fn read_some(tid: Tid, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let here = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let there = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: `here` is `into`, which is live and writable; the kernel checks the other address,
    // which is the other process's.
    let read = unsafe { libc::process_vm_readv(tid, &raw const here, 1, &raw const there, 1, 0) };
    trying("reading the program's memory", crate::sys::moved(read))
}

/// Reads a path: up to its zero byte, from one page after the other.
fn read_text(tid: Tid, mut address: u64) -> io::Result<Vec<u8>> {
    let mut text = vec![];
    while text.len() < libc::PATH_MAX as usize {
        let mut page = vec![0; 4096 - (address % 4096) as usize];
        let Ok(read) = read_some(tid, address, &mut page) else { return Ok(vec![]) };
        let page = &page[..read];
        if let Some(end) = page.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&page[..end]);
            return Ok(text);
        }
        text.extend_from_slice(page);
        address += read as u64;
    }
    Ok(vec![]) // too long: the call will fail
}

/// Reads some machine words.
fn words(tid: Tid, address: u64, count: usize) -> io::Result<Vec<u64>> {
    let bytes = read_memory(tid, address, count * 8)?;
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
    Ok(bytes.chunks(8).map(word).collect())
}

/// Reads the first `length` bytes of the buffers of a vectored call.
fn read_vectors(tid: Tid, address: u64, count: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    for vector in words(tid, address, count * 2)?.chunks(2) {
        let more = (length - bytes.len()).min(vector[1] as usize);
        bytes.extend(read_memory(tid, vector[0], more)?);
    }
    Ok(bytes)
}
