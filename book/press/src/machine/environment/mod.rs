//! The environment of a measurement: machine, system, compiler and settings.

mod build;
mod caches;
mod processor;
mod reading;
mod stolen;
mod system;

pub use build::BENCHES;
pub use caches::CacheSizes;
pub use processor::Processor;
pub use stolen::CpuTime;

use crate::project::Project;
use reading::{field, read, said};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

/// The environment of a measurement. A field that could not be read is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environment {
    /// The processor's model name.
    pub cpu: Option<String>,
    /// The processor's family and model, and the name of its design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<Processor>,
    /// The architecture: `x86_64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The number of processors that this process may use.
    pub cores: Option<usize>,
    /// The caches: `L1d 32 KiB, L2 1 MiB, …`.
    pub caches: Option<String>,
    /// Their sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<CacheSizes>,
    /// The memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel's name and release.
    pub kernel: Option<String>,
    /// The C library and its version: `glibc 2.36`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<String>,
    /// The hypervisor, or `none`.
    pub virtualization: Option<String>,
    /// The kernel's policy for the clock frequency.
    pub governor: Option<String>,
    /// The mode of transparent huge pages: `always`, `madvise` or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub huge_pages: Option<String>,
    /// The kernel's policy for memory that is promised and not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overcommit: Option<String>,
    /// The file system that `target/` lies on.
    pub filesystem: Option<String>,
    /// The options of its mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_options: Option<String>,
    /// The file system of temporary files, with the options of its mount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary: Option<String>,
    /// The output of `rustc --version`.
    pub rustc: Option<String>,
    /// The profile and `RUSTFLAGS`.
    pub flags: Option<String>,
    /// The linker and its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linker: Option<String>,
    /// The origin of the order of functions in the benches, if it is not the linker alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The versions of the allocators and peers that the benches compare with, by crate.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
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
    /// matter. What older recordings lack is compared only where both have it, and versions only of
    /// crates that both have.
    pub fn is_like(&self, other: &Environment) -> bool {
        fn meet<T: Clone>(a: &mut Option<T>, b: &mut Option<T>) {
            if a.is_none() || b.is_none() {
                (*a, *b) = (None, None);
            }
        }
        let lasting =
            |of: &Environment| Environment { stolen_share: None, load_before: None, ..of.clone() };
        let (mut a, mut b) = (lasting(self), lasting(other));
        meet(&mut a.processor, &mut b.processor);
        meet(&mut a.arch, &mut b.arch);
        meet(&mut a.cache_bytes, &mut b.cache_bytes);
        meet(&mut a.libc, &mut b.libc);
        meet(&mut a.huge_pages, &mut b.huge_pages);
        meet(&mut a.overcommit, &mut b.overcommit);
        meet(&mut a.mount_options, &mut b.mount_options);
        meet(&mut a.temporary, &mut b.temporary);
        meet(&mut a.linker, &mut b.linker);
        meet(&mut a.layout, &mut b.layout);
        a.versions.retain(|name, _| other.versions.contains_key(name));
        b.versions.retain(|name, _| self.versions.contains_key(name));
        a == b
    }

    /// Reads the environment of this machine. `load_before` is the load now; the caller fills in
    /// `criterion`, `settings` and `stolen_share`.
    pub fn read(project: &Project) -> Environment {
        let built = build::Build::of(project);
        Environment {
            rustc: built.rustc,
            flags: built.flags,
            linker: built.linker,
            versions: built.versions,
            ..Environment::of_machine(project)
        }
    }

    /// Returns `true` if the benches can be linked again with their functions in another order:
    /// where cargo is, and LLD.
    pub fn can_shuffle(&self, project: &Project) -> bool {
        let lld = self.linker.as_ref().is_some_and(|linker| linker.starts_with("LLD"));
        lld && project.packed().is_none()
    }

    /// Reads the part that does not depend on how the benches were built.
    fn of_machine(project: &Project) -> Environment {
        let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
        let memory = read("/proc/meminfo").and_then(|text| {
            let kib: u64 = field(&text, "MemTotal")?.trim_end_matches("kB").trim().parse().ok()?;
            Some(kib * 1024)
        });
        let caches = caches::caches(Path::new("/sys/devices/system/cpu/cpu0/cache"));
        let target = system::mount(project.target());
        Environment {
            cpu: field(&cpuinfo, "model name")
                .or_else(|| said("sysctl", &["-n", "machdep.cpu.brand_string"]))
                .or_else(|| env::var("PROCESSOR_IDENTIFIER").ok()),
            processor: Processor::parse(&cpuinfo).or_else(Processor::of_macos),
            arch: Some(env::consts::ARCH.to_string()),
            cores: std::thread::available_parallelism().ok().map(usize::from),
            cache_bytes: caches.as_deref().map(CacheSizes::parse),
            caches,
            memory_bytes: memory.or_else(|| said("sysctl", &["-n", "hw.memsize"])?.parse().ok()),
            kernel: system::kernel(),
            libc: system::libc(),
            virtualization: system::virtualization(),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            huge_pages: system::huge_pages(),
            overcommit: system::overcommit(),
            filesystem: target.as_ref().map(|mount| mount.kind.clone()),
            mount_options: target.map(|mount| mount.options),
            temporary: system::mount(&env::temp_dir())
                .map(|mount| format!("{}, {}", mount.kind, mount.options)),
            load_before: read("/proc/loadavg")
                .and_then(|text| text.split(' ').next()?.parse().ok()),
            ..Environment::default()
        }
    }

    /// Returns the sizes of the caches, those that older recordings give as text only included.
    pub fn sizes(&self) -> CacheSizes {
        let told = self.caches.as_deref().map(CacheSizes::parse).unwrap_or_default();
        let known = self.cache_bytes.unwrap_or_default();
        CacheSizes {
            l1d: known.l1d.or(told.l1d),
            l2: known.l2.or(told.l2),
            l3: known.l3.or(told.l3),
        }
    }

    /// Returns the rows of a page's table, label and value; a missing value is `not known`.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let memory =
            self.memory_bytes.map(|b| format!("{:.1} GiB", b as f64 / (1u64 << 30) as f64));
        let stolen = self.stolen_share.map(|share| format!("{:.1} %", share * 100.0));
        let processor = self.processor.as_ref();
        let versions: Vec<String> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let rows = [
            ("Processor", self.cpu.clone()),
            ("Design", processor.and_then(|processor| processor.design.clone())),
            ("Family and model", processor.and_then(Processor::numbers)),
            ("Architecture", self.arch.clone()),
            ("Cores used", self.cores.map(|n| n.to_string())),
            ("Caches", self.caches.clone()),
            ("Memory", memory),
            ("Kernel", self.kernel.clone()),
            ("C library", self.libc.clone()),
            ("Virtualization", self.virtualization.clone()),
            ("Frequency governor", self.governor.clone()),
            ("Transparent huge pages", self.huge_pages.clone()),
            ("Overcommit", self.overcommit.clone()),
            ("File system of target/", self.filesystem.clone()),
            ("Mount options of target/", self.mount_options.clone()),
            ("Temporary files", self.temporary.clone()),
            ("Compiler", self.rustc.clone()),
            ("Flags", self.flags.clone()),
            ("Linker", self.linker.clone()),
            ("Order of functions", self.layout.clone()),
            ("Allocators and peers", Some(versions.join(", ")).filter(|text| !text.is_empty())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_not_known() {
        let rows = Environment::default().rows();
        assert!(rows.iter().all(|(_, value)| value == "not known"), "{rows:?}");
    }

    #[test]
    fn an_environment_survives_being_written_and_read() {
        let environment = Environment::read(&Project::at("/no/such/project"));
        assert!(environment.cores.is_some() && environment.flags.is_some());
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), environment);
    }

    #[test]
    fn an_older_recordings_environment_is_written_as_it_was_read() {
        let old = r#"{"cpu":"AMD EPYC","cores":2,"caches":"L2 1 MiB","memory_bytes":null,"kernel":null,"virtualization":null,"governor":null,"filesystem":"ext4","rustc":null,"flags":null,"criterion":null,"settings":null,"stolen_share":0.01,"load_before":0.1}"#;
        let environment: Environment = serde_json::from_str(old).unwrap();
        assert_eq!(environment.processor, None);
        assert_eq!(environment.sizes().l2, Some(1 << 20));
        assert_eq!(serde_json::to_string(&environment).unwrap(), old);
    }

    #[test]
    fn environments_are_alike_unless_they_are_known_to_differ() {
        let here = Environment::read(&Project::at("/no/such/project"));
        let busy = Environment { load_before: Some(99.0), ..here.clone() };
        assert!(here.is_like(&busy), "the load does not matter");
        let changed = |change: fn(&mut Environment)| {
            let mut other = here.clone();
            change(&mut other);
            (here.is_like(&other), other.is_like(&here))
        };
        assert_eq!(changed(|e| e.libc = Some("glibc 1.0".into())), (false, false));
        assert_eq!(changed(|e| e.libc = None), (true, true), "an older recording");
        let older = |e: &mut Environment| {
            (e.processor, e.arch, e.cache_bytes) = (None, None, None);
            (e.huge_pages, e.overcommit, e.linker) = (None, None, None);
            (e.mount_options, e.temporary) = (None, None);
        };
        assert_eq!(changed(older), (true, true));
        assert_eq!(changed(|e| e.caches = Some("L2 1 MiB".into())), (false, false));
        assert_eq!(changed(|e| e.rustc = None), (false, false), "every recording has it");
        let with = |version: &str| {
            let versions = [("rtrb".to_string(), version.to_string())].into();
            Environment { versions, ..here.clone() }
        };
        assert!(with("0.4.0").is_like(&here), "a peer that only one has");
        assert!(here.is_like(&with("0.4.0")));
        assert!(!with("0.4.0").is_like(&with("0.5.0")));
    }
}
