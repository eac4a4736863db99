//! The error of all clocked claims together.

use crate::machine::statistics::coverage;
use crate::model::{Judgement, Verdict};

/// Says how many of the clocked verdicts are expected to be wrong by chance. An interval covers the
/// true median with a known probability, so each verdict has a small one to be wrong, and a hundred
/// of them have a large one that some are. `None` if no verdict rests on more than one round.
pub fn error<'a>(clocked: impl Iterator<Item = &'a Judgement>) -> Option<String> {
    let decided: Vec<usize> = clocked
        .filter(|judged| matches!(judged.verdict, Verdict::Holds | Verdict::Fails))
        .filter_map(|judged| judged.value.map(|value| value.rounds))
        .collect();
    // The true median lies beyond either end of an interval with the same probability.
    let miss = |rounds: &usize| (1.0 - coverage(*rounds)) / 2.0;
    let misses: Vec<f64> = decided.iter().filter(|rounds| **rounds > 1).map(miss).collect();
    let most = misses.iter().copied().max_by(f64::total_cmp)?;
    let alone = match decided.len() - misses.len() {
        0 => String::new(),
        n => format!(" {n} more rest on one round, which says nothing of the next."),
    };
    Some(format!(
        "{} verdicts rest on intervals over rounds. One misses the true median on the side of its \
         bound with a probability of at most {:.1} %, so at most {:.1} of them are expected to be \
         wrong by chance.{alone}",
        misses.len(),
        most * 100.0,
        misses.iter().sum::<f64>(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Estimate;

    fn judged(verdict: Verdict, rounds: usize) -> Judgement {
        let value = Some(Estimate { value: 2.0, low: 1.9, high: 2.1, rounds });
        Judgement { value, ..Judgement::new(verdict, String::new()) }
    }

    #[test]
    fn a_hundred_verdicts_have_the_error_of_a_hundred() {
        let all = vec![judged(Verdict::Holds, 9); 100];
        let said = error(all.iter()).unwrap();
        assert_eq!(
            said,
            "100 verdicts rest on intervals over rounds. One misses the true median on the side of \
             its bound with a probability of at most 2.0 %, so at most 2.0 of them are expected to \
             be wrong by chance."
        );
    }

    #[test]
    fn only_what_was_decided_counts_and_fewer_rounds_err_more() {
        let all = [
            judged(Verdict::Holds, 9),
            judged(Verdict::Fails, 3),
            judged(Verdict::Undecided, 3),
            judged(Verdict::Holds, 1),
        ];
        let said = error(all.iter()).unwrap();
        assert!(said.starts_with("2 verdicts ") && said.contains("at most 12.5 %"), "{said}");
        assert!(said.contains("at most 0.1 of them"), "{said}");
        assert!(said.ends_with(" 1 more rest on one round, which says nothing of the next."));
        assert_eq!(error([judged(Verdict::Holds, 1)].iter()), None);
        assert_eq!(error([].iter()), None);
    }
}
