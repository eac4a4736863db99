//! `cargo book check`: lists every claim with its verdict here.

use crate::book::{self, Judged};
use crate::ids::slashed;
use crate::machine::files::{self, CheckFile};
use crate::model::{Claim, Error, Judgement, Proof, Verdict};
use crate::page::programs;
use crate::project::Project;
use crate::prove::{examples, family, loose, proofs};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Options of `check`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ids of the claims to check; empty means all.
    pub claims: Vec<String>,
    /// Print a JSON array instead of a list.
    pub json: bool,
    /// Run nothing: judge only what the recorded machines found.
    pub recorded: bool,
    /// With `recorded`: a loose bound fails the check.
    pub strict: bool,
}

/// Prints every claim with its verdicts, and returns `true` if the check passes: no claim fails
/// here, and every example and model ran. With `recorded`, every clocked and counted claim must
/// hold on a recorded machine and fail on none instead, and recordings must have all that claims
/// and figures name.
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
    let text = match options.json {
        true => format!("{:#}", programs::claims::array(&claims, Some(&book.here))),
        false => print_list(&claims, options),
    };
    writeln!(out, "{text}").map_err(|e| Error::Failed(format!("cannot print: {e}")))?;
    for trouble in &troubles {
        eprintln!("{trouble}");
    }
    let mut bad = claims.iter().any(|claim| against(claim, options));
    if options.recorded && options.claims.is_empty() {
        for problem in &book.unrecorded {
            eprintln!("{problem}");
            bad |= options.strict;
        }
    }
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

/// Returns `true` if a claim's verdicts are a reason to exit with 1.
fn against(judged: &Judged<'_>, options: &Options) -> bool {
    match judged.claim.proof {
        _ if !options.recorded => judged.here.verdict == Verdict::Fails,
        // Until a machine is recorded again, a new bench has no times, which is listed.
        Proof::Clocked(_) if !options.strict && is_unmeasured(judged) => false,
        Proof::Clocked(_) | Proof::Counted(_) | Proof::Observed(_) => !judged.stands(),
        Proof::Compiled { .. } | Proof::Explored { .. } => *judged.worst() == Verdict::Fails,
    }
}

/// Returns `true` if no machine has measured the claim.
fn is_unmeasured(judged: &Judged<'_>) -> bool {
    judged.recorded.iter().all(|on| on.judgement.verdict == Verdict::NotMeasured)
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

/// Formats the claims as a list by chapter, with the totals below.
fn print_list(claims: &[Judged<'_>], options: &Options) -> String {
    let recorded = options.recorded;
    let mut text = String::new();
    for chapter in claims.chunk_by(|a, b| a.page.path == b.page.path) {
        text += &format!("{}\n", slashed(&chapter[0].page.path));
        for judged in chapter {
            let words = match recorded {
                true => judged.worst().words().to_owned(),
                false => judged.here.words(),
            };
            text += &format!("  {words:<19} {} ({})\n", judged.claim.says, judged.claim.id);
            let found = if recorded { String::new() } else { format!(": {}", judged.here.found) };
            text += &format!("  {:<19} {}{found}", "", judged.claim.kind());
            for on in &judged.recorded {
                let (name, verdict) = (&on.machine.name, on.judgement.words());
                text += &match recorded {
                    true => format!("; {name}: {verdict}, {}", on.judgement.found),
                    false => format!("; {name}: {verdict}"),
                };
            }
            if against(judged, options) {
                let label = match judged.claim.proof {
                    Proof::Observed(_) => "see it",
                    _ => "prove it",
                };
                text += &format!("\n  {:<19} {label}: {}", "", judged.claim.command());
            }
            text += "\n";
        }
        text += "\n";
    }
    text + &if recorded { recorded_totals(claims) } else { here_totals(claims) }
}

/// Formats the number of claims with each verdict here.
fn here_totals(claims: &[Judged<'_>]) -> String {
    totals("here", claims, |judged| &judged.here)
}

/// Formats the number of claims with each verdict on each recorded machine, and the ids of those
/// that fail or are not decided there.
fn recorded_totals(claims: &[Judged<'_>]) -> String {
    let machines = claims.first().map_or(0, |judged| judged.recorded.len());
    let mut lines: Vec<String> = (0..machines)
        .map(|i| {
            let machine = format!("on {}", claims[0].recorded[i].machine.name);
            totals(&machine, claims, |judged| &judged.recorded[i].judgement)
        })
        .collect();
    if machines == 0 {
        lines.push("no machine is recorded".to_string());
    }
    let open = claims.iter().flat_map(|judged| {
        judged.recorded.iter().map(move |on| (&on.judgement.verdict, &on.machine.name, judged))
    });
    let mut by_words: Vec<(String, Vec<&str>)> = Vec::new();
    for (verdict, machine, judged) in open {
        if !matches!(verdict, Verdict::Fails | Verdict::Undecided | Verdict::NotMeasured) {
            continue;
        }
        let heading = format!("{} on {machine}", verdict.words());
        match by_words.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, ids)) => ids.push(&judged.claim.id),
            None => by_words.push((heading, vec![&judged.claim.id])),
        }
    }
    lines.extend(by_words.iter().map(|(heading, ids)| format!("{heading}: {}", ids.join(", "))));
    lines.join("\n")
}

/// Formats the number of claims with each verdict on one machine, and the error of all clocked ones
/// together.
fn totals<'a>(
    machine: &str,
    claims: &'a [Judged<'_>],
    of: impl Fn(&'a Judged<'_>) -> &'a Judgement,
) -> String {
    let parts: Vec<String> = Verdict::tally(claims.iter().map(|judged| &of(judged).verdict))
        .iter()
        .map(|(words, n)| format!("{n} {words}"))
        .collect();
    let mut text = match claims.len() {
        0 => "no claims".to_string(),
        1 => format!("1 claim {machine}: {}", parts.join(", ")),
        n => format!("{n} claims {machine}: {}", parts.join(", ")),
    };
    let clocked = claims.iter().filter(|judged| matches!(judged.claim.proof, Proof::Clocked(_)));
    if let Some(error) = family::error(clocked.map(of)) {
        text += &format!("\n{error}");
    }
    text
}
