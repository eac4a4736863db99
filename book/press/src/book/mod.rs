//! The whole book: its pages with their blocks and references, and the machines that judge them.

mod beliefs;
mod existence;
mod measured;
mod memo;

pub use measured::Measured;
pub use memo::Memo;

use crate::breaks::{self, Break};
use crate::chapter::{Page, pages};
use crate::ids::owner;
use crate::machine::files::CheckFile;
use crate::machine::{HERE, Known, Machine};
use crate::model::{Block, Claim, Error, Estimate, Judgement, Problem, Proof, Verdict};
use crate::project::Project;
use crate::prove::judge;
use existence::References;
use std::sync::Arc;

/// Pages, claims and measurements.
#[derive(Clone, Debug)]
pub struct Book {
    /// In the order of SUMMARY.md.
    pub pages: Vec<Page>,
    /// Every recorded machine except the reader's, the reference first.
    pub machines: Vec<Machine>,
    /// The reader's machine; empty if nothing was measured.
    pub here: Machine,
    /// Benchmarks and counts that claims and figures name and no recording has: a measurement that
    /// is still to be made, or a name that is wrong.
    pub unrecorded: Vec<Problem>,
    /// The breaks that are solutions of exercises.
    pub exercises: Vec<Break>,
    /// The results computed from the machines before.
    pub memo: Arc<Memo>,
}

/// A claim with its page and its verdicts.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The page.
    pub page: &'a Page,
    /// The claim.
    pub claim: &'a Claim,
    /// The judgements on the recorded machines, in the order of [`Book::machines`].
    pub recorded: Vec<OnMachine<'a>>,
    /// The judgement on the reader's machine.
    pub here: Judgement,
}

/// A judgement with the recorded machine that it is about.
#[derive(Clone, Debug)]
pub struct OnMachine<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The judgement.
    pub judgement: Judgement,
}

/// Reads the whole book and checks every reference in it.
///
/// # Errors
///
/// [`Error::Book`] with the faults of all pages, or [`Error::Failed`] if a file cannot be read.
pub fn load(project: &Project) -> Result<Book, Error> {
    load_with(project, &Measured::default())
}

/// Reads the book as [`load`] does, but the measurements only if they have changed.
///
/// # Errors
///
/// As [`load`].
pub fn load_with(project: &Project, measured: &Measured) -> Result<Book, Error> {
    let mut pages = pages(project)?;
    name_benches(project, &mut pages);
    let (machines, here, memo) = measured.machines(project)?;
    let mut exercises = breaks::tables(project.root(), &[]).map_err(Error::Failed)?;
    exercises.retain(|one| one.exercise.is_some());
    let mut found = References::new(project, &machines, &pages).check(&pages);
    found.wrong.extend(existence::solutions(&pages, &exercises));
    let book = Book { pages, machines, here, unrecorded: found.unrecorded, exercises, memo };
    let recorded = |claim: &Claim| book.judged(claim).0;
    found.wrong.extend(beliefs::problems(&book.pages, &book.machines, recorded));
    if !found.wrong.is_empty() {
        found.wrong.sort();
        return Err(Error::Book(found.wrong));
    }
    Ok(book)
}

/// Reads the pages without any results, so that a damaged recording is no obstacle.
///
/// # Errors
///
/// If a page cannot be read.
pub fn without_machines(project: &Project) -> Result<Book, Error> {
    let mut pages = pages(project)?;
    name_benches(project, &mut pages);
    let here = Machine::new(HERE);
    let memo = Arc::default();
    Ok(Book {
        pages,
        machines: Vec::new(),
        here,
        unrecorded: Vec::new(),
        exercises: Vec::new(),
        memo,
    })
}

/// Gives each clocked claim the command that runs its bench, judging by the files in benches/.
fn name_benches(project: &Project, pages: &mut [Page]) {
    let benches = project.benches();
    for block in pages.iter_mut().flat_map(|page| &mut page.blocks) {
        if let Block::Claim(claim) = &mut block.item
            && let Proof::Clocked(clocked) = &claim.proof
            && let Some(bench) = owner(clocked.subject(), benches.iter().map(String::as_str))
        {
            claim.command.get_or_insert_with(|| format!("cargo bench --bench {bench}"));
        }
    }
}

impl Book {
    /// Judges a claim on the recorded machines, in their order, and on the reader's.
    fn judged(&self, claim: &Claim) -> (Vec<Judgement>, Judgement) {
        self.memo.judged(claim, || {
            let on = |machine| judge::judge(claim, machine);
            (self.machines.iter().map(on).collect(), on(&self.here))
        })
    }

