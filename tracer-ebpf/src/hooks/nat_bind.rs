//! kprobe `int __nf_conntrack_confirm(struct sk_buff *skb)`: original and translated tuple of a new connection.

use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use aya_log_ebpf::debug;
use tracer_common::events::{NatBind, STATUS_DST_NAT, STATUS_SRC_NAT};

use crate::kernel::conntrack::Room;
use crate::kernel::skb::Skb;
use crate::{emit, filter, selection};

#[kprobe]
pub fn nat_bind(ctx: ProbeContext) -> u32 {
    let _ = observe(&ctx);
    0
}

#[inline(always)]
fn observe(ctx: &ProbeContext) -> Option<()> {
    let skb = Skb::new(ctx.arg::<*const u8>(0)?);
    let mut room = Room::new();
    let conn = skb.conn(&mut room)?;
    let status = conn.status();
    let follows_backend = filter::follows_backends() && status & STATUS_DST_NAT != 0;
    if status & STATUS_SRC_NAT == 0 && !follows_backend {
        return None;
    }
    let original = conn.original()?;
    if !filter::wants(&original) {
        return None;
    }
    let isn = skb.syn_seq()?;
    if follows_backend {
        filter::want_backend(&conn.translated()?);
    }
    if status & STATUS_SRC_NAT == 0 {
        return None;
    }
    let taken = selection::take(conn.id(), &original);
    let netns = match &taken {
        Some(taken) => taken.netns,
        None => conn.netns()?,
    };
    if !filter::wants_netns(netns) {
        return None;
    }
    emit::emit(|event: &mut NatBind| {
        event.stamp = emit::stamp(NatBind::KIND, netns);
        event.original = original;
        event.translated = conn.translated()?;
        event.isn = isn;
        event.status = status;
        event.zone = conn.zone();
        (event.range_flags, event.min_port, event.max_port) = match &taken {
            Some(taken) => (taken.flags, taken.min_port, taken.max_port),
            None => (0, 0, 0),
        };
        Some(())
    });
    debug!(ctx, "nat_bind: source port {}, status {:x}", original.src_port, status);
    Some(())
}
