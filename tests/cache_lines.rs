//! Values lie where the types say, the counters lose nothing, and the naive versions fail in the
//! way that their documentation lists. Times are compared only where they are several times apart,
//! the fastest of several.
#![cfg(target_os = "linux")]

use crossbeam_utils::CachePadded as Crossbeam;
use perf_proved::measuring::limits::lines;
use perf_proved::memory::cache_lines::designs::Design;
use perf_proved::memory::cache_lines::gather::{AHEAD, Gather, nothing, rounds};
use perf_proved::memory::cache_lines::naive::{self, Stats};
use perf_proved::memory::cache_lines::walks::{Matrix, Strided};
use perf_proved::memory::cache_lines::words::Words;
use perf_proved::memory::cache_lines::{CachePadded, ShardedCounter, two_cores};
use perf_proved::sys::cores;
use perf_proved_tests::{alone, refusals};
use std::any::type_name;
use std::io::ErrorKind;
use std::panic::catch_unwind;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

fn at<T>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Two physical cores that nobody has taken from this process, for what cannot be seen on one.
fn both() -> Option<[usize; 2]> {
    two_cores().ok().filter(|two| two.doubt.is_none()).map(|two| two.cores)
}

fn fastest(mut run: impl FnMut() -> Duration) -> Duration {
    (0..9).map(|_| run()).min().unwrap()
}

#[test]
fn a_padded_value_starts_a_line_and_shares_it_with_nothing() {
    let apart = align_of::<CachePadded<u8>>();
    let array: Vec<CachePadded<AtomicU64>> = (0..33).map(|_| CachePadded::default()).collect();
    let addresses: Vec<usize> = array.iter().map(|value| at(&**value)).collect();
    assert!(addresses.iter().all(|address| address.is_multiple_of(apart)));
    assert!(addresses.windows(2).all(|pair| pair[1] - pair[0] == apart));
    let boxes: Vec<Box<CachePadded<u8>>> = (0..33).map(|_| Box::default()).collect();
    assert!(boxes.iter().all(|value| at(&**value).is_multiple_of(apart)));
}

#[test]
fn it_is_laid_out_as_crossbeams() {
    fn same<T>() {
        let (ours, theirs) = (size_of::<CachePadded<T>>(), size_of::<Crossbeam<T>>());
        assert_eq!(ours, theirs, "size of a padded {}", type_name::<T>());
        assert_eq!(align_of::<CachePadded<T>>(), align_of::<Crossbeam<T>>());
    }
    same::<u8>();
    same::<AtomicU64>();
    same::<[u8; 128]>();
    same::<[u8; 129]>();
    same::<String>();
}

#[test]
fn it_is_what_is_in_it() {
    let mut padded = CachePadded(vec![1, 2]);
    padded.push(3);
    assert_eq!((padded.len(), padded.clone().0), (3, vec![1, 2, 3]));
}

#[test]
fn a_sum_has_every_addition_of_the_threads_that_were_joined() {
    for cells in [1, 2, 7] {
        let counter: ShardedCounter = ShardedCounter::new(cells);
        thread::scope(|scope| {
            for thread in 0..4 {
                let counter = &counter;
                scope.spawn(move || (0..10_000).for_each(|_| counter.add(thread % cells, 1)));
            }
        });
        assert_eq!(counter.sum(), 40_000, "{cells} cells");
    }
    assert_eq!(ShardedCounter::<AtomicU64>::new(0).sum(), 0);
}

#[test]
fn a_sum_wraps_as_its_cells_do() {
    let counter = ShardedCounter::<AtomicU64>::new(2);
    [(0, u64::MAX), (0, 2), (1, u64::MAX)]
        .into_iter()
        .for_each(|(cell, number)| counter.add(cell, number));
    assert_eq!(counter.sum(), 0);
}

