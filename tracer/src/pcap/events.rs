//! Observations as the events that the hooks would have made of them.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use tracer_common::events::{
    SockState, Stamp, SynRetransmit, TCP_ESTABLISHED, WIRE_EGRESS, WIRE_INGRESS, WIRE_RST, WIRE_STRAY, WIRE_SYN,
    WIRE_SYN_ACK, WIRE_UNREACHABLE, Wire,
};
use tracer_common::{Event, Flow};

use super::link::Direction;
use super::observation::{ObservedPacket, PacketKind};
use super::sides::Sides;

/// Clients that are followed; beyond that all are forgotten.
const MAX_CLIENTS: usize = 65_536;

/// Clients whose retransmits become events of a socket: their SYNs arrived from before NAT, and one of them was not seen
/// leaving. By ISN and original tuple.
#[derive(Debug, Default)]
pub struct PacketEvents {
    clients: HashSet<(u32, Flow), FixedState>,
}

impl PacketEvents {
    pub fn push(&mut self, observation: &ObservedPacket, sides: &Sides, mut push: impl FnMut(Event)) {
        let leaves = sides.leaves(observation);
        let mut wire = |packet, direction| push(Event::from(wire(observation, packet, direction)));
        match observation.kind {
            PacketKind::Syn if leaves => wire(WIRE_SYN, WIRE_EGRESS),
            PacketKind::Syn if observation.direction == Some(Direction::Leaving) => {}
            PacketKind::Syn if sides.is_after_nat(observation.interface) => {}
            PacketKind::Syn => {
                wire(WIRE_SYN, WIRE_INGRESS);
                if let Some(ordinal) = observation.unsent.filter(|_| sides.is_before(observation)) {
                    self.follow(observation);
                    push(Event::from(retransmit(observation, ordinal)));
                }
            }
            PacketKind::Reset if leaves => wire(WIRE_RST, WIRE_EGRESS),
            PacketKind::SynAck if leaves => wire(WIRE_SYN_ACK, WIRE_INGRESS),
            PacketKind::Refusal if leaves => wire(WIRE_RST, WIRE_INGRESS),
            PacketKind::Unreachable if leaves => wire(WIRE_UNREACHABLE, WIRE_INGRESS),
            PacketKind::Stray if leaves => wire(WIRE_STRAY, WIRE_INGRESS),
            PacketKind::Continues if leaves => wire(WIRE_STRAY, WIRE_EGRESS),
            PacketKind::SynAck => {
                // The answer was passed on to the client.
                if self.clients.remove(&(observation.isn, observation.flow_to_server())) {
                    push(Event::from(established(observation)));
                }
            }
            PacketKind::Reset
            | PacketKind::Refusal
            | PacketKind::Unreachable
            | PacketKind::Stray
            | PacketKind::Continues => {}
        }
    }

    fn follow(&mut self, observation: &ObservedPacket) {
        if self.clients.len() >= MAX_CLIENTS {
            self.clients.clear();
        }
        self.clients.insert((observation.isn, observation.flow));
    }
}

const fn stamp(observation: &ObservedPacket, kind: u32) -> Stamp {
    Stamp { time_ns: observation.time_ns, kind, netns: 0 }
}

const fn wire(observation: &ObservedPacket, packet: u8, direction: u8) -> Wire {
    let ObservedPacket { isn, flow, interface: ifindex, detail, .. } = *observation;
    Wire { stamp: stamp(observation, Wire::KIND), flow, isn, ifindex, packet, direction, detail }
}

const fn retransmit(observation: &ObservedPacket, ordinal: u32) -> SynRetransmit {
    let ObservedPacket { isn, flow, .. } = *observation;
    SynRetransmit { stamp: stamp(observation, SynRetransmit::KIND), flow, isn, ordinal, err: 0 }
}

/// Once the SYN was acknowledged, a socket reports the ISN plus one.
const fn established(observation: &ObservedPacket) -> SockState {
    SockState {
        stamp: stamp(observation, SockState::KIND),
        flow: observation.flow_to_server(),
        isn: observation.isn.wrapping_add(1),
        err: 0,
        new_state: TCP_ESTABLISHED,
        retransmits: 0,
        unused: [0; 2],
    }
}
