//! The order in which the benchmarks of a group run.
//!
//! Whatever runs before a benchmark can change its time: allocator and kernel state, the clock
//! frequency, temperature. So the variants of one parameter change places from round to round, and
//! the two measurements of the same code are apart.

/// The place of a benchmark in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) parameter: Option<String>,
    /// For the second measurement of the same code: the index of the first.
    pub(crate) again: Option<usize>,
}

/// Returns the indices of `places` in the order in which they run.
///
/// Parameters keep the order of the code. The variants of one parameter are rotated by half the
/// number of the round, and reversed in odd rounds, so each order is taken forward and backward;
/// without a round they keep the order of the code. A second measurement runs half the variants
/// away from the first. If a parameter has fewer than three variants, its second measurements run
/// after all parameters or before them.
pub(crate) fn order(places: &[Place], round: Option<usize>) -> Vec<usize> {
    let mut blocks: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
    for (index, place) in places.iter().enumerate().filter(|(_, place)| place.again.is_none()) {
        let parameter = place.parameter.as_deref();
        match blocks.iter_mut().find(|(of, _)| *of == parameter) {
            Some((_, members)) => members.push(index),
            None => blocks.push((parameter, vec![index])),
        }
    }
    let mut apart = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let Some(first) = place.again else { continue };
        let block = blocks.iter_mut().find_map(|(_, members)| {
            let at = members.iter().position(|&member| member == first)?;
            Some((members, at))
        });
        match block {
            Some((members, at)) if members.len() >= 3 => {
                let half = members.len() / 2;
                let far = if at + half < members.len() { at + half + 1 } else { at - half };
                members.insert(far, index);
            }
            _ => apart.push(index),
        }
    }
    let odd = round.is_some_and(|round| round % 2 == 1);
    let mut inside = Vec::new();
    for (_, mut members) in blocks {
        let turn = round.unwrap_or(0) / 2 % members.len();
        members.rotate_left(turn);
        if odd {
            members.reverse();
        }
        inside.extend(members);
    }
    let after = [inside.clone(), apart.clone()].concat();
    let before = [apart, inside].concat();
    let (usual, other) = if odd { (before, after) } else { (after, before) };
    if nearest(&other, places) > nearest(&usual, places) { other } else { usual }
}

/// Returns the smallest distance between two measurements of the same code.
fn nearest(order: &[usize], places: &[Place]) -> usize {
    let at = |index| order.iter().position(|&member| member == index);
    let distance = |index: &usize| Some(at(*index)?.abs_diff(at(places[*index].again?)?));
    order.iter().filter_map(distance).min().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `a1 b1 a1' …`: a variant, its parameter, and a mark for the second measurement.
    fn places(text: &str) -> Vec<Place> {
        let names: Vec<&str> = text.split(' ').collect();
        let one = |name: &&str| Place {
            parameter: name.get(1..2).map(str::to_owned),
            again: name
                .strip_suffix('\'')
                .and_then(|first| names.iter().position(|name| *name == first)),
        };
        names.iter().map(one).collect()
    }

    fn ordered(text: &str, round: Option<usize>) -> String {
        let names: Vec<&str> = text.split(' ').collect();
        let order = order(&places(text), round);
        order.into_iter().map(|index| names[index]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn without_a_round_the_order_is_that_of_the_code() {
        assert_eq!(ordered("a1 b1 c1 a2 b2 c2", None), "a1 b1 c1 a2 b2 c2");
        assert_eq!(ordered("a1 a2 b1 b2", None), "a1 b1 a2 b2", "parameter by parameter");
    }

    #[test]
    fn rounds_rotate_the_variants_and_odd_ones_reverse_them() {
        assert_eq!(ordered("a1 b1 c1 a2 b2 c2", Some(0)), "a1 b1 c1 a2 b2 c2");
        assert_eq!(ordered("a1 b1 c1 a2 b2 c2", Some(1)), "c1 b1 a1 c2 b2 a2");
        assert_eq!(ordered("a1 b1 c1 a2 b2 c2", Some(2)), "b1 c1 a1 b2 c2 a2");
        assert_eq!(ordered("a1 b1 c1 a2 b2 c2", Some(3)), "a1 c1 b1 a2 c2 b2");
        for places in 2..8 {
            let variants: Vec<String> =
                (0..places).map(|n| format!("{}1", (b'a' + n) as char)).collect();
            for variant in &variants {
                let firsts = (0..2 * variants.len()).filter(|&round| {
                    ordered(&variants.join(" "), Some(round)).starts_with(variant)
                });
                assert!(firsts.count() > 0, "{variant} of {places} is never the first");
            }
        }
    }

    #[test]
    fn the_two_measurements_of_the_same_code_are_never_neighbors() {
        for text in [
            "a1 b1 c1 a1'",
            "a1 b1 c1 d1 e1 c1'",
            "a1 b1 c1 d1 e1 f1 f1'",
            "a1 b1 c1 d1 a2 b2 c2 d2 a1' a2'",
            "a1 a2 a3 a4 a1' a2' a3' a4'",
            "a1 b1 a2 b2 a1' a2'",
            "a1 b1 a1'",
        ] {
            for round in [None].into_iter().chain((0..20).map(Some)) {
                let places = places(text);
                let order = order(&places, round);
                assert_eq!(order.len(), places.len());
                assert!(nearest(&order, &places) >= 2, "{text} in round {round:?}: {order:?}");
            }
        }
    }
}
