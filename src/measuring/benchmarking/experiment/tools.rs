//! Recordings of the tools of others: their decisions about an effect that is known, the times of
//! one program in several orders of its functions, and a profile.

use super::super::binomial;
use crate::harness::report::{Report, Value};
use crate::sys::unsupported;
use std::collections::BTreeMap;
use std::io;

/// The tools that decide, by their names in the recordings.
pub const TOOLS: [&str; 6] = ["criterion", "divan", "divan_1s", "tango", "tango_1s", "rounds"];

/// The things that change from one run of a program to the next, by their names in the recordings.
pub const CHANGES: [&str; 4] = ["nothing", "addresses", "environment", "order"];

/// A decision of a tool about two pieces of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The name of the tool.
    pub tool: String,
    /// The second piece of work does one part in a hundred more; otherwise, both are the same code.
    pub more: bool,
    /// By how much the second takes longer, says the tool, in percent.
    pub percent: f64,
    /// The tool calls them different, if it takes half of the effect for noise.
    pub differs: bool,
    /// The tool calls them different, as it is.
    pub by_default: bool,
    /// The time of the decision, in milliseconds.
    pub milliseconds: f64,
}

/// A run of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The thing that changed.
    pub changes: String,
    /// The number of its state: runs of one number differ in nothing that was changed.
    pub number: u64,
    /// The least time of each piece of work, in picoseconds, with its name.
    pub least: Vec<(String, f64)>,
}

/// The recordings of all machines.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// The runs.
    pub runs: Vec<Run>,
    /// The profiles.
    pub profiles: Vec<Profile>,
}

/// A profile of a program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The samples that a core takes in a second.
    pub hertz: f64,
    /// The time of the run, in milliseconds.
    pub milliseconds: f64,
    /// The samples of all threads.
    pub samples: f64,
    /// The functions in them.
    pub functions: u64,
    /// The functions in them that have a frame of their own.
    pub without_inlined: u64,
    /// The samples in functions that let interrupts in again.
    pub unmasking: f64,
}

