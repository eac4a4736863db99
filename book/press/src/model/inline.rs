//! References in running prose.

use super::times::Times;

/// A reference in running prose, `{{word …}}`.
#[derive(Clone, Debug, PartialEq)]
pub enum Inline {
    /// `{{measured ID}}`, or `{{measured ID.throughput}}`.
    Measured {
        /// criterion's full id.
        id: String,
        /// Bytes or elements per second instead of the time.
        throughput: bool,
    },
    /// `{{counted example/variant.quantity}}`.
    Counted {
        /// The example's name.
        example: String,
        /// `variant.quantity` in its JSON.
        key: String,
    },
    /// `{{ratio A B}}`: time(A) / time(B), how many times as fast B is as A.
    Ratio {
        /// The benchmark whose time is divided.
        a: String,
        /// The benchmark whose time divides.
        b: String,
    },
    /// `{{difference A B}}`: time(A) - time(B).
    Difference {
        /// The benchmark whose time is reduced.
        a: String,
        /// The benchmark whose time is taken off.
        b: String,
    },
    /// `{{share A B of C D}}`: the difference of A and B as a share of the time of C, or of the
    /// difference of C and D.
    Share {
        /// The part.
        part: Times,
        /// The whole.
        whole: Times,
    },
    /// `{{percent A B}}`: throughput(A) as a share of throughput(B).
    Percent {
        /// The benchmark that reaches a share.
        a: String,
        /// The benchmark that is the whole.
        b: String,
    },
    /// `{{crossover GROUP A B}}`: the smallest parameter from which function A beats function B.
    Crossover {
        /// The criterion group.
        group: String,
        /// The function that wins from there.
        a: String,
        /// The function that it beats.
        b: String,
    },
    /// `{{claim ID}}`: a claim's number and verdict, linked to its card.
    Claim {
        /// The claim's id.
        id: String,
    },
    /// `{{found ID}}`: a claim in brief, with the number and the verdict of the reference machine.
    Found {
        /// The claim's id.
        id: String,
    },
    /// `{{noise NAME}}`: the spread between two measurements of the same code.
    Noise {
        /// The bench, whose A/A pair is the group `NAME_aa`.
        bench: String,
    },
    /// `{{quoted "60 ns" https://…}}`: a number from elsewhere, with its source.
    Quoted {
        /// The words.
        text: String,
        /// The address of the source.
        url: String,
    },
}

impl Inline {
    /// Returns the ids of the benchmarks that the number rests on, where the reference names them
    /// all.
    pub fn benchmarks(&self) -> Vec<&str> {
        match self {
            Inline::Measured { id, .. } => vec![id],
            Inline::Ratio { a, b } | Inline::Difference { a, b } | Inline::Percent { a, b } => {
                vec![a, b]
            }
            Inline::Share { part, whole } => {
                part.ids().chain(whole.ids()).map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }
}
