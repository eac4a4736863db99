//! Draws verdicts: a claim and what one machine knows go in, a judgement comes out.

use crate::machine::Machine;
use crate::model::{Claim, Judgement};

/// The verdict on `claim` by what `machine` knows. A number that is missing, not finite, or a time that is not above
/// zero never makes a claim hold.
pub fn judge(claim: &Claim, machine: &Machine) -> Judgement {
    let _ = (claim, machine);
    todo!()
}
