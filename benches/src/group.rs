//! A group of benchmarks, as a bench registers it.

use crate::clocks::{Clock, Taken, Times};
use crate::order::Place;
use criterion::Throughput;
use std::cell::RefCell;
use std::fmt::Display;
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::time::Instant;

/// The name of a benchmark in its group: a function, and a parameter if there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub(crate) function: String,
    pub(crate) parameter: Option<String>,
}

impl Name {
    /// Returns the full id.
    pub(crate) fn within(&self, group: &str) -> String {
        match &self.parameter {
            Some(parameter) => format!("{group}/{}/{parameter}", self.function),
            None => format!("{group}/{}", self.function),
        }
    }
}

impl From<&str> for Name {
    fn from(function: &str) -> Self {
        Self { function: function.to_owned(), parameter: None }
    }
}

impl<P: Display> From<(&str, P)> for Name {
    fn from((function, parameter): (&str, P)) -> Self {
        Self { function: function.to_owned(), parameter: Some(parameter.to_string()) }
    }
}

/// Runs a number of iterations and returns their time.
pub(crate) type Batch<'a> = Box<dyn FnMut(u64) -> Taken + 'a>;

/// The work of a benchmark.
#[derive(Clone)]
pub(crate) enum Routine<'a> {
    /// Ready to run.
    Ready(Rc<RefCell<Batch<'a>>>),
    /// Made right before it runs, and dropped after that.
    Made(Rc<RefCell<dyn FnMut() -> io::Result<Batch<'a>> + 'a>>),
    /// Not possible on this machine, for this reason.
    NotPossible(String),
}

/// A benchmark as it was registered.
#[derive(Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) name: Name,
    pub(crate) place: Place,
    pub(crate) throughput: Option<Throughput>,
    pub(crate) least: u64,
    pub(crate) routine: Routine<'a>,
}

/// The clock whose times become a group of their own.
#[derive(Clone, Debug)]
pub(crate) struct SecondClock {
    pub(crate) clock: Clock,
    pub(crate) group: String,
}

/// A group of benchmarks: the variants of one figure, at one or several parameters.
///
/// Register the functions in the order of the chapter. They run in another order; see
/// [`crate::Plan`].
pub struct Group<'a> {
    pub(crate) name: String,
    pub(crate) entries: Vec<Entry<'a>>,
    pub(crate) flat: bool,
    pub(crate) clock: Option<Clock>,
    pub(crate) second: Option<SecondClock>,
    pub(crate) witness: Option<[usize; 2]>,
    pub(crate) isolated: bool,
    throughput: Option<Throughput>,
    least: u64,
}

