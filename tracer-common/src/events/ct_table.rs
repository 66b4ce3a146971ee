//! `ct_table`: how full the conntrack table of a namespace is, once that matters.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// Made by user space once a second while a table is at least nine tenths full, and once when it no longer is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct CtTable {
    /// When it was read; the namespace of the table.
    pub stamp: Stamp,
    /// From `net.netfilter.nf_conntrack_count`
    pub count: u32,
    /// From `net.netfilter.nf_conntrack_max`
    pub max: u32,
}

impl CtTable {
    /// Whether the fill is worth an event.
    #[must_use]
    pub const fn is_nearly_full(&self) -> bool {
        self.max > 0 && self.count as u64 * 10 >= self.max as u64 * 9
    }
}

const _: () = assert!(size_of::<CtTable>() == 24);
