//! Checks that what the pages refer to exists.

use crate::chapter::Page;
use crate::chapter::anchor::anchored;
use crate::ids::owner;
use crate::machine::{Known, Machine};
use crate::model::{Block, CountBound, Figure, Inline, Place, Problem, Proof, Times, YAxis};
use crate::project::Project;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Looks for everything that pages refer to: always among the files, and in the reference
/// recordings as far as there are any. A bench without a recording is no fault; its numbers are
/// printed as not measured.
pub(super) struct References<'a> {
    project: &'a Project,
    reference: &'a Machine,
    benches: Vec<String>,
    examples: BTreeSet<String>,
    claims: BTreeSet<String>,
}

impl<'a> References<'a> {
    pub(super) fn new(
        project: &'a Project,
        reference: &'a Machine,
        pages: &[Page],
    ) -> References<'a> {
        let examples = project.examples().into_iter().collect();
        let claims = pages.iter().flat_map(Page::claims).map(|claim| claim.id.clone()).collect();
        References { project, reference, benches: project.benches(), examples, claims }
    }

    /// Returns a problem for each thing that `pages` refer to and that does not exist.
    pub(super) fn check(&self, pages: &[Page]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut ids: BTreeMap<&str, &Place> = BTreeMap::new();
        for page in pages {
            for block in &page.blocks {
                let (place, wrong) = match &block.item {
                    Block::Claim(claim) => {
                        let mut wrong = self.proof(&claim.proof);
                        if let Some(first) = ids.insert(&claim.id, &claim.place) {
                            wrong.push(format!("the id `{}` is taken: {first}", claim.id));
                        }
                        (&claim.place, wrong)
                    }
                    Block::Figure(figure) => (&figure.place, self.figure(figure)),
                };
                problems.extend(
                    wrong.into_iter().map(|message| Problem { place: place.clone(), message }),
                );
            }
            for inline in &page.inlines {
                let line = page.markdown[..inline.range.start].matches('\n').count() + 1;
                let place = Place { page: Path::new("book/src").join(&page.path), line };
                let wrong = self.inline(&inline.item);
                problems.extend(
                    wrong.into_iter().map(|message| Problem { place: place.clone(), message }),
                );
            }
        }
        problems.sort();
        problems
    }

    /// Checks what a claim's proof refers to.
    fn proof(&self, proof: &Proof) -> Vec<String> {
        match proof {
            Proof::Compiled { file, anchor } => {
                self.anchor(file, anchor).err().into_iter().collect()
            }
            // Only running a model tells if it exists: `check` takes a missing one for a failure.
            Proof::Explored { .. } => Vec::new(),
            Proof::Clocked(clocked) => {
                let mut wrong = self.all_ids(&clocked.ids().collect::<Vec<_>>());
                wrong.extend(self.one_bench(&clocked.over, &clocked.under).err());
                wrong
            }
            Proof::Counted(counts) | Proof::Observed(counts) => counts
                .iter()
                .flat_map(|count| {
                    let other = match &count.bound {
                        CountBound::FewerThan { example, key, .. } => Some((example, key)),
                        _ => None,
                    };
                    [Some((&count.example, &count.key)), other]
                })
                .flatten()
                .filter_map(|(example, key)| self.count(example, key).err())
                .collect(),
        }
    }

    /// Checks what a figure refers to.
    fn figure(&self, figure: &Figure) -> Vec<String> {
        let group = &figure.group;
        if let Err(wrong) = self.bench(group) {
            return vec![wrong];
        }
        let mut wrong = Vec::new();
        let members = self.reference.group(group);
        if members.is_empty() {
            wrong.extend(self.missing(group));
            return wrong;
        }
        for function in figure.series.iter().chain(&figure.baseline) {
            wrong.extend(self.function(group, function).err());
        }
        if figure.y == YAxis::Throughput
            && let Some((id, _)) = members.iter().find(|(_, member)| {
                let shown =
                    |name: &String| figure.series.is_empty() || figure.series.contains(name);
                member.function.as_ref().is_some_and(shown)
                    && member.throughput_bytes.or(member.throughput_elements).is_none()
            })
        {
            wrong.push(format!("`{id}` was recorded without a throughput"));
        }
        wrong
    }

    /// Checks what a reference in prose refers to.
    fn inline(&self, inline: &Inline) -> Vec<String> {
        match inline {
            Inline::Measured { id, throughput } => {
                let mut wrong = self.all_ids(&[id]);
                if *throughput && wrong.is_empty() {
                    wrong.extend(self.has_throughput(id).err());
                }
                wrong
            }
            Inline::Counted { example, key } => {
                self.count(example, key).err().into_iter().collect()
            }
            Inline::Ratio { a, b } => self.all_ids(&[a, b]),
            Inline::Difference { a, b } => {
                let times = Times::Difference(a.clone(), b.clone());
                let mut wrong = self.all_ids(&[a, b]);
                wrong.extend(self.one_bench(&times, &times).err());
                wrong
            }
            Inline::Share { part, whole } => {
                let mut wrong = self.all_ids(&part.ids().chain(whole.ids()).collect::<Vec<_>>());
                wrong.extend(self.one_bench(part, whole).err());
                wrong
            }
            Inline::Percent { a, b } => {
                let mut wrong = self.all_ids(&[a, b]);
                if wrong.is_empty() {
                    wrong.extend([a, b].iter().filter_map(|id| self.has_throughput(id).err()));
                }
                wrong
            }
            Inline::Crossover { group, a, b } => match self.bench(group) {
                Err(wrong) => vec![wrong],
                Ok(()) => [a, b].iter().filter_map(|f| self.function(group, f).err()).collect(),
            },
            Inline::Claim { id } => match self.claims.contains(id) {
                true => Vec::new(),
                false => vec![format!("unknown: no page claims `{id}`")],
            },
            Inline::Noise { bench } => {
                let group = format!("{bench}_aa");
                match self.bench(bench) {
                    Err(wrong) => vec![wrong],
                    Ok(()) => ["first", "second"]
                        .iter()
                        .filter_map(|function| self.function(&group, function).err())
                        .collect(),
                }
            }
            Inline::Quoted { .. } => Vec::new(),
        }
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
    fn all_ids(&self, ids: &[&String]) -> Vec<String> {
        ids.iter()
            .filter_map(|id| match self.bench(id) {
                Err(wrong) => Some(wrong),
                Ok(()) => match self.reference.benchmark(id) {
                    Known::NotMeasured => self.missing(id),
                    Known::Measured(_) | Known::NotPossible(_) => None,
                },
            })
            .collect()
    }

    /// Returns the problem with an `id` that the reference machine's recording of its bench lacks.
    /// There is none without a recording, or if the machine has a reason.
    fn missing(&self, id: &str) -> Option<String> {
        let recording = self.reference.recording(id)?;
        match recording.why_not(id) {
            Some(_) => None,
            None => Some(format!(
                "unknown: the reference recording of {} has no `{id}`",
                recording.date
            )),
        }
    }

    /// Checks that a recorded group has the function.
    fn function(&self, group: &str, function: &str) -> Result<(), String> {
        let members = self.reference.group(group);
        if members.iter().any(|(_, member)| member.function.as_deref() == Some(function)) {
            return Ok(());
        }
        self.missing(&format!("{group}/{function}")).map_or(Ok(()), Err)
    }

    /// Checks that a recorded benchmark has a throughput.
    fn has_throughput(&self, id: &str) -> Result<(), String> {
        match self.reference.benchmark(id) {
            Known::Measured(b) if b.throughput_bytes.or(b.throughput_elements).is_none() => {
                Err(format!("`{id}` was recorded without a throughput"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the example exists, and has the key if it was recorded.
    fn count(&self, example: &str, key: &str) -> Result<(), String> {
        if !self.examples.contains(example) {
            return Err(format!("unknown: examples/{example}.rs does not exist"));
        }
        match self.reference.counts.get(example) {
            Some(counts) if !counts.values.contains_key(key) => Err(format!(
                "unknown: the example `{example}` had no `{key}` in the reference recording"
            )),
            _ => Ok(()),
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
