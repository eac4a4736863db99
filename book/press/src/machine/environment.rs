//! The environment of a measurement: machine, system, compiler and settings.

use crate::project::Project;
use serde::{Deserialize, Serialize};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The environment of a measurement. A field that could not be read is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// The processor's model name.
    pub cpu: Option<String>,
    /// The number of processors that this process may use.
    pub cores: Option<usize>,
    /// The caches: `L1d 32 KiB, L2 1 MiB, …`.
    pub caches: Option<String>,
    /// The memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel's name and release.
    pub kernel: Option<String>,
    /// The hypervisor, or `none`.
    pub virtualization: Option<String>,
    /// The kernel's policy for the clock frequency.
    pub governor: Option<String>,
    /// The file system that `target/` lies on.
    pub filesystem: Option<String>,
    /// The output of `rustc --version`.
    pub rustc: Option<String>,
    /// The profile and `RUSTFLAGS`.
    pub flags: Option<String>,
    /// The version of criterion.
    pub criterion: Option<String>,
    /// Criterion's settings: warm-up, measurement, samples.
    pub settings: Option<String>,
    /// The share of CPU time, from 0 to 1, that the hypervisor gave to other machines meanwhile.
    pub stolen_share: Option<f64>,
    /// The load average over the minute before the measurement began.
    pub load_before: Option<f64>,
}

impl Environment {
    /// Returns `true` if recordings from the two environments may be compared: the same machine
    /// with the same compiler and settings. Load and stolen time, which differ in every run, do not
    /// matter.
    pub fn is_like(&self, other: &Environment) -> bool {
        let lasting =
            |of: &Environment| Environment { stolen_share: None, load_before: None, ..of.clone() };
        lasting(self) == lasting(other)
    }

    /// Reads the environment of this machine. `load_before` is the load now; the caller fills in
    /// `criterion`, `settings` and `stolen_share`.
    pub fn read(project: &Project) -> Environment {
        let packed = project.packed();
        let memory = read("/proc/meminfo").and_then(|text| {
            let kib: u64 = field(&text, "MemTotal")?.trim_end_matches("kB").trim().parse().ok()?;
            Some(kib * 1024)
        });
        Environment {
            cpu: cpu(),
            cores: std::thread::available_parallelism().ok().map(usize::from),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            memory_bytes: memory.or_else(|| said("sysctl", &["-n", "hw.memsize"])?.parse().ok()),
            kernel: kernel(),
            virtualization: virtualization(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            filesystem: filesystem(project.target()),
            rustc: match packed {
                Some(pack) => pack.rustc.clone(),
                None => said(&env::var("RUSTC").unwrap_or("rustc".to_string()), &["--version"]),
            },
            flags: packed.map_or_else(|| Some(flags()), |pack| pack.flags.clone()),
            criterion: None,
            settings: None,
            stolen_share: None,
            load_before: read("/proc/loadavg")
                .and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    /// Returns the rows of a page's table, label and value; a missing value is `not known`.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let memory =
            self.memory_bytes.map(|b| format!("{:.1} GiB", b as f64 / (1u64 << 30) as f64));
        let stolen = self.stolen_share.map(|share| format!("{:.1} %", share * 100.0));
        let rows = [
            ("Processor", self.cpu.clone()),
            ("Cores used", self.cores.map(|n| n.to_string())),
            ("Caches", self.caches.clone()),
            ("Memory", memory),
            ("Kernel", self.kernel.clone()),
            ("Virtualization", self.virtualization.clone()),
            ("Frequency governor", self.governor.clone()),
            ("File system of target/", self.filesystem.clone()),
            ("Compiler", self.rustc.clone()),
            ("Flags", self.flags.clone()),
            ("criterion", self.criterion.clone()),
            ("Settings", self.settings.clone()),
            ("CPU time stolen by the hypervisor", stolen),
            ("Load before it began", self.load_before.map(|load| format!("{load:.2}"))),
        ];
        rows.into_iter()
            .map(|(label, value)| (label, value.unwrap_or_else(|| "not known".to_string())))
            .collect()
    }
}

/// Returns git's commit, and `true` if files other than recordings differ from it.
pub fn commit(project: &Project) -> (Option<String>, Option<bool>) {
    if let Some(pack) = project.packed() {
        return (pack.commit.clone(), pack.modified);
    }
    let git = |args: &[&str]| {
        let out = Command::new("git").arg("-C").arg(project.root()).args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_string())
    };
    let changes = git(&["status", "--porcelain", "--", ".", ":!book/machines"]);
    (git(&["rev-parse", "HEAD"]), changes.map(|changes| !changes.is_empty()))
}

/// The kernel's account of CPU time over all processors since it started.
#[derive(Clone, Copy, Debug)]
pub struct CpuTime {
    stolen: u64,
    total: u64,
}

impl CpuTime {
    /// Reads the account now, if the kernel keeps one. Source: proc_stat(5).
    pub fn now() -> Option<CpuTime> {
        CpuTime::parse(&read("/proc/stat")?)
    }

    fn parse(stat: &str) -> Option<CpuTime> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // user, nice, system, idle, iowait, irq, softirq, steal. The columns after these, guest
        // time, are already part of user and nice.
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map_while(|t| t.parse().ok()).collect();
        (ticks.len() == 8).then(|| CpuTime { stolen: ticks[7], total: ticks.iter().sum() })
    }

    /// Returns the share of CPU time since `before` that the hypervisor gave to other machines.
    pub fn stolen_since(self, before: CpuTime) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|total| *total > 0)?;
        Some(self.stolen.checked_sub(before.stolen)? as f64 / total as f64)
    }
}

