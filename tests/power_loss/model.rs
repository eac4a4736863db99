//! The images that the rules allow, against sets written by hand.

use super::{contents, left, sets};
use perf_proved::proof::power_loss::{Image, Rules, Search, Twin, search};
use perf_proved::sys::storage::{Storage, StoredFile};

/// A file `name` with `content`, all of it durable.
fn durable(twin: &Twin, name: &str, content: &[u8]) {
    let file = twin.create(name).unwrap();
    assert_eq!(file.write_at(content, 0).unwrap(), content.len());
    file.sync_all().unwrap();
    twin.sync().unwrap();
}

#[test]
fn a_write_without_a_sync_may_leave_anything_between_nothing_and_all() {
    let write = || {
        let twin = Twin::new();
        twin.create("a").unwrap().write_at(b"x", 0).unwrap();
        twin
    };
    assert_eq!(left(&write(), Rules::POSIX), sets(&[&[], &["a="], &["a=0"], &["a=x"]]));
    // ext4 does not show a size before its data.
    assert_eq!(left(&write(), Rules::EXT4_ORDERED), sets(&[&[], &["a="], &["a=x"]]));
}

#[test]
fn a_synced_file_is_whole_and_its_name_is_not_durable() {
    let write = |data_only: bool| {
        let twin = Twin::new();
        let file = twin.create("a").unwrap();
        file.write_at(b"x", 0).unwrap();
        if data_only { file.sync_data() } else { file.sync_all() }.unwrap();
        twin
    };
    for data_only in [true, false] {
        assert_eq!(left(&write(data_only), Rules::POSIX), sets(&[&[], &["a=x"]]));
        // ext4's journal takes the name along.
        assert_eq!(left(&write(data_only), Rules::EXT4_ORDERED), sets(&[&["a=x"]]));
    }
}

#[test]
fn a_synced_directory_says_nothing_of_what_is_in_its_files() {
    for rules in Rules::ALL {
        let twin = Twin::new();
        twin.create("a").unwrap().write_at(b"x", 0).unwrap();
        twin.sync().unwrap();
        let mut expected = sets(&[&["a="], &["a=x"]]);
        if rules == Rules::POSIX {
            expected.insert(contents(&["a=0"]));
        }
        assert_eq!(left(&twin, rules), expected, "{}", rules.name);
    }
}

#[test]
fn both_syncs_leave_one_image() {
    for rules in Rules::ALL {
        let twin = Twin::new();
        durable(&twin, "a", b"x");
        assert_eq!(left(&twin, rules), sets(&[&["a=x"]]), "{}", rules.name);
    }
}

#[test]
fn a_rename_is_atomic_and_may_be_lost() {
    let rename = |sync_directory: bool| {
        let twin = Twin::new();
        durable(&twin, "a", b"old");
        durable(&twin, "b", b"new");
        twin.rename("b", "a").unwrap();
        if sync_directory {
            twin.sync().unwrap();
        }
        twin
    };
    for rules in Rules::ALL {
        let either = sets(&[&["a=new"], &["a=old", "b=new"]]);
        assert_eq!(left(&rename(false), rules), either, "{}", rules.name);
        assert_eq!(left(&rename(true), rules), sets(&[&["a=new"]]), "{}", rules.name);
    }
}

#[test]
fn a_replacement_without_a_sync_may_be_empty_but_not_on_ext4() {
    let replace = || {
        let twin = Twin::new();
        durable(&twin, "a", b"o");
        twin.create("t").unwrap().write_at(b"n", 0).unwrap();
        twin.rename("t", "a").unwrap();
        twin
    };
    assert_eq!(
        left(&replace(), Rules::POSIX),
        sets(&[
            &["a=o"],
            &["a=o", "t="],
            &["a=o", "t=0"],
            &["a=o", "t=n"],
            &["a="],
            &["a=0"],
            &["a=n"],
        ])
    );
    assert_eq!(
        left(&replace(), Rules::EXT4_ORDERED),
        sets(&[&["a=o"], &["a=o", "t="], &["a=o", "t=n"], &["a=n"]])
    );
}

