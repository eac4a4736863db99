//! Gathered writes, by a writer that does as it is told, and by the kernel.

use super::{Script, watch};
use perf_proved::harness::scratch::pattern;
use perf_proved::io::batching::experiment::items;
use perf_proved::io::batching::gather::{MOST_BUFFERS, write_all};
use perf_proved_tests::{PATIENCE, signals, soon};
use proptest::prelude::*;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

proptest! {
    #[test]
    fn every_byte_is_written_once_whatever_the_writer_takes(
        lengths in prop::collection::vec(0_usize..20, 0..3000),
        short in prop::collection::vec(1_usize..3000, 0..4),
        interrupted in prop::option::of(2_usize..4),
        fails_after in prop::option::of(0_usize..30_000),
    ) {
        let (mut byte, mut written) = (0_u8, 0);
        let mut item = |length| -> Vec<u8> {
            std::iter::repeat_with(|| { byte = byte.wrapping_add(1); byte }).take(length).collect()
        };
        let buffers: Vec<Vec<u8>> = lengths.into_iter().map(&mut item).collect();
        let expected = buffers.concat();
        let mut script = Script { short, interrupted, fails_after, ..Script::default() };
        let result = write_all(&mut script, &buffers, &mut written);
        let whole = fails_after.is_none_or(|after| expected.len() <= after);
        prop_assert_eq!(result.is_ok(), whole);
        prop_assert_eq!(written, fails_after.unwrap_or(usize::MAX).min(expected.len()));
        prop_assert!(script.bytes() == expected[..written]);
        prop_assert!(script.calls().iter().all(|buffers| (1..=MOST_BUFFERS).contains(buffers)));
    }
}

#[test]
fn buffers_that_a_call_can_take_are_one_call() {
    let buffers = items(2 * MOST_BUFFERS + 1, 3);
    let mut script = Script::default();
    write_all(&mut script, &buffers, &mut 0).unwrap();
    assert_eq!(script.calls(), [MOST_BUFFERS, MOST_BUFFERS, 1]);
    let mut script = Script::default();
    write_all(&mut script, &[vec![], vec![], vec![1], vec![]], &mut 0).unwrap();
    assert_eq!(script.calls().len(), 1);
    let mut script = Script::default();
    write_all(&mut script, &[vec![], vec![]], &mut 0).unwrap();
    assert!(script.calls().is_empty(), "nothing to write, nothing asked");
}

#[test]
fn a_writer_that_takes_nothing_is_an_error() {
    let mut none: &mut [u8] = &mut [0; 5];
    let mut written = 0;
    let error = write_all(&mut none, &[b"four", b"more"], &mut written).unwrap_err();
    assert_eq!((error.kind(), written), (ErrorKind::WriteZero, 5));
}

/// A socket whose buffer is full takes a part, and a signal interrupts the wait for the rest.
#[test]
fn a_signal_neither_loses_bytes_nor_repeats_them() {
    let _watch = watch();
    signals::catch();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    let writer = thread::spawn(move || {
        let mut written = 0;
        write_all(&mut here, &items(100_000, 50), &mut written).map(|()| written)
    });
    let (before, deadline) = (signals::caught(), soon());
    while signals::caught() < before + 20 && Instant::now() < deadline {
        signals::interrupt(&writer);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(signals::caught() >= before + 20, "within {PATIENCE:?}");
    let mut read = vec![];
    there.read_to_end(&mut read).unwrap();
    assert_eq!(writer.join().unwrap().unwrap(), 5_000_000);
    assert!(read == pattern(5_000_000));
}
