//! Joins events into attempts: events in, attempts out. Pure and bounded: every decision takes its time from events.
//!
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
mod fits;
mod hints;
mod interfaces;
mod known;
mod nat;
mod nat64;
mod network;
mod paths;
mod recent;
mod retransmits;
mod slot;
mod socket;
#[cfg(test)]
mod tests;
pub mod times;
mod tuple;
mod whole;
mod wire;

use tracer_common::Event;
use tracer_common::events::TCP_ESTABLISHED;

use crate::model::{Attempt, Outcome, Strays, TableFill};

/// What the join found out about an attempt.
#[derive(Debug)]
pub struct Update<'a> {
    /// The attempt's number: no other one has it until this one has ended.
    pub id: u32,
    /// What is told.
    pub what: What,
    /// The attempt as it is known now.
    pub snapshot: Snapshot<'a>,
}

/// What is known of an attempt, to be put where it is needed: an [`Attempt`] is large, and copies of it take time.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    slot: whole::SlotRef<'a>,
    network: &'a network::Network,
    strays: Strays,
    table: Option<TableFill>,
    outcome: Outcome,
}

impl Snapshot<'_> {
    /// In the words of the model, without what is thought of it.
    #[inline(always)]
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        let mut attempt = self.slot.to_attempt(self.table, self.outcome, self.network.ifindex(self.slot.interface));
        // Healthy attempts need no more, and most are healthy.
        if attempt.retransmits > 0 {
            attempt.strays = self.strays;
            attempt.egress = self.network.egress(self.slot);
            attempt.later_path = self.network.later_path(self.slot);
        }
        attempt
    }
}

/// What is told of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A SYN was sent again, and everything that could still be learnt about it at once has been waited for.
    Retransmit {
        /// When it was sent, nanoseconds since boot.
        time_ns: u64,
        /// Which retransmit of the attempt this is, from 1.
        ordinal: u32,
        /// It was told before, when nobody knew where the SYN had come from.
        is_repeated: bool,
    },
    /// Nothing more will be heard of this attempt. Comes exactly once for each.
    Ended,
}

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

/// How many events ahead [`Join::warm`] is worth it: memory is slower than this many events.
pub const NEAR: usize = 4;
/// How many events ahead [`Join::foresee`] is: what it fetches, `warm` reads.
pub const FAR: usize = 8;

/// The ISN that an event's attempt is most likely found by.
const fn isn(event: &Event) -> Option<u32> {
    match event {
        Event::NatBind(event) => Some(event.isn),
        Event::SynRetransmit(event) => Some(event.isn),
        Event::SockState(event) if event.new_state == TCP_ESTABLISHED => Some(event.isn.wrapping_sub(1)),
        Event::SockState(event) => Some(event.isn),
        Event::Wire(event) => Some(event.isn),
        Event::CtDrop(event) => Some(event.isn),
        Event::NatSelect(_)
        | Event::Lost(_)
        | Event::Tick(_)
        | Event::CtTable(_)
        | Event::Owner(_)
        | Event::Uplink(_)
        | Event::Address(_) => None,
    }
}

/// Attempts under way.
#[derive(Debug)]
pub struct Join {
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

impl Default for Join {
    fn default() -> Self {
        Self::with_limits(Limits::default())
    }
}

impl Join {
    /// A join that keeps at most so much.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
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

    /// Has the CPU fetch where an event that comes [`FAR`] events later will be looked up. Changes nothing.
    pub fn foresee(&self, event: &Event) {
        if let Some(isn) = isn(event) {
            self.attempts.fetch_bucket(isn);
        }
        if let Event::NatBind(event) = event {
            self.bindings.fetch(&event.original);
        }
    }

    /// Has the CPU fetch the attempt that an event which comes [`NEAR`] events later is most likely about. Changes
    /// nothing.
    pub fn warm(&self, event: &Event) {
        if let Some(isn) = isn(event) {
            self.attempts.fetch(self.attempts.newest(isn));
        }
    }

    /// Takes one event and tells `update` what follows from it, in a deterministic order.
    pub fn event(&mut self, event: &Event, update: &mut impl FnMut(Update<'_>)) {
        if let Event::Tick(_) = event {
            self.due_ns = 0;
        }
        // A selection may have waited long for a binding that did not come: its time does not say what time it is.
        let time_ns = event.stamp().time_ns;
        if time_ns >= self.now_ns || !matches!(event, Event::NatSelect(_)) {
            self.advance(time_ns, update);
        }
        match event {
            Event::NatSelect(event) => self.nat_select(event),
            Event::NatBind(event) => self.nat_bind(event, update),
            Event::SynRetransmit(event) => self.syn_retransmit(event, update),
            Event::SockState(event) => self.sock_state(event, update),
            Event::Wire(event) => self.wire(event, update),
            Event::Lost(event) => {
                if event.counts.iter().any(|&count| count > 0) {
                    self.bindings.lost(self.now_ns);
                }
            }
            Event::CtDrop(event) => self.ct_drop(event, update),
            Event::CtTable(event) => self.ct_table(event),
            Event::Uplink(event) => self.network.uplink(event),
            Event::Address(event) => self.network.address(event),
            Event::Tick(_) | Event::Owner(_) => {}
        }
    }

    /// Attempts under way.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.attempts.len()
    }

    /// Attempts and bindings that were given up because a table was full.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes allocated.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.attempts.bytes() + self.bindings.bytes() + self.hints.bytes()
    }
}
