//! `address`: an interface of a watched namespace has an address, or a route makes a prefix the node's own, from now on or no longer.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// The interface has the address from this time on, or sends for an interface above it that has it (a VLAN, bond or bridge).
pub const ADDRESS_ADDED: u8 = 1;
/// The interface no longer has the address.
pub const ADDRESS_REMOVED: u8 = 2;
/// A local route (`RTN_LOCAL`) that somebody made has the prefix from this time on: the node accepts packets to all of its addresses.
pub const LOCAL_ROUTE_ADDED: u8 = 3;
/// The local route is no longer there.
pub const LOCAL_ROUTE_REMOVED: u8 = 4;

/// A route leads the address out of this interface from now on, although another one has its network (proxy ARP).
pub const HOST_ROUTE_ADDED: u8 = 5;
/// The route is no longer there.
pub const HOST_ROUTE_REMOVED: u8 = 6;

/// The interface sends for one above it that is watched and has the address (a VLAN, macvlan, bond or bridge), from this time on.
pub const SENDER_ADDED: u8 = 7;
/// It no longer does.
pub const SENDER_REMOVED: u8 = 8;

/// Made by user space for each address when the capture starts, and whenever one changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Address {
    /// Time of the change; namespace of the interface.
    pub stamp: Stamp,
    /// The address, IPv4 as IPv4-mapped IPv6
    pub addr: [u8; 16],
    /// Index of the interface
    pub ifindex: u32,
    /// Length of the prefix, as of the stored form: 96 more for IPv4
    pub prefix: u8,
    /// `ADDRESS_*`, `LOCAL_ROUTE_*`, `HOST_ROUTE_*` or `SENDER_*`
    pub state: u8,
    /// Zero.
    pub unused: [u8; 2],
}

const _: () = assert!(size_of::<Address>() == 40);
