//! The parts of a printed page: cards, strips, figures, listings, references, solutions, and the
//! pages of the appendix; what the site holds for programs; and the page of the whole book for
//! paper.

pub mod appendix;
pub mod belief;
pub mod beside;
pub mod card;
pub mod chart;
pub mod figure;
mod found;
mod html;
pub mod links;
pub mod listing;
pub mod live;
pub mod meta;
pub mod overview;
pub mod paper;
pub mod programs;
pub mod reference;
pub mod solution;
pub mod start;
pub mod strip;
