//! Every byte of a log that is cut off, flipped, zeroed, or stale: an end that a power cut may have
//! torn goes, and all else is an error that names the place.

use super::{FIRST, FRAME, HEADER, all, append, image, one, open, records, small};
use perf_proved::io::group_commit::{Ahead, Durability, Log, OpenError};
use perf_proved::proof::power_loss::{Image, Twin};

/// Records of several lengths, each in a group of its own. None has a zero at its end.
const RECORDS: [&[u8]; 5] = [b"first", b"", b"a longer one, the third", b"4", b"fifth and last"];

/// Returns the one segment of a log with [`RECORDS`].
fn content() -> Vec<u8> {
    let twin = Twin::new();
    append(&open(&twin, &one()), &RECORDS);
    twin.image().file(FIRST).unwrap().to_vec()
}

/// Returns the offset of each record of `records`, and the end.
fn offsets(records: &[&[u8]]) -> Vec<usize> {
    let mut offsets = vec![HEADER];
    for record in records {
        offsets.push(offsets[offsets.len() - 1] + FRAME + record.len());
    }
    offsets
}

/// Checks what is read of a segment with this content, if it ends with a torn record; and that the
/// log goes on, and has what was found and what is new.
fn is_torn(content: &[u8], whole: usize, context: &str) {
    let twin = Twin::holding(&image(FIRST, content));
    let end = offsets(&RECORDS)[whole];
    let used = content.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let (found, recovery) = all(&twin).unwrap();
    assert!(found.iter().map(|(_, record)| record).eq(&RECORDS[..whole]), "{context}");
    // Without a record, the header itself may be what is torn.
    if whole > 0 {
        assert_eq!(recovery.truncated as usize, used.saturating_sub(end), "{context}");
    }
    let (log, opened) = Log::open(twin.clone(), &one()).unwrap();
    assert_eq!(opened, recovery, "{context}");
    let number = log.append(b"new", Durability::Durable).unwrap();
    assert_eq!(number as usize, whole + 1, "{context}");
    let expected = [&RECORDS[..whole], &[b"new"]].concat();
    assert_eq!(records(&twin), expected, "{context}");
}

/// Checks that a segment with this content is damaged at `offset`, and that the records before
/// have been read.
fn is_corrupt(content: &[u8], whole: usize, offset: usize, context: &str) {
    let twin = Twin::holding(&image(FIRST, content));
    let mut found = vec![];
    let each = |_, record: &[u8]| found.push(record.to_vec());
    match perf_proved::io::group_commit::read(&twin, each) {
        Err(OpenError::Corrupt { segment, offset: at, .. }) => {
            assert_eq!((segment.as_str(), at as usize), (FIRST, offset), "{context}");
        }
        other => panic!("{context}: {other:?}"),
    }
    assert_eq!(found, RECORDS[..whole], "{context}");
    let before = twin.image();
    Log::open(twin.clone(), &one()).unwrap_err();
    assert_eq!(twin.image(), before, "{context}: nothing is changed");
}

/// Checks a segment whose damaged bytes are those from `first` to `last`.
fn is_found(content: &[u8], first: usize, last: usize, context: &str) {
    let offsets = offsets(&RECORDS);
    let record = |at| offsets.iter().filter(|&&offset| offset <= at).count();
    match record(first) {
        0 => is_corrupt(content, 0, 0, context),
        // No later record knows of the last one.
        damaged if record(last) == RECORDS.len() => is_torn(content, damaged - 1, context),
        damaged => is_corrupt(content, damaged - 1, offsets[damaged - 1], context),
    }
}

#[test]
fn a_log_cut_off_at_any_byte_keeps_what_is_whole() {
    let (content, offsets) = (content(), offsets(&RECORDS));
    assert_eq!(content.len(), offsets[RECORDS.len()]);
    let whole = |end| offsets.iter().filter(|&&offset| offset <= end).count().saturating_sub(1);
    for cut in 0..content.len() {
        is_torn(&content[..cut], whole(cut), &format!("cut off at {cut}"));
        // Zeros that were there before make no difference.
        let zeros = content[cut..].iter().take_while(|&&byte| byte == 0).count();
        let zeroed: Vec<u8> = content[..cut].iter().copied().chain([0; 200]).collect();
        is_torn(&zeroed, whole(cut + zeros), &format!("zeros from {cut}"));
    }
}

#[test]
fn a_bit_flipped_anywhere_is_found() {
    let content = content();
    for at in 0..content.len() {
        for bit in [at % 8, (at + 3) % 8] {
            let mut content = content.clone();
            content[at] ^= 1 << bit;
            is_found(&content, at, at, &format!("bit {bit} of byte {at}"));
        }
    }
}

#[test]
fn zeros_anywhere_are_found() {
    let content = content();
    for at in 0..content.len() {
        let until = content.len().min(at + 16);
        let is_not_zero = |&at: &usize| content[at] != 0;
        let Some(first) = (at..until).find(is_not_zero) else { continue };
        let last = (at..until).rfind(is_not_zero).unwrap_or(first);
        let mut content = content.clone();
        content[at..until].fill(0);
        is_found(&content, first, last, &format!("zeros at {at}"));
    }
}

