//! A log by others in the same laboratory: okaywal, which groups its fsyncs, too.

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};
use perf_proved::harness::scratch::Scratch;
use perf_proved::proof::power_loss::{Recorder, Rules, Search, search};
use perf_proved_tests::only;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::{env, fs};

const DIRECTORY: &str = "PERF_PROVED_PEER";

/// The number of entries.
const ENTRIES: u8 = 6;

/// Begins each acknowledgment: standard output has lines of the test's harness, too.
const MARK: &str = "stored ";

/// Notes the entries that are recovered. Nothing is kept elsewhere.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<Vec<u8>>>>);

impl LogManager for Notes {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        if let Some(chunks) = entry.read_all_chunks()? {
            self.0.lock().unwrap().push(chunks.concat());
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a log, and returns it with the entries that it found, even if it then refuses the rest.
fn open(path: &Path) -> (io::Result<WriteAheadLog>, Vec<Vec<u8>>) {
    let notes = Notes::default();
    let log = Configuration::default_for(path).preallocate_bytes(8192).open(notes.clone());
    let found = notes.0.lock().unwrap().clone();
    (log, found)
}

fn content(number: u8) -> Vec<u8> {
    vec![number; 100 * usize::from(number)]
}

fn append_all(path: &Path) {
    let log = open(path).0.unwrap();
    for number in 1..=ENTRIES {
        let mut entry = log.begin_entry().unwrap();
        entry.write_chunk(&content(number)).unwrap();
        entry.commit().unwrap();
        io::stdout().lock().write_all(format!("\n{MARK}{number}\n").as_bytes()).unwrap();
    }
    log.shutdown().unwrap();
}

/// It loses and invents nothing. It refuses some images: of its start, and of an entry that is
/// torn, which its manager hears of as an error, after all entries that were acknowledged.
#[test]
fn okaywal_loses_nothing_and_refuses_some_torn_ends() {
    if let Some(path) = env::var_os(DIRECTORY) {
        return append_all(Path::new(&path));
    }
    let scratch = Scratch::new().unwrap();
    let [path, image] = ["log", "image"].map(|name| scratch.path().join(name));
    [&path, &image].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let test = "peer::okaywal_loses_nothing_and_refuses_some_torn_ends";
    let mut program = only(test);
    program.env(DIRECTORY, &path).stdout(Stdio::null());
    let recording = Recorder::new(&path).record(&mut program).unwrap();
    assert!(recording.status.success());

    let entries: Vec<_> = (1..=ENTRIES).map(content).collect();
    let mut refused = vec![];
    let found = search(&recording.history, Rules::POSIX, Search::default(), |crash| {
        let told = String::from_utf8_lossy(&crash.told(1)).matches(MARK).count();
        crash.image.write(&image).unwrap();
        let (log, found) = open(&image);
        if let Err(error) = log {
            refused.push((told, error));
        }
        if found.len() < told {
            return Err("an entry is lost".to_owned());
        }
        let known = entries.starts_with(&found);
        if known { Ok(()) } else { Err(format!("it finds {found:?}")) }
    });
    assert!(found.images > 20, "{} images", found.images);
    assert_eq!(found.violations, 0, "{}", found.first[0]);
    assert!(refused.iter().any(|(told, _)| *told > 0), "{refused:?}");
    let torn = |(_, error): &(usize, io::Error)| error.kind() == io::ErrorKind::InvalidData;
    assert!(refused.iter().filter(|(told, _)| *told > 0).all(torn), "{refused:?}");
}
