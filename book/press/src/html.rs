//! Claims, figures and references as HTML.
//!
//! Everything here is one HTML block without blank lines, which is what Markdown passes through
//! untouched.

use crate::book::{Book, Judged};
use crate::chart::{Chart, Panel, Point, Series, escape, spaced};
use crate::machine::{Known, Machine};
use crate::model::{
    Estimate, Figure, Inline, Judgement, Proof, Verdict, YAxis, bench_of, group_of,
};
use crate::project::owner;
use crate::stats;
use crate::units::{self, Quantity};
use std::fmt::Write;
use std::path::Path;

/// The page of all claims, from the book's root, without its extension.
pub const CLAIMS: &str = "claims";

/// A claim's card: sentence, proof, verdicts, command.
#[must_use]
pub fn card(judged: &Judged<'_>, book: &Book) -> String {
    let claim = judged.claim;
    let id = escape(&claim.id);
    let up = up(&judged.page.path);
    let mut out = format!(
        "<article class=\"claim {}\" id=\"claim-{id}\">\n\
         <p class=\"kind\"><a href=\"{up}{CLAIMS}.html\">{}</a> <a class=\"self\" href=\"#claim-{id}\">{id}</a></p>\n\
         <p class=\"says\">{}</p>\n<dl>\n",
        class(&judged.reference.verdict),
        claim.kind(),
        sentence(&claim.says),
    );
    out += &row("Reference", &judged.reference, &note(judged, &book.reference, &up));
    out += &row("Your machine", &judged.here, &note(judged, &book.here, &up));
    let _ = writeln!(
        out,
        "<div class=\"prove\"><dt>Prove it</dt><dd><code>{}</code></dd></div>\n</dl>\n</article>",
        escape(&claim.command())
    );
    out
}

/// One machine's line on a card.
fn row(machine: &str, judgement: &Judgement, note: &str) -> String {
    let mut out = format!("<div><dt>{machine}</dt><dd>{}", verdict(&judgement.verdict));
    match (&judgement.verdict, &judgement.value) {
        // These say it all.
        (Verdict::NotPossible(_) | Verdict::NotMeasured, _) => {}
        (_, None) => {
            if !judgement.found.is_empty() {
                let _ = write!(out, " <span class=\"found\">{}</span>", sentence(&judgement.found));
            }
        }
        (_, Some(value)) => {
            let exact = value.low == value.high;
            if exact {
                let _ = write!(out, " <span class=\"found\">{}</span>", sentence(&judgement.found));
            } else {
                out.push(' ');
                out += &number(*value, Quantity::Ratio);
            }
        }
    }
    if judgement.value.is_some() && !note.is_empty() {
        let _ = write!(out, " <span class=\"note\">{note}</span>");
    }
    out + "</dd></div>\n"
}

/// How a ratio was come by: rounds, what the interval covers, the bench's noise floor. Empty for
/// other proofs.
fn note(judged: &Judged<'_>, machine: &Machine, up: &str) -> String {
    let Proof::Clocked(clocked) = &judged.claim.proof else {
        return String::new();
    };
    let Known::Measured(ratio) = machine.ratio(&clocked.than, &clocked.subject) else {
        return String::new();
    };
    let mut out = rounds(ratio.rounds);
    // A group with a clock of its own has its own noise floor.
    let group = group_of(&clocked.subject);
    let of_bench = || machine.noise(machine.bench_of(group)?).measured();
    let noise = machine.noise(group).measured().or_else(of_bench);
    if let Some(noise) = noise {
        let noise = units::text(noise, Quantity::Ratio);
        let _ = write!(
            out,
            "; noise floor: <a href=\"{up}{}\">the same code against itself gave {}</a>",
            machine_page(&machine.name),
            escape(&noise.value)
        );
    }
    out
}

/// The number of rounds in words, and how far the interval can be trusted when they are few.
fn rounds(n: usize) -> String {
    match n {
        1 => "one round only: the interval covers this run's noise, not the difference to the next"
            .to_owned(),
        2..6 => format!(
            "{n} rounds, whose range covers {:.0}\u{a0}% of cases",
            stats::coverage(n) * 100.0
        ),
        n => format!("{n} rounds"),
    }
}

/// A verdict as a word and a symbol; the colour only repeats them.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    let mut out = format!(
        "<span class=\"verdict {}\">{} {}</span>",
        class(verdict),
        symbol(verdict),
        verdict.words()
    );
    if let Verdict::NotPossible(reason) = verdict {
        let _ = write!(out, ": {}", sentence(reason));
    }
    out
}

/// Beside the word, for the eye only.
fn symbol(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "<span aria-hidden=\"true\">✓</span>",
        Verdict::Fails => "<span aria-hidden=\"true\">✗</span>",
        Verdict::Undecided => "<span aria-hidden=\"true\">≈</span>",
        Verdict::NotMeasured => "<span aria-hidden=\"true\">–</span>",
        Verdict::NotPossible(_) => "<span aria-hidden=\"true\">⊘</span>",
    }
}

fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "fails",
        Verdict::Undecided => "undecided",
        Verdict::NotMeasured => "unmeasured",
        Verdict::NotPossible(_) => "impossible",
    }
}

/// A reference in running prose as its number.
#[must_use]
pub fn inline(reference: &Inline, book: &Book, page: &Path, claims: &[Judged<'_>]) -> String {
    let machine = &book.reference;
    match reference {
        Inline::Measured { id, throughput: false } => known(machine.time(id), Quantity::Time),
        Inline::Measured { id, throughput: true } => match machine.throughput(id) {
            Known::Measured((estimate, quantity)) => number(estimate, quantity),
            Known::NotPossible(why) => impossible(&why),
            Known::NotMeasured => missing(),
        },
        Inline::Counted { example, key } => match machine.count(example, key) {
            Known::Measured(n) => {
                let exact = Estimate { value: n, low: n, high: n, rounds: 1 };
                format!(
                    "<span class=\"measured\">{}</span>",
                    escape(&units::text(exact, Quantity::Count).value)
                )
            }
            Known::NotPossible(why) => impossible(&why),
            Known::NotMeasured => missing(),
        },
        Inline::Ratio { a, b } => known(machine.ratio(a, b), Quantity::Ratio),
        Inline::Percent { a, b } => known(machine.percent(a, b), Quantity::Percent),
        Inline::Noise { bench } => known(machine.noise(bench), Quantity::Ratio),
        Inline::Crossover { group, a, b } => match machine.crossover(group, a, b) {
            Known::Measured(Some(crossover)) => {
                let (from, earliest) =
                    (escape(&spaced(&crossover.from)), escape(&spaced(&crossover.earliest)));
                let interval = if from == earliest {
                    String::new()
                } else {
                    format!(" <small class=\"interval\">({earliest} to {from})</small>")
                };
                format!("<span class=\"measured\">{from}{interval}</span>")
            }
            Known::Measured(None) => {
                "<span class=\"measured\">at no size measured</span>".to_owned()
            }
            Known::NotPossible(why) => impossible(&why),
            Known::NotMeasured => missing(),
        },
        Inline::Claim { id } => claims
            .iter()
            .find(|judged| judged.claim.id == *id)
            .map_or_else(missing, |judged| cell(judged, page)),
        Inline::Quoted { text, url } => format!(
            "<span class=\"quoted\">{} (<a href=\"{}\">{}</a>)</span>",
            escape(text),
            escape(url),
            escape(host(url))
        ),
    }
}

/// A claim in a word: the reference machine's number and verdict, linked to the card; the reader's
/// too, where there is one.
fn cell(judged: &Judged<'_>, page: &Path) -> String {
    let card = format!(
        "{}{}#claim-{}",
        up(page),
        judged.page.path.with_extension("html").to_string_lossy().replace('\\', "/"),
        escape(&judged.claim.id)
    );
    let one = |judgement: &Judgement| {
        let value = judgement.value.filter(|value| value.low < value.high);
        let value = value.map(|value| number(value, Quantity::Ratio) + " ").unwrap_or_default();
        let word = judgement.verdict.words();
        let class = class(&judgement.verdict);
        format!(
            "{value}<a class=\"verdict {class}\" href=\"{card}\">{} {word}</a>",
            symbol(&judgement.verdict)
        )
    };
    let here = match judged.here.verdict {
        Verdict::NotMeasured => String::new(),
        _ => format!(" <span class=\"here\">yours: {}</span>", one(&judged.here)),
    };
    format!("<span class=\"cell\">{}{here}</span>", one(&judged.reference))
}

fn known(estimate: Known<Estimate>, quantity: Quantity) -> String {
    match estimate {
        Known::Measured(estimate) => number(estimate, quantity),
        Known::NotPossible(why) => impossible(&why),
        Known::NotMeasured => missing(),
    }
}

/// A value with its interval beside it, in smaller type: visible to everybody, on every screen.
fn number(estimate: Estimate, quantity: Quantity) -> String {
    let text = units::text(estimate, quantity);
    let mut out = format!("<span class=\"measured\">{}", escape(&text.value));
    if !text.interval.is_empty() {
        let _ = write!(out, " <small class=\"interval\">({})</small>", escape(&text.interval));
    }
    out + "</span>"
}

fn missing() -> String {
    "<span class=\"measured missing\">not measured</span>".to_owned()
}

fn impossible(why: &str) -> String {
    format!(
        "<span class=\"measured missing\">not possible on the reference machine: {}</span>",
        sentence(why)
    )
}

/// Who says it, of a source's address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    host.strip_prefix("www.").unwrap_or(host)
}

