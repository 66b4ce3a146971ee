//! Addresses that rules name, and whether a filter of a provider can be on the way to them.

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

/// Prefixes that are not routed on the internet: private, shared, unique, link and loopback, multicast.
const NOT_ROUTED: [&str; 10] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "224.0.0.0/4",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// `10.0.0.0/8` or `10.0.0.1`.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

/// The prefixes that together are this range.
pub(super) fn of_range(first: &str, last: &str) -> Option<Vec<IpNet>> {
    match (first.parse().ok()?, last.parse().ok()?) {
        (std::net::IpAddr::V4(first), std::net::IpAddr::V4(last)) => {
            Some(Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect())
        }
        (std::net::IpAddr::V6(first), std::net::IpAddr::V6(last)) => {
            Some(Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect())
        }
        _ => None,
    }
}

/// Whether no address of the prefix is routed on the internet.
pub(super) fn is_private(prefix: &IpNet) -> bool {
    NOT_ROUTED.iter().filter_map(|known| known.parse::<IpNet>().ok()).any(|known| known.contains(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_private_when_all_of_it_is() {
        for (text, private) in
            [("10.42.0.0/16", true), ("10.0.0.0/7", false), ("fd00::1", true), ("8.8.8.8", false), ("0.0.0.0/0", false)]
        {
            assert_eq!(parse(text).as_ref().map(is_private), Some(private), "{text}");
        }
    }
}
