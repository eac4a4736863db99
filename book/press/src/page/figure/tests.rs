use super::*;
use crate::machine::{Benchmark, Environment, Recording, Round};
use crate::model::Place;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[test]
fn near_and_far_cores_are_panels_of_their_own() {
    let (near, far) = (Some([50.0, 52.0]), Some([400.0, 390.0]));
    let rounds = |times: [f64; 6]| {
        let witnesses = [near, far, near, far, near, far];
        let round =
            |(time, witness)| Round { median: time, low: time, high: time, witness, slowed: 0.0 };
        times.into_iter().zip(witnesses).map(round).collect()
    };
    let benchmark = |function: &str, times| Benchmark {
        group: "ring".into(),
        function: Some(function.into()),
        parameter: None,
        throughput_bytes: None,
        throughput_elements: None,
        rounds: rounds(times),
    };
    let recording = Recording {
        date: "2026-01-01T00:00:00Z".into(),
        commit: None,
        modified: None,
        sources: None,
        rounds: 6,
        planned: None,
        environment: Environment::default(),
        benchmarks: [
            ("ring/spsc".into(), benchmark("spsc", [2.0, 13.0, 2.0, 13.0, 2.0, 13.0])),
            ("ring/spsc_again".into(), benchmark("spsc_again", [2.0; 6])),
            ("ring/lock".into(), benchmark("lock", [20.0, 40.0, 20.0, 40.0, 20.0, 40.0])),
        ]
        .into(),
        not_possible: BTreeMap::new(),
    };
    let mut machine = Machine::new("m");
    machine.recordings.insert("ring".into(), recording);
    let figure = Figure {
        group: "ring".into(),
        y: YAxis::Time,
        title: None,
        label: None,
        x: None,
        series: Vec::new(),
        baseline: None,
        small: false,
        place: Place { page: PathBuf::from("a.md"), line: 1 },
    };
    let looks = Looks::choose(&[vec!["spsc".into(), "lock".into()]]);
    let chart = |machine: &Machine| super::chart(&figure, "Ring", "ring", &looks, &[machine]);
    let panels = |machine: &Machine| -> Vec<(String, Vec<f64>)> {
        let value = |s: &Series| s.points[0].value.as_ref().unwrap().value;
        let panel = |p: Panel| (p.machine, p.series.iter().map(value).collect());
        chart(machine).panels.into_iter().map(panel).collect()
    };
    let expected = [("m, near cores", vec![2.0, 20.0]), ("m, far cores", vec![13.0, 40.0])];
    assert_eq!(panels(&machine), expected.map(|(name, values)| (name.to_owned(), values)));
    // The pair was equal near, and its second half as fast as near when the cores were far.
    let noise: Vec<f64> = chart(&machine).panels.iter().map(|p| p.noise.unwrap().reach).collect();
    assert_eq!(noise, [1.0, 6.5]);

    // A machine with one regime has one panel, as one without witnesses.
    for benchmark in machine.recordings["ring"].benchmarks.clone().into_keys() {
        let recording = machine.recordings.get_mut("ring").unwrap();
        let rounds = &mut recording.benchmarks[&benchmark].rounds;
        rounds.iter_mut().for_each(|round| round.witness = far);
    }
    let far: Vec<String> = panels(&machine).into_iter().map(|(name, _)| name).collect();
    assert_eq!(far, ["m, far cores"]);
}
