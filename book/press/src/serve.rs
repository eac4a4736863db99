//! `cargo book`.

use crate::model::Error;
use crate::project::Project;

/// How to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Open a browser.
    pub open: bool,
    /// The port; the default one or the next free one when not given.
    pub port: Option<u16>,
}

/// Prints the book and serves it until interrupted.
pub fn run(project: &Project, options: &Options) -> Result<(), Error> {
    let _ = (project, options);
    Err(Error::Failed("serving is not written yet".to_string()))
}
