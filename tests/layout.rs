//! Types have the sizes that the chapter gives, the picture shows every byte, the layouts agree,
//! and each naive version has its fault.

use perf_proved::layout;
use perf_proved::memory::layout::experiment::numbers_at;
use perf_proved::memory::layout::naive;
use perf_proved::memory::layout::packed::Packed;
use perf_proved::memory::layout::picture::{LINE, Shape};
use perf_proved::memory::layout::records::{ByHand, COrder, Event, lines, split};
use perf_proved::memory::layout::shrink::flags;
use perf_proved::memory::layout::variants::Variant;
use perf_proved::proof::allocations::{Counting, count};
use perf_proved_tests::house::outputs;
use perf_proved_tests::{complaint, refusals, root};
use proptest::prelude::*;
use std::sync::LazyLock;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn naive_order_saves_nothing_and_moves_the_padding() {
    let optimized = layout!(naive::Optimized { id, active, name, score, created });
    let unoptimized = layout!(naive::Unoptimized { active, id, name, score, created });
    let unordered = layout!(naive::Unordered { active, id, name, score, created });
    for shape in [&optimized, &unoptimized, &unordered] {
        assert_eq!((shape.size, shape.padding()), (64, 7), "{}", shape.name);
    }
    assert_eq!(optimized.fields[2], ("name", 9..41), "a byte array needs no alignment");
    assert_eq!(optimized.holes().first(), Some(&(41..48)));
    assert_eq!(unoptimized.holes().first(), Some(&(1..8)));
}

/// The chapter prints exactly what the example draws and what the compiler says.
#[test]
fn the_chapter_shows_the_pictures_and_the_errors() {
    let chapter = std::fs::read_to_string(root().join("book/src/memory/layout.md")).unwrap();
    for shape in [
        layout!(naive::Optimized { id, active, name, score, created }),
        layout!(naive::Unoptimized { active, id, name, score, created }),
    ] {
        assert!(chapter.contains(&shape.picture(1)), "{}", shape.picture(1));
    }
    for (code, message) in borrowed() {
        assert!(chapter.contains(&format!("error[{code}]: {message}")), "{code}: {message}");
    }
}

#[test]
fn naive_packing_saves_the_padding_and_misaligns_the_fields() {
    let packed = layout!(naive::Packed { active, id, name, score, created });
    assert_eq!((packed.size, packed.align, packed.padding()), (57, 1, 0));
    let misaligned =
        packed.fields.iter().filter(|(name, span)| *name != "name" && span.start % 8 != 0).count();
    assert_eq!(misaligned, 3, "id, score and created, in the first of an array");
}

#[test]
fn naive_repr_c_keeps_the_order_of_the_source() {
    let c = layout!(COrder { kind, at, amount });
    let rust = layout!(Event { kind, at, amount });
    let by_hand = layout!(ByHand { kind, at, amount });
    assert_eq!((c.size, c.holes()), (24, vec![1..8, 20..24]));
    assert_eq!((rust.size, by_hand.size), (16, 16));
}

#[test]
fn naive_packed_fields_cannot_be_borrowed() {
    let refused = borrowed();
    let codes: Vec<&str> = refused.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(
        codes,
        ["E0793", "E0793"],
        "the reference, and the one that println! takes: {refused:?}"
    );
    let copied = program("let at = record.at; println!(\"{at} {}\", { record.amount });");
    assert_eq!(refusals(env!("CARGO_TARGET_TMPDIR"), "layout_copied", &copied), []);
}

#[test]
fn the_chapter_shows_what_the_compiler_says_of_a_borrowed_field() {
    let program = "use perf_proved::memory::layout::packed::Packed;
        fn main() { let record = Packed { kind: 1, at: 2, amount: 3 };
    println!(\"{}\", record.at);
        }";
    let said = complaint(env!("CARGO_TARGET_TMPDIR"), "layout_shown", program);
    let all = outputs::shown(&root());
    let shown = all.iter().find(|shown| shown.by == "program=layout_shown").expect("the output");
    assert_eq!(outputs::drifted(&shown.lines, &said), None, "the compiler says\n{said}");
}

fn borrowed() -> Vec<(String, String)> {
    static REFUSED: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        refusals(
            env!("CARGO_TARGET_TMPDIR"),
            "layout_borrowed",
            &program("let at = &record.at; println!(\"{at} {}\", record.amount);"),
        )
    });
    REFUSED.clone()
}

/// Wraps a line that uses a packed record into a program.
fn program(line: &str) -> String {
    format!(
        "use perf_proved::memory::layout::packed::Packed;
        fn main() {{ let record = Packed {{ kind: 1, at: 2, amount: 3 }}; {line} }}"
    )
}

