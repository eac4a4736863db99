//! The solution of an exercise: folded, with the edit as a patch and the checks that notice it.

use super::html::card_address;
use crate::book::Judged;
use crate::breaks::Break;
use crate::model::{Proof, Solution};
use std::path::Path;

/// Renders a solution of an exercise on `page` as Markdown. The edit and the checks are those of
/// its break; `root` is the folder of the files that it edits.
#[must_use]
pub fn solution(
    solution: &Solution,
    of: &Break,
    root: &Path,
    page: &Path,
    claims: &[Judged<'_>],
) -> String {
    let Solution { exercise, says, .. } = solution;
    let diff = of.diff(root);
    let checks: String =
        checks(of, page, claims).iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "<details class=\"solution\">\n<summary>Solution of exercise {exercise}</summary>\n\n\
         {says}\n\n````diff\n{diff}````\n\n{checks}\n</details>\n"
    )
}

/// Returns a line of Markdown for each check that notices a break, with the command that runs it.
fn checks(of: &Break, page: &Path, claims: &[Judged<'_>]) -> Vec<String> {
    let mut lines = vec![];
    for id in &of.claims {
        let Some(judged) = claims.iter().find(|judged| judged.claim.id == *id) else { continue };
        let check = format!("cargo book check --claim {id}");
        let command = match judged.claim.proof {
            // The compiler's message and the model's trace say more than the verdict.
            Proof::Compiled { .. } | Proof::Explored { .. } => judged.claim.runs().unwrap_or(check),
            _ => check,
        };
        let address = card_address(judged, page);
        lines.push(format!("The claim [`{id}`]({address}) fails: `{command}`"));
    }
    let test = |name: &str| {
        let (target, path) = name.split_once("::").unwrap_or((name, ""));
        format!("cargo test --test {target} -- --exact {path}")
    };
    let model = of.model.as_ref();
    lines.extend(model.map(|name| format!("The model fails: `cargo explore --exact {name}`")));
    lines.extend(of.test.as_ref().map(|name| format!("The test fails: `{}`", test(name))));
    lines.extend(of.sanitizer.as_ref().map(|name| {
        let path = name.split_once("::").map_or(name.as_str(), |(_, path)| path);
        format!("ThreadSanitizer reports a data race in the test `{path}`.")
    }));
    lines.extend(of.command.as_ref().map(|name| format!("The command fails: `cargo {name}`")));
    lines
}
