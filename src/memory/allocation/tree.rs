//! A binary tree in three kinds of memory: a box for each node, one vector with indices, and an
//! arena.
//!
//! All three are built in the same order, children first, and node number `n` holds the number `n`.

// ANCHOR: nodes
/// A node in an allocation of its own.
pub struct BoxNode {
    value: u64,
    children: [Option<Box<BoxNode>>; 2],
}

/// A node in a vector: its children by their indices.
struct VecNode {
    value: u64,
    children: [u32; 2],
}

/// A node that somebody else has placed, as an arena does.
#[derive(Clone, Copy)]
pub struct RefNode<'a> {
    value: u64,
    children: [Option<&'a RefNode<'a>>; 2],
}

#[cfg(target_pointer_width = "64")]
const _: () =
    assert!(size_of::<BoxNode>() == 24 && size_of::<VecNode>() == 16 && size_of::<RefNode>() == 24);
// ANCHOR_END: nodes

/// The index of no node.
const NONE: u32 = u32::MAX;

/// A tree in one vector.
pub struct VecTree(Vec<VecNode>);

/// How many nodes a tree of so many levels has.
pub const fn nodes(levels: u32) -> u64 {
    (1 << levels) - 1
}

/// What the values of such a tree add up to.
pub const fn sum(levels: u32) -> u64 {
    nodes(levels) * (nodes(levels) - 1) / 2
}

/// The next number, counted from 0.
fn number(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

impl BoxNode {
    /// A tree of so many levels; none has no root.
    pub fn build(levels: u32) -> Option<Box<Self>> {
        Self::subtree(levels, &mut 0)
    }

    fn subtree(levels: u32, next: &mut u64) -> Option<Box<Self>> {
        let below = levels.checked_sub(1)?;
        let children = [(); 2].map(|()| Self::subtree(below, next));
        Some(Box::new(Self { value: number(next), children }))
    }

    /// Adds all values up.
    pub fn sum(&self) -> u64 {
        self.children.iter().flatten().fold(self.value, |sum, child| sum + child.sum())
    }
}

impl VecTree {
    /// A tree of so many levels, at most 31.
    pub fn build(levels: u32) -> Self {
        let mut tree = Self(Vec::with_capacity(nodes(levels) as usize));
        tree.subtree(levels);
        tree
    }

    fn subtree(&mut self, levels: u32) -> u32 {
        let Some(below) = levels.checked_sub(1) else { return NONE };
        let children = [(); 2].map(|()| self.subtree(below));
        let index = self.0.len() as u32;
        self.0.push(VecNode { value: u64::from(index), children });
        index
    }

    /// Adds all values up, from the root down as the other trees do; there is no root in an empty
    /// one.
    pub fn sum(&self) -> u64 {
        (self.0.len() as u32).checked_sub(1).map_or(0, |root| self.sum_below(root))
    }

    fn sum_below(&self, index: u32) -> u64 {
        let VecNode { value, children } = self.0[index as usize];
        children
            .iter()
            .filter(|child| **child != NONE)
            .fold(value, |sum, child| sum + self.sum_below(*child))
    }
}

impl<'a> RefNode<'a> {
    /// A tree of so many levels, each node placed by `place`; none has no root.
    ///
    /// # Errors
    ///
    /// Those of `place`.
    pub fn build<E>(
        levels: u32,
        place: &mut impl FnMut(Self) -> Result<&'a mut Self, E>,
    ) -> Result<Option<&'a Self>, E> {
        Self::subtree(levels, &mut 0, place)
    }

    fn subtree<E>(
        levels: u32,
        next: &mut u64,
        place: &mut impl FnMut(Self) -> Result<&'a mut Self, E>,
    ) -> Result<Option<&'a Self>, E> {
        let Some(below) = levels.checked_sub(1) else { return Ok(None) };
        let children = [Self::subtree(below, next, place)?, Self::subtree(below, next, place)?];
        Ok(Some(place(Self { value: number(next), children })?))
    }

    /// Adds all values up.
    pub fn sum(&self) -> u64 {
        self.children.iter().flatten().fold(self.value, |sum, child| sum + child.sum())
    }
}
