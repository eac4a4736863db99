//! The looks of the functions in a chapter's figures: which of the eight colors, dashes and
//! markers each has.

use crate::model::Figure;
use std::collections::BTreeMap;

/// The number of looks.
const MOST: usize = Figure::MOST;

/// The look of each function of a chapter, as far as its figures can agree on one.
#[derive(Clone, Debug, Default)]
pub struct Looks(BTreeMap<String, usize>);

impl Looks {
    /// Chooses looks for the functions of a chapter's figures. Two functions of one figure differ;
    /// beyond that, each function of the chapter gets one of the looks used least so far.
    pub fn choose(figures: &[Vec<String>]) -> Looks {
        let mut looks = BTreeMap::new();
        for name in figures.iter().flatten() {
            if looks.contains_key(name) {
                continue;
            }
            let beside = |other: &String| {
                figures.iter().any(|figure| figure.contains(name) && figure.contains(other))
            };
            let cost = |look: usize| {
                let same = looks.iter().filter(|(_, taken)| **taken == look);
                let clashes = same.clone().filter(|(other, _)| beside(other)).count();
                (clashes, same.count(), look)
            };
            let best = (0..MOST).min_by_key(|look| cost(*look)).unwrap_or(0);
            looks.insert(name.clone(), best);
        }
        Looks(looks)
    }

    /// Returns the looks of one figure's functions, no two alike for up to `MOST` of them: a
    /// function whose look is taken gets one that is left.
    pub fn of(&self, names: &[String]) -> Vec<usize> {
        let mut taken: Vec<usize> = Vec::new();
        let mut own: Vec<Option<usize>> = Vec::new();
        for name in names {
            let look = self.0.get(name).copied().filter(|look| !taken.contains(look));
            taken.extend(look);
            own.push(look);
        }
        let mut left = (0..).filter(|look| !taken.contains(look));
        own.into_iter().map(|look| look.or_else(|| left.next()).unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        list.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn no_two_functions_of_a_figure_look_alike() {
        // Twelve functions over three figures, among them pairs that the colors must separate.
        let figures =
            [names("a b c d e f g h"), names("i a j b k c l d"), names("h i g j f k e l")];
        let looks = Looks::choose(&figures);
        for figure in &figures {
            let mut of = looks.of(figure);
            of.sort_unstable();
            assert_eq!(of, (0..MOST).collect::<Vec<_>>(), "{figure:?}");
        }
    }

    #[test]
    fn a_function_keeps_its_look_across_figures() {
        let figures = [names("pool malloc"), names("malloc stack arena"), names("arena pool")];
        let looks = Looks::choose(&figures);
        let [first, second, third] = figures.map(|figure| looks.of(&figure));
        assert_eq!(first, [0, 1]);
        assert_eq!((second[0], third[1]), (first[1], first[0]));
        assert_eq!(second[2], third[0]);
    }
}
