//! `cargo book record`: measures, in rounds.

use crate::model::Error;
use crate::project::Project;

/// What to measure, and into which file.
#[derive(Clone, Debug)]
pub struct Options {
    /// The benches; empty means all.
    pub benches: Vec<String>,
    /// Rounds, each a fresh process of every bench.
    pub rounds: usize,
    /// The machine's name: `book/machines/NAME.json`.
    pub machine: String,
    /// One sentence about the machine.
    pub about: Option<String>,
    /// Whether an existing recording may be replaced.
    pub replace: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            benches: Vec::new(),
            rounds: 9,
            machine: "here".to_string(),
            about: None,
            replace: false,
        }
    }
}

/// Measures and writes the machine's file.
pub fn run(project: &Project, options: &Options) -> Result<(), Error> {
    let _ = (project, options);
    todo!()
}
