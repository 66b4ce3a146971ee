//! One direction of a TCP connection, as an address pair with ports.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytemuck::{Pod, Zeroable};

/// Addresses and ports of one direction of a connection.
///
/// IPv4 addresses are stored as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), as the kernel stores them for dual-stack sockets,
/// so a mapped socket and its packets on the wire compare equal. Ports are in host byte order. Aligned so that the eBPF
/// programs, which know no unaligned words, need not copy it byte by byte.
#[repr(C, align(4))]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Flow {
    /// Source address, network byte order.
    pub src: [u8; 16],
    /// Destination address, network byte order.
    pub dst: [u8; 16],
    /// Source port, host byte order.
    pub src_port: u16,
    /// Destination port, host byte order.
    pub dst_port: u16,
}

const _: () = assert!(size_of::<Flow>() == 36);

impl Flow {
    /// The flow of the answers: source and destination exchanged.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        Self { src: self.dst, dst: self.src, src_port: self.dst_port, dst_port: self.src_port }
    }

    /// Source address; IPv4 where the stored form is IPv4-mapped.
    #[must_use]
    pub const fn src_addr(&self) -> IpAddr {
        Ipv6Addr::from_octets(self.src).to_canonical()
    }

    /// Destination address; IPv4 where the stored form is IPv4-mapped.
    #[must_use]
    pub const fn dst_addr(&self) -> IpAddr {
        Ipv6Addr::from_octets(self.dst).to_canonical()
    }

    /// Whether both addresses are IPv4.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        is_mapped(self.src) && is_mapped(self.dst)
    }

    /// A flow from socket addresses; the inverse of the accessors above.
    #[must_use]
    pub const fn new(src: SocketAddr, dst: SocketAddr) -> Self {
        Self { src: octets(src.ip()), dst: octets(dst.ip()), src_port: src.port(), dst_port: dst.port() }
    }
}

/// The stored form of an address: IPv4 becomes IPv4-mapped.
#[must_use]
pub const fn octets(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Whether the address is IPv4 in its stored form.
const fn is_mapped(addr: [u8; 16]) -> bool {
    u128::from_be_bytes(addr) >> 32 == 0xffff
}

impl core::fmt::Debug for Flow {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (src, dst) = (self.src_addr(), self.dst_addr());
        write!(f, "{} > {}", SocketAddr::new(src, self.src_port), SocketAddr::new(dst, self.dst_port))
    }
}
