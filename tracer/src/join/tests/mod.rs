//! Tests of the join, sentences one file per subject; here the events and the outcome they are written with.

mod bindings;
mod bounds;
mod cluster;
mod drops;
mod egress;
mod forwarded;
mod kprobes;
mod missing;
mod nat64;
mod order;
mod paths;
mod process;
mod random;
mod strays;
mod syn_drops;
mod time;
mod unseen_client;
mod wire_only;

use bytemuck::Zeroable;
use tracer_common::events::{
    Address, CtDrop, CtTable, DROP_AT_HOOK, Event, Lost, NatBind, NatSelect, RANGE_KNOWN, RANGE_MAP_IPS,
    RANGE_PROTO_RANDOM_FULLY, RANGE_PROTO_SPECIFIED, STATUS_SRC_NAT, SockState, Stamp, SynRetransmit, TCP_CLOSE,
    TCP_ESTABLISHED, Tick, Uplink, WIRE_EGRESS, WIRE_INGRESS, WIRE_OWN, WIRE_RST, WIRE_STRAY, WIRE_SYN, WIRE_SYN_ACK,
    WIRE_UNREACHABLE, Wire,
};
use tracer_common::{Flow, flow};

use super::{Joins, Update, UpdateKind};
use crate::model::Attempt;

pub(super) const MS: u64 = 1_000_000;
pub(super) const S: u64 = 1_000 * MS;
/// Boot was a while ago.
pub(super) const T0: u64 = 1_000 * S;
pub(super) const ISN: u32 = 0x8000_1234;
pub(super) const POD_NETNS: u32 = 4_026_532_001;
pub(super) const NODE_NETNS: u32 = 4_026_531_840;
pub(super) const UPLINK: u32 = 2;
pub(super) const ETIMEDOUT: u32 = 110;
pub(super) const ECONNREFUSED: u32 = 111;

/// `10.42.0.9:port` to the server.
pub(super) fn pod(port: u16) -> Flow {
    flow("10.42.0.9", port, "192.0.2.7", 443)
}

/// The node's address to the server.
pub(super) fn node(port: u16) -> Flow {
    flow("198.51.100.1", port, "192.0.2.7", 443)
}

/// `10.42.0.9:port` to a cluster address.
pub(super) fn service(port: u16) -> Flow {
    flow("10.42.0.9", port, "10.43.0.1", 80)
}

pub(super) fn flow(src: &str, src_port: u16, dst: &str, dst_port: u16) -> Flow {
    let (src, dst) = (flow::octets(src.parse().unwrap()), flow::octets(dst.parse().unwrap()));
    Flow { src, dst, src_port, dst_port }
}

fn stamp(kind: u32, at: u64, netns: u32) -> Stamp {
    Stamp { time_ns: T0.wrapping_add(at), kind, netns }
}

pub(super) fn select(at: u64, original: Flow) -> Event {
    let stamp = stamp(NatSelect::KIND, at, NODE_NETNS);
    let flags = RANGE_MAP_IPS | RANGE_PROTO_RANDOM_FULLY;
    NatSelect { stamp, original, flags, ..Zeroable::zeroed() }.into()
}

pub(super) fn bind(at: u64, isn: u32, original: Flow, translated: Flow) -> Event {
    bind_in(at, NODE_NETNS, 0, isn, original, translated)
}

pub(super) fn bind_in(at: u64, netns: u32, zone: u16, isn: u32, original: Flow, translated: Flow) -> Event {
    let stamp = stamp(NatBind::KIND, at, netns);
    NatBind { stamp, original, translated, isn, status: STATUS_SRC_NAT, zone, ..Zeroable::zeroed() }.into()
}

/// A binding that took along what the rule says: fully random, ports 1024 to 2047.
pub(super) fn bind_with_range(at: u64, isn: u32, original: Flow, translated: Flow) -> Event {
    let stamp = stamp(NatBind::KIND, at, NODE_NETNS);
    let range_flags = RANGE_KNOWN | (RANGE_PROTO_SPECIFIED | RANGE_PROTO_RANDOM_FULLY) as u16;
    let (min_port, max_port) = (1024, 2047);
    let status = STATUS_SRC_NAT;
    NatBind { stamp, original, translated, isn, status, zone: 0, range_flags, min_port, max_port }.into()
}

pub(super) fn retransmit(at: u64, isn: u32, flow: Flow, ordinal: u32) -> Event {
    send_failed(at, isn, flow, ordinal, 0)
}

pub(super) fn send_failed(at: u64, isn: u32, flow: Flow, ordinal: u32, err: i32) -> Event {
    SynRetransmit { stamp: stamp(SynRetransmit::KIND, at, POD_NETNS), flow, isn, ordinal, err }.into()
}

