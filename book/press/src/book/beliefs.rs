//! Checks that each belief is judged by claims, and that its sentence still follows from them.

use crate::belief::{Belief, Side, Standing, Tally};
use crate::chapter::Page;
use crate::machine::Machine;
use crate::model::{Claim, Judgement, Place, Problem, Verdict};
use std::collections::BTreeMap;

/// Returns a problem for each belief that is declared twice, that no claim bears on, or whose
/// declared verdict the claims no longer give; and for each claim that bears on an unknown belief.
///
/// The verdict is that of the reference machine, the first of `machines`, or of the next one that
/// has measured any of the claims. Without a recording, there is nothing to compare with. `judge`
/// returns a claim's judgements on `machines`, in their order.
pub(super) fn problems(
    pages: &[Page],
    machines: &[Machine],
    judge: impl Fn(&Claim) -> Vec<Judgement>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut places: BTreeMap<&str, &Place> = BTreeMap::new();
    for belief in pages.iter().flat_map(Page::beliefs) {
        let messages = match places.insert(&belief.id, &belief.place) {
            Some(first) => Some(format!("the belief `{}` is declared already: {first}", belief.id)),
            None => unsupported(belief, &about(pages, &belief.id), machines, &judge),
        };
        found.extend(messages.map(|message| problem(&belief.place, message)));
    }
    for claim in pages.iter().flat_map(Page::claims) {
        for bearing in &claim.bears {
            if !places.contains_key(bearing.belief.as_str()) {
                let message = format!(
                    "the claim `{}` {} the belief `{}`, which no page declares",
                    claim.id,
                    bearing.side.key(),
                    bearing.belief
                );
                found.push(problem(&claim.place, message));
            }
        }
    }
    found
}

fn problem(place: &Place, message: String) -> Problem {
    Problem { place: place.clone(), message }
}

/// Returns the claims that bear on a belief, with the side that each takes.
fn about<'a>(pages: &'a [Page], id: &str) -> Vec<(Side, &'a Claim)> {
    pages
        .iter()
        .flat_map(Page::claims)
        .flat_map(|claim| claim.bears.iter().map(move |bearing| (bearing, claim)))
        .filter(|(bearing, _)| bearing.belief == id)
        .map(|(bearing, claim)| (bearing.side, claim))
        .collect()
}

/// Returns the reason why `claims` do not support the sentence of `belief`, if there is one.
fn unsupported(
    belief: &Belief,
    claims: &[(Side, &Claim)],
    machines: &[Machine],
    judge: impl Fn(&Claim) -> Vec<Judgement>,
) -> Option<String> {
    let id = &belief.id;
    if claims.is_empty() {
        return Some(format!(
            "no claim bears on the belief `{id}`: a claim says `{} = \"{id}\"` or `{} = \"{id}\"`",
            Side::For.key(),
            Side::Against.key()
        ));
    }
    let judgements: Vec<_> = claims.iter().map(|(_, claim)| judge(claim)).collect();
    let judged = machines.iter().enumerate().map(|(i, machine)| {
        let verdicts: Vec<(Side, &Claim, &Verdict)> = claims
            .iter()
            .zip(&judgements)
            .map(|((side, claim), on)| (*side, *claim, &on[i].verdict))
            .collect();
        let tally = Tally::new(verdicts.iter().map(|(side, _, verdict)| (*side, *verdict)));
        (machine, tally.standing(), verdicts)
    });
    let judged: Vec<_> = judged.collect();
    let measured = judged.iter().find(|(_, standing, _)| *standing != Standing::NotMeasured);
    let (machine, standing, verdicts) = measured.or(judged.first())?;
    if *standing == belief.verdict {
        return None;
    }
    let grounds: Vec<String> = verdicts
        .iter()
        .map(|(side, claim, verdict)| {
            format!("`{}`, which {} it, {}", claim.id, side.key(), is(verdict))
        })
        .collect();
    Some(format!(
        "the belief `{id}` is declared `{}`, but on {} its claims make it `{}`: {}",
        belief.verdict.words(),
        machine.name,
        standing.words(),
        grounds.join("; ")
    ))
}

