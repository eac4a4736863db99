//! Checks that what the pages refer to exists.

use crate::breaks::{Break, FOLDER};
use crate::chapter::Page;
use crate::chapter::anchor::anchored;
use crate::date::day;
use crate::ids::owner;
use crate::machine::{Known, Machine};
use crate::model::{
    Block, CountBound, Figure, Generated, Inline, Place, Problem, Proof, Times, YAxis,
};
use crate::project::Project;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Looks for everything that pages refer to: always among the files, and in the recordings as far
/// as there are any. A bench without a recording is no fault; its numbers are printed as not
/// measured.
pub(super) struct References<'a> {
    project: &'a Project,
    machines: &'a [Machine],
    benches: Vec<String>,
    examples: BTreeSet<String>,
    claims: BTreeSet<String>,
}

/// The faults of all pages.
#[derive(Default)]
pub(super) struct Findings {
    /// Faults that keep the book from being printed.
    pub wrong: Vec<Problem>,
    /// Names in claims and figures that no recording has.
    pub unrecorded: Vec<Problem>,
}

/// The faults of one block or reference.
#[derive(Default)]
struct Faults {
    wrong: Vec<String>,
    unrecorded: Vec<String>,
}

impl<'a> References<'a> {
    pub(super) fn new(
        project: &'a Project,
        machines: &'a [Machine],
        pages: &[Page],
    ) -> References<'a> {
        let examples = project.examples().into_iter().collect();
        let claims = pages.iter().flat_map(Page::claims).map(|claim| claim.id.clone()).collect();
        References { project, machines, benches: project.benches(), examples, claims }
    }

    /// Returns a problem for each thing that `pages` refer to and that does not exist. Prose cannot
    /// do without its numbers; claims and figures say that something is not measured.
    pub(super) fn check(&self, pages: &[Page]) -> Findings {
        let mut found = Findings::default();
        let mut ids: BTreeMap<&str, &Place> = BTreeMap::new();
        for page in pages {
            for block in &page.blocks {
                let (place, faults) = match &block.item {
                    Block::Claim(claim) => {
                        let mut faults = self.proof(&claim.proof);
                        if let Some(first) = ids.insert(&claim.id, &claim.place) {
                            let taken = format!("the id `{}` is taken: {first}", claim.id);
                            faults.wrong.push(taken);
                        }
                        (&claim.place, faults)
                    }
                    Block::Figure(figure) => (&figure.place, self.figure(figure)),
                    Block::Belief(belief) => {
                        let mut faults = Faults::default();
                        for inline in &belief.inlines {
                            let found = self.inline(&inline.item);
                            faults.wrong.extend(found.wrong.into_iter().chain(found.unrecorded));
                        }
                        (&belief.place, faults)
                    }
                    Block::Generated(Generated::Live { claim, place }) => {
                        (place, self.inline(&Inline::Claim { id: claim.clone() }))
                    }
                    Block::Solution(_) | Block::Generated(_) => continue,
                };
                found.wrong.extend(problems(place, faults.wrong));
                found.unrecorded.extend(problems(place, faults.unrecorded));
            }
            for inline in &page.inlines {
                let line = page.markdown[..inline.range.start].matches('\n').count() + 1;
                let place = Place { page: Path::new("book/src").join(&page.path), line };
                let faults = self.inline(&inline.item);
                found.wrong.extend(problems(&place, faults.wrong));
                found.wrong.extend(problems(&place, faults.unrecorded));
            }
        }
        found.wrong.sort();
        found.unrecorded.sort();
        found
    }

    /// Checks what a claim's proof refers to.
    fn proof(&self, proof: &Proof) -> Faults {
        let mut faults = Faults::default();
        match proof {
            Proof::Compiled { file, anchor } => {
                faults.wrong.extend(self.anchor(file, anchor).err());
            }
            // Only running a model tells if it exists: `check` takes a missing one for a failure.
            Proof::Explored { .. } => {}
            Proof::Clocked(clocked) => {
                self.benchmarks(clocked.ids(), &mut faults);
                faults.wrong.extend(self.one_bench(&clocked.over, &clocked.under).err());
            }
            Proof::Counted(counts) | Proof::Observed(counts) => {
                for count in counts {
                    self.count(&count.example, &count.key, &mut faults);
                    if let CountBound::FewerThan { example, key, .. } = &count.bound {
                        self.count(example, key, &mut faults);
                    }
                }
            }
        }
        faults
    }

    /// Checks what a figure refers to.
    fn figure(&self, figure: &Figure) -> Faults {
        let mut faults = Faults::default();
        let group = &figure.group;
        if let Err(wrong) = self.bench(group) {
            faults.wrong.push(wrong);
            return faults;
        }
        let members: Vec<_> =
            self.machines.iter().flat_map(|machine| machine.group(group)).collect();
        if members.is_empty() {
            faults.unrecorded.extend(self.missing(group));
            return faults;
        }
        let functions: BTreeSet<&String> = match figure.series.is_empty() {
            true => members.iter().filter_map(|(_, member)| member.function.as_ref()).collect(),
            false => figure.series.iter().collect(),
        };
        if functions.len() > Figure::MOST {
            faults.wrong.push(format!(
                "a figure of {} series, of which a reader can tell apart {} at most: name those of \
                 `{group}` to show in `series`, or split the figure",
                functions.len(),
                Figure::MOST
            ));
        }
        for function in figure.series.iter().chain(&figure.baseline) {
            faults.unrecorded.extend(self.missing_function(group, function));
        }
        if figure.y == YAxis::Throughput
            && let Some((id, _)) = members.iter().find(|(_, member)| {
                let shown =
                    |name: &String| figure.series.is_empty() || figure.series.contains(name);
                member.function.as_ref().is_some_and(shown)
                    && member.throughput_bytes.or(member.throughput_elements).is_none()
            })
        {
            faults.wrong.push(format!("`{id}` was recorded without a throughput"));
        }
        faults
    }

    /// Checks what a reference in prose refers to.
    fn inline(&self, inline: &Inline) -> Faults {
        let mut faults = Faults::default();
        match inline {
            Inline::Measured { id, throughput } => {
                self.benchmarks([id], &mut faults);
                if *throughput {
                    faults.wrong.extend(self.without_throughput(id));
                }
            }
            Inline::Counted { example, key } => self.count(example, key, &mut faults),
            Inline::Ratio { a, b } => self.benchmarks([a, b], &mut faults),
            Inline::Difference { a, b } => {
                let times = Times::Difference(a.clone(), b.clone());
                self.benchmarks([a, b], &mut faults);
                faults.wrong.extend(self.one_bench(&times, &times).err());
            }
            Inline::Share { part, whole } => {
                self.benchmarks(part.ids().chain(whole.ids()), &mut faults);
                faults.wrong.extend(self.one_bench(part, whole).err());
            }
            Inline::Percent { a, b } => {
                self.benchmarks([a, b], &mut faults);
                faults.wrong.extend([a, b].iter().filter_map(|id| self.without_throughput(id)));
            }
            Inline::Crossover { group, a, b } => match self.bench(group) {
                Err(wrong) => faults.wrong.push(wrong),
                Ok(()) => faults
                    .unrecorded
                    .extend([a, b].iter().filter_map(|f| self.missing_function(group, f))),
            },
            Inline::Claim { id } | Inline::Found { id } => {
                if !self.claims.contains(id) {
                    faults.wrong.push(format!("unknown: no page claims `{id}`"));
                }
            }
            Inline::Noise { bench } => match self.bench(bench) {
                Err(wrong) => faults.wrong.push(wrong),
                Ok(()) => faults.unrecorded.extend(self.without_noise(bench)),
            },
            Inline::Quoted { .. } => {}
        }
        faults
    }

    /// Checks that the group of `id` has a bench.
    fn bench(&self, id: &str) -> Result<(), String> {
        match owner(id, self.benches.iter().map(String::as_str)) {
            Some(_) => Ok(()),
            None => Err(format!("unknown: no bench in benches/ has the group of `{id}`")),
        }
    }

    /// Checks that the times of a difference are of one bench: only these are of one round.
    fn one_bench(&self, over: &Times, under: &Times) -> Result<(), String> {
        if let (Times::Of(_), Times::Of(_)) = (over, under) {
            return Ok(());
        }
        let bench = |id: &String| owner(id, self.benches.iter().map(String::as_str));
        let ids: Vec<&String> = over.ids().chain(under.ids()).collect();
        match ids.iter().find(|id| bench(id) != bench(ids[0])) {
            Some(other) => Err(format!(
                "`{other}` and `{}` are of different benches, and share no rounds",
                ids[0]
            )),
            None => Ok(()),
        }
    }

    /// Checks that each of `ids` has a bench, and a benchmark if its bench was recorded.
    fn benchmarks<'b>(&self, ids: impl IntoIterator<Item = &'b String>, faults: &mut Faults) {
        for id in ids {
            match self.bench(id) {
                Err(wrong) => faults.wrong.push(wrong),
                Ok(()) => faults.unrecorded.extend(self.missing(id)),
            }
        }
    }

    /// Returns the problem with a benchmark or group that every recording of its bench lacks. There
    /// is none without a recording, or if a machine has a reason.
    fn missing(&self, id: &str) -> Option<String> {
        let recordings: Vec<_> = self
            .machines
            .iter()
            .filter_map(|machine| Some((machine, machine.recording(id)?)))
            .collect();
        let known = recordings.iter().any(|(machine, recording)| {
            !matches!(machine.benchmark(id), Known::NotMeasured)
                || !machine.group(id).is_empty()
                || recording.why_not(id).is_some()
        });
        if known || recordings.is_empty() {
            return None;
        }
        let dates: Vec<String> = recordings
            .iter()
            .map(|(machine, recording)| format!("{}, {}", machine.name, day(&recording.date)))
            .collect();
        Some(format!("unknown: no recording has `{id}` ({})", dates.join("; ")))
    }

    /// Returns the problem with a function of a group that was recorded without it.
    fn missing_function(&self, group: &str, function: &str) -> Option<String> {
        let has = |machine: &Machine| {
            machine
                .group(group)
                .iter()
                .any(|(_, member)| member.function.as_deref() == Some(function))
        };
        if self.machines.iter().any(has) {
            return None;
        }
        self.missing(&format!("{group}/{function}"))
    }

    /// Returns the problem with a bench or group that was recorded without a null control.
    fn without_noise(&self, name: &str) -> Option<String> {
        let mut recorded = self.machines.iter().filter(|m| m.recording(name).is_some()).peekable();
        recorded.peek()?;
        recorded
            .all(|machine| machine.noise(name) == Known::NotMeasured)
            .then(|| format!("unknown: no recording of `{name}` measures the same code twice"))
    }

    /// Returns the problem with a benchmark that was recorded without a throughput.
    fn without_throughput(&self, id: &str) -> Option<String> {
        let lacks = self.machines.iter().any(|machine| match machine.benchmark(id) {
            Known::Measured(b) => b.throughput_bytes.or(b.throughput_elements).is_none(),
            Known::NotPossible(_) | Known::NotMeasured => false,
        });
        lacks.then(|| format!("`{id}` was recorded without a throughput"))
    }

    /// Checks that the example exists, and has the key if it was recorded.
    fn count(&self, example: &str, key: &str, faults: &mut Faults) {
        if !self.examples.contains(example) {
            faults.wrong.push(format!("unknown: examples/{example}.rs does not exist"));
            return;
        }
        let mut counted =
            self.machines.iter().filter(|m| m.counts.contains_key(example)).peekable();
        if counted.peek().is_some()
            && counted.all(|machine| machine.count(example, key) == Known::NotMeasured)
        {
            let unknown =
                format!("unknown: the example `{example}` had no `{key}` when it was recorded");
            faults.unrecorded.push(unknown);
        }
    }

    /// Checks that `file` has `anchor`, with something inside that the compiler checks.
    fn anchor(&self, file: &Path, anchor: &str) -> Result<(), String> {
        let text = fs::read_to_string(self.project.root().join(file))
            .map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        let Some(lines) = anchored(&text, anchor) else {
            return Err(format!("{} has no anchor `{anchor}` with its end", file.display()));
        };
        if asserts(&lines) {
            return Ok(());
        }
        Err(format!("the anchor `{anchor}` of {} asserts nothing at compile time", file.display()))
    }
}

