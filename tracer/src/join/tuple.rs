//! Tuples as attempts keep them: 12 bytes with addresses of IPv4. Addresses of IPv6 are kept apart, and named by number.

use bytemuck::cast;
use tracer_common::Flow;

/// No address.
const NONE: u32 = u32::MAX;

/// Ports, and addresses of IPv4 as they are in memory, or numbers of addresses in [`Addresses`]; who keeps it knows which. As two
/// numbers, each read as it was written: what is written in parts and then read as a whole has to wait.
#[repr(C, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tuple {
    /// That of the source in the lower half
    addresses: u64,
    /// The same
    ports: u32,
}

/// Third word of an address of IPv4 in its mapped form, after two that are zero (RFC 4291, 2.5.5.2).
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

impl Tuple {
    /// With its addresses, if those are of IPv4.
    #[inline]
    pub(super) fn of_ipv4(flow: &Flow) -> Option<Self> {
        // As words: a quarter of what it takes byte by byte.
        let [src_0, src_1, src_2, src]: [u32; 4] = cast(flow.src);
        let [dst_0, dst_1, dst_2, dst]: [u32; 4] = cast(flow.dst);
        let is_ipv4 = src_0 | src_1 | dst_0 | dst_1 | (src_2 ^ MAPPED) | (dst_2 ^ MAPPED) == 0;
        is_ipv4.then_some(Self::new(src, dst, flow))
    }

    #[inline]
    fn new(src: u32, dst: u32, ports: &Flow) -> Self {
        Self {
            addresses: u64::from(dst) << 32 | u64::from(src),
            ports: u32::from(ports.dst_port) << 16 | u32::from(ports.src_port),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    #[inline]
    const fn addresses(self) -> (u32, u32) {
        (self.addresses as u32, (self.addresses >> 32) as u32)
    }

    #[inline]
    fn flow(self, src: [u8; 16], dst: [u8; 16]) -> Flow {
        #[expect(clippy::cast_possible_truncation, reason = "two halves")]
        Flow { src, dst, src_port: self.ports as u16, dst_port: (self.ports >> 16) as u16 }
    }

    /// The flow of a tuple that has its addresses.
    #[inline]
    pub(super) fn to_ipv4(self) -> Flow {
        let (src, dst) = self.addresses();
        self.flow(cast([0, 0, MAPPED, src]), cast([0, 0, MAPPED, dst]))
    }

    /// The tuple as one number.
    #[inline]
    pub(super) fn bits(self) -> u128 {
        u128::from(self.addresses) << 32 | u128::from(self.ports)
    }

    #[inline]
    pub(super) const fn has_destination_of(self, other: Self) -> bool {
        (self.addresses ^ other.addresses) >> 32 == 0 && (self.ports ^ other.ports) >> 16 == 0
    }
}

/// A flow of an event, packed once. No `Copy`: a copy right after it was made would have to wait for its parts.
#[derive(Debug)]
pub(super) struct TupleKey<'a> {
    pub(super) flow: &'a Flow,
    pub(super) narrow: Option<Tuple>,
}

impl<'a> From<&'a Flow> for TupleKey<'a> {
    #[inline]
    fn from(flow: &'a Flow) -> Self {
        Self { flow, narrow: Tuple::of_ipv4(flow) }
    }
}

/// Addresses by number, those in use and those to be used again.
#[derive(Debug)]
pub(super) struct Addresses {
    /// A free one begins with the number of the next.
    all: Vec<[u8; 16]>,
    free: u32,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { all: Vec::new(), free: NONE }
    }
}

impl Addresses {
    /// The flow of a tuple that has numbers.
    pub(super) fn flow(&self, tuple: Tuple) -> Flow {
        let address = |number: u32| self.all.get(number as usize).copied().unwrap_or_default();
        let (src, dst) = tuple.addresses();
        tuple.flow(address(src), address(dst))
    }

