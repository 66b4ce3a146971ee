//! Loading a program to see whether the kernel takes it.

use aya::Ebpf;

use super::refusal;

/// Why programs cannot be loaded at all; else what loading these does.
pub(super) fn try_load(
    ebpf: &mut anyhow::Result<Ebpf>,
    load: impl FnOnce(&mut Ebpf) -> anyhow::Result<()>,
) -> Option<String> {
    match ebpf {
        Ok(ebpf) => load(ebpf).err().map(|error| refusal::of_program(&error)),
        Err(error) => Some(format!("{error:#}")),
    }
}
