//! Whether the ports of attempts are drawn for each attempt, as fully random masquerade has it, or belong to clients: plain masquerade
//! keeps the port that a socket chose, and a batch job may bind its own. Servers that only such a job talks to say nothing about ports.
//! A port that NAT has changed is drawn.

/// So many destinations tried from both sides must be expected before their absence says anything: chance explains it once in
/// three times, and more attempts decide it.
const MIN_EXPECTED: f64 = 1.0;
/// Fewer than one in eight of those expected is too few.
const MIN_MIXED_SHARE: f64 = 0.125;

/// How many destinations were tried from both sides, and how many would be if ports were drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drawn {
    expected: f64,
    mixed: f64,
    /// Attempts when it was counted.
    at: u64,
}

impl Drawn {
    /// By attempts inside and outside for each destination, without those whose port NAT chose.
    pub(super) fn of(tries: impl Iterator<Item = [u64; 2]> + Clone, at: u64) -> Self {
        let mut drawn = Self { at, ..Self::default() };
        let [inside, outside] = tries.clone().fold([0, 0], |sum, of| [sum[0] + of[0], sum[1] + of[1]]);
        let share = outside as f64 / (inside + outside).max(1) as f64;
        for [inside, outside] in tries {
            let all = i32::try_from(inside + outside).unwrap_or(i32::MAX);
            drawn.expected += (1.0 - share.powi(all) - (1.0 - share).powi(all)).max(0.0);
            drawn.mixed += f64::from(u8::from(inside > 0 && outside > 0));
        }
        drawn
    }

    /// Of ports of one pool.
    pub(super) const fn of_one_pool(at: u64) -> Self {
        Self { expected: 0.0, mixed: 0.0, at }
    }

    /// Much more is known now.
    pub(super) const fn is_stale(&self, observed: u64) -> bool {
        observed > self.at + self.at / 16
    }

    pub(super) fn are_drawn(&self) -> bool {
        self.expected < MIN_EXPECTED || self.mixed >= self.expected * MIN_MIXED_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_drawn(tries: &[[u64; 2]]) -> bool {
        Drawn::of(tries.iter().copied(), 1).are_drawn()
    }

    #[test]
    fn a_destination_tried_often_is_tried_from_both_sides_by_ports_that_are_drawn() {
        assert!(are_drawn(&[[3, 2], [1, 4], [5, 0]]));
        assert!(!are_drawn(&[[30, 0], [30, 0], [0, 40], [0, 40]]));
    }

    #[test]
    fn destinations_tried_once_do_not_tell() {
        assert!(are_drawn(&[[1, 0]; 50].into_iter().chain([[0, 1]; 50]).collect::<Vec<_>>()));
        assert!(are_drawn(&[[2, 0], [0, 1]]));
    }
}