/// A sentence with its code spans; everything else in it is text.
#[must_use]
pub fn sentence(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // An odd backtick out is a character, not markup.
    let paired = parts.len() % 2 == 1;
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        match (paired, i % 2) {
            (true, 1) => {
                let _ = write!(out, "<code>{}</code>", escape(part));
            }
            (false, _) if i > 0 => {
                let _ = write!(out, "`{}", escape(part));
            }
            _ => out += &escape(part),
        }
    }
    out
}

/// A figure: title, where its numbers come from, chart and table.
#[must_use]
pub fn figure(figure: &Figure, book: &Book, page: &Path) -> String {
    let title = figure.title.clone().unwrap_or_else(|| figure.group.clone());
    let bench = bench(&figure.group, book);
    let machines: Vec<(&str, &Machine)> =
        [("Reference machine", &book.reference), ("Your machine", &book.here)]
            .into_iter()
            .filter(|(_, machine)| knows(machine, &figure.group))
            .collect();
    let mut out = format!(
        "<figure class=\"measurement\">\n<figcaption><strong>{}</strong>",
        sentence(&title)
    );
    for (name, machine) in &machines {
        if let Some(recording) = machine.recording(&figure.group) {
            let day = recording.date.split('T').next().unwrap_or_default();
            let _ = write!(
                out,
                "\n<span class=\"origin\"><a href=\"{}{}\">{name}</a>: {}, {}</span>",
                up(page),
                machine_page(&machine.name),
                if recording.rounds == 1 {
                    "one round only".to_owned()
                } else {
                    rounds(recording.rounds)
                },
                escape(day)
            );
        }
    }
    if !machines.iter().any(|(name, _)| *name == "Your machine") {
        let _ = write!(
            out,
            "\n<span class=\"origin\">Your machine: not measured (<code>cargo bench --bench {}</code>)</span>",
            escape(&bench)
        );
    }
    out += "</figcaption>\n";
    if machines.is_empty() {
        out += "<p class=\"placeholder\">not measured</p>\n";
    } else {
        out += &chart(figure, &title, &bench, &machines).html();
    }
    out + "</figure>\n"
}

/// Whether a machine has measured anything of a group, or said why it cannot.
fn knows(machine: &Machine, group: &str) -> bool {
    let cannot = |id: &String| group_of(id) == group;
    !machine.group(group).is_empty()
        || machine.recording(group).is_some_and(|r| r.not_possible.keys().any(cannot))
}

fn chart(figure: &Figure, title: &str, bench: &str, machines: &[(&str, &Machine)]) -> Chart {
    let group = figure.group.as_str();
    let names = functions(figure, machines);
    let mut quantity = match figure.y {
        YAxis::Time => Quantity::Time,
        YAxis::Throughput => Quantity::Bytes,
        YAxis::Ratio => Quantity::Ratio,
    };
    let styles = styles(group, bench, machines);
    let mut panels = Vec::new();
    for (machine_name, machine) in machines {
        let mut all = Vec::new();
        for name in &names {
            let mut points = Vec::new();
            for parameter in parameters(group, name, machines) {
                let id = id(group, name, parameter.as_deref());
                let value = match figure.y {
                    YAxis::Time => machine.time(&id),
                    YAxis::Throughput => match machine.throughput(&id) {
                        Known::Measured((estimate, of)) => {
                            quantity = of;
                            Known::Measured(estimate)
                        }
                        Known::NotPossible(why) => Known::NotPossible(why),
                        Known::NotMeasured => Known::NotMeasured,
                    },
                    YAxis::Ratio => {
                        let baseline = figure.baseline.as_deref().unwrap_or_default();
                        machine.ratio(&self::id(group, baseline, parameter.as_deref()), &id)
                    }
                };
                let value = match value {
                    Known::Measured(estimate) => Ok(estimate),
                    Known::NotPossible(why) => Err(format!("not possible: {why}")),
                    Known::NotMeasured => Err("not measured".to_owned()),
                };
                points.push(Point { parameter, value });
            }
            all.push(Series {
                name: name.clone(),
                subject: name == bench,
                style: styles.iter().position(|s| s == name).unwrap_or(styles.len()),
                points,
            });
        }
        panels.push(Panel { machine: (*machine_name).to_owned(), series: all });
    }
    let (what, better) = match figure.y {
        YAxis::Time => ("Time".to_owned(), "lower is better"),
        YAxis::Throughput => ("Throughput".to_owned(), "higher is better"),
        YAxis::Ratio => (
            format!("Speed relative to {}", figure.baseline.as_deref().unwrap_or_default()),
            "higher is better",
        ),
    };
    Chart {
        quantity,
        y_label: format!("{} ({better})", figure.label.as_ref().unwrap_or(&what)),
        x_label: figure.x.clone().unwrap_or_else(|| "Size".to_owned()),
        title: title.replace('`', ""),
        panels,
    }
}

