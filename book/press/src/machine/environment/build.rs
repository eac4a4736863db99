//! The build of the benches: compiler, flags, linker, and the crates that they compare with.

use super::reading::said;
use crate::project::Project;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;

/// The package of the benches.
pub const BENCHES: &str = "perf-proved-benches";

/// The build of the benches, here or on the machine that packed them.
pub(super) struct Build {
    pub rustc: Option<String>,
    pub flags: Option<String>,
    pub linker: Option<String>,
    pub versions: BTreeMap<String, String>,
}

impl Build {
    pub fn of(project: &Project) -> Build {
        match project.packed() {
            Some(pack) => Build {
                rustc: pack.rustc.clone(),
                flags: pack.flags.clone(),
                linker: pack.linker.clone(),
                versions: pack.versions.clone(),
            },
            None => Build {
                rustc: rustc(),
                flags: Some(flags()),
                linker: linker(),
                versions: versions(project),
            },
        }
    }
}

/// Returns the output of `rustc --version`.
fn rustc() -> Option<String> {
    said(&env::var("RUSTC").unwrap_or("rustc".to_string()), &["--version"])
}

/// Returns the profile and `RUSTFLAGS`.
fn flags() -> String {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").ok().map(|flags| flags.replace('\x1f', " "));
    match encoded.or_else(|| env::var("RUSTFLAGS").ok()).filter(|flags| !flags.is_empty()) {
        Some(flags) => format!("profile bench, RUSTFLAGS={flags}"),
        None => "profile bench, no RUSTFLAGS".to_string(),
    }
}

/// Returns the linker of this program, which cargo has linked like the benches. LLD and mold leave
/// their names in the section `.comment`; a program without them was linked by the default linker
/// of `cc`.
fn linker() -> Option<String> {
    let program = env::current_exe().ok()?;
    let comment = said("readelf", &["-p", ".comment", program.to_str()?])?;
    linker_in(&comment).or_else(|| {
        let default = said("cc", &["-Wl,--version"])?;
        default.lines().next().map(str::to_string)
    })
}

/// Finds `Linker: LLD 22.1.2 (…)` or `mold 2.40.0 (…)` in a dump of `.comment`.
fn linker_in(comment: &str) -> Option<String> {
    comment.lines().find_map(|line| {
        let (_, text) = line.split_once(']')?;
        let text = text.trim();
        let name = text.strip_prefix("Linker: ").or(text.starts_with("mold ").then_some(text))?;
        Some(name.split(" (").next().unwrap_or(name).to_string())
    })
}

/// Returns the versions of the crates that the benches depend on directly: the allocators and peers
/// that they compare with, and the library's own.
fn versions(project: &Project) -> BTreeMap<String, String> {
    versions_in(&project.root().join("Cargo.lock")).unwrap_or_default()
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// `name`, or `name version` where there are several versions.
    #[serde(default)]
    dependencies: Vec<String>,
    /// Missing for the workspace's own packages.
    source: Option<String>,
}

fn versions_in(lock: &Path) -> Option<BTreeMap<String, String>> {
    let lock: Lock = toml::from_str(&fs::read_to_string(lock).ok()?).ok()?;
    let benches = lock.package.iter().find(|package| package.name == BENCHES)?;
    let found = benches.dependencies.iter().filter_map(|dependency| {
        let (name, version) = match dependency.split_once(' ') {
            Some((name, rest)) => (name, rest.split(' ').next()),
            None => (dependency.as_str(), None),
        };
        let package = lock.package.iter().find(|package| {
            package.name == name && version.is_none_or(|version| package.version == version)
        })?;
        package.source.as_ref()?;
        Some((package.name.clone(), package.version.clone()))
    });
    Some(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_benches_own_dependencies() {
        let folder = tempfile::TempDir::new().unwrap();
        let lock = folder.path().join("Cargo.lock");
        assert_eq!(versions_in(&lock), None);
        let text = r#"
            version = 4
            [[package]]
            name = "mimalloc"
            version = "0.1.48"
            source = "registry"
            [[package]]
            name = "rand"
            version = "0.8.5"
            source = "registry"
            [[package]]
            name = "rand"
            version = "0.9.2"
            source = "registry"
            [[package]]
            name = "perf-proved"
            version = "0.1.0"
            [[package]]
            name = "other"
            version = "7.0.0"
            source = "registry"
            [[package]]
            name = "perf-proved-benches"
            version = "0.1.0"
            dependencies = ["mimalloc", "perf-proved", "rand 0.9.2"]
        "#;
        fs::write(&lock, text).unwrap();
        let versions = versions_in(&lock).unwrap();
        let expected = [("mimalloc", "0.1.48"), ("rand", "0.9.2")];
        assert_eq!(
            versions.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_linker_is_told_by_what_it_leaves_in_the_program() {
        let lld = "String dump of section '.comment':\n  [     0]  rustc version 1.95.0 (59807616e)\n  \
                   [    2c]  Linker: LLD 22.1.2 (/checkout/llvm 1cb4e38)\n  [    8b]  GCC: (Debian)";
        assert_eq!(linker_in(lld).as_deref(), Some("LLD 22.1.2"));
        let mold = "  [     0]  mold 2.40.0 (compatible with GNU ld)";
        assert_eq!(linker_in(mold).as_deref(), Some("mold 2.40.0"));
        assert_eq!(linker_in("  [     0]  GCC: (Debian 12.2.0) 12.2.0"), None);
    }
}
