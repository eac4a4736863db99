//! The contents of a directory, as a value.

use crate::sys::trying;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

/// The contents of a directory: its files and directories, by their paths in it, with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Image(BTreeMap<String, Option<Arc<[u8]>>>);

impl Image {
    /// Returns the contents of the file at `path`; `None` if there is none.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path)?.as_deref()
    }

    /// Iterates over the paths, sorted. The content is `None` for a directory.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.iter().map(|(path, content)| (path.as_str(), content.as_deref()))
    }

    /// Returns the paths of the files, sorted.
    pub fn files(&self) -> Vec<&str> {
        self.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path).collect()
    }

    /// Puts a file, or a directory if `content` is `None`, at `path`.
    pub fn put(&mut self, path: &str, content: Option<Arc<[u8]>>) {
        self.0.insert(path.to_owned(), content);
    }

    /// Reads what the directory at `path` holds.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or something in it is neither a file nor a directory, or a name is not
    /// UTF-8.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut image = Self::default();
        let mut folders = vec![(path.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in
                trying(format_args!("listing {}", folder.display()), fs::read_dir(&folder))?
            {
                let entry = entry?;
                let name = entry.file_name().into_string().map_err(|name| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{name:?} is not UTF-8"))
                })?;
                let name = format!("{prefix}{name}");
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                    image.put(&name, None);
                } else if kind.is_file() {
                    let read = fs::read(entry.path());
                    let content = trying(format_args!("reading {}", entry.path().display()), read)?;
                    image.put(&name, Some(content.into()));
                } else {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        format!("{} is neither a file nor a directory", entry.path().display()),
                    ));
                }
            }
        }
        Ok(image)
    }

    /// Writes it into the directory at `path`, and removes everything else there.
    ///
    /// # Errors
    ///
    /// If something cannot be written or removed; the error names it.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        for entry in trying(format_args!("listing {}", path.display()), fs::read_dir(path))? {
            let entry = entry?;
            let removed = if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            trying(format_args!("removing {}", entry.path().display()), removed)?;
        }
        // Sorted, so a directory comes before what it holds.
        for (name, content) in self.iter() {
            let path = path.join(name);
            let written = match content {
                Some(content) => fs::write(&path, content),
                None => fs::create_dir(&path),
            };
            trying(format_args!("writing {}", path.display()), written)?;
        }
        Ok(())
    }

    /// Returns a path at which the two differ.
    #[allow(dead_code, reason = "only the recorder, which not all platforms have, compares")]
    pub(super) fn difference<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        let mut paths = self.0.keys().chain(other.0.keys());
        paths.find(|path| self.0.get(*path) != other.0.get(*path)).map(String::as_str)
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}
