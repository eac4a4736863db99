//! Beliefs: the things that everybody says, each with the claims that speak for it or against it.
//!
//! A belief has no proof of its own. Its verdict on a machine follows from the verdicts of its
//! claims there, and the sentence that the page prints declares which verdict it rests on.

use crate::model::inline::Inline;
use crate::model::place::{Place, Spanned};
use crate::model::verdict::Verdict;

/// One thing that everybody says, as its block declares it.
#[derive(Clone, Debug)]
pub struct Belief {
    /// Unique in the book, in kebab case.
    pub id: String,
    /// The saying, in the words in which it circulates.
    pub saying: String,
    /// The verdict that `says` rests on.
    pub verdict: Standing,
    /// The conditions that decide, if it depends.
    pub on: Option<String>,
    /// A source in which the saying circulates.
    pub heard: Option<String>,
    /// The answer, in Markdown with references.
    pub says: String,
    /// The references in `says`, in order.
    pub inlines: Vec<Spanned<Inline>>,
    /// The place in the source.
    pub place: Place,
}

/// A belief that a claim bears on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearing {
    /// The belief's id.
    pub belief: String,
    /// The side that the claim takes.
    pub side: Side,
}

/// The direction in which a claim speaks about a belief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The belief is right if the claim holds.
    For,
    /// The belief is wrong if the claim holds.
    Against,
}

/// The verdict on a belief: declared by its block, or computed for one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every claim that holds speaks for it.
    True,
    /// Every claim that holds speaks against it.
    False,
    /// Claims of both sides hold.
    Depends,
    /// Claims about it were tried, and none holds.
    Undecided,
    /// No claim about it was tried.
    NotMeasured,
}

/// The verdict on a belief on one machine, with the number of claims that it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The number of claims that hold and speak for it.
    pub supporting: usize,
    /// The number of claims that hold and speak against it.
    pub refuting: usize,
    /// The number of claims that were tried and do not hold.
    pub open: usize,
    /// The number of claims that bear on it.
    pub all: usize,
}

impl Tally {
    /// Counts the claims about a belief by their side and by their verdict on one machine. A claim
    /// that does not hold decides nothing.
    pub fn new<'a>(claims: impl Iterator<Item = (Side, &'a Verdict)>) -> Tally {
        let mut tally = Tally { supporting: 0, refuting: 0, open: 0, all: 0 };
        for (side, verdict) in claims {
            tally.all += 1;
            match (verdict, side) {
                (Verdict::Holds, Side::For) => tally.supporting += 1,
                (Verdict::Holds, Side::Against) => tally.refuting += 1,
                (Verdict::NotMeasured, _) => {}
                _ => tally.open += 1,
            }
        }
        tally
    }

    /// Returns the verdict.
    pub fn standing(self) -> Standing {
        match (self.supporting, self.refuting, self.open) {
            (1.., 1.., _) => Standing::Depends,
            (1.., 0, _) => Standing::True,
            (0, 1.., _) => Standing::False,
            (0, 0, 1..) => Standing::Undecided,
            (0, 0, 0) => Standing::NotMeasured,
        }
    }

    /// Returns the number of claims that hold.
    pub fn decided(self) -> usize {
        self.supporting + self.refuting
    }
}

impl Standing {
    /// Returns the verdict in a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Standing::True => "true",
            Standing::False => "false",
            Standing::Depends => "depends",
            Standing::Undecided => "undecided",
            Standing::NotMeasured => "not measured",
        }
    }
}

impl Side {
    /// Returns the key of a claim's block that takes this side.
    pub fn key(self) -> &'static str {
        match self {
            Side::For => "supports",
            Side::Against => "refutes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(claims: &[(Side, Verdict)]) -> Standing {
        Tally::new(claims.iter().map(|(side, verdict)| (*side, verdict))).standing()
    }

    #[test]
    fn only_claims_that_hold_decide() {
        let (supports, refutes) = ((Side::For, Verdict::Holds), (Side::Against, Verdict::Holds));
        assert_eq!(standing(std::slice::from_ref(&supports)), Standing::True);
        assert_eq!(standing(&[refutes.clone(), refutes.clone()]), Standing::False);
        assert_eq!(standing(&[refutes.clone(), supports.clone()]), Standing::Depends);
        for open in [
            Verdict::Fails,
            Verdict::Undecided,
            Verdict::NotSeen,
            Verdict::NotPossible("no ring".to_owned()),
            Verdict::DoesNotApply("L2 is 1 MiB".to_owned()),
        ] {
            for side in [Side::For, Side::Against] {
                assert_eq!(standing(&[(side, open.clone())]), Standing::Undecided, "{open:?}");
                assert_eq!(standing(&[(side, open.clone()), refutes.clone()]), Standing::False);
                assert_eq!(standing(&[(side, open.clone()), supports.clone()]), Standing::True);
            }
        }
        let missing = (Side::For, Verdict::NotMeasured);
        assert_eq!(standing(std::slice::from_ref(&missing)), Standing::NotMeasured);
        assert_eq!(standing(&[]), Standing::NotMeasured);
        assert_eq!(standing(&[missing, (Side::For, Verdict::Undecided)]), Standing::Undecided);
    }

    #[test]
    fn a_tally_says_how_many_claims_it_rests_on() {
        let claims = [
            (Side::For, Verdict::Holds),
            (Side::Against, Verdict::Holds),
            (Side::Against, Verdict::Undecided),
            (Side::Against, Verdict::NotMeasured),
        ];
        let tally = Tally::new(claims.iter().map(|(side, verdict)| (*side, verdict)));
        assert_eq!((tally.decided(), tally.all), (2, 4));
        assert_eq!(tally, Tally { supporting: 1, refuting: 1, open: 1, all: 4 });
    }
}
