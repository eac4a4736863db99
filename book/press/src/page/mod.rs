//! The parts of a printed page: cards, figures, listings, references, solutions, and the pages of the
//! appendix.

pub mod appendix;
pub mod card;
pub mod chart;
pub mod figure;
mod found;
mod html;
pub mod links;
pub mod listing;
pub mod meta;
pub mod reference;
pub mod solution;
pub mod strip;
