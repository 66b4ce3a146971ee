//! `address`: an interface of a watched namespace has an address from now on, or no longer.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// The interface has the address from this time on.
pub const ADDRESS_ADDED: u8 = 1;
/// The interface no longer has the address.
pub const ADDRESS_REMOVED: u8 = 2;

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
    /// `ADDRESS_ADDED` or `ADDRESS_REMOVED`
    pub state: u8,
    /// Zero.
    pub unused: [u8; 2],
}

const _: () = assert!(size_of::<Address>() == 40);
