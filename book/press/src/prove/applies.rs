//! Answers the conditions of claims by the facts of a machine.

use crate::condition::{Answer, Fact, Name};
use crate::machine::{Machine, Regime};
use crate::model::{Claim, Judgement, Proof, Verdict};

/// Returns what a claim's condition leaves of its judgement in `regime`.
pub(super) fn applied(
    claim: &Claim,
    machine: &Machine,
    regime: Option<Regime>,
    judged: Judgement,
) -> Judgement {
    match answer(claim, machine, regime) {
        Answer::Applies => judged,
        Answer::DoesNot(reason) => Judgement::new(Verdict::DoesNotApply(reason.clone()), reason),
        Answer::NotKnown(reason) => match judged.verdict {
            Verdict::NotMeasured | Verdict::NotPossible(_) => judged,
            _ => judged.undecided(reason),
        },
    }
}

/// Answers a claim's condition by the regime, and by the environment of what the claim rests on.
fn answer(claim: &Claim, machine: &Machine, regime: Option<Regime>) -> Answer {
    let Some(condition) = &claim.condition else { return Answer::Applies };
    let id = match &claim.proof {
        Proof::Clocked(clocked) => clocked.subject(),
        proof => proof.examples().next().unwrap_or_default(),
    };
    let environment = machine.environment(id);
    condition.answer(|name| match name {
        Name::Lines => regime.map(|regime| Fact::Word(regime.to_string())),
        name => environment?.fact(name),
    })
}
