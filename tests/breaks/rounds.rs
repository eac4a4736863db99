//! Rounds: the breaks that are applied together.

use press::breaks::Break;
use std::collections::BTreeSet;

/// Divides `breaks` into rounds. A round has at most one break of each technique, or those that the
/// table lets share one. An edit of another technique's file counts as a break of both.
pub(super) fn rounds(breaks: &[&Break]) -> Vec<Vec<usize>> {
    #[derive(Default)]
    struct Round<'a> {
        breaks: Vec<usize>,
        techniques: BTreeSet<&'a str>,
        shared: BTreeSet<(&'a str, u32)>,
    }
    let mut rounds: Vec<Round> = vec![];
    for (index, one) in breaks.iter().enumerate() {
        let own = one.technique.as_str();
        let mut techniques: BTreeSet<&str> =
            one.files().filter_map(owner).filter(|owner| *owner != own).collect();
        let shared = one.round.map(|round| (own, round));
        let place = rounds.iter().position(|round| match shared {
            Some(shared) if round.shared.contains(&shared) => {
                round.techniques.is_disjoint(&techniques)
            }
            _ => !round.techniques.contains(own) && round.techniques.is_disjoint(&techniques),
        });
        techniques.insert(own);
        let place = place.unwrap_or_else(|| {
            rounds.push(Round::default());
            rounds.len() - 1
        });
        rounds[place].breaks.push(index);
        rounds[place].techniques.extend(techniques);
        rounds[place].shared.extend(shared);
    }
    rounds.into_iter().map(|round| round.breaks).collect()
}

/// Returns the technique whose code a file is, if it is a technique's.
fn owner(file: &str) -> Option<&str> {
    let parts: Vec<&str> = file.split('/').collect();
    match parts[..] {
        ["src", _, technique] | ["examples", technique] => technique.strip_suffix(".rs"),
        ["src", _, technique, ..] => Some(technique),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(breaks: &[(&str, &str, Option<u32>)]) -> Vec<Vec<usize>> {
        let breaks: Vec<Break> = breaks
            .iter()
            .map(|&(technique, file, round)| {
                let text = format!("file = '{file}'\nfrom = 'a'\nto = 'b'");
                let mut one: Break = toml::from_str(&text).unwrap();
                (one.technique, one.round) = (technique.into(), round);
                one
            })
            .collect();
        rounds(&breaks.iter().collect::<Vec<_>>())
    }

    #[test]
    fn techniques_share_a_round_and_breaks_of_one_do_not() {
        let breaks = [
            ("a", "src/x/a/mod.rs", None),
            ("a", "src/x/a/mod.rs", None),
            ("b", "src/x/b.rs", None),
        ];
        assert_eq!(planned(&breaks), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn breaks_with_the_same_number_share_a_round() {
        let breaks = [
            ("a", "src/x/a/mod.rs", Some(1)),
            ("a", "src/x/a/mod.rs", None),
            ("a", "src/x/a/mod.rs", Some(1)),
        ];
        assert_eq!(planned(&breaks), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn an_edit_of_another_techniques_file_keeps_its_breaks_away() {
        let breaks = [("a", "examples/b.rs", None), ("b", "src/x/b/mod.rs", None)];
        assert_eq!(planned(&breaks), [vec![0], vec![1]]);
    }
}
