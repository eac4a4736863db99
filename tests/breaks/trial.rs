//! Tries breaks: applies them to copies of the checkout, and finds out which checks notice.

use super::Claims;
use super::checkout::{Checkout, Said};
use super::rounds::rounds;
use press::breaks::{self, Break};
use press::model::Proof;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, io, thread};

/// Copies of the checkout that share the work.
const WORKERS: usize = 2;

/// The beginning of the name of a check that is a model.
const MODEL: &str = "the model ";

/// The breaks to try, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The tables to take the breaks from; empty for all.
    pub techniques: Vec<String>,
    /// Try each break by itself, and tell which other claims of its examples fail with it.
    pub alone: bool,
    /// Try the breaks that ThreadSanitizer must notice, and no others.
    pub sanitizer: bool,
    /// Take it that what CI runs elsewhere passes unbroken, unless a break goes unnoticed.
    pub sound: bool,
}

/// The way a break is judged, which decides what is built for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// By examples: one `cargo book check` for a round.
    Counted,
    /// By a cargo command of its own.
    Command,
    /// By tests: one build of each test program for a round.
    Tested,
    /// By the compiler, which stops at it: no other break can share the build.
    Compiled,
    /// By loom models: one build for a round.
    Explored,
    /// By tests under ThreadSanitizer.
    Raced,
}

/// The result of a break in one lane.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Noticed,
    /// With what else fails then.
    NoticedAlone(Vec<String>),
    /// It goes unnoticed in its round, but not by itself.
    Masked,
    NotNoticed(String),
    DoesNotApply(String),
    NotPossible(String),
    FailsUnbroken(String),
}

impl Outcome {
    fn is_finding(&self) -> bool {
        matches!(self, Self::NotNoticed(_) | Self::DoesNotApply(_) | Self::FailsUnbroken(_))
    }
}

/// Some breaks of one lane that are applied together.
#[derive(Clone, Debug)]
struct Round {
    lane: Lane,
    breaks: Vec<Break>,
}

impl Round {
    /// Prints how long it took.
    fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        println!("{:>13.1}s {:?}, breaks: {}", seconds, self.lane, self.breaks.len());
    }
}

/// Everything that a worker needs.
struct Trial {
    press: PathBuf,
    claims: Claims,
    alone: bool,
    sound: bool,
}

/// Tries the breaks of the project at `root`, and prints a line for each. Returns the lines of the
/// findings.
///
/// # Errors
///
/// A sentence, if they cannot be tried at all.
pub fn run(root: &Path, options: &Options) -> Result<Vec<String>, String> {
    let breaks = breaks::tables(root, &options.techniques)?;
    let (alone, sound) = (options.alone, options.sound);
    let trial = Trial { press: press(root)?, claims: super::claims(root)?, alone, sound };
    let is_wanted = |lane: &Lane| (*lane == Lane::Raced) == options.sanitizer;
    let mut lanes: BTreeMap<Lane, Vec<Break>> = BTreeMap::new();
    for one in breaks {
        for lane in trial.lanes(&one).into_iter().filter(is_wanted) {
            lanes.entry(lane).or_default().push(one.clone());
        }
    }

    let workers = lanes.len().min(WORKERS);
    let copies: Result<Vec<_>, _> =
        (0..workers).map(|number| Checkout::new(root, number)).collect();
    let mut copies = copies.map_err(|error| format!("cannot copy the checkout: {error}"))?;
    let findings = Mutex::new(vec![]);
    let report = |one: &Break, outcome: &Outcome| {
        let line = line(one, outcome);
        println!("{line}");
        if outcome.is_finding() {
            findings.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    };

    // Models that are no claims are explored by no other command.
    let is_taken = |lane: &Lane| sound && *lane != Lane::Explored;
    let (mut lanes, doubted): (BTreeMap<_, _>, BTreeMap<_, _>) =
        lanes.into_iter().partition(|(lane, _)| is_taken(lane));
    lanes.append(&mut trial.sound(doubted, &mut copies, &report)?);
    let mut planned = VecDeque::new();
    for (lane, breaks) in lanes {
        let alone = alone || matches!(lane, Lane::Command | Lane::Compiled);
        let parts = match alone {
            true => (0..breaks.len()).map(|index| vec![index]).collect(),
            false => rounds(&breaks.iter().collect::<Vec<_>>()),
        };
        let round = |part: Vec<usize>| Round {
            lane,
            breaks: part.into_iter().map(|index| breaks[index].clone()).collect(),
        };
        planned.extend(parts.into_iter().map(round));
    }
    println!("{} rounds", planned.len());
    share(planned, &mut copies, |copy, round| {
        let begun = Instant::now();
        for (one, outcome) in trial.broken(copy, &round)? {
            report(&one, &outcome);
        }
        round.took(begun.elapsed());
        Ok(())
    })?;
    Ok(findings.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Gives the rounds to one thread for each copy, to the first from the front and to the others from
/// the back: so a copy stays with one lane as long as it can, and builds little anew.
fn share(
    rounds: VecDeque<Round>,
    copies: &mut [Checkout],
    work: impl Fn(&mut Checkout, Round) -> io::Result<()> + Sync,
) -> Result<(), String> {
    let rounds = Mutex::new(rounds);
    let worker = |number: usize, copy: &mut Checkout| -> io::Result<()> {
        loop {
            let mut rounds = rounds.lock().unwrap_or_else(PoisonError::into_inner);
            let next = if number == 0 { rounds.pop_front() } else { rounds.pop_back() };
            drop(rounds);
            let Some(round) = next else { return Ok(()) };
            work(copy, round)?;
        }
    };
    let worker = &worker;
    thread::scope(|scope| {
        let start = copies.iter_mut().enumerate();
        let workers: Vec<_> =
            start.map(|(number, copy)| scope.spawn(move || worker(number, copy))).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("a worker panicked".to_owned()),
        })
    })
}

/// Builds the press of the checkout and returns the path of its program.
fn press(root: &Path) -> Result<PathBuf, String> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", "press", "--message-format=json", "--quiet"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| "the press does not build".to_owned())
}

