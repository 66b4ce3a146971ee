//! Finds the interfaces that `wire` is attached to.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use anyhow::{Context as _, bail};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::SockaddrStorage;

use crate::netns::Netns;

/// An interface that connections leave through.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    /// Index into the list of namespaces.
    pub(super) netns: usize,
    pub(super) inum: u32,
    pub(super) name: String,
    pub(super) index: u32,
    /// Whether packets on it begin with an Ethernet header.
    pub(super) has_ethernet: bool,
}

/// The named interfaces, each in whichever of the namespaces has it; without names those with a default route.
pub(super) fn uplinks(namespaces: &[Netns], names: &[String]) -> anyhow::Result<Vec<Interface>> {
    let mut uplinks = Vec::new();
    for (netns, namespace) in namespaces.iter().enumerate() {
        let inum = namespace.inum()?;
        let found = namespace.run(|| {
            let names = if names.is_empty() { default_routes()? } else { names.iter().cloned().collect() };
            names
                .into_iter()
                .filter(|name| if_nametoindex(name.as_str()).is_ok())
                .map(|name| look(netns, inum, name))
                .collect()
        });
        uplinks.extend::<Vec<_>>(found?);
    }
    match names.iter().find(|name| !uplinks.iter().any(|uplink| uplink.name == **name)) {
        Some(missing) => bail!("unknown interface {}: `ip link` lists those that exist here", missing.escape_debug()),
        None => Ok(uplinks),
    }
}

/// All addresses of these namespaces but those that every host has.
pub(super) fn addresses(namespaces: &[Netns]) -> anyhow::Result<Vec<IpAddr>> {
    let mut all = BTreeSet::new();
    for namespace in namespaces {
        let found = namespace
            .run(|| Ok(getifaddrs().context("cannot list the addresses of the interfaces")?.collect::<Vec<_>>()))?;
        let addresses = found.into_iter().filter_map(|interface| ip(&interface.address?));
        all.extend(addresses.filter(|address| !address.is_loopback()));
    }
    Ok(all.into_iter().collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
}

fn look(netns: usize, inum: u32, name: String) -> anyhow::Result<Interface> {
    let index = if_nametoindex(name.as_str()).with_context(|| format!("cannot find interface {name}"))?;
    let has_ethernet = has_ethernet(&name)?;
    Ok(Interface { netns, inum, name, index, has_ethernet })
}

/// Interfaces with a default route in the namespace of this thread.
fn default_routes() -> anyhow::Result<BTreeSet<String>> {
    const V4: &str = "/proc/thread-self/net/route";
    const V6: &str = "/proc/thread-self/net/ipv6_route";
    let v4 = fs::read_to_string(V4).with_context(|| format!("cannot read {V4}: is /proc mounted?"))?;
    // Missing where IPv6 is off.
    let v6 = fs::read_to_string(V6).unwrap_or_default();
    Ok(default_v4(&v4).chain(default_v6(&v6)).map(str::to_owned).collect())
}

/// Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask ...
fn default_v4(routes: &str) -> impl Iterator<Item = &str> {
    routes.lines().skip(1).filter_map(|line| {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        let [name, "00000000", _, flags, _, _, _, "00000000", ..] = columns[..] else { return None };
        is_usable(flags).then_some(name)
    })
}

/// Columns: destination, its prefix length, source, its prefix length, next hop, metric, refcnt, use, flags, name
fn default_v6(routes: &str) -> impl Iterator<Item = &str> {
    routes.lines().filter_map(|line| {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        let [_, "00", _, _, _, _, _, _, flags, name] = columns[..] else { return None };
        (name != "lo" && is_usable(flags)).then_some(name)
    })
}

/// `RTF_UP` without `RTF_REJECT` (linux/route.h).
fn is_usable(flags: &str) -> bool {
    const RTF_UP: u32 = 0x1;
    const RTF_REJECT: u32 = 0x200;
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (RTF_UP | RTF_REJECT) == RTF_UP)
}

/// Asks the kernel for the type of the link; sysfs shows only the namespace that it was mounted in.
fn has_ethernet(name: &str) -> anyhow::Result<bool> {
    use nix::libc::{ARPHRD_ETHER, ARPHRD_LOOPBACK, SIOCGIFHWADDR, c_char, ifreq, ioctl};
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    use std::os::fd::AsRawFd as _;

    let asked = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: ifreq is plain data, for which zeroes are valid.
    let mut request: ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        bail!("the name of interface {name} is too long");
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    // SAFETY: the request outlives the call, which reads its name and writes its address.
    let result = unsafe { ioctl(asked.as_raw_fd(), SIOCGIFHWADDR, &raw mut request) };
    nix::errno::Errno::result(result).with_context(|| format!("cannot ask interface {name} for its type"))?;
    // SAFETY: SIOCGIFHWADDR fills the address.
    let link_type = unsafe { request.ifr_ifru.ifru_hwaddr.sa_family };
    Ok(matches!(link_type, ARPHRD_ETHER | ARPHRD_LOOPBACK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found_and_rejecting_ones_are_not() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                  eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                  eth2\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert_eq!(default_v4(v4).collect::<Vec<_>>(), ["eth0"]);
        let any = "00000000000000000000000000000000";
        let gateway = "fd000000000000000000000000000001";
        let v6 = format!(
            "{any} 00 {any} 00 {gateway} 00000400 00000001 00000000 00000003 eth0\n\
             {any} 00 {any} 00 {any} ffffffff 00000001 00000000 00200200 lo\n\
             {gateway} 80 {any} 00 {any} 00000100 00000001 00000000 00000001 eth1\n"
        );
        assert_eq!(default_v6(&v6).collect::<Vec<_>>(), ["eth0"]);
    }
}
