//! Samples an example of the book and draws where its time went.
