//! The sizes of the caches. Source: the kernel's
//! `Documentation/ABI/testing/sysfs-devices-system-cpu`.

use super::reading::read;
use crate::units;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The sizes in bytes of the caches that one core sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSizes {
    /// The first cache for data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1d: Option<u64>,
    /// The second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2: Option<u64>,
    /// The third.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l3: Option<u64>,
}

impl CacheSizes {
    /// Reads the sizes from `L1d 32 KiB, L1i 32 KiB, L2 1 MiB`, the form of a page's table.
    pub(super) fn parse(caches: &str) -> CacheSizes {
        let size = |level: &str| {
            let text = caches.split(", ").find_map(|c| c.strip_prefix(level)?.strip_prefix(' '))?;
            units::parameter(text).map(|bytes| bytes as u64)
        };
        CacheSizes { l1d: size("L1d"), l2: size("L2"), l3: size("L3") }
    }
}

/// Reads `L1d 32 KiB, L1i 32 KiB, L2 1 MiB` from a folder in sysfs.
pub(super) fn caches(folder: &Path) -> Option<String> {
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
            let kib: u64 = of("size")?.strip_suffix('K')?.parse().ok()?;
            Some(format!("L{}{kind} {}", of("level")?, units::binary(kib * 1024)))
        })
        .collect();
    caches.sort();
    (!caches.is_empty()).then(|| caches.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_tables_text() {
        let sizes = CacheSizes::parse("L1d 48 KiB, L1i 32 KiB, L2 2 MiB, L3 300 MiB");
        let expected = CacheSizes { l1d: Some(48 << 10), l2: Some(2 << 20), l3: Some(300 << 20) };
        assert_eq!(sizes, expected);
        assert_eq!(CacheSizes::parse("L1i 32 KiB"), CacheSizes::default());
        assert_eq!(CacheSizes::parse(""), CacheSizes::default());
        assert_eq!(caches(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn sizes_are_read_from_sysfs() {
        let folder = tempfile::TempDir::new().unwrap();
        for (index, level, kind, size) in [
            ("index2", "2", "Unified", "512K"),
            ("index0", "1", "Data", "32K"),
            ("index1", "1", "Instruction", "64K"),
            ("index3", "3", "Unified", "32768K"),
        ] {
            let index = folder.path().join(index);
            fs::create_dir(&index).unwrap();
            for (name, text) in [("level", level), ("type", kind), ("size", size)] {
                fs::write(index.join(name), format!("{text}\n")).unwrap();
            }
        }
        let text = caches(folder.path()).unwrap();
        assert_eq!(text, "L1d 32 KiB, L1i 64 KiB, L2 512 KiB, L3 32 MiB");
        assert_eq!(CacheSizes::parse(&text).l3, Some(32 << 20));
    }
}