#[test]
fn a_stale_record_at_any_byte_of_the_end_is_none() {
    let (content, offsets) = (content(), offsets(&RECORDS));
    // The sixth record of another log, an older one of this log, and one that came too early.
    let foreign = {
        let twin = Twin::new();
        append(&open(&twin, &one()), &[&RECORDS[..], &[b"sixth"]].concat());
        twin.image().file(FIRST).unwrap()[content.len()..].to_vec()
    };
    let older = content[offsets[2]..offsets[3]].to_vec();
    let early = {
        let twin = Twin::holding(&image(FIRST, &content));
        let log = open(&twin, &one());
        log.append(b"sixth", Durability::Written).unwrap();
        log.append(b"seventh", Durability::Written).unwrap();
        twin.image().file(FIRST).unwrap()[content.len() + FRAME + 5..].to_vec()
    };
    for (name, stale) in [("foreign", foreign), ("older", older), ("early", early)] {
        for at in content.len()..content.len() + 100 {
            let mut content = content.clone();
            content.resize(at, 0);
            content.extend(&stale);
            content.resize(at + stale.len() + 64, 0);
            is_torn(&content, RECORDS.len(), &format!("{name} at {at}"));
        }
    }
}

/// A power cut may leave a later record of a group without an earlier one. That is a torn end as
/// long as no record says that the earlier one was durable.
#[test]
fn records_behind_a_torn_one_are_torn_too_if_none_was_durable() {
    let twin = Twin::new();
    let log = open(&twin, &one());
    append(&log, &RECORDS[..1]);
    RECORDS[1..].iter().for_each(|record| _ = log.append(record, Durability::Written).unwrap());
    let content = twin.image().file(FIRST).unwrap().to_vec();
    for at in offsets(&RECORDS)[1]..content.len() {
        let mut content = content.clone();
        content[at] ^= 0x10;
        let whole = offsets(&RECORDS).iter().filter(|&&offset| offset <= at).count() - 1;
        is_torn(&content, whole, &format!("byte {at}"));
    }
}

/// Returns a log of several segments, and the offsets of the records in each.
fn segments() -> (Image, Vec<(String, Vec<usize>)>) {
    let twin = Twin::new();
    let log = open(&twin, &small(100, Ahead::Zeros));
    append(&log, &[&[1; 5], &[2; 5], &[3; 60], &[4; 5], &[5; 70], &[6; 1]]);
    log.close().unwrap();
    let image = twin.image();
    let ends = |name: &str| {
        let first = u64::from_str_radix(&name[..16], 16).unwrap();
        let next = image.files().into_iter().find(|other| *other > name);
        let next = next.map_or(7, |next| u64::from_str_radix(&next[..16], 16).unwrap());
        let lengths = [5, 5, 60, 5, 70, 1];
        let records: Vec<&[u8]> =
            (first..next).map(|number| &[0; 99][..lengths[number as usize - 1]]).collect();
        offsets(&records)
    };
    let all = image.files().into_iter().map(|name| (name.to_owned(), ends(name))).collect();
    (image.clone(), all)
}

#[test]
fn damage_in_a_segment_that_is_not_the_last_names_the_segment_and_the_record() {
    let (whole, all) = segments();
    assert_eq!(all.len(), 5, "{all:?}");
    for (name, offsets) in &all[..all.len() - 1] {
        let content = whole.file(name).unwrap();
        let end = offsets[offsets.len() - 1];
        for at in 0..end {
            for cut in [false, true] {
                let mut content = content.to_vec();
                let damaged = if at < HEADER { 0 } else { at };
                let record = offsets.iter().rev().find(|&&offset| offset <= damaged).unwrap_or(&0);
                match cut {
                    true => content.truncate(at),
                    false => content[at] ^= 0x10,
                }
                let mut image = whole.clone();
                image.put(name, Some(content.into()));
                match Log::open(Twin::holding(&image), &one()) {
                    Err(OpenError::Corrupt { segment, offset, .. }) => {
                        assert_eq!((&segment, offset as usize), (name, *record), "byte {at}");
                    }
                    other => panic!("{name}, byte {at}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_segment_that_is_missing_or_not_of_this_log_is_an_error() {
    let (whole, all) = segments();
    // One in the middle is missing.
    let mut image = Image::default();
    let others = whole.iter().filter(|(name, _)| *name != all[2].0);
    others.for_each(|(name, content)| image.put(name, content.map(Into::into)));
    let error = Log::open(Twin::holding(&image), &one()).unwrap_err();
    let OpenError::Corrupt { segment, offset, .. } = &error else { panic!("{error:?}") };
    let end = all[1].1[all[1].1.len() - 1];
    assert_eq!((segment, *offset as usize), (&all[1].0, end));
    assert_eq!(
        error.to_string(),
        format!(
            "{segment} is corrupt at byte {end}: the next segment does not begin where this one ends"
        )
    );

    // One is that of another log, with the same records.
    let mut image = whole.clone();
    let (other, _) = segments();
    image.put(&all[1].0, other.file(&all[1].0).map(Into::into));
    let error = Log::open(Twin::holding(&image), &one()).unwrap_err();
    assert!(matches!(&error, OpenError::Foreign { segment } if *segment == all[1].0), "{error}");

    // One has another's name.
    let mut image = Image::default();
    image.put("0000000000000009.log", whole.file(&all[0].0).map(Into::into));
    let error = Log::open(Twin::holding(&image), &one()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { offset: 0, .. }), "{error}");
}

/// A log whose first segments are gone begins with the number in the name of the next.
#[test]
fn a_log_may_begin_with_any_record() {
    let (whole, all) = segments();
    let mut image = Image::default();
    let rest = whole.iter().filter(|(name, _)| *name >= all[1].0.as_str());
    rest.for_each(|(name, content)| image.put(name, content.map(Into::into)));
    let twin = Twin::holding(&image);
    let (found, recovery) = super::all(&twin).unwrap();
    assert_eq!((found[0].0, recovery.next), (3, 7));
    assert_eq!(open(&twin, &one()).append(b"next", Durability::Durable).unwrap(), 7);
}