/// Returns the line that says what came of a break.
fn line(one: &Break, outcome: &Outcome) -> String {
    let (word, more) = match outcome {
        Outcome::Noticed => ("noticed", String::new()),
        Outcome::NoticedAlone(others) if others.is_empty() => ("noticed", String::new()),
        Outcome::NoticedAlone(others) => {
            ("noticed", format!(" (fails too: {})", others.join(", ")))
        }
        Outcome::Masked => ("noticed", " (by itself; masked in its round)".to_owned()),
        Outcome::NotPossible(why) => ("not possible", format!(": {why}")),
        Outcome::NotNoticed(why) => ("NOT NOTICED", format!(": {why}")),
        Outcome::DoesNotApply(why) => ("DOES NOT APPLY", format!(": {why}")),
        Outcome::FailsUnbroken(why) => ("FAILS UNBROKEN", format!(": {why}")),
    };
    format!("{word:<14} {}{more}", one.name())
}

/// Returns `true` if the output holds what the break says that it must.
fn says(one: &Break, output: &str) -> bool {
    // That it is a regex is checked with the tables.
    one.says.as_ref().is_none_or(|says| Regex::new(says).is_ok_and(|says| says.is_match(output)))
}

/// Returns the verdicts of a check by claim, with what was found.
fn verdicts(said: &Said) -> BTreeMap<String, (String, String)> {
    let claims: Vec<Value> = serde_json::from_str(&said.stdout).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    claims
        .iter()
        .map(|claim| {
            let found =
                if claim["reason"].is_string() { &claim["reason"] } else { &claim["found"] };
            (text(&claim["id"]), (text(&claim["here"]), text(found)))
        })
        .collect()
}

impl Trial {
    fn lanes(&self, one: &Break) -> BTreeSet<Lane> {
        let by_claims = one.claims.iter().map(|claim| match self.claims.get(claim) {
            Some(Proof::Compiled { .. }) => Lane::Compiled,
            Some(Proof::Explored { .. }) => Lane::Explored,
            _ => Lane::Counted,
        });
        let others = [
            (one.model.is_some(), Lane::Explored),
            (one.test.is_some(), Lane::Tested),
            (one.sanitizer.is_some(), Lane::Raced),
            (one.command.is_some(), Lane::Command),
        ];
        let others = others.into_iter().filter_map(|(is, lane)| is.then_some(lane));
        by_claims.chain(others).collect()
    }

