//! raw tracepoint `tcp_retransmit_skb(const struct sock *sk, const struct sk_buff *skb [, int err from 6.17])`:
//! a socket in `SYN_SENT` sent its SYN again.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use tracer_common::events::{SynRetransmit, TCP_SYN_SENT};

use crate::kernel::globals::RETRANSMIT_HAS_ERR;
use crate::kernel::skb::Skb;
use crate::kernel::sock::Sock;
use crate::{emit, filter};

#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
pub fn syn_retransmit(ctx: RawTracePointContext) -> i32 {
    let sock = Sock::new(ctx.arg::<*const u8>(0));
    if sock.state() == Some(TCP_SYN_SENT) {
        let _ = observe(&ctx, sock);
    }
    0
}

#[inline(always)]
fn observe(ctx: &RawTracePointContext, sock: Sock) -> Option<()> {
    let flow = sock.flow()?;
    if !filter::wants(&flow) {
        return None;
    }
    // Reading a third argument that the tracepoint does not have is refused at attach, so the branch must be dead.
    let err = if RETRANSMIT_HAS_ERR.load() == 1 { ctx.arg::<u32>(2) as i32 } else { 0 };
    let ordinal = sock.total_retrans()?;
    let netns = sock.netns()?;
    emit::emit(|event: &mut SynRetransmit| {
        event.stamp = emit::stamp(SynRetransmit::KIND, netns);
        event.flow = flow;
        event.isn = Skb::new(ctx.arg::<*const u8>(1)).queued_seq()?;
        event.ordinal = ordinal;
        event.err = err;
        Some(())
    });
    debug!(ctx, "syn_retransmit: source port {}, {} times, error {}", flow.src_port, ordinal, err);
    Some(())
}
