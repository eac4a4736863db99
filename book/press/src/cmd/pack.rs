//! `cargo book pack`: an archive that measures on a machine without cargo or network.

use super::folders::{compress, copy, write};
use super::record;
use crate::machine::environment::{self, Environment};
use crate::model::Error;
use crate::pack::{self, MANIFEST, Pack};
use crate::process;
use crate::project::Project;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The name of the archive's only folder.
const FOLDER: &str = "perf-proved";

/// Files and folders that the press and the programs read at run time.
const SOURCES: [&str; 10] = [
    ".ci/breaks",
    "book/book.toml",
    "book/src",
    "book/theme",
    "src",
    "examples",
    "benches",
    "tests",
    "Cargo.lock",
    "README.md",
];

/// The script that records, at the root of the archive.
const MEASURE: &str = include_str!("pack/measure");

/// The size above which an archive is awkward to move, in bytes.
const AWKWARD: u64 = 60 << 20;

/// Builds the benches, the examples and the press, and packs them into
/// `target/proved/perf-proved.tar.gz`. Returns its path.
///
/// # Errors
///
/// If the system is not Linux, something does not build, or a file cannot be written.
pub fn run(project: &Project) -> Result<PathBuf, Error> {
    if !cfg!(target_os = "linux") {
        return Err(Error::Failed("an archive holds Linux programs: pack it on Linux".to_string()));
    }
    if project.packed().is_some() {
        return Err(Error::Failed("this is an unpacked archive: pack it again".to_string()));
    }
    let benches = record::build(project, &project.benches())?;
    let arguments = ["build", "--release", "--examples"];
    eprintln!("building the examples");
    let examples = process::programs(project, "example", "examples", &arguments)?;
    let press = env::current_exe()
        .map_err(|e| Error::Failed(format!("cannot tell this program's path: {e}")))?;

    let folder = project.scratch().join("pack").join(FOLDER);
    let _ = fs::remove_dir_all(&folder);
    for (name, program) in &benches {
        place(program, &pack::bench(&folder, name))?;
    }
    for (name, program) in &examples {
        place(program, &pack::example(&folder, name))?;
    }
    place(&press, &pack::programs(&folder).join("press"))?;
    for source in SOURCES.map(Path::new) {
        let from = project.root().join(source);
        if from.exists() {
            copy(&from, &folder.join(source))?;
        }
    }
    let (commit, modified) = environment::commit(project);
    let Environment { rustc, flags, linker, versions, .. } = Environment::read(project);
    let manifest = Pack { commit, modified, rustc, flags, linker, versions };
    let manifest = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    write(&folder.join(MANIFEST), &manifest)?;
    write(&folder.join("measure"), MEASURE)?;
    executable(&folder.join("measure"))?;

    let archive = project.scratch().join(format!("{FOLDER}.tar.gz"));
    compress(&folder, &archive)?;
    let size = fs::metadata(&archive).map(|metadata| metadata.len()).unwrap_or_default();
    println!("{} ({:.0} MiB)", archive.display(), size as f64 / (1 << 20) as f64);
    println!(
        "Unpack it on the machine to measure, and run\n\
         ./{FOLDER}/measure --machine NAME --about \"One sentence.\" --minutes 30"
    );
    if size > AWKWARD {
        return Err(Error::Failed(format!("{} is larger than 60 MiB", archive.display())));
    }
    Ok(archive)
}

/// Copies a program without its symbols, if the machine has `strip`.
fn place(program: &Path, to: &Path) -> Result<(), Error> {
    copy(program, to)?;
    let _ = Command::new("strip").arg(to).stderr(Stdio::null()).status();
    Ok(())
}

/// Lets everybody run the file.
fn executable(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|e| {
            Error::Failed(format!("cannot make {} executable: {e}", path.display()))
        })?;
    }
    let _ = path;
    Ok(())
}
