//! The kernel's figures about this process, as metrics that are read when they are exported.

use super::{Kind, Readings, RegisterError, Registry};
use crate::sys::{process, resident};
use std::fs;

/// The resources whose shortage the kernel measures, by their files in `/proc/pressure`.
const PRESSURES: [&str; 3] = ["cpu", "memory", "io"];

/// Registers the figures that this system has.
///
/// | metric | from |
/// | --- | --- |
/// | `process_cpu_seconds_total` | `getrusage(2)`: user and system time |
/// | `process_page_faults_total` by `kind` | the same: `minor`, `major` |
/// | `process_context_switches_total` by `kind` | the same: `voluntary`, `involuntary` |
/// | `process_resident_memory_bytes` | `VmRSS` in `/proc/self/status` |
/// | `process_open_fds` | the entries of `/proc/self/fd` |
/// | `pressure_stalled_seconds_total` by `resource`, `share` | `/proc/pressure`: of the machine |
///
/// A figure that the system does not have is a metric without series.
///
/// # Errors
///
/// [`RegisterError`] if one of the names is taken.
pub fn register(registry: &Registry) -> Result<(), RegisterError> {
    let counter = |name: &str, help: &str, labels: &[&str], read: fn(&mut Readings<'_>)| {
        registry.read(Kind::Counter, name, help, labels, read)
    };
    counter("process_cpu_seconds", "CPU time of this process.", &[], |to| {
        if let Ok(usage) = process::usage() {
            to.set(&[], usage.cpu.as_secs_f64());
        }
    })?;
    counter("process_page_faults", "Page faults of this process.", &["kind"], |to| {
        if let Ok(usage) = process::usage() {
            to.set(&["minor"], usage.minor_faults);
            to.set(&["major"], usage.major_faults);
        }
    })?;
    counter("process_context_switches", "Switches of its threads.", &["kind"], |to| {
        if let Ok(usage) = process::usage() {
            to.set(&["voluntary"], usage.voluntary_switches);
            to.set(&["involuntary"], usage.involuntary_switches);
        }
    })?;
    let labels = &["resource", "share"];
    counter("pressure_stalled_seconds", "Time without the resource.", labels, |to| {
        for resource in PRESSURES {
            let table = fs::read_to_string(format!("/proc/pressure/{resource}"));
            for (share, seconds) in stalled(&table.unwrap_or_default()) {
                to.set(&[resource, share], seconds);
            }
        }
    })?;
    let gauge = |name: &str, help: &str, read: fn(&mut Readings<'_>)| {
        registry.read(Kind::Gauge, name, help, &[], read)
    };
    gauge("process_resident_memory_bytes", "Resident memory of this process.", |to| {
        if let Ok(bytes) = resident::now() {
            to.set(&[], bytes);
        }
    })?;
    gauge("process_open_fds", "Open descriptors of this process.", |to| {
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // One of them reads this directory.
            to.set(&[], (entries.count() as u64).saturating_sub(1));
        }
    })
}

/// Returns the shares in a file of `/proc/pressure` with their seconds:
/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000` is `("some", 1.5)`.
fn stalled(table: &str) -> Vec<(&str, f64)> {
    let line = |line| {
        let (share, rest) = str::split_once(line, ' ')?;
        let total = rest.rsplit_once("total=")?.1.trim().parse::<u64>().ok()?;
        Some((share, total as f64 / 1e6))
    };
    table.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::stalled;

    #[test]
    fn the_pressure_is_that_of_the_kernel() {
        let table = "some avg10=0.50 avg60=0.00 avg300=0.00 total=1500000\nfull total=7\n\nbad\n";
        assert_eq!(stalled(table), [("some", 1.5), ("full", 7e-6)]);
        assert!(stalled("").is_empty());
    }
}
