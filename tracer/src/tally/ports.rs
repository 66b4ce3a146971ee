//! An exact counter for every port, and the columns of a picture made of them.

use super::Answer;
use crate::model::Answers;

/// The lowest port that random NAT draws; the left end of the picture.
pub const LOWEST: u32 = 1024;
/// The right end, included.
pub const HIGHEST: u32 = 65535;

/// Unanswered and answered attempts of each port of an address family: half a megabyte once the first port is counted.
#[derive(Debug, Default)]
pub struct PortAnswers(Vec<[u32; 2]>);

impl PortAnswers {
    /// Counts an attempt; one that is undecided says nothing about its port.
    pub fn add(&mut self, port: u16, answer: Answer) {
        let answered = match answer {
            Answer::Undecided => return,
            Answer::Unanswered => 0,
            Answer::Answered => 1,
        };
        if self.0.is_empty() {
            self.0 = vec![[0; 2]; 1 << 16];
        }
        let count = &mut self.0[usize::from(port)][answered];
        *count = count.saturating_add(1);
    }

    /// An attempt that was counted as unanswered was answered later.
    pub fn answered_later(&mut self, port: u16) {
        if let Some([unanswered, _]) = self.0.get_mut(usize::from(port)) {
            *unanswered = unanswered.saturating_sub(1);
        }
        self.add(port, Answer::Answered);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total() == (0, 0)
    }

    /// Answered and unanswered attempts of the ports from `low` to `high`, both included.
    pub fn between(&self, low: u32, high: u32) -> (u64, u64) {
        let counts = self.0.get(low as usize..=high as usize).unwrap_or_default();
        let Answers { answered, unanswered } = counts.iter().map(|count| Answers::of(*count)).sum();
        (answered, unanswered)
    }

    /// The sum over all ports.
    pub fn total(&self) -> (u64, u64) {
        self.between(0, HIGHEST)
    }

    /// The columns of a picture from [`LOWEST`] to [`HIGHEST`], each of `width` ports, the last perhaps of fewer: first
    /// port, last port, and their counts.
    pub fn columns(&self, width: u32) -> impl Iterator<Item = (u32, u32, (u64, u64))> + '_ {
        (LOWEST..=HIGHEST).step_by(width.max(1) as usize).map(move |low| {
            let high = (low + width.max(1) - 1).min(HIGHEST);
            (low, high, self.between(low, high))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_the_picture_is_in_exactly_one_column() {
        let mut ports = PortAnswers::default();
        for port in 0..=u16::MAX {
            ports.add(port, if port < 32768 { Answer::Unanswered } else { Answer::Answered });
        }
        for width in [1, 256, 512, 1000, 1024, 70_000] {
            let columns: Vec<_> = ports.columns(width).collect();
            assert_eq!(columns.first().map(|column| column.0), Some(LOWEST));
            assert_eq!(columns.last().map(|column| column.1), Some(HIGHEST));
            assert!(columns.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{width}");
            let sum = columns.iter().fold((0, 0), |sum, (_, _, counts)| (sum.0 + counts.0, sum.1 + counts.1));
            assert_eq!(sum, (32768, 32768 - u64::from(LOWEST)), "{width}");
        }
        assert_eq!(ports.total(), (32768, 32768));
    }

    #[test]
    fn with_columns_of_1024_the_usual_border_is_the_border_of_a_column() {
        let mut ports = PortAnswers::default();
        ports.add(32767, Answer::Unanswered);
        ports.add(32768, Answer::Answered);
        let columns: Vec<_> = ports.columns(1024).collect();
        assert_eq!(columns.len(), 63);
        assert_eq!(columns[30], (31744, 32767, (0, 1)));
        assert_eq!(columns[31], (32768, 33791, (1, 0)));
    }

    #[test]
    fn what_is_undecided_is_not_in_the_picture() {
        let mut ports = PortAnswers::default();
        ports.add(5000, Answer::Undecided);
        assert!(ports.is_empty());
        assert_eq!(PortAnswers::default().total(), (0, 0));
        assert_eq!(PortAnswers::default().columns(1024).count(), 63);
    }
}
