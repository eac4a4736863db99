//! The models of a book in miniature; loom itself is not needed to see whether they ran.
#![cfg(loom)]

mod ring {
    #[test]
    fn no_loss() {}
}
