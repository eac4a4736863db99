//! The parts of a printed page: cards, figures, references, solutions, and the pages of the
//! appendix.

pub mod appendix;
pub mod belief;
pub mod card;
pub mod chart;
pub mod figure;
mod html;
pub mod links;
pub mod live;
pub mod overview;
pub mod reference;
pub mod solution;
pub mod start;
