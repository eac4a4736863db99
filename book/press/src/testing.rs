//! Helpers of the unit tests.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes a file below `root`, and creates the folders above it.
pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Runs git in `root`, and returns its output.
pub fn git(root: &Path, arguments: &str) -> String {
    let out = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org"])
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}
