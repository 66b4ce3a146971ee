//! The hash that everything with an ISN is found by.

/// Kernels draw ISNs by hash already; the multiplication (by 2^64 / golden ratio) is for those who count up.
#[inline]
pub(super) const fn hash_isn(isn: u32) -> u64 {
    (isn as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}
