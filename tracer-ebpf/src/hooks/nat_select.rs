//! kprobe `unsigned int nf_nat_setup_info(struct nf_conn *ct, const struct nf_nat_range2 *range,
//! enum nf_nat_manip_type maniptype)`: the rule's range and flags, before a port is chosen. `nat_bind` takes it along.

use core::mem::MaybeUninit;

use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use aya_log_ebpf::debug;
use tracer_common::events::NatSelect;

use crate::kernel::conntrack::{self, Conn, Room};
use crate::{emit, filter, selection};

/// `NF_NAT_MANIP_SRC`
const MANIP_SRC: u32 = 0;

#[kprobe]
pub fn nat_select(ctx: ProbeContext) -> u32 {
    if ctx.arg::<u32>(2) == Some(MANIP_SRC) {
        let _ = observe(&ctx);
    }
    0
}

#[inline(always)]
fn observe(ctx: &ProbeContext) -> Option<()> {
    let mut room = Room::new();
    let conn = Conn::new(ctx.arg::<*const u8>(0)?, &mut room)?;
    let original = conn.original()?;
    if !filter::wants(&original) {
        return None;
    }
    let mut room = MaybeUninit::uninit();
    let range = conntrack::range(ctx.arg::<*const u8>(1)?, &mut room)?;
    if conn.is_null_binding(range) {
        return None;
    }
    let netns = conn.netns()?;
    if !filter::wants_netns(netns) {
        return None;
    }
    selection::keep(conn.id(), |event: &mut NatSelect| {
        event.stamp = emit::stamp(NatSelect::KIND, netns);
        event.original = original;
        event.flags = range.flags;
        event.min_port = range.min_port();
        event.max_port = range.max_port();
        event.zone = conn.zone();
        event.unused = 0;
    });
    debug!(ctx, "nat_select: flags {:x}, source port {}", range.flags, original.src_port);
    Some(())
}