/// Returns a verdict as the rest of a sentence about a claim.
fn is(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Undecided | Verdict::NotSeen | Verdict::NotMeasured | Verdict::NotPossible(_) => {
            format!("is {}", verdict.words())
        }
        Verdict::Holds | Verdict::Fails | Verdict::DoesNotApply(_) => verdict.words().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chapter::page;
    use crate::machine::Counts;
    use crate::prove::judge;
    use serde_json::json;
    use std::path::Path;

    /// A page with a belief that is declared `verdict` and one claim for each of `sides`, whose
    /// count is that of its place.
    fn book(verdict: &str, sides: &[&str]) -> Vec<Page> {
        let on = if verdict == "depends" { "on = 'the size'\n" } else { "" };
        let mut text = format!(
            "# A\n\n```belief\nid = 'pools-win'\nsaying = 'S.'\nverdict = '{verdict}'\n{on}\
             says = 'S.'\n```\n"
        );
        for (i, side) in sides.iter().enumerate() {
            text += &format!(
                "\n```claim\nid = 'c{i}'\nsays = 'S'\ncounted = 'e/v.c{i}'\nequals = 1\n\
                 {side} = 'pools-win'\n```\n"
            );
        }
        let (page, problems) = page(Path::new("a.md"), "A", &text);
        assert!(problems.is_empty(), "{problems:?}");
        vec![page]
    }

    fn machine(name: &str, counts: &[u32]) -> Machine {
        let mut machine = Machine::new(name);
        let values =
            counts.iter().enumerate().map(|(i, n)| (format!("v.c{i}"), json!(n))).collect();
        let counts = Counts { date: "2026-01-01T00:00:00Z".into(), commit: None, values };
        machine.counts.insert("e".into(), counts);
        machine
    }

    fn found(pages: &[Page], machines: &[Machine]) -> Vec<String> {
        let judge = |claim: &Claim| machines.iter().map(|on| judge::judge(claim, on)).collect();
        problems(pages, machines, judge).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_sentence_that_its_claims_support_is_no_problem() {
        for (verdict, sides, counts) in [
            ("true", &["supports"][..], &[1][..]),
            ("false", &["refutes", "refutes"], &[1, 1]),
            ("depends", &["refutes", "supports"], &[1, 1]),
            ("false", &["refutes", "supports"], &[1, 7]),
        ] {
            let pages = book(verdict, sides);
            assert_eq!(found(&pages, &[machine("m", counts)]), Vec::<String>::new(), "{verdict}");
        }
        assert_eq!(found(&book("true", &["refutes"]), &[]), Vec::<String>::new(), "no recording");
    }

    #[test]
    fn a_belief_without_a_claim_is_named() {
        let expected = "book/src/a.md:3: no claim bears on the belief `pools-win`: a claim says \
                        `supports = \"pools-win\"` or `refutes = \"pools-win\"`";
        assert_eq!(found(&book("true", &[]), &[machine("m", &[])]), [expected]);
        assert_eq!(found(&book("true", &[]), &[]), [expected], "even without a recording");
    }

    #[test]
    fn a_belief_that_its_claims_no_longer_support_is_named_with_the_reason() {
        let depends = book("depends", &["refutes", "supports"]);
        assert_eq!(
            found(&depends, &[machine("m", &[1, 7])]),
            ["book/src/a.md:3: the belief `pools-win` is declared `depends`, but on m its claims \
              make it `false`: `c0`, which refutes it, holds; `c1`, which supports it, fails"]
        );
        let said = found(&depends, &[machine("m", &[1])]);
        assert!(said[0].contains("make it `false`: ") && said[0].contains("is not measured"));
        let said = found(&book("true", &["supports"]), &[machine("m", &[7])]);
        assert!(said[0].contains("declared `true`, but on m its claims make it `undecided`"));
        let said = found(&book("true", &["supports"]), &[machine("m", &[])]);
        assert!(said[0].contains("make it `not measured`: `c0`"), "{said:?}");
    }

    #[test]
    fn the_first_machine_that_measured_a_claim_decides() {
        let pages = book("true", &["supports"]);
        assert_eq!(found(&pages, &[machine("a", &[]), machine("b", &[1])]), Vec::<String>::new());
        let said = found(&pages, &[machine("a", &[7]), machine("b", &[1])]);
        assert!(said[0].contains("but on a its claims make it `undecided`"), "{said:?}");
    }

    #[test]
    fn a_claim_about_an_unknown_belief_and_a_belief_twice_are_named() {
        let mut pages = book("true", &["supports"]);
        let text = pages[0].markdown.replace("supports = 'pools-win'", "refutes = 'pool-wins'");
        pages.push(page(Path::new("b.md"), "B", &text).0);
        let said = found(&pages, &[machine("m", &[1])]);
        assert_eq!(
            said,
            [
                "book/src/b.md:3: the belief `pools-win` is declared already: book/src/a.md:3",
                "book/src/b.md:10: the claim `c0` refutes the belief `pool-wins`, which no page \
                 declares",
            ]
        );
    }
}