impl<'a> Group<'a> {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            entries: Vec::new(),
            flat: false,
            clock: None,
            second: None,
            witness: None,
            isolated: false,
            throughput: None,
            least: 1,
        }
    }

    /// Gives each sample the same number of iterations, for work that takes long or is started anew
    /// for each sample. Otherwise criterion decides.
    pub fn flat(&mut self) -> &mut Self {
        self.flat = true;
        self
    }

    /// Sets the work of one iteration, for the benchmarks that are registered from here on.
    pub fn throughput(&mut self, throughput: Throughput) -> &mut Self {
        self.throughput = Some(throughput);
        self
    }

    /// Runs at least this number of iterations in each sample, whatever criterion asks for, and
    /// takes the time of those: for work that starts threads, of which a few iterations would
    /// measure the start. Holds for the benchmarks that are registered from here on.
    pub fn at_least(&mut self, iterations: u64) -> &mut Self {
        self.least = iterations.max(1);
        self
    }

    /// Measures by a clock of CPU time instead of the wall clock. Batches then have to return it,
    /// as those of [`Clock::taken`] do.
    pub fn clock(&mut self, clock: Clock) -> &mut Self {
        self.clock = Some(clock);
        self
    }

    /// Measures by a second clock, too. Its times of the same batches become the group `group`,
    /// usually `NAME_cpu`. Batches have to return them, as those of [`Clock::taken`] do.
    pub fn second_clock(&mut self, clock: Clock, group: &str) -> &mut Self {
        self.second = Some(SecondClock { clock, group: group.to_owned() });
        self
    }

    /// Measures the trip of a line between two cores before and after each benchmark. Every
    /// benchmark in which two cores access the same memory needs it: figures and verdicts are by
    /// how far the two cores are from each other.
    pub fn witnessed(&mut self, cores: [usize; 2]) -> &mut Self {
        self.witness = Some(cores);
        self
    }

    /// Runs each benchmark in a fresh process, for variants that leave state behind, such as the
    /// thresholds of an allocator. That process runs the whole `main` of the bench up to
    /// [`crate::Plan::run`], so leave work that changes such state to [`Group::made`].
    pub fn isolated(&mut self) -> &mut Self {
        self.isolated = true;
        self
    }

    /// Registers a benchmark. `batch` runs a number of iterations and returns their time.
    pub fn bench<T: Times>(
        &mut self,
        name: impl Into<Name>,
        mut batch: impl FnMut(u64) -> T + 'a,
    ) -> &mut Self {
        let batch: Batch<'a> = Box::new(move |times| batch(times).taken());
        self.add(name.into(), Routine::Ready(Rc::new(RefCell::new(batch))))
    }

    /// Registers a benchmark whose `batch` is made right before it is measured, and dropped after
    /// that. If it cannot be made, the benchmark is not possible here, with the error as reason.
    pub fn made<T: Times, B: FnMut(u64) -> T + 'a>(
        &mut self,
        name: impl Into<Name>,
        mut make: impl FnMut() -> io::Result<B> + 'a,
    ) -> &mut Self {
        let make = move || -> io::Result<Batch<'a>> {
            let mut batch = make()?;
            Ok(Box::new(move |times| batch(times).taken()))
        };
        self.add(name.into(), Routine::Made(Rc::new(RefCell::new(make))))
    }

    /// Registers a benchmark that calls `work` once in each iteration, and drops what it returns
    /// inside the timing.
    pub fn iter<T>(
        &mut self,
        name: impl Into<Name>,
        mut work: impl FnMut() -> T + 'a,
    ) -> &mut Self {
        let clock = self.clock.or_else(|| self.second.as_ref().map(|second| second.clock));
        self.bench(name, move |times| {
            let mut run = || (0..times).for_each(|_| _ = black_box(work()));
            match clock {
                Some(clock) => clock.taken(run),
                None => {
                    let start = Instant::now();
                    run();
                    Taken { wall: start.elapsed(), cpu: None }
                }
            }
        })
    }

    /// Registers a benchmark that cannot run on this machine, with the reason.
    pub fn not_possible(&mut self, name: impl Into<Name>, reason: impl Display) -> &mut Self {
        self.add(name.into(), Routine::NotPossible(reason.to_string()))
    }

    /// Measures `function` a second time at each parameter at which it has been registered so far,
    /// as `FUNCTION_again`, away from the first: any difference between the two is noise.
    ///
    /// # Panics
    ///
    /// If there is no such function.
    pub fn again(&mut self, function: &str) -> &mut Self {
        self.again_if(function, |_| true)
    }

    /// Measures `function` a second time, at one parameter.
    ///
    /// # Panics
    ///
    /// If there is no such function with this parameter.
    pub fn again_at(&mut self, function: &str, parameter: impl Display) -> &mut Self {
        let parameter = parameter.to_string();
        self.again_if(function, |name| name.parameter.as_ref() == Some(&parameter))
    }

    fn again_if(&mut self, function: &str, wanted: impl Fn(&Name) -> bool) -> &mut Self {
        let before = self.entries.len();
        for first in 0..before {
            let entry = &self.entries[first];
            if entry.name.function == function && wanted(&entry.name) {
                let mut again = entry.clone();
                again.name.function += "_again";
                again.place.again = Some(first);
                self.entries.push(again);
            }
        }
        assert!(self.entries.len() > before, "{}: no {function} to measure again", self.name);
        self
    }

    fn add(&mut self, name: Name, routine: Routine<'a>) -> &mut Self {
        let id = name.within(&self.name);
        assert!(!self.entries.iter().any(|entry| entry.name == name), "{id} is registered twice");
        let place = Place { parameter: name.parameter.clone(), again: None };
        let (throughput, least) = (self.throughput.clone(), self.least);
        self.entries.push(Entry { name, place, throughput, least, routine });
        self
    }
}