/// Reports the share of its time in which a program was seen, and the functions with and without
/// those that are inlined: of the first profile.
pub fn profiled(report: &mut Report, recorded: &io::Result<Tools>) {
    let first = match recorded {
        Ok(tools) => tools.profiles.first().ok_or("no recordings here".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match first {
        Ok(profile) => {
            let Profile { hertz, milliseconds, samples, .. } = *profile;
            let Profile { functions, without_inlined, unmasking, .. } = *profile;
            let seen = (100.0 * samples / hertz / (milliseconds / 1000.0)).round() as u64;
            let unmasking = (100.0 * unmasking / samples).round() as u64;
            report.detail("profile", "unmasking_percent", unmasking);
            report.detail("profile", "seen_percent", seen);
            report.detail("profile", "functions", functions);
            report.detail("profile", "without_inlined", without_inlined);
            report.note(&format!(
                "profile: {samples} samples cover {seen} % of the run, and name {functions} \
                 functions, {without_inlined} of them with a frame of their own; {unmasking} % are where \
                 interrupts are let in again"
            ));
        }
        Err(reason) => {
            for quantity in ["seen_percent", "functions", "without_inlined", "unmasking_percent"] {
                report.detail("profile", quantity, Value::NotPossible(reason.clone()));
            }
        }
    }
}

/// Reports how often each tool was right, and how long it took.
pub fn decided(report: &mut Report, recorded: &io::Result<Tools>) {
    for tool in TOOLS {
        let row = format!("tool_{tool}");
        let of = |tools: &Tools| -> Vec<Decision> {
            tools.decisions.iter().filter(|decision| decision.tool == tool).cloned().collect()
        };
        match recorded.as_ref().map(of) {
            Ok(decisions) if !decisions.is_empty() => Counts::of(&decisions).set(report, &row),
            Ok(_) => Counts::missing(report, &row, &unsupported("no recordings here")),
            Err(error) => Counts::missing(report, &row, error),
        }
    }
}

/// The outcomes of a tool's decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Decisions about different work, and those that found the second one slower.
    pub different: (usize, usize),
    /// Those that did so with the tool's default threshold.
    pub by_default: usize,
    /// Decisions about the same code, and those that called it different.
    pub same: (usize, usize),
    /// The median of the times.
    pub milliseconds: f64,
}

impl Counts {
    /// Counts the outcomes of `decisions`.
    pub fn of(decisions: &[Decision]) -> Self {
        let count = |is: &dyn Fn(&Decision) -> bool| decisions.iter().filter(|it| is(it)).count();
        let is_slower = |it: &Decision| it.more && it.percent > 0.0;
        let mut times: Vec<f64> = decisions.iter().map(|it| it.milliseconds).collect();
        times.sort_unstable_by(f64::total_cmp);
        Self {
            different: (count(&|it| it.more), count(&|it| is_slower(it) && it.differs)),
            by_default: count(&|it| is_slower(it) && it.by_default),
            same: (count(&|it| !it.more), count(&|it| !it.more && it.differs)),
            milliseconds: times.get(times.len() / 2).copied().unwrap_or_default(),
        }
    }

    fn set(self, report: &mut Report, row: &str) {
        let Self { different, by_default, same, milliseconds } = self;
        let found = shares(different);
        let wrong = shares(same);
        for (name, (of, count), [percent, low, high]) in
            [("found", different, found), ("wrong", same, wrong)]
        {
            report.detail(row, &format!("{name}_of"), of as u64);
            report.detail(row, name, count as u64);
            report.detail(row, &format!("{name}_percent"), percent);
            report.detail(row, &format!("{name}_low"), low);
            report.detail(row, &format!("{name}_high"), high);
        }
        report.detail(row, "by_default", by_default as u64);
        report.detail(row, "milliseconds", milliseconds.round() as u64);
        let [[found, found_low, found_high], [wrong, wrong_low, wrong_high]] = [found, wrong];
        report.note(&format!(
            "{row}: finds the hundredth in {found} % of {} tries ({found_low} to {found_high}; with \
             its default threshold, {by_default}), and one in {wrong} % of {} pairs of the same \
             code ({wrong_low} to {wrong_high}), in {milliseconds:.0} ms each",
            different.0, same.0
        ));
    }

    fn missing(report: &mut Report, row: &str, error: &io::Error) {
        let parts = ["", "_of", "_percent", "_low", "_high"];
        let both = parts.iter().flat_map(|part| ["found", "wrong"].map(|of| format!("{of}{part}")));
        let alone = ["by_default", "milliseconds"].map(str::to_owned);
        for quantity in both.chain(alone) {
            report.detail(row, &quantity, Value::NotPossible(error.to_string()));
        }
    }
}

/// Returns a share in percent, and its interval.
fn shares((of, count): (usize, usize)) -> [u64; 3] {
    let (low, high) = binomial::interval(count, of.max(1));
    [count as f64 / of.max(1) as f64, low, high].map(|share| (100.0 * share).round() as u64)
}

/// Reports how far the runs of a program lie apart, by the thing that changes from one to the next:
/// the piece of work that spreads most, in thousandths.
pub fn spread(report: &mut Report, recorded: &io::Result<Tools>) {
    for changes in CHANGES {
        let row = format!("layout_{changes}");
        let found = match recorded {
            Ok(tools) => widest(&tools.runs, changes).ok_or("no recordings here".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok((work, spread)) => {
                let spread = (1000.0 * spread).round() as u64;
                report.detail(&row, "spread", spread);
                report.note(&format!(
                    "{row}: if this changes and nothing else, the runs of {work} spread over {spread} in 1,000"
                ));
            }
            Err(reason) => report.detail(&row, "spread", Value::NotPossible(reason)),
        }
    }
}

/// Returns the piece of work whose times spread most if `changes` changes, and by which share: from
/// the tenth percentile to the ninetieth of the states, each of which has the least time of its
/// runs, since a neighbor only adds to a time.
pub fn widest(runs: &[Run], changes: &str) -> Option<(String, f64)> {
    let runs = || runs.iter().filter(|run| run.changes == changes);
    let names = runs().next()?.least.iter().map(|(name, _)| name);
    let spreads = names.map(|name| {
        let mut states: BTreeMap<u64, f64> = BTreeMap::new();
        for run in runs() {
            let time = run.least.iter().find(|(it, _)| it == name).map(|(_, time)| *time);
            let least = states.entry(run.number).or_insert(f64::INFINITY);
            *least = least.min(time.unwrap_or(f64::INFINITY));
        }
        let mut times: Vec<f64> = states.into_values().collect();
        times.sort_unstable_by(f64::total_cmp);
        let [low, high] = [times.len() / 10, times.len() - 1 - times.len() / 10];
        (name.clone(), times[high] / times[low] - 1.0)
    });
    spreads.max_by(|(_, a), (_, b)| a.total_cmp(b))
}
