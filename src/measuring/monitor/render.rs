//! The text formats: Prometheus 0.0.4 and OpenMetrics 1.0.
//!
//! Both escape a label value in the same way, so that the text of a series is made once, when it is
//! created. They differ in the name that the lines about a counter give it, in the escapes of a
//! help text, and in the end.

use super::name::Kind;
use super::snapshot::Value;
use std::fmt::Write as _;
use std::io::Write as _;

/// A text format for scrapers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The [text format of Prometheus](https://prometheus.io/docs/instrumenting/exposition_formats/),
    /// version 0.0.4.
    Prometheus,
    /// [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/), version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the content type. Prometheus 3 refuses a scrape without one.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Appends the lines about a metric.
pub(super) fn header(out: &mut Vec<u8>, format: Format, kind: Kind, name: &str, text: &str) {
    let suffix = match (kind, format) {
        (Kind::Counter, Format::Prometheus) => "_total",
        _ => "",
    };
    let mut help = String::with_capacity(text.len());
    escape(&mut help, text, format == Format::OpenMetrics);
    let kind = kind.name();
    let lines = format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
    out.extend_from_slice(lines.as_bytes());
}

/// Appends the end of a text.
pub(super) fn end(out: &mut Vec<u8>, format: Format) {
    if format == Format::OpenMetrics {
        out.extend_from_slice(b"# EOF\n");
    }
}

/// Returns the labels as both formats have them, without braces: `path="/",code="200"`.
pub(super) fn labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape(&mut text, value, true);
        text.push('"');
    }
    text
}

// ANCHOR: escape
/// Appends `value` with the escapes of both formats. A help text of Prometheus keeps its quotes.
fn escape(text: &mut String, value: &str, quotes: bool) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            other => text.push(other),
        }
    }
}
// ANCHOR_END: escape

/// Appends one sample, whose `text` is all that stands before the value.
pub(super) fn sample(out: &mut Vec<u8>, text: &str, value: Value) {
    out.extend_from_slice(text.as_bytes());
    match value {
        Value::Integer(number) => integer(out, number),
        Value::Float(number) => float(out, number),
    }
    out.push(b'\n');
}

/// Appends the samples of a histogram with these labels. The last of the `counts` is that of all
/// observations.
pub(super) fn histogram(
    out: &mut Vec<u8>,
    name: &str,
    labels: &str,
    bounds: &[String],
    counts: &[u64],
    sum: f64,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, count) in bounds.iter().zip(counts) {
        for part in [name, "_bucket{", labels, comma, "le=\"", bound, "\"} "] {
            out.extend_from_slice(part.as_bytes());
        }
        integer(out, *count);
        out.push(b'\n');
    }
    let [open, close] = if labels.is_empty() { ["", ""] } else { ["{", "}"] };
    let mut line = |suffix: &str, value: Value| {
        for part in [name, suffix, open, labels, close] {
            out.extend_from_slice(part.as_bytes());
        }
        sample(out, " ", value);
    };
    line("_count", Value::Integer(counts.last().copied().unwrap_or_default()));
    line("_sum", Value::Float(sum));
}

/// Appends an integer.
fn integer(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

/// Appends a number such that it reads back as the same.
fn float(out: &mut Vec<u8>, number: f64) {
    // Up to there, every integer is a number of its own. -0.0 is not 0.
    let whole = number as u64;
    if whole < 1 << 53 && whole as f64 == number && number.is_sign_positive() {
        return integer(out, whole);
    }
    // Writing to a vector cannot fail.
    let _ = match number {
        f64::INFINITY => out.write_all(b"+Inf"),
        f64::NEG_INFINITY => out.write_all(b"-Inf"),
        number if number.is_nan() => out.write_all(b"NaN"),
        number => write!(out, "{number:?}"),
    };
}

/// Returns a bound as OpenMetrics wants it in the label `le`: with a point or an exponent, and an
/// exponent of two digits below 0.0001 and from a million on.
pub(super) fn canonical(number: f64) -> String {
    if number == f64::INFINITY {
        return "+Inf".to_owned();
    }
    let text = format!("{number:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.parse::<i32>() {
        Ok(-4..6) | Err(_) => format!("{number:?}"),
        Ok(exponent) => {
            let mut text = digits.to_owned();
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(text, "e{sign}{:02}", exponent.unsigned_abs()); // cannot fail
            text
        }
    }
}
