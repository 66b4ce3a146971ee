//! Whether a capture is ready and healthy, in words.

use std::time::{Duration, Instant};

use super::board::Board;

/// A capture that sees nothing happen has a tick each second still.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// How long a loss makes a capture unhealthy.
const LOSS_COUNTS_NS: u64 = 60 * 1_000_000_000;

/// `Err` with what is wrong.
pub(super) type Health = Result<&'static str, String>;

/// Whether all hooks are attached.
pub(super) fn ready(board: &Board) -> Health {
    board.load().map(|_| "ready\n").ok_or_else(|| "not ready: attaching hooks\n".to_owned())
}

/// Whether it sees what there is to see.
pub(super) fn healthy(board: &Board, now: Instant) -> Health {
    let Some((at, snapshot)) = board.load() else { return Ok("starting\n") };
    let silent = now.saturating_duration_since(at);
    let mut problems = Vec::new();
    if silent > MAX_SILENCE {
        problems
            .push(format!("stalled: no progress for {} s: is standard output or the disk blocked?", silent.as_secs()));
    }
    if snapshot.is_blind {
        problems
            .push("blind: no interface is watched: is there a default route? name interfaces with --iface".to_owned());
    }
    let lost_at_ns = snapshot.lost_at_ns.filter(|at_ns| snapshot.tick.time_ns.saturating_sub(*at_ns) < LOSS_COUNTS_NS);
    if lost_at_ns.is_some() {
        let lost = snapshot.progress.lost_total();
        problems.push(format!("losing: events were lost in the last minute, {lost} in all"));
    }
    if problems.is_empty() { Ok("ok\n") } else { Err(problems.join("\n") + "\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::TickState;
    use crate::metrics::board::Snapshot;

    #[test]
    fn a_capture_is_unhealthy_while_it_is_blind_or_stalled_or_loses_events() {
        let board = Board::default();
        assert!(ready(&board).is_err() && healthy(&board, Instant::now()).is_ok());
        board.store(Snapshot::default());
        assert!(ready(&board).is_ok() && healthy(&board, Instant::now()).is_ok());
        let later = Instant::now() + MAX_SILENCE + Duration::from_secs(1);
        assert!(healthy(&board, later).unwrap_err().starts_with("stalled: "));
        board.store(Snapshot { is_blind: true, ..Snapshot::default() });
        assert!(healthy(&board, Instant::now()).unwrap_err().starts_with("blind: "));
        let lost = |after_ns| {
            let tick = TickState { time_ns: 5 + after_ns, ..TickState::default() };
            board.store(Snapshot { lost_at_ns: Some(5), tick, ..Snapshot::default() });
            healthy(&board, Instant::now())
        };
        assert!(lost(LOSS_COUNTS_NS - 1).unwrap_err().starts_with("losing: "));
        assert!(lost(LOSS_COUNTS_NS).is_ok());
    }
}
