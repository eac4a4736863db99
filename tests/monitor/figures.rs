//! The kernel's figures about the process.

use perf_proved::measuring::monitor::{Registry, Snapshot, Value, process};
use perf_proved::sys::resident;
use perf_proved_tests::in_a_process;
use std::fs::File;
use std::time::{Duration, Instant};

fn number(snapshot: &Snapshot, name: &str, values: &[&str]) -> f64 {
    match snapshot.number(name, values).unwrap_or_else(|| panic!("{name} {values:?}")) {
        Value::Integer(number) => number as f64,
        Value::Float(number) => number,
    }
}

/// In a process of its own, whose descriptors and faults no other test changes.
#[test]
fn figures_follow_the_process() {
    if !in_a_process("figures::figures_follow_the_process") {
        return;
    }
    let registry = Registry::new();
    process::register(&registry).unwrap();
    let before = registry.snapshot();
    let files: Vec<File> = (0..5).map(|_| File::open("/proc/self/stat").unwrap()).collect();
    let memory = vec![1_u8; 64 << 20];
    std::thread::sleep(Duration::from_millis(1)); // a voluntary switch
    let (begun, mut spent) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_millis(50) {
        spent += 1;
    }
    let after = registry.snapshot();
    let difference =
        |name: &str, values: &[&str]| number(&after, name, values) - number(&before, name, values);
    assert!(spent > 0 && difference("process_cpu_seconds", &[]) > 0.001);
    assert_eq!(difference("process_open_fds", &[]), 5.0);
    let pages = (memory.len() / 4096) as f64;
    assert!(difference("process_resident_memory_bytes", &[]) > 0.9 * memory.len() as f64);
    let minor = difference("process_page_faults", &["minor"]);
    assert!(minor > 0.0 && minor < 2.0 * pages, "{minor}: huge pages make it fewer");
    assert!(difference("process_page_faults", &["major"]) >= 0.0);
    assert!(difference("process_context_switches", &["voluntary"]) >= 1.0);
    let resident = number(&registry.snapshot(), "process_resident_memory_bytes", &[]);
    let now = resident::now().unwrap() as f64;
    assert!((resident - now).abs() < 4e6, "{resident} and {now}");
    drop(files);
    // A kernel may be built without it.
    if let Some(stalled) = after.number("pressure_stalled_seconds", &["cpu", "some"]) {
        assert!(matches!(stalled, Value::Float(seconds) if seconds >= 0.0), "{stalled:?}");
    }
}

#[test]
fn figures_are_registered_once() {
    let registry = Registry::new();
    process::register(&registry).unwrap();
    let error = process::register(&registry).unwrap_err();
    assert!(error.to_string().contains("process_cpu_seconds"), "{error}");
}
