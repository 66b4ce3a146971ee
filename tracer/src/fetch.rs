//! Has memory fetched into the CPU's cache ahead of its use, so that no access waits for it. It affects nothing but time.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Has all of a value fetched, if there is one.
#[inline]
pub fn fetch<T>(value: Option<&T>) {
    let Some(value) = value else { return };
    let start = std::ptr::from_ref(value).cast::<i8>();
    let mut offset = 0;
    while offset < size_of::<T>() {
        line(start.wrapping_add(offset));
        offset += LINE;
    }
    // It need not begin where a line does.
    if align_of::<T>() < size_of::<T>() {
        line(start.wrapping_add(size_of::<T>() - 1));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn line(place: *const i8) {
    // SAFETY: a prefetch is a hint; it reads nothing and fails on no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(place) };
}

/// Stable Rust has no intrinsic for it on arm64.
#[cfg(target_arch = "aarch64")]
#[inline]
fn line(place: *const i8) {
    // SAFETY: a prefetch is a hint; it reads nothing and fails on no address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{place}]", place = in(reg) place, options(nostack, preserves_flags, readonly))
    };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
fn line(_: *const i8) {}
