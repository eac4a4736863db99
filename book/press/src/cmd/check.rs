//! `cargo book check`: lists every claim with its verdict here.

use crate::book::{self, Book, Judged};
use crate::chapter::Page;
use crate::ids::slashed;
use crate::machine::files::{self, CheckFile};
use crate::model::{Claim, Error, Judgement, Proof, Verdict};
use crate::page::programs;
use crate::project::Project;
use crate::prove::{examples, family, judge, loose, proofs};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Options of `check`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The ids of the claims to check. If there are neither these nor chapters, all are checked.
    pub claims: Vec<String>,
    /// The chapters whose claims to check, as in [`Page::name`](crate::chapter::Page::name).
    pub chapters: Vec<String>,
    /// Print a JSON array instead of a list.
    pub json: bool,
    /// Run nothing: judge only what the recorded machines found.
    pub recorded: bool,
    /// With `recorded`: a loose bound fails the check.
    pub strict: bool,
}

impl Options {
    /// Returns `true` if every claim is to be checked.
    fn all(&self) -> bool {
        self.claims.is_empty() && self.chapters.is_empty()
    }
}

/// Prints every claim with its verdicts, and returns `true` if the check passes: no claim fails
/// here, and every example and model ran. What it finds is stored for the book. With `recorded`,
/// every clocked and counted claim must hold on a recorded machine and fail on none instead, and
/// recordings must have all that claims and figures name.
///
/// # Errors
///
/// If the book cannot be read, an option names nothing, or the findings cannot be stored.
pub fn run(project: &Project, options: &Options) -> Result<bool, Error> {
    let mut book = book::load(project)?;
    let wanted = wanted(&book, options)?;
    let mut troubles = Vec::new();
    if !options.recorded {
        let proved;
        (proved, troubles) = prove(project, &wanted, options.all());
        store(project, &wanted, &proved, options.all())?;
        // Without a run this time, a count is unknown, whatever an earlier run found.
        book = book.proved(proved);
    }
    let mut claims = book.claims();
    claims.retain(|judged| wanted.iter().any(|claim| claim.id == judged.claim.id));
    let text = match options.json {
        true => format!("{:#}", programs::claims::checked(&book, &claims)),
        false => print_list(&claims, options),
    };
    print(&text)?;
    for trouble in &troubles {
        eprintln!("{trouble}");
    }
    let mut bad = claims.iter().any(|claim| against(claim, options));
    if options.recorded && options.all() {
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
    if !options.json {
        print(&ending(&claims, options))?;
    }
    Ok(!bad && troubles.is_empty())
}

/// Returns the claims that the options name.
fn wanted(book: &Book, options: &Options) -> Result<Vec<Claim>, Error> {
    let claims = || book.pages.iter().flat_map(|page| page.claims().map(move |one| (page, one)));
    for id in &options.claims {
        if claims().all(|(_, claim)| claim.id != *id) {
            return Err(Error::Usage(format!("no chapter makes a claim `{id}`")));
        }
    }
    for name in &options.chapters {
        if claims().all(|(page, _)| page.name() != *name) {
            return Err(Error::Usage(format!("no chapter `{name}` makes a claim")));
        }
    }
    let named = |(page, claim): &(&Page, &Claim)| {
        options.all()
            || options.claims.contains(&claim.id)
            || options.chapters.contains(&page.name())
    };
    Ok(claims().filter(named).map(|(_, claim)| claim.clone()).collect())
}

/// Stores the findings for the book. A check of some claims leaves the others' results alone; a run
/// that failed this time takes its earlier result with it.
fn store(project: &Project, wanted: &[Claim], proved: &CheckFile, all: bool) -> Result<(), Error> {
    let mut file: CheckFile = match all {
        true => CheckFile::default(),
        // A file that cannot be read holds nothing that is worth keeping.
        false => files::load(&project.checked()).ok().flatten().unwrap_or_default(),
    };
    for claim in wanted {
        for example in claim.proof.examples() {
            file.counts.remove(example);
        }
        if let Some(key) = judge::proof_key(&claim.proof) {
            file.proofs.remove(&key);
        }
    }
    file.counts.extend(proved.counts.clone());
    file.proofs.extend(proved.proofs.clone());
    files::store(&file, &project.checked())
}

fn print(text: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{text}").map_err(|e| Error::Failed(format!("cannot print: {e}")))
}

/// Names the claims that fail, as the last line of the output.
fn ending(claims: &[Judged<'_>], options: &Options) -> String {
    let is_failure = |judged: &&Judged<'_>| match options.recorded {
        true => *judged.worst() == Verdict::Fails,
        false => judged.here.verdict == Verdict::Fails,
    };
    let place = if options.recorded { "on a recorded machine" } else { "here" };
    let ids: Vec<&str> =
        claims.iter().filter(is_failure).map(|judged| judged.claim.id.as_str()).collect();
    match ids.len() {
        0 => format!("no claim fails {place}"),
        1 => format!("1 claim fails {place}: {}", ids[0]),
        n => format!("{n} claims fail {place}: {}", ids.join(", ")),
    }
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
                let command = judged.claim.runs().unwrap_or_else(|| judged.claim.command());
                text += &format!("\n  {:<19} {label}: {command}", "");
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
