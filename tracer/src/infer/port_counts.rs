//! Exact counts per port: answered and unanswered attempts.

use super::answer_counts::AnswerCounts;
use crate::fetch::fetch;

const PORTS: usize = 1 << 16;

/// 512 KiB from the first attempt on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PortCounts(Vec<[u32; 2]>);

/// A port that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedPort {
    pub(super) port: u16,
    pub(super) answers: AnswerCounts,
}

impl PortCounts {
    pub(super) fn add(&mut self, port: u16, answered: bool) {
        if self.0.is_empty() {
            self.0 = vec![[0; 2]; PORTS];
        }
        let count = &mut self.0[usize::from(port)][usize::from(answered)];
        *count = count.saturating_add(1);
    }

    /// Has the port's counts fetched.
    pub(super) fn fetch(&self, port: u16) {
        fetch(self.0.get(usize::from(port)));
    }

    /// The ports that were used, in ascending order.
    pub(super) fn seen(&self) -> Vec<UsedPort> {
        let ports = (0..=u16::MAX).zip(&self.0);
        ports
            .filter(|(_, counts)| counts.iter().any(|&count| count > 0))
            .map(|(port, counts)| UsedPort { port, answers: AnswerCounts::of(*counts) })
            .collect()
    }

    /// Bytes allocated.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<[u32; 2]>()
    }
}
