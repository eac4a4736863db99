//! Power cuts while a log is written, recovered, and written again; of a good log and of broken
//! ones.

use super::super::naive::{Behind, BrokenLog, Flaw, PlainLog};
use super::super::variants::Appender;
use super::super::{Ahead, Durability, Log, Settings, read};
use crate::proof::power_loss::history::What;
use crate::proof::power_loss::{Ack, Call, Image, Outcome, Rules, Search, Twin, TwinFile, search};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// A log that was opened or recovered, with the records that it found.
type Opened = (Arc<dyn Appender>, Vec<(u64, Vec<u8>)>);

/// A log that is searched.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Good(Ahead),
    Broken(Flaw),
    Plain(Behind),
}

/// The log of this chapter, by the space that its segments take ahead.
pub const LOGS: [Subject; 3] = [
    Subject { name: "log_grow", kind: Kind::Good(Ahead::Grow) },
    Subject { name: "log_reserve", kind: Kind::Good(Ahead::Reserve) },
    Subject { name: "log_zeros", kind: Kind::Good(Ahead::Zeros) },
];

/// The logs that break their word.
pub const BROKEN: [Subject; 12] = [
    Subject { name: "no_fsync", kind: Kind::Broken(Flaw::NoFsync) },
    Subject { name: "ack_first", kind: Kind::Broken(Flaw::AckFirst) },
    Subject { name: "no_directory_sync", kind: Kind::Broken(Flaw::NoDirectorySync) },
    Subject { name: "no_sequence", kind: Kind::Plain(Behind::Stale) },
    Subject { name: "zeros_as_record", kind: Kind::Plain(Behind::Zeros) },
    Subject { name: "corruption_as_tail", kind: Kind::Broken(Flaw::CorruptionAsTail) },
    Subject { name: "tail_kept", kind: Kind::Broken(Flaw::TailKept) },
    Subject { name: "sequence_restarted", kind: Kind::Broken(Flaw::SequenceRestarted) },
    Subject { name: "leaders_error_only", kind: Kind::Broken(Flaw::LeadersErrorOnly) },
    Subject { name: "retries_fsync", kind: Kind::Broken(Flaw::RetriesFsync) },
    Subject { name: "leaders_durability", kind: Kind::Broken(Flaw::LeadersDurability) },
    Subject { name: "written_during_sync", kind: Kind::Broken(Flaw::WrittenDuringSync) },
];

impl Subject {
    /// Opens or recovers it, with segments that end after a few records.
    fn open(self, twin: &Twin) -> io::Result<Opened> {
        let settings = |segment_bytes, ahead| Settings {
            segment_bytes,
            record_bytes: 1024,
            ahead,
            ..Settings::default()
        };
        let mut records = vec![];
        let mut each = |sequence, record: &[u8]| records.push((sequence, record.to_vec()));
        let log: Arc<dyn Appender> = match self.kind {
            Kind::Good(ahead) => {
                let log =
                    Log::open(twin.clone(), &settings(1024, ahead)).map_err(io::Error::other)?.0;
                Arc::new(log)
            }
            Kind::Broken(flaw) => {
                // Its second handle stays with the first segment, which is another mistake.
                let never_ends = flaw == Flaw::WrittenDuringSync;
                let settings = settings(if never_ends { 1 << 20 } else { 1024 }, Ahead::Grow);
                let log = BrokenLog::open(twin.clone(), &settings, flaw);
                Arc::new(log.map_err(io::Error::other)?)
            }
            Kind::Plain(behind) => {
                let log = PlainLog::open(twin, behind, each)?;
                return Ok((Arc::new(log), records));
            }
        };
        read(twin, &mut each).map_err(io::Error::other)?;
        Ok((log, records))
    }
}

impl Appender for BrokenLog<Twin> {
    fn append(&self, record: &[u8], durability: Durability) -> io::Result<u64> {
        Self::append(self, record, durability).map_err(io::Error::other)
    }
}

/// All of its records are durable.
impl Appender for PlainLog<TwinFile> {
    fn append(&self, record: &[u8], _: Durability) -> io::Result<u64> {
        Self::append(self, record)
    }
}

