//! Synthetic traffic for benches: connections through fully random NAT, of which those below port 32768 fail. The same
//! events in every run, in the order of their times, made one by one so that any number of them costs no memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};

use bytemuck::Zeroable;
use fastrand::Rng;
use snatrace::model::{Capture, Filter, Policy};
use tracer_common::events::{
    NatBind, RANGE_KNOWN, RANGE_MAP_IPS, RANGE_PROTO_RANDOM_FULLY, SockState, Stamp, SynRetransmit, TCP_CLOSE,
    TCP_ESTABLISHED, Tick, WIRE_EGRESS, WIRE_INGRESS, WIRE_SYN, WIRE_SYN_ACK, Wire,
};
use tracer_common::{Event, Flow};

pub const NODE_NETNS: u32 = 4_026_531_840;
const SECOND: u64 = 1_000_000_000;
/// When the first connection begins, since boot.
pub const START_NS: u64 = 1_000 * SECOND;
/// As live.
const TICK_NS: u64 = 50_000_000;
pub const PODS: u32 = 40;
const DESTINATIONS: u16 = 2_000;
/// What the filter lets through.
const ALLOWED: u16 = 32_768;

/// Attempts under way for each connection a second: half of them for a second, half for six.
#[allow(dead_code, reason = "the criterion benches do not need it")]
pub const OPEN_PER_RATE: f64 = 3.5;

/// What lets return traffic through, by the translated port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passes {
    pub low: u16,
    pub high: u16,
    /// Before, everything passes; nanoseconds since boot.
    pub since_ns: u64,
}

impl Passes {
    const USUAL: Self = Self { low: ALLOWED, high: u16::MAX, since_ns: 0 };

    const fn is_open(self, port: u16, time_ns: u64) -> bool {
        time_ns < self.since_ns || self.low <= port && port <= self.high
    }
}

/// An endless stream of events.
pub struct Traffic {
    random: Rng,
    passes: Passes,
    first: u64,
    gap_ns: u64,
    next_start_ns: u64,
    next_tick_ns: u64,
    begun: u64,
    /// The next event of each connection: its time, its number in the connection, and the connection.
    due: BinaryHeap<Reverse<(u64, usize, Begun)>>,
}

/// The first events of the connection with this number, until its SYN has left; one connection each 250 ns.
#[allow(dead_code, reason = "the criterion benches do not need it")]
pub fn beginning(number: u64) -> Vec<Event> {
    let mut events = Begun { seed: number, start_ns: START_NS + number * 250, passes: Passes::USUAL }.events();
    events.truncate(2);
    events
}

/// A connection by what it is made from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Begun {
    seed: u64,
    start_ns: u64,
    passes: Passes,
}

impl Traffic {
    /// So many connections a second, at random times.
    pub fn at_rate(per_second: u64) -> Self {
        let start_ns = START_NS;
        Self {
            random: Rng::with_seed(7),
            passes: Passes::USUAL,
            first: 0,
            gap_ns: SECOND / per_second.max(1),
            next_start_ns: start_ns,
            next_tick_ns: start_ns,
            begun: 0,
            due: BinaryHeap::new(),
        }
    }

    /// The connections of another node, behind another filter.
    #[allow(dead_code, reason = "only traces of many nodes need it")]
    pub fn of_node(self, node: u32, passes: Passes) -> Self {
        Self { first: u64::from(node) << 32, passes, ..self }
    }

    /// How many connections were begun.
    #[allow(dead_code, reason = "only traces of many nodes need it")]
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    fn begin(&mut self) {
        let begun = Begun { seed: self.first + self.begun, start_ns: self.next_start_ns, passes: self.passes };
        self.begun += 1;
        self.next_start_ns += self.random.u64(self.gap_ns / 2..=self.gap_ns * 3 / 2);
        self.due.push(Reverse((begun.start_ns, 0, begun)));
    }
}

impl Iterator for Traffic {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.due.peek().is_none_or(|Reverse((time_ns, ..))| *time_ns >= self.next_start_ns) {
            self.begin();
        }
        let &Reverse((time_ns, number, begun)) = self.due.peek()?;
        if time_ns >= self.next_tick_ns {
            self.next_tick_ns = time_ns + TICK_NS;
            return Some(Tick { stamp: Stamp { time_ns, kind: Tick::KIND, netns: 0 } }.into());
        }
        self.due.pop();
        let events = begun.events();
        let next = events.get(number + 1).map(|event| Reverse((event.stamp().time_ns, number + 1, begun)));
        self.due.extend(next);
        events.get(number).copied()
    }
}

