//! Addresses of IPv6 that embed one of IPv4 (RFC 6052, 2.2), by which NAT64 and 464XLAT translate.

/// What is before an address of IPv4 in its mapped form.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
/// Where the four bytes are for prefixes of 96, 64, 56, 48, 40 and 32 bits; byte 8 is left out.
const PLACES: [[usize; 4]; 6] =
    [[12, 13, 14, 15], [9, 10, 11, 12], [7, 9, 10, 11], [6, 7, 9, 10], [5, 6, 7, 9], [4, 5, 6, 7]];

/// Whether one of two addresses is of IPv6 and embeds the other, which is of IPv4.
pub(super) fn is_same(one: &[u8; 16], other: &[u8; 16]) -> bool {
    match (one.strip_prefix(&MAPPED), other.strip_prefix(&MAPPED)) {
        (Some(ipv4), None) => embeds(other, ipv4),
        (None, Some(ipv4)) => embeds(one, ipv4),
        _ => false,
    }
}

fn embeds(ipv6: &[u8; 16], ipv4: &[u8]) -> bool {
    PLACES.iter().any(|places| places.iter().zip(ipv4).all(|(&place, byte)| ipv6.get(place) == Some(byte)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    /// The examples of RFC 6052, 2.4.
    #[test]
    fn an_address_is_found_behind_a_prefix_of_any_length() {
        let ipv4 = "192.0.2.33".parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped().octets();
        for ipv6 in [
            "2001:db8:c000:221::",
            "2001:db8:1c0:2:21::",
            "2001:db8:122:c000:2:2100::",
            "2001:db8:122:3c0:0:221::",
            "2001:db8:122:344:c0:2:2100::",
            "2001:db8:122:344::192.0.2.33",
            "64:ff9b::192.0.2.33",
        ] {
            let ipv6 = ipv6.parse::<Ipv6Addr>().unwrap().octets();
            assert!(is_same(&ipv6, &ipv4) && is_same(&ipv4, &ipv6), "{ipv6:x?}");
        }
        let other = "64:ff9b::192.0.2.34".parse::<Ipv6Addr>().unwrap().octets();
        assert!(!is_same(&other, &ipv4) && !is_same(&other, &other) && !is_same(&ipv4, &ipv4));
    }
}
