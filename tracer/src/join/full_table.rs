//! The conntrack table that was nearly full.

/// The newest such reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullTable {
    pub(super) time_ns: u64,
    pub(super) count: u32,
    pub(super) max: u32,
}
