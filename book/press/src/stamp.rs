//! A stamp of files: it changes when one of them does.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// Returns a number that changes when a file below `paths` is written, created or removed.
pub fn stamp(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    paths.iter().for_each(|path| visit(path, &mut hasher));
    hasher.finish()
}

/// Adds the state of a file, or of all files below a folder, to `hasher`.
fn visit(path: &Path, hasher: &mut DefaultHasher) {
    // The next poll sees that a file has vanished.
    let Ok(about) = fs::metadata(path) else {
        return;
    };
    path.hash(hasher);
    if !about.is_dir() {
        (about.len(), about.modified().ok()).hash(hasher);
        return;
    }
    // Sorted, because the order of a folder's entries is arbitrary.
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    entries.sort();
    for entry in entries.iter().filter(|e| !e.ends_with("target")) {
        visit(entry, hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_a_file_and_not_without() {
        let dir = std::env::temp_dir().join(format!("press-watch-{}", std::process::id()));
        fs::create_dir_all(dir.join("deep")).unwrap();
        fs::write(dir.join("deep/page.md"), "one").unwrap();
        let watched = [dir.clone()];
        let before = stamp(&watched);
        assert_eq!(before, stamp(&watched));
        fs::write(dir.join("deep/page.md"), "longer").unwrap();
        let edited = stamp(&watched);
        assert_ne!(before, edited);
        fs::remove_file(dir.join("deep/page.md")).unwrap();
        assert_ne!(edited, stamp(&watched));
        fs::remove_dir_all(&dir).unwrap();
    }
}