/// The bench that a group belongs to, by what has been recorded.
fn bench(group: &str, book: &Book) -> String {
    let recorded = [&book.reference, &book.here].into_iter().flat_map(|m| m.recordings.keys());
    owner(group, recorded.map(String::as_str)).unwrap_or_else(|| bench_of(group)).to_owned()
}

/// The functions of a whole bench in one order, the one that it is named for first: a function then
/// looks the same in all of its figures, whichever others they show.
fn styles(group: &str, bench: &str, machines: &[(&str, &Machine)]) -> Vec<String> {
    let mut all = vec![bench.to_owned()];
    for recording in machines.iter().filter_map(|(_, machine)| machine.recording(group)) {
        for benchmark in recording.benchmarks.values().filter(|b| !b.group.ends_with("_aa")) {
            let name = benchmark.function.as_ref().unwrap_or(&benchmark.group);
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
    }
    all
}

fn id(group: &str, function: &str, parameter: Option<&str>) -> String {
    let mut id = group.to_owned();
    for part in [Some(function).filter(|f| *f != group || parameter.is_some()), parameter]
        .into_iter()
        .flatten()
    {
        id.push('/');
        id += part;
    }
    id
}

/// The functions shown: those that the figure names, or all that any machine has measured or says
/// it cannot.
fn functions(figure: &Figure, machines: &[(&str, &Machine)]) -> Vec<String> {
    if !figure.series.is_empty() {
        return figure.series.clone();
    }
    let mut all: Vec<String> = Vec::new();
    for (_, machine) in machines {
        let measured = machine
            .group(&figure.group)
            .into_iter()
            .map(|(_, b)| b.function.clone().unwrap_or_else(|| figure.group.clone()));
        let recording = machine.recording(&figure.group);
        let cannot = recording.into_iter().flat_map(|r| r.not_possible.keys());
        let cannot =
            cannot.filter(|id| group_of(id) == figure.group).filter_map(|id| id.split('/').nth(1));
        for name in measured.chain(cannot.map(str::to_owned)) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

/// The parameters of a function that any machine has measured, in the machines' order; those of the
/// whole group for a function that nobody has.
fn parameters(group: &str, function: &str, machines: &[(&str, &Machine)]) -> Vec<Option<String>> {
    let (mut own, mut all) = (Vec::new(), Vec::new());
    for (_, benchmark) in machines.iter().flat_map(|(_, machine)| machine.group(group)) {
        if !all.contains(&benchmark.parameter) {
            all.push(benchmark.parameter.clone());
        }
        if benchmark.function.as_deref().unwrap_or(group) == function
            && !own.contains(&benchmark.parameter)
        {
            own.push(benchmark.parameter.clone());
        }
    }
    if all.is_empty() {
        return vec![None];
    }
    if own.is_empty() { all } else { own }
}

/// `../` as often as it takes from a page to the book's root.
#[must_use]
pub fn up(page: &Path) -> String {
    "../".repeat(page.components().count().saturating_sub(1))
}

/// A machine's page, from the book's root.
#[must_use]
pub fn machine_page(name: &str) -> String {
    format!("machines/{name}.html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_its_code_and_nothing_else() {
        assert_eq!(sentence("`a<b>` is *not* <b>"), "<code>a&lt;b&gt;</code> is *not* &lt;b&gt;");
        assert_eq!(sentence("an odd ` stays"), "an odd ` stays");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn a_verdict_is_a_word_and_not_only_a_color() {
        let all = [Verdict::Holds, Verdict::Fails, Verdict::Undecided, Verdict::NotMeasured];
        for one in all {
            let html = verdict(&one);
            assert!(html.contains(&format!("</span> {}</span>", one.words())), "{html}");
        }
        let html = verdict(&Verdict::NotPossible("no `io_uring`".to_owned()));
        assert!(html.ends_with("not possible here</span>: no <code>io_uring</code>"), "{html}");
    }

    #[test]
    fn a_quoted_number_shows_who_says_it() {
        assert_eq!(host("https://www.example.org/a?b#c"), "example.org");
        assert_eq!(host("http://kernel.org"), "kernel.org");
    }

    #[test]
    fn few_rounds_are_owned_up_to() {
        assert!(rounds(1).starts_with("one round only"));
        assert!(rounds(5).contains("94\u{a0}%"), "{}", rounds(5));
        assert_eq!(rounds(9), "9 rounds");
    }

    #[test]
    fn links_lead_to_the_root_from_any_depth() {
        assert_eq!(up(Path::new("a.md")), "");
        assert_eq!(up(Path::new("a/b/c.md")), "../../");
    }
}