/// `auto_da_alloc` is about replacements: a rename to a name that is new gets no such help.
#[test]
fn a_rename_to_a_new_name_may_be_empty_on_ext4_too() {
    let twin = Twin::new();
    twin.create("t").unwrap().write_at(b"n", 0).unwrap();
    twin.rename("t", "a").unwrap();
    let expected = sets(&[&[], &["t="], &["t=n"], &["a="], &["a=n"]]);
    assert_eq!(left(&twin, Rules::EXT4_ORDERED), expected);
}

#[test]
fn names_are_in_order_on_ext4_and_in_any_by_posix() {
    let create = || {
        let twin = Twin::new();
        twin.create("a").unwrap();
        twin.create("b").unwrap();
        twin
    };
    assert_eq!(left(&create(), Rules::POSIX), sets(&[&[], &["a="], &["b="], &["a=", "b="]]));
    assert_eq!(left(&create(), Rules::EXT4_ORDERED), sets(&[&[], &["a="], &["a=", "b="]]));
}

#[test]
fn states_of_one_name_follow_each_other() {
    let twin = Twin::new();
    twin.create("a").unwrap();
    twin.remove("a").unwrap();
    twin.create("a").unwrap().write_at(b"x", 0).unwrap();
    assert_eq!(left(&twin, Rules::POSIX), sets(&[&[], &["a="], &["a=0"], &["a=x"]]));
}

#[test]
fn sectors_reach_the_disk_in_any_order_and_each_whole() {
    let write = |tear: usize| {
        let twin = Twin::new();
        durable(&twin, "a", &[b'o'; 1536]);
        twin.open("a").unwrap().write_at(&[b'n'; 1536], 0).unwrap();
        let images = left(&twin, Rules::POSIX.torn_at(tear));
        images.into_iter().map(|files| files[0].1.clone()).collect::<Vec<_>>()
    };
    let mut expected: Vec<String> = (0..8)
        .map(|bits| {
            let sector = |at: i32| if bits >> at & 1 == 1 { "n" } else { "o" }.repeat(512);
            (0..3).map(sector).collect()
        })
        .collect();
    expected.sort();
    assert_eq!(write(512), expected);
    assert_eq!(write(4096), ["n".repeat(1536), "o".repeat(1536)]);
}

#[test]
fn a_sector_holds_what_the_file_had_there_at_some_moment() {
    let twin = Twin::new();
    durable(&twin, "a", b"....");
    let file = twin.open("a").unwrap();
    file.write_at(b"1", 0).unwrap();
    file.write_at(b"2", 2).unwrap();
    // Not `..2.`: that was never in memory.
    assert_eq!(left(&twin, Rules::POSIX), sets(&[&["a=...."], &["a=1..."], &["a=1.2."]]));
}

