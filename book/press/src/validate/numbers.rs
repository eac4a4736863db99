//! The numbers of a recording: finite, above zero, as many as it says, and equal for equal code.

use super::report::Report;
use crate::ids::AGAIN;
use crate::machine::{Benchmark, Counts, Machine, Recording, Round};
use serde_json::Value;

/// The least rounds: `record --minutes` writes that many, or none.
const LEAST: usize = 3;

/// The rounds from which the interval of a median covers 95 % of cases.
const ENOUGH: usize = 6;

/// The factor by which the same code may differ from itself in every round without being biased.
const SAME_CODE: f64 = 1.05;

/// The share of biased null controls from which a machine was not left alone. A few are no harm:
/// the claims beside them are undecided.
const DISTURBED: f64 = 1.0 / 3.0;

/// Validates the rounds of a recording.
pub(super) fn recording(recording: &Recording, report: &mut Report<'_>) {
    let rounds = recording.rounds;
    if recording.benchmarks.is_empty() && recording.not_possible.is_empty() {
        report.refuse("the recording holds no benchmark; record the bench again");
    }
    if rounds < LEAST {
        report.refuse(format!(
            "{rounds} rounds are too few to tell a difference from noise; record at least {LEAST}, \
             better nine"
        ));
    } else if rounds < ENOUGH {
        report.note(format!("{rounds} rounds: each card says that its interval covers less"));
    }
    match recording.planned {
        Some(planned) if planned <= rounds => report.refuse(format!(
            "it was interrupted after {rounds} of {planned} rounds, which cannot be; commit the \
             file as it was written"
        )),
        Some(planned) => report.note(format!("interrupted after {rounds} of {planned} rounds")),
        None => {}
    }
    for (id, benchmark) in &recording.benchmarks {
        if let Some(fault) = fault(id, benchmark, rounds) {
            report.refuse(format!("{fault}; record the bench again"));
        }
    }
    if recording.not_possible.values().any(|reason| reason.trim().is_empty()) {
        report.refuse("a benchmark was not possible without a reason; record the bench again");
    }
}

/// Returns the first fault of one benchmark.
fn fault(id: &str, benchmark: &Benchmark, rounds: usize) -> Option<String> {
    let parts = [Some(&benchmark.group), benchmark.function.as_ref(), benchmark.parameter.as_ref()];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if parts.join("/") != id {
        return Some(format!("`{id}` has the parts `{}`, which are not its name", parts.join("/")));
    }
    if benchmark.rounds.len() != rounds {
        let has = benchmark.rounds.len();
        return Some(format!("`{id}` has {has} rounds, and the recording says {rounds}"));
    }
    if benchmark.throughput_bytes == Some(0) || benchmark.throughput_elements == Some(0) {
        return Some(format!("`{id}` handles nothing in an iteration"));
    }
    let mut numbered = (1..).zip(&benchmark.rounds);
    let wrong = |(n, round): (usize, &Round)| Some(format!("`{id}`, round {n}: {}", wrong(round)?));
    numbered.find_map(wrong)
}

/// Says what is wrong with a round.
fn wrong(round: &Round) -> Option<&'static str> {
    let Round { median, low, high, witness, slowed } = *round;
    let above_zero = |n: f64| n.is_finite() && n > 0.0;
    if !(0.0..=1.0).contains(&slowed) {
        return Some("the share of slowed time is not between 0 and 1");
    }
    if witness.is_some_and(|trips| !trips.into_iter().all(above_zero)) {
        return Some("a trip between the cores is not a number above zero");
    }
    // `record` writes zeros for a benchmark that measured nothing in this round.
    if slowed == 1.0 && [median, low, high] == [0.0; 3] {
        return None;
    }
    if ![median, low, high].into_iter().all(above_zero) {
        return Some("a time is not a number above zero");
    }
    (low > median || median > high).then_some("the median lies outside its interval")
}

/// Validates the counts of an example.
pub(super) fn counts(counts: &Counts, report: &mut Report<'_>) {
    if counts.values.is_empty() {
        report.refuse("the example counted nothing; run `cargo book record --counts`");
    }
    for (key, value) in &counts.values {
        let right = match value {
            Value::Number(number) => number.as_f64().is_some_and(|n| n.is_finite() && n >= 0.0),
            Value::String(reason) => !reason.trim().is_empty(),
            _ => false,
        };
        if !right {
            report.refuse(format!(
                "the count `{key}` is {value}, not a number from zero up or a reason; run `cargo \
                 book record --counts`"
            ));
        }
    }
}

/// Judges the null controls of a bench by the rule of the claims.
pub(super) fn null_controls(machine: &Machine, bench: &str, report: &mut Report<'_>) {
    let Some(recording) = machine.recordings.get(bench) else { return };
    let pairs = recording.benchmarks.iter().filter_map(|(again, benchmark)| {
        let function = benchmark.function.as_deref()?.strip_suffix(AGAIN)?;
        let parts = [Some(&*benchmark.group), Some(function), benchmark.parameter.as_deref()];
        let first = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
        recording.benchmarks.contains_key(&first).then(|| (first, again.clone()))
    });
    let (mut all, mut biased) = (0, Vec::new());
    for (first, again) in pairs {
        all += 1;
        if machine.is_biased(&first, &again, SAME_CODE) {
            biased.push(first);
        }
    }
    if biased.is_empty() {
        return;
    }
    let found = format!(
        "the same code, measured twice, differs in every round by more than 5 % in {} of {all} \
         pairs ({})",
        biased.len(),
        biased.join(", ")
    );
    if all >= 3 && biased.len() as f64 > DISTURBED * f64::from(all) {
        report.refuse(format!("{found}; record the bench again while nothing else runs"));
    } else {
        report.note(format!("{found}; claims beside them are undecided here"));
    }
}
