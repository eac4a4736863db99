//! Power cuts at every moment of a history, with all that the disk may hold then or a sample of it.

use super::disk::{Choices, Disk};
use super::history::{Ack, History, What};
use super::image::Image;
use super::rules::Rules;
use std::collections::HashSet;
use std::fmt;

/// The effort of a search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The choices that are tried at each moment: all of them, if they are no more than this, and
    /// otherwise a sample of that number.
    pub at_most: usize,
    /// The seed of the sample. The same seed finds the same.
    pub seed: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self { at_most: 4096, seed: 1 }
    }
}

/// A power cut, as a checker sees it.
#[derive(Clone, Copy)]
pub struct Crash<'a> {
    /// The directory, as it is found afterwards.
    pub image: &'a Image,
    /// Everything that the program had told the world by then, in order.
    pub acknowledged: &'a [Ack],
}

impl Crash<'_> {
    /// Returns the bytes that went to `to`: 1 is standard output, 2 standard error.
    pub fn told(&self, to: i32) -> Vec<u8> {
        let acks = self.acknowledged.iter().filter(|ack| ack.to == to);
        acks.flat_map(|ack| ack.bytes.iter().copied()).collect()
    }
}

/// A disk image that a power cut may leave and with which the checker is not content.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The complaint of the checker.
    pub complaint: String,
    /// The last event before the power cut.
    pub moment: String,
    /// The number of acknowledgments by then.
    pub acknowledged: usize,
    /// A line for each event that was not durable: how much of it the image has.
    pub events: Vec<String>,
    /// The image.
    pub image: Image,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { complaint, moment, acknowledged, events, .. } = self;
        writeln!(f, "{complaint}")?;
        write!(f, "  when the power fails after: {moment} ({acknowledged} acknowledged)")?;
        events.iter().try_for_each(|event| write!(f, "\n    {event}"))
    }
}

/// The outcome of a search.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The moments at which the power was cut.
    pub moments: u64,
    /// The legal choices at all of these moments, as far as numbers go. Several may make the same
    /// image.
    pub choices: u128,
    /// The moments at which there were more than were tried.
    pub sampled: u64,
    /// The images checked, each with what was acknowledged, and each once.
    pub images: u64,
    /// Those with which the checker was not content.
    pub violations: u64,
    /// The first of them.
    pub first: Vec<Violation>,
}

/// The violations that are kept.
const KEPT: usize = 10;

