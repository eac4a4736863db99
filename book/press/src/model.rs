//! The vocabulary of the press: claims, figures, estimates and verdicts.
//!
//! Nothing here reads a file or prints a page. `chapter` fills these types from the pages and
//! `machine` from measurements, `prove` brings the two together, and `page` prints the outcome.

pub(crate) mod estimate;
pub(crate) mod inline;
pub(crate) mod place;
mod times;
pub(crate) mod verdict;

pub use estimate::Estimate;
pub use inline::Inline;
pub use place::{Place, Spanned};
pub use times::Times;
pub use verdict::Verdict;

use crate::belief::{Bearing, Belief};
use crate::condition::Condition;
use crate::ids::bench_of;
use std::fmt;
use std::path::PathBuf;

/// A fault in a page with its place; printed as `path:line: message`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The place of the fault.
    pub place: Place,
    /// The fault in one line.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The reason why a command stopped.
#[derive(Debug)]
pub enum Error {
    /// Something failed; the message says what was tried on what.
    Failed(String),
    /// The arguments make no sense; the process exits with 2.
    Usage(String),
    /// All the faults in the book's pages.
    Book(Vec<Problem>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Failed(message) | Error::Usage(message) => f.write_str(message),
            Error::Book(problems) => {
                for (i, problem) in problems.iter().enumerate() {
                    write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}

/// A fenced block that the press replaces.
#[derive(Clone, Debug)]
pub enum Block {
    /// A `claim` block.
    Claim(Claim),
    /// A `figure` block.
    Figure(Figure),
    /// A `solution` block.
    Solution(Solution),
    /// A `belief` block.
    Belief(Belief),
    /// An `overview`, a `live` or a `clone` block.
    Generated(Generated),
}

/// A block that the press fills from the whole book.
#[derive(Clone, Debug)]
pub enum Generated {
    /// A table of all beliefs with their verdicts.
    Beliefs,
    /// A table of the claims, by kind and verdict.
    Claims,
    /// The commands that fetch the repository and start there.
    Clone {
        /// The commands to run in the clone.
        then: Vec<String>,
    },
    /// A claim of another page, with its command and what that has printed.
    Live {
        /// The claim's id.
        claim: String,
        /// The place in the source.
        place: Place,
    },
}

/// The parameter from which one function beats another, among those that were measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossover {
    /// The first function beats the other here and at every larger parameter.
    pub from: String,
    /// The smallest parameter from which nothing contradicts that: the one after the last at which
    /// the other function wins.
    pub earliest: String,
}

/// One assertion of the book, with its proof.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Unique in the book, in kebab case.
    pub id: String,
    /// The sentence, with the bounds filled in.
    pub says: String,
    /// The proof.
    pub proof: Proof,
    /// The machines that it is about; without one, all.
    pub condition: Option<Condition>,
    /// The reason why its bound is far from anything that a machine has shown.
    pub loose: Option<String>,
    /// The beliefs that it speaks for or against.
    pub bears: Vec<Bearing>,
    /// The chapter's own command to prove it, in place of the one that [`Claim::command`] makes up.
    pub command: Option<String>,
    /// The place in the source.
    pub place: Place,
}

/// The solution of an exercise: a sentence about the edit and the checks of a break, which the page
/// shows with it.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The number of the exercise on its page.
    pub exercise: u32,
    /// Its answer to the exercise, in Markdown.
    pub says: String,
    /// The place in the source.
    pub place: Place,
}

/// The four kinds of proof, and the observation, which is none.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A compile-time assertion between the anchors `anchor` of `file`.
    Compiled {
        /// Path from the project's root.
        file: PathBuf,
        /// The name after `ANCHOR:`.
        anchor: String,
    },
    /// Exact numbers that an example prints; all must be in bounds.
    Counted(Vec<Count>),
    /// Numbers of an example that depend on chance: what was seen in its runs, and what was not.
    Observed(Vec<Count>),
    /// A loom model, `technique::model`.
    Explored {
        /// The test's full name in the test target `loom`.
        model: String,
    },
    /// A quotient of benchmarks' times, or of differences between them.
    Clocked(Clocked),
}

