//! Recordings of the tools of others are counted right, and their known effect is exact.

use super::counted;
use perf_proved::harness::report::Report;
use perf_proved::measuring::benchmarking::experiment::tools::{
    self, Counts, Decision, Profile, Run, Tools, widest,
};
use perf_proved::measuring::benchmarking::known::{LESS, MORE, work};
use perf_proved_tests::alone;
use std::hint::black_box;
use std::io;

#[test]
fn the_known_effect_is_one_instruction_in_a_hundred() {
    let _alone = alone();
    assert_eq!(MORE * 100, LESS * 101);
    let of = |steps: u64| {
        counted(|times| (0..times).for_each(|_| _ = black_box(work(black_box(steps)))), 1)
    };
    let (Some(half), Some(less), Some(more)) = (of(LESS / 2), of(LESS), of(MORE)) else { return };
    assert_eq!((less - half) * 2, (more - less) * 100, "{half}, {less} and {more} instructions");
}

fn decision(more: bool, percent: f64, differs: bool, by_default: bool) -> Decision {
    let tool = "tango".to_owned();
    Decision { tool, more, percent, differs, by_default, milliseconds: 100.0 * percent.abs() }
}

#[test]
fn a_tool_is_right_if_it_finds_the_slower_one() {
    let decisions = [
        decision(true, 1.0, true, false),
        decision(true, 1.2, true, true),
        decision(true, -2.0, true, true), // the faster one, it says
        decision(true, 0.3, false, false),
        decision(false, 0.1, false, false),
        decision(false, -4.0, true, true),
    ];
    let counts = Counts::of(&decisions);
    assert_eq!((counts.different, counts.by_default, counts.same), ((4, 2), 1, (2, 1)));
    assert_eq!(counts.milliseconds, 120.0);
}

fn json(recorded: &io::Result<Tools>) -> String {
    let mut report = Report::new("");
    tools::decided(&mut report, recorded);
    tools::spread(&mut report, recorded);
    tools::profiled(&mut report, recorded);
    report.json()
}

#[test]
fn shares_come_with_their_intervals() {
    let decisions = (0..20).map(|number| decision(true, 1.0, number > 0, false)).collect();
    let json = json(&Ok(Tools { decisions, ..Tools::default() }));
    for part in [
        r#""tool_tango.found_of":20,"tool_tango.found":19,"tool_tango.found_percent":95,"#,
        r#""tool_tango.found_low":75,"tool_tango.found_high":100,"#,
        r#""tool_criterion.found":"no recordings here""#,
        r#""layout_order.spread":"no recordings here""#,
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    let missing = self::json(&Err(io::ErrorKind::NotFound.into()));
    assert!(missing.contains(r#""tool_rounds.wrong_high":"entity not found""#), "{missing}");
}

#[test]
fn a_profile_covers_the_samples_of_its_run() {
    let profile = Profile {
        hertz: 1000.0,
        milliseconds: 2000.0,
        samples: 500.0,
        functions: 40,
        without_inlined: 30,
        unmasking: 100.0,
    };
    let said = json(&Ok(Tools { profiles: vec![profile], ..Tools::default() }));
    assert!(
        said.contains(r#""profile.unmasking_percent":20,"profile.seen_percent":25,"#),
        "{said}"
    );
    assert!(json(&Ok(Tools::default())).contains(r#""profile.functions":"no recordings here""#));
}

#[test]
fn runs_spread_from_the_tenth_percentile_to_the_ninetieth() {
    let run = |changes: &str, number: u64, calm: f64, wild: f64| Run {
        changes: changes.to_owned(),
        number,
        least: vec![("calm".to_owned(), calm), ("wild".to_owned(), wild)],
    };
    let wild = |number: u64| 100.0 + number as f64;
    let mut runs: Vec<Run> = (0..20).map(|n| run("order", n, 100.0, wild(n))).collect();
    // A disturbed run of the same program changes nothing.
    runs.extend((0..20).map(|n| run("order", n, 500.0, 7.0 * wild(n))));
    runs.push(run("nothing", 0, 100.0, 900.0));
    let (work, spread) = widest(&runs, "order").unwrap();
    assert_eq!(work, "wild");
    assert!((spread - (117.0 / 102.0 - 1.0)).abs() < 1e-9, "{spread}");
    assert_eq!(widest(&runs, "nothing").unwrap().1, 0.0, "one run");
    assert_eq!(widest(&runs, "addresses"), None);
}
