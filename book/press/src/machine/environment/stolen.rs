//! The CPU time that the hypervisor gave to other machines.

use super::reading::read;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stolen_share_is_taken_over_the_span() {
        let before = CpuTime::parse("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 1").unwrap();
        let after = CpuTime::parse("cpu  200 0 100 1600 20 0 10 70 9 0").unwrap();
        assert_eq!(after.stolen_since(before), Some(35.0 / 1000.0));
        assert_eq!(before.stolen_since(after), None, "the account went backwards");
        assert_eq!(before.stolen_since(before), None, "no time passed");
        assert!(CpuTime::parse("cpu  1 2 3 4").is_none(), "a kernel without the column");
        assert!(CpuTime::parse("").is_none());
    }
}
