//! Finds `claim` and `figure` blocks in a page.

use super::lint;
use super::markdown::Source;
use crate::ids::{benchmark_id, count_key, identifier, kebab};
use crate::model::{
    Block, Claim, Clocked, Count, CountBound, Figure, Place, Problem, Proof, RatioBound, Spanned,
    YAxis,
};
use crate::units::{Quantity, number};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag};
use regex::Regex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Returns the blocks of one page in order, and a problem for each malformed one.
///
/// A range covers the whole fenced block, fences included. `page` is the path that problems name.
/// [`crate::book::load`] checks that ids are unique in the book.
pub fn blocks(page: &Path, markdown: &str) -> (Vec<Spanned<Block>>, Vec<Problem>) {
    let source = Source::new(page, markdown);
    let mut blocks = Vec::new();
    let mut problems = Vec::new();
    let mut depth = 0;
    for (event, range) in source.events() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let word = info.split([' ', ',']).next().unwrap_or_default();
                if word == "claim" || word == "figure" {
                    let place = source.place(range.start);
                    let block =
                        Fenced { info: &info, word, depth, source: &markdown[range.clone()] };
                    match block.read(&place) {
                        Ok(item) => blocks.push(Spanned { range, item }),
                        Err(Fault { line, message }) => {
                            let place = Place { line: place.line + line, ..place };
                            problems.push(Problem { place, message });
                        }
                    }
                }
                depth += 1;
            }
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    (blocks, problems)
}

/// A fault in a block, `line` lines below its fence.
struct Fault {
    line: usize,
    message: String,
}

impl From<String> for Fault {
    fn from(message: String) -> Fault {
        Fault { line: 0, message }
    }
}

/// A fenced block of ours.
struct Fenced<'a> {
    /// The words after the opening fence.
    info: &'a str,
    /// The first of them: `claim` or `figure`.
    word: &'a str,
    /// The number of lists, quotes and notes around it.
    depth: usize,
    /// Its source, fences included.
    source: &'a str,
}

impl Fenced<'_> {
    fn read(&self, place: &Place) -> Result<Block, Fault> {
        let word = self.word;
        if self.info.trim() != word {
            return Err(format!(
                "nothing may follow the name of a {word} block, not even `{}`",
                self.info
            )
            .into());
        }
        if self.depth > 0 {
            return Err(format!("a {word} block cannot be inside a list, a quote or a note").into());
        }
        let lines: Vec<&str> = self.source.trim_end().lines().collect();
        let closed = lines.len() > 1
            && lines.last().is_some_and(|line| line.trim().trim_matches(['`', '~']).is_empty());
        if !closed {
            return Err(format!("this {word} block is never closed").into());
        }
        let toml = lines[1..lines.len() - 1].join("\n");
        if word == "claim" {
            claim(parse(&toml)?, place).map(Block::Claim).map_err(Fault::from)
        } else {
            figure(parse(&toml)?, place).map(Block::Figure).map_err(Fault::from)
        }
    }
}

