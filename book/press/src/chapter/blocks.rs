//! Finds the blocks of a page that the press replaces.

use super::belief::belief;
use super::claim::claim;
use super::generated::{clone, live, overview};
use super::lint;
use super::markdown::Source;
use crate::model::{Block, Figure, Place, Problem, Solution, Spanned, YAxis};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The names of blocks.
const WORDS: [&str; 7] = ["claim", "figure", "solution", "belief", "overview", "live", "clone"];

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
                if WORDS.contains(&word) {
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
    /// The first of them, one of [`WORDS`].
    word: &'a str,
    /// The number of lists, quotes and notes around it.
    depth: usize,
    /// Its source, fences included.
    source: &'a str,
}

impl Fenced<'_> {
    fn read(&self, place: &Place) -> Result<Block, Fault> {
        let word = self.word;
        let a = if word.starts_with('o') { "an" } else { "a" };
        if self.info.trim() != word {
            return Err(format!(
                "nothing may follow the name of {a} {word} block, not even `{}`",
                self.info
            )
            .into());
        }
        if self.depth > 0 {
            return Err(
                format!("{a} {word} block cannot be inside a list, a quote or a note").into()
            );
        }
        let lines: Vec<&str> = self.source.trim_end().lines().collect();
        let closed = lines.len() > 1
            && lines.last().is_some_and(|line| line.trim().trim_matches(['`', '~']).is_empty());
        if !closed {
            return Err(format!("this {word} block is never closed").into());
        }
        let toml = lines[1..lines.len() - 1].join("\n");
        match word {
            "claim" => claim(parse(&toml)?, place).map(Block::Claim).map_err(Fault::from),
            "figure" => figure(parse(&toml)?, place).map(Block::Figure).map_err(Fault::from),
            "belief" => belief(parse(&toml)?, place).map(Block::Belief).map_err(Fault::from),
            "overview" => Ok(Block::Generated(overview(&parse(&toml)?))),
            "clone" => clone(parse(&toml)?).map(Block::Generated).map_err(Fault::from),
            "live" => live(parse(&toml)?, place).map(Block::Generated).map_err(Fault::from),
            _ => solution(parse(&toml)?, place).map(Block::Solution).map_err(Fault::from),
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
struct RawFigure {
    group: String,
    y: RawAxis,
    title: Option<String>,
    label: Option<String>,
    x: Option<String>,
    #[serde(default)]
    series: Vec<String>,
    baseline: Option<String>,
    #[serde(default)]
    small: bool,
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
        small: raw.small,
        series: raw.series,
        baseline: raw.baseline,
        place: place.clone(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSolution {
    exercise: u32,
    says: String,
}

/// Checks a solution.
fn solution(raw: RawSolution, place: &Place) -> Result<Solution, String> {
    if raw.says.trim().is_empty() {
        return Err("a solution says nothing".to_string());
    }
    if let Some(typed) = lint::typed_in(&raw.says).first() {
        return Err(format!("a number typed by hand in a solution: `{typed}`"));
    }
    let says = raw.says.trim().to_string();
    Ok(Solution { exercise: raw.exercise, says, place: place.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(markdown: &str) -> (Vec<Spanned<Block>>, Vec<String>) {
        let (blocks, problems) = blocks(Path::new("book/src/a.md"), markdown);
        (blocks, problems.iter().map(Problem::to_string).collect())
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
            ("1. a\n\n   ```solution\n   says = 'a'\n   ```\n", "3: a solution block cannot be"),
            ("```solution\nsays = 'a'\n```\n", "2: missing field `exercise`"),
            ("```solution\nexercise = 1\nsays = ' '\n```\n", "1: a solution says nothing"),
            (
                "```solution\nexercise = 1\nsays = 'It takes 3 ns.'\n```\n",
                "1: a number typed by hand in a solution: `3 ns`",
            ),
        ] {
            let (blocks, problems) = read(page);
            assert!(blocks.is_empty() && problems.len() == 1, "{page}: {problems:?}");
            assert!(problems[0].starts_with(&format!("book/src/a.md:{expected}")), "{problems:?}");
        }
    }
}