/// One number of an example and its bound.
#[derive(Clone, Debug)]
pub struct Count {
    /// The example's name.
    pub example: String,
    /// `variant.quantity` in the example's JSON.
    pub key: String,
    /// The bound that it must keep.
    pub bound: CountBound,
}

/// The bound of a counted number.
#[derive(Clone, Debug, PartialEq)]
pub enum CountBound {
    /// Exactly this.
    Equals(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// At most a `by`-th of another number.
    FewerThan {
        /// The other number's example.
        example: String,
        /// The other number's `variant.quantity`.
        key: String,
        /// The factor, above 1.
        by: f64,
    },
}

/// A claim about the quotient `over / under`, taken inside each round.
#[derive(Clone, Debug)]
pub struct Clocked {
    /// The time that is divided. In a claim of "faster", it is the time of the slower benchmark.
    pub over: Times,
    /// The time that divides.
    pub under: Times,
    /// The bound that the quotient's whole interval must keep.
    pub bound: RatioBound,
}

/// The bound of a clocked claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RatioBound {
    /// The subject is at least this many times as fast.
    Faster(f64),
    /// No difference beyond this factor, either way.
    Within(f64),
    /// A difference is at least this share of the other time.
    AtLeast(f64),
    /// A difference is at most this share of the other time.
    AtMost(f64),
}

/// One round of one benchmark, in ns per iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// The median of the samples.
    pub median: f64,
    /// Lower end of criterion's 95 % interval for it.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The round trip of a line between the two cores right before and right after, in ns; `None`
    /// for a benchmark that needs no two cores.
    pub witness: Option<[f64; 2]>,
    /// The share of the time, from 0 to 1, during which a core ran below its speed: another machine
    /// used the other thread of it, or the two cores were the two threads of one.
    pub slowed: f64,
}

impl Round {
    /// Creates a round without witnesses, in which no core was slowed down.
    pub fn new(median: f64, low: f64, high: f64) -> Round {
        Round { median, low, high, witness: None, slowed: 0.0 }
    }
}

/// A verdict and its grounds.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The measured number: a ratio for a clocked claim, a count for a counted one with a single
    /// number.
    pub value: Option<Estimate>,
    /// The finding in words (`"sendfile.syscalls = 1"`), or the reason why there is none.
    pub found: String,
    /// The reason why the claim is undecided, if it is another than an interval across the bound.
    /// It is part of `found` too.
    pub reason: Option<String>,
    /// The outcome in each regime that a claim about two cores was measured in.
    pub regimes: Vec<InRegime>,
    /// The regime that it was not measured in, and is about as well.
    pub unseen: Option<String>,
}

/// The outcome of a clocked claim in one regime.
#[derive(Clone, Debug)]
pub struct InRegime {
    /// The regime's name: `near`, `far`.
    pub regime: String,
    /// The verdict about the rounds in this regime.
    pub verdict: Verdict,
    /// The ratio in them.
    pub value: Option<Estimate>,
}

/// A criterion group as a chart and a table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The criterion group.
    pub group: String,
    /// The quantity on the y axis.
    pub y: YAxis,
    /// Caption; without one, the group's name stands in.
    pub title: Option<String>,
    /// Label of the y axis.
    pub label: Option<String>,
    /// Label of the x axis.
    pub x: Option<String>,
    /// Shows the reference machine alone.
    pub small: bool,
    /// The functions shown, in this order; empty means all.
    pub series: Vec<String>,
    /// For `YAxis::Ratio`: the function that the others are divided by.
    pub baseline: Option<String>,
    /// The place in the source.
    pub place: Place,
}

impl Figure {
    /// The number of series that a figure can tell apart.
    pub const MOST: usize = 8;
}

/// The quantity on a figure's y axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YAxis {
    /// Time per iteration.
    Time,
    /// Bytes or elements per second.
    Throughput,
    /// Time of the baseline over time of the series: above 1 is faster than the baseline.
    Ratio,
}

