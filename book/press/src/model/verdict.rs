//! Verdicts on claims, in words.

/// The outcome of a claim on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The proof passed; for a ratio, its whole interval is in bounds.
    Holds,
    /// The proof failed; for a ratio, its whole interval is out of bounds.
    Fails,
    /// The interval straddles the bound.
    Undecided,
    /// It was not measured on this machine.
    NotMeasured,
    /// This machine cannot measure it, for this reason.
    NotPossible(String),
    /// The claim is about other machines; the reason is the fact that this one lacks.
    DoesNotApply(String),
    /// An observation was not made here.
    NotSeen,
}

impl Verdict {
    /// The words of every verdict, in the order of totals.
    const WORDS: [&str; 7] = [
        "holds",
        "fails",
        "undecided",
        "not seen",
        "not measured",
        "not possible here",
        "does not apply here",
    ];

    /// Counts verdicts by their words, in the order from `holds` to `does not apply here`. Words
    /// without a verdict are left out.
    pub fn tally<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Vec<(&'static str, usize)> {
        let mut counts = Verdict::WORDS.map(|words| (words, 0));
        for verdict in verdicts {
            if let Some((_, n)) = counts.iter_mut().find(|(words, _)| *words == verdict.words()) {
                *n += 1;
            }
        }
        counts.into_iter().filter(|(_, n)| *n > 0).collect()
    }

    /// Returns the verdict in words, without its reason.
    pub fn words(&self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Fails => "fails",
            Verdict::Undecided => "undecided",
            Verdict::NotSeen => "not seen",
            Verdict::NotMeasured => "not measured",
            Verdict::NotPossible(_) => "not possible here",
            Verdict::DoesNotApply(_) => "does not apply here",
        }
    }

    /// Returns the reason that belongs to a verdict.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Verdict::NotPossible(reason) | Verdict::DoesNotApply(reason) => Some(reason),
            _ => None,
        }
    }
}
