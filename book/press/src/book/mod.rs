//! The whole book: its pages with their blocks and references, and the machines that judge them.

mod existence;

use crate::chapter::{Page, pages};
use crate::ids::owner;
use crate::machine::Machine;
use crate::model::{Block, Claim, Error, Judgement, Proof};
use crate::project::Project;
use crate::prove::judge;
use existence::References;

/// Pages, claims and measurements.
#[derive(Clone, Debug)]
pub struct Book {
    /// In the order of SUMMARY.md.
    pub pages: Vec<Page>,
    /// The machine that the book's own numbers are from; empty if it has no recording.
    pub reference: Machine,
    /// The reader's machine; empty if nothing was measured.
    pub here: Machine,
    /// Every recorded machine except the reader's, the reference first.
    pub machines: Vec<Machine>,
}

/// A claim with its page and its verdicts.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The page.
    pub page: &'a Page,
    /// The claim.
    pub claim: &'a Claim,
    /// The judgement on the reference machine.
    pub reference: Judgement,
    /// The judgement on the reader's machine.
    pub here: Judgement,
}

/// Reads the whole book and checks every reference in it.
///
/// # Errors
///
/// [`Error::Book`] with the faults of all pages, or [`Error::Failed`] if a file cannot be read.
pub fn load(project: &Project) -> Result<Book, Error> {
    let mut pages = pages(project)?;
    name_benches(project, &mut pages);
    let book = Book {
        pages,
        here: Machine::here(project)?,
        machines: Machine::all(project)?,
        reference: Machine::load(&project.machine("reference"))?
            .unwrap_or_else(|| Machine::new("reference")),
    };
    let problems = References::new(project, &book.reference, &book.pages).check(&book.pages);
    if problems.is_empty() { Ok(book) } else { Err(Error::Book(problems)) }
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
    /// Judges every claim of the book, in order.
    pub fn claims(&self) -> Vec<Judged<'_>> {
        self.pages
            .iter()
            .flat_map(|page| page.claims().map(move |claim| (page, claim)))
            .map(|(page, claim)| Judged {
                page,
                claim,
                reference: judge::judge(claim, &self.reference),
                here: judge::judge(claim, &self.here),
            })
            .collect()
    }
}
