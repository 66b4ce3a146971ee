//! The way out: events into the ring buffer, losses into their counters.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use tracer_common::config::Loss;
use tracer_common::events::Stamp;

use crate::kernel::globals::WAKE_AT_BYTES;
use crate::maps::{EVENTS, LOST};

/// `BPF_RB_AVAIL_DATA`
const AVAILABLE: u64 = 0;
/// `BPF_RB_NO_WAKEUP`
const SLEEP_ON: u64 = 1;
/// `BPF_RB_FORCE_WAKEUP`
const WAKE: u64 = 2;
/// Only events that cross the mark wake the consumer, not all that follow it: a wake-up costs more than an event.
const WAKE_WINDOW_BYTES: u64 = 1024;

/// The stamp of an event that happens now.
#[inline(always)]
pub fn stamp(kind: u32, netns: u32) -> Stamp {
    Stamp { time_ns: now_ns(), kind, netns }
}

/// Nanoseconds since boot, suspend included.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper has no arguments and no preconditions.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Has `fill` write every field of an event where user space reads it (the stack is too small for a copy), or counts that it was lost.
/// `fill` returns `None` to send nothing after all.
#[inline(always)]
pub fn emit<T: bytemuck::Pod>(fill: impl FnOnce(&mut T) -> Option<()>) {
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        return count(Loss::RingFull);
    };
    // SAFETY: the memory is the ring buffer's, which the kernel has initialised, and any bytes are a valid `T: Pod`.
    match fill(unsafe { entry.assume_init_mut() }) {
        Some(()) => entry.submit(wake_up()),
        None => entry.discard(SLEEP_ON),
    }
}

/// Counts a lost fact.
#[inline(always)]
pub fn count(loss: Loss) {
    if let Some(counters) = LOST.get_ptr_mut(0) {
        // SAFETY: the map's value for this CPU, which no other program on it changes meanwhile.
        unsafe { (*counters)[loss as usize] += 1 };
    }
}

/// The consumer reads on a timer; only a filling buffer wakes it earlier.
#[inline(always)]
fn wake_up() -> u64 {
    let past = EVENTS.query(AVAILABLE).wrapping_sub(u64::from(WAKE_AT_BYTES.load()));
    if past < WAKE_WINDOW_BYTES { WAKE } else { SLEEP_ON }
}
