//! `cargo book check`: every claim with its verdict here.

use crate::model::Error;
use crate::project::Project;

/// How to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Print a JSON array instead of a list.
    pub json: bool,
    /// Run nothing: judge only what the reference machine recorded.
    pub recorded: bool,
}

/// Prints every claim with its verdicts; `true` when nothing speaks against them.
pub fn run(project: &Project, options: Options) -> Result<bool, Error> {
    let _ = (project, options);
    todo!()
}
