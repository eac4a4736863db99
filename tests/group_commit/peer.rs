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

fn open(path: &Path) -> io::Result<(WriteAheadLog, Vec<Vec<u8>>)> {
    let notes = Notes::default();
    let log = Configuration::default_for(path).preallocate_bytes(8192).open(notes.clone())?;
    let found = notes.0.lock().unwrap().clone();
    Ok((log, found))
}

fn content(number: u8) -> Vec<u8> {
    vec![number; 100 * usize::from(number)]
}

fn append_all(path: &Path) {
    let (log, _) = open(path).unwrap();
    for number in 1..=ENTRIES {
        let mut entry = log.begin_entry().unwrap();
        entry.write_chunk(&content(number)).unwrap();
        entry.commit().unwrap();
        io::stdout().lock().write_all(format!("\n{MARK}{number}\n").as_bytes()).unwrap();
    }
    log.shutdown().unwrap();
}

/// It loses and invents nothing. Some images of its first moments, before anything was
/// acknowledged, it refuses to open.
#[test]
fn okaywal_keeps_its_word_and_refuses_some_images_of_its_start() {
    if let Some(path) = env::var_os(DIRECTORY) {
        return append_all(Path::new(&path));
    }
    let scratch = Scratch::new().unwrap();
    let [path, image] = ["log", "image"].map(|name| scratch.path().join(name));
    [&path, &image].map(|folder| fs::create_dir(folder).unwrap());
    let test = "peer::okaywal_keeps_its_word_and_refuses_some_images_of_its_start";
    let mut program = only(test);
    program.env(DIRECTORY, &path).stdout(Stdio::null());
    let recording = Recorder::new(&path).record(&mut program).unwrap();
    assert!(recording.status.success());

    let entries: Vec<_> = (1..=ENTRIES).map(content).collect();
    let (mut early, mut late) = (0, vec![]);
    let found = search(&recording.history, Rules::POSIX, Search::default(), |crash| {
        let told = String::from_utf8_lossy(&crash.told(1)).matches(MARK).count();
        crash.image.write(&image).unwrap();
        match open(&image) {
            Err(_) if told == 0 => early += 1,
            Err(error) => late.push(error),
            Ok((_, found)) if found.len() < told => return Err("an entry is lost".to_owned()),
            Ok((_, found)) if !entries.starts_with(&found) => return Err(format!("{found:?}")),
            Ok(_) => {}
        }
        Ok(())
    });
    assert!(found.images > 20, "{} images", found.images);
    assert_eq!(found.violations, 0, "{}", found.first[0]);
    assert!(late.is_empty(), "{late:?}");
    assert!(early > 0, "it opens every image");
}
