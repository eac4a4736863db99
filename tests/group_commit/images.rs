//! Every image that a power cut may leave of a log, and of the logs that break their word.

use perf_proved::io::group_commit::experiment::crash::{BROKEN, LOGS, Subject, Tally, Workload};
use perf_proved::proof::power_loss::Rules;

/// Searches all workloads.
fn searched(subject: Subject, rules: Rules) -> Tally {
    let tallies = Workload::ALL.map(|workload| workload.search(subject, rules).unwrap());
    tallies.into_iter().fold(Tally::default(), Tally::and)
}

fn keeps_its_word(subject: Subject, rules: Rules, least: u64) {
    let found = searched(subject, rules);
    let name = format!("{} by {}", subject.name, rules.name);
    assert_eq!(found.wrong(), 0, "{name}: {found:?}\n{}", found.first.as_deref().unwrap_or(""));
    assert_eq!(found.sampled, 0, "{name}: all of them");
    assert!(found.images >= least, "{name}: {} images", found.images);
}

#[test]
fn every_image_of_a_log_has_what_was_acknowledged_and_nothing_else() {
    for subject in LOGS {
        keeps_its_word(subject, Rules::POSIX, 1000);
    }
}

#[test]
fn so_has_every_image_that_ext4_leaves() {
    for subject in LOGS {
        keeps_its_word(subject, Rules::EXT4_ORDERED, 1000);
    }
}

#[test]
fn the_same_search_finds_every_broken_log() {
    for subject in BROKEN {
        let found = searched(subject, Rules::POSIX);
        assert!(found.wrong() > 0, "{}: {found:?}", subject.name);
    }
}
