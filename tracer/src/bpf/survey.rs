//! Says which hooks would work here, and why not, without attaching anything: each program is loaded and dropped again.

use std::path::PathBuf;

use super::hooks;
use super::layout::KernelLayout;
use super::object::{globals, load, types};
use super::{TracerOptions, interfaces, open_namespaces, privileges, wire};
use crate::btf::Btf;
use crate::model::HookState;

/// Looks at every hook; `netns` as for a capture.
pub fn survey(netns: &[PathBuf]) -> anyhow::Result<Vec<HookState>> {
    let layout = KernelLayout::read(&Btf::of_kernel()?);
    let namespaces = open_namespaces(netns)?;
    let uplinks = interfaces::follow_all(&namespaces, &[]).map(|(_, uplinks)| uplinks.len());
    let options = TracerOptions { netns: netns.to_vec(), ..TracerOptions::default() };
    let mut ebpf = privileges::check().and_then(|()| load(&globals(&layout, &options, true)));
    let mut states = hooks::survey(&mut ebpf, &types()?, &layout);
    let off = uplinks.map_or_else(|error| Some(format!("{error:#}")), |count| wire::cannot(&mut ebpf, count));
    states.push(HookState { stem: "wire".to_owned(), off });
    Ok(states)
}
