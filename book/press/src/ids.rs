//! The names that chapters, benches and recordings share: the ids of claims, counts and benchmarks,
//! and the bench that a benchmark belongs to.

use std::path::Path;

/// The ending of a function that measures the code of another one again: `sendfile_again` is the
/// null control of `sendfile`.
pub const AGAIN: &str = "_again";

/// Returns the group of a benchmark's full id, the part before the first slash.
pub fn group_of(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// Returns the bench that a group or a full id belongs to, judging by its name alone: `NAME_cpu`
/// and `NAME_aa` are groups of the bench NAME. [`owner`] chooses among the benches that exist.
pub fn bench_of(id: &str) -> &str {
    let mut name = group_of(id);
    while let Some(shorter) = name.strip_suffix("_cpu").or_else(|| name.strip_suffix("_aa")) {
        name = shorter;
    }
    name
}

/// Returns the longest of `names` that is the group of `id`, or its beginning up to an underscore.
pub fn owner<'a>(id: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let group = group_of(id);
    names
        .filter(|name| {
            group.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
        .max_by_key(|name| name.len())
}

/// Returns `true` if `id` is `prefix`, or lies below it as in a path.
pub fn covers(prefix: &str, id: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Splits `example/variant.quantity` into the example and the key.
pub fn count_key(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((example, key)) if identifier(example) && key.contains('.') => {
            Ok((example.to_string(), key.to_string()))
        }
        _ => Err(format!("a count is named `example/variant.quantity`, not `{text}`")),
    }
}

/// Checks that `id` is a full id of criterion, with at least a group and a function.
pub fn benchmark_id(id: &str) -> Result<(), String> {
    if id.split('/').count() >= 2 && id.split('/').all(|part| !part.trim().is_empty()) {
        return Ok(());
    }
    Err(format!("a benchmark is named `group/function` or `group/function/parameter`, not `{id}`"))
}

/// Formats a path with slashes on every system.
pub fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Returns `true` if `id` is in kebab case: lower-case letters and digits between single hyphens.
pub fn kebab(id: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    id.split('-').all(part)
}

/// Returns `true` if `name` can name a bench, an example or a test: letters, digits, `_` and `-`.
pub fn identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_belongs_to_the_bench_with_the_longest_matching_name() {
        let benches = ["send", "sendfile", "sendfile_tls"];
        let of = |id| owner(id, benches.into_iter());
        assert_eq!(of("sendfile/loop/4KiB"), Some("sendfile"));
        assert_eq!(of("sendfile_cpu/loop/4KiB"), Some("sendfile"));
        assert_eq!(of("sendfile_tls_aa/first"), Some("sendfile_tls"));
        assert_eq!(of("sendfiles/loop"), None);
        assert_eq!(of("mmap"), None);
    }

    #[test]
    fn ids_are_made_of_their_own_characters_only() {
        for good in ["a", "A9", "ring_buffer", "ring-buffer", "_", "-"] {
            assert!(identifier(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "a.b", "ä"] {
            assert!(!identifier(bad), "{bad}");
        }
        for good in ["a", "9", "ring-buffer-2"] {
            assert!(kebab(good), "{good}");
        }
        for bad in ["", "-", "a-", "-a", "a--b", "A", "a_b", "a b"] {
            assert!(!kebab(bad), "{bad}");
        }
    }

    #[test]
    fn ids_of_counts_and_benchmarks_have_their_parts() {
        let parts = ("ring_buffer".to_string(), "spsc.calls".to_string());
        assert_eq!(count_key("ring_buffer/spsc.calls"), Ok(parts));
        for bad in ["ring_buffer", "ring_buffer/spsc", "ring buffer/spsc.calls", "/spsc.calls"] {
            assert!(count_key(bad).is_err(), "{bad}");
        }
        for good in ["a/b", "a/b/1 KiB", "a/b/c/d"] {
            assert_eq!(benchmark_id(good), Ok(()));
        }
        for bad in ["", "a", "a/", "/b", "a/ /c", "a//c"] {
            assert!(benchmark_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_covers_whole_parts() {
        assert!(covers("copy", "copy") && covers("copy", "copy/ring/4KiB"));
        assert!(covers("copy/ring", "copy/ring/4KiB"));
        assert!(!covers("copy", "copy_cpu/ring") && !covers("copy/ring", "copy"));
    }
}
