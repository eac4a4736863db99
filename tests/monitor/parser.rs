//! A strict parser of both text formats. It panics at whatever they do not allow.

use perf_proved::measuring::monitor::Format;
use std::collections::{BTreeMap, BTreeSet};

/// The metrics of a scrape by their names, without those of the monitor itself that have no sample.
pub type Scrape = BTreeMap<String, Family>;

pub struct Family {
    pub help: String,
    pub kind: String,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: String,
}

impl Sample {
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    pub fn number(&self) -> f64 {
        number(&self.value)
    }
}

/// Reads a number of a sample, as both formats write it.
pub fn number(text: &str) -> f64 {
    let known = ["NaN", "+Inf", "-Inf"].contains(&text);
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte));
    assert!(known || is_plain, "{text:?} is no number");
    text.parse().unwrap()
}

pub fn parse(text: &str, format: Format) -> Scrape {
    let mut rest = text;
    if format == Format::OpenMetrics {
        rest = rest.strip_suffix("# EOF\n").expect("the end");
    }
    assert!(rest.is_empty() || rest.ends_with('\n'), "a line without an end");
    let mut families: Vec<(String, Family)> = vec![];
    let mut lines = rest.split_terminator('\n').peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").expect("HELP").split_once(' ').unwrap();
        let line = lines.next().expect("TYPE after HELP");
        let (second, kind) = line.strip_prefix("# TYPE ").expect("TYPE").split_once(' ').unwrap();
        assert_eq!(name, second);
        assert_name(name);
        let quotes = format == Format::OpenMetrics;
        let mut family =
            Family { help: unescape(help, quotes), kind: kind.to_owned(), samples: vec![] };
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            family.samples.push(sample(line));
        }
        let base = match (kind, format) {
            ("counter", Format::Prometheus) => name.strip_suffix("_total").expect("a counter"),
            _ => name,
        };
        check(base, &family);
        families.push((base.to_owned(), family));
    }
    let names: BTreeSet<&String> = families.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), families.len(), "a metric comes twice");
    let is_own = |(name, family): &(String, Family)| {
        name.starts_with("monitor_") && family.samples.is_empty()
    };
    families.into_iter().filter(|family| !is_own(family)).collect()
}

fn assert_name(name: &str) {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    assert!(name.bytes().next().is_some_and(is_start), "{name:?}");
    assert!(name.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit()), "{name:?}");
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(end);
    assert_name(name);
    let mut labels: Vec<(String, String)> = vec![];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"").expect("a label");
            assert_name(label);
            assert!(!label.contains(':'));
            let mut escaped = false;
            let end = value.find(|character| {
                let is_end = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                is_end
            });
            let (value, tail) = value.split_at(end.expect("a closing quote"));
            assert!(labels.iter().all(|(before, _)| before != label), "{label} twice");
            labels.push((label.to_owned(), unescape(value, true)));
            match tail.as_bytes()[1] {
                b',' => rest = &tail[2..],
                b'}' => {
                    rest = &tail[2..];
                    break;
                }
                other => panic!("{:?} after a label", other as char),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one space").to_owned();
    number(&value);
    Sample { name: name.to_owned(), labels, value }
}

fn unescape(text: &str, quotes: bool) -> String {
    let mut unescaped = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        unescaped.push(match character {
            '\\' => match characters.next().expect("an escape") {
                '\\' => '\\',
                'n' => '\n',
                '"' if quotes => '"',
                other => panic!("the escape {other:?}"),
            },
            '"' if quotes => panic!("a quote without an escape"),
            other => other,
        });
    }
    unescaped
}

/// Checks the names of the samples, that none comes twice, and that histograms agree with
/// themselves.
fn check(name: &str, family: &Family) {
    let suffixes: &[&str] = match family.kind.as_str() {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        other => panic!("the kind {other}"),
    };
    let mut seen = BTreeSet::new();
    let mut histograms: BTreeMap<Vec<(String, String)>, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        let suffix = sample.name.strip_prefix(name).unwrap();
        assert!(suffixes.contains(&suffix), "{}", sample.name);
        let mut labels = sample.labels.clone();
        labels.sort();
        assert!(seen.insert((&sample.name, labels.clone())), "{sample:?} comes twice");
        assert_eq!(sample.label("le").is_some(), suffix == "_bucket");
        if family.kind == "counter" {
            assert!(sample.number() >= 0.0, "{sample:?}");
        }
        if family.kind == "histogram" {
            labels.retain(|(label, _)| label != "le");
            histograms.entry(labels).or_default().push(sample);
        }
    }
    for samples in histograms.values() {
        let (buckets, others): (Vec<&Sample>, Vec<&Sample>) =
            samples.iter().partition(|sample| sample.name.ends_with("_bucket"));
        let bounds: Vec<f64> =
            buckets.iter().map(|bucket| number(bucket.label("le").unwrap())).collect();
        assert!(bounds.windows(2).all(|two| two[0] < two[1]), "{bounds:?}");
        assert_eq!(bounds.last(), Some(&f64::INFINITY));
        let counts: Vec<u64> =
            buckets.iter().map(|bucket| bucket.value.parse().expect("a count")).collect();
        assert!(counts.windows(2).all(|two| two[0] <= two[1]), "not cumulative: {counts:?}");
        let [count, _sum] = others[..] else { panic!("{others:?}") };
        assert_eq!(count.value, counts.last().unwrap().to_string(), "_count is not +Inf");
    }
}