/// The images that power cuts leave of a log, by what its recovery makes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub images: u64,
    /// Those of them that a second power cut left, during or after the recovery from a first.
    pub second: u64,
    /// The moments whose images are a sample.
    pub sampled: u64,
    /// Images from which a record is lost that was acknowledged, or that an earlier recovery had
    /// returned.
    pub lost: u64,
    /// Images with a record that was never appended, or twice, or under a wrong number.
    pub invented: u64,
    /// Images that the log refuses to open.
    pub refused: u64,
    /// The first complaint.
    pub first: Option<String>,
}

impl Tally {
    /// Returns the number of images with which something is wrong.
    pub fn wrong(&self) -> u64 {
        self.lost + self.invented + self.refused
    }

    fn note(&mut self, wrong: &Wrong) {
        match wrong {
            Wrong::Refused(_) => self.refused += 1,
            Wrong::Lost(_) => self.lost += 1,
            Wrong::Invented(_) => self.invented += 1,
        }
        self.first.get_or_insert(wrong.to_string());
    }

    /// Adds another one.
    pub fn and(mut self, other: Self) -> Self {
        self.images += other.images;
        self.second += other.second;
        self.sampled += other.sampled;
        self.lost += other.lost;
        self.invented += other.invented;
        self.refused += other.refused;
        self.first = self.first.or(other.first);
        self
    }
}

/// A program that uses a log, and what goes wrong meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One thread appends records of several lengths in both durabilities, over several segments.
    /// The program recovers the remains of each power cut and appends to them, and the power is cut
    /// again.
    Steady,
    /// The sync of one record fails. The program tries another record, and then opens the log
    /// again, without a power cut in between.
    FailedSync,
    /// Two records that arrive during a sync are in one group, whose sync fails.
    FailedGroup,
    /// As before, and all syncs succeed. The first record is to be written only, and the second one
    /// durable.
    WrittenFirst,
    /// As before, in the other order.
    DurableFirst,
    /// A record arrives during a sync that fails.
    DuringFailure,
    /// The disk changes a byte of a segment behind which there is another one. Every one is tried.
    /// A log may refuse that, and must not lose a record without a word.
    Damage,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Steady,
        Self::FailedSync,
        Self::FailedGroup,
        Self::WrittenFirst,
        Self::DurableFirst,
        Self::DuringFailure,
        Self::Damage,
    ];

    /// Runs it on the log, and cuts the power at every moment.
    ///
    /// # Errors
    ///
    /// If the log cannot be opened at first.
    pub fn search(self, subject: Subject, rules: Rules) -> io::Result<Tally> {
        let session = Arc::new(Session::new(Twin::new()));
        let (log, _) = subject.open(&session.twin)?;
        let syncs = session.twin.calls(Call::Sync);
        let fail = |nth| session.twin.inject(Call::Sync, syncs + nth, Outcome::Error(libc::EIO));
        use Durability::{Durable, Written};
        match self {
            Self::Steady | Self::Damage => {
                let durabilities = [Durable, Written, Durable, Durable, Written, Durable, Durable];
                (0..).zip(durabilities).for_each(|(number, durability)| {
                    session.append(&*log, number, durability);
                });
            }
            Self::FailedSync => {
                fail(2);
                (0..3).for_each(|number| session.append(&*log, number, Durable));
                drop(log);
                let (log, records) = subject.open(&session.twin)?;
                session.recovered(&records);
                session.append(&*log, 3, Durable);
            }
            Self::FailedGroup => {
                fail(2);
                session.with_company(&log, syncs + 1, &[Durable, Durable]);
            }
            Self::WrittenFirst => session.with_company(&log, syncs + 1, &[Written, Durable]),
            Self::DurableFirst => session.with_company(&log, syncs + 1, &[Durable, Written]),
            Self::DuringFailure => {
                fail(1);
                session.with_company(&log, syncs + 1, &[Durable]);
            }
        }
        if self == Self::Damage {
            return Ok(session.damage(subject));
        }
        let (mut tally, left) = session.cut(subject, rules, &Promises::new());
        if self == Self::Steady {
            for (image, promises) in left {
                let again = again(subject, rules, &image, &promises);
                tally.second += again.images;
                tally = tally.and(again);
            }
        }
        Ok(tally)
    }
}

