//! The rules for the tables of breaks, and the trial of each break. [`press::breaks`] reads the
//! tables and describes them.

mod checkout;
mod rounds;
pub mod trial;

use crate::house;
use press::breaks::{Break, tables};
use press::chapter;
use press::model::{Claim, Proof};
use press::project::Project;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Everything that the breaks are judged by: the book's claims by id.
pub type Claims = BTreeMap<String, Proof>;

/// Lists what is wrong with one break, given the book's claims.
fn problems_of(one: &Break, root: &Path, claims: &Claims) -> Vec<String> {
    let mut found = vec![];
    for claim in one.claims.iter().filter(|claim| !claims.contains_key(*claim)) {
        found.push(format!("no chapter makes a claim `{claim}`"));
    }
    for claim in &one.claims {
        if let Some(Proof::Clocked(_)) = claims.get(claim) {
            found.push(format!("`{claim}` rests on a clock, which no break can set"));
        }
    }
    let others = [&one.model, &one.test, &one.sanitizer, &one.command];
    if one.claims.is_empty() && others.iter().all(|other| other.is_none()) {
        found.push("it names nothing that must notice".to_owned());
    }
    let tests = [(&one.model, true), (&one.test, false), (&one.sanitizer, false)];
    for (name, is_model) in tests.into_iter().filter_map(|(name, is)| Some((name.as_ref()?, is))) {
        let Some((target, path)) = name.split_once("::") else {
            found.push(format!("`{name}` is not TARGET::PATH"));
            continue;
        };
        let function = path.rsplit("::").next().unwrap_or(path);
        let (file, text) = match is_model {
            true => {
                let file = format!("tests/loom/{target}.rs");
                (file.clone(), fs::read_to_string(root.join(file)).unwrap_or_default())
            }
            false => (format!("tests/{target}.rs"), house::test_source(root, target)),
        };
        if !text.contains(&format!("fn {function}(")) {
            found.push(format!("{file} has no test `{function}`"));
        }
    }
    if let Some(Err(error)) = one.says.as_ref().map(|says| Regex::new(says)) {
        found.push(format!("`says` is no regex: {error}"));
    }
    if let Err(why) = one.edited(root) {
        found.push(why);
    }
    found
}

/// Reads the claims of the book in the project at `root`.
///
/// # Errors
///
/// The press's complaint about a page that it cannot read.
pub fn claims(root: &Path) -> Result<Claims, String> {
    let pages = chapter::pages(&Project::at(root)).map_err(|error| error.to_string())?;
    let claims = pages.iter().flat_map(|page| page.claims());
    Ok(claims.map(|Claim { id, proof, .. }| (id.clone(), proof.clone())).collect())
}

/// Lists what is wrong with the tables of the project at `root`, one sentence each: breaks that no
/// longer apply, claims and tests that do not exist, and claims that have no break.
pub fn problems(root: &Path) -> Vec<String> {
    let (breaks, claims) = match (tables(root, &[]), claims(root)) {
        (Ok(breaks), Ok(claims)) => (breaks, claims),
        (Err(error), _) | (_, Err(error)) => return vec![error],
    };
    let mut found = vec![];
    for one in &breaks {
        let about =
            |why: String| format!(".ci/breaks/{}.toml: {why} ({})", one.technique, one.name());
        found.extend(problems_of(one, root, &claims).into_iter().map(about));
    }
    found.extend(shared(&breaks));
    for (id, proof) in &claims {
        let is_broken = breaks.iter().any(|one| one.claims.contains(id));
        if !matches!(proof, Proof::Clocked(_)) && !is_broken {
            found.push(format!("no break for `{id}`"));
        }
    }
    found
}

/// Lists what two breaks of one round both name: if it fails, either may be the reason.
fn shared(breaks: &[Break]) -> Vec<String> {
    let mut named = BTreeSet::new();
    let mut found = vec![];
    for one in breaks {
        let Some(round) = one.round else { continue };
        let others = [&one.model, &one.test, &one.sanitizer];
        for name in one.claims.iter().chain(others.into_iter().flatten()) {
            if !named.insert((&one.technique, round, name)) {
                found.push(format!(
                    ".ci/breaks/{}.toml: round {round} has two breaks for `{name}`",
                    one.technique
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_breaks_of_a_round_may_not_name_the_same() {
        let one = |round: &str| {
            let text = format!("file = 'a'\nfrom = 'a'\nto = 'b'\nmodel = 'a::b'\n{round}");
            toml::from_str::<Break>(&text).unwrap()
        };
        let found = shared(&[one("round = 1"), one("round = 2"), one(""), one("round = 1")]);
        assert_eq!(found, [".ci/breaks/.toml: round 1 has two breaks for `a::b`"]);
    }
}
