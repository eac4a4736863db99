//! The environment of a recording: without it, no verdict says what it is about.

use super::report::Report;
use crate::machine::Environment;

/// Refuses an environment that lacks what `record` notes on every Linux machine.
pub(super) fn complete(environment: &Environment, report: &mut Report<'_>) {
    let Environment { cores, memory_bytes, stolen_share, load_before, .. } = environment;
    let known = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    let facts = [
        ("the processor", known(&environment.cpu) || environment.processor.is_some()),
        ("the number of cores", cores.is_some_and(|cores| cores > 0)),
        ("the memory", memory_bytes.is_some_and(|bytes| bytes > 0)),
        ("the kernel", known(&environment.kernel)),
        ("the compiler", known(&environment.rustc)),
        ("the flags", known(&environment.flags)),
        ("the version of criterion", known(&environment.criterion)),
        ("criterion's settings", known(&environment.settings)),
    ];
    let missing: Vec<&str> = facts.iter().filter(|(_, is)| !is).map(|(fact, _)| *fact).collect();
    if !missing.is_empty() {
        report.refuse(format!(
            "the environment does not say {}; record on the machine itself, where /proc and rustc \
             tell",
            missing.join(", ")
        ));
    }
    if stolen_share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        report.refuse("the stolen share of CPU time is not between 0 and 1; record again");
    }
    if load_before.is_some_and(|load| !(load.is_finite() && load >= 0.0)) {
        report.refuse("the load before is not a number from zero up; record again");
    }
    if let Some(load) = load_before
        && *load >= 2.0 * cores.unwrap_or(1) as f64
    {
        report.note(format!("the load was {load:.1} when the recording began"));
    }
}
