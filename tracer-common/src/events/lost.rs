//! `lost`: how many events were lost since the last such event.

use bytemuck::{Pod, Zeroable};

use super::Stamp;
use crate::config::Loss;

/// Made by user space from the per-CPU counters whenever one has grown.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Lost {
    /// When the counters were read.
    pub stamp: Stamp,
    /// How many more, by [`Loss`].
    pub counts: [u64; Loss::ALL.len()],
}

const _: () = assert!(size_of::<Lost>() == 48);