    /// Returns the null control of a clocked claim's benchmarks on `machine`, one of the book's, in
    /// the regime that most rounds saw. `None` for another claim, or without a measurement.
    pub fn null_control(&self, claim: &Claim, machine: &Machine) -> Option<Estimate> {
        let Proof::Clocked(clocked) = &claim.proof else { return None };
        let ids: Vec<&str> = clocked.ids().map(String::as_str).collect();
        self.memo.null_control((&machine.name, &ids), || {
            let regime = machine.usual_regime(&ids).measured()?;
            machine.null_control(ids.iter().copied(), regime)
        })
    }

    /// Judges every claim of the book, in order.
    pub fn claims(&self) -> Vec<Judged<'_>> {
        self.pages
            .iter()
            .flat_map(|page| page.claims().map(move |claim| (page, claim)))
            .map(|(page, claim)| {
                let (recorded, here) = self.judged(claim);
                let recorded = self.machines.iter().zip(recorded);
                let on = |(machine, judgement)| OnMachine { machine, judgement };
                Judged { page, claim, recorded: recorded.map(on).collect(), here }
            })
            .collect()
    }

    /// Answers a question by the first recorded machine that measured it. If none did, the answer
    /// is the first reason why not. The machine is `None` if it is not known to any.
    pub fn first<'a, T>(
        &'a self,
        question: impl Fn(&'a Machine) -> Known<T>,
    ) -> (Option<&'a Machine>, Known<T>) {
        let mut answer = (None, Known::NotMeasured);
        for machine in &self.machines {
            match question(machine) {
                Known::Measured(value) => return (Some(machine), Known::Measured(value)),
                Known::NotPossible(why) if answer.0.is_none() => {
                    answer = (Some(machine), Known::NotPossible(why));
                }
                Known::NotPossible(_) | Known::NotMeasured => {}
            }
        }
        answer
    }

    /// Puts what ran on the reader's machine this time in the place of all that ran there before.
    #[must_use]
    pub fn proved(mut self, proved: CheckFile) -> Book {
        self.here.counts = proved.counts;
        self.here.proofs = proved.proofs;
        // The memo's answers are about what ran before.
        Book { memo: Arc::default(), ..self }
    }

    /// Returns a book that knows no machine but the reference machine and the reader's.
    #[must_use]
    pub fn reference_alone(&self) -> Book {
        let machines = self.machines.first().cloned().into_iter().collect();
        // The memo's answers are about all machines.
        Book { machines, memo: Arc::default(), ..self.clone() }
    }

    /// Returns the break that is the solution of an exercise of `page`.
    pub fn exercise(&self, page: &Page, number: u32) -> Option<&Break> {
        let technique = page.technique();
        let is_it = |one: &&Break| one.technique == technique && one.exercise == Some(number);
        self.exercises.iter().find(is_it)
    }

    /// Returns `true` if `machine` is the one whose numbers the prose quotes without naming it.
    pub fn is_reference(&self, machine: &Machine) -> bool {
        self.machines.first().is_some_and(|reference| reference.name == machine.name)
    }
}

impl Judged<'_> {
    /// Returns the verdict on the reference machine.
    pub fn reference(&self) -> &Verdict {
        self.recorded.first().map_or(&Verdict::NotMeasured, |on| &on.judgement.verdict)
    }

    /// Returns the worst verdict of all recorded machines: a failure, otherwise a doubt, otherwise
    /// a success. Machines that have no result do not count unless all are like that.
    pub fn worst(&self) -> &Verdict {
        let verdicts = self.recorded.iter().map(|on| &on.judgement.verdict);
        verdicts.min_by_key(|verdict| rank(verdict)).unwrap_or(&Verdict::NotMeasured)
    }

    /// Returns the worst verdict of all machines, the reader's among them.
    pub fn edge(&self) -> &Verdict {
        let (recorded, here) = (self.worst(), &self.here.verdict);
        if rank(here) < rank(recorded) { here } else { recorded }
    }

    /// Returns `true` if the claim holds on a recorded machine and fails on none. If it holds on
    /// none, a doubt with a reason is no fault of the claim: the reason is in the recording.
    pub fn stands(&self) -> bool {
        let mut found = self.recorded.iter().map(|on| &on.judgement);
        let fails = found.clone().any(|judgement| judgement.verdict == Verdict::Fails);
        let excused = |j: &Judgement| j.verdict == Verdict::Holds || j.reason.is_some();
        !fails && found.any(excused)
    }
}

/// Returns a verdict's place among those of several machines, the worst first.
fn rank(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Fails => 0,
        Verdict::Undecided => 1,
        Verdict::Holds => 2,
        Verdict::NotSeen => 3,
        Verdict::DoesNotApply(_) => 4,
        Verdict::NotPossible(_) => 5,
        Verdict::NotMeasured => 6,
    }
}
