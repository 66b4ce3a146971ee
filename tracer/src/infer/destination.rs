//! A destination, or a network of them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv6Addr, SocketAddr};

use tracer_common::Flow;

/// A destination, or a network of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// As in [`Flow`]
    addr: [u8; 16],
    /// 0 for a network
    port: u16,
    /// 128 for a single address
    prefix: u8,
}

impl Destination {
    /// Where the flow goes.
    pub const fn of(flow: &Flow) -> Self {
        Self { addr: flow.dst, port: flow.dst_port, prefix: 128 }
    }

    /// Its network: IPv4 /16, IPv6 /32.
    pub(crate) fn network(&self) -> Self {
        let is_ipv4 = Ipv6Addr::from_octets(self.addr).to_ipv4_mapped().is_some();
        let bytes = if is_ipv4 { 14 } else { 4 };
        let mut addr = [0; 16];
        addr[..bytes].copy_from_slice(&self.addr[..bytes]);
        Self { addr, port: 0, prefix: if is_ipv4 { 112 } else { 32 } }
    }

    /// All that have neither an entry of their own nor one for their network.
    pub(crate) const fn others() -> Self {
        Self { addr: [0; 16], port: 0, prefix: 0 }
    }
}

/// As numbers: byte by byte it costs three times as much.
impl Hash for Destination {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.addr));
        state.write_u32(u32::from(self.port) << 8 | u32::from(self.prefix));
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_octets(self.addr).to_canonical();
        match (self.prefix, address.is_ipv4()) {
            (0, _) => f.write_str("other destinations"),
            (128, _) => write!(f, "{}", SocketAddr::new(address, self.port)),
            (prefix, true) => write!(f, "{address}/{}", prefix - 96),
            (prefix, false) => write!(f, "{address}/{prefix}"),
        }
    }
}
