//! Regimes: how far the two cores of an experiment are from each other.
//!
//! A bench of two cores measures the round trip of a cache line between them right before and right
//! after each benchmark, its *witness*. Where a hypervisor moves its guest's cores, the same code
//! runs in one regime or another, and a median over both is the time of neither. So every number of
//! a witnessed benchmark is taken inside one regime, and a ratio only from rounds in which both
//! sides saw the same one.

use crate::model::Round;
use std::fmt;

/// The round trip of a line, in ns, below which two cores are near.
///
/// Two cores that share a cache answer each other within 45 to 65 ns on AMD's Zen 5, and over the
/// mesh of an Intel Xeon ("Emerald Rapids") within 125 to 240 ns. Two cores of the Zen 5 that share
/// none take 385 ns and more. All of these were measured for this book; 300 ns is the geometric
/// middle of the gap between 240 and 385, rounded.
pub const NEAR_BELOW: f64 = 300.0;

/// The least number of rounds from which the numbers of a regime are taken, unless a recording has
/// fewer in all.
pub const ENOUGH: usize = 3;

/// The share of a sample's time on a slowed core, above which no number rests on it.
pub const SLOWED: f64 = 1.0 / 3.0;

/// The distance of two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Regime {
    /// A line's round trip takes less than [`NEAR_BELOW`].
    Near,
    /// It takes longer.
    Far,
}

impl Regime {
    /// Returns the regime of a round trip in ns.
    pub fn of_trip(ns: f64) -> Regime {
        if ns < NEAR_BELOW { Regime::Near } else { Regime::Far }
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Regime::Near => "near",
            Regime::Far => "far",
        })
    }
}

/// The regime that a benchmark saw in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It has no witness, so it fits every regime.
    Unwitnessed,
    /// The witnesses before and after agree.
    In(Regime),
    /// They disagree, or a core was slowed down, so this sample is dropped.
    Dropped,
}

impl Round {
    /// Returns the regime that the witnesses tell.
    pub fn seen(&self) -> Seen {
        match self.witness.map(|trips| trips.map(Regime::of_trip)) {
            _ if self.slowed > SLOWED => Seen::Dropped,
            None => Seen::Unwitnessed,
            Some([before, after]) if before == after => Seen::In(before),
            Some(_) => Seen::Dropped,
        }
    }
}
