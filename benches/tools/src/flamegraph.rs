//! Samples an example of the book, and draws where its time went.
//!
//! `perf` takes the samples, `inferno` folds them. The drawing is ours: its colors are those of the
//! page, it needs no script, and a screen reader gets its main numbers as a sentence.

use crate::{Outcome, about, root, run, write};
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Samples a second and core. A prime number, so that work at regular times is not always missed.
const HERTZ: u64 = 997;

/// The kernel's functions that let interrupts in again: the timer that fires before has to wait for
/// them.
const UNMASKING: [&str; 4] =
    ["_raw_spin_unlock_irq", "finish_task_switch", "_raw_spin_unlock_bh", "__local_bh_enable_ip"];

/// The width of the drawing, the height of a row, and the least width of a frame that is drawn.
const WIDTH: f64 = 760.0;
const ROW: f64 = 18.0;
const LEAST: f64 = 4.0;

/// Samples `example`, draws the graph to `book/src/measuring/flamegraph.svg`, and writes the
/// numbers of the samples.
///
/// # Errors
///
/// If the example or `perf` fails, or `perf` may take no samples.
pub fn flamegraph(machine: &str, example: &str) -> Outcome<()> {
    let target = root().join("target/flamegraph");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--release", "--example", example, "--target-dir"])
        .arg(&target);
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "1");
    run(cargo.current_dir(root()))?;
    let program = target.join("release/examples").join(example);
    let start = Instant::now();
    run(&mut Command::new(&program))?;
    let wall = start.elapsed();

    let folder = tempfile::tempdir()?;
    let data = folder.path().join("perf.data");
    let mut perf = Command::new("perf");
    // The software clock, since most virtual machines have no counters; and whole stacks, since the
    // C library keeps no frame pointers.
    perf.args(["record", "--quiet", "--event", "cpu-clock", "--call-graph", "dwarf,8192"]);
    perf.args(["--freq", &HERTZ.to_string(), "--output"]).arg(&data).arg(&program);
    run(&mut perf)?;
    let tree = Frame::of(&folded(&data, "--no-inline")?);
    let inlined = Frame::of(&folded(&data, "--inline")?);

    let path = root().join("book/src/measuring/flamegraph.svg");
    fs::write(&path, svg(example, &tree))?;
    let row = json!({
        "example": example,
        "hertz": HERTZ,
        "milliseconds": wall.as_millis() as u64,
        "samples": tree.samples,
        "functions": inlined.names().len(),
        "without_inlined": tree.names().len(),
        "unmasking": tree.own_of(&UNMASKING),
    });
    eprintln!("{}: {row}", path.display());
    write(machine, "profile.json", &about()?, &[row])
}

/// Returns the stacks of the samples, one a line: its frames, and how often it was seen.
fn folded(data: &Path, inline: &str) -> Outcome<String> {
    let mut perf = Command::new("perf");
    // Without the weights of the samples, which inferno would add up in their place.
    perf.args(["script", inline, "--fields", "comm,pid,tid,time,event,ip,sym,dso", "--input"]);
    let script = run(perf.arg(data))?;
    let mut options = Options::default();
    options.annotate_kernel = true;
    let mut folded = vec![];
    Folder::from(options).collapse(script.as_bytes(), &mut folded)?;
    Ok(String::from_utf8(folded)?)
}

/// A function that was seen on the stack, below the one that called it.
#[derive(Debug, Default)]
struct Frame {
    samples: u64,
    /// Those in which it was the last.
    own: u64,
    calls: BTreeMap<String, Frame>,
}

impl Frame {
    /// Merges folded stacks.
    fn of(folded: &str) -> Self {
        let mut root = Self::default();
        for line in folded.lines() {
            let Some((stack, samples)) = line.rsplit_once(' ') else { continue };
            let samples: u64 = samples.parse().unwrap_or_default();
            root.samples += samples;
            let mut frame = &mut root;
            for name in stack.split(';') {
                frame = frame.calls.entry(name.to_owned()).or_default();
                frame.samples += samples;
            }
            frame.own += samples;
        }
        root
    }

    /// Calls `each` with the depth, the first sample, the name and each frame.
    fn walk<'a>(
        &'a self,
        depth: usize,
        from: u64,
        each: &mut impl FnMut(usize, u64, &'a str, &'a Self),
    ) {
        let mut from = from;
        for (name, frame) in &self.calls {
            each(depth, from, name, frame);
            frame.walk(depth + 1, from, each);
            from += frame.samples;
        }
    }

    /// Returns the names of all functions.
    fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.walk(0, 0, &mut |_, _, name, _| _ = names.insert(bare(name)));
        names
    }

    /// Returns the samples in which a function whose name starts with one of `names` was the last.
    fn own_of(&self, names: &[&str]) -> u64 {
        let mut own = 0;
        self.walk(0, 0, &mut |_, _, name, frame| {
            if names.iter().any(|start| name.starts_with(start)) {
                own += frame.own;
            }
        });
        own
    }

    /// Returns all functions, those with the most samples of their own first.
    fn hottest(&self) -> Vec<(&str, u64)> {
        let mut own: BTreeMap<&str, u64> = BTreeMap::new();
        self.walk(0, 0, &mut |_, _, name, frame| *own.entry(bare(name)).or_default() += frame.own);
        let mut own: Vec<_> = own.into_iter().collect();
        own.sort_by_key(|(_, own)| std::cmp::Reverse(*own));
        own
    }
}