/// The socket became established; its event has the ISN after the acknowledgement.
pub(super) fn established(at: u64, isn: u32, flow: Flow) -> Event {
    left_syn_sent(at, isn.wrapping_add(1), flow, TCP_ESTABLISHED, 0)
}

pub(super) fn closed(at: u64, isn: u32, flow: Flow, err: u32) -> Event {
    left_syn_sent(at, isn, flow, TCP_CLOSE, err)
}

fn left_syn_sent(at: u64, isn: u32, flow: Flow, new_state: u8, err: u32) -> Event {
    let stamp = stamp(SockState::KIND, at, POD_NETNS);
    SockState { stamp, flow, isn, err, new_state, ..Zeroable::zeroed() }.into()
}

/// Of a socket that knows of retransmits.
pub(super) fn counted(end: Event, retransmits: u8) -> Event {
    let Event::SockState(state) = end else { unreachable!() };
    SockState { retransmits, ..state }.into()
}

pub(super) fn seen(at: u64, isn: u32, flow: Flow, ifindex: u32, packet: u8, direction: u8) -> Event {
    seen_with(at, isn, flow, ifindex, (packet, direction, 0))
}

/// With `detail` as the third of them.
fn seen_with(at: u64, isn: u32, flow: Flow, ifindex: u32, (packet, direction, detail): (u8, u8, u16)) -> Event {
    Wire { stamp: stamp(Wire::KIND, at, NODE_NETNS), flow, isn, ifindex, packet, direction, detail }.into()
}

pub(super) fn syn(at: u64, isn: u32, translated: Flow) -> Event {
    syn_by(at, isn, translated, UPLINK, 0)
}

/// A SYN leaves as its own socket sent it.
pub(super) fn own_syn(at: u64, isn: u32, flow: Flow) -> Event {
    syn_by(at, isn, flow, UPLINK, WIRE_OWN)
}

/// A SYN leaves by an interface, with bits of `detail`.
pub(super) fn syn_by(at: u64, isn: u32, translated: Flow, ifindex: u32, detail: u16) -> Event {
    seen_with(at, isn, translated, ifindex, (WIRE_SYN, WIRE_EGRESS, detail))
}

/// A router says that it cannot deliver the SYN that left as `translated`.
pub(super) fn unreachable(at: u64, isn: u32, translated: Flow) -> Event {
    seen_with(at, isn, translated, UPLINK, (WIRE_UNREACHABLE, WIRE_INGRESS, 0x0301))
}

/// A SYN arrives on an inside interface.
pub(super) fn syn_arrives(at: u64, isn: u32, original: Flow) -> Event {
    seen(at, isn, original, 7, WIRE_SYN, WIRE_INGRESS)
}

/// The answer to a SYN that left as `translated`.
pub(super) fn syn_ack(at: u64, isn: u32, translated: Flow) -> Event {
    arrives(at, isn, translated, WIRE_SYN_ACK, 0)
}

pub(super) fn rst(at: u64, isn: u32, translated: Flow) -> Event {
    arrives(at, isn, translated, WIRE_RST, 0)
}

/// A segment that does not answer the SYN that left as `translated`.
pub(super) fn stray(at: u64, isn: u32, translated: Flow, flags: u16) -> Event {
    arrives(at, isn, translated, WIRE_STRAY, flags)
}

pub(super) fn arrives(at: u64, isn: u32, translated: Flow, packet: u8, detail: u16) -> Event {
    seen_with(at, isn, translated.reversed(), UPLINK, (packet, WIRE_INGRESS, detail))
}

/// A SYN is dropped in a hook.
pub(super) fn dropped(at: u64, isn: u32, flow: Flow, status: u32) -> Event {
    let stamp = stamp(CtDrop::KIND, at, NODE_NETNS);
    let (packet, place) = (WIRE_SYN, DROP_AT_HOOK);
    CtDrop { stamp, flow, isn, reason: 6, status, ctinfo: 2, packet, place, ..Zeroable::zeroed() }.into()
}

/// An interface is watched, or no longer.
pub(super) fn uplink(at: u64, ifindex: u32, name: &str, state: u8, link: u8) -> Event {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Uplink { stamp: stamp(Uplink::KIND, at, NODE_NETNS), ifindex, state, link, unused: [0; 2], name: bytes }.into()
}

/// An interface has an address, or no longer.
pub(super) fn address(at: u64, ifindex: u32, addr: &str, state: u8) -> Event {
    let addr = flow::octets(addr.parse().unwrap());
    Address { stamp: stamp(Address::KIND, at, NODE_NETNS), addr, ifindex, prefix: 120, state, unused: [0; 2] }.into()
}

