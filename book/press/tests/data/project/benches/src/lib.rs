//! Times a function and writes what criterion would, so that the miniature builds without
//! criterion.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

/// Times `work` ten times and writes the median with the quartiles.
pub fn bench(group: &str, function: &str, parameter: &str, work: impl FnMut()) {
    write(group, function, parameter, times(work));
}

/// Times `work` and writes that twice, as a null control that agrees however busy the machine is.
pub fn null_control(group: &str, parameter: &str, work: impl FnMut()) {
    let times = times(work);
    write(group, "first", parameter, times);
    write(group, "second", parameter, times);
}

/// Returns the median of ten times, with the quartiles.
fn times(mut work: impl FnMut()) -> (f64, f64, f64) {
    let mut times: Vec<f64> = (0..10)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed().as_nanos() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    ((times[4] + times[5]) / 2.0, times[2], times[7])
}

fn write(group: &str, function: &str, parameter: &str, (median, low, high): (f64, f64, f64)) {
    let folder = home().join(group).join(function).join(parameter).join("new");
    fs::create_dir_all(&folder).unwrap();
    let id = format!(
        r#"{{"group_id":"{group}","function_id":"{function}","value_str":"{parameter}","throughput":{{"Bytes":1048576}},"full_id":"{group}/{function}/{parameter}","directory_name":"","title":""}}"#
    );
    let estimates = format!(
        r#"{{"median":{{"confidence_interval":{{"confidence_level":0.95,"lower_bound":{low},"upper_bound":{high}}},"point_estimate":{median},"standard_error":0.0}},"slope":null}}"#
    );
    fs::write(folder.join("benchmark.json"), id).unwrap();
    fs::write(folder.join("estimates.json"), estimates).unwrap();
}

/// Says that something cannot be measured here.
pub fn not_possible(id: &str, reason: &str) {
    let folder = home().join(id);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("not_possible.json"), format!(r#"{{"id":"{id}","reason":"{reason}"}}"#)).unwrap();
}

/// Returns the folder that criterion would write to.
pub fn home() -> PathBuf {
    let target = || env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    env::var_os("CRITERION_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| target().unwrap_or_else(ask_cargo).join("criterion"))
}

fn ask_cargo() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap();
    let output =
        Command::new(cargo).args(["metadata", "--format-version", "1"]).output().unwrap();
    let metadata = String::from_utf8(output.stdout).unwrap();
    let (_, target) = metadata.split_once("\"target_directory\":\"").unwrap();
    target.split('"').next().unwrap().replace("\\\\", "\\").into()
}
