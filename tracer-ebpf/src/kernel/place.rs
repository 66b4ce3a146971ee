//! Where in the kernel a packet was freed, by the address that `kfree_skb` reports.

use tracer_common::events::{DROP_AT_HOOK, DROP_ELSEWHERE};

use super::globals::{
    HOOK_SLOW_LEN, HOOK_SLOW_LOW, KERNEL_HIGH, TCP_V4_RCV_LEN, TCP_V4_RCV_LOW, TCP_V6_RCV_LEN, TCP_V6_RCV_LOW,
};

/// Whether the packet was freed by `nf_hook_slow()`; 0 where it is not known where that is.
#[inline(always)]
pub fn place(location: u64) -> u8 {
    if KERNEL_HIGH.load() == 0 {
        return 0;
    }
    if is_within(location, HOOK_SLOW_LOW.load(), HOOK_SLOW_LEN.load()) { DROP_AT_HOOK } else { DROP_ELSEWHERE }
}

/// Whether the packet had reached a socket: TCP frees a retransmitted SYN of a connection that it has begun to open, and answers it again.
#[inline(always)]
pub fn is_freed_by_tcp(location: u64) -> bool {
    is_within(location, TCP_V4_RCV_LOW.load(), TCP_V4_RCV_LEN.load())
        || is_within(location, TCP_V6_RCV_LOW.load(), TCP_V6_RCV_LEN.load())
}

#[inline(always)]
fn is_within(location: u64, low: u32, len: u32) -> bool {
    let start = u64::from(KERNEL_HIGH.load()) << 32 | u64::from(low);
    len != 0 && location.wrapping_sub(start) <= u64::from(len)
}
