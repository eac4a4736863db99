//! A binary tree in three kinds of memory: a box per node, one vector with indices, and an arena.
//!
//! All three are built in the same order, children first, and node `n` holds the number `n`.

// ANCHOR: nodes
/// A node in an allocation of its own.
pub struct BoxNode {
    value: u64,
    children: [Option<Box<BoxNode>>; 2],
}

/// A node in a vector, with the indices of its children.
struct VecNode {
    value: u64,
    children: [u32; 2],
}

/// A node in memory that has another owner, such as an arena.
#[derive(Clone, Copy)]
pub struct RefNode<'a> {
    value: u64,
    children: [Option<&'a RefNode<'a>>; 2],
}

#[cfg(target_pointer_width = "64")]
const _: () =
    assert!(size_of::<BoxNode>() == 24 && size_of::<VecNode>() == 16 && size_of::<RefNode>() == 24);
// ANCHOR_END: nodes

/// The index that stands for no node.
const NONE: u32 = u32::MAX;

/// A tree in one vector.
pub struct VecTree(Vec<VecNode>);

/// Returns the number of nodes in a tree of `levels` levels.
pub const fn nodes(levels: u32) -> u64 {
    (1 << levels) - 1
}

/// Returns the sum of the values in a tree of `levels` levels.
pub const fn sum(levels: u32) -> u64 {
    nodes(levels) * (nodes(levels) - 1) / 2
}

/// Returns the next number, starting at 0.
fn number(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

impl BoxNode {
    /// Builds a tree of `levels` levels. A tree of 0 levels has no root.
    pub fn build(levels: u32) -> Option<Box<Self>> {
        Self::subtree(levels, &mut 0)
    }

    fn subtree(levels: u32, next: &mut u64) -> Option<Box<Self>> {
        let below = levels.checked_sub(1)?;
        let children = [(); 2].map(|()| Self::subtree(below, next));
        Some(Box::new(Self { value: number(next), children }))
    }

    /// Adds up all values.
    pub fn sum(&self) -> u64 {
        self.children.iter().flatten().fold(self.value, |sum, child| sum + child.sum())
    }
}

impl VecTree {
    /// Builds a tree of `levels` levels, at most 31.
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

    /// Adds up all values from the root down, like the other trees. The sum of an empty tree is 0.
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
    /// Builds a tree of `levels` levels, whose nodes `place` puts into memory. A tree of 0 levels
    /// has no root.
    ///
    /// # Errors
    ///
    /// The errors of `place`.
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

    /// Adds up all values.
    pub fn sum(&self) -> u64 {
        self.children.iter().flatten().fold(self.value, |sum, child| sum + child.sum())
    }
}
