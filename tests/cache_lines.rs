//! Values lie where the types say, the counters lose nothing, and the naive versions fail as their
//! documentation lists. Times are compared only if they differ several times over, as the fastest
//! of several, until they are as expected.
#![cfg(target_os = "linux")]

use crossbeam_utils::CachePadded as Crossbeam;
use perf_proved::measuring::limits::lines;
use perf_proved::memory::cache_lines::experiment::contested::address;
use perf_proved::memory::cache_lines::experiment::gather::{AHEAD, Gather, nothing, rounds};
use perf_proved::memory::cache_lines::experiment::walks::{Matrix, Strided};
use perf_proved::memory::cache_lines::experiment::words::Words;
use perf_proved::memory::cache_lines::naive::{self, Stats};
use perf_proved::memory::cache_lines::variants::Variant;
use perf_proved::memory::cache_lines::{CachePadded, ShardedCounter, two_cores};
use perf_proved::sys::cores;
use perf_proved_tests::{alone, eventually, fastest, refusals};
use std::any::type_name;
use std::io::ErrorKind;
use std::panic::catch_unwind;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

/// Returns two physical cores, or `None` if this process has only one.
fn both() -> Option<[usize; 2]> {
    two_cores().ok().filter(|two| two.doubt.is_none()).map(|two| two.cores)
}

#[test]
fn a_padded_value_shares_no_line() {
    let apart = align_of::<CachePadded<u8>>();
    let array: Vec<CachePadded<AtomicU64>> = (0..33).map(|_| CachePadded::default()).collect();
    let addresses: Vec<usize> = array.iter().map(|value| address(&**value)).collect();
    assert!(addresses.iter().all(|address| address.is_multiple_of(apart)));
    assert!(addresses.windows(2).all(|pair| pair[1] - pair[0] == apart));
    let boxes: Vec<Box<CachePadded<u8>>> = (0..33).map(|_| Box::default()).collect();
    assert!(boxes.iter().all(|value| address(&**value).is_multiple_of(apart)));
}

#[test]
fn a_padded_value_has_the_layout_of_crossbeams() {
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
fn a_padded_value_derefs_to_its_content() {
    let mut padded = CachePadded(vec![1, 2]);
    padded.push(3);
    assert_eq!((padded.len(), padded.clone().0), (3, vec![1, 2, 3]));
}

#[test]
fn a_sum_includes_every_addition_of_joined_threads() {
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
fn a_cell_out_of_bounds_panics() {
    let counter = ShardedCounter::<AtomicU64>::new(2);
    assert!(catch_unwind(|| counter.add(2, 1)).is_err());
    assert_eq!(counter.sum(), 0);
}

#[test]
fn writers_add_while_the_total_is_read() {
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
            assert!(before <= sum && sum <= 30_005, "{sum} after {before}"); // never less: each cell only grows
            before = sum;
        }
    });
    assert_eq!(total.sum(), 30_005);
}

