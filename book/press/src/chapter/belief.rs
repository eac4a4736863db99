//! Reads beliefs from the TOML of their blocks, and what a claim says about them.

use super::{lint, references};
use crate::belief::{Bearing, Belief, Side, Standing};
use crate::ids::kebab;
use crate::model::Place;
use serde::Deserialize;

/// A belief as it stands in its block.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBelief {
    id: String,
    saying: String,
    verdict: RawStanding,
    on: Option<String>,
    heard: Option<String>,
    says: String,
}

/// The verdicts that a block may declare.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawStanding {
    True,
    False,
    Depends,
}

/// The beliefs that a claim names on one side.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

/// Checks a belief.
pub(super) fn belief(raw: RawBelief, place: &Place) -> Result<Belief, String> {
    if !kebab(&raw.id) {
        return Err(format!("the id `{}` is not in kebab case", raw.id));
    }
    for (key, text) in [("saying", Some(&raw.saying)), ("on", raw.on.as_ref())] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() {
            return Err(format!("`{key}` is empty"));
        }
        if text.contains(['\n', '{', '}']) {
            return Err(format!("`{key}` is one line without references"));
        }
    }
    let verdict = match raw.verdict {
        RawStanding::True => Standing::True,
        RawStanding::False => Standing::False,
        RawStanding::Depends => Standing::Depends,
    };
    match (verdict, &raw.on) {
        (Standing::Depends, None) => return Err("`on` is missing: on what it depends".to_owned()),
        (Standing::True | Standing::False, Some(_)) => {
            return Err("`on` has no meaning without `verdict = \"depends\"`".to_owned());
        }
        _ => {}
    }
    if let Some(heard) = &raw.heard
        && !heard.starts_with("https://")
    {
        return Err(format!("`heard` is the address of a source, not `{heard}`"));
    }
    let says = raw.says.trim().to_owned();
    if says.is_empty() {
        return Err("`says` is empty".to_owned());
    }
    let (inlines, mut problems) = references::references(&place.page, &says);
    if let Some(problem) = problems.pop() {
        return Err(problem.message);
    }
    let mut typed = lint::typed_numbers(&place.page, &says);
    if let Some(problem) = typed.pop() {
        return Err(problem.message);
    }
    for words in [Some(&raw.saying), raw.on.as_ref()].into_iter().flatten() {
        if let Some(typed) = lint::typed_in(words).first() {
            return Err(format!("a number typed by hand: `{typed}`"));
        }
    }
    Ok(Belief {
        id: raw.id,
        saying: raw.saying,
        verdict,
        on: raw.on,
        heard: raw.heard,
        says,
        inlines,
        place: place.clone(),
    })
}

/// Checks the beliefs that a claim supports and refutes.
pub(super) fn bearings(
    supports: Option<Names>,
    refutes: Option<Names>,
) -> Result<Vec<Bearing>, String> {
    let mut bears: Vec<Bearing> = Vec::new();
    for (side, names) in [(Side::For, supports), (Side::Against, refutes)] {
        let names = match names {
            None => continue,
            Some(Names::One(name)) => vec![name],
            Some(Names::Several(names)) => names,
        };
        let key = side.key();
        if names.is_empty() {
            return Err(format!("`{key}` is empty"));
        }
        for belief in names {
            if !kebab(&belief) {
                return Err(format!("`{key}` names beliefs by their ids, not `{belief}`"));
            }
            if bears.iter().any(|other| other.belief == belief) {
                return Err(format!("the belief `{belief}` is named twice"));
            }
            bears.push(Bearing { belief, side });
        }
    }
    Ok(bears)
}

#[cfg(test)]
mod tests {
    use super::super::blocks::blocks;
    use super::*;
    use crate::model::{Block, Claim, Inline};
    use std::path::Path;

    fn read(block: &str) -> Result<Block, String> {
        let (mut blocks, problems) = blocks(Path::new("a.md"), block);
        match (blocks.pop(), problems.first()) {
            (Some(block), None) => Ok(block.item),
            (_, problem) => Err(problem.expect("a problem").to_string()),
        }
    }

    fn belief(body: &str) -> Result<Belief, String> {
        match read(&format!("```belief\nid = 'a-b'\n{body}\n```\n"))? {
            Block::Belief(belief) => Ok(belief),
            other => panic!("{other:?}"),
        }
    }

