//! The knowledge that recordings are held against.

use crate::book::Book;
use crate::machine::History;
use crate::project::Project;

/// The knowledge that recordings are held against.
pub struct Validator<'a> {
    pub(super) project: &'a Project,
    pub(super) book: &'a Book,
    pub(super) history: History,
    pub(super) benches: Vec<String>,
    pub(super) examples: Vec<String>,
    /// The reason why commits of the machine were not looked up.
    pub(super) not_looked_up: Option<&'static str>,
    /// The time now, in seconds since 1970.
    pub(super) now: i64,
}

impl<'a> Validator<'a> {
    /// Creates a validator for the machines of a project.
    pub fn new(project: &'a Project, book: &'a Book) -> Validator<'a> {
        Validator {
            project,
            book,
            history: History::of(project),
            benches: project.benches(),
            examples: project.examples(),
            not_looked_up: None,
            now: jiff::Timestamp::now().as_second(),
        }
    }
}
