//! Empties the set of ports that arriving packets are checked against, so that it does not fill with SYNs of long ago.

use anyhow::Context as _;
use aya::Ebpf;
use aya::maps::{Array, MapData};
use tracer_common::config::WAITING_WORDS;

use super::object::take;

/// How long a port stays in the set: a stray answer to a retransmission comes within the round trip.
const KEEP_NS: u64 = 8_000_000_000;

/// The set that the programs fill with the ports of retransmitted SYNs.
pub(super) struct WaitingPorts {
    ports: Array<MapData, [u64; WAITING_WORDS + 1]>,
    next_ns: u64,
}

impl WaitingPorts {
    pub(super) fn new(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self { ports: take(ebpf, "WAITING_PORTS")?, next_ns: 0 })
    }

    /// Empties the set if it is time to.
    pub(super) fn sweep(&mut self, time_ns: u64) -> anyhow::Result<()> {
        if time_ns < self.next_ns {
            return Ok(());
        }
        self.next_ns = time_ns + KEEP_NS;
        let ports = self.ports.get(&0, 0).context("cannot read which SYNs wait")?;
        if ports[WAITING_WORDS] != 0 {
            self.ports.set(0, [0; WAITING_WORDS + 1], 0).context("cannot clear which SYNs wait")?;
        }
        Ok(())
    }
}
