//! How the join hashes. Keys are fixed, so that tables forget the same facts on every run.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// Kernels draw ISNs by hash already; the multiplication (by 2^64 / golden ratio) is for those who count up.
#[inline]
pub(super) const fn hash_isn(isn: u32) -> u64 {
    (isn as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

pub(super) fn hasher() -> impl Hasher {
    FixedState::with_seed(0x5EED).build_hasher()
}

/// Writes an address as one number: three times as fast as byte by byte.
pub(super) fn write_addr(hasher: &mut impl Hasher, addr: [u8; 16]) {
    hasher.write_u128(u128::from_ne_bytes(addr));
}
