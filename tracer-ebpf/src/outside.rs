//! SYNs from outside that are dropped here: those on their way to another machine are reported, at a bounded rate.

use tracer_common::config::{Loss, OUTSIDE_DROPS_BURST, OUTSIDE_DROPS_PER_SECOND};
use tracer_common::events::{STATUS_CONFIRMED, STATUS_DST_NAT, STATUS_SRC_NAT_DONE};

use crate::kernel::conntrack::Conn;
use crate::kernel::skb::Header;
use crate::maps::OUTSIDE_DROPS;
use crate::{emit, filter};

/// The places in `OUTSIDE_DROPS`.
const FROM_OUTSIDE: u32 = 0;
const ELSEWHERE: u32 = 1;

/// Whether a SYN from outside was on its way to another machine: NAT was done, or the node does not have the address.
#[inline(always)]
pub fn is_forwarded(conn: Option<Conn<'_>>, syn: &Header) -> bool {
    let status = conn.map_or(0, Conn::status);
    let is_translated =
        status & STATUS_DST_NAT != 0 || status & (STATUS_SRC_NAT_DONE | STATUS_CONFIRMED) == STATUS_SRC_NAT_DONE;
    is_translated || syn.dst().is_some_and(|dst| !filter::is_own(&dst))
}

/// Whether one more drop of a SYN from outside may be reported now, on this CPU; one that may not is counted.
#[inline(always)]
pub fn is_within_rate() -> bool {
    let may = take(FROM_OUTSIDE);
    if !may {
        emit::count(Loss::Skipped);
    }
    may
}

/// The same for a drop in a namespace of which it is not known whether it is of interest, so that none is missed for certain.
#[inline(always)]
pub fn is_within_rate_elsewhere() -> bool {
    take(ELSEWHERE)
}

#[inline(always)]
fn take(bucket: u32) -> bool {
    const PERIOD_NS: u64 = 1_000_000_000 / OUTSIDE_DROPS_PER_SECOND;
    let Some(bucket) = OUTSIDE_DROPS.get_ptr_mut(bucket) else { return false };
    // SAFETY: the map's value for this CPU. An interruption costs a drop more or less.
    let [left, counted_ns] = unsafe { &mut *bucket };
    let now_ns = emit::now_ns();
    let more = now_ns.wrapping_sub(*counted_ns) / PERIOD_NS;
    if more > 0 {
        *left = (*left).saturating_add(more).min(OUTSIDE_DROPS_BURST);
        *counted_ns = now_ns;
    }
    if *left == 0 {
        return false;
    }
    *left -= 1;
    true
}