/// The answer to a SYN that left as `translated` is dropped.
pub(super) fn answer_dropped(at: u64, isn: u32, translated: Flow) -> Event {
    let (stamp, flow) = (stamp(CtDrop::KIND, at, NODE_NETNS), translated.reversed());
    CtDrop { stamp, flow, isn, reason: 0x0003_0007, ctinfo: 3, packet: WIRE_SYN_ACK, ..Zeroable::zeroed() }.into()
}

/// A drop with other fields.
pub(super) fn changed(event: Event, change: impl Fn(&mut CtDrop)) -> Event {
    let Event::CtDrop(mut drop) = event else { panic!("a drop is one") };
    change(&mut drop);
    drop.into()
}

pub(super) fn table(at: u64, count: u32) -> Event {
    CtTable { stamp: stamp(CtTable::KIND, at, NODE_NETNS), count, max: 1000 }.into()
}

pub(super) fn tick(at: u64) -> Event {
    Tick { stamp: stamp(Tick::KIND, at, 0) }.into()
}

pub(super) fn lost(at: u64) -> Event {
    Lost { stamp: stamp(Lost::KIND, at, 0), counts: [1, 0, 0, 0] }.into()
}

/// One retransmit as the join reported it.
#[derive(Clone, Debug)]
pub(super) struct ReportedRetransmit {
    pub(super) at: u64,
    pub(super) ordinal: u32,
    pub(super) is_repeated: bool,
    pub(super) attempt: Attempt,
}

/// Everything that a join reported.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes {
    pub(super) retransmits: Vec<ReportedRetransmit>,
    pub(super) ended: Vec<Attempt>,
}

impl Outcomes {
    fn take(&mut self, update: Update) {
        let Update::Attempt { id: _, kind, attempt } = update else { return };
        match kind {
            UpdateKind::Retransmit { time_ns, ordinal, is_repeated } => {
                self.retransmits.push(ReportedRetransmit { at: time_ns - T0, ordinal, is_repeated, attempt });
            }
            UpdateKind::Ended => self.ended.push(attempt),
        }
    }

    /// The only attempt there was.
    #[track_caller]
    pub(super) fn only(&self) -> &Attempt {
        assert_eq!(self.ended.len(), 1, "{:#?}", self.ended);
        &self.ended[0]
    }

    /// The attempt with this ISN.
    pub(super) fn of(&self, isn: u32) -> &Attempt {
        self.ended.iter().find(|attempt| attempt.isn == isn).unwrap()
    }

    /// Time and ordinal of each retransmit.
    pub(super) fn retransmitted(&self) -> Vec<(u64, u32)> {
        self.retransmits.iter().map(|retransmit| (retransmit.at, retransmit.ordinal)).collect()
    }

    /// Translated port at each retransmit.
    pub(super) fn ports(&self) -> Vec<Option<u16>> {
        self.retransmits.iter().map(|retransmit| retransmit.attempt.translated.map(|flow| flow.src_port)).collect()
    }
}

/// Feeds events of one node to its join and hands on what follows from them.
pub(super) fn feed_each(join: &mut Joins, events: &[Event], mut take: impl FnMut(Update)) {
    let events: Vec<_> = events.iter().map(|event| (0, *event)).collect();
    let (mut rest, mut updates) = (events.as_slice(), Vec::new());
    while !rest.is_empty() {
        rest = &rest[join.take(rest, &mut updates)..];
        updates.drain(..).for_each(|(_, update)| take(update));
    }
}

/// Ends the capture and hands on what follows from that.
pub(super) fn finish_each(join: &mut Joins, mut take: impl FnMut(Update)) {
    let mut updates = Vec::new();
    loop {
        join.finish(&mut updates);
        if updates.is_empty() {
            return;
        }
        updates.drain(..).for_each(|(_, update)| take(update));
    }
}

/// Feeds events to a join.
pub(super) fn feed(join: &mut Joins, events: &[Event]) -> Outcomes {
    let mut outcomes = Outcomes::default();
    feed_each(join, events, |update| outcomes.take(update));
    outcomes
}

/// Ends the capture.
pub(super) fn finish(join: &mut Joins) -> Outcomes {
    let mut outcomes = Outcomes::default();
    finish_each(join, |update| outcomes.take(update));
    outcomes
}

/// Joins events up to the end of the capture.
pub(super) fn join(events: &[Event]) -> Outcomes {
    let mut join = Joins::new(1);
    let mut outcomes = feed(&mut join, events);
    finish_each(&mut join, |update| outcomes.take(update));
    assert_eq!(join.open(), 0);
    outcomes
}

/// The only attempt that follows from events.
#[track_caller]
pub(super) fn only(events: &[Event]) -> Attempt {
    join(events).only().clone()
}
