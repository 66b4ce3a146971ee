//! The eBPF object: its globals, maps and programs.

use anyhow::Context as _;
use aya::maps::{Map, MapError};
use aya::programs::{Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use tracer_common::config::Globals;

use super::layout::KernelLayout;
use super::{TracerOptions, refusal};
use crate::btf;

/// Bytes of the ring buffer: at 50,000 events a second enough for two seconds.
const RING_BYTES: u32 = 8 << 20;

/// The frozen globals. `has_binds`: the kprobe nat_bind will report bindings.
pub(super) fn globals(layout: &KernelLayout, options: &TracerOptions, has_binds: bool) -> Globals {
    let mut globals = layout.globals;
    globals.FILTER_BY_SRC = u32::from(!options.src.is_empty());
    globals.FILTER_BY_DST = u32::from(!options.dst.is_empty());
    globals.FILTER_BY_DPORT = u32::from(options.dport.is_some());
    globals.FILTER_BY_NETNS = u32::from(!options.netns.is_empty());
    // Where no entry is read, no hook sees which destination a DNAT chose, so `wire` must report all destinations.
    let by_destination = globals.FILTER_BY_DST | globals.FILTER_BY_DPORT;
    let reads_entries = layout.conntrack.is_none();
    globals.WIRE_READS = u32::from(reads_entries);
    globals.WIRE_BINDS = u32::from(reads_entries && !has_binds);
    globals.WIRE_NETNS = u32::from(options.netns.len() > 1 && layout.drops.is_none());
    globals.FILTER_WIRE = by_destination & u32::from(reads_entries);
    globals.WATCHES_INNER = u32::from(!options.interfaces.is_empty());
    globals.WAKE_AT_BYTES = RING_BYTES / 4;
    globals
}

/// Makes the maps; the programs are loaded one by one.
pub(super) fn load(globals: &Globals) -> anyhow::Result<Ebpf> {
    let pairs = globals.pairs();
    let log_level = u8::from(is_debugging()) * aya_log::Level::Debug as u8;
    let mut loader = EbpfLoader::new();
    for (name, value) in &pairs {
        loader.override_global(name, value, true);
    }
    loader.override_global(aya_log::LEVEL, &log_level, true);
    loader.map_max_entries("EVENTS", RING_BYTES);
    loader.load(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/snatrace-ebpf"))).map_err(refusal::of_maps)
}

/// The kernel's type information as aya wants it.
pub(super) fn types() -> anyhow::Result<Btf> {
    Btf::from_sys_fs().with_context(|| format!("cannot understand {}: please report it with `uname -a`", btf::VMLINUX))
}

/// aya reads the kernel's type information into 100,000 small allocations, of which the heap keeps 12 MB once they are freed.
pub(super) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call has no preconditions.
    unsafe {
        nix::libc::malloc_trim(0)
    };
}

/// The programs' own messages are switched on with -v.
pub(super) fn is_debugging() -> bool {
    log::log_enabled!(log::Level::Debug)
}

/// A map that stays with the programs: they cannot be loaded once it is closed.
pub(super) fn map<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Map> {
    ebpf.map_mut(name).with_context(|| format!("the eBPF object has no map {name}"))
}

/// A map that the caller keeps.
pub(super) fn take<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<T> {
    let map = ebpf.take_map(name).with_context(|| format!("the eBPF object has no map {name}"))?;
    T::try_from(map).with_context(|| format!("the eBPF map {name} is of another kind"))
}

/// A program as what it is.
pub(super) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut P>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = ebpf.program_mut(name).with_context(|| format!("the eBPF object has no program {name}"))?;
    Ok(program.try_into()?)
}
