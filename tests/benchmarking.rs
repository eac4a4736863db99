//! Each bench that lies tells its lie, and its counterpart does not; and the arithmetic of the
//! book's rule is right.
#![cfg(target_os = "linux")]

#[path = "benchmarking/tools.rs"]
mod tools;

use perf_proved::harness::report::Report;
use perf_proved::harness::scratch::Scratch;
use perf_proved::harness::shuffle::Random;
use perf_proved::measuring::benchmarking::experiment::{
    self, Recorded, latencies, per_iteration, server,
};
use perf_proved::measuring::benchmarking::load::{Server, mean, open_loop, percentile};
use perf_proved::measuring::benchmarking::rounds::{Pair, Rounds, ends, null_test};
use perf_proved::measuring::benchmarking::variants::{self, Keys};
use perf_proved::measuring::benchmarking::{binomial, naive, work};
use perf_proved::proof::allocations::{self, Counting};
use perf_proved::proof::instructions;
use perf_proved::proof::syscalls::trace;
use perf_proved::sys::denial::Denial;
use perf_proved_tests::{alone, in_a_process};
use proptest::prelude::*;
use std::fs;
use std::io;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_compiler_removes_a_buffer_that_nothing_reads() {
    // What the standard library checks in a debug build needs the buffer's address.
    if !cfg!(debug_assertions) {
        let (_, made) = allocations::count(|| naive::buffers(100));
        assert_eq!(made.calls, 0, "the lie");
    }
    let (_, made) = allocations::count(|| work::buffers(100));
    assert_eq!(made.calls, 100);
}

/// Counted by steps where the machine has them.
fn counted(work: impl FnMut(u64), times: u64) -> Option<u64> {
    match per_iteration(work, times) {
        Ok(count) => Some(count),
        Err(error) if cfg!(target_arch = "x86_64") => panic!("{error}"),
        Err(_) => None,
    }
}

#[test]
fn a_sort_in_place_uses_up_its_input() {
    let _alone = alone();
    let values = variants::values(128);
    let mut sorted = values.clone();
    naive::sort(&mut sorted, 1);
    assert!(sorted.is_sorted() && !values.is_sorted());
    let in_place = counted(|times| _ = naive::sort(&mut values.clone(), times), 1);
    let copies = counted(|times| _ = work::sort(&values, times), 1);
    let (Some(in_place), Some(copies)) = (in_place, copies) else { return };
    assert!(copies > 3 * in_place, "{copies} and {in_place} instructions");
}

#[test]
fn copies_that_are_made_while_the_clock_runs_are_allocated_then() {
    let values = variants::values(16);
    let (_, inside) = allocations::count(|| naive::sort_copies(&values, 640));
    let (_, outside) = allocations::count(|| work::sort(&values, 640));
    // A batch of copies, used again for each batch: 64 copies, the vector and the first copy.
    assert!(inside.calls == 640 && outside.calls <= 66, "{} and {}", inside.calls, outside.calls);
}

#[test]
fn a_count_in_a_byte_is_right_up_to_255_lines() {
    for lines in [0, 1, 200, 255] {
        assert_eq!(naive::lines(&variants::text(lines)), lines as u64);
    }
    assert_eq!(naive::lines(&variants::text(256)), 0, "the lie");
    assert_eq!(naive::lines(&variants::text(1_000_000)), 1_000_000 % 256);
}