    /// Keeps a flow, with those addresses of its neighbour that are the same.
    pub(super) fn keep(&mut self, flow: &Flow, neighbour: Option<Tuple>) -> Tuple {
        let known = neighbour.map(|tuple| (tuple.addresses(), self.flow(tuple)));
        let src = known.filter(|(_, other)| other.src == flow.src).map(|((src, _), _)| src);
        let dst = known.filter(|(_, other)| other.dst == flow.dst).map(|((_, dst), _)| dst);
        let src = src.unwrap_or_else(|| self.add(flow.src));
        let dst = dst.unwrap_or_else(|| self.add(flow.dst));
        Tuple::new(src, dst, flow)
    }

    /// Gives back the addresses of a tuple that its neighbour does not share.
    pub(super) fn release(&mut self, tuple: Tuple, neighbour: Option<Tuple>) {
        let ((src, dst), shared) = (tuple.addresses(), neighbour.map(Tuple::addresses));
        if shared.is_none_or(|(other, _)| other != src) {
            self.remove(src);
        }
        if shared.is_none_or(|(_, other)| other != dst) {
            self.remove(dst);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "an attempt has four at most, and there are fewer than 2^30 attempts"
    )]
    fn add(&mut self, address: [u8; 16]) -> u32 {
        let number = self.free;
        let Some(place) = self.all.get_mut(number as usize) else {
            self.all.push(address);
            return self.all.len() as u32 - 1;
        };
        let [a, b, c, d, ..] = std::mem::replace(place, address);
        self.free = u32::from_ne_bytes([a, b, c, d]);
        number
    }

    fn remove(&mut self, number: u32) {
        if let Some([a, b, c, d, ..]) = self.all.get_mut(number as usize) {
            [*a, *b, *c, *d] = self.free.to_ne_bytes();
            self.free = number;
        }
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        let free = std::iter::successors(self.all.get(self.free as usize), |&&[a, b, c, d, ..]| {
            self.all.get(u32::from_ne_bytes([a, b, c, d]) as usize)
        });
        self.all.len() - free.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(src: &str, dst: &str) -> Flow {
        Flow::new(src.parse().unwrap(), dst.parse().unwrap())
    }

    #[test]
    fn only_what_is_ipv4_on_both_sides_has_its_addresses_in_the_tuple() {
        let ipv4 = flow("192.0.2.1:40000", "198.51.100.255:443");
        let tuple = Tuple::of_ipv4(&ipv4).unwrap();
        assert_eq!(tuple.to_ipv4(), ipv4);
        let other_source = Tuple::of_ipv4(&flow("255.255.255.255:65535", "198.51.100.255:443")).unwrap();
        assert!(tuple.has_destination_of(other_source) && tuple != other_source);
        for destination in ["198.51.100.254:443", "198.51.100.255:442"] {
            let other = Tuple::of_ipv4(&flow("192.0.2.1:40000", destination)).unwrap();
            assert!(!tuple.has_destination_of(other) && tuple != other);
        }
        let ipv6 = flow("[2001:db8::1]:1", "[2001:db8::2]:2");
        let mixed = [Flow { src: ipv4.src, ..ipv6 }, Flow { dst: ipv4.dst, ..ipv6 }];
        assert!(mixed.iter().chain([&ipv6]).all(|flow| Tuple::of_ipv4(flow).is_none()));
    }

    #[test]
    fn neighbours_share_addresses_and_what_is_given_back_is_used_again() {
        let mut addresses = Addresses::default();
        let original = flow("[2001:db8::1]:1", "[2001:db8::2]:2");
        let translated = flow("[2001:db8::3]:3", "[2001:db8::2]:4");
        let first = addresses.keep(&original, None);
        let second = addresses.keep(&translated, Some(first));
        assert_eq!((addresses.flow(first), addresses.flow(second), addresses.in_use()), (original, translated, 3));
        addresses.release(first, Some(second));
        assert_eq!((addresses.flow(second), addresses.in_use()), (translated, 2));
        let third = addresses.keep(&original, Some(second));
        assert_eq!((addresses.flow(third), addresses.flow(second), addresses.in_use()), (original, translated, 3));
        addresses.release(second, Some(third));
        addresses.release(third, None);
        assert_eq!((addresses.in_use(), addresses.all.len()), (0, 3));
    }
}