    /// Returns the claims of a break that a lane judges.
    fn claims<'a>(&'a self, one: &'a Break, lane: Lane) -> impl Iterator<Item = &'a str> {
        one.claims.iter().map(String::as_str).filter(move |claim| match self.claims.get(*claim) {
            Some(Proof::Compiled { .. }) => lane == Lane::Compiled,
            Some(Proof::Explored { .. }) => lane == Lane::Explored,
            _ => lane == Lane::Counted,
        })
    }

    /// Returns the models that must fail.
    fn models<'a>(&'a self, one: &'a Break) -> impl Iterator<Item = &'a str> {
        let by_claims = one.claims.iter().filter_map(|claim| match self.claims.get(claim) {
            Some(Proof::Explored { model }) => Some(model.as_str()),
            _ => None,
        });
        by_claims.chain(one.model.as_deref())
    }

    /// Runs `cargo book check` for the claims of some breaks; with `alone`, for all claims of their
    /// examples.
    fn check(&self, copy: &Checkout, breaks: &[Break]) -> io::Result<Said> {
        let mut claims: BTreeSet<&str> =
            breaks.iter().flat_map(|one| self.claims(one, Lane::Counted)).collect();
        if self.alone {
            let examples: BTreeSet<&str> = claims
                .iter()
                .filter_map(|claim| self.claims.get(*claim))
                .flat_map(Proof::examples)
                .collect();
            let others = self.claims.iter().filter(|(_, proof)| {
                matches!(proof, Proof::Counted(_) | Proof::Observed(_))
                    && proof.examples().all(|example| examples.contains(example))
            });
            claims.extend(others.map(|(id, _)| id.as_str()));
        }
        let claims = claims.into_iter().flat_map(|claim| ["--claim", claim]);
        let arguments: Vec<&str> = ["check", "--json"].into_iter().chain(claims).collect();
        copy.press(&self.press, &arguments)
    }

