//! `lost`: how many facts were lost since the last such event.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// Made by user space from the per-CPU counters whenever one has grown.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Lost {
    /// When the counters were read.
    pub stamp: Stamp,
    /// How many more, by [`crate::config::Loss`].
    pub counts: [u64; 3],
}

const _: () = assert!(size_of::<Lost>() == 40);
