//! Link headers: which way a packet went, as far as they say, and where its IP header begins.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Arriving,
    Leaving,
}

/// A packet behind its link header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkPacket<'a> {
    pub direction: Option<Direction>,
    /// Index of the interface, where each packet has its own; else 0.
    pub ifindex: u32,
    /// The destination MAC address of an Ethernet frame; else zero.
    pub next_hop: [u8; 6],
    pub ip: &'a [u8],
}

/// How link headers of one kind are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    Ethernet,
    /// Null and loopback: four bytes of an address family, which differs from system to system.
    Loopback,
    Raw,
    Cooked,
    CookedV2,
    Other,
}

impl LinkType {
    /// By its number (LINKTYPE_*, and the DLT_RAW of some systems).
    pub const fn new(number: u32) -> Self {
        match number {
            1 => Self::Ethernet,
            0 | 108 => Self::Loopback,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            113 => Self::Cooked,
            276 => Self::CookedV2,
            _ => Self::Other,
        }
    }

    /// `None` for what is not IP or too short.
    pub fn read(self, packet: &[u8]) -> Option<NetworkPacket<'_>> {
        let next_hop = [0; 6];
        let plain = |ip| Some(NetworkPacket { direction: None, ifindex: 0, next_hop, ip });
        match self {
            Self::Ethernet => {
                let ip = ethernet(packet)?;
                Some(NetworkPacket { next_hop: *packet.first_chunk()?, ..plain(ip)? })
            }
            Self::Loopback => plain(packet.get(4..)?),
            Self::Raw => plain(packet),
            Self::Cooked => {
                let (header, rest) = packet.split_first_chunk::<16>()?;
                let kind = u16::from_be_bytes([header[0], header[1]]);
                let ip = behind_tags(u16::from_be_bytes([header[14], header[15]]), rest)?;
                Some(NetworkPacket { direction: Some(cooked(kind)), ifindex: 0, next_hop, ip })
            }
            Self::CookedV2 => {
                let (header, rest) = packet.split_first_chunk::<20>()?;
                let ifindex = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                let ip = behind_tags(u16::from_be_bytes([header[0], header[1]]), rest)?;
                Some(NetworkPacket { direction: Some(cooked(header[10].into())), ifindex, next_hop, ip })
            }
            Self::Other => None,
        }
    }
}

/// `PACKET_OUTGOING`; the others arrived: for this host, for all, or for another one, as on a bridge port.
const fn cooked(packet_type: u16) -> Direction {
    if packet_type == 4 { Direction::Leaving } else { Direction::Arriving }
}

pub fn ethernet(frame: &[u8]) -> Option<&[u8]> {
    let (header, rest) = frame.split_first_chunk::<14>()?;
    behind_tags(u16::from_be_bytes([header[12], header[13]]), rest)
}

/// The IP packet behind VLAN tags (802.1Q, 802.1ad and what was used before it), PPPoE.
fn behind_tags(mut ethertype: u16, mut rest: &[u8]) -> Option<&[u8]> {
    const MAX_TAGS: usize = 4;
    for _ in 0..=MAX_TAGS {
        match ethertype {
            0x0800 | 0x86dd => return Some(rest),
            0x8100 | 0x88a8 | 0x9100 => {
                let (tag, behind) = rest.split_first_chunk::<4>()?;
                (ethertype, rest) = (u16::from_be_bytes([tag[2], tag[3]]), behind);
            }
            0x8864 => {
                let (header, behind) = rest.split_first_chunk::<8>()?;
                let is_ip = matches!([header[6], header[7]], [0x00, 0x21 | 0x57]);
                return is_ip.then_some(behind);
            }
            _ => return None,
        }
    }
    None
}
