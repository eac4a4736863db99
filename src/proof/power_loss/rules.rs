//! The promises that a file system makes about a power cut.

/// The promises that a disk image may rely on. Everything that they do not exclude is legal.
///
/// Under all rules, a sector holds one of the contents that the file had there since the last
/// completed sync of the file, and a name means one of the things that it meant since the last
/// completed sync of its directory. A sector is written whole or not at all; a rename shows in
/// both of its names or in neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Their name.
    pub name: &'static str,
    /// The bytes that are written whole or not at all: 512 or 4,096.
    pub tear: usize,
    /// Changes of names and sizes get to the disk in the order in which they were made, across all
    /// files: if one is there, so are all before it. An fsync of a file that takes one along takes
    /// along all before it.
    pub metadata_in_order: bool,
    /// A size that has grown gets to the disk after the data in the blocks that are new to it.
    pub size_after_data: bool,
    /// A rename over another file gets to the disk after the data of the file renamed.
    pub replacement_after_data: bool,
}

impl Rules {
    /// The promises of POSIX, and no others: what [`fsync`] says is done is done; nothing else is
    /// certain, in any order, sizes without data included.
    ///
    /// This is the abstract persistence model with which [ALICE] found bugs in eleven
    /// applications, with one restriction: sectors do not mix two contents, which disks promise.
    ///
    /// [`fsync`]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/fsync.html
    /// [ALICE]: https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai
    pub const POSIX: Self = Self {
        name: "posix",
        tear: 512,
        metadata_in_order: false,
        size_after_data: false,
        replacement_after_data: false,
    };

    /// The promises of [ext4] as it is mounted by default: `data=ordered`, delayed allocation and
    /// `auto_da_alloc`.
    ///
    /// Its journal commits changes of metadata in order, writes the data of new blocks before the
    /// transaction that makes them visible, and detects a replacement by rename. An append into
    /// the last block of a file needs no new block, so its size may get there without its data.
    /// `auto_da_alloc` also guards a file that is truncated, written and closed; here it does not.
    ///
    /// [ext4]: https://docs.kernel.org/admin-guide/ext4.html
    pub const EXT4_ORDERED: Self = Self {
        name: "ext4-ordered",
        tear: 512,
        metadata_in_order: true,
        size_after_data: true,
        replacement_after_data: true,
    };

    /// All sets of rules.
    pub const ALL: [Self; 2] = [Self::POSIX, Self::EXT4_ORDERED];

    /// Returns the rules of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.name == name)
    }

    /// Returns the same rules for a disk that writes `tear` bytes whole or not at all.
    ///
    /// # Panics
    ///
    /// If `tear` is zero or does not divide 4,096, a page.
    pub fn torn_at(self, tear: usize) -> Self {
        assert!(tear > 0 && 4096_usize.is_multiple_of(tear), "{tear} does not divide a page");
        Self { tear, ..self }
    }
}