#[test]
fn an_omitted_field_does_not_compile() {
    let program = "struct Event { kind: u8, at: u64 }
        fn main() { println!(\"{}\", perf_proved::layout!(Event { at }).picture(1)); }";
    let refused = refusals(env!("CARGO_TARGET_TMPDIR"), "layout_forgotten", program);
    assert!(refused.len() == 1 && refused[0].1.starts_with("pattern"), "{refused:?}");
}

#[test]
fn packed_fields_are_read_at_any_address() {
    // At every distance from an aligned address, and at the end of the allocation.
    for at in 0..16 {
        let mut bytes = vec![0xff; at + Packed::BYTES];
        let record = &mut bytes[at..];
        record[0] = 7;
        record[1..9].copy_from_slice(&0x0102_0304_0506_0708_u64.to_ne_bytes());
        record[9..].copy_from_slice(&(at as u32).to_ne_bytes());
        assert_eq!(Packed::amount_in((&*record).try_into().unwrap()), at as u32);
    }
    let event = Packed { kind: 7, at: 8, amount: 9 }.event();
    assert_eq!(event, Event { kind: 7, at: 8, amount: 9 });
}

#[test]
fn numbers_are_read_at_every_offset() {
    for lines in 1..10 {
        let bytes: Vec<u8> = (0..lines * LINE).map(|byte| (byte * 7 + byte / 256) as u8).collect();
        for offset in 0..=LINE {
            let number =
                |line| u64::from_ne_bytes(bytes[line * LINE + offset..][..8].try_into().unwrap());
            let expected = (0..lines - 1).map(number).fold(0, u64::wrapping_add);
            assert_eq!(numbers_at(&bytes, offset), expected, "{lines} lines, {offset}");
        }
    }
}

#[test]
fn the_picture_shows_bytes_holes_and_lines() {
    let shape = layout!(COrder { kind, at, amount });
    let expected = "\
COrder: 24 bytes, aligned to 8, padding 11
       a kind 0..1 b at 8..16 c amount 16..20
     0 |A·······|bbbbbbbb|cccc····|A·······|bbbbbbbb|cccc····|A·······|bbbbbbbb|
    64 |cccc····|";
    assert_eq!(shape.picture(3), expected);
    assert_eq!(shape.picture(0).lines().count(), 2);

    struct Pair(
        #[allow(dead_code, reason = "only its offset counts")] u8,
        #[allow(dead_code, reason = "as above")] u8,
    );
    assert!(layout!(Pair { 0, 1 }).picture(1).ends_with("\n     0 |Ab|"));
    struct Nothing {
        nothing: (),
    }
    let nothing = layout!(Nothing { nothing });
    assert_eq!((nothing.holes(), nothing.picture(2).lines().count()), (vec![], 2));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Fields and holes together cover each byte of the type exactly once, in whatever order the
    /// fields were listed.
    #[test]
    fn every_byte_belongs_to_a_field_or_a_hole(
        parts in prop::collection::vec((0_usize..4, 0_usize..9), 1..8),
        tail in 0_usize..4,
    ) {
        let mut fields = vec![];
        let mut end = 0;
        for (hole, bytes) in parts {
            fields.push(("field", end + hole..end + hole + bytes));
            end += hole + bytes;
        }
        fields.reverse();
        let shape = Shape { name: "Any", size: end + tail, align: 1, fields };
        let spans = shape.fields.iter().map(|(_, span)| span.clone()).chain(shape.holes());
        let mut bytes: Vec<usize> = spans.flatten().collect();
        bytes.sort_unstable();
        prop_assert_eq!(bytes, (0..shape.size).collect::<Vec<_>>());
    }
}

#[test]
fn every_layout_holds_the_same_events() {
    for count in [0_usize, 1, 2, 255, 256, 257, 4097] {
        let numbers = 0..count as u64;
        let amounts: u64 = numbers.clone().sum();
        let everything = 2 * amounts + numbers.map(|number| number % 256).sum::<u64>();
        let indices: Vec<u32> = (0..count as u32).rev().collect();
        for name in Variant::NAMES {
            let records = Variant::new(name, count).unwrap();
            assert_eq!(records.amounts(), amounts, "{name}, {count}");
            assert_eq!(records.everything(), everything, "{name}, {count}");
            assert_eq!(records.at(&indices), everything, "{name}, {count}");
            assert_eq!(records.at(&[]), 0);
        }
    }
    assert!(Variant::new("rows", 1).is_none());
}

#[test]
fn an_index_out_of_bounds_panics() {
    for name in Variant::NAMES {
        let records = Variant::new(name, 3).unwrap();
        assert!(std::panic::catch_unwind(|| records.at(&[3])).is_err(), "{name}");
    }
}

#[test]
fn a_layout_allocates_its_bytes_and_no_more() {
    for (name, bytes, calls) in
        [("c_order", 24, 1), ("rust_order", 16, 1), ("packed", 13, 1), ("columns", 13, 3)]
    {
        let (_records, made) = count(|| Variant::new(name, 1000));
        assert_eq!((made.bytes, made.calls), (bytes * 1000, calls), "{name}");
    }
}

#[test]
fn lines_are_counted_at_their_boundaries() {
    assert_eq!([0, 1, 2, 3, 8].map(|values| lines(values, 24)), [0, 1, 1, 2, 3]);
    assert_eq!([1, 2, 63, 64, 65].map(split), [0, 0, 62, 0, 64]);
}

#[test]
fn a_flag_is_a_bit() {
    let rights = flags::After(flags::After::READ.0 | flags::After::SHARE.0);
    assert!(
        rights.has(flags::After::READ) && rights.has(flags::After::SHARE) && rights.has(rights)
    );
    assert!(!rights.has(flags::After::WRITE) && !rights.has(flags::After::EXECUTE));
    assert!(!rights.has(flags::After(flags::After::READ.0 | flags::After::WRITE.0)));
}
