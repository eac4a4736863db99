//! The fates of a block that another thread used, which the chapter compares.

/// The fate of a block after another thread has used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The thread that used it frees it.
    FreedByUser,
    /// It returns in its batch, and the thread that allocated it frees it.
    FreedByMaker,
    /// It returns in its batch, and is used again.
    Recycled,
}

impl Variant {
    /// All variants, in the order of the chapter.
    pub const ALL: [Self; 3] = [Self::FreedByUser, Self::FreedByMaker, Self::Recycled];

    /// Returns its name in the figures: the thread that frees the block.
    pub fn name(self) -> &'static str {
        match self {
            Self::FreedByUser => "user",
            Self::FreedByMaker => "maker",
            Self::Recycled => "nobody",
        }
    }
}
