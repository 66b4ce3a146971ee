//! Destinations that a filter does not concern: a neighbour, a partner's network, a way around it.

use super::conclusion::{MAX_NAMED_DESTINATIONS, PassingDestinations, Sides, SupportingDestination, answers_often};
use super::significance::{self, Stratum};
use crate::model::Answers;

/// Those that answer ports outside, where chance does not explain that others do not: else any of them may answer now and then.
pub(super) fn find(sides: &[SupportingDestination]) -> PassingDestinations {
    let (mut passing, others): (Vec<_>, Vec<_>) = sides.iter().copied().partition(|of| answers_often(of.outside));
    let outside = |of: &[SupportingDestination]| of.iter().map(|of| of.outside).sum::<Answers>();
    let (passed, denied) = (outside(&passing), outside(&others));
    if passing.is_empty() || !fare_otherwise(passed, denied, passing.len(), sides.len()) {
        let inside = sides.iter().map(|of| of.inside).sum();
        return PassingDestinations {
            others: Sides { inside, outside: outside(sides) },
            ..PassingDestinations::default()
        };
    }
    let others = Sides { inside: others.iter().map(|of| of.inside).sum(), outside: denied };
    let count = passing.len();
    passing.sort_by_key(|of| std::cmp::Reverse(of.outside.total()));
    passing.truncate(MAX_NAMED_DESTINATIONS);
    PassingDestinations { count, outside: passed, named: passing, others }
}

/// Whether chance explains too seldom that so many of all destinations, chosen because they are, are answered otherwise than the rest.
pub(crate) fn fare_otherwise(chosen: Answers, others: Answers, how_many: usize, of_all: usize) -> bool {
    let evidence = significance::evidence(&[Stratum::of(chosen, others)]);
    significance::is_enough_for_choice(evidence.total, of_all, how_many)
}

#[cfg(test)]
mod tests {
    use tracer_common::Flow;

    use super::*;
    use crate::infer::Destination;

    /// Destinations by how many of their attempts from ports outside were answered.
    fn found(outside: &[(u64, u64)]) -> usize {
        let flow = Flow::new("192.0.2.1:1".parse().unwrap(), "203.0.113.1:443".parse().unwrap());
        let inside = Answers { answered: 9, unanswered: 0 };
        let side = |&(answered, all): &(u64, u64)| SupportingDestination {
            destination: Destination::of(&flow),
            inside,
            outside: Answers { answered, unanswered: all - answered },
        };
        find(&outside.iter().map(side).collect::<Vec<_>>()).count
    }

    #[test]
    fn destinations_pass_ports_where_chance_does_not_set_them_apart() {
        assert_eq!(found(&[(0, 9), (0, 9), (9, 9), (8, 8)]), 2);
        assert_eq!(found(&[(0, 40), (0, 40), (4, 4)]), 1);
        // One answer, or answers now and then from any.
        assert_eq!(found(&[(0, 9), (0, 9), (1, 1)]), 0);
        assert_eq!(found(&[(0, 4), (2, 4), (1, 4), (3, 4), (2, 4), (0, 4), (2, 4), (3, 4)]), 0);
        assert_eq!(found(&[(0, 9), (0, 9)]), 0);
    }
}
