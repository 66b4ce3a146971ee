//! A route as the kernel lists it (`rtmsg`).

use nix::libc::{
    RTA_DST, RTA_GATEWAY, RTA_MULTIPATH, RTA_OIF, RTA_TABLE, RTM_F_CLONED, RTM_GETROUTE, RTN_UNICAST, c_int,
};

use super::{Connection, attributes, number};

pub(crate) const HEADER: usize = 12;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;

/// What is read of it.
#[derive(Debug, Default)]
pub(crate) struct Route<'a> {
    pub(crate) family: c_int,
    /// Length of the prefix.
    pub(crate) len: u8,
    /// `RTPROT_*`: who made it.
    pub(crate) protocol: u8,
    /// `RTN_*`
    pub(crate) kind: u8,
    /// It leads packets out, and is not the memory of another one.
    pub(crate) is_unicast: bool,
    pub(crate) table: u32,
    /// Empty for a default route.
    pub(crate) dst: &'a [u8],
    /// Index of its interface, where it has one hop.
    pub(crate) interface: Option<u32>,
    /// Those of its hops, where it has several.
    pub(crate) hops: Vec<u32>,
    /// The nexthop object that has its hops.
    pub(crate) nexthop: Option<u32>,
    pub(crate) has_gateway: bool,
}

impl<'a> Route<'a> {
    /// `None` for a message that is too short.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Self> {
        let (header, rest) = message.split_at_checked(HEADER)?;
        let is_cloned = number(&header[8..])? & RTM_F_CLONED != 0;
        let mut route = Self {
            family: c_int::from(header[0]),
            len: header[1],
            table: u32::from(header[4]),
            protocol: header[5],
            kind: header[7],
            is_unicast: header[7] == RTN_UNICAST && !is_cloned,
            ..Self::default()
        };
        for (kind, payload) in attributes(rest) {
            match kind {
                RTA_DST => route.dst = payload,
                // The table where its number does not fit the header.
                RTA_TABLE => route.table = number(payload).unwrap_or(route.table),
                RTA_OIF => route.interface = number(payload),
                RTA_GATEWAY | RTA_VIA => route.has_gateway = true,
                RTA_MULTIPATH => route.hops = hops(payload),
                RTA_NH_ID => route.nexthop = number(payload),
                _ => {}
            }
        }
        Some(route)
    }

    /// Indexes of the interfaces that the route itself names.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.interface.into_iter().chain(self.hops.iter().copied())
    }
}

/// Hands over each route of a family.
pub(crate) fn dump(connection: &Connection, family: c_int, mut visit: impl FnMut(&Route<'_>)) -> anyhow::Result<()> {
    let mut body = [0; HEADER];
    body[0] = family as u8;
    connection.dump(RTM_GETROUTE, &body, |_, message| {
        if let Some(route) = Route::parse(message) {
            visit(&route);
        }
    })
}

/// The interfaces of a route with several hops (`rtnexthop`).
fn hops(mut rest: &[u8]) -> Vec<u32> {
    const HOP: usize = 8;
    let mut indexes = Vec::new();
    while let (Some(len), Some(index)) = (rest.first_chunk(), rest.get(4..).and_then(number)) {
        indexes.push(index);
        let len = usize::from(u16::from_ne_bytes(*len)).max(HOP).next_multiple_of(4);
        rest = rest.get(len..).unwrap_or_default();
    }
    indexes
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::attribute;
    use super::*;

    /// A route of the main table as the kernel writes it.
    pub(crate) fn route(prefix: &str, kind: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let net: ipnet::IpNet = prefix.parse().unwrap();
        let (family, octets) = match net.addr() {
            std::net::IpAddr::V4(v4) => (nix::libc::AF_INET, v4.octets().to_vec()),
            std::net::IpAddr::V6(v6) => (nix::libc::AF_INET6, v6.octets().to_vec()),
        };
        let mut bytes = vec![family as u8, net.prefix_len(), 0, 0, 254, 0, 0, kind, 0, 0, 0, 0];
        if net.prefix_len() > 0 {
            bytes.extend(attribute(RTA_DST, &octets));
        }
        bytes.extend(attributes.iter().flat_map(|(kind, payload)| attribute(*kind, payload)));
        bytes
    }

    #[test]
    fn a_route_of_several_hops_names_each_of_them() {
        let hop = |index: u32| [8u16.to_ne_bytes().as_slice(), &[0, 0], &index.to_ne_bytes()].concat();
        let several = route("203.0.113.0/24", RTN_UNICAST, &[(RTA_MULTIPATH, &[hop(3), hop(4)].concat())]);
        assert_eq!(Route::parse(&several).unwrap().interfaces().collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_cut_off_names_no_interface() {
        let whole = route("0.0.0.0/0", RTN_UNICAST, &[(RTA_OIF, &2u32.to_ne_bytes())]);
        for len in 0..whole.len() {
            assert!(Route::parse(&whole[..len]).is_none_or(|route| route.interfaces().next().is_none()), "{len}");
        }
        assert_eq!(Route::parse(&whole).unwrap().interface, Some(2));
    }
}
