//! Exact counts per port: answered and unanswered attempts.

use crate::fetch::fetch;
use crate::model::Answers;

const PORTS: usize = 1 << 16;
/// Attempts that are kept one by one: clearing and reading the counts of all ports costs more than sorting so few.
const MAX_SINGLE: usize = 4096;

/// 512 KiB once there are more than a few attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PortCounts {
    /// The first attempts; empty once ports are counted.
    single: Vec<(u16, bool)>,
    counts: Vec<[u32; 2]>,
}

/// A port that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedPort {
    pub(super) port: u16,
    pub(super) answers: Answers,
}

impl PortCounts {
    pub(super) fn add(&mut self, port: u16, answered: bool) {
        if !self.counts.is_empty() {
            return self.count(port, answered);
        }
        self.single.push((port, answered));
        if self.single.len() > MAX_SINGLE {
            self.counts = vec![[0; 2]; PORTS];
            std::mem::take(&mut self.single).into_iter().for_each(|(port, answered)| self.count(port, answered));
        }
    }

    fn count(&mut self, port: u16, answered: bool) {
        let count = &mut self.counts[usize::from(port)][usize::from(answered)];
        *count = count.saturating_add(1);
    }

    /// Has the port's counts fetched.
    pub(super) fn fetch(&self, port: u16) {
        fetch(self.counts.get(usize::from(port)));
    }

    /// The ports that were used, in ascending order.
    pub(super) fn seen(&self) -> Vec<UsedPort> {
        let counted = (0..=u16::MAX).zip(&self.counts).filter(|(_, counts)| **counts != [0; 2]);
        let mut seen: Vec<_> = counted.map(|(port, counts)| UsedPort { port, answers: Answers::of(*counts) }).collect();
        let mut single = self.single.clone();
        single.sort_unstable();
        for of_port in single.chunk_by(|(a, _), (b, _)| a == b) {
            let mut answers = Answers::default();
            of_port.iter().for_each(|&(_, answered)| answers.add(answered));
            seen.push(UsedPort { port: of_port[0].0, answers });
        }
        seen
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<[u32; 2]>() + self.single.capacity() * size_of::<(u16, bool)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_the_same_however_many_attempts_there_are() {
        let mut counts = PortCounts::default();
        let attempts = |of: u32| (0..of).map(|number| ((number * 40_503 % 1000) as u16, number % 3 == 0));
        attempts(MAX_SINGLE as u32).for_each(|(port, answered)| counts.add(port, answered));
        let before = counts.seen();
        assert!(counts.counts.is_empty() && before.is_sorted_by_key(|seen| seen.port) && before.len() == 1000);
        counts.add(0, true);
        let mut after = counts.seen();
        after[0].answers.answered -= 1;
        assert!(counts.single.is_empty() && before == after);
    }
}
