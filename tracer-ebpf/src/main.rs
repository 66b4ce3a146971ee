//! The witnesses: eBPF programs that turn what the kernel does into events. One hook a file.

#![no_std]
#![no_main]

mod address;
mod emit;
mod extensions;
mod filter;
mod hooks;
mod kernel;
mod maps;
mod options;
mod outside;
mod packet;
mod selection;
mod observation;
mod waiting;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// The helpers that read kernel memory are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