proptest! {
    #[test]
    fn the_lines_of_any_text_are_counted(
        text in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000),
    ) {
        let right = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        prop_assert_eq!(work::lines(&text), right);
    }

    /// An open loop waits for no answer: each latency is that of a queue.
    #[test]
    fn a_stall_delays_all_that_is_due_in_it(from in 0_u64..50_000, length in 0_u64..50_000) {
        let server = Server { service: 1000, stall: from..from + length };
        let open = open_loop(&server, 2000, 100);
        for (number, latency) in open.iter().enumerate() {
            let due = number as u64 * 2000;
            prop_assert!(*latency >= 1000);
            if due >= from && due < server.stall.end {
                prop_assert!(due + latency >= server.stall.end + 1000);
            }
        }
        let closed = naive::closed_loop(&server, 2000, 100);
        prop_assert!(closed.iter().filter(|&&latency| latency > 1000).count() <= 1);
    }

    #[test]
    fn the_interval_of_a_median_is_symmetric_and_in_the_data(
        mut values in prop::collection::vec(1.0_f64..2.0, 0..40),
    ) {
        match ends(&values) {
            None => prop_assert!(values.len() < 6),
            Some((low, high)) => {
                values.sort_unstable_by(f64::total_cmp);
                let below = values.iter().filter(|&&value| value < low).count();
                let above = values.iter().filter(|&&value| value > high).count();
                prop_assert!(values.len() >= 6 && low <= high && below == above);
            }
        }
    }
}

