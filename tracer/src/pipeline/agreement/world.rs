//! A drawn capture: connections through NAT and filters, some of which lose packets, are dead, or change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytemuck::Zeroable;
use fastrand::Rng;
use proptest::prelude::*;
use tracer_common::events::{
    CtDrop, NatBind, RANGE_KNOWN, RANGE_MAP_IPS, RANGE_PROTO_RANDOM_FULLY, SockState, Stamp, SynRetransmit, TCP_CLOSE,
    TCP_ESTABLISHED, Tick, WIRE_EGRESS, WIRE_INGRESS, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};
use tracer_common::{Event, Flow};

use crate::model::{Capture, PolicyChange, example};

const MS: u64 = 1_000_000;
const NODE_NETNS: u32 = 4_026_531_840;
/// Times at which an unanswered SYN is sent again, and when its client gives up.
const RETRANSMIT_MS: [u64; 2] = [1000, 3000];
const GIVE_UP_MS: u64 = 5000;

/// What lets return traffic through: ranges from the first port to the last.
type Passes = Option<&'static [(u16, u16)]>;

#[derive(Clone, Debug)]
pub(super) struct World {
    allow: &'static str,
    /// One for each uplink.
    filters: Vec<Passes>,
    /// The first uplink has this filter from this connection on.
    changes: Option<(u16, Passes)>,
    destinations: u16,
    /// So many of them are dead.
    dead: u16,
    /// So many are not behind the filter.
    bypass: u16,
    connections: u16,
    gap_ms: u64,
    loss: f64,
    /// Connections during which nothing is answered.
    outage: (u16, u16),
    ports: (u16, u16),
    /// How often something else than the filter decides, in 100.
    other_fates: u8,
    has_kprobes: bool,
    is_ipv6: bool,
    seed: u64,
}

pub(super) struct Play {
    pub(super) captures: Vec<Capture>,
    pub(super) events: Vec<(u32, Event)>,
}

fn filters() -> impl Strategy<Value = Passes> {
    prop_oneof![
        2 => Just(None),
        4 => Just(Some(&[(32_768, 65_535)][..])),
        1 => Just(Some(&[(10_000, 19_999)][..])),
        1 => Just(Some(&[(1024, 49_151)][..])),
        1 => Just(Some(&[(40_000, 60_999)][..])),
        1 => Just(Some(&[(20_000, 23_999), (40_000, 43_999), (60_000, 61_999)][..])),
    ]
}

prop_compose! {
    pub(super) fn worlds()(
        allow in prop_oneof![4 => Just("32768-65535"), 1 => Just("10000-19999"), 1 => Just("1024-29999,32768-65535"), 1 => Just("any")],
        filters in prop::collection::vec(filters(), 1..4),
        changes in prop::option::weighted(0.3, (20..400_u16, self::filters())),
        destinations in 1..40_u16,
        dead in prop_oneof![2 => Just(0), 1 => 1..8_u16, 1 => Just(40)],
        bypass in prop_oneof![3 => Just(0), 1 => 1..12_u16],
        connections in 1..500_u16,
        gap_ms in 1..200_u64,
        loss in prop_oneof![3 => Just(0.0), 1 => Just(0.02), 1 => Just(0.15)],
        outage in prop_oneof![2 => Just((0, 0)), 1 => (0..300_u16, 0..300_u16)],
        ports in prop_oneof![3 => Just((1024, 65_535)), 1 => Just((32_768, 60_999)), 1 => Just((1024, 32_767))],
        other_fates in prop_oneof![2 => Just(0), 1 => 1..60_u8],
        has_kprobes: bool,
        is_ipv6 in prop::bool::weighted(0.2),
        seed: u64,
    ) -> World {
        World {
            allow, filters, changes, destinations, dead, bypass, connections, gap_ms, loss, outage, ports, other_fates, has_kprobes,
            is_ipv6, seed,
        }
    }
}

impl World {
    pub(super) fn play(&self) -> Play {
        let mut rng = Rng::with_seed(self.seed);
        let mut events = Vec::new();
        for number in 0..self.connections {
            self.connect(number, &mut rng, &mut events);
        }
        let last_ms = u64::from(self.connections) * self.gap_ms + 10_000;
        let ticks = (0..last_ms / 250).map(|tick| Tick { stamp: stamped(tick * 250, Tick::KIND, 0) });
        events.extend(ticks.map(Event::from));
        events.sort_by_key(|event: &Event| event.stamp().time_ns);
        let capture = example::capture("node7");
        let allow = Some((self.allow.parse().unwrap(), crate::model::Origin::Given));
        let policy = PolicyChange { allow, allow6: None }.over(&capture.policy);
        let captures = vec![Capture { policy, ..capture }];
        Play { captures, events: events.into_iter().map(|event| (0, event)).collect() }
    }

