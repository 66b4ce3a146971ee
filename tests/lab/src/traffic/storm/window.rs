//! What a storm counts between two requests.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::unused::Unused;

/// Bounds the memory: ten minutes at a higher rate than any machine reaches.
const MAX_SAMPLES: usize = 16 << 20;

/// Counts since the last request.
pub(super) struct Window {
    begin: Instant,
    unused: Unused,
    failed: u64,
    established: u64,
    latencies_ns: Vec<u32>,
}

/// The answer, one JSON object per line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    elapsed_ns: u64,
    /// Idle and stolen CPU time of the machine, and its number of processors.
    idle_ns: u64,
    steal_ns: u64,
    cpus: u64,
    established: u64,
    failed: u64,
    p50_ns: u32,
    p99_ns: u32,
    max_ns: u32,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            begin: Instant::now(),
            unused: Unused::now(),
            failed: 0,
            established: 0,
            latencies_ns: Vec::with_capacity(1 << 16),
        }
    }

    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }

    pub(super) fn established(&mut self, latency: Duration) {
        self.established += 1;
        if self.latencies_ns.len() < MAX_SAMPLES {
            self.latencies_ns.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
        }
    }

    /// Returns the counts and starts again at 0.
    pub(super) fn close(&mut self) -> Counted {
        let elapsed_ns = u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let Unused { idle_ns, steal_ns, cpus } = Unused::now().since(&self.unused);
        self.latencies_ns.sort_unstable();
        let counted = Counted {
            elapsed_ns,
            idle_ns,
            steal_ns,
            cpus,
            established: self.established,
            failed: self.failed,
            p50_ns: self.quantile(50),
            p99_ns: self.quantile(99),
            max_ns: self.quantile(100),
        };
        self.latencies_ns.clear();
        (self.failed, self.established) = (0, 0);
        (self.unused, self.begin) = (Unused::now(), Instant::now());
        counted
    }

    /// A percentile of the sorted latencies; 0 when there are none.
    fn quantile(&self, percent: usize) -> u32 {
        let rank = (self.latencies_ns.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies_ns.get(rank).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_latencies_that_were_measured() {
        let mut window = Window::new();
        for us in (1..=100).rev() {
            window.established(Duration::from_micros(us));
        }
        let counted = window.close();
        assert_eq!((counted.p50_ns, counted.p99_ns, counted.max_ns), (50_000, 99_000, 100_000));
        assert_eq!(counted.established, 100);
    }

    #[test]
    fn a_window_begins_empty_after_an_answer() {
        let mut window = Window::new();
        window.established(Duration::from_micros(5));
        window.failed();
        window.close();
        let counted = window.close();
        assert_eq!((counted.established, counted.failed, counted.p99_ns), (0, 0, 0));
    }
}
