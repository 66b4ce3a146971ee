//! The only code that reads kernel memory. Everything above it sees flows and numbers in host byte order.

pub mod conntrack;
pub mod globals;
pub mod place;
pub mod skb;
pub mod sock;

use core::mem::MaybeUninit;

use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel as bpf_probe_read_kernel_into;
use tracer_common::config::Loss;

use crate::emit;

/// An address in kernel memory.
#[derive(Clone, Copy)]
pub struct Address(u64);

impl Address {
    /// An address that the kernel gave as an argument.
    #[inline(always)]
    pub fn new<T>(pointer: *const T) -> Self {
        Self(pointer as u64)
    }

    /// Reads a value `offset` bytes on; `None`, counted, if the memory cannot be read.
    #[inline(always)]
    pub fn read<T: bytemuck::Pod>(self, offset: u32) -> Option<T> {
        let source = (self.0 + u64::from(offset)) as *const T;
        // SAFETY: the helper checks the address itself and fails on a bad one; any bytes are a valid `T: Pod`.
        let value = unsafe { bpf_probe_read_kernel(source) };
        value.inspect_err(|_| emit::count(Loss::Unreadable)).ok()
    }

    /// Reads what is too large to be returned.
    #[inline(always)]
    pub fn copy<T: bytemuck::Pod>(self, offset: u32, copy: &mut MaybeUninit<T>) -> Option<&T> {
        let source = (self.0 + u64::from(offset)) as *const c_void;
        // SAFETY: as in `read`, and `copy` has room for a `T`.
        let result = unsafe { bpf_probe_read_kernel_into(copy.as_mut_ptr().cast(), size_of::<T>() as u32, source) };
        if result != 0 {
            emit::count(Loss::Unreadable);
            return None;
        }
        // SAFETY: the helper has written the whole value, and any bytes are a valid `T: Pod`.
        Some(unsafe { copy.assume_init_ref() })
    }

    /// As `read`, where the address is only likely to be valid: a failure is not counted as a loss.
    #[inline(always)]
    pub fn peek<T: bytemuck::Pod>(self, offset: u32) -> Option<T> {
        let source = (self.0 + u64::from(offset)) as *const T;
        // SAFETY: as in `read`.
        unsafe { bpf_probe_read_kernel(source) }.ok()
    }

    /// Reads a pointer `offset` bytes on and follows it; `None` also where it is null.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Option<Self> {
        let pointer: u64 = self.read(offset)?;
        (pointer != 0).then_some(Self(pointer))
    }
}

/// An address of which the verifier knows what lies there. A load from it needs no helper, and reads 0 where it faults.
#[derive(Clone, Copy)]
pub struct Typed(*const u8);

impl Typed {
    /// An address that the verifier has given a type.
    #[inline(always)]
    pub fn new<T>(pointer: *const T) -> Self {
        Self(pointer.cast())
    }

    /// Loads a value `offset` bytes on, aligned as the kernel aligns it.
    #[inline(always)]
    pub fn load<T: bytemuck::Pod>(self, offset: u32) -> T {
        // SAFETY: the verifier checks offset and size against the type; any bytes are a valid `T: Pod`.
        unsafe { self.0.wrapping_add(offset as usize).cast::<T>().read_volatile() }
    }

    /// Follows a pointer `offset` bytes on, whose type the verifier knows too.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Self {
        // SAFETY: as in `load`; a pointer that the verifier gives no type cannot be loaded from.
        Self(unsafe { self.0.wrapping_add(offset as usize).cast::<*const u8>().read_volatile() })
    }
}

/// `AF_INET`
const AF_INET: u16 = 2;
/// `AF_INET6`
const AF_INET6: u16 = 10;
/// `IPPROTO_TCP`
const IPPROTO_TCP: u8 = 6;
