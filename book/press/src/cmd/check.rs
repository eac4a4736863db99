//! `cargo book check`: lists every claim with its verdict here.

use crate::book::{self, Judged};
use crate::machine::files::{self, CheckFile};
use crate::model::{Claim, Error, Judgement, Proof, Verdict};
use crate::project::Project;
use crate::prove::{examples, proofs};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

/// Options of `check`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ids of the claims to check; empty means all.
    pub claims: Vec<String>,
    /// Print a JSON array instead of a list.
    pub json: bool,
    /// Run nothing: judge only what the reference machine recorded.
    pub recorded: bool,
}

/// Prints every claim with its verdicts, and returns `true` if the check passes: no claim fails
/// here, and every example and model ran. With `recorded`, every clocked and counted claim must hold
/// on the reference machine instead.
pub fn run(project: &Project, options: &Options) -> Result<bool, Error> {
    let mut book = book::load(project)?;
    let mut wanted: Vec<Claim> =
        book.pages.iter().flat_map(|page| page.claims()).cloned().collect();
    if let Some(id) = options.claims.iter().find(|id| wanted.iter().all(|claim| claim.id != **id)) {
        return Err(Error::Usage(format!("no chapter makes a claim `{id}`")));
    }
    wanted.retain(|claim| options.claims.is_empty() || options.claims.contains(&claim.id));
    let mut troubles = Vec::new();
    if !options.recorded {
        let proved;
        (proved, troubles) = prove(project, &wanted, options.claims.is_empty());
        if options.claims.is_empty() {
            files::store(&proved, &project.checked())?;
        }
        // Without a run this time, a count is unknown, whatever an earlier run found.
        book.here.counts = proved.counts;
        book.here.proofs = proved.proofs;
    }
    let mut claims = book.claims();
    claims.retain(|judged| wanted.iter().any(|claim| claim.id == judged.claim.id));
    let mut out = io::stdout().lock();
    let text =
        if options.json { print_json(&claims) } else { print_list(&claims, options.recorded) };
    writeln!(out, "{text}").map_err(|e| Error::Failed(format!("cannot print: {e}")))?;
    for trouble in &troubles {
        eprintln!("{trouble}");
    }
    let bad = claims.iter().any(|claim| against(claim, options.recorded));
    Ok(!bad && troubles.is_empty())
}

/// Returns `true` if a claim's verdict is a reason to exit with 1.
fn against(judged: &Judged<'_>, recorded: bool) -> bool {
    match judged.claim.proof {
        _ if !recorded => judged.here.verdict == Verdict::Fails,
        Proof::Clocked(_) | Proof::Counted(_) => judged.reference.verdict != Verdict::Holds,
        Proof::Compiled { .. } | Proof::Explored { .. } => {
            judged.reference.verdict == Verdict::Fails
        }
    }
}

/// Runs the examples, the build and the models that the claims name, and every other example too if
/// `all`. Returns the findings and the failures.
fn prove(project: &Project, claims: &[Claim], all: bool) -> (CheckFile, Vec<Error>) {
    let mut proved = CheckFile::default();
    let mut troubles = Vec::new();
    let named: BTreeSet<&str> = claims.iter().flat_map(|claim| claim.proof.examples()).collect();
    let examples: Vec<String> = project
        .examples()
        .into_iter()
        .filter(|example| all || named.contains(example.as_str()))
        .collect();
    let count = examples.len();
    for (number, example) in (1..).zip(examples) {
        eprintln!("running the example {example} ({number} of {count})");
        match examples::run(project, &example) {
            Ok(counts) => {
                proved.counts.insert(example, counts);
            }
            Err(trouble) => troubles.push(trouble),
        }
    }
    match proofs::run(project, &claims.iter().collect::<Vec<_>>()) {
        Ok(proofs) => proved.proofs = proofs,
        Err(trouble) => troubles.push(trouble),
    }
    (proved, troubles)
}

/// Formats the claims as a JSON array with an object for each. `value` and `interval` are this
/// machine's, or the reference's if this one has none; `measured` says which.
fn print_json(claims: &[Judged<'_>]) -> String {
    let objects: Vec<Value> = claims
        .iter()
        .map(|judged| {
            let (measured, estimate) = match (judged.here.value, judged.reference.value) {
                (Some(value), _) => (Some("here"), Some(value)),
                (None, Some(value)) => (Some("reference"), Some(value)),
                (None, None) => (None, None),
            };
            let reason = |judgement: &Judgement| match &judgement.verdict {
                Verdict::NotPossible(reason) => Some(reason.clone()),
                _ => None,
            };
            json!({
                "id": judged.claim.id,
                "chapter": slashed(&judged.page.path),
                "kind": judged.claim.kind(),
                "says": judged.claim.says,
                "command": judged.claim.command(),
                "value": estimate.map(|e| e.value),
                "interval": estimate.map(|e| [e.low, e.high]),
                "rounds": estimate.map(|e| e.rounds),
                "measured": measured,
                "reference": judged.reference.verdict.words(),
                "here": judged.here.verdict.words(),
                "found": judged.here.found,
                "reason": reason(&judged.here).or_else(|| reason(&judged.reference)),
            })
        })
        .collect();
    format!("{:#}", Value::Array(objects))
}

/// Formats the claims as a list by chapter.
fn print_list(claims: &[Judged<'_>], recorded: bool) -> String {
    let mut lines = Vec::new();
    let mut page = None;
    for judged in claims {
        if page != Some(&judged.page.path) {
            page = Some(&judged.page.path);
            lines.push(format!(
                "{}{}",
                if lines.is_empty() { "" } else { "\n" },
                slashed(&judged.page.path)
            ));
        }
        let shown = if recorded { &judged.reference } else { &judged.here };
        lines.push(format!(
            "  {:<17} {} ({})",
            shown.verdict.words(),
            judged.claim.says,
            judged.claim.id
        ));
        let reference = match recorded {
            true => String::new(),
            false => format!("; reference: {}", judged.reference.verdict.words()),
        };
        lines.push(format!("  {:<17} {}: {}{reference}", "", judged.claim.kind(), shown.found));
        if against(judged, recorded) {
            lines.push(format!("  {:<17} prove it: {}", "", judged.claim.command()));
        }
    }
    let verdicts = claims.iter().map(|judged| {
        if recorded { judged.reference.verdict.words() } else { judged.here.verdict.words() }
    });
    let mut totals: Vec<(&str, usize)> = Vec::new();
    for verdict in verdicts {
        match totals.iter_mut().find(|(words, _)| *words == verdict) {
            Some((_, n)) => *n += 1,
            None => totals.push((verdict, 1)),
        }
    }
    let totals: Vec<String> = totals.iter().map(|(words, n)| format!("{n} {words}")).collect();
    let machine = if recorded { "on the reference machine" } else { "here" };
    let plural = if claims.len() == 1 { "claim" } else { "claims" };
    let blank = if lines.is_empty() { "" } else { "\n" };
    lines.push(match totals.is_empty() {
        true => "no claims".to_string(),
        false => format!("{blank}{} {plural} {machine}: {}", claims.len(), totals.join(", ")),
    });
    lines.join("\n")
}

/// Formats a path with slashes on every system.
fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
