//! The chapter's ways to replace a file, in the twin.

use perf_proved::io::power_loss::experiment::{NAME, NEW, OLD, Tally, in_memory};
use perf_proved::io::power_loss::variants::Variant;
use perf_proved::io::power_loss::{replace, write_all};
use perf_proved::proof::power_loss::{Call, Image, Outcome, Rules, Search, Twin, search};
use perf_proved::sys::raw_code;
use perf_proved::sys::storage::{Storage, StoredFile};

fn tally(name: &str, rules: Rules) -> Tally {
    Tally::of(&in_memory(name).unwrap(), rules, Variant::new(name).unwrap())
}

#[test]
fn a_replacement_survives_every_power_cut() {
    for rules in Rules::ALL.into_iter().flat_map(|rules| [rules, rules.torn_at(4096)]) {
        let left = tally("replace", rules);
        assert!(left.images > 3 && left.destroyed() + left.stale == 0, "{} {left:?}", rules.name);
    }
}

#[test]
fn each_naive_version_fails_in_its_own_way() {
    let left = tally("overwrite", Rules::POSIX);
    assert!(left.empty > 0 && left.mixed > 0 && left.stale > 0, "{left:?}");
    assert!(tally("overwrite", Rules::EXT4_ORDERED).empty > 0);
    let left = tally("rename", Rules::POSIX);
    assert!(left.empty > 0 && left.mixed > 0 && left.stale > 0, "{left:?}");
    let left = tally("rename_fsync", Rules::POSIX);
    assert_eq!(left.destroyed(), 0);
    assert!(left.stale > 0);
    // ext4 keeps whole what replaces something, and neither what is new nor the promise.
    let left = tally("rename", Rules::EXT4_ORDERED);
    assert_eq!(left.destroyed(), 0);
    assert!(left.stale > 0);
    assert!(tally("rename_new", Rules::EXT4_ORDERED).empty > 0);
}

#[test]
fn power_cuts_that_leave_parts_do_not_stop_the_next_replacement() {
    let twin = Twin::new();
    replace(&twin, NAME, &OLD).unwrap();
    replace(&twin, NAME, &NEW).unwrap();
    let mut leftovers = 0;
    let found = search(&twin.history(), Rules::POSIX, Search::default(), |crash| {
        leftovers += u64::from(crash.image.files().len() > 1);
        let again = Twin::holding(crash.image);
        replace(&again, NAME, b"after").map_err(|error| error.to_string())?;
        match again.image().files()[..] {
            [NAME] => Ok(()),
            _ => Err(format!("{:?}", again.image().files())),
        }
    });
    assert!(leftovers > 0);
    assert_eq!(found.violations, 0, "{:?}", found.first);
}

#[test]
fn every_error_is_returned_and_the_file_is_the_old_or_the_new_one() {
    let mut image = Image::default();
    image.put(NAME, Some(OLD[..].into()));
    let calls = [
        (Call::Create, true),
        (Call::Write, true),
        (Call::Sync, true),
        (Call::Rename, true),
        (Call::SyncDirectory, false),
    ];
    for (call, stays) in calls {
        let twin = Twin::holding(&image);
        twin.inject(call, 1, Outcome::Error(libc::EIO));
        let error = replace(&twin, NAME, &NEW).unwrap_err();
        assert_eq!(raw_code(&error), Some(libc::EIO), "{call:?}");
        assert_eq!(twin.image().file(NAME) == Some(&OLD[..]), stays, "{call:?}");
        let found = search(&twin.history(), Rules::POSIX, Search::default(), |crash| {
            match crash.image.file(NAME) {
                Some(content) if content == OLD || content == NEW => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        assert_eq!(found.violations, 0, "{call:?}: {:?}", found.first);
    }
}

#[test]
fn short_writes_and_signals_lose_nothing() {
    let twin = Twin::new();
    twin.shorten_writes(Some(7));
    twin.inject(Call::Write, 3, Outcome::Error(libc::EINTR));
    replace(&twin, NAME, &NEW).unwrap();
    assert_eq!(twin.image().file(NAME), Some(&NEW[..]));
    assert_eq!(twin.calls(Call::Write), 600_u64.div_ceil(7) + 1);
    let file = twin.create("full").unwrap();
    twin.inject(Call::Write, twin.calls(Call::Write) + 1, Outcome::Short(0));
    let error = write_all(&file, b"none of it").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    assert!(file.is_empty().unwrap());
}
