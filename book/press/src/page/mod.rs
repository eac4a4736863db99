//! The parts of a printed page: cards, strips, figures, listings, references, solutions, and the pages
//! of the appendix; and what the site holds for programs.

pub mod appendix;
pub mod beside;
pub mod card;
pub mod chart;
pub mod figure;
mod found;
mod html;
pub mod links;
pub mod listing;
pub mod meta;
pub mod paper;
pub mod programs;
pub mod reference;
pub mod solution;
pub mod strip;