/// Returns a name without the marks of inferno: `_[k]` for the kernel, `_[i]` for what is inlined.
fn bare(name: &str) -> &str {
    name.trim_end_matches("_[k]").trim_end_matches("_[i]")
}

/// Returns the last two parts of a path, without the parameters of types.
fn short(name: &str) -> String {
    let (mut depth, mut plain) = (0, String::new());
    for letter in bare(name).chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts: Vec<&str> = plain.split("::").filter(|part| !part.is_empty()).collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// Draws the graph: a row for each depth, the callers below, each frame as wide as its samples.
fn svg(example: &str, tree: &Frame) -> String {
    let scale = WIDTH / tree.samples.max(1) as f64;
    let mut rows: Vec<String> = vec![];
    tree.walk(0, 0, &mut |depth, from, name, frame| {
        let (x, width) = (from as f64 * scale, frame.samples as f64 * scale);
        if width < LEAST {
            return;
        }
        if rows.len() <= depth {
            rows.resize(depth + 1, String::new());
        }
        let class = match name {
            _ if name.ends_with("_[k]") => "kernel",
            _ if name.ends_with("_[i]") => "inlined",
            _ => "user",
        };
        let title = escaped(&format!("{}, {} samples", bare(name), frame.samples));
        let row = &mut rows[depth];
        // A string takes whatever is written.
        let _ = write!(
            row,
            r#"<rect class="{class}" x="{x:.1}" y="Y" width="{:.1}" height="{}"><title>{title}</title></rect>"#,
            width - 0.5,
            ROW - 1.0
        );
        let letters = ((width - 6.0) / 6.7) as usize;
        if letters >= 4 {
            let label: String = short(name).chars().take(letters).collect();
            let _ = write!(row, r#"<text x="{:.1}" y="T">{}</text>"#, x + 3.0, escaped(&label));
        }
    });
    let height = ROW * rows.len() as f64;
    let rows = rows.iter().enumerate().map(|(depth, row)| {
        let y = height - ROW * (depth + 1) as f64;
        row.replace("y=\"Y\"", &format!("y=\"{y}\""))
            .replace("y=\"T\"", &format!("y=\"{}\"", y + 13.0))
    });
    let rows: Vec<String> = rows.collect();
    let hottest = tree.hottest();
    let hottest: Vec<String> = hottest.iter().take(5).map(|(name, _)| short(name)).collect();
    let label = escaped(&format!(
        "Flame graph of the example {example}, of {} samples. The functions with the most samples of their own: {}.",
        tree.samples,
        hottest.join("; ")
    ));
    format!(
        "<!-- cargo run --release --package perf-proved-tools -- flamegraph ANCHOR: graph -->\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\" font-size=\"11\" font-family=\"monospace\">\n\
         <style>.user{{fill:var(--series-0,#0a5ea8)}}.inlined{{fill:var(--series-2,#006b4e)}}.kernel{{fill:var(--series-1,#b23c00)}}.flamegraph rect{{fill-opacity:.3}}.flamegraph text{{fill:currentColor;pointer-events:none}}</style>\n\
         <g class=\"flamegraph\">{}</g></svg>\n<!-- ANCHOR_END: graph -->\n",
        rows.join("")
    )
}

/// Escapes what HTML reads as markup, and the braces of the book's references.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('{', "&#123;").replace('}', "&#125;");
    text.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDED: &str = "main;a::b<c>::d 30\nmain;a::b<c>::d;copy_[k] 10\nmain;e_[i] 60\n";

    #[test]
    fn stacks_are_merged() {
        let tree = Frame::of(FOLDED);
        assert_eq!(
            (tree.samples, tree.calls["main"].samples, tree.calls["main"].own),
            (100, 100, 0)
        );
        assert_eq!(tree.hottest()[..2], [("e", 60), ("a::b<c>::d", 30)]);
        assert_eq!(tree.names().len(), 4);
        assert_eq!(tree.own_of(&["cop", "main"]), 10);
    }

    #[test]
    fn frames_are_as_wide_as_their_samples() {
        let drawn = svg("it", &Frame::of(FOLDED));
        assert!(drawn.contains(r#"class="inlined" x="304.0" y="18" width="455.5""#), "{drawn}");
        assert!(drawn.contains("<title>a::b&lt;c&gt;::d, 40 samples</title>"), "{drawn}");
        assert!(drawn.contains("e; b::d; copy"), "{drawn}");
        assert!(!drawn.contains("\n\n") && !drawn.contains("<script"), "{drawn}");
    }

    #[test]
    fn a_short_name_has_no_parameters() {
        assert_eq!(short("<alloc::vec::Vec<u8> as core::clone::Clone>::clone"), "clone");
        assert_eq!(short("perf_proved::io::Log<S>::append_[i]"), "Log::append");
        assert_eq!(short("__x64_sys_write_[k]"), "__x64_sys_write");
    }
}
