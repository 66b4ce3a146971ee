//! Looks at packets: which of them show something of an attempt, and what.

use std::collections::VecDeque;

use tracer_common::Event;
use tracer_common::events::packet_class;

use super::interfaces::{InterfaceKey, InterfaceNumbers};
use super::link::{self, Direction, NetworkPacket};
use super::observation::{ObservedPacket, PacketKind, recognise};
use super::record::{CapturedInterface, PacketRecord};
use super::segment::{self, Content, TcpSegment};
use super::sides::Sides;
use super::syns::{Noted, Syns, ends};
use super::tunnel;
use super::waiting::WaitingSyns;

pub struct Packet<'a> {
    pub record: &'a PacketRecord,
    pub data: &'a [u8],
    pub file: u32,
    pub interface: &'a CapturedInterface,
    /// What the interface is called where the file does not name it
    pub file_name: &'a str,
}

#[derive(Debug, Default)]
pub struct Look {
    pub sides: Sides,
    /// Events of interfaces that were not seen before
    pub new_interfaces: VecDeque<Event>,
    pub duplicates: u64,
    /// Packets that were cut before the end of what is read
    pub cut: u64,
    interfaces: InterfaceNumbers,
    syns: Syns,
    waiting: WaitingSyns,
}

impl Look {
    pub fn new(sides: Sides) -> Self {
        Self { sides, ..Self::default() }
    }

    /// What the packet shows; `None` for nearly all packets.
    pub fn look(&mut self, packet: &Packet<'_>) -> Option<ObservedPacket> {
        let NetworkPacket { direction, ifindex, next_hop, ip } = packet.interface.link.read(packet.data)?;
        let direction = direction.or(packet.record.direction);
        let (segment, vni) = match segment::read(ip) {
            Content::Tcp(segment) => (segment, None),
            Content::Udp(datagram) => {
                let inside = tunnel::open(datagram)?;
                let Content::Tcp(segment) = segment::read(link::ethernet(inside.frame)?) else { return None };
                (segment, Some(inside.vni))
            }
            Content::Other => return None,
            Content::Cut => {
                self.cut += 1;
                return None;
            }
        };
        let stray = self.waiting.stray(&segment).map(|isn| (PacketKind::Stray, isn));
        let continues = || self.waiting.continues(&segment).map(|isn| (PacketKind::Continues, isn));
        let (kind, isn) = stray.or_else(continues).or_else(|| recognise(&segment))?;
        let interface = self.interface(packet, ifindex, vni);
        let time_ns = packet.record.time_ns;
        let is_inside = vni.is_some();
        let unsent = if kind == PacketKind::Syn {
            self.syn(time_ns, (interface, is_inside), direction, &segment)?
        } else {
            None
        };
        let detail = match kind {
            PacketKind::Syn => segment.syn_bits | class(next_hop, ip, segment.syn_shape),
            PacketKind::Unreachable => segment.icmp,
            PacketKind::Stray | PacketKind::Continues => segment.flags.into(),
            PacketKind::SynAck | PacketKind::Refusal | PacketKind::Reset => 0,
        };
        Some(ObservedPacket { time_ns, kind, isn, interface, direction, flow: segment.flow, detail, unsent })
    }

    /// Notes a SYN on an interface, perhaps one inside a tunnel; `None` if it is a copy.
    fn syn(
        &mut self,
        time_ns: u64,
        (interface, is_inside): (u32, bool),
        direction: Option<Direction>,
        segment: &TcpSegment,
    ) -> Option<Option<u32>> {
        match self.syns.note(time_ns, interface, direction, segment) {
            Noted::Copy => {
                self.duplicates += 1;
                None
            }
            Noted::Sent { is_again, unsent, before, left_by } => {
                // The interface before encapsulated it.
                if let Some(tunnel) = left_by.filter(|_| is_inside) {
                    self.new_interfaces.extend(self.interfaces.encapsulates(tunnel, time_ns).map(Event::from));
                }
                for before in before.iter().flatten() {
                    self.sides.translated(before, interface, ends(segment).0);
                }
                if is_again && direction != Some(Direction::Arriving) {
                    self.waiting.wait_for(segment);
                }
                Some(unsent)
            }
        }
    }

    fn interface(&mut self, packet: &Packet<'_>, ifindex: u32, vni: Option<u32>) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "a file has 65,536 interfaces at most")]
        let place = InterfaceKey { file: packet.file, interface: packet.record.interface as u32, ifindex, vni };
        let name = &packet.interface.name;
        let name = if name.is_empty() { packet.file_name } else { name };
        let (number, uplink) = self.interfaces.number(place, packet.record.time_ns, name);
        self.new_interfaces.extend(uplink.map(Event::from));
        number
    }
}

/// By the outer header, which is what a network sees.
fn class(next_hop: [u8; 6], ip: &[u8], shape: u64) -> u16 {
    ip.first_chunk().map_or(0, |ip| packet_class(next_hop, *ip, shape))
}
