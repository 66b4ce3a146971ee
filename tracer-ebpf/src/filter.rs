//! What the user does not want to see is left in the kernel. A filter that is not set is a constant to the verifier: it costs nothing.

use aya_ebpf::maps::lpm_trie::{Key, LpmTrie};
use tracer_common::Flow;

use crate::kernel::globals::{FILTER_BY_DPORT, FILTER_BY_DST, FILTER_BY_NETNS, FILTER_BY_SRC, FILTER_WIRE};
use crate::maps::{FILTER_DPORT, FILTER_DST, FILTER_NETNS, FILTER_SRC, INNER, OWN_ADDRESSES, UPLINKS, WANTED_DST};

/// Whether an original flow is wanted.
#[inline(always)]
pub fn wants(original: &Flow) -> bool {
    wants_src(original) && wants_dst(original)
}

/// The same of a flow whose destination may be behind a DNAT.
#[inline(always)]
pub fn wants_src(flow: &Flow) -> bool {
    FILTER_BY_SRC.load() == 0 || contains(&FILTER_SRC, &flow.src)
}

/// Whether the NAT of this namespace is wanted.
#[inline(always)]
pub fn wants_netns(netns: u32) -> bool {
    // SAFETY: the value is not used, and the map is only written before the programs run.
    FILTER_BY_NETNS.load() == 0 || unsafe { FILTER_NETNS.get(netns) }.is_some()
}

/// Whether events may be restricted to namespaces.
#[inline(always)]
pub fn by_netns() -> bool {
    FILTER_BY_NETNS.load() != 0
}

/// `UPLINK_*` of a watched interface; 0 of others.
#[inline(always)]
pub fn uplink(netns: u32, ifindex: u32) -> u8 {
    // SAFETY: a byte, which is copied at once.
    unsafe { UPLINKS.get([netns, ifindex]) }.copied().unwrap_or(0)
}

/// Whether SYNs that arrive at this watched interface are on their way out.
#[inline(always)]
pub fn is_inner(ifindex: u32) -> bool {
    // SAFETY: the value is not used.
    unsafe { INNER.get(ifindex) }.is_some()
}

/// Whether the node has this address.
#[inline(always)]
pub fn is_own(addr: &[u8; 16]) -> bool {
    // SAFETY: the value is not used.
    unsafe { OWN_ADDRESSES.get(addr) }.is_some()
}

/// Whether a packet to this destination is wanted, which may be behind a DNAT.
#[inline(always)]
pub fn wants_wire(to_server: &Flow) -> bool {
    !follows_backends() || wants_dst(to_server) || is_wanted_backend(to_server)
}

/// Whether packets are filtered too, and so the destinations that DNAT chooses are to be remembered.
#[inline(always)]
pub fn follows_backends() -> bool {
    FILTER_WIRE.load() != 0
}

/// Remembers the destination that DNAT chose for a wanted flow.
#[inline(always)]
pub fn want_backend(translated: &Flow) {
    // The map makes room by itself.
    let _ = WANTED_DST.insert(backend(translated), 1u8, 0);
}

#[inline(always)]
fn is_wanted_backend(flow: &Flow) -> bool {
    // SAFETY: the value is not used.
    unsafe { WANTED_DST.get(backend(flow)) }.is_some()
}

#[inline(always)]
fn backend(flow: &Flow) -> [u8; 18] {
    let mut key = [0; 18];
    key[..16].copy_from_slice(&flow.dst);
    key[16..].copy_from_slice(&flow.dst_port.to_be_bytes());
    key
}

#[inline(always)]
fn wants_dst(flow: &Flow) -> bool {
    (FILTER_BY_DST.load() == 0 || contains(&FILTER_DST, &flow.dst))
        && (FILTER_BY_DPORT.load() == 0 || has_port(flow.dst_port))
}

#[inline(always)]
fn contains(prefixes: &LpmTrie<[u8; 16], u8>, addr: &[u8; 16]) -> bool {
    prefixes.get(Key::new(128, *addr)).is_some()
}

#[inline(always)]
fn has_port(port: u16) -> bool {
    FILTER_DPORT.get(u32::from(port) / 64).is_some_and(|word| word >> (port % 64) & 1 == 1)
}
