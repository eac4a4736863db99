//! Both text formats, read back by a strict parser.

use super::parser::{self, number};
use super::scrape;
use perf_proved::measuring::monitor::{Buckets, Format, Kind, Registry, Value};
use proptest::prelude::*;

const BOTH: [Format; 2] = [Format::Prometheus, Format::OpenMetrics];

fn text(registry: &Registry, format: Format) -> String {
    let mut text = vec![];
    registry.render(format, &mut text);
    String::from_utf8(text).unwrap()
}

fn small() -> Registry {
    let registry = Registry::new();
    let jobs = registry.counter("jobs_total", "Jobs \"done\"\nof \\ all.", &["kind"]).unwrap();
    jobs.with(&["a"]).add(3);
    registry.gauge("depth", "Depth.", &[]).unwrap().with(&[]).set(2.5);
    let seconds = Buckets::new(&[0.00001, 0.5, 1.0, 1e6]).unwrap();
    registry.histogram("seconds", "", &["a"], seconds).unwrap().with(&["b"]).observe(0.75);
    registry
}

#[test]
fn the_text_of_prometheus_is_this() {
    let expected = r##"# HELP jobs_total Jobs "done"\nof \\ all.
# TYPE jobs_total counter
jobs_total{kind="a"} 3
# HELP depth Depth.
# TYPE depth gauge
depth 2.5
# HELP seconds 
# TYPE seconds histogram
seconds_bucket{a="b",le="1e-05"} 0
seconds_bucket{a="b",le="0.5"} 0
seconds_bucket{a="b",le="1.0"} 1
seconds_bucket{a="b",le="1e+06"} 1
seconds_bucket{a="b",le="+Inf"} 1
seconds_count{a="b"} 1
seconds_sum{a="b"} 0.75
"##;
    let text = text(&small(), Format::Prometheus);
    assert_eq!(text.split("# HELP monitor").next(), Some(expected));
}

#[test]
fn open_metrics_differs_in_the_names_of_counters_in_quotes_and_in_the_end() {
    let prometheus = text(&small(), Format::Prometheus);
    let expected = prometheus
        .replace("HELP jobs_total Jobs \"done\"", "HELP jobs Jobs \\\"done\\\"")
        .replace("TYPE jobs_total", "TYPE jobs");
    let expected = ["overflows", "clamped", "panics"].iter().fold(expected, |text, name| {
        let (from, to) = (format!(" monitor_{name}_total "), format!(" monitor_{name} "));
        text.replace(&from, &to)
    });
    assert_eq!(text(&small(), Format::OpenMetrics), expected + "# EOF\n");
}

#[test]
fn rendering_appends() {
    let mut text = b"before ".to_vec();
    Registry::disabled().render(Format::OpenMetrics, &mut text);
    assert!(text.starts_with(b"before # HELP monitor_") && text.ends_with(b"\n# EOF\n"));
}

/// Of a gauge, a counter's text and a reading, the numbers as they are written.
#[test]
fn numbers_are_written_as_both_formats_have_them() {
    for (value, expected) in [
        (Value::Integer(u64::MAX), "18446744073709551615"),
        (Value::Integer((1 << 53) + 1), "9007199254740993"),
        (Value::Integer(0), "0"),
        (Value::Float(f64::NAN), "NaN"),
        (Value::Float(-f64::NAN), "NaN"),
        (Value::Float(f64::INFINITY), "+Inf"),
        (Value::Float(f64::NEG_INFINITY), "-Inf"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(-3.0), "-3.0"),
        (Value::Float(12.0), "12"),
        (Value::Float(-0.0), "-0.0"),
        (Value::Float(5e-324), "5e-324"),
        (Value::Float(1e22), "1e22"),
    ] {
        let registry = Registry::new();
        registry.read(Kind::Gauge, "a", "", &[], move |to| to.set(&[], value)).unwrap();
        for format in BOTH {
            assert_eq!(scrape(&registry, format)["a"].samples[0].value, expected, "{value:?}");
        }
    }
    let registry = Registry::new();
    registry.counter("a", "", &[]).unwrap().with(&[]).add(u64::MAX);
    assert_eq!(scrape(&registry, Format::Prometheus)["a"].samples[0].value, u64::MAX.to_string());
}

