//! Counts by pod or container, with a bounded number of series.
//!
//! An owner gets a series of its own at its first retransmit, since only a failing owner is worth one. If there are as many series
//! as are allowed, the owner that has had no retransmit for longest makes room if that was long ago, and otherwise the new owner counts
//! as `other`. A series that ends keeps its counts to itself: added to `other` they would look like failures that happen now.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::board::OwnerCounts;
use crate::model::Owner;

/// A series may make room when its owner had no retransmit for so long.
const IDLE_NS: u64 = 3600 * 1_000_000_000;

/// The series.
#[derive(Debug)]
pub(super) struct OwnerSeries {
    series: HashMap<Owner, Series, RandomState>,
    max_series: usize,
    other: OwnerCounts,
}

#[derive(Debug, Default)]
struct Series {
    counts: OwnerCounts,
    last_ns: u64,
}

impl OwnerSeries {
    pub(super) fn new(max_series: usize) -> Self {
        Self { series: HashMap::default(), max_series, other: OwnerCounts::default() }
    }

    /// Counts for an owner that has just retransmitted a SYN.
    pub(super) fn failing(&mut self, owner: &Owner, counts: OwnerCounts, now_ns: u64) {
        if let Some(series) = self.series.get_mut(owner) {
            series.counts += counts;
            series.last_ns = now_ns;
        } else if self.has_room(now_ns) {
            self.series.insert(owner.clone(), Series { counts, last_ns: now_ns });
        } else {
            self.other += counts;
        }
    }

    /// Counts for any owner.
    pub(super) fn add(&mut self, owner: Option<&Owner>, counts: OwnerCounts) {
        let series = owner.and_then(|owner| self.series.get_mut(owner)).map(|series| &mut series.counts);
        *series.unwrap_or(&mut self.other) += counts;
    }

    /// All series, in an order of their own, and the counts of all other owners.
    pub(super) fn counts(&self) -> (Vec<(Owner, OwnerCounts)>, OwnerCounts) {
        let mut all: Vec<_> = self.series.iter().map(|(owner, series)| (owner.clone(), series.counts)).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        (all, self.other)
    }

    fn has_room(&mut self, now_ns: u64) -> bool {
        if self.series.len() < self.max_series {
            return true;
        }
        let idlest = self.series.iter().min_by_key(|(_, series)| series.last_ns);
        let idlest = idlest.filter(|(_, series)| now_ns.saturating_sub(series.last_ns) >= IDLE_NS);
        let Some(owner) = idlest.map(|(owner, _)| owner.clone()) else { return false };
        self.series.remove(&owner).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: OwnerCounts = OwnerCounts { attempts: 0, retransmitted: 1, flagged: 1 };

    fn pod(number: u32) -> Owner {
        Owner::parse(&format!("shop/pod-{number}/"))
    }

    #[test]
    fn the_number_of_series_is_bounded_and_no_count_is_lost() {
        let mut owners = OwnerSeries::new(3);
        for number in 0..10 {
            owners.failing(&pod(number), ONE, 1);
            owners.add(Some(&pod(number)), OwnerCounts { attempts: 1, ..OwnerCounts::default() });
        }
        owners.add(None, OwnerCounts { attempts: 5, ..OwnerCounts::default() });
        let (series, other) = owners.counts();
        assert_eq!(series.len(), 3);
        assert_eq!(other, OwnerCounts { attempts: 12, retransmitted: 7, flagged: 7 });
    }

    #[test]
    fn a_series_without_failures_for_an_hour_makes_room_for_one_that_fails() {
        let mut owners = OwnerSeries::new(2);
        owners.failing(&pod(1), ONE, 0);
        owners.failing(&pod(2), ONE, 5);
        owners.failing(&pod(3), ONE, IDLE_NS - 1);
        assert_eq!(owners.counts().0.len(), 2);
        owners.failing(&pod(4), ONE, IDLE_NS);
        let names: Vec<_> = owners.counts().0.into_iter().map(|(owner, _)| owner).collect();
        assert_eq!(names, [pod(2), pod(4)]);
    }
}
