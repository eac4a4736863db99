//! Where and how something was measured: what this machine says about itself.

use crate::project::Project;
use serde::{Deserialize, Serialize};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where and how something was measured. What could not be read is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// The processor's model name.
    pub cpu: Option<String>,
    /// Processors that this process may use.
    pub cores: Option<usize>,
    /// `L1d 32 KiB, L2 1 MiB, …`.
    pub caches: Option<String>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel's name and release.
    pub kernel: Option<String>,
    /// The hypervisor, or `none`.
    pub virtualisation: Option<String>,
    /// How the clock frequency is chosen.
    pub governor: Option<String>,
    /// The file system that `target/` lies on.
    pub filesystem: Option<String>,
    /// `rustc --version`.
    pub rustc: Option<String>,
    /// `RUSTFLAGS` and the profile.
    pub flags: Option<String>,
    /// criterion's version.
    pub criterion: Option<String>,
    /// What criterion was told: warm-up, measurement, samples.
    pub settings: Option<String>,
    /// Share of the CPU time that the hypervisor gave to others meanwhile, 0 to 1.
    pub stolen_share: Option<f64>,
    /// Runnable processes on average over the minute before it began.
    pub load_before: Option<f64>,
}

impl Environment {
    /// Whether two recordings may be compared: the same machine with the same compiler and
    /// settings. What changes from run to run by nature, load and stolen time, is left out.
    pub fn is_like(&self, other: &Environment) -> bool {
        let lasting =
            |of: &Environment| Environment { stolen_share: None, load_before: None, ..of.clone() };
        lasting(self) == lasting(other)
    }

    /// What can be read of this machine now. `load_before` is the load at this moment; `criterion`,
    /// `settings` and `stolen_share` are for whoever measures to fill in.
    pub fn read(project: &Project) -> Environment {
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
            virtualisation: virtualisation(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            filesystem: filesystem(project.target()),
            rustc: said(&env::var("RUSTC").unwrap_or("rustc".to_string()), &["--version"]),
            flags: Some(flags()),
            criterion: None,
            settings: None,
            stolen_share: None,
            load_before: read("/proc/loadavg")
                .and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    /// The fields that a page shows, in order, with labels in words; what is not known says so.
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
            ("Virtualization", self.virtualisation.clone()),
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

/// git's commit, and whether files differ from it; recordings themselves do not count.
pub fn commit(project: &Project) -> (Option<String>, Option<bool>) {
    let git = |args: &[&str]| {
        let out = Command::new("git").arg("-C").arg(project.root()).args(args).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_string())
    };
    let changes = git(&["status", "--porcelain", "--", ".", ":!book/machines"]);
    (git(&["rev-parse", "HEAD"]), changes.map(|changes| !changes.is_empty()))
}

/// The kernel's account of CPU time since it started, over all processors.
#[derive(Clone, Copy, Debug)]
pub struct CpuTime {
    stolen: u64,
    total: u64,
}

impl CpuTime {
    /// The account now, where there is one. Source: proc_stat(5).
    pub fn now() -> Option<CpuTime> {
        CpuTime::parse(&read("/proc/stat")?)
    }

    fn parse(stat: &str) -> Option<CpuTime> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; guests' time is part of user and
        // nice.
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map_while(|t| t.parse().ok()).collect();
        (ticks.len() == 8).then(|| CpuTime { stolen: ticks[7], total: ticks.iter().sum() })
    }

    /// The share of CPU time since `before` that the hypervisor gave to others.
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

/// `L1d 32 KiB, L1i 32 KiB, L2 1 MiB`, from a folder of the kernel's (sysfs-devices-system-cpu).
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

/// The hypervisor's name where one is told; "none" only where the processor would have said
/// otherwise.
fn virtualisation() -> Option<String> {
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

/// The type of the file system that holds `path`, or the nearest folder above it that exists.
fn filesystem(path: &Path) -> Option<String> {
    let path = path.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    filesystem_in(&read("/proc/self/mountinfo")?, &path)
}

/// Source: proc_pid_mountinfo(5). A later mount hides an earlier one at the same place.
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

/// What a program says on one line, if it is there and succeeds.
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

/// The value of the first line `name : value`.
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
    fn what_cannot_be_read_says_so() {
        let rows = Environment::default().rows();
        assert!(rows.iter().all(|(_, value)| value == "not known"), "{rows:?}");
        assert_eq!(caches(Path::new("/no/such/folder")), None);
        assert_eq!(said("no-such-program", &[]), None);
    }

    #[test]
    fn an_environment_is_read_and_kept() {
        let environment = Environment::read(&Project::at("/no/such/project"));
        assert!(environment.cores.is_some() && environment.flags.is_some());
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), environment);
    }
}
