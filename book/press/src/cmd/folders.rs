//! Files and folders that commands copy, write and pack.

use crate::model::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Copies a file, or a folder with everything in it, creating the folders above.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| {
        Error::Failed(format!("cannot copy {} to {}: {e}", from.display(), to.display()))
    };
    if from.is_dir() {
        for entry in fs::read_dir(from).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::copy(from, to).map(|_| ()).map_err(failed)
}

/// Writes a file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text)
        .map_err(|e| Error::Failed(format!("cannot write {}: {e}", path.display())))
}

/// Packs `folder` into `archive` by `tar`, which every Linux system has.
pub(super) fn compress(folder: &Path, archive: &Path) -> Result<(), Error> {
    let above = folder.parent().unwrap_or(folder);
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    let status = Command::new("tar")
        .args(["--create", "--gzip", "--owner=0", "--group=0", "--file"])
        .arg(archive)
        .arg("--directory")
        .arg(above)
        .arg(name)
        .status()
        .map_err(|e| Error::Failed(format!("cannot run tar: {e}")))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::Failed(format!("tar failed ({status})"))),
    }
}