/// Recovers `image`, appends to it, and cuts the power at every moment of that.
fn again(subject: Subject, rules: Rules, image: &Image, promises: &Promises) -> Tally {
    let session = Session::new(Twin::holding(image));
    // An image that is refused or wrong was counted with the first ones.
    let Ok((log, records)) = subject.open(&session.twin) else { return Tally::default() };
    session.recovered(&records);
    // A record that this recovery has not found must not come back later.
    session.attempted().extend(records.iter().filter_map(|(_, content)| number(content)));
    [101, 102].iter().for_each(|&number| session.append(&*log, number, Durability::Durable));
    session.cut(subject, rules, promises).0
}

/// Promises made to the world: numbers of records, by their numbers in the log.
type Promises = BTreeMap<u64, u32>;

/// The number of the record without content.
const EMPTY: u32 = 3;

/// Returns the content of a record: its number, and more. One content is empty, and one does not
/// fit into a sector.
fn content(number: u32) -> Vec<u8> {
    let length = match number {
        EMPTY => return vec![],
        _ => [300, 20, 600, 4, 90][number as usize % 5],
    };
    let mut content = number.to_le_bytes().to_vec();
    content.resize(length, b'0' + number as u8 % 10);
    content
}

/// Returns the number of the record that has this content; `None` if there is none.
fn number(of: &[u8]) -> Option<u32> {
    let number = match of {
        [] => EMPTY,
        _ => u32::from_le_bytes(of.get(..4)?.try_into().ok()?),
    };
    (content(number) == of).then_some(number)
}

/// A directory, and the records that were appended to the log in it.
struct Session {
    twin: Twin,
    attempted: Mutex<BTreeSet<u32>>,
}

impl Session {
    fn new(twin: Twin) -> Self {
        Self { twin, attempted: Mutex::default() }
    }

