//! The changes that a program made to a directory, in order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A file or a directory, whatever its names are. [`ROOT`] is the directory that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(pub(super) usize);

/// The directory that is watched.
pub const ROOT: Node = Node(0);

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    /// The directory.
    pub directory: Node,
    /// The name in it.
    pub name: Arc<str>,
}

impl Entry {
    /// Returns the name `name` in `directory`.
    pub fn new(directory: Node, name: &str) -> Self {
        Self { directory, name: name.into() }
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The moment at which the call was made.
    pub began: u64,
    /// The moment at which it returned, which is later, or the same for a program of one thread.
    pub ended: u64,
    /// Its effect.
    pub what: What,
}

/// The effect of an event. Calls that failed and changed nothing are no events.
#[derive(Clone, Debug)]
pub enum What {
    /// Gave a node a name: by `open` with `O_CREAT`, `mkdir` or `link`.
    Link {
        /// The new name.
        at: Entry,
        /// The file or directory that it means.
        node: Node,
    },
    /// Took a name away.
    Unlink {
        /// The name.
        at: Entry,
    },
    /// Moved a name, in place of another if there was one.
    Rename {
        /// The old name.
        from: Entry,
        /// The new name.
        to: Entry,
        /// The file or directory that has it.
        node: Node,
    },
    /// Wrote bytes.
    Write {
        /// The file.
        file: Node,
        /// The offset, in bytes from its start.
        offset: u64,
        /// The bytes that the kernel took.
        data: Arc<[u8]>,
        /// The call returned once they were durable (`O_DSYNC`, `O_SYNC`, `RWF_DSYNC`).
        durable: bool,
    },
    /// Set the size.
    Truncate {
        /// The file.
        file: Node,
        /// Its new size in bytes.
        size: u64,
    },
    /// Allocated blocks and thereby made the file at least as large as `size`.
    Allocate {
        /// The file.
        file: Node,
        /// Its least size afterwards.
        size: u64,
    },
    /// Synced a file or a directory.
    Sync {
        /// The file or directory.
        node: Node,
        /// By `fdatasync`, which leaves out what is not needed to read the data.
        data_only: bool,
    },
    /// Synced everything (`sync`, `syncfs`).
    SyncEverything,
    /// Failed to sync: what was written before may never get to the disk, whatever a later sync
    /// says.
    SyncFailed {
        /// The file or directory.
        node: Node,
    },
    /// Told the world something, by standard output, a pipe or a socket.
    Acknowledge(Ack),
}

/// Something that the program told the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// 1 if it went to the program's standard output, by whichever descriptor; 2 for standard
    /// error; otherwise the descriptor of the pipe or socket, or -1 if that is 1 or 2.
    pub to: i32,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl What {
    /// Returns the file whose data or size it changes.
    pub(super) fn file(&self) -> Option<Node> {
        match self {
            Self::Write { file, .. }
            | Self::Truncate { file, .. }
            | Self::Allocate { file, .. } => Some(*file),
            _ => None,
        }
    }

    /// Returns the names that it changes.
    pub(super) fn entries(&self) -> Vec<&Entry> {
        match self {
            Self::Link { at, .. } | Self::Unlink { at } => vec![at],
            Self::Rename { from, to, .. } => vec![from, to],
            _ => vec![],
        }
    }
}

/// A directory as it was at first, all of it durable, and what was done to it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The content of each file at first; `None` for a directory.
    pub(super) nodes: Vec<Option<Arc<[u8]>>>,
    /// A path for each node, for people: the first that it had.
    pub(super) labels: Vec<String>,
    /// The names at first.
    pub(super) names: BTreeMap<Entry, Node>,
    /// The events, by the moment at which they began.
    pub(super) events: Vec<Event>,
}

impl History {
    /// Starts with an empty directory.
    pub fn new() -> Self {
        let mut history = Self::default();
        history.add("", None);
        history
    }

    /// Adds a node that has no name yet: a file with `content`, or a directory.
    pub(super) fn add(&mut self, label: &str, content: Option<Arc<[u8]>>) -> Node {
        self.nodes.push(content);
        self.labels.push(label.to_owned());
        Node(self.nodes.len() - 1)
    }

    /// Returns the events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Returns a path for people.
    pub(super) fn label(&self, node: Node) -> &str {
        match self.labels[node.0].as_str() {
            "" => ".",
            label => label,
        }
    }

    /// Returns the path of a name, for people.
    fn path(&self, entry: &Entry) -> String {
        match self.labels[entry.directory.0].as_str() {
            "" => entry.name.to_string(),
            directory => format!("{directory}/{}", entry.name),
        }
    }

    /// Returns a line about an event, for people.
    pub fn describe<'a>(&'a self, what: &'a What) -> impl fmt::Display + 'a {
        Described { history: self, what }
    }
}

struct Described<'a> {
    history: &'a History,
    what: &'a What,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let history = self.history;
        match self.what {
            What::Link { at, node } if history.nodes[node.0].is_none() => {
                write!(f, "make directory {}", history.path(at))
            }
            What::Link { at, .. } => write!(f, "create {}", history.path(at)),
            What::Unlink { at } => write!(f, "remove {}", history.path(at)),
            What::Rename { from, to, .. } => {
                write!(f, "rename {} to {}", history.path(from), history.path(to))
            }
            What::Write { file, offset, data, durable } => {
                let durable = if *durable { ", durably" } else { "" };
                write!(
                    f,
                    "write {} bytes at {offset} of {}{durable}",
                    data.len(),
                    history.label(*file)
                )
            }
            What::Truncate { file, size } => {
                write!(f, "resize {} to {size} bytes", history.label(*file))
            }
            What::Allocate { file, size } => {
                write!(f, "allocate {size} bytes of {}", history.label(*file))
            }
            What::Sync { node, data_only: false } => write!(f, "fsync {}", history.label(*node)),
            What::Sync { node, .. } => write!(f, "fdatasync {}", history.label(*node)),
            What::SyncEverything => f.write_str("sync everything"),
            What::SyncFailed { node } => write!(f, "fail to sync {}", history.label(*node)),
            What::Acknowledge(ack) => write!(f, "acknowledge {} bytes", ack.bytes.len()),
        }
    }
}
