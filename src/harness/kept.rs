//! Keeps the numbers of an example for the book, which shows them beside the recorded ones.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

/// Writes the JSON of the running example to `proved/examples/NAME.json` in cargo's target folder.
/// An example that was not started by `cargo run`, is not optimized or has flags keeps nothing: its
/// numbers are not those that the claims are about. A tracer, for one, may make its calls fail.
///
/// # Errors
///
/// If the file cannot be written.
pub(super) fn keep(json: &str) -> io::Result<()> {
    let is_plain = env::var_os("CARGO_MANIFEST_DIR").is_some() && env::args_os().len() == 1;
    match place(&env::current_exe()?) {
        Some(path) if is_plain => write(&path, json),
        _ => Ok(()),
    }
}

/// Returns the path of the file for the example at `program`, which is `release/examples/NAME` in
/// cargo's target folder, or in the folder of one platform in it.
fn place(program: &Path) -> Option<PathBuf> {
    let release =
        program.parent().filter(|folder| folder.ends_with("release/examples"))?.parent()?;
    let target =
        release.ancestors().skip(1).take(2).find(|up| up.join("CACHEDIR.TAG").is_file())?;
    let name = program.file_stem()?.to_str()?;
    Some(target.join("proved/examples").join(format!("{name}.json")))
}

/// Writes a file in one step, so that no half of it is ever read.
fn write(path: &Path, json: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let new = path.with_extension(process::id().to_string());
    fs::write(&new, json)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::scratch::Scratch;

    #[test]
    fn only_an_optimized_example_of_cargo_has_a_place() {
        let scratch = Scratch::new().unwrap();
        let target = scratch.path().join("target");
        let place = |program: &str| place(&target.join(program));
        assert_eq!(place("release/examples/mmap"), None, "nothing says that it is cargo's");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let mmap = Some(target.join("proved/examples/mmap.json"));
        assert_eq!(place("release/examples/mmap"), mmap);
        assert_eq!(place("x86_64-unknown-linux-gnu/release/examples/mmap.exe"), mmap);
        assert_eq!(place("debug/examples/mmap"), None);
        assert_eq!(place("release/mmap"), None);
    }

    #[test]
    fn later_numbers_take_the_place_of_earlier_ones() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().join("proved/examples/mmap.json");
        write(&path, "{\"a.b\":1}").unwrap();
        write(&path, "{\"a.b\":2}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a.b\":2}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
