//! An unpacked archive of `cargo book pack`: programs that were built on another machine.
//!
//! The archive is a copy of the sources that the press reads, with `pack.json` and the programs
//! beside them:
//!
//! ```text
//! measure              the script that starts `bin/press record`
//! pack.json            how the programs were built
//! bin/press
//! bin/benches/NAME
//! bin/examples/NAME
//! book/ src/ …         as in the repository, without Cargo.toml
//! ```

use crate::model::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The name of the file that makes a folder an unpacked archive.
pub const MANIFEST: &str = "pack.json";

/// The build of the programs of an archive: what the press asks cargo, git and rustc elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// The commit that git named.
    pub commit: Option<String>,
    /// `true` if files other than recordings differed from that commit.
    pub modified: Option<bool>,
    /// The output of `rustc --version`.
    pub rustc: Option<String>,
    /// The profile and `RUSTFLAGS`.
    pub flags: Option<String>,
    /// The linker and its version.
    #[serde(default)]
    pub linker: Option<String>,
    /// The versions of the allocators and peers that the benches compare with, by crate.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
}

impl Pack {
    /// Reads the manifest of the archive unpacked at `root`; `None` if that is no such folder.
    ///
    /// # Errors
    ///
    /// If the manifest cannot be read or is damaged.
    pub fn load(root: &Path) -> Result<Option<Pack>, Error> {
        let path = root.join(MANIFEST);
        let bad = |what: String| Error::Failed(format!("{}: {what}", path.display()));
        match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).map(Some).map_err(|e| bad(format!("damaged: {e}")))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(bad(format!("cannot read: {e}"))),
        }
    }
}

/// Returns the folder of the archive's programs.
pub fn programs(root: &Path) -> PathBuf {
    root.join("bin")
}

/// Returns the path of a bench's program.
pub fn bench(root: &Path, name: &str) -> PathBuf {
    programs(root).join("benches").join(name)
}

/// Returns the path of an example's program.
pub fn example(root: &Path, name: &str) -> PathBuf {
    programs(root).join("examples").join(name)
}
