//! What `nat_select` learns waits for `nat_bind` of the same conntrack entry, which nearly always follows at once on the same
//! CPU and takes it along. A selection that no binding took is reported as an event when the next takes its place, or by user space at the end.

use tracer_common::Flow;
use tracer_common::events::{NatSelect, RANGE_KNOWN};

use crate::emit;
use crate::maps::SELECTED;

/// What the binding takes along.
pub struct Taken {
    pub netns: u32,
    pub flags: u16,
    pub min_port: u16,
    pub max_port: u16,
}

/// Has `fill` write every field of the selection of an entry where its binding finds it.
#[inline(always)]
pub fn keep(entry: u64, fill: impl FnOnce(&mut NatSelect)) {
    let Some(selection) = SELECTED.get_ptr_mut(0) else { return };
    // SAFETY: the map's value for this CPU. The kernel runs no second kprobe's program on a CPU while it runs one.
    let selection = unsafe { &mut *selection };
    if selection.entry != 0 {
        emit::emit(|event: &mut NatSelect| {
            *event = selection.event;
            Some(())
        });
    }
    // `take` may interrupt this: it must not find an entry with the selection of another one.
    let waits = &raw mut selection.entry;
    // SAFETY: it points into the map's value.
    unsafe { waits.write_volatile(0) };
    fill(&mut selection.event);
    // SAFETY: as above.
    unsafe { waits.write_volatile(entry) };
}

/// The selection that was made for this entry. An entry at the same address may be another one: then ports differ.
#[inline(always)]
pub fn take(entry: u64, original: &Flow) -> Option<Taken> {
    // SAFETY: as in `keep`.
    let selection = unsafe { &mut *SELECTED.get_ptr_mut(0)? };
    let event = &selection.event;
    let ports = |flow: &Flow| (flow.src_port, flow.dst_port);
    let flags = event.flags as u16;
    let fits = selection.entry == entry
        && ports(&event.original) == ports(original)
        // A flag that a newer kernel may have would not fit.
        && event.flags == u32::from(flags & !RANGE_KNOWN);
    if !fits {
        return None;
    }
    selection.entry = 0;
    Some(Taken {
        netns: event.stamp.netns,
        flags: flags | RANGE_KNOWN,
        min_port: event.min_port,
        max_port: event.max_port,
    })
}
