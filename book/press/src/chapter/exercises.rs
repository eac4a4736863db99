//! Checks that the exercises of a page are numbered, and that each has its solution right below it.

use super::markdown::Source;
use crate::model::{Place, Problem};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Tag, TagEnd};
use std::path::Path;

/// The start of the heading above the exercises.
const HEADING: &str = "Try it";

/// Returns a problem for each exercise without a solution, for each solution without its exercise
/// above it, and for exercises that have no numbers. `page` is the path that problems name.
pub fn problems(page: &Path, markdown: &str) -> Vec<Problem> {
    let source = Source::new(page, markdown);
    let mut walk = Walk::default();
    let mut depth = 0;
    for (event, range) in source.events() {
        let text = &markdown[range.clone()];
        let place = || source.place(range.start);
        match event {
            Event::Start(tag) => {
                match (&tag, depth) {
                    (Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. }, 0) => {
                        walk.section(text.trim_start_matches('#').trim_start());
                    }
                    (Tag::List(first), 0) => walk.list(*first, place()),
                    (Tag::Item, 1) => walk.item(place()),
                    (Tag::CodeBlock(CodeBlockKind::Fenced(info)), 0) if &**info == "solution" => {
                        walk.solution(text, place());
                    }
                    _ => {}
                }
                depth += 1;
            }
            Event::End(end) => {
                depth -= 1;
                if depth == 0 && matches!(end, TagEnd::List(_)) {
                    walk.next = None;
                }
            }
            _ => {}
        }
    }
    walk.section("");
    walk.problems
}

/// The state of the walk through one page.
#[derive(Default)]
struct Walk {
    /// In the section of the exercises.
    in_exercises: bool,
    /// The number of the next item of the list at hand, if it is one of exercises.
    next: Option<u64>,
    /// The number of the last exercise.
    last: u64,
    /// The last exercise, as long as it has no solution.
    unsolved: Option<(u64, Place)>,
    problems: Vec<Problem>,
}

impl Walk {
    /// Begins the section under the heading `title`.
    fn section(&mut self, title: &str) {
        self.settle();
        self.in_exercises = title.starts_with(HEADING);
        self.last = 0;
    }

    /// Begins a list that is part of no other.
    fn list(&mut self, first: Option<u64>, place: Place) {
        if !self.in_exercises {
            return;
        }
        self.next = first;
        if first.is_none() {
            self.report(place, "exercises are numbered, so that a solution can name its own");
        }
    }

    /// Notes an exercise.
    fn item(&mut self, place: Place) {
        let Some(number) = self.next else { return };
        self.settle();
        if number != self.last + 1 {
            let message = format!("exercise {number} follows exercise {}", self.last);
            self.report(place.clone(), &message);
        }
        self.last = number;
        self.next = Some(number + 1);
        self.unsolved = Some((number, place));
    }

    /// Notes a solution.
    fn solution(&mut self, block: &str, place: Place) {
        let number = block.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "exercise").then(|| value.trim().parse::<u64>().ok())?
        });
        match &self.unsolved {
            // A solution without a number is a problem of the block itself.
            Some((exercise, _)) if number.is_none_or(|number| number == *exercise) => {
                self.unsolved = None;
            }
            _ => self.report(place, "a solution stands right below its exercise"),
        }
    }

    /// Reports the last exercise if it has no solution.
    fn settle(&mut self) {
        if let Some((number, place)) = self.unsolved.take() {
            self.report(place, &format!("exercise {number} has no solution"));
        }
    }

    fn report(&mut self, place: Place, message: &str) {
        self.problems.push(Problem { place, message: message.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(markdown: &str) -> Vec<String> {
        problems(Path::new("a.md"), markdown).iter().map(Problem::to_string).collect()
    }

    fn solution(exercise: u64) -> String {
        format!("\n```solution\nexercise = {exercise}\nsays = \"a\"\n```\n\n")
    }

    #[test]
    fn each_exercise_has_its_solution_below_it() {
        let one = solution(1);
        let two = solution(2);
        let good = format!(
            "- a\n\n## Try it\n\n```sh\na\n```\n\n1. One\n   - a\n\n{one}2. Two.\n{two}## More\n\n1. a\n"
        );
        assert_eq!(found(&good), Vec::<String>::new());
        let head = "## Try it\n\n";
        for (text, expected) in [
            ("1. One\n".to_owned(), vec!["a.md:3: exercise 1 has no solution"]),
            (format!("1. One\n2. Two\n{two}## More\n"), vec!["a.md:3: exercise 1 has no solution"]),
            (
                format!("1. One\n{two}"),
                vec![
                    "a.md:5: a solution stands right below its exercise",
                    "a.md:3: exercise 1 has no solution",
                ],
            ),
            (
                format!("1. One\n{one}{one}"),
                vec!["a.md:11: a solution stands right below its exercise"],
            ),
            (
                format!("1. One\n{one}3. Three\n{}", solution(3)),
                vec!["a.md:10: exercise 3 follows exercise 1"],
            ),
            (
                "- One\n- Two\n".to_owned(),
                vec!["a.md:3: exercises are numbered, so that a solution can name its own"],
            ),
        ] {
            assert_eq!(found(&(head.to_owned() + &text)), expected, "{text}");
        }
        let elsewhere = found(&format!("## More\n\n1. One\n{one}"));
        assert_eq!(elsewhere, ["a.md:5: a solution stands right below its exercise"]);
    }
}
