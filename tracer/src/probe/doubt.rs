//! How many unanswered connections in a row loss does not explain.

use super::ledger::Controls;
use super::runs::Run;

/// Loss may explain the silence of an edge with this probability.
pub(super) const MAX_EDGE_DOUBT: f64 = 1e-5;
/// The same where the connections are used up before that: an edge is said to be where it is with this probability of being wrong.
pub(super) const MAX_CLAIM_DOUBT: f64 = 1e-4;
/// The same of a hole.
pub(super) const MAX_HOLE_DOUBT: f64 = 1e-9;
/// A closed range of fewer ports is a hole.
pub(super) const MAX_HOLE_PORTS: u16 = 256;
/// The same of a port from which the search goes on, over many ports and over few: a mistake is found out later, at a cost.
pub(super) const MAX_WIDE_DOUBT: f64 = 0.005;
pub(super) const MAX_NARROW_DOUBT: f64 = 0.08;
/// No more than so many are asked for.
const MAX_SILENCES: u32 = 40;

impl Controls {
    /// So many unanswered connections in a row happen with less than this probability, if ports are not why.
    ///
    /// The share that gets lost is known only from the controls, so its whole distribution counts (beta, with the prior of Jeffreys).
    pub(super) fn silences(self, doubt: f64) -> u32 {
        let (failed, made) = (f64::from(self.failed) + 0.5, f64::from(self.made) + 1.0);
        let mut probability = 1.0;
        let explains = |count: &u32| {
            let before = f64::from(*count - 1);
            probability *= (failed + before) / (made + before);
            probability < doubt
        };
        (1..MAX_SILENCES).find(explains).unwrap_or(MAX_SILENCES)
    }
}

/// Whether loss does not explain why none of these ports was answered. There are many places for a narrow hole, and few filters have one.
pub(super) fn is_sure(run: &Run, loss: Controls) -> bool {
    let is_narrow = run.last - run.first < MAX_HOLE_PORTS;
    run.silent >= if is_narrow { loss.silences(MAX_HOLE_DOUBT).max(6) } else { enough(loss) }
}

/// How often an edge must be silent.
pub(super) fn enough(loss: Controls) -> u32 {
    loss.silences(MAX_EDGE_DOUBT).max(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_silence_is_needed_where_more_gets_lost_and_where_less_is_known() {
        let of = |failed, made, doubt| Controls { made, failed }.silences(doubt);
        assert_eq!([of(0, 0, 0.3), of(0, 60, 1e-5), of(12, 60, 1e-5), of(40, 60, 1e-5)], [4, 3, 9, 38]);
        assert!(of(0, 10, 1e-5) > of(0, 60, 1e-5) && of(12, 60, 1e-9) > of(12, 60, 1e-5));
    }
}