fn cpu() -> Option<String> {
    read("/proc/cpuinfo")
        .and_then(|text| field(&text, "model name"))
        .or_else(|| said("sysctl", &["-n", "machdep.cpu.brand_string"]))
        .or_else(|| env::var("PROCESSOR_IDENTIFIER").ok())
}

fn kernel() -> Option<String> {
    match read("/proc/sys/kernel/osrelease") {
        Some(release) => Some(format!("Linux {release}")),
        None => said("uname", &["-sr"]).or_else(|| said("cmd", &["/c", "ver"])),
    }
}

/// Reads `L1d 32 KiB, L1i 32 KiB, L2 1 MiB` from a folder in sysfs. Source: the kernel's
/// `Documentation/ABI/testing/sysfs-devices-system-cpu`.
fn caches(folder: &Path) -> Option<String> {
    let mut caches: Vec<String> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let of = |name: &str| read(entry.path().join(name));
            let kind = match of("type")?.as_str() {
                "Data" => "d",
                "Instruction" => "i",
                _ => "",
            };
            let size = of("size")?;
            let kib: u64 = size.strip_suffix('K')?.parse().ok()?;
            let size = if kib.is_multiple_of(1024) {
                format!("{} MiB", kib / 1024)
            } else {
                format!("{kib} KiB")
            };
            Some(format!("L{}{kind} {size}", of("level")?))
        })
        .collect();
    caches.sort();
    (!caches.is_empty()).then(|| caches.join(", "))
}

/// Returns the hypervisor's name, if the machine tells it, or `none` if the processor reports no
/// hypervisor.
fn virtualization() -> Option<String> {
    let flags = field(&read("/proc/cpuinfo")?, "flags")?;
    if !flags.split(' ').any(|flag| flag == "hypervisor") {
        return Some("none".to_string());
    }
    let told = ["sys_vendor", "product_name"]
        .iter()
        .filter_map(|name| read(format!("/sys/class/dmi/id/{name}")))
        .collect::<Vec<_>>()
        .join(" ");
    Some(if told.is_empty() {
        "virtual machine".to_string()
    } else {
        format!("virtual machine ({told})")
    })
}

/// Returns the type of the file system that holds `path`, or the nearest existing folder above it.
fn filesystem(path: &Path) -> Option<String> {
    let path = path.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    filesystem_in(&read("/proc/self/mountinfo")?, &path)
}

/// Finds the innermost mount in the format of proc_pid_mountinfo(5). A later mount hides an earlier
/// one at the same place.
fn filesystem_in(mountinfo: &str, path: &Path) -> Option<String> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, source) = line.split_once(" - ")?;
            let at = mount.split(' ').nth(4)?.replace("\\040", " ");
            path.starts_with(&at).then(|| (at.len(), source.split(' ').next()))
        })
        .max_by_key(|(length, _)| *length)
        .and_then(|(_, kind)| kind.map(str::to_string))
}

fn flags() -> String {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS").ok().map(|flags| flags.replace('\x1f', " "));
    match encoded.or_else(|| env::var("RUSTFLAGS").ok()).filter(|flags| !flags.is_empty()) {
        Some(flags) => format!("profile bench, RUSTFLAGS={flags}"),
        None => "profile bench, no RUSTFLAGS".to_string(),
    }
}

/// Runs a program and returns its output, or `None` if it is missing, fails or prints nothing.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let out =
        Command::new(program).args(arguments).output().ok().filter(|out| out.status.success())?;
    let text = String::from_utf8(out.stdout).ok()?.trim().to_string();
    (!text.is_empty()).then_some(text)
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?.trim().to_string();
    (!text.is_empty()).then_some(text)
}

/// Returns the value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_string()).filter(|value| !value.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stolen_share_is_taken_over_the_span() {
        let before = CpuTime::parse("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 1").unwrap();
        let after = CpuTime::parse("cpu  200 0 100 1600 20 0 10 70 9 0").unwrap();
        assert_eq!(after.stolen_since(before), Some(35.0 / 1000.0));
        assert_eq!(before.stolen_since(before), None, "no time passed");
        assert_eq!(before.stolen_since(after), None, "the account went backwards");
        assert!(CpuTime::parse("cpu  1 2 3 4").is_none(), "a kernel without the column");
        assert!(CpuTime::parse("").is_none());
    }

    #[test]
    fn the_file_system_is_that_of_the_innermost_mount() {
        let mounts = "21 1 0:1 / / rw - ext4 /dev/a rw\n\
                      22 21 0:2 / /data rw shared:1 - xfs /dev/b rw\n\
                      23 21 0:3 / /my\\040data rw - tmpfs none rw";
        let of = |path: &str| filesystem_in(mounts, Path::new(path));
        assert_eq!(of("/data/x/target").as_deref(), Some("xfs"));
        assert_eq!(of("/database").as_deref(), Some("ext4"), "a folder is no prefix of a name");
        assert_eq!(of("/my data/target").as_deref(), Some("tmpfs"));
        assert_eq!(filesystem_in("", Path::new("/x")), None);
    }

    #[test]
    fn a_missing_value_is_not_known() {
        let rows = Environment::default().rows();
        assert!(rows.iter().all(|(_, value)| value == "not known"), "{rows:?}");
        assert_eq!(caches(Path::new("/no/such/folder")), None);
        assert_eq!(said("no-such-program", &[]), None);
    }

    #[test]
    fn an_environment_survives_being_written_and_read() {
        let environment = Environment::read(&Project::at("/no/such/project"));
        assert!(environment.cores.is_some() && environment.flags.is_some());
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), environment);
    }
}