#[test]
fn a_size_may_come_without_data_only_in_blocks_that_are_there() {
    let append = || {
        let twin = Twin::new();
        durable(&twin, "a", b"1");
        twin.open("a").unwrap().write_at(b"2", 1).unwrap();
        twin
    };
    // In the last block, ext4 gives no more than POSIX does.
    for rules in Rules::ALL {
        let expected = sets(&[&["a=1"], &["a=10"], &["a=12"]]);
        assert_eq!(left(&append(), rules), expected, "{}", rules.name);
    }
    let append = || {
        let twin = Twin::new();
        durable(&twin, "a", &[b'1'; 4096]);
        twin.open("a").unwrap().write_at(b"2", 4096).unwrap();
        twin
    };
    let ends = |rules| {
        let images = left(&append(), rules);
        images.into_iter().map(|files| files[0].1[4096..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ends(Rules::POSIX), ["", "0", "2"]);
    assert_eq!(ends(Rules::EXT4_ORDERED), ["", "2"]);
}

#[test]
fn a_file_cut_off_and_written_again_may_be_old_empty_or_new() {
    let rewrite = || {
        let twin = Twin::new();
        durable(&twin, "a", b"o");
        let file = twin.open("a").unwrap();
        file.set_len(0).unwrap();
        file.write_at(b"n", 0).unwrap();
        twin
    };
    assert_eq!(left(&rewrite(), Rules::POSIX), sets(&[&["a="], &["a=0"], &["a=n"], &["a=o"]]));
    assert_eq!(left(&rewrite(), Rules::EXT4_ORDERED), sets(&[&["a="], &["a=n"], &["a=o"]]));
}

#[test]
fn preallocated_blocks_hold_zeros_until_their_data_is_there() {
    for rules in Rules::ALL {
        let twin = Twin::new();
        let file = twin.create("a").unwrap();
        file.allocate(0, 2).unwrap();
        file.sync_all().unwrap();
        twin.sync().unwrap();
        file.write_at(b"x", 1).unwrap();
        assert_eq!(left(&twin, rules), sets(&[&["a=00"], &["a=0x"]]), "{}", rules.name);
    }
}

#[test]
fn a_sync_covers_what_ended_before_it_began() {
    let twin = Twin::new();
    durable(&twin, "a", b"1");
    let (file, other) = (twin.open("a").unwrap(), twin.open("a").unwrap());
    file.write_at(b"2", 0).unwrap();
    twin.during_sync(move |_| assert_eq!(other.write_at(b"3", 0).unwrap(), 1));
    file.sync_data().unwrap();
    for rules in Rules::ALL {
        assert_eq!(left(&twin, rules), sets(&[&["a=2"], &["a=3"]]), "{}", rules.name);
    }
}

#[test]
fn after_a_failed_sync_a_second_one_proves_nothing() {
    use perf_proved::proof::power_loss::{Call, Outcome};
    for rules in Rules::ALL {
        let twin = Twin::new();
        durable(&twin, "a", b"1");
        let file = twin.open("a").unwrap();
        file.write_at(b"2", 0).unwrap();
        twin.inject(Call::Sync, 2, Outcome::Error(libc::EIO));
        assert_eq!(
            file.sync_data().unwrap_err().kind(),
            std::io::Error::from_raw_os_error(libc::EIO).kind()
        );
        file.sync_data().unwrap();
        assert_eq!(left(&twin, rules), sets(&[&["a=1"], &["a=2"]]), "{}", rules.name);
        // What is written again is written again.
        file.write_at(b"2", 0).unwrap();
        file.sync_data().unwrap();
        assert_eq!(left(&twin, rules), sets(&[&["a=2"]]), "{}", rules.name);
    }
}

#[test]
fn an_fsync_of_one_file_takes_earlier_names_along_on_ext4_only() {
    let sync = || {
        let twin = Twin::new();
        twin.create("a").unwrap();
        let file = twin.create("b").unwrap();
        twin.create("c").unwrap();
        file.sync_all().unwrap();
        twin
    };
    let expected = sets(&[&["a=", "b="], &["a=", "b=", "c="]]);
    assert_eq!(left(&sync(), Rules::EXT4_ORDERED), expected);
    assert_eq!(left(&sync(), Rules::POSIX).len(), 8);
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_another_for_another() {
    let twin = Twin::new();
    durable(&twin, "a", &[b'o'; 32 << 10]);
    twin.open("a").unwrap().write_at(&[b'n'; 32 << 10], 0).unwrap();
    let sample = |seed| {
        let mut images = vec![];
        let few = Search { at_most: 100, seed };
        let found = search(&twin.history(), Rules::POSIX, few, |crash| {
            images.push(crash.image.file("a").map(<[u8]>::to_vec));
            Ok(())
        });
        assert!(found.sampled > 0 && found.choices > 1 << 64, "{found:?}");
        assert!(images.len() > 80, "{} images", images.len());
        images
    };
    assert_eq!(sample(1), sample(1));
    assert_ne!(sample(1), sample(2));
}

#[test]
fn a_violation_says_which_events_were_there() {
    let mut before = Image::default();
    before.put("a", Some(b"old"[..].into()));
    let twin = Twin::holding(&before);
    twin.create("t").unwrap().write_at(b"new", 0).unwrap();
    twin.rename("t", "a").unwrap();
    let found = super::posix(&twin, |crash| match crash.image.file("a") {
        Some(b"") => Err("a is empty".to_owned()),
        _ => Ok(()),
    });
    let violation = found.first.first().expect("one image has an empty file");
    let said = violation.to_string();
    assert!(said.starts_with("a is empty\n"), "{said}");
    assert!(said.contains("after: rename t to a"), "{said}");
    assert!(said.contains("there: create t") && said.contains("there: rename t to a"), "{said}");
    assert!(said.contains("lost: write 3 bytes at 0 of t"), "{said}");
    assert_eq!(violation.image.files(), ["a"]);
}