/// Label values with each character that a format treats specially, and many that it does not.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just("\\n".to_owned()),
        Just("\",b=\"".to_owned()),
        Just("\"} 1\n# EOF\n".to_owned()),
        Just("\r\t\0{}=, #".to_owned()),
        Just("\u{2028}é🦀".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn label_values_and_help_read_back_as_they_were(
        values in proptest::collection::vec((hostile(), hostile()), 1..5),
        help in hostile(),
    ) {
        let registry = Registry::new();
        let counter = registry.counter("a", &help, &["x", "y"]).unwrap();
        let buckets = Buckets::new(&[1.0]).unwrap();
        let histogram = registry.histogram("h", &help, &["x", "y"], buckets).unwrap();
        for (x, y) in &values {
            counter.with(&[x, y]).increment();
            histogram.with(&[x, y]).observe(0.5);
        }
        let mut distinct: Vec<&(String, String)> = vec![];
        for pair in &values {
            if !distinct.contains(&pair) {
                distinct.push(pair);
            }
        }
        for format in BOTH {
            let scrape = scrape(&registry, format);
            prop_assert_eq!(&scrape["a"].help, &help);
            prop_assert_eq!(scrape["h"].samples.len(), 4 * distinct.len());
            let samples = &scrape["a"].samples;
            prop_assert_eq!(samples.len(), distinct.len());
            for (sample, (x, y)) in samples.iter().zip(&distinct) {
                let count = values.iter().filter(|(a, b)| a == x && b == y).count();
                prop_assert_eq!(sample.label("x"), Some(x.as_str()));
                prop_assert_eq!(sample.label("y"), Some(y.as_str()));
                prop_assert_eq!(&sample.value, &count.to_string());
            }
        }
        let snapshot = registry.snapshot();
        for (x, y) in distinct {
            prop_assert!(snapshot.number("a", &[x, y]).is_some());
        }
    }

    #[test]
    fn numbers_read_back_as_the_same(bits in any::<u64>(), integer in any::<i32>()) {
        for value in [f64::from_bits(bits), f64::from(integer), f64::from(integer) / 8.0] {
            let registry = Registry::new();
            registry.gauge("a", "", &[]).unwrap().with(&[]).set(value);
            let read = scrape(&registry, Format::OpenMetrics)["a"].samples[0].number();
            prop_assert!(read.to_bits() == value.to_bits() || read.is_nan() && value.is_nan());
        }
    }

    /// OpenMetrics has one text for a bound: shortest, with a point or an exponent of two digits.
    #[test]
    fn bounds_are_written_in_one_way(digits in 1_u32..100_000, power in -30_i32..30) {
        let bound = f64::from(digits) * 10_f64.powi(power);
        let registry = Registry::new();
        registry
            .histogram("a", "", &[], Buckets::new(&[bound]).unwrap())
            .unwrap()
            .with(&[])
            .observe(1.0);
        let text = scrape(&registry, Format::OpenMetrics);
        let le = text["a"].samples[0].label("le").unwrap().to_owned();
        prop_assert_eq!(number(&le), bound);
        let has_exponent = !(1e-4..1e6).contains(&bound);
        prop_assert_eq!(le.contains('e'), has_exponent, "{}", le);
        prop_assert!(le.contains('.') || has_exponent, "{}", le);
        if has_exponent {
            let (_, exponent) = le.split_once('e').unwrap();
            prop_assert!(exponent.starts_with(['-', '+']) && exponent.len() >= 3, "{}", le);
        }
    }
}

/// The parser that these tests trust refuses what the formats do not allow.
#[test]
fn the_parser_is_strict() {
    let about = "# HELP a \n# TYPE a gauge\n";
    let refused = |text: String, format| {
        std::panic::catch_unwind(|| drop(parser::parse(&text, format))).is_err()
    };
    assert!(!refused(format!("{about}a{{x=\"y\"}} 1\n"), Format::Prometheus));
    assert!(!refused(format!("{about}a 1\n# EOF\n"), Format::OpenMetrics));
    for samples in [
        "a{x=\"y\"z\"} 1\n",
        "a{x=\"\\q\"} 1\n",
        "a{x=\"1\",x=\"2\"} 1\n",
        "a{x=\"1\"} 1\na{x=\"1\"} 2\n",
        "a inf\n",
        "b 1\n",
        "a  1\n",
        "a 1",
    ] {
        assert!(refused(format!("{about}{samples}"), Format::Prometheus), "{samples}");
    }
    assert!(refused(format!("{about}a 1\n"), Format::OpenMetrics), "no end");
    let histogram = "# HELP a \n# TYPE a histogram\na_bucket{le=\"1.0\"} 3\n";
    for rest in [
        "a_bucket{le=\"+Inf\"} 2\na_count 2\na_sum 1\n",
        "a_bucket{le=\"+Inf\"} 4\na_count 3\na_sum 1\n",
        "a_count 3\na_sum 1\n",
    ] {
        assert!(refused(format!("{histogram}{rest}"), Format::Prometheus), "{rest}");
    }
}