    /// Judges everything unbroken, and returns the breaks that can be tried.
    fn sound(
        &self,
        lanes: BTreeMap<Lane, Vec<Break>>,
        copies: &mut [Checkout],
        report: &(impl Fn(&Break, &Outcome) + Sync),
    ) -> Result<BTreeMap<Lane, Vec<Break>>, String> {
        // The examples and the models take longest, each on a core.
        let rounds = lanes.into_iter().map(|(lane, breaks)| Round { lane, breaks }).collect();
        let sound: Mutex<BTreeMap<Lane, Vec<Break>>> = Mutex::default();
        share(rounds, copies, |copy, round| {
            let begun = Instant::now();
            for (one, problem) in self.unbroken(copy, &round)? {
                match problem {
                    Some(problem) => report(&one, &problem),
                    None => {
                        let mut sound = sound.lock().unwrap_or_else(PoisonError::into_inner);
                        sound.entry(round.lane).or_default().push(one);
                    }
                }
            }
            round.took(begun.elapsed());
            Ok(())
        })?;
        Ok(sound.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Judges, before anything is broken, what the breaks of a round are meant to break; `None`
    /// stands for a break that can be tried.
    fn unbroken(
        &self,
        copy: &mut Checkout,
        round: &Round,
    ) -> io::Result<Vec<(Break, Option<Outcome>)>> {
        let checked = match round.lane {
            Lane::Counted => Some(self.check(copy, &round.breaks)?),
            _ => None,
        };
        let verdicts = checked.as_ref().map(verdicts).unwrap_or_default();
        let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut judged = vec![];
        for one in &round.breaks {
            let problem = match round.lane {
                Lane::Counted => self.claims(one, Lane::Counted).find_map(|claim| {
                    let (here, found) = verdicts.get(claim).cloned().unwrap_or_default();
                    match here.as_str() {
                        "holds" => None,
                        "not possible here" => Some(Outcome::NotPossible(found)),
                        // An observation depends on chance, and on the load of the machine.
                        "not seen" => Some(Outcome::NotPossible(format!("not seen: {found}"))),
                        _ => {
                            let said = checked.as_ref().map(Said::complaints).unwrap_or_default();
                            Some(Outcome::FailsUnbroken(format!("{claim} {here}: {found}\n{said}")))
                        }
                    }
                }),
                lane => {
                    let mut problem = None;
                    for (what, must_pass) in self.commands(one, lane) {
                        if self.sound && self.is_claimed(&what) {
                            continue;
                        }
                        if !known.contains_key(&what) {
                            let said = must_pass(copy)?;
                            known.insert(what.clone(), (!said.success).then(|| said.tail()));
                        }
                        let said = known[&what].clone();
                        problem = problem.or(said.map(|said| format!("{what} fails:\n{said}")));
                    }
                    problem.map(Outcome::FailsUnbroken)
                }
            };
            judged.push((one.clone(), problem));
        }
        Ok(judged)
    }

    /// Returns `true` if a check is a model that a claim names, which `cargo book check` explores.
    fn is_claimed(&self, check: &str) -> bool {
        let named = check.strip_prefix(MODEL);
        self.claims.values().any(|proof| match proof {
            Proof::Explored { model } => named == Some(model),
            _ => false,
        })
    }

    /// Returns the commands that judge a break in any lane but the counted one, each with a name.
    #[expect(clippy::type_complexity, reason = "a list of closures")]
    fn commands<'a>(
        &'a self,
        one: &'a Break,
        lane: Lane,
    ) -> Vec<(String, Box<dyn Fn(&Checkout) -> io::Result<Said> + 'a>)> {
        let split = |name: &'a str| name.split_once("::").unwrap_or((name, ""));
        match lane {
            Lane::Counted => vec![],
            Lane::Explored => self
                .models(one)
                .map(|model| -> (String, Box<dyn Fn(&Checkout) -> _>) {
                    let run = move |copy: &Checkout| copy.models(&["--exact", model]);
                    (format!("{MODEL}{model}"), Box::new(run))
                })
                .collect(),
            Lane::Compiled => {
                let run = |copy: &Checkout| {
                    copy.plain(&["check", "--package", "perf-proved", "--message-format=short"])
                };
                vec![("cargo check".to_owned(), Box::new(run))]
            }
            Lane::Tested => {
                let name = one.test.as_deref().unwrap_or_default();
                let (target, path) = split(name);
                let run = move |copy: &Checkout| copy.tests(target, &["--", "--exact", path]);
                vec![(format!("the test {name}"), Box::new(run))]
            }
            Lane::Raced => {
                let name = one.sanitizer.as_deref().unwrap_or_default();
                let (target, path) = split(name);
                let run = move |copy: &Checkout| copy.raced(target, &["--", "--exact", path]);
                vec![(format!("the test {name}"), Box::new(run))]
            }
            Lane::Command => {
                let command = one.command.as_deref().unwrap_or_default();
                let words: Vec<&'a str> = command.split(' ').collect();
                let run = move |copy: &Checkout| match words.split_first() {
                    Some((&"book", rest)) => copy.press(&self.press, rest),
                    _ => copy.plain(&words),
                };
                vec![(format!("cargo {command}"), Box::new(run))]
            }
        }
    }

    /// Applies a round, judges each of its breaks, and tries again by itself what goes unnoticed.
    fn broken(&self, copy: &mut Checkout, round: &Round) -> io::Result<Vec<(Break, Outcome)>> {
        let mut judged = vec![];
        let mut applied = vec![];
        let mut again = vec![];
        for one in &round.breaks {
            match copy.apply(one) {
                Ok(()) => applied.push(one.clone()),
                // It may be another break of the round that is in the way.
                Err(_) if round.breaks.len() > 1 => again.push(one.clone()),
                Err(why) => judged.push((one.clone(), Outcome::DoesNotApply(why))),
            }
        }
        let outcomes = self.judge(copy, round.lane, &applied)?;
        copy.mend()?;
        for (one, outcome) in applied.into_iter().zip(outcomes) {
            match outcome {
                Outcome::NotNoticed(_) if round.breaks.len() > 1 => again.push(one),
                Outcome::NotNoticed(why) if self.sound => {
                    // It may not have passed, or not have been possible, before.
                    let unbroken = Round { lane: round.lane, breaks: vec![one] };
                    let unbroken = self.unbroken(copy, &unbroken)?.into_iter();
                    judged.extend(unbroken.map(|(one, problem)| {
                        (one, problem.unwrap_or_else(|| Outcome::NotNoticed(why.clone())))
                    }));
                }
                outcome => judged.push((one, outcome)),
            }
        }
        for one in again {
            let alone = Round { lane: round.lane, breaks: vec![one] };
            let outcomes = self.broken(copy, &alone)?;
            judged.extend(outcomes.into_iter().map(|(one, outcome)| match outcome {
                Outcome::Noticed | Outcome::NoticedAlone(_) => (one, Outcome::Masked),
                outcome => (one, outcome),
            }));
        }
        Ok(judged)
    }

    /// Judges the breaks that are applied to a copy, in their order.
    fn judge(&self, copy: &Checkout, lane: Lane, breaks: &[Break]) -> io::Result<Vec<Outcome>> {
        if breaks.is_empty() {
            return Ok(vec![]);
        }
        match lane {
            Lane::Counted => {
                let said = self.check(copy, breaks)?;
                let verdicts = verdicts(&said);
                let judge = |one| self.judge_claims(one, &said, &verdicts);
                return Ok(breaks.iter().map(judge).collect());
            }
            // Built first: what does not build has not noticed.
            Lane::Explored => {
                let built = copy.models(&["--list"])?;
                if !built.success {
                    let why = format!("the models do not build:\n{}", built.tail());
                    return Ok(vec![Outcome::NotNoticed(why); breaks.len()]);
                }
            }
            Lane::Tested | Lane::Raced => {
                for name in breaks.iter().filter_map(|one| match lane {
                    Lane::Tested => one.test.as_deref(),
                    _ => one.sanitizer.as_deref(),
                }) {
                    let target = name.split("::").next().unwrap_or_default();
                    let built = match lane {
                        Lane::Tested => copy.tests(target, &["--no-run"])?,
                        _ => copy.raced(target, &["--no-run"])?,
                    };
                    if !built.success {
                        let why = format!("the tests of {target} do not build:\n{}", built.tail());
                        return Ok(vec![Outcome::NotNoticed(why); breaks.len()]);
                    }
                }
            }
            Lane::Command | Lane::Compiled => {}
        }
        let mut outcomes = vec![];
        for one in breaks {
            let mut outcome = Outcome::Noticed;
            for (what, run) in self.commands(one, lane) {
                let said = run(copy)?;
                let is_named = match lane {
                    Lane::Compiled => self.is_refused(one, &said.all),
                    Lane::Raced => said.all.contains("ThreadSanitizer: data race"),
                    _ => true,
                };
                if said.success {
                    outcome = Outcome::NotNoticed(format!("{what} passes"));
                } else if !is_named || !says(one, &said.all) {
                    let why = format!("{what} fails for another reason:\n{}", said.tail());
                    outcome = Outcome::NotNoticed(why);
                }
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn judge_claims(
        &self,
        one: &Break,
        said: &Said,
        verdicts: &BTreeMap<String, (String, String)>,
    ) -> Outcome {
        let fails = |claim: &str| {
            verdicts.get(claim).is_some_and(|(here, _)| here == "fails" || here == "not seen")
        };
        let mine: Vec<&str> = self.claims(one, Lane::Counted).collect();
        if one.says.is_some() && (said.success || !says(one, &said.all)) {
            return Outcome::NotNoticed(format!(
                "the output does not say so:\n{}",
                said.complaints()
            ));
        }
        let unnoticed = mine.iter().find(|claim| one.says.is_none() && !fails(claim));
        if let Some(claim) = unnoticed {
            let (here, found) = verdicts.get(*claim).cloned().unwrap_or_default();
            return Outcome::NotNoticed(format!("{claim} {here}: {found}\n{}", said.complaints()));
        }
        let others =
            verdicts.keys().filter(|claim| fails(claim) && !mine.contains(&claim.as_str()));
        match self.alone {
            true => Outcome::NoticedAlone(others.cloned().collect()),
            false => Outcome::Noticed,
        }
    }

    /// Returns `true` if the compiler reports an error in the file that a compiled claim of the
    /// break names.
    fn is_refused(&self, one: &Break, output: &str) -> bool {
        one.claims.iter().all(|claim| match self.claims.get(claim) {
            Some(Proof::Compiled { file, .. }) => {
                let file = format!("{}:", file.display());
                output.lines().any(|line| line.starts_with(&file) && line.contains(": error"))
            }
            _ => true,
        })
    }
}