#[test]
fn a_cell_that_is_not_there_is_a_panic() {
    let counter = ShardedCounter::<AtomicU64>::new(2);
    assert!(catch_unwind(|| counter.add(2, 1)).is_err());
    assert_eq!(counter.sum(), 0);
}

#[test]
fn each_writer_has_a_cell_and_one_may_look_meanwhile() {
    let mut counter: ShardedCounter = ShardedCounter::new(3);
    counter.add(1, 5);
    let (writers, total) = counter.split();
    assert_eq!((writers.len(), total.sum()), (3, 5));
    thread::scope(|scope| {
        for mut writer in writers {
            scope.spawn(move || (0..10_000).for_each(|_| writer.add(1)));
        }
        let mut before = 0;
        for _ in 0..1000 {
            let sum = total.sum();
            assert!(before <= sum && sum <= 30_005, "{sum} after {before}"); // only ever more: each cell grows
            before = sum;
        }
    });
    assert_eq!(total.sum(), 30_005);
}

#[test]
fn a_cell_with_a_writer_takes_no_other() {
    let use_it = |lines: &str| {
        format!(
            "use perf_proved::memory::cache_lines::ShardedCounter;\n\
             fn main() {{ let mut counter: ShardedCounter = ShardedCounter::new(2);\n\
             let (mut writers, total) = counter.split();\n{lines}\nwriters[0].add(1); println!(\"{{}}\", total.sum()); }}"
        )
    };
    assert_eq!(refusals("cell_with_a_writer", &use_it("writers[0].add(1);")), []);
    let codes = |lines| {
        let refused = refusals("cell_with_a_writer", &use_it(lines));
        refused.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(codes("counter.add(0, 1);"), ["E0502"], "the counter is lent to its writers");
    assert_eq!(codes("let again = writers[0].clone();"), ["E0599"], "there is one writer a cell");
}

#[test]
fn every_design_makes_its_additions_on_one_core_and_on_two() {
    let _alone = alone();
    let one = [cores::allowed().unwrap()[0]];
    for design in Design::ALL {
        for additions in [0, 1, 10_000] {
            design.additions(&one, additions).unwrap(); // it checks its own sum
            if let Some(cores) = both() {
                design.additions(&cores, additions).unwrap();
            }
        }
        assert!(design.additions(&[usize::MAX], 1).is_err(), "{}", design.name());
    }
}

#[test]
fn naive_fields_lie_in_one_line() {
    let stats: Box<Stats> = Box::default(); // the allocator aligns to 16 bytes, which is the struct's size
    assert_eq!(at(&stats.received) / 64, at(&stats.sent) / 64);
    let array: Vec<AtomicU64> = (0..8).map(AtomicU64::new).collect();
    assert_eq!(at(&array[0]) / 64, at(&array[1]) / 64);
}

#[test]
fn naive_counters_take_several_times_as_long_on_two_cores() {
    let _alone = alone();
    let Some(cores) = both() else { return };
    let time = |design: Design| fastest(|| design.additions(&cores, 100_000).unwrap());
    let (array, padded) = (time(Design::Array), time(Design::Padded));
    assert!(array * 2 > padded * 3, "{array:?} in one line, {padded:?} apart");
    let (beside, apart) = (
        fastest(|| lines::add_beside(cores, 8, 50_000).unwrap()),
        fastest(|| lines::add_beside(cores, 128, 50_000).unwrap()),
    );
    assert!(beside * 2 > apart * 3, "{beside:?} in one line, {apart:?} apart");
}

#[test]
fn naive_plain_counters_show_nothing() {
    let _alone = alone();
    let (few, many) = (fastest(|| naive::plain(1000)), fastest(|| naive::plain(1_000_000_000)));
    assert!(
        many < few * 10 + Duration::from_millis(1),
        "a million times the work: {few:?}, {many:?}"
    );
}

#[test]
fn a_reader_waits_for_the_line_that_another_core_writes() {
    let _alone = alone();
    let Some(cores) = both() else { return };
    let time = |distance| fastest(|| lines::read_beside(cores, distance, 20_000).unwrap());
    let (beside, apart) = (time(8), time(128));
    assert!(beside * 2 > apart * 3, "{beside:?} in one line, {apart:?} apart");
}

#[test]
fn cores_are_two_or_there_is_a_reason() {
    let allowed = cores::allowed().unwrap();
    // A thread pins itself to one core, and asks again.
    let on_one = thread::spawn(move || {
        cores::pin(allowed[0]).unwrap();
        two_cores().unwrap_err()
    });
    let error = on_one.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.to_string(), "needs two cores, and this process may use one only");
    if let Ok(two) = two_cores() {
        assert_ne!(two.cores[0], two.cores[1]);
    }
}

