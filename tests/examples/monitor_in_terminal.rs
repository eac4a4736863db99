//! Watches code of an earlier chapter at work, in a terminal: a line for each series, with its
//! latest number and its last minute.
//!
//!     cargo run --release --package perf-proved-tests --no-default-features \
//!         --example monitor_in_terminal -- [worker_pool | ring_buffer | event_loop | batching]

use perf_proved::measuring::monitor::experiment::watched;
use perf_proved::measuring::monitor::{Kind, Reading, Registry, Snapshot, Value, process};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Sparkline;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{cmp, env};

/// The time between two readings.
const INTERVAL: Duration = Duration::from_millis(500);

/// The number of readings that are drawn.
const KEPT: usize = 120;

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_else(|| "worker_pool".to_owned());
    if !watched::NAMES.contains(&name.as_str()) {
        println!("Usage: monitor_in_terminal [{}]", watched::NAMES.join(" | "));
        return ExitCode::from(2);
    }
    if !io::stdout().is_terminal() {
        println!("This example draws in a terminal, and standard output is none.");
        return ExitCode::SUCCESS;
    }
    match watch(&name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("monitor_in_terminal: {error}");
            ExitCode::FAILURE
        }
    }
}

fn watch(name: &str) -> io::Result<()> {
    let registry = Registry::new();
    let _watched = watched::start(name, &registry)?;
    process::register(&registry).map_err(io::Error::other)?;
    let mut history = History::default();
    let mut terminal = ratatui::try_init()?;
    let result = loop {
        history.record(&registry.snapshot(), Instant::now());
        if let Err(error) = terminal.draw(|frame| draw(frame, name, &history)) {
            break Err(error);
        }
        match is_end(Instant::now() + INTERVAL) {
            Ok(false) => {}
            Ok(true) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    ratatui::try_restore()?;
    result
}

/// Waits until `deadline`, and returns `true` as soon as a key says that it is enough.
fn is_end(deadline: Instant) -> io::Result<bool> {
    while event::poll(deadline.saturating_duration_since(Instant::now()))? {
        if let Event::Key(key) = event::read()? {
            let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(true),
                KeyCode::Char('c') if is_interrupt => return Ok(true),
                _ => {}
            }
        }
    }
    Ok(false)
}

/// The latest readings of all series.
#[derive(Default)]
struct History {
    rows: Vec<Row>,
    /// The counts of the reading before, and its time.
    before: Option<(Instant, BTreeMap<String, Vec<u64>>)>,
}

struct Row {
    series: String,
    unit: &'static str,
    numbers: VecDeque<f64>,
}

impl History {
    /// Adds a reading: of counters and histograms the rate since the one before, of gauges the
    /// number.
    fn record(&mut self, snapshot: &Snapshot, now: Instant) {
        let mut counts = BTreeMap::new();
        let before = self.before.take();
        let seconds = before.as_ref().map(|(time, _)| (now - *time).as_secs_f64());
        let earlier = |series: &str| before.as_ref().and_then(|(_, counts)| counts.get(series));
        for family in &snapshot.families {
            for series in &family.series {
                let values: Vec<&str> =
                    series.labels.iter().map(|(_, value)| value.as_str()).collect();
                let name = [&[family.name.as_str()], &values[..]].concat().join(" ");
                let count = match &series.reading {
                    Reading::Number(Value::Integer(count)) if family.kind == Kind::Counter => {
                        vec![*count]
                    }
                    Reading::Histogram { buckets, .. } => buckets.iter().map(|(_, n)| *n).collect(),
                    Reading::Number(Value::Float(number)) => {
                        self.push(&name, "", *number);
                        continue;
                    }
                    Reading::Number(Value::Integer(number)) => {
                        self.push(&name, "", *number as f64);
                        continue;
                    }
                };
                if let Some(seconds) = seconds {
                    let last = |counts: &Vec<u64>| counts.last().copied().unwrap_or(0);
                    let grown = last(&count).saturating_sub(earlier(&name).map_or(0, last));
                    self.push(&name, "/s", grown as f64 / seconds);
                }
                if let (Reading::Histogram { buckets, .. }, Some(before)) =
                    (&series.reading, earlier(&name))
                {
                    let bounds: Vec<f64> = buckets.iter().map(|(bound, _)| *bound).collect();
                    let p99 = quantile(&bounds, before, &count, 0.99);
                    self.push(&format!("{name} p99"), "", p99);
                }
                counts.insert(name, count);
            }
        }
        self.before = Some((now, counts));
    }

    fn push(&mut self, series: &str, unit: &'static str, number: f64) {
        let at = self.rows.iter().position(|row| row.series == series).unwrap_or_else(|| {
            self.rows.push(Row { series: series.to_owned(), unit, numbers: VecDeque::new() });
            self.rows.len() - 1
        });
        let numbers = &mut self.rows[at].numbers;
        numbers.push_back(number);
        while numbers.len() > KEPT {
            numbers.pop_front();
        }
    }
}

/// Returns the bound below which the share of the observations between two readings lies; 0 if
/// there were none, and the largest bound if it lies above all of them.
fn quantile(bounds: &[f64], before: &[u64], now: &[u64], share: f64) -> f64 {
    let grown: Vec<u64> = now.iter().zip(before).map(|(now, before)| now - before).collect();
    let all = grown.last().copied().unwrap_or(0);
    if all == 0 {
        return 0.0;
    }
    let rank = (all as f64 * share).ceil() as u64;
    let at = grown.iter().position(|count| *count >= rank).unwrap_or(0);
    bounds[at.min(bounds.len().saturating_sub(2))]
}

/// Draws a line for each series, as far as there is room.
fn draw(frame: &mut Frame<'_>, name: &str, history: &History) {
    let title = format!("{name} at work. q ends it.");
    let [top, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(frame.area());
    frame.render_widget(Line::styled(title, Style::new().add_modifier(Modifier::BOLD)), top);
    let widest = history.rows.iter().map(|row| row.series.chars().count()).max().unwrap_or(0);
    let width = cmp::min(widest as u16, body.width / 2);
    for (row, area) in history.rows.iter().zip(body.rows()) {
        let columns = [Constraint::Length(width), Constraint::Length(12), Constraint::Min(0)];
        let [series, number, line] = Layout::horizontal(columns).spacing(1).areas(area);
        let latest = row.numbers.back().copied().unwrap_or(0.0);
        frame.render_widget(row.series.as_str(), series);
        frame.render_widget(Line::from(short(latest) + row.unit).right_aligned(), number);
        // In thousandths of the highest, since the bars are whole numbers.
        let highest = row.numbers.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let room = usize::from(line.width);
        let drawn = row.numbers.iter().skip(row.numbers.len().saturating_sub(room));
        let bars: Vec<u64> = drawn.map(|number| (number / highest * 1000.0) as u64).collect();
        frame.render_widget(Sparkline::default().data(&bars).max(1000), line);
    }
}

/// Formats a number with at most four digits.
fn short(number: f64) -> String {
    const STEPS: [(f64, &str); 6] =
        [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ")];
    let step = STEPS.into_iter().find(|(size, _)| number.abs() >= *size);
    match step {
        Some((size, unit)) => format!("{:.1}{unit}", number / size),
        None => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{History, draw, quantile, short};
    use perf_proved::measuring::monitor::{Buckets, Registry};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::time::{Duration, Instant};

    /// Three readings, a second apart: a counter that grows by 1,500, a gauge, and a histogram.
    fn history() -> History {
        let registry = Registry::new();
        let counter = registry.counter("jobs", "", &["is"]).unwrap().with(&["done"]);
        let gauge = registry.gauge("queued", "", &[]).unwrap().with(&[]);
        let buckets = Buckets::new(&[0.001, 0.01]).unwrap();
        let histogram = registry.histogram("seconds", "", &[], buckets).unwrap().with(&[]);
        let (start, mut history) = (Instant::now(), History::default());
        for second in 0..3_u8 {
            history.record(&registry.snapshot(), start + Duration::from_secs(second.into()));
            counter.add(1500);
            gauge.set(f64::from(second) + 1.0);
            (0..99).for_each(|_| histogram.observe(0.0005));
            histogram.observe(0.005);
        }
        history
    }

    fn drawn(width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, "jobs", &history())).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn each_series_has_its_line_with_its_latest_number() {
        let text = drawn(60, 8);
        let lines: Vec<&str> = text.lines().map(|line| line.trim_matches('"').trim_end()).collect();
        assert_eq!(lines[0], "jobs at work. q ends it.");
        let starts = |start: &str| lines.iter().any(|line| line.starts_with(start));
        assert!(starts("queued               2.0  ▄█"), "{text}"); // after a 0
        assert!(starts("jobs done         1.5k/s ██"), "{text}");
        assert!(starts("seconds          100.0/s ██"), "{text}");
        assert!(starts("seconds p99         1.0m ██"), "{text}");
    }

    #[test]
    fn a_terminal_without_room_is_no_error() {
        for (width, height) in [(1, 1), (10, 2), (20, 40), (200, 1)] {
            drawn(width, height);
        }
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let bounds = [1.0, 2.0, f64::INFINITY];
        assert_eq!(quantile(&bounds, &[0, 0, 0], &[98, 99, 100], 0.99), 2.0);
        assert_eq!(quantile(&bounds, &[5, 5, 5], &[5, 5, 5], 0.99), 0.0, "no observation");
        assert_eq!(quantile(&bounds, &[0, 0, 0], &[0, 0, 1], 0.99), 2.0, "above all bounds");
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [(0.0, "0"), (1500.0, "1.5k"), (0.0021, "2.1m"), (-7.0, "-7.0")] {
            assert_eq!(short(number), text);
        }
    }
}
