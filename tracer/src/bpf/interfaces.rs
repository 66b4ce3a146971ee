//! Finds the interfaces that `wire` is attached to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context as _, bail};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::socket::SockaddrStorage;

use super::routes;
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
    let names = routes::defaults()?.into_iter().filter_map(name_of);
    Ok(names.filter(|name| name != "lo").collect())
}

/// The name of an interface of the namespace that this thread is in; one that has gone meanwhile has none any more.
pub(super) fn name_of(index: u32) -> Option<String> {
    // nix takes the null pointer of a failure for an empty name.
    if_indextoname(index).ok()?.into_string().ok().filter(|name| !name.is_empty())
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