/// Returns a problem for each solution that no break is, for each break that is the solution of no
/// exercise, and for each second break of an exercise.
pub(super) fn solutions(pages: &[Page], exercises: &[Break]) -> Vec<Problem> {
    let mut found = vec![];
    let mut solved: BTreeSet<(String, u32)> = BTreeSet::new();
    for one in exercises {
        let number = one.exercise.unwrap_or_default();
        let page = Path::new(FOLDER).join(format!("{}.toml", one.technique));
        let place = Place { page, line: one.line };
        if !solved.insert((one.technique.clone(), number)) {
            let message = format!("exercise {number} has a break already");
            found.push(Problem { place, message });
            continue;
        }
        let of_page = |page: &&Page| page.technique() == one.technique;
        let mut solutions = pages.iter().filter(of_page).flat_map(Page::solutions);
        if !solutions.any(|solution| solution.exercise == number) {
            let message = format!("its chapter has no solution of exercise {number}");
            found.push(Problem { place, message });
        }
    }
    for page in pages {
        let technique = page.technique();
        for solution in page.solutions() {
            let number = solution.exercise;
            if !solved.contains(&(technique.clone(), number)) {
                let message =
                    format!("no break in {FOLDER}/{technique}.toml has `exercise = {number}`");
                found.push(Problem { place: solution.place.clone(), message });
            }
        }
    }
    found
}

/// Returns messages as problems at one place.
fn problems(place: &Place, messages: Vec<String>) -> impl Iterator<Item = Problem> {
    messages.into_iter().map(|message| Problem { place: place.clone(), message })
}

/// Returns `true` if any of `lines` is an assertion that the compiler checks.
fn asserts(lines: &[&str]) -> bool {
    const MACROS: [&str; 8] = [
        "const_assert",
        "assert_eq_size",
        "assert_eq_align",
        "assert_impl_",
        "assert_not_impl_",
        "assert_type_eq_all",
        "assert_obj_safe",
        "assert_fields",
    ];
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    // rustfmt breaks a long `const _: () = assert!(…)` after its equals sign.
    lines.join("\n").replace("=\n", "= ").lines().any(|code| {
        let constant =
            code.starts_with("const _: () = assert") || code.starts_with("const { assert");
        let called = code.strip_prefix("static_assertions::").unwrap_or(code);
        constant || MACROS.iter().any(|name| called.starts_with(name)) && called.contains('!')
    })
}
