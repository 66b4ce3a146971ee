//! Joins events into attempts: batches of events in, batches of updates out. Pure and bounded: every decision takes its time
//! from events.
//!
//! `nodes` is the way in: one join for each node, and what is prefetched for it. `update` is what comes out.
//! `nat`, `socket`, `wire` and `drops` take the events of those hooks: they find the attempt a fact belongs to (`fits`) or open
//! one, and note the fact (`facts`). `ends` is about time: what has settled is told, what is over ends. The rest are the
//! tables: `attempts` by ISN, `bindings` that outlive their attempts, `hints` that come before theirs, and the
//! retransmits that wait (`retransmits`). An attempt is a `slot`, whose tuples are packed (`tuple`, `whole`).
//! docs/join.md has the rules as a table.

mod answered_sources;
mod attempts;
mod bindings;
mod drops;
mod ends;
mod facts;
mod features;
mod fits;
mod hints;
mod interfaces;
mod known;
mod nat;
mod nat64;
mod network;
mod nodes;
mod paths;
mod prefetch;
mod recent;
mod retransmits;
mod slot;
mod socket;
#[cfg(test)]
mod tests;
pub mod times;
mod tuple;
mod update;
mod whole;
mod wire;

use tracer_common::Event;

use self::update::Updates;

pub use self::nodes::Joins;
pub use self::update::{MAX_BATCH_LEN, Update, UpdateKind};

/// How much the join keeps at most; beyond that the oldest is given up and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts under way, 112 bytes each, and 16 for each address of IPv6.
    pub attempts: u32,
    /// Of these, attempts without a socket here whose SYNs were only seen being dropped.
    pub dropped: u32,
    /// Bindings that outlive their attempts, 68 bytes each, with addresses of IPv6 116 and as many again; rounded up to a power
    /// of two.
    pub bindings: u32,
    /// Selections that wait for their binding; rounded up to a power of two.
    pub selections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts: 1_000_000, dropped: 65_536, bindings: 131_072, selections: 4096 }
    }
}

/// Attempts under way.
#[derive(Debug)]
struct Join {
    limits: Limits,
    now_ns: u64,
    /// Nothing ends or settles before.
    due_ns: u64,
    attempts: attempts::Attempts,
    bindings: bindings::Bindings,
    hints: hints::Hints,
    settling: retransmits::Settling,
    fullest: drops::Fullest,
    network: network::Network,
    evicted: u64,
}

impl Join {
    /// A join that keeps at most so much.
    fn with_limits(limits: Limits) -> Self {
        Self {
            limits: Limits { attempts: limits.attempts.max(1), ..limits },
            now_ns: 0,
            due_ns: 0,
            attempts: attempts::Attempts::default(),
            bindings: bindings::Bindings::new(limits.bindings),
            hints: hints::Hints::new(limits.selections),
            settling: retransmits::Settling::default(),
            fullest: drops::Fullest::default(),
            network: network::Network::default(),
            evicted: 0,
        }
    }

    /// Takes one event and appends what follows from it. `false` where `updates` is full before the time of the event is
    /// reached: then it was not taken, and is to be handed in again.
    fn event(&mut self, event: &Event, updates: &mut Updates<'_>) -> bool {
        if let Event::Tick(_) = event {
            self.due_ns = 0;
        }
        // A selection may have waited long for a binding that did not come: its time does not say what time it is.
        let time_ns = event.stamp().time_ns;
        if time_ns >= self.now_ns || !matches!(event, Event::NatSelect(_)) {
            let has_arrived = self.advance(time_ns, updates);
            if !has_arrived {
                return false;
            }
        }
        match event {
            Event::NatSelect(event) => self.nat_select(event),
            Event::NatBind(event) => self.nat_bind(event, updates),
            Event::SynRetransmit(event) => self.syn_retransmit(event, updates),
            Event::SockState(event) => self.sock_state(event, updates),
            Event::Wire(event) => self.wire(event, updates),
            Event::Lost(lost) => {
                if lost.counts.iter().any(|&count| count > 0) {
                    self.bindings.lost(self.now_ns);
                }
                updates.push(Update::Context(*event));
            }
            Event::CtDrop(event) => self.ct_drop(event, updates),
            Event::CtTable(event) => self.ct_table(event),
            Event::Uplink(uplink) => {
                self.network.uplink(uplink);
                updates.push(Update::Context(*event));
            }
            Event::Address(address) => {
                self.network.address(address);
                updates.push(Update::Context(*event));
            }
            Event::Owner(_) => updates.push(Update::Context(*event)),
            Event::Tick(_) => {}
        }
        true
    }

    /// Attempts under way.
    const fn open(&self) -> usize {
        self.attempts.len()
    }

    /// Attempts and bindings that were given up because a table was full.
    const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes allocated.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.attempts.bytes() + self.bindings.bytes() + self.hints.bytes()
    }
}
