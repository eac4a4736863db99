//! The facts of an environment that conditions of claims may name.

use super::environment::Environment;
use crate::condition::{Fact, Name, version};

impl Environment {
    /// Returns one fact of this environment, or `None` if it was not recorded. The distance of the
    /// two cores belongs to a measurement and not to the environment.
    pub fn fact(&self, name: Name) -> Option<Fact> {
        let sizes = self.sizes();
        let word = |text: &Option<String>| text.clone().map(Fact::Word);
        match name {
            Name::L1d => sizes.l1d.map(Fact::Size),
            Name::L2 => sizes.l2.map(Fact::Size),
            Name::L3 => sizes.l3.map(Fact::Size),
            Name::Cores => self.cores.map(|cores| Fact::Number(cores as u64)),
            Name::Kernel => {
                let release = self.kernel.as_ref()?.strip_prefix("Linux ")?;
                version(release).map(Fact::Version)
            }
            Name::Libc => self.libc.as_ref()?.split(' ').next().map(|w| Fact::Word(w.to_owned())),
            Name::Arch => word(&self.arch),
            Name::Thp => word(&self.huge_pages),
            Name::Cpu => self.processor.as_ref()?.word().map(Fact::Word),
            Name::Files => {
                self.temporary.as_ref()?.split(',').next().map(|w| Fact::Word(w.to_owned()))
            }
            Name::Lines => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::{CacheSizes, Processor};
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
        assert_eq!((environment.fact(Name::Libc), environment.fact(Name::Files)), (None, None));
        let newer = Environment {
            libc: Some("glibc 2.36".into()),
            arch: Some("x86_64".into()),
            huge_pages: Some("madvise".into()),
            temporary: Some("ext4, rw,relatime".into()),
            cache_bytes: Some(CacheSizes { l2: Some(2 << 20), ..CacheSizes::default() }),
            processor: Some(Processor { design: Some("Zen 5".into()), ..Processor::default() }),
            ..environment
        };
        let word = |text: &str| Some(Fact::Word(text.into()));
        assert_eq!(newer.fact(Name::Libc), word("glibc"));
        assert_eq!(newer.fact(Name::Arch), word("x86_64"));
        assert_eq!(newer.fact(Name::Thp), word("madvise"));
        assert_eq!(newer.fact(Name::Cpu), word("zen5"));
        assert_eq!(newer.fact(Name::Files), word("ext4"));
        assert_eq!(newer.fact(Name::L2), Some(Fact::Size(2 << 20)), "the number, not the text");
        assert_eq!(newer.fact(Name::L3), Some(Fact::Size(32 << 20)), "only the text has it");
        let nothing = Environment::default();
        assert_eq!((nothing.fact(Name::L2), nothing.fact(Name::Kernel)), (None, None));
    }
}
