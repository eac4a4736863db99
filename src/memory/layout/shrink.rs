//! Types that are larger than they need to be, each as `Before` and `After`.
#![allow(missing_docs, reason = "the names of the fields say what they are")]

/// Numbers only as wide as their values.
pub mod narrow {
    // ANCHOR: narrow
    pub struct Before {
        pub at: u64, // seconds since 1970
        pub sensor: u64,
        pub value: f64,
        pub valid: bool,
    }

    pub struct After {
        pub at: u32, // until 2106
        pub sensor: u16,
        pub value: f32, // about seven digits
        pub valid: bool,
    }

    #[cfg(target_pointer_width = "64")]
    static_assertions::const_assert_eq!(size_of::<Before>(), 32);
    static_assertions::const_assert_eq!(size_of::<After>(), 12);
    // ANCHOR_END: narrow
}

/// The rare large variant in a box.
pub mod variant {
    // ANCHOR: variant
    #[allow(clippy::large_enum_variant, reason = "this is what the lint is for")]
    pub enum Before {
        Ping,
        Ack(u32),
        Payload([u8; 256]),
    }

    pub enum After {
        Ping,
        Ack(u32),
        Payload(Box<[u8; 256]>),
    }

    static_assertions::const_assert_eq!(size_of::<Before>(), 260);
    static_assertions::const_assert_eq!(size_of::<After>(), 2 * size_of::<usize>());
    // ANCHOR_END: variant
}

/// Indices into a vector instead of pointers.
pub mod indices {
    use std::num::NonZeroU32;

    // ANCHOR: indices
    pub struct Before {
        pub left: Option<Box<Before>>,
        pub right: Option<Box<Before>>,
        pub key: u32,
    }

    /// A node in a vector. The root is the first and no child of any node, so zero is
    /// free for `None`.
    pub struct After {
        pub left: Option<NonZeroU32>,
        pub right: Option<NonZeroU32>,
        pub key: u32,
    }

    static_assertions::const_assert_eq!(size_of::<Before>(), 3 * size_of::<usize>());
    static_assertions::const_assert_eq!(size_of::<After>(), 12);
    // ANCHOR_END: indices
}

/// Bits instead of bools.
pub mod flags {
    // ANCHOR: flags
    pub struct Before {
        pub read: bool,
        pub write: bool,
        pub execute: bool,
        pub share: bool,
    }

    #[derive(Clone, Copy)]
    pub struct After(pub u8);

    impl After {
        pub const READ: Self = Self(1 << 0);
        pub const WRITE: Self = Self(1 << 1);
        pub const EXECUTE: Self = Self(1 << 2);
        pub const SHARE: Self = Self(1 << 3);

        pub const fn has(self, all: Self) -> bool {
            self.0 & all.0 == all.0
        }
    }

    static_assertions::const_assert_eq!(size_of::<Before>(), 4);
    static_assertions::const_assert_eq!(size_of::<After>(), 1);
    // ANCHOR_END: flags
}

/// Owners that cannot grow.
pub mod owners {
    // ANCHOR: owners
    pub struct Before {
        pub name: String,
        pub mail: Option<String>,
        pub groups: Vec<u32>,
    }

    pub struct After {
        pub name: Box<str>,
        pub mail: Option<Box<str>>,
        pub groups: Box<[u32]>,
    }

    static_assertions::const_assert_eq!(size_of::<Before>(), 9 * size_of::<usize>());
    static_assertions::const_assert_eq!(size_of::<After>(), 6 * size_of::<usize>());
    // ANCHOR_END: owners
}