    fn connect(&self, number: u16, rng: &mut Rng, events: &mut Vec<Event>) {
        let to = rng.u16(..self.destinations);
        let uplink = usize::from(to) % self.filters.len();
        let port = rng.u16(self.ports.0..=self.ports.1);
        let connection = Connection {
            original: self.flow("10.42.0.7", "fd00::7", rng.u16(32_768..61_000), to),
            translated: self.flow("192.0.2.1", "2001:db8::1", port, to),
            isn: rng.u32(..),
            // Two uplinks of one number in two namespaces, and another one.
            netns: NODE_NETNS + u32::from(uplink == 1),
            ifindex: if uplink == 2 { 3 } else { 2 },
            has_kprobes: self.has_kprobes,
        };
        let passes = match self.changes {
            Some((from, passes)) if uplink == 0 && number >= from => passes,
            _ => self.filters[uplink],
        };
        let is_open =
            passes.is_none_or(|of| of.iter().any(|(low, high)| (low..=high).contains(&&port))) || to < self.bypass;
        let is_out = (self.outage.0..self.outage.1).contains(&number);
        let is_answered = is_open && !is_out && to >= self.dead;
        let begin_ms = 1000 + u64::from(number) * self.gap_ms;
        let fate = (rng.u8(..100) < self.other_fates).then(|| rng.u8(..4));
        connection.bind(begin_ms, events);
        for (ordinal, after_ms) in (0u32..).zip([0].into_iter().chain(RETRANSMIT_MS)) {
            let at_ms = begin_ms + after_ms;
            if ordinal > 0 {
                connection.retransmit(at_ms, ordinal, events);
            }
            match fate {
                Some(0) if ordinal == 0 => {
                    connection.dropped(at_ms, events);
                    continue;
                }
                Some(1) => connection.arrives(at_ms + 5, WIRE_UNREACHABLE, 3 << 8 | 1, events),
                Some(2) if ordinal == 1 && is_open => connection.arrives(at_ms + 5, WIRE_STRAY, 0x10, events),
                _ => {}
            }
            connection.syn(at_ms, events);
            if is_answered && rng.f64() >= self.loss {
                connection.arrives(at_ms + 10, WIRE_SYN_ACK, 0, events);
                connection.state(at_ms + 10, TCP_ESTABLISHED, ordinal, events);
                return;
            }
        }
        if fate != Some(3) {
            connection.state(begin_ms + GIVE_UP_MS, TCP_CLOSE, 2, events);
        }
    }

    fn flow(&self, v4: &str, v6: &str, port: u16, to: u16) -> Flow {
        let source: IpAddr = if self.is_ipv6 { v6 } else { v4 }.parse().unwrap();
        let [high, low] = (to + 1).to_be_bytes();
        let dst: IpAddr = if self.is_ipv6 {
            Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, to + 1).into()
        } else {
            Ipv4Addr::new(203, 0, high, low).into()
        };
        Flow::new(SocketAddr::new(source, port), SocketAddr::new(dst, 443))
    }
}

fn stamped(at_ms: u64, kind: u32, netns: u32) -> Stamp {
    Stamp { time_ns: at_ms * MS, kind, netns }
}

struct Connection {
    original: Flow,
    translated: Flow,
    isn: u32,
    netns: u32,
    ifindex: u32,
    has_kprobes: bool,
}

impl Connection {
    fn bind(&self, at_ms: u64, events: &mut Vec<Event>) {
        if !self.has_kprobes {
            return;
        }
        let &Self { original, translated, isn, netns, .. } = self;
        let range_flags = RANGE_KNOWN | (RANGE_PROTO_RANDOM_FULLY | RANGE_MAP_IPS) as u16;
        let stamp = stamped(at_ms, NatBind::KIND, netns);
        events
            .push(NatBind { stamp, original, translated, isn, status: 0x10, range_flags, ..Zeroable::zeroed() }.into());
    }

    fn syn(&self, at_ms: u64, events: &mut Vec<Event>) {
        events.push(self.wire(at_ms, self.translated, WIRE_SYN, WIRE_EGRESS, 0).into());
    }

    fn arrives(&self, at_ms: u64, packet: u8, detail: u16, events: &mut Vec<Event>) {
        let flow = if packet == WIRE_UNREACHABLE { self.translated } else { self.translated.reversed() };
        events.push(self.wire(at_ms, flow, packet, WIRE_INGRESS, detail).into());
    }

    fn wire(&self, at_ms: u64, flow: Flow, packet: u8, direction: u8, detail: u16) -> Wire {
        let stamp = stamped(at_ms, Wire::KIND, self.netns);
        Wire { stamp, flow, isn: self.isn, ifindex: self.ifindex, packet, direction, detail }
    }

    fn retransmit(&self, at_ms: u64, ordinal: u32, events: &mut Vec<Event>) {
        let stamp = stamped(at_ms, SynRetransmit::KIND, NODE_NETNS + 100);
        events.push(SynRetransmit { stamp, flow: self.original, isn: self.isn, ordinal, err: 0 }.into());
    }

    fn dropped(&self, at_ms: u64, events: &mut Vec<Event>) {
        let (stamp, reason) = (stamped(at_ms, CtDrop::KIND, self.netns), 6);
        let &Self { original: flow, isn, .. } = self;
        events.push(CtDrop { stamp, flow, isn, reason, packet: WIRE_SYN, ctinfo: 2, ..Zeroable::zeroed() }.into());
    }

    fn state(&self, at_ms: u64, new_state: u8, retransmits: u32, events: &mut Vec<Event>) {
        let stamp = stamped(at_ms, SockState::KIND, NODE_NETNS + 100);
        let (flow, isn) = (self.original, self.isn.wrapping_add(u32::from(new_state == TCP_ESTABLISHED)));
        let retransmits = retransmits as u8;
        events.push(SockState { stamp, flow, isn, err: 0, new_state, retransmits, unused: [0; 2] }.into());
    }
}
