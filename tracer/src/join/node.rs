//! The join of one node: its tables, and which file handles which event.

use tracer_common::Event;
use tracer_common::events::CtTable;

use super::attempts::Attempts;
use super::bindings::Bindings;
use super::hints::Hints;
use super::network::Network;
use super::retransmits::Settling;
use super::update::{TickState, Update, Updates};

/// How much the join keeps at most; beyond that the oldest is given up and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open attempts, 112 bytes each, and 16 for each address of IPv6.
    pub attempts: u32,
    /// Of these, attempts without a socket here whose SYNs were only seen being dropped.
    pub dropped: u32,
    /// Bindings that outlive their attempts: of IPv4 (68 bytes each), and as many of IPv6 (116); rounded up to a power of two.
    pub bindings: u32,
    /// Selections that wait for their binding; rounded up to a power of two.
    pub selections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attempts: 1_000_000, dropped: 65_536, bindings: 131_072, selections: 4096 }
    }
}

/// The open attempts of one node, and what outlives or precedes them.
#[derive(Debug)]
pub(super) struct Join {
    pub(super) limits: Limits,
    pub(super) now_ns: u64,
    /// When its first event was.
    pub(super) began_ns: u64,
    /// Nothing ends or settles before.
    pub(super) due_ns: u64,
    pub(super) attempts: Attempts,
    pub(super) bindings: Bindings,
    pub(super) hints: Hints,
    pub(super) settling: Settling,
    /// The newest conntrack table that was nearly full
    pub(super) full_table: Option<CtTable>,
    pub(super) network: Network,
    pub(super) evicted: u64,
}

impl Join {
    /// A join that keeps at most so much.
    pub(super) fn with_limits(limits: Limits) -> Self {
        Self {
            limits: Limits { attempts: limits.attempts.max(1), ..limits },
            now_ns: 0,
            began_ns: u64::MAX,
            due_ns: 0,
            attempts: Attempts::default(),
            bindings: Bindings::new(limits.bindings),
            hints: Hints::new(limits.selections),
            settling: Settling::default(),
            full_table: None,
            network: Network::default(),
            evicted: 0,
        }
    }

    /// Takes one event and appends what follows from it. `false` where `updates` is full before: then it is to be handed in again.
    pub(super) fn event(&mut self, event: &Event, updates: &mut Updates<'_>) -> bool {
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
            Event::CtTable(event) => self.full_table = Some(*event).filter(CtTable::is_nearly_full).or(self.full_table),
            Event::Uplink(uplink) => {
                self.network.interfaces.uplink(uplink);
                updates.push(Update::Context(*event));
            }
            Event::Address(address) => {
                self.network.address(address);
                updates.push(Update::Context(*event));
            }
            Event::Process(process) => self.process(process),
            Event::Owner(_) => updates.push(Update::Context(*event)),
            Event::Tick(_) => {
                let (open, capacity) = (self.open() as u64, self.limits.attempts.into());
                updates.push(Update::Tick(TickState { time_ns, open, capacity, evicted: self.evicted }));
            }
        }
        true
    }

    pub(super) const fn open(&self) -> usize {
        self.attempts.len()
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }
}
