//! The worst of many, in bounded memory.

use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Counts;

/// Keys that have a row of their own.
const MAX_ROWS: usize = 65_536;

/// Counts by key. When there are too many keys, the better half makes room and is counted together.
#[derive(Debug)]
pub struct Top<K> {
    rows: HashMap<K, Counts, RandomState>,
    most: usize,
    folded: Counts,
}

/// The worst, and what all the others add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking<K> {
    /// The worst first.
    pub worst: Vec<(K, Counts)>,
    /// How many others there are; with `is_exact` false there may be more.
    pub others: u64,
    /// What they add up to.
    pub rest: Counts,
    /// Nothing had to make room, so every count is exact. Otherwise those of `worst` are at least so high.
    pub is_exact: bool,
}

impl<K> Default for Top<K> {
    fn default() -> Self {
        Self::of_at_most(MAX_ROWS)
    }
}

impl<K> Top<K> {
    fn of_at_most(most: usize) -> Self {
        Self { rows: HashMap::default(), most, folded: Counts::default() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Top<K> {
    /// Counts attempts of a key.
    pub fn add(&mut self, key: K, counts: Counts) {
        if let Some(row) = self.rows.get_mut(&key) {
            *row += counts;
            return;
        }
        if self.rows.len() >= self.most {
            self.fold();
        }
        self.rows.insert(key, counts);
    }

    /// The `most` worst.
    pub fn ranking(&self, most: usize) -> Ranking<K> {
        let mut worst = self.sorted();
        let rest = worst.split_off(most.min(worst.len()));
        let others = rest.len() as u64;
        let rest = rest.into_iter().fold(self.folded, |mut sum, (_, counts)| {
            sum += counts;
            sum
        });
        Ranking { worst, others, rest, is_exact: self.folded == Counts::default() }
    }

    /// By severity, then by key, so that a report is the same each time.
    fn sorted(&self) -> Vec<(K, Counts)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(key, &counts)| (key.clone(), counts)).collect();
        rows.sort_unstable_by(|(a, x), (b, y)| (x.severity(), a).cmp(&(y.severity(), b)));
        rows
    }

    fn fold(&mut self) {
        let better = self.sorted().split_off(self.most / 2);
        for (key, counts) in better {
            self.rows.remove(&key);
            self.folded += counts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(attempts: u64, unanswered: u64) -> Counts {
        Counts { attempts, unanswered, ..Counts::default() }
    }

    #[test]
    fn the_worst_come_first_and_the_rest_is_added_up() {
        let mut top = Top::default();
        for (key, failed) in [('a', 1), ('b', 5), ('c', 0), ('d', 5), ('b', 1)] {
            top.add(key, counts(10, failed));
        }
        let ranking = top.ranking(2);
        assert_eq!(ranking.worst, [('b', counts(20, 6)), ('d', counts(10, 5))]);
        assert_eq!((ranking.others, ranking.rest, ranking.is_exact), (2, counts(20, 1), true));
        assert_eq!(top.ranking(9).rest, Counts::default());
    }

    #[test]
    fn too_many_keys_make_room_without_losing_an_attempt() {
        let mut top = Top::of_at_most(100);
        for key in 0..10_000_u32 {
            top.add(key, counts(1, 0));
            top.add(7, counts(1, 1));
        }
        assert!(top.rows.len() <= 100);
        let ranking = top.ranking(5);
        assert_eq!(ranking.worst[0].0, 7);
        assert!(!ranking.is_exact);
        let sum = ranking.worst.iter().fold(ranking.rest.attempts, |sum, (_, counts)| sum + counts.attempts);
        assert_eq!(sum, 20_000);
    }
}
