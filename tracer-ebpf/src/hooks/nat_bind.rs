//! kprobe `int __nf_conntrack_confirm(struct sk_buff *skb)`: original and translated tuple of a new connection. Where there is no
//! kprobe, `wire` and `ct_drop` read them from the conntrack entries of the SYNs that leave or are dropped.

use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use aya_log_ebpf::debug;
use tracer_common::events::{NatBind, STATUS_DST_NAT, STATUS_SRC_NAT};

use crate::kernel::conntrack::{Conn, Room};
use crate::kernel::skb::Skb;
use crate::maps::ENTRY;
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
    is_wanted(conn)?;
    let isn = skb.syn_seq()?;
    if conn.status() & STATUS_SRC_NAT == 0 {
        filter::want_backend(&conn.translated()?);
        return None;
    }
    report(conn, isn)?;
    debug!(ctx, "nat_bind: status {:x}", conn.status());
    Some(())
}

/// The entry of a SYN that leaves: one with a translated source if it is new, one without if it is retransmitted. To the kernel, the
/// context of a TC program is the packet itself.
#[inline(always)]
pub fn of_packet(skb: Skb, isn: u32, is_new: bool, is_again: bool) -> Option<()> {
    // Not on the stack, where packet and event leave too little. What sends packets does not nest on a CPU.
    let room = ENTRY.get_ptr_mut(0)?;
    // SAFETY: the map's value for this CPU.
    let conn = skb.conn(Room::of(unsafe { &mut *room }))?;
    let is_translated = conn.status() & STATUS_SRC_NAT != 0;
    if is_translated && is_new || !is_translated && is_again {
        return of_entry(conn, isn);
    }
    // Where DNAT alone changed it, its answers have to pass the filter too.
    if is_new && is_wanted(conn).is_some() {
        filter::want_backend(&conn.translated()?);
    }
    None
}

/// The binding in this entry.
#[inline(always)]
pub fn of_entry(conn: Conn<'_>, isn: u32) -> Option<()> {
    if !filter::wants(&conn.original()?) {
        return None;
    }
    report(conn, isn)
}

/// Whether the entry has what a `nat_bind` event reports.
#[inline(always)]
fn is_wanted(conn: Conn<'_>) -> Option<()> {
    let is_translated = conn.status() & STATUS_SRC_NAT != 0 || follows_backend(conn);
    (is_translated && filter::wants(&conn.original()?)).then_some(())
}

#[inline(always)]
fn follows_backend(conn: Conn<'_>) -> bool {
    filter::follows_backends() && conn.status() & STATUS_DST_NAT != 0
}

#[inline(always)]
fn report(conn: Conn<'_>, isn: u32) -> Option<()> {
    if follows_backend(conn) {
        filter::want_backend(&conn.translated()?);
    }
    let status = conn.status();
    let original = conn.original()?;
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
    Some(())
}
