//! Lines of JSON, in a file that is rotated.

use perf_proved::measuring::monitor::export::Exporter;
use perf_proved::measuring::monitor::json_lines::{JsonLines, json};
use perf_proved::measuring::monitor::{Buckets, Registry};
use perf_proved::sys::rlimit;
use perf_proved_tests::{in_a_process, names};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn registry() -> Registry {
    let registry = Registry::new();
    registry.counter("a", "", &["x"]).unwrap().with(&["\"\\\n\u{1}é\u{2028}"]).add(u64::MAX);
    registry.gauge("b", "", &[]).unwrap().with(&[]).set(2.5);
    registry
}

/// The lines of a file, all of them whole.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "an unfinished line");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_line_is_all_series_as_json() {
    let registry = registry();
    let specials = registry.gauge("special", "", &["x"]).unwrap();
    for (name, value) in [("n", f64::NAN), ("i", f64::INFINITY), ("m", f64::NEG_INFINITY)] {
        specials.with(&[name]).set(value);
    }
    let buckets = Buckets::new(&[1.0]).unwrap();
    let histogram = registry.histogram("h", "", &[], buckets).unwrap().with(&[]);
    [0.5, 3.0].iter().for_each(|number| histogram.observe(*number));
    let text = json(&registry.snapshot());
    assert!(!text.contains(['\n', '\u{2028}']), "one line, of JavaScript too");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value["time"].as_f64().unwrap() > 1.7e9);
    let metrics = value["metrics"].as_array().unwrap();
    assert_eq!(metrics[0]["name"], "a_total");
    assert_eq!(metrics[0]["labels"]["x"], "\"\\\n\u{1}é\u{2028}");
    assert_eq!(metrics[0]["value"].as_u64(), Some(u64::MAX));
    assert_eq!(metrics[1], serde_json::json!({"name": "b", "labels": {}, "value": 2.5}));
    let values: Vec<&Value> = metrics[2..5].iter().map(|metric| &metric["value"]).collect();
    assert_eq!(values, ["NaN", "+Inf", "-Inf"]);
    let expected = serde_json::json!({
        "name": "h", "labels": {}, "count": 2, "sum": 3.5, "buckets": [[1.0, 1], ["+Inf", 2]]
    });
    assert_eq!(metrics[5], expected);
    assert_eq!(metrics.len(), 6);
}

/// Each line has a number, the value of `number`.
fn export(file: &mut JsonLines, number: u64) -> std::io::Result<()> {
    let registry = registry();
    registry.counter("number", "", &[]).unwrap().with(&[]).add(number);
    file.export(&registry.snapshot())
}

fn numbers(path: &Path) -> Vec<u64> {
    let number = |line: Value| line["metrics"][2]["value"].as_u64().unwrap();
    lines(path).into_iter().map(number).collect()
}

#[test]
fn files_are_rotated_by_size_and_the_oldest_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let mut file = JsonLines::open(&path, 500, 2).unwrap();
    (10..30).for_each(|number| export(&mut file, number).unwrap());
    assert_eq!(names(folder.path()), ["metrics.jsonl", "metrics.jsonl.1", "metrics.jsonl.2"]);
    let mut all = vec![];
    for name in ["metrics.jsonl.2", "metrics.jsonl.1", "metrics.jsonl"] {
        let path = folder.path().join(name);
        let size = fs::metadata(&path).unwrap().len();
        assert!((1..=500).contains(&size), "{name}: {size}");
        all.extend(numbers(&path));
    }
    let first = 30 - all.len() as u64;
    assert_eq!(all, (first..30).collect::<Vec<u64>>(), "none is missing, and the order is right");
    assert!(all.len() >= 3);
}

#[test]
fn a_line_that_is_larger_than_a_file_may_be_is_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    let mut file = JsonLines::open(&path, 10, 1).unwrap();
    (1..4).for_each(|number| export(&mut file, number).unwrap());
    assert_eq!(numbers(&path), [3]);
    assert_eq!(numbers(&folder.path().join("metrics.1")), [2]);
    let mut file = JsonLines::open(&path, 10, 0).unwrap();
    export(&mut file, 4).unwrap();
    assert_eq!(numbers(&path), [4], "no older file is kept");
}

#[test]
fn a_file_is_continued_and_an_unfinished_line_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    export(&mut JsonLines::open(&path, 1 << 20, 1).unwrap(), 1).unwrap();
    export(&mut JsonLines::open(&path, 1 << 20, 1).unwrap(), 2).unwrap();
    assert_eq!(numbers(&path), [1, 2]);
    fs::write(&path, "{\"time\":1").unwrap();
    let mut file = JsonLines::open(&path, 1 << 20, 1).unwrap();
    export(&mut file, 3).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (torn, whole) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"time\":1");
    serde_json::from_str::<Value>(whole).unwrap();
}

/// In a process of its own, because the limit is that of the whole process.
#[test]
fn a_full_disk_leaves_whole_lines() {
    if !in_a_process("files::a_full_disk_leaves_whole_lines") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    let mut file = JsonLines::open(&path, 1 << 20, 1).unwrap();
    export(&mut file, 1).unwrap();
    let size = fs::metadata(&path).unwrap().len();
    // Half of the next line fits.
    let errors = rlimit::file_size(size + size / 2, || {
        (2..4).map(|number| export(&mut file, number).unwrap_err()).collect::<Vec<_>>()
    });
    for error in errors.unwrap() {
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    }
    assert_eq!(numbers(&path), [1]);
    export(&mut file, 4).unwrap();
    assert_eq!(numbers(&path), [1, 4]);
}

#[test]
fn a_rotation_that_fails_is_an_error_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    let blocked = folder.path().join("metrics.1");
    fs::create_dir(&blocked).unwrap();
    let mut file = JsonLines::open(&path, 300, 1).unwrap();
    export(&mut file, 1).unwrap();
    let error = export(&mut file, 2).unwrap_err();
    assert!(error.to_string().starts_with("renaming "), "{error}");
    assert_eq!(numbers(&path), [1], "nothing is lost");
    fs::remove_dir(&blocked).unwrap();
    export(&mut file, 3).unwrap();
    assert_eq!((numbers(&path), numbers(&blocked)), (vec![3], vec![1]));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/metrics");
    let error = JsonLines::open(&path, 1, 1).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().starts_with(&path.display().to_string()));
}