/// Cuts the power at each moment of `history`, and shows every image that `rules` then allow to
/// `verdict`, or a sample of them where they are many.
///
/// Moments that allow nothing new are left out: between two events that end a sync or tell the
/// world something, the last moment allows all that the earlier ones do.
pub fn search(
    history: &History,
    rules: Rules,
    search: Search,
    mut verdict: impl FnMut(&Crash<'_>) -> Result<(), String>,
) -> Findings {
    let events = history.events();
    let mut ticks: Vec<(u64, bool, usize)> = (0..)
        .zip(events)
        .flat_map(|(number, event)| [(event.began, false, number), (event.ended, true, number)])
        .filter(|(tick, ..)| *tick != u64::MAX)
        .collect();
    ticks.sort_unstable_by_key(|&(tick, ends, number)| (tick, number, ends));

    let mut state = State {
        search,
        random: Random(search.seed),
        seen: HashSet::new(),
        findings: Findings::default(),
        acknowledged: vec![],
        moment: "the start".to_owned(),
    };
    let mut disk = Disk::new(history, rules);
    let mut begun = 0;
    for (_, ends, number) in ticks {
        match (&events[number].what, ends) {
            (What::Acknowledge(ack), false) => {
                state.cut(&disk, begun, &mut verdict);
                state.acknowledged.push(ack.clone());
            }
            (
                What::Sync { .. } | What::SyncEverything | What::Write { durable: true, .. },
                true,
            ) => {
                state.cut(&disk, begun, &mut verdict);
                disk.end(number);
            }
            (_, true) => disk.end(number),
            (_, false) => {}
        }
        if !ends {
            disk.begin(number);
            begun = number + 1;
        }
        let what = history.describe(&events[number].what);
        state.moment = match events[number].what {
            What::Sync { .. } | What::SyncEverything if !ends => format!("the call of {what}"),
            _ => what.to_string(),
        };
    }
    state.cut(&disk, begun, &mut verdict);
    state.findings
}

/// Returns the directory as it is at the end, if the power does not fail.
#[allow(dead_code, reason = "only the recorder, which not all platforms have, asks for it")]
pub(super) fn final_image(history: &History) -> Image {
    let mut disk = Disk::new(history, Rules::POSIX);
    (0..history.events().len()).for_each(|number| disk.begin(number));
    let choices = disk.choices();
    let all: Vec<usize> = choices.options().iter().map(|options| options - 1).collect();
    choices.image(&all)
}

struct State {
    search: Search,
    random: Random,
    /// The images that were checked, each with the number of acknowledgments.
    seen: HashSet<(u64, usize)>,
    findings: Findings,
    acknowledged: Vec<Ack>,
    moment: String,
}

impl State {
    /// Cuts the power now.
    fn cut(
        &mut self,
        disk: &Disk<'_>,
        begun: usize,
        verdict: &mut impl FnMut(&Crash<'_>) -> Result<(), String>,
    ) {
        let choices = disk.choices();
        let all = choices
            .options()
            .iter()
            .fold(1_u128, |all, &options| all.saturating_mul(options as u128));
        self.findings.moments += 1;
        self.findings.choices = self.findings.choices.saturating_add(all);
        if all <= self.search.at_most as u128 {
            let mut chosen = vec![0; choices.options().len()];
            loop {
                self.check(&choices, chosen.clone(), verdict);
                if !next(&mut chosen, choices.options()) {
                    return;
                }
            }
        }
        self.findings.sampled += 1;
        for chosen in sample(&choices, begun, self.search.at_most, &mut self.random) {
            self.check(&choices, chosen, verdict);
        }
    }

    fn check(
        &mut self,
        choices: &Choices<'_>,
        mut chosen: Vec<usize>,
        verdict: &mut impl FnMut(&Crash<'_>) -> Result<(), String>,
    ) {
        choices.complete(&mut chosen);
        let image = choices.image(&chosen);
        if !self.seen.insert((image.fingerprint(), self.acknowledged.len())) {
            return;
        }
        self.findings.images += 1;
        let crash = Crash { image: &image, acknowledged: &self.acknowledged };
        let Err(complaint) = verdict(&crash) else { return };
        self.findings.violations += 1;
        if self.findings.first.len() < KEPT {
            self.findings.first.push(Violation {
                complaint,
                moment: self.moment.clone(),
                acknowledged: self.acknowledged.len(),
                events: choices.describe(&chosen),
                image,
            });
        }
    }
}

/// Advances to the next combination; `false` after the last.
fn next(chosen: &mut [usize], options: &[usize]) -> bool {
    for (chosen, &options) in chosen.iter_mut().zip(options) {
        *chosen += 1;
        if *chosen < options {
            return true;
        }
        *chosen = 0;
    }
    false
}

/// Returns `size` choices: first those that programs most often get wrong, then random ones.
fn sample(
    choices: &Choices<'_>,
    begun: usize,
    size: usize,
    random: &mut Random,
) -> Vec<Vec<usize>> {
    let options = choices.options();
    let none = vec![0; options.len()];
    let all: Vec<usize> = options.iter().map(|options| options - 1).collect();
    let only = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..options.len()).map(|at| if wanted(at) { all[at] } else { 0 }).collect()
    };
    // Nothing, everything, names without data, names and sizes without data, data without names.
    let mut sample = vec![
        none.clone(),
        all.clone(),
        only(&|at| choices.is_name(at)),
        only(&|at| choices.is_name(at) || choices.is_size(at)),
        only(&|at| !choices.is_name(at)),
    ];
    // Everything up to some event, and nothing after it: the last of them, because most of the
    // earlier ones are durable.
    sample.extend((begun.saturating_sub(size / 4)..begun).map(|number| choices.as_of(number)));
    // Nothing but one thing, and everything but one.
    for _ in 0..(size / 8).min(options.len()) {
        let at = random.below(options.len());
        let [mut one, mut others] = [none.clone(), all.clone()];
        one[at] = all[at];
        others[at] = 0;
        sample.extend([one, others]);
    }
    sample.truncate(size);
    while sample.len() < size {
        // Some samples are of disks that got nearly nothing, some of disks that got nearly all.
        let of_8 = 1 + random.below(7);
        let one = |(_, &options): (usize, &usize)| {
            let reached = random.below(8) < of_8;
            if reached && random.below(2) == 0 {
                options - 1
            } else if reached {
                random.below(options)
            } else {
                0
            }
        };
        sample.push(options.iter().enumerate().map(one).collect());
    }
    sample
}

/// Steele, Lea and Flood's SplitMix64: enough to sample with, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}
