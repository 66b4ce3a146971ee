//! VXLAN and Geneve: the packet inside, and the network that it belongs to.

/// UDP ports: VXLAN (RFC 7348), as Linux and flannel have it by default, Geneve (RFC 8926).
const VXLAN: [u16; 2] = [4789, 8472];
const GENEVE: u16 = 6081;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encapsulated<'a> {
    pub vni: u32,
    /// From its Ethernet header on
    pub frame: &'a [u8],
}

/// The packet inside a UDP datagram.
pub fn open(udp: &[u8]) -> Option<Encapsulated<'_>> {
    let (header, payload) = udp.split_first_chunk::<8>()?;
    let port = u16::from_be_bytes([header[2], header[3]]);
    let (tunnel, rest) = payload.split_first_chunk::<8>()?;
    let vni = u32::from_be_bytes([0, tunnel[4], tunnel[5], tunnel[6]]);
    // The flag that says that there is a VNI.
    if VXLAN.contains(&port) && tunnel[0] & 0x08 != 0 {
        return Some(Encapsulated { vni, frame: rest });
    }
    // Version 0, options of so many words, Ethernet inside.
    let is_geneve = port == GENEVE && tunnel[0] & 0xc0 == 0 && [tunnel[2], tunnel[3]] == [0x65, 0x58];
    let options_len = usize::from(tunnel[0] & 0x3f) * 4;
    is_geneve.then(|| rest.get(options_len..)).flatten().map(|frame| Encapsulated { vni, frame })
}
