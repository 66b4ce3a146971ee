//! An interface as the kernel lists it (`ifinfomsg`).

use super::{find, number, text};

const HEADER: usize = 16;

/// Kinds of interfaces that put packets into packets.
const ENCAPSULATING: &str = "vxlan geneve gre gretap erspan ip6gre ip6gretap ip6erspan ipip sit ip6tnl vti vti6 xfrm wireguard tun gtp \
     bareudp amt nebula ovpn pfcp l2tp";

/// What is read of it.
pub(crate) struct LinkMessage<'a> {
    pub(crate) index: u32,
    /// `ARPHRD_*`
    pub(crate) layer: u16,
    /// Empty where it is not named.
    pub(crate) name: &'a str,
    /// What the kernel calls its kind (`vxlan`, `wireguard`); a network card has none.
    pub(crate) kind: Option<&'a str>,
    /// Attributes of that kind.
    pub(crate) data: &'a [u8],
    /// Index of the interface below it, or of the other end of a pair.
    pub(crate) link: Option<u32>,
    /// The namespace of that one where it is another, by the number that this one gives it.
    pub(crate) link_netns: Option<u32>,
    /// The bridge, bond or VRF that it is part of.
    pub(crate) master: Option<u32>,
    /// The XDP program on it, by its number.
    pub(crate) xdp: Option<u32>,
}

impl<'a> LinkMessage<'a> {
    /// `None` for a message that is too short.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Self> {
        const IFLA_IFNAME: u16 = 3;
        const IFLA_LINK: u16 = 5;
        const IFLA_MASTER: u16 = 10;
        const IFLA_LINKINFO: u16 = 18;
        const IFLA_LINK_NETNSID: u16 = 37;
        const IFLA_XDP: u16 = 43;
        const IFLA_INFO_KIND: u16 = 1;
        const IFLA_INFO_DATA: u16 = 2;
        const IFLA_XDP_PROG_ID: u16 = 4;
        let (header, rest) = message.split_at_checked(HEADER)?;
        let info = find(rest, IFLA_LINKINFO).unwrap_or_default();
        Some(Self {
            index: number(&header[4..])?,
            layer: u16::from_ne_bytes([header[2], header[3]]),
            name: find(rest, IFLA_IFNAME).and_then(text).unwrap_or_default(),
            kind: find(info, IFLA_INFO_KIND).and_then(text),
            data: find(info, IFLA_INFO_DATA).unwrap_or_default(),
            link: find(rest, IFLA_LINK).and_then(number),
            link_netns: find(rest, IFLA_LINK_NETNSID).and_then(number),
            master: find(rest, IFLA_MASTER).and_then(number),
            xdp: find(rest, IFLA_XDP).and_then(|xdp| find(xdp, IFLA_XDP_PROG_ID)).and_then(number),
        })
    }
}

/// Whether interfaces of this kind put packets into packets.
pub(crate) fn encapsulates(kind: &str) -> bool {
    ENCAPSULATING.split(' ').any(|known| known == kind)
}
