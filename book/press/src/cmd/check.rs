//! `cargo book check`: lists every claim with its verdict here.

use crate::book::{self, Judged};
use crate::ids::slashed;
use crate::machine::files::{self, CheckFile};
use crate::model::{Claim, Error, Judgement, Proof, Verdict};
use crate::project::Project;
use crate::prove::{examples, family, loose, proofs};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Options of `check`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ids of the claims to check; empty means all.
    pub claims: Vec<String>,
    /// Print a JSON array instead of a list.
    pub json: bool,
    /// Run nothing: judge only what the reference machine recorded.
    pub recorded: bool,
    /// With `recorded`: a loose bound fails the check.
    pub strict: bool,
}

/// Prints every claim with its verdicts, and returns `true` if the check passes: no claim fails
/// here, and every example and model ran. With `recorded`, every clocked and counted claim must
/// hold on the reference machine instead.
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
    let mut bad = claims.iter().any(|claim| against(claim, options.recorded));
    if options.recorded {
        let claims: Vec<&Claim> = claims.iter().map(|judged| judged.claim).collect();
        let loose = loose::problems(&claims, &book.machines);
        for problem in &loose {
            eprintln!("loose: {problem}");
        }
        if !loose.is_empty() {
            eprintln!("{} bounds do not fit what the machines show", loose.len());
        }
        bad |= options.strict && !loose.is_empty();
    }
    Ok(!bad && troubles.is_empty())
}

/// Returns `true` if a claim's verdict is a reason to exit with 1.
fn against(judged: &Judged<'_>, recorded: bool) -> bool {
    match judged.claim.proof {
        _ if !recorded => judged.here.verdict == Verdict::Fails,
        Proof::Clocked(_) | Proof::Counted(_) | Proof::Observed(_) => {
            // A reason is in the recording, or in what it lacks, and not in the claim.
            let has_reason = judged.reference.reason.is_some()
                || matches!(judged.reference.verdict, Verdict::DoesNotApply(_));
            judged.reference.verdict != Verdict::Holds && !has_reason
        }
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
            let reason = |judgement: &Judgement| {
                let reason = judgement.verdict.reason().or(judgement.reason.as_deref());
                reason.map(str::to_owned)
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

/// Returns the judgement to list: the reference machine's if `recorded`, otherwise this machine's.
fn shown<'a>(judged: &'a Judged<'_>, recorded: bool) -> &'a Judgement {
    if recorded { &judged.reference } else { &judged.here }
}

/// Formats the claims as a list by chapter, with the totals below.
fn print_list(claims: &[Judged<'_>], recorded: bool) -> String {
    let mut text = String::new();
    for chapter in claims.chunk_by(|a, b| a.page.path == b.page.path) {
        text += &format!("{}\n", slashed(&chapter[0].page.path));
        for claim in chapter {
            let Judgement { verdict, found, .. } = shown(claim, recorded);
            let (kind, words) = (claim.claim.kind(), verdict.words());
            text += &format!("  {words:<19} {} ({})\n", claim.claim.says, claim.claim.id);
            text += &format!("  {:<19} {kind}: {found}", "");
            if !recorded {
                text += &format!("; reference: {}", claim.reference.verdict.words());
            }
            if against(claim, recorded) {
                let label = match claim.claim.proof {
                    Proof::Observed(_) => "see it",
                    _ => "prove it",
                };
                text += &format!("\n  {:<19} {label}: {}", "", claim.claim.command());
            }
            text += "\n";
        }
        text += "\n";
    }
    let totals = Verdict::tally(claims.iter().map(|claim| &shown(claim, recorded).verdict));
    let totals: Vec<String> = totals.iter().map(|(words, n)| format!("{n} {words}")).collect();
    let machine = if recorded { "on the reference machine" } else { "here" };
    text += &match claims.len() {
        0 => "no claims".to_string(),
        1 => format!("1 claim {machine}: {}", totals.join(", ")),
        n => format!("{n} claims {machine}: {}", totals.join(", ")),
    };
    let clocked = claims.iter().filter(|claim| matches!(claim.claim.proof, Proof::Clocked(_)));
    if let Some(error) = family::error(clocked.map(|claim| shown(claim, recorded))) {
        text += &format!("\n{error}");
    }
    text
}