#[test]
fn the_kernel_says_which_threads_are_one_core() {
    let core = cores::allowed().unwrap()[0];
    match cores::siblings(core, core) {
        Ok(same) => assert!(same, "a thread is one of its own core's"),
        Err(error) => assert!(error.to_string().contains("thread_siblings_list"), "{error}"),
    }
    let error = cores::siblings(usize::MAX, core).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    if let Ok(size) = cores::line_size() {
        assert!(
            size.is_power_of_two() && align_of::<CachePadded<u8>>().is_multiple_of(size),
            "{size}"
        );
    }
}

#[test]
fn words_are_numbered_and_their_own() {
    for count in [1, 511, 512, 513, 1 << 18] {
        let mut words = Words::new(count).unwrap();
        assert!(words.len() == count && words.iter().copied().eq(0..count as u64));
        words.iter_mut().for_each(|word| *word = !*word);
        assert!(words.iter().copied().eq((0..count as u64).map(|word| !word)));
    }
}

#[test]
fn a_stride_takes_the_words_that_it_should() {
    // The walk checks its own sum; any number of loads, so that it ends inside a pass and at its
    // end.
    for stride in [8, 16, 32, 64, 128, 4096] {
        let mut walk = Strided::new(4096, stride).unwrap();
        for loads in [0, 1, 4096 / stride as u64, 4096 / stride as u64 + 1, 1000] {
            walk.loads(loads);
        }
    }
    for stride in [0, 4, 24, 8192] {
        assert!(catch_unwind(|| Strided::new(4096, stride).map(|_| ())).is_err(), "{stride}");
    }
}

#[test]
fn a_transpose_is_one_in_blocks_and_whole() {
    for (side, block) in [(1, 1), (16, 16), (48, 16), (64, 8)] {
        let (from, mut whole, mut blocks) =
            (Matrix::new(side).unwrap(), Matrix::new(side).unwrap(), Matrix::new(side).unwrap());
        from.transpose(side, &mut whole);
        from.transpose(block, &mut blocks);
        for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
            assert_eq!(whole.at(row, column), from.at(column, row));
            assert_eq!(blocks.at(row, column), from.at(column, row));
        }
        let words = (side * side) as u64;
        assert_eq!(
            (from.by_rows(), whole.by_columns()),
            (words * (words - 1) / 2, words * (words - 1) / 2)
        );
    }
    let (from, mut to) = (Matrix::new(20).unwrap(), Matrix::new(20).unwrap());
    assert!(catch_unwind(move || from.transpose(16, &mut to)).is_err());
}

#[test]
fn lines_are_gathered_in_any_order_with_and_without_asking_early() {
    for random in [false, true] {
        // Also fewer lines than are asked for ahead.
        for bytes in [64, AHEAD * 64, (AHEAD + 1) * 64, 1 << 16] {
            let mut gather = Gather::new(bytes, random).unwrap();
            for lines in [0, 1, 100, 2000] {
                gather.lines::<false>(lines, nothing); // it checks its own sum
                gather.lines::<true>(lines, rounds);
            }
        }
    }
}
