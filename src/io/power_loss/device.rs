//! The file system and the disk behind a path, by what they say of themselves.

use crate::sys::trying;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The directory on which it is mounted.
    pub at: PathBuf,
    /// Its type, such as `ext4`.
    pub kind: String,
    /// The options of the mount and of the file system.
    pub options: String,
    /// The numbers of its device, as `MAJOR:MINOR`.
    pub device: String,
}

/// A disk's cache and sectors, as it describes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// It has a cache that forgets without power, so that the kernel must flush it (`write back`).
    pub volatile_cache: bool,
    /// It writes through that cache when it is asked to (`FUA`), which saves a flush.
    pub forced_unit_access: bool,
    /// The bytes of the smallest write.
    pub logical_block: u64,
    /// The bytes that it writes at once: what may tear is not smaller than one of the two.
    pub physical_block: u64,
}

impl Mount {
    /// Finds the file system that holds `path`, in `/proc/self/mountinfo`.
    ///
    /// # Errors
    ///
    /// If the path does not exist or the kernel does not tell.
    pub fn of(path: &Path) -> io::Result<Self> {
        let path = trying(path.display(), path.canonicalize())?;
        let file = "/proc/self/mountinfo";
        let text = trying(file, fs::read_to_string(file))?;
        let none = || io::Error::other(format!("{file} has no file system for {}", path.display()));
        text.lines()
            .filter_map(Self::parse)
            .filter(|mount| path.starts_with(&mount.at))
            // The later of two on the same directory hides the earlier.
            .max_by_key(|mount| mount.at.components().count())
            .ok_or_else(none)
    }

    /// Reads a line such as `27 1 254:0 / /home rw,relatime shared:1 - ext4 /dev/vda rw,discard`
    /// (`proc_pid_mountinfo(5)`).
    fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let at = left.get(4)?.replace("\\040", " ").into();
        let options = format!("{},{}", left.get(5)?, right.get(2)?);
        let kind = (*right.first()?).to_owned();
        Some(Self { at, kind, options, device: (*left.get(2)?).to_owned() })
    }
}

impl Disk {
    /// Asks the disk of a file system, in `/sys/dev/block`.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the file system has no disk, as in memory or over a network.
    pub fn of(mount: &Mount) -> io::Result<Self> {
        let device = PathBuf::from("/sys/dev/block").join(&mount.device);
        // A partition has the queue of its disk.
        let queues = [device.join("queue"), device.join("../queue")];
        let Some(queue) = queues.iter().find(|queue| queue.is_dir()) else {
            let what = format!("{} at {} has no disk", mount.kind, mount.at.display());
            return Err(crate::sys::unsupported(&what));
        };
        let read = |name: &str| {
            let path = queue.join(name);
            let text = trying(path.display(), fs::read_to_string(&path))?;
            Ok::<String, io::Error>(text.trim().to_owned())
        };
        let number = |name: &str| read(name)?.parse().map_err(io::Error::other);
        Ok(Self {
            volatile_cache: read("write_cache")? == "write back",
            forced_unit_access: read("fua")? == "1",
            logical_block: number("logical_block_size")?,
            physical_block: number("physical_block_size")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_is_read() {
        let line =
            "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let mount = Mount::parse(line).unwrap();
        assert_eq!(mount.at, Path::new("/mnt 2"));
        assert_eq!((mount.kind.as_str(), mount.device.as_str()), ("ext3", "98:0"));
        assert_eq!(mount.options, "rw,noatime,rw,errors=continue");
        assert_eq!(Mount::parse("no line of it"), None);
    }

    #[test]
    fn the_file_system_of_proc_is_proc_and_has_no_disk() {
        let mount = Mount::of(Path::new("/proc/self")).unwrap();
        assert_eq!((mount.at.as_path(), mount.kind.as_str()), (Path::new("/proc"), "proc"));
        let error = Disk::of(&mount).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