    fn claim(body: &str) -> Result<Claim, String> {
        match read(&format!("```claim\nid = 'c'\nsays = 'S'\nexplored = 'a::b'\n{body}\n```\n"))? {
            Block::Claim(claim) => Ok(claim),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_belief_is_read_with_the_references_of_its_sentence() {
        let read = belief(
            "saying = 'A `pool` wins.'\nverdict = 'depends'\non = 'the size'\n\
             heard = 'https://a.example'\nsays = \"\"\"\nFrom {{crossover g a b}} on: {{claim c}}.\n\"\"\"",
        )
        .unwrap();
        assert_eq!((read.id.as_str(), read.verdict), ("a-b", Standing::Depends));
        assert_eq!(
            (read.on.as_deref(), read.heard.as_deref()),
            (Some("the size"), Some("https://a.example"))
        );
        assert_eq!(read.says, "From {{crossover g a b}} on: {{claim c}}.");
        let found: Vec<&str> =
            read.inlines.iter().map(|one| &read.says[one.range.clone()]).collect();
        assert_eq!(found, ["{{crossover g a b}}", "{{claim c}}"]);
        assert_eq!(read.inlines[1].item, Inline::Claim { id: "c".to_owned() });
        let read = belief("saying = 'S.'\nverdict = 'false'\nsays = 'No.'").unwrap();
        assert_eq!((read.verdict, read.on, read.heard), (Standing::False, None, None));
    }

    #[test]
    fn a_malformed_belief_is_refused_with_the_reason() {
        for (body, expected) in [
            ("verdict = 'true'\nsays = 'S'", "missing field `saying`"),
            ("saying = 'S'\nverdict = 'maybe'\nsays = 'S'", "unknown variant `maybe`"),
            ("saying = ' '\nverdict = 'true'\nsays = 'S'", "`saying` is empty"),
            ("saying = 'S'\nverdict = 'true'\nsays = ' '", "`says` is empty"),
            (
                "saying = 'S {{claim c}}'\nverdict = 'true'\nsays = 'S'",
                "one line without references",
            ),
            ("saying = 'S'\nverdict = 'depends'\nsays = 'S'", "`on` is missing"),
            ("saying = 'S'\nverdict = 'true'\non = 'the size'\nsays = 'S'", "`on` has no meaning"),
            ("saying = 'S'\nverdict = 'true'\nheard = 'me'\nsays = 'S'", "`heard` is the address"),
            ("saying = 'S'\nverdict = 'true'\nsays = 'In 5 ns.'", "typed by hand, `5 ns`"),
            ("saying = '2 ns'\nverdict = 'true'\nsays = 'S'", "typed by hand: `2 ns`"),
            ("saying = 'S'\nverdict = 'true'\nsays = '{{claim}}'", "{{claim …}}: its form is"),
            ("saying = 'S'\nverdict = 'true'\nsays = 'S'\nmore = 1", "unknown field `more`"),
        ] {
            let problem = belief(body).unwrap_err();
            assert!(problem.contains(expected), "{body}\n  gave {problem}\n  not  {expected}");
        }
    }

    #[test]
    fn a_claim_names_beliefs_on_both_sides() {
        let bears = |body: &str| claim(body).map(|claim| claim.bears);
        let one = |belief: &str, side| Bearing { belief: belief.to_owned(), side };
        assert_eq!(bears("").unwrap(), []);
        assert_eq!(bears("supports = 'x-y'").unwrap(), [one("x-y", Side::For)]);
        assert_eq!(
            bears("refutes = ['x', 'y']\nsupports = 'z'").unwrap(),
            [one("z", Side::For), one("x", Side::Against), one("y", Side::Against)]
        );
        for (body, expected) in [
            ("refutes = []", "`refutes` is empty"),
            ("refutes = 'X Y'", "`refutes` names beliefs by their ids, not `X Y`"),
            ("refutes = 'x'\nsupports = 'x'", "the belief `x` is named twice"),
            ("refutes = ['x', 'x']", "the belief `x` is named twice"),
        ] {
            let problem = bears(body).unwrap_err();
            assert!(problem.contains(expected), "{body} gave {problem}");
        }
    }
}
