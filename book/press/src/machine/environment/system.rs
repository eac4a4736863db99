//! The system below a measurement: kernel, C library, hypervisor, memory policy and file systems.

use super::reading::{field, read, said};
use std::path::Path;

/// Returns the kernel's name and release.
pub(super) fn kernel() -> Option<String> {
    match read("/proc/sys/kernel/osrelease") {
        Some(release) => Some(format!("Linux {release}")),
        None => said("uname", &["-sr"]).or_else(|| said("cmd", &["/c", "ver"])),
    }
}

/// Returns the C library that programs of this target link with, and its version: `glibc 2.36`.
pub(super) fn libc() -> Option<String> {
    if cfg!(target_env = "musl") {
        return Some("musl".to_string());
    }
    if !cfg!(target_env = "gnu") || !cfg!(target_os = "linux") {
        return None;
    }
    said("getconf", &["GNU_LIBC_VERSION"]).or_else(|| glibc_of_ldd(&said("ldd", &["--version"])?))
}

/// Reads `ldd (Debian GLIBC 2.36-9) 2.36`.
fn glibc_of_ldd(text: &str) -> Option<String> {
    let first = text.lines().next()?;
    let (_, version) = first.rsplit_once(' ')?;
    first.to_lowercase().contains("glibc").then(|| format!("glibc {version}"))
}

/// Returns the hypervisor's name, if the machine tells it, or `none` if the processor reports no
/// hypervisor.
pub(super) fn virtualization() -> Option<String> {
    let flags = field(&read("/proc/cpuinfo")?, "flags")?;
    if !flags.split(' ').any(|flag| flag == "hypervisor") {
        return Some("none".to_string());
    }
    // The name that the hypervisor gives in CPUID, and that the firmware gives.
    let mut told: Vec<String> =
        said("lscpu", &[]).and_then(|text| field(&text, "Hypervisor vendor")).into_iter().collect();
    let firmware = ["sys_vendor", "product_name"]
        .iter()
        .filter_map(|name| read(format!("/sys/class/dmi/id/{name}")))
        .collect::<Vec<_>>()
        .join(" ");
    told.extend(Some(firmware).filter(|text| !text.is_empty()));
    Some(if told.is_empty() {
        "virtual machine".to_string()
    } else {
        format!("virtual machine ({})", told.join("; "))
    })
}

/// Returns the mode of transparent huge pages: `always`, `madvise` or `never`. Source: the kernel's
/// `Documentation/admin-guide/mm/transhuge.rst`.
pub(super) fn huge_pages() -> Option<String> {
    bracketed(&read("/sys/kernel/mm/transparent_hugepage/enabled")?)
}

/// Returns the word in brackets of `always [madvise] never`.
fn bracketed(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_string())
}

/// Returns the kernel's policy for memory that is promised and not there. Source: proc_sys_vm(5).
pub(super) fn overcommit() -> Option<String> {
    let mode = read("/proc/sys/vm/overcommit_memory")?;
    let name = match mode.as_str() {
        "0" => "heuristic",
        "1" => "always",
        "2" => "never",
        _ => return Some(mode),
    };
    Some(name.to_string())
}

/// The file system that holds a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its type: `ext4`.
    pub kind: String,
    /// Its options: those of the mount, then those of the file system.
    pub options: String,
}

/// Returns the mount that holds `path`, or the nearest existing folder above it.
pub(super) fn mount(path: &Path) -> Option<Mount> {
    let path = path.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    mount_in(&read("/proc/self/mountinfo")?, &path)
}

/// Finds the innermost mount in the format of proc_pid_mountinfo(5). A later mount hides an earlier
/// one at the same place.
fn mount_in(mountinfo: &str, path: &Path) -> Option<Mount> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, source) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(4);
            let at = fields.next()?.replace("\\040", " ");
            let mut options: Vec<&str> = fields.next()?.split(',').collect();
            let mut source = source.split(' ');
            let kind = source.next()?.to_string();
            for option in source.nth(1).unwrap_or_default().split(',') {
                if !option.is_empty() && !options.contains(&option) {
                    options.push(option);
                }
            }
            let mount = Mount { kind, options: options.join(",") };
            path.starts_with(&at).then_some((at.len(), mount))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, mount)| mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_innermost_mount() {
        let mounts = "21 1 0:1 / / rw,relatime - ext4 /dev/a rw,discard\n\
                      22 21 0:2 / /data rw shared:1 - xfs /dev/b rw\n\
                      23 21 0:3 / /my\\040data ro - tmpfs none rw,size=4k";
        let of = |path: &str| {
            let mount = mount_in(mounts, Path::new(path)).unwrap();
            format!("{} {}", mount.kind, mount.options)
        };
        assert_eq!(of("/data/x/target"), "xfs rw");
        assert_eq!(of("/database"), "ext4 rw,relatime,discard", "a folder is no prefix of a name");
        assert_eq!(of("/my data/target"), "tmpfs ro,rw,size=4k");
        assert_eq!(mount_in("", Path::new("/x")), None);
    }

    #[test]
    fn words_are_read_out_of_what_the_system_prints() {
        assert_eq!(bracketed("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(bracketed("always madvise never"), None);
        let debian = "ldd (Debian GLIBC 2.36-9+deb12u14) 2.36\nCopyright";
        assert_eq!(glibc_of_ldd(debian).as_deref(), Some("glibc 2.36"));
        assert_eq!(glibc_of_ldd("ldd (Ubuntu GLIBC 2.39-0) 2.39").as_deref(), Some("glibc 2.39"));
        assert_eq!(glibc_of_ldd("another ldd 1.0"), None);
    }
}