impl Begun {
    fn events(self) -> Vec<Event> {
        let mut random = Rng::with_seed(self.seed);
        let pod = random.u32(..PODS);
        let [_, _, _, host] = pod.to_be_bytes();
        let [high, low] = random.u16(..DESTINATIONS).to_be_bytes();
        let dst = SocketAddr::from((Ipv4Addr::new(203, 0, high, low), 443));
        let from = |address: [u8; 4], port| Flow::new((address, port).into(), dst);
        let original = from([10, 42, 0, 10 + host], random.u16(32_768..61_000));
        let translated = from([198, 51, 100, 7], random.u16(1_024..));
        let connection = Connection { original, translated, isn: random.u32(..), netns: NODE_NETNS + 100 + pod };
        let mut at = self.start_ns;
        let mut later = |up_to| {
            let now = at;
            at += random.u64(300..up_to);
            now
        };
        let mut events = Vec::with_capacity(8);
        events.push(connection.bind(later(4_300)).into());
        events.push(connection.syn(later(900_300)).into());
        if self.passes.is_open(translated.src_port, self.start_ns) {
            events.push(connection.syn_ack(later(8_300)).into());
            events.push(connection.state(later(301), connection.isn.wrapping_add(1), TCP_ESTABLISHED).into());
        } else {
            connection.fail(self.start_ns, &mut random, &mut events);
        }
        events
    }
}

struct Connection {
    original: Flow,
    translated: Flow,
    isn: u32,
    netns: u32,
}

impl Connection {
    /// The client gives up after five seconds, as many applications do.
    fn fail(&self, start_ns: u64, random: &mut Rng, events: &mut Vec<Event>) {
        for (ordinal, after_s) in [(1, 1), (2, 3)] {
            let at = start_ns + after_s * SECOND + random.u64(..4_000_000);
            events.push(self.retransmit(at, ordinal).into());
            events.push(self.syn(at + random.u64(900..4_900)).into());
        }
        let at = start_ns + 5 * SECOND + random.u64(..4_000_000);
        events.push(self.state(at, self.isn, TCP_CLOSE).into());
    }

    fn bind(&self, time_ns: u64) -> NatBind {
        let stamp = Stamp { time_ns, kind: NatBind::KIND, netns: NODE_NETNS };
        let &Self { original, translated, isn, .. } = self;
        let range_flags = RANGE_KNOWN | (RANGE_PROTO_RANDOM_FULLY | RANGE_MAP_IPS) as u16;
        NatBind { stamp, original, translated, isn, status: 0x10, range_flags, ..Zeroable::zeroed() }
    }

    fn syn(&self, time_ns: u64) -> Wire {
        self.wire(time_ns, self.translated, WIRE_SYN, WIRE_EGRESS)
    }

    fn syn_ack(&self, time_ns: u64) -> Wire {
        self.wire(time_ns, self.translated.reversed(), WIRE_SYN_ACK, WIRE_INGRESS)
    }

    fn wire(&self, time_ns: u64, flow: Flow, packet: u8, direction: u8) -> Wire {
        let stamp = Stamp { time_ns, kind: Wire::KIND, netns: NODE_NETNS };
        Wire { stamp, flow, isn: self.isn, ifindex: 2, packet, direction, detail: 0 }
    }

    fn retransmit(&self, time_ns: u64, ordinal: u32) -> SynRetransmit {
        let stamp = Stamp { time_ns, kind: SynRetransmit::KIND, netns: self.netns };
        SynRetransmit { stamp, flow: self.original, isn: self.isn, ordinal, err: 0 }
    }

    fn state(&self, time_ns: u64, isn: u32, new_state: u8) -> SockState {
        let stamp = Stamp { time_ns, kind: SockState::KIND, netns: self.netns };
        let retransmits = if new_state == TCP_CLOSE { 2 } else { 0 };
        SockState { stamp, flow: self.original, isn, err: 0, new_state, retransmits, unused: [0; 2] }
    }
}

/// Of a node whose filter lets the usual ports through.
pub fn capture() -> Capture {
    Capture {
        version: "0".to_owned(),
        node: "bench".to_owned(),
        kernel: "0".to_owned(),
        session: 1,
        part: 0,
        boot_unix_ns: 0,
        utc_offset_s: 0,
        policy: Policy::default(),
        hooks: Vec::new(),
        addresses: Vec::new(),
        drop_reasons: Vec::new(),
        owners: Vec::new(),
        is_of_packets: false,
        filter: Filter::default(),
    }
}