    fn attempted(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.attempted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record. If the log says that it is durable, the world is told.
    fn append(&self, log: &dyn Appender, number: u32, durability: Durability) {
        self.attempted().insert(number);
        let appended = log.append(&content(number), durability);
        if let (Ok(sequence), Durability::Durable) = (appended, durability) {
            self.promise([(sequence, number)]);
        }
    }

    /// Tells the world what a recovery has found. Contents that no record has are found later.
    fn recovered(&self, records: &[(u64, Vec<u8>)]) {
        let known = |(sequence, content): &(u64, Vec<u8>)| Some((*sequence, number(content)?));
        self.promise(records.iter().filter_map(known));
    }

    fn promise(&self, records: impl IntoIterator<Item = (u64, u32)>) {
        let bytes = records.into_iter().flat_map(|(sequence, number)| {
            [&sequence.to_le_bytes()[..], &number.to_le_bytes()].concat()
        });
        self.twin.acknowledge(&bytes.collect::<Vec<_>>());
    }

    /// Appends record 0. During sync `nth`, appends one record after the other, each on a thread of
    /// its own, and lets the sync go on when they wait.
    fn with_company(
        self: &Arc<Self>,
        log: &Arc<dyn Appender>,
        nth: u64,
        durabilities: &'static [Durability],
    ) {
        let (threads, name) = (Arc::new(Mutex::new(vec![])), super::thread_name());
        let during = {
            let (session, log) = (Arc::downgrade(self), Arc::downgrade(log));
            let threads = Arc::clone(&threads);
            move |sync| {
                let (Some(session), Some(log)) = (session.upgrade(), log.upgrade()) else { return };
                for (number, &durability) in (1..).zip(durabilities).filter(|_| sync == nth) {
                    let (session, log) = (session.clone(), log.clone());
                    let append = move || session.append(&*log, number, durability);
                    let thread = thread::Builder::new().name(name.clone()).spawn(append);
                    let thread = thread.expect("a thread starts");
                    wait_for(&name, number as usize, &thread);
                    threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
                }
            }
        };
        self.twin.during_sync(during);
        self.append(&**log, 0, Durability::Durable);
        let threads = threads.lock().unwrap_or_else(PoisonError::into_inner).split_off(0);
        threads.into_iter().for_each(|thread| thread.join().expect("no append panics"));
    }

    /// Cuts the power at every moment, and returns the images with which nothing is wrong, each
    /// with what was promised by then.
    fn cut(
        &self,
        subject: Subject,
        rules: Rules,
        before: &Promises,
    ) -> (Tally, Vec<(Image, Promises)>) {
        let (mut tally, mut right) = (Tally::default(), vec![]);
        let attempted = self.attempted().clone();
        let found = search(&self.twin.history(), rules, Search::default(), |crash| {
            let mut promises = before.clone();
            promises.extend(crash.acknowledged.iter().flat_map(promised));
            let judged = judge(subject, crash.image, &promises, &attempted);
            match judged {
                Ok(()) => {
                    right.push((crash.image.clone(), promises));
                    Ok(())
                }
                Err(wrong) => {
                    tally.note(&wrong);
                    Err(wrong.to_string())
                }
            }
        });
        tally.images = found.images;
        tally.sampled = found.sampled;
        tally.first = found.first.first().map(ToString::to_string);
        (tally, right)
    }
}

impl Session {
    /// Changes each byte of each file but the last.
    fn damage(&self, subject: Subject) -> Tally {
        let (mut tally, whole, attempted) =
            (Tally::default(), self.twin.image(), self.attempted().clone());
        let events = self.twin.history();
        let acks = events.events().iter().filter_map(|event| match &event.what {
            What::Acknowledge(ack) => Some(ack),
            _ => None,
        });
        let promises = acks.flat_map(promised).collect();
        let mut files = whole.files();
        files.pop();
        for name in files {
            let content = whole.file(name).unwrap_or_default();
            for at in 0..content.len() {
                let (mut image, mut damaged) = (whole.clone(), content.to_vec());
                damaged[at] ^= 1;
                image.put(name, Some(damaged.into()));
                tally.images += 1;
                match judge(subject, &image, &promises, &attempted) {
                    Ok(()) | Err(Wrong::Refused(_)) => {}
                    Err(wrong) => tally.note(&wrong),
                }
            }
        }
        tally
    }
}

fn promised(ack: &Ack) -> impl Iterator<Item = (u64, u32)> {
    ack.bytes.chunks_exact(12).map(|promise| {
        let (sequence, number) = promise.split_at(8);
        let sequence = u64::from_le_bytes(sequence.try_into().expect("eight bytes"));
        (sequence, u32::from_le_bytes(number.try_into().expect("four bytes")))
    })
}

enum Wrong {
    Refused(io::Error),
    Lost(u32),
    Invented(u64),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "it refuses the image: {error}"),
            Self::Lost(number) => write!(f, "record {number} is lost"),
            Self::Invented(sequence) => {
                write!(f, "record {sequence} of the log was never appended there")
            }
        }
    }
}

/// Recovers the log in an image, and compares its records with what was promised and attempted.
fn judge(
    subject: Subject,
    image: &Image,
    promises: &Promises,
    attempted: &BTreeSet<u32>,
) -> Result<(), Wrong> {
    let (_, records) = subject.open(&Twin::holding(image)).map_err(Wrong::Refused)?;
    let mut left = attempted.clone();
    for (at, (sequence, content)) in records.iter().enumerate() {
        let consecutive = *sequence == records[0].0 + at as u64;
        let known = number(content).is_some_and(|number| left.remove(&number));
        if !consecutive || !known {
            return Err(Wrong::Invented(*sequence));
        }
    }
    let there: Promises = records
        .iter()
        .filter_map(|(sequence, content)| Some((*sequence, number(content)?)))
        .collect();
    match promises.iter().find(|(sequence, number)| there.get(sequence) != Some(number)) {
        Some((_, number)) => Err(Wrong::Lost(*number)),
        None => Ok(()),
    }
}

/// Waits until `count` threads of this name sleep, or `thread` has ended, for a second at most.
fn wait_for(name: &str, count: usize, thread: &JoinHandle<()>) {
    let end = Instant::now() + Duration::from_secs(1);
    while !thread.is_finished() && super::asleep(name) < count && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}