impl Proof {
    /// Returns the examples whose counts it rests on.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        let counts: &[Count] = match self {
            Proof::Counted(counts) | Proof::Observed(counts) => counts,
            _ => &[],
        };
        counts.iter().flat_map(|count| {
            let than = match &count.bound {
                CountBound::FewerThan { example, .. } => Some(example.as_str()),
                _ => None,
            };
            [Some(count.example.as_str()), than].into_iter().flatten()
        })
    }
}

impl Clocked {
    /// Returns the benchmarks whose times it compares.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.over.ids().chain(self.under.ids())
    }

    /// Returns the benchmark that the sentence is about, whose bench measures the claim.
    pub fn subject(&self) -> &str {
        match (&self.over, &self.under) {
            (Times::Difference(id, _), _) | (_, Times::Of(id) | Times::Difference(id, _)) => id,
        }
    }
}

impl Claim {
    /// Returns the command that proves this claim, as a reader types it. Its outcome reaches the
    /// book: `check` stores what it finds, and the book reads what `cargo bench` leaves. For a
    /// clocked claim whose group is not named like its bench, [`crate::book::load`] has set it.
    pub fn command(&self) -> String {
        if let Some(command) = &self.command {
            return command.clone();
        }
        match &self.proof {
            Proof::Clocked(clocked) => {
                format!("cargo bench --bench {}", bench_of(clocked.subject()))
            }
            _ => format!("cargo book check --claim {}", self.id),
        }
    }

    /// Returns the command that [`Claim::command`] runs in turn, which shows more of its output.
    /// `None` if that command runs nothing else.
    pub fn runs(&self) -> Option<String> {
        if self.command.is_some() {
            return None;
        }
        match &self.proof {
            Proof::Compiled { .. } => Some("cargo build".to_string()),
            Proof::Counted(counts) | Proof::Observed(counts) => counts
                .first()
                .map(|count| format!("cargo run --release --example {}", count.example)),
            Proof::Explored { model } => Some(format!("cargo explore --exact {model}")),
            Proof::Clocked(_) => None,
        }
    }

    /// Returns `compiled`, `counted`, `observed`, `explored` or `clocked`.
    pub fn kind(&self) -> &'static str {
        match self.proof {
            Proof::Compiled { .. } => "compiled",
            Proof::Counted(_) => "counted",
            Proof::Observed(_) => "observed",
            Proof::Explored { .. } => "explored",
            Proof::Clocked(_) => "clocked",
        }
    }
}

impl Judgement {
    /// Creates a judgement without a number.
    pub fn new(verdict: Verdict, found: String) -> Judgement {
        Judgement { verdict, value: None, found, reason: None, regimes: Vec::new(), unseen: None }
    }

    /// Creates the judgement of a claim that was not measured, for this reason.
    pub fn not_measured(why: &str) -> Judgement {
        Judgement::new(Verdict::NotMeasured, why.to_owned())
    }

    /// Returns the verdict in words, with the regimes that it was found in: `holds near and far`,
    /// `holds near, far not seen`, `fails far, holds near`.
    pub fn words(&self) -> String {
        // The regimes that decide come first.
        let (decide, other): (Vec<&InRegime>, Vec<&InRegime>) =
            self.regimes.iter().partition(|regime| regime.verdict == self.verdict);
        if decide.is_empty() {
            return self.verdict.words().to_owned();
        }
        let names: Vec<&str> = decide.iter().map(|one| one.regime.as_str()).collect();
        let mut words = format!("{} {}", self.verdict.words(), names.join(" and "));
        for one in other {
            words += &format!(", {} {}", one.verdict.words(), one.regime);
        }
        if let Some(unseen) = &self.unseen {
            words += &format!(", {unseen} not seen");
        }
        words
    }

    /// Returns this judgement without its verdict, which `reason` forbids.
    #[must_use]
    pub fn undecided(self, reason: String) -> Judgement {
        let found = match self.found.is_empty() {
            true => reason.clone(),
            false => format!("{}; {reason}", self.found),
        };
        Judgement { verdict: Verdict::Undecided, found, reason: Some(reason), ..self }
    }
}