#[test]
fn a_copy_by_another_way_keeps_the_name_of_the_first() {
    if !in_a_process("a_copy_by_another_way_keeps_the_name_of_the_first") {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let (from, to) = (scratch.file("from", 1 << 20).unwrap(), scratch.path().join("to"));
    assert_eq!(work::copy(&from, &to).unwrap(), 1 << 20);
    assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
    Denial { call: libc::SYS_copy_file_range, code: libc::EPERM }.install().unwrap();
    let (copied, calls) = trace(|| naive::copy(&from, &to)).unwrap();
    assert_eq!(copied.unwrap(), 1 << 20, "it reports success");
    assert_eq!(calls.of("copy_file_range").returned, 0, "the lie");
    let refused = work::copy(&from, &to).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_failed_build_leaves_the_old_program() {
    let fails = || Command::new("false");
    let old = || {
        let mut old = Command::new("echo");
        old.arg("old");
        old
    };
    let output = naive::build_and_run(&mut fails(), &mut old()).unwrap();
    assert_eq!(output.stdout, b"old\n", "the lie");
    assert!(work::build_and_run(&mut fails(), &mut old()).is_err());
    let output = work::build_and_run(&mut Command::new("true"), &mut old()).unwrap();
    assert_eq!(output.stdout, b"old\n", "what was built");
}

#[test]
fn a_closed_loop_sees_a_stall_once() {
    let (closed, open) = latencies(&server());
    let slow = |latencies: &[u64]| latencies.iter().filter(|&&latency| latency > 1000).count();
    // The queue shrinks by nine requests while one in ten is added: the last to wait is the 112th.
    assert_eq!((slow(&closed), slow(&open)), (1, 112));
    assert_eq!(closed.iter().max(), open.iter().max(), "the first to wait");
    let idle = Server { service: 1000, stall: 0..0 };
    let (closed, open) = latencies(&idle);
    assert_eq!(closed, open, "without a stall, both see the same");
}

#[test]
fn a_stall_delays_an_answer_by_what_is_left_of_it() {
    let server = Server { service: 10, stall: 100..200 };
    for (start, done) in [(0, 10), (90, 100), (95, 205), (100, 210), (150, 210), (200, 210)] {
        assert_eq!(server.done(start), done, "from {start} on");
    }
}

#[test]
fn percentiles_are_ranks_and_their_average_is_none() {
    let hundred: Vec<u64> = (1..=100).rev().collect();
    assert_eq!([1, 50, 99, 100].map(|percent| percentile(&hundred, percent)), [1, 50, 99, 100]);
    assert_eq!(percentile(&[7], 1), 7);
    assert_eq!(mean(&[1, 2, 6]), 3);
    let mut latencies = vec![1; 1900];
    latencies.extend([1000; 100]);
    assert_eq!(percentile(&latencies, 99), 1000);
    assert_eq!(naive::averaged_percentile(&latencies, 20), 50, "the lie: 1019 over 20");
}

#[test]
fn keys_are_as_many_and_of_the_table() {
    for (name, keys) in Keys::ALL {
        let taken = keys.take(2048, 1000);
        assert!(taken.len() == 2048 && taken.iter().all(|&key| key < 1000), "{name}");
    }
    let different = |keys: Keys| {
        let mut taken = keys.take(2048, 1 << 30);
        taken.sort_unstable();
        taken.dedup();
        taken.len()
    };
    assert!(different(Keys::Same) <= 512 && different(Keys::New) > 2000);
    assert_eq!(work::look_up(&[1, 2, 4], &[2, 0, 2]), 9);
}

#[test]
fn a_key_costs_the_same_instructions_wherever_it_lies() {
    let _alone = alone();
    let table = vec![1; 1 << 16];
    let count = |keys: Keys| {
        let keys = keys.take(300, table.len());
        instructions::count(|| work::look_up(&table, &keys)).map(|(_, made)| made).ok()
    };
    assert_eq!(count(Keys::Same), count(Keys::New));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_loop_has_the_same_answer_and_instructions_at_each_place() {
    use perf_proved::measuring::benchmarking::place::{PLACES, answer};
    let _alone = alone();
    for (place, work) in PLACES {
        for n in [1, 2, 3, 1000] {
            assert_eq!(work(n), answer(n), "{n} at {place}");
        }
        // Six each, and in half of the iterations one more, twice.
        assert_eq!(counted(|n| _ = work(n), 1000), Some(7), "at {place}");
    }
}

#[test]
fn an_interval_over_nine_rounds_leaves_out_one_at_each_end() {
    let values: Vec<f64> = (1..=9).rev().map(f64::from).collect();
    assert_eq!(ends(&values), Some((2.0, 8.0)));
    assert_eq!(ends(&values[..6]), Some((4.0, 9.0)), "six: all of them");
    assert_eq!(ends(&values[..5]), None);
}

#[test]
fn chances_are_those_of_the_binomial_distribution() {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
    assert!(near(binomial::at_most(1, 9, 0.5), 10.0 / 512.0));
    assert!(near(binomial::at_most(0, 3, 0.1), 0.729));
    assert_eq!(binomial::at_most(3, 3, 0.9), 1.0);
    // Three of none: 1 - 0.025^(1/n).
    assert!(near(binomial::interval(0, 100).1, 1.0 - 0.025_f64.powf(0.01)));
    assert!(near(binomial::interval(100, 100).0, 0.025_f64.powf(0.01)));
    let (low, high) = binomial::interval(5, 50);
    assert!(near(low, 0.033_275_1) && near(high, 0.218_135_4), "{low} {high}");
    assert!(binomial::at_most(2000, 10_000, 0.2) > 0.49, "many tries do not underflow");
}

fn rounds(median: &[f64]) -> Rounds {
    let interval = median.iter().map(|median| (median * 0.99, median * 1.01)).collect();
    Rounds { median: median.to_vec(), interval }
}

fn pair(first: &[f64], again: &[f64]) -> Pair {
    Pair { first: rounds(first), again: rounds(again) }
}

#[test]
fn a_difference_in_all_rounds_but_one_is_found() {
    let nine = [100.0; 9];
    let mut slower = [101.0; 9];
    assert!(pair(&slower, &nine).differs());
    slower[4] = 99.0;
    assert!(pair(&slower, &nine).differs() && pair(&nine, &slower).differs());
    slower[5] = 99.0;
    assert!(!pair(&slower, &nine).differs(), "two rounds say otherwise");
    // The machine slows down for a while, and both sides with it.
    let drift: Vec<f64> = (0..9).map(|round| 100.0 + 50.0 * f64::from(round % 3)).collect();
    let slower: Vec<f64> = drift.iter().map(|time| time * 1.02).collect();
    assert!(pair(&slower, &drift).differs());
    assert!(!pair(&nine[..5], &[200.0; 5]).differs(), "too few rounds to say");
}

#[test]
fn intervals_of_one_process_say_little_of_the_next() {
    let rounds = rounds(&[100.0, 101.0, 110.0, 110.5]);
    assert_eq!(rounds.apart(), (3, 1));
    assert_eq!(Rounds::default().apart(), (0, 0));
    assert_eq!(pair(&[100.0, 100.0], &[101.0, 105.0]).apart(), (2, 1));
    assert_eq!(pair(&[100.0, 100.0, 90.0], &[101.0, 106.0, 100.0]).off_by(0.05), (3, 2));
    assert_eq!((rounds.minimum(1), rounds.minimum(4)), (100.0, 100.0));
}

/// Pairs of the same code on a machine with this much noise, in nine rounds.
fn pairs(noise: f64, number: usize) -> Vec<Pair> {
    let mut random = Random(7);
    let mut time = || 100.0 * (1.0 + noise * random.below(1001) as f64 / 1000.0);
    let mut rounds = || rounds(&std::array::from_fn::<f64, 9, _>(|_| time()));
    (0..number).map(|_| Pair { first: rounds(), again: rounds() }).collect()
}

#[test]
fn the_rule_calls_as_many_pairs_different_as_it_states() {
    let test = null_test(&pairs(0.1, 2000)).unwrap();
    let (low, high) = binomial::interval(test.different, test.pairs);
    assert!((test.stated - 20.0 / 512.0).abs() < 1e-9, "{test:?}");
    assert!(low < test.stated && test.stated < high, "{low} to {high}: {test:?}");
    assert_eq!(null_test(&[]), None);
    let few = pair(&[1.0; 5], &[2.0; 5]);
    assert_eq!(null_test(&[few]), None, "five rounds have no interval");
}

#[test]
fn the_effect_that_it_finds_grows_with_the_noise() {
    let [calm, noisy] = [0.01, 0.1].map(|noise| null_test(&pairs(noise, 500)).unwrap().most);
    assert!(calm < 0.01 && noisy > 5.0 * calm && noisy < 0.1, "{calm} {noisy}");
    // It is what it says: slowed down by that much, nine pairs in ten differ.
    let mut slowed = pairs(0.1, 500);
    slowed
        .iter_mut()
        .flat_map(|pair| &mut pair.first.median)
        .for_each(|time| *time *= 1.0 + noisy + 1e-9);
    let found = slowed.iter().filter(|pair| pair.ratio().is_some_and(|(low, _)| low > 1.0)).count();
    assert_eq!(found, 450);
    let half = null_test(&pairs(0.1, 500)).unwrap().half;
    assert!(half > 0.0 && half < noisy, "{half} in half, {noisy} in most");
    let alike = null_test(&[pair(&[1.0; 9], &[1.0; 9])]).unwrap();
    assert_eq!((alike.pairs, alike.different, alike.most), (1, 0, 0.0));
}

#[test]
fn without_recordings_their_numbers_are_not_possible() {
    let json = |recorded| {
        let mut report = Report::new("");
        experiment::recorded(&mut report, recorded);
        report.json()
    };
    let none = json(Ok(Recorded::default()));
    assert!(none.contains(r#""null.pairs":"no recordings here""#), "{none}");
    assert!(none.contains(r#""best_of_20.found":"no recordings here""#), "{none}");
    let missing = json(Err(io::ErrorKind::NotFound.into()));
    assert!(missing.contains(r#""one_run.percent":"entity not found""#), "{missing}");
    let pairs = pairs(0.1, 40);
    let benchmarks = pairs.iter().map(|pair| pair.first.clone()).collect();
    let some = json(Ok(Recorded { benchmarks, pairs }));
    assert!(some.contains(r#""null.pairs":40"#) && some.contains(r#""best_of_20.of":2"#), "{some}");
    assert!(some.contains(r#""next_process.of":320"#), "{some}");
}