/// Reads TOML; a fault names its line.
fn parse<T: DeserializeOwned>(toml: &str) -> Result<T, Fault> {
    toml::from_str(toml).map_err(|e| Fault {
        line: e.span().map_or(0, |span| toml[..span.start].matches('\n').count() + 1),
        message: e.message().replace('\n', ", "),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClaim {
    id: String,
    says: String,
    command: Option<String>,
    compiled: Option<String>,
    counted: Option<toml::Value>,
    explored: Option<String>,
    faster: Option<String>,
    like: Option<String>,
    than: Option<String>,
    by: Option<f64>,
    within: Option<f64>,
    equals: Option<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCount {
    of: String,
    than: Option<String>,
    by: Option<f64>,
    equals: Option<f64>,
    at_most: Option<f64>,
    at_least: Option<f64>,
}

/// Checks a claim.
fn claim(raw: RawClaim, place: &Place) -> Result<Claim, String> {
    if !kebab(&raw.id) {
        return Err(format!(
            "the id `{}` is not in kebab case (a-z, 0-9 and single hyphens)",
            raw.id
        ));
    }
    let proofs = [
        ("compiled", raw.compiled.is_some()),
        ("counted", raw.counted.is_some()),
        ("explored", raw.explored.is_some()),
        ("faster", raw.faster.is_some()),
        ("like", raw.like.is_some()),
    ];
    let given: Vec<&str> =
        proofs.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let [kind] = given[..] else {
        return Err(match given.is_empty() {
            true => {
                "no proof: one of `compiled`, `counted`, `explored`, `faster` or `like`".to_string()
            }
            false => format!("a claim has one proof, not {}", given.join(" and ")),
        });
    };
    // The keys that go with this proof. Any other would be ignored, and an ignored bound is an
    // unchecked claim.
    let allowed: &[&str] = match kind {
        "counted" => &["than", "by", "equals", "at_most", "at_least"],
        "faster" => &["than", "by"],
        "like" => &["than", "within"],
        _ => &[],
    };
    let bounds = [
        ("than", raw.than.is_some()),
        ("by", raw.by.is_some()),
        ("within", raw.within.is_some()),
        ("equals", raw.equals.is_some()),
        ("at_most", raw.at_most.is_some()),
        ("at_least", raw.at_least.is_some()),
    ];
    if let Some((stray, _)) = bounds.iter().find(|(name, given)| *given && !allowed.contains(name))
    {
        return Err(format!("`{stray}` has no meaning beside `{kind}`"));
    }
    let proof = if let Some(anchor) = &raw.compiled {
        compiled(anchor)?
    } else if let Some(of) = &raw.counted {
        counted(of, &raw)?
    } else if let Some(model) = raw.explored {
        let parts: Vec<&str> = model.split("::").collect();
        if parts.len() < 2 || !parts.iter().all(|part| identifier(part)) {
            return Err(format!("`explored` names a test as `technique::model`, not `{model}`"));
        }
        Proof::Explored { model }
    } else {
        let by = if raw.faster.is_some() { ("by", raw.by) } else { ("within", raw.within) };
        clocked(raw.faster.or(raw.like), raw.than, by)?
    };
    Ok(Claim {
        id: raw.id,
        says: says(&raw.says, &proof)?,
        proof,
        command: raw.command,
        place: place.clone(),
    })
}

/// Reads the file and anchor of a compiled claim.
fn compiled(text: &str) -> Result<Proof, String> {
    let shape = || {
        format!("`compiled` names an anchor of the library as `src/path.rs#anchor`, not `{text}`")
    };
    let (file, anchor) = text.split_once('#').ok_or_else(shape)?;
    let below_src = file.starts_with("src/") && file.ends_with(".rs") && !file.contains("..");
    if !below_src || anchor.is_empty() {
        return Err(shape());
    }
    Ok(Proof::Compiled { file: PathBuf::from(file), anchor: anchor.to_string() })
}

/// Reads the counts of a counted claim: one with the bounds beside it, or a list.
fn counted(of: &toml::Value, raw: &RawClaim) -> Result<Proof, String> {
    let outside = || {
        [raw.equals, raw.at_most, raw.at_least, raw.by].iter().any(Option::is_some)
            || raw.than.is_some()
    };
    let counts = match of {
        toml::Value::String(of) => vec![count(RawCount {
            of: of.clone(),
            than: raw.than.clone(),
            by: raw.by,
            equals: raw.equals,
            at_most: raw.at_most,
            at_least: raw.at_least,
        })?],
        toml::Value::Array(_) if outside() => {
            return Err("if `counted` is a list, each entry has its own bound".to_string());
        }
        toml::Value::Array(entries) => entries
            .iter()
            .map(|entry| {
                count(entry.clone().try_into().map_err(|e| format!("`counted`: {}", e.message()))?)
            })
            .collect::<Result<_, String>>()?,
        _ => return Err("`counted` is a string or a list of tables".to_string()),
    };
    if counts.is_empty() {
        return Err("`counted` is empty: such a claim would always hold".to_string());
    }
    Ok(Proof::Counted(counts))
}

/// Reads one count with its bound.
fn count(raw: RawCount) -> Result<Count, String> {
    let (example, key) = count_key(&raw.of)?;
    let given = [
        raw.equals.map(CountBound::Equals),
        raw.at_most.map(CountBound::AtMost),
        raw.at_least.map(CountBound::AtLeast),
        match (&raw.than, raw.by) {
            (Some(than), Some(by)) => {
                let (example, key) = count_key(than)?;
                Some(CountBound::FewerThan { example, key, by: factor("by", by)? })
            }
            (None, None) => None,
            _ => return Err("`than` and `by` come together".to_string()),
        },
    ];
    let mut given = given.into_iter().flatten();
    let (Some(bound), None) = (given.next(), given.next()) else {
        return Err(format!(
            "`{}` needs one bound: `equals`, `at_most`, `at_least`, or `than` with `by`",
            raw.of
        ));
    };
    match bound {
        CountBound::Equals(n) | CountBound::AtMost(n) | CountBound::AtLeast(n)
            if !n.is_finite() || n < 0.0 =>
        {
            Err(format!("the bound {n} is not a count"))
        }
        CountBound::AtLeast(0.0) => Err("`at_least = 0` cannot fail".to_string()),
        bound => Ok(Count { example, key, bound }),
    }
}

/// Reads the comparison of a clocked claim; `name` is the key of its bound.
fn clocked(
    subject: Option<String>,
    than: Option<String>,
    (name, by): (&str, Option<f64>),
) -> Result<Proof, String> {
    let subject = subject.unwrap_or_default();
    let than = than.ok_or("`than` is missing, the benchmark to compare with")?;
    for id in [&subject, &than] {
        benchmark_id(id)?;
    }
    if subject == than {
        return Err(format!("`{subject}` is compared with itself"));
    }
    let by = factor(name, by.ok_or_else(|| format!("`{name}` is missing"))?)?;
    let bound = if name == "by" { RatioBound::Faster(by) } else { RatioBound::Within(by) };
    Ok(Proof::Clocked(Clocked { subject, than, bound }))
}

/// Checks that a factor is above 1. A claim of no difference has `like` and `within` instead.
fn factor(name: &str, factor: f64) -> Result<f64, String> {
    if factor.is_finite() && factor > 1.0 {
        return Ok(factor);
    }
    let hint = if name == "by" { "; to claim no difference, use `like` and `within`" } else { "" };
    Err(format!("`{name}` is a factor above 1, not {factor}{hint}"))
}

/// Returns the sentence with its placeholders filled in. `{{by}}` is the claim's bound of that
/// name; if several counts have one, `{{at_most 2}}` is the second count's.
fn says(template: &str, proof: &Proof) -> Result<String, String> {
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\{\{\s*([a-z_]+)(?:\s+([0-9]+))?\s*\}\}").expect("a constant")
    });
    if template.trim().is_empty() {
        return Err("`says` is empty".to_string());
    }
    let typed = lint::typed_in(&PLACEHOLDER.replace_all(template, "\u{fffc}"));
    if let Some(typed) = typed.first() {
        return Err(format!(
            "`says` has a number typed by hand, `{typed}`: write the bound as a placeholder, \
             such as {{{{by}}}}"
        ));
    }
    let bounds: Vec<(&str, f64)> = match proof {
        Proof::Compiled { .. } | Proof::Explored { .. } => Vec::new(),
        Proof::Clocked(clocked) => match clocked.bound {
            RatioBound::Faster(by) => vec![("by", by)],
            RatioBound::Within(by) => vec![("within", by)],
        },
        Proof::Counted(counts) => counts
            .iter()
            .map(|count| match count.bound {
                CountBound::Equals(n) => ("equals", n),
                CountBound::AtMost(n) => ("at_most", n),
                CountBound::AtLeast(n) => ("at_least", n),
                CountBound::FewerThan { by, .. } => ("by", by),
            })
            .collect(),
    };
    let mut wrong = None;
    let filled = PLACEHOLDER.replace_all(template, |found: &regex::Captures<'_>| {
        let name = &found[1];
        let value = match found.get(2).map(|n| n.as_str().parse::<usize>()) {
            Some(Ok(n)) => {
                n.checked_sub(1).and_then(|n| bounds.get(n)).filter(|(has, _)| *has == name)
            }
            Some(Err(_)) => None,
            None => {
                let mut named = bounds.iter().filter(|(has, _)| *has == name);
                named.next().filter(|_| named.next().is_none())
            }
        };
        match value {
            Some((_, value)) => number(*value, Quantity::Count, 0),
            None => {
                wrong.get_or_insert(found[0].to_string());
                String::new()
            }
        }
    });
    if let Some(wrong) = wrong {
        return Err(format!("`says` has {wrong}, which does not name one bound of this claim"));
    }
    if filled.contains("{{") || filled.contains("}}") {
        return Err("`says` has braces that are not a placeholder".to_string());
    }
    Ok(filled.into_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFigure {
    group: String,
    y: RawAxis,
    title: Option<String>,
    label: Option<String>,
    x: Option<String>,
    #[serde(default)]
    series: Vec<String>,
    baseline: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawAxis {
    Time,
    Throughput,
    Ratio,
}

/// Checks a figure.
fn figure(raw: RawFigure, place: &Place) -> Result<Figure, String> {
    if raw.group.is_empty() || raw.group.contains('/') {
        return Err(format!("`group` is a criterion group, not `{}`", raw.group));
    }
    let y = match raw.y {
        RawAxis::Time => YAxis::Time,
        RawAxis::Throughput => YAxis::Throughput,
        RawAxis::Ratio => YAxis::Ratio,
    };
    match (y, &raw.baseline) {
        (YAxis::Ratio, None) => return Err("a ratio needs a `baseline`".to_string()),
        (YAxis::Time | YAxis::Throughput, Some(_)) => {
            return Err("`baseline` has no meaning without `y = \"ratio\"`".to_string());
        }
        _ => {}
    }
    for words in [&raw.title, &raw.label, &raw.x].into_iter().flatten() {
        if let Some(typed) = lint::typed_in(words).first() {
            return Err(format!("a number typed by hand in a figure's words: `{typed}`"));
        }
    }
    Ok(Figure {
        group: raw.group,
        y,
        title: raw.title,
        label: raw.label,
        x: raw.x,
        series: raw.series,
        baseline: raw.baseline,
        place: place.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(markdown: &str) -> (Vec<Spanned<Block>>, Vec<String>) {
        let (blocks, problems) = blocks(Path::new("book/src/a.md"), markdown);
        (blocks, problems.iter().map(Problem::to_string).collect())
    }

    fn only_claim(body: &str) -> Claim {
        let (blocks, problems) = read(&format!("```claim\nid = \"a\"\n{body}\n```\n"));
        assert_eq!(problems, Vec::<String>::new());
        match blocks.into_iter().next().unwrap().item {
            Block::Claim(claim) => claim,
            Block::Figure(_) => panic!("a figure"),
        }
    }

    fn only_problem(body: &str) -> String {
        let (blocks, problems) = read(&format!("```claim\nid = \"a\"\n{body}\n```\n"));
        assert!(blocks.is_empty(), "{body} was taken");
        assert_eq!(problems.len(), 1, "{body}: {problems:?}");
        problems[0].strip_prefix("book/src/a.md:").unwrap().to_string()
    }

    #[test]
    fn blocks_are_found_with_their_place_and_range() {
        let page = "# A\r\n\r\n```claim\nid = 'x'\nsays = 'S'\nexplored = 'a::b'\n```\n\nText\n\n\
                    ~~~figure\ngroup = 'g'\ny = 'time'\n~~~\nEnd\n";
        let (blocks, problems) = read(page);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(blocks.len(), 2);
        let Block::Claim(claim) = &blocks[0].item else { panic!("a figure") };
        assert_eq!(claim.place.line, 3);
        assert!(page[blocks[0].range.clone()].starts_with("```claim"));
        assert!(page[blocks[0].range.clone()].trim_end().ends_with("```"));
        let Block::Figure(figure) = &blocks[1].item else { panic!("a claim") };
        assert_eq!((figure.place.line, figure.y), (11, YAxis::Time));
        assert!(page[blocks[1].range.end..].trim_start().starts_with("End"));
    }

    #[test]
    fn a_block_inside_a_code_block_is_an_example() {
        let (blocks, problems) =
            read("````text\n```claim\nid = 1\n```\n````\n\n    ```claim\n    x\n    ```\n");
        assert!(blocks.is_empty() && problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn the_four_proofs() {
        let claim = only_claim("says = 'S'\ncompiled = 'src/a/b.rs#size'");
        let Proof::Compiled { file, anchor } = claim.proof else { panic!("not compiled") };
        assert_eq!((file.as_path(), anchor.as_str()), (Path::new("src/a/b.rs"), "size"));
        let claim = only_claim("says = 'S'\nexplored = 'ring::loss'");
        assert_eq!(claim.command(), "cargo explore --exact ring::loss");
        let claim = only_claim(
            "says = '{{by}} times as fast'\nfaster = 'g/a/1KiB'\nthan = 'g/b/1KiB'\nby = 1.5",
        );
        assert_eq!(
            (claim.says.as_str(), claim.command().as_str()),
            ("1.5 times as fast", "cargo bench --bench g")
        );
        let claim = only_claim(
            "says = 'S'\nlike = 'g_cpu/a'\nthan = 'g_cpu/b'\nwithin = 1.25\ncommand = 'make'",
        );
        assert!(matches!(&claim.proof, Proof::Clocked(c) if c.bound == RatioBound::Within(1.25)));
        assert_eq!(claim.command(), "make");
    }

    #[test]
    fn the_bounds_of_counts() {
        let bound = |body: &str| match only_claim(&format!("says = 'S'\n{body}")).proof {
            Proof::Counted(counts) => counts[0].bound.clone(),
            _ => panic!("not counted"),
        };
        assert_eq!(bound("counted = 'e/v.q'\nat_most = 1"), CountBound::AtMost(1.0));
        assert_eq!(bound("counted = 'e/v.q'\nequals = 0"), CountBound::Equals(0.0));
        assert_eq!(bound("counted = 'e/v.q'\nat_least = 2.5"), CountBound::AtLeast(2.5));
        let fewer = CountBound::FewerThan { example: "e".into(), key: "w.q".into(), by: 16.0 };
        assert_eq!(bound("counted = 'e/v.q'\nthan = 'e/w.q'\nby = 16"), fewer);
        let claim = only_claim(
            "says = '{{equals}} of {{at_most 2}} or {{at_most 3}}'\n\
             counted = [{ of = 'e/v.q', equals = 1 }, { of = 'e/w.q', at_most = 2000 },\n\
             { of = 'e/w.r', at_most = 3 }]",
        );
        assert_eq!(claim.says, "1 of 2,000 or 3");
    }

    #[test]
    fn a_malformed_block_is_named_with_its_line() {
        for (body, expected) in [
            ("says = 'S'", "1: no proof"),
            ("says = 'S'\nexplored = 'a::b'\nextra = 1", "5: unknown field `extra`"),
            ("says = ", "3: "),
            (
                "says = 'S'\nexplored = 'a::b'\nfaster = 'g/a'",
                "1: a claim has one proof, not explored and faster",
            ),
            ("says = 'S'\nexplored = 'a::b'\nby = 2", "1: `by` has no meaning beside `explored`"),
            ("says = 'S'\nexplored = 'ab'", "1: `explored` names a test"),
            (
                "says = 'S'\ncompiled = 'tests/a.rs#x'",
                "1: `compiled` names an anchor of the library",
            ),
            (
                "says = 'S'\ncompiled = 'src/../a.rs#x'",
                "1: `compiled` names an anchor of the library",
            ),
            ("says = 'S'\ncounted = 'e/v.q'", "1: `e/v.q` needs one bound"),
            (
                "says = 'S'\ncounted = 'e/v.q'\nequals = 1\nat_most = 2",
                "1: `e/v.q` needs one bound",
            ),
            ("says = 'S'\ncounted = 'e/v.q'\nat_least = 0", "1: `at_least = 0` cannot fail"),
            ("says = 'S'\ncounted = 'e/v.q'\nat_most = nan", "1: the bound NaN is not a count"),
            ("says = 'S'\ncounted = 'e/v.q'\nthan = 'e/w.q'", "1: `than` and `by` come together"),
            (
                "says = 'S'\ncounted = 'e/v.q'\nthan = 'e/w.q'\nby = 1",
                "1: `by` is a factor above 1",
            ),
            ("says = 'S'\ncounted = 'v.q'\nequals = 1", "1: a count is named"),
            ("says = 'S'\ncounted = []", "1: `counted` is empty"),
            (
                "says = 'S'\ncounted = [{ of = 'e/v.q', equal = 1 }]",
                "1: `counted`: unknown field `equal`",
            ),
            (
                "says = 'S'\ncounted = [{ of = 'e/v.q', equals = 1 }]\nequals = 1",
                "1: if `counted` is a list",
            ),
            ("says = 'S'\nfaster = 'g/a'\nthan = 'g/b'", "1: `by` is missing"),
            ("says = 'S'\nfaster = 'g/a'\nby = 2", "1: `than` is missing"),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/a'\nby = 2",
                "1: `g/a` is compared with itself",
            ),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/b'\nby = 1.0",
                "1: `by` is a factor above 1, not 1; to claim",
            ),
            (
                "says = 'S'\nfaster = 'g/a'\nthan = 'g/b'\nby = inf",
                "1: `by` is a factor above 1, not inf",
            ),
            (
                "says = 'S'\nlike = 'g/a'\nthan = 'g/b'\nby = 2",
                "1: `by` has no meaning beside `like`",
            ),
            ("says = 'S'\nlike = 'g/a'\nthan = 'g'\nwithin = 2", "1: a benchmark is named"),
            (
                "says = '1.5 times'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2",
                "1: `says` has a number typed by hand",
            ),
            (
                "says = '{{within}}'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2",
                "1: `says` has {{within}}",
            ),
            ("says = '{{BY}}'\nfaster = 'g/a'\nthan = 'g/b'\nby = 2", "1: `says` has braces"),
            ("says = ' '\nexplored = 'a::b'", "1: `says` is empty"),
        ] {
            let problem = only_problem(body);
            assert!(problem.starts_with(expected), "{body}\n  gave {problem}\n  not  {expected}");
        }
    }

    #[test]
    fn a_block_that_would_be_overlooked_is_a_problem() {
        for (page, expected) in [
            ("- item\n\n  ```claim\n  id = 'a'\n  ```\n", "3: a claim block cannot be inside"),
            ("> ```figure\n> group = 'a'\n> ```\n", "1: a figure block cannot be inside"),
            ("```claim\nid = 'a'\n", "1: this claim block is never closed"),
            ("```claim", "1: this claim block is never closed"),
            ("```claim, wide\nid = 'a'\n```\n", "1: nothing may follow the name"),
            (
                "```claim\nid = 'A_b'\nsays='S'\nexplored='a::b'\n```\n",
                "1: the id `A_b` is not in kebab case",
            ),
            ("```figure\ngroup = 'g'\ny = 'size'\n```\n", "3: unknown variant `size`"),
            ("```figure\ngroup = 'g'\ny = 'ratio'\n```\n", "1: a ratio needs a `baseline`"),
            (
                "```figure\ngroup = 'g'\ny = 'time'\nbaseline = 'a'\n```\n",
                "1: `baseline` has no meaning",
            ),
            ("```figure\ngroup = 'g/a'\ny = 'time'\n```\n", "1: `group` is a criterion group"),
            (
                "```figure\ngroup = 'g'\ny = 'time'\ntitle = '3x faster'\n```\n",
                "1: a number typed by hand",
            ),
        ] {
            let (blocks, problems) = read(page);
            assert!(blocks.is_empty() && problems.len() == 1, "{page}: {problems:?}");
            assert!(problems[0].starts_with(&format!("book/src/a.md:{expected}")), "{problems:?}");
        }
    }
}