#[test]
fn a_cell_has_one_writer() {
    let use_it = |lines: &str| {
        format!(
            "use perf_proved::memory::cache_lines::ShardedCounter;\n\
             fn main() {{ let mut counter: ShardedCounter = ShardedCounter::new(2);\n\
             let (mut writers, total) = counter.split();\n{lines}\nwriters[0].add(1); println!(\"{{}}\", total.sum()); }}"
        )
    };
    assert_eq!(
        refusals(env!("CARGO_TARGET_TMPDIR"), "cell_with_a_writer", &use_it("writers[0].add(1);")),
        []
    );
    let codes = |lines| {
        let refused = refusals(env!("CARGO_TARGET_TMPDIR"), "cell_with_a_writer", &use_it(lines));
        refused.into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(codes("counter.add(0, 1);"), ["E0502"], "the counter is borrowed by its writers");
    assert_eq!(codes("let again = writers[0].clone();"), ["E0599"], "a cell has one writer");
}

#[test]
fn every_variant_adds_on_one_core_and_on_two() {
    let _alone = alone();
    let one = [cores::allowed().unwrap()[0]];
    for variant in Variant::ALL {
        for additions in [0, 1, 10_000] {
            variant.additions(&one, additions).unwrap(); // checks its own sum
            if let Some(cores) = both() {
                variant.additions(&cores, additions).unwrap();
            }
        }
        assert!(variant.additions(&[usize::MAX], 1).is_err(), "{}", variant.name());
    }
}

#[test]
fn naive_fields_lie_in_one_line() {
    // The allocator aligns to 16 bytes, the size of the struct.
    let stats: Box<Stats> = Box::default();
    assert_eq!(address(&stats.received) / 64, address(&stats.sent) / 64);
    let array: Vec<AtomicU64> = (0..8).map(AtomicU64::new).collect();
    assert_eq!(address(&array[0]) / 64, address(&array[1]) / 64);
}

#[test]
fn naive_counters_are_several_times_slower_on_two_cores() {
    let _alone = alone();
    let Some(cores) = both() else { return };
    let time = |variant: Variant| fastest(9, || variant.additions(&cores, 100_000).unwrap());
    eventually(|| [time(Variant::Array), time(Variant::Padded)], slower_in_one_line);
    let add = |distance| fastest(9, || lines::add_beside(cores, distance, 50_000).unwrap());
    eventually(|| [add(8), add(128)], slower_in_one_line);
}

/// Returns `true` if the first time, in one line, is longer than the second, in two lines.
fn slower_in_one_line([beside, apart]: &[Duration; 2]) -> bool {
    *beside * 2 > *apart * 3
}

#[test]
fn naive_plain_counters_measure_nothing() {
    let _alone = alone();
    eventually(
        || [1000, 1_000_000_000].map(|times| fastest(9, || naive::plain(times))),
        |[few, many]| *many < *few * 10 + Duration::from_millis(1),
    );
}

#[test]
fn a_reader_waits_for_a_line_that_another_core_writes() {
    let _alone = alone();
    let Some(cores) = both() else { return };
    let time = |distance| fastest(9, || lines::read_beside(cores, distance, 20_000).unwrap());
    eventually(|| [time(8), time(128)], slower_in_one_line);
}

#[test]
fn two_cores_or_a_reason() {
    let allowed = cores::allowed().unwrap();
    // The choice on a thread that is pinned to one core.
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
fn the_kernel_lists_the_threads_of_a_core() {
    let core = cores::allowed().unwrap()[0];
    match cores::siblings(core, core) {
        Ok(same) => assert!(same, "a thread belongs to its own core"),
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
fn words_are_numbered_and_writable() {
    for count in [1, 511, 512, 513, 1 << 18] {
        let mut words = Words::new(count).unwrap();
        assert!(words.len() == count && words.iter().copied().eq(0..count as u64));
        words.iter_mut().for_each(|word| *word = !*word);
        assert!(words.iter().copied().eq((0..count as u64).map(|word| !word)));
    }
}

#[test]
fn a_stride_reads_the_right_words() {
    // The walk checks its own sum. The numbers of loads end it within a pass and at its end.
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
fn a_matrix_is_transposed_in_blocks_and_whole() {
    let sides = [(1, 1), (16, 16), (48, 16), (64, 8)];
    for (new, (side, block)) in
        [Matrix::new, Matrix::padded].into_iter().flat_map(|new| sides.map(|side| (new, side)))
    {
        let (from, mut whole, mut blocks) =
            (new(side).unwrap(), new(side).unwrap(), new(side).unwrap());
        from.transpose(side, &mut whole);
        from.transpose(block, &mut blocks);
        for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
            assert_eq!(from.at(row, column), (row * side + column) as u64);
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
fn lines_are_gathered_in_any_order_with_and_without_prefetching() {
    for random in [false, true] {
        // Including fewer lines than the prefetch distance.
        for bytes in [64, AHEAD * 64, (AHEAD + 1) * 64, 1 << 16] {
            let mut gather = Gather::new(bytes, random).unwrap();
            for lines in [0, 1, 100, 2000] {
                gather.lines::<false>(lines, nothing); // checks its own sum
                gather.lines::<true>(lines, rounds);
            }
        }
    }
}
