//! For a test of the book's printing.
