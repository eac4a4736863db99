//! The facts of an environment that conditions of claims may name.

use super::environment::Environment;
use crate::condition::{Fact, Name, size, version};

impl Environment {
    /// Returns one fact of this environment, or `None` if it was not recorded. The distance of the
    /// two cores belongs to a measurement and not to the environment.
    pub fn fact(&self, name: Name) -> Option<Fact> {
        let cache = |level: &str| {
            self.caches.as_ref()?.split(", ").find_map(|cache| {
                size(cache.strip_prefix(level)?.strip_prefix(' ')?).map(Fact::Size)
            })
        };
        match name {
            Name::L1d => cache("L1d"),
            Name::L2 => cache("L2"),
            Name::L3 => cache("L3"),
            Name::Cores => self.cores.map(|cores| Fact::Number(cores as u64)),
            Name::Kernel => {
                let release = self.kernel.as_ref()?.strip_prefix("Linux ")?;
                version(release).map(Fact::Version)
            }
            Name::Libc | Name::Arch | Name::Thp | Name::Cpu | Name::Lines => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_what_was_recorded() {
        let environment = Environment {
            caches: Some("L1d 48 KiB, L1i 32 KiB, L2 1 MiB, L3 32 MiB".into()),
            cores: Some(2),
            kernel: Some("Linux 6.12.3-cloud".into()),
            ..Environment::default()
        };
        assert_eq!(environment.fact(Name::L1d), Some(Fact::Size(48 << 10)));
        assert_eq!(environment.fact(Name::L2), Some(Fact::Size(1 << 20)));
        assert_eq!(environment.fact(Name::L3), Some(Fact::Size(32 << 20)));
        assert_eq!(environment.fact(Name::Cores), Some(Fact::Number(2)));
        assert_eq!(environment.fact(Name::Kernel), Some(Fact::Version(vec![6, 12, 3])));
        assert_eq!(environment.fact(Name::Libc), None);
        let nothing = Environment::default();
        assert_eq!((nothing.fact(Name::L2), nothing.fact(Name::Kernel)), (None, None));
    }
}
