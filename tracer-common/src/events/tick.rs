//! `tick`: time has passed and everything the kernel had to say was delivered.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// Made by user space after it has emptied the ring buffer. Decisions that wait for facts are taken at ticks, never by the clock, so a
/// replay takes the same decisions in the same order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Tick {
    /// When the ring buffer was found empty.
    pub stamp: Stamp,
}

const _: () = assert!(size_of::<Tick>() == 16);
