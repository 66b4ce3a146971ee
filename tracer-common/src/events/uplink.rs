//! `uplink`: an interface is watched by `wire` from now on, or no longer.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// Bytes of an interface's name (`IFNAMSIZ`).
pub const INTERFACE_NAME: usize = 16;

/// The interface is watched from this time on.
pub const UPLINK_WATCHED: u8 = 1;
/// The interface is not watched, or no longer: it disappeared, no route leads to it any more, or it only has a network of its own.
pub const UPLINK_LEFT: u8 = 2;
/// The interface is watched, but packets pass it unseen: another program ends the chain before `wire`.
pub const UPLINK_BLIND: u8 = 3;

/// The interface encapsulates (vxlan, geneve, ipip, gre, wireguard, tun): the packet's path begins at another interface.
pub const LINK_ENCAPSULATES: u8 = 1;

/// Made by user space for each watched interface when the capture starts, and whenever the set of watched interfaces changes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Uplink {
    /// Time of the change; namespace of the interface.
    pub stamp: Stamp,
    /// Index of the interface
    pub ifindex: u32,
    /// `UPLINK_*`
    pub state: u8,
    /// `LINK_*`, or 0
    pub link: u8,
    /// Zero.
    pub unused: [u8; 2],
    /// Name of the interface, zero beyond its length
    pub name: [u8; INTERFACE_NAME],
}

impl Uplink {
    /// The bytes of the name that count.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let length = self.name.iter().position(|&byte| byte == 0).unwrap_or(INTERFACE_NAME);
        self.name.get(..length).unwrap_or(&self.name)
    }
}

const _: () = assert!(size_of::<Uplink>() == 40);
